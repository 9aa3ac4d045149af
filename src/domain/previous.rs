//! The release before: what release notes compare with.

use super::tag::ReleaseTag;

/// The release before `tag` among all tags of a repository. What is no release's tag is passed over.
///
/// For production the greatest lower version without a pre-release; for any other kind the greatest lower one of the same kind,
/// else production's.
pub fn previous<'a>(tag: &ReleaseTag, all: impl Iterator<Item = &'a str>) -> Option<ReleaseTag> {
    let lower: Vec<ReleaseTag> = all.filter_map(|text| ReleaseTag::parse(text).ok()).filter(|other| other < tag).collect();
    let greatest = |kind: &str| lower.iter().filter(|other| other.kind() == kind).max().cloned();
    greatest(tag.kind()).or_else(|| greatest(""))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn before(tag: &str, all: &[&str]) -> Option<String> {
        previous(&ReleaseTag::parse(tag).unwrap(), all.iter().copied()).map(|tag| tag.to_string())
    }

    #[test]
    fn each_kind_follows_its_own() {
        let all = [
            "v2.14.0",
            "v2.9.0",
            "v2.15.0",
            "v2.15.1-stg",
            "v2.16.0-stg",
            "v2.16.0-dev",
            "v2.15.9-rc.1-dev",
            "v3.0.0",
            "nightly",
            "v2.15",
            "2.15.5",
            "v2.15.7+build",
            "",
        ];
        assert_eq!(before("v2.16.0", &all).as_deref(), Some("v2.15.0"));
        assert_eq!(before("v2.17.0-stg", &all).as_deref(), Some("v2.16.0-stg"));
        assert_eq!(before("v2.16.0-stg", &all).as_deref(), Some("v2.15.1-stg"));
        assert_eq!(before("v2.16.0-dev", &all).as_deref(), Some("v2.15.9-rc.1-dev"));
        assert_eq!(before("v2.15.1-stg", &all).as_deref(), Some("v2.15.0"), "else production's");
        assert_eq!(before("v2.9.0", &all), None);
        assert_eq!(before("v2.10.0", &all).as_deref(), Some("v2.9.0"), "numbers, not letters");
    }

    proptest! {
        #[test]
        fn it_is_lower_and_of_a_kind_that_counts(
            major in 0u64..3, minor in 0u64..3, suffix in "(|-dev|-stg)",
            all in prop::collection::vec("v[0-3]\\.[0-3]\\.0(-dev|-stg|)|\\PC{0,6}", 0..20),
        ) {
            let tag = ReleaseTag::parse(&format!("v{major}.{minor}.0{suffix}")).unwrap();
            if let Some(found) = previous(&tag, all.iter().map(String::as_str)) {
                prop_assert!(found < tag);
                prop_assert!(found.kind() == tag.kind() || found.kind().is_empty());
                prop_assert!(all.contains(&found.to_string()));
            }
        }
    }
}
