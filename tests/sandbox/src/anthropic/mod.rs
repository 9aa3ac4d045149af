//! Anthropic's Messages API: `POST /anthropic/v1/messages`, for one kind of question, the sentences of release notes. The model
//! behind it does as [`Mode`] says.
//!
//! Shapes: <https://platform.claude.com/docs/en/api/messages>, <https://platform.claude.com/docs/en/api/errors>.

mod checks;
mod mode;
mod schema;
mod writer;

use std::collections::VecDeque;

use serde_json::{Value, json};

use crate::call::{Reply, Request};
use crate::ids::Ids;
use crate::world::World;
use checks::Trouble;
pub use mode::Mode;
use writer::Commit;

/// The API and the model behind it.
#[derive(Debug, Clone)]
pub struct Anthropic {
    /// The one key that is good.
    pub key: String,
    /// The models that are served; any other is answered with 404.
    pub models: Vec<String>,
    /// Every request body that was JSON, whatever became of it.
    pub requests: Vec<Value>,
    /// How the model behaves.
    pub mode: Mode,
    /// What is answered first, one to a request, before any check.
    pub script: VecDeque<Failure>,
}

/// An error on order.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    /// HTTP status.
    pub status: u16,
    /// `overloaded_error`, `rate_limit_error`, `api_error` and so on.
    pub error: String,
    /// Seconds of the `retry-after` header.
    pub retry_after: Option<u32>,
}

impl Failure {
    /// An error without `retry-after`.
    pub fn new(status: u16, error: &str) -> Failure {
        Failure { status, error: error.to_owned(), retry_after: None }
    }

    /// 529: too many requests of everybody together.
    pub fn overloaded() -> Failure {
        Failure::new(529, "overloaded_error")
    }

    /// 429: too many requests of this account.
    pub fn rate_limit(retry_after: u32) -> Failure {
        Failure { retry_after: Some(retry_after), ..Failure::new(429, "rate_limit_error") }
    }

    fn message(&self) -> String {
        match self.error.as_str() {
            "overloaded_error" => "Overloaded".to_owned(),
            "rate_limit_error" => "This request would exceed your organization's rate limit. Please try again later.".to_owned(),
            "api_error" => "Internal server error".to_owned(),
            other => other.replace('_', " "),
        }
    }
}

impl Anthropic {
    pub(crate) fn new() -> Anthropic {
        Anthropic {
            // In two parts, so that no scanner takes it for a real one.
            key: ["sk-", "ant-api03-sandbox0123456789"].concat(),
            models: ["claude-sonnet-4-5", "claude-sonnet-5-5"].map(str::to_owned).to_vec(),
            requests: Vec::new(),
            mode: Mode::default(),
            script: VecDeque::new(),
        }
    }
}

impl World {
    /// The secret of an environment that holds the key.
    pub(crate) fn anthropic_secret(&mut self, environment: &str) {
        let arn = self.secret(&format!("escher/{environment}/anthropic-api-key"));
        let key = self.anthropic.key.clone();
        if let Some(secret) = self.secrets.entries.iter_mut().find(|secret| secret.arn == arn) {
            secret.value = Some(key);
        }
    }
}

/// Answers a request.
pub(crate) fn answer(world: &mut World, operation: &str, body: &Value, request: &Request) -> Reply {
    if operation != "messages" {
        return Trouble::new(404, "not_found_error", "Not found").reply(&mut world.ids);
    }
    if request.method != "POST" {
        return Trouble::new(405, "invalid_request_error", "Method Not Allowed").reply(&mut world.ids);
    }
    let anthropic = &mut world.anthropic;
    if !body.is_null() {
        anthropic.requests.push(body.clone());
    }
    if let Some(failure) = anthropic.script.pop_front() {
        let mut reply = Trouble::new(failure.status, &failure.error, failure.message()).reply(&mut world.ids);
        reply.retry_after = failure.retry_after;
        return reply;
    }
    match checks::headers(anthropic, request).and_then(|()| checks::body(anthropic, body)) {
        Ok(()) => Reply::json(200, &message(anthropic.mode, body, &mut world.ids)),
        Err(trouble) => trouble.reply(&mut world.ids),
    }
}

/// An error in the API's shape.
pub(crate) fn error(status: u16, kind: &str, message: &str, request_id: &str) -> Reply {
    Reply::json(status, &json!({"type": "error", "error": {"type": kind, "message": message}, "request_id": request_id}))
}

/// What the model says about the last message.
fn message(mode: Mode, body: &Value, ids: &mut Ids) -> Value {
    let asked = said(body["messages"].as_array().and_then(|messages| messages.last()).map_or(&Value::Null, |last| &last["content"]));
    let full = match mode {
        Mode::Refusal => "I can't help with that.".to_owned(),
        Mode::Empty => String::new(),
        _ => writer::answer(mode, &Commit::all(&asked), !body["output_config"]["format"].is_null()),
    };
    let room = body["max_tokens"].as_u64().unwrap_or_default();
    let most = match mode {
        Mode::MaxTokens => full.chars().count() / 2,
        // Its sentences are to arrive whole.
        Mode::LongSentences => usize::MAX,
        _ => usize::try_from(room).unwrap_or(usize::MAX).saturating_mul(CHARACTERS),
    };
    let text: String = full.chars().take(most).collect();
    let stop = match mode {
        Mode::Refusal => "refusal",
        _ if text.len() < full.len() => "max_tokens",
        _ => "end_turn",
    };
    let output = if mode == Mode::MaxTokens { room } else { tokens(&text) };
    json!({
        "id": format!("msg_01{}", ids.capitals(22)),
        "type": "message",
        "role": "assistant",
        "model": body["model"],
        "content": blocks(mode, &text),
        "stop_reason": stop,
        "stop_sequence": null,
        "usage": {
            "input_tokens": tokens(&body.to_string()),
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": output,
            "service_tier": "standard"
        }
    })
}

/// So many characters are about one token.
const CHARACTERS: usize = 4;

fn tokens(text: &str) -> u64 {
    u64::try_from(text.chars().count().div_ceil(CHARACTERS)).unwrap_or(u64::MAX)
}

fn blocks(mode: Mode, text: &str) -> Value {
    let answer = json!({"type": "text", "text": text});
    match mode {
        Mode::Empty => json!([]),
        Mode::ThinkingFirst => {
            json!([{"type": "thinking", "thinking": "One sentence for each commit, then.", "signature": "c2FuZGJveA=="}, answer])
        }
        _ => json!([answer]),
    }
}

/// A message's content: a string, or blocks of which the texts count.
fn said(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(blocks) => blocks.iter().filter_map(|block| block["text"].as_str()).collect(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests;
