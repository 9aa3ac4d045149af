//! What a credential looks like: refused in `environments/*.env`, and cut out of texts from outside.

use std::sync::LazyLock;

use regex_lite::Regex;

use super::text::clean;

/// A kind of credential.
struct Shape {
    kind: &'static str,
    /// Ordinary text holds none of these, and is done with quickly.
    signs: &'static [&'static str],
    /// A whole one.
    whole: Regex,
    /// A whole one or a piece: cut in half, or broken by a line's end. What is too short for a whole one goes on in the next line.
    piece: Regex,
}

#[rustfmt::skip]
const TABLE: [(&str, &[&str], &str, &str); 8] = [
    ("a Slack token", &["xox"],
        r"\bxox[a-z]-[A-Za-z0-9-]{10,}|xox[a-z]-[A-Za-z0-9-]{20,}",
        r"\bxox[a-z]-(?:[A-Za-z0-9-]{0,49}[ \t]*\n[ \t]*[A-Za-z0-9-]{4,}|[A-Za-z0-9-]{4,})|xox[a-z]-[A-Za-z0-9-]{20,}"),
    ("a GitHub token", &["ghp_", "gho_", "ghu_", "ghs_", "ghr_"],
        r"gh[pousr]_[A-Za-z0-9]{20,}",
        r"\bgh[pousr]_(?:[A-Za-z0-9]{0,35}[ \t]*\n[ \t]*[A-Za-z0-9]{4,}|[A-Za-z0-9]{6,})|gh[pousr]_[A-Za-z0-9]{20,}"),
    ("a GitHub token", &["github_pat_"],
        r"github_pat_[A-Za-z0-9_]{20,}",
        r"github_pat_(?:[A-Za-z0-9_]{0,81}[ \t]*\n[ \t]*[A-Za-z0-9_]{4,}|[A-Za-z0-9_]{4,})"),
    ("an AWS access key", &["AKIA", "ASIA"],
        r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
        r"\b(?:AKIA|ASIA)[A-Z0-9]{2,15}[ \t]*\n[ \t]*[A-Z0-9]{1,14}\b|AKIA[A-Z0-9]{4,}|ASIA[A-Z0-9]{10,}"),
    ("an Anthropic key", &["sk-ant-"],
        r"\bsk-ant-[A-Za-z0-9_-]{10,}|sk-ant-[A-Za-z0-9_-]{20,}",
        r"\bsk-ant-(?:[A-Za-z0-9_-]{0,90}[ \t]*\n[ \t]*[A-Za-z0-9_-]{4,}|[A-Za-z0-9_-]{4,})|sk-ant-[A-Za-z0-9_-]{20,}"),
    ("a private key", &["-----BEGIN"],
        r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY[A-Z ]*-----",
        r"(?s)-----BEGIN\s[A-Z0-9\s]*PRIVATE\s+KEY[A-Z\s]*-----.*?(?:-----END[A-Z0-9\s]*-----|$)"),
    ("a JSON web token", &["eyJ"],
        r"eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+",
        r"(?:\beyJ[A-Za-z0-9_-]{8,}|eyJ[A-Za-z0-9_-]{8,}\.eyJ)[A-Za-z0-9_.-]*(?:[ \t]*\n[ \t]*[A-Za-z0-9_.-]{16,})*"),
    ("a URL with a password", &["://"],
        r"(?i)\b[a-z][a-z0-9+.-]*://[^\s/:]*:[^\s/@]+@",
        r"(?i)\b[a-z][a-z0-9+.-]*://[^\s/:]*:(?:[^\s/@]*[ \t]*\n[ \t]*[^\s/@]+@|\S*@)"),
];

static SHAPES: LazyLock<Vec<Shape>> = LazyLock::new(|| {
    let shape = |(kind, signs, whole, piece): (_, _, &str, &str)| {
        Some(Shape { kind, signs, whole: Regex::new(whole).ok()?, piece: Regex::new(piece).ok()? })
    };
    TABLE.into_iter().filter_map(shape).collect()
});

fn candidates(text: &str) -> impl Iterator<Item = &'static Shape> {
    SHAPES.iter().filter(|shape| shape.signs.iter().any(|sign| text.contains(sign)))
}

/// What kind of credential the text looks like, if any.
pub fn looks_like(text: &str) -> Option<&'static str> {
    candidates(text).find(|shape| shape.whole.is_match(text)).map(|shape| shape.kind)
}

/// The text with everything that looks like a credential replaced, pieces of one included. A private key goes up to its end, and
/// where that is missing, up to the text's.
pub fn redact(text: &str) -> String {
    let once = |text: &str| candidates(text).fold(text.to_owned(), |text, shape| shape.piece.replace_all(&text, "***").into_owned());
    let mut safe = once(text);
    // Where one is cut out, another may begin that was the tail of a word before. Each pass makes the text shorter, so this ends.
    loop {
        let again = once(&safe);
        if again == safe {
            return safe;
        }
        safe = again;
    }
}

/// Text from outside, made harmless before anything else is done with it: first what can't be seen goes, which would hide a
/// credential, then credentials go, while they are still whole.
pub fn harmless(text: &str) -> String {
    redact(&clean(text))
}

/// Lines that come one by one: of a private key every line is cut, not the first alone.
#[derive(Debug, Default)]
pub struct Redactor {
    in_key: bool,
}

impl Redactor {
    /// The next line, without what looks like a credential.
    pub fn line(&mut self, line: &str) -> String {
        self.in_key |= line.contains("-----BEGIN") && line.contains("PRIVATE KEY");
        let shown = if self.in_key { "***".to_owned() } else { harmless(line) };
        self.in_key &= !line.contains("-----END");
        shown
    }
}

/// Lines without what looks like a credential.
pub fn redact_lines(lines: &[String]) -> Vec<String> {
    let mut redactor = Redactor::default();
    lines.iter().map(|line| redactor.line(line)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::text::flat;
    use super::*;

    proptest! {
        #[test]
        fn no_credential_grows_back(text in "(xoxb-|ghp_|github_pat_|AKIA|sk-ant-|-----BEGIN |RSA|PRIVATE|KEY-----|-----END |eyJ|\\.|://|a:|@|[A-Za-z0-9]{4,20}|[\u{200b}\u{1b}\u{a0} \n]){0,14}") {
            let safe = harmless(&text);
            prop_assert_eq!(looks_like(&safe), None, "{:?}", safe);
            prop_assert_eq!(looks_like(&flat(&safe)), None, "{:?}", safe);
        }
    }

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
    fn no_piece_of_one_is_left() {
        for (text, secrets) in [
            ("see ghp_aaaaaaaaaaaaaaaaaaaa\nbbbbbbbbbbbbbbbb there", "bbbb"),
            ("see ghp_aaaaaaaaaaaaaaa", "ghp_"),
            ("see\u{200b} gh\u{200b}p_aaaaaaaaaaaaaaaaaaaaaaaaaaaa", "aaaa"),
            ("see xox\u{1b}[0mb-123456789012-abc", "1234"),
            ("xoxb-1234\n  56789012-abc", "5678"),
            ("key AKIAIOSF\nODNN7EXAMPLE, then", "EXAMPLE"),
            ("sk-ant-api03-aaaa\nbbbbbbbb", "bbbb"),
            ("github_pat_11AAAAAAA0\naaaaaaaaaaaaa", "aaaa"),
            ("-----BEGIN RSA\nPRIVATE\u{a0} KEY-----\nMIIEow\n-----END RSA PRIVATE KEY----- after", "MII"),
            (r"-----BEGIN PRIVATE KEY-----\nMIIEow\n-----END PRIVATE KEY-----\n after", "MII"),
            ("-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNza", "b3B"),
            ("eyJhbGciOiJI.eyJzdWIiOiIx\nMjM0NTY3ODkwIiwibmFtZSI.c2ln", "NTY3"),
            ("eyJhbGciOiJIUzI1Ni", "eyJ"),
            ("AKIAAKIAxoxb------BEGIN", "xoxb"),
            ("Postgres://user:hun/ter@2@db/x", "ter"),
            ("redis://:s3\ncret@cache:6379", "cret"),
        ] {
            let safe = harmless(text);
            assert!(!safe.contains(secrets), "{text:?} became {safe:?}");
        }
    }

    #[test]
    fn ordinary_words_stay() {
        for text in [
            "task-ant-farm, highs_lowest, heyJude_and_friends, AKIA, ASIA and EUROPE",
            "see https://api.escher.dev/v1 and http://127.0.0.1:8080/x, mail a@b",
            "sort of -----BEGIN CERTIFICATE-----",
            "xoxo-1",
        ] {
            assert_eq!(harmless(text), text);
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
