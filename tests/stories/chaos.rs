//! A run may be cut off at any moment: whatever was done by then, the next one brings the release to the same end, and
//! begins nothing twice.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use escher_sandbox::{Effect, Fault, What, World};
use futures_util::{StreamExt, stream};
use serde_json::Value;

use crate::harness::{Job, escher};

const SERVICES: [&str; 3] = ["asset-store", "context-engine", "autoresolver"];
/// Quick, but slow enough that a poll sees each deployment on its way.
const SCALE: f64 = 250.0;
/// Runs at once in a story: most of a run is waiting.
const AT_ONCE: usize = 6;
const AWS: [&str; 5] = ["ecs", "ecr", "sts", "secretsmanager", "elasticloadbalancing"];

/// How a service stands.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Standing {
    /// The PRIMARY's definition.
    pub(crate) definition: String,
    /// That definition, but for the label that names the one before.
    content: Value,
    /// What that label names.
    previous: String,
    /// The PRIMARY is COMPLETED and alone.
    pub(crate) is_at_rest: bool,
}

/// How every service stands, by name.
pub(crate) fn standing(job: &Job) -> BTreeMap<String, Standing> {
    job.sandbox.with(|world| world.ecs.services.iter().map(|service| (service.name.clone(), stands(world, service))).collect())
}

fn stands(world: &World, service: &escher_sandbox::Service) -> Standing {
    let primary = service.primary().expect("a PRIMARY");
    let definition = world.ecs.definitions.iter().find(|known| known.arn == primary.task_definition).expect("a definition");
    let mut content = definition.body.clone();
    let containers = content["containerDefinitions"].as_array_mut().into_iter().flatten();
    let labels = containers.filter_map(|container| container["dockerLabels"].as_object_mut());
    let previous = labels.filter_map(|labels| labels.remove("escher.previous")).next();
    Standing {
        definition: primary.task_definition.clone(),
        content,
        previous: previous.as_ref().and_then(Value::as_str).unwrap_or_default().to_owned(),
        is_at_rest: primary.rollout == escher_sandbox::Rollout::Completed && service.deployments.len() == 1,
    }
}

async fn release() -> Job {
    let mut world = escher();
    world.time_scale = SCALE;
    let mut job = Job::tag_push(world).await;
    // A secret, so that Secrets Manager is asked, too, and a migration, which must not run twice.
    let file = job.own_configuration().join("services/asset-store.yml");
    let text = std::fs::read_to_string(&file).unwrap()
        + "secrets: { DATABASE_URL: \"escher/{env}/asset-store/database-url\" }\nmigrate: { command: [./migrate, up] }\n";
    std::fs::write(&file, text).unwrap();
    job.only(&SERVICES.join(" "));
    job
}

fn aws_calls(job: &Job) -> usize {
    job.sandbox.with(|world| world.calls.iter().filter(|call| AWS.contains(&call.party.as_str())).count())
}

/// Waits for the sandbox to have seen so many calls; the run may end before.
async fn wait_for(job: &Job, child: &mut tokio::process::Child, count: usize) {
    while aws_calls(job) < count && child.try_wait().unwrap().is_none() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

async fn interrupt(child: &mut tokio::process::Child, signal: &str) {
    // SIGKILL without the detour: the less time passes, the nearer to the call.
    let Some(id) = child.id() else { return };
    if signal == "KILL" {
        return child.start_kill().unwrap();
    }
    // It fails where the run has just ended.
    let _ = tokio::process::Command::new("kill").args([&format!("-{signal}"), &id.to_string()]).status().await.unwrap();
}

/// One release, interrupted after so many calls, and run again.
async fn interrupted(signal: &str, count: usize, undisturbed: &BTreeMap<String, Standing>) {
    let what = format!("SIG{signal} after call {count}");
    let mut job = release().await;
    let before = standing(&job);
    let mut child = job.start();
    wait_for(&job, &mut child, count).await;
    interrupt(&mut child, signal).await;
    let told = Instant::now();
    let ran = job.ended(child).await;
    let expected: &[i32] = if signal == "KILL" { &[-1, 0] } else { &[130, 0] };
    assert!(expected.contains(&ran.code), "{what}: ended with {}\n{}\n{}", ran.code, ran.stdout, ran.stderr);
    assert!(told.elapsed() < Duration::from_secs(5), "{what}: took {:?} to end", told.elapsed());
    if ran.code == 130 {
        ran.ends(130, "cancelled");
    }
    assert_eq!(job.count("StopServiceDeployment"), 0, "{what}: nothing is rolled back\n{}", ran.stdout);
    let again = job.run().await;
    assert_eq!(again.code, 0, "{what}: the next run failed\n{}\n{}", again.stdout, again.stderr);
    assert_eq!(job.count("RunTask"), 1, "{what}: the migration runs once\n{}\n{}", ran.stdout, again.stdout);
    let after = standing(&job);
    for name in SERVICES {
        let told = format!("{what}: {name}\n--- interrupted\n{}\n--- again\n{}", ran.stdout, again.stdout);
        assert!(after[name].is_at_rest, "{told}");
        assert_eq!(after[name].content, undisturbed[name].content, "{told}");
        assert_eq!(after[name].previous, before[name].definition, "{told}");
        let begun = job.sandbox.with(|world| world.history(name).iter().filter(|moment| moment.what == What::Updated).count());
        assert_eq!(begun, 1, "deployments begun; {told}");
    }
}

async fn interrupted_at_every_call(signal: &str) {
    let mut job = release().await;
    job.run().await.ends(0, "success");
    let undisturbed = standing(&job);
    let operations = aws_calls(&job);
    assert!(operations > 30, "a whole release");
    let runs = (1..=operations).map(|count| interrupted(signal, count, &undisturbed));
    stream::iter(runs).buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;
}

#[tokio::test]
async fn killed_at_any_call_the_next_run_ends_as_if_nothing_had_been() {
    interrupted_at_every_call("KILL").await;
}

#[tokio::test]
async fn interrupted_at_any_call_the_next_run_ends_as_if_nothing_had_been() {
    interrupted_at_every_call("INT").await;
}

#[tokio::test]
async fn terminated_at_any_call_the_next_run_ends_as_if_nothing_had_been() {
    interrupted_at_every_call("TERM").await;
}

#[tokio::test]
async fn what_begins_while_the_run_ends_is_left_in_flight_and_not_taken_back() {
    let mut job = release().await;
    // The first update is answered after the signal, while the second one is still waited for.
    for seconds in [0.5, 1.2] {
        let effect = Effect::Delay(seconds);
        job.sandbox.with(|world| {
            world.fault(Fault { party: "ecs".into(), operation: "UpdateService".into(), skip: 0, times: 1, effect });
        });
    }
    let mut child = job.start();
    while job.count("RegisterTaskDefinition") < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // Both requests are sent by then.
    tokio::time::sleep(Duration::from_millis(200)).await;
    interrupt(&mut child, "TERM").await;
    let ran = job.ended(child).await;
    ran.ends(130, "cancelled").says("asset-store  left in flight").says("autoresolver  left in flight");
    assert_eq!((job.count("UpdateService"), job.count("ListServiceDeployments"), job.count("StopServiceDeployment")), (2, 0, 0));
    job.run().await.ends(0, "success");
    assert_eq!(job.count("UpdateService"), 3, "only what had not begun is begun");
}

#[tokio::test]
async fn an_update_that_nobody_has_confirmed_when_the_run_ends_is_not_said_to_be_in_flight() {
    let mut job = release().await;
    let effect = Effect::Error { status: 503, code: "ServiceUnavailable".into(), message: "not now".into() };
    job.sandbox.with(|world| world.fault(Fault { party: "ecs".into(), operation: "UpdateService".into(), skip: 0, times: 99, effect }));
    let mut child = job.only("asset-store").start();
    while job.count("UpdateService") == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    interrupt(&mut child, "TERM").await;
    let ran = job.ended(child).await;
    ran.ends(130, "cancelled").says("asset-store  perhaps in flight");
    job.sandbox.with(|world| assert!(world.history("asset-store").is_empty(), "nothing had begun"));
}
