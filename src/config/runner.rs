//! What the runner tells a step: `GITHUB_*`, `RUNNER_*`, `ACTIONS_*`, and the endpoints
//! (<https://docs.github.com/en/actions/reference/workflows-and-actions/variables>).

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

/// The variables, all of them optional: act sets fewer, and a developer's machine none.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
pub struct Runner {
    github_actions: Option<String>,
    github_repository: Option<String>,
    github_ref_name: Option<String>,
    github_ref_type: Option<String>,
    github_sha: Option<String>,
    github_workspace: Option<PathBuf>,
    github_run_id: Option<String>,
    github_run_attempt: Option<String>,
    github_server_url: Option<String>,
    github_actor: Option<String>,
    github_triggering_actor: Option<String>,
    github_output: Option<PathBuf>,
    github_step_summary: Option<PathBuf>,
    github_action_path: Option<PathBuf>,
    runner_temp: Option<PathBuf>,
    runner_debug: Option<String>,
    actions_id_token_request_url: Option<String>,
    actions_id_token_request_token: Option<String>,
    github_api_url: Option<String>,
    slack_api_url: Option<String>,
    anthropic_base_url: Option<String>,
    user: Option<String>,
    home: Option<PathBuf>,
    docker_config: Option<PathBuf>,
    escher_ecs_rate: Option<String>,
}

/// Where to fetch an OIDC token, and with what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OidcRequest {
    /// `ACTIONS_ID_TOKEN_REQUEST_URL`.
    pub url: String,
    /// `ACTIONS_ID_TOKEN_REQUEST_TOKEN`.
    pub token: String,
}

impl Runner {
    /// Reads the variables; empty equals absent.
    pub(super) fn read(variables: &BTreeMap<String, String>) -> Self {
        // envy reads names in lower case, so `user` beside `USER` would be a duplicate, and everything would be lost.
        let is_upper = |name: &str| !name.bytes().any(|byte| byte.is_ascii_lowercase());
        let given = variables.iter().filter(|(name, value)| is_upper(name) && !value.trim().is_empty());
        let given = given.map(|(name, value)| (name.clone(), value.trim().to_owned()));
        // All fields are optional texts and paths, so there is nothing that could fail.
        envy::from_iter(given).unwrap_or_default()
    }

    /// Whether this is a workflow's step; act says so too. The kind of output hangs on it, never isatty alone.
    pub fn is_github_actions(&self) -> bool {
        self.github_actions.as_deref() == Some("true")
    }

    /// The step runs with debug logging.
    pub fn is_debug(&self) -> bool {
        self.runner_debug.as_deref() == Some("1")
    }

    /// `owner/name` of the workflow's repository.
    pub fn repository(&self) -> Option<&str> {
        self.github_repository.as_deref()
    }

    /// The tag that was pushed.
    pub fn pushed_tag(&self) -> Option<&str> {
        self.github_ref_name.as_deref().filter(|_| self.github_ref_type.as_deref() == Some("tag"))
    }

    /// The commit that was pushed with the tag.
    pub fn pushed_commit(&self) -> Option<&str> {
        self.github_sha.as_deref().filter(|_| self.github_ref_type.as_deref() == Some("tag"))
    }

    /// The folder of the checkout: the workspace, locally the current one.
    pub fn workspace(&self) -> PathBuf {
        self.github_workspace.clone().unwrap_or_else(|| PathBuf::from("."))
    }

    /// Docker's configuration of this user.
    pub fn docker_config(&self) -> Option<PathBuf> {
        self.docker_config.clone().or_else(|| Some(self.home.as_ref()?.join(".docker"))).filter(|folder| folder.is_dir())
    }

    /// Where repositories are cloned from.
    pub fn server_url(&self) -> &str {
        self.github_server_url.as_deref().map_or("https://github.com", |url| url.trim_end_matches('/'))
    }

    /// The run's id; `local` on a developer's machine.
    pub fn run_id(&self) -> &str {
        self.github_run_id.as_deref().unwrap_or("local")
    }

    /// The attempt, from 1.
    pub fn attempt(&self) -> &str {
        self.github_run_attempt.as_deref().unwrap_or("1")
    }

    /// Who started this attempt.
    pub fn actor(&self) -> &str {
        self.github_triggering_actor.as_deref().or(self.github_actor.as_deref()).or(self.user.as_deref()).unwrap_or("someone")
    }

    /// The run's page.
    pub fn run_url(&self) -> Option<String> {
        let server = self.server_url();
        let (repository, id) = (self.github_repository.as_deref()?, self.github_run_id.as_deref()?);
        Some(format!("{server}/{repository}/actions/runs/{id}"))
    }

    /// The file for outputs.
    pub fn output_file(&self) -> Option<&PathBuf> {
        self.github_output.as_ref()
    }

    /// The file for the job summary.
    pub fn summary_file(&self) -> Option<&PathBuf> {
        self.github_step_summary.as_ref()
    }

    /// A folder of this job, else of the machine.
    pub fn temp_folder(&self) -> PathBuf {
        self.runner_temp.clone().unwrap_or_else(std::env::temp_dir)
    }

    /// The folder that holds `services/` and `environments/` where no other is named.
    pub fn default_config_folder(&self) -> PathBuf {
        self.github_action_path.clone().unwrap_or_else(|| PathBuf::from("."))
    }

    /// Where to fetch an OIDC token; none without `id-token: write`.
    pub fn oidc(&self) -> Option<OidcRequest> {
        let (url, token) = (self.actions_id_token_request_url.clone()?, self.actions_id_token_request_token.clone()?);
        Some(OidcRequest { url, token })
    }

    /// How many times ECS's documented rates this account is granted: AWS raises them on request. 1 where nothing is said.
    pub fn ecs_rate(&self) -> f64 {
        let rate = self.escher_ecs_rate.as_ref().and_then(|rate| rate.parse().ok());
        rate.filter(|rate: &f64| rate.is_finite() && *rate >= 0.01).unwrap_or(1.0)
    }

    /// GitHub's REST API.
    pub fn github_url(&self) -> &str {
        self.github_api_url.as_deref().map_or("https://api.github.com", |url| url.trim_end_matches('/'))
    }

    /// Anthropic's API.
    pub fn anthropic_url(&self) -> &str {
        self.anthropic_base_url.as_deref().map_or("https://api.anthropic.com", |url| url.trim_end_matches('/'))
    }

    /// Slack's Web API.
    pub fn slack_url(&self) -> &str {
        self.slack_api_url.as_deref().map_or("https://slack.com/api", |url| url.trim_end_matches('/'))
    }
}
