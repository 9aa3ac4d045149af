//! Service deployments and service revisions: ECS's second view of the same story, which lags a little.

use super::service::Service;
use crate::ids::Ids;

/// After how many seconds a new record is listed, as measured on a real account.
const APPEARS_AFTER: f64 = 0.8;
/// How long STOP_REQUESTED lasts before STOPPED.
const STOPS_WITHIN: f64 = 2.0;

/// A service deployment.
#[derive(Debug, Clone)]
pub struct ServiceDeployment {
    /// `arn:aws:ecs:…:service-deployment/<cluster>/<service>/<21 characters>`.
    pub arn: String,
    /// `ecs-svc/…` of the deployment that it tells of.
    pub deployment: String,
    /// The deployments that had tasks when it began.
    pub sources: Vec<String>,
    /// Sandbox seconds.
    pub created_at: f64,
    /// When it ended well, or was rolled back.
    pub finished_at: Option<f64>,
    /// When somebody, or the breaker, asked it to stop.
    pub stop_requested_at: Option<f64>,
    /// `IN_PROGRESS`, `SUCCESSFUL`, `ROLLBACK_…`, `STOP_REQUESTED`.
    pub status: String,
    /// Why.
    pub reason: Option<String>,
    /// Since when it rolls back, and to which deployment.
    pub rollback: Option<(f64, String)>,
    /// Seconds between the classic view's COMPLETED and SUCCESSFUL.
    pub bake: f64,
    /// What the circuit breaker had counted when it ended.
    pub failures: u32,
}

impl ServiceDeployment {
    /// When it began in earnest.
    pub fn started_at(&self) -> f64 {
        self.created_at + APPEARS_AFTER
    }

    /// Whether List and Describe know it.
    pub fn visible(&self, now: f64) -> bool {
        now >= self.started_at()
    }

    /// The status, with STOP_REQUESTED turned to STOPPED in time.
    pub fn status(&self, now: f64) -> &str {
        let bakes = self.status == "SUCCESSFUL" && self.finished_at.is_some_and(|at| at + self.bake > now);
        match () {
            () if self.stopped_at(now).is_some() => "STOPPED",
            () if bakes => "IN_PROGRESS",
            () => &self.status,
        }
    }

    /// When it had stopped.
    pub fn stopped_at(&self, now: f64) -> Option<f64> {
        self.stop_requested_at.map(|at| at + STOPS_WITHIN).filter(|at| self.status == "STOP_REQUESTED" && *at <= now)
    }

    /// Whether nothing more will come.
    pub fn ended(&self) -> bool {
        !matches!(self.status.as_str(), "IN_PROGRESS" | "ROLLBACK_IN_PROGRESS" | "ROLLBACK_REQUESTED")
    }

    pub(crate) fn finish(&mut self, now: f64, status: &str) {
        self.finished_at = Some(now);
        self.status = status.to_owned();
    }

    pub(crate) fn request_stop(&mut self, now: f64, reason: Option<String>) {
        self.stop_requested_at = Some(now);
        self.status = "STOP_REQUESTED".to_owned();
        self.reason = reason;
    }
}

/// A service revision: what a deployment consists of.
#[derive(Debug, Clone)]
pub struct Revision {
    /// `ecs-svc/…` of its deployment.
    pub deployment: String,
    /// ARN of the definition.
    pub task_definition: String,
    /// Sandbox seconds.
    pub created_at: f64,
    /// Container, image and, once a task has resolved it, digest.
    pub images: Vec<(String, String, Option<String>)>,
}

impl Service {
    /// Opens record and revision of a new deployment.
    pub(crate) fn record(&mut self, deployment: &str, task_definition: &str, now: f64, ids: &mut Ids) {
        let prefix = self.arn.replacen(":service/", ":service-deployment/", 1);
        let sources = self.deployments.iter().filter(|old| old.id != deployment && self.live(&old.id) > 0);
        self.records.insert(
            0,
            ServiceDeployment {
                arn: format!("{prefix}/{}", ids.url_safe(21)),
                deployment: deployment.to_owned(),
                sources: sources.map(|old| old.id.clone()).collect(),
                created_at: now,
                finished_at: None,
                stop_requested_at: None,
                status: "IN_PROGRESS".to_owned(),
                reason: None,
                rollback: None,
                bake: self.bake,
                failures: 0,
            },
        );
        self.revise(deployment, task_definition, now);
    }

    /// Opens a revision without a record of its own: a rollback with a fresh id.
    pub(crate) fn revise(&mut self, deployment: &str, task_definition: &str, now: f64) {
        let revision = Revision {
            deployment: deployment.to_owned(),
            task_definition: task_definition.to_owned(),
            created_at: now,
            images: Vec::new(),
        };
        self.revisions.insert(0, revision);
    }

    /// The newest record of a deployment.
    pub(crate) fn record_mut(&mut self, deployment: &str) -> Option<&mut ServiceDeployment> {
        self.records.iter_mut().find(|record| record.deployment == deployment)
    }
}
