//! The story: the stages in order, and how a run ends. Nothing else.

mod notes;
mod others;
mod release;
mod speaking;

use std::sync::atomic::AtomicBool;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::clients::console::{Console, Masks};
use crate::clients::http;
use crate::clients::slack::Slack;
use crate::config::{Command, Loaded, Request};
use crate::domain::board::Board;
use crate::domain::graph::Graph;
use crate::domain::outcome::{RunResult, Verdict, exit};
use crate::domain::plan::Action;
use crate::domain::tag::ReleaseTag;
use crate::error::Error;
use crate::report::matrix::Matrix;
use crate::report::schema;
use crate::report::slack::{of_board, of_error};
use crate::stages::build::Workshop;
use crate::stages::cancel::Cancel;
use crate::stages::finish::{Ending, finish};
use crate::stages::prepare::{self, Prepared};
use crate::stages::{Clients, e2e, migrate};

/// Runs what was asked for, reports it in every place, and returns the exit code.
pub async fn run(loaded: Loaded, masks: &Masks, cancel: &Cancel) -> u8 {
    let began = Instant::now();
    let console = Console::new(masks.clone(), loaded.runner.is_github_actions());
    if loaded.wants_schema {
        console.answer(&format!("{:#}", schema::services()));
        let verdict = Verdict { result: RunResult::Success, exit_code: exit::SUCCESS };
        return finish(&loaded.runner, &console, began.elapsed(), &Ending { verdict: Some(verdict), ..Ending::default() });
    }
    let request = match loaded.request {
        Ok(request) => request,
        Err(problems) => {
            let ending = Ending { error: Some(Error::Configuration(problems)), ..Ending::default() };
            return finish(&loaded.runner, &console, began.elapsed(), &ending);
        }
    };
    let slack = request.tokens.slack.as_ref().zip(http::client().ok());
    let slack = slack.map(|(token, http)| Slack::new(http, request.runner.slack_url(), token));
    let run = Run { request: &request, console, masks, cancel, began, slack, clients: None, as_json: loaded.as_json };
    let ending = run.command().await;
    finish(&request.runner, &run.console, began.elapsed(), &ending)
}

/// One run.
struct Run<'a> {
    request: &'a Request,
    console: Console,
    masks: &'a Masks,
    cancel: &'a Cancel,
    began: Instant,
    /// The workspace, where there is a token for it.
    slack: Option<Slack>,
    /// A machine reads the answer.
    as_json: bool,
    /// The parties, where this run has been let in already.
    clients: Option<Clients>,
}

impl Run<'_> {
    async fn command(&self) -> Ending {
        let applies = !matches!(self.request.command, Command::Plan | Command::Detect) && !self.request.dry_run;
        let mut ending = match (&self.request.tag, self.request.command) {
            (_, Command::Smoke) => self.smoke().await,
            (_, Command::Verify) => self.verify().await,
            (_, Command::Status) => return self.status().await,
            (None, Command::Rollback) => return self.roll_back_one().await,
            (_, Command::Iam) => self.iam(),
            (_, Command::E2e) => self.e2e().await,
            (Some(tag), Command::ReleaseNotes) => self.release_notes(tag).await,
            (Some(tag), Command::Build) if applies => self.build(tag).await,
            (Some(tag), _) if applies => self.deploy(tag).await,
            (Some(tag), Command::Detect) => self.detect(tag).await,
            (Some(tag), _) => self.only_plan(tag).await,
            (None, _) => Ending::default(),
        };
        ending.warnings.splice(0..0, self.request.doubts.iter().cloned());
        ending.environment = Some(self.request.environment.name.clone());
        ending.tag = self.request.tag.clone();
        ending.matrix = ending.plan.as_ref().map(|plan| Matrix::of(plan, &self.request.services)).unwrap_or_default();
        ending
    }

    /// Ends early when the run is told to stop; nothing has been begun by then.
    async fn until_cancelled<T>(&self, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        self.cancel.until(work).await.unwrap_or(Err(Error::Cancelled))
    }

    async fn connect(&self) -> Result<Clients, Error> {
        match &self.clients {
            Some(clients) => Ok(clients.clone()),
            None => prepare::connect(self.request, &self.console, self.masks).await,
        }
    }

    async fn prepare(&self, tag: &ReleaseTag, waits: bool) -> Result<Prepared, Error> {
        let work = async { prepare::prepare(self.request, self.connect().await?, tag, waits, &self.console).await };
        self.until_cancelled(work).await
    }

    /// A plan that is to be applied, with every image of it in the registry. A run of `build` does not touch ECS, and need not
    /// wait for it.
    async fn provide(&self, tag: &ReleaseTag, board: Option<&watch::Sender<Board>>) -> Result<Prepared, Error> {
        let (request, console) = (self.request, &self.console);
        let waits = request.command != Command::Build;
        let mut prepared = self.prepare(tag, waits).await?;
        if self.suite().is_some() && !prepared.plan.has_passed() {
            let github = e2e::github(request, &prepared.clients.http, &prepared.clients.github, self.masks);
            let doubt = self.until_cancelled(async { Ok(e2e::doubt(request, &github).await) }).await?;
            if let Some((suite, why)) = doubt {
                let warning = format!("the E2E suite {suite} will not start: {why}; mend it while the release goes on, or set skip-e2e");
                // Now, while it can be mended; and at the end with everything else.
                console.line(&format!("warning: {warning}"));
                prepared.warnings.push(warning);
            }
        }
        // Those who watch see what is being built, and what will follow.
        if let Some(board) = board {
            board.send_replace(Board::new(&prepared.plan, &self.graph(), &self.links()).with_suite(self.suite()));
        }
        let clients = prepared.clients.clone();
        let workshop = Workshop { request, clients: &clients, console, masks: self.masks, cancel: self.cancel, board, began: self.began };
        prepare::provide(&workshop, tag, &mut prepared).await?;
        Ok(prepared)
    }

    /// Provides, and runs the migrations; a run that takes an earlier release back runs none.
    async fn provide_and_migrate(&self, tag: &ReleaseTag, board: &watch::Sender<Board>) -> Result<Prepared, Error> {
        let mut prepared = self.provide(tag, Some(board)).await?;
        if self.request.command == Command::Rollback {
            return Ok(prepared);
        }
        let has_begun = AtomicBool::new(false);
        let Prepared { clients, plan, has_changed, .. } = &mut prepared;
        let work = migrate::migrate(self.request, clients, plan, &self.console, *has_changed, &has_begun);
        let migrated = self.until_cancelled(work).await;
        let has_begun = has_begun.into_inner();
        prepared.warnings.extend(migrated.map_err(|error| match error {
            Error::Cancelled if has_begun => Error::CancelledMigrating,
            Error::Cancelled => Error::CancelledBuilding,
            other => other,
        })?);
        prepared.has_changed |= has_begun;
        Ok(prepared)
    }

    async fn only_plan(&self, tag: &ReleaseTag) -> Ending {
        match self.prepare(tag, false).await {
            Err(error) => Ending { error: Some(error), ..Ending::default() },
            Ok(prepared) => {
                let board = Board::new(&prepared.plan, &self.request.graph, &self.links());
                let result = if prepared.plan.changes().next().is_some() { RunResult::Success } else { RunResult::Unchanged };
                Ending {
                    verdict: Some(Verdict { result, exit_code: exit::SUCCESS }),
                    plan: Some(prepared.plan),
                    planned: Some(board),
                    warnings: prepared.warnings,
                    ..Ending::default()
                }
            }
        }
    }

    /// The plan for a build job; it opens the release's message, which the later job that deploys closes.
    async fn detect(&self, tag: &ReleaseTag) -> Ending {
        let (_board, watched) = watch::channel(Board::default());
        let notifier = self.notifier(watched).filter(|_| !self.request.dry_run);
        let mut ending = self.only_plan(tag).await;
        let last = match (&ending.error, &ending.planned) {
            (Some(error), _) => of_error(&self.slack_context(), error),
            (None, board) => of_board(&self.slack_context(), &board.clone().unwrap_or_default(), None, self.began.elapsed()),
        };
        self.tell(notifier, last, &mut ending).await;
        ending
    }

    /// The images alone. A failure is told where the release's message stands already; the job that deploys tells it otherwise.
    async fn build(&self, tag: &ReleaseTag) -> Ending {
        let provided = self.provide(tag, None).await;
        let mut ending = match provided {
            Err(error) => Ending { error: Some(error), ..Ending::default() },
            Ok(prepared) => {
                let has_built = prepared.plan.services.iter().any(|planned| planned.action == Action::Build);
                let result = if has_built { RunResult::Success } else { RunResult::Unchanged };
                self.console.line(if has_built {
                    "every image is in the registry"
                } else {
                    "nothing to build: every image is in the registry"
                });
                Ending {
                    verdict: Some(Verdict { result, exit_code: exit::SUCCESS }),
                    planned: Some(Board::new(&prepared.plan, &self.request.graph, &self.links())),
                    has_provided: true,
                    plan: Some(prepared.plan),
                    warnings: prepared.warnings,
                    ..Ending::default()
                }
            }
        };
        if let Some(error) = ending.error.clone().filter(|_| self.request.slack_message.is_some()) {
            let (_board, watched) = watch::channel(Board::default());
            self.tell(self.notifier(watched), of_error(&self.slack_context(), &error), &mut ending).await;
        }
        ending
    }

    /// The order of this run: a rollback goes the other way.
    fn graph(&self) -> Graph {
        match self.request.command {
            Command::Rollback => self.request.graph.reversed(&self.request.scope.included),
            _ => self.request.graph.clone(),
        }
    }
}
