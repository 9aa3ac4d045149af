//! Faults on order: which call of which party goes wrong, and how.

use serde_json::json;

use crate::anthropic;
use crate::call::{Address, Reply};
use crate::refusal::Refusal;

/// A fault that strikes some calls.
#[derive(Debug, Clone)]
pub struct Fault {
    /// As in [`crate::Call::party`]; `*` for any.
    pub party: String,
    /// As in [`crate::Call::operation`]; `*` for any; `compare escher-dbai/v4-context-engine`: GitHub's, of this repository alone.
    pub operation: String,
    /// How many matching calls pass first. Counts down.
    pub skip: usize,
    /// How many matching calls it then strikes; `usize::MAX` for all. Counts down.
    pub times: usize,
    /// What happens to them.
    pub effect: Effect,
}

/// What a fault does.
#[derive(Debug, Clone)]
pub enum Effect {
    /// Refuse in the party's error shape, without doing anything. A 429 carries `Retry-After: 1`.
    Error {
        /// HTTP status.
        status: u16,
        /// Error code; Slack's `error`, Anthropic's `error.type`.
        code: String,
        /// Message, where the shape has one.
        message: String,
    },
    /// Do it, then close the connection without an answer.
    LoseAnswer,
    /// Do nothing and close the connection.
    LoseRequest,
    /// Answer this many real seconds later.
    Delay(f64),
    /// Answer this instead of doing anything.
    Body {
        /// HTTP status.
        status: u16,
        /// The body as it is.
        body: String,
    },
    /// Do it, and answer with one place of the JSON changed: left out, of another type, or absurd. The number decides where and how.
    Garbled(u64),
    /// Answer this instead of doing anything, with headers: a 403 with `retry-after`, or with `x-ratelimit-remaining: 0`.
    Headers {
        /// HTTP status.
        status: u16,
        /// Names in lower case, and values.
        headers: Vec<(&'static str, String)>,
        /// The body as it is, sent as JSON.
        body: String,
    },
}

impl Fault {
    fn matches(&self, address: &Address) -> bool {
        let of_repository = |(operation, repository): (&str, &str)| {
            let path = address.body["path"].as_str().unwrap_or_default();
            operation == address.operation && path.contains(&format!("/repos/{repository}/"))
        };
        let operation = self.operation.as_str();
        (self.party == "*" || self.party == address.party)
            && (operation == "*" || operation == address.operation || operation.split_once(' ').is_some_and(of_repository))
    }
}

/// The effect for this call, if a fault strikes it. The first fault that is due wins.
pub(crate) fn strike(faults: &mut [Fault], address: &Address) -> Option<Effect> {
    for fault in faults.iter_mut().filter(|fault| fault.matches(address)) {
        if fault.skip > 0 {
            fault.skip -= 1;
        } else if fault.times > 0 {
            fault.times = if fault.times == usize::MAX { usize::MAX } else { fault.times - 1 };
            return Some(fault.effect.clone());
        }
    }
    None
}

/// An error in the shape of the party that would have sent it.
pub(crate) fn error_reply(address: &Address, status: u16, code: &str, message: &str) -> Reply {
    let mut reply = match address.party {
        "slack" => Reply::json(status, &json!({"ok": false, "error": code})),
        "anthropic" => anthropic::error(status, code, message, "req_011CSANDBOX"),
        "oidc" | "github" | "endpoint" | "unknown" => Reply::json(status, &json!({"error": code, "message": message})),
        party => Refusal::new(status, code, message).reply(party),
    };
    reply.retry_after = (status == 429).then_some(1);
    reply
}
