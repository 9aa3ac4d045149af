use proptest::prelude::*;

use super::*;

fn outside() -> impl Strategy<Value = String> {
    "(\\PC|[&<>*`|\n\r\t]|<!channel>|<@U012AB3CD>|&lt;|https://e.vil|```|\u{202e}){0,30}"
}

fn line() -> impl Strategy<Value = Line> {
    let piece = prop_oneof![
        outside().prop_map(Line::text),
        outside().prop_map(Line::bold),
        outside().prop_map(Line::code),
        (outside(), outside()).prop_map(|(url, label)| Line::link(&url, label)),
        outside().prop_map(|label| Line::link("https://github.com/a/b?c=d&e=f", label)),
        (outside(), outside()).prop_map(|(id, name)| Line::person(Some(&id), &name)),
        (outside(), 1usize..60).prop_map(|(text, times)| Line::text(text.repeat(times))),
    ];
    prop::collection::vec(piece, 0..5).prop_map(|pieces| Line::join(pieces, " "))
}

fn block() -> impl Strategy<Value = Block> {
    prop_oneof![
        outside().prop_map(|text| Block::Header(text.repeat(5))),
        line().prop_map(Block::Section),
        prop::collection::vec(line(), 0..14).prop_map(Block::Context),
        Just(Block::Divider),
    ]
}

/// What Slack's documentation, and experience, say of one message.
fn check(message: &Message) -> Result<(), TestCaseError> {
    let count = |value: &Value| value.as_str().map_or(0, |text| text.chars().count());
    let blocks = message.blocks();
    prop_assert!(blocks.len() <= 50 && (1..=1000).contains(&message.text().chars().count()));
    let mut total = 0;
    for block in &blocks {
        let texts: Vec<(&Value, usize)> = match block["type"].as_str() {
            Some("header") => vec![(&block["text"]["text"], 150)],
            Some("section") => vec![(&block["text"]["text"], 3000)],
            Some("context") => {
                let elements = block["elements"].as_array().expect("elements");
                prop_assert!((1..=10).contains(&elements.len()));
                elements.iter().map(|element| (&element["text"], 3000)).collect()
            }
            _ => Vec::new(),
        };
        for (text, most) in texts {
            prop_assert!((1..=most).contains(&count(text)), "{text}");
            total += count(text);
        }
    }
    prop_assert!(total <= 9500, "{total}");
    Ok(())
}

/// Every `<` opens a link or a mention of ours, and closes.
fn is_tame(text: &str) -> bool {
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        let inner = &rest[at + 1..];
        let Some(end) = inner.find(['<', '>']) else { return false };
        let tag = &inner[..end];
        let is_member = tag.strip_prefix('@').is_some_and(|id| id.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()));
        let is_link = tag.starts_with("http") && tag.matches('|').count() == 1;
        if inner.as_bytes()[end] != b'>' || !(is_member || is_link) {
            return false;
        }
        rest = &inner[end + 1..];
    }
    true
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_message_keeps_slacks_limits(text in outside(), blocks in prop::collection::vec(block(), 0..6), times in 1usize..14) {
        let blocks = std::iter::repeat_n(blocks, times).flatten().collect();
        let message = Message::new(text, blocks);
        check(&message)?;
        for page in message.clone().pages() {
            check(&page)?;
        }
    }

    #[test]
    fn pages_lose_nothing(lines in prop::collection::vec("[a-z]{1,80}", 0..200)) {
        let message = Message::new("t", sections(lines.iter().map(Line::text)));
        let shown: String = message.pages().iter().flat_map(Message::blocks).filter_map(|block| Some(block["text"]["text"].as_str()?.to_owned() + "\n")).collect();
        prop_assert_eq!(shown.split_whitespace().collect::<Vec<_>>(), lines.iter().map(String::as_str).collect::<Vec<_>>());
    }

    #[test]
    fn no_text_from_outside_mentions_or_links(line in line(), most in 0usize..4000) {
        let text = line.mrkdwn(most);
        prop_assert!(is_tame(&text), "{text:?}");
        prop_assert!(text.chars().count() <= most);
        prop_assert!(!text.contains("<!") && !text.contains("<#"), "{text:?}");
    }
}

#[test]
fn what_is_cut_is_cut_between_escapes() {
    assert_eq!(fitted("a&bcd", 7), "a&amp;…");
    assert_eq!(fitted("a&bcd", 6), "a…");
    assert_eq!(Line::bold("a & b").say(" <c>").mrkdwn(100), "*a &amp; b* &lt;c&gt;");
    assert_eq!(Line::link("https://x.y/?a=1&b=2", "log").mrkdwn(100), "<https://x.y/?a=1&amp;b=2|log>");
    assert_eq!(Line::link("javascript:alert(1)", "log").mrkdwn(100), "log");
    assert_eq!(Line::link("https://x.y/", "log").mrkdwn(10), "", "half a link is none");
}
