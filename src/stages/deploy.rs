//! Deploys the plan: starts each service the moment its own needs are healthy and well, watches all that are in flight
//! with one poller, and ends when every service has ended.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, timeout};

use super::cancel::Cancel;
use super::flight::{Flight, Gate};
use super::smoke::{NeverWell, Smoke, smoke};
use super::start::{Started, Stopped, start};
use super::{Clients, failure};
use crate::clients::aws::CallError;
use crate::clients::ecs::SERVICES_AT_ONCE;
use crate::config::Request;
use crate::domain::board::{Board, State};
use crate::domain::names::{EcsServiceName, ServiceName};
use crate::domain::outcome::{End, Failure};
use crate::domain::plan::Plan;
use crate::domain::rollout::{ServiceView, Verdict};

/// How long a deployment may go unobserved before it counts as lost.
const BLIND_FOR: Duration = Duration::from_secs(60);
/// How long a start under way may take once the run was told to stop.
const LAST_STARTS: Duration = Duration::from_secs(2);

/// A release under way.
struct Release<'a> {
    request: &'a Request,
    clients: &'a Clients,
    plan: &'a Plan,
    board: &'a watch::Sender<Board>,
    began: Instant,
    cancel: Cancel,
    starting: JoinSet<(ServiceName, Result<Started, Stopped>)>,
    smoking: JoinSet<(ServiceName, Duration, Result<(), NeverWell>)>,
    flights: BTreeMap<ServiceName, Flight>,
}

/// Applies the plan. How each service ended stands on the board.
pub async fn deploy(request: &Request, clients: &Clients, plan: &Plan, board: &watch::Sender<Board>, began: Instant, cancel: &Cancel) {
    let release = Release {
        request,
        clients,
        plan,
        board,
        began,
        cancel: cancel.clone(),
        starting: JoinSet::new(),
        smoking: JoinSet::new(),
        flights: BTreeMap::new(),
    };
    release.run().await;
}

impl Release<'_> {
    async fn run(mut self) {
        let mut poll = interval(self.request.environment.poll);
        poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let cancel = self.cancel.clone();
        loop {
            self.start_what_is_ready();
            if self.board.borrow().is_done() {
                return;
            }
            tokio::select! {
                biased;
                () = cancel.cancelled() => break,
                Some(Ok((name, result))) = self.starting.join_next() => self.started(&name, result, &mut poll),
                Some(Ok((name, time, result))) = self.smoking.join_next() => self.smoked(&name, time, result),
                _ = poll.tick(), if !self.flights.is_empty() => {
                    tokio::select! {
                        () = cancel.cancelled() => break,
                        () = self.look() => {}
                    }
                }
            }
        }
        self.stop().await;
    }

    fn advance(&self, name: &ServiceName, state: State) {
        let now = self.began.elapsed();
        self.board.send_modify(|board| board.advance(name, state, now));
    }

    fn start_what_is_ready(&mut self) {
        let ready = self.board.borrow().ready();
        for name in ready {
            self.advance(&name, State::Starting);
            let Some(planned) = self.plan.service(&name).cloned() else { continue };
            let (clients, cancel, time) = (self.clients.clone(), self.cancel.clone(), self.request.environment.timeout);
            self.starting.spawn(async move {
                let result = start(&clients, &planned, time, &cancel).await;
                (name, result)
            });
        }
    }

    fn started(&mut self, name: &ServiceName, result: Result<Started, Stopped>, poll: &mut Interval) {
        let Some(planned) = self.plan.service(name) else { return };
        match result {
            Ok(started) => {
                // What was just begun shows nothing yet: the first look is one interval later, unless others are due.
                if self.flights.is_empty() {
                    poll.reset();
                }
                self.advance(name, State::Rolling { running: 0, desired: planned.view.desired });
                self.flights.insert(name.clone(), Flight::new(planned.view.name.clone(), started));
            }
            Err(Stopped::Failed(failure)) => self.advance(name, State::Done(End::Failed(failure))),
            Err(Stopped::Cancelled) => self.advance(name, State::Done(End::NotBegun)),
        }
    }

    /// One look at everything in flight: ten services a call, calls and task look-ups side by side.
    async fn look(&mut self) {
        let names: Vec<EcsServiceName> = self.flights.values().map(|flight| flight.name.clone()).collect();
        let clients = self.clients;
        let answers = join_all(names.chunks(SERVICES_AT_ONCE).map(|some| async move { (some, clients.ecs.services(some).await) })).await;
        let mut views: BTreeMap<&EcsServiceName, Result<ServiceView, &CallError>> = BTreeMap::new();
        for (some, answer) in &answers {
            match answer {
                Ok(found) => views.extend(found.iter().map(|view| (&view.name, Ok(view.clone())))),
                Err(error) => views.extend(some.iter().map(|name| (name, Err(error)))),
            }
        }
        let gone = |name: &EcsServiceName| ServiceView { status: "MISSING".to_owned(), ..crate::clients::ecs::nothing(name) };
        let looks = self.flights.iter_mut().map(|(name, flight)| {
            let view = views.get(&flight.name).cloned().unwrap_or_else(|| Ok(gone(&flight.name)));
            async move {
                match view {
                    Ok(view) => (name.clone(), Ok((flight.observe(clients, &view).await, view))),
                    Err(error) => (name.clone(), Err(error.clone())),
                }
            }
        });
        for (name, look) in join_all(looks).await {
            match look {
                Ok((verdict, view)) => self.apply(&name, &verdict, &view),
                Err(error) => self.blind(&name, &error),
            }
        }
    }

    fn apply(&mut self, name: &ServiceName, verdict: &Verdict, view: &ServiceView) {
        let Some(flight) = self.flights.get_mut(name) else { return };
        if let Some(failure) = failure::of(verdict, &flight.expected, view, &flight.tasks) {
            return self.end(name, End::Failed(failure));
        }
        match (verdict, flight.gate) {
            (Verdict::InProgress { running }, Gate::Closed) => {
                self.advance(name, State::Rolling { running: *running, desired: view.desired })
            }
            (Verdict::Healthy, Gate::Closed) => self.healthy(name, view),
            (Verdict::RollingBack { .. }, _) => self.advance(name, State::RollingBack),
            (Verdict::Completed, gate) => {
                flight.is_completed = true;
                flight.older_may_answer.send_replace(false);
                match gate {
                    Gate::Closed => self.healthy(name, view),
                    Gate::Smoking => {}
                    Gate::Open => self.end(name, End::Deployed),
                }
            }
            _ => {}
        }
    }

    /// Healthy: asked for its version at once, or let through where nothing is to be asked.
    fn healthy(&mut self, name: &ServiceName, view: &ServiceView) {
        let test = self.smoke_test(name).filter(|_| view.desired > 0);
        let Some(flight) = self.flights.get_mut(name) else { return };
        let Some(test) = test else { return self.well(name) };
        flight.gate = Gate::Smoking;
        let (http, older, name_) = (self.clients.http.clone(), flight.older_may_answer.subscribe(), name.clone());
        self.smoking.spawn(async move {
            let began = Instant::now();
            let result = smoke(&http, &test, older).await;
            (name_, began.elapsed(), result)
        });
        self.advance(name, State::Smoke);
    }

    fn smoke_test(&self, name: &ServiceName) -> Option<Smoke> {
        let (service, planned) = (self.request.services.get(name)?, self.plan.service(name)?);
        let environment = &self.request.environment;
        let url = service.health_url(environment.base_url.as_deref(), &environment.name).filter(|_| !self.request.skip_smoke)?;
        Some(Smoke { url, health: service.health.clone()?, accepted: planned.accepted.clone(), timeout: environment.smoke_timeout })
    }

    fn smoked(&mut self, name: &ServiceName, time: Duration, result: Result<(), NeverWell>) {
        // A deployment that has failed meanwhile is gone from the flights, and its smoke test says nothing any more.
        let is_smoking = self.flights.get(name).is_some_and(|flight| flight.gate == Gate::Smoking);
        let is_going_back = matches!(self.board.borrow().row(name).map(|row| &row.state), Some(State::RollingBack));
        match result {
            _ if !is_smoking || is_going_back => {}
            Ok(()) => self.well(name),
            Err(never) => self.end(name, End::Failed(failure::smoke(&never.why, never.asked, time))),
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

    /// A look failed: it is made again, until that is hopeless.
    fn blind(&mut self, name: &ServiceName, error: &CallError) {
        let Some(flight) = self.flights.get_mut(name) else { return };
        tracing::debug!(%error, service = %name, "can't look at it");
        let time = flight.blind_since.get_or_insert_with(Instant::now).elapsed();
        let patience = if error.is_passing() { BLIND_FOR } else { BLIND_FOR / 6 };
        let lost: Option<Failure> = (time >= patience).then(|| failure::unwatched(&flight.expected, &error.to_string(), time));
        if let Some(failure) = lost {
            self.end(name, End::Failed(failure));
        }
    }

    /// Told to stop: starts under way are waited for a moment, so that the report knows whether they happened.
    async fn stop(mut self) {
        let mut poll = interval(self.request.environment.poll);
        let _ = timeout(LAST_STARTS, async {
            while let Some(Ok((name, result))) = self.starting.join_next().await {
                self.started(&name, result, &mut poll);
            }
        })
        .await;
        let now = self.began.elapsed();
        self.board.send_modify(|board| board.cancel(now));
    }
}
