//! The words for states, the plan as a table, and the services as a live table.

use std::time::Duration;

use super::text::{cut, duration, one_line};
use crate::domain::board::{Board, Row, State};
use crate::domain::names::Digest;
use crate::domain::outcome::{End, FailureKind, RunResult, RunsNow, Verdict};
use crate::domain::plan::{Action, Plan, Side};

/// A state's sign.
pub fn sign(state: &State) -> &'static str {
    match state {
        State::Waiting => "·",
        State::Starting | State::Rolling { .. } | State::Smoke => "▸",
        State::Draining => "✓",
        State::RollingBack => "↩",
        State::Done(End::Deployed) => "✓",
        State::Done(End::Unchanged | End::Skipped) => "–",
        State::Done(End::Failed(_)) => "✗",
        State::Done(End::Blocked { .. } | End::NotBegun) => "○",
        State::Done(End::TakenBack) => "↩",
        State::Done(End::LeftInFlight) => "…",
    }
}

/// A state in words.
pub fn words(row: &Row) -> String {
    match &row.state {
        // A row without an image is of a plan whose builds have not ended.
        State::Waiting if row.build.started.is_some() && row.build.ended.is_none() => "being built".to_owned(),
        State::Waiting if row.build.ended.is_some() => "built".to_owned(),
        State::Waiting if row.action == Action::Build && row.to.digest.is_none() => "waits for its build".to_owned(),
        State::Waiting => "waiting".to_owned(),
        State::Starting => "updating".to_owned(),
        State::Rolling { running, desired } => format!("rolling out, {running}/{desired} running"),
        State::Smoke => "healthy, smoke test".to_owned(),
        State::Draining => "healthy, old tasks drain".to_owned(),
        State::RollingBack => "going back".to_owned(),
        State::Done(End::TakenBack) => "taken back".to_owned(),
        State::Done(End::Deployed) if row.action == Action::Return => "is back".to_owned(),
        State::Done(End::Deployed) => "deployed".to_owned(),
        State::Done(End::Unchanged) => "unchanged".to_owned(),
        State::Done(End::Skipped) => "skipped".to_owned(),
        State::Done(End::Failed(failure)) => kind_word(&failure.kind).to_owned(),
        State::Done(End::Blocked { by }) => format!("blocked by {by}"),
        State::Done(End::NotBegun) => "not begun".to_owned(),
        // The run ended before ECS had said whether there is a deployment.
        State::Done(End::LeftInFlight) if row.deployment.is_none() && !row.is_joined => "perhaps in flight".to_owned(),
        State::Done(End::LeftInFlight) => "left in flight".to_owned(),
    }
}

/// A failure in a few words.
pub fn kind_word(kind: &FailureKind) -> &'static str {
    match kind {
        FailureKind::RolledBack => "rolled back by ECS",
        FailureKind::Failed => "failed",
        FailureKind::CrashLoop => "keeps crashing",
        FailureKind::Superseded { .. } => "superseded",
        FailureKind::TimedOut => "timed out",
        FailureKind::Smoke => "smoke test failed",
        FailureKind::E2e => "E2E failed",
        FailureKind::Update => "not updated",
        FailureKind::Unwatched => "lost sight of",
        FailureKind::Denied => "not allowed",
        FailureKind::NotTakenBack => "NOT TAKEN BACK",
    }
}

/// The run in one line.
pub fn headline(environment: &str, tag: &str, verdict: &Verdict, time: Duration) -> String {
    let what = match verdict.result {
        RunResult::Success => "deployed to",
        RunResult::Unchanged => "runs already in",
        RunResult::Failed => "failed in",
        RunResult::RolledBack => "failed and was rolled back in",
        RunResult::Refused => "was refused in",
        RunResult::Superseded => "was superseded in",
        RunResult::Cancelled => "was cancelled in",
    };
    format!("{tag} {what} {environment} after {}", duration(time))
}

/// `2.15.0 → 2.16.0`, or one of them where they are equal or unknown.
pub fn change(from: &Side, to: &Side) -> String {
    let name = |side: &Side| side.version.clone().or_else(|| side.digest.as_ref().map(|digest| digest.short().to_owned()));
    match (name(from), name(to)) {
        (Some(from), Some(to)) if from != to => format!("{from} → {to}"),
        (None, Some(to)) => format!("? → {to}"),
        (_, Some(name)) | (Some(name), None) => name,
        (None, None) => "?".to_owned(),
    }
}

/// What of a service runs in the end: the new one, or what ran before where it went back.
pub fn outcome(row: &Row) -> (String, Option<&Digest>) {
    let is_back = match &row.state {
        State::Done(End::TakenBack) => true,
        State::Done(End::Failed(failure)) => failure.runs_now == RunsNow::Before,
        _ => false,
    };
    if !is_back {
        return (change(&row.from, &row.to), row.to.digest.as_ref());
    }
    let words = row.from.version.as_ref().map_or_else(|| "as before".to_owned(), |version| format!("{version}, as before"));
    (words, row.from.digest.as_ref())
}

/// What is planned for a service, in a word.
pub fn action_word(action: Action) -> &'static str {
    match action {
        Action::Build => "build",
        Action::Promote => "promote",
        Action::Configure => "configure",
        Action::None => "none",
        Action::Skip => "skip",
        Action::Return => "return",
    }
}

/// The plan, a line a service.
pub fn plan(plan: &Plan) -> Vec<String> {
    let changes: Vec<String> = plan.services.iter().map(|service| change(&service.from, &service.to)).collect();
    let name = plan.services.iter().map(|service| service.name.as_str().len()).max().unwrap_or(0);
    let width = changes.iter().map(|text| text.chars().count()).max().unwrap_or(0);
    let lines = plan.services.iter().zip(&changes).map(|(service, change)| {
        format!("  {:<name$}  {:<9}  {change:<width$}  {}", service.name, action_word(service.action), one_line(&service.reason, 200))
    });
    lines.collect()
}

/// The services as they stand, a line each, for a terminal.
pub fn live(board: &Board, now: Duration) -> Vec<String> {
    let name = board.rows().iter().map(|row| row.name.as_str().len()).max().unwrap_or(0);
    let changes: Vec<String> = board.rows().iter().map(|row| change(&row.from, &row.to)).collect();
    let width = changes.iter().map(|text| text.chars().count()).max().unwrap_or(0);
    let line = |(row, change): (&Row, &String)| {
        format!("  {} {:<name$}  {change:<width$}  {:>7}  {}", sign(&row.state), row.name, time(row, now), words(row))
    };
    board.rows().iter().zip(&changes).map(line).collect()
}

/// How long a service has taken, or took.
pub fn time(row: &Row, now: Duration) -> String {
    row.started.map(|started| duration(row.ended.unwrap_or(now).saturating_sub(started))).unwrap_or_default()
}

/// One line of a log: what has just become of a service.
pub fn log_line(row: &Row, now: Duration) -> String {
    let detail = match &row.state {
        State::Starting => format!(": {}", change(&row.from, &row.to)),
        State::Done(End::Failed(failure)) => format!(": {}", one_line(&failure.reason, 300)),
        State::Done(End::Deployed) => format!(" in {}", time(row, now)),
        _ => String::new(),
    };
    cut(&format!("{:>7}  {} {}  {}{detail}", duration(now), sign(&row.state), row.name, words(row)), 400)
}
