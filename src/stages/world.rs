//! The world as it was read: what a plan is made of.

use std::collections::{BTreeMap, BTreeSet};

use crate::clients::call::CallError;
use crate::domain::change::{FoundImage, Source};
use crate::domain::image::Image;
use crate::domain::names::{EcrRepository, ServiceName};
use crate::domain::older::Compared;
use crate::domain::plan::Found;
use crate::domain::rollout::ServiceView;
use crate::error::Finding;

/// What to do about what should not have happened.
pub(super) const AGAIN: &str = "run it again; if it stays, look at the AWS health dashboard";

/// What was read.
#[derive(Clone, Debug, Default)]
pub struct World {
    /// The services in scope, skipped ones too.
    pub found: BTreeMap<ServiceName, Found>,
    /// The release's commits.
    pub sources: Sources,
    /// The release's images.
    pub registry: Registry,
    /// How the release's commits lie to those that run.
    pub compared: BTreeMap<ServiceName, Compared>,
    /// Images that run and may stay, because nothing of their service has changed.
    pub keepable: BTreeMap<ServiceName, Image>,
    /// Services that are needed but not deployed.
    pub needed: BTreeMap<ServiceName, ServiceView>,
    /// What could not be looked at.
    pub warnings: Vec<String>,
    /// What is missing or not allowed.
    pub findings: Vec<Finding>,
}

/// What the registry holds of a release.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Registry {
    /// The repositories' addresses.
    pub addresses: BTreeMap<EcrRepository, String>,
    /// The release's images.
    pub images: BTreeMap<ServiceName, FoundImage>,
    /// Services whose repository was read and holds no image of the release.
    pub absent: BTreeSet<ServiceName>,
}

/// The release's commits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources {
    /// By service.
    pub known: BTreeMap<ServiceName, Source>,
    /// Services of which nothing is known, and why.
    pub unread: BTreeMap<ServiceName, String>,
}

/// Values, and what was found on the way to them.
#[derive(Debug, Default)]
pub(super) struct Noted<T> {
    pub(super) value: T,
    pub(super) findings: Vec<Finding>,
    pub(super) warnings: Vec<String>,
}

/// What was denied must be allowed; a call that failed otherwise has nothing to do with permissions.
pub(super) fn way_out(error: &CallError, permission: &str) -> String {
    if error.is_denied() { format!("allow the role {permission}") } else { AGAIN.to_owned() }
}
