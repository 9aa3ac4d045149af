//! Services and deployments as DescribeServices and UpdateService answer them.

use serde_json::{Value, json};

use super::deployment::{Deployment, Status};
use super::service::{Check, Service};
use super::stamp;
use super::task::Task;

/// The service as DescribeServices shows it now. A failed deployment may lag once, which this read uses up.
pub(crate) fn describe(service: &mut Service, now: f64, epoch: f64, lag: bool) -> Value {
    let mut wire = view(service, epoch, lag);
    if let Some(record) = service.records.iter().find(|record| record.visible(now)) {
        wire["currentServiceDeployment"] = json!(record.arn);
    }
    for deployment in &mut service.deployments {
        deployment.lags = false;
    }
    wire
}

/// The service without `currentServiceDeployment`: what UpdateService answers.
pub(crate) fn view(service: &Service, epoch: f64, lag: bool) -> Value {
    let (pending, running) = counts(service.tasks.iter());
    let mut wire = json!({
        "serviceArn": service.arn,
        "serviceName": service.name,
        "clusterArn": format!("{}cluster/{}", service.arn_prefix(), service.cluster),
        "loadBalancers": load_balancers(service),
        "serviceRegistries": [],
        "status": service.status,
        "desiredCount": service.desired_count,
        "runningCount": running,
        "pendingCount": pending,
        "launchType": "FARGATE",
        "platformVersion": "LATEST",
        "platformFamily": "Linux",
        "taskDefinition": service.task_definition,
        "deploymentConfiguration": configuration(service),
        "deployments": service.deployments.iter().map(|it| deployment(service, it, epoch, lag)).collect::<Vec<_>>(),
        "roleArn": format!("{}role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS", iam(service)),
        "events": service.events.iter().map(|it| json!({"id": it.id, "createdAt": stamp(epoch, it.at), "message": it.message})).collect::<Vec<_>>(),
        "createdAt": stamp(epoch, service.created_at),
        "currentServiceRevisions": service.deployments.iter().map(|it| revision(service, &it.id)).collect::<Vec<_>>(),
        "placementConstraints": [],
        "placementStrategy": [],
        "networkConfiguration": service.network,
        "schedulingStrategy": "REPLICA",
        "deploymentController": {"type": service.controller},
        "createdBy": format!("{}role/terraform", iam(service)),
        "enableECSManagedTags": true,
        "propagateTags": "SERVICE",
        "enableExecuteCommand": false,
        "availabilityZoneRebalancing": "ENABLED",
        "resourceManagementType": "CUSTOMER"
    });
    if service.check == Check::TargetGroup {
        wire["healthCheckGracePeriodSeconds"] = json!(30);
    }
    wire
}

fn iam(service: &Service) -> String {
    format!("arn:aws:iam::{}:", service.arn.split(':').nth(4).unwrap_or_default())
}

fn load_balancers(service: &Service) -> Value {
    match service.check {
        Check::TargetGroup => json!([{
            "targetGroupArn": service.target_group, "containerName": service.container, "containerPort": service.port
        }]),
        _ => json!([]),
    }
}

/// What a service says of its own deployment settings. The echo of the breaker is as seen since mid-2026.
pub(crate) fn configuration(service: &Service) -> Value {
    json!({
        "deploymentCircuitBreaker": {
            "enable": service.breaker.enable, "rollback": service.breaker.rollback, "resetOnHealthyTask": true,
            "thresholdConfiguration": {"type": "BOUNDED_PERCENT", "value": 50}
        },
        "maximumPercent": 200,
        "minimumHealthyPercent": 100,
        "alarms": {"alarmNames": [], "rollback": false, "enable": false},
        "strategy": service.strategy,
        "bakeTimeInMinutes": 0
    })
}

fn deployment(service: &Service, it: &Deployment, epoch: f64, lag: bool) -> Value {
    let (pending, running) = counts(service.tasks.iter().filter(|task| task.started_by == it.id));
    let lags = lag && it.lags && it.status == Status::Active;
    let (state, reason) =
        if lags { ("IN_PROGRESS", format!("ECS deployment {} in progress.", it.id)) } else { (it.rollout.as_str(), it.reason.clone()) };
    json!({
        "id": it.id,
        "status": it.status.as_str(),
        "taskDefinition": it.task_definition,
        "desiredCount": it.desired_count,
        "pendingCount": pending,
        "runningCount": running,
        "failedTasks": it.failed_tasks,
        "createdAt": stamp(epoch, it.created_at),
        "updatedAt": stamp(epoch, it.updated_at),
        "launchType": "FARGATE",
        "platformVersion": "1.4.0",
        "platformFamily": "Linux",
        "networkConfiguration": service.network,
        "rolloutState": state,
        "rolloutStateReason": reason
    })
}

/// A revision with its counts, as services and service deployments list it.
pub(crate) fn revision(service: &Service, id: &str) -> Value {
    let (pending, running) = counts(service.tasks.iter().filter(|task| task.started_by == id));
    json!({
        "arn": service.revision_arn(id),
        "requestedTaskCount": service.deployment(id).map_or(0, |it| it.desired_count),
        "runningTaskCount": running,
        "pendingTaskCount": pending
    })
}

/// Pending and running; those that drain still count as running.
fn counts<'a>(tasks: impl Iterator<Item = &'a Task>) -> (usize, usize) {
    tasks.fold((0, 0), |(pending, running), task| match task.last_status {
        "PROVISIONING" | "PENDING" => (pending + 1, running),
        _ => (pending, running + usize::from(task.counts_as_running())),
    })
}
