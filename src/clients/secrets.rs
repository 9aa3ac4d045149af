//! AWS Secrets Manager: that a service's secret is there, and the value of our own. A service's value is never asked for.

use aws_sdk_secretsmanager::Client;

use super::aws::{Aws, FreshCredentials};
use super::call::CallError;
use super::console::Masks;

/// The account's secrets.
#[derive(Clone, Debug)]
pub struct SecretsManager {
    client: Client,
}

/// What is known of a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    /// Its full ARN, with the six characters that ECS wants.
    pub arn: String,
    /// It is to be deleted.
    pub is_deleted: bool,
    /// It has a current value.
    pub has_value: bool,
}

impl SecretsManager {
    /// The client.
    pub fn new(aws: &Aws) -> Self {
        let config = aws_sdk_secretsmanager::config::Builder::from(&aws.config).retry_classifier(FreshCredentials);
        Self { client: Client::from_conf(config.build()) }
    }

    /// A secret's value, masked, each of its lines too.
    ///
    /// # Errors
    /// `CallError`.
    pub async fn value(&self, id: &str, masks: &Masks) -> Result<String, CallError> {
        const OPERATION: &str = "GetSecretValue";
        let answer = self.client.get_secret_value().secret_id(id).send().await.map_err(|error| CallError::new(OPERATION, &error))?;
        let value = answer.secret_string().map(str::trim).filter(|value| !value.is_empty()).ok_or_else(|| CallError {
            operation: OPERATION,
            code: "Empty".to_owned(),
            message: "the secret holds no text".to_owned(),
        })?;
        value.lines().filter(|line| !line.starts_with("-----")).for_each(|line| masks.add(line));
        Ok(value.to_owned())
    }

    /// A secret by name or ARN; none where there is none.
    ///
    /// # Errors
    /// `CallError`.
    pub async fn describe(&self, id: &str) -> Result<Option<Described>, CallError> {
        let sent = self.client.describe_secret().secret_id(id).send().await;
        match sent.map_err(|error| CallError::new("DescribeSecret", &error)) {
            Ok(answer) => Ok(Some(Described {
                arn: answer.arn().unwrap_or(id).to_owned(),
                is_deleted: answer.deleted_date().is_some(),
                has_value: answer
                    .version_ids_to_stages()
                    .is_some_and(|versions| versions.values().flatten().any(|stage| stage == "AWSCURRENT")),
            })),
            Err(error) if error.code == "ResourceNotFoundException" => Ok(None),
            Err(error) => Err(error),
        }
    }
}
