//! SIGINT and SIGTERM: nothing more is begun, everyone is told, and the next run takes up where things stand.

use std::time::Duration;

use crate::harness::{Job, escher};

#[tokio::test]
async fn an_interrupted_release_begins_nothing_more_and_the_next_run_joins_it() {
    for name in ["INT", "TERM"] {
        // The best of three: a machine that pauses for seconds does not do so each time.
        let mut took = Vec::new();
        while took.len() < 3 && !took.iter().any(|time: &Duration| *time < Duration::from_secs(5)) {
            took.push(interrupted(name).await);
        }
        assert!(took.iter().any(|time| *time < Duration::from_secs(5)), "took {took:?}");
    }
}

/// How long an interrupted release took to end.
async fn interrupted(name: &str) -> Duration {
    let mut world = escher();
    world.time_scale = 20.0;
    let mut job = Job::tag_push(world).await;
    let child = job.start();
    while job.count("UpdateService") < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // Both answers have been read, and nothing is healthy yet.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let updates = job.count("UpdateService");
    let (ran, took) = job.stopped(child, name).await;
    ran.ends(130, "cancelled").says("left in flight").says("not begun");
    assert_eq!(job.count("UpdateService"), updates, "nothing more was begun");
    let slack = job.sandbox.with(|world| world.slack.messages[0].updates.last().map(|update| update.text.clone()));
    assert!(slack.is_some_and(|text| text.contains("was cancelled")));
    let again = job.run().await;
    again.ends(0, "success").says("is in flight: joined");
    assert_eq!(job.count("UpdateService"), 7, "what was in flight is not started twice");
    took
}

#[tokio::test]
async fn interrupted_while_planning_nothing_has_changed() {
    let mut world = escher();
    let slow = escher_sandbox::Effect::Delay(3.0);
    world.fault(escher_sandbox::Fault { party: "ecs".into(), operation: "DescribeServices".into(), skip: 0, times: 9, effect: slow });
    let mut job = Job::tag_push(world).await;
    let child = job.start();
    while job.count("token") == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let (ran, _) = job.stopped(child, "INT").await;
    ran.ends(130, "cancelled").says("cancelled before anything was begun").says("nothing has changed");
}
