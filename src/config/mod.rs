//! Flags, variables, YAML and dotenv in; one sound `Request` out, or every problem at once. Nothing is contacted here.

mod command;
mod dotenv;
pub mod env;
mod fields;
pub mod inputs;
mod later;
pub mod problem;
pub mod runner;
pub mod service_keys;
mod services;
pub mod settings;
mod value;
mod yaml;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use inputs::Inputs;
use problem::{Origin, Problem};
use runner::Runner;

pub use command::{COMMANDS, Command};
pub use value::Shape;

use crate::domain::credential::redact;
use crate::domain::environment::Environment;
use crate::domain::graph::Graph;
use crate::domain::names::ServiceName;
use crate::domain::scope::{self, Asked, Scope};
use crate::domain::service::{HealthTarget, Service};
use crate::domain::tag::{ReleaseTag, TABLE};

/// Tokens, to be masked before first use.
#[derive(Clone, Default)]
pub struct Tokens {
    /// Slack's bot token.
    pub slack: Option<String>,
    /// GitHub's, for reading.
    pub github: Option<String>,
    /// GitHub's, for dispatching in the test repository.
    pub e2e: Option<String>,
    /// Everything that must never be seen.
    pub all: Vec<String>,
    /// The variables of this process that hold such things: programs that are started don't get them.
    pub variables: Vec<String>,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tokens({} masked)", self.all.len())
    }
}

/// An earlier job's Slack message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlackMessage {
    /// The channel's id.
    pub channel: String,
    /// The message's timestamp, its name.
    pub ts: String,
}

/// A sound request.
#[derive(Clone, Debug)]
pub struct Request {
    /// What to do.
    pub command: Command,
    /// The release; `smoke` and `iam` do without.
    pub tag: Option<ReleaseTag>,
    /// Where.
    pub environment: Environment,
    /// The other environments, where the request is about all of them.
    pub beside: Vec<Environment>,
    /// Every service that is described.
    pub services: BTreeMap<ServiceName, Service>,
    /// Their order.
    pub graph: Graph,
    /// Those that this run is about.
    pub scope: Scope,
    /// Print the plan and stop.
    pub dry_run: bool,
    /// Deploy unchanged services too.
    pub force: bool,
    /// Let the release go over one that is ahead of it.
    pub allow_older: bool,
    /// Don't ask for health and version.
    pub skip_smoke: bool,
    /// Don't hand over to the suite.
    pub skip_e2e: bool,
    /// The release before, for its notes.
    pub from_tag: Option<ReleaseTag>,
    /// Slack ids by GitHub login, in lower case.
    pub slack_users: BTreeMap<String, String>,
    /// Take the whole release back when a service fails.
    pub rolls_back: bool,
    /// An earlier job's message to carry on.
    pub slack_message: Option<SlackMessage>,
    /// What may be a mistake, and refuses nothing.
    pub doubts: Vec<String>,
    /// Secrets.
    pub tokens: Tokens,
    /// What the runner told.
    pub runner: Runner,
}

impl Request {
    /// The tag as it is written, empty where there is none.
    pub fn tag_text(&self) -> String {
        self.tag.as_ref().map(ToString::to_string).unwrap_or_default()
    }

    /// The version without `v`, empty where there is no tag.
    pub fn version_text(&self) -> String {
        self.tag.as_ref().map(ReleaseTag::version).unwrap_or_default()
    }
}

/// The outcome of reading everything, together with what is needed to report a refusal.
#[derive(Debug)]
pub struct Loaded {
    /// The request, or every problem, sorted.
    pub request: Result<Box<Request>, Vec<Problem>>,
    /// What the runner told.
    pub runner: Runner,
    /// Secrets that must not appear even in a refusal.
    pub secrets: Vec<String>,
    /// Only the schema is wanted, which needs no configuration.
    pub wants_schema: bool,
    /// For machines: the answer as JSON, and nothing else on stdout.
    pub as_json: bool,
}

/// The flag of the command line that is no input.
pub const JSON_FLAG: &str = "json";

/// Reads flags, variables and files.
pub fn load(flags: &BTreeMap<String, String>, variables: &BTreeMap<String, String>) -> Loaded {
    let runner = Runner::read(variables);
    let inputs = Inputs::read(flags, variables);
    let mut secrets: Vec<String> = inputs.tokens().map(str::to_owned).collect();
    secrets.extend(runner.oidc().map(|oidc| oidc.token));
    let mut problems = Vec::new();
    let wants_schema = inputs.text("command") == Some("schema");
    let as_json = flags.contains_key(JSON_FLAG);
    let request = if wants_schema { None } else { read(&inputs, &runner, variables, &secrets, &mut problems) };
    if as_json && request.as_ref().is_some_and(|request| request.command != Command::Status) {
        problems.push(Problem::input(JSON_FLAG, "belongs to `status`; every other command writes a JSON report (output `report`)"));
    }
    // A message shows what is wrong, and that may be a credential that stands where none belongs.
    problems.iter_mut().for_each(|problem| problem.message = redact(&problem.message));
    problems.sort();
    problems.dedup();
    let request = request.filter(|_| problems.is_empty()).map(Box::new).ok_or(problems);
    Loaded { request, runner, secrets, wants_schema, as_json }
}

fn read(
    inputs: &Inputs,
    runner: &Runner,
    variables: &BTreeMap<String, String>,
    secrets: &[String],
    problems: &mut Vec<Problem>,
) -> Option<Request> {
    let command = inputs::choice("command", inputs.text("command").unwrap_or("run"), COMMANDS, problems);
    let folder = inputs.text("config-dir").map_or_else(|| runner.default_config_folder(), PathBuf::from);
    let read = services::read_folder(&folder, problems);
    let graph = services::graph(&read, problems);
    let everywhere = everywhere(command, inputs, &folder, variables, problems);
    let release = match everywhere.first() {
        Some(first) => Some((None, first.clone())),
        None => release(inputs, runner, command.is_some_and(Command::may_lack_tag), problems),
    };
    let settings_of = |name: Option<&String>, problems: &mut Vec<Problem>| {
        let file = name.filter(|_| folder.is_dir()).map(|name| settings::read_file(&folder, name, problems));
        let mut settings = file.unwrap_or_default();
        settings::merge(&mut settings, &inputs.over_settings(), variables, problems);
        settings
    };
    let settings = settings_of(release.as_ref().map(|(_, name)| name), problems);
    let dry_run = inputs.boolean("dry-run", problems);
    let force = inputs.boolean("force", problems);
    let skip_smoke = inputs.boolean("skip-smoke", problems);
    let allow_older = inputs.boolean("allow-older", problems);
    let skip_e2e = inputs.boolean("skip-e2e", problems);
    let from_tag = from_tag(inputs, problems);
    let slack_users = later::slack_users(&folder, problems);
    let (tag, name) = release?;
    let environment = settings::environment(&name, &folder, &settings, problems);
    let mut beside = Vec::new();
    for other in everywhere.iter().skip(1) {
        let settings = settings_of(Some(other), problems);
        beside.push(settings::environment(other, &folder, &settings, problems));
    }
    let services: BTreeMap<ServiceName, Service> = read.services.iter().map(|(name, read)| (name.clone(), read.service.clone())).collect();
    let scope = if read.is_whole() { find_scope(command, inputs, runner, &environment, &services, problems) } else { Scope::default() };
    if settings.is_found {
        let asks_nobody = skip_smoke || command.is_some_and(Command::does_without_health);
        if command == Some(Command::E2e) && environment.suite.is_none() && !skip_e2e {
            let message = "DEPLOY_E2E_SUITE is missing: set it there, or as a variable of the job, to the suite that is to run";
            problems.push(Problem::at(&settings.path, 0, message));
        }
        check_services(&read, &environment, &scope, asks_nobody, problems);
    }
    let message = inputs.text("slack-channel").zip(inputs.text("slack-ts"));
    Some(Request {
        command: command?,
        tag,
        environment,
        beside,
        services,
        graph,
        scope,
        dry_run,
        force,
        allow_older,
        skip_smoke,
        skip_e2e,
        from_tag,
        slack_users,
        rolls_back: settings.get("DEPLOY_ON_FAILURE") != Some("hold"),
        doubts: settings::mistyped(variables),
        slack_message: message.map(|(channel, ts)| SlackMessage { channel: channel.to_owned(), ts: ts.to_owned() }),
        tokens: Tokens {
            slack: inputs.text("slack-bot-token").map(str::to_owned),
            github: inputs.text("github-token").map(str::to_owned),
            e2e: inputs.text("e2e-token").map(str::to_owned),
            all: secrets.to_vec(),
            variables: variables.iter().filter(|(name, value)| is_secret(name, value, secrets)).map(|(name, _)| name.clone()).collect(),
        },
        runner: runner.clone(),
    })
}

/// Every environment, where the request is about all of them: `status` that names none.
fn everywhere(
    command: Option<Command>,
    inputs: &Inputs,
    folder: &Path,
    variables: &BTreeMap<String, String>,
    problems: &mut Vec<Problem>,
) -> Vec<String> {
    if command != Some(Command::Status) || inputs.text("environment").or(inputs.text("tag")).is_some() {
        return Vec::new();
    }
    let mut names = settings::known(folder);
    let usual = |name: &String| ["dev", "staging", "prod"].iter().position(|known| known == name).unwrap_or(usize::MAX);
    names.sort_by_key(usual);
    // A variable stands over every file: it would show one environment under the names of all.
    for key in ["DEPLOY_CLUSTER", "DEPLOY_BASE_URL"] {
        let is_for_one = |text: &&String| !text.trim().is_empty() && !text.contains("{env}");
        if names.len() > 1 && variables.get(key).is_some_and(|text| is_for_one(&text)) {
            let message = "holds for every environment at once: name one with `environment`, or unset it";
            problems.push(Problem { origin: Origin::Variable(key.to_owned()), message: message.to_owned() });
        }
    }
    names
}

/// A variable that no build needs: an input, the runner's OIDC request, or anything that holds a token.
fn is_secret(name: &str, value: &str, secrets: &[String]) -> bool {
    let holds = || secrets.iter().any(|secret| !secret.is_empty() && value.contains(secret.as_str()));
    name.starts_with("INPUT_") || name.starts_with("ACTIONS_ID_TOKEN_") || holds()
}

/// The tag and the environment that it means, or that was asked for (CONTRACT 3).
fn release(inputs: &Inputs, runner: &Runner, may_lack_tag: bool, problems: &mut Vec<Problem>) -> Option<(Option<ReleaseTag>, String)> {
    let Some(text) = inputs.text("tag").or_else(|| runner.pushed_tag()) else {
        if let Some(asked) = inputs.text("environment").filter(|asked| may_lack_tag && is_environment_name(asked)) {
            return Some((None, asked.to_owned()));
        }
        let (input, message) = if may_lack_tag {
            ("environment", "is missing: name it, as in `environment: dev`")
        } else {
            ("tag", "is missing: push a tag, or name the release, as in `tag: v2.16.0-dev`")
        };
        problems.push(Problem::input(input, message));
        return None;
    };
    let tag = ReleaseTag::parse(text).map_err(|error| problems.push(Problem::input("tag", format!("{error}\n{TABLE}")))).ok()?;
    let Some(asked) = inputs.text("environment") else {
        let meant = tag.environment().map_err(|error| problems.push(Problem::input("tag", format!("{error}\n{TABLE}")))).ok()?;
        return Some((Some(tag), meant.to_owned()));
    };
    if !is_environment_name(asked) {
        problems.push(Problem::input("environment", format!("`{asked}` is no environment's name: no slashes, no dots")));
        return None;
    }
    // Environments beyond the three take any valid tag.
    let convention = ["dev", "staging", "prod"].contains(&asked);
    match tag.environment() {
        Ok(meant) if convention && meant != asked => {
            problems.push(Problem::input(
                "environment",
                format!("is `{asked}`, but tag `{tag}` means `{meant}`: correct one of them\n{TABLE}"),
            ));
            None
        }
        Err(error) if convention => {
            problems.push(Problem::input("tag", format!("{error}\n{TABLE}")));
            None
        }
        _ => Some((Some(tag), asked.to_owned())),
    }
}

/// The release before, where it is given.
fn from_tag(inputs: &Inputs, problems: &mut Vec<Problem>) -> Option<ReleaseTag> {
    let text = inputs.text("from-tag")?;
    ReleaseTag::parse(text).map_err(|error| problems.push(Problem::input("from-tag", error.to_string()))).ok()
}

/// A name, not a path out of `environments/`.
fn is_environment_name(name: &str) -> bool {
    !name.contains(['/', '\\', '.'])
}

fn find_scope(
    command: Option<Command>,
    inputs: &Inputs,
    runner: &Runner,
    environment: &Environment,
    services: &BTreeMap<ServiceName, Service>,
    problems: &mut Vec<Problem>,
) -> Scope {
    let (mut wanted, skip) = (inputs.list("services"), inputs.list("skip"));
    // A role is made on an administrator's machine, once for all services; what runs is looked at from anywhere. Nothing is
    // changed by asking for all.
    let is_local = matches!(command, Some(Command::Iam | Command::Status)) && runner.repository().is_none();
    // The suite is about an environment, not about services.
    if (is_local || command == Some(Command::E2e)) && wanted.is_empty() {
        wanted.push("all".to_owned());
    }
    let asked = Asked {
        services: &wanted,
        skip: &skip,
        repository: runner.repository(),
        owner: &environment.github_owner,
        orchestrator: &environment.orchestrator,
    };
    scope::find(&asked, services).unwrap_or_else(|messages| {
        problems.extend(messages.into_iter().map(|message| match message.strip_prefix("input `skip`: ") {
            Some(rest) => Problem::input("skip", rest),
            None => Problem::input("services", message.strip_prefix("input `services`: ").unwrap_or(&message)),
        }));
        Scope::default()
    })
}

/// What a service needs of its environment: values for its `config`, and a base for its health's path.
fn check_services(folder: &services::Folder, environment: &Environment, scope: &Scope, asks_nobody: bool, problems: &mut Vec<Problem>) {
    let path = format!("environments/{}.env", environment.name);
    let known: BTreeSet<&str> = environment.values.keys().map(String::as_str).collect();
    for read in folder.services.values() {
        let missing = read.service.config.iter().zip(&read.config_lines).filter(|(key, _)| !known.contains(key.as_str()));
        for (key, line) in missing {
            problems.push(Problem::at(&read.path, *line, format!("`config` names `{key}`, which {path} does not set")));
        }
        let has_path = matches!(&read.service.health, Some(health) if matches!(health.target, HealthTarget::Path(_)));
        if has_path && !asks_nobody && environment.base_url.is_none() && scope.included.contains(&read.service.name) {
            let message =
                format!("`health.path` has nothing to be joined with: set DEPLOY_BASE_URL in {path}, give `health.url`, or set skip-smoke");
            problems.push(Problem::at(&read.path, read.health_line, message));
        }
    }
}
