//! What people and machines read: no text from outside ends a command, an output, a message or a tag of HTML.

use std::time::Duration;

use serde_json::Value;

use crate::domain::outcome::{RunResult, Verdict};
use crate::report::blocks::{Block, Line, Message};
use crate::report::commands::{Annotation, Level, add_mask};
use crate::report::html::{Subject, page};
use crate::report::json::{Known, outputs};
use crate::report::notes_lines::Links;
use crate::report::text::{clean, defuse};

/// The parts of an input.
fn parts<const N: usize>(text: &str) -> [&str; N] {
    let mut rest = text.split('\u{1e}');
    std::array::from_fn(|_| rest.next().unwrap_or_default())
}

fn decoded(text: &str) -> String {
    text.replace("%2C", ",").replace("%3A", ":").replace("%0A", "\n").replace("%0D", "\r").replace("%25", "%")
}

fn is_no_command(text: &str) {
    assert!(!text.contains("##["), "{text:?}");
    for line in text.split(['\n', '\r']) {
        assert!(!line.trim_start().starts_with("::"), "{text:?}");
    }
}

/// Title, message, file: one command on one line, which says no more than it should.
pub fn workflow_command(text: &str) {
    let [title, message, file] = parts(text);
    is_no_command(&defuse(message));
    let place = (!file.is_empty()).then(|| (file.to_owned(), 3));
    let command = Annotation { level: Level::Error, title: title.to_owned(), message: message.to_owned(), place }.command();
    assert!(!command.contains(['\n', '\r']), "{command:?}");
    let (head, body) = command.strip_prefix("::error ").and_then(|rest| rest.split_once("::")).expect("a command");
    is_no_command(&decoded(body));
    // The runner takes properties apart at commas, and each at its first equals sign.
    let shown = head.rsplit(',').next().and_then(|last| last.strip_prefix("title=")).map(decoded).expect("a title");
    assert_eq!(shown, clean(title), "{command:?}");
    let masks = add_mask(message);
    for line in message.lines().filter(|line| !line.trim().is_empty()) {
        assert!(masks.iter().any(|mask| mask.strip_prefix("::add-mask::").is_some_and(|mask| decoded(mask) == line)), "{line:?}");
    }
    assert!(!masks.iter().any(|mask| mask.contains(['\n', '\r'])));
}

/// Whatever the outputs hold, the runner reads them as they are.
pub fn output_file(text: &str) {
    const DELIMITER: &str = "escher_0123456789abcdef0123456789abcdef";
    let [environment, version, page, channel, ts, report] = parts(text);
    // The delimiter is random: no value can know it.
    if text.contains(DELIMITER) {
        return;
    }
    let known = Known {
        environment: Some(environment),
        version: Some(version.to_owned()),
        release_url: Some(page.to_owned()),
        slack: Some((channel.to_owned(), ts.to_owned())),
        report: Some(report.to_owned()),
        ..Known::default()
    };
    let outputs = outputs(RunResult::Success, &known);
    let file = outputs.file_text(DELIMITER);
    let mut lines = file.split('\n');
    for (name, value) in &outputs.pairs {
        assert_eq!(lines.next(), Some(format!("{name}<<{DELIMITER}").as_str()));
        let read: Vec<&str> = lines.by_ref().take_while(|line| *line != DELIMITER).collect();
        assert_eq!(read.join("\n"), *value, "{name}");
    }
    assert_eq!((lines.next(), lines.next()), (Some(""), None), "nothing else is in the file");
}

/// A line a piece; its first letter says what it becomes. Slack must take every page of it.
pub fn slack_message(text: &str) {
    let mut blocks = Vec::new();
    for line in text.split('\u{1e}') {
        let mut letters = line.chars();
        let (kind, rest) = (letters.next(), letters.as_str());
        let piece = match kind {
            Some('b') => Line::bold(rest),
            Some('c') => Line::code(rest),
            Some('l') => Line::link(rest, rest),
            Some('p') => Line::person(Some(rest), rest),
            Some('j') => Line::join([Line::text(rest), Line::bold(rest), Line::code(rest)], " · "),
            _ => Line::text(rest),
        };
        blocks.push(match kind {
            Some('h') => Block::Header(rest.to_owned()),
            Some('x') => Block::Context(vec![piece; 12]),
            Some('d') => Block::Divider,
            _ => Block::Section(piece),
        });
    }
    let headline = text.split('\u{1e}').next().unwrap_or_default();
    let message = Message::new(headline, blocks);
    let _ = message.plain();
    for page in message.pages() {
        let (text, blocks) = (page.text(), page.blocks());
        assert!(!text.trim().is_empty() && text.chars().count() <= 4000);
        assert!(blocks.len() <= 50);
        harmless(&text);
        let all: usize = blocks.iter().map(fits).sum();
        assert!(all <= 10_000, "{all} characters in one message");
    }
}

/// Within Slack's limits (<https://docs.slack.dev/reference/block-kit/blocks>); how many characters it has.
fn fits(block: &Value) -> usize {
    let of = |text: &Value, most: usize| {
        let (kind, text) = (&text["type"], text["text"].as_str().expect("a text"));
        let count = text.chars().count();
        assert!(count <= most && !text.trim().is_empty(), "{count} of {most}: {text:?}");
        // Slack acts on nothing in plain text.
        if kind != "plain_text" {
            harmless(text);
        }
        count
    };
    match block["type"].as_str() {
        Some("header") => of(&block["text"], 150),
        Some("section") => of(&block["text"], 3000),
        Some("context") => {
            let elements = block["elements"].as_array().expect("elements");
            assert!((1..=10).contains(&elements.len()));
            elements.iter().map(|element| of(element, 3000)).sum()
        }
        Some("divider") => 0,
        other => panic!("{other:?}"),
    }
}

/// What Slack would act on is ours: links to pages, and people by their id.
fn harmless(text: &str) {
    for start in text.split('<').skip(1) {
        let is_person = start.strip_prefix('@').is_some_and(|rest| {
            rest.split_once('>').is_some_and(|(id, _)| id.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()))
        });
        assert!(start.starts_with("https://") || start.starts_with("http://") || is_person, "{text:?}");
    }
}

/// Text from outside adds no tag and no attribute.
pub fn html_page(text: &str) {
    let [headline, tag, warning, url] = parts(text);
    let verdict = Verdict { result: RunResult::Failed, exit_code: 1 };
    let of = |headline: &str, tag: &str, warning: &str, url: Option<&str>| {
        let warnings = [warning.to_owned()];
        let made = page(&Subject {
            headline,
            verdict: &verdict,
            environment: tag,
            tag,
            time: Duration::from_secs(1),
            run_url: url,
            error: None,
            board: None,
            plan: None,
            warnings: &warnings,
            notes: None,
            links: Links("https://github.com"),
            release_url: url,
        });
        ['<', '>', '"', '\''].map(|sign| made.matches(sign).count())
    };
    let shown = of(headline, tag, warning, Some(url).filter(|url| !url.is_empty()));
    // Empty parts may leave their own tags out, so each is either there or not.
    let tag = if clean(tag).is_empty() { "" } else { "x" };
    let with = |url: Option<&str>| of("x", tag, "x", url);
    // What is no address of a page is text behind the same words.
    assert!([None, Some("x"), Some("https://x")].into_iter().any(|url| shown == with(url)), "{shown:?}: {text:?}");
}
