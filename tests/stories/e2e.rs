//! What follows a deployment: a suite in another repository, or a program here.

use std::time::Duration;

use escher_sandbox::{Effect, Fault, World};
use serde_json::json;

use crate::harness::{Job, Ran, TAG, escher};

const REPOSITORY: &str = "escher-dbai/v3-testing-framework";

async fn released(world: World) -> (Job, Ran) {
    let mut job = Job::tag_push(world).await;
    let ran = job.run().await;
    (job, ran)
}

/// The suite as a command of its own.
pub(crate) async fn alone(world: World) -> Job {
    let mut job = Job::tag_push(world).await;
    job.input("command", "e2e");
    job
}

fn fault(operation: &str, times: usize, effect: Effect) -> Fault {
    Fault { party: "github".into(), operation: operation.into(), skip: 0, times, effect }
}

#[tokio::test]
async fn a_deployment_ends_with_the_suite_and_its_result_is_told_everywhere() {
    let (job, ran) = released(escher()).await;
    ran.ends(0, "success").says("✓ E2E smoke  passed in");
    let run = job.sandbox.with(|world| world.github.runs[0].clone());
    let given: Vec<(&str, &str)> = run.inputs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert!(
        matches!(given[..], [("correlation_id", id), ("environment", "dev"), ("suite", "smoke"), ("version", "2.16.0-dev")] if id.len() == 36)
    );
    assert_eq!(run.reference, "main");
    let page = format!("https://github.com/{REPOSITORY}/actions/runs/{}", run.id);
    assert_eq!((ran.output("e2e-result"), ran.output("e2e-url")), ("success", page.as_str()));
    ran.summarises("✓ E2E smoke: passed").summarises(&page);
    assert_eq!((&ran.report["e2e"]["result"], &ran.report["e2e"]["suite"]), (&json!("success"), &json!("smoke")));
    job.sandbox.with(|world| {
        let told = world.slack.messages.iter().find(|message| message.channel_name == "escher-test-results").unwrap();
        assert!(told.text.starts_with(&format!("✅ E2E smoke passed on dev with {TAG} after")), "{}", told.text);
        assert!(told.blocks.to_string().contains(&page));
        // Nothing is handed over before every service has arrived.
        let last = world.calls.iter().filter(|call| call.operation == "UpdateService").map(|call| call.at).next_back().unwrap();
        assert!(world.github.runs[0].created_at > last);
    });
}

#[tokio::test]
async fn a_suite_that_fails_is_exit_6_with_its_jobs_and_steps() {
    let mut world = escher();
    world.github.workflow_mut(REPOSITORY, "e2e.yml").fate = escher_sandbox::RunFate::ends("failure");
    let (job, ran) = released(world).await;
    ran.ends(6, "failed").says("✗ E2E smoke  failed").says("✗ e2e: Run the suite").says("runs now: this release");
    assert_eq!(ran.output("e2e-result"), "failed");
    assert_eq!(ran.names("deployed").len(), 7, "what was deployed runs");
    ran.summarises("### ❌ E2E smoke: failed").summarises("✗ e2e: Run the suite");
    assert!(ran.stdout.contains("::error title=E2E smoke%3A failed::"), "{}", ran.stdout);
    let passed = job.sandbox.calls().iter().any(|call| call.operation == "PutImage" && call.raw.contains("passed-dev"));
    assert!(!passed, "what has not passed is not marked");
    job.sandbox.with(|world| {
        let thread = world.slack.messages.iter().find(|message| message.thread_ts.is_some()).unwrap();
        assert!(thread.blocks.to_string().contains("e2e: Run the suite"), "{}", thread.blocks);
    });
}

#[tokio::test]
async fn a_suite_that_fails_takes_the_release_back_where_that_is_asked_for() {
    let mut world = escher();
    world.github.workflow_mut(REPOSITORY, "e2e.yml").fate = escher_sandbox::RunFate::ends("failure");
    let mut job = Job::tag_push(world).await;
    let ran = job.set("DEPLOY_E2E_ROLLBACK", "true").run().await;
    ran.ends(6, "rolled-back").says("The release goes back, in reverse order").says("the release was taken back (DEPLOY_E2E_ROLLBACK)");
    assert_eq!(ran.output("deployed"), "[]");
}

#[tokio::test]
async fn a_rerun_after_a_failed_suite_runs_the_suite_alone() {
    let mut world = escher();
    world.github.workflow_mut(REPOSITORY, "e2e.yml").fates.push_back(escher_sandbox::RunFate::ends("failure"));
    let mut job = Job::tag_push(world).await;
    job.run().await.ends(6, "failed");
    let updates = job.count("UpdateService");
    job.run().await.ends(0, "unchanged").says("✓ E2E smoke  passed");
    assert_eq!(job.count("UpdateService"), updates);
    let third = job.run().await;
    third.ends(0, "unchanged").says("skipped: this release has passed here before");
    assert_eq!((third.output("e2e-result"), job.count("dispatch")), ("skipped", 2));
}

#[tokio::test]
async fn skip_e2e_leaves_the_suite_out_and_nothing_is_marked() {
    let mut job = Job::tag_push(escher()).await;
    let ran = job.input("skip-e2e", "true").run().await;
    ran.ends(0, "success");
    assert_eq!((ran.output("e2e-result"), job.count("dispatch")), ("skipped", 0));
    assert!(!job.sandbox.calls().iter().any(|call| call.operation == "PutImage" && call.raw.contains("passed-dev")));
}

#[tokio::test]
async fn a_release_that_fails_is_not_tested() {
    let mut world = escher();
    world.image_mut("escher-gateway", TAG).fate = escher_sandbox::Fate::Crashes { exit_code: 1, after: 1.0 };
    let (job, ran) = released(world).await;
    ran.ends(1, "rolled-back");
    assert_eq!((ran.output("e2e-result"), job.count("dispatch")), ("skipped", 0));
}

#[tokio::test]
async fn a_suite_that_hangs_is_stopped_when_its_time_is_over() {
    let mut world = escher();
    world.github.workflow_mut(REPOSITORY, "e2e.yml").fate.running = 100_000.0;
    let mut job = alone(world).await;
    let ran = job.set("DEPLOY_E2E_TIMEOUT_MINUTES", "0.02").run().await;
    ran.ends(6, "failed")
        .says("timed out: it had not ended after 0.02 min (running), and was told to stop")
        .says("DEPLOY_E2E_TIMEOUT_MINUTES");
    assert_eq!(ran.output("e2e-result"), "timed-out");
    assert!(job.sandbox.with(|world| world.github.runs[0].cancelled_at.is_some()));
}

#[tokio::test]
async fn an_older_server_names_no_run_and_it_is_found_by_its_correlation_id() {
    for (rejects, versions) in [(false, true), (true, true), (false, false)] {
        let mut world = escher();
        if !versions {
            world.github.api_versions.remove("2026-03-10");
        }
        let workflow = world.github.workflow_mut(REPOSITORY, "e2e.yml");
        (workflow.answers_details, workflow.rejects_details, workflow.listed_after) = (false, rejects, 30.0);
        let mut job = alone(world).await;
        let ran = job.run().await;
        ran.ends(0, "success");
        job.sandbox.with(|world| assert_eq!(world.github.runs.len(), 1, "dispatched once"));
        assert!(ran.output("e2e-url").ends_with(&job.sandbox.with(|world| world.github.runs[0].id.to_string())));
    }
}

#[tokio::test]
async fn a_workflow_that_does_not_echo_the_id_is_explained() {
    let mut world = escher();
    let workflow = world.github.workflow_mut(REPOSITORY, "e2e.yml");
    (workflow.answers_details, workflow.echoes) = (false, false);
    let ran = alone(world).await.run().await;
    ran.ends(6, "failed")
        .says("no run of it bears our correlation id")
        .says("run-name: E2E ${{ inputs.suite }} [${{ inputs.correlation_id }}]");
}

#[tokio::test]
async fn an_approval_is_waited_for_and_its_link_is_shown() {
    let mut world = escher();
    world.github.workflow_mut(REPOSITORY, "e2e.yml").fate.approval = escher_sandbox::Approval::Given(150.0);
    let mut job = Job::tag_push(world).await;
    let ran = job.run().await;
    ran.ends(0, "success").says("E2E smoke  waits for approval: https://github.com/escher-dbai/v3-testing-framework/actions/runs/");
    let shown = job.sandbox.with(|world| {
        let updates = world.slack.messages[0].updates.clone();
        updates.iter().any(|update| {
            update.blocks.to_string().contains("waits for approval") && update.blocks.to_string().contains("actions/runs/304")
        })
    });
    assert!(shown, "Slack shows it too");
}

#[tokio::test]
async fn an_approval_that_nobody_gives_ends_with_the_time() {
    let mut world = escher();
    world.github.workflow_mut(REPOSITORY, "e2e.yml").fate.approval = escher_sandbox::Approval::Never;
    let mut job = alone(world).await;
    job.set("DEPLOY_E2E_TIMEOUT_MINUTES", "0.02").run().await.ends(6, "failed").says("nobody approved it in time");
}

#[tokio::test]
async fn two_hand_overs_at_once_never_mix() {
    let mut world = escher();
    let workflow = world.github.workflow_mut(REPOSITORY, "e2e.yml");
    workflow.answers_details = false;
    let slow = |conclusion: &str| escher_sandbox::RunFate { running: 120.0, ..escher_sandbox::RunFate::ends(conclusion) };
    workflow.fates = [slow("failure"), slow("success")].into();
    let job = alone(world).await;
    let children: Vec<_> = ["smoke", "regression"]
        .map(|suite| {
            let mut variables = job.variables.clone();
            variables.insert("DEPLOY_E2E_SUITE".to_owned(), suite.to_owned());
            variables.insert("GITHUB_OUTPUT".to_owned(), job.folder.path().join(suite).display().to_string());
            variables.remove("GITHUB_STEP_SUMMARY");
            let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_escher-deploy"));
            command.env_clear().envs(variables).current_dir(job.folder.path()).kill_on_drop(true);
            (suite, command.stdout(std::process::Stdio::piped()).spawn().unwrap())
        })
        .into();
    for (suite, child) in children {
        let ended = tokio::time::timeout(Duration::from_secs(60), child.wait_with_output()).await.unwrap().unwrap();
        let runs = job.sandbox.with(|world| world.github.runs.clone());
        let own = runs.iter().find(|run| run.inputs["suite"] == suite).unwrap();
        let expected = if own.fate.conclusion == "success" { 0 } else { 6 };
        assert_eq!(ended.status.code(), Some(expected), "{suite}: {}", String::from_utf8_lossy(&ended.stdout));
        let output = std::fs::read_to_string(job.folder.path().join(suite)).unwrap();
        assert!(output.contains(&format!("/actions/runs/{}", own.id)), "{suite} followed its own run");
    }
}

#[tokio::test]
async fn a_lost_answer_is_looked_up_not_sent_again() {
    for effect in [Effect::LoseAnswer, Effect::Delay(11.0)] {
        let mut world = escher();
        world.fault(fault("dispatch", 1, effect));
        let mut job = alone(world).await;
        job.run().await.ends(0, "success");
        job.sandbox.with(|world| assert_eq!(world.github.runs.len(), 1));
    }
}

#[tokio::test]
async fn a_lost_request_is_sent_again() {
    let mut world = escher();
    world.fault(fault("dispatch", 1, Effect::LoseRequest));
    let mut job = alone(world).await;
    job.run().await.ends(0, "success");
    assert_eq!((job.count("dispatch"), job.sandbox.with(|world| world.github.runs.len())), (2, 1));
}

#[tokio::test]
async fn a_token_without_access_is_explained_before_and_after() {
    // The repository can't be seen: GitHub says that it isn't there.
    let mut world = escher();
    world.github.forbidden.insert(REPOSITORY.to_owned());
    let (_, ran) = released(world).await;
    ran.ends(6, "failed").says("warning: the E2E suite smoke").says("will not start: GitHub answered 404").says("`actions: write`");
    let early = ran.stdout.find("will not start").unwrap() < ran.stdout.find("updating").unwrap();
    assert!(early, "it is known before anything is deployed");
    assert_eq!(ran.output("e2e-result"), "failed");
    // It can be read and not written.
    let mut world = escher();
    world.github.read_only.insert(REPOSITORY.to_owned());
    let ran = alone(world).await.run().await;
    ran.ends(6, "failed").says("403 (Resource not accessible by integration)").says("`actions: write`");
    // `verify` finds it without deploying.
    let mut world = escher();
    world.github.forbidden.insert(REPOSITORY.to_owned());
    let mut job = Job::tag_push(world).await;
    job.input("command", "verify").run().await.ends(3, "refused").says("E2E: the suite smoke");
}

#[tokio::test]
async fn the_token_for_the_test_repository_is_used_for_it_alone() {
    let token = ["ghs", "_e2e0123456789abcdefghijklmnopqrstuvw"].concat();
    let mut world = escher();
    world.github.forbidden.insert(REPOSITORY.to_owned());
    world.github.tokens.insert(token.clone(), [REPOSITORY.to_owned()].into());
    let mut job = Job::tag_push(world).await;
    let ran = job.input("e2e-token", &token).run().await;
    ran.ends(0, "success");
    assert!(!ran.stdout.replace(&format!("::add-mask::{token}"), "").contains(&token));
}

#[tokio::test]
async fn every_wrong_setting_has_its_way_out() {
    let cases: [(&str, &str, &str, &str); 3] = [
        ("DEPLOY_E2E_REF", "no-such-branch", "No ref found", "correct DEPLOY_E2E_REF"),
        ("DEPLOY_E2E_WORKFLOW", "none.yml", "404", "`actions: write`"),
        ("DEPLOY_E2E_REPOSITORY", "somebody/else", "404", "`actions: write`"),
    ];
    for (key, value, what, way_out) in cases {
        let mut job = alone(escher()).await;
        job.set(key, value).run().await.ends(6, "failed").says(what).says(way_out);
    }
    let mut world = escher();
    world.github.workflow_mut(REPOSITORY, "e2e.yml").inputs.remove("correlation_id");
    alone(world).await.run().await.ends(6, "failed").says("declare the inputs environment, suite, version and correlation_id");
}

#[tokio::test]
async fn told_to_stop_it_stops_the_suite() {
    for answers in [true, false] {
        let mut world = escher();
        let workflow = world.github.workflow_mut(REPOSITORY, "e2e.yml");
        workflow.fate.running = 100_000.0;
        workflow.answers_details = answers;
        let mut job = Job::tag_push(world).await;
        let child = job.start();
        while job.count("run") == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let (ran, took) = job.stopped(child, "INT").await;
        assert!(took < Duration::from_secs(5), "took {took:?}");
        ran.ends(130, "cancelled");
        assert_eq!((ran.output("e2e-result"), ran.names("deployed").len()), ("cancelled", 7));
        assert!(job.sandbox.with(|world| world.github.runs[0].cancelled_at.is_some()), "its run was cancelled");
    }
}

#[tokio::test]
async fn told_to_stop_before_its_run_was_seen_it_stops_the_suite_all_the_same() {
    let mut world = escher();
    let workflow = world.github.workflow_mut(REPOSITORY, "e2e.yml");
    (workflow.answers_details, workflow.fate.running, workflow.listed_after) = (false, 100_000.0, 10.0);
    let mut job = alone(world).await;
    let child = job.start();
    while job.count("workflow_runs") == 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let (ran, took) = job.stopped(child, "INT").await;
    assert!(took < Duration::from_secs(5), "took {took:?}");
    ran.ends(130, "cancelled");
    assert!(job.sandbox.with(|world| world.github.runs[0].cancelled_at.is_some()), "its run was cancelled\n{}", ran.stdout);
}

#[tokio::test]
async fn a_suite_that_could_not_be_begun_takes_nothing_back() {
    let mut world = escher();
    world.github.read_only.insert(REPOSITORY.to_owned());
    let mut job = Job::tag_push(world).await;
    let ran = job.set("DEPLOY_E2E_ROLLBACK", "true").run().await;
    ran.ends(6, "failed").says("runs now: this release");
    assert_eq!(ran.names("deployed").len(), 7);
}

#[tokio::test]
async fn github_that_stumbles_is_asked_again() {
    let mut world = escher();
    let error = |status: u16| Effect::Error { status, code: "x".into(), message: "x".into() };
    for (operation, effect) in [
        ("run", error(502)),
        ("run", Effect::LoseAnswer),
        ("run", error(404)),
        ("run", Effect::Body { status: 200, body: "<html>".into() }),
    ] {
        world.fault(fault(operation, 1, effect));
    }
    let limited = Effect::Headers { status: 429, headers: vec![("retry-after", "1".to_owned())], body: "{}".into() };
    world.fault(fault("dispatch", 1, limited));
    let mut job = alone(world).await;
    job.run().await.ends(0, "success");
    job.sandbox.with(|world| assert_eq!(world.github.runs.len(), 1));
}

#[tokio::test]
async fn without_a_suite_the_command_is_refused_and_a_dry_run_dispatches_nothing() {
    let mut job = alone(escher()).await;
    let folder = job.own_configuration();
    let path = folder.join("environments/dev.env");
    let text = std::fs::read_to_string(&path).unwrap().replace("DEPLOY_E2E_SUITE=smoke\n", "");
    std::fs::write(&path, text).unwrap();
    job.run().await.ends(2, "refused").says("DEPLOY_E2E_SUITE is missing");
    let mut job = alone(escher()).await;
    job.input("dry-run", "true").run().await.ends(0, "success").says("would run the suite smoke on dev");
    assert_eq!(job.count("dispatch"), 0);
}

#[tokio::test]
async fn the_command_needs_no_aws() {
    let mut job = alone(escher()).await;
    job.variables.retain(|name, _| !name.starts_with("AWS_") && !name.starts_with("ACTIONS_ID_TOKEN"));
    job.run().await.ends(0, "success");
    assert_eq!(job.operations("sts"), Vec::<String>::new());
}
