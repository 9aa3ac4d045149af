use serde_json::{Value, json};

use super::{Message, answer};
use crate::call::Request;
use crate::{SlackRefusal, World, slack_limits};

fn call(world: &mut World, method: &str, body: &Value) -> (u16, Value) {
    let headers = vec![("authorization".to_owned(), format!("Bearer {}", world.slack.token))];
    let reply = answer(world, method, body, &Request { headers, ..Request::default() });
    (reply.status, reply.value())
}

fn error(world: &mut World, body: Value) -> String {
    let (status, answer) = call(world, "chat.postMessage", &body);
    assert_eq!((status, &answer["ok"]), (200, &json!(false)), "{answer}");
    answer["error"].as_str().unwrap().to_owned()
}

fn section(length: usize) -> Value {
    json!({"type": "section", "text": {"type": "mrkdwn", "text": "x".repeat(length)}})
}

#[test]
fn a_message_is_posted_by_name_and_updated_by_id() {
    let mut world = World::empty("dev");
    let (_, posted) =
        call(&mut world, "chat.postMessage", &json!({"channel": "#escher-deployments", "text": "one", "blocks": [section(3)]}));
    let (channel, ts) = (posted["channel"].clone(), posted["ts"].clone());
    assert!(channel.as_str().unwrap().starts_with('C'));
    world.advance(3.0);
    assert_eq!(call(&mut world, "chat.update", &json!({"channel": channel, "ts": ts, "text": "two"})).1["ok"], true);
    let by_name = call(&mut world, "chat.update", &json!({"channel": "escher-deployments", "ts": ts, "text": "two"}));
    assert_eq!(by_name.1["error"], "channel_not_found");
    let unknown = call(&mut world, "chat.update", &json!({"channel": channel, "ts": "1.2", "text": "two"}));
    assert_eq!(unknown.1["error"], "message_not_found");
    call(&mut world, "chat.postMessage", &json!({"channel": channel, "text": "detail", "thread_ts": ts}));
    let [first, second] = &world.slack.messages[..] else { panic!("two messages") };
    assert_eq!((first.channel_name.as_str(), first.text.as_str(), first.updates[0].at), ("escher-deployments", "two", 3.0));
    assert_eq!(second.thread_ts.as_deref(), ts.as_str());
}

#[test]
fn limits_are_kept() {
    let mut world = World::empty("dev");
    let mut with = |blocks: Value| error(&mut world, json!({"channel": "escher-deployments", "text": "t", "blocks": blocks}));
    assert_eq!(with(json!([section(3001)])), "invalid_blocks");
    assert_eq!(with(json!([section(0)])), "invalid_blocks");
    assert_eq!(with(Value::Array(vec![section(1); 51])), "invalid_blocks");
    assert_eq!(with(Value::Array(vec![section(3000); 4])), "msg_blocks_too_long");
    assert_eq!(with(json!([{"type": "header", "text": {"type": "mrkdwn", "text": "t"}}])), "invalid_blocks");
    assert_eq!(with(json!([{"type": "header", "text": {"type": "plain_text", "text": "t".repeat(151)}}])), "invalid_blocks");
    let element = json!({"type": "mrkdwn", "text": "t"});
    assert_eq!(with(json!([{"type": "context", "elements": vec![element; 11]}])), "invalid_blocks");
    let field = |length: usize| json!({"type": "mrkdwn", "text": "t".repeat(length)});
    assert_eq!(with(json!([{"type": "section", "fields": vec![field(1); 11]}])), "invalid_blocks");
    assert_eq!(with(json!([{"type": "section", "fields": [field(2001)]}])), "invalid_blocks");
    assert_eq!(error(&mut world, json!({"channel": "nowhere", "text": "t"})), "channel_not_found");
    assert_eq!(error(&mut world, json!({"channel": "escher-deployments"})), "no_text");
    world.slack.token = "another".to_owned();
    let headers = vec![("authorization".to_owned(), "Bearer wrong".to_owned())];
    let reply = answer(&mut world, "auth.test", &Value::Null, &Request { headers, ..Request::default() });
    assert_eq!(reply.value(), json!({"ok": false, "error": "invalid_auth"}));
}

#[test]
fn more_than_one_message_a_second_is_too_fast() {
    let mut world = World::empty("dev");
    world.slack.rate_limit = true;
    let message = json!({"channel": "escher-deployments", "text": "t"});
    assert_eq!(call(&mut world, "chat.postMessage", &message).0, 200);
    assert_eq!(call(&mut world, "chat.postMessage", &message).0, 429);
    world.advance(world.time_scale * 1.1);
    assert_eq!(call(&mut world, "chat.postMessage", &message).0, 200);
}

#[test]
fn an_answer_in_a_thread_may_show_in_the_channel() {
    let mut world = World::empty("dev");
    let message = |more: Value| {
        let mut body = json!({"channel": "escher-deployments", "text": "t"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let ts = call(&mut world, "chat.postMessage", &message(json!({"reply_broadcast": true}))).1["ts"].clone();
    let shown = call(&mut world, "chat.postMessage", &message(json!({"thread_ts": ts, "reply_broadcast": true}))).1;
    assert_eq!(shown["message"]["subtype"], "thread_broadcast");
    call(&mut world, "chat.postMessage", &message(json!({"thread_ts": ts, "reply_broadcast": "true"})));
    let hidden = call(&mut world, "chat.postMessage", &message(json!({"thread_ts": ts}))).1;
    let broadcast = |world: &World| world.slack.messages.iter().map(|message| message.broadcast).collect::<Vec<_>>();
    assert_eq!(broadcast(&world), [false, true, true, false]);
    let update = json!({"channel": hidden["channel"], "ts": hidden["ts"], "text": "t", "reply_broadcast": true});
    assert_eq!(call(&mut world, "chat.update", &update).1["ok"], true);
    assert_eq!(broadcast(&world), [false, true, true, true]);
}

#[test]
fn calls_are_refused_to_order() {
    let mut world = World::empty("dev");
    let message = json!({"channel": "escher-deployments", "text": "t"});
    world.slack.refuse("chat.postMessage", SlackRefusal::missing_scope("chat:write.public", "chat:write"));
    world.slack.refuse("chat.postMessage", SlackRefusal::rate_limit(30));
    let refused = json!({"ok": false, "error": "missing_scope", "needed": "chat:write.public", "provided": "chat:write"});
    assert_eq!(call(&mut world, "auth.test", &Value::Null).1["ok"], true);
    assert_eq!(call(&mut world, "chat.postMessage", &message), (200, refused));
    let headers = vec![("authorization".to_owned(), format!("Bearer {}", world.slack.token))];
    let reply = answer(&mut world, "chat.postMessage", &message, &Request { headers, ..Request::default() });
    assert_eq!((reply.status, reply.retry_after, &reply.value()["error"]), (429, Some(30), &json!("ratelimited")));
    assert_eq!(call(&mut world, "chat.postMessage", &message).1["ok"], true);
    world.slack.refuse_always("chat.postMessage", SlackRefusal::new("not_in_channel"));
    world.slack.refuse("chat.postMessage", SlackRefusal::new("is_archived"));
    assert_eq!(error(&mut world, message.clone()), "is_archived");
    assert_eq!(error(&mut world, message.clone()), "not_in_channel");
    assert_eq!(error(&mut world, message), "not_in_channel");
    assert_eq!(world.slack.messages.len(), 1);
}

#[test]
fn limits_can_be_asked_for() {
    assert_eq!(slack_limits("t", &json!([section(3000)])), Ok(()));
    let wrong = slack_limits("t", &json!([section(3001), section(0)])).unwrap_err();
    assert!(wrong.starts_with("invalid_blocks: [ERROR] ") && wrong.contains("/blocks/0]; [ERROR]"), "{wrong}");
    assert_eq!(slack_limits(&"t".repeat(40_001), &Value::Null), Err("msg_too_long".to_owned()));
}

/// A message with this text and these text objects.
fn message(text: &str, objects: &[Value]) -> Message {
    let mut world = World::empty("dev");
    let sections: Vec<Value> = objects.iter().map(|object| json!({"type": "section", "text": object})).collect();
    let body = json!({"channel": "escher-deployments", "text": text, "blocks": sections});
    assert_eq!(call(&mut world, "chat.postMessage", &body).1["ok"], true);
    world.slack.messages.remove(0)
}

fn mrkdwn(text: &str) -> Value {
    json!({"type": "mrkdwn", "text": text})
}

#[test]
fn mentions_are_found_unless_escaped() {
    let plain = json!({"type": "plain_text", "text": "<!here>"});
    let found = message("<!channel> and &lt;!everyone&gt; <", &[mrkdwn("by <@U1|ann> <http://x|<#C2>>, <b>"), plain]).mentions();
    assert_eq!(found, ["<!channel>", "<@U1|ann>", "<#C2>"]);
}

#[test]
fn links_are_found_written_and_bare() {
    let verbatim = json!({"type": "mrkdwn", "verbatim": true, "text": "http://v.example <https://w.example/|http://words.example>"});
    let plain = json!({"type": "plain_text", "text": "http://p.example"});
    let button = json!({"type": "mrkdwn", "text": "xhttp://, &lt;https://e.example|e&gt;", "url": "https://b.example"});
    let texts = [mrkdwn("<https://a.example/?b=1&amp;c=2|http://a> (HTTP://d.example/x)."), verbatim, plain, button];
    let found = message("see https://t.example/é, <mailto:a@b.example|m>", &texts).links();
    let expected = ["https://t.example/é", "https://a.example/?b=1&c=2", "HTTP://d.example/x", "https://w.example/", "https://e.example"];
    assert_eq!(found, expected);
    let odd = message("<https://a.example http://b.example/?to=https://c.example", &[]);
    assert_eq!(odd.links(), ["https://a.example", "http://b.example/?to=https://c.example"]);
}
