//! The stages of a rolling deployment: open, wait for health, stop the old tasks, complete.

use super::deployment::{Rollout, Status};
use super::service::{Service, What};
use crate::around::Around;

impl Service {
    /// When the PRIMARY deployment takes its next stage.
    pub(crate) fn rollout_due(&self) -> Option<f64> {
        let primary = self.primary().filter(|primary| primary.in_progress())?;
        if !primary.opened {
            return Some(primary.open_at);
        }
        let since = primary.healthy_since?;
        if self.older_to_stop() {
            return Some(since + self.timing.stop_old);
        }
        (!self.older_left()).then(|| self.completes_at(since, primary.replaces))
    }

    fn completes_at(&self, since: f64, replaces: bool) -> f64 {
        match (replaces, self.desired_count) {
            // Added in this order, so that it equals the instant at which the last old task is gone.
            (true, _) => since + self.timing.stop_old + self.timing.drain,
            (false, 0) => since,
            (false, _) => since + self.timing.stop_old,
        }
    }

    fn older_to_stop(&self) -> bool {
        let primary = self.primary_id();
        self.tasks.iter().any(|task| task.started_by != primary && task.live())
    }

    fn older_left(&self) -> bool {
        let primary = self.primary_id();
        self.tasks.iter().any(|task| task.started_by != primary && task.stopped_at.is_none())
    }

    /// The scheduler turns to a new deployment and starts all its tasks: at most 200 % allow it.
    pub(crate) fn open(&mut self, around: &mut Around<'_>) {
        let (now, desired) = (around.now, self.desired_count);
        let Some(primary) = self.primary_mut().filter(|primary| primary.in_progress()) else { return };
        if primary.opened || now < primary.open_at {
            return;
        }
        primary.opened = true;
        primary.desired_count = desired;
        let id = primary.id.clone();
        let missing = (desired as usize).saturating_sub(self.live(&id));
        if missing > 0 {
            self.start(&id, missing, 0, around);
        }
    }

    /// Takes the stages after that.
    pub(crate) fn roll(&mut self, around: &mut Around<'_>) {
        self.notice_health(around.now);
        if self.rollout_due().is_none_or(|due| due > around.now) {
            return;
        }
        if self.older_to_stop() {
            self.stop_older(around);
        }
        // Pending tasks go at once, so this may be due already.
        if self.rollout_due().is_some_and(|due| due <= around.now) {
            self.complete(around);
        }
    }

    fn notice_health(&mut self, now: f64) {
        let id = self.primary_id();
        let enough = self.well(&id) >= self.desired_count as usize;
        let older = self.older_left();
        let Some(primary) = self.deployment_mut(&id).filter(|primary| primary.in_progress() && primary.opened) else { return };
        if !enough {
            primary.healthy_since = None;
            return;
        }
        if primary.healthy_since.is_some() {
            return;
        }
        primary.healthy_since = Some(now);
        primary.replaces |= older || primary.back_from.is_some();
        let first = !std::mem::replace(&mut primary.was_healthy, true) && primary.back_from.is_none();
        if first {
            self.moment(now, &id, What::Healthy);
        }
    }

    fn stop_older(&mut self, around: &mut Around<'_>) {
        let primary = self.primary_id();
        for deployment in self.deployments.iter_mut().filter(|deployment| deployment.status == Status::Active) {
            deployment.desired_count = 0;
        }
        let older: Vec<String> = self.deployments.iter().map(|it| it.id.clone()).filter(|id| *id != primary).collect();
        for deployment in older {
            let tasks = self.tasks.iter().filter(|task| task.started_by == deployment && task.live());
            let tasks: Vec<String> = tasks.map(|task| task.id.clone()).collect();
            if !tasks.is_empty() {
                self.stop(&tasks, around);
            }
        }
    }

    fn complete(&mut self, around: &mut Around<'_>) {
        let now = around.now;
        let id = self.primary_id();
        self.deployments.retain(|deployment| deployment.status == Status::Primary);
        let Some(primary) = self.primary_mut() else { return };
        primary.rollout = Rollout::Completed;
        primary.reason = format!("ECS deployment {id} completed.");
        primary.updated_at = now;
        primary.failed_tasks = 0;
        let back_from = primary.back_from.take();
        let (told_of, status, what) = match back_from {
            Some(failed) => (failed, "ROLLBACK_SUCCESSFUL", What::RolledBack),
            None => (id.clone(), "SUCCESSFUL", What::Completed),
        };
        if let Some(record) = self.record_mut(&told_of) {
            record.finish(now, status);
        }
        self.moment(now, &told_of, what);
        self.unsteady = false;
        self.event(now + 0.005, &format!("(deployment {id}) deployment completed."), around.ids);
        self.event(now + 0.006, "has reached a steady state.", around.ids);
    }
}
