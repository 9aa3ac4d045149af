//! One service of a release: what is planned for it, and where it stands.

use std::time::Duration;

use super::names::{DeploymentId, ServiceName};
use super::older::is_commit;
use super::outcome::End;
use super::plan::{Action, PlannedService, Side, Start};

/// Where a service stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Not begun: waits for what it needs.
    Waiting,
    /// Its definition is registered and the update sent.
    Starting,
    /// ECS rolls it out.
    Rolling {
        /// Tasks of our deployment that run.
        running: u32,
        /// Tasks that the service wants.
        desired: u32,
    },
    /// Healthy; its smoke test goes on.
    Smoke,
    /// Healthy and well; old tasks drain.
    Draining,
    /// On its way back, by ECS's decision or ours.
    RollingBack,
    /// Ended.
    Done(End),
}

impl State {
    /// What needs this service may start.
    pub(super) fn opens_the_way(&self) -> bool {
        matches!(self, Self::Draining | Self::Done(End::Deployed | End::Unchanged | End::Skipped))
    }

    /// What needs this service never starts.
    pub(super) fn bars_the_way(&self) -> bool {
        matches!(
            self,
            Self::RollingBack | Self::Done(End::Failed(_) | End::TakenBack | End::Blocked { .. } | End::NotBegun | End::LeftInFlight)
        )
    }

    /// Begun and not ended.
    pub fn is_in_flight(&self) -> bool {
        matches!(self, Self::Starting | Self::Rolling { .. } | Self::Smoke | Self::Draining | Self::RollingBack)
    }
}

/// A service's row. Times count from the start of the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Which.
    pub name: ServiceName,
    /// What was planned.
    pub action: Action,
    /// Why.
    pub reason: String,
    /// What ran.
    pub from: Side,
    /// What is to run.
    pub to: Side,
    /// Where it stands.
    pub state: State,
    /// When its update began.
    pub started: Option<Duration>,
    /// When it let others start.
    pub opened: Option<Duration>,
    /// When it ended.
    pub ended: Option<Duration>,
    /// Its way back, once that has begun.
    pub back: Option<WayBack>,
    /// Where it goes back to, where that is not what ran when the run began: an earlier run of the release had changed it.
    pub returned: Option<Side>,
    /// Linked from failures.
    pub runbook: Option<String>,
    /// What is new, in words.
    pub what: Option<String>,
    /// A page that shows what is new.
    pub compare: Option<String>,
    /// Its image's build in this run.
    pub build: Build,
    /// An earlier run of this release, which has only arrived in part, has deployed it: left alone is not as before.
    pub is_half: bool,
    /// It is in flight already, and only watched: it waits for nobody.
    pub is_joined: bool,
    /// It doesn't go back automatically: a migration can't be undone.
    pub stays: bool,
    /// Our deployment of it.
    pub deployment: Option<DeploymentId>,
}

impl Row {
    /// A service that waits.
    pub fn new(name: ServiceName, action: Action, from: Side, to: Side) -> Self {
        Self {
            name,
            action,
            reason: String::new(),
            from,
            to,
            state: State::Waiting,
            started: None,
            opened: None,
            ended: None,
            back: None,
            returned: None,
            runbook: None,
            what: None,
            compare: None,
            build: Build::default(),
            is_half: false,
            is_joined: false,
            stays: false,
            deployment: None,
        }
    }
}

/// A service's way back. Times count from the start of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WayBack {
    /// When it began.
    pub began: Duration,
    /// When the service had arrived before that, if it had.
    pub arrived: Option<Duration>,
}

/// The build of a service's image. Times count from the start of the run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Build {
    /// When it began.
    pub started: Option<Duration>,
    /// When it had ended well.
    pub ended: Option<Duration>,
}

/// Pages about a service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Links {
    /// What to do when it fails.
    pub runbook: Option<String>,
    /// Its repository.
    pub repository: String,
}

pub(super) fn row(service: &PlannedService, links: Option<&Links>) -> Row {
    let state = match (service.action, &service.start) {
        (Action::Skip, _) => State::Done(End::Skipped),
        (_, Start::Nothing) if service.is_unproven => State::Smoke,
        (_, Start::Nothing) => State::Done(End::Unchanged),
        _ => State::Waiting,
    };
    Row {
        reason: service.reason.clone(),
        state,
        runbook: links.and_then(|links| links.runbook.clone()),
        what: service.chosen.as_ref().and_then(|chosen| chosen.words.clone()),
        compare: links.and_then(|links| compare(service, &links.repository)),
        is_joined: matches!(service.start, Start::Join(_)),
        stays: service.stays,
        ..Row::new(service.name.clone(), service.action, service.from.clone(), service.to.clone())
    }
}

/// The page that shows what lies between two commits.
fn compare(service: &PlannedService, repository: &str) -> Option<String> {
    let (from, to) = (service.from.revision.as_ref()?, service.to.revision.as_ref()?);
    let is_new = from != to && is_commit(from) && is_commit(to) && repository.starts_with("http");
    is_new.then(|| format!("{repository}/compare/{from}...{to}"))
}
