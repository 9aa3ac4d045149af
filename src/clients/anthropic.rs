//! Claude, through Anthropic's Messages API (<https://platform.claude.com/docs/en/api/messages>): asked for sentences, without tools,
//! without sampling parameters and without a prefilled answer, which newer models refuse.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::header::HeaderValue;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::http::cause;
use crate::domain::credential::harmless;
use crate::domain::notes_prompt::Prompt;
use crate::domain::sentence::Answer;
use crate::domain::text::one_line;

/// Where it is, unless `ANTHROPIC_BASE_URL` says otherwise.
pub const API: &str = "https://api.anthropic.com";
/// The version of the API that this file speaks (<https://platform.claude.com/docs/en/api/versioning>).
const VERSION: &str = "2023-06-01";
/// Fifty sentences take a model the better part of a minute.
const TIMEOUT: Duration = Duration::from_secs(90);
/// Room for fifty sentences, and for a model that thinks before it writes: that counts, too.
const MOST_TOKENS: u32 = 16_000;
const TRIES: u32 = 3;
/// Nobody waits longer for release notes.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// A longer answer is none.
const LONGEST_ANSWER: usize = 1024 * 1024;

/// The API, with a key.
#[derive(Clone)]
pub struct Anthropic {
    http: reqwest::Client,
    url: String,
    key: HeaderValue,
    /// The model that answered: the next request begins with it.
    known: Arc<Mutex<Option<String>>>,
}

impl std::fmt::Debug for Anthropic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Anthropic")
    }
}

/// An answer and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// The model.
    pub model: String,
    /// What it said; not yet judged.
    pub answer: Answer,
}

/// Why there are no sentences.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnthropicError {
    /// A key with characters that no header takes.
    #[error("the key holds a line break or another character that no key has: correct the secret that DEPLOY_ANTHROPIC_SECRET names")]
    Key,
    /// Another status than 200.
    #[error("Anthropic answered {status}{message}{advice}", message = in_brackets(.message), advice = advice(*.status))]
    Status {
        /// The status.
        status: u16,
        /// What the API says about it, made harmless.
        message: String,
    },
    /// Every model got 404.
    #[error("Anthropic knows none of the models {0}: correct DEPLOY_NOTES_MODELS, or ANTHROPIC_BASE_URL if that is set")]
    NoModel(String),
    /// No answer.
    #[error("Anthropic did not answer: {0}")]
    Unreachable(String),
    /// The model did not end by itself: it refused, or ran out of room.
    #[error("the model stopped with `{0}`")]
    Stopped(String),
    /// Nothing in it that means anything.
    #[error("Anthropic's answer can't be read")]
    Odd,
    /// The time for all requests together is over.
    #[error("there was no time left to ask")]
    Late,
}

fn in_brackets(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(" ({message})") }
}

/// <https://platform.claude.com/docs/en/api/errors>
fn advice(status: u16) -> &'static str {
    match status {
        300..=399 => ": that is no address of the API: correct ANTHROPIC_BASE_URL",
        400 => ": the request was refused as it is; a model that takes no JSON schema does so: see DEPLOY_NOTES_MODELS",
        401 => ": the key is wrong or was revoked: renew it in the secret that DEPLOY_ANTHROPIC_SECRET names",
        402 => ": the account has no credit: see its billing page",
        403 => ": the key may not do this: give it the permission, or put another one into the secret that DEPLOY_ANTHROPIC_SECRET names",
        413 => ": the request was too large",
        429 => ": the account's rate limit is reached",
        529 => ": the API is overloaded",
        _ => "",
    }
}

impl AnthropicError {
    /// The same request may go well a moment later.
    fn is_passing(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::Status { status: 408 | 409 | 429 | 500.., .. })
    }
}

#[derive(Deserialize)]
struct Message {
    stop_reason: Option<String>,
    #[serde(default)]
    content: Vec<Block>,
}

/// A thinking block may come first, and others may be invented: only `text` is read.
#[derive(Deserialize)]
struct Block {
    r#type: String,
    #[serde(default)]
    text: String,
}

impl Anthropic {
    /// The client.
    ///
    /// # Errors
    /// `AnthropicError::Key` for a key that can't be sent.
    pub fn new(http: reqwest::Client, url: &str, key: &str) -> Result<Self, AnthropicError> {
        let mut key = HeaderValue::from_str(key.trim()).map_err(|_| AnthropicError::Key)?;
        key.set_sensitive(true);
        Ok(Self { http, url: url.trim_end_matches('/').to_owned(), key, known: Arc::default() })
    }

    /// Asks the first of the models that the API knows. All tries and waits end at `until`.
    ///
    /// # Errors
    /// `AnthropicError`, after three tries at what passes.
    pub async fn ask(&self, models: &[String], prompt: &Prompt, until: Instant) -> Result<Answered, AnthropicError> {
        let known = self.known.lock().ok().and_then(|known| known.clone());
        // Those before it were not known to the API a moment ago.
        let first = known.and_then(|known| models.iter().position(|model| *model == known)).unwrap_or(0);
        for model in &models[first..] {
            match self.tried(model, prompt, until).await {
                Err(AnthropicError::Status { status: 404, .. }) => tracing::debug!(model, "no such model"),
                Err(error) => return Err(error),
                Ok(answer) => {
                    if let Ok(mut known) = self.known.lock() {
                        *known = Some(model.clone());
                    }
                    return Ok(Answered { model: model.clone(), answer });
                }
            }
        }
        Err(AnthropicError::NoModel(models.join(", ")))
    }

    async fn tried(&self, model: &str, prompt: &Prompt, until: Instant) -> Result<Answer, AnthropicError> {
        let mut tries = 0;
        let mut last = AnthropicError::Late;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(last);
            }
            tries += 1;
            let (error, told) = match self.attempt(model, prompt, left.min(TIMEOUT)).await {
                Ok(answer) => return Ok(answer),
                Err(failed) => failed,
            };
            let wait = told.unwrap_or_else(|| Duration::from_millis((1000 << tries) + fastrand::u64(..500)));
            if !error.is_passing() || tries >= TRIES || wait > LONGEST_WAIT || Instant::now() + wait >= until {
                return Err(error);
            }
            tracing::debug!(%error, tries, "asking Anthropic again");
            last = error;
            tokio::time::sleep(wait).await;
        }
    }

    async fn attempt(&self, model: &str, prompt: &Prompt, timeout: Duration) -> Result<Answer, (AnthropicError, Option<Duration>)> {
        let unreachable = |error: &reqwest::Error| (AnthropicError::Unreachable(cause(error)), None);
        let request = self.http.post(format!("{}/v1/messages", self.url)).timeout(timeout);
        let request = request.header("x-api-key", self.key.clone()).header("anthropic-version", VERSION).json(&body(model, prompt));
        let mut response = request.send().await.map_err(|error| unreachable(&error))?;
        let status = response.status().as_u16();
        let told = response.headers().get("retry-after").and_then(|value| value.to_str().ok()?.trim().parse().ok());
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| unreachable(&error))? {
            bytes.extend_from_slice(&chunk);
            if bytes.len() > LONGEST_ANSWER {
                return Err((AnthropicError::Odd, None));
            }
        }
        if status != 200 {
            return Err((AnthropicError::Status { status, message: self.message(&bytes) }, told.map(Duration::from_secs)));
        }
        read(&bytes).map_err(|error| (error, None))
    }

    /// What an error's body says, without the key, should it be repeated there.
    fn message(&self, bytes: &[u8]) -> String {
        let body: Value = serde_json::from_slice(bytes).unwrap_or_default();
        let text = body["error"]["message"].as_str().unwrap_or_default();
        let key = self.key.to_str().unwrap_or_default();
        let text = if key.is_empty() { text.to_owned() } else { text.replace(key, "***") };
        one_line(&harmless(&text), 200)
    }
}

fn body(model: &str, prompt: &Prompt) -> Value {
    json!({
        "model": model,
        "max_tokens": MOST_TOKENS,
        "system": prompt.system,
        "messages": [{"role": "user", "content": prompt.user}],
        "output_config": {"format": {"type": "json_schema", "schema": prompt.schema}},
    })
}

/// Only an answer that the model ended itself counts: one that was cut or refused may look whole.
fn read(bytes: &[u8]) -> Result<Answer, AnthropicError> {
    let message: Message = serde_json::from_slice(bytes).map_err(|_| AnthropicError::Odd)?;
    match message.stop_reason.as_deref() {
        Some("end_turn") => {}
        other => return Err(AnthropicError::Stopped(one_line(&harmless(other.unwrap_or("nothing")), 40))),
    }
    let text: String = message.content.into_iter().filter(|block| block.r#type == "text").map(|block| block.text).collect();
    serde_json::from_str(&text).map_err(|_| AnthropicError::Odd)
}

#[cfg(test)]
#[path = "anthropic_tests.rs"]
mod tests;
