use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::notes_console;
use super::super::notes_lines::Counts;
use super::super::text::clean;
use super::*;
use crate::domain::credential::looks_like;
use crate::domain::names::{Revision, ServiceName};
use crate::domain::notes::{Commit, Coverage, Numbering};
use crate::domain::notes_summary::{Category, Sentence, Summary};
use crate::domain::tag::ReleaseTag;

const LINKS: Links<'_> = Links("https://github.com");

fn hostile() -> Vec<String> {
    serde_json::from_str(include_str!("../../tests/hostile/commit_messages.json")).unwrap()
}

fn revision(number: usize) -> Revision {
    Revision::new(format!("{:07x}{:033x}", number + 0x00a0_0000, 0))
}

/// Repositories with these messages; every one complete.
fn notes(repositories: &[(&str, &[String])]) -> Notes {
    let mut numbering = Numbering::default();
    let mut number = 0;
    let repository = |(name, messages): &(&str, &[String])| {
        let commits: Vec<Commit> = messages
            .iter()
            .map(|message| {
                number += 1;
                Commit { revision: revision(number), message: message.clone(), author: Some("dependabot[bot]".to_owned()) }
            })
            .collect();
        let services = [ServiceName::new(name.trim_start_matches("escher-dbai/"))];
        let (facts, left_out) = numbering.facts(name, &services, commits);
        Repository {
            name: (*name).to_owned(),
            services: services.to_vec(),
            base: Some(revision(0x1000)),
            head: Some(revision(0x2000)),
            coverage: Coverage::Complete { total: messages.len() as u64 },
            facts,
            left_out,
        }
    };
    Notes {
        tag: ReleaseTag::parse("v2.16.0").unwrap(),
        previous: Some(ReleaseTag::parse("v2.15.0").unwrap()),
        date: Some("2026-08-01".to_owned()),
        repositories: repositories.iter().map(repository).collect(),
        summary: Summary::plain("no key: DEPLOY_ANTHROPIC_SECRET is not set"),
    }
}

fn owned(messages: &[&str]) -> Vec<String> {
    messages.iter().map(|message| (*message).to_owned()).collect()
}

fn example() -> Notes {
    let gateway = owned(&[
        "feat(api): export reports as CSV (#12)",
        "fix!: login with two factors (#14)\n\nAsks for a second factor.",
        "perf: cache sessions",
        "chore(deps): bump tokio (#15)",
        "docs: typing errors",
        "Merge branch 'main' into develop",
        "Tidy up @alice's <b>things</b> (#16)",
    ]);
    let store = owned(&["feat: keep assets for a year", "feat!: drop the old bucket"]);
    let mut notes = notes(&[("escher-dbai/gateway", &gateway), ("escher-dbai/asset-store", &store)]);
    let id = notes.facts().next().unwrap().id;
    let sentence = Sentence { category: Category::Feature, text: "Reports can be exported as CSV files.".to_owned() };
    notes.summary = Summary::of(8, "claude-sonnet-4-5", BTreeMap::from([(id, sentence)]), "7 sentences missing");
    notes.repositories.push(Repository {
        name: "escher-dbai/autoresolver".to_owned(),
        services: vec![],
        base: None,
        head: None,
        coverage: Coverage::Incomplete { why: "GitHub answered 403: the token may not read the repository".to_owned(), total: None },
        facts: vec![],
        left_out: 0,
    });
    let other = |name: &str, coverage| Repository { name: name.to_owned(), coverage, ..notes.repositories[2].clone() };
    let more = [
        other("escher-dbai/context-engine", Coverage::Rollback { taken_back: 3 }),
        other("escher-dbai/playbook-agent", Coverage::Diverged { total: 0, lacking: 2 }),
        other("escher-dbai/analysis-agent", Coverage::Unchanged),
    ];
    notes.repositories.extend(more);
    notes
}

#[test]
fn a_release_reads_well() {
    insta::assert_snapshot!("body", body(&example(), LINKS));
    insta::assert_snapshot!("console", notes_console::text(&example(), LINKS));
}

#[test]
fn a_first_release_without_a_commit_reads_well() {
    let empty = Notes { previous: None, date: None, repositories: vec![], ..example() };
    insta::assert_snapshot!(body(&empty, LINKS), @r"
    <!-- escher-deploy:begin -->

    **v2.16.0, the first release · no commits**

    <!-- escher-deploy:end -->
    ");
}

#[test]
fn only_our_part_is_replaced() {
    let ours = format!("{BEGIN}\nnew\n{END}");
    for (existing, expected) in [
        ("", ours.clone()),
        (" \r\n", ours.clone()),
        ("By hand.", format!("By hand.\n\n{ours}")),
        ("Before\r\n<!-- escher-deploy:begin -->old<!-- escher-deploy:end -->\r\nAfter", format!("Before\r\n{ours}\r\nAfter")),
        (
            "<!-- escher-deploy:begin --> orphan\n<!-- escher-deploy:begin -->old<!-- escher-deploy:end -->",
            format!("{BEGIN} orphan\n{ours}"),
        ),
        ("<!-- escher-deploy:end --> odd", format!("<!-- escher-deploy:end --> odd\n\n{ours}")),
    ] {
        assert_eq!(merge_body(existing, &ours), expected);
    }
}

#[test]
fn what_a_person_wrote_is_never_cut() {
    let messages: Vec<String> = (0..3000).map(|number| format!("fix: {number} {}", "@".repeat(180))).collect();
    let notes = notes(&[("escher-dbai/gateway", &messages)]);
    for theirs in ["x".repeat(1000), "é".repeat(120_000), "x".repeat(124_999)] {
        let merged = updated(&theirs, &notes, LINKS);
        assert!(merged.starts_with(&theirs));
        assert!(length(&merged) <= LONGEST, "{}", length(&merged));
        let again = updated(&merged, &notes, LINKS);
        assert!(length(&again) <= LONGEST && again.starts_with(&theirs));
        assert_eq!(again.matches(BEGIN).count(), merged.matches(BEGIN).count());
    }
}

/// What holds for every body, whatever the commits say.
fn assert_harmless(notes: &Notes, body: &str) {
    assert!(length(body) <= LONGEST, "{}", length(body));
    assert_eq!(clean(body), body, "control characters or what can't be seen");
    assert_eq!((body.matches(BEGIN).count(), body.matches(END).count()), (1, 1));
    let inner = body.replace(BEGIN, "").replace(END, "");
    // GitHub's reader sees the text without our escapes.
    let read = inner.replace("&#8203;", "").replace('\\', "");
    assert_eq!((looks_like(&inner), looks_like(&read)), (None, None));
    for (at, _) in inner.match_indices('@') {
        assert!(inner[at + 1..].starts_with("&#8203;"), "a ping: {}", &inner[at..].lines().next().unwrap_or_default());
    }
    assert!(!inner.contains('<'), "a tag");
    let links = inner.matches("](").count();
    let ours = inner.matches("](https://github.com/escher-dbai/").count();
    let escaped = inner.matches("\\](").count();
    assert_eq!(links, ours + escaped, "a link that isn't ours");
    assert_eq!(inner.matches("://").count(), ours, "an address that isn't ours");
    assert!(!inner.to_lowercase().contains("www."), "an address");
    for line in inner.lines() {
        let is_ours = ["- ", "## ", "### ", "**", "> ", "_…"].iter().any(|start| line.starts_with(start));
        assert!(line.is_empty() || is_ours, "a line of its own: {line}");
    }
    let (_, all) = inner.split_once("## All commits").unwrap_or_default();
    let listed = notes.facts().filter(|fact| all.contains(fact.commit.short())).count();
    let untold: usize = all.split("_… and ").skip(1).filter_map(|rest| rest.split(' ').next()?.parse::<usize>().ok()).sum();
    assert_eq!(listed + untold, notes.facts().count(), "a commit that is neither listed nor counted");
}

#[test]
fn no_hostile_commit_gets_through() {
    let messages = hostile();
    assert!(messages.len() >= 40);
    let notes = notes(&[("escher-dbai/gateway", &messages)]);
    let body = body(&notes, LINKS);
    assert_harmless(&notes, &body);
    let console = notes_console::text(&notes, LINKS);
    for text in [&body, &console] {
        for secret in ["FAKEFAKE", "MIIE", "fakefake", "fake-password", ":fake@", "EXAMPLE", "ZmFrZS1zaWduYXR1cmU"] {
            assert!(!text.contains(secret), "{secret}");
        }
        for word in ["leaked GitHub token", "title of the merged one", "stay legible", "export"] {
            assert!(text.contains(word), "{word}");
        }
    }
    insta::assert_snapshot!("hostile", body);
}

#[test]
fn what_is_too_long_is_cut_at_a_line_and_counted() {
    let messages: Vec<String> = (0..2500).map(|number| format!("feat: {number} {}", "long words ".repeat(12))).collect();
    let few = owned(&["fix: one thing", "ci: another"]);
    let mut notes = notes(&[("escher-dbai/gateway", &messages), ("escher-dbai/asset-store", &few)]);
    assert_harmless(&notes, &body(&notes, LINKS));
    assert!(body(&notes, LINKS).contains("one thing") && length(&body(&notes, LINKS)) > LONGEST * 8 / 10);
    let one = notes.repositories[1].clone();
    notes.repositories.extend((0..400).map(|number| Repository { name: format!("escher-dbai/r{number}"), ..one.clone() }));
    assert!(length(&body(&notes, LINKS)) <= LONGEST);
}

#[test]
fn counts_are_words() {
    assert_eq!(
        Counts::of(&example()).words(),
        "8 commits in 2 repositories: 3 features, 2 fixes, 1 change for operators, 1 other, 1 internal; 2 breaking"
    );
}

#[test]
fn no_address_is_made_of_odd_names() {
    for name in ["evil/../x", "o", "o/r/x", "o/r?x", "../r", "o/..", "o/r)", ""] {
        assert_eq!(LINKS.pull(name, 1), None, "{name}");
    }
    assert_eq!(LINKS.commit("o/r", &Revision::new("main")), None);
    assert_eq!(Links("https://ghe.example/").pull("o/r", 1).as_deref(), Some("https://ghe.example/o/r/pull/1"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn any_release_is_harmless(
        picks in prop::collection::vec((0usize..60, "\\PC{0,12}|[\u{0}-\u{20}\u{200b}\u{202e}@<>`\\[\\]()!#:/]{0,12}"), 0..60),
        copies in 1usize..8, why in "\\PC{0,20}|@all https://x.y/ <b>",
    ) {
        let short: Vec<String> = hostile().into_iter().filter(|message| message.len() < 500).collect();
        let messages: Vec<String> = picks.iter().map(|(at, more)| {
            let whole = short.get(*at).map_or("", String::as_str);
            format!("{more}{whole}{more}")
        }).collect();
        let many: Vec<String> = std::iter::repeat_n(messages.clone(), copies * 4).flatten().collect();
        let mut notes = notes(&[("escher-dbai/gateway", &many), ("escher-dbai/asset-store", &messages)]);
        notes.summary = Summary::plain(why.clone());
        notes.repositories[1].coverage = Coverage::Incomplete { why, total: None };
        assert_harmless(&notes, &body(&notes, LINKS));
        prop_assert_eq!(looks_like(&notes_console::text(&notes, LINKS)), None);
    }
}
