//! Tags, commit messages, and suites' reports.

use crate::domain::commit_message::parse;
use crate::domain::credential::{harmless, looks_like};
use crate::domain::junit::read;
use crate::domain::tag::ReleaseTag;
use crate::domain::text::{clean, flat};

/// A tag that is read survives being printed, and only a bare version means production.
pub fn tag(text: &str) {
    let Ok(tag) = ReleaseTag::parse(text) else { return };
    assert_eq!(tag.to_string(), text, "what is read is what was given");
    assert_eq!(tag.version(), text[1..]);
    assert!(!text.contains('+'), "build metadata can't be part of an image tag");
    let numbers = |version: &str| version.split('.').all(|number| number.bytes().all(|byte| byte.is_ascii_digit()));
    match tag.environment() {
        Ok("prod") => assert!(numbers(&text[1..]), "{text} must not reach production"),
        Ok("dev") => assert!(text.ends_with("-dev")),
        Ok("staging") => assert!(text.ends_with("-stg")),
        Ok(other) => panic!("{text} means {other}"),
        Err(error) => assert!(error.to_string().contains(text)),
    }
}

/// What is left of a message holds no credential and nothing that can't be seen.
pub fn commit_message(text: &str) {
    let safe = harmless(text);
    assert_eq!(looks_like(&safe), None, "{safe:?}");
    assert_eq!(looks_like(&flat(&safe)), None, "{safe:?}");
    assert!(!safe.chars().any(|c| c != '\n' && c.is_control()), "{safe:?}");
    let parsed = parse(&safe);
    assert!(!parsed.title.trim().is_empty(), "every commit has a title");
    assert!(!parsed.title.contains('\n') && !parsed.body.contains('\n'));
    for text in [&parsed.title, &parsed.body] {
        assert_eq!(looks_like(text), None, "{text:?}");
    }
    // Read from the raw text, it must not fall over either.
    parse(text);
}

/// A suite's report is read or not; what failed is among what there is, and shows no credential.
pub fn junit(xml: &str) {
    let Some(tests) = read(xml) else { return };
    assert!(tests.failed.len() as u64 <= tests.total, "{tests:?}");
    for job in &tests.failed {
        for text in job.steps.iter().chain([&job.name, &job.conclusion]) {
            assert_eq!(looks_like(&harmless(text)), None);
            assert_eq!(looks_like(&flat(&clean(text))), None, "{text:?}");
        }
    }
}
