//! What may be asked of workflows and runs.

use serde_json::{Value, json};

use super::{Run, dispatch, list, wire, workflow_id};
use crate::call::Reply;
use crate::github::ask::{OfActions, OfRun};
use crate::github::page::Page;
use crate::github::{GitHub, Scene, refuse};

/// Answers whoever may see the repository.
pub(crate) fn answer(github: &mut GitHub, repository: &str, ask: &OfActions, scene: &Scene<'_>) -> Reply {
    let known = match ask {
        OfActions::Workflow(file) | OfActions::Dispatch(file) | OfActions::Runs(file) => file_of(github, repository, file),
        OfActions::Run(id, asked) => return of_run(github, (repository, id), asked, scene),
    };
    let Some((file, workflow)) = known else { return refuse(404, "Not Found") };
    match ask {
        OfActions::Dispatch(_) => dispatch::dispatch(github, repository, &file, scene),
        OfActions::Runs(_) => list::runs(github, repository, &file, scene),
        _ => Reply::json(200, &wire::workflow(repository, &file, &workflow, scene)),
    }
}

/// A workflow by its file or its id.
fn file_of(github: &GitHub, repository: &str, name: &str) -> Option<(String, super::Workflow)> {
    let is_it = |(of, file): &&(String, String)| of == repository && (file == name || workflow_id(of, file).to_string() == name);
    let key = github.workflows.keys().find(is_it)?;
    Some((key.1.clone(), github.workflows.get(key)?.clone()))
}

fn of_run(github: &mut GitHub, (repository, id): (&str, &str), asked: &OfRun, scene: &Scene<'_>) -> Reply {
    let is_it = |run: &&mut Run| run.repository == repository && run.id.to_string() == id && run.listed_at <= scene.now;
    let Some(run) = github.runs.iter_mut().find(is_it) else { return refuse(404, "Not Found") };
    if *asked == OfRun::Cancel {
        if run.status(scene.now) == "completed" {
            return refuse(409, "Cannot cancel a workflow run that is completed.");
        }
        run.cancelled_at = Some(scene.now);
        return Reply::json(202, &json!({}));
    }
    let run = run.clone();
    match asked {
        OfRun::Jobs => jobs(github, &run, scene),
        OfRun::PendingDeployments => {
            let waits = run.status(scene.now) == "waiting";
            let pending: Vec<Value> = waits.then(|| wire::pending(&run, scene)).into_iter().collect();
            Reply::json(200, &json!(pending))
        }
        _ => Reply::json(200, &wire::run(github, &run, scene)),
    }
}

fn jobs(github: &GitHub, run: &Run, scene: &Scene<'_>) -> Reply {
    let workflow = github.workflows.get(&(run.repository.clone(), run.workflow.clone()));
    let name = workflow.map_or(run.workflow.as_str(), |workflow| workflow.name.as_str());
    let all: Vec<Value> = run.fate.jobs.iter().enumerate().map(|(at, fated)| wire::job(name, run, at, fated, scene)).collect();
    let (page, total) = (Page::of(scene.query), all.len());
    page.link(scene, total, Reply::json(200, &json!({"total_count": total, "jobs": page.cut(all)})))
}
