//! RegisterTaskDefinition and its neighbours.

use serde_json::{Value, json};

use crate::refusal::{Answer, Refusal, page, text};
use crate::world::World;

pub(crate) fn register(world: &mut World, body: &Value, caller: &str) -> Answer {
    let (prefix, now, epoch) = (world.arn_prefix(), world.now, world.epoch);
    let definition = world.ecs.register(body.clone(), &prefix, caller, now)?;
    Ok(definition.answer(epoch, true))
}

pub(crate) fn list(world: &World, body: &Value) -> Answer {
    let family = text(body, "familyPrefix");
    let status = text(body, "status").unwrap_or("ACTIVE");
    let all = world.ecs.definitions.iter().filter(|it| it.status == status && family.is_none_or(|family| it.family == family));
    let mut arns: Vec<Value> = all.map(|it| json!(it.arn)).collect();
    if text(body, "sort") == Some("DESC") {
        arns.reverse();
    }
    let (arns, next) = page(&arns, body, 100);
    let mut answer = json!({"taskDefinitionArns": arns});
    if let Some(token) = next {
        answer["nextToken"] = json!(token);
    }
    Ok(answer)
}

pub(crate) fn deregister(world: &mut World, body: &Value) -> Answer {
    let name = text(body, "taskDefinition").unwrap_or_default();
    let found = world.ecs.definition(name).filter(|_| name.contains(':')).map(|it| it.arn.clone());
    let arn = found.ok_or_else(|| Refusal::client("Unable to describe task definition."))?;
    let (epoch, now) = (world.epoch, world.now);
    let definition = world.ecs.definitions.iter_mut().find(|it| it.arn == arn);
    let definition = definition.ok_or_else(|| Refusal::client("Unable to describe task definition."))?;
    definition.status = "INACTIVE".to_owned();
    definition.deregistered_at.get_or_insert(now);
    Ok(definition.answer(epoch, false))
}
