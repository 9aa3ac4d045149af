//! The job summary: result, services, timeline, failures with reasons first.

use std::time::Duration;

use super::text::{cut, duration, one_line};
use super::{advice, gantt, suite, table};
use crate::domain::board::{Board, Row};
use crate::domain::e2e::{Standing, State};
use crate::domain::outcome::{RunResult, Verdict};
use crate::error::Error;

/// GitHub drops a summary of more than 1,048,576 bytes whole.
pub const MOST_BYTES: usize = 900 * 1024;

/// What the summary is about.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The environment's name.
    pub environment: &'a str,
    /// The release's tag.
    pub tag: &'a str,
    /// The whole run so far.
    pub time: Duration,
    /// The page of the release notes.
    pub release_url: Option<&'a str>,
}

/// The summary of a run.
pub fn of_board(subject: Subject<'_>, headline: &str, board: &Board, verdict: &Verdict, warnings: &[String]) -> String {
    let mut parts = vec![format!("## {} {}", sign(verdict), escape(headline))];
    parts.extend(failures(board));
    parts.extend(warnings.iter().map(|text| warning(text)));
    if !board.rows().is_empty() {
        parts.push(services(board, subject.time));
    }
    parts.extend(board.suite().map(|standing| e2e(standing, subject.time)));
    parts.extend(subject.release_url.and_then(page).map(|page| format!("Release notes: {page}")));
    if verdict.result == RunResult::Success {
        parts.extend(timeline(board, subject.time));
    }
    limited(&parts)
}

/// The summary of a plan that isn't applied, or whose images alone were provided.
pub fn of_plan(subject: Subject<'_>, board: &Board, has_provided: bool, warnings: &[String]) -> String {
    let what = if has_provided { "Images" } else { "Plan" };
    let title = format!("## {what}: {} to {}", escape(subject.tag), escape(subject.environment));
    let changed = if has_provided { "Every image is in the registry; nothing was deployed." } else { "Nothing was changed." };
    let mut parts = vec![title, changed.to_owned()];
    parts.extend(warnings.iter().map(|text| warning(text)));
    parts.push(services(board, subject.time));
    limited(&parts)
}

/// The summary of a refusal.
pub fn of_error(error: &Error) -> String {
    let mut parts = vec![format!("## ❌ {}", escape(&error.headline()))];
    parts.extend(error.lines().iter().map(|line| fence(line)));
    parts.push(format!("_{}_", escape(error.changed())));
    limited(&parts)
}

fn warning(text: &str) -> String {
    format!("> [!WARNING]\n> {}", escape(&one_line(text, 1000)))
}

fn sign(verdict: &Verdict) -> &'static str {
    match verdict.exit_code {
        0 => "✅",
        130 => "⚪",
        _ => "❌",
    }
}

fn failures(board: &Board) -> Vec<String> {
    let one = |(row, failure): (&Row, &crate::domain::outcome::Failure)| {
        let title = format!("### ❌ {}: {}", escape(row.name.as_str()), table::kind_word(&failure.kind));
        format!("{title}\n\n{}", fence(&advice::failure(row, failure, 50).join("\n")))
    };
    let suite = board.suite().and_then(|standing| match &standing.state {
        State::Failed(failure) => {
            let title = format!("### ❌ E2E {}: {}", escape(&standing.suite), suite::words(&standing.state));
            Some(format!("{title}\n\n{}", fence(&suite::failure(standing, failure, suite::runs_now(board).as_deref(), 50).join("\n"))))
        }
        _ => None,
    });
    board.failures().map(one).chain(suite).collect()
}

/// The suite in one line, with its run's page.
fn e2e(standing: &Standing, now: Duration) -> String {
    let time = suite::time(standing, now).map(|time| format!(" in {}", duration(time))).unwrap_or_default();
    let page = standing.url.as_deref().and_then(page).map(|page| format!(": {page}"));
    let words = escape(&suite::words(&standing.state));
    format!("{} E2E {}: {words}{time}{}", suite::sign(&standing.state), escape(&standing.suite), page.unwrap_or_default())
}

/// A link to a page, where it is one.
fn page(url: &str) -> Option<String> {
    let is_plain = url.starts_with("http") && !url.contains(|c: char| c.is_whitespace() || c.is_control());
    is_plain.then(|| format!("<{}>", url.replace(['<', '>'], "")))
}

fn services(board: &Board, now: Duration) -> String {
    let mut lines = vec!["| service | version | image | time | state |".to_owned(), "|---|---|---|---:|---|".to_owned()];
    for row in board.rows() {
        let (change, digest) = table::outcome(row);
        let digest = digest.map(|digest| format!("`{}`", escape(digest.short()))).unwrap_or_default();
        let state = if row.ended.is_none() && row.started.is_none() && matches!(row.state, crate::domain::board::State::Waiting) {
            one_line(&row.reason, 200)
        } else {
            format!("{} {}", table::sign(&row.state), table::words(row))
        };
        lines.push(format!(
            "| {} | {} | {digest} | {} | {} |",
            escape(row.name.as_str()),
            escape(&change),
            table::time(row, now),
            escape(&state)
        ));
    }
    lines.join("\n")
}

fn timeline(board: &Board, time: Duration) -> Vec<String> {
    let (path, length) = board.critical_path();
    if path.is_empty() {
        return Vec::new();
    }
    let names: Vec<String> = path.iter().map(|name| escape(name.as_str())).collect();
    let ratio = time.as_secs_f64() / length.as_secs_f64().max(0.001);
    let text = format!("Critical path {}: {} of {} ({ratio:.2}×)", names.join(" → "), duration(length), duration(time));
    match gantt::mermaid(board) {
        Some(diagram) => vec![format!("### Timeline\n\n{text}\n\n```mermaid\n{diagram}\n```")],
        None => vec![format!("### Timeline\n\n{text}")],
    }
}

/// A code block that its text can't close.
fn fence(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}text\n{}\n{fence}", super::text::clean(text))
}

/// Text that stays text in Markdown: no tags, no cells, no mentions.
pub fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in super::text::clean(text).chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '@' => safe.push_str("&#64;"),
            '|' | '`' | '*' | '[' | ']' | '\\' | '~' | '_' | '#' | '!' => safe.extend(['\\', c]),
            '\n' => safe.push(' '),
            _ => safe.push(c),
        }
    }
    safe
}

pub(super) fn limited(parts: &[String]) -> String {
    let whole = parts.join("\n\n") + "\n";
    if whole.len() <= MOST_BYTES {
        return whole;
    }
    // Characters of up to four bytes: a quarter of the bytes always fits.
    cut(&whole, MOST_BYTES / 4 - 100) + "\n\n… cut here: the whole text is in the log and in the JSON report\n"
}
