//! A task, and how it ended.

use super::names::{DefinitionArn, DeploymentId};

/// A task as `DescribeTasks` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// The last part of its ARN.
    pub id: String,
    /// The deployment that started it.
    pub started_by: Option<DeploymentId>,
    /// What it runs.
    pub definition: DefinitionArn,
    /// `lastStatus` is `RUNNING`.
    pub is_running: bool,
    /// `healthStatus` is `HEALTHY`.
    pub is_healthy: bool,
    /// Its address in an awsvpc network.
    pub address: Option<String>,
    /// How it ended, where it did.
    pub end: Option<TaskEnd>,
}

/// How a task ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskEnd {
    /// `stopCode`.
    pub code: String,
    /// `stoppedReason`.
    pub reason: String,
    /// Container name, exit code where it ran, and reason.
    pub containers: Vec<ContainerEnd>,
}

/// How a container ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerEnd {
    /// Its name.
    pub name: String,
    /// Absent when it never ran.
    pub exit_code: Option<i32>,
    /// Where ECS knows more, out of memory for one.
    pub reason: Option<String>,
}

impl Task {
    /// It ended, and not because the service was scaled in or updated, or a person wished it.
    pub fn was_lost(&self) -> bool {
        const LOST: [&str; 3] = ["SpotInterruption", "TerminationNotice", "InfrastructureHealth"];
        self.has_failed() || self.end.as_ref().is_some_and(|end| LOST.contains(&end.code.as_str()))
    }

    /// It ended on its own account: neither scaled in, nor replaced, nor stopped by a person.
    pub fn has_failed(&self) -> bool {
        self.end.as_ref().is_some_and(|end| match end.code.as_str() {
            "TaskFailedToStart" | "EssentialContainerExited" => true,
            "ServiceSchedulerInitiated" => end.reason.starts_with("Task failed"),
            _ => false,
        })
    }
}
