//! Tasks that RunTask started: they run once and end.

use super::task::{Step, Task};
use crate::around::Around;

/// How long one runs.
const RUNS_FOR: f64 = 5.0;
/// As for the tasks of services.
const SHOWN_FOR: f64 = 3600.0;

/// When one of them changes next.
pub(crate) fn due(tasks: &[Task]) -> Option<f64> {
    tasks.iter().filter_map(|task| task.next.as_ref().map(|(at, _)| *at)).min_by(f64::total_cmp)
}

/// Lets all take the steps that are due.
pub(crate) fn step(tasks: &mut Vec<Task>, exit_code: i32, around: &mut Around<'_>) {
    let now = around.now;
    for task in tasks.iter_mut() {
        while let Some((_, step)) = task.next.take_if(|(at, _)| *at <= now) {
            take(task, step, exit_code, around);
        }
    }
    tasks.retain(|task| task.stopped_at.is_none_or(|at| at + SHOWN_FOR > now));
}

fn take(task: &mut Task, step: Step, exit_code: i32, around: &mut Around<'_>) {
    let now = around.now;
    match step {
        Step::Pend => task.pend(),
        Step::Run => {
            task.last_status = "RUNNING";
            task.started_at = Some(now);
            task.next = Some((now + RUNS_FOR, Step::Die { exit_code, reason: None }));
            around.logs.one_off_begins(task, now);
        }
        Step::FailToStart(reason) => task.stop_now(now, "TaskFailedToStart", &reason),
        Step::Die { exit_code, reason } => {
            task.die(now, exit_code, reason);
            around.logs.one_off_ends(task, exit_code, now);
        }
        Step::Healthy | Step::Unhealthy | Step::Condemned { .. } | Step::Gone => {}
    }
}
