//! Keeps calls within a documented token bucket, so that ECS never has to refuse them.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until};

/// A token bucket: so many calls at once, then one in so long
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
    pub(super) fn new(burst: u32, every: Duration) -> Self {
        Self { every, burst, full_at: Arc::new(Mutex::new(Instant::now())) }
    }

    /// Waits for a call's turn.
    pub(super) async fn turn(&self) {
        let until = {
            let mut full_at = self.full_at.lock().await;
            let now = Instant::now();
            *full_at = (*full_at).max(now) + self.every;
            *full_at - self.every * self.burst
        };
        sleep_until(until).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_burst_goes_at_once_and_the_rest_one_by_one() {
        let pace = Pace::new(20, Duration::from_secs(1));
        let began = Instant::now();
        for _ in 0..20 {
            pace.turn().await;
        }
        assert_eq!(began.elapsed(), Duration::ZERO);
        for _ in 0..5 {
            pace.turn().await;
        }
        assert_eq!(began.elapsed(), Duration::from_secs(5));
    }
}
