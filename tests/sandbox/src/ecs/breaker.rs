//! The deployment circuit breaker, and rollbacks.

use super::deployment::{Deployment, Rollout, Status};
use super::service::{RollbackId, Service, What};
use crate::around::Around;

/// Why a rollback happens.
struct Cause {
    /// What the failed deployment says.
    failed: &'static str,
    /// How the reason of the one put back begins.
    rolling: &'static str,
    /// What the service deployment says.
    record: &'static str,
}

const TRIPPED: Cause = Cause {
    failed: "ECS deployment circuit breaker: tasks failed to start.",
    rolling: "ECS deployment circuit breaker: rolling back to deploymentId",
    record: "Service deployment rolled back because the circuit breaker threshold was exceeded.",
};

/// The texts of a rollback that a person asked for are not known (facts/ecs.md, §12); these are ours.
const ASKED: Cause = Cause {
    failed: "ECS deployment stopped by user.",
    rolling: "ECS deployment stopped by user: rolling back to deploymentId",
    record: "Service deployment rolled back because of a stop request.",
};

/// How many failures in a row decide: half the desired count, at least 3, at most 200.
pub(crate) fn threshold(desired: u32) -> u32 {
    desired.div_ceil(2).clamp(3, 200)
}

impl Service {
    /// Judges the PRIMARY deployment after another failure.
    pub(crate) fn count_failure(&mut self, failures: u32, around: &mut Around<'_>) {
        if !self.breaker.enable || failures < threshold(self.desired_count) {
            return;
        }
        let id = self.primary_id();
        let Some(primary) = self.primary_mut() else { return };
        if let Some(origin) = primary.back_from.clone() {
            // What was put back fails as well: there is nothing further back.
            self.fail(&id, &TRIPPED, around);
            self.end_record(&origin, "ROLLBACK_FAILED", None, around.now);
        } else if !self.breaker.rollback {
            self.fail(&id, &TRIPPED, around);
            if let Some(record) = self.record_mut(&id) {
                record.request_stop(around.now, None);
            }
        } else if !self.roll_back(&TRIPPED, around) {
            self.fail(&id, &TRIPPED, around);
            self.end_record(&id, "ROLLBACK_FAILED", Some("No rollback candidate was found to run the rollback."), around.now);
        }
    }

    /// A person's StopServiceDeployment; false when nothing is in progress or there is nothing to go back to.
    pub(crate) fn roll_back_by_hand(&mut self, around: &mut Around<'_>) -> bool {
        let stoppable = self.primary().is_some_and(|primary| primary.in_progress() && primary.back_from.is_none());
        stoppable && self.roll_back(&ASKED, around)
    }

    fn end_record(&mut self, deployment: &str, status: &str, reason: Option<&str>, now: f64) {
        if let Some(record) = self.record_mut(deployment) {
            record.finish(now, status);
            record.reason = reason.map(str::to_owned).or(record.reason.take());
        }
    }

    fn fail(&mut self, id: &str, cause: &Cause, around: &mut Around<'_>) {
        let now = around.now;
        let Some(failed) = self.deployment_mut(id) else { return };
        failed.rollout = Rollout::Failed;
        failed.reason = cause.failed.to_owned();
        failed.updated_at = now;
        failed.placements.clear();
        let failures = failed.failed_tasks;
        if let Some(record) = self.record_mut(id) {
            record.failures = failures;
        }
        self.moment(now, id, What::Failed);
        if cause.failed == TRIPPED.failed {
            self.event(now, &format!("(deployment {id}) deployment failed: tasks failed to start."), around.ids);
        }
    }

    /// Puts the last completed deployment back; false when there is none.
    fn roll_back(&mut self, cause: &Cause, around: &mut Around<'_>) -> bool {
        let now = around.now;
        let failed = self.primary_id();
        let mut former = self.deployments.iter().filter(|it| it.status == Status::Active);
        // One that was being put back when a newer one came had been completed before.
        let candidate = former.clone().find(|it| it.rollout == Rollout::Completed).or_else(|| former.find(|it| it.back_from.is_some()));
        let Some(old) = candidate.map(|it| it.id.clone()) else { return false };
        self.fail(&failed, cause, around);
        if let Some(deployment) = self.deployment_mut(&failed) {
            deployment.step_down();
            deployment.desired_count = 0;
            deployment.lags = true;
        }
        let target = match self.rollback_id {
            RollbackId::Reused => self.promote(&old, now),
            RollbackId::Fresh => self.succeed(&old, around),
        };
        if let Some(deployment) = self.deployment_mut(&target) {
            deployment.reason = format!("{} {target}.", cause.rolling);
            deployment.back_from = Some(failed.clone());
        }
        if let Some(record) = self.record_mut(&failed) {
            record.status = "ROLLBACK_IN_PROGRESS".to_owned();
            record.reason = Some(cause.record.to_owned());
            record.rollback = Some((now, target.clone()));
        }
        self.moment(now, &failed, What::RollbackStarted);
        self.event(now + 0.001, &format!("rolling back to deployment {target}."), around.ids);
        true
    }

    /// The old deployment itself becomes PRIMARY again, with new times.
    fn promote(&mut self, old: &str, now: f64) -> String {
        let Some(at) = self.deployments.iter().position(|deployment| deployment.id == old) else { return String::new() };
        let mut back = self.deployments.remove(at);
        let (place, desired) = (self.timing.place, self.desired_count);
        let definition = back.task_definition.clone();
        back = Deployment { desired_count: desired, ..Deployment::begin(back.id, definition.clone(), now, place) };
        self.task_definition = definition;
        let id = back.id.clone();
        self.deployments.insert(0, back);
        id
    }

    /// A new deployment with the old definition becomes PRIMARY.
    fn succeed(&mut self, old: &str, around: &mut Around<'_>) -> String {
        let Some(definition) = self.deployment(old).map(|deployment| deployment.task_definition.clone()) else { return String::new() };
        let id = format!("ecs-svc/{}", around.ids.revision());
        self.task_definition.clone_from(&definition);
        self.revise(&id, &definition, around.now);
        self.deployments.insert(0, Deployment::begin(id.clone(), definition, around.now, self.timing.place));
        id
    }
}
