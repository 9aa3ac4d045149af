//! ECS: services that roll from one definition to the next, and fail as the real ones do.

mod api;
mod breaker;
mod definition;
mod deployment;
mod events;
mod motion;
pub(crate) mod one_off;
mod records;
mod rollout;
mod scheduler;
mod service;
pub(crate) mod task;
mod update;
mod wire_records;
pub(crate) mod wire_service;
mod wire_task;

pub use definition::Definition;
pub use deployment::{Deployment, Placement, Rollout, Status};
pub use events::Event;
pub use records::{Revision, ServiceDeployment};
pub use service::{Breaker, Check, Moment, RollbackId, Service, Timing, What};
pub use task::{Health, Task, TaskContainer};

use crate::buckets::Buckets;

pub(crate) use api::{OPERATIONS, answer};
pub(crate) use update::Change;

/// Everything ECS keeps.
#[derive(Debug, Clone)]
pub struct Ecs {
    /// Names of the clusters; the first is the environment's.
    pub clusters: Vec<String>,
    /// Services of all clusters.
    pub services: Vec<Service>,
    /// All revisions of all families, in the order of registration.
    pub definitions: Vec<Definition>,
    /// Tasks that RunTask started.
    pub one_off: Vec<Task>,
    /// What they exit with, five seconds after they run.
    pub one_off_exit: i32,
    /// How many sandbox seconds after an UpdateService DescribeServices still answers with the state before it.
    pub stale_reads: f64,
    /// Whether the first DescribeServices after a rollback began still shows the failed deployment as IN_PROGRESS.
    pub failure_lags: bool,
    /// ECS's token buckets; none: every call is let through.
    pub buckets: Option<Buckets>,
    /// `clientToken` of RunTask calls, and the tasks they started.
    pub(crate) tokens: Vec<(String, Vec<String>)>,
}

impl Ecs {
    pub(crate) fn new(cluster: &str) -> Ecs {
        Ecs {
            clusters: vec![cluster.to_owned()],
            services: Vec::new(),
            definitions: Vec::new(),
            one_off: Vec::new(),
            one_off_exit: 0,
            stale_reads: 0.0,
            failure_lags: true,
            buckets: None,
            tokens: Vec::new(),
        }
    }

    /// A service by its name, in whatever cluster.
    pub fn service(&self, name: &str) -> Option<&Service> {
        self.services.iter().find(|service| service.name == name)
    }
}

/// A time on the wire: epoch seconds with milliseconds.
pub(crate) fn stamp(epoch: f64, at: f64) -> f64 {
    ((epoch + at) * 1000.0).round() / 1000.0
}
