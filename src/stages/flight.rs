//! One deployment in flight: what was seen of it so far, and what to look at next.

use std::collections::BTreeMap;
use std::sync::Once;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::start::Started;
use super::{Clients, log_tail};
use crate::clients::aws::CallError;
use crate::domain::names::EcsServiceName;
use crate::domain::native::{Native, follow};
use crate::domain::plan::PlannedService;
use crate::domain::rollout::{Expected, Observed, RolloutState, ServiceView, TargetGroup, Targets, Task, Verdict, judge};
use crate::domain::task_definition::TaskDefinition;

/// Tasks of a deployment that shows no news are looked at this often, for crashes that ECS forgets.
const TASKS_EVERY: Duration = Duration::from_secs(10);

/// How far the service is for those that need it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gate {
    /// Not healthy yet.
    Closed,
    /// Healthy; the smoke test goes on.
    Smoking,
    /// Healthy and well.
    Open,
}

/// Which tasks are worth a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    None,
    Running,
    EndedToo,
}

/// A deployment in flight.
#[derive(Debug)]
pub(super) struct Flight {
    pub(super) name: EcsServiceName,
    pub(super) expected: Expected,
    pub(super) started: Instant,
    pub(super) gate: Gate,
    pub(super) is_completed: bool,
    /// ECS was asked to take it back.
    pub(super) is_stopped: bool,
    /// Tells the smoke test when no older task can answer any more.
    pub(super) older_may_answer: watch::Sender<bool>,
    pub(super) tasks: Vec<Task>,
    /// The log's last lines, once it ended badly.
    pub(super) log: Vec<String>,
    definition: TaskDefinition,
    container: String,
    last_listed: Instant,
    failed_since: Option<Instant>,
    targets: Targets,
    running_since: BTreeMap<String, Instant>,
    looked_at_ended: Option<Instant>,
    failed_tasks: u32,
    /// Since when no look succeeded.
    pub(super) blind_since: Option<Instant>,
}

impl Flight {
    pub(super) fn new(planned: &PlannedService, started: Started) -> Self {
        Self {
            name: planned.view.name.clone(),
            log: Vec::new(),
            definition: planned.definition.clone(),
            container: planned.container.clone(),
            expected: started.expected,
            started: started.at,
            last_listed: started.at,
            failed_since: None,
            gate: Gate::Closed,
            is_completed: false,
            is_stopped: false,
            older_may_answer: watch::Sender::new(true),
            tasks: Vec::new(),
            targets: Targets::None,
            running_since: BTreeMap::new(),
            looked_at_ended: None,
            failed_tasks: 0,
            blind_since: None,
        }
    }

    /// Takes a new look into account and judges it.
    pub(super) async fn observe(&mut self, clients: &Clients, view: &ServiceView) -> Verdict {
        self.blind_since = None;
        let now = Instant::now();
        if let Some(ours) = view.deployments.iter().find(|deployment| deployment.id == self.expected.deployment) {
            self.last_listed = now;
            self.failed_since = if ours.state == RolloutState::Failed { self.failed_since.or(Some(now)) } else { None };
        }
        let quick = self.judge(view);
        let wanted = self.wanted_tasks(view, &quick);
        if wanted != Wanted::None {
            self.look_at_tasks(clients, view, wanted).await;
        }
        let verdict = if wanted == Wanted::None { quick } else { self.judge(view) };
        let verdict = if view.is_native { self.follow(clients, view, verdict).await } else { verdict };
        if verdict.is_bad_end() {
            self.log = log_tail::of_tasks(clients, &self.definition, &self.container, &self.expected, &self.tasks).await;
        }
        verdict
    }

    /// What ECS deploys in a way of its own is done when its service deployment is.
    async fn follow(&self, clients: &Clients, view: &ServiceView, verdict: Verdict) -> Verdict {
        let native = clients.ecs.native(&self.name, &self.expected.deployment).await;
        let native = match native {
            Ok(native) => native,
            // What passes is asked again; until then the deployment is still under way.
            Err(error) if error.is_passing() => Native::Going,
            Err(error) => {
                tell_once(&TASKS_TOLD, &error);
                Native::Unknown
            }
        };
        follow(verdict, &native, view, self.started.elapsed(), self.expected.timeout)
    }

    fn judge(&self, view: &ServiceView) -> Verdict {
        let now = Instant::now();
        let running_for = self.running_since.iter().map(|(id, since)| (id.clone(), now - *since)).collect();
        let observed = Observed {
            service: view,
            tasks: &self.tasks,
            targets: &self.targets,
            running_for: &running_for,
            absent_for: now - self.last_listed,
            failed_for: self.failed_since.map(|since| now - since).unwrap_or_default(),
            elapsed: self.started.elapsed(),
        };
        judge(&self.expected, &observed)
    }

    /// Running tasks are worth a look when they may all be healthy; ended ones when one more has failed, on a bad end, and
    /// now and then.
    fn wanted_tasks(&self, view: &ServiceView, verdict: &Verdict) -> Wanted {
        let ours = view.deployments.iter().find(|deployment| deployment.id == self.expected.deployment);
        match (verdict, ours) {
            (Verdict::Failed { .. } | Verdict::RolledBack { .. } | Verdict::CrashLoop { .. } | Verdict::TimedOut, _) => Wanted::EndedToo,
            (Verdict::InProgress { .. }, Some(ours)) => {
                let is_due = self.looked_at_ended.unwrap_or(self.started).elapsed() >= TASKS_EVERY;
                if ours.failed_tasks > self.failed_tasks || (is_due && ours.state == RolloutState::InProgress) {
                    Wanted::EndedToo
                } else if self.gate == Gate::Closed && view.desired > 0 && ours.running >= view.desired {
                    Wanted::Running
                } else {
                    Wanted::None
                }
            }
            _ => Wanted::None,
        }
    }

    /// A look that fails is made again with the next poll.
    async fn look_at_tasks(&mut self, clients: &Clients, view: &ServiceView, wanted: Wanted) {
        let ended_too = wanted == Wanted::EndedToo;
        let (tasks, targets) = tokio::join!(clients.ecs.tasks(&self.name, ended_too), targets(clients, &view.target_groups));
        let mut tasks = match tasks {
            Ok(tasks) => tasks,
            Err(error) => return tell_once(&TASKS_TOLD, &error),
        };
        let now = Instant::now();
        if ended_too {
            self.looked_at_ended = Some(now);
            let ours = view.deployments.iter().find(|deployment| deployment.id == self.expected.deployment);
            self.failed_tasks = ours.map_or(self.failed_tasks, |ours| ours.failed_tasks);
        } else {
            // What was seen to end stays ended.
            tasks.retain(|task| !self.tasks.iter().any(|known| known.end.is_some() && known.id == task.id));
            tasks.extend(self.tasks.drain(..).filter(|task| task.end.is_some()));
        }
        self.running_since.retain(|id, _| tasks.iter().any(|task| task.id == *id && task.is_running));
        for task in tasks.iter().filter(|task| task.is_running) {
            self.running_since.entry(task.id.clone()).or_insert(now);
        }
        let is_addressed = |task: &Task| !task.is_running || task.address.is_some();
        self.targets = if tasks.iter().all(is_addressed) { targets } else { targets_without_addresses(targets) };
        self.tasks = tasks;
    }
}

static TASKS_TOLD: Once = Once::new();
static TARGETS_TOLD: Once = Once::new();

/// Once a run: what can't be looked at is made up for by ECS's own COMPLETED, which comes later.
fn tell_once(told: &Once, error: &CallError) {
    if error.is_passing() {
        return tracing::debug!(%error, "a look failed and is made again");
    }
    told.call_once(|| tracing::warn!(%error, "services count as healthy only once ECS calls their deployment COMPLETED"));
}

/// Targets of another kind than addresses can't be matched to tasks: then only ECS's COMPLETED counts.
fn targets_without_addresses(targets: Targets) -> Targets {
    if targets == Targets::None { Targets::None } else { Targets::Unknown }
}

async fn targets(clients: &Clients, groups: &[TargetGroup]) -> Targets {
    if groups.is_empty() {
        return Targets::None;
    }
    let mut healthy = Vec::with_capacity(groups.len());
    for group in groups {
        match clients.elb.healthy(group).await {
            Ok(addresses) => healthy.push(addresses),
            Err(error) => {
                tell_once(&TARGETS_TOLD, &error);
                return Targets::Unknown;
            }
        }
    }
    Targets::Healthy(healthy)
}
