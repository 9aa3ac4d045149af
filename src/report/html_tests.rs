use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::domain::board::{Board, Row, State};
use crate::domain::names::ServiceName;
use crate::domain::outcome::{End, Failure, FailureKind, RunsNow};
use crate::domain::plan::{Action, Side};

fn board(text: &str) -> Board {
    let side = |version: &str| Side { version: Some(version.to_owned()), ..Side::default() };
    let row = |name: &str, state| Row {
        state,
        reason: text.to_owned(),
        compare: Some(text.to_owned()),
        runbook: Some(text.to_owned()),
        started: Some(Duration::from_secs(1)),
        opened: Some(Duration::from_secs(5)),
        ended: Some(Duration::from_secs(9)),
        ..Row::new(ServiceName::from(name), Action::Promote, side(text), side("2.16.0"))
    };
    let failure = Failure {
        kind: FailureKind::RolledBack,
        reason: text.to_owned(),
        details: vec![text.to_owned()],
        log: vec![text.to_owned()],
        hint: text.to_owned(),
        runs_now: RunsNow::Before,
    };
    Board::of_rows(vec![row("asset-store", State::Done(End::Deployed)), row(text, State::Done(End::Failed(failure)))])
}

fn page_of(text: &str) -> String {
    let board = board(text);
    let (verdict, warnings) = (Verdict { result: RunResult::RolledBack, exit_code: 1 }, [text.to_owned()]);
    page(&Subject {
        headline: text,
        verdict: &verdict,
        environment: text,
        tag: text,
        time: Duration::from_secs(10),
        run_url: Some(text),
        error: None,
        board: Some(&board),
        plan: None,
        warnings: &warnings,
        notes: None,
        links: Links("https://github.com"),
        release_url: Some(text),
    })
}

/// Tags and their attributes' names; what stands between them is text.
fn tags(page: &str) -> Vec<String> {
    page.split('<').skip(1).map(|rest| rest.split(['>', ' ']).next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn a_failed_release_shows_why_first_and_what_runs() {
    let page = page_of("it broke");
    let at = |words: &str| page.find(words).unwrap_or_else(|| panic!("{words} is missing in {page}"));
    assert!(at("What failed") < at("Timeline") && at("Timeline") < at("<h2>Services"));
    for words in ["it broke → 2.16.0", "runs now: it broke as before", "The log&#39;s last lines", "rolled back by ECS"] {
        at(&words.replace("&#39;", "'"));
    }
    assert!(page.contains("Content-Security-Policy") && page.contains("default-src 'none'"));
}

#[test]
fn an_address_is_a_link_only_where_it_is_one() {
    assert_eq!(
        link("a<b", Some("https://x.example/?a=1&b=\"2\"")),
        "<a href=\"https://x.example/?a=1&amp;b=&quot;2&quot;\" rel=\"noreferrer\">a&lt;b</a>"
    );
    for no in ["javascript:alert(1)", "data:text/html,x", " https://x.example", "https://x.example/ onclick=a", ""] {
        assert_eq!(link("text", Some(no)), "text", "{no}");
    }
}

proptest! {
    /// Whatever comes from outside, the page has the tags that it has with an ordinary text, and no other.
    #[test]
    fn no_text_becomes_markup(text in "(\\PC|[<>\"'&]|<script>|</pre>|<!--|javascript:|\u{202e}){1,30}") {
        prop_assert_eq!(tags(&page_of(&format!("x{text}"))), tags(&page_of("ordinary")), "{:?}", text);
    }
}
