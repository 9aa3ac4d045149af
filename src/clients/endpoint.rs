//! A deployed service, asked for its health.

use std::time::Duration;

use super::http::cause;
use crate::domain::smoke::Answer;

/// One answer may take so long; a slow one counts as none.
const TIMEOUT: Duration = Duration::from_secs(5);
/// A health answer is short: what is longer is cut, and then no JSON.
const LONGEST_BODY: usize = 64 * 1024;

/// Asks once.
pub async fn ask(http: &reqwest::Client, url: &str) -> Answer {
    let request = http.get(url).timeout(TIMEOUT).header("cache-control", "no-cache");
    let mut response = match request.send().await {
        Ok(response) => response,
        Err(error) => return Answer::Unreachable(cause(&error)),
    };
    let status = response.status().as_u16();
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        body.extend_from_slice(&chunk);
        if body.len() > LONGEST_BODY {
            break;
        }
    }
    Answer::Http { status, body: String::from_utf8_lossy(&body).into_owned() }
}
