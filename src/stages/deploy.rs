//! Deploys a plan: starts each service the moment its own needs are healthy and well, watches all that are in flight
//! with one poller, and ends when every service has ended. A plan that takes services back is deployed like any other.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use super::cancel::Cancel;
use super::flight::{Flight, Gate};
use super::look::Looked;
use super::pacing::{Pacing, any_throttled, maybe};
use super::smoke::{Smoke, smoke};
use super::start::{Started, Stopped, start};
use super::{Clients, failure, log_tail, look};
use crate::clients::call::CallError;
use crate::config::Request;
use crate::domain::board::{Board, State};
use crate::domain::names::ServiceName;
use crate::domain::outcome::{End, Failure};
use crate::domain::plan::{Plan, Start};
use crate::domain::rollout::{ServiceView, Verdict};

/// How long a deployment may go unobserved before it counts as lost, where the reason will not pass by itself.
const BLIND_FOR: Duration = Duration::from_secs(30);
/// How long a start under way may take once the run was told to stop.
const LAST_STARTS: Duration = Duration::from_secs(2);

/// What is deployed, and how.
#[derive(Clone, Copy)]
pub struct Job<'a> {
    /// The request.
    pub request: &'a Request,
    /// The parties.
    pub clients: &'a Clients,
    /// The plan.
    pub plan: &'a Plan,
    /// Where it stands.
    pub board: &'a watch::Sender<Board>,
    /// When the run began.
    pub began: Instant,
    /// Signals.
    pub cancel: &'a Cancel,
    /// Ask deployed services for their health and version.
    pub smokes: bool,
    /// On the first failure begin nothing more, and have ECS take back what is in flight.
    pub stops_on_failure: bool,
}

/// A release under way.
struct Release<'a> {
    job: Job<'a>,
    /// Nothing more is to be begun.
    halted: watch::Sender<bool>,
    starting: JoinSet<(ServiceName, Result<Started, Stopped>)>,
    smoking: JoinSet<(ServiceName, Result<(), Failure>)>,
    /// Smoke tests of services that are left alone.
    checking: JoinSet<(ServiceName, Result<(), Failure>)>,
    stopping: JoinSet<(ServiceName, Result<bool, CallError>)>,
    flights: BTreeMap<ServiceName, Flight>,
    pacing: Pacing,
    /// When ECS lets the next one be set in motion, where one is held up by that alone.
    next_start: Option<Instant>,
}

/// Applies the plan. How each service ended stands on the board.
pub async fn deploy(job: Job<'_>) {
    let release = Release {
        job,
        halted: watch::Sender::new(false),
        starting: JoinSet::new(),
        smoking: JoinSet::new(),
        checking: JoinSet::new(),
        stopping: JoinSet::new(),
        flights: BTreeMap::new(),
        pacing: Pacing::new(job.request),
        next_start: None,
    };
    release.run().await;
}

impl Release<'_> {
    async fn run(mut self) {
        let cancel = self.job.cancel.clone();
        self.check_what_is_unproven();
        loop {
            self.start_what_is_ready();
            if self.job.board.borrow().is_done() && self.starting.is_empty() && self.stopping.is_empty() {
                return;
            }
            tokio::select! {
                biased;
                () = cancel.cancelled() => break,
                Some(joined) = self.starting.join_next() => if let Ok((name, result)) = joined {
                    self.started(&name, result);
                },
                Some(joined) = self.smoking.join_next() => if let Ok((name, result)) = joined {
                    self.smoked(&name, result);
                },
                Some(joined) = self.checking.join_next() => if let Ok((name, result)) = joined {
                    self.end(&name, result.map_or_else(End::Failed, |()| End::Unchanged));
                },
                Some(joined) = self.stopping.join_next() => if let Ok((name, result)) = joined {
                    self.stopped(&name, &result);
                },
                () = sleep_until(self.pacing.look), if !self.flights.is_empty() => {
                    tokio::select! {
                        () = cancel.cancelled() => break,
                        () = self.look() => {}
                    }
                }
                () = maybe(self.pacing.glance) => {
                    tokio::select! {
                        () = cancel.cancelled() => break,
                        () = self.glance() => {}
                    }
                }
                () = maybe(self.next_start) => {}
            }
        }
        self.leave().await;
    }

    /// What an earlier run of this release has deployed, and nobody has seen pass, is asked again: a rerun is no way past a
    /// smoke test.
    fn check_what_is_unproven(&mut self) {
        for planned in self.job.plan.services.iter().filter(|planned| planned.is_unproven && planned.start == Start::Nothing) {
            let test = self.smoke_test(&planned.name).filter(|_| planned.view.desired > 0);
            let (clients, name) = (self.job.clients.clone(), planned.name.clone());
            self.checking.spawn(async move {
                let Some(test) = test else { return (name, Ok(())) };
                let (began, (_sender, older)) = (Instant::now(), watch::channel(false));
                let result = smoke(&clients.http, &test, older).await;
                (name, result.map_err(|never| failure::smoke(&never.why, never.asked, began.elapsed(), Vec::new())))
            });
        }
    }

    fn is_halted(&self) -> bool {
        *self.halted.borrow()
    }

    fn advance(&mut self, name: &ServiceName, state: State) {
        let now = self.job.began.elapsed();
        let failed = matches!(state, State::Done(End::Failed(_)));
        self.job.board.send_modify(|board| board.advance(name, state, now));
        if failed && self.job.stops_on_failure && !self.is_halted() {
            self.halted.send_replace(true);
            self.job.board.send_modify(|board| board.halt(now));
            let flights: Vec<ServiceName> = self.flights.keys().cloned().collect();
            flights.iter().for_each(|name| self.stop(name));
        }
    }

    fn start_what_is_ready(&mut self) {
        self.next_start = None;
        let ready = self.job.board.borrow().ready();
        for name in ready {
            let Some(planned) = self.job.plan.service(&name) else { continue };
            // Those that most others wait for have come first.
            if let Err(next) = self.turn(&planned.start) {
                self.next_start = Some(self.next_start.map_or(next, |at| at.min(next)));
                continue;
            }
            let planned = planned.clone();
            self.advance(&name, State::Starting);
            let (clients, halted, time) = (self.job.clients.clone(), self.halted.subscribe(), self.job.request.environment.timeout);
            self.starting.spawn(async move {
                let result = start(&clients, &planned, time, &halted).await;
                (name, result)
            });
        }
    }

    /// ECS lets a service be set in motion now, or at that time.
    fn turn(&self, start: &Start) -> Result<(), Instant> {
        match start {
            Start::Join(_) | Start::Nothing => Ok(()),
            other => self.job.clients.ecs.turn_to_start(matches!(other, Start::Update(_))),
        }
    }

    fn started(&mut self, name: &ServiceName, result: Result<Started, Stopped>) {
        let Some(planned) = self.job.plan.service(name) else { return };
        match result {
            Ok(started) => {
                // Unless others are due.
                if self.flights.is_empty() {
                    self.pacing.begin();
                }
                let ours = started.expected.deployment.clone();
                self.job.board.send_modify(|board| board.note_deployment(name, &ours));
                self.advance(name, State::Rolling { running: 0, desired: planned.view.desired });
                self.flights.insert(name.clone(), Flight::new(planned, started));
                // Halted because the release goes back; a run that was told to stop takes nothing back.
                if self.is_halted() && self.job.stops_on_failure {
                    self.stop(name);
                }
            }
            Err(Stopped::Failed(failure)) => self.advance(name, State::Done(End::Failed(failure))),
            Err(Stopped::Halted) => self.advance(name, State::Done(End::NotBegun)),
            // Left where it is by a run that was told to stop: perhaps in flight.
            Err(Stopped::Lost(_)) if self.is_halted() && !self.job.stops_on_failure => {}
            Err(Stopped::Lost(failure)) => self.advance(name, State::Done(End::Failed(failure))),
        }
    }

    /// One look at everything in flight.
    async fn look(&mut self) {
        let ended_every = self.pacing.ended_every(self.flights.len());
        let looks = look::look(self.job.clients, &mut self.flights, None, ended_every).await;
        self.pacing.looked(looks.len(), any_throttled(looks.iter().map(|(_, looked)| looked)));
        self.judge(looks);
        self.plan_glance();
    }

    /// A glance at what others wait for. It decides nothing: what seems to be healthy is looked at.
    async fn glance(&mut self) {
        let near: BTreeSet<ServiceName> = self.near().map(|(name, _)| name.clone()).collect();
        let healthy = look::glance(self.job.clients, &mut self.flights, &near).await;
        if !healthy.is_empty() {
            let ended_every = self.pacing.ended_every(self.flights.len());
            let looks = look::look(self.job.clients, &mut self.flights, Some(&healthy), ended_every).await;
            self.judge(looks);
        }
        self.plan_glance();
    }

    fn plan_glance(&mut self) {
        let at = self.near().map(|(_, at)| at).min();
        self.pacing.glances(at);
    }

    /// What others wait for and may be healthy any moment, with the time of its next glance.
    fn near(&self) -> impl Iterator<Item = (&ServiceName, Instant)> {
        let board = self.job.board.borrow();
        self.flights.iter().filter_map(move |(name, flight)| {
            let (since, due) = flight.is_near().filter(|_| board.holds_others_up(name))?;
            Some((name, self.pacing.glance_at(since, due)))
        })
    }

    fn judge(&mut self, looks: Vec<(ServiceName, Looked)>) {
        for (name, looked) in looks {
            match looked {
                Ok((verdict, view)) => self.apply(&name, &verdict, &view),
                Err(error) => self.blind(&name, &error),
            }
        }
    }

    fn apply(&mut self, name: &ServiceName, verdict: &Verdict, view: &ServiceView) {
        let Some(flight) = self.flights.get_mut(name) else { return };
        if flight.is_stopped && matches!(verdict, Verdict::RolledBack { .. }) {
            return self.end(name, End::TakenBack);
        }
        if let Some(failure) = failure::of(verdict, &flight.expected, view, &flight.tasks, &flight.log) {
            return self.end(name, End::Failed(failure));
        }
        let ours = &flight.expected.deployment;
        let older = view.deployments.iter().any(|deployment| deployment.id != *ours && deployment.running > 0);
        flight.older_may_answer.send_replace(older);
        flight.is_completed = *verdict == Verdict::Completed;
        match (verdict, flight.gate) {
            (Verdict::InProgress { running }, Gate::Closed) => {
                self.advance(name, State::Rolling { running: *running, desired: view.desired });
            }
            (Verdict::Healthy, Gate::Closed) => self.healthy(name, view),
            (Verdict::RollingBack { .. }, _) => self.advance(name, State::RollingBack),
            (Verdict::Completed, Gate::Closed) => self.healthy(name, view),
            (Verdict::Completed, Gate::Open) => self.end(name, End::Deployed),
            _ => {}
        }
    }

    /// Healthy: asked for its version at once, or let through where nothing is to be asked.
    fn healthy(&mut self, name: &ServiceName, view: &ServiceView) {
        let test = self.smoke_test(name).filter(|_| view.desired > 0);
        let Some(flight) = self.flights.get_mut(name) else { return };
        let Some(test) = test else { return self.well(name) };
        flight.gate = Gate::Smoking;
        let (clients, older, owned) = (self.job.clients.clone(), flight.older_may_answer.subscribe(), name.clone());
        let (expected, ecs_name) = (flight.expected.clone(), flight.name.clone());
        let definition = self.job.plan.service(name).map(|planned| (planned.definition.clone(), planned.container.clone()));
        self.smoking.spawn(async move {
            let began = Instant::now();
            let Err(never) = smoke(&clients.http, &test, older).await else { return (owned, Ok(())) };
            let time = began.elapsed();
            let tasks = clients.ecs.running(&ecs_name).await.unwrap_or_default();
            let log = match definition {
                Some((definition, container)) => log_tail::of_tasks(&clients, &definition, &container, &expected, &tasks).await,
                None => Vec::new(),
            };
            (owned, Err(failure::smoke(&never.why, never.asked, time, log)))
        });
        self.advance(name, State::Smoke);
    }

    fn smoke_test(&self, name: &ServiceName) -> Option<Smoke> {
        let (service, planned) = (self.job.request.services.get(name)?, self.job.plan.service(name)?);
        let environment = &self.job.request.environment;
        let url = service.health_url(environment.base_url.as_deref(), &environment.name);
        let url = url.filter(|_| self.job.smokes && !self.is_halted())?;
        Some(Smoke { url, health: service.health.clone()?, accepted: planned.accepted.clone(), timeout: environment.smoke_timeout })
    }

    fn smoked(&mut self, name: &ServiceName, result: Result<(), Failure>) {
        // A deployment that has failed meanwhile is gone from the flights, and its smoke test says nothing any more.
        let is_smoking = self.flights.get(name).is_some_and(|flight| flight.gate == Gate::Smoking);
        let is_going_back = matches!(self.job.board.borrow().row(name).map(|row| &row.state), Some(State::RollingBack));
        match result {
            _ if !is_smoking => {}
            // It may come back from there, and is then asked again.
            _ if is_going_back => self.flights.get_mut(name).into_iter().for_each(|flight| flight.gate = Gate::Closed),
            Ok(()) => self.well(name),
            Err(failure) => self.end(name, End::Failed(failure)),
        }
    }

    /// Healthy and well: those that need it may go on.
    fn well(&mut self, name: &ServiceName) {
        let Some(flight) = self.flights.get_mut(name) else { return };
        flight.gate = Gate::Open;
        if flight.is_completed { self.end(name, End::Deployed) } else { self.advance(name, State::Draining) }
    }

    fn end(&mut self, name: &ServiceName, end: End) {
        self.flights.remove(name);
        self.advance(name, State::Done(end));
    }

    /// Has ECS take a deployment in flight back, unless its migration can't be undone: that one goes on to its end.
    fn stop(&mut self, name: &ServiceName) {
        if self.job.plan.service(name).is_some_and(|planned| planned.stays) {
            return;
        }
        let Some(flight) = self.flights.get_mut(name).filter(|flight| !flight.is_stopped) else { return };
        flight.is_stopped = true;
        let (clients, ecs_name, ours, owned) =
            (self.job.clients.clone(), flight.name.clone(), flight.expected.deployment.clone(), name.clone());
        self.stopping.spawn(async move { (owned, clients.ecs.stop(&ecs_name, &ours).await) });
    }

    /// Where ECS can't take it back by itself, the release does: the flight is let go, and the rollback updates it.
    fn stopped(&mut self, name: &ServiceName, result: &Result<bool, CallError>) {
        // It may have ended by itself before ECS answered: then that end stands.
        if !self.flights.contains_key(name) {
            return;
        }
        match result {
            Ok(true) => self.advance(name, State::RollingBack),
            Ok(false) => self.end(name, End::LeftInFlight),
            Err(error) => {
                tracing::debug!(%error, service = %name, "ECS does not stop the deployment");
                self.end(name, End::LeftInFlight);
            }
        }
    }

    /// A look failed: it is made again, until that is hopeless.
    fn blind(&mut self, name: &ServiceName, error: &CallError) {
        let Some(flight) = self.flights.get_mut(name) else { return };
        tracing::debug!(%error, service = %name, "can't look at it");
        let time = flight.blind_since.get_or_insert_with(Instant::now).elapsed();
        let is_over = flight.started.elapsed() >= flight.expected.timeout;
        let is_hopeless = !error.is_passing() && time >= BLIND_FOR;
        if is_over || is_hopeless {
            let failure = failure::unwatched(&flight.expected, &error.to_string(), time);
            self.end(name, End::Failed(failure));
        }
    }

    /// Told to stop: starts under way are waited for a moment, so that the report knows whether they happened.
    async fn leave(mut self) {
        self.halted.send_replace(true);
        self.job.stops_on_failure = false;
        self.job.board.send_modify(Board::stop);
        let _ = timeout(LAST_STARTS, async {
            while let Some(joined) = self.starting.join_next().await {
                if let Ok((name, result)) = joined {
                    self.started(&name, result);
                }
            }
        })
        .await;
        let now = self.job.began.elapsed();
        self.job.board.send_modify(|board| board.cancel(now));
    }
}
