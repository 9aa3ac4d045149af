//! `services/<name>.yml`: text in, `Service` out, every problem with its line.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::fields::Fields;
use super::problem::{Problem, did_you_mean};
use super::service_keys::{HEALTH, KEYS, MIGRATE};
use super::yaml;
use crate::domain::credential;
use crate::domain::graph::{Cycle, Graph};
use crate::domain::names::{EcrRepository, ServiceName};
use crate::domain::paths::Paths;
use crate::domain::service::{Health, HealthTarget, Migration, Service};

/// A service with the lines that later checks point at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Read {
    pub(super) service: Service,
    pub(super) path: String,
    pub(super) need_lines: Vec<usize>,
    pub(super) config_lines: Vec<usize>,
    pub(super) health_line: usize,
}

/// Everything under `services/`.
#[derive(Clone, Debug, Default)]
pub(super) struct Folder {
    /// The files that are sound.
    pub(super) services: BTreeMap<ServiceName, Read>,
    /// The names of all files, so that a need of a broken one isn't called unknown too.
    names: BTreeSet<ServiceName>,
}

impl Folder {
    /// Every file could be read as YAML, so a name that isn't here is nowhere.
    pub(super) fn is_whole(&self) -> bool {
        !self.names.is_empty() && self.names.len() == self.services.len()
    }
}

/// Reads every file of the folder.
pub(super) fn read_folder(folder: &Path, problems: &mut Vec<Problem>) -> Folder {
    let mut found = Folder::default();
    let shown = folder.join("services").display().to_string();
    let mut files: Vec<_> = match std::fs::read_dir(folder.join("services")) {
        Ok(entries) => entries.filter_map(Result::ok).map(|entry| entry.path()).collect(),
        Err(error) => {
            let message = format!(
                "the folder can't be read ({error}): set the input `config-dir` to the folder that holds services/ and environments/"
            );
            problems.push(Problem::at(&shown, 0, message));
            return found;
        }
    };
    files.sort();
    for file in files {
        let stem = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        let path = format!("services/{}", file.file_name().and_then(|name| name.to_str()).unwrap_or_default());
        match file.extension().and_then(|extension| extension.to_str()) {
            Some("yml") => {}
            Some("yaml") => {
                problems.push(Problem::at(&path, 0, format!("rename it to services/{stem}.yml: only `.yml` is read")));
                continue;
            }
            _ => continue,
        }
        found.names.insert(stem.into());
        match std::fs::read_to_string(&file) {
            Ok(text) => {
                if let Some(read) = read(&path, stem, &text, problems) {
                    found.services.insert(stem.into(), read);
                }
            }
            Err(error) => problems.push(Problem::at(&path, 0, format!("can't be read: {error}"))),
        }
    }
    if found.names.is_empty() {
        problems.push(Problem::at(&shown, 0, "holds no services/<name>.yml"));
    }
    found
}

/// Reads one file.
fn read(path: &str, stem: &str, text: &str, problems: &mut Vec<Problem>) -> Option<Read> {
    let root = yaml::read(path, text).map_err(|problem| problems.push(problem)).ok()?;
    let mut fields = Fields::open(path, "", &root, KEYS, problems)?;
    let name = fields.required("name");
    if !name.is_empty() && name != stem {
        fields.problem("name", format!("key `name` is `{name}`, but the file is called {stem}.yml: they must be equal"));
    }
    let repo = fields.required("repo");
    if repo.contains('/') {
        fields.problem("repo", format!("key `repo` is `{repo}`: leave the owner out, DEPLOY_GITHUB_OWNER names it"));
    }
    let ecr_repo = EcrRepository::new(fields.required("ecr_repo"));
    let needs = fields.list("needs").unwrap_or_default();
    let config = fields.list("config").unwrap_or_default();
    let secrets = secrets(&mut fields, &config);
    let paths = paths(&mut fields);
    let (dockerfile, context) = build_paths(&mut fields);
    let service = Service {
        repo,
        dockerfile,
        context,
        test_target: fields.text("test_target"),
        ecr_repo,
        needs: needs.iter().map(|(need, _)| ServiceName::from(need.as_str())).collect(),
        ecs_service: fields.text("ecs_service").unwrap_or_else(|| name.clone()),
        container: fields.text("container").unwrap_or_else(|| name.clone()),
        paths,
        health: health(path, &mut fields),
        migrate: migrate(path, &mut fields),
        config: config.iter().map(|(key, _)| key.clone()).collect(),
        secrets,
        release_notes: fields.boolean("release_notes").unwrap_or(false),
        runbook: runbook(&mut fields),
        name: ServiceName::new(name),
    };
    let health_line = fields.line_of("health");
    // What is wrong in it is noted; what is right in it still takes part in the checks across files.
    Some(Read {
        service,
        path: path.to_owned(),
        need_lines: needs.into_iter().map(|(_, line)| line).collect(),
        config_lines: config.into_iter().map(|(_, line)| line).collect(),
        health_line,
    })
}

fn secrets(fields: &mut Fields<'_>, config: &[(String, usize)]) -> BTreeMap<String, String> {
    let pairs = fields.map("secrets");
    for (name, value, line) in &pairs {
        if let Some(kind) = credential::looks_like(value) {
            fields.problem_at(*line, format!("key `secrets.{name}` holds {kind}: put the value into Secrets Manager and name it here"));
        }
        if config.iter().any(|(key, _)| key == name) {
            fields.problem_at(*line, format!("`{name}` is both in `config` and in `secrets`: a container gets it from one of them"));
        }
    }
    for (key, line) in config.iter().filter(|(key, _)| key.starts_with("DEPLOY_")) {
        fields.problem_at(*line, format!("`config` names `{key}`: keys that begin with DEPLOY_ steer the pipeline and reach no container"));
    }
    pairs.into_iter().map(|(name, value, _)| (name, value)).collect()
}

fn health(path: &str, outer: &mut Fields<'_>) -> Option<Health> {
    let node = outer.node("health")?;
    let mut fields = Fields::open(path, "health.", node, HEALTH, outer.problems())?;
    let target = match (fields.text("path"), fields.text("url")) {
        (Some(path), None) => HealthTarget::Path(path),
        (None, Some(url)) => {
            if !url.starts_with("http://") && !url.starts_with("https://") {
                fields.problem("url", format!("key `health.url` must begin with http:// or https://, not `{url}`"));
            }
            HealthTarget::Url(url)
        }
        (Some(_), Some(_)) => {
            fields.problem("url", "give `health.path` or `health.url`, not both");
            return None;
        }
        (None, None) => {
            fields.problem("path", "`health` needs `path`, or `url` for an absolute one");
            return None;
        }
    };
    let status = fields.text("expect_status").unwrap_or_else(|| "200".to_owned());
    let expect_status = status.parse().ok().filter(|status| (100..600).contains(status));
    if expect_status.is_none() {
        fields.problem("expect_status", format!("key `health.expect_status` must be an HTTP status such as 200, not `{status}`"));
    }
    Some(Health { target, expect_status: expect_status?, version_field: fields.text("version_field") })
}

fn migrate(path: &str, outer: &mut Fields<'_>) -> Option<Migration> {
    let node = outer.node("migrate")?;
    let mut fields = Fields::open(path, "migrate.", node, MIGRATE, outer.problems())?;
    let command = fields.list("command").unwrap_or_default();
    if command.is_empty() {
        fields.problem("command", "`migrate.command` needs the command as a list, as in [./migrate, up]");
    }
    let irreversible = fields.boolean("irreversible").unwrap_or(false);
    Some(Migration { command: command.into_iter().map(|(word, _)| word).collect(), irreversible })
}

/// Globs that can be read.
fn paths(fields: &mut Fields<'_>) -> Vec<String> {
    let Some(globs) = fields.list("paths") else { return vec!["**".to_owned()] };
    if !globs.iter().any(|(glob, _)| !glob.starts_with('!')) {
        let message = "key `paths` takes every file out, so the service would never change: begin with '**', or leave it away";
        fields.problem("paths", message);
    }
    for (glob, line) in &globs {
        if glob.ends_with('/') {
            fields
                .problem_at(*line, format!("key `paths` holds `{glob}`, which no file is called: `{glob}**` means what is in the folder"));
        }
        if let Err(why) = Paths::new(std::slice::from_ref(glob)) {
            fields.problem_at(*line, format!("key `paths` holds no glob: {why}"));
        }
    }
    globs.into_iter().map(|(glob, _)| glob).collect()
}

/// The Dockerfile and the context, both from the repository's root. A build from a git URL sees nothing outside the context.
fn build_paths(fields: &mut Fields<'_>) -> (String, String) {
    let mut path = |key: &'static str, default: &str| {
        let text = fields.text(key).unwrap_or_else(|| default.to_owned());
        if text.starts_with('/') || text.split('/').any(|part| part == "..") || text.contains(['#', ':']) {
            fields.problem(key, format!("key `{key}` is `{text}`: name a path inside the repository, from its root"));
        }
        text.trim_start_matches("./").trim_end_matches('/').to_owned()
    };
    let (dockerfile, context) = (path("dockerfile", "Dockerfile"), path("context", "."));
    let context = if context.is_empty() { ".".to_owned() } else { context };
    if context != "." && !dockerfile.starts_with(&format!("{context}/")) {
        let message = format!("key `dockerfile` is `{dockerfile}`, outside `context`: put it there, as in {context}/Dockerfile");
        fields.problem("dockerfile", message);
    }
    (dockerfile, context)
}

fn runbook(fields: &mut Fields<'_>) -> Option<String> {
    let url = fields.text("runbook")?;
    if !url.starts_with("https://") && !url.starts_with("http://") {
        fields.problem("runbook", format!("key `runbook` must be a URL, not `{url}`"));
    }
    Some(url)
}

/// Checks the needs of all files against each other and makes the graph.
pub(super) fn graph(folder: &Folder, problems: &mut Vec<Problem>) -> Graph {
    let services = &folder.services;
    for read in services.values() {
        for (need, line) in read.service.needs.iter().zip(&read.need_lines).filter(|(need, _)| !folder.names.contains(*need)) {
            let hint = did_you_mean(need.as_str(), folder.names.iter().map(ServiceName::as_str));
            problems.push(Problem::at(&read.path, *line, format!("`needs` names `{need}`, which is no service{hint}")));
        }
    }
    for (index, read) in services.values().enumerate() {
        let twin = services.values().take(index).find(|other| other.service.ecs_service == read.service.ecs_service);
        if let Some(twin) = twin {
            let message = format!(
                "`ecs_service` is `{}`, and so it is in {}: they would deploy over each other",
                read.service.ecs_service, twin.path
            );
            problems.push(Problem::at(&read.path, 0, message));
        }
    }
    for (index, read) in services.values().enumerate() {
        let twin = services.values().take(index).find(|other| other.service.ecr_repo == read.service.ecr_repo);
        if let Some(twin) = twin {
            let message = format!(
                "`ecr_repo` is `{}`, and so it is in {}: images are found again by commit, and each would get the other's",
                read.service.ecr_repo, twin.path
            );
            problems.push(Problem::at(&read.path, 0, message));
        }
    }
    let needs = services.iter().map(|(name, read)| (name.clone(), read.service.needs.clone())).collect();
    Graph::new(needs).unwrap_or_else(|cycle| {
        problems.push(circle(&cycle, services));
        Graph::default()
    })
}

fn circle(cycle: &Cycle, services: &BTreeMap<ServiceName, Read>) -> Problem {
    let first = cycle.0.first().and_then(|name| services.get(name));
    let (path, line) = first.map_or(("services/", 0), |read| (read.path.as_str(), read.need_lines.first().copied().unwrap_or(0)));
    Problem::at(path, line, format!("`needs` goes round in a circle: {cycle}; no order exists, remove one of them"))
}
