//! Gives images their names in the registry: the release's tag, so that a release names every image in it; commit and tree,
//! so that they are found again; and, at the end, that they have passed (CONTRACT 5.3).

use futures_util::{StreamExt, stream};
use tokio::sync::watch;

use super::smoke::{Smoke, smoke};
use super::world::way_out;
use super::{AT_ONCE, Clients};
use crate::clients::call::CallError;
use crate::config::Request;
use crate::domain::change::missing_tags;
use crate::domain::image::passed_tag;
use crate::domain::names::Digest;
use crate::domain::plan::{Action, Plan, PlannedService, Start};
use crate::domain::service::Service;
use crate::domain::tag::ReleaseTag;
use crate::error::{Error, Finding};

/// What naming came to.
#[derive(Debug, Default)]
pub struct Named {
    /// The registry is other than before.
    pub has_changed: bool,
    /// What did not stop the run.
    pub warnings: Vec<String>,
}

/// Gives every image of the plan the names that it lacks. What runs already and stays may lack them: that is a warning.
///
/// # Errors
/// `Error::Naming` with every image that could not be named, because a release that can't be found again can't be taken back
/// to; `Error::Refused` where permissions are missing.
pub async fn name(request: &Request, clients: &Clients, plan: &Plan, tag: &ReleaseTag, has_built: bool) -> Result<Named, Error> {
    let wanted = plan.services.iter().filter_map(|planned| {
        let (service, chosen) = (request.services.get(&planned.name)?, planned.chosen.as_ref()?);
        let digest = chosen.image()?.digest.clone();
        Some((planned, service, digest, missing_tags(chosen, tag)))
    });
    let put = |(planned, service, digest, tags)| async move { (planned, put(clients, service, &digest, tags).await) };
    let put: Vec<(&PlannedService, Put)> = stream::iter(wanted.map(put)).buffer_unordered(AT_ONCE).collect().await;
    let has_changed = has_built || put.iter().any(|(_, put)| put.has_written);
    let failed = put.into_iter().filter_map(|(planned, put)| Some((planned, put.failed?)));
    let (kept, failed): (Vec<_>, Vec<_>) = failed.partition(|(planned, _)| planned.start == Start::Nothing);
    let is_denied = failed.iter().all(|(_, (_, error))| error.is_denied());
    let findings: Vec<Finding> = failed.into_iter().map(|(_, (finding, _))| finding).collect();
    let warnings = kept.into_iter().map(|(_, (finding, _))| format!("{}: {}", finding.subject, finding.what)).collect();
    match (findings.is_empty(), is_denied && !has_changed) {
        (true, _) => Ok(Named { has_changed, warnings }),
        // Refused means that nothing has changed.
        (false, true) => Err(Error::Refused(findings)),
        (false, false) => Err(Error::Naming(findings)),
    }
}

/// What came of naming one image.
struct Put {
    has_written: bool,
    failed: Option<(Finding, CallError)>,
}

async fn put(clients: &Clients, service: &Service, digest: &Digest, tags: Vec<String>) -> Put {
    let mut has_written = false;
    for tag in &tags {
        let Err(error) = clients.ecr.tag(&service.ecr_repo, digest, tag).await else {
            has_written = true;
            continue;
        };
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
        return Put { has_written, failed: Some((Finding::new(service.name.as_str(), what, way_out), error)) };
    }
    Put { has_written, failed: None }
}

/// Marks every image in scope as passed in this environment; what could not be marked, as warnings.
///
/// A service that was left alone, and whose image bears no mark yet, is asked first: it is no part of the release, so that it
/// does not answer well fails nothing, but then it has not passed.
pub async fn mark_passed(request: &Request, clients: &Clients, plan: &Plan) -> Vec<String> {
    let tag = passed_tag(&plan.environment, &plan.version);
    let due = plan.services.iter().filter(|planned| planned.action != Action::Skip && !planned.is_proven);
    let work = due.filter_map(|planned| Some((planned, request.services.get(&planned.name)?, planned.to.digest.clone()?)));
    let work = work.map(|(planned, service, digest)| {
        let tag = &tag;
        async move {
            if planned.is_unmarked && !planned.is_unproven {
                well(request, clients, planned, service).await?;
            }
            clients.ecr.tag(&service.ecr_repo, &digest, tag).await.map_err(|error| format!("{}: {error}", service.name))
        }
    });
    let marked: Vec<Result<(), String>> = stream::iter(work).buffer_unordered(AT_ONCE).collect().await;
    let failed = marked.into_iter().filter_map(Result::err);
    failed.map(|why| format!("not marked `{tag}`, so DEPLOY_REQUIRE_PASSED does not let its image through: {why}")).collect()
}

async fn well(request: &Request, clients: &Clients, planned: &PlannedService, service: &Service) -> Result<(), String> {
    let environment = &request.environment;
    let url = service.health_url(environment.base_url.as_deref(), &environment.name).filter(|_| planned.view.desired > 0);
    let Some((url, health)) = url.zip(service.health.clone()) else { return Ok(()) };
    let test = Smoke { url, health, accepted: planned.accepted.clone(), timeout: environment.smoke_timeout };
    let (_sender, older) = watch::channel(false);
    let result = smoke(&clients.http, &test, older).await;
    result.map_err(|never| format!("{} was left alone, and does not pass its smoke test: {}", service.name, never.why))
}
