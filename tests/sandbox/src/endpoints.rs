//! The services themselves, behind a load balancer: `GET /services/<service>/<any path>`; `<cluster>:<service>` where
//! several environments have it.

use serde_json::json;

use crate::call::Reply;
use crate::ecr::{Fate, Found};
use crate::ecs::Service;
use crate::world::World;

/// Asks the next of the tasks that take requests.
pub(crate) fn answer(world: &mut World, name: &str) -> Reply {
    let nobody = || Reply::json(503, &json!({"message": "Service Unavailable"}));
    let (cluster, name) = name.split_once(':').map_or((None, name), |(cluster, name)| (Some(cluster), name));
    let is_meant = |service: &&mut Service| service.name == name && cluster.is_none_or(|cluster| service.cluster == cluster);
    let Some(service) = world.ecs.services.iter_mut().find(is_meant) else {
        return Reply::json(404, &json!({"message": "Not Found"}));
    };
    let serving: Vec<_> = service.tasks.iter().filter(|task| task.serves(service.check)).collect();
    if serving.is_empty() {
        return nobody();
    }
    let task = serving[service.turn % serving.len()];
    let digest = task.containers.first().map(|container| container.digest.clone()).unwrap_or_default();
    let image = task.containers.first().map(|container| container.image.clone()).unwrap_or_default();
    service.turn += 1;
    let found = world.ecr.by_digest(&digest).or(match world.ecr.find(&image) {
        Found::Image(image) => Some(image),
        _ => None,
    });
    let version = match found.map(|image| (&image.fate, &image.version)) {
        Some((Fate::Answers { status }, _)) => {
            return Reply::json(*status, &json!({"status": "error", "service": name}));
        }
        Some((Fate::AnswersVersion(version), _)) | Some((_, version)) => version.clone(),
        None => "unknown".to_owned(),
    };
    Reply::json(200, &json!({"status": "ok", "version": version, "service": name}))
}
