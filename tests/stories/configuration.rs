//! Wrong configurations and tags: exit 2, every problem at once with file, line and way out, and nothing has been contacted.

use std::fmt::Write;
use std::path::Path;

use crate::harness::{Job, escher};

/// What is wrong in a case.
enum Wrong {
    /// An input.
    Input(&'static str, &'static str),
    /// A variable.
    Variable(&'static str, &'static str),
    /// The whole text of a file of the configuration folder.
    File(&'static str, &'static str),
    /// Text behind the end of a file.
    Append(&'static str, &'static str),
    /// A file is missing.
    Remove(&'static str),
}

use Wrong::{Append, File, Input, Remove, Variable};

const GATEWAY: &str = "services/gateway.yml";
const DEV: &str = "environments/dev.env";

const CASES: &[(&str, &[Wrong])] = &[
    ("tag without three numbers", &[Input("tag", "v1.2")]),
    ("tag with a typing error in its suffix", &[Input("tag", "v2.16.0-dve")]),
    ("tag with build metadata", &[Input("tag", "v2.16.0+build")]),
    (
        "tag that no image can have",
        &[Input("tag", "v2.16.0-a-branch-name-that-is-as-long-as-a-sentence-and-goes-on-and-on-until-nobody-remembers-how-it-began-dev")],
    ),
    ("tag without v", &[Input("tag", "2.16.0")]),
    ("tag with a leading zero", &[Input("tag", "v02.1.0")]),
    ("no tag at all", &[Variable("GITHUB_REF_TYPE", "branch")]),
    ("tag and environment contradict each other", &[Input("environment", "prod")]),
    ("a production tag for dev", &[Input("environment", "dev"), Input("tag", "v2.16.0")]),
    ("an environment without a file", &[Input("environment", "qa"), Input("tag", "v2.16.0")]),
    ("an environment that is a path", &[Input("environment", "../prod"), Input("tag", "v2.16.0")]),
    ("a boolean that is none", &[Input("dry-run", "yes")]),
    ("an unknown command", &[Input("command", "dpeloy")]),
    ("an unknown service", &[Input("services", "gatway")]),
    ("an unknown service to skip", &[Input("skip", "gateway, conext-engine")]),
    ("a repository that builds nothing", &[Variable("GITHUB_REPOSITORY", "escher-dbai/v2-gateway-service")]),
    ("a fork of the orchestrator", &[Variable("GITHUB_REPOSITORY", "mallory/v3-escher-deployment")]),
    ("on-failure that is neither", &[Input("on-failure", "retry")]),
    ("a role that is no ARN", &[Input("role-to-assume", "escher-github-deploy")]),
    ("a configuration folder that is not there", &[Input("config-dir", "nowhere")]),
    ("an unknown key", &[Append(GATEWAY, "need: [asset-store]\n")]),
    ("a duplicate key", &[Append(GATEWAY, "repo: another\n")]),
    ("a wrong type", &[Append(GATEWAY, "paths: src\nrunbook: [a]\n")]),
    ("a boolean in quotes", &[File("services/autoresolver.yml", "name: autoresolver\nrepo: r\necr_repo: e\nrelease_notes: \"true\"\n")]),
    ("a missing key", &[File(GATEWAY, "name: gateway\nneeds: [asset-store]\n")]),
    ("a name that is not the file's", &[File(GATEWAY, "name: gatway\nrepo: r\necr_repo: e\n")]),
    ("an empty file", &[File(GATEWAY, "")]),
    ("no YAML", &[File(GATEWAY, "name: gateway\n  repo: [unclosed\n")]),
    ("a list where a map belongs", &[File(GATEWAY, "- name: gateway\n")]),
    ("a need that is no service", &[File(GATEWAY, "name: gateway\nrepo: r\necr_repo: e\nneeds:\n  - asset-store\n  - conetxt-engine\n")]),
    ("a circle of needs", &[File("services/asset-store.yml", "name: asset-store\nrepo: r\necr_repo: e\nneeds: [gateway]\n")]),
    (
        "health without an address",
        &[File("services/autoresolver.yml", "name: autoresolver\nrepo: r\necr_repo: e\nhealth: { expect_status: 2000 }\n")],
    ),
    (
        "health with two addresses and an odd status",
        &[File("services/autoresolver.yml", "name: autoresolver\nrepo: r\necr_repo: e\nhealth:\n  path: /health\n  url: ftp://x\n")],
    ),
    ("a migration without a command", &[Append(GATEWAY, "migrate: { irreversible: maybe }\n")]),
    (
        "configuration that the environment lacks",
        &[File("services/autoresolver.yml", "name: autoresolver\nrepo: r\necr_repo: e\nconfig:\n  - LOG_LEVEL\n  - API_URL\n")],
    ),
    (
        "a pipeline's key for a container",
        &[File("services/autoresolver.yml", "name: autoresolver\nrepo: r\necr_repo: e\nconfig: [DEPLOY_REGION]\n")],
    ),
    (
        "a variable both plain and secret",
        &[Append(GATEWAY, "secrets: { LOG_LEVEL: x, TOKEN: ghp_abcdefghijklmnopqrstuvwxyz0123456789 }\n")],
    ),
    ("an alias", &[File(GATEWAY, "name: &n gateway\nrepo: *n\necr_repo: e\n")]),
    ("the other ending", &[File("services/extra.yaml", "name: extra\n")]),
    ("an unknown pipeline key", &[Append(DEV, "DEPLOY_REGOIN=us-west-1\n")]),
    ("a key given twice", &[Append(DEV, "LOG_LEVEL=info\n")]),
    ("a line that is no entry", &[Append(DEV, "just words\n1A=b\nQUOTE='open\n")]),
    ("a credential in an environment", &[Append(DEV, "API_KEY=AKIAIOSFODNN7EXAMPLE\nDB=postgres://u:secret@db/x\n")]),
    (
        "values of the wrong shape",
        &[
            Variable("DEPLOY_POLL_SECONDS", "0"),
            Variable("DEPLOY_ACCOUNT_ID", "1234"),
            Append(DEV, "DEPLOY_TIMEOUT_MINUTES=soon\nDEPLOY_E2E_ROLLBACK=no\n"),
        ],
    ),
    ("no region and no cluster", &[File(DEV, "LOG_LEVEL=info\n"), Variable("DEPLOY_REGION", ""), Variable("DEPLOY_CLUSTER", "")]),
    ("nothing to join the health's path with", &[Variable("DEPLOY_BASE_URL", ""), Input("services", "gateway")]),
    ("a lower-case variable beside the runner's", &[Variable("user", "x"), Variable("USER", "y"), Input("force", "1")]),
    ("an environment in another case", &[Input("environment", "Dev")]),
    ("a gate that names no environment", &[Append(DEV, "DEPLOY_REQUIRE_PASSED=stagging\n")]),
    ("a gate that names itself", &[Append(DEV, "DEPLOY_REQUIRE_PASSED=dev\n")]),
    ("half a GitHub App", &[Append(DEV, "DEPLOY_GITHUB_APP_ID=4711\n")]),
    ("the other half of a GitHub App", &[Append(DEV, "DEPLOY_GITHUB_APP_SECRET=escher/github-app\n")]),
    ("a GitHub App that is no number", &[Append(DEV, "DEPLOY_GITHUB_APP_ID=Iv1.abc\nDEPLOY_BUILD_JOBS=0\n")]),
    ("globs that are none", &[Append(GATEWAY, "paths: [src/**, \"src/[\"]\n")]),
    ("globs that take everything out", &[Append(GATEWAY, "paths: ['!docs/**']\n")]),
    ("a glob that is a folder", &[Append(GATEWAY, "paths: [src/]\n")]),
    ("two services in one ECR repository", &[File("services/autoresolver.yml", "name: autoresolver\nrepo: r\necr_repo: escher-gateway\n")]),
    ("a Dockerfile outside its context", &[Append(GATEWAY, "context: services/gateway\n")]),
    ("paths that leave the repository", &[Append(GATEWAY, "context: ../other\ndockerfile: /etc/passwd\n")]),
    ("a secret in a broken line", &[Append(DEV, "TOKEN xoxb-1234567890-abcdefghij\nX=\"a\" hunter2secret\n")]),
    ("two services of one name in ECS", &[Append("services/autoresolver.yml", "ecs_service: gateway\n")]),
    ("a poll that would hammer ECS", &[Variable("DEPLOY_POLL_SECONDS", "0.0001")]),
    ("an environment file that is missing", &[Remove(DEV)]),
    (
        "everything at once",
        &[
            Input("force", "maybe"),
            Append(GATEWAY, "neds: []\n"),
            Append("services/autoresolver.yml", "helth: {}\nneeds: [nobody]\n"),
            Append(DEV, "DEPLOY_CLUSTR=x\n"),
        ],
    ),
];

fn apply(job: &mut Job, folder: &Path, wrong: &Wrong) {
    match wrong {
        Input(name, value) => drop(job.input(name, value)),
        Variable(name, value) => drop(job.set(name, value)),
        File(name, text) => std::fs::write(folder.join(name), text).unwrap(),
        Append(name, text) => {
            let whole = std::fs::read_to_string(folder.join(name)).unwrap() + text;
            std::fs::write(folder.join(name), whole).unwrap();
        }
        Remove(name) => std::fs::remove_file(folder.join(name)).unwrap(),
    }
}

#[tokio::test]
async fn wrong_configurations_and_tags_are_refused_before_any_request() {
    assert!(CASES.len() >= 30);
    let mut shown = String::new();
    for (name, wrongs) in CASES {
        let mut job = Job::tag_push(escher()).await;
        let folder = job.own_configuration();
        for wrong in *wrongs {
            apply(&mut job, &folder, wrong);
        }
        let ran = job.run().await;
        ran.ends(2, "refused").says("nothing was contacted, nothing has changed").summarises("refused");
        assert!(job.sandbox.calls().is_empty(), "{name}: something was contacted");
        assert!(ran.stderr.is_empty(), "{name}: {}", ran.stderr);
        assert!(!ran.stdout.contains("xoxb-1234567890") && !ran.stdout.contains("hunter2"), "{name}");
        let plain: Vec<&str> =
            ran.stdout.lines().filter(|line| !line.starts_with("::") && !line.starts_with("nothing was contacted")).collect();
        let text = plain.join("\n").replace(&folder.display().to_string(), "(folder)");
        writeln!(shown, "# {name}\n{text}\n").unwrap();
    }
    insta::assert_snapshot!("configuration", shown);
}

#[tokio::test]
async fn usage_errors_of_the_command_line_end_with_two() {
    for (arguments, words) in
        [(&["--tagg", "v1.2.3"][..], "--tag"), (&["dploy"][..], "deploy"), (&["--slack-bot-token", "x"][..], "unexpected argument")]
    {
        let mut job = Job::tag_push(escher()).await;
        job.arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        let child = job.start();
        let ran = job.ended(child).await;
        assert_eq!(ran.code, 2);
        assert!(ran.stderr.contains(words), "{}", ran.stderr);
        assert!(job.sandbox.calls().is_empty());
    }
}

#[tokio::test]
async fn a_flag_beats_an_input_which_beats_a_variable_which_beats_the_file() {
    let mut job = Job::tag_push(escher()).await;
    job.set("DEPLOY_CLUSTER", "from-variable").input("command", "plan");
    let ran = job.run().await;
    ran.ends(3, "refused").says("cluster from-variable");
    job.variables.remove("DEPLOY_CLUSTER");
    job.input("tag", "v9.9.9-dev");
    job.arguments = vec!["plan".into(), "--tag".into(), "v2.16.0-dev".into()];
    job.run().await.ends(0, "success").says("Plan: v2.16.0-dev to dev");
}

#[tokio::test]
async fn another_environment_takes_any_valid_tag_and_a_production_tag_goes_to_production() {
    let mut job = Job::tag_push(escher()).await;
    let folder = job.own_configuration();
    std::fs::copy(folder.join("environments/dev.env"), folder.join("environments/qa.env")).unwrap();
    job.input("environment", "qa").input("command", "plan").run().await.ends(0, "success").says("to qa");
    let mut world = escher_sandbox::World::escher("prod");
    world.time_scale = 100.0;
    let mut job = Job::tag_push(world).await;
    let ran = job.set("GITHUB_REF_NAME", "v2.16.0").input("command", "plan").run().await;
    ran.ends(0, "success").says("Plan: v2.16.0 to prod");
}
