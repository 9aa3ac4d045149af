//! Makes the plan of the world as it was read.

use super::world::World;
use super::{images, migrate};
use crate::config::{Command, Request};
use crate::domain::change::{Evidence, Origin, choose};
use crate::domain::names::ServiceName;
use crate::domain::plan::{Plan, Start};
use crate::domain::planner::{Release, not_passed, plan_service, plan_skipped};
use crate::domain::service::Service;
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
        let chosen = choose(&Evidence {
            running: found.definition.digest(&service.container).as_ref(),
            judged: images::judged(world, service).as_ref(),
            ..images::evidence(world, service)
        });
        let Some(chosen) = chosen else {
            missing.extend(no_image(request, world, service));
            continue;
        };
        let Ok(planned) = plan_service(&release, service, found, &chosen) else { continue };
        if let Some(gate) = environment.require_passed.as_ref().filter(|_| request.command != Command::Rollback)
            && let Some(what) = not_passed(&planned, gate)
        {
            refused.push(Finding::new(name.as_str(), what, format!("release this commit, or one of the same tree, to {gate} first")));
        } else if matches!(planned.start, Start::Build(_)) && !request.command.builds() {
            missing.extend(no_image(request, world, service));
        }
        services.push(planned);
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

/// Where the registry itself can't be read, that has been found already.
fn no_image(request: &Request, world: &World, service: &Service) -> Option<Finding> {
    if !world.registry.absent.contains(&service.name) {
        return None;
    }
    let (tag, repository) = (request.tag_text(), request.environment.repository(&service.repo));
    let what = match world.sources.known.get(&service.name) {
        Some(source) => format!("{} holds no image of {tag}: none of commit {} nor of its tree", service.ecr_repo, source.commit.short()),
        None => format!("{} holds no image tagged `{tag}`", service.ecr_repo),
    };
    let is_of_branch = world.sources.known.get(&service.name).is_some_and(|source| source.origin != Origin::Tag);
    let way_out = match (request.command, world.sources.unread.get(&service.name)) {
        (Command::Deploy, _) if is_of_branch => {
            "see the build job of this release; its branch may have moved since `detect`: then run all jobs again".to_owned()
        }
        (Command::Deploy, _) => "see the build job of this release; `run`, or `build`, builds it".to_owned(),
        (Command::Rollback, _) => "name a release that was deployed, or leave the service out with `skip`".to_owned(),
        (_, Some(why)) => format!("it would be built of {repository}, but its commit is not known: {why}"),
        _ => format!("build and push it from {repository}, or leave it out with `skip`"),
    };
    Some(Finding::new(service.name.as_str(), what, way_out))
}

fn in_order(request: &Request) -> impl Iterator<Item = &ServiceName> {
    let scope = &request.scope;
    request.graph.order().iter().filter(|name| scope.included.contains(*name) || scope.skipped.contains(*name))
}
