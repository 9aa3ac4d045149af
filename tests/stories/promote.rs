//! Built once: dev, staging and prod run one digest, and prod takes only what has passed.

use std::collections::BTreeMap;

use escher_sandbox::{Fate, World};

use crate::changes::not_built;
use crate::harness::{Job, Ran, escher};

/// One account with three environments; nothing of 2.16.0 is built.
fn three() -> World {
    let mut world = escher();
    world.add_environment("staging");
    world.add_environment("prod");
    not_built(&mut world);
    for repository in &mut world.ecr.repositories {
        repository.images.retain(|image| !image.version.starts_with("2.16.0"));
    }
    world
}

/// dev and staging are released from one commit, prod from a merge of it: another commit, the same tree.
fn merge(world: &mut World) {
    for repository in world.github.repositories.values_mut() {
        let commit = repository.tags["v2.16.0-dev"].clone();
        let tree = repository.trees[&commit].clone();
        let merged: String = commit.chars().rev().collect();
        repository.tag("v2.16.0-stg", &commit, &tree);
        repository.tag("v2.16.0", &merged, &tree).branch("main", &merged, &tree);
    }
}

async fn release(job: &mut Job, tag: &str, environment: &str) -> Ran {
    job.set("GITHUB_REF_NAME", tag).set("DEPLOY_CLUSTER", &format!("escher-{environment}")).run().await
}

fn digests(ran: &Ran) -> BTreeMap<String, String> {
    let services = ran.report["plan"]["services"].as_array().unwrap();
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    services.iter().map(|service| (text(&service["name"]), text(&service["to"]["digest"]))).collect()
}

#[tokio::test]
async fn dev_staging_and_prod_run_one_digest_and_prod_takes_only_what_has_passed() {
    let mut world = three();
    merge(&mut world);
    let mut job = Job::tag_push(world).await;
    job.with_docker();
    let dev = release(&mut job, "v2.16.0-dev", "dev").await;
    dev.ends(0, "success");
    job.set("DEPLOY_REQUIRE_PASSED", "staging");
    let early = release(&mut job, "v2.16.0", "prod").await;
    early.ends(3, "refused").says("has never passed staging").says("release this commit, or one of the same tree, to staging first");
    assert_eq!(early.report["messages"].as_array().unwrap().len(), 7);
    job.variables.remove("DEPLOY_REQUIRE_PASSED");
    let staging = release(&mut job, "v2.16.0-stg", "staging").await;
    staging.ends(0, "success");
    job.set("DEPLOY_REQUIRE_PASSED", "staging");
    let prod = release(&mut job, "v2.16.0", "prod").await;
    prod.ends(0, "success").says("built before, of another commit of the same tree");
    assert_eq!(digests(&dev).len(), 7);
    assert_eq!((digests(&dev), digests(&dev)), (digests(&staging), digests(&prod)));
    assert_eq!(job.sandbox.with(|world| world.engine.images().len()), 7, "one build each");
    let mut tags = job.sandbox.with(|world| world.image_mut("escher-gateway", "v2.16.0").tags.clone());
    tags.retain(|tag| !tag.starts_with("sha-") && !tag.starts_with("tree-"));
    tags.sort();
    assert_eq!(tags, ["passed-dev-2.16.0-dev", "passed-prod-2.16.0", "passed-staging-2.16.0-stg", "v2.16.0", "v2.16.0-dev", "v2.16.0-stg"]);
}

#[tokio::test]
async fn with_the_gate_nothing_is_built() {
    let mut world = three();
    merge(&mut world);
    let mut job = Job::tag_push(world).await;
    job.with_docker().set("DEPLOY_REQUIRE_PASSED", "staging");
    let ran = release(&mut job, "v2.16.0", "prod").await;
    ran.ends(3, "refused").says("has passed staging, and nothing is built here");
    assert!(job.sandbox.with(|world| world.engine.builds.is_empty()));
}

#[tokio::test]
async fn a_production_tag_that_is_not_on_main_is_refused() {
    let mut world = three();
    merge(&mut world);
    let repository = "escher-dbai/v2-gateway-service-java";
    let commit = world.github.repositories[repository].tags["v2.16.0"].clone();
    world.github.comparisons.insert((repository.to_owned(), "main".to_owned(), commit.clone()), "diverged".into());
    world.github.repositories.get_mut(repository).unwrap().branch("main", &"e".repeat(40), &"f".repeat(40));
    let mut job = Job::tag_push(world).await;
    let ran = release(job.with_docker(), "v2.16.0", "prod").await;
    ran.ends(3, "refused").says(&format!("{repository}: tag v2.16.0 is on {commit}, which is not on `main`"));
    ran.says("merge it into `main` and tag the merge").says("refused: 1 finding");
    assert!(job.sandbox.with(|world| world.engine.builds.is_empty()));
}

#[tokio::test]
async fn an_unchanged_service_is_named_by_the_release_too() {
    let mut world = three();
    let repository = "escher-dbai/v2-gateway-service-java";
    for (of, other) in world.github.repositories.clone() {
        let (base, head) = (other.tags["v2.15.0-dev"].clone(), other.tags["v2.16.0-dev"].clone());
        let files: &[&str] = if of == repository { &["src/main.java"] } else { &[] };
        world.github.comparisons.insert((of, base, head), escher_sandbox::Comparison::ahead(2, files));
    }
    let mut job = Job::tag_push(world).await;
    let ran = release(job.with_docker(), "v2.16.0-dev", "dev").await;
    ran.ends(0, "success");
    assert_eq!(job.sandbox.with(|world| world.engine.images().join(" ")), "gateway");
    let named: Vec<bool> = job
        .sandbox
        .with(|world| world.ecr.repositories.iter().map(|it| it.image("v2.16.0-dev").is_some_and(|image| image.tags.len() > 3)).collect());
    assert_eq!(named, [true; 7], "a release names every image in it, and each has passed");
    // So the next environment finds the unchanged ones by their commit, too, and builds nothing.
    job.sandbox.with(|world| {
        for repository in world.github.repositories.values_mut() {
            let commit = repository.tags["v2.16.0-dev"].clone();
            repository.tags.insert("v2.16.0-stg".to_owned(), commit);
        }
    });
    let staging = release(&mut job, "v2.16.0-stg", "staging").await;
    staging.ends(0, "success");
    assert_eq!((digests(&staging), job.sandbox.with(|world| world.engine.images().len())), (digests(&ran), 1));
}

#[tokio::test]
async fn nothing_is_marked_that_was_not_tested_or_has_failed() {
    let marked = |job: &Job| {
        job.sandbox.with(|world| world.image_mut("escher-gateway", "v2.16.0-dev").tags.iter().any(|tag| tag.starts_with("passed-")))
    };
    let mut job = Job::tag_push(escher()).await;
    job.only("gateway").input("skip-smoke", "true").run().await.ends(0, "success");
    assert!(!marked(&job), "skip-smoke");
    let mut world = escher();
    world.image_mut("escher-gateway", "v2.16.0-dev").fate = Fate::Answers { status: 500 };
    let mut job = Job::tag_push(world).await;
    job.only("gateway").run().await.ends(5, "rolled-back");
    assert!(!marked(&job), "a smoke test that failed");
    job.sandbox.with(|world| world.image_mut("escher-gateway", "v2.16.0-dev").fate = Fate::Well);
    job.run().await.ends(0, "success");
    assert!(marked(&job));
    let smoked = job.count("gateway");
    job.run().await.ends(0, "unchanged");
    assert_eq!(job.count("gateway"), smoked, "what has passed is not tested again");
}

#[tokio::test]
async fn an_index_of_several_platforms_is_named_byte_for_byte() {
    let mut world = escher();
    // Written as no serializer would: whoever reads and writes it again makes another digest.
    let manifest =
        "{ \"schemaVersion\":2,\n\t\"mediaType\": \"application/vnd.oci.image.index.v1+json\", \"manifests\": [ ] , \"x\":1.50 }\n";
    let commit = {
        let image = world.image_mut("escher-gateway", "v2.16.0-dev");
        image.manifest = manifest.to_owned();
        image.media_type = "application/vnd.oci.image.index.v1+json".to_owned();
        image.digest = escher_sandbox::digest(manifest.as_bytes());
        image.tags.retain(|tag| tag.starts_with("sha-"));
        image.tags[0].clone()
    };
    let digest = world.image_mut("escher-gateway", &commit).digest.clone();
    let mut job = Job::tag_push(world).await;
    job.only("gateway").run().await.ends(0, "success");
    let put = job.sandbox.calls().into_iter().find(|call| call.operation == "PutImage").unwrap();
    assert_eq!(put.body["imageManifest"], manifest);
    assert_eq!(put.body["imageManifestMediaType"], "application/vnd.oci.image.index.v1+json");
    let accepted =
        job.sandbox.calls().into_iter().find(|call| call.operation == "BatchGetImage").unwrap().body["acceptedMediaTypes"].clone();
    assert!(accepted.as_array().unwrap().iter().any(|kind| kind == "application/vnd.oci.image.index.v1+json"));
    assert_eq!(job.sandbox.with(|world| world.image_mut("escher-gateway", "v2.16.0-dev").digest.clone()), digest);
}

fn tags(job: &Job, version: &str) -> Vec<String> {
    job.sandbox.with(|world| world.image_mut("escher-gateway", version).tags.clone())
}

#[tokio::test]
async fn what_was_never_tested_is_asked_by_the_next_release_before_it_is_called_passed() {
    let mut world = escher();
    world.image_mut("escher-gateway", "v2.16.0-dev").fate = Fate::Answers { status: 500 };
    let mut job = Job::tag_push(world).await;
    job.input("services", "gateway asset-store").input("skip-smoke", "true").run().await.ends(0, "success");
    job.variables.remove("INPUT_SKIP_SMOKE");
    // The next release changes another service; the gateway has not changed.
    job.sandbox.with(|world| {
        for (repository, is_changed) in [("escher-dbai/v4-asset-store-go", true), ("escher-dbai/v2-gateway-service-java", false)] {
            let git = world.github.repository_mut(repository);
            let commit = if is_changed { "a".repeat(40) } else { git.tags["v2.16.0-dev"].clone() };
            git.tags.insert("v2.16.1-dev".to_owned(), commit);
        }
    });
    let ran = job.with_docker().set("GITHUB_REF_NAME", "v2.16.1-dev").run().await;
    ran.ends(0, "success").says("not marked `passed-dev-2.16.1-dev`").says("gateway was left alone, and does not pass its smoke test");
    let marks = |job: &Job| tags(job, "v2.16.0-dev").into_iter().filter(|tag| tag.starts_with("passed-")).collect::<Vec<_>>();
    assert_eq!(marks(&job), Vec::<String>::new());
    job.sandbox.with(|world| world.image_mut("escher-gateway", "v2.16.0-dev").fate = Fate::Well);
    job.run().await.ends(0, "unchanged");
    assert_eq!(marks(&job), ["passed-dev-2.16.1-dev"]);
}

#[tokio::test]
async fn production_does_not_take_what_another_environment_has_named() {
    let mut world = three();
    let repository = "escher-dbai/v2-gateway-service-java";
    let (develop, main) = ("d".repeat(40), "e".repeat(40));
    world.github.repositories.get_mut(repository).unwrap().branch("develop", &develop, "11").branch("main", &main, "22");
    world.github.repositories.get_mut(repository).unwrap().tags.remove("v2.16.0");
    world.github.comparisons.insert((repository.to_owned(), "main".to_owned(), develop.clone()), "diverged".into());
    let mut job = Job::tag_push(world).await;
    let folder = job.own_configuration();
    std::fs::copy(folder.join("environments/dev.env"), folder.join("environments/demo.env")).unwrap();
    job.with_docker().only("gateway").input("environment", "demo");
    release(&mut job, "v2.16.0", "dev").await.ends(0, "success");
    assert!(tags(&job, "v2.16.0").contains(&format!("sha-{develop}")), "demo takes develop, and names the release");
    job.variables.remove("INPUT_ENVIRONMENT");
    let ran = release(&mut job, "v2.16.0", "prod").await;
    ran.ends(0, "success");
    assert_eq!(ran.report["plan"]["services"][0]["to"]["revision"], main, "prod takes main");
    assert!(tags(&job, "v2.16.0").contains(&format!("sha-{main}")));
}

#[tokio::test]
async fn production_needs_to_be_told_that_its_commits_are_on_main() {
    let mut world = three();
    merge(&mut world);
    let mut job = Job::tag_push(world).await;
    job.with_docker().only("gateway").variables.remove("GITHUB_TOKEN");
    let ran = release(&mut job, "v2.16.0", "prod").await;
    ran.ends(3, "refused").says("whether v2.16.0 is on `main` can't be told: there is no `github-token`");
    job.set("GITHUB_REPOSITORY", "escher-dbai/v2-gateway-service-java").set("GITHUB_SHA", &"a".repeat(40));
    let ran = release(&mut job, "v2.16.0", "prod").await;
    ran.ends(3, "refused").says("whether v2.16.0 is on `main` can't be told: there is no `github-token`");
}

#[tokio::test]
async fn an_image_that_names_no_commit_takes_the_old_commits_label_away() {
    let mut world = escher();
    world.image_mut("escher-gateway", "v2.16.0-dev").tags.retain(|tag| tag.starts_with('v'));
    world.github.forbidden.insert("escher-dbai/v2-gateway-service-java".to_owned());
    let mut job = Job::tag_push(world).await;
    job.only("gateway").run().await.ends(0, "success");
    let registered = job.sandbox.calls().into_iter().find(|call| call.operation == "RegisterTaskDefinition").unwrap();
    let labels = &registered.body["containerDefinitions"][0]["dockerLabels"];
    assert!(labels["org.opencontainers.image.revision"].is_null(), "{labels:#}");
    assert_eq!(labels["org.opencontainers.image.version"], "2.16.0-dev");
}

#[tokio::test]
async fn rollback_goes_past_a_release_that_failed() {
    let mut world = escher();
    for (version, passed) in [("2.15.1-dev", true), ("2.15.2-dev", false)] {
        world.push_image("escher-gateway", version);
        let tags = &mut world.image_mut("escher-gateway", &format!("v{version}")).tags;
        tags.extend(passed.then(|| format!("passed-dev-{version}")));
    }
    let mut job = Job::tag_push(world).await;
    job.only("gateway").run().await.ends(0, "success");
    job.variables.remove("GITHUB_REF_NAME");
    let ran = job.input("command", "rollback").input("environment", "dev").run().await;
    ran.ends(0, "success").says("the release before the one that runs is v2.15.1-dev");
}
