//! The commands beside the story: what takes an earlier release back, asks, checks, prints, or runs a part alone.

use std::collections::BTreeSet;

use tokio::sync::watch;

use super::Run;
use crate::clients::{clock, oidc};
use crate::config::Request;
use crate::domain::board::Board;
use crate::domain::e2e::State;
use crate::domain::names::ServiceName;
use crate::domain::outcome::{RunResult, Verdict, exit};
use crate::report::iam::DeployRole;
use crate::report::{self, smoke, suite};
use crate::stages::e2e::{self, HandOver};
use crate::stages::finish::Ending;
use crate::stages::{earlier, prepare, smoke_command, status, verify};

impl Run<'_> {
    /// `rollback` without a tag: to the release before the one that runs.
    pub(super) async fn roll_back_one(&self) -> Ending {
        let work = async {
            let clients = self.connect().await?;
            Ok((earlier::release_before(self.request, &clients).await?, clients))
        };
        match self.until_cancelled(work).await {
            Err(error) => Ending { error: Some(error), environment: Some(self.request.environment.name.clone()), ..Ending::default() },
            Ok((tag, clients)) => {
                self.console.line(&format!("the release before the one that runs is {tag}"));
                let request = Request { tag: Some(tag), ..self.request.clone() };
                let (console, slack) = (self.console.clone(), self.slack.clone());
                Box::pin(Run { request: &request, console, slack, clients: Some(clients), ..*self }.command()).await
            }
        }
    }

    /// Every precondition of `run`, all findings in one go.
    pub(super) async fn verify(&self) -> Ending {
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

    pub(super) async fn smoke(&self) -> Ending {
        let work = async {
            let clients = self.connect().await?;
            smoke_command::smoke_all(self.request, &clients, self.began).await
        };
        match self.until_cancelled(work).await {
            Err(error) => Ending { error: Some(error), ..Ending::default() },
            Ok(board) => {
                board.rows().iter().for_each(|row| self.console.line(&smoke::line(row)));
                let headline = smoke::headline(&board, &self.request.environment.name);
                Ending { verdict: Some(board.verdict()), headline: Some(headline), board: Some(board), ..Ending::default() }
            }
        }
    }

    /// What runs where. An environment that can't be read is told beside the others; where none can, there is nothing to tell.
    pub(super) async fn status(&self) -> Ending {
        let request = self.request;
        let work = async { Ok(status::status(request, &self.console, self.masks).await) };
        let places = match self.until_cancelled(work).await {
            Err(error) => return Ending { error: Some(error), ..Ending::default() },
            Ok(places) => places,
        };
        let now = clock::unix_seconds().cast_signed();
        if self.as_json {
            self.console.answer(&format!("{:#}", report::status::json(&places, now)));
        } else {
            report::status::lines(&places, now).iter().for_each(|line| self.console.line(line));
        }
        let is_read = places.iter().any(|place| place.services.is_ok());
        let (result, exit_code) = if is_read { (RunResult::Success, exit::SUCCESS) } else { (RunResult::Refused, exit::REFUSED) };
        let environment = Some(request.environment.name.clone()).filter(|_| request.beside.is_empty());
        Ending { verdict: Some(Verdict { result, exit_code }), environment, places, ..Ending::default() }
    }

    /// Contacts nobody: everything stands in the configuration.
    pub(super) fn iam(&self) -> Ending {
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

    /// The suite alone.
    pub(super) async fn e2e(&self) -> Ending {
        let (request, environment) = (self.request, &self.request.environment);
        let Some(planned) = environment.suite.as_ref().filter(|_| !request.skip_e2e) else {
            self.console.line("E2E: left out (skip-e2e)");
            let mut board = Board::default().with_suite(environment.suite.as_ref());
            board.advance_suite(State::Skipped("skip-e2e"), self.began.elapsed());
            return ended(RunResult::Unchanged, exit::SUCCESS, board, "E2E was left out".to_owned());
        };
        if request.dry_run {
            let line = format!("E2E: would run the suite {} on {}: {}", planned.name, environment.name, planned.place());
            self.console.line(&line);
            return ended(RunResult::Success, exit::SUCCESS, Board::default(), line);
        }
        let connected = self.until_cancelled(prepare::connect_to_github(request, &self.console, self.masks)).await;
        let (http, github) = match connected {
            Ok(connected) => connected,
            Err(error) => return Ending { error: Some(error), ..Ending::default() },
        };
        let github = e2e::github(request, &http, &github, self.masks);
        let (board, _watched) = watch::channel(Board::default().with_suite(Some(planned)));
        e2e::e2e(HandOver { request, github: &github, board: &board, began: self.began, cancel: self.cancel, console: &self.console })
            .await;
        let board = board.borrow().clone();
        let (result, code) = match board.suite().map(|standing| &standing.state) {
            Some(State::Passed(_)) => (RunResult::Success, exit::SUCCESS),
            Some(State::Cancelled) => (RunResult::Cancelled, exit::CANCELLED),
            _ => (RunResult::Failed, exit::E2E),
        };
        let words = board.suite().map(|standing| suite::words(&standing.state)).unwrap_or_default();
        let headline = format!("E2E {} {words} on {}", planned.name, environment.name);
        let mut ending = ended(result, code, board.clone(), headline);
        self.tell_of_the_suite(&board, &mut ending).await;
        ending
    }
}

fn ended(result: RunResult, exit_code: u8, board: Board, headline: String) -> Ending {
    Ending { verdict: Some(Verdict { result, exit_code }), board: Some(board), headline: Some(headline), ..Ending::default() }
}
