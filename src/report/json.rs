//! The JSON report and the outputs: what machines read (CONTRACT 6).

use std::time::Duration;

use serde_json::{Value, json};

use super::matrix::Matrix;
use super::suite as words;
use super::{advice, table};
use crate::domain::board::{Board, Row};
use crate::domain::e2e::{self, Standing};
use crate::domain::outcome::{End, RunResult, Verdict};
use crate::domain::plan::Plan;

/// Every output and what it means (CONTRACT 6).
pub const OUTPUTS: &[(&str, &str)] = &[
    ("result", "success, unchanged, failed, rolled-back, refused, superseded or cancelled"),
    ("environment", "where the release went"),
    ("version", "the version, without `v`"),
    ("deployed", "JSON array: services that run this run's change"),
    ("unchanged", "JSON array: services left alone"),
    ("skipped", "JSON array: services left out by `skip`"),
    ("failed", "JSON array: services that failed or were blocked by one that did"),
    ("plan", "JSON: what was planned and why"),
    ("matrix", "JSON for a build job's strategy.matrix: {\"include\": […]}"),
    ("build-needed", "true when the matrix has an entry; an empty one must not be used"),
    ("e2e-result", "success, failed, timed-out, cancelled or skipped; empty where no suite is configured"),
    ("e2e-url", "the page of the suite's run"),
    ("release-url", "the page of the release notes"),
    ("slack-channel", "the Slack message's channel id, for a later job"),
    ("slack-ts", "the Slack message's timestamp, for a later job"),
    ("notify-ok", "true when every notification got through"),
    ("report", "path of the JSON report"),
];

/// The outputs of a run, in the order of the contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outputs {
    /// Name and value.
    pub pairs: Vec<(&'static str, String)>,
}

/// What a run has for the next step.
#[derive(Clone, Debug, Default)]
pub struct Known<'a> {
    /// The environment's name.
    pub environment: Option<&'a str>,
    /// The version without `v`.
    pub version: Option<String>,
    /// The plan.
    pub plan: Option<&'a Plan>,
    /// What is to be built.
    pub matrix: Matrix,
    /// The services.
    pub board: Option<&'a Board>,
    /// The page of the release notes.
    pub release_url: Option<String>,
    /// The release's Slack message: channel id and timestamp.
    pub slack: Option<(String, String)>,
    /// Every notification got through.
    pub notify_ok: bool,
    /// The JSON report's path.
    pub report: Option<String>,
}

/// All outputs; those that this run has nothing for are empty.
pub fn outputs(result: RunResult, known: &Known<'_>) -> Outputs {
    let names = |wanted: fn(&End) -> bool| {
        let ends = known.board.into_iter().flat_map(Board::ends);
        json!(ends.filter(|(_, end)| wanted(end)).map(|(row, _)| row.name.as_str()).collect::<Vec<_>>()).to_string()
    };
    let suite = || known.board.and_then(Board::suite);
    let (channel, ts) = known.slack.clone().unwrap_or_default();
    let pairs = vec![
        ("result", result.as_str().to_owned()),
        ("environment", known.environment.unwrap_or_default().to_owned()),
        ("version", known.version.clone().unwrap_or_default()),
        ("deployed", names(|end| matches!(end, End::Deployed))),
        ("unchanged", names(|end| matches!(end, End::Unchanged))),
        ("skipped", names(|end| matches!(end, End::Skipped))),
        ("failed", names(|end| matches!(end, End::Failed(_) | End::TakenBack | End::Blocked { .. } | End::NotBegun | End::LeftInFlight))),
        ("plan", known.plan.map(|plan| json!(plan).to_string()).unwrap_or_default()),
        ("matrix", json!(known.matrix).to_string()),
        ("build-needed", known.matrix.is_needed().to_string()),
        ("e2e-result", suite().map(|standing| standing.result().to_owned()).unwrap_or_default()),
        ("e2e-url", suite().and_then(|standing| standing.url.clone()).unwrap_or_default()),
        ("release-url", known.release_url.clone().unwrap_or_default()),
        ("slack-channel", channel),
        ("slack-ts", ts),
        ("notify-ok", known.notify_ok.to_string()),
        ("report", known.report.clone().unwrap_or_default()),
    ];
    Outputs { pairs }
}

impl Outputs {
    /// The text for `GITHUB_OUTPUT`. The delimiter is random, so that no value can end it.
    pub fn file_text(&self, delimiter: &str) -> String {
        let entry = |(name, value): &(&str, String)| format!("{name}<<{delimiter}\n{value}\n{delimiter}\n");
        self.pairs.iter().map(entry).collect()
    }
}

/// The whole run for machines.
pub fn report(verdict: &Verdict, known: &Known<'_>, time: Duration, messages: &[String]) -> Value {
    let critical = known.board.map(Board::critical_path);
    json!({
        "schema": 1,
        "result": verdict.result,
        "exit_code": verdict.exit_code,
        "environment": known.environment,
        "version": known.version,
        "seconds": time.as_secs_f64(),
        "critical_path": critical.map(|(path, length)| json!({"services": path, "seconds": length.as_secs_f64()})),
        "messages": messages,
        "plan": known.plan,
        "e2e": known.board.and_then(Board::suite).map(|standing| suite(standing, time)),
        "release_url": known.release_url,
        "services": known.board.map(|board| board.rows().iter().map(service).collect::<Vec<_>>()),
    })
}

fn suite(standing: &Standing, now: Duration) -> Value {
    let failure = match &standing.state {
        e2e::State::Failed(failure) => {
            Some(json!({"reason": failure.reason, "jobs": failure.jobs, "log": failure.log, "hint": failure.hint}))
        }
        _ => None,
    };
    json!({
        "suite": standing.suite,
        "result": standing.result(),
        "state": words::words(&standing.state),
        "url": standing.url,
        "seconds": words::time(standing, now).map(|time| time.as_secs_f64()),
        "failure": failure,
    })
}

fn service(row: &Row) -> Value {
    let seconds = |time: Option<Duration>| time.map(|time| time.as_secs_f64());
    let failure = match &row.state {
        crate::domain::board::State::Done(End::Failed(failure)) => Some(json!({
            "kind": table::kind_word(&failure.kind),
            "reason": failure.reason,
            "details": failure.details,
            "log": failure.log,
            "hint": failure.hint,
            "runs_now": advice::runs_now(row, failure.runs_now),
        })),
        _ => None,
    };
    json!({
        "name": row.name,
        "action": row.action,
        "state": table::words(row),
        "from": row.from,
        "to": row.to,
        "started_seconds": seconds(row.started),
        "healthy_seconds": seconds(row.opened),
        "ended_seconds": seconds(row.ended),
        "failure": failure,
    })
}
