//! Types of what requests hold. A client that builds its JSON by hand learns here, and not in production, that a number isn't text.

use serde_json::Value;

use crate::refusal::Refusal;

/// What a member must be.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Type {
    Text,
    Integer,
    Boolean,
    List,
    Object,
}

/// Members that stand at the top of requests; each means the same in every operation that takes it (API models).
const TOP: [(Type, &[&str]); 5] = [
    (
        Type::Text,
        &[
            "cluster",
            "service",
            "serviceName",
            "taskDefinition",
            "task",
            "family",
            "familyPrefix",
            "startedBy",
            "launchType",
            "group",
            "reason",
            "clientToken",
            "desiredStatus",
            "sort",
            "nextToken",
            "serviceDeploymentArn",
            "stopType",
            "taskRoleArn",
            "executionRoleArn",
            "networkMode",
            "pidMode",
            "ipcMode",
            "cpu",
            "memory",
            "platformVersion",
            "registryId",
            "repositoryName",
            "imageTag",
            "imageDigest",
            "imageManifest",
            "imageManifestMediaType",
            "SecretId",
            "VersionId",
            "VersionStage",
            "logGroupName",
            "logGroupIdentifier",
            "logStreamName",
        ],
    ),
    (Type::Integer, &["desiredCount", "count", "maxResults", "limit", "startTime", "endTime", "healthCheckGracePeriodSeconds"]),
    (Type::Boolean, &["forceNewDeployment", "enableExecuteCommand", "startFromHead", "enableFaultInjection", "enableECSManagedTags"]),
    (
        Type::List,
        &[
            "services",
            "clusters",
            "tasks",
            "include",
            "serviceDeploymentArns",
            "serviceRevisionArns",
            "containerDefinitions",
            "volumes",
            "placementConstraints",
            "requiresCompatibilities",
            "tags",
            "repositoryNames",
            "imageIds",
            "capacityProviderStrategy",
        ],
    ),
    (Type::Object, &["deploymentConfiguration", "networkConfiguration", "overrides", "runtimePlatform", "ephemeralStorage", "filter"]),
];

/// Members of a container's definition.
const CONTAINER: [(Type, &[&str]); 5] = [
    (Type::Text, &["name", "image", "hostname", "user", "workingDirectory"]),
    (Type::Integer, &["cpu", "memory", "memoryReservation", "stopTimeout", "startTimeout"]),
    (Type::Boolean, &["essential", "readonlyRootFilesystem", "privileged", "interactive", "pseudoTerminal"]),
    (Type::List, &["portMappings", "environment", "secrets", "command", "entryPoint", "mountPoints", "volumesFrom", "dependsOn"]),
    (Type::Object, &["dockerLabels", "logConfiguration", "healthCheck", "linuxParameters"]),
];

/// Refuses a request in which a member has a wrong type. Members that no table knows pass.
pub(crate) fn check(body: &Value) -> Result<(), Refusal> {
    members(body, &TOP)?;
    for container in body["containerDefinitions"].as_array().into_iter().flatten() {
        demand(container, Type::Object)?;
        members(container, &CONTAINER)?;
        let pairs = ["environment", "secrets"].iter().flat_map(|list| container[*list].as_array().into_iter().flatten());
        let labels = container["dockerLabels"].as_object().into_iter().flat_map(|labels| labels.values());
        let texts = pairs.filter_map(Value::as_object).flat_map(|pair| pair.values()).chain(labels);
        texts.filter(|text| !text.is_null()).try_for_each(|text| demand(text, Type::Text))?;
    }
    Ok(())
}

fn members(body: &Value, table: &[(Type, &[&str])]) -> Result<(), Refusal> {
    let all = table.iter().flat_map(|(wanted, names)| names.iter().map(move |name| (*wanted, *name)));
    // The protocol takes null for absent.
    let present = all.filter_map(|(wanted, name)| body.get(name).filter(|value| !value.is_null()).map(|value| (wanted, value)));
    present.into_iter().try_for_each(|(wanted, value)| demand(value, wanted))
}

fn demand(value: &Value, wanted: Type) -> Result<(), Refusal> {
    let (is, found) = match value {
        Value::String(_) => (Some(Type::Text), "STRING_VALUE"),
        Value::Number(number) => ((!number.is_f64()).then_some(Type::Integer), "NUMBER_VALUE"),
        Value::Bool(true) => (Some(Type::Boolean), "TRUE_VALUE"),
        Value::Bool(false) => (Some(Type::Boolean), "FALSE_VALUE"),
        Value::Array(_) => (Some(Type::List), "START_ARRAY"),
        Value::Object(_) => (Some(Type::Object), "START_OBJECT"),
        Value::Null => (None, "NULL_VALUE"),
    };
    if is == Some(wanted) {
        return Ok(());
    }
    let name = match wanted {
        Type::Text => "a String",
        Type::Integer => "an Integer",
        Type::Boolean => "a Boolean",
        Type::List => "a List",
        Type::Object => "a Structure",
    };
    Err(Refusal::bad("SerializationException", format!("{found} can not be converted to {name}")))
}
