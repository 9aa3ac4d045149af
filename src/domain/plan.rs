//! What a release will do and why: one value, made from the world as it was read, printed, and then applied.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use super::migration::PlannedMigration;
use super::names::{DefinitionArn, DeploymentId, Digest, Revision, ServiceName};
use super::rollout::{Deployment, RolloutState, ServiceView};
use super::service::Service;
use super::smoke::{Accepted, display_version};
use super::tag::ReleaseTag;
use super::task_definition::{
    DefinitionError, Difference, LABEL_PREVIOUS, LABEL_RELEASE, LABEL_REVISION, LABEL_SOURCE, LABEL_VERSION, TaskDefinition, Wanted,
};

/// What happens to a service's image and definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// The image exists and is deployed as it is.
    Promote,
    /// The same image with other configuration.
    Configure,
    /// Runs already.
    None,
    /// Left out by `skip`.
    Skip,
    /// Taken back to what ran before.
    Return,
}

/// How the service is set in motion.
#[derive(Clone, Debug, PartialEq)]
pub enum Start {
    /// Not at all.
    Nothing,
    /// Register this request, then update the service to it.
    Update(Value),
    /// Start the definition it has once more: it is stuck.
    Restart,
    /// Our own deployment is in flight already, from an earlier run: watch it.
    Join(DeploymentId),
    /// Update the service to a definition of this release that is registered already, for its migration.
    Registered(DefinitionArn),
    /// Back to a definition that exists.
    Back(DefinitionArn),
}

/// One side of the change, as far as it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Side {
    /// The version without `v`.
    pub version: Option<String>,
    /// The commit.
    pub revision: Option<Revision>,
    /// The image.
    pub digest: Option<Digest>,
    /// The task definition's ARN; of the new side only where it exists already.
    pub task_definition: Option<DefinitionArn>,
}

/// One service's part of the plan.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PlannedService {
    /// Which.
    pub name: ServiceName,
    /// What happens.
    pub action: Action,
    /// Why, in words.
    pub reason: String,
    /// What runs.
    pub from: Side,
    /// What will run.
    pub to: Side,
    /// How it begins.
    #[serde(skip)]
    pub start: Start,
    /// The service as it was read.
    #[serde(skip)]
    pub view: ServiceView,
    /// The definition of its PRIMARY as it was read.
    #[serde(skip)]
    pub definition: TaskDefinition,
    /// The container that is changed.
    #[serde(skip)]
    pub container: String,
    /// What ran before this release, where an earlier run of it has changed the service already.
    #[serde(skip)]
    pub previous: Option<DefinitionArn>,
    /// It runs this release already, but no run has been seen to pass with it: its smoke test is due.
    #[serde(skip)]
    pub is_unproven: bool,
    /// What is to be run before the update.
    #[serde(skip)]
    pub migration: Option<PlannedMigration>,
    /// It doesn't go back automatically: a migration can't be undone.
    #[serde(skip)]
    pub stays: bool,
    /// How the new version may call itself.
    #[serde(skip)]
    pub accepted: Accepted,
}

impl PlannedService {
    /// The definition that is PRIMARY has run whole before: what is wrong now is not that this release is new.
    fn has_arrived_before(&self) -> bool {
        let current = self.view.primary().map(|primary| &primary.definition);
        let has_completed =
            |deployment: &Deployment| deployment.state == RolloutState::Completed && Some(&deployment.definition) == current;
        self.view.deployments.iter().any(has_completed)
    }

    /// Someone else's deployment is in flight: nothing is begun before it has ended.
    pub fn waits_for_stranger(&self) -> bool {
        self.action != Action::Skip && self.view.is_in_flight() && !matches!(self.start, Start::Join(_))
    }
}

/// The whole plan, in dependency order.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Plan {
    /// Where.
    pub environment: String,
    /// The version without `v`.
    pub version: String,
    /// Every service in scope.
    pub services: Vec<PlannedService>,
}

impl Plan {
    /// The services that are set in motion.
    pub fn changes(&self) -> impl Iterator<Item = &PlannedService> {
        self.services.iter().filter(|service| service.start != Start::Nothing)
    }

    /// What a service goes back to when the release fails; none where the release has not changed it.
    ///
    /// A run of a release that has only arrived in part takes back what its earlier runs did, too; once it had arrived, a
    /// later run answers for its own changes alone.
    pub fn goes_back_to(&self, service: &PlannedService) -> Option<DefinitionArn> {
        if service.stays {
            return None;
        }
        let earlier = || service.previous.clone().filter(|_| self.is_arriving());
        match &service.start {
            Start::Nothing => earlier().filter(|_| service.action != Action::Skip),
            Start::Update(_) | Start::Registered(_) => earlier().or_else(|| service.from.task_definition.clone()),
            Start::Restart | Start::Join(_) => service.previous.clone().filter(|_| !service.has_arrived_before()).or_else(|| {
                let current = service.view.primary().map(|primary| &primary.definition);
                service.from.task_definition.clone().filter(|serving| Some(serving) != current)
            }),
            Start::Back(_) => None,
        }
    }

    /// Some service has yet to get this release's image, or to come to rest with it.
    pub fn is_arriving(&self) -> bool {
        self.changes().any(|service| match service.start {
            Start::Update(_) | Start::Registered(_) => service.from.digest != service.to.digest,
            Start::Restart | Start::Join(_) => !service.has_arrived_before(),
            Start::Nothing | Start::Back(_) => false,
        })
    }

    /// A service's part.
    pub fn service(&self, name: &ServiceName) -> Option<&PlannedService> {
        self.services.iter().find(|service| service.name == *name)
    }
}

/// An image in the registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// The repository's address, without tag or digest.
    pub uri: String,
    /// Its content address.
    pub digest: Digest,
    /// All its tags.
    pub tags: Vec<String>,
}

/// What was read of one service.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// The service in ECS.
    pub view: ServiceView,
    /// The definition of its PRIMARY.
    pub definition: TaskDefinition,
    /// The definition that serves, where the PRIMARY has not arrived and an earlier deployment still runs.
    pub serving: Option<TaskDefinition>,
    /// Full ARNs (with ECS's suffix) by variable.
    pub secrets: BTreeMap<String, String>,
}

impl Found {
    /// What runs, and what a release that fails goes back to.
    fn runs(&self) -> &TaskDefinition {
        self.serving.as_ref().unwrap_or(&self.definition)
    }
}

/// The release as the planner needs it.
#[derive(Clone, Debug)]
pub struct Release<'a> {
    /// Its tag.
    pub tag: &'a ReleaseTag,
    /// Where to.
    pub environment: &'a str,
    /// Non-secret configuration.
    pub values: &'a BTreeMap<String, String>,
    /// The organisation on GitHub, for the source label.
    pub owner: &'a str,
    /// Deploy unchanged services too.
    pub force: bool,
}

/// Plans one service that is left out; it need not even be there.
pub fn plan_skipped(service: &Service, found: Option<&Found>) -> PlannedService {
    let from = found.map(|found| running_side(service, found)).unwrap_or_default();
    let nothing = Found::default();
    let found = found.unwrap_or(&nothing);
    planned(service, found, Action::Skip, "left out by `skip`".to_owned(), Start::Nothing, from.clone(), from)
}

/// Plans one service.
///
/// # Errors
/// `DefinitionError` when the running definition lacks the container.
pub fn plan_service(release: &Release<'_>, service: &Service, found: &Found, image: &Image) -> Result<PlannedService, DefinitionError> {
    let accepted = Accepted::from_tags(image.tags.iter().map(String::as_str));
    let wanted = wanted(release, service, found, image, &accepted);
    let difference = found.definition.difference(&wanted)?;
    let start = start(release, service, found, &difference, &wanted)?;
    let action = match &start {
        Start::Nothing => Action::None,
        _ if !difference.image && !difference.settings.is_empty() => Action::Configure,
        _ => Action::Promote,
    };
    let reason = reason(release, service, found, &difference, &start);
    let keeps_definition = matches!(start, Start::Nothing | Start::Restart | Start::Join(_));
    let to = Side {
        version: Some(release.tag.version())
            .filter(|_| start != Start::Nothing)
            .or_else(|| Some(display_version(&accepted, &image.digest))),
        revision: accepted.commits.first().cloned(),
        digest: Some(image.digest.clone()),
        task_definition: Some(found.definition.arn()).filter(|_| keeps_definition),
    };
    let from = running_side(service, found);
    let previous = previous(release, service, found).map(DefinitionArn::from);
    let migration = PlannedMigration::of(service, release.environment, image, &accepted).filter(|_| difference.image);
    let passed = format!("passed-{}-{}", release.environment, release.tag.version());
    let is_unproven = start == Start::Nothing && previous.is_some() && !image.tags.contains(&passed);
    Ok(PlannedService { accepted, previous, migration, is_unproven, ..planned(service, found, action, reason, start, from, to) })
}

fn planned(service: &Service, found: &Found, action: Action, reason: String, start: Start, from: Side, to: Side) -> PlannedService {
    PlannedService {
        name: service.name.clone(),
        action,
        reason,
        from,
        to,
        start,
        view: found.view.clone(),
        definition: found.definition.clone(),
        container: service.container.clone(),
        previous: None,
        is_unproven: false,
        migration: None,
        stays: false,
        accepted: Accepted::default(),
    }
}

/// What the running definition says of itself.
pub fn running_side(service: &Service, found: &Found) -> Side {
    let container = service.container.as_str();
    let definition = found.runs();
    let tag = definition.image(container).and_then(|image| image.rsplit_once(':')).map(|(_, tag)| tag);
    let by_label = definition.label(container, LABEL_VERSION);
    let digest = definition.digest(container);
    let version = by_label.or_else(|| tag.filter(|_| digest.is_none()));
    Side {
        version: version.map(|version| version.strip_prefix('v').unwrap_or(version).to_owned()),
        revision: definition.revision(container),
        digest,
        task_definition: Some(definition.arn()),
    }
}

/// What ran before this release, where the definition says that this release registered it.
fn previous<'a>(release: &Release<'_>, service: &Service, found: &'a Found) -> Option<&'a str> {
    let label = |name: &str| found.definition.label(&service.container, name);
    let is_ours = label(LABEL_RELEASE) == Some(release.tag.to_string().as_str());
    label(LABEL_PREVIOUS).filter(|_| is_ours)
}

fn wanted(release: &Release<'_>, service: &Service, found: &Found, image: &Image, accepted: &Accepted) -> Wanted {
    let tag = release.tag.to_string();
    let container = service.container.as_str();
    let previous = previous(release, service, found).map_or_else(|| found.runs().arn().to_string(), str::to_owned);
    let mut labels = BTreeMap::from([
        (LABEL_VERSION.to_owned(), release.tag.version()),
        (LABEL_SOURCE.to_owned(), format!("https://github.com/{}/{}", release.owner, service.repo)),
        (LABEL_RELEASE.to_owned(), tag),
        (LABEL_PREVIOUS.to_owned(), previous),
    ]);
    if let Some(commit) = accepted.commits.first() {
        labels.insert(LABEL_REVISION.to_owned(), commit.to_string());
    }
    let keys: BTreeSet<&String> = service.config.iter().collect();
    Wanted {
        container: container.to_owned(),
        image: format!("{}@{}", image.uri, image.digest),
        config: keys.into_iter().filter_map(|key| Some((key.clone(), release.values.get(key)?.clone()))).collect(),
        secrets: found.secrets.clone(),
        labels,
    }
}

fn start(
    release: &Release<'_>,
    service: &Service,
    found: &Found,
    difference: &Difference,
    wanted: &Wanted,
) -> Result<Start, DefinitionError> {
    let view = &found.view;
    if !difference.is_none() {
        return found.definition.next(wanted).map(Start::Update);
    }
    let tag = release.tag.to_string();
    let is_ours = found.definition.label(&service.container, LABEL_RELEASE) == Some(&tag);
    Ok(match view.primary() {
        Some(primary) if view.is_in_flight() && is_ours => Start::Join(primary.id.clone()),
        _ if view.is_steady() && !release.force => Start::Nothing,
        _ if view.is_steady() => Start::Update(found.definition.next(wanted)?),
        _ => Start::Restart,
    })
}

fn reason(release: &Release<'_>, service: &Service, found: &Found, difference: &Difference, start: &Start) -> String {
    let settings = difference.settings.join(", ");
    match start {
        Start::Nothing => "same image, configuration and secrets as running".to_owned(),
        Start::Back(definition) | Start::Registered(definition) => format!("to {}", definition.short()),
        Start::Join(id) => format!("this release's deployment {id} is in flight: joined"),
        Start::Restart => format!("stuck: {}; started once more with the definition it has", stuck(&found.view)),
        Start::Update(_) if difference.image && found.definition.digest(&service.container).is_none() => {
            "changed: runs an image named by tag, not by digest, so what runs is not certain".to_owned()
        }
        Start::Update(_) if difference.image && settings.is_empty() => format!("changed: the image of {}", release.tag),
        Start::Update(_) if difference.image => format!("changed: the image of {}, and {settings}", release.tag),
        Start::Update(_) if settings.is_empty() => "unchanged, but `force` is set".to_owned(),
        Start::Update(_) => format!("changed: only configuration, {settings}"),
    }
}

fn stuck(view: &ServiceView) -> String {
    match view.primary() {
        None => "ECS lists no PRIMARY deployment".to_owned(),
        Some(primary) if primary.state == RolloutState::Failed => format!("{} is FAILED ({})", primary.id, primary.reason),
        Some(primary) if primary.state == RolloutState::InProgress => format!("{} is in progress", primary.id),
        Some(primary) => format!("{} of {} tasks run", primary.running, view.desired),
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
