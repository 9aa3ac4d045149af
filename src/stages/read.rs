//! Reads the world, once: services, definitions, images, secrets. Everything that is missing is found in one go.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt, stream};

use super::world::{AGAIN, Noted, World, way_out};
use super::{AT_ONCE, Clients, ecs_name, images, source};
use crate::clients::call::CallError;
use crate::clients::ecs::{ReadError, SERVICES_AT_ONCE};
use crate::config::Request;
use crate::domain::names::{EcsServiceName, ServiceName};
use crate::domain::plan::Found;
use crate::domain::rollout::{Deployment, RolloutState, ServiceView};
use crate::domain::service::{Service, secret_id};
use crate::domain::task_definition::{DefinitionError, TaskDefinition};
use crate::error::{Error, Finding};

/// Collects findings on the way.
struct Reader<'a> {
    request: &'a Request,
    clients: &'a Clients,
    world: World,
}

/// Reads everything that the plan needs.
///
/// # Errors
/// `Error::Refused` when even the cluster can't be read. Everything else that is missing stands in the world's findings.
pub async fn inspect(request: &Request, clients: &Clients) -> Result<World, Error> {
    let mut reader = Reader { request, clients, world: World::default() };
    let views = reader.services().await?;
    let (secrets, sources) = tokio::join!(secrets(request, clients), source::sources(request, clients));
    let secrets = reader.note(secrets);
    reader.world.sources = reader.note(sources);
    let sources = reader.world.sources.clone();
    let (images, ()) = tokio::join!(images::find(request, clients, &sources), reader.found(&views, &secrets));
    reader.world.registry = reader.note(images);
    reader.world.compared = source::compare(request, clients, &reader.world).await;
    let keepable = images::keepable(request, clients, &reader.world).await;
    reader.world.keepable = reader.note(keepable);
    Ok(reader.world)
}

/// Reads everything, and refuses where anything is missing.
///
/// # Errors
/// `Error::Refused` with every finding: missing or foreign services, secrets, repositories, permissions.
pub async fn read(request: &Request, clients: &Clients) -> Result<World, Error> {
    let world = inspect(request, clients).await?;
    if world.findings.is_empty() { Ok(world) } else { Err(Error::Refused(world.findings)) }
}

impl Reader<'_> {
    fn note<T>(&mut self, noted: Noted<T>) -> T {
        self.world.findings.extend(noted.findings);
        self.world.warnings.extend(noted.warnings);
        noted.value
    }

    fn in_scope(&self) -> impl Iterator<Item = &ServiceName> {
        self.request.scope.included.iter().chain(&self.request.scope.skipped)
    }

    /// The services in scope and those that they need, as ECS shows them.
    async fn services(&mut self) -> Result<BTreeMap<ServiceName, ServiceView>, Error> {
        let request = self.request;
        let mut wanted: BTreeSet<ServiceName> = self.in_scope().cloned().collect();
        for name in &request.scope.included {
            wanted.extend(request.graph.all_needs(name));
        }
        let described: Vec<&Service> = wanted.iter().filter_map(|name| request.services.get(name)).collect();
        let names: Vec<EcsServiceName> = described.iter().map(|service| ecs_name(service, &request.environment)).collect();
        let views = views(self.clients, &names).await.map_err(|error| refused_call(request, &error))?;
        // A service that is skipped, and that no deployed one needs, may be in any state, or not exist.
        let needed: BTreeSet<ServiceName> = request.scope.included.iter().flat_map(|name| request.graph.all_needs(name)).collect();
        let must_be_there = |name: &ServiceName| request.scope.included.contains(name) || needed.contains(name);
        let mut found = BTreeMap::new();
        for (service, ecs) in described.into_iter().zip(&names) {
            let view = views.iter().find(|view| view.name == *ecs);
            let finding = view.map_or_else(|| Some(missing(request, service, ecs)), |view| unusable(service, view));
            match finding {
                Some(finding) if must_be_there(&service.name) => self.world.findings.push(finding),
                Some(finding) => self.world.warnings.push(format!("skipped {}: {}", finding.subject, finding.what)),
                None => found.extend(view.map(|view| (service.name.clone(), view.clone()))),
            }
        }
        let is_outside = |name: &ServiceName| !request.scope.included.contains(name);
        let needed = found.iter().filter(|(name, _)| is_outside(name));
        self.world.needed = needed.map(|(name, view)| (name.clone(), view.clone())).collect();
        Ok(found)
    }

    /// The definitions of the services in scope, with everything else that belongs to them.
    async fn found(&mut self, views: &BTreeMap<ServiceName, ServiceView>, secrets: &BTreeMap<String, String>) {
        let request = self.request;
        let wanted: Vec<(&Service, &ServiceView)> =
            self.in_scope().filter_map(|name| Some((request.services.get(name)?, views.get(name)?))).collect();
        let clients = self.clients;
        let read = stream::iter(wanted).map(|(service, view)| async move { (service, view, definitions(clients, view).await) });
        for (service, view, definitions) in read.buffer_unordered(AT_ONCE).collect::<Vec<_>>().await {
            match definitions {
                Ok((definition, serving)) => {
                    let secrets = resolved(service, &request.environment.name, secrets);
                    let found = Found { view: view.clone(), definition, serving, secrets };
                    self.world.found.insert(service.name.clone(), found);
                }
                Err(error) => self.world.findings.push(Finding::new(
                    service.name.as_str(),
                    format!("its task definition can't be read: {error}"),
                    match &error {
                        ReadError::Call(error) => way_out(error, "ecs:DescribeTaskDefinition on `*`"),
                        ReadError::Definition(_) => AGAIN.to_owned(),
                    },
                )),
            }
        }
    }
}

/// The PRIMARY's definition, and the one that serves where the PRIMARY has not arrived.
pub(super) async fn definitions(clients: &Clients, view: &ServiceView) -> Result<(TaskDefinition, Option<TaskDefinition>), ReadError> {
    let Some(primary) = view.primary() else { return Err(DefinitionError::NotADefinition.into()) };
    let definition = clients.ecs.definition(&primary.definition).await?;
    let is_other = |other: &&Deployment| other.id != primary.id && other.state == RolloutState::Completed;
    let serving = view.deployments.iter().find(is_other).filter(|_| primary.state != RolloutState::Completed);
    match serving {
        Some(other) if other.definition == primary.definition => Ok((definition, None)),
        Some(other) => Ok((definition, Some(clients.ecs.definition(&other.definition).await?))),
        None => Ok((definition, None)),
    }
}

/// Services by name, ten a call, calls side by side.
pub(super) async fn views(clients: &Clients, names: &[EcsServiceName]) -> Result<Vec<ServiceView>, CallError> {
    let calls = names.chunks(SERVICES_AT_ONCE).map(|some| clients.ecs.services(some));
    let answers: Vec<_> = stream::iter(calls).buffered(AT_ONCE).collect().await;
    Ok(answers.into_iter().collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
}

pub(super) fn refused_call(request: &Request, error: &CallError) -> Error {
    let cluster = &request.environment.cluster;
    let way_out = if error.code == "ClusterNotFoundException" {
        format!("no cluster `{cluster}` in {}: correct DEPLOY_CLUSTER or DEPLOY_REGION", request.environment.region)
    } else {
        way_out(error, &format!("ecs:{} on the services of cluster {cluster}", error.operation))
    };
    Error::refused(format!("cluster {cluster}"), error.to_string(), way_out)
}

fn missing(request: &Request, service: &Service, ecs: &EcsServiceName) -> Finding {
    let environment = &request.environment;
    Finding::new(
        service.name.as_str(),
        format!("ECS has no service `{ecs}` in cluster {} ({})", environment.cluster, environment.region),
        format!("create it, or correct `ecs_service` in services/{}.yml; to leave it out this time: skip: {}", service.name, service.name),
    )
}

fn unusable(service: &Service, view: &ServiceView) -> Option<Finding> {
    if view.primary().is_none() {
        return Some(Finding::new(
            service.name.as_str(),
            "ECS lists no PRIMARY deployment of it",
            "see the service in the ECS console: it may be half deleted",
        ));
    }
    if view.status != "ACTIVE" {
        return Some(Finding::new(
            service.name.as_str(),
            format!("the ECS service is {}, not ACTIVE", view.status),
            "create it again, or leave it out with `skip`",
        ));
    }
    (view.controller != "ECS").then(|| {
        let what = format!("the ECS service is deployed by {}, not by ECS itself", view.controller);
        Finding::new(service.name.as_str(), what, "give the service the deployment controller ECS, or leave it out with `skip`")
    })
}

/// Full ARNs by what they were asked for; each secret is asked for once, however many services have it.
async fn secrets(request: &Request, clients: &Clients) -> Noted<BTreeMap<String, String>> {
    let mut noted = Noted { value: BTreeMap::new(), findings: Vec::new(), warnings: Vec::new() };
    let mut wanted: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for service in request.scope.included.iter().filter_map(|name| request.services.get(name)) {
        for (variable, reference) in service.secret_references(&request.environment.name) {
            wanted.entry(secret_id(&reference).0.to_owned()).or_default().push(format!("{} (services/{}.yml)", variable, service.name));
        }
    }
    let looks = wanted.into_iter().map(|(id, users)| async move {
        let described = clients.secrets.describe(&id).await;
        (id, users.join(", "), described)
    });
    for (id, users, described) in stream::iter(looks).buffer_unordered(AT_ONCE).collect::<Vec<_>>().await {
        let subject = format!("secret {id}");
        match described {
            Ok(Some(secret)) if !secret.is_deleted && secret.has_value => {
                noted.value.insert(id, secret.arn);
            }
            Ok(Some(secret)) => {
                let what = if secret.is_deleted { "is to be deleted" } else { "has no current value" };
                noted.findings.push(Finding::new(
                    subject,
                    format!("{what}; needed by {users}"),
                    "restore it, or put a value, in Secrets Manager",
                ));
            }
            Ok(None) => noted.findings.push(Finding::new(
                subject,
                format!("does not exist; needed by {users}"),
                "create it in Secrets Manager, or correct its name",
            )),
            // A full ARN needs no looking up, so what may not be looked at is no refusal.
            Err(error) if error.is_denied() && id.starts_with("arn:") => {
                noted.warnings.push(format!("{subject} was not checked: {error}"));
                noted.value.insert(id.clone(), id);
            }
            Err(error) => noted.findings.push(Finding::new(
                subject,
                format!("{error}; needed by {users}"),
                way_out(&error, "secretsmanager:DescribeSecret on it: ECS wants the full ARN"),
            )),
        }
    }
    noted
}

fn resolved(service: &Service, environment: &str, arns: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let full = |reference: &str| {
        let (id, rest) = secret_id(reference);
        arns.get(id).map(|arn| format!("{arn}{rest}"))
    };
    service.secret_references(environment).filter_map(|(variable, reference)| Some((variable.clone(), full(&reference)?))).collect()
}
