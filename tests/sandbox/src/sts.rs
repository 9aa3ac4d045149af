//! AWS STS: roles, sessions, and who a request comes from.

use crate::call::Request;
use crate::refusal::Refusal;

/// STS.
#[derive(Debug, Clone)]
pub struct Sts {
    /// Roles and whom they trust.
    pub roles: Vec<Role>,
    /// Sessions so far, expired ones too.
    pub sessions: Vec<Session>,
    /// How long a session holds, in **real** seconds.
    pub lifetime: f64,
    /// Access keys that hold for ever.
    pub static_keys: Vec<String>,
    /// Keys are somebody else's, and each is taken: another AWS gives them out.
    pub takes_any_key: bool,
}

/// A role.
#[derive(Debug, Clone)]
pub struct Role {
    /// `arn:aws:iam::<account>:role/<name>`.
    pub arn: String,
    /// Subjects of tokens that may assume it; `*` stands for any text.
    pub allowed_subs: Vec<String>,
    /// The audience that it demands.
    pub audience: String,
}

/// A session.
#[derive(Debug, Clone)]
pub struct Session {
    /// ARN of the role.
    pub role: String,
    /// The session's name.
    pub session_name: String,
    /// The token's subject, when it came from one.
    pub subject: Option<String>,
    /// Access key.
    pub access_key: String,
    /// Its secret.
    pub secret_key: String,
    /// Session token.
    pub session_token: String,
    /// Its end, in real seconds since the sandbox's start.
    pub expires: f64,
}

impl Sts {
    pub(crate) fn new(account: &str) -> Sts {
        Sts {
            roles: vec![Role {
                arn: format!("arn:aws:iam::{account}:role/escher-github-deploy"),
                allowed_subs: vec!["repo:escher-dbai/v3-escher-deployment:*".to_owned()],
                audience: "sts.amazonaws.com".to_owned(),
            }],
            sessions: Vec::new(),
            lifetime: 3600.0,
            static_keys: vec!["AKIASANDBOXSTATIC".to_owned()],
            takes_any_key: false,
        }
    }

    /// The ARN of whoever signed the request. Signatures are not checked, keys are.
    pub(crate) fn caller(&self, request: &Request, party: &str, account: &str, real: f64) -> Result<String, Refusal> {
        let query = matches!(party, "sts" | "elasticloadbalancing");
        let unknown = || {
            let text = "The security token included in the request is invalid.";
            // The query protocol has names and statuses of its own.
            if query { Refusal::new(403, "InvalidClientTokenId", text) } else { Refusal::bad("UnrecognizedClientException", text) }
        };
        let missing = || {
            if query {
                Refusal::new(403, "MissingAuthenticationToken", "Request is missing Authentication Token")
            } else {
                Refusal::bad("MissingAuthenticationTokenException", "Missing Authentication Token")
            }
        };
        let key = access_key(request).ok_or_else(missing)?;
        if self.takes_any_key || self.static_keys.iter().any(|known| known == key) {
            return Ok(format!("arn:aws:iam::{account}:user/sandbox"));
        }
        let token = request.header("x-amz-security-token").unwrap_or_default();
        let session = self.sessions.iter().find(|it| it.access_key == key && it.session_token == token).ok_or_else(unknown)?;
        if real >= session.expires {
            let text = "The security token included in the request is expired";
            return Err(if query { Refusal::new(403, "ExpiredToken", text) } else { Refusal::bad("ExpiredTokenException", text) });
        }
        Ok(session.arn())
    }
}

impl Session {
    /// `arn:aws:sts::<account>:assumed-role/<role>/<session>`.
    pub fn arn(&self) -> String {
        let account = self.role.split(':').nth(4).unwrap_or_default();
        let role = self.role.rsplit('/').next().unwrap_or_default();
        format!("arn:aws:sts::{account}:assumed-role/{role}/{}", self.session_name)
    }
}

/// `AWS4-HMAC-SHA256 Credential=<key>/<date>/…`.
fn access_key(request: &Request) -> Option<&str> {
    let rest = request.header("authorization")?.strip_prefix("AWS4-HMAC-SHA256 ")?;
    rest.split("Credential=").nth(1)?.split('/').next()
}

/// Whether the text fits a pattern in which `*` stands for any text.
pub(crate) fn fits(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((head, rest)) => {
            text.strip_prefix(head).is_some_and(|tail| (0..=tail.len()).any(|at| tail.is_char_boundary(at) && fits(rest, &tail[at..])))
        }
    }
}
