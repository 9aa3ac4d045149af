//! Task definitions, and what services answer.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::domain::service::{Health, HealthTarget};
use crate::domain::smoke::{Accepted, Answer, Opinion, judge};
use crate::domain::task_definition::{TaskDefinition, Wanted};

/// Between the parts of an input.
const SEAM: &str = "\n---\n";
/// What DescribeTaskDefinition adds and RegisterTaskDefinition does not take (facts/ecs.md).
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

/// A definition and what is wanted, both JSON: the next definition is what is wanted, and nothing else of it has changed.
pub fn task_definition(text: &str) {
    let Some((definition, wanted)) = text.split_once(SEAM) else { return };
    let (Ok(body), Ok(wanted)) = (serde_json::from_str::<Value>(definition), serde_json::from_str::<Value>(wanted)) else { return };
    let Some(wanted) = read_wanted(&wanted) else { return };
    let Ok(definition) = TaskDefinition::from_answer(&json!({"taskDefinition": body})) else { return };
    let Ok(next) = definition.next(&wanted) else {
        assert!(definition.difference(&wanted).is_err(), "both miss the container, or neither");
        return;
    };
    let again = TaskDefinition::from_answer(&json!({"taskDefinition": next})).expect("a definition");
    let difference = again.difference(&wanted).expect("the container is there");
    assert!(difference.is_none(), "what was asked for is there: {difference:?} in {next}");
    assert_eq!(again.next(&wanted).expect("the container is there"), next, "asked for twice, it stays as it is");
    is_untouched(&body, &next, &wanted.container);
}

fn read_wanted(wanted: &Value) -> Option<Wanted> {
    let text = |key: &str| wanted.get(key)?.as_str().map(str::to_owned);
    let map = |key: &str| -> BTreeMap<String, String> {
        let pairs = wanted.get(key).and_then(Value::as_object).into_iter().flatten();
        pairs.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
    };
    let (config, secrets) = (map("config"), map("secrets"));
    // A name in both is refused by the configuration.
    let is_sound = !config.keys().any(|name| secrets.contains_key(name));
    is_sound.then_some(Wanted { container: text("container")?, image: text("image")?, config, secrets, labels: map("labels") })
}

fn is_untouched(before: &Value, after: &Value, container: &str) {
    const OURS: [&str; 4] = ["image", "environment", "secrets", "dockerLabels"];
    let (before, after) = (before.as_object().expect("an object"), after.as_object().expect("an object"));
    for (key, value) in before.iter().filter(|(key, _)| *key != "containerDefinitions" && *key != "tags") {
        assert!(READ_ONLY.contains(&key.as_str()) || after.get(key) == Some(value), "{key} has changed");
    }
    let list = |body: &Map<String, Value>| body.get("containerDefinitions").and_then(Value::as_array).cloned().unwrap_or_default();
    let (before, after) = (list(before), list(after));
    assert_eq!(before.len(), after.len());
    for (before, after) in before.iter().zip(&after) {
        if before["name"] != container {
            assert_eq!(before, after, "another container");
            continue;
        }
        for (key, value) in before.as_object().into_iter().flatten() {
            assert!(OURS.contains(&key.as_str()) || after.get(key) == Some(value), "{key} has changed");
        }
    }
}

/// Any JSON as the answer of DescribeTaskDefinition: everything may be asked of it.
pub fn definition_answer(text: &str) {
    let Ok(answer) = serde_json::from_str::<Value>(text) else { return };
    let Ok(definition) = TaskDefinition::from_answer(&answer) else { return };
    for name in ["", "a", "gateway"] {
        let _ = (definition.has_container(name), definition.image(name), definition.digest(name), definition.revision(name));
        let _ = (definition.log_place(name).map(|place| place.stream("id")), definition.label(name, "a"));
    }
    let _ = (definition.arn(), definition.family().len(), definition.platform(), definition.has_health_check());
}

/// Status, field and body of a health answer: well is only what says that it is ours.
pub fn service_answer(text: &str) {
    let mut parts = text.splitn(3, '\n');
    let (Some(status), Some(field), Some(body)) = (parts.next().and_then(|text| text.parse().ok()), parts.next(), parts.next()) else {
        return;
    };
    let target = HealthTarget::Path("/health".to_owned());
    let health = Health { target, expect_status: 200, version_field: (!field.is_empty()).then(|| field.to_owned()) };
    let accepted = Accepted::from_tags(["v2.16.0-dev", "sha-0123456789012345678901234567890123456789"]);
    let opinion = judge(&health, &accepted, &Answer::Http { status, body: body.to_owned() });
    if opinion == Opinion::Well {
        assert_eq!(status, 200);
        assert!(field.is_empty() || body.contains("2.16.0-dev") || body.contains("0123456") || body.contains('\\'), "{body}");
    }
}
