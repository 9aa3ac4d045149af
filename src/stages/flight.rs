//! One deployment in flight: what was seen of it so far, and what to look at next.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Once;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::start::Started;
use super::{Clients, log_tail};
use crate::clients::call::CallError;
use crate::domain::names::EcsServiceName;
use crate::domain::native::{Native, follow};
use crate::domain::plan::PlannedService;
use crate::domain::rollout::{
    Deployment, Expected, Observed, RolloutState, ServiceView, TargetGroup, Targets, Task, UNCHECKED_HEALTHY_AFTER, Verdict, judge,
    our_tasks,
};
use crate::domain::task_definition::TaskDefinition;

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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    /// Those of ours that were seen running, as they are now.
    pub(super) known: bool,
    /// A list of those that run.
    pub(super) running: bool,
    /// A list of those that ended.
    pub(super) ended: bool,
}

/// What a list told.
#[derive(Debug)]
pub(super) struct Listed {
    /// To be described.
    pub(super) ids: BTreeSet<String>,
    /// Those that ended are among them.
    pub(super) has_ended: bool,
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
    /// Tasks that are not ours, or have ended and are known: never to be described again.
    old_news: BTreeSet<String>,
    looked_at_ended: Option<Instant>,
    failed_tasks: u32,
    /// The last look.
    view: Option<ServiceView>,
    /// Since when as many tasks of ours run as the service wants.
    all_run_since: Option<Instant>,
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
            old_news: BTreeSet::new(),
            looked_at_ended: None,
            failed_tasks: 0,
            view: None,
            all_run_since: None,
            blind_since: None,
        }
    }

    /// Takes a new look into account; the tasks that are worth one, too.
    pub(super) fn see(&mut self, view: &ServiceView, ended_every: Duration) -> Wanted {
        self.blind_since = None;
        let now = Instant::now();
        if let Some(ours) = self.ours(view) {
            let (has_failed, all_run) = (ours.state == RolloutState::Failed, view.desired > 0 && ours.running >= view.desired);
            self.last_listed = now;
            self.failed_since = if has_failed { self.failed_since.or(Some(now)) } else { None };
            self.all_run_since = if all_run { self.all_run_since.or(Some(now)) } else { None };
        }
        self.view = Some(without_events(view));
        self.wanted_tasks(view, ended_every)
    }

    /// Judges the last look, with everything that is known of the tasks.
    pub(super) async fn verdict(&mut self, clients: &Clients, view: &ServiceView) -> Verdict {
        let verdict = self.judge(view);
        let verdict = if view.is_native { self.follow(clients, view, verdict).await } else { verdict };
        if verdict.is_bad_end() {
            self.log = log_tail::of_tasks(clients, &self.definition, &self.container, &self.expected, &self.tasks).await;
        }
        verdict
    }

    fn ours<'a>(&self, view: &'a ServiceView) -> Option<&'a Deployment> {
        view.deployments.iter().find(|deployment| deployment.id == self.expected.deployment)
    }

    /// All its tasks run, and it waits to be healthy: since when, and, where nobody checks it, when that will be.
    pub(super) fn is_near(&self) -> Option<(Instant, Option<Instant>)> {
        let since = self.all_run_since.filter(|_| self.gate == Gate::Closed && self.running().next().is_some())?;
        let view = self.view.as_ref().filter(|view| !view.is_native)?;
        let is_checked = self.expected.has_health_check || !view.target_groups.is_empty();
        let newest = self.running_since.values().max().map(|since| *since + UNCHECKED_HEALTHY_AFTER);
        Some((since, newest.filter(|_| !is_checked)))
    }

    /// What is known of its tasks makes it healthy, if it is still as it was at the last look.
    pub(super) fn seems_healthy(&self) -> bool {
        self.view.as_ref().is_some_and(|view| self.judge(view) == Verdict::Healthy)
    }

    /// The tasks of ours that were last seen running.
    pub(super) fn running(&self) -> impl Iterator<Item = &str> {
        our_tasks(&self.expected, &self.tasks).filter(|task| task.is_running).map(|task| task.id.as_str())
    }

    /// A task that was never described, or may have changed since.
    pub(super) fn is_news(&self, id: &str) -> bool {
        !self.old_news.contains(id)
    }

    /// Where its tasks are registered.
    pub(super) fn target_groups(&self) -> &[TargetGroup] {
        self.view.as_ref().map_or(&[], |view| &view.target_groups)
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
    /// now and then. What is known to run needs no list as long as the numbers agree.
    fn wanted_tasks(&self, view: &ServiceView, ended_every: Duration) -> Wanted {
        match (self.judge(view), self.ours(view)) {
            (Verdict::Failed { .. } | Verdict::RolledBack { .. } | Verdict::CrashLoop { .. } | Verdict::TimedOut, _) => {
                Wanted { running: true, ended: true, known: true }
            }
            (Verdict::InProgress { .. }, Some(ours)) => {
                let is_due = self.looked_at_ended.unwrap_or(self.started).elapsed() >= ended_every;
                let ended = ours.failed_tasks > self.failed_tasks || (is_due && ours.state == RolloutState::InProgress);
                let all_run = self.gate == Gate::Closed && view.desired > 0 && ours.running >= view.desired;
                let are_known = self.running().map(|_| 1).sum::<u32>() == ours.running;
                Wanted { running: all_run && !are_known, ended, known: all_run || ended }
            }
            _ => Wanted::default(),
        }
    }

    /// Takes described tasks into account.
    pub(super) fn take(&mut self, listed: &Listed, described: &BTreeMap<String, Task>, targets: Targets) {
        let now = Instant::now();
        if listed.has_ended {
            self.looked_at_ended = Some(now);
            self.failed_tasks = self.view.as_ref().and_then(|view| self.ours(view)).map_or(self.failed_tasks, |ours| ours.failed_tasks);
        }
        // What was seen to end stays ended.
        let mut tasks: Vec<Task> = self.tasks.drain(..).filter(|task| task.end.is_some()).collect();
        for task in listed.ids.iter().filter_map(|id| described.get(id)) {
            let is_ours = our_tasks(&self.expected, std::slice::from_ref(task)).next().is_some();
            if !is_ours || task.end.is_some() {
                self.old_news.insert(task.id.clone());
            }
            if is_ours {
                tasks.push(task.clone());
            }
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

/// The events are many and long, and nothing more is asked of them.
fn without_events(view: &ServiceView) -> ServiceView {
    ServiceView {
        name: view.name.clone(),
        status: view.status.clone(),
        controller: view.controller.clone(),
        desired: view.desired,
        deployments: view.deployments.clone(),
        events: Vec::new(),
        breaker: view.breaker,
        target_groups: view.target_groups.clone(),
        is_native: view.is_native,
    }
}

/// A look at tasks that fails is made again with the next poll.
pub(super) fn tell_of_tasks(error: &CallError) {
    tell_once(&TASKS_TOLD, error);
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

/// Once a run, likewise.
pub(super) fn tell_of_targets(error: &CallError) {
    tell_once(&TARGETS_TOLD, error);
}
