//! What runs where: reads, asks for health, changes nothing.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use futures_util::{StreamExt, stream};

use super::read::{definitions, refused_call, views};
use super::smoke_command::accepted;
use super::{AT_ONCE, Clients, ecs_name, prepare};
use crate::clients::console::{Console, Masks};
use crate::clients::endpoint;
use crate::config::Request;
use crate::domain::names::EcsServiceName;
use crate::domain::plan::{Found, Side};
use crate::domain::planner::{running_side, side_of};
use crate::domain::rollout::{RolloutState, ServiceView};
use crate::domain::service::Service;
use crate::domain::smoke::{Opinion, judge};
use crate::domain::status::{Place, Standing, State};

/// Every environment of the request, side by side. One that can't be read says why.
pub async fn status(request: &Request, console: &Console, masks: &Masks) -> Vec<Place> {
    let environments = std::iter::once(&request.environment).chain(&request.beside);
    join_all(environments.map(|environment| async {
        let request = Request { environment: environment.clone(), beside: Vec::new(), ..request.clone() };
        let services = match prepare::connect(&request, console, masks).await {
            Ok(clients) => services(&request, &clients).await,
            Err(error) => Err(error.lines().join("; ")),
        };
        Place { environment: environment.name.clone(), region: environment.region.clone(), cluster: environment.cluster.clone(), services }
    }))
    .await
}

async fn services(request: &Request, clients: &Clients) -> Result<Vec<Standing>, String> {
    let services: Vec<&Service> = request.scope.included.iter().filter_map(|name| request.services.get(name)).collect();
    let names: Vec<EcsServiceName> = services.iter().map(|service| ecs_name(service, &request.environment)).collect();
    let views = views(clients, &names).await.map_err(|error| refused_call(request, &error).lines().join("; "))?;
    let standing = services.into_iter().zip(&names).map(|(service, name)| {
        let view = views.iter().find(|view| view.name == *name).cloned();
        async move {
            match view {
                Some(view) => standing(request, clients, service, view).await,
                None => Standing::unknown(&service.name, format!("ECS has no service `{name}`")),
            }
        }
    });
    Ok(stream::iter(standing).buffered(AT_ONCE).collect().await)
}

async fn standing(request: &Request, clients: &Clients, service: &Service, view: ServiceView) -> Standing {
    let state = State::of(&view);
    if let State::Unknown(why) = state {
        return Standing::unknown(&service.name, why);
    }
    let (definition, serving) = match definitions(clients, &view).await {
        Ok(both) => both,
        Err(error) => return Standing::unknown(&service.name, format!("its task definition can't be read: {error}")),
    };
    let found = Found { view, definition, serving, secrets: BTreeMap::new() };
    let runs = running_side(service, &found);
    // A deployment that has not arrived is on its way; where nothing else serves, it is all there is.
    let next = found.serving.as_ref().map(|_| side_of(service, &found.definition));
    let arrived = |state| state == RolloutState::Completed;
    let serves = found.view.deployments.iter().find(|deployment| arrived(deployment.state)).or_else(|| found.view.primary());
    Standing {
        name: service.name.clone(),
        since: serves.and_then(|deployment| deployment.created),
        running: found.view.deployments.iter().map(|deployment| deployment.running).sum(),
        desired: found.view.desired,
        health: health(request, clients, service, &runs).await.filter(|_| found.view.desired > 0),
        state,
        runs,
        next,
    }
}

/// The service's own answer, asked for once.
async fn health(request: &Request, clients: &Clients, service: &Service, runs: &Side) -> Option<Opinion> {
    let environment = &request.environment;
    let url = service.health_url(environment.base_url.as_deref(), &environment.name).filter(|_| !request.skip_smoke)?;
    let mut health = service.health.clone()?;
    let accepted = accepted(clients, service, runs).await.unwrap_or_default();
    if accepted.is_empty() {
        health.version_field = None;
    }
    Some(judge(&health, &accepted, &endpoint::ask(&clients.http, &url).await))
}
