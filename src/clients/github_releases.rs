//! GitHub Releases (<https://docs.github.com/en/rest/releases/releases>).

use reqwest::Method;
use serde_json::{Value, json};

use super::github::{Ask, GitHub, GitHubError, encoded};

/// A release's page and text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// Its number.
    pub id: u64,
    /// Its page.
    pub url: String,
    /// Its text.
    pub body: String,
}

impl GitHub {
    /// The release of a tag; none where there is none.
    ///
    /// # Errors
    /// `GitHubError`.
    pub async fn release(&self, repository: &str, tag: &str) -> Result<Option<Published>, GitHubError> {
        match self.send(&Ask::get(&format!("/repos/{repository}/releases/tags/{}", encoded(tag)))).await {
            Ok(answer) => published(&answer.body).map(Some),
            Err(GitHubError::Status { code: 404, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Makes the release of a tag that is there: of one that isn't, GitHub would make the tag as well.
    ///
    /// # Errors
    /// `GitHubError`; 422 where the tag has a release already.
    pub async fn create_release(&self, repository: &str, tag: &str, body: &str, is_prerelease: bool) -> Result<Published, GitHubError> {
        let latest = if is_prerelease { "false" } else { "legacy" };
        let body = json!({"tag_name": tag, "name": tag, "body": body, "prerelease": is_prerelease, "make_latest": latest});
        published(&self.send(&Ask::write(Method::POST, &format!("/repos/{repository}/releases"), &body)).await?.body)
    }

    /// Gives a release another text.
    ///
    /// # Errors
    /// `GitHubError`.
    pub async fn update_release(&self, repository: &str, id: u64, body: &str) -> Result<Published, GitHubError> {
        let body = json!({ "body": body });
        published(&self.send(&Ask::write(Method::PATCH, &format!("/repos/{repository}/releases/{id}"), &body)).await?.body)
    }
}

fn published(release: &Value) -> Result<Published, GitHubError> {
    let text = |key: &str| release[key].as_str().unwrap_or_default().to_owned();
    let id = release["id"].as_u64().ok_or(GitHubError::Odd)?;
    Ok(Published { id, url: text("html_url"), body: text("body") })
}
