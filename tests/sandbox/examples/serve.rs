//! The sandbox as a process: `cargo run --package escher-sandbox --example serve`.
//!
//! Prints what a runner would have set to reach it, one `KEY=value` a line, then an empty line, and serves until stdin ends.
//! `SANDBOX_OPERATIONS` holds the AWS operations that it offers. A line on stdin is an order in JSON, answered with `ok`, or
//! with `no:` and what is wrong with it; `docs/sandbox.md` lists the orders.
#![expect(clippy::print_stdout, reason = "that is how it talks")]

use std::io::{BufRead, Write};

use escher_sandbox::{Effect, Fate, Fault, Sandbox, World, aws_operations};
use serde_json::Value;

fn main() -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let sandbox = runtime.block_on(Sandbox::start(World::escher("dev")));
    for (name, value) in sandbox.env() {
        println!("{name}={value}");
    }
    let operations: Vec<String> = aws_operations().iter().map(|(party, name)| format!("{party}:{name}")).collect();
    println!("SANDBOX_OPERATIONS={}\n", operations.join(","));
    std::io::stdout().flush()?;
    for line in std::io::stdin().lock().lines() {
        match carry_out(&sandbox, &line?) {
            Ok(()) => println!("ok"),
            Err(wrong) => println!("no: {wrong}"),
        }
        std::io::stdout().flush()?;
    }
    Ok(())
}

fn carry_out(sandbox: &Sandbox, line: &str) -> Result<(), String> {
    let order: Value = serde_json::from_str(line).map_err(|error| error.to_string())?;
    sandbox.with(|world| match order["order"].as_str().unwrap_or_default() {
        "fault" => fault(world, &order),
        "pace" => order["scale"].as_f64().map(|scale| world.time_scale = scale).ok_or_else(|| "scale is missing".to_owned()),
        "expire" => expire(world, &order),
        "secret" => secret(world, &order),
        "image" => image(world, &order),
        "immutable" => {
            let name = text(&order, "repository")?;
            known(world.ecr.repository(&name).is_some(), &name)?;
            world.ecr.repository_mut(&name).mutability = "IMMUTABLE".to_owned();
            Ok(())
        }
        "service" => service(world, &order),
        other => Err(format!("unknown order {other:?}")),
    })
}

fn text(order: &Value, key: &str) -> Result<String, String> {
    order[key].as_str().map(str::to_owned).ok_or_else(|| format!("{key} is missing"))
}

fn known(is: bool, name: &str) -> Result<(), String> {
    if is { Ok(()) } else { Err(format!("there is no {name}")) }
}

/// The next call of this operation is answered with this body, or refused with this code.
fn fault(world: &mut World, order: &Value) -> Result<(), String> {
    let status = order["status"].as_u64().and_then(|status| u16::try_from(status).ok()).ok_or("status is missing")?;
    let effect = match text(order, "body") {
        Ok(body) => Effect::Body { status, body },
        Err(_) => Effect::Error { status, code: text(order, "code")?, message: text(order, "message")? },
    };
    world.fault(Fault { party: text(order, "party")?, operation: text(order, "operation")?, skip: 0, times: 1, effect });
    Ok(())
}

/// All sessions, or all tokens, have had their time.
fn expire(world: &mut World, order: &Value) -> Result<(), String> {
    match text(order, "what")?.as_str() {
        "sessions" => world.sts.sessions.iter_mut().for_each(|session| session.expires = 0.0),
        "tokens" => world.oidc.issued.iter_mut().for_each(|token| token.expires = 0.0),
        other => return Err(format!("{other} do not expire")),
    }
    Ok(())
}

/// A secret is `deleted`, or `empty`; it is made if there is none.
fn secret(world: &mut World, order: &Value) -> Result<(), String> {
    let (name, state, now) = (text(order, "name")?, text(order, "state")?, world.now());
    world.secret(&name);
    let secret = world.secrets.entries.iter_mut().find(|secret| secret.name == name).ok_or("no such secret")?;
    match state.as_str() {
        "deleted" => secret.deleted_at = Some(now),
        "empty" => secret.value = None,
        other => return Err(format!("unknown state {other}")),
    }
    Ok(())
}

/// What becomes of an image's tasks.
fn image(world: &mut World, order: &Value) -> Result<(), String> {
    let (repository, tag) = (text(order, "repository")?, text(order, "tag")?);
    known(world.ecr.repository(&repository).is_some_and(|it| it.image(&tag).is_some()), &format!("{repository}:{tag}"))?;
    let image = world.image_mut(&repository, &tag);
    match text(order, "fate")?.as_str() {
        "crashes" => image.fate = Fate::Crashes { exit_code: 1, after: 1.0 },
        "unhealthy" => image.fate = Fate::Unhealthy,
        "out of memory" => image.fate = Fate::OutOfMemory,
        "archived" => image.status = "ARCHIVED".to_owned(),
        other => return Err(format!("unknown fate {other}")),
    }
    Ok(())
}

/// What a service's status or controller is.
fn service(world: &mut World, order: &Value) -> Result<(), String> {
    let name = text(order, "name")?;
    known(world.ecs.service(&name).is_some(), &name)?;
    let service = world.service_mut(&name);
    if let Ok(status) = text(order, "status") {
        service.status = status;
    }
    if let Ok(controller) = text(order, "controller") {
        service.controller = controller;
    }
    Ok(())
}
