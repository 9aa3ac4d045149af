use proptest::prelude::*;

use super::super::names::Revision;
use super::super::notes::{Commit, Numbering};
use super::*;

fn facts(messages: &[&str]) -> Vec<Fact> {
    let commit = |message: &&str| Commit {
        revision: Revision::new("0123456789abcdef0123456789abcdef01234567"),
        message: (*message).to_owned(),
        author: None,
    };
    Numbering::default().facts("o/r", &[], messages.iter().map(commit)).0
}

fn answer(sentences: &[(&str, &str)]) -> Answer {
    let raw = |(id, text): &(&str, &str)| RawSentence { id: (*id).into(), category: "fix".into(), sentence: (*text).into() };
    Answer { sentences: sentences.iter().map(raw).collect() }
}

fn judged(messages: &[&str], sentences: &[(&str, &str)]) -> (Vec<String>, Vec<(Flaw, usize)>) {
    let facts = facts(messages);
    let judged = judge(&facts.iter().collect::<Vec<_>>(), &answer(sentences));
    (judged.accepted.keys().map(ToString::to_string).collect(), judged.dropped.into_iter().collect())
}

#[test]
fn a_fair_answer_passes() {
    let messages = ["feat: export reports to CSV (#12)", "fix: cache 250 entries", "fix: retry on timeouts"];
    let sentences = [
        ("c1", "Reports can be exported as CSV files."),
        ("c2", "Caching now holds 250 entries."),
        ("c3", "Requests that time out are tried again: retries come after a pause."),
    ];
    assert_eq!(judged(&messages, &sentences), (vec!["c1".into(), "c2".into(), "c3".into()], vec![]));
}

#[test]
fn each_commit_gets_its_own_sentence_or_none() {
    let messages = ["fix: login fails", "fix: export fails", "fix: import fails"];
    let same = "Login and export work.";
    assert_eq!(judged(&messages, &[("c1", same), ("c2", "login and  EXPORT work!")]).1, [(Flaw::Missing, 1), (Flaw::Duplicate, 2)]);
    assert_eq!(
        judged(&messages, &[("c1", "Login works."), ("c1", "Login works again."), ("c9", "x"), ("1", "x"), ("c2", "Export works.")]),
        (vec!["c2".into()], vec![(Flaw::UnknownId, 2), (Flaw::Missing, 1), (Flaw::Repeated, 1)])
    );
}

#[test]
fn sentences_that_are_the_same_in_two_batches_go_too() {
    let all = facts(&["fix: login fails", "fix: login slow"]);
    let one = judge(&[&all[0]], &answer(&[("c1", "Login is better.")]));
    let two = judge(&[&all[1]], &answer(&[("c2", "Login is better.")]));
    let joined = Judged::join([one, two]);
    assert!(joined.accepted.is_empty());
    assert_eq!(joined.words().as_deref(), Some("2 the same as another's"));
}

#[test]
fn no_link_mention_markup_or_invention_passes() {
    let long = format!("Login {}", "x".repeat(LONGEST));
    for (text, flaw) in [
        ("", Flaw::Empty),
        ("   ", Flaw::Empty),
        (long.as_str(), Flaw::TooLong),
        ("Login works.\nSecond line", Flaw::Unseen),
        ("Login \u{202e}works", Flaw::Unseen),
        ("Login wor\u{200b}ks", Flaw::Unseen),
        ("\u{1b}[31mLogin works", Flaw::Unseen),
        ("Login with ghp_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa works", Flaw::Credential),
        ("Login at https://evil.example works", Flaw::Link),
        ("Login at www.evil.example works", Flaw::Link),
        ("Login at evil.example/now works", Flaw::Link),
        ("Login at evil.com works", Flaw::Link),
        ("Login by javascript:alert works", Flaw::Link),
        ("Login of @everyone works", Flaw::Mention),
        ("Login <!channel> works", Flaw::Markup),
        ("Login <b>works</b>", Flaw::Markup),
        ("Login &lt;works", Flaw::Markup),
        ("Login `works`", Flaw::Markup),
        ("Login [works](x)", Flaw::Markup),
        ("# Login works", Flaw::Markup),
        ("::error::Login works", Flaw::Markup),
        ("##[error]Login works", Flaw::Markup),
        ("Login ${{ secrets }} works", Flaw::Markup),
        ("Login works for 4711 accounts", Flaw::Number),
        ("Login works since 2.16", Flaw::Number),
        ("All data will be deleted tomorrow", Flaw::Unrelated),
        ("This is what users should do with that", Flaw::Unrelated),
    ] {
        assert_eq!(judged(&["fix: login fails for users with that name"], &[("c1", text)]).1, [(flaw, 1)], "{text:?}");
    }
}

#[test]
fn stems_are_enough_and_prefixes_are_not() {
    for (title, sentence, expected) in [
        ("fix: caching", "The cache works", true),
        ("fix: retries", "It will retry", true),
        ("feat: exportCsv endpoint", "Data can be exported", true),
        ("fix: internal", "The interface works", false),
        ("fix: NPE", "A crash is gone", false),
        ("fix: überprüfung", "Die Überprüfungen laufen", true),
    ] {
        assert_eq!(judged(&[title], &[("c1", sentence)]).1.is_empty(), expected, "{title}: {sentence}");
    }
}

#[test]
fn an_unknown_category_is_none() {
    let facts = facts(&["fix: login"]);
    let raw = RawSentence { id: "c1".into(), category: "Feature".into(), sentence: "Login works".into() };
    let judged = judge(&[&facts[0]], &Answer { sentences: vec![raw] });
    assert_eq!(judged.dropped, BTreeMap::from([(Flaw::Category, 1)]));
}

proptest! {
    #[test]
    fn what_passes_is_one_line_of_plain_text(text in "(login |works |@|<!|https://|www\\.|x\\.y/|`|\\[|\\]\\(|#|::|[0-9]{1,3}|\\PC{0,6}|[\u{200b}\u{202e}\n]){0,10}") {
        let facts = facts(&["fix: login works"]);
        for sentence in judge(&[&facts[0]], &answer(&[("c1", &text)])).accepted.values() {
            let text = &sentence.text;
            prop_assert!(!["@", "<", "`", "[", "]", "#", "::", "://", "www.", "\n"].iter().any(|sign| text.contains(sign)), "{text:?}");
            prop_assert_eq!(&clean(text), text);
            prop_assert!(text.chars().count() <= LONGEST && text.to_lowercase().contains("login") || text.to_lowercase().contains("work"));
        }
    }
}
