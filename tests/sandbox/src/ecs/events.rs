//! Service events, word for word as ECS sends them.

use super::service::Service;
use crate::ids::Ids;

/// How many events ECS keeps (API model, `Service.events`).
const KEPT: usize = 100;

/// One of a service's events.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// A uuid.
    pub id: String,
    /// Sandbox seconds.
    pub at: f64,
    /// The text.
    pub message: String,
}

impl Service {
    /// Adds `(service <name>) <rest>` as the newest event.
    pub(crate) fn event(&mut self, at: f64, rest: &str, ids: &mut Ids) {
        let message = format!("(service {}) {rest}", self.name);
        self.events.insert(0, Event { id: ids.uuid(), at, message });
        self.events.truncate(KEPT);
    }

    /// The one event whose text continues inside the parentheses.
    pub(crate) fn event_draining(&mut self, at: f64, deployment: &str, count: usize, ids: &mut Ids) {
        let message = format!("(service {}, taskSet {deployment}) has begun draining connections on {count} tasks.", self.name);
        self.events.insert(0, Event { id: ids.uuid(), at, message });
        self.events.truncate(KEPT);
    }

    /// Like [`Service::event`], but says a thing once in a deployment: ECS omits duplicates for up to six hours.
    pub(crate) fn event_once(&mut self, at: f64, rest: &str, ids: &mut Ids) {
        let since = self.primary().map_or(f64::MIN, |deployment| deployment.created_at);
        let message = format!("(service {}) {rest}", self.name);
        if !self.events.iter().any(|event| event.at >= since && event.message == message) {
            self.event(at, rest, ids);
        }
    }
}

/// `(task A) (task B)`.
pub(crate) fn task_list(ids: &[String]) -> String {
    ids.iter().map(|id| format!("(task {id})")).collect::<Vec<_>>().join(" ")
}
