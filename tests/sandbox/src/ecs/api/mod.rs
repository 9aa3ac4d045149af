//! ECS's operations.

mod definitions;
mod deployments;
mod find;
mod run_task;
mod services;
mod tasks;

use serde_json::Value;

use crate::refusal::{Answer, Refusal};
use crate::world::World;

/// Carries out one operation on behalf of `caller` (an ARN).
pub(crate) fn answer(world: &mut World, operation: &str, body: &Value, caller: &str) -> Answer {
    match operation {
        "DescribeServices" => services::describe(world, body),
        "UpdateService" => services::update(world, body),
        "DescribeClusters" => services::clusters(world, body),
        "ListServices" => services::list(world, body),
        "DescribeTaskDefinition" => super::definition::describe(&world.ecs, body, world.epoch),
        "RegisterTaskDefinition" => definitions::register(world, body, caller),
        "ListTaskDefinitions" => definitions::list(world, body),
        "DeregisterTaskDefinition" => definitions::deregister(world, body),
        "ListTasks" => tasks::list(world, body),
        "DescribeTasks" => tasks::describe(world, body),
        "StopTask" => tasks::stop(world, body),
        "RunTask" => run_task::run(world, body),
        "ListServiceDeployments" => deployments::list(world, body),
        "DescribeServiceDeployments" => deployments::describe(world, body),
        "StopServiceDeployment" => deployments::stop(world, body),
        "DescribeServiceRevisions" => deployments::revisions(world, body),
        _ => Err(Refusal::bad("UnknownOperationException", format!("The sandbox's ECS does not know {operation}."))),
    }
}
