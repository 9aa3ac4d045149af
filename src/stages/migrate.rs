//! Runs migrations before the first update, in dependency order, each as a task of the *new* definition (CONTRACT 5.9).

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{Clients, log_tail};
use crate::clients::call::CallError;
use crate::clients::console::Console;
use crate::clients::ecs::OneOff;
use crate::config::{Command, Request};
use crate::domain::diagnosis;
use crate::domain::migration::PlannedMigration;
use crate::domain::names::{DefinitionArn, ServiceName};
use crate::domain::plan::{Action, Plan, PlannedService, Start};
use crate::domain::registration::Registration;
use crate::domain::rollout::{Task, TaskEnd};
use crate::error::{Error, FailedStep, Finding};
use crate::report::text::duration;

/// ECS's word for a task of which no container ever ran
/// (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Task.html>, `stopCode`).
const NEVER_STARTED: &str = "TaskFailedToStart";

/// The call that begins one.
const RUN: &str = "RunTask";

/// Looks at a migration that fail in a row before it counts as lost.
const BLIND_LOOKS: u32 = 30;

/// Runs every migration of the plan that has not been run yet. The definitions that they needed are in the plan afterwards. As soon
/// as one may have begun, `has_begun` says so, also to whoever breaks this off. Returns what did not stop the run.
///
/// # Errors
/// `Error::Migration` on the first that fails: no service has been updated by then.
pub async fn migrate(
    request: &Request,
    clients: &Clients,
    plan: &mut Plan,
    console: &Console,
    has_changed: bool,
    has_begun: &AtomicBool,
) -> Result<Vec<String>, Error> {
    let mut warnings = Vec::new();
    for planned in &mut plan.services {
        let Some(migration) = planned.migration.clone().filter(|migration| !migration.is_done) else { continue };
        let Start::Update(body) = &planned.start else { continue };
        let ended = |stopped| {
            let has_begun = has_begun.load(Ordering::Relaxed);
            match stopped {
                Stopped::Denied(finding) if !has_changed && !has_begun => Error::Refused(vec![finding]),
                Stopped::Denied(finding) => Error::Migration { failed: FailedStep { finding, log: Vec::new() }, has_begun },
                Stopped::Failed(failed) => Error::Migration { failed, has_begun },
            }
        };
        let definition = register(request, clients, body).await.map_err(|error| ended(not_begun(planned, &error)))?;
        planned.start = Start::Registered(definition.clone());
        let began = Instant::now();
        console.line(&format!("migrating {}: {}", planned.name, migration.command.join(" ")));
        one(request, clients, planned, &migration, &definition, has_begun).await.map_err(ended)?;
        console.line(&format!("migrated {} in {}", planned.name, duration(began.elapsed())));
        if let Some(service) = request.services.get(&planned.name)
            && let Some(digest) = &planned.to.digest
            && let Err(error) = clients.ecr.tag(&service.ecr_repo, digest, &migration.mark).await
        {
            warnings.push(format!("{}: its migration succeeded but could not be marked, so it may run again: {error}", planned.name));
        }
    }
    Ok(warnings)
}

/// Registers; throttled, it waits for its turn for as long as a deployment may take.
async fn register(request: &Request, clients: &Clients, body: &Registration) -> Result<DefinitionArn, CallError> {
    let began = Instant::now();
    loop {
        clients.ecs.turn_to_register().await;
        match clients.ecs.register(body).await {
            Err(error) if error.is_throttled() && began.elapsed() < request.environment.timeout => sleep(request.environment.poll).await,
            registered => return registered,
        }
    }
}

/// Why a migration did not succeed.
enum Stopped {
    /// The role may not begin it.
    Denied(Finding),
    Failed(FailedStep),
}

/// Runs one, or takes up the one that an interrupted run has left.
async fn one(
    request: &Request,
    clients: &Clients,
    planned: &PlannedService,
    migration: &PlannedMigration,
    definition: &DefinitionArn,
    has_begun: &AtomicBool,
) -> Result<(), Stopped> {
    let had_begun = has_begun.load(Ordering::Relaxed);
    let started_by = started_by(planned, migration);
    let found = earlier(clients, planned, &started_by).await.map_err(|error| not_begun(planned, &error))?;
    has_begun.store(true, Ordering::Relaxed);
    let task = match found {
        Earlier::Succeeded => return Ok(()),
        Earlier::Runs(task) => task,
        Earlier::None => {
            let one_off = OneOff {
                service: planned.view.name.clone(),
                definition: definition.clone(),
                container: planned.container.clone(),
                command: migration.command.clone(),
                started_by: started_by.clone(),
                token: token(request, planned, migration),
            };
            match clients.ecs.run_once(&one_off).await {
                Ok(task) => task,
                // No good answer is no proof that nothing was begun, and a refusal may be that of a second try.
                Err(error) => match earlier(clients, planned, &started_by).await {
                    Ok(Earlier::Runs(task)) => task,
                    Ok(Earlier::Succeeded) => return Ok(()),
                    Ok(Earlier::None) if error.operation != RUN || !error.is_passing() => {
                        has_begun.store(had_begun, Ordering::Relaxed);
                        return Err(not_begun(planned, &error));
                    }
                    _ => return Err(failed(planned, format!("whether its task was started is unknown: {error}"), Vec::new())),
                },
            }
        }
    };
    let end = wait(request, clients, planned, &task).await?;
    match exit_code(&end, &planned.container) {
        Some(0) => Ok(()),
        code => {
            if code.is_none() && end.code == NEVER_STARTED {
                has_begun.store(had_begun, Ordering::Relaxed);
            }
            let log = log_tail::of_task(clients, &planned.definition, &planned.container, &task).await;
            Err(failed(planned, told(&end, code), log))
        }
    }
}

/// What is there of a migration already.
enum Earlier {
    None,
    Runs(String),
    Succeeded,
}

async fn earlier(clients: &Clients, planned: &PlannedService, started_by: &str) -> Result<Earlier, CallError> {
    let tasks = clients.ecs.tasks_of(planned.definition.family(), started_by).await?;
    let has_succeeded = |task: &Task| task.end.as_ref().is_some_and(|end| exit_code(end, &planned.container) == Some(0));
    if tasks.iter().any(has_succeeded) {
        return Ok(Earlier::Succeeded);
    }
    Ok(tasks.into_iter().find(|task| task.end.is_none()).map_or(Earlier::None, |task| Earlier::Runs(task.id)))
}

async fn wait(request: &Request, clients: &Clients, planned: &PlannedService, task: &str) -> Result<TaskEnd, Stopped> {
    let environment = &request.environment;
    let (began, mut blind) = (Instant::now(), 0);
    loop {
        sleep(environment.poll).await;
        match clients.ecs.task(task).await {
            Ok(Some(Task { end: Some(end), .. })) => return Ok(end),
            Ok(Some(_)) => blind = 0,
            // A task that was just started may not be listed yet.
            Ok(None) | Err(_) => blind += 1,
        }
        if blind > BLIND_LOOKS && began.elapsed() > Duration::from_secs(60) {
            return Err(failed(planned, format!("task {task} can no longer be seen"), Vec::new()));
        }
        if began.elapsed() > environment.timeout {
            let log = log_tail::of_task(clients, &planned.definition, &planned.container, task).await;
            return Err(failed(
                planned,
                format!("task {task} still runs after {}; it was left running", duration(environment.timeout)),
                log,
            ));
        }
    }
}

fn exit_code(end: &TaskEnd, container: &str) -> Option<i32> {
    end.containers.iter().find(|one| one.name == container)?.exit_code
}

fn told(end: &TaskEnd, code: Option<i32>) -> String {
    let code = code.map_or_else(
        || if end.code == NEVER_STARTED { "it never ran" } else { "it ended without an exit code" }.to_owned(),
        |code| {
            let meaning = diagnosis::exit_code_meaning(code).map(|meaning| format!(" ({meaning})")).unwrap_or_default();
            format!("exit code {code}{meaning}")
        },
    );
    let reasons: Vec<&str> = end.containers.iter().filter_map(|container| container.reason.as_deref()).collect();
    let reasons = if reasons.is_empty() { String::new() } else { format!("; {}", reasons.join("; ")) };
    format!("{code}: {}{reasons}", end.reason)
}

/// Recognises the migration of one commit, so that an interrupted run's task is found again.
fn started_by(planned: &PlannedService, migration: &PlannedMigration) -> String {
    format!("escher-{}-{}", planned.name, migration.mark).chars().take(128).collect()
}

/// Makes the call repeatable within this run; 64 characters at most.
fn token(request: &Request, planned: &PlannedService, migration: &PlannedMigration) -> String {
    let run = format!("{}-{}", request.runner.run_id(), request.runner.attempt());
    let what = fnv(&format!("{} {}", planned.name, migration.mark));
    format!("escher-{what:016x}-{}-{run}", std::process::id()).chars().take(64).collect()
}

/// A short name for a text: FNV-1a (<https://datatracker.ietf.org/doc/html/draft-eastlake-fnv>).
fn fnv(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

fn not_begun(planned: &PlannedService, error: &CallError) -> Stopped {
    let way_out = if error.is_denied() {
        "allow the role ecs:RegisterTaskDefinition, ecs:RunTask, ecs:ListTasks, ecs:DescribeTasks and iam:PassRole"
    } else {
        "run it again; if it stays, look at the AWS health dashboard"
    };
    let finding = Finding::new(planned.name.as_str(), format!("its migration could not be begun: {error}"), way_out);
    if error.is_denied() { Stopped::Denied(finding) } else { Stopped::Failed(FailedStep { finding, log: Vec::new() }) }
}

fn failed(planned: &PlannedService, what: String, log: Vec<String>) -> Stopped {
    let texts: Vec<&str> = log.iter().map(String::as_str).chain([what.as_str()]).collect();
    let hint = diagnosis::hint(texts).unwrap_or("read the log, mend the migration, and run the release again");
    let finding = Finding::new(planned.name.as_str(), format!("its migration failed: {what}"), hint);
    Stopped::Failed(FailedStep { finding, log })
}

/// Services that an irreversible migration of this release keeps from going back: the service itself, and what needs it. It
/// may have been run by an earlier run of a release that has only arrived in part.
pub fn mark_irreversible(request: &Request, plan: &mut Plan) {
    if request.command == Command::Rollback {
        return;
    }
    let arriving = plan.is_arriving();
    let is_irreversible = |planned: &&PlannedService| {
        let migration = request.services.get(&planned.name).and_then(|service| service.migrate.as_ref());
        let has_run = planned.migration.is_some() || (arriving && planned.previous.is_some());
        migration.is_some_and(|migration| migration.irreversible) && has_run
    };
    let causes: Vec<ServiceName> = plan.services.iter().filter(is_irreversible).map(|planned| planned.name.clone()).collect();
    for planned in plan.services.iter_mut().filter(|planned| planned.action != Action::Skip) {
        let needs = request.graph.all_needs(&planned.name);
        if let Some(cause) = causes.iter().find(|name| **name == planned.name || needs.contains(*name)) {
            planned.stays = true;
            planned.reason.push_str(&format!("; NO automatic rollback: the migration of {cause} is irreversible"));
        }
    }
}
