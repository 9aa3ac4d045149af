//! What has changed since what runs: a table of cases, each through the binary, with the sandbox's GitHub and registry.

use std::path::Path;

use escher_sandbox::{Comparison, Effect, Fault, Rollout, World};
use serde_json::{Value, json};

use crate::harness::{Job, Ran, escher};

pub(crate) const REPOSITORY: &str = "escher-dbai/v2-gateway-service-java";
const ECR: &str = "escher-gateway";

/// The commit that an image of the gateway was built of.
pub(crate) fn commit(world: &mut World, version: &str) -> String {
    let tags = world.image_mut(ECR, version).tags.clone();
    tags.iter().find_map(|tag| tag.strip_prefix("sha-")).unwrap().to_owned()
}

/// How the release's commit of the gateway lies to the one that runs.
fn compared(world: &mut World, comparison: Comparison) {
    let (base, head) = (commit(world, "v2.15.0-dev"), commit(world, "v2.16.0-dev"));
    world.github.comparisons.insert((REPOSITORY.to_owned(), base, head), comparison);
}

/// Nothing of the release is in the registry yet.
pub(crate) fn not_built(world: &mut World) {
    for repository in &mut world.ecr.repositories {
        repository.images.retain(|image| image.version != "2.16.0-dev");
    }
}

fn files(count: usize, folder: &str) -> Vec<String> {
    (0..count).map(|number| format!("{folder}/file-{number}")).collect()
}

/// A comparison, with nothing built yet.
fn ahead(commits: u32, files: &[&str]) -> impl Fn(&mut World) {
    let comparison = Comparison::ahead(commits, files);
    move |world| {
        compared(world, comparison.clone());
        not_built(world);
    }
}

fn ahead_many(commits: u32, count: usize, folder: &str) -> impl Fn(&mut World) {
    let files = files(count, folder);
    move |world| {
        compared(world, Comparison::ahead(commits, &files.iter().map(String::as_str).collect::<Vec<_>>()));
        not_built(world);
    }
}

fn fault(operation: &str, status: u16) -> Fault {
    let effect = Effect::Error { status, code: "no".into(), message: "no".into() };
    Fault { party: "github".into(), operation: operation.into(), skip: 0, times: usize::MAX, effect }
}

fn edit(folder: &Path, file: &str, from: &str, to: &str) {
    let path = folder.join(file);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{file} has no {from:?}");
    std::fs::write(path, text.replace(from, to)).unwrap();
}

/// Plans the gateway alone. Its configuration is what it runs with, unless `change` makes another of it.
async fn plan(world: impl Fn(&mut World), change: impl Fn(&Path)) -> (Ran, Job) {
    let mut sandbox = escher();
    world(&mut sandbox);
    let mut job = Job::tag_push(sandbox).await;
    let folder = job.own_configuration();
    edit(&folder, "environments/dev.env", "LOG_LEVEL=debug", "LOG_LEVEL=info");
    change(&folder);
    let ran = job.only("gateway").input("command", "plan").run().await;
    (ran, job)
}

fn gateway(ran: &Ran) -> Value {
    let plan: Value = serde_json::from_str(ran.output("plan")).unwrap_or_default();
    plan["services"].as_array().into_iter().flatten().find(|service| service["name"] == "gateway").cloned().unwrap_or_default()
}

/// A case that ends in a plan: what is done, and words of the reason.
macro_rules! planned {
    ($($(#[$doc:meta])* $name:ident: $world:expr, $change:expr => $action:literal, $words:literal;)*) => { $(
        $(#[$doc])*
        #[tokio::test]
        async fn $name() {
            let (ran, _job) = plan($world, $change).await;
            ran.ends(0, if $action == "none" { "unchanged" } else { "success" });
            let planned = gateway(&ran);
            assert_eq!(planned["action"], $action, "{planned:#}");
            assert!(planned["reason"].as_str().unwrap().contains($words), "{planned:#}");
            let needs_build = $action == "build";
            assert_eq!(ran.output("build-needed"), needs_build.to_string());
        }
    )* };
}

/// A case that is refused: its code, and words of the message.
macro_rules! refused {
    ($($name:ident: $world:expr, $change:expr => $code:literal, $result:literal, $words:literal;)*) => { $(
        #[tokio::test]
        async fn $name() {
            let (ran, job) = plan($world, $change).await;
            ran.ends($code, $result).says($words).summarises("❌");
            assert_eq!(job.count("UpdateService") + job.count("RegisterTaskDefinition") + job.count("PutImage"), 0);
        }
    )* };
}

fn as_it_is(_: &Path) {}

fn only_sources(folder: &Path) {
    edit(folder, "services/gateway.yml", "release_notes: true", "paths: [src/**, Dockerfile]\nrelease_notes: true");
}

fn no_docs(folder: &Path) {
    edit(folder, "services/gateway.yml", "release_notes: true", "paths: ['**', '!docs/**', '!*.md']\nrelease_notes: true");
}

fn another_level(folder: &Path) {
    only_sources(folder);
    edit(folder, "environments/dev.env", "LOG_LEVEL=info", "LOG_LEVEL=trace");
}

fn another_secret(folder: &Path) {
    only_sources(folder);
    let secrets = "secrets: { DATABASE_URL: \"escher/{env}/gateway/replica-url\" }\nrelease_notes: true";
    edit(folder, "services/gateway.yml", "release_notes: true", secrets);
}

planned! {
    files_under_the_globs_are_a_build: ahead(14, &["src/a", "src/b/c", "docs/x.md"]), only_sources
        => "build", "changed, 14 commits since";
    the_reason_counts_the_files_under_the_globs: ahead(14, &["src/a", "src/b/c", "docs/x.md"]), only_sources
        => "build", "(v2.15.0-dev), 2 files under src/**, Dockerfile";
    files_outside_the_globs_are_unchanged: ahead(3, &["docs/x.md", "tests/y"]), only_sources
        => "none", "unchanged, 3 commits since";
    a_glob_of_one_file_counts: ahead(1, &["Dockerfile"]), only_sources
        => "build", "1 file under";
    docs_only_with_globs_that_take_out: ahead(2, &["docs/deep/x.txt", "README.md"]), no_docs
        => "none", "none of 2 files under **, !docs/**, !*.md";
    without_globs_every_file_counts: ahead(1, &["README.md"]), as_it_is
        => "build", "1 commit since";
    a_commit_without_files_is_unchanged: ahead(1, &[]), as_it_is
        => "none", "no files";
    config_only: ahead(1, &["README.md"]), another_level
        => "configure", "changed: only configuration, LOG_LEVEL";
    secret_only: |world: &mut World| { ahead(1, &["README.md"])(world); world.secret("escher/dev/gateway/replica-url"); }, another_secret
        => "configure", "changed: only configuration, DATABASE_URL";
    a_force_push_leaves_the_base_unknown: |world: &mut World| { not_built(world); world.fault(fault("compare", 404)); }, only_sources
        => "build", "not compared with";
    diverged_histories_are_a_change: |world: &mut World| { compared(world, "diverged".into()); not_built(world); }, only_sources
        => "build", "diverged from";
    three_hundred_and_one_files_are_not_all_listed: ahead_many(20, 301, "docs"), only_sources
        => "build", "300 files or more";
    two_hundred_and_ninety_nine_files_are: ahead_many(20, 299, "docs"), only_sources
        => "none", "none of 299 files";
    seven_hundred_commits_are_one_request: ahead_many(700, 120, "src"), only_sources
        => "build", "700 commits since";
    seven_hundred_commits_of_docs: ahead_many(700, 120, "docs"), only_sources
        => "none", "700 commits since";
    a_rename_out_of_the_globs_counts: |world: &mut World| {
        let mut comparison = Comparison::ahead(1, &["docs/old.rs"]);
        comparison.files[0].previous_filename = Some("src/old.rs".to_owned());
        compared(world, comparison);
        not_built(world);
    }, only_sources => "build", "1 file under";
    the_commit_that_runs_is_no_change: |world: &mut World| {
        let running = commit(world, "v2.15.0-dev");
        world.github.repositories.get_mut(REPOSITORY).unwrap().tags.insert("v2.16.0-dev".to_owned(), running.clone());
        not_built(world);
        world.image_mut(ECR, "v2.15.0-dev").tags.retain(|tag| !tag.starts_with("sha-") && !tag.starts_with("tree-"));
    }, as_it_is => "none", "the commit that runs";
    an_image_of_the_commit_is_promoted: |world: &mut World| {
        world.image_mut(ECR, "v2.16.0-dev").tags.retain(|tag| tag != "v2.16.0-dev" && !tag.starts_with("tree-"));
    }, only_sources => "promote", "1 file under src/**, Dockerfile; built before";
    an_image_of_the_tree_is_promoted: |world: &mut World| {
        world.image_mut(ECR, "v2.16.0-dev").tags.retain(|tag| tag.starts_with("tree-"));
    }, only_sources => "promote", "built before, of another commit of the same tree";
    an_image_of_the_release_is_promoted: |_: &mut World| {}, as_it_is
        => "promote", "changed, 1 commit since";
    a_release_whose_image_runs_is_unchanged: |world: &mut World| {
        not_built(world);
        let tags = &mut world.image_mut(ECR, "v2.15.0-dev").tags;
        tags.push("v2.16.0-dev".to_owned());
        tags.retain(|tag| !tag.starts_with("sha-"));
    }, as_it_is => "none", "same image, configuration and secrets as running";
    a_tag_that_was_moved_brings_no_old_image: |world: &mut World| {
        compared(world, "ahead".into());
        for tag in &mut world.image_mut(ECR, "v2.16.0-dev").tags {
            if let Some((kind @ ("sha" | "tree"), _)) = tag.split_once('-') {
                *tag = format!("{kind}-0000000000000000000000000000000000000000");
            }
        }
    }, only_sources => "build", "1 commit since";
    docs_only_but_the_image_that_runs_is_gone: |world: &mut World| {
        ahead(1, &["README.md"])(world);
        world.ecr.repository_mut(ECR).images.clear();
    }, only_sources => "build", "none of 1 file";
    a_definition_without_labels_is_a_first_deployment: |world: &mut World| {
        not_built(world);
        unlabelled(world);
    }, only_sources => "build", "what runs names no commit";
}

refused! {
    a_new_service_must_be_made_first: |world: &mut World| {
        not_built(world);
        world.ecs.services.retain(|service| service.name != "gateway");
    }, as_it_is => 3, "refused", "ECS has no service `gateway`";
    neither_tag_nor_branch: |world: &mut World| {
        not_built(world);
        let repository = world.github.repositories.get_mut(REPOSITORY).unwrap();
        repository.tags.clear();
        repository.branches.clear();
    }, as_it_is => 7, "failed", "has neither the tag v2.16.0-dev nor the branch develop (DEPLOY_SOURCE_BRANCH)";
    a_private_repository_without_access: |world: &mut World| {
        not_built(world);
        world.github.forbidden.insert(REPOSITORY.to_owned());
    }, as_it_is => 7, "failed", "set DEPLOY_GITHUB_APP_ID and DEPLOY_GITHUB_APP_SECRET";
    a_rate_limit: |world: &mut World| { not_built(world); world.fault(fault("commit", 403)); }, as_it_is
        => 7, "failed", "has reached its rate limit";
    no_ecr_repository: |world: &mut World| { not_built(world); world.ecr.repositories.retain(|it| it.name != ECR); }, as_it_is
        => 3, "refused", "there is no ECR repository `escher-gateway`";
    older_than_what_runs: |world: &mut World| { compared(world, "behind".into()); not_built(world); }, as_it_is
        => 3, "refused", "is older than 2.15.0-dev";
}

/// What was put there by hand: an image by tag, no labels.
fn unlabelled(world: &mut World) {
    let host = world.ecr.host();
    for definition in &mut world.ecs.definitions {
        let containers = definition.body["containerDefinitions"].as_array_mut().unwrap();
        for container in containers.iter_mut().filter(|container| container["name"] == "gateway") {
            container["image"] = json!(format!("{host}/escher-gateway:v2.15.0-dev"));
            container["dockerLabels"] = json!({});
        }
    }
}

#[tokio::test]
async fn without_the_tag_the_head_of_the_branch_is_released() {
    let (ran, job) = plan(
        |world| {
            not_built(world);
            let repository = world.github.repositories.get_mut(REPOSITORY).unwrap();
            repository.tags.remove("v2.16.0-dev");
            repository.branches.insert("develop".to_owned(), "d".repeat(40));
        },
        only_sources,
    )
    .await;
    ran.ends(0, "success");
    assert_eq!(gateway(&ran)["to"]["revision"], "d".repeat(40));
    let matrix: Value = serde_json::from_str(ran.output("matrix")).unwrap();
    let entry = json!({"name": "gateway", "repo": "v2-gateway-service-java", "dockerfile": "Dockerfile", "ecr_repo": ECR,
        "revision": "d".repeat(40)});
    assert_eq!(matrix, json!({"include": [entry]}));
    assert_eq!(job.operations("github").len(), 3, "tag, branch, comparison");
}

#[tokio::test]
async fn a_stuck_service_is_never_unchanged_and_keeps_the_definition_it_has() {
    let world = |world: &mut World| {
        ahead(1, &["README.md"])(world);
        for deployment in &mut world.service_mut("gateway").deployments {
            deployment.rollout = Rollout::Failed;
        }
    };
    let (ran, _job) = plan(world, only_sources).await;
    ran.ends(0, "success").says("is FAILED").says("started once more with the definition it has");
}

#[tokio::test]
async fn force_deploys_what_has_not_changed_and_builds_nothing() {
    let mut world = escher();
    ahead(1, &["README.md"])(&mut world);
    let mut job = Job::tag_push(world).await;
    let folder = job.own_configuration();
    only_sources(&folder);
    edit(&folder, "environments/dev.env", "LOG_LEVEL=debug", "LOG_LEVEL=info");
    let ran = job.only("gateway").input("command", "plan").input("force", "true").run().await;
    ran.ends(0, "success").says("unchanged, but `force` is set");
    assert_eq!(ran.output("build-needed"), "false");
}

#[tokio::test]
async fn two_services_of_one_repository_are_told_apart_and_asked_for_once() {
    let mut world = escher();
    compared(&mut world, Comparison::ahead(4, &["gateway/main.go"]));
    not_built(&mut world);
    let base = commit(&mut world, "v2.15.0-dev");
    for definition in &mut world.ecs.definitions {
        for container in definition.body["containerDefinitions"].as_array_mut().unwrap() {
            if container["name"] == "autoresolver" {
                container["dockerLabels"]["org.opencontainers.image.revision"] = json!(base);
            }
        }
    }
    let mut job = Job::tag_push(world).await;
    let folder = job.own_configuration();
    edit(&folder, "environments/dev.env", "LOG_LEVEL=debug", "LOG_LEVEL=info");
    edit(&folder, "services/gateway.yml", "release_notes: true", "paths: [gateway/**]\nrelease_notes: true");
    edit(&folder, "services/autoresolver.yml", "repo: v2-autoresolver-java", "repo: v2-gateway-service-java\npaths: [autoresolver/**]");
    let ran = job.input("services", "gateway autoresolver").input("command", "plan").run().await;
    ran.ends(0, "success");
    let plan: Value = serde_json::from_str(ran.output("plan")).unwrap();
    let actions: Vec<(&str, &str)> =
        plan["services"].as_array().unwrap().iter().map(|it| (it["name"].as_str().unwrap(), it["action"].as_str().unwrap())).collect();
    assert_eq!(actions, [("autoresolver", "none"), ("gateway", "build")]);
    assert_eq!((job.count("commit"), job.count("compare")), (1, 1));
}

#[tokio::test]
async fn seven_services_take_at_most_three_requests_each() {
    let mut world = escher();
    not_built(&mut world);
    for repository in world.github.repositories.values_mut() {
        repository.tags.remove("v2.16.0-dev");
    }
    let mut job = Job::tag_push(world).await;
    let ran = job.input("command", "detect").run().await;
    ran.ends(0, "success");
    assert_eq!((job.count("commit"), job.count("compare")), (14, 7));
    let matrix: Value = serde_json::from_str(ran.output("matrix")).unwrap();
    assert_eq!(matrix["include"].as_array().unwrap().len(), 7);
}
