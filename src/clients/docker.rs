//! Docker: builds images with buildx and pushes them, with a private configuration that is removed afterwards.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};
use tokio::sync::watch;

use super::ecr::Login;
use super::process::{self, Ended, Program};
use crate::domain::names::Digest;

/// A secret of this name is what BuildKit fetches a private git context with
/// (<https://docs.docker.com/build/building/secrets/#git-authentication-for-remote-contexts>).
const GIT_TOKEN: &str = "GIT_AUTH_TOKEN";
/// Words of buildx about a driver that can't export a cache; the build itself is fine without.
const NO_CACHE_EXPORT: &str = "Cache export is not supported";

/// Where the source comes from.
#[derive(Clone, PartialEq, Eq)]
pub enum Context {
    /// A folder of the checkout.
    Folder(PathBuf),
    /// A repository at a commit, and the folder in it.
    Git {
        /// `https://github.com/owner/name.git#commit:folder`.
        url: String,
        /// Reads the repository.
        token: Option<String>,
    },
}

/// One build.
#[derive(Clone, PartialEq, Eq)]
pub struct Build {
    /// The source.
    pub context: Context,
    /// The Dockerfile: a path here, or in the git context.
    pub dockerfile: String,
    /// A stage instead of the last; then nothing is pushed.
    pub target: Option<String>,
    /// `linux/amd64`.
    pub platform: String,
    /// The image's labels.
    pub labels: Vec<(&'static str, String)>,
    /// Arguments that a Dockerfile may ask for.
    pub arguments: Vec<(&'static str, String)>,
    /// Where the image is pushed to.
    pub tag: String,
    /// A cache, as buildx writes it.
    pub cache: Option<String>,
}

/// What became of a build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Built {
    /// What was pushed.
    pub digest: Option<Digest>,
    /// The cache could not be written.
    pub without_cache: bool,
}

/// Why a build has no image.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// Docker or buildx is not there, or no engine answers.
    #[error("docker buildx can't be used: {0}")]
    NoDocker(String),
    /// It failed, with the last lines of its output.
    #[error("docker buildx ended with {code}", code = .0.code.map_or("a signal".to_owned(), |code| format!("exit code {code}")))]
    Failed(Ended),
    /// It was told to stop.
    #[error("the build was stopped")]
    Stopped,
    /// It went well, but what it has pushed isn't known.
    #[error("docker buildx told no digest: {0}")]
    NoDigest(String),
    /// GitHub gave no token to fetch the source with.
    #[error("its source can't be fetched: {0}")]
    NoToken(String),
    /// The private configuration can't be written.
    #[error("{0}")]
    Configuration(String),
}

/// Docker, logged in.
#[derive(Debug)]
pub struct Docker {
    folder: PathBuf,
    hidden: Vec<String>,
}

impl Docker {
    /// Makes a private configuration in `folder`, which holds what the user's own holds, with the registry's login added. The
    /// login is in no argument, and the user's file is left as it is.
    ///
    /// # Errors
    /// `BuildError::Configuration`.
    pub fn login(folder: PathBuf, own: Option<&Path>, login: &Login, hidden: &[String]) -> Result<Self, BuildError> {
        make_private(&folder).map_err(|error| unwritable(&folder, &error))?;
        // From here on the folder goes away with this value, whatever fails.
        let docker = Self { folder, hidden: hidden.to_vec() };
        configuration(&docker.folder, own, login).map_err(|error| unwritable(&docker.folder, &error))?;
        Ok(docker)
    }

    /// A folder that goes away with the login, for what a build needs.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// That docker and buildx are there.
    ///
    /// # Errors
    /// `BuildError::NoDocker` with what it said.
    pub async fn check(hidden: &[String]) -> Result<(), BuildError> {
        let (_sender, stop) = watch::channel(false);
        let arguments = ["buildx", "version"].map(OsString::from).to_vec();
        let program = Program { name: "docker".into(), arguments, hidden: hidden.to_vec(), ..Program::default() };
        match process::run(&program, &stop, |_| {}).await {
            Ok(Ended { code: Some(0), .. }) => Ok(()),
            Ok(ended) => Err(BuildError::NoDocker(ended.tail.into_iter().find(|line| !line.is_empty()).unwrap_or_default())),
            Err(error) => Err(BuildError::NoDocker(format!("docker can't be started: {error}"))),
        }
    }

    /// Builds, and pushes what was built unless it is a stage.
    ///
    /// # Errors
    /// `BuildError`.
    pub async fn build(
        &self,
        build: &Build,
        number: usize,
        stop: &watch::Receiver<bool>,
        show: impl Fn(&str),
    ) -> Result<Built, BuildError> {
        match self.attempt(build, number, stop, &show).await {
            Err(BuildError::Failed(ended)) if build.cache.is_some() && ended.tail.iter().any(|line| line.contains(NO_CACHE_EXPORT)) => {
                let without = Build { cache: None, ..build.clone() };
                self.attempt(&without, number, stop, &show).await.map(|built| Built { without_cache: true, ..built })
            }
            result => result,
        }
    }

    async fn attempt(&self, build: &Build, number: usize, stop: &watch::Receiver<bool>, show: &impl Fn(&str)) -> Result<Built, BuildError> {
        let metadata = self.folder.join(format!("metadata-{number}.json"));
        let _ = std::fs::remove_file(&metadata);
        let mut set = vec![("DOCKER_CONFIG", self.folder.clone().into_os_string())];
        if let Context::Git { token: Some(token), .. } = &build.context {
            set.push((GIT_TOKEN, token.into()));
        }
        let arguments = arguments(build, &metadata);
        let program = Program { name: "docker".into(), arguments, set, hidden: self.hidden.clone(), folder: None };
        let ended = process::run(&program, stop, show).await.map_err(|error| BuildError::NoDocker(error.to_string()))?;
        match ended {
            Ended { was_stopped: true, .. } => Err(BuildError::Stopped),
            Ended { code: Some(0), .. } if build.target.is_some() => Ok(Built { digest: None, without_cache: false }),
            Ended { code: Some(0), .. } => Ok(Built { digest: Some(digest(&metadata)?), without_cache: false }),
            ended => Err(BuildError::Failed(ended)),
        }
    }
}

impl Drop for Docker {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.folder) {
            tracing::warn!(%error, folder = %self.folder.display(), "docker's private configuration can't be removed");
        }
    }
}

/// The command line. Whatever stands here, others can read.
fn arguments(build: &Build, metadata: &Path) -> Vec<OsString> {
    let mut line: Vec<OsString> = ["buildx", "build", "--progress", "plain", "--platform"].map(OsString::from).to_vec();
    let mut add = |words: &[&str]| line.extend(words.iter().map(OsString::from));
    add(&[&build.platform, "--file", &build.dockerfile]);
    for (name, value) in &build.labels {
        add(&["--label", &format!("{name}={value}")]);
    }
    for (name, value) in &build.arguments {
        add(&["--build-arg", &format!("{name}={value}")]);
    }
    if let Some(cache) = &build.cache {
        let (from, to) = cache_options(cache);
        add(&["--cache-from", &from]);
        // The tests' stages are part of what is built, and are cached with it.
        if build.target.is_none() {
            add(&["--cache-to", &to]);
        }
    }
    match &build.target {
        Some(target) => add(&["--target", target, "--output", "type=cacheonly"]),
        None => add(&["--tag", &build.tag, "--push", "--metadata-file", &metadata.display().to_string()]),
    }
    match &build.context {
        Context::Folder(folder) => add(&["--", &folder.display().to_string()]),
        Context::Git { url, token: None } => add(&["--", url]),
        Context::Git { url, token: Some(_) } => add(&["--secret", &format!("id={GIT_TOKEN},env={GIT_TOKEN}"), "--", url]),
    }
    line
}

/// Where a cache is read and written: a bare reference is a registry's, and every stage is kept unless it says otherwise.
fn cache_options(cache: &str) -> (String, String) {
    let from = if cache.contains("type=") { cache.to_owned() } else { format!("type=registry,ref={cache}") };
    let to = if from.contains("mode=") { from.clone() } else { format!("{from},mode=max") };
    let readable: Vec<&str> = from.split(',').filter(|part| !part.starts_with("mode=")).collect();
    (readable.join(","), to)
}

fn digest(metadata: &Path) -> Result<Digest, BuildError> {
    let text = std::fs::read_to_string(metadata).map_err(|error| BuildError::NoDigest(error.to_string()))?;
    let value: Value = serde_json::from_str(&text).map_err(|error| BuildError::NoDigest(error.to_string()))?;
    let digest = value["containerimage.digest"].as_str().filter(|digest| digest.starts_with("sha256:"));
    digest.map(Digest::from).ok_or_else(|| BuildError::NoDigest("its metadata has no `containerimage.digest`".to_owned()))
}

fn unwritable(folder: &Path, error: &io::Error) -> BuildError {
    BuildError::Configuration(format!("{} can't be written: {error}", folder.display()))
}

/// Everything that the user's own folder holds is there: plugins, builders, contexts, logins of other registries.
fn configuration(folder: &Path, own: Option<&Path>, login: &Login) -> io::Result<()> {
    let mut config = Map::new();
    if let Some(own) = own {
        for entry in std::fs::read_dir(own).into_iter().flatten().filter_map(Result::ok) {
            // A link that leads nowhere is nothing that docker could miss.
            if let Ok(real) = std::fs::canonicalize(entry.path())
                && entry.file_name() != "config.json"
            {
                link(&real, &folder.join(entry.file_name()))?;
            }
        }
        let text = std::fs::read_to_string(own.join("config.json")).unwrap_or_default();
        config = serde_json::from_str(&text).unwrap_or_else(|error| {
            if !text.is_empty() {
                tracing::warn!(%error, "docker's own config.json can't be read, so logins and contexts in it are not used");
            }
            Map::new()
        });
    }
    // A store or a helper would be asked instead of the entry below.
    config.remove("credsStore");
    if let Some(helpers) = config.get_mut("credHelpers").and_then(Value::as_object_mut) {
        helpers.remove(&login.host);
    }
    let auths = config.entry("auths").or_insert_with(|| json!({}));
    if !auths.is_object() {
        *auths = json!({});
    }
    auths[&login.host] = json!({ "auth": login.auth });
    write_private(&folder.join("config.json"), &Value::Object(config).to_string())
}

#[cfg(unix)]
fn make_private(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().mode(0o700).create(folder)
}

#[cfg(unix)]
fn link(to: &Path, at: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(to, at)
}

#[cfg(unix)]
fn write_private(path: &Path, text: &str) -> io::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    std::fs::OpenOptions::new().create_new(true).write(true).mode(0o600).open(path)?.write_all(text.as_bytes())
}

#[cfg(test)]
#[path = "docker_tests.rs"]
mod tests;
