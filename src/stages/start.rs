//! Sets one service in motion: checked against the plan just before, and in the answer (CONTRACT 5.5).

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::Clients;
use super::cancel::Cancel;
use crate::clients::aws::CallError;
use crate::clients::ecs::Update;
use crate::domain::names::{DefinitionArn, DeploymentId, EcsServiceName};
use crate::domain::outcome::{Failure, FailureKind, RunsNow};
use crate::domain::plan::{PlannedService, Start};
use crate::domain::rollout::{Deployment, Expected, ServiceView};

const TRIES: u32 = 3;

/// How a start went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stopped {
    /// The service failed before it began.
    Failed(Failure),
    /// The run was told to stop before anything was changed.
    Cancelled,
}

/// A service in motion.
#[derive(Clone, Debug)]
pub(super) struct Started {
    pub(super) expected: Expected,
    pub(super) at: Instant,
}

/// Registers the definition and updates the service; a deployment of ours that is in flight is joined.
pub(super) async fn start(clients: &Clients, planned: &PlannedService, timeout: Duration, cancel: &Cancel) -> Result<Started, Stopped> {
    let name = &planned.view.name;
    if let Start::Join(id) = &planned.start {
        return Ok(started(planned, &planned.view, id, timeout));
    }
    let before = current(clients, name).await.map_err(|error| failed("ecs:DescribeServices", &error))?;
    let expected_primary = planned.view.primary().map(|primary| &primary.id);
    if before.primary().map(|primary| &primary.id) != expected_primary {
        return Err(superseded(before.primary(), "another deployment began after the plan was made; nothing of ours was begun"));
    }
    let update = match &planned.start {
        Start::Update(body) => {
            Update::To(clients.ecs.register(body).await.map_err(|error| failed("ecs:RegisterTaskDefinition and iam:PassRole", &error))?)
        }
        _ => Update::Again,
    };
    if cancel.is_cancelled() {
        return Err(Stopped::Cancelled);
    }
    let answer = update_once(clients, name, &update, &before).await?;
    let ours = check(&before, &answer, &update)?;
    Ok(started(planned, &before, &ours, timeout))
}

fn started(planned: &PlannedService, before: &ServiceView, ours: &DeploymentId, timeout: Duration) -> Started {
    let others = before.deployments.iter().filter(|deployment| deployment.id != *ours);
    let expected = Expected {
        deployment: ours.clone(),
        before: others.map(|deployment| (deployment.id.clone(), deployment.definition.clone())).collect(),
        known_events: before.events.iter().map(|event| event.id.clone()).collect(),
        has_health_check: planned.has_health_check,
        timeout,
    };
    Started { expected, at: Instant::now() }
}

async fn current(clients: &Clients, name: &EcsServiceName) -> Result<ServiceView, CallError> {
    let gone =
        || CallError { operation: "DescribeServices", code: "MISSING".to_owned(), message: format!("there is no service {name} any more") };
    clients.ecs.services(std::slice::from_ref(name)).await?.into_iter().next().ok_or_else(gone)
}

/// What came of an update.
struct Answer {
    view: ServiceView,
    /// The answer itself was lost, and this is a later look: what was replaced may be gone by now.
    is_late: bool,
}

/// Updates, and finds out whether it happened where the answer was lost: a second forced update would start it twice.
async fn update_once(clients: &Clients, name: &EcsServiceName, update: &Update, before: &ServiceView) -> Result<Answer, Stopped> {
    let mut tried = 0;
    loop {
        tried += 1;
        let error = match clients.ecs.update(name, update).await {
            Ok(view) => return Ok(Answer { view, is_late: false }),
            Err(error) if error.is_passing() && tried < TRIES => error,
            Err(error) => return Err(failed("ecs:UpdateService and iam:PassRole", &error)),
        };
        tracing::debug!(%error, service = %name, "the answer to UpdateService is lost: looking whether it happened");
        sleep(Duration::from_millis(500 * u64::from(tried))).await;
        if let Ok(now) = current(clients, name).await
            && now.primary().map(|primary| &primary.id) != before.primary().map(|primary| &primary.id)
        {
            return Ok(Answer { view: now, is_late: true });
        }
    }
}

/// The answer must show a new deployment of what we asked for, and what the plan saw as what it replaces.
fn check(before: &ServiceView, answer: &Answer, update: &Update) -> Result<DeploymentId, Stopped> {
    let primary = answer.view.primary();
    let old = before.primary().map(|primary| &primary.id);
    let Some(ours) = primary.filter(|primary| Some(&primary.id) != old) else {
        return Err(Stopped::Failed(Failure {
            kind: FailureKind::Update,
            reason: "ECS took the update, but began no deployment".to_owned(),
            details: Vec::new(),
            hint: "run it again with `force`".to_owned(),
            runs_now: RunsNow::Before,
        }));
    };
    let is_asked_for = |definition: &DefinitionArn| ours.definition == *definition;
    let asked = match update {
        Update::To(definition) => is_asked_for(definition),
        Update::Again => before.primary().is_some_and(|primary| is_asked_for(&primary.definition)),
    };
    let others = || answer.view.deployments.iter().filter(|deployment| deployment.id != ours.id);
    let stranger = others().find(|other| !before.deployments.iter().any(|known| known.id == other.id));
    let follows = answer.is_late || old.is_none_or(|old| others().any(|other| other.id == *old));
    match stranger {
        Some(_) => Err(superseded(stranger, "another deployment came between the check and our update")),
        None if !asked => Err(superseded(Some(ours), "another deployment came right after our update")),
        None if !follows => Err(superseded(None, "our deployment does not follow the one that the plan saw")),
        None => Ok(ours.id.clone()),
    }
}

fn superseded(by: Option<&Deployment>, what: &str) -> Stopped {
    let who = by.map(|deployment| format!(" ({}, {})", deployment.id, deployment.definition.short())).unwrap_or_default();
    Stopped::Failed(Failure {
        kind: FailureKind::Superseded { by: by.map(|deployment| deployment.id.clone()) },
        reason: format!("{what}{who}"),
        details: Vec::new(),
        hint: "see who deployed it; when that has ended, run this release again if it shall still go out".to_owned(),
        runs_now: RunsNow::Others,
    })
}

fn failed(permission: &str, error: &CallError) -> Stopped {
    let hint = if error.is_denied() {
        format!("allow the deploy role {permission}")
    } else {
        "run it again: what is deployed is left alone".to_owned()
    };
    Stopped::Failed(Failure { kind: FailureKind::Update, reason: error.to_string(), details: Vec::new(), hint, runs_now: RunsNow::Before })
}
