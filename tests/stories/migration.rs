//! Migrations: before the first update, with the new definition, once; and never a deployment after one that failed.

use std::time::Duration;

use escher_sandbox::{Breaker, Effect, Fate, Fault};
use serde_json::Value;

use crate::harness::{Job, TAG, escher};

async fn with_migration(keys: &str) -> Job {
    let mut job = Job::tag_push(escher()).await;
    let folder = job.own_configuration();
    let file = folder.join("services/asset-store.yml");
    let text = std::fs::read_to_string(&file).unwrap() + &format!("migrate: {{ command: [./migrate, up]{keys} }}\n");
    std::fs::write(&file, text).unwrap();
    job.only("asset-store context-engine");
    job
}

fn at(job: &Job, operation: &str) -> Vec<f64> {
    job.sandbox.calls().iter().filter(|call| call.operation == operation).map(|call| call.at).collect()
}

#[tokio::test]
async fn a_migration_runs_before_the_first_update_with_the_new_definition_and_marks_the_image() {
    let mut job = with_migration("").await;
    let ran = job.run().await;
    ran.ends(0, "success").says("migrating asset-store: ./migrate up").says("migrated asset-store in");
    let calls = job.sandbox.calls();
    let run = calls.iter().find(|call| call.operation == "RunTask").expect("it was run");
    let registered = calls.iter().find(|call| call.operation == "RegisterTaskDefinition").expect("it was registered");
    assert_eq!(run.body["taskDefinition"], registered.answer["taskDefinition"]["taskDefinitionArn"]);
    assert_eq!(run.body["overrides"]["containerOverrides"][0]["command"], serde_json::json!(["./migrate", "up"]));
    assert!(run.body["networkConfiguration"]["awsvpcConfiguration"]["subnets"].is_array(), "{}", run.raw);
    assert!(run.body["clientToken"].as_str().is_some_and(|token| token.len() <= 64));
    assert!(at(&job, "RunTask")[0] < at(&job, "UpdateService")[0]);
    assert_eq!(job.count("RegisterTaskDefinition"), 2, "the migration's definition is the one that is deployed");
    job.sandbox.with(|world| {
        let tags = world.image_mut("escher-asset-store", TAG).tags.clone();
        assert!(tags.iter().any(|tag| tag.starts_with("migrated-dev-")), "{tags:?}");
    });
}

#[tokio::test]
async fn a_failed_migration_updates_nothing_and_shows_its_log_and_exit_code_everywhere() {
    let mut job = with_migration("").await;
    job.sandbox.with(|world| world.ecs.one_off_exit = 3);
    let ran = job.run().await;
    ran.ends(8, "failed").says("its migration failed: exit code 3").says("the log's last ").says("no service was updated");
    ran.summarises("exit code 3").summarises("the log's last ");
    assert_eq!(job.count("UpdateService"), 0);
    let slack: String = job.sandbox.with(|world| world.slack.messages.iter().map(|message| message.blocks.to_string()).collect());
    assert!(slack.contains("exit code 3") && slack.contains("```"), "{slack}");
    // Mended, it runs again: the failed task is no success.
    job.sandbox.with(|world| world.ecs.one_off_exit = 0);
    job.run().await.ends(0, "success");
    assert_eq!(job.count("RunTask"), 2);
}

#[tokio::test]
async fn a_migration_that_never_began_is_not_said_to_have_changed_data() {
    let refusal = Effect::Error { status: 400, code: "AccessDeniedException".into(), message: "not authorized".into() };
    let mut job = with_migration("").await;
    job.sandbox.with(|world| {
        world.fault(Fault { party: "ecs".into(), operation: "RunTask".into(), skip: 0, times: 1, effect: refusal.clone() });
    });
    let ran = job.run().await;
    ran.ends(3, "refused").says("its migration could not be begun: RunTask: AccessDeniedException").says("nothing has changed");
    // Nor is one whose container never ran.
    job.sandbox.with(|world| world.image_mut("escher-asset-store", TAG).fate = Fate::CannotPull);
    job.run().await.ends(8, "failed").says("its migration failed: it never ran: ").says("this run has begun no migration");
    assert_eq!(job.count("UpdateService"), 0);
    // Nor where the run was told to stop before it.
    job.sandbox.with(|world| {
        world.image_mut("escher-asset-store", TAG).fate = Fate::Well;
        let later = Effect::Error { status: 400, code: "ThrottlingException".into(), message: "Rate exceeded".into() };
        world.fault(Fault { party: "ecs".into(), operation: "RegisterTaskDefinition".into(), skip: 0, times: usize::MAX, effect: later });
    });
    let (before, child) = (job.count("RegisterTaskDefinition"), job.start());
    while job.count("RegisterTaskDefinition") == before {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let (ran, _) = job.stopped(child, "TERM").await;
    ran.ends(130, "cancelled");
    assert!(!ran.stdout.contains("migration ran"), "{}", ran.stdout);
    job.sandbox.with(|world| world.faults.clear());
    // But where the first of two has run, it is said.
    let file = job.folder.path().join("configuration/services/context-engine.yml");
    let text = std::fs::read_to_string(&file).unwrap() + "migrate: { command: [./migrate, up] }\n";
    std::fs::write(&file, text).unwrap();
    job.sandbox.with(|world| {
        world.fault(Fault { party: "ecs".into(), operation: "RunTask".into(), skip: 1, times: 1, effect: refusal });
    });
    let ran = job.run().await;
    ran.ends(8, "failed").says("context-engine: its migration could not be begun").says("a migration ran and may have changed data");
    assert_eq!(job.count("UpdateService"), 0);
}

#[tokio::test]
async fn a_migration_that_has_run_for_the_commit_is_not_run_again() {
    let mut job = with_migration("").await;
    // Deployed badly the first time, so that the second run has to deploy it again.
    job.sandbox.with(|world| world.image_mut("escher-asset-store", TAG).fate = Fate::Crashes { exit_code: 1, after: 1.0 });
    job.run().await.ends(1, "rolled-back");
    job.sandbox.with(|world| world.image_mut("escher-asset-store", TAG).fate = Fate::Well);
    job.run().await.ends(0, "success");
    assert_eq!(job.count("RunTask"), 1);
}

#[tokio::test]
async fn killed_between_success_and_mark_the_migration_is_found_again() {
    let mut job = with_migration("").await;
    job.sandbox.with(|world| {
        let effect = Effect::Error { status: 500, code: "ServerException".into(), message: "no".into() };
        world.fault(Fault { party: "ecr".into(), operation: "PutImage".into(), skip: 0, times: 9, effect });
        world.image_mut("escher-asset-store", TAG).fate = Fate::Crashes { exit_code: 1, after: 1.0 };
    });
    job.run().await.ends(1, "rolled-back").says("could not be marked, so it may run again");
    job.sandbox.with(|world| world.image_mut("escher-asset-store", TAG).fate = Fate::Well);
    job.run().await.ends(0, "success");
    assert_eq!(job.count("RunTask"), 1, "its task is still there and says that it succeeded");
}

#[tokio::test]
async fn interrupted_while_it_migrates_the_next_run_takes_the_task_up() {
    let mut job = with_migration("").await;
    job.sandbox.with(|world| world.time_scale = 100.0);
    let child = job.start();
    while job.count("RunTask") == 0 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let (ran, _) = job.stopped(child, "INT").await;
    ran.ends(130, "cancelled").says("cancelled while a migration ran").says("no service was updated");
    job.run().await.ends(0, "success");
    assert_eq!(job.count("RunTask"), 1);
}

#[tokio::test]
async fn an_irreversible_migration_keeps_its_service_and_what_needs_it_from_going_back() {
    let mut job = with_migration(", irreversible: true").await;
    job.sandbox.with(|world| {
        world.image_mut("escher-context-engine", TAG).fate = Fate::Crashes { exit_code: 1, after: 1.0 };
        world.service_mut("context-engine").breaker = Breaker { enable: true, rollback: true };
    });
    let ran = job.run().await;
    ran.ends(1, "failed").says("NO automatic rollback: the migration of asset-store is irreversible");
    assert_eq!(ran.names("deployed"), ["asset-store"]);
    let slack = job.sandbox.with(|world| world.slack.messages[0].blocks.to_string());
    assert!(slack.contains("no automatic rollback, because a migration is irreversible: asset-store, context-engine"), "{slack}");
    assert_eq!(job.count("UpdateService"), 2, "nothing was taken back");
    let plan: Value = serde_json::from_str(ran.output("plan")).unwrap();
    assert!(plan.to_string().contains("irreversible"));
    // Again: nothing of asset-store changes now, and it still must not go back.
    job.run().await.ends(1, "failed").says("NO automatic rollback");
    assert_eq!(job.count("RunTask"), 1);
    let updated: Vec<String> =
        job.sandbox.calls().into_iter().filter(|call| call.operation == "UpdateService").map(|call| call.raw).collect();
    assert_eq!(updated.iter().filter(|raw| raw.contains("asset-store")).count(), 1, "{updated:?}");
}

#[tokio::test]
async fn a_rollback_never_migrates() {
    let mut job = with_migration("").await;
    job.run().await.ends(0, "success");
    let ran = job.input("command", "rollback").input("tag", "v2.15.0-dev").run().await;
    ran.ends(0, "success");
    assert_eq!(job.count("RunTask"), 1);
}
