//! The story: the stages in order, and how a run ends. Nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::clients::console::{Console, Masks};
use crate::clients::http;
use crate::clients::oidc;
use crate::clients::slack::{Posted, Slack};
use crate::config::{Command, Loaded, Request};
use crate::domain::board::Board;
use crate::domain::graph::Graph;
use crate::domain::names::ServiceName;
use crate::domain::outcome::{RunResult, Verdict, exit};
use crate::domain::plan::Action;
use crate::domain::tag::ReleaseTag;
use crate::error::Error;
use crate::report::iam::DeployRole;
use crate::report::matrix::Matrix;
use crate::report::slack::{Context, Message, of_board, of_error};
use crate::report::table;
use crate::stages::cancel::Cancel;
use crate::stages::finish::{Ending, finish};
use crate::stages::notify::{Notified, Notifier};
use crate::stages::prepare::{self, Prepared};
use crate::stages::progress::Progress;
use crate::stages::{Clients, deploy, earlier, migrate, names, rollback, smoke_command, verify};

/// Slack's last update may take so long; a cancelled run must end within five seconds.
const LAST_WORDS: Duration = Duration::from_secs(15);
const LAST_WORDS_CANCELLED: Duration = Duration::from_millis(2500);

/// Runs what was asked for, reports it in every place, and returns the exit code.
pub async fn run(loaded: Loaded, masks: &Masks, cancel: &Cancel) -> u8 {
    let began = Instant::now();
    let console = Console::new(masks.clone(), loaded.runner.is_github_actions());
    let request = match loaded.request {
        Ok(request) => request,
        Err(problems) => {
            let ending = Ending { error: Some(Error::Configuration(problems)), ..Ending::default() };
            return finish(&loaded.runner, &console, began.elapsed(), &ending);
        }
    };
    let run = Run { request: &request, console, masks, cancel, began };
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
}

impl Run<'_> {
    async fn command(&self) -> Ending {
        let applies = !matches!(self.request.command, Command::Plan | Command::Detect) && !self.request.dry_run;
        let mut ending = match (&self.request.tag, self.request.command) {
            (_, Command::Smoke) => self.smoke().await,
            (_, Command::Verify) => self.verify().await,
            (None, Command::Rollback) => return self.roll_back_one().await,
            (_, Command::Iam) => self.iam(),
            (Some(tag), Command::Build) if applies => self.build(tag).await,
            (Some(tag), _) if applies => self.deploy(tag).await,
            (Some(tag), Command::Detect) => self.detect(tag).await,
            (Some(tag), _) => self.only_plan(tag).await,
            (None, _) => Ending::default(),
        };
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
        prepare::connect(self.request, &self.console, self.masks).await
    }

    /// A plan that is to be applied, with every image of it in the registry. A run of `build` does not touch ECS, and need not
    /// wait for it.
    async fn provide(&self, tag: &ReleaseTag, board: Option<&watch::Sender<Board>>) -> Result<Prepared, Error> {
        let (request, console) = (self.request, &self.console);
        let waits = request.command != Command::Build;
        let mut prepared = self.until_cancelled(prepare::prepare(request, tag, waits, console, self.masks)).await?;
        // Those who watch see what is being built, and what will follow.
        if let Some(board) = board {
            board.send_replace(Board::new(&prepared.plan, &self.graph(), &self.runbooks()));
        }
        prepare::provide(request, tag, &mut prepared, console, self.masks, self.cancel).await?;
        Ok(prepared)
    }

    /// Provides, and runs the migrations; a run that takes an earlier release back runs none.
    async fn provide_and_migrate(&self, tag: &ReleaseTag, board: &watch::Sender<Board>) -> Result<Prepared, Error> {
        let mut prepared = self.provide(tag, Some(board)).await?;
        if self.request.command == Command::Rollback {
            return Ok(prepared);
        }
        let migrates = prepared.plan.services.iter().any(|planned| planned.migration.as_ref().is_some_and(|migration| !migration.is_done));
        let work = migrate::migrate(self.request, &prepared.clients, &mut prepared.plan, &self.console);
        let migrated = self.until_cancelled(work).await.map_err(|error| match error {
            Error::Cancelled if migrates => Error::CancelledMigrating,
            Error::Cancelled => Error::CancelledBuilding,
            other => other,
        })?;
        prepared.warnings.extend(migrated.warnings);
        Ok(prepared)
    }

    async fn only_plan(&self, tag: &ReleaseTag) -> Ending {
        let (request, console) = (self.request, &self.console);
        match self.until_cancelled(prepare::prepare(request, tag, false, console, self.masks)).await {
            Err(error) => Ending { error: Some(error), ..Ending::default() },
            Ok(prepared) => {
                let board = Board::new(&prepared.plan, &self.request.graph, &self.runbooks());
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
                    planned: Some(Board::new(&prepared.plan, &self.request.graph, &self.runbooks())),
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

    /// The release's message, for the last time in this job.
    async fn tell(&self, notifier: Option<Notifier>, last: Message, ending: &mut Ending) {
        ending.notified = match notifier {
            Some(notifier) if self.cancel.is_cancelled() => notifier.finish(last, LAST_WORDS_CANCELLED).await,
            Some(notifier) => notifier.finish(last, LAST_WORDS).await,
            None => Notified::default(),
        };
        ending.warnings.extend(ending.notified.warning.clone());
    }

    /// Success is marked on the images, where everything that could fail was asked for.
    async fn mark_passed(&self, prepared: &mut Prepared, verdict: &Verdict) {
        let is_whole = verdict.exit_code == exit::SUCCESS && !self.request.skip_smoke && self.request.command != Command::Rollback;
        if is_whole && !self.cancel.is_cancelled() {
            let marked =
                self.until_cancelled(async { Ok(names::mark_passed(self.request, &prepared.clients, &prepared.plan).await) }).await;
            prepared.warnings.extend(marked.unwrap_or_default());
        }
    }

    async fn deploy(&self, tag: &ReleaseTag) -> Ending {
        let (board, watched) = watch::channel(Board::default());
        let (notifier, context) = (self.notifier(watched.clone()), self.slack_context());
        let mut ending = match self.provide_and_migrate(tag, &board).await {
            Err(error) => Ending { error: Some(error), ..Ending::default() },
            Ok(mut prepared) => {
                board.send_replace(Board::new(&prepared.plan, &self.graph(), &self.runbooks()));
                let progress = Progress::start(self.console.clone(), watched, self.began);
                // A release that is being taken back is not taken forward again when that fails.
                let rolls_back = self.request.rolls_back && self.request.command != Command::Rollback;
                let job = deploy::Job {
                    request: self.request,
                    clients: &prepared.clients,
                    plan: &prepared.plan,
                    board: &board,
                    began: self.began,
                    cancel: self.cancel,
                    smokes: !self.request.skip_smoke,
                    stops_on_failure: rolls_back,
                };
                deploy::deploy(job).await;
                progress.finish().await;
                if rolls_back && board.borrow().first_failure().is_some() {
                    rollback::roll_back(job, &self.console).await;
                }
                let board = board.borrow().clone();
                let verdict = board.verdict();
                self.mark_passed(&mut prepared, &verdict).await;
                Ending {
                    verdict: Some(verdict),
                    plan: Some(prepared.plan),
                    board: Some(board),
                    warnings: prepared.warnings,
                    ..Ending::default()
                }
            }
        };
        let last = match (&ending.error, &ending.board, &ending.verdict) {
            (Some(error), ..) => of_error(&context, error),
            (None, Some(board), verdict) => of_board(&context, board, verdict.as_ref(), self.began.elapsed()),
            _ => of_board(&context, &Board::default(), None, self.began.elapsed()),
        };
        self.tell(notifier, last, &mut ending).await;
        ending
    }

    /// `rollback` without a tag: to the release before the one that runs.
    async fn roll_back_one(&self) -> Ending {
        let work = async { earlier::release_before(self.request, &self.connect().await?).await };
        match self.until_cancelled(work).await {
            Err(error) => Ending { error: Some(error), environment: Some(self.request.environment.name.clone()), ..Ending::default() },
            Ok(tag) => {
                self.console.line(&format!("the release before the one that runs is {tag}"));
                let request = Request { tag: Some(tag), ..self.request.clone() };
                Box::pin(Run { request: &request, console: self.console.clone(), ..*self }.command()).await
            }
        }
    }

    /// Every precondition of `run`, all findings in one go.
    async fn verify(&self) -> Ending {
        let work = async { verify::verify(self.request, &self.connect().await?).await };
        match self.until_cancelled(work).await {
            Err(error) => Ending { error: Some(error), ..Ending::default() },
            Ok(warnings) => {
                self.console.line("every precondition holds");
                let verdict = Verdict { result: RunResult::Success, exit_code: exit::SUCCESS };
                Ending { verdict: Some(verdict), planned: Some(Board::default()), warnings, ..Ending::default() }
            }
        }
    }

    async fn smoke(&self) -> Ending {
        let work = async {
            let clients = self.connect().await?;
            smoke_command::smoke_all(self.request, &clients, self.began).await
        };
        match self.until_cancelled(work).await {
            Err(error) => Ending { error: Some(error), ..Ending::default() },
            Ok(board) => {
                board.rows().iter().for_each(|row| self.console.line(&table::log_line(row, self.began.elapsed())));
                Ending { verdict: Some(board.verdict()), board: Some(board), ..Ending::default() }
            }
        }
    }

    /// The order of this run: a rollback goes the other way.
    fn graph(&self) -> Graph {
        match self.request.command {
            Command::Rollback => self.request.graph.reversed(&self.request.scope.included),
            _ => self.request.graph.clone(),
        }
    }

    /// Contacts nobody: everything stands in the configuration.
    fn iam(&self) -> Ending {
        let (request, scope) = (self.request, &self.request.scope);
        let mut watched: BTreeSet<&ServiceName> = scope.included.iter().chain(&scope.skipped).collect();
        let needs: Vec<BTreeSet<ServiceName>> = scope.included.iter().map(|name| request.graph.all_needs(name)).collect();
        watched.extend(needs.iter().flatten());
        let role = DeployRole {
            environment: &request.environment,
            services: scope.included.iter().filter_map(|name| request.services.get(name)).collect(),
            watched: watched.into_iter().filter_map(|name| request.services.get(name)).collect(),
            audience: oidc::AUDIENCE,
        };
        self.console.line(&role.text());
        Ending { verdict: Some(Verdict { result: RunResult::Success, exit_code: exit::SUCCESS }), ..Ending::default() }
    }

    fn runbooks(&self) -> BTreeMap<ServiceName, String> {
        self.request.services.values().filter_map(|service| Some((service.name.clone(), service.runbook.clone()?))).collect()
    }

    fn slack_context(&self) -> Context {
        Context {
            environment: self.request.environment.name.clone(),
            tag: self.request.tag_text(),
            actor: self.request.runner.actor().to_owned(),
            run_url: self.request.runner.run_url(),
        }
    }

    fn notifier(&self, board: watch::Receiver<Board>) -> Option<Notifier> {
        let Some(token) = &self.request.tokens.slack else {
            self.console.line("Slack: no bot token was given, so nothing is posted (input `slack-bot-token`)");
            return None;
        };
        let slack = Slack::new(http::client().ok()?, self.request.runner.slack_url(), token);
        let earlier = self.request.slack_message.as_ref();
        let earlier = earlier.map(|message| Posted { channel: message.channel.clone(), ts: message.ts.clone() });
        Some(Notifier::start(slack, &self.request.environment.slack_channel, self.slack_context(), board, self.began, earlier, self.masks))
    }
}
