//! A GitHub App: JSON web tokens and what they buy.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::RSA_PKCS1_SHA256;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::github::ask;
use super::send;
use crate::clock::unix;
use crate::{App, World};

const GATEWAY: &str = "escher-dbai/v2-gateway-service-java";

fn signed(pem: &str, header: Value, claims: &Value) -> String {
    let der: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    let key = KeyPair::from_pkcs8(&STANDARD.decode(der).unwrap()).unwrap();
    let encode = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
    let text = format!("{}.{}", encode(&header), encode(claims));
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature).unwrap();
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// A token whose `iat` and `exp` lie so many seconds from now.
fn jwt(pem: &str, issuer: Value, issued: i64, expires: i64) -> String {
    let now = unix() as i64;
    signed(pem, json!({"typ": "JWT", "alg": "RS256"}), &json!({"iss": issuer, "iat": now + issued, "exp": now + expires}))
}

fn world() -> (World, String) {
    let mut world = World::escher("dev");
    let (app, pem) = App::generate("271828");
    world.github.app = Some(app);
    (world, pem)
}

fn get(world: &mut World, path: &str, token: &str) -> (u16, Value) {
    let reply = send(world, &ask(path, token));
    (reply.status, reply.value())
}

fn buy(world: &mut World, jwt: &str) -> (u16, Value) {
    let mut request = ask("/app/installations/48151623/access_tokens", jwt);
    request.method = "POST".to_owned();
    let reply = send(world, &request);
    (reply.status, reply.value())
}

#[test]
fn an_app_finds_its_installation_and_buys_tokens() {
    let (mut world, pem) = world();
    assert!(pem.starts_with(&format!("-----BEGIN {}-----\n", ["PRIVATE", "KEY"].join(" "))));
    let jwt = jwt(&pem, json!(271_828), -60, 540);
    for path in [&format!("/repos/{GATEWAY}/installation"), "/orgs/escher-dbai/installation"] {
        let (status, found) = get(&mut world, path, &jwt);
        assert_eq!((status, found["id"].as_u64(), found["app_id"].as_u64()), (200, Some(48_151_623), Some(271_828)), "{found}");
        assert_eq!(found["account"]["login"], "escher-dbai");
    }
    assert_eq!(get(&mut world, "/app/installations", &jwt).1.as_array().map(Vec::len), Some(1));
    assert_eq!(get(&mut world, "/repos/escher-dbai/nowhere/installation", &jwt).0, 404);
    assert_eq!(get(&mut world, "/orgs/others/installation", &jwt).0, 404);
    let (status, bought) = buy(&mut world, &jwt);
    assert_eq!((status, bought["repository_selection"].as_str()), (201, Some("all")), "{bought}");
    let ends = crate::time::iso(unix() + 3600.0);
    assert_eq!(bought["expires_at"].as_str().map(|text| &text[..16]), Some(&ends[..16]));
    let token = bought["token"].as_str().unwrap();
    assert!(token.starts_with("ghs_") && token.len() == 40);
    assert_ne!(buy(&mut world, &jwt).1["token"], token, "each is its own");
    assert_eq!(get(&mut world, &format!("/repos/{GATEWAY}/commits/main"), token).0, 200);
    assert_eq!(get(&mut world, "/app/installations", token).0, 401, "a token of an installation is no JSON web token");
}

#[test]
fn a_token_ends_by_real_time() {
    let (mut world, pem) = world();
    let token = buy(&mut world, &jwt(&pem, json!("271828"), 0, 600)).1["token"].as_str().unwrap().to_owned();
    let path = format!("/repos/{GATEWAY}/commits/main");
    assert_eq!(get(&mut world, &path, &token).0, 200);
    world.advance(1_000_000.0);
    assert_eq!(get(&mut world, &path, &token).0, 200, "sandbox time is not the tokens' time");
    world.github.app.as_mut().unwrap().issued[0].1 -= 3601.0;
    let (status, refused) = get(&mut world, &path, &token);
    assert_eq!((status, refused["message"].as_str()), (401, Some("Bad credentials")));
}

#[test]
fn a_json_web_token_must_be_right_in_all() {
    let (mut world, pem) = world();
    let (_, other) = App::generate("271828");
    let mut why = |token: &str| {
        let (status, refused) = buy(&mut world, token);
        assert_eq!(status, 401);
        refused["message"].as_str().unwrap().to_owned()
    };
    let unreadable = "A JSON web token could not be decoded";
    let good = jwt(&pem, json!("271828"), -60, 540);
    assert_eq!(why(""), unreadable);
    assert_eq!(why("a.b.c"), unreadable);
    assert_eq!(why(&good[..good.len() - 4]), unreadable, "signature cut");
    assert_eq!(why(&jwt(&other, json!("271828"), -60, 540)), unreadable, "another key");
    assert_eq!(why(&jwt(&pem, json!("1"), -60, 540)), unreadable, "another App");
    let claims = json!({"iss": "271828", "iat": unix() - 60.0, "exp": unix() + 500.0});
    assert_eq!(why(&signed(&pem, json!({"alg": "HS256"}), &claims)), unreadable, "another algorithm");
    assert!(why(&jwt(&pem, json!("271828"), -60, 600)).contains("'exp') is too far in the future"));
    assert!(why(&jwt(&pem, json!("271828"), -700, -100)).contains("must be a numeric value representing the future time"));
    assert!(why(&jwt(&pem, json!("271828"), 120, 500)).contains("'Issued at' claim"));
    world.github.app = None;
    assert_eq!(buy(&mut world, &good).0, 401);
}

#[test]
fn an_app_reaches_what_it_is_installed_in() {
    let (mut world, pem) = world();
    let jwt = jwt(&pem, json!("271828"), -60, 540);
    let token = buy(&mut world, &jwt).1["token"].as_str().unwrap().to_owned();
    let path = format!("/repos/{GATEWAY}/commits/main");
    world.github.forbidden.insert(GATEWAY.to_owned());
    assert_eq!(get(&mut world, &path, &token).0, 404);
    assert_eq!(get(&mut world, &format!("/repos/{GATEWAY}/installation"), &jwt).0, 404);
    world.github.app.as_mut().unwrap().reaches = Some([GATEWAY.to_owned()].into());
    assert_eq!(get(&mut world, &path, &token).0, 200, "it is named: what the job's token does not reach, the App's does");
    assert_eq!(get(&mut world, &format!("/repos/{GATEWAY}/installation"), &jwt).1["repository_selection"], "selected");
    let elsewhere = "/repos/escher-dbai/v2-autoresolver-java";
    assert_eq!(get(&mut world, &format!("{elsewhere}/commits/main"), &token).0, 404);
    assert_eq!(get(&mut world, &format!("{elsewhere}/installation"), &jwt).0, 404);
    let job = world.github.token.clone();
    assert_eq!(get(&mut world, &path, &job).0, 404);
}
