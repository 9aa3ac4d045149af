//! DescribeServices, UpdateService, ListServices, DescribeClusters.

use serde_json::{Value, json};

use super::find;
use crate::ecs::wire_service;
use crate::ecs::{Breaker, Change};
use crate::refusal::{Answer, Refusal, page, text, texts};
use crate::world::World;

/// DescribeServices takes at most ten (API model).
const AT_ONCE: usize = 10;

pub(crate) fn describe(world: &mut World, body: &Value) -> Answer {
    let cluster = find::cluster(world, body)?;
    let names = texts(body, "services");
    if names.is_empty() || names.len() > AT_ONCE {
        let wrong = if names.is_empty() { "Services cannot be empty." } else { "Services cannot have more than 10 entries." };
        return Err(Refusal::parameter(wrong));
    }
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for name in names {
        match find::service(world, &cluster, &name) {
            Some(index) => found.push(read(world, index)),
            None => {
                let short = name.rsplit('/').next().unwrap_or(&name);
                let arn = format!("{}service/{cluster}/{short}", world.arn_prefix());
                failures.push(json!({"arn": arn, "reason": "MISSING"}));
            }
        }
    }
    Ok(json!({"services": found, "failures": failures}))
}

fn read(world: &mut World, index: usize) -> Value {
    let (now, epoch, lag) = (world.now, world.epoch, world.ecs.failure_lags);
    let service = &mut world.ecs.services[index];
    match &service.stale {
        Some((until, old)) if *until > now => old.clone(),
        _ => {
            service.stale = None;
            wire_service::describe(service, now, epoch, lag)
        }
    }
}

pub(crate) fn update(world: &mut World, body: &Value) -> Answer {
    let index = find::known_service(world, body, "service")?;
    let name = world.ecs.services[index].name.clone();
    world.before_update(&name);
    let change = change(world, index, body)?;
    world.update_service(index, change);
    world.after_update(&name);
    let service = &world.ecs.services[index];
    Ok(json!({"service": wire_service::view(service, world.epoch, world.ecs.failure_lags)}))
}

/// Reads and checks the request.
fn change(world: &World, index: usize, body: &Value) -> Result<Change, Refusal> {
    let service = &world.ecs.services[index];
    if service.status != "ACTIVE" {
        return Err(Refusal::bad("ServiceNotActiveException", "Service was not ACTIVE."));
    }
    let task_definition = text(body, "taskDefinition").map(|name| definition(world, name)).transpose()?;
    if task_definition.is_some() && service.controller != "ECS" {
        return Err(Refusal::parameter(format!(
            "Unable to update task definition on services with a {} deployment controller.",
            service.controller
        )));
    }
    if body["desiredCount"].as_i64().is_some_and(|count| count < 0) {
        return Err(Refusal::parameter("desiredCount must be greater than or equal to 0."));
    }
    let breaker = body["deploymentConfiguration"]["deploymentCircuitBreaker"].as_object().map(|wanted| Breaker {
        enable: wanted.get("enable").and_then(Value::as_bool).unwrap_or(false),
        rollback: wanted.get("rollback").and_then(Value::as_bool).unwrap_or(false),
    });
    Ok(Change {
        task_definition,
        force: body["forceNewDeployment"].as_bool().unwrap_or(false),
        desired: body["desiredCount"].as_u64().and_then(|count| u32::try_from(count).ok()),
        breaker,
    })
}

/// The ARN of an ACTIVE definition.
pub(crate) fn definition(world: &World, name: &str) -> Result<String, Refusal> {
    let found = world.ecs.definition(name).ok_or_else(|| Refusal::client("TaskDefinition not found."))?;
    if found.status != "ACTIVE" {
        return Err(Refusal::client("TaskDefinition is inactive"));
    }
    Ok(found.arn.clone())
}

pub(crate) fn list(world: &World, body: &Value) -> Answer {
    let cluster = find::cluster(world, body)?;
    let services = world.ecs.services.iter().filter(|service| service.cluster == cluster);
    let (arns, next) = page(&services.map(|service| json!(service.arn)).collect::<Vec<_>>(), body, 10);
    let mut answer = json!({"serviceArns": arns});
    if let Some(token) = next {
        answer["nextToken"] = json!(token);
    }
    Ok(answer)
}

pub(crate) fn clusters(world: &World, body: &Value) -> Answer {
    let mut names = texts(body, "clusters");
    if names.is_empty() {
        names.push("default".to_owned());
    }
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for name in names {
        match find::cluster(world, &json!({"cluster": name})) {
            Ok(short) => found.push(cluster(world, &short)),
            Err(_) => {
                let short = name.rsplit('/').next().unwrap_or(&name);
                failures.push(json!({"arn": format!("{}cluster/{short}", world.arn_prefix()), "reason": "MISSING"}));
            }
        }
    }
    Ok(json!({"clusters": found, "failures": failures}))
}

fn cluster(world: &World, name: &str) -> Value {
    let services: Vec<_> = world.ecs.services.iter().filter(|service| service.cluster == name).collect();
    let tasks =
        || services.iter().flat_map(|service| service.tasks.iter()).chain(world.ecs.one_off.iter().filter(|task| task.cluster == name));
    json!({
        "clusterArn": format!("{}cluster/{name}", world.arn_prefix()),
        "clusterName": name,
        "status": "ACTIVE",
        "registeredContainerInstancesCount": 0,
        "runningTasksCount": tasks().filter(|task| task.counts_as_running()).count(),
        "pendingTasksCount": tasks().filter(|task| matches!(task.last_status, "PROVISIONING" | "PENDING")).count(),
        "activeServicesCount": services.iter().filter(|service| service.status == "ACTIVE").count(),
        "statistics": [],
        "tags": [],
        "settings": [],
        "capacityProviders": ["FARGATE", "FARGATE_SPOT"],
        "defaultCapacityProviderStrategy": []
    })
}
