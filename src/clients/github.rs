//! GitHub's REST API, through octocrab on the one HTTP client: who asks, and how a request is sent. What is asked stands in
//! `github_commits`, `github_actions` and `github_releases`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use octocrab::models::{AppId, InstallationId};
use octocrab::{Octocrab, OctocrabBuilder};
use reqwest::Method;
use reqwest::header::{ACCEPT, ETAG, HeaderMap, HeaderValue, IF_NONE_MATCH, RETRY_AFTER};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::clock;
use super::console::Masks;

const TRIES: u32 = 3;
const TIMEOUT: Duration = Duration::from_secs(10);
/// All waits of one request that GitHub asks for, because too many were sent.
const PATIENCE: Duration = Duration::from_secs(60);
/// A token that is handed to a build is good for at least so long: clones come early in a build.
const GOOD_FOR: chrono::TimeDelta = chrono::TimeDelta::minutes(10);
/// The form in which GitHub answers (<https://docs.github.com/en/rest/about-the-rest-api/api-versions>).
pub(super) const VERSION: &str = "2022-11-28";

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
    /// Another status than one of success.
    #[error("GitHub answered {code}{words}{advice}", words = words(.message), advice = advice(.code))]
    Status {
        /// The HTTP status.
        code: u16,
        /// GitHub's own words, where it has some.
        message: String,
    },
    /// Too many requests, and the wait is longer than anybody's patience.
    #[error("GitHub's rate limit is reached; it ends in {0} s")]
    RateLimit(u64),
    /// No answer.
    #[error("GitHub did not answer: {0}")]
    Unreachable(String),
    /// Nothing in it that means anything.
    #[error("GitHub's answer can't be read")]
    Odd,
    /// No address that anything can be sent to.
    #[error("GITHUB_API_URL is `{0}`, which is no address, as in https://api.github.com")]
    Address(String),
    /// A token with characters that no header takes.
    #[error("the GitHub token holds a line break or another character that no token has")]
    Token,
    /// The App's key is no RSA key.
    #[error("its private key can't be read: {0}")]
    Key(String),
}

fn words(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(" ({})", crate::report::text::one_line(message, 200)) }
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
    /// The HTTP status, where there was an answer.
    pub fn code(&self) -> Option<u16> {
        if let Self::Status { code, .. } = self { Some(*code) } else { None }
    }

    /// The same request may go well a moment later. A write may have been carried out all the same.
    pub fn is_passing(&self) -> bool {
        let is_limit = |message: &str| message.to_lowercase().contains("rate limit");
        match self {
            Self::Unreachable(_) | Self::RateLimit(_) | Self::Status { code: 429 | 500.., .. } => true,
            Self::Status { code: 403, message } => is_limit(message),
            _ => false,
        }
    }
}

/// One request.
#[derive(Clone, Debug)]
pub(super) struct Ask<'a> {
    pub(super) method: Method,
    pub(super) route: &'a str,
    pub(super) body: Option<&'a Value>,
    pub(super) version: &'static str,
    /// Only what is newer than this is wanted.
    pub(super) etag: Option<&'a str>,
}

impl<'a> Ask<'a> {
    pub(super) fn get(route: &'a str) -> Self {
        Self { method: Method::GET, route, body: None, version: VERSION, etag: None }
    }

    pub(super) fn write(method: Method, route: &'a str, body: &'a Value) -> Self {
        Self { method, route, body: Some(body), version: VERSION, etag: None }
    }

    /// Asked twice, it does nothing twice.
    fn is_read(&self) -> bool {
        self.method == Method::GET
    }
}

/// One answer.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// Null where there was none.
    pub(super) body: Value,
    pub(super) etag: Option<String>,
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
            Err(GitHubError::Status { code: 404, .. }) => installation(&as_app, &format!("/users/{owner}/installation")).await,
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
    /// reaches that repository alone, and may only read there
    /// (<https://docs.github.com/en/rest/apps/apps#create-an-installation-access-token-for-an-app>).
    ///
    /// # Errors
    /// `GitHubError` where an App is given none.
    pub async fn fetch_token(&self, repository: &str) -> Result<String, GitHubError> {
        let Token::Installation(app, id) = &self.token else { return self.token().await };
        let name = repository.split_once('/').map_or(repository, |(_, name)| name);
        let route = format!("/app/installations/{id}/access_tokens");
        let scope = json!({"repositories": [name], "permissions": {"contents": "read"}});
        let answer: Value = tried(|| async { app.post(&route, Some(&scope)).await.map_err(|error| read(&error)) }).await?;
        let token = answer["token"].as_str().ok_or(GitHubError::Odd)?;
        self.masks.add(token);
        Ok(token.to_owned())
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

    /// Reads, once in a run.
    pub(super) async fn get(&self, route: &str) -> Result<Value, GitHubError> {
        if let Some(known) = self.known.lock().ok().and_then(|known| known.get(route).cloned()) {
            return Ok(known);
        }
        let answer = self.send(&Ask::get(route)).await?.body;
        if let Some(mut known) = self.known.lock().ok().filter(|_| !answer.is_null()) {
            known.insert(route.to_owned(), answer.clone());
        }
        Ok(answer)
    }

    /// Sends a request. A read is tried again where that may help; a write never, unless GitHub refused it for its rate limit:
    /// only the asker knows how to find out whether a write has arrived.
    pub(super) async fn send(&self, ask: &Ask<'_>) -> Result<Answer, GitHubError> {
        // Renewed here, so that it is masked before it is used.
        self.token().await?;
        let began = Instant::now();
        let mut tries = 0;
        loop {
            tries += 1;
            let late = || Err((GitHubError::Unreachable("timed out".to_owned()), None));
            let (error, told) = match tokio::time::timeout(TIMEOUT, self.attempt(ask)).await.unwrap_or_else(|_| late()) {
                Ok(answer) => return Ok(answer),
                Err(failed) => failed,
            };
            let wait = match told {
                Some(wait) if began.elapsed() + wait > PATIENCE => return Err(GitHubError::RateLimit(wait.as_secs())),
                Some(wait) => wait,
                None if ask.is_read() && error.is_passing() && tries < TRIES => pause(tries),
                None => return Err(error),
            };
            tracing::debug!(%error, tries, "asking GitHub again");
            tokio::time::sleep(wait).await;
        }
    }

    /// The answer, or the error and how long GitHub wants us to wait.
    async fn attempt(&self, ask: &Ask<'_>) -> Result<Answer, (GitHubError, Option<Duration>)> {
        let plain = |error: octocrab::Error| (read(&error), None);
        let mut request = http::Request::builder().method(ask.method.clone()).uri(ask.route).header("x-github-api-version", ask.version);
        if let Some(etag) = ask.etag {
            request = request.header(IF_NONE_MATCH, etag);
        }
        let request = self.crab.build_request(request, ask.body).map_err(plain)?;
        let response = self.crab.execute(request).await.map_err(plain)?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = self.crab.body_to_string(response).await.map_err(plain)?;
        let body: Value = serde_json::from_str(&text).unwrap_or_default();
        if status < 300 || status == 304 {
            let etag = headers.get(ETAG).and_then(|value| Some(value.to_str().ok()?.to_owned()));
            return Ok(Answer { status, body, etag });
        }
        let wait = if matches!(status, 403 | 429) { limited(&headers) } else { None };
        Err((GitHubError::Status { code: status, message: said(&body) }, wait))
    }
}

/// GitHub's words, with the first of its details.
fn said(body: &Value) -> String {
    let message = body["message"].as_str().unwrap_or_default();
    let detail = &body["errors"][0];
    match detail["message"].as_str().or(detail["code"].as_str()).or(detail.as_str()) {
        Some(detail) if detail != message => format!("{message}: {detail}"),
        _ => message.to_owned(),
    }
}

/// How long to wait, where too many requests were sent: `retry-after`, then `x-ratelimit-reset`
/// (<https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api>).
fn limited(headers: &HeaderMap) -> Option<Duration> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<u64>().ok();
    let reset =
        || Some(number("x-ratelimit-reset")?.saturating_sub(clock::unix_seconds())).filter(|_| number("x-ratelimit-remaining") == Some(0));
    number(RETRY_AFTER.as_str()).or_else(reset).map(|seconds| Duration::from_secs(seconds.max(1)))
}

fn pause(tries: u32) -> Duration {
    Duration::from_millis((200 << tries) + fastrand::u64(..200))
}

async fn installation(app: &Octocrab, route: &str) -> Result<InstallationId, GitHubError> {
    let answer = tried(|| async { app.get::<Value, _, ()>(route, None).await.map_err(|error| read(&error)) }).await?;
    answer["id"].as_u64().map(InstallationId).ok_or(GitHubError::Odd)
}

/// A branch's or tag's name as part of an address; its slashes stay.
pub(super) fn encoded(name: &str) -> String {
    let safe = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    name.bytes().map(|byte| if safe(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

type Builder = OctocrabBuilder<octocrab::NoSvc, octocrab::DefaultOctocrabBuilderConfig, octocrab::NoAuth, octocrab::NotLayerReady>;

fn build(client: &reqwest::Client, url: &str, with: impl FnOnce(Builder) -> octocrab::Result<Builder>) -> Result<Octocrab, GitHubError> {
    // octocrab takes it for granted that an address is a whole one.
    let address: Option<http::Uri> = url.parse().ok();
    if !address.is_some_and(|address| matches!(address.scheme_str(), Some("http" | "https")) && address.host().is_some()) {
        return Err(GitHubError::Address(crate::report::text::one_line(url, 200)));
    }
    let builder = Octocrab::builder().base_uri(url).map_err(|error| read(&error))?;
    let builder = builder.add_header(ACCEPT, "application/vnd.github+json".to_owned());
    with(builder).and_then(|builder| builder.build_with_reqwest(client.clone())).map_err(|error| read(&error))
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
        tokio::time::sleep(pause(tries)).await;
    }
}

fn read(error: &octocrab::Error) -> GitHubError {
    match error {
        octocrab::Error::GitHub { source, .. } => {
            GitHubError::Status { code: source.status_code.as_u16(), message: source.message.clone() }
        }
        octocrab::Error::JWT { source, .. } => GitHubError::Key(source.to_string()),
        octocrab::Error::Serde { .. } | octocrab::Error::Json { .. } => GitHubError::Odd,
        other => GitHubError::Unreachable(innermost(other)),
    }
}

fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    super::call::cause(error)
}
