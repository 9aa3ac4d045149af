//! All or nothing: whatever fails, afterwards every service runs exactly what it ran before; with `hold`, exactly what the
//! report says.

use std::collections::BTreeMap;

use escher_sandbox::{Breaker, Deed, Effect, Fate, Fault, When, World};
use serde_json::Value;

use crate::harness::{Job, Ran, TAG, escher};

const SERVICES: [&str; 7] =
    ["asset-store", "context-engine", "analysis-agent", "playbook-agent", "integrations-agent", "gateway", "autoresolver"];

const CRASH: Fate = Fate::Crashes { exit_code: 3, after: 1.0 };

/// What each service's PRIMARY runs, which must be COMPLETED and alone.
fn running(job: &Job) -> BTreeMap<String, String> {
    job.sandbox.with(|world| {
        let primary =
            |service: &escher_sandbox::Service| service.primary().map(|primary| primary.task_definition.clone()).unwrap_or_default();
        world.ecs.services.iter().map(|service| (service.name.clone(), primary(service))).collect()
    })
}

fn assert_steady(job: &Job) {
    job.sandbox.with(|world| {
        for service in &world.ecs.services {
            assert!(service.primary().is_some_and(|primary| !primary.in_progress()), "{} is at rest", service.name);
        }
    });
}

fn failing(service: &str, fate: Fate, rollback_by_ecs: bool) -> World {
    let mut world = escher();
    world.image_mut(&format!("escher-{service}"), TAG).fate = fate;
    world.service_mut(service).breaker = Breaker { enable: true, rollback: rollback_by_ecs };
    world
}

#[tokio::test]
async fn a_failure_at_any_of_the_seven_takes_the_whole_release_back() {
    for (index, service) in SERVICES.iter().enumerate() {
        let mut job = Job::tag_push(failing(service, CRASH, index % 2 == 0)).await;
        let before = running(&job);
        let ran = job.run().await;
        ran.ends(1, "rolled-back").says(&format!("✗ {service}: "));
        assert_eq!(running(&job), before, "after a failure at {service}");
        assert_steady(&job);
        assert_eq!(ran.names("deployed"), Vec::<String>::new());
    }
}

#[tokio::test]
async fn with_hold_the_healthy_ones_stay_and_the_report_says_what_runs() {
    for service in SERVICES {
        let mut job = Job::tag_push(failing(service, CRASH, true)).await;
        let before = running(&job);
        let ran = job.input("on-failure", "hold").run().await;
        ran.ends(1, "failed");
        let now = running(&job);
        let deployed = ran.names("deployed");
        for name in SERVICES {
            assert_eq!(now[name] != before[name], deployed.contains(&name.to_owned()), "{name}");
        }
    }
}

fn updates(job: &Job) -> Vec<String> {
    let calls = job.sandbox.calls();
    calls
        .iter()
        .filter(|call| call.operation == "UpdateService")
        .map(|call| call.body["service"].as_str().unwrap_or_default().to_owned())
        .collect()
}

#[tokio::test]
async fn the_way_back_is_in_reverse_order() {
    let mut job = Job::tag_push(failing("gateway", CRASH, true)).await;
    let ran = job.run().await;
    ran.ends(1, "rolled-back").says("The release goes back, in reverse order").says("asset-store  taken back");
    let all = updates(&job);
    let back = &all[7..];
    let at = |name: &str| back.iter().position(|service| service == name).unwrap_or_else(|| panic!("{name} in {back:?}"));
    assert!(at("context-engine") < at("asset-store"), "{back:?}");
    for agent in ["analysis-agent", "playbook-agent", "integrations-agent"] {
        assert!(at(agent) < at("context-engine"), "{back:?}");
    }
    ran.summarises("taken back");
}

#[tokio::test]
async fn what_is_in_flight_is_stopped_by_ecs_itself() {
    // autoresolver fails its smoke test at once while asset-store is on its way.
    let mut world = escher();
    world.image_mut("escher-autoresolver", TAG).fate = Fate::Answers { status: 500 };
    world.service_mut("asset-store").timing.boot = 200.0;
    let mut job = Job::tag_push(world).await;
    let before = running(&job);
    let ran = job.set("DEPLOY_SMOKE_TIMEOUT_SECONDS", "0.3").run().await;
    ran.ends(5, "rolled-back").says("asset-store  taken back").says("autoresolver: smoke test failed");
    assert_eq!(running(&job), before);
    assert_eq!(job.count("StopServiceDeployment"), 1);
    assert_eq!(ran.names("failed").len(), 7);
}

#[tokio::test]
async fn where_ecs_cannot_stop_a_deployment_the_release_updates_it_back() {
    let mut world = escher();
    world.image_mut("escher-autoresolver", TAG).fate = Fate::Answers { status: 500 };
    world.service_mut("asset-store").timing.boot = 200.0;
    let effect = Effect::Error { status: 400, code: "InvalidParameterException".into(), message: "not supported".into() };
    world.fault(Fault { party: "ecs".into(), operation: "StopServiceDeployment".into(), skip: 0, times: 9, effect });
    let mut job = Job::tag_push(world).await;
    let before = running(&job);
    job.set("DEPLOY_SMOKE_TIMEOUT_SECONDS", "0.3").run().await.ends(5, "rolled-back");
    assert_eq!(running(&job), before);
}

#[tokio::test]
async fn someone_elses_newer_deployment_is_left_and_reported() {
    let mut world = failing("gateway", CRASH, true);
    let when = When::AfterUpdate { service: "gateway".into(), seconds: 10.0 };
    world.script(when, Deed::StrangerDeploys { service: "autoresolver".into() });
    let mut job = Job::tag_push(world).await;
    let before = running(&job);
    let ran = job.run().await;
    ran.ends(1, "failed").says("someone else's and newer: it was left");
    let mut now = running(&job);
    assert_ne!(now.remove("autoresolver"), before.get("autoresolver").cloned());
    assert!(now.iter().all(|(name, definition)| before[name] == *definition), "{now:?}");
}

#[tokio::test]
async fn a_way_back_that_fails_is_said_in_the_loudest_place() {
    let mut world = failing("context-engine", CRASH, true);
    let effect = Effect::Error { status: 400, code: "AccessDeniedException".into(), message: "not any more".into() };
    world.fault(Fault { party: "ecs".into(), operation: "UpdateService".into(), skip: 3, times: 99, effect });
    let mut job = Job::tag_push(world).await;
    let ran = job.run().await;
    ran.ends(1, "failed")
        .says("asset-store: NOT TAKEN BACK")
        // It can be pasted, and begins a deployment whatever stands there.
        .says("aws ecs update-service --region us-west-1 --cluster escher-dev --service asset-store ")
        .says("--task-definition escher-dev-asset-store:1 --force-new-deployment");
    ran.summarises("❌ asset-store: NOT TAKEN BACK");
    let text = job.sandbox.with(|world| world.slack.messages[0].blocks.to_string());
    assert!(text.contains("NOT TAKEN BACK"), "{text}");
}

#[tokio::test]
async fn a_rerun_that_fails_takes_back_what_the_earlier_run_deployed() {
    // The first run is interrupted after asset-store; the second one fails at context-engine.
    let mut job = Job::tag_push(escher()).await;
    let before = running(&job);
    job.only("asset-store").run().await.ends(0, "success");
    job.sandbox.with(|world| {
        world.image_mut("escher-context-engine", TAG).fate = CRASH;
        world.service_mut("context-engine").breaker = Breaker { enable: true, rollback: true };
    });
    let ran = job.only("asset-store context-engine").run().await;
    ran.ends(1, "rolled-back");
    assert_eq!(running(&job), before, "asset-store went back to what ran before the release");
}

#[tokio::test]
async fn once_arrived_a_release_answers_only_for_its_own_run() {
    let mut job = Job::tag_push(escher()).await;
    job.only("asset-store context-engine").run().await.ends(0, "success");
    let arrived = running(&job);
    let folder = job.own_configuration();
    let file = folder.join("services/context-engine.yml");
    let text = std::fs::read_to_string(&file).unwrap().replace("[LOG_LEVEL]", "[LOG_LEVEL, EXTRA]");
    std::fs::write(&file, text).unwrap();
    let file = folder.join("environments/dev.env");
    let text = std::fs::read_to_string(&file).unwrap() + "EXTRA=1\n";
    std::fs::write(&file, text).unwrap();
    job.sandbox.with(|world| world.image_mut("escher-context-engine", TAG).fate = Fate::Answers { status: 500 });
    job.set("DEPLOY_SMOKE_TIMEOUT_SECONDS", "0.3").run().await.ends(5, "rolled-back");
    assert_eq!(running(&job), arrived, "the release that had arrived stays");
}

fn log_of(ran: &Ran, service: &str) -> Vec<String> {
    let services = ran.report["services"].as_array().cloned().unwrap_or_default();
    let service = services.into_iter().find(|row| row["name"] == service).unwrap_or(Value::Null);
    serde_json::from_value(service["failure"]["log"].clone()).unwrap_or_default()
}

#[tokio::test]
async fn a_crash_comes_with_its_logs_last_lines_and_no_credential_in_them() {
    let mut job = Job::tag_push(failing("autoresolver", CRASH, true)).await;
    let ran = job.only("autoresolver").run().await;
    ran.ends(1, "rolled-back").says("the log's last ").summarises("the log's last ");
    let log = log_of(&ran, "autoresolver");
    assert!(!log.is_empty());
    for line in &log {
        assert!(ran.stdout.contains(line.trim()), "{line}");
    }
}

#[tokio::test]
async fn a_service_that_fails_by_itself_while_ecs_is_asked_to_stop_it_ends_once_and_the_run_ends() {
    let mut world = escher();
    for name in ["autoresolver", "analysis-agent"] {
        world.image_mut(&format!("escher-{name}"), TAG).fate = Fate::Answers { status: 500 };
    }
    world.service_mut("asset-store").timing.boot = 200.0;
    let effect = Effect::Delay(0.8);
    world.fault(Fault { party: "ecs".into(), operation: "ListServiceDeployments".into(), skip: 0, times: 2, effect });
    let mut job = Job::tag_push(world).await;
    let file = job.own_configuration().join("services/analysis-agent.yml");
    let text = std::fs::read_to_string(&file).unwrap().replace("needs: [context-engine]\n", "");
    std::fs::write(&file, text).unwrap();
    let before = running(&job);
    let ran = job.only("autoresolver analysis-agent asset-store").set("DEPLOY_SMOKE_TIMEOUT_SECONDS", "0.4").run().await;
    ran.ends(5, "rolled-back").says("✗ autoresolver: smoke test failed").says("✗ analysis-agent: smoke test failed");
    assert_eq!(running(&job), before);
}

#[tokio::test]
async fn what_an_earlier_run_left_in_flight_goes_back_too_when_what_it_needs_fails() {
    let mut world = escher();
    world.service_mut("context-engine").timing.boot = 300.0;
    let mut job = Job::tag_push(world).await;
    let before = running(&job);
    let mut child = job.only("context-engine").start();
    while job.count("UpdateService") == 0 {
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    child.start_kill().unwrap();
    job.ended(child).await;
    job.sandbox.with(|world| world.image_mut("escher-asset-store", TAG).fate = Fate::Answers { status: 500 });
    let ran = job.only("asset-store context-engine").set("DEPLOY_SMOKE_TIMEOUT_SECONDS", "0.3").run().await;
    ran.ends(5, "rolled-back").says("is in flight: joined").says("context-engine  taken back");
    assert_eq!(running(&job), before);
}

#[tokio::test]
async fn a_rerun_goes_back_past_its_own_release_where_ecs_stops_at_it() {
    // The first run of the release arrives at asset-store alone; the second brings it other configuration, which crashes.
    let mut job = Job::tag_push(escher()).await;
    let before = running(&job);
    job.only("asset-store").run().await.ends(0, "success");
    let folder = job.own_configuration();
    let file = folder.join("environments/dev.env");
    let text = std::fs::read_to_string(&file).unwrap().replace("LOG_LEVEL=debug", "LOG_LEVEL=trace");
    std::fs::write(&file, text).unwrap();
    job.sandbox.with(|world| world.image_mut("escher-context-engine", TAG).fate = Fate::Answers { status: 500 });
    let ran = job.only("asset-store context-engine").set("DEPLOY_SMOKE_TIMEOUT_SECONDS", "0.3").run().await;
    ran.ends(5, "rolled-back").says("runs now: 2.15.0-dev as before").says("return     2.16.0-dev → 2.15.0-dev");
    assert_eq!(running(&job), before);
}

#[tokio::test]
async fn an_answer_older_than_the_update_does_not_pass_for_a_way_back() {
    // One of the two is refused; the other is in flight by then, can't be stopped, and DescribeServices still shows it as before.
    let mut world = escher();
    world.ecs.stale_reads = 100.0;
    for (operation, skip) in [("UpdateService", 1), ("StopServiceDeployment", 0)] {
        let effect = Effect::Error { status: 400, code: "InvalidParameterException".into(), message: "not now".into() };
        world.fault(Fault { party: "ecs".into(), operation: operation.into(), skip, times: 1, effect });
    }
    let mut job = Job::tag_push(world).await;
    let before = running(&job);
    let ran = job.only("asset-store autoresolver").run().await;
    ran.ends(1, "rolled-back").says("taken back");
    assert_eq!(running(&job), before);
    assert_eq!(updates(&job).len(), 3, "one goes, one is refused, and the one that went goes back");
}

#[tokio::test]
async fn what_can_neither_be_seen_nor_taken_back_is_not_said_to_run_for_certain() {
    let mut world = escher();
    // Read for the plan and before the update, and never again.
    let effect = Effect::Error { status: 400, code: "AccessDeniedException".into(), message: "not any more".into() };
    world.fault(Fault { party: "ecs".into(), operation: "DescribeServices".into(), skip: 2, times: 999, effect });
    let mut job = Job::tag_push(world).await;
    let ran = job.only("asset-store").set("DEPLOY_TIMEOUT_MINUTES", "0.03").run().await;
    ran.ends(1, "failed").says("asset-store: NOT TAKEN BACK").says("runs now: 2.15.0-dev and perhaps tasks of 2.16.0-dev");
}
