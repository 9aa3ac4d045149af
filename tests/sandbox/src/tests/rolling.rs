use serde_json::json;

use super::{deploy, ecs, look, states, told, whats};
use crate::{Check, Deed, Health, What, When, World};

#[test]
fn a_new_deployment_shows_zeros_in_the_very_answer() {
    let mut world = World::escher("dev");
    let before = look(&mut world, "gateway");
    let old = before["deployments"][0]["id"].as_str().unwrap().to_owned();
    assert!(before["currentServiceDeployment"].is_string());
    let definition = super::next_definition(&mut world, "gateway", "v2.16.0-dev");
    let service = ecs(&mut world, "UpdateService", json!({"service": "gateway", "taskDefinition": definition}))["service"].clone();
    let new = &service["deployments"][0];
    let id = new["id"].as_str().unwrap();
    assert_eq!(id.len(), "ecs-svc/".len() + 19);
    assert_eq!((&new["desiredCount"], &new["pendingCount"], &new["runningCount"]), (&json!(0), &json!(0), &json!(0)));
    assert_eq!(new["rolloutStateReason"], format!("ECS deployment {id} in progress."));
    assert_eq!(service["desiredCount"], 2);
    assert_eq!(service["runningCount"], 2);
    assert!(service.get("currentServiceDeployment").is_none());
    assert_eq!(service["taskDefinition"], definition);
    assert_eq!(states(&service)[1], (old.clone(), "ACTIVE".to_owned(), "COMPLETED".to_owned()));
    let tail = id.rsplit('/').next().unwrap();
    assert!(service["currentServiceRevisions"][0]["arn"].as_str().unwrap().ends_with(&format!("/gateway/{tail}")));
}

#[test]
fn a_gateway_rolls_in_the_measured_order() {
    let mut world = World::escher("dev");
    let old = world.service_mut("gateway").primary_id();
    let new = deploy(&mut world, "gateway");
    let timing = world.service_mut("gateway").timing;
    world.advance(timing.to_healthy(&Check::TargetGroup) - 0.1);
    let service = look(&mut world, "gateway");
    assert_eq!((&service["runningCount"], &service["deployments"][0]["runningCount"]), (&json!(4), &json!(2)));
    assert_eq!(world.service_mut("gateway").well(&new), 0);

    world.advance(timing.to_completed(&Check::TargetGroup) - 0.1);
    let draining = look(&mut world, "gateway");
    assert_eq!(draining["runningCount"], 4, "draining tasks still count");
    assert_eq!((&draining["deployments"][1]["desiredCount"], &draining["deployments"][1]["runningCount"]), (&json!(0), &json!(2)));
    assert_eq!(draining["deployments"][1]["rolloutState"], "COMPLETED");

    world.advance(timing.to_completed(&Check::TargetGroup));
    let done = look(&mut world, "gateway");
    assert_eq!(states(&done), [(new.clone(), "PRIMARY".to_owned(), "COMPLETED".to_owned())]);
    assert_eq!(done["runningCount"], 2);
    assert_eq!(whats(&world, "gateway"), [What::Updated, What::FirstTaskRunning, What::Healthy, What::Completed]);

    let service = world.service_mut("gateway");
    let tasks = |id: &str| service.tasks.iter().filter(|it| it.started_by == id).map(|it| format!("(task {})", it.id)).collect::<Vec<_>>();
    let (mut olds, news, group) = (tasks(&old), tasks(&new), service.target_group.clone());
    let events = told(service);
    if !events[2].contains(&olds.join(" ")) {
        olds.reverse();
    }
    assert_eq!(
        events,
        [
            format!("(service gateway) has started 2 tasks: {}.", news.join(" ")),
            format!("(service gateway) registered 2 targets in (target-group {group})"),
            format!("(service gateway) has stopped 2 running tasks: {}.", olds.join(" ")),
            format!("(service gateway) deregistered 2 targets in (target-group {group})"),
            format!("(service gateway, taskSet {old}) has begun draining connections on 2 tasks."),
            format!("(service gateway) (deployment {new}) deployment completed."),
            "(service gateway) has reached a steady state.".to_owned(),
        ]
    );
}

#[test]
fn without_any_check_a_task_is_healthy_forty_seconds_after_it_runs() {
    let mut world = World::escher("dev");
    world.service_mut("autoresolver").check = Check::None;
    deploy(&mut world, "autoresolver");
    let running = world.service_mut("autoresolver").task_definition.clone();
    world.advance(0.1);
    assert!(world.ecs.definition(&running).unwrap().body["containerDefinitions"][0].get("healthCheck").is_none());
    let timing = world.service_mut("autoresolver").timing;
    assert_eq!(timing.to_healthy(&Check::None), timing.place + timing.boot + 40.0);
    world.advance(timing.to_healthy(&Check::None) - 0.5);
    assert!(!whats(&world, "autoresolver").contains(&What::Healthy));
    world.advance(timing.to_healthy(&Check::None) + 0.1);
    assert!(whats(&world, "autoresolver").contains(&What::Healthy));
}

#[test]
fn the_same_definition_starts_nothing_unless_forced() {
    let mut world = World::escher("dev");
    let (id, same) = (world.service_mut("gateway").primary_id(), world.service_mut("gateway").task_definition.clone());
    ecs(&mut world, "UpdateService", json!({"service": "gateway", "taskDefinition": same}));
    assert_eq!(world.service_mut("gateway").primary_id(), id);
    ecs(&mut world, "UpdateService", json!({"service": "gateway", "forceNewDeployment": true}));
    assert_ne!(world.service_mut("gateway").primary_id(), id);
    assert_eq!(world.service_mut("gateway").task_definition, same);
}

#[test]
fn another_desired_count_is_no_deployment() {
    let mut world = World::escher("dev");
    let id = world.service_mut("gateway").primary_id();
    ecs(&mut world, "UpdateService", json!({"service": "gateway", "desiredCount": 3}));
    world.advance(60.0);
    let service = look(&mut world, "gateway");
    assert_eq!(states(&service), [(id.clone(), "PRIMARY".to_owned(), "COMPLETED".to_owned())]);
    assert_eq!((&service["runningCount"], &service["deployments"][0]["desiredCount"]), (&json!(3), &json!(3)));
    world.script(When::At(70.0), Deed::SetDesired { service: "gateway".to_owned(), count: 1 });
    world.advance(200.0);
    assert_eq!(look(&mut world, "gateway")["runningCount"], 1);
    assert_eq!(world.service_mut("gateway").events[0].message, "(service gateway) has reached a steady state.");
}

#[test]
fn desired_zero_completes_without_any_task() {
    let mut world = World::escher("dev");
    world.service_mut("gateway").desired_count = 0;
    world.advance(100.0);
    assert_eq!(look(&mut world, "gateway")["runningCount"], 0);
    let new = deploy(&mut world, "gateway");
    let place = world.service_mut("gateway").timing.place;
    world.advance(100.0 + place);
    let service = look(&mut world, "gateway");
    assert_eq!(states(&service), [(new.clone(), "PRIMARY".to_owned(), "COMPLETED".to_owned())]);
    assert!(!world.service_mut("gateway").tasks.iter().any(|task| task.started_by == new));
}

#[test]
fn superseded_means_three_entries_and_a_stopped_record() {
    let mut world = World::escher("dev");
    let old = world.service_mut("gateway").primary_id();
    world.script(
        When::AfterUpdate { service: "gateway".to_owned(), seconds: 20.0 },
        Deed::StrangerDeploys { service: "gateway".to_owned() },
    );
    let ours = deploy(&mut world, "gateway");
    world.advance(21.0);
    let service = look(&mut world, "gateway");
    let states = states(&service);
    assert_eq!(states.len(), 3);
    assert_eq!((states[0].1.as_str(), states[0].2.as_str()), ("PRIMARY", "IN_PROGRESS"));
    assert_eq!(states[1], (ours.clone(), "ACTIVE".to_owned(), "IN_PROGRESS".to_owned()));
    assert_eq!(states[2], (old, "ACTIVE".to_owned(), "COMPLETED".to_owned()));
    let record = |world: &World| world.ecs.service("gateway").unwrap().records.iter().find(|it| it.deployment == ours).unwrap().clone();
    assert_eq!(record(&world).status(world.now), "STOP_REQUESTED");
    world.advance(200.0);
    assert_eq!(record(&world).status(world.now), "STOPPED");
    assert_eq!(super::states(&look(&mut world, "gateway")).len(), 1);
    assert_eq!(look(&mut world, "gateway")["runningCount"], 2);
    assert!(world.history("gateway").iter().any(|it| it.deployment == ours && it.what == What::Superseded));
    assert!(!world.history("gateway").iter().any(|it| it.deployment == ours && it.what == What::Completed));
}

#[test]
fn somebody_may_be_a_moment_faster() {
    let mut world = World::escher("dev");
    world.script(When::BeforeUpdate { service: "gateway".to_owned() }, Deed::StrangerDeploys { service: "gateway".to_owned() });
    deploy(&mut world, "gateway");
    assert_eq!(states(&look(&mut world, "gateway")).len(), 3);
    assert_eq!(whats(&world, "gateway"), [What::Updated, What::Superseded, What::Updated]);
}

#[test]
fn tasks_that_somebody_stops_are_replaced() {
    let mut world = World::escher("dev");
    world.script(When::At(5.0), Deed::StopTasks { service: "gateway".to_owned() });
    world.advance(6.0);
    let service = world.service_mut("gateway");
    assert!(service.tasks.iter().all(|task| task.stopped_reason.as_deref() == Some("Task stopped by user")));
    world.advance(60.0);
    let service = world.service_mut("gateway");
    assert_eq!(service.tasks.iter().filter(|task| task.live() && task.health == Health::Healthy).count(), 2);
    assert_eq!(service.events[0].message, "(service gateway) has reached a steady state.");
}
