//! Elastic Load Balancing v2: the health of a service's targets.

use serde_json::Value;

use crate::call::{Reply, Request};
use crate::ecs::{Check, Health, Task};
use crate::refusal::{Refusal, Table, known, text};
use crate::world::World;

/// Carries out one operation: form in, XML out.
pub(crate) fn answer(world: &mut World, operation: &str, form: &Value, request: &Request) -> Reply {
    match perform(world, operation, form, request) {
        Ok(result) => {
            let namespace = "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/";
            let id = world.ids.uuid();
            Reply::xml(
                200,
                format!(
                    "<{operation}Response xmlns=\"{namespace}\"><{operation}Result>{result}</{operation}Result><ResponseMetadata><RequestId>{id}</RequestId></ResponseMetadata></{operation}Response>"
                ),
            )
        }
        Err(refusal) => refusal.reply("elasticloadbalancing"),
    }
}

/// An operation: what stands in its result.
type Operation = fn(&World, &Value) -> Result<String, Refusal>;

/// What this load balancer can do.
pub(crate) const OPERATIONS: Table<Operation, 1> = [("DescribeTargetHealth", target_health)];

fn perform(world: &World, operation: &str, form: &Value, request: &Request) -> Result<String, Refusal> {
    world.sts.caller(request, "elasticloadbalancing", &world.account, world.real)?;
    let unknown = || Refusal::bad("InvalidAction", format!("Could not find operation {operation} for version 2015-12-01"));
    known(&OPERATIONS, operation).ok_or_else(unknown)?(world, form)
}

fn target_health(world: &World, form: &Value) -> Result<String, Refusal> {
    let arn = text(form, "TargetGroupArn").unwrap_or_default();
    let service = world.ecs.services.iter().find(|it| it.target_group == arn && it.check == Check::TargetGroup);
    let service = service.ok_or_else(|| Refusal::bad("TargetGroupNotFound", "One or more target groups not found"))?;
    let members: String = service.tasks.iter().filter_map(|task| member(task, service.port, &world.region)).collect();
    Ok(format!("<TargetHealthDescriptions>{members}</TargetHealthDescriptions>"))
}

/// Tasks that run, or drain, are registered.
fn member(task: &Task, port: u16, region: &str) -> Option<String> {
    let (state, reason, description) = match (task.last_status, task.health) {
        ("DEACTIVATING", _) => ("draining", "Target.DeregistrationInProgress", "Target deregistration is in progress"),
        ("RUNNING", Health::Healthy) => ("healthy", "", ""),
        ("RUNNING", Health::Unhealthy) => ("unhealthy", "Target.ResponseCodeMismatch", "Health checks failed with these codes: [503]"),
        ("RUNNING", Health::Unknown) => ("initial", "Elb.RegistrationInProgress", "Target registration is in progress"),
        _ => return None,
    };
    let why = match reason {
        "" => String::new(),
        _ => format!("<Reason>{reason}</Reason><Description>{description}</Description>"),
    };
    Some(format!(
        "<member><Target><Id>{}</Id><Port>{port}</Port><AvailabilityZone>{region}{}</AvailabilityZone></Target><HealthCheckPort>{port}</HealthCheckPort><TargetHealth><State>{state}</State>{why}</TargetHealth></member>",
        task.ip, task.zone
    ))
}
