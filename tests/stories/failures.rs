//! What goes wrong on the way, each with its code, its result, its reason and its way out. None is a false success.
//! `hold` here, so that each failure is seen as it is; `rollback.rs` takes releases back.

use escher_sandbox::{Breaker, Check, Deed, Fate, RollbackId, When, World};

use crate::harness::{Job, Ran, TAG, escher};

/// One service alone, with an image that fares so.
async fn alone(service: &str, fate: Fate, change: impl FnOnce(&mut World)) -> (Job, Ran) {
    let mut world = escher();
    world.image_mut(&format!("escher-{service}"), TAG).fate = fate;
    change(&mut world);
    let mut job = Job::tag_push(world).await;
    let ran = job.only(service).input("on-failure", "hold").run().await;
    (job, ran)
}

fn breaker(world: &mut World, service: &str, enable: bool, rollback: bool) {
    world.service_mut(service).breaker = Breaker { enable, rollback };
}

const CRASH: Fate = Fate::Crashes { exit_code: 1, after: 1.0 };

#[tokio::test]
async fn a_crashing_version_is_rolled_back_by_ecs_to_the_old_id() {
    let (_, ran) = alone("autoresolver", CRASH, |world| breaker(world, "autoresolver", true, true)).await;
    ran.ends(1, "rolled-back").says("rolled back by ECS").says("exit code 1").says("runs now: 2.15.0-dev as before");
    ran.summarises("❌ autoresolver: rolled back by ECS").summarises("tasks failed to start");
    assert_eq!(ran.names("failed"), ["autoresolver"]);
}

#[tokio::test]
async fn a_rollback_under_a_fresh_id_is_a_rollback_too() {
    let change = |world: &mut World| {
        breaker(world, "autoresolver", true, true);
        world.service_mut("autoresolver").rollback_id = RollbackId::Fresh;
    };
    let (_, ran) = alone("autoresolver", CRASH, change).await;
    ran.ends(1, "rolled-back").says("rolled back by ECS");
}

#[tokio::test]
async fn failed_without_rollback_is_failed_and_the_same_run_again_starts_it_once_more() {
    let (mut job, ran) = alone("autoresolver", CRASH, |world| breaker(world, "autoresolver", true, false)).await;
    ran.ends(1, "failed").says("is FAILED, and ECS stays where it is");
    job.sandbox.with(|world| world.image_mut("escher-autoresolver", TAG).fate = Fate::Well);
    let again = job.run().await;
    again.ends(0, "success").says("stuck: ");
    assert_eq!(job.count("RegisterTaskDefinition"), 1, "the definition it has is started once more");
}

#[tokio::test]
async fn a_stranger_who_deploys_during_ours_supersedes_it() {
    let (_, ran) = alone("autoresolver", Fate::Well, |world| {
        let when = When::AfterUpdate { service: "autoresolver".into(), seconds: 8.0 };
        world.script(when, Deed::StrangerDeploys { service: "autoresolver".into() });
    })
    .await;
    ran.ends(4, "superseded").says("took the place of our").says("see who deployed it");
}

#[tokio::test]
async fn a_stranger_between_check_and_update_supersedes_it_too() {
    let (job, ran) = alone("autoresolver", Fate::Well, |world| {
        world.script(When::BeforeUpdate { service: "autoresolver".into() }, Deed::StrangerDeploys { service: "autoresolver".into() });
    })
    .await;
    ran.ends(4, "superseded").says("came between the check and our update");
    assert_eq!(job.count("UpdateService"), 1, "it is no longer touched");
}

#[tokio::test]
async fn a_deployment_that_never_ends_times_out() {
    let mut world = escher();
    world.image_mut("escher-autoresolver", TAG).fate = Fate::NeverStarts;
    let mut job = Job::tag_push(world).await;
    let ran = job.only("autoresolver").set("DEPLOY_ON_FAILURE", "hold").set("DEPLOY_TIMEOUT_MINUTES", "0.02").run().await;
    ran.ends(1, "failed").says("has not completed after 1.2s; ECS goes on trying").says("DEPLOY_TIMEOUT_MINUTES");
}

#[tokio::test]
async fn a_crash_loop_that_no_breaker_ends_is_found() {
    let (_, ran) = alone("autoresolver", CRASH, |world| breaker(world, "autoresolver", false, false)).await;
    ran.ends(1, "failed").says("the circuit breaker is off").says("exit code 1");
}

#[tokio::test]
async fn an_image_that_cant_be_pulled_says_so() {
    let (_, ran) = alone("autoresolver", Fate::CannotPull, |world| breaker(world, "autoresolver", true, true)).await;
    ran.ends(1, "rolled-back").says("CannotPullContainerError").says("→ the image is not in the repository");
}

#[tokio::test]
async fn out_of_memory_is_read_from_the_container() {
    let (_, ran) = alone("autoresolver", Fate::OutOfMemory, |world| breaker(world, "autoresolver", true, true)).await;
    ran.ends(1, "rolled-back").says("OutOfMemoryError").says("raise the container's or the task's memory");
}

#[tokio::test]
async fn an_unhealthy_container_is_rolled_back_with_its_health_check_named() {
    let (_, ran) = alone("autoresolver", Fate::Unhealthy, |world| breaker(world, "autoresolver", true, true)).await;
    ran.ends(1, "rolled-back").says("health check");
}

#[tokio::test]
async fn an_answer_of_500_fails_the_smoke_test() {
    let (_, ran) = alone("autoresolver", Fate::Answers { status: 500 }, |_| {}).await;
    ran.ends(5, "failed").says("smoke test failed").says("answered 500, expected 200").says("runs now: 2.16.0-dev, this release");
}

#[tokio::test]
async fn a_wrong_version_fails_the_smoke_test_once_no_old_task_can_answer() {
    let (_, ran) = alone("autoresolver", Fate::AnswersVersion("1.0.0".into()), |_| {}).await;
    ran.ends(5, "failed").says("answers with version `1.0.0`, expected 2.16.0-dev");
}

#[tokio::test]
async fn a_failure_stops_only_what_needs_it() {
    let mut world = escher();
    world.image_mut("escher-context-engine", TAG).fate = CRASH;
    breaker(&mut world, "context-engine", true, true);
    let mut job = Job::tag_push(world).await;
    let ran = job.input("on-failure", "hold").run().await;
    ran.ends(1, "failed").says("gateway  blocked by context-engine").summarises("blocked by context-engine");
    let mut deployed = ran.names("deployed");
    deployed.sort();
    assert_eq!(deployed, ["asset-store", "autoresolver"]);
    assert_eq!(ran.names("failed").len(), 5);
    assert_eq!(job.count("UpdateService"), 3, "what needs it was never touched");
}

#[tokio::test]
async fn a_failed_smoke_test_gates_what_needs_the_service() {
    let mut world = escher();
    world.image_mut("escher-asset-store", TAG).fate = Fate::Answers { status: 503 };
    let mut job = Job::tag_push(world).await;
    let ran = job.input("on-failure", "hold").run().await;
    ran.ends(5, "failed").says("blocked by asset-store");
    assert_eq!(ran.names("deployed"), ["autoresolver"]);
}

#[tokio::test]
async fn without_smoke_tests_health_alone_opens_the_way() {
    let mut world = escher();
    world.image_mut("escher-asset-store", TAG).fate = Fate::Answers { status: 503 };
    let mut job = Job::tag_push(world).await;
    job.input("skip-smoke", "true").run().await.ends(0, "success");
    assert!(job.operations("endpoint").is_empty());
}

#[tokio::test]
async fn unhealthy_targets_keep_a_service_from_being_healthy() {
    let mut world = escher();
    world.service_mut("autoresolver").check = Check::TargetGroup;
    world.image_mut("escher-autoresolver", TAG).fate = Fate::Unhealthy;
    breaker(&mut world, "autoresolver", true, true);
    let mut job = Job::tag_push(world).await;
    job.only("autoresolver").run().await.ends(1, "rolled-back");
    assert!(job.operations("endpoint").is_empty(), "it was never healthy, so it was never asked");
}

#[tokio::test]
async fn a_person_who_stops_the_deployment_rolls_it_back() {
    let (_, ran) = alone("autoresolver", Fate::Well, |world| {
        let when = When::AfterUpdate { service: "autoresolver".into(), seconds: 5.0 };
        world.script(when, Deed::Rollback { service: "autoresolver".into() });
    })
    .await;
    ran.ends(1, "rolled-back").says("runs now: 2.15.0-dev as before");
}

#[tokio::test]
async fn a_rerun_is_no_way_past_a_failed_smoke_test() {
    let (mut job, ran) = alone("autoresolver", Fate::Answers { status: 500 }, |_| {}).await;
    ran.ends(5, "failed");
    job.run().await.ends(5, "failed").says("answered 500, expected 200");
    assert_eq!(job.count("UpdateService"), 1, "it runs this release already");
    job.sandbox.with(|world| world.image_mut("escher-autoresolver", TAG).fate = Fate::Well);
    job.run().await.ends(0, "unchanged");
}
