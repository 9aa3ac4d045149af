//! When to look next: quick when an event is due, never later than one poll while the account lets us.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::clients::call::CallError;
use crate::clients::ecs::SERVICES_AT_ONCE;
use crate::config::Request;

/// Throttled, the time between looks grows to at most thirty-two times.
const MOST_SLOWER: u32 = 5;
/// Our looks take at most half of what ECS grants the account: 20 calls a second.
const LOOKS_A_SECOND: f64 = 10.0;
/// A glance is late by at most this part of the time that is waited for.
const PROMPTNESS: u32 = 20;
/// Tasks of a deployment that shows no news are looked at this often, in polls, for crashes that ECS forgets.
const ENDED_EVERY: u32 = 5;
/// So many deployments a poll are looked at for those.
const ENDED_A_POLL: usize = 16;

/// The times of the next looks.
#[derive(Debug)]
pub(super) struct Pacing {
    poll: Duration,
    rate: f64,
    /// At everything in flight.
    pub(super) look: Instant,
    /// At the tasks of what others wait for.
    pub(super) glance: Option<Instant>,
    /// How often the time between looks is doubled.
    slower: u32,
}

impl Pacing {
    pub(super) fn new(request: &Request) -> Self {
        let (poll, rate) = (request.environment.poll, request.runner.ecs_rate());
        Self { poll, rate, look: Instant::now(), glance: None, slower: 0 }
    }

    /// What was just begun shows nothing yet: the first look is one poll later.
    pub(super) fn begin(&mut self) {
        self.look = Instant::now() + self.poll;
    }

    /// After a look at so many services. The budget is shared with the whole account: throttled, the looks become rarer, and by
    /// chance never in step; let through, they come closer again step by step.
    pub(super) fn looked(&mut self, flights: usize, is_throttled: bool) {
        self.slower = if is_throttled { (self.slower + 1).min(MOST_SLOWER) } else { self.slower.saturating_sub(1) };
        let calls = flights.div_ceil(SERVICES_AT_ONCE) as f64;
        let fair = Duration::from_secs_f64(calls / (LOOKS_A_SECOND * self.rate));
        let pause = self.poll.max(fair) * (1 << self.slower);
        let jitter = if self.slower > 0 { pause.mul_f64(fastrand::f64() / 2.0) } else { Duration::ZERO };
        self.look = Instant::now() + pause + jitter;
    }

    /// When a deployment that waits to be healthy since then is worth a glance; at that time where it is known.
    pub(super) fn glance_at(&self, since: Instant, due: Option<Instant>) -> Instant {
        let now = Instant::now();
        let soon = now + ((now - since) / PROMPTNESS).clamp(self.poll / 4, self.poll);
        due.filter(|due| *due > now).unwrap_or(soon)
    }

    /// Sets the next glance; none while the account is short of calls.
    pub(super) fn glances(&mut self, at: Option<Instant>) {
        self.glance = at.filter(|_| self.slower == 0);
    }

    /// How often a deployment's ended tasks are looked at where nothing tells of any.
    pub(super) fn ended_every(&self, flights: usize) -> Duration {
        self.poll * ENDED_EVERY.max(u32::try_from(flights.div_ceil(ENDED_A_POLL)).unwrap_or(u32::MAX))
    }
}

/// Any look was refused because of the rate.
pub(super) fn any_throttled<'a, T: 'a>(looks: impl IntoIterator<Item = &'a Result<T, CallError>>) -> bool {
    looks.into_iter().any(|looked| looked.as_ref().is_err_and(CallError::is_throttled))
}

/// Ends at that time; never, where there is none.
pub(super) async fn maybe(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pacing(rate: f64) -> Pacing {
        Pacing { poll: Duration::from_secs(2), rate, look: Instant::now(), glance: None, slower: 0 }
    }

    fn after(pacing: &Pacing) -> f64 {
        (pacing.look - Instant::now()).as_secs_f64()
    }

    #[tokio::test(start_paused = true)]
    async fn looks_are_one_poll_apart_unless_they_take_more_than_half_of_what_ecs_grants() {
        for (flights, rate, seconds) in
            [(0, 1.0, 2.0), (1, 1.0, 2.0), (200, 1.0, 2.0), (400, 1.0, 4.0), (1000, 1.0, 10.0), (1000, 10.0, 2.0)]
        {
            let mut pacing = pacing(rate);
            pacing.looked(flights, false);
            assert!((after(&pacing) - seconds).abs() < 1e-6, "{flights} services at {rate} times the rate");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn throttled_looks_become_rarer_and_come_back_step_by_step() {
        let mut pacing = pacing(1.0);
        for doubled in [1, 2, 3, 4, 5, 5] {
            pacing.looked(1, true);
            let least = 2.0 * f64::from(1 << doubled);
            assert!((least..=least * 1.5).contains(&after(&pacing)), "{}", after(&pacing));
            pacing.glances(Some(Instant::now()));
            assert_eq!(pacing.glance, None, "who is short of calls does not glance");
        }
        for doubled in [4, 3, 2, 1, 0] {
            pacing.looked(1, false);
            let least = 2.0 * f64::from(1 << doubled);
            assert!((least..=least * 1.5).contains(&after(&pacing)), "{}", after(&pacing));
        }
        pacing.glances(Some(Instant::now()));
        assert!(pacing.glance.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_glance_is_late_by_a_twentieth_of_the_wait_and_on_time_where_the_time_is_known() {
        let pacing = pacing(1.0);
        let since = Instant::now();
        for (waited, pause) in [(0, 0.5), (9, 0.5), (20, 1.0), (60, 2.0)] {
            tokio::time::advance(Duration::from_secs(waited) - (Instant::now() - since)).await;
            assert!(((pacing.glance_at(since, None) - Instant::now()).as_secs_f64() - pause).abs() < 1e-6, "after {waited} s");
        }
        let due = Instant::now() + Duration::from_secs(3);
        assert_eq!(pacing.glance_at(since, Some(due)), due);
        assert!(pacing.glance_at(since, Some(since)) > Instant::now(), "what was due is asked again");
    }

    #[test]
    fn ended_tasks_are_looked_at_every_fifth_poll_and_more_rarely_where_there_are_many() {
        let every = |flights| {
            let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
            runtime.block_on(async { pacing(1.0).ended_every(flights) }).as_secs()
        };
        assert_eq!([every(1), every(80), every(160), every(1000)], [10, 10, 20, 126]);
    }
}
