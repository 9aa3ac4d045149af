//! What GitHub knows of a release: the commit that it means in each repository, and how that lies to what runs.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt, stream};

use super::world::{Noted, Sources, World};
use super::{AT_ONCE, Clients, images};
use crate::clients::checkout;
use crate::clients::github::{GitHub, GitHubError};
use crate::config::Request;
use crate::domain::change::{Ancestry, Comparison, Origin, Source};
use crate::domain::names::{Revision, ServiceName};
use crate::domain::older::{Compared, Pair, is_commit, pair};
use crate::domain::planner::running_side;
use crate::domain::service::Service;
use crate::error::Finding;

/// Finds the release's commit for every service in scope, each repository once.
pub(super) async fn sources(request: &Request, clients: &Clients) -> Noted<Sources> {
    let mut noted = Noted::<Sources>::default();
    if request.tag.is_none() || !request.command.reads_sources() {
        return noted;
    }
    let services = || request.scope.included.iter().filter_map(|name| request.services.get(name));
    let repositories: BTreeSet<String> = services().map(|service| request.environment.repository(&service.repo)).collect();
    let asked = repositories.iter().map(|repository| async move { (repository, source(request, clients, repository).await) });
    let found: BTreeMap<&String, Result<(Source, Option<Finding>), String>> =
        stream::iter(asked).buffer_unordered(AT_ONCE).collect::<Vec<_>>().await.into_iter().collect();
    for repository in &repositories {
        match found.get(repository) {
            Some(Ok((_, Some(finding)))) => noted.findings.push(finding.clone()),
            Some(Err(why)) if request.environment.name == "prod" => noted.findings.push(untold(request, repository, why)),
            _ => {}
        }
    }
    for service in services() {
        match found.get(&request.environment.repository(&service.repo)) {
            Some(Ok((source, _))) => noted.value.known.insert(service.name.clone(), source.clone()).map(|_| ()),
            Some(Err(why)) => noted.value.unread.insert(service.name.clone(), why.clone()).map(|_| ()),
            None => None,
        };
    }
    noted
}

/// A tag that somebody typed, and that no repository has: then heads of branches go out under a name that may be a mistake.
pub(super) fn untagged(request: &Request, sources: &Sources) -> Option<String> {
    let tag = request.tag_text();
    let is_of_branch = |source: &Source| matches!(source.origin, Origin::Branch(_));
    let is_typed = request.runner.pushed_tag() != Some(tag.as_str());
    let is_nowhere = is_typed && !sources.known.is_empty() && sources.known.values().all(is_of_branch);
    let branch = &request.environment.source_branch;
    is_nowhere.then(|| format!("no repository of this release has the tag {tag}: what is deployed is the head of `{branch}`; check `tag`"))
}

/// The tag's commit, else the head of the source branch. In production a tag must be on that branch.
async fn source(request: &Request, clients: &Clients, repository: &str) -> Result<(Source, Option<Finding>), String> {
    let tag = request.tag_text();
    let branch = &request.environment.source_branch;
    if let Some(pushed) = pushed(request, repository) {
        let source = of_push(request, clients, repository, pushed).await;
        let finding = off_branch(request, clients, repository, &source.commit).await;
        return Ok((source, finding));
    }
    let github = clients.github.as_ref().map_err(Clone::clone)?;
    if let Some(commit) = asked(github, repository, &format!("tags/{tag}")).await? {
        let source = Source { commit: commit.0, tree: Some(commit.1), origin: Origin::Tag };
        let finding = off_branch(request, clients, repository, &source.commit).await;
        return Ok((source, finding));
    }
    match asked(github, repository, &format!("heads/{branch}")).await? {
        Some((commit, tree)) => Ok((Source { commit, tree: Some(tree), origin: Origin::Branch(branch.clone()) }, None)),
        None => Err(format!("{repository} has neither the tag {tag} nor the branch {branch} (DEPLOY_SOURCE_BRANCH)")),
    }
}

async fn asked(github: &GitHub, repository: &str, reference: &str) -> Result<Option<(Revision, String)>, String> {
    let found = github.commit(repository, reference).await.map_err(|error| error.to_string())?;
    Ok(found.map(|commit| (commit.id, commit.tree)))
}

/// The commit that this run was started for, where the run belongs to the repository and was started by the release's tag.
fn pushed(request: &Request, repository: &str) -> Option<Revision> {
    let runner = &request.runner;
    let is_here = runner.repository().is_some_and(|here| here.eq_ignore_ascii_case(repository));
    let is_this_tag = runner.pushed_tag() == Some(request.tag_text().as_str());
    runner.pushed_commit().map(Revision::from).filter(|commit| is_here && is_this_tag && is_commit(commit))
}

/// The checkout knows the commit's tree, and so does GitHub; without either, the tree is not known.
async fn of_push(request: &Request, clients: &Clients, repository: &str, commit: Revision) -> Source {
    let checkout = checkout::read(&request.runner.workspace(), &request.tokens.variables).await;
    if let Some(checkout) = checkout.filter(|checkout| checkout.head == commit) {
        return Source { commit, tree: Some(checkout.tree), origin: Origin::Tag };
    }
    let known = match &clients.github {
        Ok(github) => github.commit(repository, commit.as_str()).await.ok().flatten(),
        Err(_) => None,
    };
    let id = known.as_ref().map_or(commit, |known| known.id.clone());
    Source { commit: id, tree: known.map(|known| known.tree), origin: Origin::Tag }
}

fn untold(request: &Request, repository: &str, why: &str) -> Finding {
    let what = format!("whether {} is on `{}` can't be told: {why}", request.tag_text(), request.environment.source_branch);
    Finding::new(repository, what, "production is released from this branch alone (DEPLOY_SOURCE_BRANCH): let the token read it")
}

/// Production is released from its branch alone.
async fn off_branch(request: &Request, clients: &Clients, repository: &str, commit: &Revision) -> Option<Finding> {
    let branch = &request.environment.source_branch;
    if request.environment.name != "prod" {
        return None;
    }
    let github = match &clients.github {
        Ok(github) => github,
        Err(why) => return Some(untold(request, repository, why)),
    };
    let tag = request.tag_text();
    let (what, way_out) = match github.on_branch(repository, branch, commit).await {
        Ok(true) => return None,
        Ok(false) => (
            format!("tag {tag} is on {commit}, which is not on `{branch}`"),
            format!("merge it into `{branch}` and tag the merge; production is released from `{branch}` alone (DEPLOY_SOURCE_BRANCH)"),
        ),
        Err(GitHubError::Status { code: 404, .. }) => (
            format!("whether tag {tag} is on `{branch}` can't be told: GitHub finds no such branch, or does not show the repository"),
            "give the job `contents: read`, or name the branch of production: DEPLOY_SOURCE_BRANCH".to_owned(),
        ),
        Err(error) => (format!("whether tag {tag} is on `{branch}` can't be told: {error}"), "run it again".to_owned()),
    };
    Some(Finding::new(repository, what, way_out))
}

/// Compares what runs with what is to run, where that decides anything; each pair of commits once.
pub(super) async fn compare(request: &Request, clients: &Clients, world: &World) -> BTreeMap<ServiceName, Compared> {
    if !request.command.reads_sources() {
        return BTreeMap::new();
    }
    let wanted: BTreeMap<&ServiceName, Pair> = request
        .scope
        .included
        .iter()
        .filter_map(|name| {
            let (service, found) = (request.services.get(name)?, world.found.get(name)?);
            let evidence = images::evidence(world, service);
            let repository = request.environment.repository(&service.repo);
            Some((name, pair(repository, &running_side(service, found), &evidence)?))
        })
        .collect();
    let pairs: BTreeSet<&Pair> = wanted.values().collect();
    let asked = pairs.into_iter().map(|pair| async move { (pair, answer(request, clients, world, pair).await) });
    let answers: BTreeMap<&Pair, _> = stream::iter(asked).buffer_unordered(AT_ONCE).collect::<Vec<_>>().await.into_iter().collect();
    let compared =
        |(name, pair): (&&ServiceName, &Pair)| Some(((*name).clone(), Compared { pair: pair.clone(), answer: answers.get(pair)?.clone() }));
    wanted.iter().filter_map(compared).collect()
}

async fn answer(request: &Request, clients: &Clients, world: &World, pair: &Pair) -> Result<Comparison, String> {
    if pair.base == pair.head {
        return Ok(Comparison { ancestry: Ancestry::Identical, commits: 0, files: Some(Vec::new()) });
    }
    // A repository that could not be read a moment ago is not asked again.
    let is_of = |service: &&Service| request.environment.repository(&service.repo) == pair.repository;
    let unread = request.services.values().filter(is_of).find_map(|service| world.sources.unread.get(&service.name));
    let is_unreachable = |why: &&String| why.starts_with("GitHub") || clients.github.is_err();
    if let Some(why) = unread.filter(is_unreachable) {
        return Err(why.clone());
    }
    let github = clients.github.as_ref().map_err(Clone::clone)?;
    github.compare(pair).await.map_err(|error| error.to_string())
}
