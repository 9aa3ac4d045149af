//! One message, there from the beginning, updated to its end; and whatever Slack does, the deployment goes on.

use escher_sandbox::{Effect, Fault, Message};

use crate::harness::{Job, TAG, escher};

fn message(job: &Job) -> Message {
    job.sandbox.with(|world| {
        assert_eq!(world.slack.messages.len(), 1, "one message");
        world.slack.messages[0].clone()
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
    let first = job.only("autoresolver").run().await;
    let (channel, ts) = (first.output("slack-channel").to_owned(), first.output("slack-ts").to_owned());
    let second = job.only("asset-store").input("slack-channel", &channel).input("slack-ts", &ts).run().await;
    second.ends(0, "success");
    assert_eq!(message(&job).ts, ts);
}

#[tokio::test]
async fn a_refused_token_is_one_warning_and_no_failure() {
    let mut job = Job::tag_push(escher()).await;
    let ran = job.only("autoresolver").set("SLACK_BOT_TOKEN", "xoxb-wrong-token-0000").run().await;
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
    job.only("autoresolver").run().await.ends(0, "success");
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
    let ran = job.only("autoresolver").run().await;
    ran.ends(0, "success");
    assert_eq!(job.count("chat.postMessage"), 2);
    assert_eq!(ran.output("notify-ok"), "true");
}

#[tokio::test]
async fn a_lost_post_is_not_sent_twice() {
    let mut world = escher();
    world.fault(Fault { party: "slack".into(), operation: "chat.postMessage".into(), skip: 0, times: 1, effect: Effect::LoseAnswer });
    let mut job = Job::tag_push(world).await;
    let ran = job.only("autoresolver").run().await;
    ran.ends(0, "success");
    assert_eq!(job.count("chat.postMessage"), 1);
    assert_eq!(ran.output("notify-ok"), "false");
}

#[tokio::test]
async fn without_a_token_nothing_is_posted_and_the_log_says_so() {
    let mut job = Job::tag_push(escher()).await;
    job.variables.remove("SLACK_BOT_TOKEN");
    job.only("autoresolver").run().await.ends(0, "success").says("Slack: no bot token was given, so nothing is posted");
    assert!(job.operations("slack").is_empty());
}
