//! Task definitions, kept as they were registered: what a typed client would drop must survive here.

use serde_json::{Map, Value, json};

use crate::refusal::{Answer, Refusal, text};

/// What DescribeTaskDefinition adds and RegisterTaskDefinition does not take.
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

/// A revision of a family.
#[derive(Debug, Clone)]
pub struct Definition {
    /// `arn:aws:ecs:…:task-definition/<family>:<revision>`.
    pub arn: String,
    /// Family.
    pub family: String,
    /// Revision, from 1.
    pub revision: u32,
    /// The registered request, whole, without its tags.
    pub body: Value,
    /// The request's tags.
    pub tags: Vec<Value>,
    /// Sandbox seconds.
    pub registered_at: f64,
    /// ARN of whoever registered it.
    pub registered_by: String,
    /// `ACTIVE` or `INACTIVE`.
    pub status: String,
    /// Sandbox seconds.
    pub deregistered_at: Option<f64>,
}

impl Definition {
    /// Its `containerDefinitions`.
    pub fn containers(&self) -> &[Value] {
        self.body["containerDefinitions"].as_array().map(Vec::as_slice).unwrap_or_default()
    }

    /// The container with this name, else the first.
    pub fn main_container(&self, name: &str) -> Option<&Value> {
        self.containers().iter().find(|container| container["name"] == name).or_else(|| self.containers().first())
    }

    /// Log group and stream of a task's container: `<prefix>/<container>/<task id>`.
    pub(crate) fn log_stream(&self, container: Option<&Value>, task: &str) -> Option<(String, String)> {
        let container = container?;
        let options = &container["logConfiguration"]["options"];
        let (group, prefix) = (options["awslogs-group"].as_str()?, options["awslogs-stream-prefix"].as_str()?);
        Some((group.to_owned(), format!("{prefix}/{}/{task}", container["name"].as_str()?)))
    }

    /// As DescribeTaskDefinition and RegisterTaskDefinition answer it.
    pub(crate) fn wire(&self, epoch: f64) -> Value {
        let mut all = Map::new();
        all.insert("taskDefinitionArn".to_owned(), json!(self.arn));
        if let Value::Object(body) = &self.body {
            all.extend(body.clone());
        }
        all.insert("revision".to_owned(), json!(self.revision));
        all.insert("status".to_owned(), json!(self.status));
        all.insert(
            "requiresAttributes".to_owned(),
            json!([{"name": "com.amazonaws.ecs.capability.docker-remote-api.1.29"}, {"name": "ecs.capability.execution-role-awslogs"}]),
        );
        all.insert("compatibilities".to_owned(), json!(["EC2", "FARGATE"]));
        all.insert("registeredAt".to_owned(), json!(super::stamp(epoch, self.registered_at)));
        all.insert("registeredBy".to_owned(), json!(self.registered_by));
        if let Some(at) = self.deregistered_at {
            all.insert("deregisteredAt".to_owned(), json!(super::stamp(epoch, at)));
        }
        Value::Object(all)
    }

    /// Answer of Describe and Register; `tags` stands beside the definition.
    pub(crate) fn answer(&self, epoch: f64, with_tags: bool) -> Value {
        let mut answer = json!({"taskDefinition": self.wire(epoch)});
        if with_tags && !self.tags.is_empty() {
            answer["tags"] = json!(self.tags);
        }
        answer
    }
}

/// Whether a request may be registered; the family, if so.
pub(crate) fn admit(body: &Value) -> Result<String, Refusal> {
    if let Some(member) = READ_ONLY.iter().find(|member| body.get(**member).is_some()) {
        return Err(Refusal::client(format!("Unknown or read-only member in RegisterTaskDefinition: {member}.")));
    }
    if body.get("tags").and_then(Value::as_array).is_some_and(Vec::is_empty) {
        return Err(Refusal::client("Tags can not be empty."));
    }
    let family = text(body, "family").ok_or_else(|| Refusal::client("Family should not be null or empty."))?;
    let containers = body["containerDefinitions"].as_array().filter(|list| !list.is_empty());
    for container in containers.ok_or_else(|| Refusal::client("Container list cannot be empty."))? {
        admit_container(container)?;
    }
    Ok(family.to_owned())
}

fn admit_container(container: &Value) -> Result<(), Refusal> {
    if text(container, "image").is_none() {
        return Err(Refusal::client("Container.image should not be null or empty."));
    }
    let names = |key: &str| -> Vec<String> {
        let list = container[key].as_array().into_iter().flatten();
        list.filter_map(|item| item["name"].as_str().map(str::to_owned)).collect()
    };
    let environment = names("environment");
    match names("secrets").iter().find(|name| environment.contains(name)) {
        Some(name) => Err(Refusal::client(format!(
            "The secret name must be unique and not shared with any new or existing environment variables set on the container, such as '{name}'."
        ))),
        None => Ok(()),
    }
}

impl super::Ecs {
    /// Finds `family`, `family:revision` or an ARN; a family alone means its newest ACTIVE revision.
    pub fn definition(&self, name: &str) -> Option<&Definition> {
        let short = name.rsplit("task-definition/").next().unwrap_or(name);
        let (family, revision) = match short.rsplit_once(':') {
            Some((family, revision)) => (family, Some(revision.parse::<u32>().ok()?)),
            None => (short, None),
        };
        let mut revisions = self.definitions.iter().filter(|definition| definition.family == family);
        match revision {
            Some(number) => revisions.find(|definition| definition.revision == number),
            None => revisions.filter(|definition| definition.status == "ACTIVE").max_by_key(|definition| definition.revision),
        }
        .filter(|definition| !name.starts_with("arn:") || definition.arn.starts_with(name))
    }

    /// Registers a revision; `prefix` is `arn:aws:ecs:<region>:<account>:`.
    pub(crate) fn register(&mut self, mut body: Value, prefix: &str, by: &str, now: f64) -> Result<&Definition, Refusal> {
        let family = admit(&body)?;
        let tags = body.as_object_mut().and_then(|body| body.shift_remove("tags"));
        let newest = self.definitions.iter().filter(|definition| definition.family == family).map(|definition| definition.revision);
        let revision = newest.max().unwrap_or(0) + 1;
        self.definitions.push(Definition {
            arn: format!("{prefix}task-definition/{family}:{revision}"),
            family,
            revision,
            body,
            tags: tags.and_then(|tags| tags.as_array().cloned()).unwrap_or_default(),
            registered_at: now,
            registered_by: by.to_owned(),
            status: "ACTIVE".to_owned(),
            deregistered_at: None,
        });
        Ok(&self.definitions[self.definitions.len() - 1])
    }
}

/// DescribeTaskDefinition.
pub(crate) fn describe(ecs: &super::Ecs, body: &Value, epoch: f64) -> Answer {
    let name = text(body, "taskDefinition").unwrap_or_default();
    let found = ecs.definition(name).ok_or_else(|| Refusal::client("Unable to describe task definition."))?;
    let tags = body["include"].as_array().is_some_and(|include| include.iter().any(|what| what == "TAGS"));
    Ok(found.answer(epoch, tags))
}
