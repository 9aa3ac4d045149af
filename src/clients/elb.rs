//! Elastic Load Balancing: which targets of a group are healthy.

use std::collections::BTreeSet;

use aws_sdk_elasticloadbalancingv2::Client;
use aws_sdk_elasticloadbalancingv2::types::TargetHealthStateEnum;

use super::aws::{Aws, FreshCredentials};
use super::call::CallError;
use crate::domain::rollout::TargetGroup;

/// The account's load balancers.
#[derive(Clone, Debug)]
pub struct Elb {
    client: Client,
}

impl Elb {
    /// The client.
    pub fn new(aws: &Aws) -> Self {
        let config = aws_sdk_elasticloadbalancingv2::config::Builder::from(&aws.config).retry_classifier(FreshCredentials);
        Self { client: Client::from_conf(config.build()) }
    }

    /// The ids of a group's healthy targets: addresses in an awsvpc network, else instances.
    ///
    /// # Errors
    /// `CallError`.
    pub async fn healthy(&self, group: &TargetGroup) -> Result<BTreeSet<String>, CallError> {
        let sent = self.client.describe_target_health().target_group_arn(&group.0).send().await;
        let answer = sent.map_err(|error| CallError::new("DescribeTargetHealth", &error))?;
        let healthy = answer
            .target_health_descriptions()
            .iter()
            .filter(|description| description.target_health().and_then(|health| health.state()) == Some(&TargetHealthStateEnum::Healthy));
        Ok(healthy.filter_map(|description| description.target()?.id().map(str::to_owned)).collect())
    }
}
