//! What ECS shows of a deployment, and the verdict on it (CONTRACT 5.4, 5.5).
//!
//! `judge` is pure: whoever watches fetches and sleeps, and nothing else. The verdict hangs on *our* deployment's id, never
//! on counts alone: "one deployment, desired count running" is as true before the update and after a rollback.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::names::{DefinitionArn, DeploymentId, EcsServiceName};
pub use super::task::{ContainerEnd, Task, TaskEnd};

/// A task without any health check counts as healthy after this long in RUNNING: ECS's own rule
/// (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeploymentConfiguration.html>).
pub const UNCHECKED_HEALTHY_AFTER: Duration = Duration::from_secs(40);

/// `DescribeServices` may answer with an older state for a while, more than once: what only an absence tells counts after
/// this long, and FAILED is final after this long where ECS is set to go back by itself.
pub const STALE_FOR: Duration = Duration::from_secs(30);

/// `rolloutState` of a deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RolloutState {
    /// Every task of it runs and the old ones are gone.
    Completed,
    /// Neither.
    InProgress,
    /// The circuit breaker or an alarm ended it.
    Failed,
}

/// One entry of `deployments[]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployment {
    /// Its id.
    pub id: DeploymentId,
    /// `PRIMARY`, `ACTIVE`, …: text, because ECS may add words.
    pub is_primary: bool,
    /// What it runs.
    pub definition: DefinitionArn,
    /// Tasks that run.
    pub running: u32,
    /// Tasks that ECS counted as failed.
    pub failed_tasks: u32,
    /// How it stands.
    pub state: RolloutState,
    /// Why, in ECS's words.
    pub reason: String,
    /// When it was made, in seconds since 1970.
    pub created: Option<i64>,
}

/// One service event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Unique; the cursor.
    pub id: String,
    /// What happened, in ECS's words.
    pub message: String,
}

/// A target group that the service's tasks are registered in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TargetGroup(pub String);

/// The circuit breaker's settings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Breaker {
    /// ECS ends a deployment whose tasks keep failing.
    pub enabled: bool,
    /// And goes back to the last completed one.
    pub rollback: bool,
}

/// One service as `DescribeServices` shows it.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ServiceView {
    /// Its name in ECS.
    pub name: EcsServiceName,
    /// `ACTIVE`, `DRAINING` or `INACTIVE`.
    pub status: String,
    /// `ECS`, `CODE_DEPLOY` or `EXTERNAL`.
    pub controller: String,
    /// Tasks that the service wants now; auto scaling may move it.
    pub desired: u32,
    /// All deployments.
    pub deployments: Vec<Deployment>,
    /// Newest first, at most 100.
    pub events: Vec<Event>,
    /// The circuit breaker.
    pub breaker: Breaker,
    /// Where its tasks are registered.
    pub target_groups: Vec<TargetGroup>,
    /// It is deployed blue/green, linear or canary, by ECS itself.
    pub is_native: bool,
}

impl ServiceView {
    /// The deployment that ECS works towards.
    pub fn primary(&self) -> Option<&Deployment> {
        self.deployments.iter().find(|deployment| deployment.is_primary)
    }

    fn deployment(&self, id: &DeploymentId) -> Option<&Deployment> {
        self.deployments.iter().find(|deployment| deployment.id == *id)
    }

    /// *Runs* (CONTRACT 5.2): PRIMARY is COMPLETED with the desired count running.
    pub fn is_steady(&self) -> bool {
        self.primary().is_some_and(|primary| self.has_arrived(primary))
    }

    /// It is COMPLETED, and as many of its tasks run as are wanted.
    pub fn has_arrived(&self, deployment: &Deployment) -> bool {
        deployment.state == RolloutState::Completed && deployment.running >= self.desired
    }

    /// ECS is still moving: no verdict on it has been reached.
    pub fn is_in_flight(&self) -> bool {
        self.primary().is_some_and(|primary| primary.state == RolloutState::InProgress)
    }
}

/// What the load balancer says of a service's targets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Targets {
    /// The service is in no target group.
    #[default]
    None,
    /// For each target group the addresses that are healthy.
    Healthy(Vec<BTreeSet<String>>),
    /// They can't be read or not be matched to tasks: only ECS's COMPLETED counts.
    Unknown,
}

/// What the release expects of one service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// Our deployment.
    pub deployment: DeploymentId,
    /// What it alone runs; none where another deployment runs the same.
    pub definition: Option<DefinitionArn>,
    /// The deployments that were listed just before it, with what they run.
    pub before: Vec<(DeploymentId, DefinitionArn)>,
    /// Events that were there before.
    pub known_events: BTreeSet<String>,
    /// The definition has a container health check.
    pub has_health_check: bool,
    /// How long it may take.
    pub timeout: Duration,
}

/// What is known of the service at one moment.
#[derive(Clone, Debug)]
pub struct Observed<'a> {
    /// The newest `DescribeServices`.
    pub service: &'a ServiceView,
    /// The newest `DescribeTasks`, of running and stopped ones.
    pub tasks: &'a [Task],
    /// The newest target health.
    pub targets: &'a Targets,
    /// For how long each task has been seen running.
    pub running_for: &'a BTreeMap<String, Duration>,
    /// Since our deployment was last listed; since our update where it never was.
    pub absent_for: Duration,
    /// Since our deployment was first seen FAILED.
    pub failed_for: Duration,
    /// Since our update.
    pub elapsed: Duration,
}

/// How a deployment stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing to say yet; so many of its tasks run.
    InProgress {
        /// Tasks of our deployment that run.
        running: u32,
    },
    /// What needs it may go on; old tasks may still drain.
    Healthy,
    /// Arrived: PRIMARY, COMPLETED, desired count running.
    Completed,
    /// ECS gave up on it and stays where it is.
    Failed {
        /// In ECS's words.
        reason: String,
    },
    /// Its tasks keep ending and ECS would go on for ever.
    CrashLoop {
        /// How many ended.
        ended: u32,
    },
    /// ECS is on its way back.
    RollingBack {
        /// In ECS's words.
        reason: String,
    },
    /// ECS went back, and what ran before runs again.
    RolledBack {
        /// In ECS's words.
        reason: String,
    },
    /// Another deployment took its place.
    Superseded {
        /// Which.
        by: DeploymentId,
    },
    /// The service was deleted under us.
    Gone {
        /// Its status.
        status: String,
    },
    /// The time is over.
    TimedOut,
}

impl Verdict {
    /// The deployment has failed on its own account, so that its tasks and their log tell why.
    pub fn is_bad_end(&self) -> bool {
        matches!(self, Self::Failed { .. } | Self::CrashLoop { .. } | Self::RolledBack { .. } | Self::TimedOut)
    }
}

/// The verdict on our deployment.
pub fn judge(expected: &Expected, observed: &Observed<'_>) -> Verdict {
    let service = observed.service;
    if service.status != "ACTIVE" {
        return Verdict::Gone { status: service.status.clone() };
    }
    let verdict = match (service.deployment(&expected.deployment), service.primary()) {
        (Some(ours), Some(primary)) if primary.id == ours.id => judge_primary(expected, observed, ours),
        (ours, Some(primary)) => judge_replaced(expected, observed, ours, primary),
        (_, None) => Verdict::InProgress { running: 0 },
    };
    let waits = matches!(verdict, Verdict::InProgress { .. } | Verdict::Healthy | Verdict::RollingBack { .. });
    if waits && observed.elapsed >= expected.timeout { Verdict::TimedOut } else { verdict }
}

fn judge_primary(expected: &Expected, observed: &Observed<'_>, ours: &Deployment) -> Verdict {
    let service = observed.service;
    if ours.state == RolloutState::Failed {
        let reason = ours.reason.clone();
        let goes_back = service.breaker.rollback && observed.failed_for < STALE_FOR;
        return if goes_back { Verdict::RollingBack { reason } } else { Verdict::Failed { reason } };
    }
    if service.has_arrived(ours) {
        return Verdict::Completed;
    }
    // Without tasks there is nothing to be healthy: then ECS's COMPLETED decides.
    if service.desired > 0 && healthy_tasks(expected, observed) >= service.desired {
        return Verdict::Healthy;
    }
    let ended = ended_tasks(expected, observed, ours);
    if ended >= crash_limit(service) {
        return Verdict::CrashLoop { ended };
    }
    Verdict::InProgress { running: ours.running }
}

/// Our deployment is not PRIMARY: it went back, was replaced, or the answer is older than our update.
fn judge_replaced(expected: &Expected, observed: &Observed<'_>, ours: Option<&Deployment>, primary: &Deployment) -> Verdict {
    let known = expected.before.iter().any(|(id, _)| *id == primary.id);
    let failed = ours.is_some_and(|ours| ours.state == RolloutState::Failed);
    let told = rollback_told(expected, observed, primary);
    if known && ours.is_none() && told.is_none() && observed.absent_for < STALE_FOR {
        return Verdict::InProgress { running: 0 };
    }
    let same_definition = expected.before.iter().any(|(_, definition)| *definition == primary.definition);
    let went_back = known || (same_definition && (failed || told.is_some()));
    if !went_back {
        return Verdict::Superseded { by: primary.id.clone() };
    }
    let reason = told
        .or_else(|| ours.filter(|_| failed).map(|ours| ours.reason.clone()))
        .unwrap_or_else(|| "ECS returned to the deployment before it".to_owned());
    // Of the way back itself there is no further way back.
    if primary.state == RolloutState::Failed {
        return Verdict::Failed { reason: format!("{reason}; and {}, which it went back to, failed as well", primary.id) };
    }
    if observed.service.has_arrived(primary) { Verdict::RolledBack { reason } } else { Verdict::RollingBack { reason } }
}

/// What ECS said about going back: the event about our deployment first, because it names the cause.
fn rollback_told(expected: &Expected, observed: &Observed<'_>, primary: &Deployment) -> Option<String> {
    told(observed.service, &expected.deployment, primary, |event| !expected.known_events.contains(&event.id))
}

fn told(service: &ServiceView, ours: &DeploymentId, primary: &Deployment, is_new: impl Fn(&Event) -> bool) -> Option<String> {
    let ours = format!("deployment {ours}");
    let mut messages = service.events.iter().filter(|event| is_new(event)).map(|event| &event.message);
    let failed = messages.find(|message| message.contains(&ours) && message.contains("deployment failed")).cloned();
    failed.or_else(|| told_back(service, primary, is_new))
}

fn told_back(service: &ServiceView, primary: &Deployment, is_new: impl Fn(&Event) -> bool) -> Option<String> {
    let back = format!("rolling back to deployment {}", primary.id);
    let mut messages = service.events.iter().filter(|event| is_new(event)).map(|event| &event.message);
    let reason = || Some(&primary.reason).filter(|reason| reason.contains("rolling back"));
    messages.find(|message| message.contains(&back)).or_else(reason).cloned()
}

/// What ECS has said since about its going back to the PRIMARY, whatever it went back from.
pub fn went_back(now: &ServiceView, before: &ServiceView) -> Option<String> {
    told_back(now, now.primary()?, |event| !before.events.iter().any(|known| known.id == event.id))
}

/// The answer may be older than our deployment: what was PRIMARY before still is, ours is not listed, and ECS has not said that it
/// went back. Nothing may be concluded from it before `STALE_FOR` is over.
pub fn is_behind(view: &ServiceView, before: &ServiceView, ours: &DeploymentId) -> bool {
    let (Some(primary), Some(former)) = (view.primary(), before.primary()) else { return false };
    let is_new = |event: &Event| !before.events.iter().any(|known| known.id == event.id);
    primary.id == former.id && primary.id != *ours && view.deployment(ours).is_none() && told(view, ours, primary, is_new).is_none()
}

/// The events since our update, newest first.
pub fn new_events<'a>(expected: &'a Expected, service: &'a ServiceView) -> impl Iterator<Item = &'a Event> {
    service.events.iter().filter(|event| !expected.known_events.contains(&event.id))
}

/// The tasks of our deployment. Where a task's starter is no deployment, its definition tells whose it is.
pub fn our_tasks<'a>(expected: &'a Expected, tasks: &'a [Task]) -> impl Iterator<Item = &'a Task> {
    tasks.iter().filter(|task| match &task.started_by {
        Some(by) if by.as_str().starts_with("ecs-svc/") => *by == expected.deployment,
        _ => expected.definition.as_ref() == Some(&task.definition),
    })
}

fn healthy_tasks(expected: &Expected, observed: &Observed<'_>) -> u32 {
    let is_healthy = |task: &&Task| {
        let checked = expected.has_health_check;
        let container = !checked || task.is_healthy;
        let target = match observed.targets {
            Targets::None if checked => true,
            Targets::None => observed.running_for.get(&task.id).is_some_and(|time| *time >= UNCHECKED_HEALTHY_AFTER),
            Targets::Healthy(groups) => task.address.as_ref().is_some_and(|address| groups.iter().all(|group| group.contains(address))),
            Targets::Unknown => false,
        };
        task.is_running && container && target
    };
    our_tasks(expected, observed.tasks).filter(is_healthy).map(|_| 1).sum()
}

fn ended_tasks(expected: &Expected, observed: &Observed<'_>, ours: &Deployment) -> u32 {
    let seen = our_tasks(expected, observed.tasks).filter(|task| task.has_failed()).map(|_| 1).sum();
    ours.failed_tasks.max(seen)
}

/// After so many ended tasks we give up: ECS's own threshold where its breaker is off, well past it where it is on and
/// keeps being reset by tasks that are healthy for a moment.
fn crash_limit(service: &ServiceView) -> u32 {
    let threshold = service.desired.div_ceil(2).clamp(3, 200);
    if service.breaker.enabled { threshold * 2 + 2 } else { threshold }
}

#[cfg(test)]
#[path = "rollout_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "rollout_model_tests.rs"]
mod model_tests;
