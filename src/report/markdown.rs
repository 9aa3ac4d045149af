//! Text from outside that stays text on GitHub: nothing in it is a link, a mention, a reference to an issue, markup or HTML.

use super::text::clean;

/// GitHub looks for addresses, mentions and issues in the text that Markdown has made, so a backslash or an entity for the sign
/// itself doesn't stop it; a character without width behind the sign does. It is written as an entity, so that it can be seen here.
const NOTHING: &str = "&#8203;";

/// The text, on one line.
///
/// Addresses and mentions: <https://github.github.com/gfm/#autolinks-extension->,
/// <https://docs.github.com/en/get-started/writing-on-github/working-with-advanced-formatting/autolinked-references-and-urls>.
pub fn escape(text: &str) -> String {
    let text = clean(text);
    let mut safe = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        let (before, after) = (&text[..at], &text[at + c.len_utf8()..]);
        let is_numbered = after.starts_with(|next: char| next.is_ascii_digit());
        match c {
            '@' => safe.extend(["@", NOTHING]),
            '#' if is_numbered => safe.extend(["#", NOTHING]),
            '-' if is_numbered && ends_with(before, "gh") => safe.extend(["-", NOTHING]),
            ':' if after.starts_with("//") => safe.extend([":", NOTHING]),
            '.' if ends_with(before, "www") => safe.extend([NOTHING, "."]),
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '#' | '!' | '$' => safe.extend(['\\', c]),
            '\n' => safe.push(' '),
            _ => safe.push(c),
        }
    }
    safe
}

/// The same at the beginning of a list's item, where a dash or a number would begin another list.
pub fn escape_item(text: &str) -> String {
    let safe = escape(text.trim_start());
    let digits = safe.bytes().take_while(u8::is_ascii_digit).count();
    if safe.starts_with(['-', '+', '=']) {
        return format!("\\{safe}");
    }
    if digits > 0 && safe[digits..].starts_with(['.', ')']) {
        return format!("{}\\{}", &safe[..digits], &safe[digits..]);
    }
    safe
}

fn ends_with(text: &str, end: &str) -> bool {
    let start = text.len().checked_sub(end.len());
    start.and_then(|start| text.get(start..)).is_some_and(|tail| tail.eq_ignore_ascii_case(end))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nothing_is_more_than_text() {
        for (text, expected) in [
            ("ask @alice or a@b.org", "ask @&#8203;alice or a@&#8203;b.org"),
            ("see #12, o/r#12, GH-12 and # 1", "see #&#8203;12, o/r#&#8203;12, GH-&#8203;12 and \\# 1"),
            ("https://evil.example, WWW.evil.example", "https:&#8203;//evil.example, WWW&#8203;.evil.example"),
            ("[a](b) ![c](d)", "\\[a\\](b) \\!\\[c\\](d)"),
            ("<!-- x --> &lt; <b>", "&lt;\\!-- x --&gt; &amp;lt; &lt;b&gt;"),
            ("`a` *b* _c_ ~~d~~ |e| \\f $g$", "\\`a\\` \\*b\\* \\_c\\_ \\~\\~d\\~\\~ \\|e\\| \\\\f \\$g\\$"),
            ("a\nb\u{202e}", "a b"),
        ] {
            assert_eq!(escape(text), expected);
        }
    }

    #[test]
    fn an_item_begins_nothing_else() {
        for (text, expected) in [
            ("- a", "\\- a"),
            ("1. a", "1\\. a"),
            ("12) a", "12\\) a"),
            ("+ a", "\\+ a"),
            ("===", "\\==="),
            ("> a", "&gt; a"),
            ("1a", "1a"),
            ("# a", "\\# a"),
        ] {
            assert_eq!(escape_item(text), expected);
        }
    }

    proptest! {
        #[test]
        fn no_sign_is_left_that_means_anything(text in "(@[a-z]{1,4}|#[0-9]|https?://|www\\.|GH-[0-9]|[<>`*_|~!\\[\\]\\\\]|\\PC{0,3}|[\u{0}\u{200b}\u{202e}\n]){0,12}") {
            let safe = escape(&text);
            prop_assert!(!safe.contains(['<', '>', '\n', '\u{200b}', '\u{202e}']), "{safe:?}");
            prop_assert!(!safe.contains("://") && !safe.to_ascii_lowercase().contains("www."), "{safe:?}");
            for (at, _) in safe.match_indices('@') {
                prop_assert!(safe[at + 1..].starts_with(NOTHING), "{safe:?}");
            }
        }
    }
}
