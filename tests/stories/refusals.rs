//! What is refused before anything is changed: credentials, accounts, resources.

use escher_sandbox::{Effect, Fault};

use crate::changes::not_built;
use crate::harness::{Job, Ran, TAG, escher};

/// Refused with exit 3, and nothing was changed.
#[track_caller]
fn refused(job: &Job, ran: &Ran) {
    ran.ends(3, "refused").says("nothing has changed");
    assert_eq!(job.count("UpdateService") + job.count("RegisterTaskDefinition"), 0);
}

#[tokio::test]
async fn a_refused_role_shows_what_the_token_says_and_what_the_policy_must_allow() {
    let mut world = escher();
    world.oidc.sub = "repo:escher-dbai@123/v3-escher-deployment@456:environment:dev".into();
    let mut job = Job::tag_push(world).await;
    let ran = job.run().await;
    refused(&job, &ran);
    ran.says("Not authorized to perform sts:AssumeRoleWithWebIdentity")
        .says("sub = repo:escher-dbai@123/v3-escher-deployment@456:environment:dev")
        .says("aud = sts.amazonaws.com")
        .says("older policies don't match");
}

#[tokio::test]
async fn a_missing_permission_for_tokens_has_words_of_its_own() {
    let mut job = Job::tag_push(escher()).await;
    job.variables.remove("ACTIONS_ID_TOKEN_REQUEST_URL");
    job.variables.remove("ACTIONS_ID_TOKEN_REQUEST_TOKEN");
    job.set("AWS_EC2_METADATA_DISABLED", "true");
    let ran = job.run().await;
    refused(&job, &ran);
    ran.says("id-token: write");
}

#[tokio::test]
async fn without_oidc_the_sdks_own_chain_serves() {
    let mut job = Job::tag_push(escher()).await;
    job.variables.remove("ACTIONS_ID_TOKEN_REQUEST_URL");
    job.variables.remove("ACTIONS_ID_TOKEN_REQUEST_TOKEN");
    job.set("AWS_ACCESS_KEY_ID", "AKIASANDBOXSTATIC").set("AWS_SECRET_ACCESS_KEY", "a-static-secret-key");
    job.only("autoresolver").run().await.ends(0, "success");
}

#[tokio::test]
async fn another_account_is_refused() {
    let mut job = Job::tag_push(escher()).await;
    let ran = job.set("DEPLOY_ACCOUNT_ID", "999988887777").run().await;
    refused(&job, &ran);
    ran.says("AWS account 111122223333").says("environment `dev` is in account 999988887777").says("correct DEPLOY_ROLE_ARN");
}

#[tokio::test]
async fn a_service_that_ecs_does_not_know_is_named() {
    let mut world = escher();
    world.ecs.services.retain(|service| service.name != "gateway");
    let mut job = Job::tag_push(world).await;
    let ran = job.run().await;
    refused(&job, &ran);
    ran.says("gateway: ECS has no service `gateway` in cluster escher-dev").says("correct `ecs_service` in services/gateway.yml");
}

#[tokio::test]
async fn all_findings_come_at_once() {
    let mut world = escher();
    world.ecs.services.retain(|service| service.name != "gateway");
    world.service_mut("autoresolver").controller = "CODE_DEPLOY".into();
    world.service_mut("playbook-agent").status = "DRAINING".into();
    let mut job = Job::tag_push(world).await;
    let folder = job.own_configuration();
    let file = folder.join("services/asset-store.yml");
    let text = std::fs::read_to_string(&file).unwrap() + "secrets: { DATABASE_URL: \"escher/{env}/asset-store/url\" }\ncontainer: asset\n";
    std::fs::write(&file, text).unwrap();
    let ran = job.run().await;
    refused(&job, &ran);
    ran.says("refused: 5 findings")
        .says("deployed by CODE_DEPLOY")
        .says("is DRAINING, not ACTIVE")
        .says("secret escher/dev/asset-store/url: does not exist");
}

#[tokio::test]
async fn a_missing_container_is_named() {
    let mut job = Job::tag_push(escher()).await;
    let folder = job.own_configuration();
    let file = folder.join("services/asset-store.yml");
    let text = std::fs::read_to_string(&file).unwrap() + "container: asset\n";
    std::fs::write(&file, text).unwrap();
    let ran = job.run().await;
    refused(&job, &ran);
    ran.says("has no container `asset`; it has asset-store").says("correct `container` in services/asset-store.yml");
}

#[tokio::test]
async fn a_missing_image_is_exit_seven_and_nothing_is_deployed() {
    let mut world = escher();
    not_built(&mut world);
    let mut job = Job::tag_push(world).await;
    let ran = job.input("command", "deploy").run().await;
    ran.ends(7, "failed").says("escher-gateway holds no image of v2.16.0-dev: none of commit ").says("see the build job of this release");
    ran.says("failed: 7 images missing in the registry").says("nothing has changed");
    assert_eq!(job.count("UpdateService") + job.count("PutImage"), 0);
}

#[tokio::test]
async fn a_missing_cluster_and_a_missing_permission_say_what_to_mend() {
    let mut job = Job::tag_push(escher()).await;
    let ran = job.set("DEPLOY_CLUSTER", "escher-def").run().await;
    refused(&job, &ran);
    ran.says("no cluster `escher-def` in us-west-1: correct DEPLOY_CLUSTER");
    let mut world = escher();
    let denied = Effect::Error {
        status: 400,
        code: "AccessDeniedException".into(),
        message: "User: x is not authorized to perform: ecs:DescribeServices".into(),
    };
    world.fault(Fault { party: "ecs".into(), operation: "DescribeServices".into(), skip: 0, times: 99, effect: denied });
    let mut job = Job::tag_push(world).await;
    let ran = job.run().await;
    refused(&job, &ran);
    ran.says("allow the role ecs:DescribeServices on the services of cluster escher-dev");
}

#[tokio::test]
async fn a_denied_update_says_which_permission_is_missing() {
    let mut world = escher();
    let denied =
        Effect::Error { status: 400, code: "AccessDeniedException".into(), message: "not authorized to perform: ecs:UpdateService".into() };
    world.fault(Fault { party: "ecs".into(), operation: "UpdateService".into(), skip: 0, times: 9, effect: denied });
    let mut job = Job::tag_push(world).await;
    let ran = job.only("autoresolver").run().await;
    ran.ends(3, "refused").says("allow the deploy role ecs:UpdateService and iam:PassRole").says("runs now: 2.15.0-dev as before");
}

#[tokio::test]
async fn a_service_that_is_gone_can_be_left_out() {
    let mut world = escher();
    world.ecs.services.retain(|service| service.name != "autoresolver");
    let mut job = Job::tag_push(world).await;
    let ran = job.only("autoresolver asset-store").input("skip", "autoresolver").run().await;
    ran.ends(0, "success").says("warning: skipped autoresolver: ECS has no service");
    assert_eq!((ran.names("deployed"), ran.names("skipped")), (vec!["asset-store".to_owned()], vec!["autoresolver".to_owned()]));
}

#[tokio::test]
async fn an_unsteady_need_outside_the_scope_is_waited_for_and_then_refused() {
    let mut world = escher();
    for deployment in &mut world.service_mut("asset-store").deployments {
        deployment.rollout = escher_sandbox::Rollout::Failed;
    }
    let mut job = Job::tag_push(world).await;
    let ran = job.only("context-engine").set("DEPLOY_TIMEOUT_MINUTES", "0.01").run().await;
    refused(&job, &ran);
    ran.says("waiting for asset-store").says("asset-store: is needed, but has not become steady");
}

#[tokio::test]
async fn a_strangers_deployment_in_flight_is_waited_for() {
    let mut world = escher();
    world.stranger_deploys("autoresolver", 0.0);
    let mut job = Job::tag_push(world).await;
    let ran = job.only("autoresolver").run().await;
    ran.ends(0, "success").says("waiting for autoresolver: someone else's deployment of it is in flight");
}

#[tokio::test]
async fn a_refusal_shows_in_slack_summary_and_annotations() {
    let mut world = escher();
    world.ecs.services.retain(|service| service.name != "gateway");
    let mut job = Job::tag_push(world).await;
    let ran = job.run().await;
    ran.says("::error title=refused%3A 1 finding::gateway: ECS has no service").summarises("❌ refused: 1 finding");
    let text = job.sandbox.with(|world| world.slack.messages[0].updates.last().map(|update| update.text.clone()));
    assert_eq!(text.as_deref(), Some(format!("❌ {TAG} to dev: refused: 1 finding").as_str()));
}

#[tokio::test]
async fn a_job_that_names_no_environment_is_told_to_name_one_and_not_to_widen_the_policy() {
    let mut world = escher();
    world.oidc.sub = "repo:escher-dbai@123/v3-escher-deployment@456:ref:refs/tags/v2.16.0-dev".into();
    let mut job = Job::tag_push(world).await;
    let ran = job.run().await;
    refused(&job, &ran);
    ran.says("the job names no `environment:`").says("add `environment: <name>` to the job");
    assert!(!ran.stdout.contains("StringEquals"), "{}", ran.stdout);
}

#[tokio::test]
async fn an_sts_that_does_not_answer_is_not_called_one_that_refuses() {
    let mut job = Job::tag_push(escher()).await;
    let ran = job.set("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:1").run().await;
    refused(&job, &ran);
    ran.says("STS did not answer").says("run the job again");
    assert!(!ran.stdout.contains("OIDC provider"), "{}", ran.stdout);
    // Nor are credentials of one's own called wrong for it.
    job.variables.remove("ACTIONS_ID_TOKEN_REQUEST_URL");
    let ran = job.set("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE").set("AWS_SECRET_ACCESS_KEY", "example-secret-key").run().await;
    refused(&job, &ran);
    ran.says("AWS STS: STS did not answer").says("run the job again");
    assert!(!ran.stdout.contains("expired or wrong"), "{}", ran.stdout);
}

#[tokio::test]
async fn an_address_of_github_that_is_none_is_told_in_words() {
    let mut job = Job::tag_push(escher()).await;
    let ran = job.set("GITHUB_API_URL", "notaurl").input("command", "detect").run().await;
    assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
    ran.says("GITHUB_API_URL is `notaurl`, which is no address");
}

#[tokio::test]
async fn a_mistyped_variable_is_told_and_one_of_somebody_else_is_not() {
    let mut job = Job::tag_push(escher()).await;
    job.set("DEPLOY_REQUIRE_PASED", "staging").set("DEPLOY_XYZZY", "1").input("command", "plan");
    let ran = job.run().await;
    ran.ends(0, "success").says("variable DEPLOY_REQUIRE_PASED is no key, and has no effect; did you mean DEPLOY_REQUIRE_PASSED?");
    assert!(!ran.stdout.contains("XYZZY"), "{}", ran.stdout);
}

#[tokio::test]
async fn a_report_that_can_not_be_written_is_not_named() {
    let mut job = Job::tag_push(escher()).await;
    let ran = job.set("RUNNER_TEMP", "/nonexistent").only("autoresolver").run().await;
    ran.ends(0, "success").says("can't be written");
    assert_eq!(ran.output("report"), "");
}
