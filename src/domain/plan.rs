//! What a release will do and why: one value, made from the world as it was read, printed, and then applied.

use std::collections::BTreeMap;

use serde::Serialize;

use super::change::{Chosen, Source};
use super::migration::PlannedMigration;
use super::names::{DefinitionArn, DeploymentId, Digest, Revision, ServiceName};
use super::registration::Registration;
use super::rollout::{Deployment, RolloutState, ServiceView};
use super::smoke::Accepted;
use super::task_definition::TaskDefinition;

/// What happens to a service's image and definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// The image is built, and deployed then.
    Build,
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
    Update(Registration),
    /// Start the definition it has once more: it is stuck.
    Restart,
    /// Our own deployment is in flight already, from an earlier run: watch it.
    Join(DeploymentId),
    /// Update the service to a definition of this release that is registered already, for its migration.
    Registered(DefinitionArn),
    /// Back to a definition that exists.
    Back(DefinitionArn),
    /// Its image must be built first.
    Build(Source),
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
    /// It is left alone, and its image bears no mark of having passed here: it is asked before it gets one.
    #[serde(skip)]
    pub is_unmarked: bool,
    /// Its image bears the mark of having passed here with this release.
    #[serde(skip)]
    pub is_proven: bool,
    /// What is to be run before the update.
    #[serde(skip)]
    pub migration: Option<PlannedMigration>,
    /// It doesn't go back automatically: a migration can't be undone.
    #[serde(skip)]
    pub stays: bool,
    /// The image, and how it was chosen; none for what is left out or goes back.
    #[serde(skip)]
    pub chosen: Option<Chosen>,
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
            Start::Back(_) | Start::Build(_) => None,
        }
    }

    /// Some service has yet to get this release's image, or to come to rest with it.
    pub fn is_arriving(&self) -> bool {
        self.changes().any(|service| match service.start {
            Start::Update(_) | Start::Registered(_) => service.from.digest != service.to.digest,
            Start::Restart | Start::Join(_) => !service.has_arrived_before(),
            Start::Build(_) => true,
            Start::Nothing | Start::Back(_) => false,
        })
    }

    /// The services whose images must be built, each with the commit that they are built of.
    pub fn builds(&self) -> impl Iterator<Item = (&PlannedService, &Source)> {
        self.services.iter().filter_map(|service| if let Start::Build(source) = &service.start { Some((service, source)) } else { None })
    }

    /// Every image of the release has been seen to pass here: what comes after the deployment has been done.
    pub fn has_passed(&self) -> bool {
        let mut here = self.services.iter().filter(|service| service.action != Action::Skip).peekable();
        here.peek().is_some() && here.all(|service| service.is_proven) && self.changes().next().is_none()
    }

    /// A service's part.
    pub fn service(&self, name: &ServiceName) -> Option<&PlannedService> {
        self.services.iter().find(|service| service.name == *name)
    }
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
    pub fn runs(&self) -> &TaskDefinition {
        self.serving.as_ref().unwrap_or(&self.definition)
    }
}
