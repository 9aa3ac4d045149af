//! `services/<name>.yml` as a JSON Schema, for editors.

use serde_json::{Map, Value, json};

use crate::config::service_keys::{HEALTH, Holds, KEYS, Key};

/// The schema. Draft 7, because that is what the editors' YAML server reads
/// (<https://github.com/redhat-developer/yaml-language-server>).
pub fn services() -> Value {
    let mut schema = Map::new();
    schema.insert("$schema".into(), "http://json-schema.org/draft-07/schema#".into());
    schema.insert("title".into(), "services/<name>.yml of escher-deploy-action".into());
    schema.extend(map(KEYS));
    Value::Object(schema)
}

fn map(keys: &[Key]) -> Map<String, Value> {
    let required: Vec<&str> = keys.iter().filter(|key| key.is_required).map(|key| key.name).collect();
    let properties: Map<String, Value> = keys.iter().map(|key| (key.name.to_owned(), property(key))).collect();
    let schema = json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false});
    schema.as_object().cloned().unwrap_or_default()
}

fn property(key: &Key) -> Value {
    let mut schema = match key.holds {
        // YAML has numbers and booleans where a person means text; the reader takes them as they are written.
        Holds::Text => json!({"type": ["string", "number", "boolean"]}),
        Holds::Boolean => json!({"type": "boolean"}),
        Holds::Status => json!({"type": "integer", "minimum": 100, "maximum": 599}),
        Holds::Url => json!({"type": "string", "pattern": "^https?://"}),
        Holds::List => json!({"type": "array", "items": {"type": ["string", "number", "boolean"]}}),
        Holds::Names => json!({"type": "array", "items": {"type": "string"}}),
        Holds::Map => json!({"type": "object", "additionalProperties": {"type": ["string", "number", "boolean"]}}),
        Holds::Keys(keys) => Value::Object(map(keys)),
    };
    if key.holds == Holds::Keys(HEALTH) {
        schema["oneOf"] = json!([{"required": ["path"]}, {"required": ["url"]}]);
    }
    let default = if key.is_required || key.default == "none" { String::new() } else { format!(" (default: {})", key.default) };
    schema["description"] = format!("{}{default}", key.meaning).into();
    schema
}
