//! The deploy role: assumed with the runner's OIDC token, and again with a fresh token before the credentials expire.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, future};
use aws_sdk_sts::error::ProvideErrorMetadata;

use super::console::Masks;
use super::oidc::{self, Claims, OidcError};
use crate::config::runner::OidcRequest;

/// Credentials are renewed this long before they expire: longer than any one call with its retries.
const RENEW_BEFORE: Duration = Duration::from_secs(300);

/// Assumes the role.
#[derive(Clone)]
pub struct Role {
    /// Its ARN.
    pub arn: String,
    /// `github-<run_id>`.
    pub session: String,
    /// Where the token comes from.
    pub oidc: OidcRequest,
    /// For the token.
    pub http: reqwest::Client,
    /// STS, without credentials.
    pub sts: aws_sdk_sts::Client,
    /// Everything that must not be seen.
    pub masks: Masks,
}

/// Why the role was not assumed.
#[derive(Debug, thiserror::Error)]
pub enum RoleError {
    /// No token.
    #[error(transparent)]
    Oidc(#[from] OidcError),
    /// STS refused.
    #[error("{code}: {message}")]
    Refused {
        /// STS's code.
        code: String,
        /// STS's message.
        message: String,
        /// What the token said.
        claims: Claims,
    },
    /// STS gave no answer, or none of its own.
    #[error("STS did not answer: {0}")]
    Silent(String),
    /// STS answered without credentials.
    #[error("STS answered without credentials")]
    Empty,
}

impl Role {
    /// Fetches a token and assumes the role with it.
    ///
    /// # Errors
    /// `RoleError`; the SDK has retried what passes.
    pub async fn assume(&self) -> Result<Credentials, RoleError> {
        self.assume_with(oidc::fetch(&self.http, &self.oidc).await?).await
    }

    /// Assumes the role with a token.
    ///
    /// # Errors
    /// `RoleError`; the SDK has retried what passes.
    pub async fn assume_with(&self, token: oidc::Token) -> Result<Credentials, RoleError> {
        self.masks.add(&token.jwt);
        let request = self.sts.assume_role_with_web_identity();
        let request = request.role_arn(&self.arn).role_session_name(&self.session).web_identity_token(&token.jwt);
        let answer = request.send().await.map_err(|error| match error.code() {
            Some(code) => RoleError::Refused {
                code: code.to_owned(),
                message: error.message().map_or_else(|| super::call::cause(&error), str::to_owned),
                claims: token.claims.clone(),
            },
            None => RoleError::Silent(super::call::cause(&error)),
        })?;
        let given = answer.credentials().ok_or(RoleError::Empty)?;
        self.masks.add(given.secret_access_key());
        self.masks.add(given.session_token());
        let expires = SystemTime::try_from(*given.expiration()).ok().map(|expires| renew_at(super::clock::now(), expires));
        let session = Some(given.session_token().to_owned());
        Ok(Credentials::new(given.access_key_id(), given.secret_access_key(), session, expires, "GitHubOidc"))
    }
}

/// When to assume the role anew: five minutes before the end, or after three quarters of a short life.
fn renew_at(now: SystemTime, expires: SystemTime) -> SystemTime {
    let life = expires.duration_since(now).unwrap_or_default();
    expires - RENEW_BEFORE.min(life / 4)
}

/// A session name that STS takes, `[\w+=,.@-]{2,64}`.
pub fn session_name(run_id: &str) -> String {
    let allowed = |c: char| if c.is_ascii_alphanumeric() || "_+=,.@-".contains(c) { c } else { '-' };
    format!("github-{run_id}").chars().map(allowed).take(64).collect()
}

/// The role as the SDK's source of credentials; the first ones were fetched before, so that a refusal has words of its own.
pub struct RoleProvider {
    role: Role,
    first: Arc<Mutex<Option<Credentials>>>,
}

impl RoleProvider {
    /// Hands out `first` once, then assumes the role anew each time it is asked.
    pub fn new(role: Role, first: Credentials) -> Self {
        Self { role, first: Arc::new(Mutex::new(Some(first))) }
    }
}

impl fmt::Debug for RoleProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RoleProvider({})", self.role.arn)
    }
}

impl ProvideCredentials for RoleProvider {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let first = self.first.lock().ok().and_then(|mut first| first.take());
        future::ProvideCredentials::new(async move {
            match first {
                Some(credentials) => Ok(credentials),
                None => self.role.assume().await.map_err(CredentialsError::provider_error),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_renewed_before_they_expire_however_short_they_live() {
        let now = SystemTime::UNIX_EPOCH;
        let after = |seconds| renew_at(now, now + Duration::from_secs(seconds)).duration_since(now).map(|time| time.as_secs()).ok();
        assert_eq!((after(3600), after(20), after(0)), (Some(3300), Some(15), Some(0)));
    }

    #[test]
    fn a_session_name_is_what_sts_takes() {
        assert_eq!(session_name("123456789"), "github-123456789");
        assert_eq!(session_name("a b/c"), "github-a-b-c");
        assert_eq!(session_name(&"9".repeat(99)).len(), 64);
    }
}
