//! The `DEPLOY_*` keys: one table for their names, shapes and defaults (CONTRACT 4).

use std::collections::BTreeMap;
use std::path::Path;

use super::dotenv;
use super::later;
use super::problem::{Origin, Problem, did_you_mean};
use super::value::{self, Shape};
use crate::domain::credential;
use crate::domain::environment::Environment;
use crate::domain::names::nearest;

/// One key that steers the pipeline.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Its name.
    pub key: &'static str,
    /// What a value must look like.
    pub shape: Shape,
    /// The value where none is given.
    pub default: Option<&'static str>,
    /// What it means.
    pub meaning: &'static str,
}

const fn setting(key: &'static str, shape: Shape, default: Option<&'static str>, meaning: &'static str) -> Setting {
    Setting { key, shape, default, meaning }
}

/// Every key that begins with `DEPLOY_`; any other is an error.
pub const SETTINGS: &[Setting] = &[
    setting("DEPLOY_REGION", Shape::Text, None, "AWS region; required"),
    setting("DEPLOY_CLUSTER", Shape::Text, None, "ECS cluster; required"),
    setting("DEPLOY_ROLE_ARN", Shape::RoleArn, None, "role that is assumed with the runner's OIDC token"),
    setting("DEPLOY_ACCOUNT_ID", Shape::Account, None, "any other AWS account is refused"),
    setting("DEPLOY_ECR_ACCOUNT_ID", Shape::Account, None, "account of the one registry (the role's)"),
    setting("DEPLOY_ECR_REGION", Shape::Text, None, "region of the one registry (DEPLOY_REGION)"),
    setting("DEPLOY_GITHUB_OWNER", Shape::Text, Some("escher-dbai"), "organisation on GitHub"),
    setting("DEPLOY_ORCHESTRATOR", Shape::Text, Some("v3-escher-deployment"), "repository that deploys every service"),
    setting("DEPLOY_GITHUB_APP_ID", Shape::Count, None, "GitHub App for tokens of the other repositories"),
    setting("DEPLOY_GITHUB_APP_SECRET", Shape::Text, None, "Secrets Manager name of the App's private key"),
    setting("DEPLOY_SOURCE_BRANCH", Shape::Text, None, "branch deployed where a repository lacks the tag (develop; prod: main)"),
    setting("DEPLOY_BUILD_JOBS", Shape::Count, None, "builds at once (the number of cores)"),
    setting("DEPLOY_BUILD_CACHE", Shape::Text, None, "a buildx cache reference; may hold {service}"),
    setting("DEPLOY_BASE_URL", Shape::Url, None, "joined with health.path for smoke tests; may hold {service} and {env}"),
    setting("DEPLOY_SMOKE_TIMEOUT_SECONDS", Shape::Decimal, Some("60"), "how long a service may take to answer well, in seconds"),
    setting("DEPLOY_ON_FAILURE", Shape::OnFailure, Some("rollback"), "rollback or hold"),
    setting("DEPLOY_TIMEOUT_MINUTES", Shape::Decimal, Some("20"), "how long one service's deployment may take, in minutes"),
    setting("DEPLOY_POLL_SECONDS", Shape::Interval, Some("2"), "time between two looks at ECS, in seconds"),
    setting("DEPLOY_REQUIRE_PASSED", Shape::Text, None, "environment whose passed- tag an image must have"),
    setting("DEPLOY_SLACK_CHANNEL", Shape::Text, Some("#escher-deployments"), "channel of the release's message"),
    setting("DEPLOY_E2E_CHANNEL", Shape::Text, Some("#escher-test-results"), "channel of E2E results"),
    setting("DEPLOY_RELEASES_CHANNEL", Shape::Text, Some("#escher-releases"), "channel of release notes"),
    setting("DEPLOY_E2E_REPOSITORY", Shape::Text, Some("v3-testing-framework"), "repository of the E2E suite"),
    setting("DEPLOY_E2E_WORKFLOW", Shape::Text, Some("e2e.yml"), "workflow of the E2E suite"),
    setting("DEPLOY_E2E_REF", Shape::Text, Some("main"), "ref of the E2E suite"),
    setting("DEPLOY_E2E_SUITE", Shape::Text, None, "suite that runs there (none)"),
    setting("DEPLOY_E2E_COMMAND", Shape::Text, None, "a local command instead of a dispatch"),
    setting("DEPLOY_E2E_TIMEOUT_MINUTES", Shape::Decimal, Some("30"), "how long the suite may take, in minutes"),
    setting("DEPLOY_E2E_ROLLBACK", Shape::Boolean, Some("false"), "whether a failed suite rolls the release back"),
    setting("DEPLOY_RELEASE_NOTES", Shape::Boolean, Some("false"), "whether release notes are published"),
    setting("DEPLOY_ANTHROPIC_SECRET", Shape::Text, None, "Secrets Manager name of the Anthropic key"),
    setting("DEPLOY_NOTES_MODELS", Shape::Text, Some("claude-sonnet-4-5,claude-sonnet-5-5"), "models tried in order"),
];

/// A value and where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sourced {
    pub(super) text: String,
    pub(super) origin: Origin,
}

/// One environment's file, merged with what stands over it.
#[derive(Clone, Debug, Default)]
pub(super) struct Settings {
    values: BTreeMap<&'static str, Sourced>,
    /// Everything in the file that doesn't steer the pipeline.
    pub(super) configuration: BTreeMap<String, String>,
    /// The file, as a person would write it.
    pub(super) path: String,
    /// It is there.
    pub(super) is_found: bool,
}

impl Settings {
    pub(super) fn get(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(|value| value.text.as_str())
    }

    /// A value, and where it came from.
    pub(super) fn sourced(&self, key: &str) -> Option<(&str, &Origin)> {
        self.values.get(key).map(|value| (value.text.as_str(), &value.origin))
    }

    fn text(&self, key: &str) -> Option<String> {
        self.get(key).map(str::to_owned)
    }
}

/// Reads `environments/<name>.env`; a file that isn't there is a problem that names those that are.
pub(super) fn read_file(folder: &Path, name: &str, problems: &mut Vec<Problem>) -> Settings {
    let path = format!("environments/{name}.env");
    let mut settings = Settings { path: path.clone(), ..Settings::default() };
    let known = known(folder);
    // The list decides, not the file system: on some, `Prod.env` opens `prod.env`.
    if !known.iter().any(|other| other == name) {
        let hint = did_you_mean(name, known.iter().map(String::as_str));
        problems.push(Problem::at(&path, 0, format!("environment `{name}` has no file{hint}")));
        return settings;
    }
    let text = match std::fs::read_to_string(folder.join(&path)) {
        Ok(text) => text,
        Err(error) => {
            problems.push(Problem::at(&path, 0, format!("can't be read: {error}")));
            return settings;
        }
    };
    settings.is_found = true;
    for entry in dotenv::read(&path, &text, problems) {
        if let Some(kind) = credential::looks_like(&entry.value) {
            let message = format!("`{}` holds {kind}: put it into Secrets Manager and name it under `secrets` of the service", entry.key);
            problems.push(Problem::at(&path, entry.line, message));
        } else if let Some(setting) = SETTINGS.iter().find(|setting| setting.key == entry.key) {
            let origin = Origin::File { path: path.clone(), line: entry.line };
            settings.values.insert(setting.key, Sourced { text: entry.value, origin });
        } else if entry.key.starts_with("DEPLOY_") {
            let hint = did_you_mean(&entry.key, SETTINGS.iter().map(|setting| setting.key));
            problems.push(Problem::at(&path, entry.line, format!("unknown key `{}`{hint}", entry.key)));
        } else {
            settings.configuration.insert(entry.key, entry.value);
        }
    }
    settings
}

/// The environments that have a file.
pub(super) fn known(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder.join("environments")).into_iter().flatten().filter_map(Result::ok);
    let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().to_str()?.strip_suffix(".env").map(str::to_owned)).collect();
    names.sort();
    names
}

/// Puts inputs and variables over the file and the defaults under it, drops what is empty, and checks every value.
pub(super) fn merge(
    settings: &mut Settings,
    over: &BTreeMap<&'static str, Sourced>,
    variables: &BTreeMap<String, String>,
    problems: &mut Vec<Problem>,
) {
    for setting in SETTINGS {
        let variable = variables.get(setting.key).map(|text| text.trim()).filter(|text| !text.is_empty());
        let variable = variable.map(|text| Sourced { text: text.to_owned(), origin: Origin::Variable(setting.key.to_owned()) });
        let file = settings.values.remove(setting.key).filter(|value| !value.text.is_empty());
        let default = setting.default.map(|text| Sourced { text: text.to_owned(), origin: Origin::Default });
        let Some(value) = over.get(setting.key).cloned().or(variable).or(file).or(default) else { continue };
        match setting.shape.complaint(&value.text) {
            // Whoever set the input knows it by that name.
            Some(complaint) if matches!(value.origin, Origin::Input(_)) => {
                problems.push(Problem { origin: value.origin, message: complaint })
            }
            Some(complaint) => problems.push(Problem { origin: value.origin, message: format!("{} {complaint}", setting.key) }),
            None => {
                settings.values.insert(setting.key, value);
            }
        }
    }
}

/// Variables of the job that look like a key and are none. Others may use the prefix, so this refuses nothing.
pub(super) fn mistyped(variables: &BTreeMap<String, String>) -> Vec<String> {
    // What all of them begin with makes none of them alike.
    let keys = || SETTINGS.iter().filter_map(|setting| setting.key.strip_prefix("DEPLOY_"));
    let unknown = variables.keys().filter_map(|name| name.strip_prefix("DEPLOY_")).filter(|name| !keys().any(|key| key == *name));
    let doubt = |name: &str| {
        let near = nearest(name, keys())?;
        Some(format!("variable DEPLOY_{name} is no key, and has no effect; did you mean DEPLOY_{near}?"))
    };
    unknown.filter_map(doubt).collect()
}

/// The App's two halves belong together.
fn github_app(settings: &Settings, problems: &mut Vec<Problem>) -> Option<(u64, String)> {
    let (id, secret) = ("DEPLOY_GITHUB_APP_ID", "DEPLOY_GITHUB_APP_SECRET");
    match (settings.values.get(id), settings.values.get(secret)) {
        (Some(number), Some(name)) => Some((number.text.parse().ok()?, name.text.clone())),
        (Some(one), None) => {
            problems.push(Problem { origin: one.origin.clone(), message: format!("{id} is set without {secret}") });
            None
        }
        (None, Some(one)) => {
            problems.push(Problem { origin: one.origin.clone(), message: format!("{secret} is set without {id}") });
            None
        }
        (None, None) => None,
    }
}

/// A gate that names no environment would never open.
fn require_passed(name: &str, settings: &Settings, environments: &[String], problems: &mut Vec<Problem>) -> Option<String> {
    let value = settings.values.get("DEPLOY_REQUIRE_PASSED")?;
    let wrong = if value.text == name {
        Some("is the environment itself".to_owned())
    } else if !environments.contains(&value.text) {
        Some(format!(
            "is `{}`, an environment without a file{}",
            value.text,
            did_you_mean(&value.text, environments.iter().map(String::as_str))
        ))
    } else {
        None
    };
    if let Some(wrong) = wrong {
        problems.push(Problem { origin: value.origin.clone(), message: format!("DEPLOY_REQUIRE_PASSED {wrong}") });
        return None;
    }
    Some(value.text.clone())
}

/// The environment, once everything was checked; what must be there and isn't is a problem.
pub(super) fn environment(name: &str, folder: &Path, settings: &Settings, problems: &mut Vec<Problem>) -> Environment {
    let require_passed = require_passed(name, settings, &known(folder), problems);
    let github_app = github_app(settings, problems);
    let suite = later::suite(settings, problems);
    let mut required = |key: &str| {
        let text = settings.text(key);
        if text.is_none() && settings.is_found {
            problems.push(Problem::at(&settings.path, 0, format!("{key} is missing: set it there, or as a variable of the job")));
        }
        text.unwrap_or_default()
    };
    let region = required("DEPLOY_REGION");
    let cluster = required("DEPLOY_CLUSTER");
    let number = |key: &str, seconds: f64| value::duration(settings.get(key).unwrap_or_default(), seconds);
    Environment {
        name: name.to_owned(),
        ecr_region: settings.text("DEPLOY_ECR_REGION").unwrap_or_else(|| region.clone()),
        region,
        cluster,
        role_arn: settings.text("DEPLOY_ROLE_ARN"),
        account_id: settings.text("DEPLOY_ACCOUNT_ID"),
        ecr_account_id: settings.text("DEPLOY_ECR_ACCOUNT_ID"),
        github_owner: settings.text("DEPLOY_GITHUB_OWNER").unwrap_or_default(),
        orchestrator: settings.text("DEPLOY_ORCHESTRATOR").unwrap_or_default(),
        base_url: settings.text("DEPLOY_BASE_URL"),
        smoke_timeout: number("DEPLOY_SMOKE_TIMEOUT_SECONDS", 1.0),
        timeout: number("DEPLOY_TIMEOUT_MINUTES", 60.0),
        poll: number("DEPLOY_POLL_SECONDS", 1.0),
        github_app,
        source_branch: settings.text("DEPLOY_SOURCE_BRANCH").unwrap_or_else(|| if name == "prod" { "main" } else { "develop" }.to_owned()),
        build_jobs: settings.get("DEPLOY_BUILD_JOBS").and_then(|text| text.parse().ok()),
        build_cache: settings.text("DEPLOY_BUILD_CACHE"),
        require_passed,
        slack_channel: settings.text("DEPLOY_SLACK_CHANNEL").unwrap_or_default(),
        suite,
        e2e_channel: settings.text("DEPLOY_E2E_CHANNEL").unwrap_or_default(),
        notes: later::notes(settings),
        values: settings.configuration.clone(),
    }
}
