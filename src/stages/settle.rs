//! Waits until nothing strange moves: services that are needed but not deployed must be steady, and another's deployment
//! of a service that we deploy must have ended. Nothing has been changed yet.

use std::collections::BTreeMap;

use tokio::time::{Instant, sleep};

use super::{Clients, ecs_name, read};
use crate::clients::console::Console;
use crate::config::Request;
use crate::domain::names::{EcsServiceName, ServiceName};
use crate::domain::plan::Plan;
use crate::domain::rollout::ServiceView;
use crate::error::{Error, Finding};

/// What the run waits for, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Waiting {
    /// Needed, not deployed: must be steady.
    needed: Vec<ServiceName>,
    /// Another's deployment is in flight: must have ended.
    strangers: Vec<ServiceName>,
}

/// Waits; true when there was something to wait for, so that the world must be read again.
///
/// # Errors
/// `Error::Refused` when it takes longer than `DEPLOY_TIMEOUT_MINUTES`.
pub async fn settle(
    request: &Request,
    clients: &Clients,
    plan: &Plan,
    needed: &BTreeMap<ServiceName, ServiceView>,
    console: &Console,
) -> Result<bool, Error> {
    let mut waiting = Waiting {
        needed: relevant(request, plan, needed),
        strangers: plan.services.iter().filter(|service| service.waits_for_stranger()).map(|service| service.name.clone()).collect(),
    };
    if waiting == Waiting::default() {
        return Ok(false);
    }
    let started = Instant::now();
    tell(&waiting, console);
    loop {
        if started.elapsed() > request.environment.timeout {
            return Err(Error::Refused(waiting.findings(request)));
        }
        sleep(request.environment.poll).await;
        let names: Vec<EcsServiceName> =
            waiting.names().filter_map(|name| request.services.get(name)).map(|service| ecs_name(service, &request.environment)).collect();
        // A look that fails is made again: there is time.
        let Ok(views) = read::views(clients, &names).await else { continue };
        let view = |name: &ServiceName| {
            let ecs = ecs_name(request.services.get(name)?, &request.environment);
            views.iter().find(|view| view.name == ecs)
        };
        let before = waiting.clone();
        waiting.needed.retain(|name| !view(name).is_some_and(ServiceView::is_steady));
        waiting.strangers.retain(|name| view(name).is_none_or(ServiceView::is_in_flight));
        if waiting == Waiting::default() {
            return Ok(true);
        }
        if waiting != before {
            tell(&waiting, console);
        }
    }
}

/// Services that a changed service needs, that aren't deployed themselves and aren't steady.
fn relevant(request: &Request, plan: &Plan, needed: &BTreeMap<ServiceName, ServiceView>) -> Vec<ServiceName> {
    let is_needed = |name: &ServiceName| plan.changes().any(|change| request.graph.all_needs(&change.name).contains(name));
    let unsteady = needed.iter().filter(|(name, view)| !view.is_steady() && is_needed(name));
    unsteady.map(|(name, _)| name.clone()).collect()
}

fn tell(waiting: &Waiting, console: &Console) {
    for name in &waiting.needed {
        console.line(&format!("waiting for {name}: it is needed, not deployed by this run, and not steady"));
    }
    for name in &waiting.strangers {
        console.line(&format!("waiting for {name}: someone else's deployment of it is in flight"));
    }
}

impl Waiting {
    fn names(&self) -> impl Iterator<Item = &ServiceName> {
        self.needed.iter().chain(&self.strangers)
    }

    fn findings(&self, request: &Request) -> Vec<Finding> {
        let minutes = request.environment.timeout.as_secs_f64() / 60.0;
        let needed = self.needed.iter().map(|name| {
            let what = format!("is needed, but has not become steady in {minutes} minutes");
            Finding::new(name.as_str(), what, format!("mend it first, or deploy it with this release: services: {name},…"))
        });
        let strangers = self.strangers.iter().map(|name| {
            let what = format!("someone else's deployment is still in flight after {minutes} minutes");
            Finding::new(name.as_str(), what, "let it end or stop it, then run this again")
        });
        needed.chain(strangers).collect()
    }
}
