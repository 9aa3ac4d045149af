//! Errors as AWS shapes them: JSON with `__type`, or XML for the query protocol.

use serde_json::{Value, json};

use crate::call::Reply;

/// What an AWS operation answers: its output, or why not.
pub(crate) type Answer = Result<Value, Refusal>;

/// An operation was refused.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) code: String,
    pub(crate) message: String,
}

impl Refusal {
    pub(crate) fn new(status: u16, code: &str, message: impl Into<String>) -> Refusal {
        Refusal { status, code: code.to_owned(), message: message.into() }
    }

    /// The ordinary case: HTTP 400.
    pub(crate) fn bad(code: &str, message: impl Into<String>) -> Refusal {
        Refusal::new(400, code, message)
    }

    /// ECS's `ClientException`.
    pub(crate) fn client(message: impl Into<String>) -> Refusal {
        Refusal::bad("ClientException", message)
    }

    /// `InvalidParameterException`.
    pub(crate) fn parameter(message: impl Into<String>) -> Refusal {
        Refusal::bad("InvalidParameterException", message)
    }

    /// In the shape of the party.
    pub(crate) fn reply(&self, party: &str) -> Reply {
        match party {
            "sts" => Reply::xml(self.status, self.xml("https://sts.amazonaws.com/doc/2011-06-15/")),
            "elasticloadbalancing" => Reply::xml(self.status, self.xml("http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/")),
            // Secrets Manager is the one with a capital letter (its API model).
            "secretsmanager" => Reply::amz(self.status, &json!({"__type": self.code, "Message": self.message})),
            _ => Reply::amz(self.status, &json!({"__type": self.code, "message": self.message})),
        }
    }

    fn xml(&self, namespace: &str) -> String {
        let side = if self.status < 500 { "Sender" } else { "Receiver" };
        format!(
            "<ErrorResponse xmlns=\"{namespace}\">\n  <Error>\n    <Type>{side}</Type>\n    <Code>{}</Code>\n    <Message>{}</Message>\n  </Error>\n  <RequestId>00000000-0000-4000-a000-000000000000</RequestId>\n</ErrorResponse>\n",
            escape(&self.code),
            escape(&self.message)
        )
    }
}

/// A party's operations: what there is, and who carries it out.
pub(crate) type Table<F, const N: usize> = [(&'static str, F); N];

/// Looks an operation up.
pub(crate) fn known<F: Copy, const N: usize>(table: &Table<F, N>, operation: &str) -> Option<F> {
    table.iter().find(|(name, _)| *name == operation).map(|(_, perform)| *perform)
}

/// The answer of the JSON services to an operation that isn't in the table.
pub(crate) fn unknown_operation(party: &str, operation: &str) -> Refusal {
    Refusal::bad("UnknownOperationException", format!("The sandbox's {party} does not know {operation}."))
}

/// Text inside XML.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// A string member of a request.
pub(crate) fn text<'a>(body: &'a Value, key: &str) -> Option<&'a str> {
    body.get(key).and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// The strings of a list member of a request.
pub(crate) fn texts(body: &Value, key: &str) -> Vec<String> {
    let list = body.get(key).and_then(Value::as_array);
    list.into_iter().flatten().filter_map(|item| item.as_str().map(str::to_owned)).collect()
}

/// One page of `items`: from the token's offset, at most `limit`, and the token of the next page.
pub(crate) fn page<T: Clone>(items: &[T], body: &Value, limit: usize) -> (Vec<T>, Option<String>) {
    let from = text(body, "nextToken").and_then(|token| token.strip_prefix("page-")?.parse().ok()).unwrap_or(0);
    let asked = body.get("maxResults").and_then(Value::as_u64).map_or(limit, |n| (n as usize).clamp(1, limit));
    let rest = items.get(from..).unwrap_or_default();
    let next = (rest.len() > asked).then(|| format!("page-{}", from + asked));
    (rest.iter().take(asked).cloned().collect(), next)
}
