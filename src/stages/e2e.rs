//! Hands over to the end-to-end suite and waits for it. What becomes of it stands on the board.

use std::time::Duration;

use serde_json::json;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::cancel::Cancel;
use super::e2e_command;
use crate::clients::console::{Console, Masks};
use crate::clients::github::{GitHub, GitHubError};
use crate::clients::github_actions::{Dispatch, RunId};
use crate::config::Request;
use crate::domain::board::Board;
use crate::domain::e2e::{Failure, How, Judged, Kind, Phase, RunView, State, Suite, judge};
use crate::report::suite;

/// A cancelled run must end within five seconds: so long for a dispatch under way, and so long to tell its run to stop.
const LAST_ANSWER: Duration = Duration::from_millis(700);
const LAST_LOOKS: Duration = Duration::from_millis(900);
const LAST_WORD: Duration = Duration::from_millis(700);
/// When nobody waits for the end of this run, its suite is told to stop with more patience.
const PATIENCE: Duration = Duration::from_secs(15);
/// A definite refusal is believed when it was heard so often in a row: GitHub's own replicas lag.
const REFUSALS: u32 = 5;
/// How often a dispatch whose answer was lost, and which has left no trace, is sent again.
const DISPATCHES: u32 = 3;

/// What is handed over, and who watches.
#[derive(Clone, Copy)]
pub struct HandOver<'a> {
    /// The request.
    pub request: &'a Request,
    /// The API with a token for the test repository, or why there is none.
    pub github: &'a Result<GitHub, String>,
    /// Where the suite stands.
    pub board: &'a watch::Sender<Board>,
    /// When the run began.
    pub began: Instant,
    /// Signals.
    pub cancel: &'a Cancel,
    /// Where people read.
    pub console: &'a Console,
}

/// GitHub with the token for the test repository: `e2e-token`, else the App's, else `github-token`.
pub fn github(request: &Request, http: &reqwest::Client, other: &Result<GitHub, String>, masks: &Masks) -> Result<GitHub, String> {
    match &request.tokens.e2e {
        Some(token) => {
            GitHub::with_token(http, request.runner.github_url(), token, masks).map_err(|error| format!("input `e2e-token`: {error}"))
        }
        None => other.clone(),
    }
}

/// Looks whether the suite can be found, before anything is deployed: which suite, and what stands in its way, in words.
pub async fn doubt(request: &Request, github: &Result<GitHub, String>) -> Option<(String, String)> {
    let suite = request.environment.suite.as_ref().filter(|_| !request.skip_e2e)?;
    let How::Workflow { repository, file, .. } = &suite.how else { return None };
    let why = match github {
        Ok(github) => match github.workflow(repository, file).await {
            // What passes may have passed by then.
            Err(error) if !error.is_passing() => told(&error, repository),
            _ => return None,
        },
        Err(why) => why.clone(),
    };
    Some((format!("{} ({})", suite.name, suite.place()), why))
}

/// Hands over and waits to the end.
pub async fn e2e(job: HandOver<'_>) {
    let Some(suite) = &job.request.environment.suite else { return };
    let state = match (&suite.how, job.github) {
        (How::Workflow { repository, file, reference }, Ok(github)) => {
            let correlation = uuid::Uuid::new_v4().to_string();
            let inputs = json!({
                "environment": job.request.environment.name,
                "suite": suite.name,
                "version": job.request.version_text(),
                "correlation_id": correlation,
            });
            let dispatch = Dispatch { repository, file, reference, inputs: &inputs };
            Workflow { job, suite, github, dispatch, correlation: &correlation, began: Instant::now() }.run().await
        }
        (How::Workflow { .. }, Err(why)) => not_run(why.clone(), WAY_OUT.to_owned()),
        (How::Command { words, repository }, _) => e2e_command::run(job, suite, words, repository).await,
    };
    job.show(state);
}

impl HandOver<'_> {
    /// Notes where the suite stands, and tells it where people read.
    pub(super) fn show(&self, state: State) {
        let now = self.began.elapsed();
        self.board.send_modify(|board| board.advance_suite(state, now));
        if let Some(standing) = self.board.borrow().suite() {
            self.console.line(&suite::log_line(standing, now));
        }
    }
}

/// What to do where the suite can't be begun.
pub(super) const WAY_OUT: &str = "give `e2e-token` a token with `actions: write` in that repository, or install the GitHub App there with it; \
                       a job's own token reaches its own repository alone";

/// A run of the release knows what is left to do; the suite alone marks nothing.
pub(super) const AGAIN: &str = "read what failed; run the release again: what has arrived stays, and the suite runs alone";

pub(super) fn not_run(reason: String, hint: String) -> State {
    State::Failed(Failure { kind: Kind::NotRun, reason, jobs: Vec::new(), log: Vec::new(), hint })
}

/// GitHub's refusal, as it is meant for a dispatch.
fn told(error: &GitHubError, repository: &str) -> String {
    match error {
        GitHubError::Status { code: 401, .. } => "GitHub answered 401: the token is wrong or no longer valid".to_owned(),
        GitHubError::Status { code: 403, message } => format!("GitHub answered 403 ({message}): the token may not do this in {repository}"),
        GitHubError::Status { code: 404, .. } => {
            format!("GitHub answered 404: {repository} has no such workflow, or the token does not reach it")
        }
        GitHubError::Status { code, message } => format!("GitHub answered {code}: {message}"),
        other => other.to_string(),
    }
}

/// A suite that runs as a workflow.
struct Workflow<'a> {
    job: HandOver<'a>,
    suite: &'a Suite,
    github: &'a GitHub,
    dispatch: Dispatch<'a>,
    correlation: &'a str,
    began: Instant,
}

/// Why there is no run to watch.
enum NoRun {
    Cancelled,
    Failed(State),
}

impl Workflow<'_> {
    async fn run(&self) -> State {
        self.job.show(State::Goes(Phase::Requested));
        match self.hand_over().await {
            Ok(id) => self.watch(id).await,
            Err(NoRun::Cancelled) => State::Cancelled,
            Err(NoRun::Failed(state)) => state,
        }
    }

    /// Two looks at a run lie 15 s apart where two looks at ECS lie 2 s apart; the first ones come sooner, because what can't
    /// start ends at once.
    fn between(&self, looks: u32) -> Duration {
        let longest = self.job.request.environment.poll.min(Duration::from_secs(2)).mul_f64(7.5);
        longest.div_f64(f64::from(1_u32 << 3_u32.saturating_sub(looks.min(3)))).mul_f64(0.9 + 0.2 * fastrand::f64())
    }

    fn left(&self) -> Duration {
        self.suite.timeout.saturating_sub(self.began.elapsed())
    }

    /// Asks for a run and finds it.
    async fn hand_over(&self) -> Result<RunId, NoRun> {
        let unit = self.job.request.environment.poll.min(Duration::from_secs(2));
        let mut lost = None;
        for _ in 0..DISPATCHES {
            match self.ask().await? {
                Ok(Some(id)) => return Ok(id),
                Ok(None) => return self.find(unit * 45).await?.ok_or_else(|| NoRun::Failed(self.never_seen())),
                // It may have arrived: only what has left no trace is sent again.
                Err(error) if error.is_passing() => {
                    if let Some(id) = self.find(unit * 10).await? {
                        return Ok(id);
                    }
                    lost = Some(error);
                }
                Err(error) => return Err(NoRun::Failed(self.refused(&error))),
            }
        }
        let why = lost.map(|error| error.to_string()).unwrap_or_default();
        Err(NoRun::Failed(not_run(format!("{} could not be dispatched: {why}", self.suite.place()), "run it again".to_owned())))
    }

    /// Sends the dispatch. Told to stop meanwhile, what it has begun is stopped too.
    async fn ask(&self) -> Result<Result<Option<RunId>, GitHubError>, NoRun> {
        let mut sending = std::pin::pin!(self.github.dispatch(&self.dispatch));
        let answer = tokio::select! {
            biased;
            () = self.job.cancel.cancelled() => None,
            answer = &mut sending => Some(answer),
        };
        if let Some(answer) = answer {
            return Ok(answer);
        }
        match timeout(LAST_ANSWER, sending).await {
            Ok(Ok(Some(id))) => drop(self.cancel(id, LAST_WORD).await),
            // Refused: nothing was begun.
            Ok(Err(error)) if !error.is_passing() => {}
            // The server may have begun a run without telling which.
            _ => self.stop_unseen().await,
        }
        Err(NoRun::Cancelled)
    }

    /// Told to stop before our run was seen: it may be there all the same, and is looked for once more.
    async fn stop_unseen(&self) {
        let seen = timeout(LAST_LOOKS, async {
            loop {
                if let Ok(Some(id)) = self.github.find_run(&self.dispatch, self.correlation).await {
                    return id;
                }
                sleep(self.between(1).min(LAST_LOOKS / 4)).await;
            }
        });
        match seen.await {
            Ok(id) => drop(self.cancel(id, LAST_WORD).await),
            Err(_) => self.job.console.line(&format!(
                "warning: E2E: {} was dispatched and its run not seen: look for {} there, it may go on",
                self.suite.place(),
                self.correlation
            )),
        }
    }

    /// Looks for our run by its correlation id, for at most so long; what was never answered proves nothing, and is asked on.
    async fn find(&self, within: Duration) -> Result<Option<RunId>, NoRun> {
        let began = Instant::now();
        for looks in 0.. {
            let looking = self.github.find_run(&self.dispatch, self.correlation);
            let Some(found) = self.job.cancel.until(looking).await else { return Err(self.interrupted().await) };
            let failed = match found {
                Ok(Some(id)) => return Ok(Some(id)),
                Ok(None) => None,
                Err(error) => Some(error),
            };
            if failed.is_none() && began.elapsed() >= within {
                return Ok(None);
            }
            if self.left().is_zero() {
                let why = failed.map(|error| format!(": {}", told(&error, self.dispatch.repository))).unwrap_or_default();
                let reason = format!("{} was dispatched, and whether it runs can't be told{why}", self.suite.place());
                return Err(NoRun::Failed(not_run(reason, format!("look for {} there", self.correlation))));
            }
            if self.job.cancel.until(sleep(self.between(looks))).await.is_none() {
                return Err(self.interrupted().await);
            }
        }
        Ok(None)
    }

    async fn interrupted(&self) -> NoRun {
        self.stop_unseen().await;
        NoRun::Cancelled
    }

    /// Looks at the run until it has ended.
    async fn watch(&self, id: RunId) -> State {
        let repository = self.dispatch.repository;
        let page = format!("{}/{repository}/actions/runs/{}", self.job.request.runner.server_url(), id.0);
        self.job.board.send_modify(|board| board.note_suite(&page));
        let (mut etag, mut shown, mut refusals) = (None, Phase::Requested, 0);
        for looks in 0.. {
            let next = self.between(looks).min(self.left());
            if self.job.cancel.until(sleep(next)).await.is_none() {
                return self.stopped(id).await;
            }
            let looked = self.job.cancel.until(self.github.run(repository, id, etag.as_deref())).await;
            match looked {
                None => return self.stopped(id).await,
                Some(Ok(None)) => refusals = 0,
                Some(Ok(Some((view, mark)))) => {
                    (etag, refusals) = (mark, 0);
                    match self.judged(&view, shown) {
                        Judged::Goes(phase) => shown = phase,
                        Judged::Passed => return State::Passed(None),
                        Judged::Ended(conclusion) => return self.failed(id, &conclusion).await,
                    }
                }
                Some(Err(error)) if error.is_passing() => tracing::debug!(%error, "looking at the suite's run"),
                Some(Err(error)) => {
                    refusals += 1;
                    if refusals >= REFUSALS {
                        self.cancel(id, PATIENCE).await;
                        return not_run(format!("its run {page} can no longer be seen: {}", told(&error, repository)), WAY_OUT.to_owned());
                    }
                }
            }
            if self.left().is_zero() {
                return self.late(id, shown).await;
            }
        }
        State::Cancelled
    }

    /// Judges, and tells of a new phase.
    fn judged(&self, view: &RunView, shown: Phase) -> Judged {
        if !view.url.is_empty() {
            self.job.board.send_if_modified(|board| {
                let is_news = board.suite().is_some_and(|suite| suite.url.as_ref() != Some(&view.url));
                board.note_suite(&view.url);
                is_news
            });
        }
        let judged = judge(view);
        if let Judged::Goes(phase) = judged
            && phase != shown
        {
            self.job.show(State::Goes(phase));
        }
        judged
    }

    async fn failed(&self, id: RunId, conclusion: &str) -> State {
        // The jobs are details: a run that is told to stop does not wait for them.
        let reading = self.github.failed_jobs(self.dispatch.repository, id);
        let jobs = self.job.cancel.until(timeout(PATIENCE, reading)).await;
        let jobs = jobs.and_then(Result::ok).and_then(Result::ok).unwrap_or_default();
        let hint = match conclusion {
            "action_required" => "a person has to approve the run first",
            "startup_failure" => "the workflow file is not valid: see the run's page",
            "cancelled" => "somebody cancelled it, or a third run of the workflow's concurrency group did; run it again",
            _ => AGAIN,
        };
        let reason = format!("its run ended with `{conclusion}`");
        State::Failed(Failure { kind: Kind::Failed, reason, jobs, log: Vec::new(), hint: hint.to_owned() })
    }

    async fn late(&self, id: RunId, phase: Phase) -> State {
        let was_told = self.cancel(id, PATIENCE).await;
        let minutes = self.suite.timeout.as_secs_f64() / 60.0;
        let end = if was_told { "and was told to stop" } else { "and could not be told to stop: it may go on" };
        let reason = format!("it had not ended after {minutes} min ({}), {end}", phase.words());
        let hint = match phase {
            Phase::AwaitsApproval => "nobody approved it in time: approve, or take the approval off the environment that it waits for",
            Phase::Queued | Phase::Requested => "no runner took it: look at the test repository's runners",
            Phase::Running => "see where it hangs, or give it more time: DEPLOY_E2E_TIMEOUT_MINUTES",
        };
        State::Failed(Failure { kind: Kind::TimedOut, reason, jobs: Vec::new(), log: Vec::new(), hint: hint.to_owned() })
    }

    async fn stopped(&self, id: RunId) -> State {
        self.cancel(id, LAST_WORD).await;
        State::Cancelled
    }

    /// Tells a run to stop; whether that was heard. One that has ended needs no telling.
    async fn cancel(&self, id: RunId, within: Duration) -> bool {
        let told = timeout(within, self.github.cancel_run(self.dispatch.repository, id)).await;
        let was_told = matches!(told, Ok(Ok(()) | Err(GitHubError::Status { code: 409, .. })));
        if !was_told {
            self.job.console.line(&format!("warning: E2E: run {} could not be told to stop, and may go on", id.0));
        }
        was_told
    }

    fn never_seen(&self) -> State {
        let reason = format!("{} was dispatched, but no run of it bears our correlation id {}", self.suite.place(), self.correlation);
        let hint = "this GitHub does not name the run that it begins: put the id into its name, \
                    as in run-name: E2E ${{ inputs.suite }} [${{ inputs.correlation_id }}]";
        not_run(reason, hint.to_owned())
    }

    fn refused(&self, error: &GitHubError) -> State {
        let how = match error {
            GitHubError::Status { code: 401 | 403 | 404, .. } => WAY_OUT.to_owned(),
            GitHubError::Status { code: 422, message } if message.contains("ref") => "correct DEPLOY_E2E_REF".to_owned(),
            GitHubError::Status { code: 422, message } if message.contains("input") => {
                "declare the inputs environment, suite, version and correlation_id under `on: workflow_dispatch` of the workflow".to_owned()
            }
            GitHubError::Status { code: 422, message } if message.contains("disabled") => "enable the workflow".to_owned(),
            GitHubError::Status { code: 422, .. } => "the workflow needs `on: workflow_dispatch`".to_owned(),
            GitHubError::Status { code: 300..=399, .. } => "the test repository was renamed: correct DEPLOY_E2E_REPOSITORY".to_owned(),
            _ => "run it again".to_owned(),
        };
        not_run(format!("{} could not be dispatched: {}", self.suite.place(), told(error, self.dispatch.repository)), how)
    }
}
