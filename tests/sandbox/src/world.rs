//! The whole world as one value: no sockets, no clock, no surprises.

use crate::anthropic::Anthropic;
use crate::call::Call;
use crate::ecr::{Ecr, Image};
use crate::ecs::{Ecs, Moment, Service};
use crate::engine::Engine;
use crate::fault::Fault;
use crate::github::GitHub;
use crate::ids::Ids;
use crate::logs::Logs;
use crate::oidc::Oidc;
use crate::script::{Deed, Scripted, When};
use crate::secrets::Secrets;
use crate::slack::Slack;
use crate::sts::Sts;

/// AWS, GitHub's OIDC, Slack and the services, as pure state. Time comes in from outside: see [`World::advance`].
#[derive(Debug, Clone)]
pub struct World {
    /// Sandbox seconds in a real second.
    pub time_scale: f64,
    /// Unix time of the sandbox's start.
    pub epoch: f64,
    /// `dev`, `staging`, `prod` or another.
    pub environment: String,
    /// The AWS account.
    pub account: String,
    /// The AWS region.
    pub region: String,
    /// GitHub's token issuer.
    pub oidc: Oidc,
    /// AWS STS.
    pub sts: Sts,
    /// Amazon ECS.
    pub ecs: Ecs,
    /// Amazon ECR.
    pub ecr: Ecr,
    /// AWS Secrets Manager.
    pub secrets: Secrets,
    /// CloudWatch Logs.
    pub logs: Logs,
    /// GitHub's REST API.
    pub github: GitHub,
    /// A Docker engine.
    pub engine: Engine,
    /// Slack.
    pub slack: Slack,
    /// Anthropic's API.
    pub anthropic: Anthropic,
    /// Faults on order.
    pub faults: Vec<Fault>,
    /// Every request so far.
    pub calls: Vec<Call>,
    /// Calls are written down with body and answer; without, thousands of them need no gigabytes.
    pub keeps_bodies: bool,
    /// Deeds that wait for their time.
    pub(crate) script: Vec<Scripted>,
    /// Calls to ECS so far.
    pub(crate) ecs_calls: usize,
    pub(crate) ids: Ids,
    /// Sandbox seconds.
    pub(crate) now: f64,
    /// Real seconds: what credentials and rate limits go by.
    pub(crate) real: f64,
}

impl World {
    /// An account with one empty cluster and no images.
    pub fn empty(environment: &str) -> World {
        let (account, region) = ("111122223333", "us-west-1");
        World {
            time_scale: 20.0,
            epoch: 1_780_000_000.0,
            environment: environment.to_owned(),
            account: account.to_owned(),
            region: region.to_owned(),
            oidc: Oidc::new(environment),
            sts: Sts::new(account),
            ecs: Ecs::new(&format!("escher-{environment}")),
            ecr: Ecr::new(account, region),
            secrets: Secrets::default(),
            logs: Logs::default(),
            github: GitHub::new(),
            engine: Engine::default(),
            slack: Slack::new(),
            anthropic: Anthropic::new(),
            faults: Vec::new(),
            calls: Vec::new(),
            keeps_bodies: true,
            script: Vec::new(),
            ecs_calls: 0,
            ids: Ids::default(),
            now: 0.0,
            real: 0.0,
        }
    }

    /// Sandbox seconds since the start.
    pub fn now(&self) -> f64 {
        self.now
    }

    /// `arn:aws:ecs:<region>:<account>:`.
    pub(crate) fn arn_prefix(&self) -> String {
        format!("arn:aws:ecs:{}:{}:", self.region, self.account)
    }

    /// A service by name.
    ///
    /// # Panics
    /// When there is none: a mistake in the test.
    #[expect(clippy::panic, reason = "a helper for tests, where a wrong name should stop the test")]
    pub fn service_mut(&mut self, name: &str) -> &mut Service {
        match self.ecs.services.iter_mut().find(|service| service.name == name) {
            Some(service) => service,
            None => panic!("the sandbox has no service {name}"),
        }
    }

    /// An image by repository and tag, or digest.
    ///
    /// # Panics
    /// When there is none: a mistake in the test.
    #[expect(clippy::panic, reason = "a helper for tests, where a wrong name should stop the test")]
    pub fn image_mut(&mut self, repository: &str, tag: &str) -> &mut Image {
        match self.ecr.image_mut(repository, tag) {
            Some(image) => image,
            None => panic!("the sandbox has no image {repository}:{tag}"),
        }
    }

    /// Pushes an image that behaves well, tagged `v<version>`, `sha-<commit>` and `tree-<tree>`, both made up from
    /// name and version; makes the repository if need be. The same again changes nothing.
    pub fn push_image(&mut self, repository: &str, version: &str) -> String {
        let now = self.now;
        self.ecr.push(repository, version.strip_prefix('v').unwrap_or(version), now)
    }

    /// Makes a secret, unless there is one of this name; its ARN ends in six characters of its own.
    pub fn secret(&mut self, name: &str) -> String {
        self.secrets.create(name, &self.region, &self.account, self.now)
    }

    /// Orders a fault.
    pub fn fault(&mut self, fault: Fault) {
        self.faults.push(fault);
    }

    /// Has somebody else do something at some time, once.
    pub fn script(&mut self, when: When, deed: Deed) {
        self.script.push(Scripted { when, deed });
    }

    /// What happened to a service's deployments, in order. Empty for an unknown one.
    pub fn history(&self, service: &str) -> &[Moment] {
        self.ecs.service(service).map(|service| service.history.as_slice()).unwrap_or_default()
    }
}
