//! The release's tag, and the environment that it means (CONTRACT 3).

use std::fmt;

use serde::{Deserialize, Serialize};

use super::text::cut;

/// What the tag convention says, printed with every refusal.
pub const TABLE: &str = "  tag                        deploys to
  v2.16.0-dev, v2.16.0-x-dev dev
  v2.16.0-stg, v2.16.0-x-stg staging
  v2.16.0                    prod";

/// In characters; an image tag has 128 at most.
const LONGEST: usize = 100;

/// A tag that names a release: `v` and a semantic version without build metadata.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReleaseTag {
    version: semver::Version,
}

/// Why a text is no release tag.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TagError {
    /// No `v` in front.
    #[error("tag `{0}` does not begin with `v`")]
    NoV(String),
    /// Not a semantic version: <https://semver.org/#semantic-versioning-specification-semver>.
    #[error("tag `{tag}` is not `v` and a semantic version: {why}")]
    NotSemver {
        /// The tag as given.
        tag: String,
        /// What the parser says.
        why: String,
    },
    /// `+build` can't be part of an image tag.
    #[error("tag `{0}` has build metadata (`+…`), which an image tag can't hold")]
    BuildMetadata(String),
    /// Longer than what a registry can hold together with `passed-<environment>-`
    /// (128 characters: <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_ImageIdentifier.html>).
    #[error("tag `{0}` is longer than {LONGEST} characters, and an image tag must hold it with more in front")]
    TooLong(String),
    /// Nothing in the table.
    #[error("tag `{tag}` means no environment: its pre-release is `{pre}`, not `dev`, `…-dev`, `stg` or `…-stg`")]
    NoEnvironment {
        /// The tag as given.
        tag: String,
        /// Its pre-release part.
        pre: String,
    },
}

impl ReleaseTag {
    /// Reads a tag.
    ///
    /// # Errors
    /// `TagError` when it is not `v` + semantic version, or has build metadata.
    pub fn parse(text: &str) -> Result<Self, TagError> {
        let bare = text.strip_prefix('v').ok_or_else(|| TagError::NoV(shown(text)))?;
        let version = semver::Version::parse(bare).map_err(|error| TagError::NotSemver { tag: shown(text), why: error.to_string() })?;
        if !version.build.is_empty() {
            return Err(TagError::BuildMetadata(shown(text)));
        }
        if text.len() > LONGEST {
            return Err(TagError::TooLong(shown(text)));
        }
        Ok(Self { version })
    }

    /// The environment that the tag's suffix means; none where it means none.
    ///
    /// # Errors
    /// `TagError::NoEnvironment` for any other pre-release: a typing error must never reach production.
    pub fn environment(&self) -> Result<&'static str, TagError> {
        let pre = self.version.pre.as_str();
        let is = |suffix: &str| pre == suffix || pre.strip_suffix(suffix).is_some_and(|head| head.ends_with('-'));
        match pre {
            "" => Ok("prod"),
            _ if is("dev") => Ok("dev"),
            _ if is("stg") => Ok("staging"),
            _ => Err(TagError::NoEnvironment { tag: shown(&self.to_string()), pre: shown(pre) }),
        }
    }

    /// The kind of release: what stands behind the last dash of its pre-release, `dev` or `stg` for one; empty for production.
    pub fn kind(&self) -> &str {
        let pre = self.version.pre.as_str();
        pre.rsplit('-').next().unwrap_or(pre)
    }

    /// The version without `v`.
    pub fn version(&self) -> String {
        self.version.to_string()
    }
}

impl fmt::Display for ReleaseTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{}", self.version)
    }
}

impl Serialize for ReleaseTag {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ReleaseTag {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// As much of a wrong tag as a person reads.
fn shown(text: &str) -> String {
    cut(text, 200)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn environment(tag: &str) -> Result<&'static str, TagError> {
        ReleaseTag::parse(tag)?.environment()
    }

    #[test]
    fn suffixes_choose_the_environment() {
        for (tag, expected) in [
            ("v2.16.0-dev", "dev"),
            ("v2.16.0-rc.1-dev", "dev"),
            ("v2.16.0-hotfix-dev", "dev"),
            ("v2.16.0-stg", "staging"),
            ("v2.16.0-rc1-stg", "staging"),
            ("v2.16.0", "prod"),
        ] {
            assert_eq!(environment(tag), Ok(expected), "{tag}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for tag in [
            "v1.2",
            "v2.16.0-dve",
            "v2.16.0+build",
            "2.16.0",
            "v02.1.0",
            "v2.16.0-DEV",
            "v2.16.0-predev",
            "v2.16.0-dev.1",
            "v2.16.0-",
            "v",
            "",
            "v2.16.0-stgs",
            "vv2.16.0",
            " v2.16.0",
            "v2.16.0 ",
            "v2.16.0-dev+x",
            "v2.16.0-stg.dev",
        ] {
            assert!(environment(tag).is_err(), "{tag}");
        }
    }

    proptest! {
        #[test]
        fn only_a_bare_version_reaches_production(pre in "[0-9A-Za-z.-]{1,12}") {
            let tag = format!("v1.2.3-{pre}");
            prop_assert_ne!(environment(&tag), Ok("prod"));
        }

        #[test]
        fn a_tag_survives_being_printed(major in 0u64..99, minor in 0u64..99, patch in 0u64..99) {
            let text = format!("v{major}.{minor}.{patch}-dev");
            prop_assert_eq!(ReleaseTag::parse(&text).map(|tag| tag.to_string()), Ok(text));
        }
    }
}
