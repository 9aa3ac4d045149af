//! Tasks on the wire.

use serde_json::{Value, json};

use super::stamp;
use super::task::{Health, Task, TaskContainer};

/// As DescribeTasks and RunTask show it. `checked` names the container that has a health check, if one has.
pub(crate) fn task(it: &Task, region: &str, checked: Option<&str>, epoch: f64) -> Value {
    let cluster_arn = it.arn.split("task/").next().map(|prefix| format!("{prefix}cluster/{}", it.cluster));
    let mut wire = json!({
        "attachments": [attachment(it)],
        "attributes": [{"name": "ecs.cpu-architecture", "value": "x86_64"}],
        "availabilityZone": format!("{region}{}", it.zone),
        "clusterArn": cluster_arn,
        "containers": it.containers.iter().map(|container| self::container(it, container, checked)).collect::<Vec<_>>(),
        "cpu": "512",
        "memory": "1024",
        "createdAt": stamp(epoch, it.created_at),
        "desiredStatus": if it.told_to_stop { "STOPPED" } else { "RUNNING" },
        "enableExecuteCommand": false,
        "group": it.group,
        "healthStatus": health(it, checked.is_some()),
        "lastStatus": it.last_status,
        "launchType": "FARGATE",
        "overrides": it.overrides,
        "platformFamily": "Linux",
        "platformVersion": "1.4.0",
        "startedBy": it.started_by,
        "tags": [],
        "taskArn": it.arn,
        "taskDefinitionArn": it.task_definition,
        "version": 3
    });
    let times = [("startedAt", it.started_at), ("stoppingAt", it.stopping_at), ("stoppedAt", it.stopped_at)];
    for (key, at) in times {
        if let Some(at) = at {
            wire[key] = json!(stamp(epoch, at));
        }
    }
    for (key, text) in [("stopCode", &it.stop_code), ("stoppedReason", &it.stopped_reason)] {
        if let Some(text) = text.as_ref().filter(|text| !text.is_empty()) {
            wire[key] = json!(text);
        }
    }
    wire
}

fn attachment(it: &Task) -> Value {
    let status = match it.last_status {
        "PROVISIONING" => "PRECREATED",
        "STOPPED" => "DELETED",
        _ => "ATTACHED",
    };
    json!({
        "id": it.attachment,
        "type": "ElasticNetworkInterface",
        "status": status,
        "details": [
            {"name": "subnetId", "value": "subnet-0a1b2c3d4e5f60718"},
            {"name": "networkInterfaceId", "value": format!("eni-{}", it.attachment.replace('-', "").get(..17).unwrap_or_default())},
            {"name": "privateIPv4Address", "value": it.ip}
        ]
    })
}

fn health(it: &Task, checked: bool) -> &'static str {
    match it.health {
        Health::Healthy if checked => "HEALTHY",
        Health::Unhealthy if checked => "UNHEALTHY",
        _ => "UNKNOWN",
    }
}

fn container(it: &Task, container: &TaskContainer, checked: Option<&str>) -> Value {
    let status = match it.last_status {
        "PROVISIONING" | "PENDING" => "PENDING",
        "STOPPED" => "STOPPED",
        _ => "RUNNING",
    };
    let id = it.attachment.get(24..).unwrap_or_default();
    let mut wire = json!({
        "containerArn": format!("{}/{id}-{}", it.arn.replacen(":task/", ":container/", 1), container.name),
        "taskArn": it.arn,
        "name": container.name,
        "image": container.image,
        "lastStatus": status,
        "networkBindings": [],
        "networkInterfaces": [{"attachmentId": it.attachment, "privateIpv4Address": it.ip}],
        "healthStatus": health(it, checked == Some(container.name.as_str())),
        "cpu": "0"
    });
    if it.started_at.is_some() {
        wire["imageDigest"] = json!(container.digest);
        wire["runtimeId"] = json!(format!("{}-{id}", it.id));
    }
    if let Some(code) = container.exit_code {
        wire["exitCode"] = json!(code);
    }
    let unpulled = it.trouble.as_ref().filter(|_| it.last_status == "STOPPED" && it.started_at.is_none());
    if let Some(reason) = container.reason.as_ref().or(unpulled) {
        wire["reason"] = json!(reason);
    }
    wire
}
