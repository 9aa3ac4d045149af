//! One look at what is in flight: ten services a call, a hundred tasks a call, calls side by side.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::future::join_all;

use super::Clients;
use super::flight::{Flight, Listed, Wanted, tell_of_targets, tell_of_tasks};
use crate::clients::call::CallError;
use crate::clients::ecs::SERVICES_AT_ONCE;
use crate::domain::names::{EcsServiceName, ServiceName};
use crate::domain::rollout::{ServiceView, TargetGroup, Targets, Task, Verdict};

/// A verdict and the look that it rests on, or why there was none.
pub(super) type Looked = Result<(Verdict, ServiceView), CallError>;
type Flights = BTreeMap<ServiceName, Flight>;

/// Looks at flights and has them judged: at all, or at some.
pub(super) async fn look(
    clients: &Clients,
    flights: &mut Flights,
    some: Option<&BTreeSet<ServiceName>>,
    ended_every: Duration,
) -> Vec<(ServiceName, Looked)> {
    let mut flights: Vec<(&ServiceName, &mut Flight)> =
        flights.iter_mut().filter(|(name, _)| some.is_none_or(|some| some.contains(*name))).collect();
    let names: Vec<EcsServiceName> = flights.iter().map(|(_, flight)| flight.name.clone()).collect();
    let mut views = views(clients, &names).await;
    let mut wanted = Vec::with_capacity(flights.len());
    for (_, flight) in &mut flights {
        wanted.push(match views.get(&flight.name) {
            Some(Ok(view)) => flight.see(view, ended_every),
            _ => Wanted::default(),
        });
    }
    look_at_tasks(clients, flights.iter_mut().map(|(_, flight)| &mut **flight).zip(wanted).collect()).await;
    let verdicts = flights.into_iter().filter_map(|(name, flight)| {
        let view = views.remove(&flight.name)?;
        Some(async move {
            let looked = match view {
                Ok(view) => Ok((flight.verdict(clients, &view).await, view)),
                Err(error) => Err(error),
            };
            (name.clone(), looked)
        })
    });
    join_all(verdicts).await
}

/// A glance at the tasks of flights that wait to be healthy, and nothing else: those that seem to be, and are worth a look.
pub(super) async fn glance(clients: &Clients, flights: &mut Flights, some: &BTreeSet<ServiceName>) -> BTreeSet<ServiceName> {
    let near = || Wanted { known: true, ..Wanted::default() };
    let glanced = flights.iter_mut().filter(|(name, _)| some.contains(*name)).map(|(_, flight)| (flight, near()));
    look_at_tasks(clients, glanced.collect()).await;
    flights.iter().filter(|(name, flight)| some.contains(*name) && flight.seems_healthy()).map(|(name, _)| name.clone()).collect()
}

async fn views<'a>(clients: &Clients, names: &'a [EcsServiceName]) -> BTreeMap<&'a EcsServiceName, Result<ServiceView, CallError>> {
    let answers = join_all(names.chunks(SERVICES_AT_ONCE).map(|some| async move { (some, clients.ecs.look(some).await) })).await;
    let mut views = BTreeMap::new();
    for (some, answer) in answers {
        match answer {
            Ok(mut found) => views.extend(some.iter().map(|name| (name, view_of(&mut found, name)))),
            Err(error) => views.extend(some.iter().map(|name| (name, Err(error.clone())))),
        }
    }
    views
}

/// An answer may leave a service out for a moment; it is gone when it stays away.
fn view_of(found: &mut Vec<ServiceView>, name: &EcsServiceName) -> Result<ServiceView, CallError> {
    let missing =
        || CallError { operation: "DescribeServices", code: "MISSING".to_owned(), message: format!("ECS lists no service {name}") };
    found.iter().position(|view| view.name == *name).map(|at| found.swap_remove(at)).ok_or_else(missing)
}

/// Lists what is not known yet, and describes the tasks of all flights together.
async fn look_at_tasks(clients: &Clients, flights: Vec<(&mut Flight, Wanted)>) {
    let wanting: Vec<(&mut Flight, Wanted)> = flights.into_iter().filter(|(_, wanted)| *wanted != Wanted::default()).collect();
    if wanting.is_empty() {
        return;
    }
    let lists = join_all(wanting.iter().map(|(flight, wanted)| listed(clients, flight, *wanted)));
    let groups: BTreeSet<&TargetGroup> = wanting.iter().flat_map(|(flight, _)| flight.target_groups()).collect();
    let (lists, targets) = tokio::join!(lists, targets(clients, &groups));
    let ids: BTreeSet<&String> = lists.iter().flatten().flat_map(|listed| &listed.ids).collect();
    let ids: Vec<String> = ids.into_iter().cloned().collect();
    let described = if ids.is_empty() { Ok(Vec::new()) } else { clients.ecs.look_at_tasks(&ids).await };
    let described: Result<BTreeMap<String, Task>, CallError> =
        described.map(|tasks| tasks.into_iter().map(|task| (task.id.clone(), task)).collect());
    let of = |groups: &[TargetGroup]| of_groups(groups, &targets);
    let targets: Vec<Targets> = wanting.iter().map(|(flight, _)| of(flight.target_groups())).collect();
    for (((flight, _), listed), targets) in wanting.into_iter().zip(lists).zip(targets) {
        match (listed, &described) {
            (Ok(listed), Ok(tasks)) => flight.take(&listed, tasks, targets),
            (Err(error), _) => tell_of_tasks(&error),
            (_, Err(error)) => tell_of_tasks(error),
        }
    }
}

async fn listed(clients: &Clients, flight: &Flight, wanted: Wanted) -> Result<Listed, CallError> {
    let list = |is_wanted: bool, ended: bool| async move {
        if is_wanted { clients.ecs.task_ids(&flight.name, ended).await } else { Ok(Vec::new()) }
    };
    let (running, ended) = tokio::join!(list(wanted.running, false), list(wanted.ended, true));
    let listed = running?.into_iter().chain(ended?).filter(|id| flight.is_news(id));
    let ids: BTreeSet<String> = listed.chain(flight.running().map(str::to_owned)).collect();
    Ok(Listed { ids, has_ended: wanted.ended })
}

type Health = Result<BTreeSet<String>, CallError>;

async fn targets<'a>(clients: &Clients, groups: &BTreeSet<&'a TargetGroup>) -> BTreeMap<&'a TargetGroup, Health> {
    let looks = groups.iter().map(|group| async move { (*group, clients.elb.healthy(group).await) });
    join_all(looks).await.into_iter().collect()
}

fn of_groups(groups: &[TargetGroup], health: &BTreeMap<&TargetGroup, Health>) -> Targets {
    if groups.is_empty() {
        return Targets::None;
    }
    let mut healthy = Vec::with_capacity(groups.len());
    for group in groups {
        match health.get(group) {
            Some(Ok(addresses)) => healthy.push(addresses.clone()),
            Some(Err(error)) => {
                tell_of_targets(error);
                return Targets::Unknown;
            }
            None => return Targets::Unknown,
        }
    }
    Targets::Healthy(healthy)
}
