//! Workflows, runs and jobs as GitHub shows them.

use serde_json::{Value, json};

use super::{FatedJob, Run, Workflow, workflow_id};
use crate::ecr::made_up;
use crate::github::wire::{number, person, repository};
use crate::github::{GitHub, Scene};

/// A workflow.
pub(crate) fn workflow(name: &str, file: &str, workflow: &Workflow, scene: &Scene<'_>) -> Value {
    let id = workflow_id(name, file);
    let web = format!("https://github.com/{name}");
    json!({
        "id": id,
        "node_id": format!("W_kwDO{id:08}"),
        "name": workflow.name,
        "path": format!(".github/workflows/{file}"),
        "state": if workflow.active { "active" } else { "disabled_manually" },
        "created_at": "2026-01-01T00:00:00.000Z",
        "updated_at": "2026-01-01T00:00:00.000Z",
        "url": format!("{}/repos/{name}/actions/workflows/{id}", scene.api),
        "html_url": format!("{web}/blob/main/.github/workflows/{file}"),
        "badge_url": format!("{web}/workflows/{}/badge.svg", workflow.name.replace(' ', "%20"))
    })
}

/// The address of a run in the API.
pub(crate) fn run_url(run: &Run, scene: &Scene<'_>) -> String {
    format!("{}/repos/{}/actions/runs/{}", scene.api, run.repository, run.id)
}

/// The address of a run for people.
pub(crate) fn run_page(run: &Run) -> String {
    format!("https://github.com/{}/actions/runs/{}", run.repository, run.id)
}

/// A run.
pub(crate) fn run(github: &GitHub, run: &Run, scene: &Scene<'_>) -> Value {
    let (url, api) = (run_url(run, scene), format!("{}/repos/{}", scene.api, run.repository));
    let (suite, workflow) = (run.id + 4_000_000_000, workflow_id(&run.repository, &run.workflow));
    let tree = github.repositories.get(&run.repository).map(|it| it.tree(&run.sha)).unwrap_or_default();
    let author = json!({"name": "Escher", "email": "escher@example.com"});
    json!({
        "id": run.id,
        "name": run.title,
        "node_id": format!("WFR_kwLO{}", run.id),
        "head_branch": run.reference,
        "head_sha": run.sha,
        "path": format!(".github/workflows/{}", run.workflow),
        "display_title": run.title,
        "run_number": run.number,
        "event": run.event,
        "status": run.status(scene.now),
        "conclusion": run.conclusion(scene.now),
        "workflow_id": workflow,
        "check_suite_id": suite,
        "check_suite_node_id": format!("CS_kwDO{suite}"),
        "url": url,
        "html_url": run_page(run),
        "pull_requests": [],
        "created_at": scene.stamp(run.created_at),
        "updated_at": scene.stamp(run.changed_at(scene.now)),
        "actor": person("escher-deploy"),
        "run_attempt": 1,
        "referenced_workflows": [],
        "run_started_at": scene.stamp(run.created_at),
        "triggering_actor": person("escher-deploy"),
        "jobs_url": format!("{url}/jobs"),
        "logs_url": format!("{url}/logs"),
        "check_suite_url": format!("{api}/check-suites/{suite}"),
        "artifacts_url": format!("{url}/artifacts"),
        "cancel_url": format!("{url}/cancel"),
        "rerun_url": format!("{url}/rerun"),
        "previous_attempt_url": null,
        "workflow_url": format!("{api}/actions/workflows/{workflow}"),
        "head_commit": {
            "id": run.sha,
            "tree_id": tree,
            "message": "Change something",
            "timestamp": "2026-11-20T09:00:00Z",
            "author": author,
            "committer": author
        },
        "repository": repository(&run.repository),
        "head_repository": repository(&run.repository)
    })
}

/// The job at this place of a run.
pub(crate) fn job(workflow: &str, run: &Run, at: usize, fated: &FatedJob, scene: &Scene<'_>) -> Value {
    let id = run.id * 2 + 1_000 + at as u64;
    let began = run.began_at(scene.now);
    let over = run.conclusion(scene.now).map(|conclusion| if conclusion == "cancelled" { conclusion } else { fated.conclusion.as_str() });
    let runner = began.map(|_| 1_000_000_001 + at);
    let check = format!("{}/repos/{}/check-runs/{id}", scene.api, run.repository);
    let steps: Vec<Value> = if began.is_some() { steps(run, fated, scene) } else { Vec::new() };
    json!({
        "id": id,
        "run_id": run.id,
        "workflow_name": workflow,
        "head_branch": run.reference,
        "run_url": run_url(run, scene),
        "run_attempt": 1,
        "node_id": format!("CR_kwDO{id}"),
        "head_sha": run.sha,
        "url": format!("{}/repos/{}/actions/jobs/{id}", scene.api, run.repository),
        "html_url": format!("{}/job/{id}", run_page(run)),
        "status": run.status(scene.now),
        "conclusion": over,
        "created_at": scene.stamp(run.created_at),
        "started_at": scene.stamp(began.unwrap_or(run.created_at)),
        "completed_at": over.map(|_| scene.stamp(run.ends_at())),
        "name": fated.name,
        "steps": steps,
        "check_run_url": check,
        "labels": ["ubuntu-latest"],
        "runner_id": runner,
        "runner_name": runner.map(|id| format!("GitHub Actions {id}")),
        "runner_group_id": runner.map(|_| 0),
        "runner_group_name": runner.map(|_| "GitHub Actions")
    })
}

fn steps(run: &Run, fated: &FatedJob, scene: &Scene<'_>) -> Vec<Value> {
    let of = fated.steps.len();
    let shown = fated.steps.iter().enumerate().map(|(at, (name, conclusion))| {
        let step = run.step((at, of), conclusion, scene.now);
        json!({
            "name": name,
            "status": step.status,
            "conclusion": step.conclusion,
            "number": at + 1,
            "started_at": step.begins.map(|at| scene.stamp(at)),
            "completed_at": step.ends.map(|at| scene.stamp(at))
        })
    });
    shown.collect()
}

/// The deployment that a run waits for somebody to approve.
pub(crate) fn pending(run: &Run, scene: &Scene<'_>) -> Value {
    let name = run.inputs.get("environment").map_or("e2e", String::as_str);
    let id = number(&format!("{}:{name}", run.repository));
    json!({
        "environment": {
            "id": id,
            "node_id": made_up("environment", &run.repository, name),
            "name": name,
            "url": format!("{}/repos/{}/environments/{name}", scene.api, run.repository),
            "html_url": format!("https://github.com/{}/deployments/activity_log?environments_filter={name}", run.repository)
        },
        "wait_timer": 0,
        "wait_timer_started_at": null,
        "current_user_can_approve": false,
        "reviewers": [{"type": "User", "reviewer": person("release-manager")}]
    })
}
