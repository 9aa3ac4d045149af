//! Tasks: which there are, and how they are.

use aws_sdk_ecs::config::retry::RetryConfig;
use aws_sdk_ecs::types::DesiredStatus;
use futures_util::future::join_all;

use super::call::CallError;
use super::ecs::Ecs;
use super::ecs_view;
use crate::domain::names::EcsServiceName;
use crate::domain::rollout::{ServiceView, Task};

/// `DescribeTasks` takes so many.
const TASKS_AT_ONCE: usize = 100;

/// A look that fails is not repeated by the SDK: the next look is soon enough, and a bucket that is empty stays so the longer the
/// more it is asked.
fn once() -> aws_sdk_ecs::config::Builder {
    aws_sdk_ecs::config::Builder::default().retry_config(RetryConfig::disabled())
}

impl Ecs {
    /// A look at services that are watched: at most ten; those that don't exist are left out.
    ///
    /// # Errors
    /// `CallError`, of the first try.
    pub async fn look(&self, names: &[EcsServiceName]) -> Result<Vec<ServiceView>, CallError> {
        let names = names.iter().map(ToString::to_string).collect();
        let request = self.client.describe_services().cluster(&self.cluster).set_services(Some(names));
        let sent = request.customize().config_override(once()).send().await;
        let answer = sent.map_err(|error| CallError::new("DescribeServices", &error))?;
        Ok(answer.services().iter().map(ecs_view::service).collect())
    }

    /// The ids of a service's tasks: those that run or are to, or those that ended within the hour that ECS keeps them.
    ///
    /// # Errors
    /// `CallError`, of the first try.
    pub async fn task_ids(&self, service: &EcsServiceName, ended: bool) -> Result<Vec<String>, CallError> {
        let status = if ended { DesiredStatus::Stopped } else { DesiredStatus::Running };
        let (mut ids, mut page) = (Vec::new(), None);
        loop {
            let request = self.client.list_tasks().cluster(&self.cluster).service_name(service.as_str());
            let request = request.desired_status(status.clone()).set_next_token(page);
            let sent = request.customize().config_override(once()).send().await;
            let answer = sent.map_err(|error| CallError::new("ListTasks", &error))?;
            ids.extend(answer.task_arns().iter().map(|arn| arn.rsplit('/').next().unwrap_or(arn).to_owned()));
            page = answer.next_token().filter(|token| !token.is_empty()).map(str::to_owned);
            if page.is_none() {
                return Ok(ids);
            }
        }
    }

    /// The tasks of a service that run or are to.
    ///
    /// # Errors
    /// `CallError`.
    pub async fn running(&self, service: &EcsServiceName) -> Result<Vec<Task>, CallError> {
        let ids = self.task_ids(service, false).await?;
        if ids.is_empty() { Ok(Vec::new()) } else { self.described(&ids).await }
    }

    /// A look at tasks that are watched, a hundred a call; those that ECS has forgotten are left out.
    ///
    /// # Errors
    /// `CallError`, of the first try.
    pub async fn look_at_tasks(&self, ids: &[String]) -> Result<Vec<Task>, CallError> {
        self.describe(ids, Some(once())).await
    }

    /// Tasks by id; those that ECS has forgotten are left out.
    ///
    /// # Errors
    /// `CallError`.
    pub(super) async fn described(&self, ids: &[String]) -> Result<Vec<Task>, CallError> {
        self.describe(ids, None).await
    }

    async fn describe(&self, ids: &[String], tries: Option<aws_sdk_ecs::config::Builder>) -> Result<Vec<Task>, CallError> {
        let calls = ids.chunks(TASKS_AT_ONCE).map(|some| {
            let request = self.client.describe_tasks().cluster(&self.cluster).set_tasks(Some(some.to_vec())).customize();
            let request = match tries.clone() {
                Some(tries) => request.config_override(tries),
                None => request,
            };
            async move { request.send().await.map_err(|error| CallError::new("DescribeTasks", &error)) }
        });
        let answers = join_all(calls).await.into_iter().collect::<Result<Vec<_>, _>>()?;
        Ok(answers.iter().flat_map(|answer| answer.tasks()).map(ecs_view::task).collect())
    }
}
