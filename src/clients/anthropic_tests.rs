use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};

use super::*;

const KEY: &str = "sk-ant-api03-FAKEFAKEFAKEFAKE";

/// What the API is asked.
struct Asked {
    head: String,
    body: Value,
}

/// Answers so many requests in turn, then no more.
fn api(answers: Vec<(u16, &'static str, Value)>) -> (String, Receiver<Asked>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for (status, headers, answer) in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                reader.read_line(&mut head).unwrap();
            }
            let length = head.to_lowercase().lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            let _ = sender.send(Asked { head, body: serde_json::from_slice(&body).unwrap() });
            let answer = answer.to_string();
            let length = answer.len();
            write!(stream, "HTTP/1.1 {status} x\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{answer}").unwrap();
        }
    });
    (url, receiver)
}

fn sentences(stop: &str) -> Value {
    let text = json!({"sentences": [{"id": "c1", "category": "fix", "sentence": "Login works."}]}).to_string();
    json!({"type": "message", "stop_reason": stop, "content": [{"type": "thinking", "thinking": "…"}, {"type": "text", "text": text}]})
}

fn error(kind: &str, message: &str) -> Value {
    json!({"type": "error", "error": {"type": kind, "message": message}})
}

const NOW: &str = "retry-after: 0\r\n";

fn client(url: &str) -> Anthropic {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    Anthropic::new(http, url, KEY).unwrap()
}

async fn ask(anthropic: &Anthropic) -> Result<String, String> {
    let prompt = Prompt::new(&[]);
    let models = ["claude-sonnet-4-5".to_owned(), "claude-sonnet-5-5".to_owned()];
    let asked = anthropic.ask(&models, &prompt, Instant::now() + Duration::from_secs(20)).await;
    asked.map(|answered| answered.model).map_err(|error| error.to_string())
}

#[tokio::test]
async fn the_request_is_one_that_every_model_takes() {
    let (url, asked) = api(vec![(200, "", sentences("end_turn"))]);
    assert_eq!(ask(&client(&url)).await.as_deref(), Ok("claude-sonnet-4-5"));
    let asked = asked.recv().unwrap();
    assert!(asked.head.starts_with("POST /v1/messages HTTP/1.1"));
    assert!(asked.head.contains(&format!("x-api-key: {KEY}")) && asked.head.contains("anthropic-version: 2023-06-01"));
    let keys: Vec<&String> = asked.body.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["model", "max_tokens", "system", "messages", "output_config"]);
    assert_eq!(asked.body["output_config"]["format"]["type"], "json_schema");
    assert_eq!(asked.body["messages"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn an_unknown_model_gives_way_to_the_next_for_good() {
    let (url, asked) =
        api(vec![(404, "", error("not_found_error", "model: x")), (200, "", sentences("end_turn")), (200, "", sentences("end_turn"))]);
    let anthropic = client(&url);
    assert_eq!(ask(&anthropic).await.as_deref(), Ok("claude-sonnet-5-5"));
    assert_eq!(ask(&anthropic).await.as_deref(), Ok("claude-sonnet-5-5"));
    let models: Vec<Value> = asked.try_iter().map(|asked| asked.body["model"].clone()).collect();
    assert_eq!(models, ["claude-sonnet-4-5", "claude-sonnet-5-5", "claude-sonnet-5-5"]);
}

#[tokio::test]
async fn what_passes_is_asked_again_twice() {
    let overloaded = || (529, NOW, error("overloaded_error", "Overloaded"));
    let (url, _) = api(vec![overloaded(), (429, NOW, Value::Null), (200, "", sentences("end_turn"))]);
    assert!(ask(&client(&url)).await.is_ok());
    let (url, asked) = api(vec![overloaded(), overloaded(), overloaded(), (200, "", sentences("end_turn"))]);
    assert_eq!(ask(&client(&url)).await, Err("Anthropic answered 529 (Overloaded): the API is overloaded".to_owned()));
    assert_eq!(asked.try_iter().count(), 3);
    let (url, asked) = api(vec![(429, "retry-after: 61\r\n", Value::Null), (200, "", sentences("end_turn"))]);
    assert_eq!(ask(&client(&url)).await, Err("Anthropic answered 429: the account's rate limit is reached".to_owned()));
    assert_eq!(asked.try_iter().count(), 1);
}

#[tokio::test]
async fn what_does_not_pass_is_said_at_once_and_without_the_key() {
    let mut said = Vec::new();
    for status in [302, 400, 401, 402, 403, 413] {
        let (url, asked) = api(vec![(status, NOW, error("x", &format!("no: {KEY}\n::error::")))]);
        said.push(ask(&client(&url)).await.unwrap_err());
        assert_eq!(asked.try_iter().count(), 1);
    }
    let (url, _) = api(vec![(404, "", Value::Null), (404, "", Value::Null)]);
    said.push(ask(&client(&url)).await.unwrap_err());
    for stop in ["refusal", "max_tokens"] {
        let (url, _) = api(vec![(200, "", sentences(stop))]);
        said.push(ask(&client(&url)).await.unwrap_err());
    }
    for odd in [Value::Null, json!({"stop_reason": "end_turn", "content": [{"type": "text", "text": "no JSON"}]})] {
        let (url, _) = api(vec![(200, "", odd)]);
        said.push(ask(&client(&url)).await.unwrap_err());
    }
    assert!(!said.iter().any(|words| words.contains(KEY)));
    insta::assert_snapshot!("refusals", said.join("\n"));
}

#[tokio::test]
async fn a_key_stays_unseen_and_time_is_limited() {
    assert_eq!(format!("{:?}", client("http://x")), "Anthropic");
    assert_eq!(Anthropic::new(reqwest::Client::new(), "http://x", "a\nb").unwrap_err(), AnthropicError::Key);
    let late = client("http://127.0.0.1:9").ask(&["m".to_owned()], &Prompt::new(&[]), Instant::now()).await;
    assert_eq!(late, Err(AnthropicError::Late));
}
