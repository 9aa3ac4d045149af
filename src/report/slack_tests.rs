//! Every state of the messages, as Slack gets it and as a person reads it.

use serde_json::json;

use super::*;
use crate::config::problem::Problem;
use crate::domain::commit_message;
use crate::domain::names::ServiceName;
use crate::domain::notes::{Commit, Coverage, Notes, Numbering, Repository};
use crate::domain::notes_summary::Summary;
use crate::domain::outcome::RunsNow;
use crate::domain::plan::{Action, Side};
use crate::domain::row::Build;
use crate::error::{FailedStep, Finding};
use crate::report::notes_lines::Links;
use crate::report::slack_notes;

const PAGE: &str = "docs/slack.md";

fn context() -> Context {
    Context {
        environment: "prod".to_owned(),
        tag: "v2.16.0".to_owned(),
        actor: "ada".to_owned(),
        member: Some("U012AB3CD".to_owned()),
        run_url: Some("https://github.com/escher-dbai/v3-escher-deployment/actions/runs/4711".to_owned()),
    }
}

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn row(name: &str, state: State, started: u64, ended: Option<u64>) -> Row {
    let side = |version: &str| Side { version: Some(version.to_owned()), ..Side::default() };
    Row {
        state,
        started: Some(at(started)),
        ended: ended.map(at),
        what: Some("14 commits since 3f2c1e9 (v2.15.0), 9 files".to_owned()),
        compare: Some(format!("https://github.com/escher-dbai/{name}/compare/3f2c1e9...a1b2c3d")),
        runbook: Some(format!("https://runbooks.example.com/{name}")),
        ..Row::new(ServiceName::from(name), Action::Promote, side("2.15.0"), side("2.16.0"))
    }
}

fn waiting(name: &str, build: Build) -> Row {
    Row { started: None, action: Action::Build, build, ..row(name, State::Waiting, 0, None) }
}

fn unchanged(name: &str) -> Row {
    let old = Side { version: Some("2.15.0".to_owned()), ..Side::default() };
    Row { started: None, action: Action::None, what: None, to: old, ..row(name, State::Done(End::Unchanged), 0, None) }
}

fn crash() -> Failure {
    Failure {
        kind: FailureKind::CrashLoop,
        reason: "3 tasks ended, the last with exit code 1: Essential container in task exited".to_owned(),
        details: vec!["task 8f0c…: gateway: exit code 1".to_owned()],
        log: vec!["connecting to db:5432".to_owned(), "FATAL: password authentication failed for <escher> & co".to_owned()],
        hint: "read the log of the stopped tasks".to_owned(),
        runs_now: RunsNow::Before,
    }
}

fn suite(state: e2e::State, ended: Option<u64>) -> e2e::Standing {
    e2e::Standing {
        suite: "smoke".to_owned(),
        state,
        url: Some("https://github.com/escher-dbai/v3-testing-framework/actions/runs/815".to_owned()),
        started: Some(at(190)),
        ended: ended.map(at),
    }
}

fn suite_failure() -> e2e::State {
    e2e::State::Failed(e2e::Failure {
        kind: e2e::Kind::Failed,
        reason: "its run ended with `failure`".to_owned(),
        jobs: vec![e2e::FailedJob {
            name: "e2e".to_owned(),
            conclusion: "failure".to_owned(),
            steps: vec!["Run the suite".to_owned()],
            url: Some("https://github.com/escher-dbai/v3-testing-framework/actions/runs/815/job/1".to_owned()),
        }],
        log: Vec::new(),
        hint: "read the failed steps' log on the run's page; run the suite alone again: command `e2e`".to_owned(),
    })
}

fn board(rows: Vec<Row>, standing: Option<e2e::Standing>) -> Board {
    Board::of_rows(rows).with_standing(standing)
}

fn verdict(result: RunResult, exit_code: u8) -> Verdict {
    Verdict { result, exit_code }
}

fn notes() -> Notes {
    let messages = [
        "feat(api): export assets as CSV (#12)",
        "fix: login no longer loops (#13)",
        "feat!: analyses need a workspace (#14)",
        "ci: build on arm64",
        "fix: uploads of 2 GiB and more arrive (#15)",
        "feat: search finds archived playbooks (#16)",
        "feat: dark mode (#17)",
        "feat: keyboard shortcuts (#18)",
        "chore: tidy up",
    ];
    assert!(!commit_message::parse(messages[0]).title.is_empty());
    let commits = messages.iter().enumerate().map(|(at, message)| Commit {
        revision: format!("{at}").repeat(40).as_str().into(),
        message: (*message).to_owned(),
        author: Some("ada".to_owned()),
    });
    let (facts, left_out) = Numbering::default().facts("escher-dbai/v2-gateway-service-java", &["gateway".into()], commits);
    let repository = |name: &str, coverage, facts: Vec<_>| Repository {
        name: name.to_owned(),
        services: vec!["gateway".into()],
        base: Some("a".repeat(40).as_str().into()),
        head: Some("b".repeat(40).as_str().into()),
        coverage,
        facts,
        left_out: 0,
    };
    assert_eq!(left_out, 0);
    let refused = Coverage::Incomplete { why: "GitHub answered 403".to_owned(), total: None };
    Notes {
        tag: crate::domain::tag::ReleaseTag::parse("v2.16.0").expect("a tag"),
        previous: crate::domain::tag::ReleaseTag::parse("v2.15.0").ok(),
        date: None,
        repositories: vec![
            repository("escher-dbai/v2-gateway-service-java", Coverage::Complete { total: 9 }, facts),
            repository("escher-dbai/v4-context-engine", refused, Vec::new()),
        ],
        summary: Summary::plain("DEPLOY_ANTHROPIC_SECRET is not set"),
    }
}

/// What happens, and what is then said: in the channel, and after that in its thread.
#[expect(clippy::too_many_lines, reason = "a list of states")]
fn states() -> Vec<(&'static str, Vec<Message>)> {
    let told = |told: Told| [vec![told.main], told.thread].concat();
    let of = |rows: Vec<Row>, standing, verdict: Option<Verdict>, now: u64| {
        told(of_board(&context(), &board(rows, standing), verdict.as_ref(), at(now)))
    };
    let deployed = |name: &str| row(name, State::Done(End::Deployed), 20, Some(85));
    let built = Build { started: Some(at(4)), ended: Some(at(46)) };
    let going = Build { started: Some(at(10)), ended: None };
    let error = |error: &Error| told(of_error(&context(), error));
    let step = || FailedStep {
        finding: Finding::new("gateway", "its build ended with code 1", "run `docker buildx build` in the repository"),
        log: (0..40)
            .map(|at| format!("#12 {at}.0 [ERROR] symbol not found: class Asset{at}, while compiling src/main/java/Gateway.java"))
            .collect(),
    };
    let suite_message = |standing: &e2e::Standing, back: Option<&str>| {
        vec![of_suite(&context(), standing, "escher-dbai/v3-testing-framework/e2e.yml@main", back.map(str::to_owned), at(400))]
    };
    let (short, details) = slack_notes::messages(
        &notes(),
        Links("https://github.com"),
        Some("https://github.com/escher-dbai/v3-escher-deployment/releases/tag/v2.16.0"),
    );
    vec![
        ("It begins", of(Vec::new(), None, None, 0)),
        (
            "Images are built",
            of(
                vec![
                    waiting("asset-store", built),
                    waiting("context-engine", going),
                    waiting("gateway", Build::default()),
                    unchanged("autoresolver"),
                ],
                None,
                None,
                60,
            ),
        ),
        (
            "Services go out",
            of(
                vec![
                    deployed("asset-store"),
                    row("context-engine", State::Rolling { running: 1, desired: 2 }, 85, None),
                    Row { started: None, ..row("gateway", State::Waiting, 85, None) },
                    unchanged("autoresolver"),
                ],
                Some(e2e::Standing { started: None, url: None, ..suite(e2e::State::Due, None) }),
                None,
                100,
            ),
        ),
        (
            "The suite waits for approval",
            of(vec![deployed("gateway")], Some(suite(e2e::State::Goes(e2e::Phase::AwaitsApproval), None)), None, 240),
        ),
        (
            "Deployed",
            of(
                vec![deployed("asset-store"), deployed("gateway"), unchanged("autoresolver")],
                Some(suite(e2e::State::Passed(None), Some(400))),
                Some(verdict(RunResult::Success, 0)),
                402,
            ),
        ),
        ("Nothing to do", of(vec![unchanged("gateway")], None, Some(verdict(RunResult::Unchanged, 0)), 3)),
        (
            "A service fails, and the release goes back",
            of(
                vec![
                    row("asset-store", State::Done(End::TakenBack), 20, Some(160)),
                    row("gateway", State::Done(End::Failed(crash())), 85, Some(150)),
                    Row { started: None, ..row("autoresolver", State::Done(End::NotBegun), 0, None) },
                ],
                None,
                Some(verdict(RunResult::RolledBack, 1)),
                162,
            ),
        ),
        (
            "A service fails, and the others stay",
            of(
                vec![deployed("asset-store"), row("gateway", State::Done(End::Failed(crash())), 85, Some(150))],
                None,
                Some(verdict(RunResult::Failed, 1)),
                162,
            ),
        ),
        (
            "The suite fails",
            of(vec![deployed("gateway")], Some(suite(suite_failure(), Some(400))), Some(verdict(RunResult::Failed, 6)), 402),
        ),
        (
            "Told to stop",
            of(
                vec![
                    deployed("asset-store"),
                    Row { deployment: Some("ecs-svc/1".into()), ..row("gateway", State::Done(End::LeftInFlight), 85, Some(90)) },
                ],
                None,
                Some(verdict(RunResult::Cancelled, 130)),
                91,
            ),
        ),
        ("Refused", error(&Error::refused("role", "may not ecs:UpdateService", "allow it: escher-deploy iam"))),
        (
            "The configuration is wrong",
            error(&Error::Configuration(vec![Problem::at(
                "services/gateway.yml",
                3,
                "unknown key `dokerfile`; did you mean `dockerfile`?",
            )])),
        ),
        ("A build fails", error(&Error::Build(vec![step()]))),
        ("The suite's channel: passed", suite_message(&suite(e2e::State::Passed(Some(48)), Some(400)), None)),
        (
            "The suite's channel: failed",
            suite_message(&suite(suite_failure(), Some(400)), Some("runs now: this release; only the suite has not passed")),
        ),
        ("The releases' channel", [vec![short], details].concat()),
    ]
}

#[test]
fn every_state_as_block_kit() {
    let all: Vec<serde_json::Value> = states()
        .iter()
        .flat_map(|(title, messages)| messages.iter().enumerate().map(move |(at, message)| (title, at, message)))
        .map(|(title, at, message)| json!({"state": title, "in_thread": at > 0, "text": message.text(), "blocks": message.blocks()}))
        .collect();
    insta::assert_snapshot!(serde_json::to_string_pretty(&all).expect("JSON"));
}

/// The page that a person judges; this test writes it when UPDATE_DOCS is set.
#[test]
#[expect(clippy::disallowed_methods, reason = "whoever runs the test says whether it writes")]
fn the_page_shows_every_state_as_it_is() {
    let mut page = INTRODUCTION.to_owned();
    for (title, messages) in states() {
        page.push_str(&format!("\n## {title}\n"));
        for (at, message) in messages.iter().enumerate() {
            let place = if at == 0 { "" } else { "in the thread:\n\n" };
            page.push_str(&format!("\n{place}````text\n{}\n````\n", message.plain()));
        }
    }
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &page).expect("the page can be written");
    }
    let shown = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(shown == page, "{PAGE} is stale: run `UPDATE_DOCS=1 cargo test --lib the_page_shows` and look at it");
}

const INTRODUCTION: &str = "\
# What Slack says

One message a release, in `DEPLOY_SLACK_CHANNEL`. It appears when the run begins, is updated at most once a second, and at its end; a later job
carries it on by the inputs `slack-channel` and `slack-ts`. Failures stand in its thread the moment they happen, are corrected when it is
known what runs in the end, and only the first part of them is shown in the channel too. Who started the release is called if
`environments/slack-users.yml` knows the member id. The suite's result goes to `DEPLOY_E2E_CHANNEL`, release notes to
`DEPLOY_RELEASES_CHANNEL`. Nothing that Slack does fails a deployment: one warning names the fix, and the output `notify-ok` is `false`.

The bot needs the scope `chat:write`, and must be in its channels (`/invite`).

This page is written by a test from the code that makes the messages: `# ` is a header, `text (address)` a link, `@U…` a member who is called.
";
