//! Text from outside made harmless: what can't be seen, and what moves a cursor, is taken out before anything else looks at it.

/// Text without escape sequences, control characters and characters that can't be seen; line breaks are kept.
///
/// A carriage return begins a line for the runner, an escape sequence moves the cursor, a direction override turns words round,
/// and a zero-width character hides a credential from whoever looks for one. Blanks of all widths become one, for the same reason.
pub fn clean(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\n' => safe.push('\n'),
            '\u{1b}' if rest.next_if_eq(&'[').is_some() => skip_control_sequence(&mut rest),
            '\u{1b}' if rest.next_if_eq(&']').is_some() => skip_command(&mut rest),
            '\u{9b}' => skip_control_sequence(&mut rest),
            c if c.is_whitespace() => safe.push(' '),
            // Nothing, not a blank: a credential must not be taken apart by it.
            c if c.is_control() || is_invisible(c) => {}
            c => safe.push(c),
        }
    }
    safe
}

type Chars<'a> = std::iter::Peekable<std::str::Chars<'a>>;

/// Colours and the cursor: parameters, then one letter (ECMA-48, 5.4, <https://ecma-international.org/publications-and-standards/standards/ecma-48/>).
fn skip_control_sequence(rest: &mut Chars<'_>) {
    while rest.next_if(|c| matches!(c, ' '..='?')).is_some() {}
    rest.next_if(|c| matches!(c, '@'..='~'));
}

/// Titles and links: up to a bell or a string terminator. One that never ends takes no more than its own line.
fn skip_command(rest: &mut Chars<'_>) {
    while rest.next_if(|c| !matches!(c, '\u{7}' | '\u{9c}' | '\u{1b}' | '\n')).is_some() {}
    if rest.next_if_eq(&'\u{1b}').is_some() {
        rest.next_if_eq(&'\\');
    } else {
        rest.next_if(|c| *c != '\n');
    }
}

/// Unicode's `Default_Ignorable_Code_Point`, direction marks and zero-width characters among them
/// (<https://www.unicode.org/Public/UCD/latest/ucd/DerivedCoreProperties.txt>), and the marks of an interlinear annotation; less
/// U+FE0F, without which an emoji is a letter.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0e}'
        | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}')
}

/// One line, at most so many characters.
pub fn one_line(text: &str, most: usize) -> String {
    cut(&flat(&clean(text)), most)
}

/// The same words with single blanks between them.
pub fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// At most so many characters, with an ellipsis where some are missing.
pub fn cut(text: &str, most: usize) -> String {
    // Nothing is counted beyond the limit: a text may be very long.
    if text.chars().nth(most).is_none() {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_moves_the_cursor_or_cant_be_seen_is_gone() {
        for (text, expected) in [
            ("\u{1b}[31mred\u{1b}[0m", "red"),
            ("\u{9b}2Jcleared", "cleared"),
            ("a\u{1b}]8;;https://evil.example\u{7}link\u{1b}]8;;\u{1b}\\b", "alinkb"),
            ("open \u{1b}]0;title\nnext", "open \nnext"),
            ("\u{1b}[", ""),
            ("\u{1b}c reset", "c reset"),
            ("gh\u{200b}p_x\u{202e}y\u{2066}z\u{feff}\u{ad}", "ghp_xyz"),
            ("tag\u{e0041}ged", "tagged"),
            ("PRIVATE\u{a0}KEY", "PRIVATE KEY"),
            ("one\r\ntwo\u{2028}three\u{85}four", "one \ntwo three four"),
            ("⚠\u{fe0f} stays, so does é", "⚠\u{fe0f} stays, so does é"),
        ] {
            assert_eq!(clean(text), expected, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn clean_text_stays_as_it_is(text in "(\\PC|[\u{0}-\u{a0}]|\u{1b}\\[|\u{1b}\\]|[\u{2000}-\u{2070}]){0,40}") {
            let once = clean(&text);
            prop_assert!(!once.chars().any(|c| c != '\n' && c.is_control() || is_invisible(c)), "{once:?}");
            prop_assert_eq!(clean(&once), once);
        }

        #[test]
        fn a_cut_text_is_never_longer(text in "\\PC{0,80}", most in 1usize..60) {
            prop_assert!(cut(&text, most).chars().count() <= most);
        }
    }
}
