//! A service as ECS keeps it.

use serde_json::Value;

use super::deployment::{Deployment, Status};
use super::events::Event;
use super::records::{Revision, ServiceDeployment};
use super::task::Task;

/// Who says that a task is well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// Nobody: a task counts as healthy 40 s after it runs (ECS API model, `Deployment`).
    None,
    /// The container's own health check.
    Container,
    /// The load balancer; one target group for each service.
    TargetGroup,
}

/// The deployment circuit breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Breaker {
    /// Whether failures are counted towards a verdict.
    pub enable: bool,
    /// Whether the verdict puts the last completed deployment back.
    pub rollback: bool,
}

/// Which id a deployment gets that rolls back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RollbackId {
    /// The old one is promoted again, with its old id: what real dumps show.
    Reused,
    /// A new id with the old definition: what an emulator does.
    Fresh,
}

/// How long the scheduler takes, in sandbox seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Timing {
    /// From `UpdateService` to the first tasks.
    pub place: f64,
    /// From a task's placement to RUNNING.
    pub boot: f64,
    /// From RUNNING to healthy; without any check ECS's 40 s hold instead.
    pub check: f64,
    /// From healthy to the stop of the old tasks.
    pub stop_old: f64,
    /// From the stop of the old tasks until they are gone and the deployment is COMPLETED.
    pub drain: f64,
    /// From the death of a task that ran to its replacement.
    pub crash_retry: f64,
    /// From a task that could not start to its replacement.
    pub pull_retry: f64,
}

impl Default for Timing {
    fn default() -> Timing {
        Timing::USUAL
    }
}

impl Timing {
    /// A quick service on Fargate.
    pub const USUAL: Timing =
        Timing { place: 3.0, boot: 12.0, check: 10.0, stop_old: 2.0, drain: 30.0, crash_retry: 12.0, pull_retry: 40.0 };

    /// From RUNNING to healthy.
    pub(crate) fn health_delay(&self, check: &Check) -> f64 {
        if *check == Check::None { 40.0 } else { self.check }
    }

    /// From `UpdateService` until all new tasks are healthy, if nothing goes wrong.
    pub fn to_healthy(&self, check: &Check) -> f64 {
        self.place + self.boot + self.health_delay(check)
    }

    /// From `UpdateService` to COMPLETED, if nothing goes wrong.
    pub fn to_completed(&self, check: &Check) -> f64 {
        self.to_healthy(check) + self.stop_old + self.drain
    }
}

/// Something that happened to a deployment.
#[derive(Debug, Clone, PartialEq)]
pub struct Moment {
    /// Sandbox seconds.
    pub at: f64,
    /// `ecs-svc/…`. Failed, RollbackStarted and RolledBack name the deployment that failed, not the one put back.
    pub deployment: String,
    /// What it was.
    pub what: What,
}

/// What happened to a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// It began.
    Updated,
    /// Its first task runs.
    FirstTaskRunning,
    /// The desired count of its tasks runs and is healthy, for the first time.
    Healthy,
    /// It is COMPLETED.
    Completed,
    /// It is FAILED.
    Failed,
    /// ECS or a person began to put the former one back.
    RollbackStarted,
    /// The former one is back.
    RolledBack,
    /// A newer deployment took its place before it ended.
    Superseded,
}

/// A service.
#[derive(Debug, Clone)]
pub struct Service {
    /// Name of its cluster.
    pub cluster: String,
    /// ECS service name.
    pub name: String,
    /// `arn:aws:ecs:…:service/<cluster>/<name>`.
    pub arn: String,
    /// How many tasks there should be.
    pub desired_count: u32,
    /// Who checks its tasks. Changing it changes health check and load balancer of the running definition, too.
    pub check: Check,
    /// Circuit breaker.
    pub breaker: Breaker,
    /// Which id a rollback gets.
    pub rollback_id: RollbackId,
    /// `ROLLING`, or one of ECS's own other strategies; here they differ in the view and in the bake time alone.
    pub strategy: String,
    /// Seconds for which a deployment that has arrived is watched before it is SUCCESSFUL.
    pub bake: f64,
    /// How long things take.
    pub timing: Timing,
    /// `ACTIVE`, `DRAINING` or `INACTIVE`.
    pub status: String,
    /// Deployment controller: `ECS`, `CODE_DEPLOY` or `EXTERNAL`.
    pub controller: String,
    /// The container that carries the service.
    pub container: String,
    /// The port that it listens on.
    pub port: u16,
    /// ARN of its target group, in use only with [`Check::TargetGroup`].
    pub target_group: String,
    /// ARN of the definition that the PRIMARY deployment has.
    pub task_definition: String,
    /// `networkConfiguration`, as DescribeServices answers it.
    pub network: Value,
    /// When it was made, in sandbox seconds (so below zero).
    pub created_at: f64,
    /// PRIMARY first, then the others, newest first.
    pub deployments: Vec<Deployment>,
    /// Its tasks, those stopped in the last hour included, oldest first.
    pub tasks: Vec<Task>,
    /// At most 100, newest first.
    pub events: Vec<Event>,
    /// Service deployments, newest first.
    pub records: Vec<ServiceDeployment>,
    /// Service revisions, newest first.
    pub revisions: Vec<Revision>,
    /// What happened to its deployments, in order.
    pub history: Vec<Moment>,
    /// Until when DescribeServices answers with which older state.
    pub(crate) stale: Option<(f64, Value)>,
    /// Something started or stopped since the last steady state.
    pub(crate) unsteady: bool,
    /// The check that the definition was last made to agree with.
    pub(crate) checked_as: Check,
    /// Which task the load balancer asks next.
    pub(crate) turn: usize,
}

impl Service {
    /// The deployment that should run.
    pub fn primary(&self) -> Option<&Deployment> {
        self.deployments.iter().find(|deployment| deployment.status == Status::Primary)
    }

    pub(crate) fn primary_mut(&mut self) -> Option<&mut Deployment> {
        self.deployments.iter_mut().find(|deployment| deployment.status == Status::Primary)
    }

    /// The id of the PRIMARY deployment; empty while there is none.
    pub fn primary_id(&self) -> String {
        self.primary().map(|deployment| deployment.id.clone()).unwrap_or_default()
    }

    /// A deployment that is still listed.
    pub fn deployment(&self, id: &str) -> Option<&Deployment> {
        self.deployments.iter().find(|deployment| deployment.id == id)
    }

    pub(crate) fn deployment_mut(&mut self, id: &str) -> Option<&mut Deployment> {
        self.deployments.iter_mut().find(|deployment| deployment.id == id)
    }

    /// Writes down a moment of a deployment's life.
    pub(crate) fn moment(&mut self, at: f64, deployment: &str, what: What) {
        self.history.push(Moment { at, deployment: deployment.to_owned(), what });
    }

    /// ARN of a service revision; its tail is the number of the deployment's id.
    pub fn revision_arn(&self, deployment: &str) -> String {
        let number = deployment.rsplit('/').next().unwrap_or_default();
        format!("{}/{number}", self.arn.replacen(":service/", ":service-revision/", 1))
    }

    /// `arn:aws:ecs:<region>:<account>:`, what the ARNs of its tasks and cluster begin with.
    pub(crate) fn arn_prefix(&self) -> &str {
        self.arn.split("service/").next().unwrap_or_default()
    }
}
