//! GitHub's REST API: how two commits lie to each other.
//!
//! The one HTTP client, not octocrab: for a single GET that would bring a second client stack with timeouts and retries of its
//! own, while status, time limit and bounded retries are decided here in a few lines.

use std::time::Duration;

use serde::Deserialize;

use super::http::cause;
use crate::domain::names::Revision;
use crate::domain::older::Ancestry;

const TRIES: u32 = 3;
const TIMEOUT: Duration = Duration::from_secs(10);

/// The API, with a token.
#[derive(Clone)]
pub struct GitHub {
    http: reqwest::Client,
    url: String,
    token: String,
}

/// Why commits could not be compared.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GitHubError {
    /// Another status than 200.
    #[error("GitHub answered {0}{advice}", advice = advice(.0))]
    Status(u16),
    /// No answer.
    #[error("GitHub did not answer: {0}")]
    Unreachable(String),
    /// No `status` that means anything.
    #[error("GitHub's answer can't be read")]
    Odd,
}

fn advice(status: &u16) -> &'static str {
    match *status {
        301 | 302 | 307 | 308 => ": the repository was renamed: correct `repo`",
        401 => ": `github-token` is wrong or no longer valid",
        403 | 429 => ": `github-token` may not read the repository, or has reached its rate limit",
        404 => ": `github-token` does not reach the repository, or the commit is not in it",
        _ => "",
    }
}

impl GitHubError {
    /// The same request may go well a moment later.
    fn is_passing(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::Status(500..))
    }
}

#[derive(Deserialize)]
struct Answer {
    status: String,
}

impl GitHub {
    /// The API's client.
    pub fn new(http: reqwest::Client, url: &str, token: &str) -> Self {
        Self { http, url: url.to_owned(), token: token.to_owned() }
    }

    /// How `head` lies to `base` in a repository, `owner/name`.
    ///
    /// # Errors
    /// `GitHubError`, after three tries at what passes.
    pub async fn compare(&self, repository: &str, base: &Revision, head: &Revision) -> Result<Ancestry, GitHubError> {
        // Only the status is read: one commit a page keeps the answer small.
        let url = format!("{}/repos/{repository}/compare/{base}...{head}?per_page=1", self.url);
        let mut tried = 0;
        loop {
            tried += 1;
            let error = match self.attempt(&url).await {
                Err(error) if error.is_passing() && tried < TRIES => error,
                result => return result,
            };
            tracing::debug!(%error, tried, repository, "comparing commits again");
            tokio::time::sleep(Duration::from_millis((200 << tried) + fastrand::u64(..200))).await;
        }
    }

    async fn attempt(&self, url: &str) -> Result<Ancestry, GitHubError> {
        let request = self.http.get(url).bearer_auth(&self.token).timeout(TIMEOUT);
        let request = request.header("accept", "application/vnd.github+json").header("x-github-api-version", "2022-11-28");
        let response = request.send().await.map_err(|error| GitHubError::Unreachable(cause(&error)))?;
        if response.status().as_u16() != 200 {
            return Err(GitHubError::Status(response.status().as_u16()));
        }
        let body = response.bytes().await.map_err(|error| GitHubError::Unreachable(cause(&error)))?;
        let answer: Answer = serde_json::from_slice(&body).map_err(|_| GitHubError::Odd)?;
        Ancestry::parse(&answer.status).ok_or(GitHubError::Odd)
    }
}
