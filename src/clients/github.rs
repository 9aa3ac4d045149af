//! GitHub's REST API, through octocrab on the one HTTP client: commits, comparisons, and the tokens of a GitHub App.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use octocrab::models::{AppId, InstallationId};
use octocrab::{Octocrab, OctocrabBuilder};
use reqwest::header::{ACCEPT, HeaderName, HeaderValue};
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::Value;

use super::console::Masks;
use crate::domain::change::{Ancestry, Comparison, MOST_FILES};
use crate::domain::names::Revision;
use crate::domain::older::{Pair, is_commit};

const TRIES: u32 = 3;
const TIMEOUT: Duration = Duration::from_secs(10);
/// A token that is handed to a build is good for at least so long: clones come early in a build.
const GOOD_FOR: chrono::TimeDelta = chrono::TimeDelta::minutes(10);

/// The API.
#[derive(Clone)]
pub struct GitHub {
    crab: Octocrab,
    token: Token,
    masks: Masks,
    /// What was answered already: a branch that moves during a run must not give it two commits.
    known: Arc<Mutex<HashMap<String, Value>>>,
}

#[derive(Clone)]
enum Token {
    /// Given, and good as long as the job.
    Given(String),
    /// An App, and its installation: tokens of an hour, renewed by octocrab.
    Installation(Octocrab, InstallationId),
}

/// Why GitHub gave no useful answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GitHubError {
    /// Another status than 200.
    #[error("GitHub answered {0}{advice}", advice = advice(.0))]
    Status(u16),
    /// No answer.
    #[error("GitHub did not answer: {0}")]
    Unreachable(String),
    /// Nothing in it that means anything.
    #[error("GitHub's answer can't be read")]
    Odd,
    /// A token with characters that no header takes.
    #[error("`github-token` holds a line break or another character that no token has")]
    Token,
    /// The App's key is no RSA key.
    #[error("its private key can't be read: {0}")]
    Key(String),
}

fn advice(status: &u16) -> &'static str {
    match *status {
        301 | 302 | 307 | 308 => ": the repository was renamed: correct `repo`",
        401 => ": the token is wrong or no longer valid: see `github-token`",
        403 | 429 => ": the token may not read the repository, or has reached its rate limit",
        404 => {
            ": the token does not reach the repository, or the commit is not in it; a job's own token reaches its own repository alone: \
             set DEPLOY_GITHUB_APP_ID and DEPLOY_GITHUB_APP_SECRET, or a `github-token` that may read it"
        }
        _ => "",
    }
}

impl GitHubError {
    /// The same request may go well a moment later.
    fn is_passing(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::Status(500..))
    }
}

/// A commit, as far as it is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// Its id.
    pub id: Revision,
    /// Its tree.
    pub tree: String,
}

#[derive(Deserialize)]
struct CommitAnswer {
    sha: String,
    commit: CommitBody,
}

#[derive(Deserialize)]
struct CommitBody {
    tree: Tree,
}

#[derive(Deserialize)]
struct Tree {
    sha: String,
}

#[derive(Deserialize)]
struct CompareAnswer {
    status: String,
    #[serde(default)]
    behind_by: u64,
    #[serde(default)]
    total_commits: u64,
    #[serde(default)]
    files: Option<Vec<File>>,
}

#[derive(Deserialize)]
struct File {
    filename: String,
    previous_filename: Option<String>,
}

impl GitHub {
    /// With a token that was given.
    ///
    /// # Errors
    /// `GitHubError` for an address or a token that can't be sent.
    pub fn with_token(http: &reqwest::Client, url: &str, token: &str, masks: &Masks) -> Result<Self, GitHubError> {
        // octocrab takes it for granted that a token can be a header.
        HeaderValue::from_str(token).map_err(|_| GitHubError::Token)?;
        let crab = build(http, url, |builder| Ok(builder.personal_token(token)))?;
        Ok(Self::new(crab, Token::Given(token.to_owned()), masks))
    }

    /// As a GitHub App, installed for `owner`
    /// (<https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app>).
    ///
    /// # Errors
    /// `GitHubError`: the key, the App, or its installation.
    pub async fn with_app(http: &reqwest::Client, url: &str, app: (u64, &str), owner: &str, masks: &Masks) -> Result<Self, GitHubError> {
        let (id, key) = app;
        let as_app = build(http, url, |builder| builder.app_from_rsa_pem(AppId(id), key.trim()))?;
        let installed = match installation(&as_app, &format!("/orgs/{owner}/installation")).await {
            Err(GitHubError::Status(404)) => installation(&as_app, &format!("/users/{owner}/installation")).await,
            other => other,
        }?;
        let crab = as_app.installation(installed).map_err(|error| read(&error))?;
        let github = Self::new(crab, Token::Installation(as_app, installed), masks);
        github.token().await?;
        Ok(github)
    }

    fn new(crab: Octocrab, token: Token, masks: &Masks) -> Self {
        Self { crab, token, masks: masks.clone(), known: Arc::default() }
    }

    /// A token to fetch one repository with, `owner/name`, masked. Every command of its Dockerfile may read it, so an App's
    /// reaches that repository alone.
    ///
    /// # Errors
    /// `GitHubError` where an App is given none.
    pub async fn fetch_token(&self, repository: &str) -> Result<String, GitHubError> {
        let Token::Installation(app, id) = &self.token else { return self.token().await };
        let name = repository.split_once('/').map_or(repository, |(_, name)| name).to_owned();
        let scoped = app.installation_builder(*id).repositories(vec![name]).build().map_err(|error| read(&error))?;
        let token = tried(|| async { scoped.installation_token_with_buffer(GOOD_FOR).await.map_err(|error| read(&error)) }).await?;
        self.masks.add(token.expose_secret());
        Ok(token.expose_secret().to_owned())
    }

    /// A token that is good for some minutes, masked.
    ///
    /// # Errors
    /// `GitHubError` where an App is given none.
    pub async fn token(&self) -> Result<String, GitHubError> {
        match &self.token {
            Token::Given(token) => Ok(token.clone()),
            Token::Installation(..) => {
                let renewed =
                    tried(|| async { self.crab.installation_token_with_buffer(GOOD_FOR).await.map_err(|error| read(&error)) }).await?;
                self.masks.add(renewed.expose_secret());
                Ok(renewed.expose_secret().to_owned())
            }
        }
    }

    /// The commit of a tag, a branch (`tags/v1.2.3`, `heads/main`) or an id, in a repository `owner/name`; none where the
    /// repository has no such one.
    ///
    /// # Errors
    /// `GitHubError`, after three tries at what passes.
    pub async fn commit(&self, repository: &str, reference: &str) -> Result<Option<Commit>, GitHubError> {
        // The changed files are of no interest here: one a page keeps the answer small.
        let route = format!("/repos/{repository}/commits/{}?per_page=1", encoded(reference));
        match self.get(&route).await {
            Ok(answer) => {
                let answer: CommitAnswer = serde_json::from_value(answer).map_err(|_| GitHubError::Odd)?;
                let id = Revision::new(answer.sha);
                if is_commit(&id) { Ok(Some(Commit { id, tree: answer.commit.tree.sha })) } else { Err(GitHubError::Odd) }
            }
            // "No commit found for SHA", and a repository without any commit.
            Err(GitHubError::Status(409 | 422)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// How two commits lie to each other. The first page holds the changed files, three hundred at most.
    ///
    /// # Errors
    /// `GitHubError`, after three tries at what passes.
    pub async fn compare(&self, pair: &Pair) -> Result<Comparison, GitHubError> {
        self.between(&pair.repository, pair.base.as_str(), &pair.head).await
    }

    /// The same for a branch: `Behind` and `Identical` mean that the commit is on it.
    ///
    /// # Errors
    /// `GitHubError`, after three tries at what passes.
    pub async fn on_branch(&self, repository: &str, branch: &str, commit: &Revision) -> Result<bool, GitHubError> {
        let ancestry = self.between(repository, branch, commit).await?.ancestry;
        Ok(matches!(ancestry, Ancestry::Behind | Ancestry::Identical))
    }

    async fn between(&self, repository: &str, base: &str, head: &Revision) -> Result<Comparison, GitHubError> {
        let answer = self.get(&format!("/repos/{repository}/compare/{}...{head}?per_page=1&page=1", encoded(base))).await?;
        let answer: CompareAnswer = serde_json::from_value(answer).map_err(|_| GitHubError::Odd)?;
        let ancestry = Ancestry::parse(&answer.status).ok_or(GitHubError::Odd)?;
        let files = answer.files.filter(|files| files.len() < MOST_FILES);
        // A file that was moved away counts where it was, too.
        let names = |file: File| [Some(file.filename), file.previous_filename].into_iter().flatten();
        let commits = if ancestry == Ancestry::Behind { answer.behind_by } else { answer.total_commits };
        Ok(Comparison { ancestry, commits, files: files.map(|files| files.into_iter().flat_map(names).collect()) })
    }

    async fn get(&self, route: &str) -> Result<Value, GitHubError> {
        if let Some(known) = self.known.lock().ok().and_then(|known| known.get(route).cloned()) {
            return Ok(known);
        }
        // Renewed here, so that it is masked before it is used.
        self.token().await?;
        let answer = tried(|| async { self.crab.get::<Value, _, ()>(route, None).await.map_err(|error| read(&error)) }).await?;
        if let Ok(mut known) = self.known.lock() {
            known.insert(route.to_owned(), answer.clone());
        }
        Ok(answer)
    }
}

async fn installation(app: &Octocrab, route: &str) -> Result<InstallationId, GitHubError> {
    let answer = tried(|| async { app.get::<Value, _, ()>(route, None).await.map_err(|error| read(&error)) }).await?;
    answer["id"].as_u64().map(InstallationId).ok_or(GitHubError::Odd)
}

/// A branch's or tag's name as part of an address; its slashes stay.
fn encoded(name: &str) -> String {
    let safe = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    name.bytes().map(|byte| if safe(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

type Builder = OctocrabBuilder<octocrab::NoSvc, octocrab::DefaultOctocrabBuilderConfig, octocrab::NoAuth, octocrab::NotLayerReady>;

fn build(http: &reqwest::Client, url: &str, with: impl FnOnce(Builder) -> octocrab::Result<Builder>) -> Result<Octocrab, GitHubError> {
    let builder = Octocrab::builder().base_uri(url).map_err(|error| read(&error))?;
    // Without them GitHub answers in whatever form is current (<https://docs.github.com/en/rest/about-the-rest-api/api-versions>).
    let builder = builder
        .add_header(ACCEPT, "application/vnd.github+json".to_owned())
        .add_header(HeaderName::from_static("x-github-api-version"), "2022-11-28".to_owned());
    with(builder).and_then(|builder| builder.build_with_reqwest(http.clone())).map_err(|error| read(&error))
}

/// Tries again what may pass. octocrab has retries of its own, but without a pause and without a limit of time.
async fn tried<T, F: Future<Output = Result<T, GitHubError>>>(attempt: impl Fn() -> F) -> Result<T, GitHubError> {
    let mut tries = 0;
    loop {
        tries += 1;
        let late = || GitHubError::Unreachable("timed out".to_owned());
        let error = match tokio::time::timeout(TIMEOUT, attempt()).await.unwrap_or_else(|_| Err(late())) {
            Err(error) if error.is_passing() && tries < TRIES => error,
            result => return result,
        };
        tracing::debug!(%error, tries, "asking GitHub again");
        tokio::time::sleep(Duration::from_millis((200 << tries) + fastrand::u64(..200))).await;
    }
}

fn read(error: &octocrab::Error) -> GitHubError {
    match error {
        octocrab::Error::GitHub { source, .. } => GitHubError::Status(source.status_code.as_u16()),
        octocrab::Error::JWT { source, .. } => GitHubError::Key(source.to_string()),
        octocrab::Error::Serde { .. } | octocrab::Error::Json { .. } => GitHubError::Odd,
        other => GitHubError::Unreachable(innermost(other)),
    }
}

fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    super::aws::cause(error)
}
