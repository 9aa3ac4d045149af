//! `POST …/actions/workflows/{file}/dispatches`.

use serde_json::{Map, Value, json};

use super::wire;
use crate::call::Reply;
use crate::github::{GitHub, Scene, refuse};
use crate::refusal::text;

/// The version of the API that answers a dispatch with its run.
const WITH_DETAILS: &str = "2026-03-10";
/// As many inputs as a dispatch may bring.
const MOST_INPUTS: usize = 25;

/// Starts a run, or says why not.
pub(crate) fn dispatch(github: &mut GitHub, repository: &str, file: &str, scene: &Scene<'_>) -> Reply {
    let workflow = github.workflow_mut(repository, file).clone();
    let Ok(body) = serde_json::from_str::<Map<String, Value>>(&scene.request.body) else {
        return refuse(400, "Problems parsing JSON");
    };
    let permitted: &[&str] = if workflow.rejects_details { &["ref", "inputs"] } else { &["ref", "inputs", "return_run_details"] };
    let inputs = match read(&body, permitted) {
        Ok(inputs) => inputs,
        Err(why) => return refuse(422, &format!("Invalid request.\n\n{why}")),
    };
    let body = Value::Object(body);
    let reference = text(&body, "ref").unwrap_or_default();
    if github.repositories.get(repository).and_then(|it| it.reference(reference)).is_none() {
        return refuse(422, &format!("No ref found for: {reference}"));
    }
    if !workflow.active {
        return refuse(422, "Cannot trigger a 'workflow_dispatch' on a disabled workflow");
    }
    let unexpected: Vec<&str> = inputs.iter().map(|(key, _)| key.as_str()).filter(|key| !workflow.inputs.contains(*key)).collect();
    if !unexpected.is_empty() {
        return refuse(422, &format!("Unexpected inputs provided: {}", json!(unexpected)));
    }
    if let Some(missing) = workflow.required.iter().find(|name| !inputs.iter().any(|(key, value)| key == *name && !value.is_empty())) {
        return refuse(422, &format!("Required input '{missing}' not provided"));
    }
    let inputs: Vec<(&str, &str)> = inputs.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    let id = github.start_run(repository, file, reference, &inputs, scene.now);
    let version = scene.request.header("x-github-api-version");
    let asked = body["return_run_details"] == true && version == Some(WITH_DETAILS);
    match github.runs.iter().find(|run| run.id == id) {
        Some(run) if asked && workflow.answers_details => {
            let details = json!({"workflow_run_id": id, "run_url": wire::run_url(run, scene), "html_url": wire::run_page(run)});
            Reply::json(200, &details)
        }
        _ => Reply::empty(204),
    }
}

/// The inputs of a request whose form is right.
fn read(body: &Map<String, Value>, permitted: &[&str]) -> Result<Vec<(String, String)>, String> {
    if let Some(unknown) = body.keys().find(|key| !permitted.contains(&key.as_str())) {
        return Err(format!("{unknown:?} is not a permitted key."));
    }
    match body.get("ref") {
        None => return Err("\"ref\" wasn't supplied.".to_owned()),
        Some(Value::String(_)) => {}
        Some(other) => return Err(format!("For 'properties/ref', {other} is not a string.")),
    }
    if let Some(details) = body.get("return_run_details").filter(|details| !details.is_boolean()) {
        return Err(format!("For 'properties/return_run_details', {details} is not a boolean."));
    }
    let inputs = match body.get("inputs") {
        None => return Ok(Vec::new()),
        Some(Value::Object(inputs)) => inputs,
        Some(other) => return Err(format!("For 'properties/inputs', {other} is not an object.")),
    };
    if inputs.len() > MOST_INPUTS {
        return Err(format!("No more than {MOST_INPUTS} properties are allowed; {} were supplied.", inputs.len()));
    }
    let given = inputs.iter().map(|(key, value)| (key.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned)));
    Ok(given.collect())
}
