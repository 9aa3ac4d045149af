//! What a tired person reads of each way in which ECS says that a task stopped; the words are from facts seen in production.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::*;
use crate::domain::board::Row;
use crate::domain::names::DefinitionArn;
use crate::domain::plan::{Action, Side};
use crate::domain::rollout::{Breaker, ContainerEnd, Event};
use crate::report::advice;

/// A name, the stop code, the task's reason, the container's exit code and reason.
type Ending = (&'static str, &'static str, &'static str, Option<i32>, Option<&'static str>);

const ENDINGS: &[Ending] = &[
    (
        "image missing",
        "TaskFailedToStart",
        "CannotPullContainerError: pull image manifest has been retried 5 time(s): failed to resolve ref 1.dkr.ecr.us-west-1.amazonaws.com/escher-gateway@sha256:ab: not found",
        None,
        None,
    ),
    (
        "wrong platform",
        "TaskFailedToStart",
        "CannotPullContainerError: pull image manifest has been retried 1 time(s): image Manifest does not contain descriptor matching platform 'linux/amd64'",
        None,
        None,
    ),
    (
        "no way to the registry",
        "TaskFailedToStart",
        "CannotPullContainerError: ref pull has been retried 5 time(s): failed to copy: httpReaderSeeker: failed open: dial tcp 52.0.0.1:443: i/o timeout",
        None,
        None,
    ),
    (
        "registry host missing",
        "TaskFailedToStart",
        "CannotPullContainerError: failed to resolve ref docker.io/library/gateway:1: pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed",
        None,
        None,
    ),
    (
        "secret without a value",
        "TaskFailedToStart",
        "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve secret from asm: ResourceNotFoundException: Secrets Manager can't find the specified secret value for staging label: AWSCURRENT",
        None,
        None,
    ),
    (
        "secret not readable",
        "TaskFailedToStart",
        "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: AccessDeniedException: User: arn:aws:sts::1:assumed-role/exec/1 is not authorized to perform: secretsmanager:GetSecretValue",
        None,
        None,
    ),
    (
        "secret is no JSON",
        "TaskFailedToStart",
        "ResourceInitializationError: unable to pull secrets or registry auth: invalid character 'p' in literal true (expecting 'r')",
        None,
        None,
    ),
    (
        "log group missing",
        "TaskFailedToStart",
        "ResourceInitializationError: failed to initialize logging driver: failed to create Cloudwatch log stream",
        None,
        None,
    ),
    (
        "out of memory",
        "EssentialContainerExited",
        "Essential container in task exited",
        Some(137),
        Some("OutOfMemoryError: Container killed due to memory usage"),
    ),
    ("crashed", "EssentialContainerExited", "Essential container in task exited", Some(1), None),
    ("command not found", "EssentialContainerExited", "Essential container in task exited", Some(127), None),
    (
        "load balancer's check failed",
        "ServiceSchedulerInitiated",
        "Task failed ELB health checks in (target-group arn:aws:elasticloadbalancing:us-west-1:1:targetgroup/g/1)",
        None,
        None,
    ),
    ("container's check failed", "ServiceSchedulerInitiated", "Task failed container health checks", None, None),
    ("Spot capacity taken back", "SpotInterruption", "Your Spot Task was interrupted.", None, None),
    (
        "role not assumable",
        "TaskFailedToStart",
        "ECS was unable to assume the role 'arn:aws:iam::1:role/task' that was provided for this task.",
        None,
        None,
    ),
];

const EVENTS: &[(&str, &str)] = &[
    (
        "no capacity",
        "(service gateway) was unable to place a task. Reason: Capacity is unavailable at this time. Please try again later or in a different availability zone.",
    ),
    ("no room", "(service gateway) was unable to place a task because no container instance met all of its requirements."),
    (
        "account limit",
        "(service gateway) was unable to place a task. Reason: You've reached the limit on the number of vCPUs you can run concurrently",
    ),
    (
        "no room to deploy",
        "(service gateway) was unable to stop or start tasks during a deployment because of the service deployment configuration. Update the minimumHealthyPercent or maximumPercent value and try again.",
    ),
    ("alarm", "(service gateway) (deployment ecs-svc/2) deployment failed: alarm detected."),
];

fn shown(tasks: &[Task], events: &[&str]) -> String {
    let expected = Expected {
        deployment: "ecs-svc/2".into(),
        definition: None,
        before: Vec::new(),
        known_events: BTreeSet::new(),
        has_health_check: true,
        timeout: Duration::from_secs(1200),
    };
    let events = events.iter().map(|message| Event { id: (*message).to_owned(), message: (*message).to_owned() });
    let view = ServiceView { events: events.collect(), breaker: Breaker { enabled: true, rollback: false }, ..ServiceView::default() };
    let verdict = Verdict::Failed { reason: "ECS deployment circuit breaker: tasks failed to start.".to_owned() };
    let failure = of(&verdict, &expected, &view, tasks, &["dial tcp 10.0.0.7:5432: connection refused".to_owned()]).expect("a failure");
    let side = |version: &str| Side { version: Some(version.to_owned()), ..Side::default() };
    let row = Row {
        runbook: Some("https://runbooks.example.com/gateway".to_owned()),
        ..Row::new("gateway".into(), Action::Promote, side("2.15.0"), side("2.16.0"))
    };
    assert!(!failure.hint.is_empty());
    advice::failure(&row, &failure, 50).join("\n")
}

#[test]
fn every_way_to_stop_comes_with_something_to_do() {
    let mut text = String::new();
    for (name, code, reason, exit_code, container) in ENDINGS {
        let container = ContainerEnd { name: "gateway".to_owned(), exit_code: *exit_code, reason: container.map(str::to_owned) };
        let end = TaskEnd { code: (*code).to_owned(), reason: (*reason).to_owned(), containers: vec![container] };
        let task = |id: &str| Task {
            id: id.to_owned(),
            started_by: Some("ecs-svc/2".into()),
            definition: DefinitionArn::default(),
            is_running: false,
            is_healthy: false,
            address: None,
            end: Some(end.clone()),
        };
        writeln!(text, "# {name}\n{}\n", shown(&[task("a"), task("b")], &[])).expect("a string takes text");
    }
    for (name, event) in EVENTS {
        writeln!(text, "# {name}\n{}\n", shown(&[], &[event])).expect("a string takes text");
    }
    insta::assert_snapshot!("stop_reasons", text);
}
