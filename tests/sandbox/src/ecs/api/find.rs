//! How requests name clusters and services: short, or by ARN.

use serde_json::Value;

use crate::refusal::{Refusal, text};
use crate::world::World;

/// The request's cluster by its short name; absent means `default`, as with the real one.
pub(crate) fn cluster(world: &World, body: &Value) -> Result<String, Refusal> {
    let name = text(body, "cluster").unwrap_or("default");
    let prefix = format!("{}cluster/", world.arn_prefix());
    let short = name.strip_prefix(&prefix).unwrap_or(name);
    let known = world.ecs.clusters.iter().any(|cluster| cluster == short);
    if known { Ok(short.to_owned()) } else { Err(Refusal::bad("ClusterNotFoundException", "Cluster not found.")) }
}

/// Where in the world's list the service is.
pub(crate) fn service(world: &World, cluster: &str, name: &str) -> Option<usize> {
    let here = |service: &&crate::ecs::Service| service.cluster == cluster && (service.name == name || service.arn == name);
    let found = world.ecs.services.iter().find(here)?;
    world.ecs.services.iter().position(|service| service.arn == found.arn)
}

/// Like [`service`], for operations that raise on an unknown one.
pub(crate) fn known_service(world: &World, body: &Value, key: &str) -> Result<usize, Refusal> {
    let cluster = cluster(world, body)?;
    let name = text(body, key).ok_or_else(|| Refusal::parameter("Service name cannot be empty."))?;
    service(world, &cluster, name).ok_or_else(|| Refusal::bad("ServiceNotFoundException", "Service not found."))
}
