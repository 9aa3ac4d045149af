//! What arrives, in which order, and what is left alone.

use std::collections::BTreeMap;

use escher_sandbox::{Check, Effect, Fault, What};
use serde_json::{Value, json};

use crate::harness::{Job, escher};

const NEEDS: &[(&str, &[&str])] = &[
    ("asset-store", &[]),
    ("autoresolver", &[]),
    ("context-engine", &["asset-store"]),
    ("analysis-agent", &["asset-store", "context-engine"]),
    ("playbook-agent", &["asset-store", "context-engine"]),
    ("integrations-agent", &["asset-store", "context-engine"]),
    ("gateway", &["asset-store", "context-engine", "analysis-agent", "playbook-agent", "integrations-agent"]),
];

#[tokio::test]
async fn a_tag_push_deploys_seven_services_each_after_what_it_needs() {
    let mut world = escher();
    // Seconds of real time, so that a machine that pauses can't turn the order of two moments round.
    world.service_mut("asset-store").timing.drain = 600.0;
    world.service_mut("analysis-agent").timing.boot = 400.0;
    let mut job = Job::tag_push(world).await;
    let ran = job.run().await;
    ran.ends(0, "success").says("v2.16.0-dev deployed to dev").says("critical path: ");
    assert_eq!((ran.output("environment"), ran.output("version")), ("dev", "2.16.0-dev"));
    assert_eq!(ran.names("deployed").len(), 7);
    assert_eq!(ran.output("failed"), "[]");
    ran.summarises("2.15.0-dev → 2.16.0-dev").summarises("```mermaid").summarises("Critical path");
    let updates: BTreeMap<String, f64> = job
        .sandbox
        .calls()
        .into_iter()
        .filter(|call| call.operation == "UpdateService")
        .map(|call| (call.body["service"].as_str().unwrap_or_default().to_owned(), call.at))
        .collect();
    assert_eq!(updates.len(), 7, "each service is updated once");
    job.sandbox.with(|world| {
        let healthy =
            |name: &str| world.history(name).iter().filter(|moment| moment.what == What::Healthy).map(|moment| moment.at).next_back();
        for (name, needs) in NEEDS {
            for need in *needs {
                assert!(healthy(need).is_some_and(|at| at < updates[*name]), "{name} was updated before {need} was healthy");
            }
        }
        let completed = |name: &str| world.history(name).iter().find(|moment| moment.what == What::Completed).map(|moment| moment.at);
        assert!(completed("asset-store").is_some_and(|at| at > updates["context-engine"]), "draining tasks hold nobody up");
        assert!(updates["autoresolver"] < updates["context-engine"], "what needs nothing starts at once");
        let agents = ["analysis-agent", "playbook-agent", "integrations-agent"].map(|name| updates[name]);
        assert!(agents.iter().all(|at| healthy("analysis-agent").is_some_and(|first| *at < first)), "agents go side by side");
    });
}

#[tokio::test]
async fn a_second_run_of_the_same_release_changes_nothing() {
    let mut job = Job::tag_push(escher()).await;
    job.run().await.ends(0, "success");
    let updates = job.count("UpdateService");
    let again = job.run().await;
    again.ends(0, "unchanged").says("runs already in dev");
    assert_eq!(again.names("unchanged").len(), 7);
    assert_eq!((job.count("UpdateService"), job.count("RegisterTaskDefinition")), (updates, 7));
}

#[tokio::test]
async fn skipped_services_stay_and_what_needs_them_still_goes() {
    let mut job = Job::tag_push(escher()).await;
    let ran = job.input("skip", "context-engine\nasset-store").run().await;
    ran.ends(0, "success");
    assert_eq!(ran.names("skipped"), ["asset-store", "context-engine"]);
    assert_eq!(ran.names("deployed").len(), 5);
}

#[tokio::test]
async fn a_component_repository_deploys_its_own_service_alone() {
    let mut job = Job::tag_push(escher()).await;
    let ran = job.set("GITHUB_REPOSITORY", "escher-dbai/v4-asset-store-go").run().await;
    ran.ends(0, "success");
    assert_eq!(ran.names("deployed"), ["asset-store"]);
    assert_eq!(job.count("UpdateService"), 1);
}

#[tokio::test]
async fn desired_count_zero_is_deployed_without_tasks_and_without_smoke_test() {
    let mut world = escher();
    world.service_mut("autoresolver").desired_count = 0;
    world.service_mut("autoresolver").tasks.clear();
    for deployment in &mut world.service_mut("autoresolver").deployments {
        deployment.desired_count = 0;
    }
    let mut job = Job::tag_push(world).await;
    let ran = job.only("autoresolver").run().await;
    ran.ends(0, "success");
    assert!(!job.operations("endpoint").contains(&"autoresolver".to_owned()));
}

#[tokio::test]
async fn a_service_without_any_check_is_deployed_too() {
    let mut world = escher();
    world.service_mut("autoresolver").check = Check::None;
    let mut job = Job::tag_push(world).await;
    job.only("autoresolver").run().await.ends(0, "success");
}

#[tokio::test]
async fn stale_answers_after_the_update_are_no_verdict() {
    let mut world = escher();
    world.ecs.stale_reads = 15.0;
    let mut job = Job::tag_push(world).await;
    job.only("autoresolver").run().await.ends(0, "success");
}

#[tokio::test]
async fn a_lost_answer_to_an_update_is_looked_up_not_sent_again() {
    let mut world = escher();
    world.fault(Fault { party: "ecs".into(), operation: "UpdateService".into(), skip: 0, times: 1, effect: Effect::LoseAnswer });
    let mut job = Job::tag_push(world).await;
    job.only("autoresolver").run().await.ends(0, "success");
    assert_eq!(job.count("UpdateService"), 1);
}

#[tokio::test]
async fn a_lost_request_and_throttling_are_tried_again() {
    let mut world = escher();
    let throttled = Effect::Error { status: 400, code: "ThrottlingException".into(), message: "Rate exceeded".into() };
    for (operation, effect) in
        [("UpdateService", Effect::LoseRequest), ("RegisterTaskDefinition", throttled.clone()), ("DescribeServices", throttled)]
    {
        world.fault(Fault { party: "ecs".into(), operation: operation.into(), skip: 0, times: 1, effect });
    }
    let mut job = Job::tag_push(world).await;
    job.only("autoresolver").run().await.ends(0, "success");
}

/// A copy of a request or a definition without what the release changes and what ECS adds.
fn comparable(body: &Value) -> Value {
    let mut body = body.clone();
    let read_only = ["taskDefinitionArn", "revision", "status", "requiresAttributes", "compatibilities", "registeredAt", "registeredBy"];
    if let Some(map) = body.as_object_mut() {
        map.retain(|key, _| !read_only.contains(&key.as_str()));
    }
    let container =
        body["containerDefinitions"].as_array_mut().unwrap().iter_mut().find(|container| container["name"] == "gateway").unwrap();
    container["image"] = json!("(image)");
    let labels = container["dockerLabels"].as_object_mut().unwrap();
    labels.retain(|name, _| !name.starts_with("org.opencontainers.image.") && !name.starts_with("escher."));
    let environment = container["environment"].as_array_mut().unwrap();
    environment.retain(|entry| entry["name"] != "LOG_LEVEL");
    body
}

#[tokio::test]
async fn a_definition_is_registered_again_whole_with_fields_that_no_sdk_knows() {
    let mut job = Job::tag_push(escher()).await;
    job.only("gateway").run().await.ends(0, "success");
    let calls = job.sandbox.calls();
    let answer = calls.iter().find(|call| call.operation == "DescribeTaskDefinition").expect("it was read").answer.clone();
    let request: Value =
        serde_json::from_str(&calls.iter().find(|call| call.operation == "RegisterTaskDefinition").expect("it was registered").raw)
            .unwrap();
    let mut before = comparable(&answer["taskDefinition"]);
    before["tags"] = answer["tags"].clone();
    assert_eq!(comparable(&request), before);
    assert_eq!(request["enableFaultInjection"], true);
    assert_eq!(request["volumes"], json!([]));
    let gateway = request["containerDefinitions"].as_array().unwrap().iter().find(|container| container["name"] == "gateway").unwrap();
    assert_eq!(gateway["dockerLabels"]["a"], "");
    assert_eq!(gateway["dockerLabels"]["escher.release"], "v2.16.0-dev");
    assert_eq!(gateway["dockerLabels"]["escher.previous"], answer["taskDefinition"]["taskDefinitionArn"]);
    assert!(gateway["image"].as_str().is_some_and(|image| image.contains("/escher-gateway@sha256:")), "{}", gateway["image"]);
    assert!(gateway["environment"].as_array().unwrap().contains(&json!({"name": "LOG_LEVEL", "value": "debug"})));
}

#[tokio::test]
async fn a_release_of_a_minute_outlives_credentials_of_twenty_seconds() {
    let mut world = escher();
    world.sts.lifetime = 20.0;
    // Healthy after 58 seconds, real ones.
    world.time_scale = 10.0;
    world.service_mut("autoresolver").timing.boot = 560.0;
    let mut job = Job::tag_push(world).await;
    job.only("autoresolver").set("DEPLOY_POLL_SECONDS", "0.5").run().await.ends(0, "success");
    let sessions = job.sandbox.with(|world| world.sts.sessions.clone());
    assert!((3..=8).contains(&sessions.len()), "{} sessions", sessions.len());
    assert!(sessions.iter().all(|session| session.session_name == "github-4711"));
    assert_eq!(job.count("token"), sessions.len(), "a fresh token for each session");
}

#[tokio::test]
async fn a_role_that_may_not_list_repositories_still_deploys_by_digest() {
    let mut world = escher();
    let denied = Effect::Error { status: 400, code: "AccessDeniedException".into(), message: "not allowed".into() };
    world.fault(Fault { party: "ecr".into(), operation: "DescribeRepositories".into(), skip: 0, times: 9, effect: denied });
    let mut job = Job::tag_push(world).await;
    job.only("autoresolver").run().await.ends(0, "success").says("warning: the registry's repositories were not checked");
    let request = job.sandbox.calls().into_iter().find(|call| call.operation == "RegisterTaskDefinition").unwrap().raw;
    assert!(request.contains("111122223333.dkr.ecr.us-west-1.amazonaws.com/escher-autoresolver@sha256:"), "{request}");
}

#[tokio::test]
async fn a_canary_is_followed_through_its_bake_time_before_anything_that_needs_it() {
    let mut world = escher();
    world.service_mut("asset-store").strategy = "CANARY".into();
    world.service_mut("asset-store").bake = 60.0;
    let mut job = Job::tag_push(world).await;
    let ran = job.only("asset-store context-engine").run().await;
    ran.ends(0, "success");
    let update = job.sandbox.calls().into_iter().filter(|call| call.operation == "UpdateService").map(|call| call.at).next_back();
    job.sandbox.with(|world| {
        let completed = world.history("asset-store").iter().find(|moment| moment.what == What::Completed).map(|moment| moment.at);
        assert!(update >= completed.map(|at| at + 60.0), "context-engine began at {update:?}, asset-store completed at {completed:?}");
    });
}
