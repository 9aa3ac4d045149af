//! What runs where, and where environments differ.

use std::collections::BTreeSet;

use super::names::ServiceName;
use super::plan::Side;
use super::rollout::{RolloutState, ServiceView};
use super::smoke::Opinion;

/// One environment, as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// `dev`, `staging`, `prod` or another file's name.
    pub environment: String,
    /// The AWS region.
    pub region: String,
    /// The ECS cluster.
    pub cluster: String,
    /// Its services in alphabetical order, or why it can't be read.
    pub services: Result<Vec<Standing>, String>,
}

/// One service there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Which.
    pub name: ServiceName,
    /// How it stands.
    pub state: State,
    /// What serves.
    pub runs: Side,
    /// What is on its way, or was, where that is something else.
    pub next: Option<Side>,
    /// When the deployment that serves was made, in seconds since 1970.
    pub since: Option<i64>,
    /// Tasks that run, of all deployments.
    pub running: u32,
    /// Tasks that the service wants.
    pub desired: u32,
    /// Its own answer, where it was asked.
    pub health: Option<Opinion>,
}

/// How a service stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// *Runs* (CONTRACT 5.2).
    Runs,
    /// No task is wanted.
    Stopped,
    /// Deployed, and fewer tasks run than are wanted.
    Short,
    /// A deployment is under way.
    InFlight,
    /// The newest deployment failed, in ECS's words.
    Failed(String),
    /// It is not there, or could not be read.
    Unknown(String),
}

impl State {
    /// What ECS shows.
    pub fn of(view: &ServiceView) -> Self {
        let Some(primary) = view.primary() else { return Self::Unknown("ECS lists no PRIMARY deployment of it".to_owned()) };
        match primary.state {
            _ if view.status != "ACTIVE" => Self::Unknown(format!("the ECS service is {}", view.status)),
            RolloutState::Failed => Self::Failed(primary.reason.clone()),
            RolloutState::InProgress => Self::InFlight,
            RolloutState::Completed if view.desired == 0 => Self::Stopped,
            RolloutState::Completed if view.is_steady() => Self::Runs,
            RolloutState::Completed => Self::Short,
        }
    }
}

impl Standing {
    /// A service of which nothing is known.
    pub fn unknown(name: &ServiceName, why: String) -> Self {
        let (state, runs) = (State::Unknown(why), Side::default());
        Self { name: name.clone(), state, runs, next: None, since: None, running: 0, desired: 0, health: None }
    }

    /// Nobody needs to look at it.
    pub fn is_well(&self) -> bool {
        matches!(self.state, State::Runs | State::Stopped) && self.health.as_ref().is_none_or(|health| *health == Opinion::Well)
    }

    /// What tells two images apart: digest, else commit, else version.
    fn image(&self) -> Option<&str> {
        let Side { digest, revision, version, .. } = &self.runs;
        let digest = digest.as_ref().map(super::names::Digest::as_str);
        digest.or(revision.as_ref().map(super::names::Revision::as_str)).or(version.as_deref())
    }
}

/// A service in all environments: those that run the same image stand together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drift {
    /// Which.
    pub service: ServiceName,
    /// Environments by image, both in the order of the environments. One group: no drift.
    pub groups: Vec<Vec<String>>,
}

impl Drift {
    /// Environments run different images.
    pub fn is_there(&self) -> bool {
        self.groups.len() > 1
    }
}

/// Compares what serves in every environment that could be read.
pub fn drift(places: &[Place]) -> Vec<Drift> {
    let read = || places.iter().filter_map(|place| Some((&place.environment, place.services.as_ref().ok()?)));
    let names: BTreeSet<&ServiceName> = read().flat_map(|(_, services)| services.iter().map(|standing| &standing.name)).collect();
    let one = |name: &ServiceName| {
        let mut groups: Vec<(&str, Vec<String>)> = Vec::new();
        for (environment, services) in read() {
            let Some(image) = services.iter().find(|standing| standing.name == *name).and_then(Standing::image) else { continue };
            match groups.iter_mut().find(|(known, _)| *known == image) {
                Some((_, group)) => group.push(environment.clone()),
                None => groups.push((image, vec![environment.clone()])),
            }
        }
        Drift { service: name.clone(), groups: groups.into_iter().map(|(_, group)| group).collect() }
    };
    names.into_iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::super::names::Digest;
    use super::*;

    fn place(environment: &str, digests: &[(&str, &str)]) -> Place {
        let standing = |(name, digest): &(&str, &str)| Standing {
            runs: Side { digest: Some(Digest::new(*digest)), ..Side::default() },
            ..Standing::unknown(&ServiceName::from(*name), String::new())
        };
        let services = Ok(digests.iter().map(standing).collect());
        Place { environment: environment.to_owned(), region: String::new(), cluster: String::new(), services }
    }

    #[test]
    fn environments_that_run_the_same_image_stand_together() {
        let mut places = [
            place("dev", &[("gateway", "sha256:c"), ("store", "sha256:a")]),
            place("staging", &[("gateway", "sha256:b"), ("store", "sha256:a")]),
            place("prod", &[("gateway", "sha256:b"), ("store", "sha256:a")]),
        ];
        let words = |places: &[Place]| {
            let one = |drift: Drift| format!("{} {:?}", drift.service, drift.groups);
            drift(places).into_iter().map(one).collect::<Vec<_>>()
        };
        assert_eq!(words(&places), [r#"gateway [["dev"], ["staging", "prod"]]"#, r#"store [["dev", "staging", "prod"]]"#]);
        // What could not be read is no difference.
        places[0].services = Err("no credentials".to_owned());
        assert!(drift(&places).iter().all(|drift| !drift.is_there()));
    }
}
