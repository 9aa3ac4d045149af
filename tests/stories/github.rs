//! A GitHub App reads the other repositories.

use std::collections::BTreeSet;

use escher_sandbox::App;

use crate::changes::{REPOSITORY, not_built};
use crate::harness::{Job, escher};

const SECRET: &str = "escher/github-app";

/// An App with its key in Secrets Manager; the job's own token reaches no repository of a service.
async fn job(lifetime: f64) -> Job {
    let mut world = escher();
    not_built(&mut world);
    let (mut app, key) = App::generate("4711");
    app.lifetime = lifetime;
    app.reaches = Some(world.github.repositories.keys().cloned().collect());
    world.github.app = Some(app);
    world.github.forbidden = world.github.repositories.keys().cloned().collect();
    world.secret(SECRET);
    world.secrets.entries.iter_mut().filter(|secret| secret.name == SECRET).for_each(|secret| secret.value = Some(key.clone()));
    let mut job = Job::tag_push(world).await;
    job.with_docker().set("DEPLOY_GITHUB_APP_ID", "4711").set("DEPLOY_GITHUB_APP_SECRET", SECRET);
    job
}

fn issued(job: &Job) -> Vec<String> {
    job.sandbox.with(|world| world.github.app.as_ref().unwrap().issued.iter().map(|(token, _)| token.clone()).collect())
}

#[tokio::test]
async fn an_app_reads_compares_and_clones_with_tokens_of_its_own() {
    let mut job = job(3600.0).await;
    let ran = job.set("ESCHER_LOG", "trace").run().await;
    ran.ends(0, "success");
    let tokens = issued(&job);
    assert_eq!(tokens.len(), 8, "one to read with, and one for each build");
    let cloned: Vec<String> = job.sandbox.with(|world| world.engine.builds.iter().filter_map(|build| build.git_token.clone()).collect());
    assert!(cloned.len() == 7 && !cloned.contains(&tokens[0]), "a Dockerfile may read its build's token");
    let asked = job.sandbox.calls().into_iter().filter(|call| call.raw.contains("repositories"));
    let scopes: BTreeSet<String> = asked.map(|call| call.body["repositories"].to_string() + &call.raw).collect();
    assert_eq!(scopes.len(), 7, "each for its own repository: {scopes:?}");
    assert!(scopes.iter().all(|scope| scope.contains(r#""permissions":{"contents":"read"}"#)), "and to read it: {scopes:?}");
    let key = job.sandbox.with(|world| world.secrets.find(SECRET).unwrap().value.clone().unwrap());
    let printed: String = ran.stdout.lines().chain(ran.stderr.lines()).filter(|line| !line.starts_with("::add-mask::")).collect();
    assert!(!tokens.iter().any(|token| printed.contains(token)), "a token shows");
    assert!(!key.lines().filter(|line| !line.starts_with('-')).any(|line| printed.contains(line)), "the key shows");
}

#[tokio::test]
async fn a_token_that_ends_during_the_run_is_renewed() {
    // Renewed ten minutes before its end: one of twenty seconds is renewed before each use.
    let mut job = job(20.0).await;
    job.only("gateway").input("command", "build").run().await.ends(0, "success");
    assert!(issued(&job).len() > 2, "{:?}", issued(&job));
}

#[tokio::test]
async fn without_the_app_the_way_out_is_named() {
    let mut job = job(3600.0).await;
    job.variables.remove("DEPLOY_GITHUB_APP_ID");
    job.variables.remove("DEPLOY_GITHUB_APP_SECRET");
    let ran = job.only("gateway").run().await;
    ran.ends(7, "failed").says(&format!("it would be built of {REPOSITORY}, but its commit is not known: GitHub answered 404"));
    ran.says("set DEPLOY_GITHUB_APP_ID and DEPLOY_GITHUB_APP_SECRET");
}

#[tokio::test]
async fn an_app_that_is_configured_must_work() {
    let set = |job: &Job, value: Option<&str>| {
        job.sandbox.with(|world| {
            world
                .secrets
                .entries
                .iter_mut()
                .filter(|secret| secret.name == SECRET)
                .for_each(|secret| secret.value = value.map(str::to_owned));
        });
    };
    let mut job = job(3600.0).await;
    job.set("DEPLOY_GITHUB_APP_ID", "4712").run().await.ends(3, "refused").says("GitHub App 4712: GitHub answered 401");
    job.set("DEPLOY_GITHUB_APP_ID", "4711");
    set(&job, Some("no key at all, but a secret text"));
    let ran = job.run().await;
    ran.ends(3, "refused").says("GitHub App 4711: its private key can't be read").says("holds this App's private key (PEM)");
    assert!(!ran.stdout.replace("::add-mask::no key at all, but a secret text", "").contains("no key at all"));
    set(&job, None);
    job.run().await.ends(3, "refused").says("its private key can't be read: GetSecretValue: ResourceNotFoundException");
    // `verify` tells of it beside everything else.
    job.sandbox.with(|world| world.ecs.services.retain(|service| service.name != "gateway"));
    let ran = job.input("command", "verify").run().await;
    ran.ends(3, "refused").says("GitHub App 4711").says("gateway: ECS has no service");
}
