//! Stories of the pure state: nothing here sleeps.

mod actions;
mod app;
mod credentials;
mod definitions;
mod failures;
mod github;
mod rollback;
mod rolling;
mod runs;
mod server;
mod tasks;
mod time;
mod views;

use serde_json::{Value, json};

use crate::call::{Reply, Request};
use crate::{Service, What, World, route};

/// An AWS JSON request with the static key.
pub(crate) fn request(target: &str, body: &Value) -> Request {
    let headers = [
        ("x-amz-target", target),
        ("content-type", "application/x-amz-json-1.1"),
        (
            "authorization",
            "AWS4-HMAC-SHA256 Credential=AKIASANDBOXSTATIC/20261123/us-west-1/ecs/aws4_request, SignedHeaders=host, Signature=00",
        ),
    ];
    Request {
        method: "POST".to_owned(),
        path: "/".to_owned(),
        headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
        body: body.to_string(),
        ..Request::default()
    }
}

pub(crate) fn send(world: &mut World, request: &Request) -> Reply {
    route::answer(world, &route::address(request), request)
}

/// A call to a JSON service: status and answer.
pub(crate) fn call(world: &mut World, target: &str, body: Value) -> (u16, Value) {
    let reply = send(world, &request(target, &body));
    (reply.status, reply.value())
}

/// A call to ECS in the cluster `escher-dev`.
pub(crate) fn ecs(world: &mut World, operation: &str, mut body: Value) -> Value {
    body["cluster"] = json!("escher-dev");
    let (status, answer) = call(world, &format!("AmazonEC2ContainerServiceV20141113.{operation}"), body);
    assert_eq!(status, 200, "{operation}: {answer}");
    answer
}

pub(crate) fn ecs_error(world: &mut World, operation: &str, mut body: Value) -> (String, String) {
    body["cluster"] = json!("escher-dev");
    let (status, answer) = call(world, &format!("AmazonEC2ContainerServiceV20141113.{operation}"), body);
    assert_eq!(status, 400, "{operation}: {answer}");
    let text = |key: &str| answer[key].as_str().unwrap_or_default().to_owned();
    (text("__type"), text("message"))
}

/// What DescribeServices shows of one service.
pub(crate) fn look(world: &mut World, service: &str) -> Value {
    ecs(world, "DescribeServices", json!({"services": [service]}))["services"][0].clone()
}

/// Registers the running definition with another version of the image, as a deploy tool would; its ARN.
pub(crate) fn next_definition(world: &mut World, service: &str, version: &str) -> String {
    let running = world.service_mut(service).task_definition.clone();
    let mut body = world.ecs.definition(&running).unwrap().body.clone();
    let repository = format!("escher-{service}");
    let digest = world.image_mut(&repository, version).digest.clone();
    body["containerDefinitions"][0]["image"] = json!(format!("{}/{repository}@{digest}", world.ecr.host()));
    let answer = ecs(world, "RegisterTaskDefinition", body);
    answer["taskDefinition"]["taskDefinitionArn"].as_str().unwrap().to_owned()
}

/// Deploys v2.16.0-dev; the new deployment's id.
pub(crate) fn deploy(world: &mut World, service: &str) -> String {
    let definition = next_definition(world, service, "v2.16.0-dev");
    let answer = ecs(world, "UpdateService", json!({"service": service, "taskDefinition": definition}));
    answer["service"]["deployments"][0]["id"].as_str().unwrap().to_owned()
}

/// The events since the sandbox's start, oldest first, ids shortened to their kind.
pub(crate) fn told(service: &Service) -> Vec<String> {
    service.events.iter().rev().filter(|event| event.at >= 0.0).map(|event| event.message.clone()).collect()
}

pub(crate) fn whats(world: &World, service: &str) -> Vec<What> {
    world.history(service).iter().map(|moment| moment.what).collect()
}

/// States of `deployments[]`: id, status, rolloutState.
pub(crate) fn states(service: &Value) -> Vec<(String, String, String)> {
    let text = |it: &Value, key: &str| it[key].as_str().unwrap_or_default().to_owned();
    let all = service["deployments"].as_array().unwrap();
    all.iter().map(|it| (text(it, "id"), text(it, "status"), text(it, "rolloutState"))).collect()
}
