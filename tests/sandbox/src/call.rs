//! What was asked and what was answered.

use serde_json::Value;

/// One request that reached the sandbox, in the order of execution.
#[derive(Debug, Clone)]
pub struct Call {
    /// Sandbox seconds since the start.
    pub at: f64,
    /// `ecs`, `ecr`, `sts`, `elasticloadbalancing`, `secretsmanager`, `logs`, `slack`, `github`, `anthropic`, `oidc`, `engine`,
    /// `endpoint`; a path that belongs to nobody is `unknown`.
    pub party: String,
    /// `UpdateService`, `chat.postMessage`, `token`; for an endpoint the service's name.
    pub operation: String,
    /// The body as received.
    pub raw: String,
    /// The body as JSON, or a form as an object; for a GET its query as an object, with `path`. For GitHub always with `path`.
    pub body: Value,
    /// HTTP status, 0 when the connection was closed without an answer.
    pub status: u16,
    /// The answer: JSON, or a string when it is XML or text. Of a lost answer: what it would have been.
    pub answer: Value,
}

/// A request as the parties see it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Request {
    /// A header's value, by its lower-case name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The token of `Authorization: Bearer …`.
    pub(crate) fn bearer(&self) -> Option<&str> {
        self.header("authorization")?.strip_prefix("Bearer ")
    }
}

/// Whom a request is for, and what it says.
#[derive(Debug, Clone)]
pub(crate) struct Address {
    pub(crate) party: &'static str,
    pub(crate) operation: String,
    pub(crate) body: Value,
}

/// An answer, ready to be sent.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) content_type: &'static str,
    pub(crate) retry_after: Option<u32>,
    /// More headers, names in lower case: `etag`, `link`, `x-ratelimit-remaining`.
    pub(crate) headers: Vec<(&'static str, String)>,
    /// How many real seconds it is held back.
    pub(crate) delay: f64,
    pub(crate) body: String,
}

impl Reply {
    /// An answer of this type; an empty type stands for an answer without a body.
    pub(crate) fn new(status: u16, content_type: &'static str, body: String) -> Reply {
        Reply { status, content_type, retry_after: None, headers: Vec::new(), delay: 0.0, body }
    }

    /// A JSON answer as AWS types it.
    pub(crate) fn amz(status: u16, body: &Value) -> Reply {
        Reply::new(status, "application/x-amz-json-1.1", body.to_string())
    }

    /// A plain JSON answer.
    pub(crate) fn json(status: u16, body: &Value) -> Reply {
        Reply::new(status, "application/json; charset=utf-8", body.to_string())
    }

    /// An XML answer.
    pub(crate) fn xml(status: u16, body: String) -> Reply {
        Reply::new(status, "text/xml", body)
    }

    /// An answer without a body.
    pub(crate) fn empty(status: u16) -> Reply {
        Reply::new(status, "", String::new())
    }

    /// The same with one more header.
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Reply {
        self.headers.push((name, value.into()));
        self
    }

    /// What the log of calls keeps of it.
    pub(crate) fn value(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| Value::String(self.body.clone()))
    }
}
