//! The only place that reads the wall clock.

use std::time::{Duration, SystemTime};

/// Now.
#[expect(clippy::disallowed_methods, reason = "this file is the boundary")]
pub fn now() -> SystemTime {
    SystemTime::now()
}

/// Seconds since 1970-01-01 UTC.
pub fn unix_seconds() -> u64 {
    now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs()
}
