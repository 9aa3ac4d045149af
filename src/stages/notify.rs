//! Keeps one Slack message up to date, from the run's beginning to its end. Nothing that Slack does stops a deployment.

use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};

use crate::clients::console::Masks;
use crate::clients::slack::{Posted, Slack, SlackError};
use crate::domain::board::Board;
use crate::report::slack::{Context, Message, of_board, plain};

/// Slack allows about one message a second and channel.
const BETWEEN: Duration = Duration::from_secs(1);

/// What became of the message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notified {
    /// Where it stands.
    pub posted: Option<Posted>,
    /// The last words got through.
    pub ok: bool,
    /// What to mend, in words.
    pub warning: Option<String>,
}

impl Default for Notified {
    /// Nothing was to be told, and nothing went wrong.
    fn default() -> Self {
        Self { posted: None, ok: true, warning: None }
    }
}

/// A message that is kept up to date.
pub struct Notifier {
    end: oneshot::Sender<Message>,
    task: JoinHandle<Notified>,
    state: watch::Receiver<Notified>,
}

/// The message so far.
struct Keeper {
    slack: Slack,
    channel: String,
    context: Context,
    state: Notified,
    shown: watch::Sender<Notified>,
    sent: Option<Message>,
    gave_up: bool,
    masks: Masks,
}

impl Notifier {
    /// Posts at once, or carries on an earlier job's message.
    pub fn start(
        slack: Slack,
        channel: &str,
        context: Context,
        board: watch::Receiver<Board>,
        began: Instant,
        earlier: Option<Posted>,
        masks: &Masks,
    ) -> Self {
        let (end, ended) = oneshot::channel();
        let (shown, state) = watch::channel(Notified { ok: false, ..Notified::default() });
        let notified = Notified { posted: earlier, ok: true, warning: None };
        let keeper = Keeper {
            slack,
            channel: channel.to_owned(),
            context,
            state: notified,
            shown,
            sent: None,
            gave_up: false,
            masks: masks.clone(),
        };
        Self { end, task: tokio::spawn(keeper.keep(board, began, ended)), state }
    }

    /// Shows the run's end, for at most so long.
    pub async fn finish(self, last: Message, within: Duration) -> Notified {
        let _ = self.end.send(last);
        match timeout(within, self.task).await {
            Ok(Ok(notified)) => notified,
            _ => {
                let warning = Some(format!("Slack: the run's end is not shown there: no answer within {} s", within.as_secs()));
                Notified { ok: false, warning, posted: self.state.borrow().posted.clone() }
            }
        }
    }
}

impl Keeper {
    async fn keep(mut self, mut board: watch::Receiver<Board>, began: Instant, mut ended: oneshot::Receiver<Message>) -> Notified {
        loop {
            let message = of_board(&self.context, &board.borrow_and_update().clone(), None, began.elapsed());
            self.show(message).await;
            let next = Instant::now() + BETWEEN;
            tokio::select! {
                biased;
                last = &mut ended => {
                    if let Ok(message) = last {
                        self.show(message).await;
                    }
                    return self.state;
                }
                () = async {
                    let _ = board.changed().await;
                    sleep_until(next).await;
                } => {}
            }
        }
    }

    async fn show(&mut self, message: Message) {
        let message = message.map(|text| self.masks.hide(text));
        if self.gave_up || self.sent.as_ref() == Some(&message) {
            return;
        }
        match self.send(&message).await {
            Ok(posted) => {
                self.sent = Some(message);
                self.state = Notified { posted: Some(posted), ok: true, warning: None };
            }
            Err(error) => {
                tracing::debug!(%error, "Slack did not take the message");
                // A refusal stays a refusal, and a post whose answer was lost may be there: no second one.
                self.gave_up = matches!(error, SlackError::Refused { .. }) || (self.state.posted.is_none() && error.may_be_posted());
                self.state.ok = false;
                self.state.warning = Some(format!("Slack did not take the release's message: {error}"));
            }
        }
        self.shown.send_replace(self.state.clone());
    }

    async fn send(&self, message: &Message) -> Result<Posted, SlackError> {
        match self.put(message).await {
            Err(error) if error.is_about_blocks() => self.put(&plain(message, &self.context)).await,
            other => other,
        }
    }

    async fn put(&self, message: &Message) -> Result<Posted, SlackError> {
        if let Some(posted) = &self.state.posted {
            match self.slack.update(posted, &message.text, &message.blocks).await {
                Err(error) if error.is_about_the_message() => {}
                other => return other,
            }
        }
        self.slack.post(&self.channel, &message.text, &message.blocks).await
    }
}
