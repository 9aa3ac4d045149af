//! The last words of a task, for the report of a failure. Never a reason to fail: what can't be read is left out.

use super::Clients;
use crate::domain::credential;
use crate::domain::rollout::{Expected, Task, our_tasks};
use crate::domain::task_definition::TaskDefinition;

/// The log of the task that tells most: one of ours that ended badly, else one that runs.
pub(super) async fn of_tasks(
    clients: &Clients,
    definition: &TaskDefinition,
    container: &str,
    expected: &Expected,
    tasks: &[Task],
) -> Vec<String> {
    let ours = || our_tasks(expected, tasks);
    let ended = ours().filter(|task| task.has_failed());
    // The first of several: ECS lists no order, and they mostly end alike.
    let Some(task) = ended.chain(ours().filter(|task| task.is_running)).next() else { return Vec::new() };
    let failed =
        task.end.as_ref().and_then(|end| end.containers.iter().find(|container| container.exit_code.is_some_and(|code| code != 0)));
    let container = failed.map_or(container, |failed| failed.name.as_str());
    of_task(clients, definition, container, &task.id).await
}

/// The log of one task's container, without what looks like a credential.
pub(super) async fn of_task(clients: &Clients, definition: &TaskDefinition, container: &str, task: &str) -> Vec<String> {
    let Some(place) = definition.log_place(container) else { return Vec::new() };
    match clients.logs.tail(&place, task).await {
        Ok(lines) => credential::redact_lines(&lines),
        Err(error) => {
            tracing::debug!(%error, group = place.group, "the log can't be read");
            Vec::new()
        }
    }
}
