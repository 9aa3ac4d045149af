//! Images on a real Docker engine and a real registry, of source from a real git host. AWS and GitHub's API are the sandbox's;
//! its ECR shows what the registry holds. Start it with `tests/realstack/run`.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use escher_sandbox::World;

use crate::stack::{self, Commit, Stack, publish};

const GATEWAY: &str = "escher-dbai/v2-gateway-service-java";
const AUTORESOLVER: &str = "escher-dbai/v2-autoresolver-java";

/// The story of a release line, in one piece: each chapter stands on what the ones before left in the registry.
#[tokio::test(flavor = "multi_thread")]
async fn seven_services_are_built_once_tested_and_promoted() {
    let (stack, commits) = Stack::with_repositories("v2.16.0-dev");
    assert_eq!(commits.len(), 7);
    let mut world = stack.world();
    publish(&mut world, "v2.16.0-dev", &commits);
    world.add_environment("staging");
    world.add_environment("prod");
    world.ecr.repositories.iter_mut().for_each(|it| it.images.retain(|image| !image.version.starts_with("2.16.0")));
    publish(&mut world, "v2.16.0-stg", &commits);
    let mut job = stack.job(world, "v2.16.0-dev").await;

    let began = std::time::Instant::now();
    let first = job.run("build").await;
    first.ends(0, "success").says(", 2 at once").says("gateway | ");
    eprintln!("seven built, tested and pushed, {} at a time, in {:.1?}", first.most_at_once, began.elapsed());
    assert_eq!((first.built(), first.most_at_once), (7, 2));
    for (name, (action, digest)) in first.plan() {
        assert_eq!(action, "build", "{name}");
        for tag in [
            "v2.16.0-dev".to_owned(),
            format!("sha-{}", commits[&repository(&name)].id),
            format!("tree-{}", commits[&repository(&name)].tree),
        ] {
            assert_eq!(stack.digest(&format!("escher-{name}"), &tag).as_deref(), Some(digest.as_str()), "{name}:{tag}");
        }
    }
    nothing_shows_the_token(&stack, &first);

    let second = job.run("build").await;
    second.ends(0, "unchanged").says("nothing to build");
    assert!(second.built() == 0 && second.most_at_once == 0);

    let run = job.run("run").await;
    run.ends(0, "success");
    assert_eq!(run.plan().into_iter().map(|(name, (_, digest))| (name, digest)).collect::<BTreeMap<_, _>>(), digests(&first));

    let changed = stack.repositories(&["change", "v2-gateway-service-java", "notes.txt", "new", "v2.17.0-dev"]);
    job.sandbox.with(|world| publish(world, "v2.17.0-dev", &changed));
    let third = job.set("GITHUB_REF_NAME", "v2.17.0-dev").run("run").await;
    third.ends(0, "success");
    assert_eq!(third.built(), 1, "{}", third.text);
    let (old, new) = (digests(&first), digests(&third));
    let differs: Vec<&String> = old.keys().filter(|name| old[*name] != new[*name]).collect();
    assert_eq!(differs, ["gateway"]);
    assert_eq!(stack.digest("escher-asset-store", "v2.17.0-dev"), stack.digest("escher-asset-store", "v2.16.0-dev"), "named, not built");

    let broken = stack.repositories(&["change", "v2-autoresolver-java", "fail-test", "nope", "v2.18.0-dev"]);
    job.sandbox.with(|world| publish(world, "v2.18.0-dev", &broken));
    let updates = |world: &mut World| world.calls.iter().filter(|call| call.operation == "UpdateService").count();
    let before = job.sandbox.with(updates);
    let fourth = job.set("GITHUB_REF_NAME", "v2.18.0-dev").run("run").await;
    fourth.ends(7, "failed").says("autoresolver: its test (stage `test`) failed for ").says("fail-test: nope");
    assert_eq!(job.sandbox.with(updates), before, "nothing was deployed");
    assert_eq!(stack.digest("escher-autoresolver", &format!("sha-{}", broken[AUTORESOLVER].id)), None);

    of_a_checkout(&stack, &mut job).await;
    promoted(&mut job, &commits, &digests(&first)).await;
}

/// A component's repository, checked out as `actions/checkout` does: with the token in `.git/config`, and a leftover beside it.
async fn of_a_checkout(stack: &Stack, job: &mut stack::Job) {
    let everything = "FROM scratch AS test\nCOPY service /\nRUN [\"/service\", \"--self-test\"]\nFROM scratch\nCOPY . /everything\n";
    let changed = stack.repositories(&["change", "v2-gateway-service-java", "Dockerfile", everything, "v2.19.0-dev"]);
    let workspace = job.folder.path().join("workspace");
    let token = stack.git_token();
    stack::git(job.folder.path(), &["clone", "--quiet", &stack.repository(GATEWAY).display().to_string(), "workspace"]);
    stack::git(&workspace, &["checkout", "--quiet", &changed[GATEWAY].id]);
    stack::git(&workspace, &["config", "http.extraheader", &format!("AUTHORIZATION: basic {token}")]);
    std::fs::write(workspace.join("gha-creds.json"), token).unwrap();
    job.sandbox.with(|world| publish(world, "v2.19.0-dev", &changed));
    let before = job.variables.clone();
    job.set("GITHUB_REPOSITORY", GATEWAY).set("GITHUB_SHA", &changed[GATEWAY].id).set("GITHUB_REF_NAME", "v2.19.0-dev");
    let ran = job.set("GITHUB_WORKSPACE", &workspace.display().to_string()).run("build").await;
    ran.ends(0, "success");
    assert_eq!(ran.built(), 1);
    nothing_shows_the_token(stack, &ran);
    assert!(stack.blobs_with("COPY . /everything") > 0, "the whole context is in a layer");
    job.variables = before;
}

/// staging has dev's commits, prod a merge of them: another commit of the same tree.
async fn promoted(job: &mut stack::Job, commits: &BTreeMap<String, Commit>, dev: &BTreeMap<String, String>) {
    let merged: BTreeMap<String, Commit> = commits
        .iter()
        .map(|(name, commit)| (name.clone(), Commit { id: commit.id.chars().rev().collect(), tree: commit.tree.clone() }))
        .collect();
    job.sandbox.with(|world| publish(world, "v2.16.0", &merged));
    environment(job, "prod");
    job.set("GITHUB_REF_NAME", "v2.16.0").set("DEPLOY_REQUIRE_PASSED", "staging");
    job.run("run").await.ends(3, "refused").says("has never passed staging");
    job.variables.remove("DEPLOY_REQUIRE_PASSED");
    environment(job, "staging");
    let staging = job.set("GITHUB_REF_NAME", "v2.16.0-stg").run("run").await;
    staging.ends(0, "success");
    environment(job, "prod");
    job.set("GITHUB_REF_NAME", "v2.16.0").set("DEPLOY_REQUIRE_PASSED", "staging");
    let prod = job.run("run").await;
    prod.ends(0, "success");
    assert_eq!((staging.built(), prod.built()), (0, 0));
    assert_eq!((&digests(&staging), &digests(&prod)), (dev, dev), "three identical digest sets");
}

fn environment(job: &mut stack::Job, name: &str) {
    let url = format!("{}/services/escher-{name}:{{service}}", job.sandbox.url());
    job.set("DEPLOY_CLUSTER", &format!("escher-{name}")).set("DEPLOY_BASE_URL", &url);
}

fn digests(ran: &stack::Ran) -> BTreeMap<String, String> {
    ran.plan().into_iter().map(|(name, (_, digest))| (name, digest)).collect()
}

fn repository(service: &str) -> String {
    let name = match service {
        "gateway" => return GATEWAY.to_owned(),
        "autoresolver" => return AUTORESOLVER.to_owned(),
        "asset-store" => "v4-asset-store-go",
        "context-engine" => "v4-context-engine",
        "analysis-agent" => "v2-analysis-agent-go",
        "playbook-agent" => "v2-playbook-agent-go",
        _ => "v4-integrations-agent-go",
    };
    format!("escher-dbai/{name}")
}

/// Not in what was started, nor in what was printed, nor in what was pushed; neither as it is nor as git encodes it.
fn nothing_shows_the_token(stack: &Stack, ran: &stack::Ran) {
    let token = stack.git_token();
    let encoded = STANDARD.encode(format!("x-access-token:{token}"));
    assert!(ran.command_lines.iter().any(|line| line.contains("buildx build")), "{:?}", ran.command_lines);
    assert!(stack.blobs_with("--self-test") > 0, "layers are looked into: the program's own words are found there");
    for secret in [token, &encoded] {
        let shown: Vec<&String> = ran.command_lines.iter().filter(|line| line.contains(secret)).collect();
        assert!(shown.is_empty(), "{shown:?}");
        let printed: Vec<&str> = ran.text.lines().filter(|line| line.contains(secret) && !line.starts_with("::add-mask::")).collect();
        assert!(printed.is_empty(), "{printed:?}");
        assert_eq!(stack.blobs_with(secret), 0, "no layer and no manifest");
    }
}
