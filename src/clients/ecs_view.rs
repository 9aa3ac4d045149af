//! The SDK's types of ECS into the domain's.

use aws_sdk_ecs::types;

use crate::domain::names::{DefinitionArn, DeploymentId, EcsServiceName};
use crate::domain::rollout::{Breaker, ContainerEnd, Deployment, Event, RolloutState, ServiceView, TargetGroup, Task, TaskEnd};

fn count(number: i32) -> u32 {
    u32::try_from(number).unwrap_or(0)
}

fn text(text: Option<&str>) -> String {
    text.unwrap_or_default().to_owned()
}

pub(super) fn service(service: &types::Service) -> ServiceView {
    let breaker = service.deployment_configuration().and_then(|configuration| configuration.deployment_circuit_breaker());
    let strategy = service.deployment_configuration().and_then(|configuration| configuration.strategy());
    let controller = service.deployment_controller().map(|controller| controller.r#type().as_str());
    ServiceView {
        name: EcsServiceName::new(text(service.service_name())),
        status: text(service.status()),
        // Services made before controllers had a name have none.
        controller: controller.unwrap_or("ECS").to_owned(),
        desired: count(service.desired_count()),
        deployments: service.deployments().iter().map(|one| deployment(service, one)).collect(),
        events: service.events().iter().map(|event| Event { id: text(event.id()), message: text(event.message()) }).collect(),
        breaker: breaker.map_or_else(Breaker::default, |breaker| Breaker { enabled: breaker.enable(), rollback: breaker.rollback() }),
        target_groups: service
            .load_balancers()
            .iter()
            .filter_map(|balancer| balancer.target_group_arn())
            .map(|arn| TargetGroup(arn.to_owned()))
            .collect(),
        is_native: strategy.is_some_and(|strategy| strategy.as_str() != "ROLLING"),
    }
}

fn deployment(service: &types::Service, deployment: &types::Deployment) -> Deployment {
    let state = match deployment.rollout_state().map(types::DeploymentRolloutState::as_str) {
        Some("COMPLETED") => RolloutState::Completed,
        Some("FAILED") => RolloutState::Failed,
        // Behind a Classic Load Balancer there is no rolloutState: a deployment that is alone, with every task running and none
        // on its way, has arrived.
        None if is_alone_and_whole(service) => RolloutState::Completed,
        _ => RolloutState::InProgress,
    };
    Deployment {
        id: DeploymentId::new(text(deployment.id())),
        is_primary: deployment.status() == Some("PRIMARY"),
        definition: DefinitionArn::new(text(deployment.task_definition())),
        running: count(deployment.running_count()),
        failed_tasks: count(deployment.failed_tasks()),
        state,
        reason: text(deployment.rollout_state_reason()),
        created: deployment.created_at().map(|time| time.secs()),
    }
}

fn is_alone_and_whole(service: &types::Service) -> bool {
    service.deployments().len() == 1 && service.running_count() == service.desired_count() && service.pending_count() == 0
}

pub(super) fn task(task: &types::Task) -> Task {
    // An empty code is none.
    let stop_code = task.stop_code().map(types::TaskStopCode::as_str).filter(|code| !code.is_empty());
    let is_stopped = task.last_status() == Some("STOPPED") || stop_code.is_some();
    Task {
        id: text(task.task_arn()).rsplit('/').next().unwrap_or_default().to_owned(),
        started_by: task.started_by().map(DeploymentId::from),
        definition: DefinitionArn::new(text(task.task_definition_arn())),
        is_running: task.last_status() == Some("RUNNING") && !is_stopped,
        is_healthy: task.health_status().is_some_and(|status| *status == types::HealthStatus::Healthy),
        address: address(task),
        end: is_stopped.then(|| TaskEnd {
            code: text(stop_code),
            reason: text(task.stopped_reason()),
            containers: task.containers().iter().map(container_end).collect(),
        }),
    }
}

fn container_end(container: &types::Container) -> ContainerEnd {
    ContainerEnd { name: text(container.name()), exit_code: container.exit_code(), reason: container.reason().map(str::to_owned) }
}

/// In an awsvpc network a target is the task's own address.
fn address(task: &types::Task) -> Option<String> {
    let attached = task.attachments().iter().flat_map(types::Attachment::details);
    let mut attached = attached.filter(|detail| detail.name() == Some("privateIPv4Address")).filter_map(types::KeyValuePair::value);
    let in_container = || {
        let interfaces = task.containers().iter().flat_map(types::Container::network_interfaces);
        interfaces.filter_map(types::NetworkInterface::private_ipv4_address).next()
    };
    attached.next().or_else(in_container).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_has_ended_where_it_says_so_or_why() {
        let ended = |status: &str, code: Option<&str>| {
            let built = types::Task::builder().last_status(status).set_stop_code(code.map(types::TaskStopCode::from)).build();
            let task = task(&built);
            (task.is_running, task.end.is_some())
        };
        assert_eq!(ended("RUNNING", None), (true, false));
        assert_eq!(ended("RUNNING", Some("")), (true, false), "an empty code is none");
        assert_eq!(ended("PROVISIONING", Some("")), (false, false));
        assert_eq!(ended("DEPROVISIONING", Some("EssentialContainerExited")), (false, true));
        assert_eq!(ended("STOPPED", Some("")), (false, true));
    }
}
