//! `environments/<env>.env`: `KEY=value` lines in which `$` is literal.
//!
//! Our own reader because the libraries expand `$NAME` and don't say on which line a key stood.

use super::problem::Problem;

/// One key and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) value: String,
    pub(super) line: usize,
}

/// Reads a file; every line that is wrong is noted.
pub(super) fn read(path: &str, text: &str, problems: &mut Vec<Problem>) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    // Editors on Windows put a byte order mark in front.
    for (index, raw) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let line = index + 1;
        match entry(raw.trim()) {
            Ok(None) => {}
            Ok(Some((key, value))) => match entries.iter().find(|entry| entry.key == key) {
                Some(first) => {
                    problems.push(Problem::at(path, line, format!("key `{key}` is given twice, first on line {}: remove one", first.line)));
                }
                None => entries.push(Entry { key, value, line }),
            },
            Err(message) => problems.push(Problem::at(path, line, message)),
        }
    }
    entries
}

fn entry(line: &str) -> Result<Option<(String, String)>, String> {
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let line = line.strip_prefix("export ").unwrap_or(line).trim_start();
    let (key, value) = line.split_once('=').ok_or("is not KEY=value (its text isn't shown: it may be a secret)")?;
    let key = key.trim_end();
    let is_name = |key: &str| {
        key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') && !key.is_empty() && !key.as_bytes()[0].is_ascii_digit()
    };
    if !is_name(key) {
        let key = crate::domain::credential::harmless(key);
        return Err(format!("`{key}` is no name of a variable: letters, digits and `_`, not beginning with a digit"));
    }
    Ok(Some((key.to_owned(), unquote(value.trim())?)))
}

fn unquote(value: &str) -> Result<String, String> {
    match value.chars().next() {
        Some('\'') => quoted(value, '\'', false),
        Some('"') => quoted(value, '"', true),
        _ => Ok(value.split_once(" #").map_or(value, |(value, _)| value).trim_end().to_owned()),
    }
}

fn quoted(value: &str, quote: char, escapes: bool) -> Result<String, String> {
    let mut text = String::new();
    let mut rest = value[quote.len_utf8()..].chars();
    while let Some(c) = rest.next() {
        match c {
            _ if c == quote => {
                let after = rest.as_str().trim_start();
                let is_comment = after.is_empty() || after.starts_with('#');
                return if is_comment {
                    Ok(text)
                } else {
                    Err("text stands behind the closing quote (it isn't shown: it may be a secret)".to_owned())
                };
            }
            '\\' if escapes => match rest.next() {
                Some('n') => text.push('\n'),
                Some(other @ ('"' | '\\' | '$')) => text.push(other),
                Some(other) => text.extend(['\\', other]),
                None => break,
            },
            _ => text.push(c),
        }
    }
    Err(format!("the quote {quote} is never closed: a value stands on one line"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(line: &str) -> Result<String, String> {
        entry(line).map(|entry| entry.map(|(_, value)| value).unwrap_or_default())
    }

    #[test]
    fn a_dollar_is_a_dollar() {
        for (line, expected) in [("A=$HOME/x", "$HOME/x"), ("A=\"${B} $C\"", "${B} $C"), ("A='$D'", "$D"), ("A=pa$$word", "pa$$word")] {
            assert_eq!(value(line).as_deref(), Ok(expected), "{line}");
        }
    }

    #[test]
    fn quotes_comments_and_export_are_understood() {
        for (line, expected) in [
            ("A=", ""),
            ("A = b ", "b"),
            ("export A=b", "b"),
            ("A=b # why", "b"),
            ("A=b#c", "b#c"),
            ("A='b # c' # d", "b # c"),
            (r#"A="line\nnext \"q\"""#, "line\nnext \"q\""),
            ("A=https://x/y?z=1", "https://x/y?z=1"),
        ] {
            assert_eq!(value(line).as_deref(), Ok(expected), "{line}");
        }
    }

    #[test]
    fn what_is_no_entry_is_refused() {
        for line in ["A", "1A=b", "A B=c", "=x", "A='b", "A=\"b", "A='b' c", "ä=1"] {
            assert!(value(line).is_err(), "{line}");
        }
    }
}
