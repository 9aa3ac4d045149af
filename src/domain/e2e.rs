//! The end-to-end suite: what is handed over, how its run is judged, and what it came to. The words are GitHub's
//! (<https://docs.github.com/en/rest/actions/workflow-runs>).

use std::time::Duration;

use serde::Serialize;

/// A suite that stands between a deployment and its green tick.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suite {
    /// Its name, as the test framework knows it.
    pub name: String,
    /// Where it runs.
    pub how: How,
    /// How long it may take, with everything that it waits for.
    pub timeout: Duration,
    /// Whether its failure takes the release back.
    pub rolls_back: bool,
}

/// Where a suite runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum How {
    /// As a workflow of another repository.
    Workflow {
        /// `owner/name`.
        repository: String,
        /// The workflow's file name.
        file: String,
        /// The branch or tag whose workflow it is.
        reference: String,
    },
    /// As a program on this machine.
    Command {
        /// The program and its arguments, with the placeholders still in them.
        words: Vec<String>,
        /// The test framework's repository, by whose name its checkout is found.
        repository: String,
    },
}

impl Suite {
    /// Where it runs, in words.
    pub fn place(&self) -> String {
        match &self.how {
            How::Workflow { repository, file, reference } => format!("{repository}/{file}@{reference}"),
            How::Command { words, .. } => format!("`{}`", words.join(" ")),
        }
    }
}

/// A workflow run, as GitHub shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunView {
    /// `queued`, `in_progress`, `waiting`, `completed`, …
    pub status: String,
    /// Once it is completed: `success`, `failure`, `cancelled`, …
    pub conclusion: Option<String>,
    /// Its page.
    pub url: String,
}

/// Where a suite stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Asked for, and not yet seen.
    Requested,
    /// No runner has taken it.
    Queued,
    /// A person has to approve it.
    AwaitsApproval,
    /// It runs.
    Running,
}

impl Phase {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Requested => "handed over",
            Self::Queued => "waits for a runner",
            Self::AwaitsApproval => "waits for approval",
            Self::Running => "running",
        }
    }
}

/// What a look at a run means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judged {
    /// It goes on.
    Goes(Phase),
    /// It has passed.
    Passed,
    /// It has ended in any other way: GitHub's word for it.
    Ended(String),
}

/// Only `completed` with `success` passes; a status that is not known yet is one that goes on.
pub fn judge(run: &RunView) -> Judged {
    match (run.status.as_str(), run.conclusion.as_deref()) {
        ("completed", Some("success")) => Judged::Passed,
        ("completed", conclusion) => Judged::Ended(conclusion.unwrap_or("no conclusion").to_owned()),
        ("waiting", _) => Judged::Goes(Phase::AwaitsApproval),
        ("queued" | "requested" | "pending", _) => Judged::Goes(Phase::Queued),
        _ => Judged::Goes(Phase::Running),
    }
}

/// A job, or a test, that did not end well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FailedJob {
    /// Its name.
    pub name: String,
    /// How it ended.
    pub conclusion: String,
    /// Its failed steps, or what the test said.
    pub steps: Vec<String>,
    /// Its page.
    pub url: Option<String>,
}

/// Why a suite has not passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It ran, and something in it failed.
    Failed,
    /// The time was over.
    TimedOut,
    /// It could not be begun, or was lost sight of.
    NotRun,
}

/// A suite that has not passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What.
    pub kind: Kind,
    /// Why: one sentence.
    pub reason: String,
    /// The jobs or tests that failed.
    pub jobs: Vec<FailedJob>,
    /// The log's last lines, oldest first.
    pub log: Vec<String>,
    /// What to do about it.
    pub hint: String,
}

/// What became of a suite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Its turn comes when every service is deployed.
    Due,
    /// It goes on.
    Goes(Phase),
    /// It has passed; how many tests, where that is known.
    Passed(Option<u64>),
    /// It has not.
    Failed(Failure),
    /// Left out, and why.
    Skipped(&'static str),
    /// The run was interrupted; the suite was told to stop.
    Cancelled,
}

/// A suite on the board. Times count from the start of the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Its name.
    pub suite: String,
    /// Where it stands.
    pub state: State,
    /// Its run's page.
    pub url: Option<String>,
    /// When it was handed over.
    pub started: Option<Duration>,
    /// When it ended.
    pub ended: Option<Duration>,
}

impl Standing {
    /// A suite whose turn is still to come.
    pub fn due(suite: &Suite) -> Self {
        Self { suite: suite.name.clone(), state: State::Due, url: None, started: None, ended: None }
    }

    /// The output `e2e-result`; empty where it has not come to a result.
    pub fn result(&self) -> &'static str {
        match &self.state {
            State::Due | State::Goes(_) => "",
            State::Passed(_) => "success",
            State::Failed(Failure { kind: Kind::TimedOut, .. }) => "timed-out",
            State::Failed(_) => "failed",
            State::Skipped(_) => "skipped",
            State::Cancelled => "cancelled",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(status: &str, conclusion: Option<&str>) -> RunView {
        RunView { status: status.to_owned(), conclusion: conclusion.map(str::to_owned), url: String::new() }
    }

    #[test]
    fn only_completed_with_success_passes() {
        assert_eq!(judge(&run("completed", Some("success"))), Judged::Passed);
        for other in ["failure", "cancelled", "timed_out", "action_required", "neutral", "skipped", "stale", "startup_failure"] {
            assert_eq!(judge(&run("completed", Some(other))), Judged::Ended(other.to_owned()), "{other}");
        }
        assert_eq!(judge(&run("completed", None)), Judged::Ended("no conclusion".to_owned()));
        assert_eq!(judge(&run("in_progress", Some("success"))), Judged::Goes(Phase::Running), "not before it is completed");
        assert_eq!(judge(&run("waiting", None)), Judged::Goes(Phase::AwaitsApproval));
        assert_eq!(judge(&run("queued", None)), Judged::Goes(Phase::Queued));
    }
}
