//! Slack's Web API: one message, posted and kept up to date. Every refusal has the words that mend it.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::http::cause;

/// Together, all waits of one call end here.
const PATIENCE: Duration = Duration::from_secs(60);
const TRIES: u32 = 4;

/// A workspace.
#[derive(Clone)]
pub struct Slack {
    http: reqwest::Client,
    url: String,
    token: String,
}

/// A message that was posted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posted {
    /// The channel's id: `chat.update` takes no names.
    pub channel: String,
    /// The message's name.
    pub ts: String,
}

/// Why Slack did not take a message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SlackError {
    /// `{"ok":false,"error":…}`
    #[error("{error}{}", advice(.error, .needed))]
    Refused {
        /// Slack's word.
        error: String,
        /// The scope that is missing.
        needed: Option<String>,
    },
    /// Another HTTP status than 200.
    #[error("answered {0}")]
    Status(u16),
    /// No answer.
    #[error("did not answer: {why}")]
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

fn unreachable(error: &reqwest::Error) -> SlackError {
    SlackError::Unreachable { why: cause(error), maybe_sent: !error.is_connect() }
}

fn advice(error: &str, needed: &Option<String>) -> String {
    let words = match error {
        "invalid_auth" | "not_authed" | "account_inactive" | "token_revoked" | "token_expired" => {
            "the bot token is wrong or no longer valid: renew the secret SLACK_BOT_TOKEN"
        }
        "missing_scope" => {
            return format!(": the bot lacks the scope `{}`: add it and install the app again", needed.as_deref().unwrap_or("chat:write"));
        }
        "channel_not_found" => "no such channel, or a private one without the bot: correct DEPLOY_SLACK_CHANNEL, or /invite the bot",
        "not_in_channel" => "the bot is not in the channel: /invite it",
        "is_archived" => "the channel is archived: correct DEPLOY_SLACK_CHANNEL",
        _ => return String::new(),
    };
    format!(": {words}")
}

#[derive(Deserialize)]
struct Answer {
    ok: bool,
    #[serde(default)]
    error: String,
    needed: Option<String>,
    #[serde(default)]
    channel: String,
    #[serde(default)]
    ts: String,
}

impl Slack {
    /// The workspace's client.
    pub fn new(http: reqwest::Client, url: &str, token: &str) -> Self {
        Self { http, url: url.to_owned(), token: token.to_owned() }
    }

    /// Posts a message, in a thread where one is given. An answer that was lost is not asked for again: better none than two.
    ///
    /// # Errors
    /// `SlackError`.
    pub async fn post(&self, channel: &str, text: &str, blocks: &[Value]) -> Result<Posted, SlackError> {
        let body = json!({"channel": channel, "text": text, "blocks": blocks, "unfurl_links": false, "unfurl_media": false});
        self.call("chat.postMessage", &body, false).await
    }

    /// Replaces a message.
    ///
    /// # Errors
    /// `SlackError`.
    pub async fn update(&self, posted: &Posted, text: &str, blocks: &[Value]) -> Result<Posted, SlackError> {
        let body = json!({"channel": posted.channel, "ts": posted.ts, "text": text, "blocks": blocks});
        self.call("chat.update", &body, true).await
    }

    /// Asks whether the token is good.
    ///
    /// # Errors
    /// `SlackError`.
    pub async fn check(&self) -> Result<(), SlackError> {
        self.call("auth.test", &json!({}), true).await.map(|_| ())
    }

    async fn call(&self, method: &str, body: &Value, may_repeat: bool) -> Result<Posted, SlackError> {
        let started = Instant::now();
        let mut tried = 0;
        loop {
            tried += 1;
            let (error, wait) = match self.attempt(method, body).await {
                Ok(posted) => return Ok(posted),
                // Told to come back later, so it certainly was not posted.
                Err((error, Some(wait))) => (error, wait),
                Err((error @ (SlackError::Unreachable { .. } | SlackError::Status(500..)), None)) if may_repeat && tried < TRIES => {
                    (error, Duration::from_millis(500 << tried))
                }
                Err((error, None)) => return Err(error),
            };
            if started.elapsed() + wait > PATIENCE {
                return Err(error);
            }
            tokio::time::sleep(wait).await;
        }
    }

    async fn attempt(&self, method: &str, body: &Value) -> Result<Posted, (SlackError, Option<Duration>)> {
        let request = self.http.post(format!("{}/{method}", self.url)).bearer_auth(&self.token).json(body);
        let response = request.send().await.map_err(|error| (unreachable(&error), None))?;
        let status = response.status().as_u16();
        let told = response.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
        let wait = told.map(|seconds: u64| Duration::from_secs(seconds.min(3600)));
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
        let is_limit = matches!(answer.error.as_str(), "ratelimited" | "rate_limited");
        let wait = is_limit.then(|| wait.unwrap_or(Duration::from_secs(1)));
        Err((SlackError::Refused { error: answer.error, needed: answer.needed }, wait))
    }
}
