//! Takes the whole release back: what it changed returns to the definitions before it, in reverse order, each once all
//! that need it are back; waited for and judged like any deployment (CONTRACT 5.7).

use std::collections::{BTreeMap, BTreeSet};

use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::deploy::{Job, deploy};
use super::progress::Progress;
use super::read;
use crate::clients::call::CallError;
use crate::clients::console::Console;
use crate::clients::ecs::ReadError;
use crate::domain::board::{Board, State};
use crate::domain::names::{DefinitionArn, EcsServiceName, ServiceName};
use crate::domain::outcome::{End, Failure, FailureKind, RunsNow};
use crate::domain::plan::{Action, Plan, PlannedService, Side, Start};
use crate::domain::planner::side_of;
use crate::domain::rollout::{self, Deployment, STALE_FOR, ServiceView};
use crate::domain::task_definition::{LABEL_RELEASE, TaskDefinition};
use crate::report::table::{self, log_line};

/// A service that has to go back, and where to.
struct Return<'a> {
    planned: &'a PlannedService,
    to: DefinitionArn,
    /// What runs if it can't go back.
    else_runs: RunsNow,
}

/// Takes back what the release has changed and ECS has not taken back already. How that went stands on the board.
pub async fn roll_back(job: Job<'_>, console: &Console) {
    let returns = returns(&job);
    if returns.is_empty() || job.cancel.is_cancelled() {
        return;
    }
    let views = match job.cancel.until(fresh_views(&job, &returns)).await {
        Some(Ok(views)) => views,
        // What can't have been seen is not called taken back: everything is left as it was told.
        None => return,
        Some(Err(error)) => {
            returns.iter().for_each(|back| settle(&job, back, Err(not_taken_back(&job, back, &error.to_string()))));
            return;
        }
    };
    let mut services = Vec::new();
    for back in &returns {
        let Some(view) = views.iter().find(|view| view.name == back.planned.view.name) else {
            settle(&job, back, Err(not_taken_back(&job, back, "ECS no longer knows the service")));
            continue;
        };
        match job.cancel.until(fit(&job, back, view)).await {
            Some(Fit::GoesBack(planned)) => services.push(*planned),
            Some(Fit::IsBack(to)) => {
                note(&job, back, &to);
                settle(&job, back, Ok(()));
            }
            Some(Fit::Stays(failure)) => settle(&job, back, Err(failure)),
            None => return,
        }
    }
    if !services.is_empty() {
        apply(&job, console, &returns, services).await;
    }
}

/// What of the release runs, is in flight, or was left half-way. What someone else took over is no longer touched.
fn returns<'a>(job: &Job<'a>) -> Vec<Return<'a>> {
    let board = job.board.borrow();
    let back = |planned: &'a PlannedService| {
        let to = job.plan.goes_back_to(planned)?;
        // ECS goes back to what ran before this run, which on a rerun may be the same release.
        let is_deeper = planned.from.task_definition.as_ref() != Some(&to);
        let is_due = match board.row(&planned.name).map(|row| &row.state) {
            Some(State::Done(End::Deployed | End::Unchanged | End::LeftInFlight)) => true,
            Some(State::Done(End::Failed(Failure { kind: FailureKind::Superseded { .. }, .. }))) => false,
            Some(State::Done(End::Failed(failure))) => failure.runs_now != RunsNow::Before || is_deeper,
            Some(State::Done(End::TakenBack | End::NotBegun | End::Blocked { .. })) => is_deeper,
            _ => false,
        };
        // What was in flight, or out of sight, may have arrived, or gone back by itself.
        let else_runs = match board.row(&planned.name).map(|row| &row.state) {
            Some(State::Done(End::LeftInFlight)) => RunsNow::Mixed,
            Some(State::Done(End::Failed(failure))) if failure.runs_now == RunsNow::Mixed => RunsNow::Mixed,
            _ => RunsNow::New,
        };
        is_due.then_some(Return { planned, to, else_runs })
    };
    job.plan.services.iter().filter_map(back).collect()
}

/// The services as they stand, from answers that are no older than what this run did: `DescribeServices` may lag behind an update,
/// and a service that seems to run as before would be called taken back. An answer that doesn't come is waited for, because without
/// it nothing goes back.
async fn fresh_views(job: &Job<'_>, returns: &[Return<'_>]) -> Result<Vec<ServiceView>, CallError> {
    let names: Vec<EcsServiceName> = returns.iter().map(|back| back.planned.view.name.clone()).collect();
    let (environment, began) = (&job.request.environment, Instant::now());
    loop {
        match read::views(job.clients, &names).await {
            Ok(views) if began.elapsed() >= STALE_FOR || returns.iter().all(|back| !is_behind(job, back, &views)) => return Ok(views),
            Err(error) if !error.is_passing() || began.elapsed() >= environment.timeout => return Err(error),
            Ok(_) | Err(_) => sleep(environment.poll).await,
        }
    }
}

/// The answer is older than this run's update.
fn is_behind(job: &Job<'_>, back: &Return<'_>, views: &[ServiceView]) -> bool {
    let view = views.iter().find(|view| view.name == back.planned.view.name);
    let board = job.board.borrow();
    let Some((view, row)) = view.zip(board.row(&back.planned.name)) else { return false };
    match (&row.deployment, &row.state) {
        (Some(ours), _) => rollout::is_behind(view, &back.planned.view, ours),
        // Whether there is one of ours is not known: as long as nothing has moved, it may still show.
        (None, State::Done(End::Failed(Failure { kind: FailureKind::Unwatched, .. }))) => {
            view.primary().map(|primary| &primary.id) == back.planned.view.primary().map(|primary| &primary.id)
        }
        (None, _) => false,
    }
}

/// How a service stands just before it goes back.
enum Fit {
    GoesBack(Box<PlannedService>),
    IsBack(Side),
    Stays(Failure),
}

/// Only our own deployment is taken back; someone else's newer one is left and reported.
async fn fit(job: &Job<'_>, back: &Return<'_>, view: &ServiceView) -> Fit {
    let Some(primary) = view.primary() else { return Fit::Stays(not_taken_back(job, back, "ECS lists no PRIMARY deployment")) };
    if primary.definition == back.to && view.is_steady() {
        return Fit::IsBack(before(job, back).await);
    }
    let is_ours = match primary.definition == back.to {
        true => Ok(true),
        false => is_ours(job, back, primary).await,
    };
    if let Err(error) = &is_ours {
        let why = format!("whose {} ({}) is can't be told: {error}", primary.id, primary.definition.short());
        return Fit::Stays(Failure { runs_now: RunsNow::Mixed, ..not_taken_back(job, back, &why) });
    }
    if is_ours == Ok(false) {
        return Fit::Stays(Failure {
            kind: FailureKind::Superseded { by: Some(primary.id.clone()) },
            reason: format!("{} ({}) is someone else's and newer: it was left", primary.id, primary.definition.short()),
            details: Vec::new(),
            log: Vec::new(),
            hint: "see who deployed it".to_owned(),
            runs_now: RunsNow::Others,
        });
    }
    // ECS may be on its way there already: then it is only watched.
    let start = if primary.definition == back.to { Start::Join(primary.id.clone()) } else { Start::Back(back.to.clone()) };
    let to = before(job, back).await;
    Fit::GoesBack(Box::new(PlannedService {
        action: Action::Return,
        reason: format!("back to {}", back.to.short()),
        from: back.planned.to.clone(),
        to,
        start,
        view: view.clone(),
        ..back.planned.clone()
    }))
}

/// What it goes back to. That is what ran when the run began, unless an earlier run of the release had changed it by then.
async fn before(job: &Job<'_>, back: &Return<'_>) -> Side {
    if back.planned.from.task_definition.as_ref() == Some(&back.to) {
        return back.planned.from.clone();
    }
    let read = definition(job, &back.to).await.ok();
    let known = job.request.services.get(&back.planned.name).zip(read).map(|(service, definition)| side_of(service, &definition));
    Side { task_definition: Some(back.to.clone()), ..known.unwrap_or_default() }
}

/// Tells what a service goes back to, where that is not what ran when the run began.
fn note(job: &Job<'_>, back: &Return<'_>, to: &Side) {
    if back.planned.from.task_definition.as_ref() != Some(&back.to) {
        job.board.send_modify(|board| board.note_previous(&back.planned.name, to.clone()));
    }
}

/// Reads one; what passes is waited for, because without it nothing goes back.
async fn definition(job: &Job<'_>, arn: &DefinitionArn) -> Result<TaskDefinition, ReadError> {
    let began = Instant::now();
    loop {
        match job.clients.ecs.definition(arn).await {
            Err(ReadError::Call(error)) if error.is_passing() && began.elapsed() < job.request.environment.timeout => {
                sleep(job.request.environment.poll).await;
            }
            read => return read,
        }
    }
}

/// Whether the PRIMARY is what this release began, or found. After a lost answer its id is unknown, and its label tells.
async fn is_ours(job: &Job<'_>, back: &Return<'_>, primary: &Deployment) -> Result<bool, ReadError> {
    let known = job.board.borrow().row(&back.planned.name).and_then(|row| row.deployment.clone());
    let found = back.planned.view.primary().map(|found| &found.id);
    if known.is_some() || found == Some(&primary.id) {
        return Ok(known.as_ref() == Some(&primary.id) || found == Some(&primary.id));
    }
    let definition = definition(job, &primary.definition).await?;
    Ok(definition.label(&back.planned.container, LABEL_RELEASE) == Some(job.request.tag_text().as_str()))
}

/// Deploys the way back and writes how it went onto the release's board.
async fn apply(job: &Job<'_>, console: &Console, returns: &[Return<'_>], services: Vec<PlannedService>) {
    let among: BTreeSet<ServiceName> = services.iter().map(|service| service.name.clone()).collect();
    let graph = job.request.graph.reversed(&among);
    let order = |name: &ServiceName| graph.order().iter().position(|other| other == name);
    let mut services = services;
    services.sort_by_key(|service| order(&service.name));
    let now = job.began.elapsed();
    among.iter().for_each(|name| job.board.send_modify(|board| board.advance(name, State::RollingBack, now)));
    for back in returns {
        services.iter().filter(|planned| planned.name == back.planned.name).for_each(|planned| note(job, back, &planned.to));
    }
    let plan = Plan { environment: job.plan.environment.clone(), version: job.plan.version.clone(), services };
    let lines = table::plan(&plan);
    console.group("The release goes back, in reverse order", &lines);
    let (board, watched) = watch::channel(Board::new(&plan, &graph, &BTreeMap::new()));
    let progress = Progress::start(console.clone(), watched, job.began);
    deploy(Job { plan: &plan, board: &board, smokes: false, stops_on_failure: false, ..*job }).await;
    progress.finish().await;
    let ended = board.borrow().clone();
    for (row, end) in ended.ends() {
        let Some(back) = returns.iter().find(|back| back.planned.name == row.name) else { continue };
        if let Some(began) = row.started {
            job.board.send_modify(|board| board.note_return(&row.name, began));
        }
        let at = row.ended.unwrap_or_else(|| job.began.elapsed());
        job.board.send_modify(|board| board.taken_back(&row.name, outcome(job, end, back), at));
    }
    let board = job.board.borrow().clone();
    let back = board.rows().iter().filter(|row| among.contains(&row.name));
    back.for_each(|row| console.line(&log_line(row, job.began.elapsed())));
}

fn outcome(job: &Job<'_>, end: &End, back: &Return<'_>) -> Result<(), Failure> {
    let mixed = |failure: Failure| Failure { runs_now: RunsNow::Mixed, ..failure };
    match end {
        End::Deployed => Ok(()),
        End::Failed(failure) => {
            let told = not_taken_back(job, back, &failure.reason);
            Err(mixed(Failure { details: failure.details.clone(), log: failure.log.clone(), ..told }))
        }
        End::Blocked { by } => Err(not_taken_back(job, back, &format!("{by}, which needs it, could not be taken back"))),
        End::LeftInFlight => Err(mixed(not_taken_back(job, back, "the run was interrupted while ECS took it back"))),
        _ => Err(not_taken_back(job, back, "the run was interrupted before its turn")),
    }
}

fn not_taken_back(job: &Job<'_>, back: &Return<'_>, why: &str) -> Failure {
    let (environment, service) = (&job.request.environment, &back.planned.view.name);
    Failure {
        kind: FailureKind::NotTakenBack,
        reason: format!("it was to go back to {}, and could not: {why}", back.to.short()),
        details: Vec::new(),
        log: Vec::new(),
        // Forced, because ECS begins nothing for a definition that the service has already, however badly it went.
        hint: format!(
            "take it back by hand: aws ecs update-service --region {} --cluster {} --service {service} --task-definition {} --force-new-deployment",
            environment.region,
            environment.cluster,
            back.to.short()
        ),
        runs_now: back.else_runs,
    }
}

/// Writes the outcome of one return: what failed stays failed, but runs as before now.
fn settle(job: &Job<'_>, back: &Return<'_>, result: Result<(), Failure>) {
    let name = &back.planned.name;
    let now = job.began.elapsed();
    job.board.send_modify(|board| board.taken_back(name, result, now));
}
