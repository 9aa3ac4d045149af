//! The one HTTP client for everything that isn't AWS.

use std::sync::OnceLock;
use std::time::Duration;

/// Made once: it reads every root certificate of the machine.
static CLIENT: OnceLock<reqwest::Client> = OnceLock::new();

/// The client; connections are kept and shared.
///
/// Redirects are not followed: a health check's 302 is an answer, and no API here redirects.
///
/// # Errors
/// `reqwest::Error` when TLS can't be set up, as on a machine without root certificates.
pub fn client() -> reqwest::Result<reqwest::Client> {
    if let Some(client) = CLIENT.get() {
        return Ok(client.clone());
    }
    let client = reqwest::Client::builder()
        .user_agent(concat!("escher-deploy/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(Duration::from_secs(5))
        .timeout(Duration::from_secs(20))
        .build()?;
    Ok(CLIENT.get_or_init(|| client).clone())
}

/// The innermost cause of a failed request: "connection refused" rather than "error sending request".
pub fn cause(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "timed out".to_owned();
    }
    let mut deepest: &dyn std::error::Error = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    deepest.to_string()
}
