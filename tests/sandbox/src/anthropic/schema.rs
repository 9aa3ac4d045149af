//! What a JSON schema may hold that a model is to keep to
//! (<https://platform.claude.com/docs/en/build-with-claude/structured-outputs>).

use serde_json::Value;

/// Limits that no model can be held to.
const UNSUPPORTED: [&str; 9] =
    ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "maxItems", "uniqueItems"];

/// Why it is refused.
pub(super) fn check(schema: &Value) -> Result<(), String> {
    let kind = schema["type"].as_str().unwrap_or("object");
    if is_object(&schema["type"]) && schema.get("additionalProperties") != Some(&Value::Bool(false)) {
        return Err("For 'object' type, 'additionalProperties' must be explicitly set to false".to_owned());
    }
    if let Some(name) = UNSUPPORTED.into_iter().find(|name| schema.get(name).is_some()) {
        return Err(format!("For '{kind}' type, property '{name}' is not supported"));
    }
    if schema["minItems"].as_u64().is_some_and(|items| items > 1) {
        return Err("For 'array' type, 'minItems' values other than 0 or 1 are not supported".to_owned());
    }
    if schema.get("oneOf").is_some() {
        return Err("Schema type 'oneOf' is not supported".to_owned());
    }
    inner(schema).try_for_each(check)
}

fn is_object(kind: &Value) -> bool {
    kind == "object" || kind.as_array().is_some_and(|kinds| kinds.iter().any(|kind| kind == "object"))
}

/// The schemas within; values of `enum`, `const` and `default` are none, whatever they look like.
fn inner(schema: &Value) -> impl Iterator<Item = &Value> {
    let named = ["properties", "$defs", "definitions"].into_iter().filter_map(|key| schema[key].as_object());
    let listed = ["anyOf", "allOf"].into_iter().filter_map(|key| schema[key].as_array());
    named.flat_map(|members| members.values()).chain(listed.flatten()).chain(schema.get("items"))
}
