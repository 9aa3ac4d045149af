//! Gives images their names in the registry: the release's tag, so that a release names every image in it; commit and tree,
//! so that they are found again; and, at the end, that they have passed (CONTRACT 5.3).

use futures_util::{StreamExt, stream};

use super::world::way_out;
use super::{AT_ONCE, Clients};
use crate::clients::aws::CallError;
use crate::config::Request;
use crate::domain::change::missing_tags;
use crate::domain::image::passed_tag;
use crate::domain::names::{Digest, ServiceName};
use crate::domain::plan::{Action, Plan, Start};
use crate::domain::service::Service;
use crate::domain::tag::ReleaseTag;
use crate::error::{Error, Finding};

/// Gives every image of the plan the names that it lacks. What runs already and stays may lack them: that is a warning.
///
/// # Errors
/// `Error::Naming` with every image that could not be named, because a release that can't be found again can't be taken back
/// to; `Error::Refused` where permissions are missing.
pub async fn name(request: &Request, clients: &Clients, plan: &Plan, tag: &ReleaseTag) -> Result<Vec<String>, Error> {
    let wanted = plan.services.iter().filter_map(|planned| {
        let (service, chosen) = (request.services.get(&planned.name)?, planned.chosen.as_ref()?);
        let digest = chosen.image()?.digest.clone();
        Some((planned, service, digest, missing_tags(chosen, tag)))
    });
    let work = wanted.map(|(planned, service, digest, tags)| async move { (planned, put(clients, service, &digest, &tags).await.err()) });
    let failed: Vec<_> = stream::iter(work).buffer_unordered(AT_ONCE).collect().await;
    let failed = failed.into_iter().filter_map(|(planned, failed)| Some((planned, failed?)));
    let (kept, failed): (Vec<_>, Vec<_>) = failed.partition(|(planned, _)| planned.start == Start::Nothing);
    let is_denied = !failed.is_empty() && failed.iter().all(|(_, (_, error))| error.is_denied());
    let findings: Vec<Finding> = failed.into_iter().map(|(_, (finding, _))| finding).collect();
    match (findings.is_empty(), is_denied) {
        (true, _) => Ok(kept.into_iter().map(|(_, (finding, _))| format!("{}: {}", finding.subject, finding.what)).collect()),
        (false, true) => Err(Error::Refused(findings)),
        (false, false) => Err(Error::Naming(findings)),
    }
}

async fn put(clients: &Clients, service: &Service, digest: &Digest, tags: &[String]) -> Result<(), (Finding, CallError)> {
    for tag in tags {
        let Err(error) = clients.ecr.tag(&service.ecr_repo, digest, tag).await else { continue };
        let (repository, is_taken) = (&service.ecr_repo, error.code == "ImageTagAlreadyExistsException");
        // Another image of the same commit or tree bears it, and is as good.
        if is_taken && (tag.starts_with("sha-") || tag.starts_with("tree-")) {
            continue;
        }
        let (what, way_out) = if is_taken {
            let what = format!("{repository} has immutable tags, and its `{tag}` names another image than {}", digest.short());
            (what, "the tag was moved to another commit: make a new release".to_owned())
        } else {
            let what = format!("its image {} could not be tagged `{tag}`: {error}", digest.short());
            (what, way_out(&error, &format!("ecr:BatchGetImage and ecr:PutImage on repository {repository}")))
        };
        return Err((Finding::new(service.name.as_str(), what, way_out), error));
    }
    Ok(())
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
