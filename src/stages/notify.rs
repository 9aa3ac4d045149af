//! Keeps one Slack message and its thread up to date, from the run's beginning to its end. Nothing that Slack does stops a
//! deployment.

use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};

use crate::clients::console::Masks;
use crate::clients::slack::{Channel, Posted, Slack, SlackError};
use crate::domain::board::Board;
use crate::report::blocks::Message;
use crate::report::slack::{Context, Told, of_board};

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
    end: oneshot::Sender<Told>,
    task: JoinHandle<Notified>,
    state: watch::Receiver<Notified>,
}

/// The message so far.
struct Keeper {
    slack: Slack,
    channel: Channel,
    context: Context,
    state: Notified,
    shown: watch::Sender<Notified>,
    sent: Option<Message>,
    /// What stands in the thread, in order.
    thread: Vec<(Posted, Message)>,
    gave_up: bool,
    /// What became of the thread, where it was refused.
    thread_warning: Option<String>,
    masks: Masks,
}

impl Notifier {
    /// Posts at once, or carries on an earlier job's message.
    pub fn start(
        slack: Slack,
        channel: Channel,
        context: Context,
        board: watch::Receiver<Board>,
        began: Instant,
        earlier: Option<Posted>,
        masks: &Masks,
    ) -> Self {
        let (end, ended) = oneshot::channel();
        let (shown, state) = watch::channel(Notified { ok: false, ..Notified::default() });
        let keeper = Keeper {
            slack,
            channel,
            context,
            state: Notified { posted: earlier, ..Notified::default() },
            shown,
            sent: None,
            thread: Vec::new(),
            gave_up: false,
            thread_warning: None,
            masks: masks.clone(),
        };
        Self { end, task: tokio::spawn(keeper.keep(board, began, ended)), state }
    }

    /// Shows the run's end, for at most so long.
    pub async fn finish(self, last: Told, within: Duration) -> Notified {
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
    async fn keep(mut self, mut board: watch::Receiver<Board>, began: Instant, mut ended: oneshot::Receiver<Told>) -> Notified {
        loop {
            let told = of_board(&self.context, &board.borrow_and_update().clone(), None, began.elapsed());
            self.show(told).await;
            let next = Instant::now() + BETWEEN;
            tokio::select! {
                biased;
                last = &mut ended => {
                    if let Ok(told) = last {
                        self.show(told).await;
                    }
                    return self.ended();
                }
                () = async {
                    let _ = board.changed().await;
                    sleep_until(next).await;
                } => {}
            }
        }
    }

    /// What is said of the thread stays said, however well the message itself goes on.
    fn ended(self) -> Notified {
        let warning = self.state.warning.or_else(|| self.thread_warning.clone());
        Notified { ok: self.state.ok && self.thread_warning.is_none(), warning, ..self.state }
    }

    async fn show(&mut self, told: Told) {
        let told = told.map(|text| self.masks.hide(text));
        self.show_message(told.main).await;
        for (at, message) in told.thread.into_iter().enumerate() {
            self.show_in_thread(at, message).await;
        }
        self.shown.send_replace(self.state.clone());
    }

    async fn show_message(&mut self, message: Message) {
        if self.gave_up || self.sent.as_ref() == Some(&message) {
            return;
        }
        match self.send(&message).await {
            Ok(posted) => {
                self.sent = Some(message);
                self.state = Notified { posted: Some(posted), ..Notified::default() };
            }
            Err(error) => {
                tracing::debug!(%error, "Slack did not take the message");
                // A refusal stays a refusal, and a post whose answer was lost may be there: no second one.
                self.gave_up = matches!(error, SlackError::Refused { .. }) || (self.state.posted.is_none() && error.may_be_posted());
                self.state.ok = false;
                self.state.warning = Some(format!("Slack did not take the release's message: {error}"));
            }
        }
    }

    /// A failure is told when it happens, and corrected when it is known what runs in the end. Only the first part of it is
    /// shown in the channel.
    async fn show_in_thread(&mut self, at: usize, message: Message) {
        let Some(parent) = self.state.posted.clone().filter(|_| !self.gave_up && self.thread_warning.is_none()) else { return };
        let known = self.thread.get(at).cloned();
        let result = match &known {
            Some((_, known)) if *known == message => return,
            Some((posted, _)) => self.correct(&parent, posted, &message).await,
            None => self.reply(&parent, &message, at == 0).await,
        };
        match (result, known) {
            (Ok(posted), Some(_)) => self.thread[at] = (posted, message),
            (Ok(posted), None) => self.thread.push((posted, message)),
            (Err(error), _) => {
                self.thread_warning = Some(format!("Slack did not take the details in the message's thread: {error}"));
            }
        }
    }

    async fn correct(&self, parent: &Posted, posted: &Posted, message: &Message) -> Result<Posted, SlackError> {
        match self.slack.update(posted, message).await {
            Err(error) if error.is_about_blocks() => {
                self.slack.update(posted, &message.without_blocks(self.context.run_url.as_deref())).await
            }
            Err(error) if error.is_about_the_message() => self.reply(parent, message, false).await,
            other => other,
        }
    }

    async fn reply(&self, parent: &Posted, message: &Message, is_loud: bool) -> Result<Posted, SlackError> {
        match self.slack.reply(parent, message, is_loud).await {
            Err(error) if error.is_about_blocks() => {
                self.slack.reply(parent, &message.without_blocks(self.context.run_url.as_deref()), is_loud).await
            }
            other => other,
        }
    }

    async fn send(&self, message: &Message) -> Result<Posted, SlackError> {
        match self.put(message).await {
            Err(error) if error.is_about_blocks() => self.put(&message.without_blocks(self.context.run_url.as_deref())).await,
            other => other,
        }
    }

    async fn put(&self, message: &Message) -> Result<Posted, SlackError> {
        if let Some(posted) = &self.state.posted {
            match self.slack.update(posted, message).await {
                Err(error) if error.is_about_the_message() => {}
                other => return other,
            }
        }
        self.slack.post(&self.channel, message).await
    }
}

/// Posts a message of its own into a channel, and what is too long for one into its thread.
///
/// # Errors
/// `SlackError`.
pub async fn tell(
    slack: &Slack,
    channel: &Channel,
    (main, details): (Message, Vec<Message>),
    link: Option<&str>,
    masks: &Masks,
) -> Result<Posted, SlackError> {
    let hidden = |message: Message| message.map(|text| masks.hide(text));
    let mut pages = hidden(main).pages();
    pages.extend(details.into_iter().map(hidden).flat_map(Message::pages));
    let mut pages = pages.into_iter();
    let first = pages.next().unwrap_or_else(|| Message::new("…", Vec::new()));
    let posted = match slack.post(channel, &first).await {
        Err(error) if error.is_about_blocks() => slack.post(channel, &first.without_blocks(link)).await,
        other => other,
    }?;
    for page in pages {
        match slack.reply(&posted, &page, false).await {
            Err(error) if error.is_about_blocks() => slack.reply(&posted, &page.without_blocks(link), false).await?,
            other => other?,
        };
    }
    Ok(posted)
}
