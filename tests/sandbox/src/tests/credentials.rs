use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::{request, send};
use crate::call::Request;
use crate::{Session, World};

fn token(world: &mut World, bearer: &str) -> (u16, Value) {
    let ask = Request {
        method: "GET".to_owned(),
        path: "/oidc/token".to_owned(),
        query: "api-version=2.0&audience=sts.amazonaws.com".to_owned(),
        headers: vec![("authorization".to_owned(), format!("Bearer {bearer}"))],
        body: String::new(),
    };
    let reply = send(world, &ask);
    (reply.status, reply.value())
}

fn assume(world: &mut World, jwt: &str, session: &str) -> (u16, String) {
    let ask = Request {
        method: "POST".to_owned(),
        path: "/".to_owned(),
        headers: vec![("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned())],
        body: format!(
            "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A111122223333%3Arole%2Fescher-github-deploy&RoleSessionName={session}&WebIdentityToken={jwt}"
        ),
        ..Request::default()
    };
    let reply = send(world, &ask);
    (reply.status, reply.body)
}

fn signed(session: &Session) -> Request {
    let mut ask =
        request("AmazonEC2ContainerServiceV20141113.DescribeServices", &json!({"cluster": "escher-dev", "services": ["gateway"]}));
    ask.headers.retain(|(name, _)| name != "authorization");
    ask.headers.push((
        "authorization".to_owned(),
        format!("AWS4-HMAC-SHA256 Credential={}/20261123/us-west-1/ecs/aws4_request", session.access_key),
    ));
    ask.headers.push(("x-amz-security-token".to_owned(), session.session_token.clone()));
    ask
}

#[test]
fn a_token_buys_credentials_that_expire() {
    let mut world = World::escher("dev");
    assert_eq!(token(&mut world, "wrong").0, 401);
    let bearer = world.oidc.request_token.clone();
    let (status, answer) = token(&mut world, &bearer);
    assert_eq!((status, &answer["count"]), (200, &json!(1)));
    let jwt = answer["value"].as_str().unwrap().to_owned();
    let payload = URL_SAFE_NO_PAD.decode(jwt.split('.').nth(1).unwrap()).unwrap();
    let payload: Value = serde_json::from_slice(&payload).unwrap();
    assert_eq!(payload["sub"], "repo:escher-dbai/v3-escher-deployment:environment:dev");
    assert_eq!(payload["aud"], "sts.amazonaws.com");
    assert_ne!(token(&mut world, &bearer).1["value"], answer["value"], "each has an id of its own");

    let (status, xml) = assume(&mut world, &jwt, "github-42");
    assert_eq!(status, 200, "{xml}");
    let session = world.sts.sessions[0].clone();
    assert_eq!(session.subject.as_deref(), Some("repo:escher-dbai/v3-escher-deployment:environment:dev"));
    assert_eq!(session.arn(), "arn:aws:sts::111122223333:assumed-role/escher-github-deploy/github-42");
    assert!(xml.contains(&format!("<AccessKeyId>{}</AccessKeyId>", session.access_key)));
    assert_eq!(send(&mut world, &signed(&session)).status, 200);

    let mut stolen = session.clone();
    stolen.session_token = "another".to_owned();
    assert_eq!(send(&mut world, &signed(&stolen)).value()["__type"], "UnrecognizedClientException");
    world.advance(3601.0 * world.time_scale);
    assert_eq!(send(&mut world, &signed(&session)).value()["__type"], "ExpiredTokenException");
    let (status, xml) = assume(&mut world, &jwt, "github-42");
    assert_eq!(status, 400);
    assert!(xml.contains("<Code>ExpiredTokenException</Code>"));
}

#[test]
fn a_role_trusts_only_whom_it_names() {
    let mut world = World::escher("dev");
    world.oidc.sub = "repo:escher-dbai@1/v3-escher-deployment@2:environment:dev".to_owned();
    let jwt = crate::oidc::issue(&mut world, "sts.amazonaws.com");
    let (status, xml) = assume(&mut world, &jwt, "github-42");
    assert_eq!(status, 403);
    assert!(xml.contains("<Code>AccessDenied</Code>") && xml.contains("Not authorized to perform sts:AssumeRoleWithWebIdentity"));
    world.oidc.sub = "repo:escher-dbai/v3-escher-deployment:ref:refs/tags/v2.16.0-dev".to_owned();
    let elsewhere = crate::oidc::issue(&mut world, "somebody.else");
    assert_eq!(assume(&mut world, &elsewhere, "github-42").0, 403);
    let good = crate::oidc::issue(&mut world, "sts.amazonaws.com");
    assert!(assume(&mut world, &good, "github%2042").1.contains("<Code>ValidationError</Code>"));
    assert_eq!(assume(&mut world, &good, "github-42").0, 200);
    assert!(assume(&mut world, "a.b.c", "github-42").1.contains("<Code>InvalidIdentityToken</Code>"));
}

#[test]
fn who_am_i() {
    let mut world = World::escher("dev");
    let mut ask = request("", &json!(null));
    ask.headers.retain(|(name, _)| name == "authorization");
    ask.headers.push(("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned()));
    ask.body = "Action=GetCallerIdentity&Version=2011-06-15".to_owned();
    assert!(send(&mut world, &ask).body.contains("<Account>111122223333</Account>"));
    ask.headers.clear();
    ask.headers.push(("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned()));
    let refused = send(&mut world, &ask);
    assert_eq!(refused.status, 403);
    assert!(refused.body.contains("<Code>MissingAuthenticationToken</Code>"));
    ask.headers.push(("authorization".to_owned(), "AWS4-HMAC-SHA256 Credential=AKIAOFASTRANGER/20261123".to_owned()));
    assert!(send(&mut world, &ask).body.contains("<Code>InvalidClientTokenId</Code>"));
}
