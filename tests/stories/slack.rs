//! One message, there from the beginning, updated to its end; and whatever Slack does, the deployment goes on.

use escher_sandbox::{Effect, Fate, Fault, Message, SlackRefusal};

use crate::harness::{Job, TAG, escher};

fn message(job: &Job) -> Message {
    job.sandbox.with(|world| {
        let of_releases = |message: &&Message| message.channel_name == "escher-deployments" && message.thread_ts.is_none();
        let found: Vec<Message> = world.slack.messages.iter().filter(of_releases).cloned().collect();
        assert_eq!(found.len(), 1, "one message");
        found[0].clone()
    })
}

fn refuse(operation: &str, error: &str, times: usize) -> Fault {
    let body = format!(r#"{{"ok":false,"error":"{error}"}}"#);
    Fault { party: "slack".into(), operation: operation.into(), skip: 0, times, effect: Effect::Body { status: 200, body } }
}

#[tokio::test]
async fn one_message_appears_at_the_start_and_is_updated_to_the_end() {
    let mut world = escher();
    world.slack.rate_limit = true;
    let mut job = Job::tag_push(world).await;
    let ran = job.run().await;
    ran.ends(0, "success");
    let message = message(&job);
    assert_eq!(message.channel_name, "escher-deployments");
    let posted = job.sandbox.calls().into_iter().find(|call| call.operation == "chat.postMessage").unwrap();
    assert_eq!(posted.body["text"], format!("🚀 {TAG} is being deployed to dev"));
    let last = message.updates.last().unwrap();
    assert!(last.text.starts_with(&format!("✅ {TAG} deployed to dev after")), "{}", last.text);
    assert!(last.blocks.to_string().contains("*gateway*  2.15.0-dev → 2.16.0-dev  deployed"), "{}", last.blocks);
    assert!(
        last.blocks.to_string().contains("https://github.com/escher-dbai/v3-escher-deployment/actions/runs/4711|log"),
        "{}",
        last.blocks
    );
    assert_eq!((ran.output("slack-channel"), ran.output("slack-ts")), (message.channel.as_str(), message.ts.as_str()));
    assert_eq!(ran.output("notify-ok"), "true");
    let updated_under_way = message.updates.iter().any(|update| update.text.starts_with('🚀'));
    assert!(updated_under_way, "it lives while the release goes on");
}

#[tokio::test]
async fn an_earlier_jobs_message_is_carried_on() {
    let mut job = Job::tag_push(escher()).await;
    let first = job.input("skip-e2e", "true").only("autoresolver").run().await;
    let (channel, ts) = (first.output("slack-channel").to_owned(), first.output("slack-ts").to_owned());
    let second = job.only("asset-store").input("slack-channel", &channel).input("slack-ts", &ts).run().await;
    second.ends(0, "success");
    assert_eq!(message(&job).ts, ts);
}

#[tokio::test]
async fn a_refused_token_is_one_warning_and_no_failure() {
    let mut job = Job::tag_push(escher()).await;
    let ran = job.input("skip-e2e", "true").only("autoresolver").set("SLACK_BOT_TOKEN", "xoxb-wrong-token-0000").run().await;
    ran.ends(0, "success")
        .says("warning: Slack did not take the release's message: invalid_auth")
        .summarises("renew the secret SLACK\\_BOT\\_TOKEN");
    assert_eq!(ran.output("notify-ok"), "false");
    assert_eq!(job.count("chat.postMessage"), 1, "a refusal is not asked for again");
}

#[tokio::test]
async fn refused_blocks_become_plain_text_with_the_link() {
    let mut world = escher();
    world.fault(refuse("chat.postMessage", "invalid_blocks", 1));
    let mut job = Job::tag_push(world).await;
    job.input("skip-e2e", "true").only("autoresolver").run().await.ends(0, "success");
    let posts: Vec<String> =
        job.sandbox.calls().into_iter().filter(|call| call.operation == "chat.postMessage").map(|call| call.raw).collect();
    assert_eq!(posts.len(), 2);
    assert!(posts[0].contains("section") || posts[0].contains("header"));
    assert!(posts[1].contains("|log>") && posts[1].contains(r#""blocks":[]"#), "{}", posts[1]);
    message(&job);
}

#[tokio::test]
async fn a_message_that_is_gone_is_posted_anew() {
    let mut world = escher();
    world.fault(refuse("chat.update", "message_not_found", 1));
    let mut job = Job::tag_push(world).await;
    let ran = job.input("skip-e2e", "true").only("autoresolver").run().await;
    ran.ends(0, "success");
    assert_eq!(job.count("chat.postMessage"), 2);
    assert_eq!(ran.output("notify-ok"), "true");
}

#[tokio::test]
async fn a_lost_post_is_not_sent_twice() {
    let mut world = escher();
    world.fault(Fault { party: "slack".into(), operation: "chat.postMessage".into(), skip: 0, times: 1, effect: Effect::LoseAnswer });
    let mut job = Job::tag_push(world).await;
    let ran = job.input("skip-e2e", "true").only("autoresolver").run().await;
    ran.ends(0, "success");
    assert_eq!(job.count("chat.postMessage"), 1);
    assert_eq!(ran.output("notify-ok"), "false");
}

#[tokio::test]
async fn without_a_token_nothing_is_posted_and_the_log_says_so() {
    let mut job = Job::tag_push(escher()).await;
    job.variables.remove("SLACK_BOT_TOKEN");
    job.input("skip-e2e", "true")
        .only("autoresolver")
        .run()
        .await
        .ends(0, "success")
        .says("Slack: no bot token was given, so nothing is posted");
    assert!(job.operations("slack").is_empty());
}

/// Slack's word, how often, what mends it.
const REFUSALS: &[(&str, &str)] = &[
    ("invalid_auth", "renew the secret SLACK_BOT_TOKEN"),
    ("not_authed", "renew the secret SLACK_BOT_TOKEN"),
    ("account_inactive", "renew the secret SLACK_BOT_TOKEN"),
    ("token_revoked", "renew the secret SLACK_BOT_TOKEN"),
    ("channel_not_found", "correct DEPLOY_SLACK_CHANNEL (#escher-deployments), or /invite the bot"),
    ("not_in_channel", "/invite it to DEPLOY_SLACK_CHANNEL (#escher-deployments)"),
    ("is_archived", "the channel is archived: correct DEPLOY_SLACK_CHANNEL"),
    ("invalid_blocks", "please report it"),
    ("msg_blocks_too_long", "please report it"),
    ("msg_too_long", "please report it"),
    ("internal_error", "https://status.slack.com"),
    ("something_new", "https://docs.slack.dev"),
];

#[tokio::test]
async fn every_refusal_of_slack_leaves_the_deployment_alone_and_names_its_fix() {
    for (word, fix) in REFUSALS {
        let mut world = escher();
        world.slack.refuse_always("chat.postMessage", SlackRefusal::new(word));
        let mut job = Job::tag_push(world).await;
        let ran = job.only("autoresolver").run().await;
        ran.ends(0, "success").says(if *word == "internal_error" { "503" } else { word }).says(fix);
        assert_eq!(ran.output("notify-ok"), "false", "{word}");
        assert_eq!(ran.names("deployed"), ["autoresolver"], "{word}");
        let warnings = ran.stdout.lines().filter(|line| line.starts_with("warning: Slack did not take the release's message")).count();
        assert_eq!(warnings, 1, "{word}: one warning\n{}", ran.stdout);
    }
    let mut world = escher();
    world.slack.refuse_always("chat.postMessage", SlackRefusal::missing_scope("chat:write", "channels:read"));
    let mut job = Job::tag_push(world).await;
    let ran = job.only("autoresolver").run().await;
    ran.ends(0, "success").says("the bot lacks the scope `chat:write` (it has channels:read): add it and install the app again");
    assert_eq!(ran.output("notify-ok"), "false");
}

#[tokio::test]
async fn an_update_that_is_refused_for_its_blocks_goes_as_text_and_one_that_is_gone_is_posted_anew() {
    for (word, posts) in
        [("invalid_blocks", 1), ("msg_blocks_too_long", 1), ("msg_too_long", 1), ("message_not_found", 2), ("cant_update_message", 2)]
    {
        let mut world = escher();
        world.slack.refuse("chat.update", SlackRefusal::new(word));
        let mut job = Job::tag_push(world).await;
        let ran = job.input("skip-e2e", "true").only("autoresolver").run().await;
        ran.ends(0, "success");
        assert_eq!((ran.output("notify-ok"), job.count("chat.postMessage")), ("true", posts), "{word}");
    }
}

#[tokio::test]
async fn told_to_wait_it_waits_and_a_stumble_is_asked_again_where_that_is_safe() {
    let mut world = escher();
    world.slack.refuse("chat.postMessage", SlackRefusal::rate_limit(1));
    world.slack.refuse("chat.update", SlackRefusal::rate_limit(1));
    let mut job = Job::tag_push(world).await;
    let ran = job.input("skip-e2e", "true").only("autoresolver").run().await;
    ran.ends(0, "success");
    assert_eq!((ran.output("notify-ok"), message(&job).text.starts_with('✅')), ("true", true));
    // An update says the same twice; a post would be a second message.
    for (operation, posts, ok) in [("chat.update", 1, "true"), ("chat.postMessage", 1, "false")] {
        for effect in [Effect::Error { status: 503, code: "x".into(), message: "x".into() }, Effect::LoseAnswer] {
            let mut world = escher();
            world.fault(Fault { party: "slack".into(), operation: operation.into(), skip: 0, times: 1, effect });
            let mut job = Job::tag_push(world).await;
            let ran = job.input("skip-e2e", "true").only("autoresolver").run().await;
            ran.ends(0, "success");
            assert_eq!((ran.output("notify-ok"), job.count("chat.postMessage")), (ok, posts), "{operation}");
        }
    }
}

#[tokio::test]
async fn a_failure_stands_in_the_thread_and_calls_who_started_it() {
    let mut world = escher();
    world.image_mut("escher-gateway", TAG).fate = Fate::Crashes { exit_code: 7, after: 1.0 };
    let mut job = Job::tag_push(world).await;
    let folder = job.own_configuration();
    std::fs::write(folder.join("environments/slack-users.yml"), "Ada: U012AB3CD\n").unwrap();
    let gateway = folder.join("services/gateway.yml");
    let text = std::fs::read_to_string(&gateway).unwrap() + "runbook: https://runbooks.example.com/gateway\n";
    std::fs::write(&gateway, text).unwrap();
    job.run().await.ends(1, "rolled-back");
    let main = message(&job);
    assert_eq!(main.mentions(), ["<@U012AB3CD>"]);
    assert!(main.blocks.to_string().contains("in the thread"), "{}", main.blocks);
    let thread: Vec<Message> =
        job.sandbox.with(|world| world.slack.messages.iter().filter(|it| it.thread_ts.as_deref() == Some(&main.ts)).cloned().collect());
    assert_eq!(thread.len(), 1, "{thread:#?}");
    let told = thread[0].blocks.to_string();
    for words in ["<@U012AB3CD>", "*gateway*", "exit code 7", "```", "<https://runbooks.example.com/gateway|runbook>", "as before"] {
        assert!(told.contains(words), "{words}: {told}");
    }
    assert!(thread[0].broadcast, "a failure is shown in the channel too");
    let loud = job.sandbox.with(|world| world.slack.messages.iter().filter(|message| message.broadcast).count());
    assert_eq!(loud, 1);
}

#[tokio::test]
async fn nothing_but_failures_is_loud_and_who_has_no_id_is_named() {
    let mut job = Job::tag_push(escher()).await;
    job.run().await.ends(0, "success");
    let messages = job.sandbox.with(|world| world.slack.messages.clone());
    assert!(messages.iter().all(|message| !message.broadcast && message.mentions().is_empty()));
    assert!(message(&job).blocks.to_string().contains("by ada"));
    for (text, what) in
        [("ada: ada\n", "no Slack member id"), ("- ada\n", "must be a map"), ("ada: U012AB3CD\nAda: U012AB3CE\n", "given twice")]
    {
        let mut job = Job::tag_push(escher()).await;
        let folder = job.own_configuration();
        std::fs::write(folder.join("environments/slack-users.yml"), text).unwrap();
        job.run().await.ends(2, "refused").says("environments/slack-users.yml:").says(what);
    }
}

#[tokio::test]
async fn a_message_is_updated_at_most_once_a_second_and_once_more_at_its_end() {
    let mut world = escher();
    world.time_scale = 20.0;
    let mut job = Job::tag_push(world).await;
    let began = std::time::Instant::now();
    job.input("skip-e2e", "true").run().await.ends(0, "success");
    let updates = message(&job).updates.len();
    assert!(updates >= 2 && updates as f64 <= began.elapsed().as_secs_f64() + 2.0, "{updates} updates in {:?}", began.elapsed());
}

#[tokio::test]
async fn a_thread_that_is_refused_is_said_even_where_the_message_goes_on() {
    let mut world = escher();
    world.image_mut("escher-autoresolver", TAG).fate = Fate::Crashes { exit_code: 7, after: 1.0 };
    world.fault(Fault { skip: 1, times: 9, ..refuse("chat.postMessage", "restricted_action", 9) });
    let mut job = Job::tag_push(world).await;
    let ran = job.only("autoresolver").run().await;
    ran.ends(1, "rolled-back").says("Slack did not take the details in the message's thread: restricted_action");
    assert_eq!(ran.output("notify-ok"), "false");
    assert!(message(&job).text.starts_with('↩'), "{}", message(&job).text);
}
