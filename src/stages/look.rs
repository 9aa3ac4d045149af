//! One look at everything in flight: ten services a call, calls and task look-ups side by side.

use std::collections::BTreeMap;

use futures_util::future::join_all;

use super::Clients;
use super::flight::Flight;
use crate::clients::aws::CallError;
use crate::clients::ecs::SERVICES_AT_ONCE;
use crate::domain::names::{EcsServiceName, ServiceName};
use crate::domain::rollout::{ServiceView, Verdict};

/// A verdict and the look that it rests on, or why there was none.
pub(super) type Looked = Result<(Verdict, ServiceView), CallError>;

/// Looks at every flight and has it judged.
pub(super) async fn look(clients: &Clients, flights: &mut BTreeMap<ServiceName, Flight>) -> Vec<(ServiceName, Looked)> {
    let names: Vec<EcsServiceName> = flights.values().map(|flight| flight.name.clone()).collect();
    let answers = join_all(names.chunks(SERVICES_AT_ONCE).map(|some| async move { (some, clients.ecs.services(some).await) })).await;
    let mut views: BTreeMap<&EcsServiceName, Result<ServiceView, CallError>> = BTreeMap::new();
    for (some, answer) in answers {
        let each = |name| (name, answer.as_ref().map_err(Clone::clone).and_then(|found| view_of(found, name)));
        views.extend(some.iter().map(each));
    }
    let looks = flights.iter_mut().filter_map(|(name, flight)| {
        let view = views.remove(&flight.name)?;
        Some(async move {
            let looked = match view {
                Ok(view) => Ok((flight.observe(clients, &view).await, view)),
                Err(error) => Err(error),
            };
            (name.clone(), looked)
        })
    });
    join_all(looks).await
}

/// An answer may leave a service out for a moment; it is gone when it stays away.
fn view_of(found: &[ServiceView], name: &EcsServiceName) -> Result<ServiceView, CallError> {
    let missing =
        || CallError { operation: "DescribeServices", code: "MISSING".to_owned(), message: format!("ECS lists no service {name}") };
    found.iter().find(|view| view.name == *name).cloned().ok_or_else(missing)
}
