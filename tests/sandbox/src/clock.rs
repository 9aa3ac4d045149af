//! Real time, in this one place.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Turns real seconds into sandbox seconds; the scale may change on the way.
#[derive(Debug)]
pub(crate) struct Clock {
    since: Instant,
    at: f64,
    scale: f64,
}

impl Clock {
    /// Starts at `at` sandbox seconds.
    pub(crate) fn start(at: f64, scale: f64) -> Clock {
        Clock { since: Instant::now(), at, scale }
    }

    /// Sandbox seconds.
    pub(crate) fn now(&self) -> f64 {
        self.at + self.since.elapsed().as_secs_f64() * self.scale
    }

    /// Goes on at another pace from here.
    pub(crate) fn set_scale(&mut self, scale: f64) {
        if scale != self.scale {
            *self = Clock::start(self.now(), scale);
        }
    }
}

/// Unix time.
#[expect(clippy::disallowed_methods, reason = "the sandbox's one look at the wall clock")]
pub(crate) fn unix() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs_f64()
}
