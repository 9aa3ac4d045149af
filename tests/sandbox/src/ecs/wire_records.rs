//! Service deployments and revisions on the wire.

use serde_json::{Value, json};

use super::breaker::threshold;
use super::records::{Revision, ServiceDeployment};
use super::service::Service;
use super::stamp;
use super::wire_service::{configuration, revision};

/// As ListServiceDeployments lists it.
pub(crate) fn brief(service: &Service, record: &ServiceDeployment, now: f64, epoch: f64) -> Value {
    let mut wire = common(service, record, now, epoch);
    wire["targetServiceRevisionArn"] = json!(service.revision_arn(&record.deployment));
    wire
}

/// As DescribeServiceDeployments describes it.
pub(crate) fn full(service: &Service, record: &ServiceDeployment, now: f64, epoch: f64) -> Value {
    let mut wire = common(service, record, now, epoch);
    let last = record.finished_at.or(record.stopped_at(now)).unwrap_or(record.started_at());
    wire["updatedAt"] = json!(stamp(epoch, last));
    if let Some(at) = record.stopped_at(now) {
        wire["stoppedAt"] = json!(stamp(epoch, at));
    }
    wire["sourceServiceRevisions"] = record.sources.iter().map(|id| revision(service, id)).collect();
    wire["targetServiceRevision"] = revision(service, &record.deployment);
    wire["deploymentConfiguration"] = configuration(service);
    if let Some((at, target)) = &record.rollback {
        wire["rollback"] = json!({
            "reason": record.reason, "startedAt": stamp(epoch, *at), "serviceRevisionArn": service.revision_arn(target)
        });
    }
    wire["deploymentCircuitBreaker"] = monitor(service, record);
    wire["alarms"] = json!({"status": "DISABLED"});
    wire
}

fn common(service: &Service, record: &ServiceDeployment, now: f64, epoch: f64) -> Value {
    let mut wire = json!({
        "serviceDeploymentArn": record.arn,
        "serviceArn": service.arn,
        "clusterArn": format!("{}cluster/{}", service.arn_prefix(), service.cluster),
        "createdAt": stamp(epoch, record.created_at),
        "startedAt": stamp(epoch, record.started_at()),
        "status": record.status(now)
    });
    if let Some(at) = record.finished_at {
        wire["finishedAt"] = json!(stamp(epoch, at));
    }
    if let Some(reason) = &record.reason {
        wire["statusReason"] = json!(reason);
    }
    wire
}

fn monitor(service: &Service, record: &ServiceDeployment) -> Value {
    if !service.breaker.enable {
        return json!({"status": "DISABLED", "failureCount": 0, "threshold": 0});
    }
    let current = service.deployment(&record.deployment).map_or(record.failures, |it| it.failed_tasks.max(record.failures));
    let status = match record.status.as_str() {
        "IN_PROGRESS" => "MONITORING",
        _ if record.failures >= threshold(service.desired_count) => "TRIGGERED",
        _ => "MONITORING_COMPLETE",
    };
    json!({"status": status, "failureCount": current, "threshold": threshold(service.desired_count)})
}

/// As DescribeServiceRevisions describes it.
pub(crate) fn service_revision(service: &Service, it: &Revision, epoch: f64) -> Value {
    let images = it.images.iter().map(|(name, image, digest)| json!({"containerName": name, "image": image, "imageDigest": digest}));
    json!({
        "serviceRevisionArn": service.revision_arn(&it.deployment),
        "serviceArn": service.arn,
        "clusterArn": format!("{}cluster/{}", service.arn_prefix(), service.cluster),
        "taskDefinition": it.task_definition,
        "launchType": "FARGATE",
        "platformVersion": "1.4.0",
        "platformFamily": "Linux",
        "networkConfiguration": service.network,
        "containerImages": images.collect::<Vec<_>>(),
        "guardDutyEnabled": false,
        "createdAt": stamp(epoch, it.created_at)
    })
}
