//! SIGINT and SIGTERM: from then on no new change is begun.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Whether the run was told to stop.
#[derive(Clone, Debug)]
pub struct Cancel(watch::Receiver<bool>);

impl Cancel {
    /// Listens to the process's signals.
    ///
    /// # Errors
    /// `std::io::Error` when the handlers can't be installed.
    pub fn on_signals() -> std::io::Result<Self> {
        let (sender, receiver) = watch::channel(false);
        let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        tokio::spawn(async move {
            tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
            sender.send_replace(true);
            // Keeps the channel open: a closed one would look like a signal.
            std::future::pending::<()>().await;
        });
        Ok(Self(receiver))
    }

    /// Told to stop already.
    pub fn is_cancelled(&self) -> bool {
        *self.0.borrow()
    }

    /// Does the work, unless the run is told to stop before it is done.
    pub async fn until<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.cancelled() => None,
            done = work => Some(done),
        }
    }

    /// Ends when the run is told to stop.
    pub async fn cancelled(&self) {
        let mut receiver = self.0.clone();
        if receiver.wait_for(|is_cancelled| *is_cancelled).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
