//! Puts release notes onto a GitHub Release: made where there is none, brought up to date where there is one, and what a person
//! wrote there stays.

use super::release_notes::{Gathering, Published};
use crate::clients::github::{GitHub, GitHubError};
use crate::domain::notes::Notes;
use crate::report::notes::{BEGIN, body, updated};
use crate::report::notes_lines::Links;

/// Publishes; what stands in the way is a warning with its way out.
pub(super) async fn release(job: &Gathering<'_>, notes: &Notes) -> Published {
    let repository = job.home();
    let mut refused = None;
    for github in candidates(job) {
        match with(job, &github, &repository, notes).await {
            Ok((url, is_new)) => return Published { url: Some(url), is_new, warnings: Vec::new() },
            // Another token may be allowed to.
            Err(error) if matches!(error.code(), Some(401 | 403 | 404)) => refused = Some(error),
            Err(error) => return not_published(&repository, &told(&error)),
        }
    }
    let why = match refused {
        Some(error) => told(&error),
        None => job.github.as_ref().err().cloned().unwrap_or_default(),
    };
    not_published(&repository, &why)
}

/// The job's own token may write in its own repository; an App often only reads.
fn candidates(job: &Gathering<'_>) -> Vec<GitHub> {
    let own = job.request.tokens.github.as_ref().filter(|_| job.request.environment.github_app.is_some());
    let own = own.and_then(|token| GitHub::with_token(job.http, job.request.runner.github_url(), token, job.masks).ok());
    own.into_iter().chain(job.github.as_ref().ok().cloned()).collect()
}

fn not_published(repository: &str, why: &str) -> Published {
    let warning = format!("release notes: no GitHub Release was made in {repository}: {why}; run it again: command `release-notes`");
    Published { warnings: vec![warning], ..Published::default() }
}

fn told(error: &GitHubError) -> String {
    match error {
        GitHubError::Status { code: code @ (403 | 404), message } => {
            format!(
                "GitHub answered {code} ({message}): give the job `permissions: contents: write`, or the GitHub App `contents: write` there"
            )
        }
        other => other.to_string(),
    }
}

async fn with(job: &Gathering<'_>, github: &GitHub, repository: &str, notes: &Notes) -> Result<(String, bool), GitHubError> {
    let (tag, links) = (job.tag.to_string(), Links(job.request.runner.server_url()));
    if let Some(existing) = github.release(repository, &tag).await? {
        // A person may have made it: people were told where it bears our part.
        let (body, is_new) = (updated(&existing.body, notes, links), !existing.body.contains(BEGIN));
        if body == existing.body {
            return Ok((existing.url, is_new));
        }
        return Ok((github.update_release(repository, existing.id, &body).await?.url, is_new));
    }
    // GitHub makes a tag that isn't there, at the head of the default branch: a release of something else.
    if github.commit(repository, &format!("tags/{tag}")).await?.is_none() {
        let message = format!("{repository} has no tag {tag}");
        return Err(GitHubError::Status { code: 422, message });
    }
    match github.create_release(repository, &tag, &body(notes, links), job.tag.environment() != Ok("prod")).await {
        Ok(made) => Ok((made.url, true)),
        // It may have been made all the same, or by another run meanwhile.
        Err(error) if error.is_passing() || error.code() == Some(422) => match github.release(repository, &tag).await? {
            Some(existing) => {
                let body = updated(&existing.body, notes, links);
                Ok((github.update_release(repository, existing.id, &body).await?.url, true))
            }
            None => Err(error),
        },
        Err(error) => Err(error),
    }
}
