//! GitHub Actions in another repository: a workflow is dispatched, its run is found, watched and cancelled
//! (<https://docs.github.com/en/rest/actions>).

use reqwest::Method;
use serde_json::{Value, json};

use super::github::{Ask, GitHub, GitHubError, encoded};
use crate::domain::e2e::{FailedJob, RunView};

/// From this version on the answer to a dispatch names the run.
const DETAILED: &str = "2026-03-10";

/// A workflow to be dispatched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dispatch<'a> {
    /// `owner/name`.
    pub repository: &'a str,
    /// The workflow's file name.
    pub file: &'a str,
    /// A branch or tag.
    pub reference: &'a str,
    /// The inputs, each declared in the workflow.
    pub inputs: &'a Value,
}

/// A run's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunId(pub u64);

impl GitHub {
    /// Asks for a run. Its number, where the server tells it: older ones answer with nothing.
    ///
    /// # Errors
    /// `GitHubError`; where it `is_passing`, the request may have arrived all the same.
    pub async fn dispatch(&self, dispatch: &Dispatch<'_>) -> Result<Option<RunId>, GitHubError> {
        let route = format!("/repos/{}/actions/workflows/{}/dispatches", dispatch.repository, encoded(dispatch.file));
        let plain = json!({"ref": dispatch.reference, "inputs": dispatch.inputs});
        let mut detailed = plain.clone();
        detailed["return_run_details"] = json!(true);
        let ask = Ask { version: DETAILED, ..Ask::write(Method::POST, &route, &detailed) };
        let answer = match self.send(&ask).await {
            // A server that knows neither the version nor the wish; it has begun nothing.
            Err(GitHubError::Status { code: 400 | 422, message }) if is_old(&message) => {
                self.send(&Ask::write(Method::POST, &route, &plain)).await?
            }
            other => other?,
        };
        Ok(answer.body["workflow_run_id"].as_u64().map(RunId))
    }

    /// The run whose name holds a text, among the newest hundred that were dispatched.
    ///
    /// # Errors
    /// `GitHubError`.
    pub async fn find_run(&self, dispatch: &Dispatch<'_>, text: &str) -> Result<Option<RunId>, GitHubError> {
        let (repository, file) = (dispatch.repository, encoded(dispatch.file));
        let route = format!("/repos/{repository}/actions/workflows/{file}/runs?event=workflow_dispatch&per_page=100");
        let answer = self.send(&Ask::get(&route)).await?.body;
        let holds = |run: &&Value| ["display_title", "name"].iter().any(|key| run[key].as_str().is_some_and(|name| name.contains(text)));
        let runs = answer["workflow_runs"].as_array().ok_or(GitHubError::Odd)?;
        // The oldest of them: a second one could only be of a request that was sent again.
        Ok(runs.iter().rev().find(holds).and_then(|run| run["id"].as_u64()).map(RunId))
    }

    /// A run as it stands, with the mark of this answer; none where nothing has changed since `etag`.
    ///
    /// # Errors
    /// `GitHubError`; 404 for some seconds after the dispatch.
    pub async fn run(&self, repository: &str, id: RunId, etag: Option<&str>) -> Result<Option<(RunView, Option<String>)>, GitHubError> {
        let route = format!("/repos/{repository}/actions/runs/{}", id.0);
        let answer = self.send(&Ask { etag, ..Ask::get(&route) }).await?;
        if answer.status == 304 {
            return Ok(None);
        }
        let text = |key: &str| answer.body[key].as_str().map(str::to_owned);
        let status = text("status").ok_or(GitHubError::Odd)?;
        let view = RunView { status, conclusion: text("conclusion"), url: text("html_url").unwrap_or_default() };
        Ok(Some((view, answer.etag)))
    }

    /// The jobs of a run's last attempt that did not end well, each with its failed steps.
    ///
    /// # Errors
    /// `GitHubError`.
    pub async fn failed_jobs(&self, repository: &str, id: RunId) -> Result<Vec<FailedJob>, GitHubError> {
        let answer =
            self.send(&Ask::get(&format!("/repos/{repository}/actions/runs/{}/jobs?filter=latest&per_page=100", id.0))).await?.body;
        let jobs = answer["jobs"].as_array().ok_or(GitHubError::Odd)?;
        Ok(jobs.iter().filter(|job| !ended_well(job)).map(failed_job).collect())
    }

    /// Tells a run to stop.
    ///
    /// # Errors
    /// `GitHubError`; 409 where it has ended.
    pub async fn cancel_run(&self, repository: &str, id: RunId) -> Result<(), GitHubError> {
        let route = format!("/repos/{repository}/actions/runs/{}/cancel", id.0);
        self.send(&Ask { body: None, ..Ask::write(Method::POST, &route, &Value::Null) }).await.map(|_| ())
    }

    /// Whether the workflow is there and can be seen; the token may still not be allowed to dispatch it.
    ///
    /// # Errors
    /// `GitHubError`.
    pub async fn workflow(&self, repository: &str, file: &str) -> Result<(), GitHubError> {
        self.send(&Ask::get(&format!("/repos/{repository}/actions/workflows/{}", encoded(file)))).await.map(|_| ())
    }
}

fn is_old(message: &str) -> bool {
    let message = message.to_lowercase();
    message.contains("return_run_details")
        || message.contains("permitted key")
        || message.contains("api version")
        || message.contains("api-version")
}

fn ended_well(step: &Value) -> bool {
    matches!(step["conclusion"].as_str(), Some("success" | "skipped" | "neutral"))
}

fn failed_job(job: &Value) -> FailedJob {
    let text = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
    let failed = |step: &&Value| matches!(step["conclusion"].as_str(), Some("failure" | "timed_out" | "cancelled"));
    let steps = job["steps"].as_array().into_iter().flatten().filter(failed);
    let conclusion = job["conclusion"].as_str().unwrap_or("not ended").to_owned();
    FailedJob {
        name: text(job, "name"),
        conclusion,
        steps: steps.map(|step| text(step, "name")).collect(),
        url: job["html_url"].as_str().map(str::to_owned),
    }
}
