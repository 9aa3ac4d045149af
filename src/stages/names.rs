//! Gives images their names in the registry: the release's tag, so that a release names every image in it; commit and tree,
//! so that they are found again; and, at the end, that they have passed (CONTRACT 5.3).

use futures_util::{StreamExt, stream};

use super::images::Registry;
use super::read::way_out;
use super::{AT_ONCE, Clients};
use crate::config::Request;
use crate::domain::change::{missing_tags, passed_tag};
use crate::domain::names::{Digest, ServiceName};
use crate::domain::plan::{Action, Plan};
use crate::domain::service::Service;
use crate::domain::tag::ReleaseTag;
use crate::error::{Error, FailedStep, Finding};

/// Gives every image of the plan the names that it lacks.
///
/// # Errors
/// `Error::Build` with every image that could not be named: a release that can't be found again can't be taken back to.
pub async fn name(request: &Request, clients: &Clients, registry: &Registry, plan: &Plan, tag: &ReleaseTag) -> Result<(), Error> {
    let wanted = plan.services.iter().filter_map(|planned| {
        let (service, chosen) = (request.services.get(&planned.name)?, planned.chosen.as_ref()?);
        let digest = chosen.image()?.digest.clone();
        Some((service, digest, missing_tags(chosen, tag, registry.taken.contains(&planned.name))))
    });
    let work = wanted.map(|(service, digest, tags)| async move { put(clients, service, &digest, &tags).await });
    let failed: Vec<FailedStep> = stream::iter(work).buffer_unordered(AT_ONCE).filter_map(|failed| async { failed }).collect().await;
    if failed.is_empty() { Ok(()) } else { Err(Error::Build(failed)) }
}

async fn put(clients: &Clients, service: &Service, digest: &Digest, tags: &[String]) -> Option<FailedStep> {
    for tag in tags {
        let Err(error) = clients.ecr.tag(&service.ecr_repo, digest, tag).await else { continue };
        let repository = &service.ecr_repo;
        let (what, way_out) = if error.code == "ImageTagAlreadyExistsException" {
            let what = format!("{repository} has immutable tags, and its `{tag}` names another image than {}", digest.short());
            (what, "the tag was moved to another commit: make a new release".to_owned())
        } else {
            let what = format!("its image {} could not be tagged `{tag}`: {error}", digest.short());
            (what, way_out(&error, &format!("ecr:BatchGetImage and ecr:PutImage on repository {repository}")))
        };
        return Some(FailedStep { finding: Finding::new(service.name.as_str(), what, way_out), log: Vec::new() });
    }
    None
}

/// Marks every image in scope as passed in this environment; what could not be marked, as warnings.
pub async fn mark_passed(request: &Request, clients: &Clients, plan: &Plan) -> Vec<String> {
    let tag = passed_tag(&plan.environment, &plan.version);
    let wanted = plan.services.iter().filter(|planned| planned.action != Action::Skip).filter_map(|planned| {
        let (service, digest) = (request.services.get(&planned.name)?, planned.to.digest.clone()?);
        let bears_it = planned.is_proven;
        Some((service, digest)).filter(|_| !bears_it)
    });
    let work = wanted.map(|(service, digest)| {
        let tag = &tag;
        async move { (&service.name, clients.ecr.tag(&service.ecr_repo, &digest, tag).await) }
    });
    let marked: Vec<(&ServiceName, _)> = stream::iter(work).buffer_unordered(AT_ONCE).collect().await;
    let failed: Vec<(&ServiceName, String)> =
        marked.into_iter().filter_map(|(name, result)| Some((name, result.err()?.to_string()))).collect();
    let Some((_, first)) = failed.first() else { return Vec::new() };
    let names: Vec<&str> = failed.iter().map(|(name, _)| name.as_str()).collect();
    vec![format!(
        "{} could not be marked `{tag}`, so a rerun tests again, and DEPLOY_REQUIRE_PASSED will not let it through: {first}",
        names.join(", ")
    )]
}
