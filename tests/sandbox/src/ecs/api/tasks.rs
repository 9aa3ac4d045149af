//! ListTasks, DescribeTasks, StopTask.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::find;
use crate::ecs::{Check, Service, Task, wire_task};
use crate::refusal::{Answer, Refusal, page, text, texts};
use crate::world::World;

/// All tasks of a cluster, those of services first.
fn all<'a>(world: &'a World, cluster: &str) -> Vec<(Option<&'a Service>, &'a Task)> {
    let services = world.ecs.services.iter().flat_map(|service| service.tasks.iter().map(move |task| (Some(service), task)));
    let one_off = world.ecs.one_off.iter().map(|task| (None, task));
    services.chain(one_off).filter(|(_, task)| task.cluster == cluster).collect()
}

pub(crate) fn list(world: &World, body: &Value) -> Answer {
    let cluster = find::cluster(world, body)?;
    let (service, family, started_by) = (text(body, "serviceName"), text(body, "family"), text(body, "startedBy"));
    if started_by.is_some() && (service.is_some() || family.is_some()) {
        return Err(Refusal::parameter("When startedBy is specified, it must be the only filter that you use."));
    }
    if service.is_some_and(|name| find::service(world, &cluster, name).is_none()) {
        return Err(Refusal::bad("ServiceNotFoundException", "Service not found."));
    }
    let stopped = text(body, "desiredStatus") == Some("STOPPED");
    let wanted = all(world, &cluster).into_iter().filter(|(owner, task)| {
        let of_service = service.is_none_or(|name| owner.is_some_and(|owner| owner.name == name || owner.arn == name));
        let of_family = family.is_none_or(|family| task.task_definition.contains(&format!("/{family}:")));
        task.told_to_stop == stopped && of_service && of_family && started_by.is_none_or(|by| by == task.started_by)
    });
    let arns: Vec<Value> = wanted.map(|(_, task)| json!(task.arn)).collect();
    let (arns, next) = page(&arns, body, 100);
    let mut answer = json!({"taskArns": arns});
    if let Some(token) = next {
        answer["nextToken"] = json!(token);
    }
    Ok(answer)
}

pub(crate) fn describe(world: &World, body: &Value) -> Answer {
    let cluster = find::cluster(world, body)?;
    let names = texts(body, "tasks");
    if names.is_empty() {
        return Err(Refusal::parameter("Tasks cannot be empty."));
    }
    if names.len() > 100 {
        return Err(Refusal::parameter("Tasks cannot have more than 100 entries."));
    }
    let tasks: BTreeMap<&str, _> = all(world, &cluster).into_iter().map(|(owner, task)| (task.id.as_str(), (owner, task))).collect();
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for name in names {
        let id = name.rsplit('/').next().unwrap_or(&name);
        match tasks.get(id).filter(|(_, task)| task.arn == name || task.id == name) {
            Some((service, task)) => found.push(wire(world, *service, task)),
            None => {
                failures.push(json!({"arn": format!("{}task/{cluster}/{id}", world.arn_prefix()), "reason": "MISSING"}));
            }
        }
    }
    Ok(json!({"tasks": found, "failures": failures}))
}

/// A task as the wire has it; only a container's own check shows in `healthStatus`.
pub(crate) fn wire(world: &World, service: Option<&Service>, task: &Task) -> Value {
    let checked = service.filter(|service| service.check == Check::Container).map(|service| service.container.as_str());
    wire_task::task(task, &world.region, checked, world.epoch)
}

pub(crate) fn stop(world: &mut World, body: &Value) -> Answer {
    let cluster = find::cluster(world, body)?;
    let name = text(body, "task").unwrap_or_default().to_owned();
    let reason = text(body, "reason").unwrap_or("Task stopped by user").to_owned();
    let now = world.now;
    let of_services = world.ecs.services.iter_mut().flat_map(|service| service.tasks.iter_mut());
    let mut all = of_services.chain(world.ecs.one_off.iter_mut());
    let found = all.find(|task| task.cluster == cluster && (task.arn == name || task.id == name));
    let task = found.ok_or_else(|| Refusal::parameter("The referenced task was not found."))?;
    if task.stopped_at.is_none() {
        task.stop_now(now, "UserInitiated", &reason);
    }
    let arn = task.arn.clone();
    let owner = world.ecs.services.iter().find(|service| service.tasks.iter().any(|task| task.arn == arn));
    let task = all_of(world).find(|task| task.arn == arn);
    Ok(json!({"task": task.map(|task| wire(world, owner, task))}))
}

fn all_of(world: &World) -> impl Iterator<Item = &Task> {
    world.ecs.services.iter().flat_map(|service| service.tasks.iter()).chain(world.ecs.one_off.iter())
}
