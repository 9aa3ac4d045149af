use proptest::prelude::*;

use super::super::credential::looks_like;
use super::*;

fn short(message: &str) -> (Kind, String, Option<u64>) {
    let parsed = parse(message);
    (parsed.kind, parsed.title, parsed.number)
}

#[test]
fn the_prefix_says_what_it_is_about() {
    for (message, kind, title) in [
        ("feat: export to CSV", Kind::Feature, "export to CSV"),
        ("feat(api)!: drop v1", Kind::Feature, "drop v1"),
        ("Fix : a blank before the colon", Kind::Fix, "a blank before the colon"),
        ("FIX(gateway): loud", Kind::Fix, "loud"),
        ("perf: quicker", Kind::Performance, "quicker"),
        ("ci: cache", Kind::Operator, "cache"),
        ("chore(deps): bump serde", Kind::Operator, "bump serde"),
        ("refactor: rename", Kind::Internal, "rename"),
        ("gateway(api): odd type", Kind::Other, "odd type"),
        ("Gateway: no type", Kind::Other, "Gateway: no type"),
        ("see https://example.org", Kind::Other, "see https://example.org"),
        ("feat:no blank", Kind::Feature, "no blank"),
        ("feat:", Kind::Feature, "(no title)"),
        ("", Kind::Other, "(no title)"),
        ("\n\n  fix: late\n", Kind::Fix, "late"),
    ] {
        let parsed = parse(message);
        assert_eq!((parsed.kind, parsed.title.as_str()), (kind, title), "{message:?}");
    }
    assert_eq!(parse("feat(api): x").scope.as_deref(), Some("api"));
    assert_eq!(parse("feat(): x").scope, None);
}

#[test]
fn breaking_is_said_in_front_or_at_the_end() {
    for (message, expected) in [
        ("feat!: x", true),
        ("feat(api)!: x", true),
        ("migrate!: x", true),
        ("fix: x\n\nBREAKING CHANGE: y", true),
        ("fix: x\r\n\r\nBREAKING-CHANGE: y\r\n", true),
        ("fix: x\n\ntoken ghp_aaaaaaaa\nBREAKING CHANGE: y", true),
        ("fix: x\n\nNo BREAKING CHANGE: here", false),
        ("fix: x\n\nbreaking change: in small letters", false),
        ("fix: this is great!", false),
        ("BREAKING CHANGE: in the title", false),
    ] {
        assert_eq!(parse(message).is_breaking, expected, "{message:?}");
    }
}

#[test]
fn the_number_comes_from_the_title_alone() {
    assert_eq!(short("fix: a (#12)"), (Kind::Fix, "a".into(), Some(12)));
    assert_eq!(short("fix: a (#12) (#13)"), (Kind::Fix, "a".into(), Some(13)));
    assert_eq!(short("fix: a (#12) more"), (Kind::Fix, "a (#12) more".into(), None));
    assert_eq!(short("fix: a\n\nCloses #99 (#98)"), (Kind::Fix, "a".into(), None));
    assert_eq!(short("fix: a (#+1)"), (Kind::Fix, "a (#+1)".into(), None));
    assert_eq!(short("fix: a (#99999999999999999999999)").2, None);
    assert_eq!(short("Merge pull request #7 from o/b\n\nfeat: real title (#6)\n\nbody"), (Kind::Feature, "real title".into(), Some(7)));
    assert_eq!(short("Merge pull request #7 from o/b"), (Kind::Other, "Merge pull request #7 from o/b".into(), Some(7)));
    assert!(!parse("Merge pull request #7 from o/b").is_merge_of_branch);
}

#[test]
fn merges_of_branches_are_noise() {
    for message in ["Merge branch 'main' into develop", "Merge remote-tracking branch 'origin/main'", "Merge branches 'a' and 'b'"] {
        assert!(parse(message).is_merge_of_branch, "{message}");
    }
    assert!(!parse("Merge duplicate customers").is_merge_of_branch);
    assert!(!parse("feat: Merge branch offices").is_merge_of_branch);
}

#[test]
fn what_takes_back_says_so() {
    let parsed = parse("Revert \"feat(api): export (#12)\" (#15)\n\nThis reverts commit 1234567.");
    assert!(parsed.reverts);
    assert_eq!((parsed.title.as_str(), parsed.number), ("Revert “export”", Some(15)));
    assert_eq!(parse("revert(api): export").title, "Revert “export”");
    assert!(parse("revert: export").reverts);
    assert!(!parse("feat: revert to an earlier revision").reverts);
}

#[test]
fn nothing_unseen_and_no_credential_is_left() {
    let parsed = parse("fix: \u{202e}drop\u{200b} gh\u{200b}p_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\tnow\n\n\u{1b}[31mxoxb-1234567890-abc");
    assert_eq!(parsed.title, "drop *** now");
    assert_eq!(parsed.body, "***");
    let at_the_limit = format!("fix: {} ghp_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "x".repeat(185));
    assert!(!parse(&at_the_limit).title.contains("ghp_"));
}

#[test]
fn a_huge_message_is_quick_and_cut() {
    let parsed = parse(&format!("feat: {}", "ghp_ eyJ :// AKIA -----BEGIN ".repeat(4_000)));
    assert_eq!(parsed.title.chars().count(), LONGEST_TITLE);
    let parsed = parse(&"é".repeat(60 * 1024));
    assert_eq!(parsed.title.chars().count(), LONGEST_TITLE);
    // Only the pieces before the limit are read: the key at the limit is gone, not halved.
    let parsed = parse(&format!("feat: x\n{} ghp_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", " ".repeat(LONGEST_MESSAGE - 20)));
    assert_eq!(parsed.body, "");
}

proptest! {
    #[test]
    fn any_message_is_harmless(message in "(feat|fix|\\(a\\)|!|: |\\(#[0-9]{1,3}\\)|Revert \"|\"|Merge pull request #1 from|\\PC{0,20}|ghp_[a-zA-Z0-9]{20,36}|[\u{200b}\u{202e}\u{1b}\r\n ]){0,12}") {
        let parsed = parse(&message);
        for text in [&parsed.title, &parsed.body, &parsed.scope.clone().unwrap_or_default()] {
            prop_assert!(!text.contains('\n') && !text.chars().any(char::is_control), "{text:?}");
            prop_assert_eq!(looks_like(text), None, "{:?}", text);
            prop_assert_eq!(&super::super::text::clean(text), text);
        }
        prop_assert!(!parsed.title.is_empty() && parsed.title.chars().count() <= LONGEST_TITLE);
        prop_assert!(parsed.body.chars().count() <= LONGEST_BODY);
    }
}
