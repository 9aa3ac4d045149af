//! Workflows, and how they are dispatched.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::github::ask;
use super::send;
use crate::World;
use crate::call::{Reply, Request};

pub(super) const SUITE: &str = "escher-dbai/v3-testing-framework";

pub(super) fn post(world: &World, path: &str, body: &Value) -> Request {
    let mut request = ask(&format!("/repos/{SUITE}/actions/{path}"), &world.github.token);
    request.method = "POST".to_owned();
    request.body = body.to_string();
    request.headers.push(("x-github-api-version".to_owned(), "2026-03-10".to_owned()));
    request
}

pub(super) fn dispatch(world: &mut World, body: &Value) -> (u16, Value) {
    let request = post(world, "workflows/e2e.yml/dispatches", body);
    let reply = send(world, &request);
    (reply.status, reply.value())
}

pub(super) fn cancel(world: &mut World, id: u64) -> (u16, Value) {
    let request = post(world, &format!("runs/{id}/cancel"), &Value::Null);
    let reply = send(world, &request);
    (reply.status, reply.value())
}

/// A run on `main`; its id.
pub(super) fn start(world: &mut World, correlation: &str) -> u64 {
    let body = json!({"ref": "main", "inputs": {"correlation_id": correlation}, "return_run_details": true});
    let (status, details) = dispatch(world, &body);
    assert_eq!(status, 200, "{details}");
    details["workflow_run_id"].as_u64().unwrap()
}

pub(super) fn get_reply(world: &mut World, path: &str) -> Reply {
    let request = ask(&format!("/repos/{SUITE}/actions/{path}"), &world.github.token);
    send(world, &request)
}

pub(super) fn get(world: &mut World, path: &str) -> Value {
    let reply = get_reply(world, path);
    assert_eq!(reply.status, 200, "{path}: {}", reply.body);
    reply.value()
}

pub(super) fn state(world: &mut World, id: u64) -> (String, Option<String>) {
    let run = get(world, &format!("runs/{id}"));
    (run["status"].as_str().unwrap().to_owned(), run["conclusion"].as_str().map(str::to_owned))
}

pub(super) fn is(status: &str, conclusion: Option<&str>) -> (String, Option<String>) {
    (status.to_owned(), conclusion.map(str::to_owned))
}

#[test]
fn a_dispatch_is_answered_with_its_run_which_goes_its_way() {
    let mut world = World::escher("dev");
    let inputs = json!({"environment": "dev", "suite": "smoke", "version": "2.16.0-dev", "correlation_id": "c0ffee"});
    let (status, details) = dispatch(&mut world, &json!({"ref": "refs/heads/main", "inputs": inputs, "return_run_details": true}));
    assert_eq!(status, 200);
    let id = details["workflow_run_id"].as_u64().unwrap();
    assert_eq!(details["run_url"], format!("https://api.github.com/repos/{SUITE}/actions/runs/{id}"));
    assert_eq!(details["html_url"], format!("https://github.com/{SUITE}/actions/runs/{id}"));
    let run = get(&mut world, &format!("runs/{id}"));
    assert_eq!((&run["display_title"], &run["name"], &run["head_branch"]), (&json!("E2E c0ffee"), &json!("E2E c0ffee"), &json!("main")));
    assert_eq!(
        (&run["event"], &run["run_number"], &run["path"]),
        (&json!("workflow_dispatch"), &json!(1), &json!(".github/workflows/e2e.yml"))
    );
    assert_eq!(world.github.runs[0].inputs["suite"], "smoke");
    let mut seen = Vec::new();
    for at in [0.0, 1.9, 2.0, 7.9, 8.0] {
        world.advance(at);
        seen.push(state(&mut world, id));
    }
    let success = is("completed", Some("success"));
    assert_eq!(seen, [is("queued", None), is("queued", None), is("in_progress", None), is("in_progress", None), success]);
}

#[test]
fn an_older_server_answers_with_nothing_or_not_at_all() {
    let mut world = World::escher("dev");
    let body = json!({"ref": "main", "inputs": {"correlation_id": "one"}, "return_run_details": true});
    let mut request = post(&world, "workflows/e2e.yml/dispatches", &body);
    request.headers.retain(|(name, _)| name != "x-github-api-version");
    let reply = send(&mut world, &request);
    assert_eq!((reply.status, reply.body.as_str(), reply.content_type), (204, "", ""));
    assert_eq!(dispatch(&mut world, &json!({"ref": "main"})).0, 204, "nobody asked");
    world.github.workflow_mut(SUITE, "e2e.yml").answers_details = false;
    assert_eq!(dispatch(&mut world, &body).0, 204);
    assert_eq!(world.github.runs.len(), 3);
    world.github.workflow_mut(SUITE, "e2e.yml").rejects_details = true;
    let (status, refused) = dispatch(&mut world, &body);
    assert_eq!((status, &refused["message"]), (422, &json!("Invalid request.\n\n\"return_run_details\" is not a permitted key.")));
    world.github.api_versions.remove("2026-03-10");
    let (status, refused) = dispatch(&mut world, &body);
    assert!(status == 400 && refused["message"].as_str().unwrap().contains("\"2026-03-10\", is not a supported version"), "{refused}");
    assert_eq!(world.github.runs.len(), 3, "what is refused starts nothing");
}

#[test]
fn what_cannot_be_dispatched_is_refused() {
    let mut world = World::escher("dev");
    let mut why = |body: Value| {
        let (status, refused) = dispatch(&mut world, &body);
        assert_eq!(status, 422, "{refused}");
        refused["message"].as_str().unwrap().to_owned()
    };
    assert_eq!(why(json!({"ref": "nowhere"})), "No ref found for: nowhere");
    assert_eq!(why(json!({"inputs": {}})), "Invalid request.\n\n\"ref\" wasn't supplied.");
    assert_eq!(why(json!({"ref": "main", "inputs": {"x": "1", "suite": "a"}})), "Unexpected inputs provided: [\"x\"]");
    assert_eq!(why(json!({"ref": "main", "extra": 1})), "Invalid request.\n\n\"extra\" is not a permitted key.");
    let many: serde_json::Map<String, Value> = (0..26).map(|n| (format!("i{n}"), json!("v"))).collect();
    assert!(why(json!({"ref": "main", "inputs": many})).ends_with("No more than 25 properties are allowed; 26 were supplied."));
    world.github.workflow_mut(SUITE, "e2e.yml").required.insert("suite".to_owned());
    assert_eq!(dispatch(&mut world, &json!({"ref": "main"})).1["message"], "Required input 'suite' not provided");
    world.github.workflow_mut(SUITE, "e2e.yml").active = false;
    let disabled = "Cannot trigger a 'workflow_dispatch' on a disabled workflow";
    assert_eq!(dispatch(&mut world, &json!({"ref": "v2.16.0-dev"})).1["message"], disabled);
    let unknown = post(&world, "workflows/e3e.yml/dispatches", &json!({"ref": "main"}));
    assert_eq!(send(&mut world, &unknown).status, 404);
    let mut broken = post(&world, "workflows/e2e.yml/dispatches", &Value::Null);
    broken.body = "{".to_owned();
    assert_eq!(send(&mut world, &broken).value()["message"], "Problems parsing JSON");
    assert!(world.github.runs.is_empty());
}

#[test]
fn who_may_only_read_does_not_dispatch() {
    let mut world = World::escher("dev");
    let id = start(&mut world, "c1");
    world.github.read_only.insert(SUITE.to_owned());
    let (status, refused) = dispatch(&mut world, &json!({"ref": "main"}));
    assert_eq!((status, &refused["message"]), (403, &json!("Resource not accessible by integration")));
    assert_eq!((cancel(&mut world, id).0, state(&mut world, id).0.as_str()), (403, "queued"));
    let (good, elsewhere) = ("a-token-of-its-own", "another");
    world.github.tokens.insert(good.to_owned(), BTreeSet::from([SUITE.to_owned()]));
    world.github.tokens.insert(elsewhere.to_owned(), BTreeSet::from(["escher-dbai/other".to_owned()]));
    world.github.forbidden.insert(SUITE.to_owned());
    let mut with = |token: &str| {
        world.github.token = token.to_owned();
        dispatch(&mut world, &json!({"ref": "main"})).0
    };
    assert_eq!((with(good), with(elsewhere), with("the job's")), (204, 404, 404));
    let mut request = post(&world, "workflows/e2e.yml/dispatches", &json!({"ref": "main"}));
    request.headers.retain(|(name, _)| name != "authorization");
    assert_eq!(send(&mut world, &request).status, 401);
}

#[test]
fn a_workflow_is_found_by_file_and_by_id() {
    let mut world = World::escher("dev");
    let found = get(&mut world, "workflows/e2e.yml");
    assert_eq!((&found["name"], &found["state"], &found["path"]), (&json!("E2E"), &json!("active"), &json!(".github/workflows/e2e.yml")));
    let id = found["id"].as_u64().unwrap();
    assert_eq!(get(&mut world, &format!("workflows/{id}")), found);
    assert_eq!(get_reply(&mut world, "workflows/no.yml").status, 404);
    world.github.workflow_mut(SUITE, "e2e.yml").echoes = false;
    world.github.start_run(SUITE, "e2e.yml", "main", &[("correlation_id", "c1")], 0.0);
    let runs = get(&mut world, &format!("workflows/{id}/runs"));
    assert_eq!((&runs["workflow_runs"][0]["display_title"], &runs["workflow_runs"][0]["workflow_id"]), (&json!("E2E"), &json!(id)));
}
