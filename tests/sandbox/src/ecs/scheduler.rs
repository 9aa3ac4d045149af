//! The service scheduler: keeps as many tasks of the PRIMARY deployment as the service desires.

use super::deployment::{Placement, Rollout};
use super::events::task_list;
use super::service::{Check, Service};
use super::task::{Order, Task};
use crate::around::Around;
use serde_json::json;

/// How long a stopped task is still shown (API model, DescribeTasks: at least an hour).
const SHOWN_FOR: f64 = 3600.0;

impl Service {
    /// When something will happen here next.
    pub(crate) fn due(&self) -> Option<f64> {
        let tasks = self.tasks.iter().filter_map(|task| task.next.as_ref().map(|(at, _)| *at));
        let primary = self.primary().filter(|primary| primary.rollout != Rollout::Failed);
        let placements = primary.into_iter().flat_map(|primary| primary.placements.iter().map(|placement| placement.at));
        tasks.chain(placements).chain(self.rollout_due()).min_by(f64::total_cmp)
    }

    /// Does everything that is due now.
    pub(crate) fn step(&mut self, around: &mut Around<'_>) {
        self.move_tasks(around);
        self.open(around);
        self.place_replacements(around);
        self.reconcile(around);
        self.roll(around);
        self.settle(around);
        let now = around.now;
        self.tasks.retain(|task| task.stopped_at.is_none_or(|at| at + SHOWN_FOR > now));
    }

    /// Tasks of a deployment that should run.
    pub(crate) fn live(&self, deployment: &str) -> usize {
        self.tasks.iter().filter(|task| task.started_by == deployment && task.live()).count()
    }

    /// Tasks of a deployment that run and are healthy.
    pub(crate) fn well(&self, deployment: &str) -> usize {
        let ours = self.tasks.iter().filter(|task| task.started_by == deployment && task.live());
        ours.filter(|task| task.last_status == "RUNNING" && task.health == super::Health::Healthy).count()
    }

    /// Starts tasks of a deployment.
    pub(crate) fn start(&mut self, deployment: &str, count: usize, unhealthy: usize, around: &mut Around<'_>) {
        let Some(task_definition) = self.deployment(deployment).map(|found| found.task_definition.clone()) else { return };
        let Some(definition) = around.definition(&task_definition) else { return };
        let mut started = Vec::new();
        for _ in 0..count {
            let order = Order {
                arn_prefix: self.arn_prefix(),
                cluster: &self.cluster,
                started_by: deployment,
                group: format!("service:{}", self.name),
                container: &self.container,
                definition,
                boot: self.timing.boot,
                overrides: json!({"containerOverrides": []}),
            };
            let task = Task::place(order, around);
            started.push(task.id.clone());
            self.tasks.push(task);
        }
        self.unsteady = true;
        let mut text = format!("has started {count} tasks: {}.", task_list(&started));
        if unhealthy > 0 {
            text += &format!(" Amazon ECS replaced {unhealthy} tasks due to an unhealthy status.");
        }
        self.event(around.now, &text, around.ids);
    }

    /// Starts the replacements whose time has come.
    fn place_replacements(&mut self, around: &mut Around<'_>) {
        let now = around.now;
        let Some(primary) = self.primary_mut().filter(|primary| primary.rollout != Rollout::Failed) else { return };
        let (due, later): (Vec<Placement>, Vec<Placement>) = primary.placements.iter().partition(|placement| placement.at <= now);
        primary.placements = later;
        let id = primary.id.clone();
        if !due.is_empty() {
            self.start(&id, due.len(), due.iter().filter(|placement| placement.unhealthy).count(), around);
        }
    }

    /// Makes up for a desired count that changed, or tasks that somebody stopped.
    fn reconcile(&mut self, around: &mut Around<'_>) {
        let (desired, place) = (self.desired_count, self.timing.place);
        let Some(id) = self.primary().filter(|p| p.opened && p.rollout != Rollout::Failed).map(|p| p.id.clone()) else { return };
        let live = self.live(&id);
        let Some(primary) = self.deployment_mut(&id) else { return };
        primary.desired_count = desired;
        let wanted = (desired as usize).saturating_sub(live);
        while primary.placements.len() < wanted {
            primary.placements.push(Placement { at: around.now + place, unhealthy: false });
        }
        primary.placements.truncate(wanted);
        let surplus = live.saturating_sub(desired as usize);
        if surplus > 0 {
            let ids = self.tasks.iter().rev().filter(|task| task.started_by == id && task.live()).take(surplus);
            let ids: Vec<String> = ids.map(|task| task.id.clone()).collect();
            self.stop(&ids, around);
        }
    }

    /// Stops tasks as the scheduler does: running ones drain, pending ones are gone at once.
    pub(crate) fn stop(&mut self, ids: &[String], around: &mut Around<'_>) {
        let (now, drain, check) = (around.now, self.timing.drain, self.check);
        let (mut running, mut pending) = (Vec::new(), 0_usize);
        for task in self.tasks.iter_mut().filter(|task| ids.contains(&task.id) && task.live()) {
            let reason = format!("Scaling activity initiated by (deployment {})", task.started_by);
            if task.last_status == "RUNNING" {
                task.stop_gently(now, drain, check, &reason);
                running.push((task.id.clone(), task.started_by.clone()));
            } else {
                task.stop_now(now, "ServiceSchedulerInitiated", &reason);
                pending += 1;
            }
        }
        self.unsteady = true;
        if pending > 0 {
            self.event(now, &format!("stopped {pending} pending tasks."), around.ids);
        }
        self.tell_of_stops(&running, around);
    }

    fn tell_of_stops(&mut self, stopped: &[(String, String)], around: &mut Around<'_>) {
        let Some((_, deployment)) = stopped.first() else { return };
        let (now, count) = (around.now, stopped.len());
        let ids: Vec<String> = stopped.iter().map(|(id, _)| id.clone()).collect();
        self.event(now, &format!("has stopped {count} running tasks: {}.", task_list(&ids)), around.ids);
        if self.check == Check::TargetGroup {
            let group = self.target_group.clone();
            self.event(now + 0.001, &format!("deregistered {count} targets in (target-group {group})"), around.ids);
            self.event_draining(now + 0.002, deployment, count, around.ids);
        }
    }

    /// Says that all is quiet again, once it is.
    fn settle(&mut self, around: &mut Around<'_>) {
        let Some(primary) = self.primary().filter(|primary| primary.rollout == Rollout::Completed) else { return };
        let full = self.well(&primary.id) == self.desired_count as usize && primary.placements.is_empty();
        let draining = self.tasks.iter().any(|task| task.told_to_stop && task.stopped_at.is_none());
        if self.unsteady && full && !draining {
            self.unsteady = false;
            self.event(around.now + 0.001, "has reached a steady state.", around.ids);
        }
    }
}
