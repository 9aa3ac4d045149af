//! Slack's Web API: one message, posted and kept up to date. Every refusal has the words that mend it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};

use super::http::cause;
use crate::report::blocks::Message;

/// Together, all waits of one call end here.
const PATIENCE: Duration = Duration::from_secs(60);
const TRIES: u32 = 4;
/// Between two messages in one channel (<https://docs.slack.dev/apis/web-api/rate-limits>).
const BETWEEN: Duration = Duration::from_secs(1);
/// Slack's words for a token that is not good.
const TOKEN: &[&str] = &["invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired"];

/// A workspace.
#[derive(Clone)]
pub struct Slack {
    http: reqwest::Client,
    url: String,
    token: String,
    /// A token that was refused stays refused, and is not tried again.
    refused: Arc<Mutex<Option<SlackError>>>,
    /// When the last message was posted into each channel.
    posted: Arc<tokio::sync::Mutex<HashMap<String, Instant>>>,
}

/// A message that was posted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posted {
    /// The channel's id: `chat.update` takes no names.
    pub channel: String,
    /// The message's name.
    pub ts: String,
}

/// A channel, and the setting that names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channel {
    /// Its name or id.
    pub name: String,
    /// Where it is named.
    pub setting: &'static str,
}

/// Why Slack did not take a message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SlackError {
    /// `{"ok":false,"error":…}`
    #[error("{error}{advice}")]
    Refused {
        /// Slack's word.
        error: String,
        /// What mends it.
        advice: String,
    },
    /// Another HTTP status than 200.
    #[error("it answered {0}{hint}", hint = hint(.0))]
    Status(u16),
    /// No answer.
    #[error("it did not answer: {why}: see https://status.slack.com, or the runner's way out to the internet")]
    Unreachable {
        /// In words.
        why: String,
        /// The request may have arrived all the same.
        maybe_sent: bool,
    },
}

impl SlackError {
    /// The blocks are at fault; the text alone may pass.
    pub fn is_about_blocks(&self) -> bool {
        matches!(self, Self::Refused { error, .. }
            if matches!(error.as_str(), "invalid_blocks" | "invalid_blocks_format" | "msg_blocks_too_long" | "msg_too_long"))
    }

    /// The token is at fault; whatever it is used for is refused.
    pub fn is_about_the_token(&self) -> bool {
        matches!(self, Self::Refused { error, .. } if TOKEN.contains(&error.as_str()))
    }

    /// The message may be there although the answer says nothing: a second post could be one too many.
    pub fn may_be_posted(&self) -> bool {
        matches!(self, Self::Unreachable { maybe_sent: true, .. } | Self::Status(500..))
    }

    /// The message to update is gone or not ours: post it anew.
    pub fn is_about_the_message(&self) -> bool {
        matches!(self, Self::Refused { error, .. }
            if matches!(error.as_str(), "message_not_found" | "cant_update_message" | "edit_window_closed"))
    }
}

fn hint(status: &u16) -> &'static str {
    match *status {
        429 => ": too many messages in the channel: let fewer tools write there",
        500.. => ": see https://status.slack.com",
        _ => ": check SLACK_API_URL",
    }
}

fn unreachable(error: &reqwest::Error) -> SlackError {
    SlackError::Unreachable { why: cause(error), maybe_sent: !error.is_connect() }
}

/// What mends a refusal (<https://docs.slack.dev/reference/methods/chat.postMessage#errors>).
fn advice(answer: &Answer, channel: Option<&Channel>) -> String {
    let place = channel.map_or_else(|| "the channel".to_owned(), |channel| format!("{} ({})", channel.setting, channel.name));
    let words = match answer.error.as_str() {
        word if TOKEN.contains(&word) => "the bot token is wrong or no longer valid: renew the secret SLACK_BOT_TOKEN".to_owned(),
        "missing_scope" => {
            let needed = answer.needed.as_deref().unwrap_or("chat:write");
            let provided = answer.provided.as_ref().map(|provided| format!(" (it has {provided})")).unwrap_or_default();
            format!("the bot lacks the scope `{needed}`{provided}: add it and install the app again")
        }
        "channel_not_found" => format!("no such channel, or a private one without the bot: correct {place}, or /invite the bot"),
        "not_in_channel" => format!("the bot is not in the channel: /invite it to {place}"),
        "is_archived" => format!("the channel is archived: correct {place}"),
        "restricted_action" | "restricted_action_thread_only_channel" => {
            format!("the workspace does not let the bot write there: see {place}")
        }
        "invalid_blocks" | "invalid_blocks_format" | "msg_blocks_too_long" | "msg_too_long" | "no_text" => {
            "Slack takes neither the message's form nor its plain text: please report it with the run's log".to_owned()
        }
        "message_not_found" | "cant_update_message" | "edit_window_closed" => {
            format!("the message to update is gone, or another bot's: take slack-ts out, and look at {place}")
        }
        "ratelimited" | "rate_limited" => format!("too many messages in {place}: let fewer tools write there"),
        _ => "see https://docs.slack.dev/reference/methods/chat.postMessage#errors".to_owned(),
    };
    format!(": {words}")
}

#[derive(Deserialize)]
struct Answer {
    ok: bool,
    #[serde(default)]
    error: String,
    needed: Option<String>,
    provided: Option<String>,
    #[serde(default)]
    channel: String,
    #[serde(default)]
    ts: String,
}

impl Slack {
    /// The workspace's client.
    pub fn new(http: reqwest::Client, url: &str, token: &str) -> Self {
        Self { http, url: url.to_owned(), token: token.to_owned(), refused: Arc::default(), posted: Arc::default() }
    }

    /// Posts a message. An answer that was lost is not asked for again: better none than two.
    ///
    /// # Errors
    /// `SlackError`.
    pub async fn post(&self, channel: &Channel, message: &Message) -> Result<Posted, SlackError> {
        self.send(channel, message, json!({})).await
    }

    /// Posts into a message's thread; a loud one is shown in the channel too.
    ///
    /// # Errors
    /// `SlackError`.
    pub async fn reply(&self, to: &Posted, message: &Message, is_loud: bool) -> Result<Posted, SlackError> {
        let channel = Channel { name: to.channel.clone(), setting: "the channel" };
        self.send(&channel, message, json!({"thread_ts": to.ts, "reply_broadcast": is_loud})).await
    }

    async fn send(&self, channel: &Channel, message: &Message, mut body: Value) -> Result<Posted, SlackError> {
        let (text, blocks) = (message.text(), message.blocks());
        for (key, value) in [("channel", json!(channel.name)), ("text", json!(text)), ("blocks", json!(blocks))] {
            body[key] = value;
        }
        // No address in it is looked up and shown.
        for key in ["unfurl_links", "unfurl_media"] {
            body[key] = json!(false);
        }
        self.turn(&channel.name).await;
        self.call("chat.postMessage", &body, false, Some(channel)).await
    }

    /// Slack takes about one message a second and channel.
    async fn turn(&self, channel: &str) {
        let mut posted = self.posted.lock().await;
        if let Some(last) = posted.get(channel) {
            sleep_until(*last + BETWEEN).await;
        }
        posted.insert(channel.to_owned(), Instant::now());
    }

    /// Replaces a message.
    ///
    /// # Errors
    /// `SlackError`.
    pub async fn update(&self, posted: &Posted, message: &Message) -> Result<Posted, SlackError> {
        let body = json!({"channel": posted.channel, "ts": posted.ts, "text": message.text(), "blocks": message.blocks()});
        self.call("chat.update", &body, true, None).await
    }

    /// Asks whether the token is good.
    ///
    /// # Errors
    /// `SlackError`.
    pub async fn check(&self) -> Result<(), SlackError> {
        self.call("auth.test", &json!({}), true, None).await.map(|_| ())
    }

    fn refused(&self) -> Option<SlackError> {
        self.refused.lock().ok().and_then(|refused| refused.clone())
    }

    async fn call(&self, method: &str, body: &Value, may_repeat: bool, channel: Option<&Channel>) -> Result<Posted, SlackError> {
        if let Some(refused) = self.refused() {
            return Err(refused);
        }
        let started = Instant::now();
        let mut tried = 0;
        loop {
            tried += 1;
            let (error, wait) = match self.attempt(method, body, channel).await {
                Ok(posted) => return Ok(posted),
                // Told to come back later, so it certainly was not posted.
                Err((error, Some(wait))) => (error, wait),
                Err((error @ (SlackError::Unreachable { .. } | SlackError::Status(500..)), None)) if may_repeat && tried < TRIES => {
                    (error, Duration::from_millis(500 << tried))
                }
                Err((error, None)) => {
                    if error.is_about_the_token()
                        && let Ok(mut refused) = self.refused.lock()
                    {
                        *refused = Some(error.clone());
                    }
                    return Err(error);
                }
            };
            if started.elapsed() + wait > PATIENCE {
                return Err(error);
            }
            tokio::time::sleep(wait).await;
        }
    }

    async fn attempt(&self, method: &str, body: &Value, channel: Option<&Channel>) -> Result<Posted, (SlackError, Option<Duration>)> {
        let request = self.http.post(format!("{}/{method}", self.url)).bearer_auth(&self.token).json(body);
        let response = request.send().await.map_err(|error| (unreachable(&error), None))?;
        let status = response.status().as_u16();
        let told = response.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
        let wait = told.map(|seconds: u64| Duration::from_secs(seconds.clamp(1, 3600)));
        if status == 429 {
            return Err((SlackError::Status(status), Some(wait.unwrap_or(Duration::from_secs(1)))));
        }
        if status != 200 {
            return Err((SlackError::Status(status), None));
        }
        let answer: Answer = response.json().await.map_err(|error| (unreachable(&error), None))?;
        if answer.ok {
            return Ok(Posted { channel: answer.channel, ts: answer.ts });
        }
        // Slack's own trouble comes with 200, too.
        if matches!(answer.error.as_str(), "internal_error" | "fatal_error" | "service_unavailable" | "request_timeout") {
            return Err((SlackError::Status(503), None));
        }
        let is_limit = matches!(answer.error.as_str(), "ratelimited" | "rate_limited");
        let wait = is_limit.then(|| wait.unwrap_or(Duration::from_secs(1)));
        let advice = advice(&answer, channel);
        Err((SlackError::Refused { error: answer.error, advice }, wait))
    }
}
