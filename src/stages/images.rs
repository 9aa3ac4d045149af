//! The images of a release, as the registry holds them: by the release's tag, by commit, by tree; and those that run.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt, stream};

use super::world::{Noted, Registry, Sources, World, way_out};
use super::{AT_ONCE, Clients};
use crate::clients::call::CallError;
use crate::clients::ecr::Stored;
use crate::clients::github::GitHubError;
use crate::config::Request;
use crate::domain::change::{Evidence, FoundImage, How, Judged, Origin, Source, is_of_release};
use crate::domain::image::Image;
use crate::domain::names::{EcrRepository, ServiceName, nearest};
use crate::domain::older::{is_commit, since};
use crate::domain::planner::running_side;
use crate::domain::service::Service;
use crate::domain::smoke::Accepted;
use crate::error::Finding;

/// Finds the release's image of each service that is deployed.
pub(super) async fn find(request: &Request, clients: &Clients, sources: &Sources) -> Noted<Registry> {
    let mut noted = Noted::<Registry>::default();
    let services: Vec<&Service> = request.scope.included.iter().filter_map(|name| request.services.get(name)).collect();
    let repositories: BTreeSet<EcrRepository> = services.iter().map(|service| service.ecr_repo.clone()).collect();
    let repositories: Vec<EcrRepository> = repositories.into_iter().collect();
    if request.tag.is_none() || repositories.is_empty() {
        return noted;
    }
    noted.value.addresses = match clients.ecr.addresses(&repositories).await {
        Ok(addresses) => addresses,
        // A role that may read images needn't be one that may list repositories: their addresses follow a rule.
        Err(error) => {
            noted.warnings.push(format!("the registry's repositories were not checked: {error}"));
            repositories.iter().map(|name| (name.clone(), clients.ecr.usual_address(name))).collect()
        }
    };
    let addresses = noted.value.addresses.clone();
    let (here, lost): (Vec<&Service>, Vec<&Service>) = services.into_iter().partition(|service| addresses.contains_key(&service.ecr_repo));
    noted.findings.extend(lost.into_iter().map(|service| no_repository(service, &repositories)));
    let looks = here.into_iter().map(|service| {
        let address = addresses.get(&service.ecr_repo).cloned().unwrap_or_default();
        async move { (service, look(request, clients, service, address, sources).await) }
    });
    for (service, looked) in stream::iter(looks).buffer_unordered(AT_ONCE).collect::<Vec<_>>().await {
        match looked {
            Ok(Some(found)) => drop(noted.value.images.insert(service.name.clone(), found)),
            Ok(None) => drop(noted.value.absent.insert(service.name.clone())),
            Err(finding) => noted.findings.push(finding),
        }
    }
    noted
}

fn unreadable(service: &Service, error: &CallError) -> Finding {
    let way_out = way_out(error, &format!("ecr:DescribeImages on repository {}", service.ecr_repo));
    Finding::new(service.name.as_str(), error.to_string(), way_out)
}

/// The image that bears the release's tag, and is of the release; else one of its commit, else one of its tree.
async fn look(
    request: &Request,
    clients: &Clients,
    service: &Service,
    address: String,
    sources: &Sources,
) -> Result<Option<FoundImage>, Finding> {
    let source = sources.known.get(&service.name);
    let uri = |stored: Stored| Image { uri: address.clone(), digest: stored.digest, tags: stored.tags };
    let by_tag =
        |tag: String| async move { clients.ecr.by_tag(&service.ecr_repo, &tag).await.map_err(|error| unreadable(service, &error)) };
    let release = by_tag(request.tag_text()).await?.map(uri);
    if let Some(image) = release.filter(|image| is_of_release(image, source))
        && may_go_there(request, clients, service, source, &image).await?
    {
        return Ok(Some(FoundImage { image, how: How::Release }));
    }
    for (tag, how) in source.into_iter().flat_map(Source::image_tags).zip([How::Commit, How::Tree]) {
        if let Some(image) = by_tag(tag).await?.map(uri) {
            return Ok(Some(FoundImage { image, how }));
        }
    }
    Ok(None)
}

/// Another environment may have put the release's tag on an image of another branch: into production goes what is on its branch.
async fn may_go_there(
    request: &Request,
    clients: &Clients,
    service: &Service,
    source: Option<&Source>,
    image: &Image,
) -> Result<bool, Finding> {
    let Some(Source { origin: Origin::Branch(branch), .. }) = source.filter(|_| request.environment.name == "prod") else {
        return Ok(true);
    };
    if source.is_some_and(|source| source.image_tags().any(|tag| image.tags.contains(&tag))) {
        return Ok(true);
    }
    let repository = request.environment.repository(&service.repo);
    let untold = |why: String| {
        let what = format!("whether the image that is tagged {} is of `{branch}` can't be told: {why}", request.tag_text());
        Finding::new(service.name.as_str(), what, "run it again; production is released from this branch alone")
    };
    let github = clients.github.as_ref().map_err(|why| untold(why.clone()))?;
    for commit in Accepted::from_tags(image.tags.iter().map(String::as_str)).commits.iter().filter(|commit| is_commit(commit)) {
        match github.on_branch(&repository, branch, commit).await {
            Ok(true) => return Ok(true),
            Ok(false) | Err(GitHubError::Status { code: 404, .. }) => {}
            Err(error) => return Err(untold(error.to_string())),
        }
    }
    Ok(false)
}

fn no_repository(service: &Service, repositories: &[EcrRepository]) -> Finding {
    let others = repositories.iter().map(EcrRepository::as_str).filter(|name| *name != service.ecr_repo.as_str());
    let near = nearest(service.ecr_repo.as_str(), others).map(|near| format!(" (did you mean `{near}`?)")).unwrap_or_default();
    Finding::new(
        service.name.as_str(),
        format!("there is no ECR repository `{}`", service.ecr_repo),
        format!("create it, or correct `ecr_repo` in services/{}.yml{near}", service.name),
    )
}

/// What is known of a service's image; the comparison of its commits is judged apart.
pub(super) fn evidence<'a>(world: &'a World, service: &Service) -> Evidence<'a> {
    Evidence {
        source: world.sources.known.get(&service.name),
        found: world.registry.images.get(&service.name),
        keepable: world.keepable.get(&service.name),
        ..Evidence::default()
    }
}

/// What the comparison of a service's commits means for it.
pub(super) fn judged(world: &World, service: &Service) -> Option<Judged> {
    let from = running_side(service, world.found.get(&service.name)?);
    let since = since(&from);
    let has_image = world.registry.images.contains_key(&service.name);
    let changed = |words: String| Some(Judged { is_unaffected: false, words }).filter(|_| !has_image);
    match world.compared.get(&service.name) {
        Some(compared) => match &compared.answer {
            Ok(comparison) => Some(comparison.judge(&service.paths, &since)),
            Err(why) => changed(format!("not compared with {since}: {why}")),
        },
        None if from.revision.is_none() => changed("what runs names no commit".to_owned()),
        None => None,
    }
}

/// The images that run of services of which nothing has changed. Where a service is stuck, only with the definition that is
/// to run: an older one may still serve.
pub(super) async fn keepable(request: &Request, clients: &Clients, world: &World) -> Noted<BTreeMap<ServiceName, Image>> {
    let mut noted = Noted::<BTreeMap<ServiceName, Image>>::default();
    let unaffected = request.scope.included.iter().filter_map(|name| {
        let (service, found) = (request.services.get(name)?, world.found.get(name).filter(|found| found.serving.is_none())?);
        let digest = found.definition.digest(&service.container)?;
        // As it is written there, so that nothing differs.
        let uri = found.definition.image(&service.container)?.split_once('@')?.0.to_owned();
        judged(world, service).filter(|judged| judged.is_unaffected).map(|_| (service, uri, digest))
    });
    let looks = unaffected.map(|(service, uri, digest)| async move {
        let stored = clients.ecr.by_digest(&service.ecr_repo, &digest).await;
        (service, uri, stored)
    });
    for (service, uri, stored) in stream::iter(looks).buffer_unordered(AT_ONCE).collect::<Vec<_>>().await {
        match stored {
            Ok(Some(stored)) => {
                let image = Image { uri, digest: stored.digest, tags: stored.tags };
                noted.value.insert(service.name.clone(), image);
            }
            // Tasks of an image that is gone can't be started again: it is built anew.
            Ok(None) => {}
            Err(error) => noted.findings.push(Finding::new(
                service.name.as_str(),
                error.to_string(),
                way_out(&error, &format!("ecr:DescribeImages on repository {}", service.ecr_repo)),
            )),
        }
    }
    noted
}
