//! What a credential looks like: refused in `environments/*.env`, and cut out of texts from outside.

use std::sync::LazyLock;

use regex_lite::Regex;

/// A kind of credential and its shape.
static SHAPES: LazyLock<Vec<(&str, Regex)>> = LazyLock::new(|| {
    [
        ("a Slack token", r"\bxox[a-z]-[A-Za-z0-9-]{10,}"),
        ("a GitHub token", r"\bgh[pousr]_[A-Za-z0-9]{20,}"),
        ("a GitHub token", r"\bgithub_pat_[A-Za-z0-9_]{20,}"),
        ("an AWS access key", r"\b(AKIA|ASIA)[A-Z0-9]{16}\b"),
        ("an Anthropic key", r"\bsk-ant-[A-Za-z0-9_-]{10,}"),
        ("a private key", r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
        ("a JSON web token", r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+"),
        ("a URL with a password", r"\b[a-z][a-z0-9+.-]*://[^\s/:@]*:[^\s/@]+@"),
    ]
    .into_iter()
    .filter_map(|(kind, shape)| Some((kind, Regex::new(shape).ok()?)))
    .collect()
});

/// What kind of credential the text looks like, if any.
pub fn looks_like(text: &str) -> Option<&'static str> {
    SHAPES.iter().find(|(_, shape)| shape.is_match(text)).map(|(kind, _)| *kind)
}

/// The text with everything that looks like a credential replaced.
pub fn redact(text: &str) -> String {
    SHAPES.iter().fold(text.to_owned(), |text, (_, shape)| shape.replace_all(&text, "***").into_owned())
}

/// Lines without what looks like a credential; of a private key every line is cut, not the first alone.
pub fn redact_lines(lines: &[String]) -> Vec<String> {
    let mut in_key = false;
    let cut = |line: &String| {
        let begins = line.contains("-----BEGIN") && line.contains("PRIVATE KEY");
        in_key |= begins;
        let shown = if in_key { "***".to_owned() } else { redact(line) };
        in_key &= !line.contains("-----END");
        shown
    };
    lines.iter().map(cut).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_is_recognised_and_cut_out() {
        assert_eq!(SHAPES.len(), 8, "every expression compiles");
        for text in [
            "xoxb-1234567890-abc",
            "ghs_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "github_pat_11AAAAAAA0aaaaaaaaaaaaa",
            "AKIAIOSFODNN7EXAMPLE",
            "sk-ant-api03-aaaaaaaa",
            "-----BEGIN RSA PRIVATE KEY-----",
            "eyJhbGciOiJI.eyJzdWIiOiIx.c2ln",
            "postgres://user:hunter2@db/x",
            "redis://:s3cret@cache:6379",
        ] {
            assert!(looks_like(text).is_some(), "{text}");
            assert_eq!(looks_like(&redact(&format!("see {text} there"))), None, "{text}");
        }
    }

    #[test]
    fn of_a_private_key_no_line_is_left() {
        let lines = ["before", "-----BEGIN RSA PRIVATE KEY-----", "MIIEow", "-----END RSA PRIVATE KEY-----", "after"].map(str::to_owned);
        assert_eq!(redact_lines(&lines), ["before", "***", "***", "***", "after"]);
    }

    #[test]
    fn ordinary_configuration_is_no_credential() {
        for text in ["info", "https://api.escher.dev/v1", "redis://cache:6379/0", "arn:aws:iam::111122223333:role/x", "sk-antlers"] {
            assert_eq!(looks_like(text), None, "{text}");
        }
    }
}
