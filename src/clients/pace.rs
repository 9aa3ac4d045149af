//! Keeps calls within a documented token bucket, so that ECS never has to refuse them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// Tokens that are left in the bucket: calls arrive a little sooner or later than they were sent.
const RESERVE: u32 = 2;

/// A token bucket: so many calls at once, then so many a second
/// (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/request-throttling.html>).
#[derive(Clone, Debug)]
pub(super) struct Pace {
    every: Duration,
    burst: u32,
    /// When the bucket would be full again.
    full_at: Arc<Mutex<Instant>>,
}

impl Pace {
    /// A full bucket.
    pub(super) fn new(burst: u32, a_second: f64) -> Self {
        Self { every: Duration::from_secs_f64(1.0 / a_second), burst: burst - RESERVE, full_at: Arc::new(Mutex::new(Instant::now())) }
    }

    /// Waits for a call's turn.
    pub(super) async fn turn(&self) {
        let until = {
            let mut full_at = self.lock();
            *full_at = (*full_at).max(Instant::now()) + self.every;
            *full_at - self.every * self.burst
        };
        sleep_until(until).await;
    }

    /// When the next call may be made: now, or at that time.
    pub(super) fn next(&self) -> Result<(), Instant> {
        let now = Instant::now();
        let next = (*self.lock()).max(now) + self.every - self.every * self.burst;
        if next <= now { Ok(()) } else { Err(next) }
    }

    /// Takes the turn of a call that may be made now.
    pub(super) fn take(&self) {
        let mut full_at = self.lock();
        *full_at = (*full_at).max(Instant::now()) + self.every;
    }

    /// The bucket is empty, whatever was thought: others use it, too.
    pub(super) fn drained(&self) {
        let mut full_at = self.lock();
        *full_at = (*full_at).max(Instant::now() + self.every * (self.burst + RESERVE));
    }

    fn lock(&self) -> MutexGuard<'_, Instant> {
        self.full_at.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_burst_goes_at_once_and_the_rest_one_by_one() {
        let pace = Pace::new(20, 1.0);
        let began = Instant::now();
        for _ in 0..18 {
            assert_eq!(pace.next(), Ok(()));
            pace.turn().await;
        }
        assert_eq!(began.elapsed(), Duration::ZERO);
        assert_eq!(pace.next(), Err(began + Duration::from_secs(1)));
        for _ in 0..5 {
            pace.turn().await;
        }
        assert_eq!(began.elapsed(), Duration::from_secs(5));
    }

    #[tokio::test(start_paused = true)]
    async fn an_empty_bucket_gives_one_call_for_each_token() {
        let pace = Pace::new(20, 1.0);
        pace.drained();
        let began = Instant::now();
        for at in 3..6 {
            assert_eq!(pace.next(), Err(began + Duration::from_secs(at)), "the reserve comes first");
            tokio::time::advance(Duration::from_secs(if at == 3 { 3 } else { 1 })).await;
            assert_eq!(pace.next(), Ok(()));
            pace.take();
        }
    }
}
