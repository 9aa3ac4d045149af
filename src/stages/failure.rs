//! Why a deployment failed, from what was seen of it (CONTRACT 5.6).

use std::time::Duration;

use crate::domain::diagnosis;
use crate::domain::names::DeploymentId;
use crate::domain::outcome::{Failure, FailureKind, RunsNow};
use crate::domain::rollout::{Expected, ServiceView, Task, TaskEnd, Verdict, new_events, our_tasks};
use crate::report::text::duration;

const MOST_EVENTS: usize = 5;
const MOST_TASKS: usize = 3;

/// The failure behind a verdict that ends a deployment badly; none for the others.
pub(super) fn of(verdict: &Verdict, expected: &Expected, view: &ServiceView, tasks: &[Task], log: &[String]) -> Option<Failure> {
    let (kind, reason, runs_now) = kind(verdict, expected, view)?;
    let mut details = ended(expected, tasks);
    details.extend(
        events(expected, view).filter(|event| !reason.contains(event.as_str())).take(MOST_EVENTS).map(|event| format!("event: {event}")),
    );
    let texts = details.iter().map(String::as_str).chain([reason.as_str()]).chain(log.iter().map(String::as_str));
    let hint = diagnosis::hint(texts).map_or_else(|| advice(&kind), str::to_owned);
    Some(Failure { kind, reason, details, log: log.to_vec(), hint, runs_now })
}

fn kind(verdict: &Verdict, expected: &Expected, view: &ServiceView) -> Option<(FailureKind, String, RunsNow)> {
    let ours = &expected.deployment;
    Some(match verdict {
        Verdict::Failed { reason } => {
            (FailureKind::Failed, format!("{ours} is FAILED, and ECS stays where it is: {reason}"), RunsNow::Mixed)
        }
        Verdict::CrashLoop { ended } => {
            let breaker = if view.breaker.enabled { "the circuit breaker keeps being reset" } else { "the circuit breaker is off" };
            (FailureKind::CrashLoop, format!("{ended} tasks of {ours} ended, and ECS would go on for ever: {breaker}"), RunsNow::Mixed)
        }
        Verdict::RolledBack { reason } => (FailureKind::RolledBack, format!("ECS rolled {ours} back: {reason}"), RunsNow::Before),
        Verdict::Superseded { by } => (
            FailureKind::Superseded { by: Some(by.clone()) },
            format!("{by} took the place of our {ours}{}", whose(view, by)),
            RunsNow::Others,
        ),
        Verdict::Gone { status } => (FailureKind::Update, format!("the service became {status} while it was deployed"), RunsNow::Mixed),
        Verdict::TimedOut => {
            let time = duration(expected.timeout);
            (FailureKind::TimedOut, format!("{ours} has not completed after {time}; ECS goes on trying"), RunsNow::Mixed)
        }
        Verdict::InProgress { .. } | Verdict::Healthy | Verdict::Completed | Verdict::RollingBack { .. } => return None,
    })
}

fn whose(view: &ServiceView, id: &DeploymentId) -> String {
    let definition = view.deployments.iter().find(|deployment| deployment.id == *id).map(|deployment| deployment.definition.short());
    definition.map(|definition| format!(" (it runs {definition})")).unwrap_or_default()
}

fn advice(kind: &FailureKind) -> String {
    match kind {
        FailureKind::RolledBack | FailureKind::Failed | FailureKind::CrashLoop => "read the log of the stopped tasks",
        FailureKind::Superseded { .. } => "see who deployed it; when that has ended, run this release again if it shall still go out",
        FailureKind::TimedOut => {
            "see the events above; raise DEPLOY_TIMEOUT_MINUTES if it is only slow, else `aws ecs stop-service-deployment` takes it back"
        }
        FailureKind::Smoke => "read the service's log",
        FailureKind::E2e => "read the suite's log",
        FailureKind::Update => "see the service in the ECS console",
        FailureKind::Unwatched => "run it again: what is in flight and ours is joined",
        FailureKind::Denied => "allow the role what it lacks",
        FailureKind::NotTakenBack => {
            "take it back by hand: `aws ecs update-service --force-new-deployment --task-definition` with the definition above"
        }
    }
    .to_owned()
}

/// Events that tell of trouble; ordinary comings and goings are left out.
fn events<'a>(expected: &'a Expected, view: &'a ServiceView) -> impl Iterator<Item = &'a String> {
    const ORDINARY: [&str; 7] = [
        "deployment completed",
        "has started ",
        "has stopped ",
        " registered ",
        "deregistered ",
        "has begun draining",
        "has reached a steady state",
    ];
    let is_trouble = |message: &&String| !ORDINARY.iter().any(|word| message.contains(word)) || message.contains("unhealthy");
    new_events(expected, view).map(|event| &event.message).filter(is_trouble)
}

/// How our tasks ended, equal endings counted.
fn ended(expected: &Expected, tasks: &[Task]) -> Vec<String> {
    let mut endings: Vec<(String, usize)> = Vec::new();
    for end in our_tasks(expected, tasks).filter(|task| task.was_lost()).filter_map(|task| task.end.as_ref()) {
        let text = ending(end);
        match endings.iter_mut().find(|(known, _)| *known == text) {
            Some((_, count)) => *count += 1,
            None => endings.push((text, 1)),
        }
    }
    let line =
        |(text, count): (String, usize)| if count == 1 { format!("1 task ended: {text}") } else { format!("{count} tasks ended: {text}") };
    endings.into_iter().take(MOST_TASKS).map(line).collect()
}

fn ending(end: &TaskEnd) -> String {
    let containers =
        end.containers.iter().filter(|container| container.exit_code.is_some_and(|code| code != 0) || container.reason.is_some());
    let containers: Vec<String> = containers
        .map(|container| {
            let code = container.exit_code.map(|code| {
                let meaning = diagnosis::exit_code_meaning(code).map(|meaning| format!(" ({meaning})")).unwrap_or_default();
                format!(" exit code {code}{meaning}")
            });
            let reason = container.reason.as_ref().map(|reason| format!(" {reason}"));
            format!("container {}{}{}", container.name, code.unwrap_or_default(), reason.unwrap_or_default())
        })
        .collect();
    let reason = if end.reason.is_empty() { &end.code } else { &end.reason };
    if containers.is_empty() { reason.clone() } else { format!("{reason}; {}", containers.join(", ")) }
}

/// A service that runs, but doesn't answer as it should.
pub(super) fn smoke(why: &str, asked: u32, time: Duration, log: Vec<String>) -> Failure {
    Failure {
        kind: FailureKind::Smoke,
        reason: format!("{why} (asked {asked} times in {})", duration(time)),
        details: Vec::new(),
        log,
        hint: "ECS calls it healthy, so look at the service itself: its log, its configuration, DEPLOY_BASE_URL".to_owned(),
        runs_now: RunsNow::New,
    }
}

/// A deployment that could no longer be observed.
pub(super) fn unwatched(expected: &Expected, why: &str, time: Duration) -> Failure {
    Failure {
        kind: FailureKind::Unwatched,
        reason: format!("{} could not be observed for {}: {why}", expected.deployment, duration(time)),
        details: Vec::new(),
        log: Vec::new(),
        hint: advice(&FailureKind::Unwatched),
        runs_now: RunsNow::Mixed,
    }
}

#[cfg(test)]
#[path = "failure_tests.rs"]
mod tests;
