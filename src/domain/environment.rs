//! An environment, as `environments/<env>.env` and the variables over it describe it.

use std::collections::BTreeMap;
use std::time::Duration;

use super::e2e::Suite;

/// Where and how a release is deployed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Environment {
    /// `dev`, `staging`, `prod` or another file's name.
    pub name: String,
    /// The AWS region.
    pub region: String,
    /// The ECS cluster.
    pub cluster: String,
    /// The role that is assumed with the runner's OIDC token.
    pub role_arn: Option<String>,
    /// Any other account is refused.
    pub account_id: Option<String>,
    /// The account of the one registry; the role's own where none is given.
    pub ecr_account_id: Option<String>,
    /// The region of the one registry.
    pub ecr_region: String,
    /// The organisation on GitHub.
    pub github_owner: String,
    /// The repository from which all services are deployed.
    pub orchestrator: String,
    /// Joined with `health.path` for smoke tests.
    pub base_url: Option<String>,
    /// How long a service may take to answer well.
    pub smoke_timeout: Duration,
    /// How long one service's deployment may take.
    pub timeout: Duration,
    /// The time between two looks at what is in flight.
    pub poll: Duration,
    /// Where the release's message appears.
    pub slack_channel: String,
    /// A GitHub App for the other repositories: its id, and the Secrets Manager name of its private key.
    pub github_app: Option<(u64, String)>,
    /// The branch that is deployed where a repository lacks the release's tag.
    pub source_branch: String,
    /// Builds at once; the number of cores where none is given.
    pub build_jobs: Option<usize>,
    /// A buildx cache reference; `{service}` stands for the service.
    pub build_cache: Option<String>,
    /// An environment that an image must have passed; then nothing is built.
    pub require_passed: Option<String>,
    /// The suite that must pass after a deployment; none where there is none.
    pub suite: Option<Suite>,
    /// Where its results appear.
    pub e2e_channel: String,
    /// How a release is told to people.
    pub notes: NotesSettings,
    /// Non-secret configuration for services.
    pub values: BTreeMap<String, String>,
}

/// How release notes are made and where they go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NotesSettings {
    /// A deployment publishes them.
    pub is_published: bool,
    /// The Secrets Manager name of the Anthropic key; without one the notes are plain.
    pub secret: Option<String>,
    /// Models, tried in order.
    pub models: Vec<String>,
    /// Where they appear.
    pub channel: String,
}

impl Environment {
    /// The AWS account: the one that is named, else the role's.
    pub fn account(&self) -> Option<&str> {
        let of_role = || self.role_arn.as_deref()?.split(':').nth(4).filter(|account| !account.is_empty());
        self.account_id.as_deref().or_else(of_role)
    }

    /// `owner/name` of a repository that may be written without its owner.
    pub fn repository(&self, name: &str) -> String {
        if name.contains('/') { name.to_owned() } else { format!("{}/{name}", self.github_owner) }
    }
}
