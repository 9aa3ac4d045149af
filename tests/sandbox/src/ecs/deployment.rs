//! One entry of a service's `deployments[]`.

/// PRIMARY is the one that should run; ACTIVE ones are on their way out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// The newest, or the one put back.
    Primary,
    /// Replaced, with tasks that may still run.
    Active,
}

impl Status {
    /// As on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Primary => "PRIMARY",
            Status::Active => "ACTIVE",
        }
    }
}

/// How far a deployment has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rollout {
    /// Not decided.
    InProgress,
    /// Its tasks are steady, the older ones are gone.
    Completed,
    /// The circuit breaker, or a person, ended it.
    Failed,
}

impl Rollout {
    /// As on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Rollout::InProgress => "IN_PROGRESS",
            Rollout::Completed => "COMPLETED",
            Rollout::Failed => "FAILED",
        }
    }
}

/// A task that the scheduler will start later.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Placement {
    /// Sandbox seconds.
    pub at: f64,
    /// It replaces a task that failed its health checks; the event says so.
    pub unhealthy: bool,
}

/// A deployment.
#[derive(Debug, Clone)]
pub struct Deployment {
    /// `ecs-svc/` and 19 digits.
    pub id: String,
    /// PRIMARY or ACTIVE.
    pub status: Status,
    /// ARN of its definition.
    pub task_definition: String,
    /// Zero until the scheduler begins, zero again when its tasks were told to stop.
    pub desired_count: u32,
    /// Failed tasks since a task was last healthy.
    pub failed_tasks: u32,
    /// Sandbox seconds; a rollback sets it anew.
    pub created_at: f64,
    /// Sandbox seconds.
    pub updated_at: f64,
    /// State.
    pub rollout: Rollout,
    /// `rolloutStateReason`.
    pub reason: String,
    /// Replacements that wait for their time.
    pub placements: Vec<Placement>,
    /// When the scheduler turns to it.
    pub(crate) open_at: f64,
    pub(crate) opened: bool,
    /// Since when all its tasks are healthy.
    pub(crate) healthy_since: Option<f64>,
    pub(crate) was_healthy: bool,
    /// It had older tasks to replace.
    pub(crate) replaces: bool,
    /// It puts back what was before this deployment.
    pub(crate) back_from: Option<String>,
    /// The next DescribeServices still shows this failed one as IN_PROGRESS.
    pub(crate) lags: bool,
}

impl Deployment {
    /// A new PRIMARY, before the scheduler has turned to it.
    pub(crate) fn begin(id: String, task_definition: String, now: f64, place: f64) -> Deployment {
        Deployment {
            reason: format!("ECS deployment {id} in progress."),
            id,
            status: Status::Primary,
            task_definition,
            desired_count: 0,
            failed_tasks: 0,
            created_at: now,
            updated_at: now,
            rollout: Rollout::InProgress,
            placements: Vec::new(),
            open_at: now + place,
            opened: false,
            healthy_since: None,
            was_healthy: false,
            replaces: false,
            back_from: None,
            lags: false,
        }
    }

    /// Whether its end is still open.
    pub fn in_progress(&self) -> bool {
        self.rollout == Rollout::InProgress
    }

    /// Makes room for another PRIMARY: no new tasks any more, the running ones stay for now.
    pub(crate) fn step_down(&mut self) {
        self.status = Status::Active;
        self.placements.clear();
        self.healthy_since = None;
    }
}
