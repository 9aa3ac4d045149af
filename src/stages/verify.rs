//! Every precondition of `run`, all findings in one go. `run` itself passes through the same reading and planning.

use super::build::NO_DOCKER;
use super::read;
use super::world::World;
use super::{Clients, e2e, older, plan};
use crate::clients::console::Masks;
use crate::clients::docker::Docker;
use crate::clients::slack::Slack;
use crate::config::Request;
use crate::domain::names::ServiceName;
use crate::error::{Error, Finding};

/// Checks everything; returns what is only a warning.
///
/// # Errors
/// `Error::Refused` with every finding, each with its way out.
pub async fn verify(request: &Request, clients: &Clients) -> Result<Vec<String>, Error> {
    let (world, slack) = tokio::join!(read::inspect(request, clients), slack(request, clients));
    let mut world = world?;
    let mut findings = world.findings.clone();
    if let Some(tag) = &request.tag {
        match plan::plan(request, tag, &World { findings: Vec::new(), ..world.clone() }) {
            Ok(planned) => {
                match older::check(request, &world, &planned) {
                    Ok(warnings) => world.warnings.extend(warnings),
                    Err(error) => findings.extend(error.findings()),
                }
                findings.extend(docker(request, planned.builds().next().is_some()).await);
            }
            Err(error) => {
                findings.extend(error.findings());
                findings.extend(docker(request, !world.registry.absent.is_empty()).await);
            }
        }
    }
    if request.tag.is_none() {
        world.warnings.push("images, containers and the order of commits were not checked: no tag was given".to_owned());
    }
    findings.extend(suite(request, clients).await);
    world.warnings.extend(anthropic_key(request, clients).await);
    findings.extend(github_app(request, clients));
    findings.extend(unsteady(request, &world));
    if findings.is_empty() { Ok(world.warnings.into_iter().chain(slack).collect()) } else { Err(Error::Refused(findings)) }
}

/// What is to be built needs docker; a plan that builds nothing doesn't.
async fn docker(request: &Request, is_needed: bool) -> Option<Finding> {
    if !is_needed {
        return None;
    }
    let error = Docker::check(&request.tokens.variables).await.err()?;
    Some(Finding::new("docker", error.to_string(), NO_DOCKER))
}

/// A GitHub App that is configured must work.
fn github_app(request: &Request, clients: &Clients) -> Option<Finding> {
    let ((id, _), why) = (request.environment.github_app.as_ref()?, clients.github.as_ref().err()?);
    Some(Finding::new(format!("GitHub App {id}"), why, "correct DEPLOY_GITHUB_APP_ID and DEPLOY_GITHUB_APP_SECRET, or take both out"))
}

/// The suite that follows a deployment must be there.
async fn suite(request: &Request, clients: &Clients) -> Option<Finding> {
    let github = e2e::github(request, &clients.http, &clients.github, &Masks::new(false));
    let (suite, why) = e2e::doubt(request, &github).await?;
    Some(Finding::new("E2E", format!("the suite {suite} will not start: {why}"), e2e::WAY_OUT))
}

/// Without the key release notes are plain; that stops no deployment.
async fn anthropic_key(request: &Request, clients: &Clients) -> Option<String> {
    let notes = &request.environment.notes;
    let name = notes.secret.as_ref().filter(|_| notes.is_published)?;
    let why = match clients.secrets.describe(name).await {
        Ok(Some(secret)) if !secret.is_deleted && secret.has_value => return None,
        Ok(Some(_)) => "it has no value, or is to be deleted".to_owned(),
        Ok(None) => "there is no such secret".to_owned(),
        Err(error) => error.to_string(),
    };
    Some(format!("release notes will not be summarised: DEPLOY_ANTHROPIC_SECRET is {name}: {why}"))
}

/// Services that are needed, are not deployed with the others, and do not run as they should.
fn unsteady(request: &Request, world: &World) -> Vec<Finding> {
    let is_needed = |name: &ServiceName| request.scope.included.iter().any(|included| request.graph.all_needs(included).contains(name));
    let unsteady = world.needed.iter().filter(|(name, view)| !view.is_steady() && is_needed(name));
    unsteady
        .map(|(name, _)| {
            let what = "is needed and not deployed with the others, but is not steady";
            Finding::new(name.as_str(), what, format!("mend it first, or deploy it too: services: {name},…"))
        })
        .collect()
}

/// What Slack would refuse stops no deployment.
async fn slack(request: &Request, clients: &Clients) -> Option<String> {
    let Some(token) = &request.tokens.slack else { return Some("Slack: no bot token was given, so nothing will be posted".to_owned()) };
    let slack = Slack::new(clients.http.clone(), request.runner.slack_url(), token);
    slack.check().await.err().map(|error| format!("Slack will refuse the release's message: {error}"))
}
