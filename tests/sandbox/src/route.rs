//! From a request to the party that answers it.

use serde_json::{Map, Value, json};

use crate::call::{Address, Reply, Request};
use crate::refusal::{Answer, Refusal, Table};
use crate::world::World;
use crate::{anthropic, ecr, ecs, elb, endpoints, engine, github, logs, oidc, secrets, slack, sts_api, types};

/// Finds out whom a request is for.
pub(crate) fn address(request: &Request) -> Address {
    let path = request.path.as_str();
    if let Some(method) = path.strip_prefix("/slack/api/") {
        return Address { party: "slack", operation: method.to_owned(), body: parse(request) };
    }
    if let Some(what) = path.strip_prefix("/anthropic/v1/") {
        return Address { party: "anthropic", operation: what.to_owned(), body: parse(request) };
    }
    if let Some(rest) = path.strip_prefix("/services/") {
        let service = rest.split('/').next().unwrap_or_default();
        return Address { party: "endpoint", operation: service.to_owned(), body: query(request) };
    }
    if path.starts_with("/github/") {
        return Address { party: "github", operation: github::operation(request), body: query_and_body(request) };
    }
    if let Some(what) = path.strip_prefix("/engine/") {
        return Address { party: "engine", operation: what.to_owned(), body: Value::Null };
    }
    if path == "/oidc/token" {
        return Address { party: "oidc", operation: "token".to_owned(), body: query(request) };
    }
    if path == "/" && request.method == "POST" {
        return aws(request);
    }
    Address { party: "unknown", operation: format!("{} {path}", request.method), body: query(request) }
}

fn aws(request: &Request) -> Address {
    let body = parse(request);
    if let Some((service, operation)) = request.header("x-amz-target").and_then(|target| target.split_once('.')) {
        let party = match service {
            "AmazonEC2ContainerServiceV20141113" => "ecs",
            "AmazonEC2ContainerRegistry_V20150921" => "ecr",
            "secretsmanager" => "secretsmanager",
            "Logs_20140328" => "logs",
            _ => "unknown",
        };
        return Address { party, operation: operation.to_owned(), body };
    }
    let party = match body["Version"].as_str() {
        Some("2011-06-15") => "sts",
        Some("2015-12-01") => "elasticloadbalancing",
        _ => "unknown",
    };
    let operation = body["Action"].as_str().unwrap_or_default().to_owned();
    Address { party, operation, body }
}

/// JSON as it is, a form as an object, else null.
fn parse(request: &Request) -> Value {
    if request.header("content-type").is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded")) {
        return Value::Object(form(&request.body));
    }
    serde_json::from_str(&request.body).unwrap_or(Value::Null)
}

fn query(request: &Request) -> Value {
    let mut members = Map::new();
    members.insert("path".to_owned(), json!(request.path));
    members.extend(form(&request.query));
    Value::Object(members)
}

/// The query as an object, and the members of a JSON body.
fn query_and_body(request: &Request) -> Value {
    let mut members = query(request);
    if let (Some(members), Value::Object(body)) = (members.as_object_mut(), parse(request)) {
        members.extend(body);
    }
    members
}

/// The pairs of a form; of a name that comes twice the last counts.
fn form(text: &str) -> Map<String, Value> {
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    let decoded = pairs.map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(name), Value::String(decode(value)))
    });
    decoded.collect()
}

/// Undoes percent-encoding, and `+` for a space.
fn decode(text: &str) -> String {
    percent(&text.replace('+', " "))
}

/// Undoes percent-encoding.
pub(crate) fn percent(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let hex = (*first == b'%').then(|| tail.get(..2)).flatten().and_then(|two| std::str::from_utf8(two).ok());
        match hex.and_then(|two| u8::from_str_radix(two, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Has the party answer.
pub(crate) fn answer(world: &mut World, address: &Address, request: &Request) -> Reply {
    let (operation, body) = (address.operation.as_str(), &address.body);
    match address.party {
        "slack" => slack::answer(world, operation, body, request),
        "anthropic" => anthropic::answer(world, operation, body, request),
        "endpoint" => endpoints::answer(world, operation),
        "engine" => engine::answer(world, operation, request),
        "github" => github::answer(world, body, request),
        "oidc" => oidc::answer(world, request, body),
        "sts" => sts_api::answer(world, operation, body, request),
        "elasticloadbalancing" => elb::answer(world, operation, body, request),
        "unknown" => Reply::json(404, &json!({"message": "Not Found"})),
        party => match signed(world, address, request) {
            Ok(answer) => Reply::amz(200, &answer),
            Err(refusal) => refusal.reply(party),
        },
    }
}

/// Every answer of AWS names its request, in a header and, in XML, once more inside.
pub(crate) fn identified(reply: Reply, address: &Address, number: usize) -> Reply {
    if !aws_operations().iter().any(|(party, _)| *party == address.party) {
        return reply;
    }
    let inside = reply.body.split_once("<RequestId>").and_then(|(_, rest)| rest.split_once('<')).map(|(id, _)| id.to_owned());
    let id = inside.unwrap_or_else(|| format!("{number:08x}-0000-4000-a000-000000000000"));
    reply.with("x-amzn-requestid", id)
}

/// The JSON services, which take nobody's word without a key.
fn signed(world: &mut World, address: &Address, request: &Request) -> Answer {
    let (operation, body) = (address.operation.as_str(), &address.body);
    let caller = world.sts.caller(request, address.party, &world.account, world.real)?;
    if !body.is_object() {
        return Err(Refusal::bad("SerializationException", "The request is not a JSON object."));
    }
    types::check(body)?;
    if let Some(buckets) = world.ecs.buckets.as_mut().filter(|_| address.party == "ecs") {
        buckets.take(operation, world.now)?;
    }
    match address.party {
        "ecs" => ecs::answer(world, operation, body, &caller),
        "ecr" => ecr::answer(world, operation, body),
        "secretsmanager" => secrets::answer(&world.secrets, operation, body, world.epoch),
        _ => logs::answer(&world.logs, operation, body, world.epoch),
    }
}

/// AWS's operations that the sandbox offers, each with its party: from the tables by which they are carried out.
pub fn aws_operations() -> Vec<(&'static str, &'static str)> {
    fn of<F, const N: usize>(party: &'static str, table: &Table<F, N>) -> impl Iterator<Item = (&'static str, &'static str)> {
        table.iter().map(move |(name, _)| (party, *name))
    }
    of("ecs", &ecs::OPERATIONS)
        .chain(of("ecr", &ecr::OPERATIONS))
        .chain(of("secretsmanager", &secrets::OPERATIONS))
        .chain(of("logs", &logs::OPERATIONS))
        .chain(of("sts", &sts_api::OPERATIONS))
        .chain(of("elasticloadbalancing", &elb::OPERATIONS))
        .collect()
}
