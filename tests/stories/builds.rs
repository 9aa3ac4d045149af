//! Images that a plan lacks are built, tested and pushed, before anything is deployed.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use escher_sandbox::{Build, BuildFate, BuildState, Effect, Fault};
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};

use crate::changes::{REPOSITORY, not_built};
use crate::harness::{Job, Ran, escher};

/// Nothing of the release is built yet, and there is a docker.
async fn job() -> Job {
    let mut world = escher();
    not_built(&mut world);
    let mut job = Job::tag_push(world).await;
    job.with_docker();
    job
}

fn builds(job: &Job) -> Vec<Build> {
    job.sandbox.with(|world| world.engine.builds.clone())
}

fn digest(job: &Job, repository: &str, tag: &str) -> String {
    job.sandbox.with(|world| world.ecr.repository(repository).unwrap().image(tag).unwrap().digest.clone())
}

fn planned(ran: &Ran) -> Vec<Value> {
    let plan: Value = serde_json::from_str(ran.output("plan")).unwrap();
    plan["services"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_run_builds_what_has_changed_two_at_a_time_and_deploys_it() {
    let mut job = job().await;
    let ran = job.set("DEPLOY_BUILD_JOBS", "2").run().await;
    ran.ends(0, "success").says("::group::Build: ").says(", 2 at once").says("gateway | #0 building with").says("✓ gateway  built ");
    assert_eq!(ran.names("deployed").len(), 7);
    assert_eq!((builds(&job).len(), job.sandbox.with(|world| world.engine.most_at_once)), (7, 2));
    for service in planned(&ran) {
        let name = service["name"].as_str().unwrap();
        assert_eq!((&service["action"], ran.output("build-needed")), (&json!("build"), "false"));
        assert_eq!(service["to"]["digest"], digest(&job, &format!("escher-{name}"), "v2.16.0-dev"), "the registry's own");
    }
    let first = job.sandbox.calls().iter().position(|call| call.operation == "UpdateService").unwrap();
    let last_build = job.sandbox.calls().iter().rposition(|call| call.party == "engine").unwrap();
    assert!(last_build < first, "nothing is deployed before every image is there");
    let again = job.run().await;
    again.ends(0, "unchanged");
    assert_eq!(builds(&job).len(), 7, "nothing is built twice");
}

#[tokio::test]
async fn an_image_bears_what_finds_it_again_and_what_it_is() {
    let mut job = job().await;
    let ran = job.only("gateway").input("command", "build").run().await;
    ran.ends(0, "success").says("every image is in the registry").summarises("## Images: v2.16.0-dev to dev");
    assert_eq!(job.count("UpdateService") + job.count("RegisterTaskDefinition"), 0, "`build` touches ECR alone");
    let revision = planned(&ran)[0]["to"]["revision"].as_str().unwrap().to_owned();
    let tags = job.sandbox.with(|world| world.image_mut("escher-gateway", "v2.16.0-dev").tags.clone());
    let has = |start: &str| tags.iter().filter(|tag| tag.starts_with(start)).count();
    assert!(tags.contains(&format!("sha-{revision}")) && has("tree-") == 1 && has("passed-") == 0, "{tags:?}");
    let build = builds(&job).remove(0);
    assert_eq!(build.label("revision").unwrap(), revision);
    assert_eq!(build.label("source").unwrap(), format!("https://github.com/{REPOSITORY}"));
    assert_eq!(build.label("version").unwrap(), "2.16.0-dev");
    assert_eq!(build.option("--platform"), Some("linux/amd64"));
    assert_eq!(build.arguments.last().unwrap(), &format!("https://github.com/{REPOSITORY}.git#{revision}"));
    for argument in [format!("REVISION={revision}"), "VERSION=2.16.0-dev".to_owned()] {
        assert!(build.arguments.contains(&argument), "{:?}", build.arguments);
    }
    job.run().await.ends(0, "unchanged").says("nothing to build: every image is in the registry");
}

#[tokio::test]
async fn a_failing_test_stops_everything_before_a_deployment() {
    let mut job = job().await;
    let folder = job.own_configuration();
    let file = folder.join("services/asset-store.yml");
    std::fs::write(&file, std::fs::read_to_string(&file).unwrap() + "test_target: test\n").unwrap();
    let lines = ["#5 0.204 --- FAIL: TestStore (0.00s)", "#5 ERROR: process \"go test\" did not complete successfully: exit code: 1"];
    job.sandbox.with(|world| {
        world.engine.fates.insert("asset-store".to_owned(), BuildFate::TestFails(lines.map(str::to_owned).to_vec()));
        world.engine.fates.insert("gateway".to_owned(), BuildFate::NeverEnds);
    });
    let began = Instant::now();
    let ran = job.set("DEPLOY_BUILD_JOBS", "7").run().await;
    ran.ends(7, "failed").says("asset-store: its test (stage `test`) failed for ").says("--- FAIL: TestStore");
    ran.says("failed: the build of asset-store").says("nothing was migrated or deployed, every service runs as before");
    ran.summarises("--- FAIL: TestStore");
    assert!(began.elapsed() < Duration::from_secs(20), "the others are stopped");
    assert_eq!(job.count("UpdateService") + job.count("RegisterTaskDefinition") + job.count("RunTask"), 0);
    let (state, others) = (builds(&job), ["gateway"]);
    assert!(state.iter().filter(|build| others.contains(&build.title.as_str())).all(|build| build.state == BuildState::Cancelled));
    let test = state.iter().find(|build| build.title == "asset-store").unwrap();
    assert_eq!((test.target.as_deref(), test.state), (Some("test"), BuildState::Failed));
    let slack = job.sandbox.with(|world| world.slack.messages[0].text.clone());
    assert!(slack.contains("the build of asset-store"), "{slack}");
}

#[tokio::test]
async fn known_troubles_of_builds_come_with_the_way_out() {
    for (line, way_out) in [
        ("ERROR: failed to solve: write /var/lib: no space left on device", "the builder's disk is full"),
        ("ERROR: failed to read dockerfile: open Dockerfile: no such file or directory", "correct `dockerfile` and `context`"),
        ("ERROR: process \"/bin/sh -c x\" did not complete: exec format error", "docker/setup-qemu-action"),
        ("ERROR: failed to build: denied: User: x is not authorized to perform: ecr:InitiateLayerUpload", "`escher-deploy iam`"),
        ("ERROR: something new", "mend the build; its whole output is in the log above"),
    ] {
        let mut job = job().await;
        job.sandbox.with(|world| drop(world.engine.fates.insert("gateway".to_owned(), BuildFate::Fails(vec![line.to_owned()]))));
        job.only("gateway").run().await.ends(7, "failed").says(line).says(way_out);
    }
}

#[tokio::test]
async fn no_token_and_no_password_shows_anywhere() {
    let mut job = job().await;
    let variables = [("MY_COPY", "GITHUB_TOKEN"), ("INPUT_SLACK_BOT_TOKEN", "SLACK_BOT_TOKEN")];
    for (name, of) in variables {
        let value = job.variables[of].clone();
        job.set(name, &value);
    }
    let ran = job.only("gateway").set("ESCHER_LOG", "trace").run().await;
    ran.ends(0, "success");
    let build = builds(&job).remove(0);
    let token = job.variables["GITHUB_TOKEN"].clone();
    let password = job.sandbox.with(|world| world.ecr.password.clone());
    let text = format!("{:?}", build.arguments);
    assert!(!text.contains(&token) && !text.contains(&password), "{text}");
    assert_eq!(build.git_token.as_deref(), Some(token.as_str()), "BuildKit's secret");
    for hidden in ["GITHUB_TOKEN", "MY_COPY", "SLACK_BOT_TOKEN", "INPUT_SLACK_BOT_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"] {
        assert!(!build.variables.iter().any(|name| name == hidden), "docker got {hidden}");
    }
    let printed: String = ran.stdout.lines().chain(ran.stderr.lines()).filter(|line| !line.starts_with("::add-mask::")).collect();
    for secret in [&token, &password] {
        assert!(!printed.contains(secret) && !ran.summary.contains(secret) && !ran.report.to_string().contains(secret));
    }
    let left: Vec<_> =
        std::fs::read_dir(job.folder.path()).unwrap().filter_map(|file| file.unwrap().file_name().into_string().ok()).collect();
    assert!(!left.iter().any(|name| name.starts_with("escher-docker")), "{left:?}");
}

#[tokio::test]
async fn an_interrupted_build_ends_within_seconds_and_nothing_is_left() {
    let mut job = job().await;
    job.sandbox.with(|world| drop(world.engine.fates.insert("gateway".to_owned(), BuildFate::NeverEnds)));
    let child = job.only("gateway").start();
    while builds(&job).is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    let (ran, took) = job.stopped(child, "INT").await;
    assert!(took < Duration::from_secs(5), "took {took:?}");
    ran.ends(130, "cancelled").says("cancelled while images were built").says("nothing was deployed, and the next run finds them");
    assert_eq!((builds(&job)[0].state, job.count("UpdateService")), (BuildState::Cancelled, 0));
    assert!(
        !std::fs::read_dir(job.folder.path()).unwrap().any(|file| file.unwrap().file_name().to_string_lossy().starts_with("escher-docker"))
    );
}

#[tokio::test]
async fn a_cache_that_the_driver_can_not_write_is_a_warning() {
    let mut job = job().await;
    job.sandbox.with(|world| drop(world.engine.fates.insert("gateway".to_owned(), BuildFate::NoCacheExport)));
    let ran = job.only("gateway").set("DEPLOY_BUILD_CACHE", "registry.example/cache:{service}").run().await;
    ran.ends(0, "success").says("warning: gateway: built without DEPLOY_BUILD_CACHE").says("docker/setup-buildx-action");
    let builds = builds(&job);
    assert_eq!(builds[0].option("--cache-to"), Some("type=registry,ref=registry.example/cache:gateway,mode=max"));
    assert_eq!((builds[1].option("--cache-to"), builds[1].state), (None, BuildState::Done));
}

#[tokio::test]
async fn without_docker_the_message_says_where_to_build() {
    let mut job = job().await;
    job.set("PATH", "/nowhere");
    let ran = job.only("gateway").run().await;
    ran.ends(7, "failed").says("docker buildx can't be used").says("or build elsewhere and use `deploy`");
    job.with_docker().set("DOCKER_HOST", "tcp://127.0.0.1:1");
    job.run().await.ends(7, "failed").says("Cannot connect to the Docker daemon").says("no docker engine answers");
}

#[tokio::test]
async fn tags_that_can_not_be_moved_refuse_a_moved_git_tag_with_words() {
    let mut job = job().await;
    job.sandbox.with(|world| {
        world.image_mut("escher-gateway", "v2.15.0-dev").tags.push("v2.16.0-dev".to_owned());
        world.ecr.repository_mut("escher-gateway").mutability = "IMMUTABLE".to_owned();
    });
    let ran = job.only("gateway").run().await;
    ran.ends(7, "failed").says("escher-gateway has immutable tags, and its `v2.16.0-dev` names another image");
    ran.says("make a new release").says("nothing was migrated or deployed");
    assert_eq!(job.count("UpdateService"), 0);
}

/// A repository in the job's workspace, with one commit; its id and tree.
fn checkout(folder: &Path) -> (String, String) {
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(folder.join("Dockerfile"), "FROM scratch\n").unwrap();
    committed(folder)
}

/// Makes the folder a repository with one commit; its id and tree.
pub(crate) fn committed(folder: &Path) -> (String, String) {
    let git = |words: &[&str]| {
        let output = Command::new("git").current_dir(folder).args(words).output().unwrap();
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    git(&["init", "--quiet"]);
    git(&["add", "--all"]);
    git(&["-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "--quiet", "--message=one"]);
    (git(&["rev-parse", "HEAD"]), git(&["rev-parse", "HEAD^{tree}"]))
}

#[tokio::test]
async fn a_component_repository_builds_its_checkout() {
    let mut job = job().await;
    let workspace = job.folder.path().join("workspace");
    let (commit, tree) = checkout(&workspace);
    std::fs::write(workspace.join("gha-creds.json"), "left by an earlier step").unwrap();
    let shown = workspace.display().to_string();
    job.set("GITHUB_REPOSITORY", REPOSITORY).set("GITHUB_SHA", &commit).set("GITHUB_WORKSPACE", &shown);
    job.sandbox.with(|world| world.github.repository_mut(REPOSITORY).tag("v2.16.0-dev", &commit, &tree).trees.len());
    let ran = job.input("command", "build").run().await;
    ran.ends(0, "success");
    assert_eq!(planned(&ran).len(), 1, "its own service alone");
    let build = builds(&job).remove(0);
    assert!(!build.arguments.last().unwrap().contains("://"), "a folder, not a URL: {:?}", build.arguments);
    assert_eq!(build.files, ["Dockerfile"], "the commit's files, without `.git` and what lies about");
    assert_eq!(build.git_token, None);
    let tags = job.sandbox.with(|world| world.image_mut("escher-gateway", "v2.16.0-dev").tags.clone());
    assert!(tags.contains(&format!("sha-{commit}")) && tags.contains(&format!("tree-{tree}")), "{tags:?}");
    assert_eq!(job.operations("github"), ["compare"], "the checkout told commit and tree");
    // A changed file is not in the image, and another commit's checkout is not used.
    job.sandbox.with(not_built);
    std::fs::write(workspace.join("Dockerfile"), "FROM scratch\nLABEL a=b\n").unwrap();
    job.run().await.ends(0, "success").says("warning: gateway: the checkout differs from ").says("alone");
    let worktrees = Command::new("git").current_dir(&workspace).args(["worktree", "list"]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&worktrees.stdout).lines().count(), 1, "git knows of no other");
    job.sandbox.with(not_built);
    job.set("GITHUB_REF_NAME", "main").set("GITHUB_REF_TYPE", "branch").input("tag", "v2.16.0-dev");
    job.sandbox.with(|world| world.github.repository_mut(REPOSITORY).tag("v2.16.0-dev", &"c".repeat(40), &"d".repeat(40)).trees.len());
    job.run().await.ends(0, "success");
    assert_eq!(builds(&job).pop().unwrap().arguments.last().unwrap(), &format!("https://github.com/{REPOSITORY}.git#{}", "c".repeat(40)));
}

/// What every service runs in the end: image and version label.
fn running(job: &Job) -> Vec<(String, Value, Value)> {
    let of = |world: &mut escher_sandbox::World| {
        let services = world.ecs.services.iter().map(|service| (service.name.clone(), service.task_definition.clone())).collect::<Vec<_>>();
        let find = |(name, arn): (String, String)| {
            let definition = world.ecs.definitions.iter().find(|it| it.arn == arn).unwrap();
            let containers = definition.body["containerDefinitions"].as_array().unwrap().clone();
            let container = containers.into_iter().find(|container| container["name"] == name.as_str()).unwrap();
            (name, container["image"].clone(), container["dockerLabels"].clone())
        };
        services.into_iter().map(find).collect()
    };
    job.sandbox.with(of)
}

#[tokio::test]
async fn detect_build_and_deploy_as_three_jobs_deploy_what_one_run_does() {
    let two = |world: &mut escher_sandbox::World| {
        world.ecr.repositories.iter_mut().filter(|it| ["escher-gateway", "escher-asset-store"].contains(&it.name.as_str())).for_each(
            |it| {
                it.images.retain(|image| image.version != "2.16.0-dev");
            },
        );
    };
    let (mut whole, mut parts) = (Job::tag_push(escher()).await, Job::tag_push(escher()).await);
    whole.sandbox.with(two);
    parts.sandbox.with(two);
    whole.with_docker().run().await.ends(0, "success");
    let detected = parts.with_docker().input("command", "detect").run().await;
    detected.ends(0, "success");
    assert_eq!(detected.output("build-needed"), "true");
    let matrix: Value = serde_json::from_str(detected.output("matrix")).unwrap();
    let names: Vec<String> = matrix["include"].as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap().to_owned()).collect();
    assert_eq!(names, ["asset-store", "gateway"]);
    for name in names {
        parts.input("command", "build").only(&name).run().await.ends(0, "success");
    }
    parts.variables.remove("INPUT_SERVICES");
    parts.input("slack-channel", detected.output("slack-channel")).input("slack-ts", detected.output("slack-ts"));
    parts.input("command", "deploy").run().await.ends(0, "success");
    assert_eq!(running(&parts), running(&whole));
    let messages = parts.sandbox.with(|world| world.slack.messages.iter().filter(|it| it.channel_name == "escher-deployments").count());
    assert_eq!(messages, 1, "one message, from `detect` to `deploy`");
}

#[tokio::test]
async fn deploy_closes_the_message_of_a_build_that_failed() {
    let mut job = job().await;
    let detected = job.input("command", "detect").run().await;
    job.sandbox.with(|world| drop(world.engine.fates.insert("gateway".to_owned(), BuildFate::Fails(vec!["ERROR: no".to_owned()]))));
    job.input("command", "build").only("gateway").run().await.ends(7, "failed");
    job.variables.remove("INPUT_SERVICES");
    job.input("slack-channel", detected.output("slack-channel")).input("slack-ts", detected.output("slack-ts"));
    let ran = job.input("command", "deploy").run().await;
    ran.ends(7, "failed").says("see the build job of this release");
    let messages = job.sandbox.with(|world| world.slack.messages.clone());
    let [message, thread] = &messages[..] else { panic!("one message, and why in its thread: {messages:#?}") };
    assert!(message.text.contains("missing in the registry"), "{}", message.text);
    assert_eq!((thread.thread_ts.as_deref(), thread.broadcast), (Some(message.ts.as_str()), true));
}

#[tokio::test]
async fn killed_between_builds_the_next_run_builds_only_the_rest() {
    let mut job = job().await;
    job.sandbox.with(|world| world.engine.millis = 400);
    let mut child = job.set("DEPLOY_BUILD_JOBS", "1").input("command", "build").start();
    while job.sandbox.with(|world| world.engine.images().len()) < 3 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    child.kill().await.unwrap();
    // The command that was under way goes on to its end, and what it pushes counts.
    tokio::time::sleep(Duration::from_millis(800)).await;
    let done = job.sandbox.with(|world| world.engine.images().len());
    assert!((3..7).contains(&done), "{done}");
    job.sandbox.with(|world| world.engine.millis = 30);
    job.run().await.ends(0, "success");
    assert_eq!(job.sandbox.with(|world| world.engine.images().len()), 7, "each once");
    let named: usize = job.sandbox.with(|world| world.ecr.repositories.iter().filter(|it| it.image("v2.16.0-dev").is_some()).count());
    assert_eq!(named, 7);
}

#[tokio::test]
async fn what_passes_on_the_way_to_an_image_makes_no_difference() {
    let error = |status: u16, code: &str| Effect::Error { status, code: code.into(), message: "made to fail".into() };
    let effects = [
        (1, error(500, "ServerException")),
        (1, error(503, "ServiceUnavailable")),
        (1, Effect::LoseRequest),
        (1, Effect::LoseAnswer),
        (2, error(400, "ThrottlingException")),
    ];
    let places = [
        ("github", "commit", 0),
        ("github", "compare", 0),
        ("ecr", "DescribeRepositories", 0),
        ("ecr", "DescribeImages", 0),
        ("ecr", "DescribeImages", 3),
        ("ecr", "GetAuthorizationToken", 0),
        ("ecr", "BatchGetImage", 0),
        ("ecr", "PutImage", 0),
        ("ecr", "PutImage", 1),
    ];
    let all: Vec<_> = places.iter().flat_map(|place| effects.iter().map(move |effect| (*place, effect.clone()))).collect();
    // GitHub throttles with 403 and 429, and these don't pass within a run.
    let all = all.into_iter().filter(|((party, ..), (times, _))| *party != "github" || *times == 1);
    let runs = all.map(|((party, operation, skip), (times, effect))| async move {
        let mut job = job().await;
        let fault = Fault { party: party.into(), operation: operation.into(), skip, times, effect: effect.clone() };
        job.sandbox.with(|world| world.fault(fault));
        let ran = job.only("gateway").input("command", "build").run().await;
        assert_eq!((ran.code, ran.output("result")), (0, "success"), "{party} {operation} {skip} {effect:?}\n{}", ran.stdout);
        assert_eq!(job.sandbox.with(|world| world.faults[0].times), 0, "the fault was met: {party} {operation} {skip}");
        let tags = job.sandbox.with(|world| world.image_mut("escher-gateway", "v2.16.0-dev").tags.len());
        assert_eq!(tags, 3, "{party} {operation} {skip} {effect:?}");
    });
    stream::iter(runs).buffer_unordered(6).collect::<Vec<()>>().await;
}

#[tokio::test]
async fn a_build_that_prints_its_token_shows_it_nowhere() {
    let mut job = job().await;
    let token = job.variables["GITHUB_TOKEN"].clone();
    let line = format!("ERROR: could not fetch with {token} ::error::gotcha");
    job.sandbox
        .with(|world| drop(world.engine.fates.insert("gateway".to_owned(), BuildFate::Fails(vec![line, "::set-output name=a::b".into()]))));
    let ran = job.only("gateway").run().await;
    ran.ends(7, "failed").says("could not fetch with *** ");
    let slack = job.sandbox.with(|world| format!("{:?}", world.slack.messages));
    let printed: String = ran.stdout.lines().filter(|line| !line.starts_with("::add-mask::")).collect();
    assert!(slack.contains("could not fetch with ***"), "{slack}");
    for text in [&slack, &printed, &ran.summary, &ran.report.to_string()] {
        assert!(!text.contains(&token), "{text}");
    }
    assert!(!ran.stdout.lines().any(|line| line.starts_with("::set-output") || line.starts_with("::error::gotcha")), "{}", ran.stdout);
}

#[tokio::test]
async fn a_job_that_has_set_the_builds_variable_itself_still_builds() {
    let mut job = job().await;
    let token = job.variables["GITHUB_TOKEN"].clone();
    job.only("gateway").set("GIT_AUTH_TOKEN", &token).input("command", "build").run().await.ends(0, "success");
}

#[tokio::test]
async fn missing_permissions_are_named_and_refused_where_nothing_has_changed() {
    let put = ("PutImage", "allow the role ecr:BatchGetImage and ecr:PutImage");
    let login = ("GetAuthorizationToken", "allow the role ecr:GetAuthorizationToken on `*`");
    for ((operation, words), is_built, end) in [(login, false, (3, "refused")), (put, true, (3, "refused")), (put, false, (7, "failed"))] {
        let mut job = job().await;
        job.sandbox.with(|world| {
            let effect = Effect::Error { status: 400, code: "AccessDeniedException".into(), message: "not authorized".into() };
            world.fault(Fault { party: "ecr".into(), operation: operation.into(), skip: 0, times: usize::MAX, effect });
            if is_built {
                world.push_image("escher-gateway", "2.16.0-dev");
                world.image_mut("escher-gateway", "v2.16.0-dev").tags.retain(|tag| tag.starts_with("sha-"));
            }
        });
        job.only("gateway").run().await.ends(end.0, end.1).says(words);
        assert_eq!(job.count("UpdateService"), 0);
    }
}
