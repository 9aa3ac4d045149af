//! The end-to-end suite told to a person.

use std::time::Duration;

use super::text::{duration, log_tail, one_line};
use crate::domain::board::Board;
use crate::domain::e2e::{FailedJob, Failure, Kind, Standing, State};
use crate::domain::outcome::End;

/// So many failed jobs or tests are named.
const MOST_JOBS: usize = 20;

/// A suite's sign.
pub fn sign(state: &State) -> &'static str {
    match state {
        State::Due => "·",
        State::Goes(_) => "▸",
        State::Passed(_) => "✓",
        State::Failed(_) => "✗",
        State::Skipped(_) => "–",
        State::Cancelled => "○",
    }
}

/// Where it stands, in a word or two.
pub fn short(state: &State) -> String {
    if matches!(state, State::Passed(_)) { "passed".to_owned() } else { words(state) }
}

/// Where it stands, in words.
pub fn words(state: &State) -> String {
    match state {
        State::Due => "waiting".to_owned(),
        State::Goes(phase) => phase.words().to_owned(),
        State::Passed(None) => "passed".to_owned(),
        State::Passed(Some(tests)) => format!("passed, {tests} tests"),
        State::Failed(Failure { kind: Kind::Failed, .. }) => "failed".to_owned(),
        State::Failed(Failure { kind: Kind::TimedOut, .. }) => "timed out".to_owned(),
        State::Failed(Failure { kind: Kind::NotRun, .. }) => "did not run".to_owned(),
        State::Skipped(why) => format!("skipped: {why}"),
        State::Cancelled => "cancelled".to_owned(),
    }
}

/// How long it has taken, or took.
pub fn time(standing: &Standing, now: Duration) -> Option<Duration> {
    standing.started.map(|started| standing.ended.unwrap_or(now).saturating_sub(started))
}

/// One line of a log: what has just become of it.
pub fn log_line(standing: &Standing, now: Duration) -> String {
    let detail = match &standing.state {
        State::Failed(failure) => format!(": {}", one_line(&failure.reason, 300)),
        State::Passed(_) => time(standing, now).map(|time| format!(" in {}", duration(time))).unwrap_or_default(),
        State::Goes(_) => standing.url.as_ref().map(|url| format!(": {url}")).unwrap_or_default(),
        _ => String::new(),
    };
    format!("{:>7}  {} E2E {}  {}{detail}", duration(now), sign(&standing.state), standing.suite, words(&standing.state))
}

/// A failure's lines: why, what failed in it, where to look, what to do, what runs; of the log at most so many.
pub fn failure(standing: &Standing, failure: &Failure, runs_now: Option<&str>, most_log_lines: usize) -> Vec<String> {
    let mut lines = vec![one_line(&failure.reason, 500)];
    lines.extend(failure.jobs.iter().take(MOST_JOBS).map(|job| format!("  {}", one_line(&failed(job), 400))));
    if failure.jobs.len() > MOST_JOBS {
        lines.push(format!("  … and {} more", failure.jobs.len() - MOST_JOBS));
    }
    lines.extend(standing.url.as_ref().map(|url| format!("→ {url}")));
    lines.push(format!("→ {}", failure.hint));
    lines.extend(runs_now.map(str::to_owned));
    lines.extend(log_tail(&failure.log, most_log_lines));
    lines
}

/// What runs after a suite has failed; nothing where no service was looked at.
pub fn runs_now(board: &Board) -> Option<String> {
    let is_back = |end: &End| matches!(end, End::TakenBack);
    let back: Vec<&str> = board.ends().filter(|(_, end)| is_back(end)).map(|(row, _)| row.name.as_str()).collect();
    let stays: Vec<&str> =
        board.ends().filter(|(_, end)| matches!(end, End::Deployed | End::Failed(_))).map(|(row, _)| row.name.as_str()).collect();
    match (back.is_empty(), stays.is_empty()) {
        _ if board.rows().is_empty() => None,
        (true, _) => Some("runs now: this release; only the suite has not passed".to_owned()),
        (false, true) => Some("runs now: what ran before: the release was taken back (DEPLOY_E2E_ROLLBACK)".to_owned()),
        (false, false) => Some(format!("runs now: what ran before on {}; NOT taken back: {}", back.join(", "), stays.join(", "))),
    }
}

/// A failed job with its steps.
pub fn failed(job: &FailedJob) -> String {
    let steps = if job.steps.is_empty() { String::new() } else { format!(": {}", job.steps.join(", ")) };
    let conclusion = if job.conclusion == "failure" { String::new() } else { format!(" ({})", job.conclusion) };
    format!("✗ {}{conclusion}{steps}", job.name)
}
