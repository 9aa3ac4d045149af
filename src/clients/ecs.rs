//! Amazon ECS. Task definitions travel as raw JSON both ways; everything else through the typed SDK.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_ecs::Client;
use aws_sdk_ecs::config::ConfigBag;
use aws_sdk_ecs::config::RuntimeComponents;
use aws_sdk_ecs::config::interceptors::AfterDeserializationInterceptorContextRef;
use aws_sdk_ecs::config::retry::RetryConfig;
use aws_sdk_ecs::error::BoxError;
use aws_sdk_ecs::types::{
    ContainerOverride, DesiredStatus, ServiceDeploymentBrief, ServiceDeploymentStatus, StopServiceDeploymentStopType, TaskDefinitionField,
    TaskOverride,
};
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_types::body::SdkBody;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::aws::{Aws, FreshCredentials};
use super::call::CallError;
use super::ecs_view;
use super::pace::Pace;
use crate::domain::names::{DefinitionArn, DeploymentId, EcsServiceName};
use crate::domain::native::Native;
use crate::domain::registration::Registration;
use crate::domain::rollout::{ServiceView, Task};
use crate::domain::task_definition::{DefinitionError, TaskDefinition};

/// `DescribeServices` takes ten names.
pub const SERVICES_AT_ONCE: usize = 10;
const REGISTER_TRIES: u64 = 8;
const THROTTLED_TRIES: u64 = 4;
const PASSING_TRIES: u64 = 5;

/// One cluster.
#[derive(Clone, Debug)]
pub struct Ecs {
    pub(super) client: Client,
    pub(super) cluster: String,
    registrations: Pace,
    updates: Pace,
    definitions: Pace,
}

/// A command that is run once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OneOff {
    /// The service whose network and launch type it takes.
    pub service: EcsServiceName,
    /// The definition that it runs.
    pub definition: DefinitionArn,
    /// The container whose command it replaces.
    pub container: String,
    /// The command.
    pub command: Vec<String>,
    /// The name under which it is found again; 128 characters at most.
    pub started_by: String,
    /// Makes the call repeatable; 64 characters at most.
    pub token: String,
}

/// How a service is set in motion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Update {
    /// To a definition.
    To(DefinitionArn),
    /// Once more with the one it has.
    Again,
}

/// Why a definition could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The call failed.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The answer is no definition.
    #[error(transparent)]
    Definition(#[from] DefinitionError),
}

impl Ecs {
    /// The cluster's client; ECS grants the account so many times its documented rates.
    pub fn new(aws: &Aws, cluster: &str, rate: f64) -> Self {
        let config = aws_sdk_ecs::config::Builder::from(&aws.config).retry_classifier(FreshCredentials).build();
        Self {
            client: Client::from_conf(config),
            cluster: cluster.to_owned(),
            registrations: Pace::new(20, rate),
            updates: Pace::new(50, 5.0 * rate),
            definitions: Pace::new(50, 20.0 * rate),
        }
    }

    /// Takes the turn to set a service in motion; where ECS would refuse that by now, the time at which it would not.
    ///
    /// # Errors
    /// The time of the next turn.
    pub fn turn_to_start(&self, registers: bool) -> Result<(), Instant> {
        self.updates.next()?;
        if registers {
            self.registrations.next()?;
            self.registrations.take();
        }
        self.updates.take();
        Ok(())
    }

    /// Waits for the turn of one registration that starts nothing.
    pub async fn turn_to_register(&self) {
        self.registrations.turn().await;
    }

    /// At most ten services; those that don't exist are left out.
    ///
    /// # Errors
    /// `CallError` when the call fails, as for a cluster that doesn't exist.
    pub async fn services(&self, names: &[EcsServiceName]) -> Result<Vec<ServiceView>, CallError> {
        let names = names.iter().map(ToString::to_string).collect();
        let request = self.client.describe_services().cluster(&self.cluster).set_services(Some(names));
        let answer = request.send().await.map_err(|error| CallError::new("DescribeServices", &error))?;
        Ok(answer.services().iter().map(ecs_view::service).collect())
    }

    /// One revision, with its tags, as ECS returned it.
    ///
    /// # Errors
    /// `ReadError`.
    pub async fn definition(&self, arn: &DefinitionArn) -> Result<TaskDefinition, ReadError> {
        self.definitions.turn().await;
        let body = RawBody::default();
        let request = self.client.describe_task_definition().task_definition(arn.as_str()).include(TaskDefinitionField::Tags);
        let sent = request.customize().interceptor(body.clone()).send().await;
        sent.map_err(|error| CallError::new("DescribeTaskDefinition", &error))?;
        let answer: Value = serde_json::from_slice(&body.take()).unwrap_or_default();
        Ok(TaskDefinition::from_answer(&answer)?)
    }

    /// Registers a request exactly as it is. The turn for it was taken before.
    ///
    /// # Errors
    /// `CallError`; throttled, it may be tried again.
    pub async fn register(&self, request: &Registration) -> Result<DefinitionArn, CallError> {
        let mut tried = 0;
        loop {
            tried += 1;
            match self.register_once(request).await {
                // Two runs that register revisions of one family at the same moment.
                Err(error) if error.message.contains("Too many concurrent attempts") && tried < REGISTER_TRIES => {
                    sleep(Duration::from_millis(200 * tried + fastrand::u64(..500))).await;
                    self.registrations.turn().await;
                }
                Err(error) if error.is_throttled() => {
                    self.registrations.drained();
                    if tried >= THROTTLED_TRIES {
                        return Err(error);
                    }
                    sleep(Duration::from_millis(1000 * tried).mul_f64(fastrand::f64())).await;
                    self.registrations.turn().await;
                }
                Err(error) if error.is_passing() && tried < PASSING_TRIES => {
                    sleep(Duration::from_millis(500 * tried).mul_f64(0.5 + fastrand::f64())).await;
                }
                other => return other,
            }
        }
    }

    async fn register_once(&self, request: &Registration) -> Result<DefinitionArn, CallError> {
        let body = request.body.to_string();
        // The typed request only opens the way; its body is replaced before it is signed.
        let sent = self.client.register_task_definition().family(&request.family).set_container_definitions(Some(Vec::new()));
        // Tried again by us: throttled, only when a token may be there.
        let once = aws_sdk_ecs::config::Builder::default().retry_config(RetryConfig::disabled());
        let sent = sent.customize().config_override(once).mutate_request(move |http| {
            http.headers_mut().insert("content-length", body.len().to_string());
            *http.body_mut() = SdkBody::from(body.as_str());
        });
        let answer = sent.send().await.map_err(|error| CallError::new("RegisterTaskDefinition", &error))?;
        let arn = answer.task_definition().and_then(|definition| definition.task_definition_arn()).unwrap_or_default();
        Ok(DefinitionArn::from(arn))
    }

    /// Updates a service, once: a lost answer is not repeated here, because a forced update would start twice.
    ///
    /// # Errors
    /// `CallError`; `NoAnswer` leaves open whether it happened.
    pub async fn update(&self, service: &EcsServiceName, update: &Update) -> Result<ServiceView, CallError> {
        let request = self.client.update_service().cluster(&self.cluster).service(service.as_str());
        let request = match update {
            Update::To(definition) => request.task_definition(definition.as_str()),
            Update::Again => request.force_new_deployment(true),
        };
        let once = aws_sdk_ecs::config::Builder::default().retry_config(RetryConfig::disabled());
        let sent = request.customize().config_override(once).send().await;
        let answer = sent.map_err(|error| CallError::new("UpdateService", &error)).inspect_err(|error| {
            if error.is_throttled() {
                self.updates.drained();
            }
        })?;
        Ok(answer.service().map(ecs_view::service).unwrap_or_default())
    }

    /// Has ECS take a deployment in flight back to the last completed one
    /// (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_StopServiceDeployment.html>); false where ECS lists no
    /// such deployment in flight.
    ///
    /// # Errors
    /// `CallError`.
    pub async fn stop(&self, service: &EcsServiceName, deployment: &DeploymentId) -> Result<bool, CallError> {
        let brief = self.service_deployment(service, deployment).await?;
        let is_open = |brief: &ServiceDeploymentBrief| {
            matches!(brief.status(), Some(ServiceDeploymentStatus::Pending | ServiceDeploymentStatus::InProgress))
        };
        let Some(arn) = brief.filter(is_open).and_then(|brief| brief.service_deployment_arn().map(str::to_owned)) else {
            return Ok(false);
        };
        let request = self.client.stop_service_deployment().service_deployment_arn(arn);
        let sent = request.stop_type(StopServiceDeploymentStopType::Rollback).send().await;
        sent.map(|_| true).map_err(|error| CallError::new("StopServiceDeployment", &error))
    }

    /// How the service deployment behind a deployment stands.
    ///
    /// # Errors
    /// `CallError`.
    pub async fn native(&self, service: &EcsServiceName, deployment: &DeploymentId) -> Result<Native, CallError> {
        let brief = self.service_deployment(service, deployment).await?;
        let status =
            |brief: &ServiceDeploymentBrief| Some(Native::read(brief.status()?.as_str(), brief.status_reason().unwrap_or_default()));
        Ok(brief.as_ref().and_then(status).unwrap_or(Native::Unknown))
    }

    async fn service_deployment(
        &self,
        service: &EcsServiceName,
        deployment: &DeploymentId,
    ) -> Result<Option<ServiceDeploymentBrief>, CallError> {
        // The id of a deployment is the last part of its service revision's ARN.
        let number = deployment.as_str().rsplit('/').next().unwrap_or_default();
        let listed = self.client.list_service_deployments().cluster(&self.cluster).service(service.as_str()).send().await;
        let listed = listed.map_err(|error| CallError::new("ListServiceDeployments", &error))?;
        let is_ours =
            |brief: &&ServiceDeploymentBrief| brief.target_service_revision_arn().and_then(|arn| arn.rsplit('/').next()) == Some(number);
        Ok(listed.service_deployments().iter().find(is_ours).cloned())
    }

    /// The tasks of a family that somebody started under a name, running and ended.
    ///
    /// # Errors
    /// `CallError`.
    pub async fn tasks_of(&self, family: &str, started_by: &str) -> Result<Vec<Task>, CallError> {
        let mut arns = Vec::new();
        for status in [DesiredStatus::Running, DesiredStatus::Stopped] {
            let request = self.client.list_tasks().cluster(&self.cluster).family(family).desired_status(status);
            let mut pages = request.into_paginator().send();
            while let Some(page) = pages.next().await {
                arns.extend(page.map_err(|error| CallError::new("ListTasks", &error))?.task_arns.unwrap_or_default());
            }
        }
        let tasks = self.described(&arns).await?;
        Ok(tasks.into_iter().filter(|task| task.started_by.as_ref().is_some_and(|by| by.as_str() == started_by)).collect())
    }

    /// One task by id; none while ECS does not list it.
    ///
    /// # Errors
    /// `CallError`.
    pub async fn task(&self, id: &str) -> Result<Option<Task>, CallError> {
        Ok(self.described(&[id.to_owned()]).await?.into_iter().next())
    }

    /// Runs a command once in a container of a definition, where and how the service's own tasks run.
    ///
    /// # Errors
    /// `CallError`, also when ECS can't place it.
    pub async fn run_once(&self, one_off: &OneOff) -> Result<String, CallError> {
        let described = self.client.describe_services().cluster(&self.cluster).services(one_off.service.as_str()).send().await;
        let described = described.map_err(|error| CallError::new("DescribeServices", &error))?;
        let service = described.services().first();
        let command = ContainerOverride::builder().name(&one_off.container).set_command(Some(one_off.command.clone())).build();
        let request = self.client.run_task().cluster(&self.cluster).task_definition(one_off.definition.as_str());
        let request = request.overrides(TaskOverride::builder().container_overrides(command).build());
        let request = request
            .client_token(&one_off.token)
            .started_by(&one_off.started_by)
            .set_network_configuration(service.and_then(|service| service.network_configuration().cloned()))
            .set_platform_version(service.and_then(|service| service.platform_version().map(str::to_owned)));
        let strategy = service.map(|service| service.capacity_provider_strategy().to_vec()).filter(|strategy| !strategy.is_empty());
        // ECS takes one of the two.
        let request = match strategy {
            Some(strategy) => request.set_capacity_provider_strategy(Some(strategy)),
            None => request.set_launch_type(service.and_then(|service| service.launch_type().cloned())),
        };
        let answer = request.send().await.map_err(|error| CallError::new("RunTask", &error))?;
        let task = answer.tasks().first().and_then(|task| task.task_arn()).and_then(|arn| arn.rsplit('/').next());
        task.map(str::to_owned).ok_or_else(|| {
            let why = answer.failures().iter().filter_map(|failure| failure.reason()).collect::<Vec<_>>().join(", ");
            CallError { operation: "RunTask", code: "NotPlaced".to_owned(), message: why }
        })
    }
}

/// Keeps the body of an answer as it came.
#[derive(Clone, Debug, Default)]
struct RawBody(Arc<Mutex<Vec<u8>>>);

impl RawBody {
    fn take(&self) -> Vec<u8> {
        self.0.lock().map(|mut body| std::mem::take(&mut *body)).unwrap_or_default()
    }
}

impl Intercept for RawBody {
    fn name(&self) -> &'static str {
        "raw body"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let (Some(bytes), Ok(mut body)) = (context.response().body().bytes(), self.0.lock()) {
            *body = bytes.to_vec();
        }
        Ok(())
    }
}
