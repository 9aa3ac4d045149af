//! GitHub's OIDC provider: a fresh token for each credential
//! (<https://docs.github.com/en/actions/reference/security/oidc>).

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use super::http::cause;
use crate::config::runner::OidcRequest;

/// What AWS expects as the token's audience.
pub const AUDIENCE: &str = "sts.amazonaws.com";
const TRIES: u32 = 4;

/// A token, and what it says of itself.
#[derive(Clone)]
pub struct Token {
    /// The JWT.
    pub jwt: String,
    /// Its claims, for messages.
    pub claims: Claims,
}

/// The claims that a trust policy looks at.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
pub struct Claims {
    /// `sub`.
    #[serde(default)]
    pub sub: String,
    /// `aud`.
    #[serde(default)]
    pub aud: String,
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum OidcError {
    /// No answer.
    #[error("GitHub's token endpoint did not answer: {0}")]
    Unreachable(String),
    /// Another status than 200.
    #[error("GitHub's token endpoint answered {0}")]
    Status(u16),
    /// No `value` in it.
    #[error("GitHub's token endpoint answered without a token")]
    NoToken,
}

#[derive(Deserialize)]
struct Answer {
    value: Option<String>,
}

/// Fetches a token for AWS. It lives about five minutes: fetch one for each use.
///
/// # Errors
/// `OidcError` after four tries at a passing fault.
pub async fn fetch(http: &reqwest::Client, request: &OidcRequest) -> Result<Token, OidcError> {
    let separator = if request.url.contains('?') { '&' } else { '?' };
    let url = format!("{}{separator}audience={AUDIENCE}", request.url);
    let mut tried = 0;
    loop {
        tried += 1;
        let error = match attempt(http, &url, &request.token).await {
            Ok(token) => return Ok(token),
            Err(error @ (OidcError::Unreachable(_) | OidcError::Status(429 | 500..))) if tried < TRIES => error,
            Err(error) => return Err(error),
        };
        tracing::debug!(%error, tried, "fetching the OIDC token again");
        tokio::time::sleep(Duration::from_millis(200 * u64::from(tried) + fastrand::u64(..100))).await;
    }
}

async fn attempt(http: &reqwest::Client, url: &str, token: &str) -> Result<Token, OidcError> {
    let answer = http.get(url).bearer_auth(token).send().await.map_err(|error| OidcError::Unreachable(cause(&error)))?;
    if !answer.status().is_success() {
        return Err(OidcError::Status(answer.status().as_u16()));
    }
    let jwt = answer.json::<Answer>().await.ok().and_then(|answer| answer.value).ok_or(OidcError::NoToken)?;
    Ok(Token { claims: claims(&jwt), jwt })
}

/// Reads the claims without checking the signature: they are only shown. Unreadable ones are empty.
fn claims(jwt: &str) -> Claims {
    let payload = jwt.split('.').nth(1).and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
    payload.and_then(|json| serde_json::from_slice(&json).ok()).unwrap_or_default()
}
