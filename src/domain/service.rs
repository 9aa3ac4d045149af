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
    /// The service's name in ECS.
    pub fn ecs_name(&self, environment: &str) -> String {
        self.ecs_service.replace("{env}", environment)
    }

    /// Its secrets by variable, as they are called in one environment.
    pub fn secret_references<'a>(&'a self, environment: &'a str) -> impl Iterator<Item = (&'a String, String)> {
        self.secrets.iter().map(move |(variable, reference)| (variable, reference.replace("{env}", environment)))
    }

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

/// What a secret is looked up by, and the rest: ECS's `:key:stage:version` behind the seven fields of an ARN is no part of it.
pub fn secret_id(reference: &str) -> (&str, &str) {
    if !reference.starts_with("arn:") {
        return (reference, "");
    }
    reference.split_at(reference.match_indices(':').nth(6).map_or(reference.len(), |(at, _)| at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ecs_adds_to_an_arn_is_no_part_of_the_secret() {
        let arn = "arn:aws:secretsmanager:us-west-1:1:secret:db-AbCdEf";
        assert_eq!(secret_id(&format!("{arn}:user::")), (arn, ":user::"));
        assert_eq!(secret_id(arn), (arn, ""));
        assert_eq!(secret_id("escher/dev/x"), ("escher/dev/x", ""));
    }
}
