//! Makes the plan of the world as it was read.

use super::migrate;
use super::read::World;
use crate::config::Request;
use crate::domain::names::ServiceName;
use crate::domain::plan::{Plan, Release, plan_service, plan_skipped};
use crate::domain::tag::ReleaseTag;
use crate::error::{Error, Finding};

/// Plans every service in scope, in dependency order.
///
/// # Errors
/// `Error::Refused` with what was found while reading and where a definition lacks its container; `Error::MissingImages` where the registry lacks images.
pub fn plan(request: &Request, tag: &ReleaseTag, world: &World) -> Result<Plan, Error> {
    let environment = &request.environment;
    let release = Release {
        tag,
        environment: &environment.name,
        values: &environment.values,
        owner: &environment.github_owner,
        force: request.force,
    };
    let (mut services, mut refused, mut missing) = (Vec::new(), world.findings.clone(), Vec::new());
    for name in in_order(request) {
        let Some(service) = request.services.get(name) else { continue };
        if request.scope.skipped.contains(name) {
            services.push(plan_skipped(service, world.found.get(name)));
            continue;
        }
        let Some(found) = world.found.get(name) else { continue };
        if let Err(error) = found.definition.has_container(&service.container) {
            refused.push(Finding::new(
                name.as_str(),
                format!("its task definition {} {error}", found.definition.arn().short()),
                format!("correct `container` in services/{name}.yml"),
            ));
        }
        let Some(image) = world.images.get(name) else {
            // Where the registry itself can't be read, that has been found already.
            if !world.absent.contains(name) {
                continue;
            }
            missing.push(Finding::new(
                name.as_str(),
                format!("{} holds no image tagged `{tag}`", service.ecr_repo),
                format!("build and push it from {}/{}, or leave it out with `skip`", environment.github_owner, service.repo),
            ));
            continue;
        };
        if let Ok(planned) = plan_service(&release, service, found, image) {
            services.push(planned);
        }
    }
    if !refused.is_empty() {
        refused.extend(missing);
        return Err(Error::Refused(refused));
    }
    if !missing.is_empty() {
        return Err(Error::MissingImages(missing));
    }
    let mut plan = Plan { environment: environment.name.clone(), version: tag.version(), services };
    migrate::mark_irreversible(request, &mut plan);
    Ok(plan)
}

fn in_order(request: &Request) -> impl Iterator<Item = &ServiceName> {
    let scope = &request.scope;
    request.graph.order().iter().filter(|name| scope.included.contains(*name) || scope.skipped.contains(*name))
}
