//! What the API refuses, in its own words.

use serde_json::Value;

use super::{Anthropic, error, schema};
use crate::call::{Reply, Request};
use crate::ids::Ids;

/// A refusal.
#[derive(Debug)]
pub(super) struct Trouble {
    status: u16,
    kind: String,
    message: String,
}

impl Trouble {
    pub(super) fn new(status: u16, kind: &str, message: impl Into<String>) -> Trouble {
        Trouble { status, kind: kind.to_owned(), message: message.into() }
    }

    /// The ordinary case: HTTP 400.
    pub(super) fn invalid(message: impl Into<String>) -> Trouble {
        Trouble::new(400, "invalid_request_error", message)
    }

    pub(super) fn reply(&self, ids: &mut Ids) -> Reply {
        error(self.status, &self.kind, &self.message, &format!("req_011C{}", ids.capitals(20)))
    }
}

/// What a request may hold; anything else is refused.
const MEMBERS: [&str; 20] = [
    "model",
    "max_tokens",
    "messages",
    "system",
    "metadata",
    "stop_sequences",
    "stream",
    "temperature",
    "top_k",
    "top_p",
    "thinking",
    "tools",
    "tool_choice",
    "service_tier",
    "output_config",
    "container",
    "context_management",
    "mcp_servers",
    "inference_geo",
    "cache_control",
];

/// Key and version.
pub(super) fn headers(anthropic: &Anthropic, request: &Request) -> Result<(), Trouble> {
    let unknown = |message: &str| Err(Trouble::new(401, "authentication_error", message));
    match request.header("x-api-key") {
        None => return unknown("x-api-key header is required"),
        Some(key) if key != anthropic.key => return unknown("invalid x-api-key"),
        Some(_) => {}
    }
    match request.header("anthropic-version") {
        None => Err(Trouble::invalid("anthropic-version: header is required")),
        Some("2023-06-01" | "2023-01-01") => Ok(()),
        Some(other) => Err(Trouble::invalid(format!("anthropic-version: \"{other}\" is not a valid version"))),
    }
}

/// The request itself, and last whether there is such a model.
pub(super) fn body(anthropic: &Anthropic, body: &Value) -> Result<(), Trouble> {
    let Some(members) = body.as_object() else { return Err(Trouble::invalid("The request body is not valid JSON")) };
    for name in ["model", "max_tokens", "messages"] {
        if !members.contains_key(name) {
            return Err(Trouble::invalid(format!("{name}: Field required")));
        }
    }
    no_others(members.keys(), &MEMBERS, "")?;
    let Some(model) = body["model"].as_str() else { return Err(Trouble::invalid("model: Input should be a valid string")) };
    match body["max_tokens"].as_i64() {
        None => return Err(Trouble::invalid("max_tokens: Input should be a valid integer")),
        Some(..=0) => return Err(Trouble::invalid("max_tokens: Input should be greater than or equal to 1")),
        Some(_) => {}
    }
    messages(&body["messages"])?;
    if let Some(config) = body.get("output_config") {
        output_config(config)?;
    }
    if body["stream"] == true {
        return Err(Trouble::invalid("stream: the sandbox does not stream"));
    }
    if !anthropic.models.iter().any(|served| served == model) {
        return Err(Trouble::new(404, "not_found_error", format!("model: {model}")));
    }
    if model.contains("sonnet-5") { newer(body) } else { Ok(()) }
}

fn no_others<'a>(names: impl Iterator<Item = &'a String>, known: &[&str], place: &str) -> Result<(), Trouble> {
    match names.into_iter().find(|name| !known.contains(&name.as_str())) {
        Some(name) => Err(Trouble::invalid(format!("{place}{name}: Extra inputs are not permitted"))),
        None => Ok(()),
    }
}

/// What newer models no longer take.
fn newer(body: &Value) -> Result<(), Trouble> {
    if let Some(name) = ["temperature", "top_p", "top_k"].into_iter().find(|name| body.get(name).is_some()) {
        return Err(Trouble::invalid(format!("`{name}` is deprecated for this model.")));
    }
    let last = body["messages"].as_array().and_then(|messages| messages.last());
    if last.is_some_and(|last| last["role"] == "assistant") {
        let message = "This model does not support assistant message prefill. The conversation must end with a user message.";
        return Err(Trouble::invalid(message));
    }
    Ok(())
}

fn messages(messages: &Value) -> Result<(), Trouble> {
    let Some(list) = messages.as_array() else { return Err(Trouble::invalid("messages: Input should be a valid list")) };
    if list.is_empty() {
        return Err(Trouble::invalid("messages: at least one message is required"));
    }
    for (at, message) in list.iter().enumerate() {
        match message["role"].as_str() {
            Some("user" | "assistant") => {}
            Some("system") => {
                let advice = "The Messages API accepts a top-level `system` parameter, not \"system\" as an input message role.";
                return Err(Trouble::invalid(format!("messages: Unexpected role \"system\". {advice}")));
            }
            Some(_) => return Err(Trouble::invalid(format!("messages.{at}.role: Input should be 'user' or 'assistant'"))),
            None => return Err(Trouble::invalid(format!("messages.{at}.role: Field required"))),
        }
        content(&message["content"], at)?;
    }
    Ok(())
}

fn content(content: &Value, at: usize) -> Result<(), Trouble> {
    let empty = || Err(Trouble::invalid(format!("messages.{at}: all messages must have non-empty content")));
    match content {
        Value::String(text) if text.is_empty() => empty(),
        Value::String(_) => Ok(()),
        Value::Array(blocks) if blocks.is_empty() => empty(),
        Value::Array(blocks) => {
            let is_empty = |block: &Value| block["type"] == "text" && block["text"].as_str().is_none_or(str::is_empty);
            match blocks.iter().position(|block| !block["type"].is_string()) {
                Some(block) => Err(Trouble::invalid(format!("messages.{at}.content.{block}.type: Field required"))),
                None if blocks.iter().any(is_empty) => Err(Trouble::invalid("messages: text content blocks must be non-empty")),
                None => Ok(()),
            }
        }
        Value::Null => Err(Trouble::invalid(format!("messages.{at}.content: Field required"))),
        _ => Err(Trouble::invalid(format!("messages.{at}.content: Input should be a valid list"))),
    }
}

fn output_config(config: &Value) -> Result<(), Trouble> {
    let Some(members) = config.as_object() else { return Err(Trouble::invalid("output_config: Input should be an object")) };
    no_others(members.keys(), &["format", "effort"], "output_config.")?;
    let Some(format) = members.get("format").filter(|format| !format.is_null()) else { return Ok(()) };
    let Some(members) = format.as_object() else { return Err(Trouble::invalid("output_config.format: Input should be an object")) };
    if format["type"] != "json_schema" {
        return Err(Trouble::invalid("output_config.format.type: Input should be 'json_schema'"));
    }
    no_others(members.keys(), &["type", "schema"], "output_config.format.")?;
    match members.get("schema") {
        None => Err(Trouble::invalid("output_config.format.schema: Field required")),
        Some(schema) if !schema.is_object() => Err(Trouble::invalid("output_config.format.schema: Input should be an object")),
        Some(schema) => schema::check(schema).map_err(|why| Trouble::invalid(format!("output_config.format.schema: {why}"))),
    }
}
