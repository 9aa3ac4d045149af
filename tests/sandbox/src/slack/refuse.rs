//! Refusals on order: what Slack answers to a method instead of doing it.

use serde_json::json;

use super::Slack;
use crate::call::Reply;

/// A refusal on order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SlackRefusal {
    /// Slack's word for it: `not_in_channel`, `missing_scope`, `ratelimited`.
    pub error: String,
    /// The scope that is needed, with `missing_scope`.
    pub needed: Option<String>,
    /// The scopes that the token has, with `missing_scope`.
    pub provided: Option<String>,
    /// Seconds of `Retry-After`: with these it is HTTP 429, else 200.
    pub retry_after: Option<u32>,
}

impl SlackRefusal {
    /// A word, and nothing else.
    pub fn new(error: &str) -> SlackRefusal {
        SlackRefusal { error: error.to_owned(), ..SlackRefusal::default() }
    }

    /// The token may not do this.
    pub fn missing_scope(needed: &str, provided: &str) -> SlackRefusal {
        let (needed, provided) = (Some(needed.to_owned()), Some(provided.to_owned()));
        SlackRefusal { needed, provided, ..SlackRefusal::new("missing_scope") }
    }

    /// HTTP 429.
    pub fn rate_limit(retry_after: u32) -> SlackRefusal {
        SlackRefusal { retry_after: Some(retry_after), ..SlackRefusal::new("ratelimited") }
    }

    pub(super) fn reply(&self) -> Reply {
        let mut answer = json!({"ok": false, "error": self.error});
        for (key, value) in [("needed", &self.needed), ("provided", &self.provided)] {
            if let Some(value) = value {
                answer[key] = json!(value);
            }
        }
        let mut reply = Reply::json(if self.retry_after.is_some() { 429 } else { 200 }, &answer);
        reply.retry_after = self.retry_after;
        reply
    }
}

impl Slack {
    /// Has the next call of a method refused, after those that were ordered before.
    pub fn refuse(&mut self, method: &str, refusal: SlackRefusal) {
        self.refuses.entry(method.to_owned()).or_default().push_back(refusal);
    }

    /// Has every call of a method refused, as soon as [`Slack::refuses`] has nothing more for it.
    pub fn refuse_always(&mut self, method: &str, refusal: SlackRefusal) {
        self.refuses_always.insert(method.to_owned(), refusal);
    }

    /// What this call is refused with, if it is.
    pub(super) fn refusal(&mut self, method: &str) -> Option<SlackRefusal> {
        let next = self.refuses.get_mut(method).and_then(|ordered| ordered.pop_front());
        next.or_else(|| self.refuses_always.get(method).cloned())
    }
}
