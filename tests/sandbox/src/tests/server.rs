//! The HTTP face, over a real socket.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use serde_json::json;

use crate::{Effect, Fault, Sandbox, World};

fn get(sandbox: &Sandbox, path: &str) -> String {
    let host = sandbox.url().trim_start_matches("http://");
    let mut stream = TcpStream::connect(host).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap_or_default();
    text
}

fn fault(skip: usize, effect: Effect) -> Fault {
    Fault { party: "endpoint".to_owned(), operation: "gateway".to_owned(), skip, times: 1, effect }
}

#[test]
fn faults_strike_the_calls_they_were_ordered_for() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut world = World::escher("dev");
    world.fault(fault(1, Effect::LoseAnswer));
    world.fault(fault(1, Effect::LoseRequest));
    world.fault(fault(1, Effect::Error { status: 502, code: "BadGateway".to_owned(), message: "no".to_owned() }));
    world.fault(fault(1, Effect::Body { status: 200, body: "<html>".to_owned() }));
    world.fault(fault(1, Effect::Delay(0.2)));
    let sandbox = runtime.block_on(Sandbox::start(world));
    assert!(get(&sandbox, "/services/gateway/health").contains("2.15.0-dev"));
    assert_eq!(get(&sandbox, "/services/gateway/health"), "");
    assert_eq!(get(&sandbox, "/services/gateway/health"), "");
    assert!(get(&sandbox, "/services/gateway/health").starts_with("HTTP/1.1 502"));
    assert!(get(&sandbox, "/services/gateway/health").ends_with("<html>"));
    let begun = Instant::now();
    assert!(get(&sandbox, "/services/gateway/health").contains("2.15.0-dev"));
    assert!(begun.elapsed().as_secs_f64() >= 0.2);
    let calls = sandbox.calls();
    let statuses: Vec<u16> = calls.iter().map(|call| call.status).collect();
    assert_eq!(statuses, [200, 0, 0, 502, 200, 200]);
    assert_eq!(calls[1].answer["version"], "2.15.0-dev", "done, and lost");
    assert_eq!((calls[0].party.as_str(), calls[0].operation.as_str()), ("endpoint", "gateway"));
    assert_eq!(calls[0].body, json!({"path": "/services/gateway/health"}));
}

#[test]
fn time_passes_at_the_worlds_own_pace_and_the_server_stops() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut world = World::escher("dev");
    world.time_scale = 1000.0;
    let sandbox = runtime.block_on(Sandbox::start(world));
    let (first, begun) = (sandbox.now(), Instant::now());
    std::thread::sleep(std::time::Duration::from_millis(20));
    let passed = sandbox.now() - first;
    assert!(passed >= 20.0 && passed <= begun.elapsed().as_secs_f64() * 1000.0 + 1.0);
    sandbox.with(|world| world.time_scale = 0.0);
    let still = sandbox.now();
    assert_eq!(sandbox.now(), still);
    let env = sandbox.env();
    assert!(env.contains(&("ANTHROPIC_BASE_URL".to_owned(), format!("{}/anthropic", sandbox.url()))));
    assert!(env.contains(&("DEPLOY_CLUSTER".to_owned(), "escher-dev".to_owned())));
    assert!(env.contains(&("DEPLOY_BASE_URL".to_owned(), format!("{}/services/{{service}}", sandbox.url()))));
    let host = sandbox.url().trim_start_matches("http://").to_owned();
    drop(sandbox);
    assert!(TcpStream::connect(host).is_err());
}
