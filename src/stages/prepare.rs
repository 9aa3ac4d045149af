//! From a request to a plan that can be applied: connected, read, planned, and its images provided.

use super::build::Workshop;
use super::world::World;
use super::{Clients, names, older, plan, read, settle, source};
use crate::clients::console::{Console, Masks};
use crate::clients::github::GitHub;
use crate::clients::{aws, http};
use crate::config::{Command, Request};
use crate::domain::e2e::How;
use crate::domain::plan::Plan;
use crate::domain::tag::ReleaseTag;
use crate::error::Error;
use crate::report::table;

/// A plan, and what it takes to apply it.
pub struct Prepared {
    /// The parties.
    pub clients: Clients,
    /// What the plan was made of.
    pub world: World,
    /// The plan.
    pub plan: Plan,
    /// Images were built or named, or a migration was run: the release is no longer one that has changed nothing.
    pub has_changed: bool,
    /// What did not stop the run.
    pub warnings: Vec<String>,
}

/// Logs in everywhere.
///
/// # Errors
/// `Error::Refused`.
pub async fn connect(request: &Request, console: &Console, masks: &Masks) -> Result<Clients, Error> {
    let environment = &request.environment;
    let http = http::client().map_err(|error| Error::refused("TLS", http::cause(&error), "install root certificates (ca-certificates)"))?;
    let aws = aws::connect(environment, &request.runner, &http, masks).await?;
    console.line(&format!("AWS account {}, {}, cluster {}", aws.account, environment.region, environment.cluster));
    let none = Err("there is no `github-token`".to_owned());
    let mut clients = Clients::new(&aws, request, http, none);
    if request.command.asks_github()
        && let Err(error) = github(request, masks, &mut clients).await
    {
        // `verify` tells of it among everything else.
        if request.command != Command::Verify {
            return Err(error);
        }
        clients.github = Err(error.lines().join("; "));
    }
    Ok(clients)
}

/// GitHub alone. AWS is asked only where it keeps the App's key.
///
/// # Errors
/// `Error::Refused`.
pub async fn connect_to_github(
    request: &Request,
    console: &Console,
    masks: &Masks,
) -> Result<(reqwest::Client, Result<GitHub, String>), Error> {
    let is_program = request.environment.suite.as_ref().is_some_and(|suite| matches!(suite.how, How::Command { .. }));
    let needs_none = request.command == Command::E2e && is_program;
    if request.environment.github_app.is_some() && request.tokens.e2e.is_none() && !needs_none {
        let clients = connect(request, console, masks).await?;
        return Ok((clients.http, clients.github));
    }
    let http = http::client().map_err(|error| Error::refused("TLS", http::cause(&error), "install root certificates (ca-certificates)"))?;
    let github = match &request.tokens.github {
        Some(token) => GitHub::with_token(&http, request.runner.github_url(), token, masks).map_err(|error| error.to_string()),
        None => Err("there is no `github-token`".to_owned()),
    };
    Ok((http, github))
}

/// The App, where one is configured: then it must work. Else the token, where one is given.
async fn github(request: &Request, masks: &Masks, clients: &mut Clients) -> Result<(), Error> {
    let (environment, url) = (&request.environment, request.runner.github_url());
    if let Some((id, secret)) = &environment.github_app {
        let app = format!("GitHub App {id}");
        let key = clients.secrets.value(secret, masks).await.map_err(|error| {
            let way_out = if error.is_denied() {
                format!("allow the role secretsmanager:GetSecretValue on {secret}")
            } else {
                format!("put the App's private key (PEM) into the secret {secret}, or correct DEPLOY_GITHUB_APP_SECRET")
            };
            Error::refused(app.clone(), format!("its private key can't be read: {error}"), way_out)
        })?;
        let owner = &environment.github_owner;
        let connected = GitHub::with_app(&clients.http, url, (*id, &key), owner, masks).await;
        clients.github = Ok(connected.map_err(|error| {
            let way_out = format!(
                "check DEPLOY_GITHUB_APP_ID, that {secret} holds this App's private key (PEM), and that the App is installed for {owner} with `contents: read`"
            );
            Error::refused(app, error.to_string(), way_out)
        })?);
    } else if let Some(token) = &request.tokens.github {
        let connected = GitHub::with_token(&clients.http, url, token, masks);
        clients.github = connected.map_err(|error| error.to_string());
    }
    Ok(())
}

/// Reads the world, plans, prints, and refuses what is older than what runs; waits for what moves when the plan is to be
/// applied.
///
/// # Errors
/// `Error::Refused`, `Error::MissingImages`.
pub async fn prepare(request: &Request, clients: Clients, tag: &ReleaseTag, applies: bool, console: &Console) -> Result<Prepared, Error> {
    loop {
        let world = read::inspect(request, &clients).await?;
        let plan = plan::plan(request, tag, &world)?;
        if applies && settle::settle(request, &clients, &plan, &world.needed, console).await? {
            continue;
        }
        console.group(&format!("Plan: {tag} to {}", plan.environment), &table::plan(&plan));
        let mut warnings = world.warnings.clone();
        warnings.extend(older::check(request, &world, &plan)?);
        warnings.extend(source::untagged(request, &world.sources));
        return Ok(Prepared { clients, world, plan, has_changed: false, warnings });
    }
}

/// Builds what the plan lacks and names every image of the release; afterwards each service's part tells of an image that is in
/// the registry.
///
/// # Errors
/// `Error::Build`, `Error::CancelledBuilding`.
pub async fn provide(workshop: &Workshop<'_>, tag: &ReleaseTag, prepared: &mut Prepared) -> Result<(), Error> {
    let request = workshop.request;
    if request.command == Command::Rollback {
        return Ok(());
    }
    let Prepared { clients, world, plan, has_changed, warnings } = prepared;
    if plan.builds().next().is_some() {
        warnings.extend(workshop.build(tag, plan, world).await?);
        *has_changed = true;
        *plan = plan::plan(request, tag, world)?;
    }
    let named = workshop.cancel.until(names::name(request, clients, plan, tag, *has_changed)).await.ok_or(Error::CancelledBuilding)??;
    *has_changed |= named.has_changed;
    warnings.extend(named.warnings);
    Ok(())
}
