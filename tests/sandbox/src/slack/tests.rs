use serde_json::{Value, json};

use super::answer;
use crate::World;
use crate::call::Request;

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
