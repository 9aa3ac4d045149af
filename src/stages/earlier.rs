//! The release before the one that runs: for `rollback` without a tag.

use std::collections::BTreeSet;

use super::{Clients, read};
use crate::config::Request;
use crate::domain::image::passed_tag;
use crate::domain::names::EcrRepository;
use crate::domain::planner::running_side;
use crate::domain::tag::ReleaseTag;
use crate::error::Error;

/// Finds it: the greatest release of the same kind, in any of the services' repositories, below the greatest that runs.
///
/// # Errors
/// `Error::Refused` when what runs, or the release before it, can't be told.
pub async fn release_before(request: &Request, clients: &Clients) -> Result<ReleaseTag, Error> {
    let world = read::read(request, clients).await?;
    let services = || request.scope.included.iter().filter_map(|name| request.services.get(name));
    let version = |name| {
        let (service, found) = (request.services.get(name)?, world.found.get(name)?);
        ReleaseTag::parse(&format!("v{}", running_side(service, found).version?)).ok()
    };
    let unknown = |why: &str| unknown(why, &request.environment.name);
    let Some(running) = request.scope.included.iter().filter_map(version).max() else {
        return Err(unknown("what runs can't be told: no running definition names its version"));
    };
    let repositories: BTreeSet<&EcrRepository> = services().map(|service| &service.ecr_repo).collect();
    let mut tags = Vec::new();
    for repository in repositories {
        tags.extend(clients.ecr.tags(repository).await.map_err(|error| unknown(&error.to_string()))?);
    }
    let releases = tags.iter().filter_map(|tag| ReleaseTag::parse(tag).ok());
    let earlier: Vec<ReleaseTag> = releases.filter(|tag| *tag < running && tag.kind() == running.kind()).collect();
    // A release that failed has named its images, too: one that has passed here is better.
    let has_passed = |tag: &&ReleaseTag| tags.contains(&passed_tag(&request.environment.name, &tag.version()));
    let best = earlier.iter().filter(has_passed).max().or_else(|| earlier.iter().max());
    best.cloned().ok_or_else(|| unknown(&format!("{running} runs, and the registry holds no release before it")))
}

fn unknown(why: &str, environment: &str) -> Error {
    let suffix = match environment {
        "prod" => "",
        "staging" => "-stg",
        _ => "-dev",
    };
    let way_out = format!("name an earlier release of this environment in the input `tag`, as in v2.14.0{suffix}");
    Error::refused("the release before", why.to_owned(), way_out)
}
