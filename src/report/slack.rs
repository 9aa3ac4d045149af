//! The release's Slack message as Block Kit (<https://docs.slack.dev/reference/block-kit/blocks>), within its limits.

use std::time::Duration;

use serde_json::{Value, json};

use super::text::{clean, cut, duration, one_line};
use super::{advice, table};
use crate::domain::board::{Board, Row};
use crate::domain::outcome::{FailureKind, RunResult, Verdict};
use crate::error::Error;

/// The longest text of a section.
const SECTION: usize = 3000;
/// The longest header.
const HEADER: usize = 150;
/// All texts of a message: Slack refuses near 10,000, undocumented.
const BUDGET: usize = 9000;
/// The table of the services keeps so much of it.
const TABLE: usize = 2500;
/// So many failures are told in full; a message has fifty blocks at most.
const MOST_FAILURES: usize = 10;

/// A message: short text for notifications, blocks for eyes.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// Short; shown in notifications and where blocks are refused.
    pub text: String,
    /// The blocks.
    pub blocks: Vec<Value>,
}

impl Message {
    /// The same with every text changed.
    pub fn map(self, change: impl Fn(&str) -> String) -> Self {
        let blocks = self.blocks.into_iter().map(|block| texts(block, &change)).collect();
        Self { text: change(&self.text), blocks }
    }
}

fn texts(value: Value, change: &impl Fn(&str) -> String) -> Value {
    match value {
        Value::String(text) => Value::String(change(&text)),
        Value::Array(items) => items.into_iter().map(|item| texts(item, change)).collect(),
        Value::Object(fields) => fields.into_iter().map(|(name, field)| (name, texts(field, change))).collect(),
        other => other,
    }
}

/// What every message of a run says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Context {
    /// The environment's name.
    pub environment: String,
    /// The release's tag.
    pub tag: String,
    /// Who started it.
    pub actor: String,
    /// The run's page.
    pub run_url: Option<String>,
}

/// The run as it goes, or as it ended.
pub fn of_board(context: &Context, board: &Board, verdict: Option<&Verdict>, now: Duration) -> Message {
    let headline = match verdict {
        Some(verdict) => format!("{} {}", sign(verdict), table::headline(&context.environment, &context.tag, verdict, now)),
        None => format!("🚀 {} is being deployed to {}", context.tag, context.environment),
    };
    let mut blocks = top(context, &headline);
    let mut failed: Vec<_> = board.failures().collect();
    // What could not be taken back is the loudest.
    failed.sort_by_key(|(_, failure)| failure.kind != FailureKind::NotTakenBack);
    let failures: Vec<String> = failed.into_iter().map(|(row, failure)| failure_text(row, failure)).collect();
    let mut left = BUDGET.saturating_sub(headline.len() + 500);
    let kept: Vec<String> = board.rows().iter().filter(|row| row.stays).map(|row| escape(row.name.as_str())).collect();
    if !kept.is_empty() {
        let text = format!("⚠️ no automatic rollback, because a migration is irreversible: {}", kept.join(", "));
        blocks.push(section(&cut(&text, 1000)));
        left = left.saturating_sub(1000);
    }
    // Each failure gets its share; the table of the services keeps its own.
    let share = left.saturating_sub(TABLE) / failures.len().clamp(1, MOST_FAILURES);
    for failure in failures.iter().take(MOST_FAILURES) {
        let text = cut(failure, SECTION.min(share) / 2);
        left = left.saturating_sub(text.len());
        blocks.push(section(&text));
    }
    if failures.len() > MOST_FAILURES {
        blocks.push(section(&format!("… and {} more failures in the log", failures.len() - MOST_FAILURES)));
    }
    blocks.extend(lines(board, now, left).iter().map(|text| section(text)));
    Message { text: escape(&headline), blocks }
}

/// A run that ended before it began.
pub fn of_error(context: &Context, error: &Error) -> Message {
    let headline = format!("❌ {} to {}: {}", context.tag, context.environment, error.headline());
    let mut blocks = top(context, &headline);
    let text = error.lines().iter().map(|line| format!("• {}", escape(line))).collect::<Vec<_>>().join("\n");
    if !text.is_empty() {
        blocks.push(section(&cut(&text, SECTION)));
    }
    blocks.push(section(&escape(error.changed())));
    Message { text: escape(&headline), blocks }
}

/// Only text and the run's link: for the day on which Slack refuses the blocks.
pub fn plain(message: &Message, context: &Context) -> Message {
    let link = context.run_url.as_ref().map(|url| format!(" <{url}|log>")).unwrap_or_default();
    Message { text: cut(&message.text, 1000) + &link, blocks: Vec::new() }
}

fn sign(verdict: &Verdict) -> &'static str {
    match verdict.result {
        RunResult::Success => "✅",
        RunResult::Unchanged => "☑️",
        RunResult::Cancelled => "⚪",
        RunResult::RolledBack => "↩️",
        RunResult::Failed | RunResult::Refused | RunResult::Superseded => "❌",
    }
}

fn top(context: &Context, headline: &str) -> Vec<Value> {
    let mut words = vec![format!("by {}", escape(&context.actor))];
    words.extend(context.run_url.as_ref().map(|url| format!("<{url}|log>")));
    vec![
        json!({"type": "header", "text": {"type": "plain_text", "text": cut(&clean(headline), HEADER)}}),
        json!({"type": "context", "elements": [{"type": "mrkdwn", "text": words.join(" · ")}]}),
    ]
}

fn section(text: &str) -> Value {
    json!({"type": "section", "text": {"type": "mrkdwn", "text": text}})
}

fn failure_text(row: &Row, failure: &crate::domain::outcome::Failure) -> String {
    let lines: Vec<String> = advice::failure(row, failure, 12).iter().map(|line| escape(&one_line(line, 400))).collect();
    format!("✗ *{}* {}\n{}", escape(row.name.as_str()), table::kind_word(&failure.kind), lines.join("\n"))
}

/// The services, a line each, as few sections as hold them.
fn lines(board: &Board, now: Duration, budget: usize) -> Vec<String> {
    let mut sections: Vec<String> = Vec::new();
    let mut used = 0;
    for (index, row) in board.rows().iter().enumerate() {
        let line = line(row, now);
        if used + line.len() > budget {
            sections.push(format!("… and {} more services in the log", board.rows().len() - index));
            break;
        }
        used += line.len() + 1;
        match sections.last_mut() {
            Some(last) if last.len() + line.len() < SECTION => {
                last.push('\n');
                last.push_str(&line);
            }
            _ => sections.push(line),
        }
    }
    sections
}

fn line(row: &Row, now: Duration) -> String {
    let mut parts = vec![format!("{} *{}*", table::sign(&row.state), escape(row.name.as_str()))];
    parts.push(escape(&table::change(&row.from, &row.to)));
    parts.push(escape(&table::words(row)));
    parts.extend(row.started.map(|started| duration(row.ended.unwrap_or(now).saturating_sub(started))));
    parts.join("  ")
}

/// Slack's three characters, the ampersand first: text from outside never becomes `<!channel>` or `<@someone>`.
pub fn escape(text: &str) -> String {
    clean(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_text_mentions_anyone(text in "(\\PC|<!channel>|<@U1>|&lt;!here&gt;){0,30}") {
            let safe = escape(&text);
            prop_assert!(!safe.contains('<') && !safe.contains('>'), "{safe:?}");
        }
    }
}
