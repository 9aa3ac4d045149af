//! RunTask: one-off tasks, such as migrations.

use serde_json::{Value, json};

use super::{find, services, tasks};
use crate::ecs::Task;
use crate::ecs::task::Order;
use crate::refusal::{Answer, Refusal, text};
use crate::world::World;

/// From placement to RUNNING.
const BOOT: f64 = 12.0;

pub(crate) fn run(world: &mut World, body: &Value) -> Answer {
    let cluster = find::cluster(world, body)?;
    let arn = services::definition(world, text(body, "taskDefinition").unwrap_or_default())?;
    let count = body.get("count").and_then(Value::as_u64).unwrap_or(1);
    if !(1..=10).contains(&count) {
        return Err(Refusal::parameter("Count must be between 1 and 10."));
    }
    demand_fargate(world, &arn, body)?;
    let token = text(body, "clientToken").map(str::to_owned);
    let known = token.as_ref().and_then(|token| world.ecs.tokens.iter().find(|(used, _)| used == token));
    let arns = match known {
        Some((_, arns)) => arns.clone(),
        None => (0..count).map(|_| start(world, &cluster, &arn, body)).collect(),
    };
    let found = arns.iter().filter_map(|arn| world.ecs.one_off.iter().find(|task| task.arn == *arn));
    let wire: Vec<Value> = found.map(|task| tasks::wire(world, None, task)).collect();
    if let Some(token) = token {
        world.ecs.tokens.push((token, arns));
    }
    Ok(json!({"tasks": wire, "failures": []}))
}

/// What a request that forgot where to run is told.
fn demand_fargate(world: &World, arn: &str, body: &Value) -> Result<(), Refusal> {
    let strategy = body["capacityProviderStrategy"].as_array().is_some_and(|list| !list.is_empty());
    if !strategy && text(body, "launchType") != Some("FARGATE") {
        return Err(Refusal::parameter("No Container Instances were found in your cluster."));
    }
    let awsvpc = world.ecs.definition(arn).is_some_and(|it| it.body["networkMode"] == "awsvpc");
    if awsvpc && body["networkConfiguration"]["awsvpcConfiguration"]["subnets"].as_array().is_none_or(Vec::is_empty) {
        return Err(Refusal::parameter("Network Configuration must be provided when networkMode 'awsvpc' is specified."));
    }
    Ok(())
}

fn start(world: &mut World, cluster: &str, arn: &str, body: &Value) -> String {
    let prefix = world.arn_prefix();
    let overridden = body["overrides"]["containerOverrides"][0]["name"].as_str().unwrap_or_default().to_owned();
    let (movers, mut around) = world.around();
    let Some(definition) = around.definition(arn) else { return String::new() };
    let order = Order {
        arn_prefix: &prefix,
        cluster,
        started_by: text(body, "startedBy").unwrap_or_default(),
        group: text(body, "group").map_or_else(|| format!("family:{}", definition.family), str::to_owned),
        container: &overridden,
        definition,
        boot: BOOT,
        overrides: body.get("overrides").cloned().unwrap_or_else(|| json!({})),
    };
    let task = Task::place(order, &mut around);
    let arn = task.arn.clone();
    movers.one_off.push(task);
    arn
}
