//! Sets one service in motion: checked against the plan just before, and in the answer (CONTRACT 5.5).

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::Clients;
use crate::clients::call::CallError;
use crate::clients::ecs::Update;
use crate::domain::names::{DefinitionArn, DeploymentId, EcsServiceName};
use crate::domain::outcome::{Failure, FailureKind, RunsNow};
use crate::domain::plan::{PlannedService, Start};
use crate::domain::registration::Registration;
use crate::domain::rollout::{self, Deployment, Expected, ServiceView};

const FIRST_PAUSE: Duration = Duration::from_millis(300);
const LONGEST_PAUSE: Duration = Duration::from_secs(4);
/// A lost answer is looked for this long: `DescribeServices` may lag behind an update by seconds.
const LOOK_FOR: Duration = Duration::from_secs(8);
/// What is checked longer ago than this is checked again.
const LONG: Duration = Duration::from_secs(2);
/// Lost requests are borne this long; throttling, which says that nothing was done, for as long as a deployment may take.
const UPDATE_PATIENCE: Duration = Duration::from_secs(60);

/// How a start went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stopped {
    /// The service failed before it began.
    Failed(Failure),
    /// The run was told to stop, or goes back, before anything was changed.
    Halted,
    /// The same, but whether anything was changed nobody knows.
    Lost(Failure),
}

/// A service in motion.
#[derive(Clone, Debug)]
pub(super) struct Started {
    pub(super) expected: Expected,
    pub(super) at: Instant,
}

/// Registers the definition and updates the service; a deployment of ours that is in flight is joined.
pub(super) async fn start(
    clients: &Clients,
    planned: &PlannedService,
    timeout: Duration,
    halted: &watch::Receiver<bool>,
) -> Result<Started, Stopped> {
    let name = &planned.view.name;
    if let Start::Join(id) = &planned.start {
        let joined = planned.view.deployments.iter().find(|deployment| deployment.id == *id);
        return Ok(started(planned, &planned.view, id, joined.map(|joined| joined.definition.clone()), timeout));
    }
    let before = current(clients, name, halted, timeout).await?;
    // ECS may have gone back by itself while others went first.
    if let (Start::Back(definition), Some(primary)) = (&planned.start, before.primary())
        && primary.definition == *definition
    {
        return Ok(started(planned, &before, &primary.id, Some(definition.clone()), timeout));
    }
    follows_the_plan(planned, &before)?;
    let mut before = before;
    let update = match &planned.start {
        Start::Update(body) => {
            let (definition, has_waited) = register(clients, body, halted, timeout).await?;
            if has_waited {
                before = current(clients, name, halted, timeout).await?;
                follows_the_plan(planned, &before)?;
            }
            Update::To(definition)
        }
        Start::Back(definition) | Start::Registered(definition) => Update::To(definition.clone()),
        _ => Update::Again,
    };
    if *halted.borrow() {
        return Err(Stopped::Halted);
    }
    let answer = update_once(clients, name, &update, &before, halted, timeout).await?;
    let ours = check(&before, &answer, &update)?;
    let definition = match update {
        Update::To(definition) => Some(definition),
        Update::Again => None,
    };
    Ok(started(planned, &before, &ours, definition, timeout))
}

fn started(
    planned: &PlannedService,
    before: &ServiceView,
    ours: &DeploymentId,
    definition: Option<DefinitionArn>,
    timeout: Duration,
) -> Started {
    let others = before.deployments.iter().filter(|deployment| deployment.id != *ours);
    let is_alone = |definition: &DefinitionArn| others.clone().all(|deployment| deployment.definition != *definition);
    let expected = Expected {
        deployment: ours.clone(),
        definition: definition.filter(is_alone),
        before: others.map(|deployment| (deployment.id.clone(), deployment.definition.clone())).collect(),
        known_events: before.events.iter().map(|event| event.id.clone()).collect(),
        has_health_check: planned.definition.has_health_check(),
        timeout,
    };
    Started { expected, at: Instant::now() }
}

/// What the plan saw is still what is there.
fn follows_the_plan(planned: &PlannedService, now: &ServiceView) -> Result<(), Stopped> {
    let primary = |view: &ServiceView| view.primary().map(|primary| primary.id.clone());
    if primary(now) == primary(&planned.view) {
        return Ok(());
    }
    Err(superseded(now.primary(), "another deployment began after the plan was made; nothing of ours was begun"))
}

/// Registers. Throttled, it certainly did not happen and is tried again: one bucket is shared with everyone who releases in this
/// account, and holds a token a second. True where that took long enough for somebody else to come between.
async fn register(
    clients: &Clients,
    body: &Registration,
    halted: &watch::Receiver<bool>,
    patience: Duration,
) -> Result<(DefinitionArn, bool), Stopped> {
    let (began, mut pause) = (Instant::now(), FIRST_PAUSE);
    loop {
        let error = match clients.ecs.register(body).await {
            Ok(definition) => return Ok((definition, began.elapsed() > LONG)),
            Err(error) => error,
        };
        if !error.is_throttled() || began.elapsed() > patience {
            return Err(failed("ecs:RegisterTaskDefinition and iam:PassRole", &error));
        }
        wait(&mut pause, halted).await;
        clients.ecs.turn_to_register().await;
        if *halted.borrow() {
            return Err(Stopped::Halted);
        }
    }
}

/// Longer each time, and by chance never in step with others; no longer than the run goes on.
async fn wait(pause: &mut Duration, halted: &watch::Receiver<bool>) {
    tokio::select! {
        () = halt(halted) => {}
        () = sleep(*pause + pause.mul_f64(fastrand::f64())) => {}
    }
    *pause = (*pause * 2).min(LONGEST_PAUSE);
}

/// Ends when the run does no more.
async fn halt(halted: &watch::Receiver<bool>) {
    // A run that is gone has halted.
    let _ = halted.clone().wait_for(|is_halted| *is_halted).await;
}

/// The service as it stands, just before it is changed. What passes is waited for: nothing is lost by it.
async fn current(
    clients: &Clients,
    name: &EcsServiceName,
    halted: &watch::Receiver<bool>,
    patience: Duration,
) -> Result<ServiceView, Stopped> {
    let (began, mut pause) = (Instant::now(), FIRST_PAUSE);
    loop {
        let error = tokio::select! {
            biased;
            () = halt(halted) => return Err(Stopped::Halted),
            looked = look(clients, name) => match looked {
                Ok(view) => return Ok(view),
                Err(error) => error,
            },
        };
        if !error.is_passing() || began.elapsed() > patience {
            return Err(failed("ecs:DescribeServices", &error));
        }
        wait(&mut pause, halted).await;
    }
}

async fn look(clients: &Clients, name: &EcsServiceName) -> Result<ServiceView, CallError> {
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

/// Updates. Where the answer was lost it is looked up, because `UpdateService` has no client token: the same definition may
/// be sent again, since that begins nothing new, a forced update only when it surely did not happen.
async fn update_once(
    clients: &Clients,
    name: &EcsServiceName,
    update: &Update,
    before: &ServiceView,
    halted: &watch::Receiver<bool>,
    patience: Duration,
) -> Result<Answer, Stopped> {
    let (began, mut pause) = (Instant::now(), FIRST_PAUSE);
    // The last try of which nobody knows what came: from then on no end of this says that nothing was begun.
    let mut lost = None;
    loop {
        if *halted.borrow() {
            return Err(lost.map_or(Stopped::Halted, |error| Stopped::Lost(unknown(&error))));
        }
        let error = match clients.ecs.update(name, update).await {
            Ok(view) => return Ok(Answer { view, is_late: lost.is_some() }),
            Err(error) => error,
        };
        tracing::debug!(%error, service = %name, "no good answer to UpdateService");
        if error.is_throttled() && began.elapsed() <= patience {
            wait(&mut pause, halted).await;
            continue;
        }
        if error.is_throttled() || !error.is_passing() {
            return Err(lost.map_or_else(|| failed("ecs:UpdateService and iam:PassRole", &error), |lost| Stopped::Failed(unknown(&lost))));
        }
        if let Some(view) = appeared(clients, name, before).await {
            return Ok(Answer { view, is_late: true });
        }
        if *update == Update::Again || began.elapsed() > UPDATE_PATIENCE {
            return Err(Stopped::Failed(unknown(&error)));
        }
        lost = Some(error);
    }
}

/// Looks for a new deployment for as long as answers may be older than the update.
async fn appeared(clients: &Clients, name: &EcsServiceName, before: &ServiceView) -> Option<ServiceView> {
    let old = before.primary().map(|primary| &primary.id);
    let began = Instant::now();
    let mut pause = FIRST_PAUSE;
    while began.elapsed() < LOOK_FOR {
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
        match look(clients, name).await {
            Ok(now) if now.primary().map(|primary| &primary.id) != old => return Some(now),
            _ => {}
        }
    }
    None
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
            log: Vec::new(),
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
    let is_wanted = |other: &&Deployment| matches!(update, Update::To(definition) if other.definition == *definition);
    if answer.is_late && !asked {
        return replaced(before, answer, ours, others().find(is_wanted));
    }
    // What an earlier try of ours began is no stranger's.
    let is_known = |other: &Deployment| before.deployments.iter().any(|known| known.id == other.id);
    let stranger = others().find(|other| !(is_known(other) || answer.is_late && is_wanted(other)));
    let follows = answer.is_late || old.is_none_or(|old| others().any(|other| other.id == *old));
    match stranger {
        Some(_) => Err(went_over(&ours.id, stranger, "another deployment came between the check and our update")),
        None if !asked => Err(superseded(Some(ours), "another deployment came right after our update")),
        None if !follows => Err(went_over(&ours.id, None, "our deployment does not follow the one that the plan saw")),
        None => Ok(ours.id.clone()),
    }
}

/// By the time of a late answer something else is PRIMARY: what ran before, where ECS has given ours up and gone back under a fresh
/// id, or what somebody else has deployed.
fn replaced(before: &ServiceView, answer: &Answer, primary: &Deployment, ours: Option<&Deployment>) -> Result<DeploymentId, Stopped> {
    let is_as_before = before.primary().is_some_and(|old| old.definition == primary.definition);
    if is_as_before && let Some(ours) = ours {
        return Ok(ours.id.clone());
    }
    let Some(told) = rollout::went_back(&answer.view, before).filter(|_| is_as_before) else {
        return Err(superseded(Some(primary), "another deployment came right after our update"));
    };
    Err(Stopped::Failed(Failure {
        kind: FailureKind::RolledBack,
        reason: format!("the answer to UpdateService was lost, and {} runs again: {told}", primary.definition.short()),
        details: Vec::new(),
        log: Vec::new(),
        hint: "see the service's events in the ECS console".to_owned(),
        runs_now: if answer.view.has_arrived(primary) { RunsNow::Before } else { RunsNow::Mixed },
    }))
}

fn superseded(by: Option<&Deployment>, what: &str) -> Stopped {
    let who = by.map(|deployment| format!(" ({}, {})", deployment.id, deployment.definition.short())).unwrap_or_default();
    Stopped::Failed(Failure {
        kind: FailureKind::Superseded { by: by.map(|deployment| deployment.id.clone()) },
        reason: format!("{what}{who}"),
        details: Vec::new(),
        log: Vec::new(),
        hint: "see who deployed it; when that has ended, run this release again if it shall still go out".to_owned(),
        runs_now: RunsNow::Others,
    })
}

/// Ours stands over a stranger's: it is told, and no longer touched.
fn went_over(ours: &DeploymentId, by: Option<&Deployment>, what: &str) -> Stopped {
    let Stopped::Failed(failure) = superseded(by, what) else { return Stopped::Halted };
    Stopped::Failed(Failure {
        details: vec![format!("our {ours} took its place, goes on, and is no longer watched")],
        hint: "see who deployed it; to take ours back: `aws ecs stop-service-deployment`".to_owned(),
        runs_now: RunsNow::Mixed,
        ..failure
    })
}

/// Nobody knows whether the update happened.
fn unknown(error: &CallError) -> Failure {
    Failure {
        kind: FailureKind::Unwatched,
        reason: format!("the answer to UpdateService was lost, and ECS shows no new deployment: {error}"),
        details: Vec::new(),
        log: Vec::new(),
        hint: "run it again: what is in flight and ours is joined".to_owned(),
        runs_now: RunsNow::Mixed,
    }
}

fn failed(permission: &str, error: &CallError) -> Stopped {
    let hint = if error.is_denied() {
        format!("allow the deploy role {permission}")
    } else {
        "run it again: what is deployed is left alone".to_owned()
    };
    Stopped::Failed(Failure {
        kind: if error.is_denied() { FailureKind::Denied } else { FailureKind::Update },
        reason: error.to_string(),
        details: Vec::new(),
        log: Vec::new(),
        hint,
        runs_now: RunsNow::Before,
    })
}
