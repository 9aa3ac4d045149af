//! Other people and other machines: deeds that happen by themselves while the program under test is at work.

/// When a deed happens. Each happens once.
#[derive(Debug, Clone, PartialEq)]
pub enum When {
    /// At this many sandbox seconds.
    At(f64),
    /// So many sandbox seconds after the first successful `UpdateService` of the service through the API.
    AfterUpdate {
        /// ECS service name.
        service: String,
        /// Sandbox seconds.
        seconds: f64,
    },
    /// Just before an `UpdateService` of that service is executed.
    BeforeUpdate {
        /// ECS service name.
        service: String,
    },
    /// Just before this call to ECS is executed; the first is 1.
    BeforeCall(usize),
}

/// What happens.
#[derive(Debug, Clone, PartialEq)]
pub enum Deed {
    /// Somebody else registers a copy of the running definition and updates the service.
    StrangerDeploys {
        /// ECS service name.
        service: String,
    },
    /// Somebody stops all running tasks; the scheduler replaces them.
    StopTasks {
        /// ECS service name.
        service: String,
    },
    /// Somebody, or autoscaling, changes the desired count.
    SetDesired {
        /// ECS service name.
        service: String,
        /// The new count.
        count: u32,
    },
    /// A person's `stop-service-deployment --stop-type ROLLBACK`. Nothing when no deployment is in progress.
    Rollback {
        /// ECS service name.
        service: String,
    },
}

/// A deed that waits for its time.
#[derive(Debug, Clone)]
pub(crate) struct Scripted {
    pub(crate) when: When,
    pub(crate) deed: Deed,
}
