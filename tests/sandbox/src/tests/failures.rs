use serde_json::{Value, json};

use super::{deploy, ecs, look, told};
use crate::{Breaker, Check, Fate, World};

/// A world in which the new image of the gateway has this fate, without a circuit breaker.
fn doomed(fate: Fate) -> World {
    let mut world = World::escher("dev");
    world.image_mut("escher-gateway", "v2.16.0-dev").fate = fate;
    world.service_mut("gateway").breaker = Breaker { enable: false, rollback: false };
    world
}

/// The first stopped task of a deployment, found as the facts page says.
fn stopped(world: &mut World, deployment: &str) -> Value {
    let arns = ecs(world, "ListTasks", json!({"serviceName": "gateway", "desiredStatus": "STOPPED"}))["taskArns"].clone();
    let tasks = ecs(world, "DescribeTasks", json!({"tasks": arns}))["tasks"].clone();
    tasks.as_array().unwrap().iter().find(|task| task["startedBy"] == deployment).expect("a stopped task").clone()
}

#[test]
fn a_crash_leaves_its_exit_code_and_its_last_words() {
    let mut world = doomed(Fate::Crashes { exit_code: 7, after: 1.0 });
    let id = deploy(&mut world, "gateway");
    world.advance(30.0);
    let task = stopped(&mut world, &id);
    assert_eq!(
        (&task["stopCode"], &task["stoppedReason"]),
        (&json!("EssentialContainerExited"), &json!("Essential container in task exited"))
    );
    assert_eq!((&task["containers"][0]["exitCode"], &task["containers"][1]["exitCode"]), (&json!(7), &json!(0)));
    let stream = format!("ecs/gateway/{}", task["taskArn"].as_str().unwrap().rsplit('/').next().unwrap());
    let body = json!({"logGroupName": "/ecs/escher-dev-gateway", "logStreamName": stream, "limit": 2});
    let (status, page) = super::call(&mut world, "Logs_20140328.GetLogEvents", body.clone());
    assert_eq!(status, 200);
    assert_eq!(page["events"][1]["message"], "main.main() exited with status 7");
    let (_, before) = super::call(&mut world, "Logs_20140328.GetLogEvents", with(&body, "nextToken", &page["nextBackwardToken"]));
    assert_eq!(before["events"].as_array().unwrap().len(), 2);
    let (_, end) = super::call(&mut world, "Logs_20140328.GetLogEvents", with(&body, "nextToken", &page["nextForwardToken"]));
    assert_eq!((&end["nextForwardToken"], end["events"].as_array().unwrap().len()), (&page["nextForwardToken"], 0));
}

fn with(body: &Value, key: &str, value: &Value) -> Value {
    let mut body = body.clone();
    body[key] = value.clone();
    body
}

#[test]
fn an_image_that_cannot_be_pulled_is_told_once_and_retried() {
    let mut world = doomed(Fate::CannotPull);
    let id = deploy(&mut world, "gateway");
    world.advance(200.0);
    let task = stopped(&mut world, &id);
    assert_eq!(task["stopCode"], "TaskFailedToStart");
    let reason = task["stoppedReason"].as_str().unwrap();
    assert!(reason.starts_with("CannotPullContainerError: pull image manifest has been retried 5 time(s): failed to resolve ref"));
    assert!(task["containers"][0].get("exitCode").is_none() && task["containers"][0].get("imageDigest").is_none());
    let events = told(world.service_mut("gateway"));
    let place =
        events.iter().filter(|text| text.starts_with("(service gateway) was unable to place a task. Reason: CannotPullContainerError: "));
    assert_eq!(place.count(), 1);
    assert!(look(&mut world, "gateway")["deployments"][0]["failedTasks"].as_u64().unwrap() >= 6);
}

#[test]
fn running_out_of_memory_is_told_by_the_container() {
    let mut world = doomed(Fate::OutOfMemory);
    let id = deploy(&mut world, "gateway");
    world.advance(40.0);
    let task = stopped(&mut world, &id);
    assert_eq!(task["stoppedReason"], "Essential container in task exited");
    assert_eq!(task["containers"][0]["exitCode"], 137);
    assert_eq!(task["containers"][0]["reason"], "OutOfMemoryError: Container killed due to memory usage");
}

#[test]
fn the_load_balancer_finds_a_task_unhealthy() {
    let mut world = doomed(Fate::Unhealthy);
    let id = deploy(&mut world, "gateway");
    world.advance(100.0);
    let task = stopped(&mut world, &id);
    let group = world.service_mut("gateway").target_group.clone();
    assert_eq!(task["stoppedReason"], format!("Task failed ELB health checks in (target-group {group})"));
    let events = told(world.service_mut("gateway"));
    let unhealthy =
        format!("(port 8080) is unhealthy in (target-group {group}) due to (reason Health checks failed with these codes: [503]).");
    assert!(events.iter().any(|text| text.ends_with(&unhealthy)));
    assert!(events.iter().any(|text| text.ends_with(" Amazon ECS replaced 2 tasks due to an unhealthy status.")));
}

#[test]
fn a_container_finds_itself_unhealthy() {
    let mut world = doomed(Fate::Unhealthy);
    world.service_mut("gateway").check = Check::Container;
    let id = deploy(&mut world, "gateway");
    let timing = world.service_mut("gateway").timing;
    world.advance(timing.to_healthy(&Check::Container) + 0.1);
    let arns = ecs(&mut world, "ListTasks", json!({"startedBy": id}))["taskArns"].clone();
    assert_eq!(ecs(&mut world, "DescribeTasks", json!({"tasks": arns}))["tasks"][0]["healthStatus"], "UNHEALTHY");
    world.advance(100.0);
    assert_eq!(stopped(&mut world, &id)["stoppedReason"], "Task failed container health checks");
    assert!(told(world.service_mut("gateway")).iter().any(|text| text.ends_with(") failed container health checks.")));
}

#[test]
fn a_task_that_never_starts_stays_pending() {
    let mut world = doomed(Fate::NeverStarts);
    deploy(&mut world, "gateway");
    world.advance(3000.0);
    let service = look(&mut world, "gateway");
    assert_eq!((&service["deployments"][0]["pendingCount"], &service["deployments"][0]["failedTasks"]), (&json!(2), &json!(0)));
    assert_eq!(service["deployments"][0]["rolloutState"], "IN_PROGRESS");
}

#[test]
fn a_secret_that_is_gone_shows_only_when_a_task_starts() {
    let mut world = doomed(Fate::Well);
    world.secrets.entries.retain(|secret| secret.name != "escher/dev/gateway/api-key");
    let id = deploy(&mut world, "gateway");
    world.advance(60.0);
    let task = stopped(&mut world, &id);
    assert!(task["stoppedReason"].as_str().unwrap().starts_with("ResourceInitializationError: unable to pull secrets"));
    assert!(task["stoppedReason"].as_str().unwrap().contains("escher/dev/gateway/api-key"));
}

#[test]
fn a_stopped_task_is_shown_for_an_hour() {
    let mut world = World::escher("dev");
    let old = world.service_mut("gateway").primary_id();
    deploy(&mut world, "gateway");
    world.advance(100.0);
    let task = stopped(&mut world, &old);
    assert_eq!(task["stoppedReason"], format!("Scaling activity initiated by (deployment {old})"));
    assert_eq!(task["stopCode"], "ServiceSchedulerInitiated");
    world.advance(4000.0);
    let left = ecs(&mut world, "ListTasks", json!({"serviceName": "gateway", "desiredStatus": "STOPPED"}));
    assert_eq!(left["taskArns"], json!([]));
}

#[test]
fn the_old_tasks_answer_until_they_drain() {
    let mut world = doomed(Fate::Well);
    let ask = |world: &mut World| crate::endpoints::answer(world, "gateway").value()["version"].as_str().unwrap().to_owned();
    assert_eq!(ask(&mut world), "2.15.0-dev");
    deploy(&mut world, "gateway");
    let timing = world.service_mut("gateway").timing;
    world.advance(timing.to_healthy(&Check::TargetGroup) + 0.5);
    let four: Vec<String> = (0..4).map(|_| ask(&mut world)).collect();
    assert_eq!(four.iter().filter(|version| *version == "2.15.0-dev").count(), 2);
    world.advance(timing.to_healthy(&Check::TargetGroup) + timing.stop_old + 0.5);
    assert!((0..4).all(|_| ask(&mut world) == "2.16.0-dev"));
    world.image_mut("escher-gateway", "v2.16.0-dev").fate = Fate::AnswersVersion("1.0.0".to_owned());
    assert_eq!(ask(&mut world), "1.0.0");
    world.image_mut("escher-gateway", "v2.16.0-dev").fate = Fate::Answers { status: 500 };
    assert_eq!(crate::endpoints::answer(&mut world, "gateway").status, 500);
    world.service_mut("gateway").tasks.clear();
    assert_eq!(crate::endpoints::answer(&mut world, "gateway").status, 503);
}
