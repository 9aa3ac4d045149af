//! Answers that are lost, late or refused in the middle: what nobody knows is called neither done nor undone, and what passes is
//! waited for.

use std::time::Duration;

use escher_sandbox::{Breaker, Deed, Effect, Fate, Fault, RollbackId, RunFate, When, World};

use crate::harness::{Job, TAG, escher};

fn error(status: u16, code: &str) -> Effect {
    Effect::Error { status, code: code.to_owned(), message: "made to fail".to_owned() }
}

fn fault(world: &mut World, operation: &str, skip: usize, times: usize, effect: Effect) {
    world.fault(Fault { party: "*".into(), operation: operation.into(), skip, times, effect });
}

/// Waits for what the sandbox must see.
async fn seen(job: &Job, what: impl Fn(&Job) -> bool) {
    let looks = async {
        while !what(job) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), looks).await.expect("the sandbox sees it");
}

fn runs(job: &Job, service: &str) -> String {
    job.sandbox.with(|world| {
        let service = world.ecs.services.iter().find(|it| it.name == service).unwrap();
        let arn = service.primary().map(|primary| primary.task_definition.clone()).unwrap_or_default();
        arn.rsplit('/').next().unwrap_or_default().to_owned()
    })
}

/// Two services that don't need each other: the answer to the first update is lost, the second is refused, and for nine seconds ECS
/// shows what was before.
async fn lost() -> Job {
    let mut world = escher();
    world.time_scale = 20.0;
    world.ecs.stale_reads = 180.0;
    fault(&mut world, "UpdateService", 0, 1, Effect::LoseAnswer);
    fault(&mut world, "UpdateService", 0, 1, error(400, "InvalidParameterException"));
    let mut job = Job::tag_push(world).await;
    job.only("asset-store autoresolver");
    job
}

#[tokio::test]
async fn a_lost_update_is_taken_back_although_the_run_was_halted_while_it_was_looked_for() {
    let mut job = lost().await;
    let ran = job.run().await;
    ran.ends(1, "rolled-back").says("the answer to UpdateService was lost");
    assert!(!ran.stdout.contains("not begun"), "{}", ran.stdout);
    assert_eq!(
        (runs(&job, "asset-store"), runs(&job, "autoresolver")),
        ("escher-dev-asset-store:1".into(), "escher-dev-autoresolver:1".into())
    );
    assert_eq!(job.count("UpdateService"), 3, "one is refused, one is lost, and that one goes back");
}

#[tokio::test]
async fn a_deployment_whose_owner_can_not_be_told_is_not_called_someone_elses() {
    let mut job = lost().await;
    job.sandbox.with(|world| fault(world, "DescribeTaskDefinition", 2, usize::MAX, error(400, "AccessDeniedException")));
    let ran = job.run().await;
    ran.ends(1, "failed").says("NOT TAKEN BACK").says("is can't be told: DescribeTaskDefinition: AccessDeniedException");
    assert!(!ran.stdout.contains("someone else's"), "{}", ran.stdout);
}

#[tokio::test]
async fn told_to_stop_while_a_lost_update_is_looked_for_it_is_perhaps_in_flight() {
    let mut world = escher();
    world.time_scale = 20.0;
    world.ecs.stale_reads = 180.0;
    fault(&mut world, "UpdateService", 0, 1, Effect::LoseAnswer);
    let mut job = Job::tag_push(world).await;
    job.only("autoresolver");
    let child = job.start();
    seen(&job, |job| job.count("UpdateService") >= 1).await;
    let (ran, _) = job.stopped(child, "TERM").await;
    ran.ends(130, "cancelled").says("perhaps in flight");
}

#[tokio::test]
async fn an_update_that_ecs_took_back_before_its_lost_answer_was_looked_up_is_a_rollback_and_nobody_elses() {
    let mut world = escher();
    world.time_scale = 400.0;
    world.image_mut("escher-autoresolver", TAG).fate = Fate::Crashes { exit_code: 3, after: 1.0 };
    world.service_mut("autoresolver").breaker = Breaker { enable: true, rollback: true };
    world.service_mut("autoresolver").rollback_id = RollbackId::Fresh;
    fault(&mut world, "UpdateService", 0, 1, Effect::LoseAnswer);
    // The plan's look and the one before the update; then nothing for as long as ECS needs to go back.
    fault(&mut world, "DescribeServices", 2, 9, Effect::LoseRequest);
    let mut job = Job::tag_push(world).await;
    let ran = job.only("autoresolver").run().await;
    ran.ends(1, "rolled-back").says("rolled back by ECS").says("runs now: 2.15.0-dev as before");
    assert!(!ran.stdout.contains("superseded"), "{}", ran.stdout);
}

#[tokio::test]
async fn somebody_who_deploys_over_a_lost_update_is_told_as_the_one_who_did() {
    let mut world = escher();
    world.time_scale = 20.0;
    fault(&mut world, "UpdateService", 0, 1, Effect::LoseAnswer);
    fault(&mut world, "DescribeServices", 2, 5, Effect::LoseRequest);
    let after = When::AfterUpdate { service: "autoresolver".into(), seconds: 5.0 };
    world.script(after, Deed::StrangerDeploys { service: "autoresolver".into() });
    let mut job = Job::tag_push(world).await;
    let ran = job.only("autoresolver").run().await;
    ran.ends(4, "superseded").says("another deployment came right after our update").says("what the other deployment brings");
}

#[tokio::test]
async fn told_to_stop_before_ecs_shows_what_is_in_flight_it_is_not_called_taken_back() {
    let mut world = escher();
    world.time_scale = 20.0;
    world.ecs.stale_reads = 200.0;
    fault(&mut world, "UpdateService", 1, 1, error(400, "InvalidParameterException"));
    fault(&mut world, "StopServiceDeployment", 0, usize::MAX, error(400, "InvalidParameterException"));
    fault(&mut world, "ListServiceDeployments", 0, usize::MAX, error(400, "InvalidParameterException"));
    let mut job = Job::tag_push(world).await;
    job.only("asset-store autoresolver");
    let child = job.start();
    seen(&job, |job| job.count("UpdateService") >= 2).await;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let (ran, took) = job.stopped(child, "TERM").await;
    ran.ends(1, "failed").says("left in flight");
    assert!(!ran.stdout.contains("taken back"), "{}", ran.stdout);
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[tokio::test]
async fn reads_that_are_throttled_for_longer_than_the_sdk_bears_are_waited_for() {
    let mut world = escher();
    // The plan's look, and then the one before the update, with all tries of the SDK and three more.
    fault(&mut world, "DescribeServices", 1, 8, error(400, "ThrottlingException"));
    let mut job = Job::tag_push(world).await;
    job.only("autoresolver").run().await.ends(0, "success");
}

#[tokio::test]
async fn a_way_back_waits_for_ecs_to_answer() {
    let mut world = escher();
    world.github.workflow_mut("escher-dbai/v3-testing-framework", "e2e.yml").fate = RunFate::ends("failure");
    let mut job = Job::tag_push(world).await;
    job.only("autoresolver").set("DEPLOY_E2E_ROLLBACK", "true");
    let child = job.start();
    // While the suite runs, nobody looks at ECS: the next look is the way back's.
    seen(&job, |job| job.count("dispatch") == 1).await;
    job.sandbox.with(|world| fault(world, "DescribeServices", 0, 8, error(400, "ThrottlingException")));
    job.ended(child).await.ends(6, "rolled-back");
    assert_eq!(runs(&job, "autoresolver"), "escher-dev-autoresolver:1");
}

#[tokio::test]
async fn refused_means_that_no_image_was_named() {
    for (operation, skip, code) in [("PutImage", 1, 7), ("UpdateService", 0, 1)] {
        let mut world = escher();
        for name in ["escher-asset-store", "escher-autoresolver"] {
            world.image_mut(name, TAG).tags.retain(|tag| tag.starts_with("sha-"));
        }
        fault(&mut world, operation, skip, usize::MAX, error(400, "AccessDeniedException"));
        let mut job = Job::tag_push(world).await;
        let ran = job.only("asset-store autoresolver").run().await;
        ran.ends(code, "failed");
        assert!(!ran.stdout.contains("nothing has changed"), "{}", ran.stdout);
    }
}

#[tokio::test]
async fn told_to_stop_while_images_are_marked_the_success_says_so() {
    let mut world = escher();
    fault(&mut world, "PutImage", 0, usize::MAX, Effect::Delay(8.0));
    let mut job = Job::tag_push(world).await;
    job.only("autoresolver");
    let child = job.start();
    seen(&job, |job| job.count("BatchGetImage") >= 1).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let (ran, _) = job.stopped(child, "TERM").await;
    ran.ends(0, "success").says("warning: interrupted before every image was marked as passed");
}
