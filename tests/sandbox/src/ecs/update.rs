//! UpdateService: what makes a new deployment, and what becomes of the one in flight.

use super::deployment::Deployment;
use super::service::{Breaker, Service, What};
use crate::ids::Ids;

/// What an UpdateService asks for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Change {
    /// ARN of the definition.
    pub(crate) task_definition: Option<String>,
    pub(crate) force: bool,
    pub(crate) desired: Option<u32>,
    pub(crate) breaker: Option<Breaker>,
}

impl Service {
    /// Carries the change out; true when it made a new deployment.
    pub(crate) fn update(&mut self, change: Change, now: f64, ids: &mut Ids) -> bool {
        if let Some(breaker) = change.breaker {
            self.breaker = breaker;
        }
        if let Some(desired) = change.desired {
            self.desired_count = desired;
        }
        let wanted = change.task_definition.unwrap_or_else(|| self.task_definition.clone());
        if wanted == self.task_definition && !change.force {
            return false;
        }
        self.supersede(now);
        let id = format!("ecs-svc/{}", ids.revision());
        self.record(&id, &wanted, now, ids);
        self.moment(now, &id, What::Updated);
        self.task_definition.clone_from(&wanted);
        self.deployments.insert(0, Deployment::begin(id, wanted, now, self.timing.place));
        true
    }

    fn supersede(&mut self, now: f64) {
        let Some(primary) = self.primary_mut() else { return };
        let (id, in_progress) = (primary.id.clone(), primary.in_progress());
        let told_of = primary.back_from.clone().unwrap_or_else(|| id.clone());
        primary.step_down();
        if in_progress {
            self.moment(now, &id, What::Superseded);
            if let Some(record) = self.record_mut(&told_of) {
                record.request_stop(now, None);
            }
        }
    }
}
