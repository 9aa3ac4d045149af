//! ECS's operations.

mod definitions;
mod deployments;
mod find;
mod run_task;
mod services;
mod tasks;

use serde_json::Value;

use crate::refusal::{Answer, Table, known, unknown_operation};
use crate::world::World;

/// An operation; the ARN of the caller comes last.
type Operation = fn(&mut World, &Value, &str) -> Answer;

/// What this ECS can do.
pub(crate) const OPERATIONS: Table<Operation, 16> = [
    ("DescribeServices", |world, body, _| services::describe(world, body)),
    ("UpdateService", |world, body, _| services::update(world, body)),
    ("DescribeClusters", |world, body, _| services::clusters(world, body)),
    ("ListServices", |world, body, _| services::list(world, body)),
    ("DescribeTaskDefinition", |world, body, _| super::definition::describe(&world.ecs, body, world.epoch)),
    ("RegisterTaskDefinition", |world, body, caller| definitions::register(world, body, caller)),
    ("ListTaskDefinitions", |world, body, _| definitions::list(world, body)),
    ("DeregisterTaskDefinition", |world, body, _| definitions::deregister(world, body)),
    ("ListTasks", |world, body, _| tasks::list(world, body)),
    ("DescribeTasks", |world, body, _| tasks::describe(world, body)),
    ("StopTask", |world, body, _| tasks::stop(world, body)),
    ("RunTask", |world, body, _| run_task::run(world, body)),
    ("ListServiceDeployments", |world, body, _| deployments::list(world, body)),
    ("DescribeServiceDeployments", |world, body, _| deployments::describe(world, body)),
    ("StopServiceDeployment", |world, body, _| deployments::stop(world, body)),
    ("DescribeServiceRevisions", |world, body, _| deployments::revisions(world, body)),
];

/// Carries out one operation on behalf of `caller` (an ARN).
pub(crate) fn answer(world: &mut World, operation: &str, body: &Value, caller: &str) -> Answer {
    let perform = known(&OPERATIONS, operation).ok_or_else(|| unknown_operation("ECS", operation))?;
    perform(world, body, caller)
}
