//! `run` and `deploy`: a plan is applied, the suite passes, what has passed is marked, and people are told.

use tokio::sync::watch;

use super::Run;
use crate::config::Command;
use crate::domain::board::Board;
use crate::domain::e2e::{Kind, State, Suite};
use crate::domain::outcome::{Verdict, exit};
use crate::domain::tag::ReleaseTag;
use crate::report::slack::{of_board, of_error};
use crate::report::suite::log_line;
use crate::stages::e2e::{self, HandOver};
use crate::stages::finish::Ending;
use crate::stages::prepare::Prepared;
use crate::stages::progress::Progress;
use crate::stages::{deploy, names, rollback};

impl Run<'_> {
    pub(super) async fn deploy(&self, tag: &ReleaseTag) -> Ending {
        let (board, watched) = watch::channel(Board::default());
        let (notifier, context) = (self.notifier(watched.clone()), self.slack_context());
        let mut applied = None;
        let mut ending = match self.provide_and_migrate(tag, &board).await {
            Err(error) => Ending { error: Some(error), ..Ending::default() },
            Ok(mut prepared) => {
                let ending = self.apply(&mut prepared, &board, watched).await;
                applied = Some(prepared);
                ending
            }
        };
        let last = match (&ending.error, &ending.board, &ending.verdict) {
            (Some(error), ..) => of_error(&context, error),
            (None, Some(board), verdict) => of_board(&context, board, verdict.as_ref(), self.began.elapsed()),
            _ => of_board(&context, &Board::default(), None, self.began.elapsed()),
        };
        self.tell(notifier, last, &mut ending).await;
        // The release is over; what people are told of it takes its own time.
        if let Some(prepared) = applied {
            let has_succeeded = ending.verdict.as_ref().is_some_and(|verdict| verdict.exit_code == exit::SUCCESS);
            self.publish_notes(tag, &prepared, has_succeeded, &mut ending).await;
        }
        ending
    }

    async fn apply(&self, prepared: &mut Prepared, board: &watch::Sender<Board>, watched: watch::Receiver<Board>) -> Ending {
        board.send_modify(|board| {
            *board = Board::new(&prepared.plan, &self.graph(), &self.links()).with_suite(self.suite()).with_builds_of(board);
        });
        let progress = Progress::start(self.console.clone(), watched, self.began);
        // A release that is being taken back is not taken forward again when that fails.
        let rolls_back = self.request.rolls_back && self.request.command != Command::Rollback;
        let job = deploy::Job {
            request: self.request,
            clients: &prepared.clients,
            plan: &prepared.plan,
            board,
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
        self.hand_over(job).await;
        let board = board.borrow().clone();
        // Refused means that nothing has changed, the registry and the data included.
        let verdict = if prepared.has_changed { board.verdict().after_a_change() } else { board.verdict() };
        self.mark_passed(prepared, &board, &verdict).await;
        let mut ending = Ending { verdict: Some(verdict), warnings: std::mem::take(&mut prepared.warnings), ..Ending::default() };
        self.tell_of_the_suite(&board, &mut ending).await;
        Ending { plan: Some(prepared.plan.clone()), board: Some(board), ..ending }
    }

    /// The suite that follows a deployment; a run that takes an earlier release back is none.
    pub(super) fn suite(&self) -> Option<&Suite> {
        self.request.environment.suite.as_ref().filter(|_| self.request.command.goes_on_to_the_suite())
    }

    /// Hands over to the suite, and takes the release back where it fails and that is asked for.
    async fn hand_over(&self, job: deploy::Job<'_>) {
        let Some(suite) = self.suite() else { return };
        let has_arrived = job.board.borrow().verdict().exit_code == exit::SUCCESS && !self.cancel.is_cancelled();
        if self.cancel.is_cancelled() && job.board.borrow().first_failure().is_none() {
            let now = self.began.elapsed();
            job.board.send_modify(|board| board.advance_suite(State::Cancelled, now));
            return;
        }
        let left_out = match () {
            () if !has_arrived => Some("the release has not arrived"),
            () if self.request.skip_e2e => Some("skip-e2e"),
            () if job.plan.has_passed() => Some("this release has passed here before"),
            () => None,
        };
        if let Some(why) = left_out {
            let now = self.began.elapsed();
            job.board.send_modify(|board| board.advance_suite(State::Skipped(why), now));
            if let Some(standing) = job.board.borrow().suite().filter(|_| has_arrived) {
                self.console.line(&log_line(standing, now));
            }
            return;
        }
        let github = e2e::github(self.request, &job.clients.http, &job.clients.github, self.masks);
        let hand_over = HandOver {
            request: self.request,
            github: &github,
            board: job.board,
            began: self.began,
            cancel: self.cancel,
            console: &self.console,
        };
        e2e::e2e(hand_over).await;
        // A suite that could not be begun says nothing of the release.
        let has_failed = job
            .board
            .borrow()
            .suite()
            .is_some_and(|standing| matches!(&standing.state, State::Failed(failure) if failure.kind != Kind::NotRun));
        if has_failed && suite.rolls_back {
            if job.plan.services.iter().all(|planned| job.plan.goes_back_to(planned).is_none()) {
                self.console
                    .line("warning: nothing is taken back (DEPLOY_E2E_ROLLBACK): this run has changed nothing; see command `rollback`");
            }
            rollback::roll_back(job, &self.console).await;
        }
    }

    /// Success is marked on the images, where everything that could fail was asked for.
    async fn mark_passed(&self, prepared: &mut Prepared, board: &Board, verdict: &Verdict) {
        let is_whole = verdict.exit_code == exit::SUCCESS && !self.request.skip_smoke && self.request.command != Command::Rollback;
        let has_passed = || prepared.plan.has_passed() || board.suite().is_none_or(|standing| matches!(standing.state, State::Passed(_)));
        if !is_whole || !has_passed() {
            return;
        }
        let marked = self.cancel.until(names::mark_passed(self.request, &prepared.clients, &prepared.plan)).await;
        prepared.warnings.extend(marked.unwrap_or_else(|| {
            let why =
                "interrupted before every image was marked as passed, so DEPLOY_REQUIRE_PASSED may not let them through: run it again";
            vec![why.to_owned()]
        }));
    }
}
