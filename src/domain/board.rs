//! The release as it goes: a row a service, who may start, and what it all came to. Everyone who reports reads this one value.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

use super::e2e::{Standing, State as SuiteState, Suite};
use super::graph::Graph;
use super::names::{DeploymentId, ServiceName};
use super::outcome::{End, Failure, FailureKind, RunResult, RunsNow, Verdict, verdict};
use super::places::Places;
use super::plan::{Action, Plan, Side, Start};
use super::row::row;
pub use super::row::{Build, Links, Row, State, WayBack};

/// All rows, in dependency order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Board {
    rows: Vec<Row>,
    graph: Graph,
    places: Places,
    first_failure: Option<FailureKind>,
    cancelled: bool,
    halted: bool,
    suite: Option<Standing>,
    /// Failures of services that are on their way back.
    failed_before: BTreeMap<ServiceName, Failure>,
}

impl Board {
    /// The board before anything began.
    pub fn new(plan: &Plan, graph: &Graph, links: &BTreeMap<ServiceName, Links>) -> Self {
        let rows = plan
            .services
            .iter()
            .map(|service| Row {
                is_half: plan.is_arriving() && service.start == Start::Nothing && service.previous.is_some(),
                ..row(service, links.get(&service.name))
            })
            .collect();
        Self { rows, graph: graph.clone(), ..Self::default() }
    }

    /// The same with a suite behind it.
    pub fn with_suite(self, suite: Option<&Suite>) -> Self {
        Self { suite: suite.map(Standing::due), ..self }
    }

    /// The same with a suite that stands somewhere.
    #[cfg(test)]
    pub(crate) fn with_standing(self, suite: Option<Standing>) -> Self {
        Self { suite, ..self }
    }

    /// The suite.
    pub fn suite(&self) -> Option<&Standing> {
        self.suite.as_ref()
    }

    /// Moves the suite.
    pub fn advance_suite(&mut self, state: SuiteState, now: Duration) {
        let Some(suite) = &mut self.suite else { return };
        match &state {
            SuiteState::Failed(_) => {
                self.first_failure.get_or_insert(FailureKind::E2e);
            }
            SuiteState::Cancelled => self.cancelled = true,
            _ => {}
        }
        let goes = matches!(state, SuiteState::Goes(_));
        suite.started = suite.started.or(goes.then_some(now));
        suite.ended = (!goes && suite.started.is_some()).then_some(now);
        suite.state = state;
    }

    /// Remembers the page of the suite's run.
    pub fn note_suite(&mut self, url: &str) {
        if let Some(suite) = &mut self.suite {
            suite.url = Some(url.to_owned());
        }
    }

    /// A board for what is only shown.
    #[cfg(test)]
    pub(crate) fn of_rows(rows: Vec<Row>) -> Self {
        Self { rows, ..Self::default() }
    }

    /// The rows.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// One row.
    pub fn row(&self, name: &ServiceName) -> Option<&Row> {
        self.rows.get(self.places.of(name, &self.rows, &self.graph)?)
    }

    fn row_mut(&mut self, name: &ServiceName) -> Option<&mut Row> {
        let at = self.places.of(name, &self.rows, &self.graph)?;
        self.rows.get_mut(at)
    }

    /// The rows of everything that a row's service needs, directly or through others.
    fn needs(&self, row: usize) -> impl Iterator<Item = &Row> {
        self.places.needs(row, &self.rows, &self.graph).iter().filter_map(|need| self.rows.get(*need))
    }

    /// Others can't start before this service is healthy and well.
    pub fn holds_others_up(&self, name: &ServiceName) -> bool {
        self.places.of(name, &self.rows, &self.graph).is_some_and(|at| self.places.height(at, &self.rows, &self.graph) > 0)
    }

    /// The services whose turn it is, those first on which the longest chain of others waits: they wait, and everything they need is
    /// healthy and well. What is needed but not on the board was found steady before the run began.
    pub fn ready(&self) -> Vec<ServiceName> {
        if self.cancelled || self.halted {
            return Vec::new();
        }
        let waiting = self.rows.iter().enumerate().filter(|(_, row)| row.state == State::Waiting);
        let ready = waiting.filter(|(at, row)| row.is_joined || self.needs(*at).all(|need| need.state.opens_the_way()));
        let mut ready: Vec<(usize, &Row)> = ready.collect();
        ready.sort_by_key(|(at, _)| Reverse(self.places.height(*at, &self.rows, &self.graph)));
        ready.into_iter().map(|(_, row)| row.name.clone()).collect()
    }

    /// Moves one service, and ends those that can no longer start because of it.
    pub fn advance(&mut self, name: &ServiceName, state: State, now: Duration) {
        // What fails after the run was told to stop is not its cause.
        if let State::Done(End::Failed(failure)) = &state
            && !self.cancelled
        {
            self.first_failure.get_or_insert(failure.kind.clone());
        }
        let bars_the_way = state.bars_the_way();
        if let (Some(State::Done(End::Failed(failure))), State::RollingBack) = (self.row(name).map(|row| &row.state), &state) {
            let failure = failure.clone();
            self.failed_before.insert(name.clone(), failure);
        }
        if let Some(row) = self.row_mut(name) {
            if state == State::RollingBack {
                row.back.get_or_insert(WayBack { began: now, arrived: row.ended });
            }
            row.started = row.started.or(state.is_in_flight().then_some(now));
            row.opened = row.opened.or(state.opens_the_way().then_some(now));
            row.ended = matches!(state, State::Done(_)).then_some(now);
            row.state = state;
        }
        if bars_the_way {
            self.block(now);
        }
    }

    /// A service's image is being built, or is there.
    pub fn note_build(&mut self, name: &ServiceName, has_ended: bool, now: Duration) {
        if let Some(row) = self.row_mut(name) {
            row.build.started.get_or_insert(now);
            row.build.ended = has_ended.then_some(now);
        }
    }

    /// Remembers the builds of the board before: the plan was made again with their images.
    pub fn with_builds_of(mut self, before: &Self) -> Self {
        for row in &mut self.rows {
            row.build = before.row(&row.name).map(|row| row.build).unwrap_or_default();
        }
        self
    }

    /// Begins nothing more, because the release goes back: what waits is not begun.
    pub fn halt(&mut self, now: Duration) {
        self.halted = true;
        for row in self.rows.iter_mut().filter(|row| row.state == State::Waiting) {
            row.state = State::Done(if row.is_joined { End::LeftInFlight } else { End::NotBegun });
            row.ended = Some(now);
        }
    }

    /// The run's first failure, if there was one.
    pub fn first_failure(&self) -> Option<&FailureKind> {
        self.first_failure.as_ref()
    }

    /// Remembers which deployment of a service is ours.
    pub fn note_deployment(&mut self, name: &ServiceName, deployment: &DeploymentId) {
        if let Some(row) = self.row_mut(name) {
            row.deployment = Some(deployment.clone());
        }
    }

    /// When a service's turn to go back came.
    pub fn note_return(&mut self, name: &ServiceName, began: Duration) {
        if let Some(back) = self.row_mut(name).and_then(|row| row.back.as_mut()) {
            back.began = began;
        }
    }

    /// Remembers where a service goes back to, where that is not what ran when the run began.
    pub fn note_previous(&mut self, name: &ServiceName, previous: Side) {
        if let Some(row) = self.row_mut(name) {
            row.returned = Some(previous);
        }
    }

    /// A service went back, or could not. What failed before stays failed, with what runs now corrected.
    pub fn taken_back(&mut self, name: &ServiceName, result: Result<(), Failure>, now: Duration) {
        let failed = self.failed_before.remove(name);
        if let Some(row) = self.row_mut(name) {
            let before = match (&row.state, failed.clone()) {
                (State::Done(End::Failed(failure)), _) => Some(failure.clone()),
                (_, failed) => failed,
            };
            let end = match (before, &result) {
                (Some(failure), Ok(())) => End::Failed(Failure { runs_now: RunsNow::Before, ..failure }),
                (None, Ok(())) => End::TakenBack,
                (before, Err(failure)) => End::Failed(failure.after(before)),
            };
            row.state = State::Done(end);
            row.ended = Some(now);
        }
    }

    /// Told to stop: begins nothing more. What is just being started still ends, before `cancel`.
    pub fn stop(&mut self) {
        self.cancelled = true;
    }

    /// Begins nothing more: what waits is not begun, what is in flight is left to ECS.
    pub fn cancel(&mut self, now: Duration) {
        self.stop();
        for row in &mut self.rows {
            let end = match &row.state {
                State::Waiting if row.is_joined => End::LeftInFlight,
                State::Waiting => End::NotBegun,
                State::Smoke if row.action == Action::None => End::Unchanged,
                state if state.is_in_flight() => End::LeftInFlight,
                _ => continue,
            };
            row.state = State::Done(end);
            row.ended = Some(now);
        }
    }

    fn block(&mut self, now: Duration) {
        let waiting = self.rows.iter().enumerate().filter(|(_, row)| row.state == State::Waiting && !row.is_joined);
        let blocked: Vec<(usize, ServiceName)> = waiting.filter_map(|(at, _)| Some((at, self.barrier(at)?))).collect();
        for (at, by) in blocked {
            let row = &mut self.rows[at];
            row.state = State::Done(End::Blocked { by });
            row.ended = Some(now);
        }
    }

    /// The failed service behind a wait, not another one that is blocked itself.
    fn barrier(&self, row: usize) -> Option<ServiceName> {
        let has_failed = |need: &&Row| need.state.bars_the_way() && !matches!(need.state, State::Done(End::Blocked { .. }));
        self.needs(row).find(has_failed).map(|need| need.name.clone())
    }

    /// Nothing waits and nothing is in flight.
    pub fn is_done(&self) -> bool {
        self.rows.iter().all(|row| matches!(row.state, State::Done(_)))
    }

    /// How each service ended, so far.
    pub fn ends(&self) -> impl Iterator<Item = (&Row, &End)> {
        self.rows.iter().filter_map(|row| if let State::Done(end) = &row.state { Some((row, end)) } else { None })
    }

    /// The failures, in dependency order.
    pub fn failures(&self) -> impl Iterator<Item = (&Row, &Failure)> {
        self.ends().filter_map(|(row, end)| if let End::Failed(failure) = end { Some((row, failure)) } else { None })
    }

    /// What the run came to.
    pub fn verdict(&self) -> Verdict {
        let mut verdict = verdict(self.ends().map(|(_, end)| end), self.first_failure.as_ref(), self.cancelled);
        let is_half = self.ends().any(|(row, end)| row.is_half && *end == End::Unchanged);
        if is_half && verdict.result == RunResult::RolledBack {
            verdict.result = RunResult::Failed;
        }
        verdict
    }

    /// The longest chain of this run, as it was: along needs until they opened the way, the last service to its end.
    pub fn critical_path(&self) -> (Vec<ServiceName>, Duration) {
        let span = |name: &ServiceName, end: fn(&Row) -> Option<Duration>| {
            let row = self.row(name)?;
            Some(end(row)?.saturating_sub(row.started?).as_secs_f64())
        };
        let (path, seconds) =
            self.graph.critical_path(|name| span(name, |row| row.opened).unwrap_or(0.0), |name| span(name, |row| row.ended).unwrap_or(0.0));
        let path = path.into_iter().filter(|name| self.row(name).is_some_and(|row| row.started.is_some())).collect();
        (path, Duration::from_secs_f64(seconds))
    }
}

#[cfg(test)]
#[path = "board_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "board_schedule_tests.rs"]
mod schedule_tests;
