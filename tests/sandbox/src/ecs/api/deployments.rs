//! Service deployments and revisions.

use serde_json::{Value, json};

use super::find;
use crate::ecs::{Service, ServiceDeployment, wire_records};
use crate::refusal::{Answer, Refusal, page, text, texts};
use crate::world::World;

pub(crate) fn list(world: &World, body: &Value) -> Answer {
    let index = find::known_service(world, body, "service")?;
    let (service, now) = (&world.ecs.services[index], world.now);
    let statuses = texts(body, "status");
    let wanted = service.records.iter().filter(|record| record.visible(now));
    let wanted = wanted.filter(|record| statuses.is_empty() || statuses.iter().any(|status| status == record.status(now)));
    let briefs: Vec<Value> = wanted.map(|record| wire_records::brief(service, record, now, world.epoch)).collect();
    let (briefs, next) = page(&briefs, body, 100);
    let mut answer = json!({"serviceDeployments": briefs});
    if let Some(token) = next {
        answer["nextToken"] = json!(token);
    }
    Ok(answer)
}

/// A visible record by its ARN.
fn record<'a>(world: &'a World, arn: &str) -> Option<(usize, &'a Service, &'a ServiceDeployment)> {
    world.ecs.services.iter().enumerate().find_map(|(index, service)| {
        let found = service.records.iter().find(|record| record.arn == arn && record.visible(world.now))?;
        Some((index, service, found))
    })
}

pub(crate) fn describe(world: &World, body: &Value) -> Answer {
    let arns = texts(body, "serviceDeploymentArns");
    if arns.is_empty() || arns.len() > 20 {
        return Err(Refusal::parameter("serviceDeploymentArns must have between 1 and 20 entries."));
    }
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for arn in arns {
        match record(world, &arn) {
            Some((_, service, record)) => found.push(wire_records::full(service, record, world.now, world.epoch)),
            None => failures.push(json!({"arn": arn, "reason": "MISSING"})),
        }
    }
    Ok(json!({"serviceDeployments": found, "failures": failures}))
}

pub(crate) fn stop(world: &mut World, body: &Value) -> Answer {
    let arn = text(body, "serviceDeploymentArn").unwrap_or_default().to_owned();
    let Some((index, service, found)) = record(world, &arn) else {
        return Err(Refusal::bad("ServiceDeploymentNotFoundException", "Service deployment not found."));
    };
    if text(body, "stopType").is_some_and(|kind| kind != "ROLLBACK") {
        return Err(Refusal::parameter("The sandbox stops service deployments with ROLLBACK only."));
    }
    let already = found.status == "ROLLBACK_IN_PROGRESS";
    if found.ended() || (!already && service.primary_id() != found.deployment) {
        return Err(Refusal::bad("ConflictException", "The service deployment is not in a state that can be stopped."));
    }
    if !already && !world.roll_back(index) {
        return Err(Refusal::bad("ConflictException", "No rollback candidate was found to run the rollback."));
    }
    Ok(json!({"serviceDeploymentArn": arn}))
}

pub(crate) fn revisions(world: &World, body: &Value) -> Answer {
    let arns = texts(body, "serviceRevisionArns");
    if arns.is_empty() || arns.len() > 20 {
        return Err(Refusal::parameter("serviceRevisionArns must have between 1 and 20 entries."));
    }
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for arn in arns {
        let one = world.ecs.services.iter().find_map(|service| {
            let revision = service.revisions.iter().find(|it| service.revision_arn(&it.deployment) == arn)?;
            Some(wire_records::service_revision(service, revision, world.epoch))
        });
        match one {
            Some(revision) => found.push(revision),
            None => failures.push(json!({"arn": arn, "reason": "MISSING"})),
        }
    }
    Ok(json!({"serviceRevisions": found, "failures": failures}))
}
