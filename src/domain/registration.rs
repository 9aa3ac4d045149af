//! A request to register a task definition.

use serde_json::Value;

/// The request as it is sent: text, because a plan of a thousand services holds as many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// The family that gets a new revision.
    pub family: String,
    /// JSON.
    pub body: Box<str>,
}

impl From<&Value> for Registration {
    fn from(request: &Value) -> Self {
        Self { family: request["family"].as_str().unwrap_or_default().to_owned(), body: request.to_string().into_boxed_str() }
    }
}

#[cfg(test)]
impl Registration {
    /// What is in it.
    pub(crate) fn value(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }
}
