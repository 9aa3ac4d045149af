//! The policies of the deploy role: printed without a request, and neither more nor less than what a run asks for.

use std::collections::BTreeSet;

use escher_sandbox::{Fate, World};
use serde_json::Value;

use crate::harness::{Job, Ran, TAG, escher};

/// Actions that no call is named after.
const NOT_CALLED: &[(&str, &str)] = &[
    ("ecr:BatchCheckLayerAvailability", "called by the registry in the role's name while docker pushes"),
    ("ecr:CompleteLayerUpload", "as above"),
    ("ecr:InitiateLayerUpload", "as above"),
    ("ecr:UploadLayerPart", "as above"),
    ("ecs:TagResource", "checked by RegisterTaskDefinition where the definition has tags"),
    ("iam:PassRole", "checked by RegisterTaskDefinition and UpdateService for the roles that the definition names"),
];

/// The parties that ask IAM; STS's two calls are the trust policy's, or need no permission.
const PARTIES: &[&str] = &["ecs", "ecr", "secretsmanager", "logs", "elasticloadbalancing"];

/// A job with a secret and a migration in its configuration.
async fn job(world: World) -> Job {
    let mut job = Job::tag_push(world).await;
    let folder = job.own_configuration();
    let file = folder.join("services/gateway.yml");
    let text = std::fs::read_to_string(&file).unwrap()
        + "secrets: { DATABASE_URL: \"escher/{env}/gateway/database-url\" }\nmigrate: { command: [./migrate, up] }\n";
    std::fs::write(&file, text).unwrap();
    job
}

async fn iam(job: &mut Job) -> Ran {
    let ran = job.input("command", "iam").run().await;
    job.variables.remove("INPUT_COMMAND");
    ran
}

/// The JSON documents of the output, by the first word of their headings.
fn document(ran: &Ran, heading: &str) -> Value {
    let start = ran.stdout.find(&format!("# {heading}")).unwrap_or_else(|| panic!("no {heading} in {}", ran.stdout));
    let text = &ran.stdout[start..];
    let text = &text[text.find('{').unwrap()..];
    serde_json::Deserializer::from_str(text).into_iter::<Value>().next().unwrap().unwrap()
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn actions(policy: &Value) -> Vec<String> {
    policy["Statement"].as_array().into_iter().flatten().flat_map(|statement| texts(&statement["Action"])).collect()
}

fn asked(job: &Job) -> BTreeSet<String> {
    let calls = job.sandbox.calls();
    let of_iam = calls.iter().filter(|call| PARTIES.contains(&call.party.as_str()));
    of_iam.map(|call| format!("{}:{}", call.party, call.operation)).collect()
}

#[tokio::test]
async fn both_policies_are_printed_and_nobody_is_contacted() {
    let mut job = job(escher()).await;
    ["GITHUB_REF_NAME", "GITHUB_REPOSITORY", "GITHUB_ACTIONS", "DEPLOY_BASE_URL"].iter().for_each(|name| drop(job.variables.remove(*name)));
    job.set("DEPLOY_ECR_ACCOUNT_ID", "444455556666").input("environment", "dev");
    let ran = iam(&mut job).await;
    ran.ends(0, "success");
    assert!(job.sandbox.calls().is_empty() && ran.stderr.is_empty(), "{}", ran.stderr);
    insta::assert_snapshot!("iam", ran.stdout);
}

#[tokio::test]
async fn a_component_repository_gets_its_own_service_and_looks_at_what_it_needs() {
    let mut job = job(escher()).await;
    job.set("GITHUB_REPOSITORY", "escher-dbai/v2-analysis-agent-go").set("DEPLOY_ROLE_ARN", "");
    let ran = iam(&mut job).await;
    ran.ends(0, "success");
    let statement = &document(&ran, "Trust policy")["Statement"][0];
    assert_eq!(statement["Principal"]["Federated"], "arn:aws:iam::ACCOUNT:oidc-provider/token.actions.githubusercontent.com");
    let condition = &statement["Condition"]["StringEquals"];
    assert_eq!(condition["token.actions.githubusercontent.com:aud"], "sts.amazonaws.com");
    let subjects = ["v3-escher-deployment", "v2-analysis-agent-go"].map(|name| format!("repo:escher-dbai/{name}:environment:dev"));
    assert_eq!(texts(&condition["token.actions.githubusercontent.com:sub"]), subjects);
    let policy = document(&ran, "Least-privilege policy");
    let of = |action: &str| {
        let mut statements = policy["Statement"].as_array().unwrap().iter();
        texts(&statements.find(|statement| texts(&statement["Action"]).contains(&action.to_owned())).unwrap()["Resource"])
    };
    let service = |name: &str| format!("arn:aws:ecs:us-west-1:ACCOUNT:service/escher-dev/{name}");
    assert_eq!(of("ecs:DescribeServices"), ["analysis-agent", "asset-store", "context-engine"].map(service));
    assert_eq!(of("ecs:UpdateService"), [service("analysis-agent")]);
    assert!(!actions(&policy).contains(&"secretsmanager:DescribeSecret".to_owned()), "it has no secrets");
}

#[tokio::test]
async fn the_policy_allows_what_runs_ask_for_and_nothing_else() {
    let mut used = BTreeSet::new();
    let mut world = escher();
    crate::changes::not_built(&mut world);
    let mut good = job(world).await;
    good.with_docker().run().await.ends(0, "success");
    good.input("command", "smoke").run().await.ends(0, "unchanged");
    used.extend(asked(&good));
    // One fails its smoke test while another is on its way: that one is stopped, and the rest goes back.
    let mut world = escher();
    world.image_mut("escher-autoresolver", TAG).fate = Fate::Answers { status: 500 };
    world.service_mut("asset-store").timing.boot = 200.0;
    let mut bad = job(world).await;
    bad.set("DEPLOY_SMOKE_TIMEOUT_SECONDS", "0.3").run().await.ends(5, "rolled-back");
    used.extend(asked(&bad));
    let allowed = actions(&document(&iam(&mut good).await, "Least-privilege policy"));
    let set: BTreeSet<String> = allowed.iter().cloned().collect();
    assert_eq!(set.len(), allowed.len(), "an action is allowed once: {allowed:?}");
    let missing: Vec<&String> = used.difference(&set).collect();
    assert!(missing.is_empty(), "asked for, but not allowed: {missing:?}");
    let unused: Vec<&str> = set.difference(&used).map(String::as_str).collect();
    let explained: Vec<&str> = NOT_CALLED.iter().map(|(action, _)| *action).collect();
    assert_eq!(unused, explained, "allowed, but never asked for");
}

#[tokio::test]
async fn neither_a_pull_request_nor_a_branch_nor_another_place_gets_the_role() {
    let mut job = job(escher()).await;
    let trust = document(&iam(&mut job).await, "Trust policy");
    let condition = &trust["Statement"][0]["Condition"];
    // StringEquals knows no wildcards; StringLike would.
    assert_eq!(condition.as_object().map(|all| all.keys().map(String::as_str).collect::<Vec<_>>()), Some(vec!["StringEquals"]));
    let subjects = texts(&condition["StringEquals"]["token.actions.githubusercontent.com:sub"]);
    assert!(subjects.len() > 1 && subjects.iter().all(|sub| sub.ends_with(":environment:dev") && !sub.contains('*')), "{subjects:?}");
    job.sandbox.with(|world| world.sts.roles[0].allowed_subs = subjects);
    let repository = "repo:escher-dbai/v3-escher-deployment";
    for sub in [
        format!("{repository}:pull_request"),
        format!("{repository}:ref:refs/heads/feature"),
        format!("{repository}:ref:refs/tags/v2.16.0-dev"),
        format!("{repository}:environment:dev-preview"),
        format!("{repository}:environment:prod"),
        "repo:mallory/v3-escher-deployment:environment:dev".to_owned(),
        "repo:escher-dbai/another:environment:dev".to_owned(),
    ] {
        job.sandbox.with(|world| world.oidc.sub.clone_from(&sub));
        let ran = job.run().await;
        ran.ends(3, "refused").says(&format!("sub = {sub}"));
    }
    assert!(asked(&job).is_empty(), "nothing of AWS was seen");
    job.sandbox.with(|world| world.oidc.sub = format!("{repository}:environment:dev"));
    job.run().await.ends(0, "success");
}
