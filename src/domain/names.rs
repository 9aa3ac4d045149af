//! Names that must not be mixed up: each is its own type, so that a digest can't be passed where a tag belongs.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Wraps the text as it is; whoever reads it from outside checks it first.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }
    };
}

name!(
    /// A service of `services/<name>.yml`.
    ServiceName
);
name!(
    /// A service as ECS calls it.
    EcsServiceName
);
name!(
    /// An ECR repository.
    EcrRepository
);
name!(
    /// An image's content address, `sha256:…`.
    Digest
);
name!(
    /// A git commit.
    Revision
);
name!(
    /// An ECS deployment's id, `ecs-svc/<19 digits>`. Not unique in time: a rollback re-promotes the old one.
    DeploymentId
);
name!(
    /// The ARN of one revision of a task definition.
    DefinitionArn
);

impl Digest {
    /// Enough to recognise it by: `sha256:` and twelve digits.
    pub fn short(&self) -> &str {
        self.0.get(..19).unwrap_or(&self.0)
    }
}

impl Revision {
    /// Enough to recognise it by: seven digits.
    pub fn short(&self) -> &str {
        self.0.get(..7).unwrap_or(&self.0)
    }
}

impl DefinitionArn {
    /// `family:revision`, the part a person reads.
    pub fn short(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }
}

/// The known name nearest to a mistyped one, where one is near enough to be meant.
pub fn nearest<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wrong = wrong.to_lowercase();
    known
        .into_iter()
        .map(|name| (strsim::jaro_winkler(&wrong, &name.to_lowercase()), name))
        .filter(|(likeness, _)| *likeness > 0.78)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typing_error_finds_the_name_that_was_meant() {
        let known = ["gateway", "asset-store", "playbook-agent"];
        assert_eq!(nearest("gatway", known), Some("gateway"));
        assert_eq!(nearest("assetstore", known), Some("asset-store"));
        assert_eq!(nearest("zebra", known), None);
    }

    #[test]
    fn short_forms_survive_short_texts() {
        assert_eq!(Digest::new("sha256:0123456789abcdef").short(), "sha256:0123456789ab");
        assert_eq!(Digest::new("odd").short(), "odd");
        assert_eq!(Revision::new("3f2c1e9aa").short(), "3f2c1e9");
    }
}
