//! The output `matrix`: what a build job is made of (CONTRACT 6).

use std::collections::BTreeMap;

use serde::Serialize;

use crate::domain::names::{EcrRepository, Revision, ServiceName};
use crate::domain::plan::Plan;
use crate::domain::service::Service;

/// For `strategy.matrix`; without an entry the job must not run, as GitHub refuses an empty matrix.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Matrix {
    include: Vec<Entry>,
}

/// One build, with the keys of the reference's own matrix.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Entry {
    name: ServiceName,
    repo: String,
    dockerfile: String,
    ecr_repo: EcrRepository,
    revision: Revision,
}

impl Matrix {
    /// What a plan still has to build.
    pub fn of(plan: &Plan, services: &BTreeMap<ServiceName, Service>) -> Self {
        let entry = |service: &Service, revision: &Revision| Entry {
            name: service.name.clone(),
            repo: service.repo.clone(),
            dockerfile: service.dockerfile.clone(),
            ecr_repo: service.ecr_repo.clone(),
            revision: revision.clone(),
        };
        Self { include: plan.builds().filter_map(|(planned, source)| Some(entry(services.get(&planned.name)?, &source.commit))).collect() }
    }

    /// Something has to be built.
    pub fn is_needed(&self) -> bool {
        !self.include.is_empty()
    }
}
