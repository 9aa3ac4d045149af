//! The run as one page for a browser: no script, no outside request, light and dark. Read offline, sent on, kept with a ticket.

mod parts;
mod timeline;

use std::time::Duration;

use super::notes_lines::Links;
use super::text::clean;
use crate::domain::board::Board;
use crate::domain::notes::Notes;
use crate::domain::outcome::{RunResult, Verdict};
use crate::error::Error;

const STYLE: &str = include_str!("html/style.css");

/// What the page is about.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The run in one line.
    pub headline: &'a str,
    /// What it came to.
    pub verdict: &'a Verdict,
    /// The environment's name; empty where the configuration was refused.
    pub environment: &'a str,
    /// The release's tag; empty where there is none.
    pub tag: &'a str,
    /// The whole run.
    pub time: Duration,
    /// The run's page on GitHub.
    pub run_url: Option<&'a str>,
    /// Why it ended before it began.
    pub error: Option<&'a Error>,
    /// The services, as they ended or as they are planned.
    pub board: Option<&'a Board>,
    /// It was only planned, or only its images were provided: what that means for what runs.
    pub plan: Option<&'a str>,
    /// What did not stop the run.
    pub warnings: &'a [String],
    /// What is new in the release.
    pub notes: Option<&'a Notes>,
    /// Where the repositories' pages are.
    pub links: Links<'a>,
    /// The page of the release notes.
    pub release_url: Option<&'a str>,
}

/// The whole page. What is most urgent comes first.
pub fn page(subject: &Subject<'_>) -> String {
    let board = subject.board.filter(|board| !board.rows().is_empty());
    let mut body = vec![parts::head(subject)];
    body.extend(subject.error.map(parts::error));
    body.extend(subject.board.and_then(parts::failures));
    body.extend(parts::warnings(subject.warnings));
    body.extend(subject.plan.map(|words| format!("<p class=\"now\">{}</p>", escape(words))));
    body.extend(board.and_then(|board| timeline::timeline(board, subject.time)));
    body.extend(board.map(|board| parts::services(board, subject.time, subject.plan.is_some())));
    body.extend(subject.board.and_then(parts::moments));
    body.extend(subject.notes.map(|notes| parts::notes(notes, subject.links, subject.release_url)));
    let title = escape(subject.headline);
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{title}</title>\n<link rel=\"icon\" href=\"data:,\">\n<style>\n{STYLE}</style>\n</head>\n<body class=\"{}\">\n<main>\n{}\n</main>\n\
         </body>\n</html>\n",
        tone(subject.verdict.result),
        body.join("\n")
    )
}

/// The page's colour.
fn tone(result: RunResult) -> &'static str {
    match result {
        RunResult::Success | RunResult::Unchanged => "good",
        RunResult::Failed | RunResult::RolledBack | RunResult::Refused => "bad",
        RunResult::Superseded | RunResult::Cancelled => "open",
    }
}

/// Text that stays text, between tags and in an attribute's quotes.
pub fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in clean(text).chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}

/// A link, where the address is one; else the text alone.
fn link(text: &str, url: Option<&str>) -> String {
    let is_page = |url: &&str| (url.starts_with("https://") || url.starts_with("http://")) && !url.contains(char::is_whitespace);
    match url.filter(is_page) {
        Some(url) => format!("<a href=\"{}\" rel=\"noreferrer\">{}</a>", escape(url), escape(text)),
        None => escape(text),
    }
}

#[cfg(test)]
#[path = "html_tests.rs"]
mod tests;
