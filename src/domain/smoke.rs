//! Whether a service's own answer is the answer of what we deployed (CONTRACT 5.13).

use std::time::Duration;

use serde_json::Value;

use super::names::{Digest, Revision};
use super::service::Health;
use super::tag::ReleaseTag;

/// Shorter commit prefixes name too many commits.
const SHORTEST_COMMIT: usize = 7;

/// Under which names the deployed image may call itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accepted {
    /// Versions without `v`: every release tag of the digest.
    pub versions: Vec<String>,
    /// Commits: every `sha-` tag of the digest.
    pub commits: Vec<Revision>,
}

impl Accepted {
    /// Reads the names from an image's tags.
    pub fn from_tags<'a>(tags: impl IntoIterator<Item = &'a str>) -> Self {
        let mut accepted = Self::default();
        for tag in tags {
            if let Ok(release) = ReleaseTag::parse(tag) {
                accepted.versions.push(release.version());
            } else if let Some(commit) = tag.strip_prefix("sha-") {
                accepted.commits.push(commit.into());
            }
        }
        accepted
    }

    /// Nobody knows how the image calls itself.
    pub fn is_empty(&self) -> bool {
        self.versions.is_empty() && self.commits.is_empty()
    }

    fn holds(&self, reported: &str) -> bool {
        let version = reported.strip_prefix('v').unwrap_or(reported);
        let is_commit = reported.len() >= SHORTEST_COMMIT;
        self.versions.iter().any(|known| known == version)
            || (is_commit && self.commits.iter().any(|commit| commit.as_str().starts_with(reported)))
    }
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// An HTTP answer.
    Http {
        /// Its status.
        status: u16,
        /// Its body, cut.
        body: String,
    },
    /// None: refused, timed out, no such name.
    Unreachable(String),
}

/// What the answer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opinion {
    /// What we deployed, and well.
    Well,
    /// Well, but another version.
    WrongVersion(String),
    /// Not well, in words.
    Unwell(String),
}

/// Reads one answer.
pub fn judge(health: &Health, accepted: &Accepted, answer: &Answer) -> Opinion {
    let (status, body) = match answer {
        Answer::Unreachable(why) => return Opinion::Unwell(format!("no answer: {why}")),
        Answer::Http { status, body } => (*status, body),
    };
    if status != health.expect_status {
        return Opinion::Unwell(format!("answered {status}, expected {}", health.expect_status));
    }
    let Some(field) = &health.version_field else { return Opinion::Well };
    match version_in(body, field) {
        Some(version) if accepted.holds(&version) => Opinion::Well,
        Some(version) => Opinion::WrongVersion(version),
        None => Opinion::Unwell(format!("answered {status}, but its body has no field `{field}`")),
    }
}

fn version_in(body: &str, field: &str) -> Option<String> {
    let json: Value = serde_json::from_str(body).ok()?;
    match field.split('.').try_fold(&json, |value, key| value.get(key))? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// How long a service has been failing, and how long it may: a wrong version while older tasks may still answer is free.
#[derive(Clone, Debug)]
pub struct Patience {
    left: Duration,
}

impl Patience {
    /// `DEPLOY_SMOKE_TIMEOUT_SECONDS`.
    pub fn new(left: Duration) -> Self {
        Self { left }
    }

    /// Takes the time since the last answer off; true while some is left.
    pub fn spend(&mut self, opinion: &Opinion, older_may_answer: bool, time: Duration) -> bool {
        let free = older_may_answer && matches!(opinion, Opinion::WrongVersion(_));
        if !free {
            self.left = self.left.saturating_sub(time);
        }
        free || !self.left.is_zero()
    }
}

/// What to tell of an image's version: a release tag of it, else its digest.
pub fn display_version(accepted: &Accepted, digest: &Digest) -> String {
    accepted.versions.last().cloned().unwrap_or_else(|| digest.short().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::service::HealthTarget;

    fn health(field: Option<&str>) -> Health {
        Health { target: HealthTarget::Path("/health".into()), expect_status: 200, version_field: field.map(str::to_owned) }
    }

    fn opinion(field: Option<&str>, status: u16, body: &str) -> Opinion {
        let accepted = Accepted::from_tags(["v2.16.0-dev", "v2.16.0", "sha-3f2c1e9aabbccdd", "tree-11", "passed-dev-2.16.0"]);
        judge(&health(field), &accepted, &Answer::Http { status, body: body.into() })
    }

    #[test]
    fn every_name_of_the_digest_is_right() {
        for version in ["v2.16.0-dev", "2.16.0-dev", "2.16.0", "3f2c1e9", "3f2c1e9aabb"] {
            assert_eq!(opinion(Some("version"), 200, &format!(r#"{{"version":"{version}"}}"#)), Opinion::Well, "{version}");
        }
        for version in ["2.15.0", "3f2c1e", "f2c1e9a", "", "v"] {
            let wrong = Opinion::WrongVersion(version.into());
            assert_eq!(opinion(Some("version"), 200, &format!(r#"{{"version":"{version}"}}"#)), wrong);
        }
        assert_eq!(opinion(Some("build.version"), 200, r#"{"build":{"version":"2.16.0"}}"#), Opinion::Well);
    }

    #[test]
    fn status_and_field_are_asked_for() {
        assert_eq!(opinion(None, 200, "ok"), Opinion::Well);
        assert_eq!(opinion(None, 500, ""), Opinion::Unwell("answered 500, expected 200".into()));
        assert!(matches!(opinion(Some("version"), 200, "ok"), Opinion::Unwell(text) if text.contains("no field `version`")));
    }

    #[test]
    fn only_a_wrong_version_from_older_tasks_is_free() {
        let second = Duration::from_secs(1);
        let wrong = Opinion::WrongVersion("1".into());
        let mut patience = Patience::new(2 * second);
        assert!((0..99).all(|_| patience.spend(&wrong, true, second)));
        assert!(patience.spend(&Opinion::Unwell(String::new()), true, second));
        assert!(!patience.spend(&wrong, false, second));
    }
}
