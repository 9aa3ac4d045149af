//! How a run ended: for each service, and as a whole (CONTRACT 6, 7).

use serde::Serialize;

use super::names::{DeploymentId, ServiceName};

/// Documented exit codes (CONTRACT 7).
pub mod exit {
    /// Done, or nothing to do.
    pub const SUCCESS: u8 = 0;
    /// A deployment failed.
    pub const DEPLOYMENT: u8 = 1;
    /// Configuration or usage.
    pub const USAGE: u8 = 2;
    /// Credentials, permissions, missing resources.
    pub const REFUSED: u8 = 3;
    /// Another deployment took its place.
    pub const SUPERSEDED: u8 = 4;
    /// A smoke test failed.
    pub const SMOKE: u8 = 5;
    /// The end-to-end suite failed.
    pub const E2E: u8 = 6;
    /// An image is missing, or its build failed.
    pub const IMAGE: u8 = 7;
    /// A migration failed.
    pub const MIGRATION: u8 = 8;
    /// SIGINT or SIGTERM.
    pub const CANCELLED: u8 = 130;

    /// Every code and what it means, for help and reference.
    pub const CODES: &[(u8, &str)] = &[
        (SUCCESS, "done, or nothing to do; plan, dry run"),
        (DEPLOYMENT, "a deployment failed; the report says what runs now"),
        (USAGE, "configuration or usage; nothing was contacted"),
        (REFUSED, "refused: credentials, permissions, missing resources, older release; nothing has changed"),
        (SUPERSEDED, "another deployment took a service's place"),
        (SMOKE, "a smoke test failed"),
        (E2E, "the end-to-end suite failed, ran out of time, or could not be begun"),
        (IMAGE, "a build or its test failed, or `deploy` misses an image; nothing was deployed"),
        (MIGRATION, "a migration failed; no service was updated"),
        (CANCELLED, "cancelled; nothing is rolled back, and the next run goes on from here"),
    ];
}

/// The run's result, as the output says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunResult {
    /// Everything runs.
    Success,
    /// Nothing was to do.
    Unchanged,
    /// A deployment failed, and something of this release runs or may run.
    Failed,
    /// A deployment failed, and everything runs as before.
    RolledBack,
    /// Nothing was begun.
    Refused,
    /// Another deployment took a service's place.
    Superseded,
    /// Interrupted.
    Cancelled,
}

impl RunResult {
    /// The output's text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Unchanged => "unchanged",
            Self::Failed => "failed",
            Self::RolledBack => "rolled-back",
            Self::Refused => "refused",
            Self::Superseded => "superseded",
            Self::Cancelled => "cancelled",
        }
    }
}

/// What went wrong with a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// ECS went back to what ran before.
    RolledBack,
    /// ECS gave up and stayed where it was.
    Failed,
    /// Its tasks keep ending.
    CrashLoop,
    /// Another deployment took its place.
    Superseded {
        /// Which, where it is known.
        by: Option<DeploymentId>,
    },
    /// The time was over.
    TimedOut,
    /// It runs, but doesn't answer as it should.
    Smoke,
    /// Every service runs and is well, but the end-to-end suite does not pass.
    E2e,
    /// ECS refused the update itself, or the service is gone.
    Update,
    /// The role may not update it.
    Denied,
    /// It could not be taken back.
    NotTakenBack,
    /// It could no longer be observed: credentials or permissions ended under way.
    Unwatched,
}

impl FailureKind {
    /// The code of a run whose first cause this is.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Superseded { .. } => exit::SUPERSEDED,
            Self::Smoke => exit::SMOKE,
            Self::E2e => exit::E2E,
            Self::Denied => exit::REFUSED,
            Self::RolledBack | Self::Failed | Self::CrashLoop | Self::TimedOut | Self::Update | Self::NotTakenBack | Self::Unwatched => {
                exit::DEPLOYMENT
            }
        }
    }
}

/// What runs of a service after its failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunsNow {
    /// What ran before.
    Before,
    /// This release.
    New,
    /// Both, or neither: ECS still moves or stopped half-way.
    Mixed,
    /// What someone else deployed.
    Others,
}

/// A failed service, with everything that a person needs at three in the morning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What.
    pub kind: FailureKind,
    /// Why: one sentence.
    pub reason: String,
    /// Why, in detail: events, ended tasks.
    pub details: Vec<String>,
    /// The log's last lines, oldest first.
    pub log: Vec<String>,
    /// What to do about it.
    pub hint: String,
    /// What runs.
    pub runs_now: RunsNow,
}

impl Failure {
    /// This failure, with an earlier one of the same service told in its details.
    pub fn after(&self, earlier: Option<Failure>) -> Self {
        let mut whole = self.clone();
        if let Some(earlier) = earlier {
            whole.details.push(format!("it had failed before: {}", earlier.reason));
            whole.details.extend(earlier.details);
            whole.log = earlier.log;
        }
        whole
    }
}

/// The end of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// This run's change runs.
    Deployed,
    /// Left alone.
    Unchanged,
    /// Left out by `skip`.
    Skipped,
    /// Was deployed, or on its way, and taken back because another one failed.
    TakenBack,
    /// Failed.
    Failed(Failure),
    /// Never begun, because of another one.
    Blocked {
        /// Which.
        by: ServiceName,
    },
    /// Never begun: the run was interrupted.
    NotBegun,
    /// Begun, then the run was interrupted: ECS goes on.
    LeftInFlight,
}

/// What a run came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// In one word.
    pub result: RunResult,
    /// For the shell.
    pub exit_code: u8,
}

impl Verdict {
    /// The same of a run that had changed something before its services: it is no longer one that was only refused.
    #[must_use]
    pub fn after_a_change(self) -> Self {
        match self.result {
            RunResult::Refused => Self { result: RunResult::Failed, exit_code: exit::DEPLOYMENT },
            _ => self,
        }
    }
}

/// The run's verdict: the first failure decides the code.
pub fn verdict<'a>(ends: impl IntoIterator<Item = &'a End>, first_failure: Option<&FailureKind>, cancelled: bool) -> Verdict {
    let ends: Vec<&End> = ends.into_iter().collect();
    let deployed = ends.iter().any(|end| matches!(end, End::Deployed));
    if let Some(kind) = first_failure {
        let is_as_before = !deployed && ends.iter().all(|end| is_as_before(end));
        let restored = ends.iter().any(|end| was_restored(end));
        let (result, exit_code) = match kind {
            FailureKind::Superseded { .. } => (RunResult::Superseded, exit::SUPERSEDED),
            FailureKind::Denied if is_as_before && !restored => (RunResult::Refused, exit::REFUSED),
            FailureKind::Denied if is_as_before => (RunResult::RolledBack, exit::DEPLOYMENT),
            FailureKind::Denied => (RunResult::Failed, exit::DEPLOYMENT),
            _ if is_as_before && restored => (RunResult::RolledBack, kind.exit_code()),
            _ => (RunResult::Failed, kind.exit_code()),
        };
        return Verdict { result, exit_code };
    }
    if cancelled {
        return Verdict { result: RunResult::Cancelled, exit_code: exit::CANCELLED };
    }
    let result = if deployed { RunResult::Success } else { RunResult::Unchanged };
    Verdict { result, exit_code: exit::SUCCESS }
}

/// Something of the release ran, and what ran before runs again.
fn was_restored(end: &End) -> bool {
    match end {
        End::TakenBack => true,
        End::Failed(failure) => failure.runs_now == RunsNow::Before && !matches!(failure.kind, FailureKind::Denied | FailureKind::Update),
        _ => false,
    }
}

fn is_as_before(end: &End) -> bool {
    match end {
        End::Deployed | End::LeftInFlight => false,
        End::Unchanged | End::Skipped | End::TakenBack | End::Blocked { .. } | End::NotBegun => true,
        End::Failed(failure) => failure.runs_now == RunsNow::Before,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(kind: FailureKind, runs_now: RunsNow) -> End {
        End::Failed(Failure { kind, reason: String::new(), details: vec![], log: vec![], hint: String::new(), runs_now })
    }

    fn of(ends: &[End], cancelled: bool) -> (RunResult, u8) {
        let first = ends.iter().find_map(|end| if let End::Failed(failure) = end { Some(&failure.kind) } else { None });
        let verdict = verdict(ends, first, cancelled);
        (verdict.result, verdict.exit_code)
    }

    #[test]
    fn every_ending_has_its_word_and_its_code() {
        let back = || failed(FailureKind::RolledBack, RunsNow::Before);
        let blocked = End::Blocked { by: "a".into() };
        assert_eq!(of(&[End::Deployed, End::Unchanged], false), (RunResult::Success, 0));
        assert_eq!(of(&[End::Unchanged, End::Skipped], false), (RunResult::Unchanged, 0));
        assert_eq!(of(&[back(), blocked], false), (RunResult::RolledBack, 1));
        assert_eq!(of(&[End::Deployed, back()], false), (RunResult::Failed, 1), "half of it runs");
        assert_eq!(of(&[failed(FailureKind::TimedOut, RunsNow::Mixed)], false), (RunResult::Failed, 1));
        assert_eq!(of(&[failed(FailureKind::Superseded { by: None }, RunsNow::Others)], false), (RunResult::Superseded, 4));
        assert_eq!(of(&[failed(FailureKind::Smoke, RunsNow::New)], false), (RunResult::Failed, 5));
        let suite = |ends: &[End]| {
            let verdict = verdict(ends, Some(&FailureKind::E2e), false);
            (verdict.result, verdict.exit_code)
        };
        assert_eq!(suite(&[End::Deployed, End::Unchanged]), (RunResult::Failed, 6));
        assert_eq!(suite(&[End::TakenBack, End::Unchanged]), (RunResult::RolledBack, 6));
        assert_eq!(suite(&[End::Unchanged]), (RunResult::Failed, 6), "nothing was restored");
        let denied = || failed(FailureKind::Denied, RunsNow::Before);
        assert_eq!(of(&[denied(), End::NotBegun], false), (RunResult::Refused, 3), "nothing was begun");
        let refused = Verdict { result: RunResult::Refused, exit_code: 3 };
        assert_eq!(refused.after_a_change(), Verdict { result: RunResult::Failed, exit_code: 1 }, "an image was built");
        assert_eq!(of(&[denied(), End::TakenBack], false), (RunResult::RolledBack, 1));
        assert_eq!(of(&[failed(FailureKind::Update, RunsNow::Before)], false), (RunResult::Failed, 1), "nothing was restored");
        assert_eq!(of(&[End::LeftInFlight, End::NotBegun], true), (RunResult::Cancelled, 130));
        assert_eq!(of(&[back(), End::NotBegun], true), (RunResult::RolledBack, 1), "the first cause decides");
    }
}
