//! A Docker engine for builds, behind the script `docker/docker`: `POST /engine/{begin,end,cancel}`.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::call::{Reply, Request};
use crate::ecr::{Fate, Image, digest};
use crate::github::Sight;
use crate::world::World;

/// The engine.
#[derive(Debug, Clone)]
pub struct Engine {
    /// Every build so far.
    pub builds: Vec<Build>,
    /// By service (the label `org.opencontainers.image.title`): what becomes of its builds. The others go well.
    pub fates: BTreeMap<String, BuildFate>,
    /// How long a build takes, in real milliseconds.
    pub millis: u64,
    /// The most builds that ran at the same time.
    pub most_at_once: usize,
}

/// What becomes of a build.
#[derive(Debug, Clone, PartialEq)]
pub enum BuildFate {
    /// A stage that is built by itself fails, with these lines.
    TestFails(Vec<String>),
    /// The image's build fails, with these lines.
    Fails(Vec<String>),
    /// It takes very long.
    NeverEnds,
    /// The driver exports no cache.
    NoCacheExport,
}

/// Where a build stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BuildState {
    /// Under way.
    Running,
    /// Ended well.
    Done,
    /// Ended badly.
    Failed,
    /// Stopped from outside.
    Cancelled,
}

/// A build, as the engine saw it.
#[derive(Debug, Clone)]
pub struct Build {
    /// The label `org.opencontainers.image.title`.
    pub title: String,
    /// The command line behind `docker buildx build`.
    pub arguments: Vec<String>,
    /// Where the command was started.
    pub folder: String,
    /// The names of its environment variables.
    pub variables: Vec<String>,
    /// What lies in the context, where it is a folder.
    pub files: Vec<String>,
    /// What `GIT_AUTH_TOKEN` held.
    pub git_token: Option<String>,
    /// `$DOCKER_CONFIG/config.json`.
    pub config: String,
    /// The stage, where it isn't the last.
    pub target: Option<String>,
    /// Where it stands.
    pub state: BuildState,
}

impl Default for Engine {
    fn default() -> Engine {
        Engine { builds: Vec::new(), fates: BTreeMap::new(), millis: 30, most_at_once: 0 }
    }
}

impl Engine {
    /// The images that were built, by service, in the order of their end; stages built by themselves are none.
    pub fn images(&self) -> Vec<&str> {
        let done = self.builds.iter().filter(|build| build.target.is_none() && build.state == BuildState::Done);
        done.map(|build| build.title.as_str()).collect()
    }
}

impl Build {
    fn read(body: &str) -> Build {
        let all = |kind: &str| -> Vec<String> {
            body.lines().filter_map(|line| line.strip_prefix(kind)?.strip_prefix(' ').map(str::to_owned)).collect()
        };
        let one = |kind: &str| all(kind).pop();
        let arguments = all("argument");
        let mut build = Build {
            title: String::new(),
            folder: one("folder").unwrap_or_default(),
            files: all("file"),
            variables: all("variable"),
            git_token: one("git-token"),
            config: one("config").unwrap_or_default(),
            target: None,
            state: BuildState::Running,
            arguments,
        };
        build.title = build.label("title").unwrap_or_default();
        build.target = build.option("--target").map(str::to_owned);
        build
    }

    /// What stands behind an option.
    pub fn option(&self, name: &str) -> Option<&str> {
        let at = self.arguments.iter().position(|argument| argument == name)?;
        self.arguments.get(at + 1).map(String::as_str)
    }

    /// A label `org.opencontainers.image.…`.
    pub fn label(&self, name: &str) -> Option<String> {
        let prefix = format!("org.opencontainers.image.{name}=");
        self.arguments.iter().find_map(|argument| argument.strip_prefix(&prefix)).map(str::to_owned)
    }

    /// `owner/name` of a git context.
    fn repository(&self) -> Option<&str> {
        let url = self.arguments.last()?.split_once("://")?.1;
        url.split_once('/')?.1.split_once(".git#").map(|(name, _)| name)
    }
}

/// Answers the script: a line of numbers, then lines for people.
pub(crate) fn answer(world: &mut World, operation: &str, request: &Request) -> Reply {
    let number = || request.body.trim().strip_prefix("number ").and_then(|number| number.parse::<usize>().ok());
    let body = match (operation, number()) {
        ("begin", _) => begin(world, Build::read(&request.body)),
        ("end", Some(number)) => end(world, number),
        ("cancel", Some(number)) => {
            set(world, number, BuildState::Cancelled);
            String::new()
        }
        _ => return Reply::json(404, &json!({"message": "page not found"})),
    };
    Reply::new(200, "text/plain", body)
}

fn set(world: &mut World, number: usize, state: BuildState) {
    world.engine.builds.iter_mut().skip(number).take(1).for_each(|build| build.state = state);
}

fn begin(world: &mut World, build: Build) -> String {
    let engine = &mut world.engine;
    let fate = engine.fates.get(&build.title);
    let refuses_cache = fate == Some(&BuildFate::NoCacheExport) && build.option("--cache-to").is_some();
    let millis = match fate {
        Some(BuildFate::NeverEnds) => 600_000,
        _ if refuses_cache => 0,
        _ => engine.millis,
    };
    let context = build.arguments.last().cloned().unwrap_or_default();
    engine.builds.push(build);
    let running = engine.builds.iter().filter(|build| build.state == BuildState::Running).count();
    engine.most_at_once = engine.most_at_once.max(running);
    format!(
        "{} 0 {millis}\n#0 building with \"default\" instance using docker driver\n#1 [internal] load {context}\n",
        engine.builds.len() - 1
    )
}

/// Exit code, metadata, and what the command says last.
fn end(world: &mut World, number: usize) -> String {
    let Some(build) = world.engine.builds.get(number).cloned() else { return "1\n\nERROR: no such build\n".to_owned() };
    match outcome(world, &build) {
        Ok(metadata) => {
            set(world, number, BuildState::Done);
            format!("0\n{metadata}\n#9 DONE 0.1s\n")
        }
        Err(lines) => {
            set(world, number, BuildState::Failed);
            format!("1\n\n{}\n", lines.join("\n"))
        }
    }
}

fn outcome(world: &mut World, build: &Build) -> Result<Value, Vec<String>> {
    let one = |text: &str| vec![format!("ERROR: {text}")];
    // BuildKit gets the token as a secret, and no other way.
    let is_secret = build.option("--secret") == Some("id=GIT_AUTH_TOKEN,env=GIT_AUTH_TOKEN");
    let token = build.git_token.as_deref().filter(|_| is_secret);
    if let Some(repository) = build.repository()
        && world.github.sight(token, repository) != Sight::Sees
    {
        return Err(one(
            "failed to solve: failed to fetch remote: fatal: could not read Username for 'https://github.com': terminal prompts disabled",
        ));
    }
    match world.engine.fates.get(&build.title) {
        Some(BuildFate::NoCacheExport) if build.option("--cache-to").is_some() => {
            return Err(one(
                "Cache export is not supported for the docker driver.\nSwitch to a different driver, or turn on the containerd image store, and try again.",
            ));
        }
        Some(BuildFate::TestFails(lines)) if build.target.is_some() => return Err(lines.clone()),
        Some(BuildFate::Fails(lines)) if build.target.is_none() => return Err(lines.clone()),
        _ => {}
    }
    if build.arguments.iter().any(|argument| argument == "--push") { push(world, build).map_err(|text| one(&text)) } else { Ok(json!({})) }
}

/// Pushes the image under its tag, as the registry lets it.
fn push(world: &mut World, build: &Build) -> Result<Value, String> {
    let reference = build.option("--tag").unwrap_or_default();
    let host = world.ecr.host();
    let named = reference.strip_prefix(&host).and_then(|rest| rest.strip_prefix('/')).and_then(|rest| rest.rsplit_once(':'));
    let Some((name, tag)) = named else { return Err(format!("failed to push {reference}: no such host")) };
    let config: Value = serde_json::from_str(&build.config).unwrap_or_default();
    let auth = STANDARD.encode(format!("AWS:{}", world.ecr.password));
    if config["auths"][&host]["auth"].as_str() != Some(&auth) {
        return Err(format!("failed to push {reference}: no basic auth credentials"));
    }
    let (version, commit) = (build.label("version").unwrap_or_default(), build.label("revision").unwrap_or_default());
    let media_type = "application/vnd.oci.image.manifest.v1+json";
    let layer = |what: &str| digest(format!("{what}:{name}:{commit}").as_bytes());
    let manifest = json!({
        "schemaVersion": 2, "mediaType": media_type,
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": layer("config"), "size": 2841},
        "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": layer("layer"), "size": 31_457_280}]
    })
    .to_string();
    let own = digest(manifest.as_bytes());
    let now = world.now;
    let Some(repository) = world.ecr.repositories.iter_mut().find(|it| it.name == name) else {
        return Err(format!("failed to push {reference}: name unknown: The repository with name '{name}' does not exist in the registry"));
    };
    let is_immutable = repository.mutability.starts_with("IMMUTABLE");
    if is_immutable && repository.image(tag).is_some_and(|image| image.digest != own) {
        return Err(format!(
            "failed to push {reference}: tag invalid: The image tag '{tag}' already exists in the '{name}' repository and cannot be overwritten because the tag is immutable."
        ));
    }
    repository.images.iter_mut().for_each(|image| image.tags.retain(|known| known != tag));
    match repository.images.iter_mut().find(|image| image.digest == own) {
        Some(image) => image.tags.push(tag.to_owned()),
        None => repository.images.push(Image {
            digest: own.clone(),
            tags: vec![tag.to_owned()],
            version,
            fate: Fate::Well,
            manifest,
            media_type: media_type.to_owned(),
            pushed_at: now,
            status: "ACTIVE".to_owned(),
        }),
    }
    Ok(json!({"buildx.build.ref": "default/default/x", "containerimage.digest": own, "image.name": reference}))
}
