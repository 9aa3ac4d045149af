//! The way into AWS: credentials, and whose account they are.

use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::ProvideCredentials;
use aws_sdk_ecs::config::IdentityCache;
use aws_sdk_ecs::config::interceptors::InterceptorContext;
use aws_sdk_ecs::config::retry::{ClassifyRetry, RetryAction, RetryConfig};
use aws_sdk_ecs::config::timeout::TimeoutConfig;

use super::call::{CallError, NO_ANSWER, cause};
use super::console::Masks;
use super::oidc;
use super::role::{Role, RoleError, RoleProvider, session_name};
use crate::config::runner::Runner;
use crate::domain::environment::Environment;
use crate::error::Error;

/// One try of a call: a connection that swallows everything must not hold up a release.
const ATTEMPT: Duration = Duration::from_secs(10);
/// A call with all its retries.
const OPERATION: Duration = Duration::from_secs(40);

/// The way out where STS said nothing: it was not asked in the right place, or the way there is closed.
const SILENT: &str =
    "run the job again; if it stays, check the runner's way out, AWS_ENDPOINT_URL and DEPLOY_REGION, and https://health.aws.amazon.com";

/// Fresh STS credentials can be refused for seconds, before they are known everywhere.
#[derive(Debug)]
pub(super) struct FreshCredentials;

impl ClassifyRetry for FreshCredentials {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let Some(Err(error)) = context.output_or_error() else { return RetryAction::NoActionIndicated };
        let text = error.as_operation_error().map(ToString::to_string).unwrap_or_default();
        let body = context.response().and_then(|response| response.body().bytes()).unwrap_or_default();
        let refused = |needle: &str| text.contains(needle) || String::from_utf8_lossy(body).contains(needle);
        if refused("UnrecognizedClientException") || refused("InvalidClientTokenId") {
            RetryAction::transient_error()
        } else {
            RetryAction::NoActionIndicated
        }
    }

    fn name(&self) -> &'static str {
        "fresh credentials"
    }
}

/// A way into one account and region.
#[derive(Clone, Debug)]
pub struct Aws {
    /// The SDK's configuration, with credentials that renew themselves.
    pub config: SdkConfig,
    /// The account of the credentials.
    pub account: String,
}

/// Gets credentials and asks whose they are.
///
/// # Errors
/// `Error::Refused` in words: who refused, what the token said, what must be allowed.
pub async fn connect(environment: &Environment, runner: &Runner, http: &reqwest::Client, masks: &Masks) -> Result<Aws, Error> {
    let loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .region(Region::new(environment.region.clone()))
        .retry_config(RetryConfig::standard().with_max_attempts(5).with_initial_backoff(Duration::from_millis(500)))
        .timeout_config(TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT).operation_timeout(OPERATION).build())
        .identity_cache(IdentityCache::lazy().buffer_time(Duration::from_secs(1)).build());
    let config = match (&environment.role_arn, runner.oidc()) {
        (Some(arn), Some(oidc)) => {
            // The token is on its way while the SDK gets ready.
            let (token, base) = tokio::join!(oidc::fetch(http, &oidc), loader.no_credentials().load());
            let role = Role {
                arn: arn.clone(),
                session: session_name(runner.run_id()),
                oidc,
                http: http.clone(),
                sts: aws_sdk_sts::Client::new(&base),
                masks: masks.clone(),
            };
            let first = async { role.assume_with(token?).await }.await.map_err(|error| explain(arn, &error))?;
            let provider = aws_sdk_sts::config::SharedCredentialsProvider::new(RoleProvider::new(role, first));
            base.into_builder().credentials_provider(provider).build()
        }
        _ => {
            let config = loader.load().await;
            check_chain(&config, environment, runner, masks).await?;
            config
        }
    };
    let account = account(&config, environment).await?;
    Ok(Aws { config, account })
}

/// Without OIDC the SDK's own chain must have credentials.
async fn check_chain(config: &SdkConfig, environment: &Environment, runner: &Runner, masks: &Masks) -> Result<(), Error> {
    let found = match config.credentials_provider() {
        Some(provider) => provider.provide_credentials().await.map_err(|error| cause(&error)),
        None => Err("no provider".to_owned()),
    };
    match found {
        Ok(credentials) => {
            masks.add(credentials.secret_access_key());
            credentials.session_token().into_iter().for_each(|token| masks.add(token));
            Ok(())
        }
        Err(_) if runner.is_github_actions() && runner.oidc().is_none() => Err(Error::refused(
            "AWS credentials",
            "this job may not ask GitHub for an OIDC token, and there are no other credentials",
            "give the job the permission:\npermissions:\n  id-token: write\n  contents: read",
        )),
        Err(_) if runner.is_github_actions() && environment.role_arn.is_none() => Err(Error::refused(
            "AWS credentials",
            "no role is named",
            "set DEPLOY_ROLE_ARN as a variable of the GitHub environment and pass it in `env:`, or set the input `role-to-assume`",
        )),
        Err(why) => Err(Error::refused(
            "AWS credentials",
            format!("none were found ({why})"),
            "locally: `aws sso login` and AWS_PROFILE, or the variables AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        )),
    }
}

fn explain(arn: &str, error: &RoleError) -> Error {
    match error {
        RoleError::Refused { code, message, claims } if matches!(code.as_str(), "AccessDenied" | "IDPRejectedClaim") => Error::refused(
            arn,
            format!(
                "AWS refuses this job the role ({message})\n    the token says  sub = {}\n                    aud = {}",
                claims.sub, claims.aud
            ),
            trust(&claims.sub),
        ),
        RoleError::Refused { code, message, claims } => Error::refused(
            arn,
            format!("STS did not take the token: {code}: {message} (sub = {}, aud = {})", claims.sub, claims.aud),
            "check that the account has an OIDC provider for https://token.actions.githubusercontent.com with audience sts.amazonaws.com",
        ),
        RoleError::Oidc(error) => {
            Error::refused("GitHub OIDC", error.to_string(), "run the job again; if it stays, see https://www.githubstatus.com")
        }
        RoleError::Silent(_) => Error::refused("AWS STS", error.to_string(), SILENT),
        RoleError::Empty => Error::refused(arn, error.to_string(), "run the job again"),
    }
}

/// What makes the role's trust policy and this token fit.
fn trust(sub: &str) -> String {
    // A policy that binds the environment is the narrower one, so the job comes to it, and not the policy to the job.
    if !sub.contains(":environment:") {
        return "the job names no `environment:`, so the token tells none: add `environment: <name>` to the job; the trust policy that \
                `escher-deploy iam` prints asks for it"
            .to_owned();
    }
    let ids = "\n(repositories made since 2026-07-15 send owner@ID/name@ID: older policies don't match)";
    format!(
        "the role's trust policy must allow exactly that:\n\
         \"StringEquals\": {{ \"token.actions.githubusercontent.com:aud\": \"{}\",\n\
         \u{20}                 \"token.actions.githubusercontent.com:sub\": \"{sub}\" }}{}",
        oidc::AUDIENCE,
        if sub.contains('@') { ids } else { "" },
    )
}

async fn account(config: &SdkConfig, environment: &Environment) -> Result<String, Error> {
    let sts_config = aws_sdk_sts::config::Builder::from(config).retry_classifier(FreshCredentials).build();
    let answer = aws_sdk_sts::Client::from_conf(sts_config).get_caller_identity().send().await;
    let identity = answer.map_err(|error| {
        let error = CallError::new("GetCallerIdentity", &error);
        if error.code == NO_ANSWER {
            Error::refused("AWS STS", format!("STS did not answer: {}", error.message), SILENT)
        } else {
            Error::refused("AWS credentials", error.to_string(), "the credentials are expired or wrong: renew them")
        }
    })?;
    let account = identity.account().unwrap_or_default().to_owned();
    match &environment.account_id {
        Some(expected) if *expected != account => Err(Error::refused(
            format!("AWS account {account}"),
            format!(
                "environment `{}` is in account {expected}, but these credentials are {}",
                environment.name,
                identity.arn().unwrap_or("another's")
            ),
            "correct DEPLOY_ROLE_ARN, or DEPLOY_ACCOUNT_ID",
        )),
        _ => Ok(account),
    }
}
