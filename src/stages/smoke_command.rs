//! The command `smoke`: asks what runs for its health and version, changing nothing.

use std::collections::BTreeMap;

use futures_util::{StreamExt, stream};
use tokio::sync::watch;
use tokio::time::Instant;

use super::read::views;
use super::smoke::{NeverWell, Smoke, smoke};
use super::{AT_ONCE, Clients, ecs_name, failure};
use crate::clients::call::CallError;
use crate::config::Request;
use crate::domain::board::{Board, State};
use crate::domain::names::EcsServiceName;
use crate::domain::outcome::{End, Failure};
use crate::domain::plan::{Action, Found, Plan, PlannedService, Side, Start};
use crate::domain::planner::running_side;
use crate::domain::rollout::ServiceView;
use crate::domain::service::Service;
use crate::domain::smoke::Accepted;
use crate::error::Error;

/// Asks every service in scope that has a health check, side by side.
///
/// # Errors
/// `Error::Refused` when what runs can't be read.
pub async fn smoke_all(request: &Request, clients: &Clients, began: Instant) -> Result<Board, Error> {
    let services: Vec<&Service> = request.scope.included.iter().filter_map(|name| request.services.get(name)).collect();
    let names: Vec<EcsServiceName> = services.iter().map(|service| ecs_name(service, &request.environment)).collect();
    let views =
        views(clients, &names).await.map_err(|error| Error::refused("ECS", error.to_string(), "allow the role ecs:DescribeServices"))?;
    let running = services.into_iter().zip(&names).map(|(service, name)| {
        let view = views.iter().find(|view| view.name == *name).cloned();
        running(request, clients, service, view)
    });
    let running: Vec<_> = stream::iter(running).buffered(AT_ONCE).collect().await;
    let running: Vec<(PlannedService, Option<Smoke>)> = running.into_iter().collect::<Result<_, _>>()?;
    let plan = Plan {
        environment: request.environment.name.clone(),
        version: request.tag_text(),
        services: running.iter().map(|(planned, _)| planned.clone()).collect(),
    };
    let mut board = Board::new(&plan, &request.graph, &BTreeMap::new());
    let tests = running.into_iter().filter_map(|(planned, test)| Some((planned.name, test?)));
    let asked = tests.map(|(name, test)| async move {
        let started = Instant::now();
        // No deployment is under way here: every wrong answer counts.
        let (_sender, older) = watch::channel(false);
        (name, started, smoke(&clients.http, &test, older).await)
    });
    for (name, started, result) in stream::iter(asked).buffer_unordered(AT_ONCE).collect::<Vec<_>>().await {
        board.advance(&name, State::Smoke, started - began);
        let end = match result {
            Ok(()) => End::Unchanged,
            Err(NeverWell { asked, why }) => End::Failed(Failure {
                hint: "look at the service itself: its log, its configuration, DEPLOY_BASE_URL; `status` shows how it stands in ECS"
                    .to_owned(),
                ..failure::smoke(&why, asked, started.elapsed(), Vec::new())
            }),
        };
        board.advance(&name, State::Done(end), began.elapsed());
    }
    Ok(board)
}

/// Under which names what runs may call itself.
pub(super) async fn accepted(clients: &Clients, service: &Service, side: &Side) -> Result<Accepted, CallError> {
    let stored = match &side.digest {
        Some(digest) => clients.ecr.by_digest(&service.ecr_repo, digest).await?,
        None => None,
    };
    // An image that is no longer in the registry is still known by the label of its version.
    let label = side.version.as_ref().map(|version| format!("v{version}"));
    let tags = stored.map(|stored| stored.tags).unwrap_or_default();
    Ok(Accepted::from_tags(tags.iter().chain(&label).map(String::as_str)))
}

/// What runs, and the test of it.
async fn running(
    request: &Request,
    clients: &Clients,
    service: &Service,
    view: Option<ServiceView>,
) -> Result<(PlannedService, Option<Smoke>), Error> {
    let refused = |why: String| {
        Error::refused(service.name.as_str(), why, "correct services/*.yml, or allow the role ecs:Describe* and ecr:DescribeImages")
    };
    let name = ecs_name(service, &request.environment);
    let view = view.ok_or_else(|| refused(format!("ECS has no service `{name}`")))?;
    let primary = view.primary().ok_or_else(|| refused("ECS lists no PRIMARY deployment".to_owned()))?;
    let definition = clients.ecs.definition(&primary.definition).await.map_err(|error| refused(error.to_string()))?;
    let desired = view.desired;
    let found = Found { view, definition, serving: None, secrets: BTreeMap::new() };
    let side = running_side(service, &found);
    let accepted = accepted(clients, service, &side).await.map_err(|error| refused(error.to_string()))?;
    let environment = &request.environment;
    let mut health = service.health.clone();
    if accepted.is_empty() {
        // Nobody knows how this image calls itself, so only its health is asked for.
        health.iter_mut().for_each(|health| health.version_field = None);
    }
    let test = service.health_url(environment.base_url.as_deref(), &environment.name).zip(health);
    let test = test.map(|(url, health)| Smoke { url, health, accepted: accepted.clone(), timeout: environment.smoke_timeout });
    let test = test.filter(|_| !request.skip_smoke && desired > 0);
    let planned = PlannedService {
        name: service.name.clone(),
        action: Action::None,
        reason: match &test {
            Some(_) => "asked for its health and version".to_owned(),
            None if request.skip_smoke => "not asked: skip-smoke".to_owned(),
            None if desired == 0 => "not asked: no task of it is wanted".to_owned(),
            None => "not asked: services/*.yml names no `health`, or DEPLOY_BASE_URL is missing".to_owned(),
        },
        from: side.clone(),
        to: side,
        start: Start::Nothing,
        chosen: None,
        is_proven: false,
        is_unmarked: false,
        definition: found.definition,
        container: service.container.clone(),
        previous: None,
        is_unproven: false,
        migration: None,
        stays: false,
        view: found.view,
        accepted,
    };
    Ok((planned, test))
}
