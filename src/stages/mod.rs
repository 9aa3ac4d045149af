//! One verb a file: what the pipeline is made of.

pub mod build;
pub mod cancel;
pub mod deploy;
pub mod e2e;
mod e2e_command;
pub mod earlier;
mod failure;
pub mod finish;
mod flight;
mod images;
mod log_tail;
mod look;
pub mod migrate;
pub mod names;
pub mod notify;
pub mod older;
mod pacing;
pub mod plan;
pub mod prepare;
pub mod progress;
mod publish;
pub mod read;
pub mod release_notes;
pub mod rollback;
pub mod settle;
pub mod smoke;
pub mod smoke_command;
mod source;
mod start;
pub mod status;
mod summarise;
pub mod verify;
pub mod world;

use crate::clients::aws::Aws;
use crate::clients::ecr::Ecr;
use crate::clients::ecs::Ecs;
use crate::clients::elb::Elb;
use crate::clients::github::GitHub;
use crate::clients::logs::Logs;
use crate::clients::secrets::SecretsManager;
use crate::config::Request;
use crate::domain::environment::Environment;
use crate::domain::names::EcsServiceName;
use crate::domain::service::Service;

/// Calls of one kind that are under way at the same time.
const AT_ONCE: usize = 16;

/// The parties of a deployment.
#[derive(Clone)]
pub struct Clients {
    /// The cluster.
    pub ecs: Ecs,
    /// The registry.
    pub ecr: Ecr,
    /// The secrets.
    pub secrets: SecretsManager,
    /// The load balancers.
    pub elb: Elb,
    /// The logs.
    pub logs: Logs,
    /// GitHub, or why it isn't asked.
    pub github: Result<GitHub, String>,
    /// Everything else.
    pub http: reqwest::Client,
}

impl Clients {
    /// All of one environment.
    pub fn new(aws: &Aws, request: &Request, http: reqwest::Client, github: Result<GitHub, String>) -> Self {
        let environment = &request.environment;
        Self {
            ecs: Ecs::new(aws, &environment.cluster, request.runner.ecs_rate()),
            ecr: Ecr::new(aws, environment),
            secrets: SecretsManager::new(aws),
            elb: Elb::new(aws),
            logs: Logs::new(aws),
            github,
            http,
        }
    }
}

/// The service's name in ECS.
fn ecs_name(service: &Service, environment: &Environment) -> EcsServiceName {
    EcsServiceName::new(service.ecs_name(&environment.name))
}
