//! An image in the registry, and the names that it bears there (CONTRACT 5.3).

use super::names::Digest;

/// An image in the registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// The repository's address, without tag or digest.
    pub uri: String,
    /// Its content address.
    pub digest: Digest,
    /// All its tags.
    pub tags: Vec<String>,
}

/// The tag that says that an image has passed everything in an environment.
pub fn passed_tag(environment: &str, version: &str) -> String {
    format!("passed-{environment}-{version}")
}

/// Whether an image has passed in an environment, with whatever version.
pub fn has_passed(image: &Image, environment: &str) -> bool {
    let prefix = passed_tag(environment, "");
    // `passed-qa-eu-2.1.0` is no pass in `qa`: behind the name stands a version.
    image.tags.iter().filter_map(|tag| tag.strip_prefix(&prefix)).any(|rest| semver::Version::parse(rest).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(tags: &[&str]) -> Image {
        Image { uri: "r".into(), digest: "sha256:new".into(), tags: tags.iter().map(|tag| (*tag).to_owned()).collect() }
    }

    #[test]
    fn passed_means_this_environment_and_a_version() {
        assert!(has_passed(&image(&["passed-staging-2.16.0-stg"]), "staging"));
        for other in ["passed-dev-2.16.0-dev", "passed-staging-eu-2.16.0", "passed-staging-", "v2.16.0-stg"] {
            assert!(!has_passed(&image(&[other]), "staging"), "{other}");
        }
    }
}
