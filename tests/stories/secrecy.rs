//! No secret is seen, and no text from outside is a command.

use escher_sandbox::{Breaker, BuildFate, Event, Fate};

use crate::builds::committed;
use crate::changes::{REPOSITORY, not_built};
use crate::harness::{Job, TAG, escher};

#[tokio::test]
async fn no_secret_is_in_log_summary_outputs_or_report() {
    let mut job = Job::tag_push(escher()).await;
    job.sandbox.with(|world| world.github.token = "ghs_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa".into());
    job.set("RUNNER_DEBUG", "1").set("ESCHER_LOG", "trace").input("github-token", "ghs_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    let ran = job.run().await;
    ran.ends(0, "success");
    let mut secrets = job.sandbox.with(|world| {
        let sessions = world.sts.sessions.iter().flat_map(|session| [session.secret_key.clone(), session.session_token.clone()]);
        sessions.chain([world.slack.token.clone()]).collect::<Vec<_>>()
    });
    secrets.push(job.variables["ACTIONS_ID_TOKEN_REQUEST_TOKEN"].clone());
    secrets.push("ghs_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa".into());
    let tokens = job.sandbox.calls().into_iter().filter(|call| call.operation == "token");
    secrets.extend(tokens.filter_map(|call| call.answer["value"].as_str().map(str::to_owned)));
    assert!(secrets.len() >= 6 && secrets.iter().all(|secret| secret.len() > 5), "{secrets:?}");
    // The runner takes the masks themselves out of the log.
    let log: String = ran.stdout.lines().filter(|line| !line.starts_with("::add-mask::")).collect();
    for secret in &secrets {
        for (place, text) in [("log", &log), ("stderr", &ran.stderr), ("summary", &ran.summary), ("report", &ran.report.to_string())] {
            assert!(!text.contains(secret.as_str()), "a secret is in the {place}");
        }
        assert!(!ran.outputs.values().any(|value| value.contains(secret.as_str())), "a secret is in the outputs");
        assert!(ran.stdout.contains(&format!("::add-mask::{secret}")), "the runner was not told of a secret");
    }
}

#[tokio::test]
async fn nothing_is_masked_aloud_outside_of_a_workflow() {
    let mut job = Job::tag_push(escher()).await;
    job.variables.remove("GITHUB_ACTIONS");
    let ran = job.only("autoresolver").run().await;
    assert_eq!(ran.code, 0, "{}", ran.stdout);
    assert!(!ran.stdout.contains("::"), "{}", ran.stdout);
}

const EVIL: &str = "(service autoresolver) was unable to place a task. Reason: \r::error::owned\n::set-output name=result::success\n  ::add-mask::e ##[error]owned <!channel> <@U1> </details> `x` | y";

#[tokio::test]
async fn text_from_ecs_is_neither_a_workflow_command_nor_a_mention() {
    let mut world = escher();
    world.image_mut("escher-autoresolver", TAG).fate = Fate::NeverStarts;
    world.service_mut("autoresolver").breaker = Breaker { enable: false, rollback: false };
    let mut job = Job::tag_push(world).await;
    job.only("autoresolver").input("on-failure", "hold").set("DEPLOY_TIMEOUT_MINUTES", "0.02");
    let child = job.start();
    while job.count("UpdateService") == 0 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    job.sandbox.with(|world| {
        let event = Event { id: "evil".into(), message: EVIL.into(), ..world.service_mut("asset-store").events.first().cloned().unwrap() };
        world.service_mut("autoresolver").events.insert(0, event);
    });
    let ran = job.ended(child).await;
    ran.ends(1, "failed").says("unable to place a task");
    for line in ran.stdout.split(['\n', '\r']).chain(ran.stderr.split(['\n', '\r'])) {
        let is_ours =
            ["::add-mask::ey", "::add-mask::", "::group::", "::endgroup::", "::error title="].iter().any(|own| line.starts_with(own));
        assert!(is_ours || !line.trim_start().starts_with("::"), "{line:?}");
        assert!(!line.contains("##["), "{line:?}");
        assert_ne!(line.trim(), "::add-mask::e");
    }
    assert!(!ran.summary.contains("</details>") || ran.summary.contains("```text"), "{}", ran.summary);
    // In the message itself, and in its thread.
    let posted: String = job.sandbox.with(|world| world.slack.messages.iter().map(|message| message.blocks.to_string()).collect());
    assert!(posted.contains("unable to place a task"), "{posted}");
    assert!(!posted.contains("<!") && !posted.contains("<@"), "{posted}");
}

#[tokio::test]
async fn a_secret_is_hidden_in_whatever_form_it_is_written() {
    for secret in ["xx\"quo\\ted<&>'_secret%25", "first-line-secret\nsecond-line-secret"] {
        let mut job = Job::tag_push(escher()).await;
        // A tag is echoed in the refusal: in the log, an annotation, the summary, the JSON report and the page.
        let ran = job.input("slack-bot-token", secret).input("tag", secret).run().await;
        ran.ends(2, "refused");
        let page = std::fs::read_to_string(ran.report["page"].as_str().unwrap()).unwrap();
        let json = std::fs::read_to_string(ran.output("report")).unwrap();
        let log: String = ran.stdout.lines().filter(|line| !line.starts_with("::add-mask::")).collect();
        let pieces = ["quo", "_secret", "first-line", "second-line"];
        for (place, text) in [("log", &log), ("summary", &ran.summary), ("report", &json), ("page", &page)] {
            for piece in pieces.iter().filter(|piece| secret.contains(*piece)) {
                assert!(!text.contains(piece), "{piece} is in the {place}: {text}");
            }
        }
    }
}

#[tokio::test]
async fn a_link_out_of_the_commits_own_files_leads_no_build_there() {
    let mut job = Job::tag_push(escher()).await;
    job.sandbox.with(not_built);
    job.with_docker();
    let workspace = job.folder.path().join("workspace");
    std::fs::create_dir_all(&workspace).unwrap();
    // Where `actions/checkout` keeps the job's token.
    std::os::unix::fs::symlink(workspace.join(".git/config"), workspace.join("Dockerfile")).unwrap();
    let (commit, tree) = committed(&workspace);
    let shown = workspace.display().to_string();
    job.set("GITHUB_REPOSITORY", REPOSITORY).set("GITHUB_SHA", &commit).set("GITHUB_WORKSPACE", &shown);
    job.sandbox.with(|world| world.github.repository_mut(REPOSITORY).tag(TAG, &commit, &tree).trees.len());
    job.input("command", "build").run().await.ends(0, "success");
    let arguments = job.sandbox.with(|world| world.engine.builds[0].arguments.clone());
    assert!(arguments.last().is_some_and(|source| source.contains("://")), "GitHub's copy, not this machine's files: {arguments:?}");
}

#[tokio::test]
async fn a_key_that_a_failed_build_prints_is_not_shown_by_its_last_lines() {
    let mut job = Job::tag_push(escher()).await;
    job.sandbox.with(not_built);
    job.with_docker();
    let body = (0..26).map(|line| format!("MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSj{line:024}"));
    let trouble = (0..8).map(|line| format!("ERROR: process {line} did not complete"));
    let lines: Vec<String> = std::iter::once("-----BEGIN PRIVATE KEY-----".to_owned())
        .chain(body)
        .chain(["-----END PRIVATE KEY-----".to_owned()])
        .chain(trouble)
        .collect();
    job.sandbox.with(|world| drop(world.engine.fates.insert("gateway".to_owned(), BuildFate::Fails(lines))));
    let ran = job.only("gateway").run().await;
    ran.ends(7, "failed").says("did not complete");
    let slack = job.sandbox.with(|world| format!("{:?}", world.slack.messages));
    for text in [&slack, &ran.summary, &ran.report.to_string()] {
        assert!(text.contains("did not complete") && !text.contains("MIIEvQIBADANBgkqhkiG9w0BAQEFAASC"), "{text}");
    }
}

#[tokio::test]
async fn a_credential_in_the_wrong_place_of_a_file_is_not_shown_by_the_refusal() {
    const TOKEN: &str = "ghu_16C7e42F292c6912E7710c838347Ae178B4a";
    for (file, line) in
        [("environments/dev.env", format!("DEPLOY_{TOKEN}=1")), ("services/gateway.yml", format!("colour: x\nhealth: {TOKEN}"))]
    {
        let mut job = Job::tag_push(escher()).await;
        let at = job.own_configuration().join(file);
        let text = std::fs::read_to_string(&at).unwrap() + &line + "\n";
        std::fs::write(&at, text).unwrap();
        let ran = job.run().await;
        ran.ends(2, "refused");
        for text in [&ran.stdout, &ran.stderr, &ran.summary, &ran.report.to_string()] {
            assert!(!text.contains(TOKEN), "{text}");
        }
    }
}
