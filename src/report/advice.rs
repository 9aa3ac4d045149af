//! A failure told to a person: what, why, what to do, what runs now.

use super::text::{log_tail, one_line};
use crate::domain::board::Row;
use crate::domain::outcome::{Failure, RunsNow};

/// The failure's lines, without the service's name and the kind; of the log at most so many.
pub fn failure(row: &Row, failure: &Failure, most_log_lines: usize) -> Vec<String> {
    let mut lines = vec![one_line(&failure.reason, 500)];
    lines.extend(failure.details.iter().map(|detail| format!("  {}", one_line(detail, 500))));
    if !failure.hint.is_empty() {
        lines.push(format!("→ {}", failure.hint));
    }
    if let Some(runbook) = &row.runbook {
        lines.push(format!("→ runbook: {runbook}"));
    }
    lines.push(runs_now(row, failure.runs_now));
    lines.extend(log_tail(&failure.log, most_log_lines));
    lines
}

/// What runs of the service now.
pub fn runs_now(row: &Row, runs: RunsNow) -> String {
    let version = |side: &crate::domain::plan::Side| side.version.clone().unwrap_or_else(|| "an unknown version".to_owned());
    let before = version(row.returned.as_ref().unwrap_or(&row.from));
    match runs {
        RunsNow::Before => format!("runs now: {before} as before"),
        RunsNow::New => format!("runs now: {}, this release", version(&row.to)),
        RunsNow::Mixed => format!("runs now: {before} and perhaps tasks of {}; ECS may still move", version(&row.to)),
        RunsNow::Others => "runs now: what the other deployment brings".to_owned(),
    }
}
