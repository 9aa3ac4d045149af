//! Texts into values: the spellings that inputs, variables and files share.

use std::time::Duration;

/// `true|True|TRUE|false|False|FALSE`: YAML 1.2's core schema, as GitHub's own toolkit reads it.
pub(super) fn boolean(text: &str) -> Option<bool> {
    match text {
        "true" | "True" | "TRUE" => Some(true),
        "false" | "False" | "FALSE" => Some(false),
        _ => None,
    }
}

/// Separated by commas, spaces or newlines.
pub(super) fn list(text: &str) -> Vec<String> {
    text.split(|c: char| c == ',' || c.is_whitespace()).filter(|item| !item.is_empty()).map(str::to_owned).collect()
}

/// What a setting's value must look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Any text.
    Text,
    /// `true` or `false`.
    Boolean,
    /// A whole number above zero.
    Count,
    /// A positive decimal of some unit.
    Decimal,
    /// Seconds between two looks: fewer than a hundredth would only hammer ECS.
    Interval,
    /// An AWS account: twelve digits.
    Account,
    /// `arn:…:iam::…:role/…`.
    RoleArn,
    /// `http://…` or `https://…`.
    Url,
    /// `rollback` or `hold`.
    OnFailure,
}

impl Shape {
    /// What is wrong with a value, in words; none where nothing is.
    pub fn complaint(self, text: &str) -> Option<String> {
        let is_right = match self {
            Self::Text => true,
            Self::Boolean => boolean(text).is_some(),
            Self::Count => text.parse::<u32>().is_ok_and(|number| number > 0),
            Self::Decimal => decimal(text).is_some(),
            Self::Interval => decimal(text).is_some_and(|seconds| seconds >= 0.01),
            Self::Account => text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()),
            Self::RoleArn => text.starts_with("arn:") && text.contains(":iam::") && text.contains(":role/"),
            Self::Url => text.starts_with("http://") || text.starts_with("https://"),
            Self::OnFailure => matches!(text, "rollback" | "hold"),
        };
        (!is_right).then(|| format!("must be {}, not `{}`", self.describe(), crate::domain::credential::harmless(text)))
    }

    /// In words: what completes "must be".
    pub fn describe(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Boolean => "true or false",
            Self::Count => "a whole number above zero",
            Self::Decimal => "a number above zero, as in 2 or 0.5",
            Self::Interval => "a number of at least 0.01, as in 2 or 0.5",
            Self::Account => "an AWS account ID of twelve digits",
            Self::RoleArn => "a role's ARN, as in arn:aws:iam::111122223333:role/escher-github-deploy",
            Self::Url => "a URL that begins with http:// or https://",
            Self::OnFailure => "rollback or hold",
        }
    }
}

/// A positive decimal that a timer can hold: at most a year of minutes.
fn decimal(text: &str) -> Option<f64> {
    text.parse::<f64>().ok().filter(|number| number.is_finite() && *number > 0.0 && *number < 600_000.0)
}

/// A decimal number of units, each of so many seconds. The text was checked before; anything else counts as one unit.
pub(super) fn duration(text: &str, seconds: f64) -> Duration {
    Duration::from_secs_f64(decimal(text).unwrap_or(1.0) * seconds)
}
