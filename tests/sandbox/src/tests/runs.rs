//! Runs: how they go, how they are listed, and what they tell.

use serde_json::json;

use super::actions::{SUITE, cancel, get, get_reply, is, start, state};
use super::github::ask;
use super::send;
use crate::{Approval, FatedJob, RunFate, World};

#[test]
fn a_run_is_not_found_before_it_is_listed() {
    let mut world = World::escher("dev");
    world.github.workflow_mut(SUITE, "e2e.yml").listed_after = 3.0;
    let id = start(&mut world, "c1");
    assert_eq!(get_reply(&mut world, &format!("runs/{id}")).status, 404);
    assert_eq!(get(&mut world, "workflows/e2e.yml/runs")["total_count"], 0);
    world.advance(3.0);
    assert_eq!(state(&mut world, id).0, "in_progress");
    assert_eq!(get(&mut world, "workflows/e2e.yml/runs")["workflow_runs"][0]["id"], id);
}

#[test]
fn runs_are_listed_newest_first_and_filtered() {
    let mut world = World::escher("dev");
    for n in 0..5_u32 {
        world.advance(f64::from(n) * 10.0);
        start(&mut world, &format!("c{n}"));
    }
    world.github.runs[1].event = "schedule".to_owned();
    world.github.runs[2].reference = "develop".to_owned();
    let mut titles = |query: &str| {
        let found = get(&mut world, &format!("workflows/e2e.yml/runs?{query}"));
        let titles: Vec<String> =
            found["workflow_runs"].as_array().unwrap().iter().map(|run| run["display_title"].as_str().unwrap()[4..].to_owned()).collect();
        (found["total_count"].as_u64().unwrap(), titles.join(" "))
    };
    let at = |seconds: f64| crate::time::iso(1_780_000_000.0 + seconds);
    assert_eq!(titles(""), (5, "c4 c3 c2 c1 c0".to_owned()));
    assert_eq!(titles("per_page=2&page=2"), (5, "c2 c1".to_owned()));
    assert_eq!(titles("event=workflow_dispatch&branch=main"), (3, "c4 c3 c0".to_owned()));
    assert_eq!(titles(&format!("created=%3E%3D{}", at(20.0))), (3, "c4 c3 c2".to_owned()));
    assert_eq!(titles(&format!("created={}..{}", at(10.0), at(29.0))), (2, "c2 c1".to_owned()));
    assert_eq!(titles(&format!("created=*..{}", at(9.0))), (1, "c0".to_owned()));
    assert_eq!(titles(&format!("created={}", &at(0.0)[..10])).0, 5, "a day");
    assert_eq!(titles("status=completed"), (4, "c3 c2 c1 c0".to_owned()));
    let page = get_reply(&mut world, "workflows/e2e.yml/runs?per_page=2");
    let url = format!("https://api.github.com/repos/{SUITE}/actions/workflows/e2e.yml/runs?per_page=2");
    assert_eq!(page.headers[0], ("link", format!("<{url}&page=2>; rel=\"next\", <{url}&page=3>; rel=\"last\"")));
}

#[test]
fn a_run_that_has_not_changed_is_not_sent_again() {
    let mut world = World::escher("dev");
    let id = start(&mut world, "c1");
    let first = get_reply(&mut world, &format!("runs/{id}"));
    let tag = first.headers.iter().find(|(name, _)| *name == "etag").unwrap().1.clone();
    assert!(tag.starts_with("W/\""));
    let mut again = ask(&format!("/repos/{SUITE}/actions/runs/{id}"), &world.github.token);
    again.headers.push(("if-none-match".to_owned(), tag));
    world.advance(1.0);
    let same = send(&mut world, &again);
    assert_eq!((same.status, same.body.as_str()), (304, ""));
    world.advance(2.0);
    let changed = send(&mut world, &again);
    assert_eq!((changed.status, &changed.value()["status"]), (200, &json!("in_progress")));
}

#[test]
fn a_run_waits_for_its_approval() {
    let mut world = World::escher("dev");
    let workflow = world.github.workflow_mut(SUITE, "e2e.yml");
    workflow.fates.push_back(RunFate { approval: Approval::Given(5.0), ..RunFate::ends("failure") });
    workflow.fates.push_back(RunFate { approval: Approval::Never, ..RunFate::ends("success") });
    let (given, never) = (start(&mut world, "c1"), start(&mut world, "c2"));
    world.advance(3.0);
    assert_eq!(state(&mut world, given), is("waiting", None));
    let pending = get(&mut world, &format!("runs/{given}/pending_deployments"));
    assert_eq!((&pending[0]["environment"]["name"], &pending[0]["current_user_can_approve"]), (&json!("e2e"), &json!(false)));
    assert_eq!(get(&mut world, &format!("runs/{given}/jobs"))["jobs"][0]["status"], "waiting");
    world.advance(7.0);
    assert_eq!(state(&mut world, given), is("in_progress", None));
    assert_eq!(get(&mut world, &format!("runs/{given}/pending_deployments")), json!([]));
    world.advance(10_000.0);
    assert_eq!(state(&mut world, given), is("completed", Some("failure")));
    assert_eq!(state(&mut world, never), is("waiting", None));
    assert_eq!(cancel(&mut world, never).0, 202);
    assert_eq!(state(&mut world, never), is("completed", Some("cancelled")));
    let third = start(&mut world, "c3");
    world.advance(10_008.0);
    assert_eq!(state(&mut world, third), is("completed", Some("success")), "the default again");
}

#[test]
fn jobs_tell_how_far_they_are_and_which_step_failed() {
    let mut world = World::escher("dev");
    let steps = [("Set up job", "success"), ("Run the suite", "failure"), ("Report", "skipped")];
    let fate = &mut world.github.workflow_mut(SUITE, "e2e.yml").fate;
    *fate = RunFate::ends("failure");
    fate.jobs = vec![FatedJob::new("smoke", "success", &[]), FatedJob::new("regression", "failure", &steps)];
    let id = start(&mut world, "c1");
    let queued = get(&mut world, &format!("runs/{id}/jobs"));
    assert_eq!(
        (&queued["total_count"], &queued["jobs"][1]["status"], &queued["jobs"][1]["steps"]),
        (&json!(2), &json!("queued"), &json!([]))
    );
    world.advance(5.0);
    let running = get(&mut world, &format!("runs/{id}/jobs"))["jobs"][1]["steps"].clone();
    let statuses: Vec<&str> = running.as_array().unwrap().iter().map(|step| step["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["completed", "in_progress", "pending"]);
    world.advance(8.0);
    let page = get(&mut world, &format!("runs/{id}/jobs?filter=latest&per_page=1&page=2"));
    let job = &page["jobs"][0];
    assert_eq!((&page["total_count"], &job["name"], &job["conclusion"]), (&json!(2), &json!("regression"), &json!("failure")));
    let ends: Vec<&str> = job["steps"].as_array().unwrap().iter().map(|step| step["conclusion"].as_str().unwrap()).collect();
    assert_eq!(ends, ["success", "failure", "skipped"]);
    let number = job["id"].as_u64().unwrap();
    assert_eq!(job["html_url"], format!("https://github.com/{SUITE}/actions/runs/{id}/job/{number}"));
    assert_eq!((&job["started_at"], &job["completed_at"]), (&json!("2026-05-28T20:26:42Z"), &json!("2026-05-28T20:26:48Z")));
}

#[test]
fn a_run_can_be_cancelled_until_it_is_over() {
    let mut world = World::escher("dev");
    let (first, second) = (start(&mut world, "c1"), start(&mut world, "c2"));
    world.advance(4.0);
    assert_eq!(cancel(&mut world, first), (202, json!({})));
    assert_eq!(state(&mut world, first), is("completed", Some("cancelled")));
    let job = get(&mut world, &format!("runs/{first}/jobs"))["jobs"][0].clone();
    let ends: Vec<&str> = job["steps"].as_array().unwrap().iter().map(|step| step["conclusion"].as_str().unwrap()).collect();
    assert_eq!((job["conclusion"].as_str(), ends), (Some("cancelled"), vec!["success", "cancelled", "skipped", "skipped"]));
    let (status, refused) = cancel(&mut world, first);
    assert_eq!((status, &refused["message"]), (409, &json!("Cannot cancel a workflow run that is completed.")));
    assert_eq!(cancel(&mut world, 1).0, 404);
    world.advance(8.0);
    assert_eq!((state(&mut world, second), cancel(&mut world, second).0), (is("completed", Some("success")), 409));
}
