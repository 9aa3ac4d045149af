//! `verify`: every precondition, all findings at once, nothing changed. And `rollback`, which relies on the same reading.

use escher_sandbox::Rollout;

use crate::harness::{Job, escher};

#[tokio::test]
async fn verify_is_content_with_a_sound_environment() {
    let mut job = Job::tag_push(escher()).await;
    job.input("command", "verify").run().await.ends(0, "success").says("every precondition holds");
    assert_eq!(job.count("UpdateService") + job.count("RegisterTaskDefinition") + job.count("chat.postMessage"), 0);
}

#[tokio::test]
async fn verify_lists_ten_wrong_things_in_one_run() {
    let mut world = escher();
    world.ecs.services.retain(|service| service.name != "gateway");
    world.service_mut("autoresolver").controller = "CODE_DEPLOY".into();
    world.service_mut("playbook-agent").status = "DRAINING".into();
    world.secret("escher/dev/empty");
    for deployment in &mut world.service_mut("asset-store").deployments {
        deployment.rollout = Rollout::Failed;
    }
    let mut job = Job::tag_push(world).await;
    let folder = job.own_configuration();
    let append = |name: &str, text: &str| {
        let file = folder.join(format!("services/{name}.yml"));
        std::fs::write(&file, std::fs::read_to_string(&file).unwrap() + text).unwrap();
    };
    append("context-engine", "secrets: { A: escher/dev/one, B: escher/dev/two }\n");
    append("analysis-agent", "container: analysis\n");
    append("integrations-agent", "secrets: { C: escher/{env}/three }\n".replace("{env}", "dev").as_str());
    let file = folder.join("services/integrations-agent.yml");
    let text = std::fs::read_to_string(&file).unwrap().replace("escher-integrations-agent", "escher-integration-agent");
    std::fs::write(&file, text).unwrap();
    job.sandbox.with(|world| {
        world.ecr.repositories.iter_mut().for_each(|repository| {
            if repository.name == "escher-context-engine" {
                repository.images.clear();
            }
        })
    });
    let services = "context-engine analysis-agent playbook-agent integrations-agent gateway autoresolver";
    let ran = job.only(services).input("command", "verify").set("SLACK_BOT_TOKEN", "xoxb-wrong-token-0000").run().await;
    ran.ends(3, "refused");
    for words in [
        "gateway: ECS has no service `gateway`",
        "autoresolver: the ECS service is deployed by CODE_DEPLOY",
        "playbook-agent: the ECS service is DRAINING",
        "secret escher/dev/one: does not exist",
        "secret escher/dev/two: does not exist",
        "secret escher/dev/three: does not exist",
        "analysis-agent: its task definition",
        "integrations-agent: there is no ECR repository `escher-integration-agent`",
        "docker: docker buildx can't be used: docker can't be started: No such file",
        "asset-store: is needed and not deployed with the others, but is not steady",
    ] {
        ran.says(words);
    }
    ran.says("refused: 10 findings").says("nothing has changed");
}

#[tokio::test]
async fn rollback_without_a_tag_goes_to_the_release_before_in_reverse_order() {
    let mut job = Job::tag_push(escher()).await;
    job.run().await.ends(0, "success");
    let before = job.count("UpdateService");
    job.variables.remove("GITHUB_REF_NAME");
    let ran = job.input("command", "rollback").input("environment", "dev").run().await;
    ran.ends(0, "success").says("the release before the one that runs is v2.15.0-dev").says("2.16.0-dev → 2.15.0-dev");
    assert_eq!(ran.output("version"), "2.15.0-dev");
    assert_eq!(job.count("AssumeRoleWithWebIdentity"), 2, "each run logs in once");
    let calls = job.sandbox.calls();
    let updates: Vec<&str> = calls
        .iter()
        .filter(|call| call.operation == "UpdateService")
        .skip(before)
        .map(|call| call.body["service"].as_str().unwrap_or_default())
        .collect();
    let at = |name: &str| updates.iter().position(|service| *service == name).expect("it went back");
    assert!(at("gateway") < at("analysis-agent") && at("analysis-agent") < at("context-engine"), "{updates:?}");
    assert!(at("context-engine") < at("asset-store"), "{updates:?}");
}

#[tokio::test]
async fn rollback_with_nothing_before_is_refused() {
    let mut job = Job::tag_push(escher()).await;
    job.variables.remove("GITHUB_REF_NAME");
    let ran = job.input("command", "rollback").input("environment", "dev").run().await;
    ran.ends(3, "refused").says("v2.15.0-dev runs, and the registry holds no release before it");
}
