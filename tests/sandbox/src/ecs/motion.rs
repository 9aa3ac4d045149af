//! How tasks move from state to state, and what the service makes of it.

use super::service::{Check, Service, What};
use super::task::{Health, Step};
use crate::around::Around;

impl Service {
    /// Lets every task take the steps that are due.
    pub(crate) fn move_tasks(&mut self, around: &mut Around<'_>) {
        let mut registered = 0;
        while let Some(index) = self.tasks.iter().position(|task| task.next.as_ref().is_some_and(|(at, _)| *at <= around.now)) {
            let Some((_, step)) = self.tasks[index].next.take() else { break };
            registered += usize::from(step == Step::Run);
            self.take(index, step, around);
        }
        if registered > 0 && self.check == Check::TargetGroup {
            let text = format!("registered {registered} targets in (target-group {})", self.target_group);
            self.event(around.now, &text, around.ids);
        }
    }

    fn take(&mut self, index: usize, step: Step, around: &mut Around<'_>) {
        let now = around.now;
        match step {
            Step::Pend => self.tasks[index].pend(),
            Step::Run => self.task_runs(index, around),
            Step::Healthy => {
                self.tasks[index].become_healthy(now);
                let id = self.tasks[index].started_by.clone();
                if let Some(deployment) = self.deployment_mut(&id).filter(|deployment| deployment.in_progress()) {
                    deployment.failed_tasks = 0;
                }
            }
            Step::Unhealthy => self.task_is_unhealthy(index, around),
            Step::Condemned { reason } => {
                self.tasks[index].stop_now(now, "ServiceSchedulerInitiated", &reason);
                self.task_failed(index, self.timing.crash_retry, true, around);
            }
            Step::Die { exit_code, reason } => {
                self.tasks[index].die(now, exit_code, reason.clone());
                around.logs.last_words(&self.tasks[index], exit_code, reason.is_some(), now);
                self.task_failed(index, self.timing.crash_retry, false, around);
            }
            Step::FailToStart(reason) => {
                self.tasks[index].stop_now(now, "TaskFailedToStart", &reason);
                self.event_once(now, &format!("was unable to place a task. Reason: {reason}."), around.ids);
                self.task_failed(index, self.timing.pull_retry, false, around);
            }
            Step::Gone => self.tasks[index].stop_now(now, "ServiceSchedulerInitiated", ""),
        }
    }

    fn task_runs(&mut self, index: usize, around: &mut Around<'_>) {
        let (timing, check) = (self.timing, self.check);
        self.tasks[index].run(around.now, &timing, check);
        let task = self.tasks[index].clone();
        around.logs.first_words(&task, &self.name, around.now);
        let resolved = task.containers.into_iter().map(|it| (it.name, it.image, Some(it.digest))).collect();
        if let Some(revision) = self.revisions.iter_mut().find(|revision| revision.deployment == task.started_by) {
            revision.images = resolved;
        }
        let begun = self.primary().map(|primary| (primary.id.clone(), primary.in_progress(), primary.created_at));
        let Some((id, true, since)) = begun else { return };
        let told = self.history.iter().any(|it| it.deployment == id && it.what == What::FirstTaskRunning && it.at >= since);
        if id == task.started_by && !told {
            self.moment(around.now, &id, What::FirstTaskRunning);
        }
    }

    fn task_is_unhealthy(&mut self, index: usize, around: &mut Around<'_>) {
        let (now, task, group, port) = (around.now, self.tasks[index].id.clone(), self.target_group.clone(), self.port);
        self.tasks[index].health = Health::Unhealthy;
        let (event, reason) = if self.check == Check::TargetGroup {
            (
                format!(
                    "(task {task}) (port {port}) is unhealthy in (target-group {group}) due to (reason Health checks failed with these codes: [503])."
                ),
                format!("Task failed ELB health checks in (target-group {group})"),
            )
        } else {
            (format!("(task {task}) failed container health checks."), "Task failed container health checks".to_owned())
        };
        self.event(now, &event, around.ids);
        // It stays for a moment, so that a look at tasks or targets can find it unhealthy.
        self.tasks[index].next = Some((now + self.timing.stop_old, Step::Condemned { reason }));
    }

    /// Replaces the task later, and lets the circuit breaker count it.
    fn task_failed(&mut self, index: usize, retry: f64, unhealthy: bool, around: &mut Around<'_>) {
        let (id, was_healthy) = (self.tasks[index].started_by.clone(), self.tasks[index].was_healthy);
        self.unsteady = true;
        // A retry takes time, whatever a test asks for: else the scheduler would never see the next second.
        let at = around.now + retry.max(0.1);
        let Some(deployment) = self.deployment_mut(&id) else { return };
        if deployment.in_progress() {
            deployment.failed_tasks += 1;
        }
        let failures = deployment.failed_tasks;
        let Some(primary) = self.primary_mut().filter(|primary| primary.id == id) else { return };
        primary.placements.push(super::Placement { at, unhealthy });
        // A task that was healthy once is not one that failed to start: the breaker lets such services flap for ever.
        if primary.in_progress() && !was_healthy {
            self.count_failure(failures, around);
        }
    }
}
