//! A task definition as the JSON that ECS returned: copied whole, changed in four places (CONTRACT 5.8).
//!
//! A typed SDK drops the fields it doesn't know, and a dropped field is a changed production. So the JSON stays JSON.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::names::{DefinitionArn, Digest, Revision};

/// Set by ECS, refused by `RegisterTaskDefinition`
/// (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_TaskDefinition.html>).
const READ_ONLY: [&str; 9] = [
    "taskDefinitionArn",
    "revision",
    "status",
    "requiresAttributes",
    "compatibilities",
    "registeredAt",
    "registeredBy",
    "deregisteredAt",
    "deleteRequestedAt",
];

/// The label that names the commit: <https://github.com/opencontainers/image-spec/blob/main/annotations.md>.
pub const LABEL_REVISION: &str = "org.opencontainers.image.revision";
/// The label that names the version.
pub const LABEL_VERSION: &str = "org.opencontainers.image.version";
/// The label that names the repository.
pub const LABEL_SOURCE: &str = "org.opencontainers.image.source";
/// The label that names the release which registered the definition.
pub const LABEL_RELEASE: &str = "escher.release";
/// The label that names the definition before that release.
pub const LABEL_PREVIOUS: &str = "escher.previous";

/// One revision of a task definition.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TaskDefinition {
    /// Shared: it is large, and the world, the plan and whoever watches hold it.
    body: Arc<Map<String, Value>>,
    tags: Arc<Vec<Value>>,
}

/// What a release wants of the one container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The container's name.
    pub container: String,
    /// The image, by digest.
    pub image: String,
    /// Environment variables that are merged by name.
    pub config: BTreeMap<String, String>,
    /// Secrets that are merged by name: variable → full ARN.
    pub secrets: BTreeMap<String, String>,
    /// Docker labels that are merged by name.
    pub labels: BTreeMap<String, String>,
}

/// Where a definition is not yet what is wanted. Labels don't count: they name the release, not the behaviour.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Another image.
    pub image: bool,
    /// The names of the variables and secrets that differ, sorted.
    pub settings: Vec<String>,
}

/// Where a container's log is kept, with the `awslogs` driver
/// (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/specify-log-config.html>).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogPlace {
    /// `awslogs-group`.
    pub group: String,
    /// `awslogs-region`; the cluster's where it isn't given.
    pub region: Option<String>,
    /// `awslogs-stream-prefix` and the container's name: a task's stream is this, a slash, and the task's id.
    stream: String,
}

impl LogPlace {
    /// The stream of one task.
    pub fn stream(&self, task: &str) -> String {
        format!("{}/{task}", self.stream)
    }
}

/// What can be wrong with a task definition.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DefinitionError {
    /// The answer has no `taskDefinition` object.
    #[error("the answer holds no task definition")]
    NotADefinition,
    /// The configured container is not in it.
    #[error("has no container `{wanted}`; it has {}", .has.join(", "))]
    NoContainer {
        /// The name in the configuration.
        wanted: String,
        /// The names in the definition.
        has: Vec<String>,
    },
}

impl Difference {
    /// Nothing would change.
    pub fn is_none(&self) -> bool {
        !self.image && self.settings.is_empty()
    }
}

impl TaskDefinition {
    /// Reads the body of a `DescribeTaskDefinition` answer.
    ///
    /// # Errors
    /// `NotADefinition` when it isn't one.
    pub fn from_answer(answer: &Value) -> Result<Self, DefinitionError> {
        let body = answer.get("taskDefinition").and_then(Value::as_object).ok_or(DefinitionError::NotADefinition)?;
        let tags = answer.get("tags").and_then(Value::as_array).cloned().unwrap_or_default();
        Ok(Self { body: Arc::new(body.clone()), tags: Arc::new(tags) })
    }

    /// Its ARN.
    pub fn arn(&self) -> DefinitionArn {
        DefinitionArn::new(self.text("taskDefinitionArn"))
    }

    /// Its family.
    pub fn family(&self) -> &str {
        self.text("family")
    }

    /// What an image of it must be built for, as docker writes it; ECS's default is x86
    /// (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RuntimePlatform.html>).
    pub fn platform(&self) -> String {
        let of = |key: &str| self.body.get("runtimePlatform").and_then(|platform| platform.get(key)?.as_str());
        let system = if of("operatingSystemFamily").is_some_and(|family| family.starts_with("WINDOWS")) { "windows" } else { "linux" };
        let cpu = if of("cpuArchitecture") == Some("ARM64") { "arm64" } else { "amd64" };
        format!("{system}/{cpu}")
    }

    fn text(&self, key: &str) -> &str {
        self.body.get(key).and_then(Value::as_str).unwrap_or_default()
    }

    fn containers(&self) -> impl Iterator<Item = &Value> {
        self.body.get("containerDefinitions").and_then(Value::as_array).into_iter().flatten()
    }

    fn container(&self, name: &str) -> Result<&Value, DefinitionError> {
        self.containers().find(|container| is_named(container, name)).ok_or_else(|| DefinitionError::NoContainer {
            wanted: name.to_owned(),
            has: self.containers().filter_map(|c| c["name"].as_str()).map(str::to_owned).collect(),
        })
    }

    /// That it has a container.
    ///
    /// # Errors
    /// `NoContainer` with those that it has.
    pub fn has_container(&self, name: &str) -> Result<(), DefinitionError> {
        self.container(name).map(|_| ())
    }

    /// The image of a container, as written.
    pub fn image(&self, container: &str) -> Option<&str> {
        self.container(container).ok()?.get("image")?.as_str()
    }

    /// The image's digest, where the definition names it by digest.
    pub fn digest(&self, container: &str) -> Option<Digest> {
        self.image(container)?.split_once('@').map(|(_, digest)| Digest::new(digest))
    }

    /// A docker label of a container.
    pub fn label(&self, container: &str, label: &str) -> Option<&str> {
        self.container(container).ok()?.get("dockerLabels")?.get(label)?.as_str()
    }

    /// The commit that the label names.
    pub fn revision(&self, container: &str) -> Option<Revision> {
        self.label(container, LABEL_REVISION).map(Revision::from)
    }

    /// Where a container's log is kept; none with another driver, or without a prefix, as then no stream can be named.
    pub fn log_place(&self, container: &str) -> Option<LogPlace> {
        let configuration = self.container(container).ok()?.get("logConfiguration")?;
        let option = |name: &str| configuration.get("options")?.get(name)?.as_str().map(str::to_owned);
        if configuration.get("logDriver")?.as_str() != Some("awslogs") {
            return None;
        }
        let stream = format!("{}/{container}", option("awslogs-stream-prefix")?);
        Some(LogPlace { group: option("awslogs-group")?, region: option("awslogs-region"), stream })
    }

    /// Whether ECS checks the health of any essential container.
    pub fn has_health_check(&self) -> bool {
        self.containers()
            .any(|container| container.get("healthCheck").is_some_and(Value::is_object) && container["essential"] != json!(false))
    }

    /// Where this definition is not yet what is wanted.
    ///
    /// # Errors
    /// `NoContainer` when it lacks the container.
    pub fn difference(&self, wanted: &Wanted) -> Result<Difference, DefinitionError> {
        let container = self.container(&wanted.container)?;
        let environment = pairs(container, "environment", "value");
        let secrets = pairs(container, "secrets", "valueFrom");
        let differs = |(name, value): &(&String, &String), here: &BTreeMap<&str, &str>, other: &BTreeMap<&str, &str>| {
            here.get(name.as_str()) != Some(&value.as_str()) || other.contains_key(name.as_str())
        };
        let mut settings: Vec<String> = wanted
            .config
            .iter()
            .filter(|pair| differs(pair, &environment, &secrets))
            .chain(wanted.secrets.iter().filter(|pair| differs(pair, &secrets, &environment)))
            .map(|(name, _)| name.clone())
            .collect();
        settings.sort();
        Ok(Difference { image: container["image"].as_str() != Some(&wanted.image), settings })
    }

    /// The request that registers this definition again with what is wanted, everything else untouched.
    ///
    /// # Errors
    /// `NoContainer` when it lacks the container.
    pub fn next(&self, wanted: &Wanted) -> Result<Value, DefinitionError> {
        self.container(&wanted.container)?;
        let mut body = Map::clone(&self.body);
        body.retain(|key, _| !READ_ONLY.contains(&key.as_str()));
        let containers = body.get_mut("containerDefinitions").and_then(Value::as_array_mut).into_iter().flatten();
        for container in containers.filter(|container| is_named(container, &wanted.container)) {
            container["image"] = json!(wanted.image);
            merge(container, "environment", "value", &wanted.config, &wanted.secrets);
            merge(container, "secrets", "valueFrom", &wanted.secrets, &wanted.config);
            label(container, &wanted.labels);
        }
        // An empty list is refused with "Tags can not be empty."
        if !self.tags.is_empty() {
            body.insert("tags".to_owned(), Value::Array(Vec::clone(&self.tags)));
        }
        Ok(Value::Object(body))
    }
}

fn is_named(container: &Value, name: &str) -> bool {
    container["name"].as_str() == Some(name)
}

fn pairs<'a>(container: &'a Value, list: &str, value: &str) -> BTreeMap<&'a str, &'a str> {
    container
        .get(list)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some((entry["name"].as_str()?, entry[value].as_str()?)))
        .collect()
}

/// Sets the wanted entries of one list, each once, and removes from it the names that now live in the other list.
fn merge(container: &mut Value, list: &str, key: &str, wanted: &BTreeMap<String, String>, elsewhere: &BTreeMap<String, String>) {
    let is_absent = container.get(list).is_none_or(Value::is_null);
    if is_absent && wanted.is_empty() {
        return;
    }
    let mut entries = container.get(list).and_then(Value::as_array).cloned().unwrap_or_default();
    entries.retain(|entry| entry["name"].as_str().is_none_or(|name| !elsewhere.contains_key(name)));
    for (name, value) in wanted {
        let mut is_set = false;
        // Of a name that is given twice the last value would win.
        entries.retain_mut(|entry| {
            if entry["name"].as_str() != Some(name) {
                return true;
            }
            entry[key] = json!(value);
            !std::mem::replace(&mut is_set, true)
        });
        if !is_set {
            entries.push(json!({ "name": name, key: value }));
        }
    }
    container[list] = Value::Array(entries);
}

fn label(container: &mut Value, labels: &BTreeMap<String, String>) {
    if labels.is_empty() {
        return;
    }
    // An image whose commit is not known must not go by the commit of the one before it.
    if let Some(old) = container.get_mut("dockerLabels").and_then(Value::as_object_mut) {
        old.retain(|name, _| name != LABEL_REVISION || labels.contains_key(LABEL_REVISION));
    }
    if !container.get("dockerLabels").is_some_and(Value::is_object) {
        container["dockerLabels"] = json!({});
    }
    for (name, value) in labels {
        container["dockerLabels"][name] = json!(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition() -> TaskDefinition {
        TaskDefinition::from_answer(&json!({
            "taskDefinition": {
                "taskDefinitionArn": "arn:aws:ecs:us-west-1:1:task-definition/f:7",
                "family": "f", "revision": 7, "status": "ACTIVE", "requiresAttributes": [{"name": "x"}],
                "compatibilities": ["EC2"], "registeredAt": 1.5, "registeredBy": "me", "volumes": [],
                "enableFaultInjection": true, "fieldOfTomorrow": {"deep": [1, {"a": null}]},
                "containerDefinitions": [
                    {"name": "app", "image": "r@sha256:old", "dockerLabels": {"a": ""}, "mountPoints": [],
                     "environment": [{"name": "KEEP", "value": "1"}, {"name": "MOVES", "value": "plain"}],
                     "secrets": [{"name": "BACK", "valueFrom": "arn:s"}]},
                    {"name": "sidecar", "image": "envoy:1", "environment": [{"name": "MOVES", "value": "x"}]}
                ]
            },
            "tags": [{"key": "team", "value": "core"}]
        }))
        .expect("a definition")
    }

    fn wanted() -> Wanted {
        Wanted {
            container: "app".into(),
            image: "r@sha256:new".into(),
            config: BTreeMap::from([("BACK".into(), "now plain".into()), ("LOG".into(), "info".into())]),
            secrets: BTreeMap::from([("MOVES".into(), "arn:m".into())]),
            labels: BTreeMap::from([(LABEL_RELEASE.into(), "v1".into())]),
        }
    }

    #[test]
    fn everything_but_the_four_places_is_registered_again() {
        let next = definition().next(&wanted()).expect("has the container");
        assert_eq!(
            next,
            json!({
                "family": "f", "volumes": [], "enableFaultInjection": true,
                "fieldOfTomorrow": {"deep": [1, {"a": null}]},
                "containerDefinitions": [
                    {"name": "app", "image": "r@sha256:new", "dockerLabels": {"a": "", "escher.release": "v1"}, "mountPoints": [],
                     "environment": [{"name": "KEEP", "value": "1"}, {"name": "BACK", "value": "now plain"}, {"name": "LOG", "value": "info"}],
                     "secrets": [{"name": "MOVES", "valueFrom": "arn:m"}]},
                    {"name": "sidecar", "image": "envoy:1", "environment": [{"name": "MOVES", "value": "x"}]}
                ],
                "tags": [{"key": "team", "value": "core"}]
            })
        );
    }

    #[test]
    fn what_was_registered_shows_no_difference_and_labels_never_count() {
        let next = definition().next(&wanted()).expect("has the container");
        let registered = TaskDefinition::from_answer(&json!({ "taskDefinition": next })).expect("a definition");
        let again = Wanted { labels: BTreeMap::from([(LABEL_RELEASE.into(), "v2".into())]), ..wanted() };
        assert!(registered.difference(&again).expect("has the container").is_none());
        let before = definition().difference(&wanted()).expect("has the container");
        assert_eq!(before, Difference { image: true, settings: vec!["BACK".into(), "LOG".into(), "MOVES".into()] });
    }

    #[test]
    fn a_name_that_was_given_twice_has_one_value_afterwards() {
        let list = json!([{"name": "LOG", "value": "debug"}, {"name": "KEEP", "value": "1"}, {"name": "LOG", "value": "trace"}]);
        let twice = json!({"taskDefinition": {"containerDefinitions": [{"name": "app", "image": "x", "environment": list}]}});
        let wanted = Wanted {
            container: "app".into(),
            image: "x".into(),
            config: BTreeMap::from([("LOG".into(), "info".into())]),
            ..Wanted::default()
        };
        let next = TaskDefinition::from_answer(&twice).and_then(|definition| definition.next(&wanted)).expect("has the container");
        let environment = json!([{"name": "LOG", "value": "info"}, {"name": "KEEP", "value": "1"}]);
        assert_eq!(next["containerDefinitions"][0]["environment"], environment);
        let registered = TaskDefinition::from_answer(&json!({ "taskDefinition": next })).expect("a definition");
        assert!(registered.difference(&wanted).expect("has the container").is_none(), "nothing is changed again and again");
    }

    #[test]
    fn empty_tags_are_left_out_and_absent_lists_stay_absent() {
        let bare = TaskDefinition::from_answer(&json!({
            "taskDefinition": {"family": "f", "containerDefinitions": [{"name": "app", "image": "x"}]}, "tags": []
        }))
        .expect("a definition");
        let wanted = Wanted { container: "app".into(), image: "y".into(), ..Wanted::default() };
        let expected = json!({"family": "f", "containerDefinitions": [{"name": "app", "image": "y"}]});
        assert_eq!(bare.next(&wanted), Ok(expected));
    }

    #[test]
    fn a_missing_container_is_named_with_those_that_are_there() {
        let wanted = Wanted { container: "ap".into(), ..Wanted::default() };
        let error = definition().next(&wanted).expect_err("no such container");
        assert_eq!(error.to_string(), "has no container `ap`; it has app, sidecar");
    }
}
