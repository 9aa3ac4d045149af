//! A service, as `services/<name>.yml` describes it.

use std::collections::BTreeMap;

use super::names::{EcrRepository, ServiceName};

/// One service of Escher.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Its name, the file's.
    pub name: ServiceName,
    /// The repository with its source, without the owner.
    pub repo: String,
    /// Path of the Dockerfile in the repository.
    pub dockerfile: String,
    /// Path of the build context in the repository.
    pub context: String,
    /// A Dockerfile stage that is built first and whose failure fails the build.
    pub test_target: Option<String>,
    /// The ECR repository of its image.
    pub ecr_repo: EcrRepository,
    /// The services that must be healthy before this one is updated.
    pub needs: Vec<ServiceName>,
    /// The service's name in ECS; `{env}` stands for the environment.
    pub ecs_service: String,
    /// The container whose image is replaced.
    pub container: String,
    /// Globs: only changes to these files count.
    pub paths: Vec<String>,
    /// How its health is asked for after a deployment.
    pub health: Option<Health>,
    /// A one-off task before the update.
    pub migrate: Option<Migration>,
    /// Keys of `environments/<env>.env` that the container gets.
    pub config: Vec<String>,
    /// Environment variable → Secrets Manager name, ARN or `ARN:json-key::`; `{env}` stands for the environment.
    pub secrets: BTreeMap<String, String>,
    /// Whether its commits appear in release notes.
    pub release_notes: bool,
    /// Linked from failures.
    pub runbook: Option<String>,
}

/// The smoke test of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// Where to ask.
    pub target: HealthTarget,
    /// The HTTP status that means well.
    pub expect_status: u16,
    /// The field of the JSON answer that names the running version; dots reach into objects.
    pub version_field: Option<String>,
}

/// Where a service's health is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HealthTarget {
    /// Joined with `DEPLOY_BASE_URL`.
    Path(String),
    /// An absolute URL.
    Url(String),
}

/// A one-off task that changes data before the new version runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Migration {
    /// The container's command.
    pub command: Vec<String>,
    /// Whether the version before it can no longer run afterwards.
    pub irreversible: bool,
}

impl Service {
    /// The URL of its smoke test, where it has one.
    pub fn health_url(&self, base: Option<&str>, environment: &str) -> Option<String> {
        let name = self.name.as_str();
        match &self.health.as_ref()?.target {
            HealthTarget::Url(url) => Some(url.replace("{env}", environment).replace("{service}", name)),
            HealthTarget::Path(path) => {
                let base = base?.replace("{service}", name).replace("{env}", environment);
                Some(format!("{}/{}", base.trim_end_matches('/'), path.trim_start_matches('/')))
            }
        }
    }
}
