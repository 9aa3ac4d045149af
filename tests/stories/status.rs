//! `status`: what runs where, and where environments differ. Nothing is changed by it.

use escher_sandbox::{Effect, Fault, Rollout, World};
use serde_json::Value;

use crate::harness::{Job, escher};

/// Three environments in one account. Prod runs what staging runs, but for the gateway; dev is a release of its own.
fn three() -> World {
    let mut world = escher();
    world.add_environment("staging");
    world.add_environment("prod");
    let names: Vec<String> = world.ecs.services.iter().map(|service| service.name.clone()).filter(|name| name != "gateway").collect();
    for name in names {
        let definition = |world: &World, cluster: &str| {
            let service = world.ecs.services.iter().find(|service| service.cluster == cluster && service.name == name).unwrap();
            world.ecs.definitions.iter().position(|definition| definition.arn == service.task_definition).unwrap()
        };
        let (staging, prod) = (definition(&world, "escher-staging"), definition(&world, "escher-prod"));
        world.ecs.definitions[prod].body["containerDefinitions"] = world.ecs.definitions[staging].body["containerDefinitions"].clone();
    }
    world
}

async fn status(world: World) -> Job {
    let mut job = Job::tag_push(world).await;
    let base = format!("{}/services/escher-{{env}}:{{service}}", job.sandbox.url());
    job.variables.remove("DEPLOY_CLUSTER");
    job.set("GITHUB_REF_TYPE", "branch").set("DEPLOY_BASE_URL", &base).input("command", "status");
    job
}

fn service<'a>(status: &'a Value, environment: &str, name: &str) -> &'a Value {
    let find = |list: &'a Value, name: &str| list.as_array().unwrap().iter().find(|it| it["name"] == name).unwrap();
    find(&find(&status["environments"], environment)["services"], name)
}

#[tokio::test]
async fn every_environment_stands_side_by_side_and_drift_is_seen() {
    let mut job = status(three()).await;
    let ran = job.run().await;
    ran.ends(0, "success").says("dev ≠ staging = prod").says("dev ≠ staging ≠ prod").says("✓ 2.15.0-stg").says("✓ 2.15.0-dev");
    ran.summarises("| dev | staging | prod |").summarises("dev ≠ staging = prod");
    let status = &ran.report["status"];
    let gateway = service(status, "dev", "gateway");
    assert_eq!((&gateway["state"], &gateway["health"], &gateway["well"]), (&"runs".into(), &"well".into(), &true.into()), "{gateway}");
    assert_eq!(gateway["runs"]["version"], "2.15.0-dev");
    assert!(gateway["runs"]["digest"].as_str().is_some_and(|digest| digest.starts_with("sha256:")), "{gateway}");
    assert!(gateway["age_seconds"].as_i64().is_some_and(|age| age > 3600), "{gateway}");
    assert_eq!(status["drift"].as_array().unwrap().len(), 7);
    for change in ["UpdateService", "RegisterTaskDefinition", "PutImage", "chat.postMessage"] {
        assert_eq!(job.count(change), 0, "{change}");
    }
}

#[tokio::test]
async fn what_does_not_run_well_is_told_in_words() {
    let mut world = escher();
    world.service_mut("gateway").desired_count = 0;
    world.service_mut("gateway").tasks.clear();
    for deployment in &mut world.service_mut("asset-store").deployments {
        deployment.rollout = Rollout::Failed;
        deployment.reason = "ECS deployment circuit breaker: tasks failed to start.".into();
    }
    world.ecs.services.retain(|service| service.name != "playbook-agent");
    let effect = Effect::Error { status: 503, code: "busy".into(), message: "warming up".into() };
    world.fault(Fault { party: "endpoint".into(), operation: "escher-dev:autoresolver".into(), skip: 0, times: usize::MAX, effect });
    let mut job = status(world).await;
    let ran = job.input("environment", "dev").run().await;
    ran.ends(0, "success")
        .says("dev: cluster escher-dev, us-west-1")
        .says("asset-store: the newest deployment failed: ECS deployment circuit breaker")
        .says("playbook-agent: ECS has no service `playbook-agent`")
        .says("autoresolver: its health check answered 503, expected 200")
        .says("gateway: no task is wanted");
    assert_eq!(service(&ran.report["status"], "dev", "gateway")["state"], "stopped");
    assert_eq!(ran.output("environment"), "dev");
}

#[tokio::test]
async fn an_environment_that_cannot_be_read_does_not_hide_the_others() {
    let mut job = status(escher()).await;
    let ran = job.run().await;
    ran.ends(0, "success").says("✓ 2.15.0-dev").says("staging: could not be read").says("escher-staging");
    let none = Effect::Error { status: 400, code: "AccessDeniedException".into(), message: "not authorized".into() };
    job.sandbox.with(|world| {
        world.fault(Fault { party: "ecs".into(), operation: "DescribeServices".into(), skip: 0, times: usize::MAX, effect: none.clone() });
    });
    job.run().await.ends(3, "refused").says("dev: could not be read").says("prod: could not be read");
}

#[tokio::test]
async fn for_machines_it_is_json_and_nothing_else() {
    let mut job = status(three()).await;
    job.variables.remove("GITHUB_ACTIONS");
    job.arguments = vec!["status".into(), "--json".into()];
    let ran = job.run().await;
    let status: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {}", ran.stdout));
    assert_eq!(status["schema"], 1);
    assert_eq!(service(&status, "prod", "gateway")["runs"]["version"], "2.15.0");
    // In a step of a job, too: masks are commands, and the runner reads those on stderr as well.
    job.set("GITHUB_ACTIONS", "true");
    let ran = job.run().await;
    assert!(serde_json::from_str::<Value>(&ran.stdout).is_ok(), "{}", ran.stdout);
    assert!(ran.stderr.contains("::add-mask::"), "{}", ran.stderr);
    job.variables.remove("GITHUB_ACTIONS");
    job.arguments = vec!["schema".into(), "--json".into()];
    assert!(serde_json::from_str::<Value>(&job.run().await.stdout).is_ok());
    // What is refused is told beside it.
    job.arguments = vec!["status".into(), "--json".into(), "--services".into(), "gatewy".into()];
    let ran = job.run().await;
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""));
    assert!(ran.stderr.contains("did you mean `gateway`?"), "{}", ran.stderr);
    job.arguments = vec!["plan".into(), "--json".into(), "--tag".into(), "v2.16.0-dev".into(), "--services".into(), "all".into()];
    let ran = job.run().await;
    ran.ends(2, "refused");
    assert!(ran.stderr.contains("input `json`: belongs to `status`"), "{}", ran.stderr);
}

#[tokio::test]
async fn a_variable_that_would_show_one_environment_under_every_name_is_refused() {
    let mut job = status(three()).await;
    job.set("DEPLOY_CLUSTER", "escher-dev")
        .run()
        .await
        .ends(2, "refused")
        .says("variable DEPLOY_CLUSTER: holds for every environment at once");
    job.input("environment", "dev").run().await.ends(0, "success");
}

#[tokio::test]
async fn the_schema_needs_no_configuration() {
    let mut job = Job::tag_push(escher()).await;
    let nowhere = job.folder.path().join("nowhere").display().to_string();
    job.input("config-dir", &nowhere).input("command", "schema");
    job.run().await.ends(0, "success").says("draft-07").says("\"ecr_repo\"");
    assert!(job.sandbox.with(|world| world.calls.is_empty()));
}
