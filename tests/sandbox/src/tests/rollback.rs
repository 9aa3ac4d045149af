use serde_json::json;

use super::{deploy, ecs, look, states, told, whats};
use crate::{Breaker, Deed, Fate, RollbackId, What, When, World};

fn crashing() -> World {
    let mut world = World::escher("dev");
    world.image_mut("escher-gateway", "v2.16.0-dev").fate = Fate::Crashes { exit_code: 1, after: 1.0 };
    world
}

/// Goes on until the history has this moment; the time.
fn until(world: &mut World, what: What) -> f64 {
    for tick in 0..20_000 {
        world.advance(f64::from(tick) * 0.05);
        if let Some(moment) = world.history("gateway").iter().find(|it| it.what == what) {
            return moment.at;
        }
    }
    panic!("{what:?} never came: {:?}", world.history("gateway"));
}

#[test]
fn the_breaker_puts_the_old_deployment_back_under_its_old_id() {
    let mut world = crashing();
    let before = look(&mut world, "gateway")["deployments"][0].clone();
    let old = before["id"].as_str().unwrap().to_owned();
    let new = deploy(&mut world, "gateway");
    until(&mut world, What::RollbackStarted);

    let first = look(&mut world, "gateway");
    assert_eq!(states(&first)[0], (old.clone(), "PRIMARY".to_owned(), "IN_PROGRESS".to_owned()));
    assert_eq!(states(&first)[1].2, "IN_PROGRESS", "the failed one lags by a read");
    let service = look(&mut world, "gateway");
    let (back, failed) = (&service["deployments"][0], &service["deployments"][1]);
    assert_eq!(back["rolloutStateReason"], format!("ECS deployment circuit breaker: rolling back to deploymentId {old}."));
    assert_ne!(back["createdAt"], before["createdAt"]);
    assert_eq!((&failed["id"], &failed["rolloutState"], &failed["desiredCount"]), (&json!(new), &json!("FAILED"), &json!(0)));
    assert_eq!(failed["rolloutStateReason"], "ECS deployment circuit breaker: tasks failed to start.");
    assert_eq!(failed["failedTasks"], 3);
    assert_eq!(service["taskDefinition"], before["taskDefinition"]);

    until(&mut world, What::RolledBack);
    let done = look(&mut world, "gateway");
    assert_eq!(states(&done), [(old.clone(), "PRIMARY".to_owned(), "COMPLETED".to_owned())]);
    assert_eq!(done["deployments"][0]["rolloutStateReason"], format!("ECS deployment {old} completed."));
    assert_eq!(done["runningCount"], 2);
    let events = told(world.service_mut("gateway"));
    let at = events.iter().position(|text| text.contains("deployment failed")).unwrap();
    assert_eq!(events[at], format!("(service gateway) (deployment {new}) deployment failed: tasks failed to start."));
    assert_eq!(events[at + 1], format!("(service gateway) rolling back to deployment {old}."));
    assert_eq!(events[events.len() - 2], format!("(service gateway) (deployment {old}) deployment completed."));
    assert!(!whats(&world, "gateway").contains(&What::Completed));

    let record = ecs(&mut world, "ListServiceDeployments", json!({"service": "gateway"}))["serviceDeployments"][0].clone();
    assert_eq!(record["status"], "ROLLBACK_SUCCESSFUL");
    assert_eq!(record["statusReason"], "Service deployment rolled back because the circuit breaker threshold was exceeded.");
    let full = ecs(&mut world, "DescribeServiceDeployments", json!({"serviceDeploymentArns": [record["serviceDeploymentArn"]]}));
    let full = &full["serviceDeployments"][0];
    assert!(full["targetServiceRevision"]["arn"].as_str().unwrap().ends_with(new.rsplit('/').next().unwrap()));
    assert!(full["rollback"]["serviceRevisionArn"].as_str().unwrap().ends_with(old.rsplit('/').next().unwrap()));
    assert_eq!(full["deploymentCircuitBreaker"], json!({"status": "TRIGGERED", "failureCount": 3, "threshold": 3}));
}

#[test]
fn a_rollback_may_get_a_fresh_id() {
    let mut world = crashing();
    world.service_mut("gateway").rollback_id = RollbackId::Fresh;
    let old = world.service_mut("gateway").primary_id();
    let definition = world.service_mut("gateway").task_definition.clone();
    let new = deploy(&mut world, "gateway");
    until(&mut world, What::RolledBack);
    let done = look(&mut world, "gateway");
    let states = states(&done);
    assert_eq!(states.len(), 1);
    assert_eq!(states[0].2, "COMPLETED");
    assert!(states[0].0 != old && states[0].0 != new);
    assert_eq!(done["taskDefinition"], definition);
    assert_eq!(done["runningCount"], 2);
}

#[test]
fn without_rollback_the_failed_deployment_stays_and_nothing_new_starts() {
    let mut world = crashing();
    world.service_mut("gateway").breaker = Breaker { enable: true, rollback: false };
    let old = world.service_mut("gateway").primary_id();
    let new = deploy(&mut world, "gateway");
    let failed_at = until(&mut world, What::Failed);
    let tasks = world.service_mut("gateway").tasks.len();
    world.advance(failed_at + 500.0);
    assert_eq!(world.service_mut("gateway").tasks.len(), tasks);
    let service = look(&mut world, "gateway");
    assert_eq!(states(&service)[0], (new.clone(), "PRIMARY".to_owned(), "FAILED".to_owned()));
    assert_eq!(states(&service)[1], (old, "ACTIVE".to_owned(), "COMPLETED".to_owned()));
    assert_eq!(service["runningCount"], 2);
    let record = ecs(&mut world, "ListServiceDeployments", json!({"service": "gateway"}))["serviceDeployments"][0].clone();
    assert_eq!(record["status"], "STOPPED");

    // The same definition again does nothing; force it, and it goes on.
    let definition = world.service_mut("gateway").task_definition.clone();
    ecs(&mut world, "UpdateService", json!({"service": "gateway", "taskDefinition": definition}));
    assert_eq!(world.service_mut("gateway").primary_id(), new);
    world.image_mut("escher-gateway", "v2.16.0-dev").fate = Fate::Well;
    ecs(&mut world, "UpdateService", json!({"service": "gateway", "forceNewDeployment": true}));
    until(&mut world, What::Completed);
    assert_eq!(states(&look(&mut world, "gateway")).len(), 1);
}

#[test]
fn without_a_completed_predecessor_there_is_nothing_to_go_back_to() {
    let mut world = crashing();
    let only = world.service_mut("gateway").primary_id();
    world.service_mut("gateway").deployments.retain(|it| it.id != only);
    world.service_mut("gateway").tasks.clear();
    deploy(&mut world, "gateway");
    until(&mut world, What::Failed);
    let record = ecs(&mut world, "ListServiceDeployments", json!({"service": "gateway"}))["serviceDeployments"][0].clone();
    assert_eq!(record["status"], "ROLLBACK_FAILED");
    assert_eq!(record["statusReason"], "No rollback candidate was found to run the rollback.");
    assert_eq!(states(&look(&mut world, "gateway"))[0].2, "FAILED");
}

#[test]
fn without_a_breaker_it_goes_on_for_ever() {
    let mut world = crashing();
    world.service_mut("gateway").breaker = Breaker { enable: false, rollback: false };
    deploy(&mut world, "gateway");
    world.advance(600.0);
    let service = look(&mut world, "gateway");
    assert_eq!(states(&service)[0].2, "IN_PROGRESS");
    assert!(service["deployments"][0]["failedTasks"].as_u64().unwrap() > 20);
    assert_eq!(service["deployments"][1]["runningCount"], 2);
}

#[test]
fn tasks_that_die_after_they_were_healthy_never_trip_the_breaker() {
    let mut world = World::escher("dev");
    world.image_mut("escher-gateway", "v2.16.0-dev").fate = Fate::CrashesWhenHealthy { exit_code: 2, after: 5.0 };
    world.service_mut("gateway").desired_count = 4;
    world.advance(60.0);
    deploy(&mut world, "gateway");
    world.advance(2000.0);
    let whats = whats(&world, "gateway");
    assert!(whats.contains(&What::Healthy));
    assert!(!whats.contains(&What::Completed) && !whats.contains(&What::Failed));
    assert_eq!(states(&look(&mut world, "gateway"))[0].2, "IN_PROGRESS");
}

#[test]
fn what_was_put_back_may_fail_as_well() {
    let mut world = crashing();
    deploy(&mut world, "gateway");
    until(&mut world, What::RollbackStarted);
    world.image_mut("escher-gateway", "v2.15.0-dev").fate = Fate::Unhealthy;
    for task in &mut world.service_mut("gateway").tasks {
        if task.live() {
            task.stop_now(0.0, "UserInitiated", "Task stopped by user");
        }
    }
    world.advance(1000.0);
    assert_eq!(world.history("gateway").iter().filter(|it| it.what == What::Failed).count(), 2);
    let record = ecs(&mut world, "ListServiceDeployments", json!({"service": "gateway"}))["serviceDeployments"][0].clone();
    assert_eq!(record["status"], "ROLLBACK_FAILED");
}

#[test]
fn a_person_can_roll_back_too() {
    let mut world = World::escher("dev");
    world.service_mut("gateway").breaker = Breaker { enable: false, rollback: false };
    let old = world.service_mut("gateway").primary_id();
    deploy(&mut world, "gateway");
    world.advance(0.5);
    let listed = ecs(&mut world, "ListServiceDeployments", json!({"service": "gateway"}));
    assert_eq!(listed["serviceDeployments"].as_array().unwrap().len(), 1, "the new record comes a little later");
    world.advance(2.0);
    let record = ecs(&mut world, "ListServiceDeployments", json!({"service": "gateway"}))["serviceDeployments"][0].clone();
    assert_eq!(record["status"], "IN_PROGRESS");
    ecs(&mut world, "StopServiceDeployment", json!({"serviceDeploymentArn": record["serviceDeploymentArn"], "stopType": "ROLLBACK"}));
    until(&mut world, What::RolledBack);
    assert_eq!(world.service_mut("gateway").primary_id(), old);

    world.script(When::AfterUpdate { service: "gateway".to_owned(), seconds: 20.0 }, Deed::Rollback { service: "gateway".to_owned() });
    let again = deploy(&mut world, "gateway");
    world.advance(world.now + 100.0);
    assert!(world.history("gateway").iter().any(|it| it.deployment == again && it.what == What::RolledBack));
    assert_eq!(look(&mut world, "gateway")["runningCount"], 2);
}
