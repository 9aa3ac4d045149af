//! The plan: printed, in the outputs, and never applied by `plan` and `dry-run`.

use serde_json::Value;

use crate::harness::{Job, escher};

#[tokio::test]
async fn plan_and_dry_run_change_nothing_and_say_why() {
    for (name, value) in [("command", "plan"), ("dry-run", "True")] {
        let mut job = Job::tag_push(escher()).await;
        let ran = job.input(name, value).run().await;
        ran.ends(0, "success")
            .says("2.15.0-dev → 2.16.0-dev  changed, 1 commit since ")
            .says("(v2.15.0-dev), 1 file")
            .summarises("## Plan: v2.16.0-dev to dev");
        assert_eq!(job.count("UpdateService") + job.count("RegisterTaskDefinition"), 0);
        assert!(job.operations("slack").is_empty(), "a plan tells nobody");
        let plan: Value = serde_json::from_str(ran.output("plan")).unwrap();
        assert_eq!((&plan["environment"], &plan["version"]), (&"dev".into(), &"2.16.0-dev".into()));
        let gateway = plan["services"].as_array().unwrap().iter().find(|service| service["name"] == "gateway").unwrap();
        assert_eq!(gateway["action"], "promote");
        assert_eq!(gateway["from"]["version"], "2.15.0-dev");
        assert_eq!(gateway["to"]["version"], "2.16.0-dev");
        assert!(gateway["to"]["digest"].as_str().is_some_and(|digest| digest.starts_with("sha256:")));
        assert!(gateway["to"]["revision"].as_str().is_some_and(|revision| revision.len() == 40));
        assert!(gateway["from"]["task_definition"].as_str().is_some_and(|arn| arn.starts_with("arn:aws:ecs:")));
    }
}

#[tokio::test]
async fn only_configuration_changed_is_configured_with_the_running_image() {
    let mut job = Job::tag_push(escher()).await;
    job.only("autoresolver").run().await.ends(0, "success");
    let folder = job.own_configuration();
    let file = folder.join("environments/dev.env");
    let text = std::fs::read_to_string(&file).unwrap().replace("LOG_LEVEL=debug", "LOG_LEVEL=trace$HOME");
    std::fs::write(&file, text).unwrap();
    let ran = job.run().await;
    ran.ends(0, "success").says("configure").says("changed: only configuration, LOG_LEVEL");
    let last = job.sandbox.calls().into_iter().rfind(|call| call.operation == "RegisterTaskDefinition").unwrap();
    assert!(last.raw.contains("trace$HOME"), "a dollar is a dollar");
}

#[tokio::test]
async fn secrets_are_registered_by_their_full_arn() {
    let mut world = escher();
    let arn = world.secret("escher/dev/autoresolver/url");
    let mut job = Job::tag_push(world).await;
    let folder = job.own_configuration();
    let file = folder.join("services/autoresolver.yml");
    let text = std::fs::read_to_string(&file).unwrap()
        + &format!("secrets: {{ URL: \"escher/{{env}}/autoresolver/url\", USER: \"{arn}:user::\" }}\n");
    std::fs::write(&file, text).unwrap();
    job.only("autoresolver").run().await.ends(0, "success");
    let request = job.sandbox.calls().into_iter().find(|call| call.operation == "RegisterTaskDefinition").unwrap().raw;
    assert!(request.contains(&format!(r#""valueFrom":"{arn}""#)), "{request}");
    assert!(request.contains(&format!(r#""valueFrom":"{arn}:user::""#)), "{request}");
    assert_eq!(job.count("DescribeSecret"), 2, "each reference is looked up once");
    assert_eq!(job.count("GetSecretValue"), 0, "its value is none of our business");
}

#[tokio::test]
async fn smoke_asks_what_runs_and_changes_nothing() {
    let mut job = Job::tag_push(escher()).await;
    job.variables.remove("GITHUB_REF_NAME");
    let ran = job.input("command", "smoke").input("environment", "dev").run().await;
    ran.ends(0, "unchanged");
    let mut asked = job.operations("endpoint");
    asked.sort();
    assert_eq!(asked.len(), 7);
    assert_eq!(job.count("UpdateService"), 0);
    job.sandbox.with(|world| world.image_mut("escher-gateway", "v2.15.0-dev").fate = escher_sandbox::Fate::Answers { status: 500 });
    job.sandbox.with(|world| {
        for task in &mut world.service_mut("gateway").tasks {
            task.fate = escher_sandbox::Fate::Answers { status: 500 };
        }
    });
    ran.says("✓ gateway (2.15.0-dev) answers well").says("7 of 7 services answer well on dev");
    let failed = job.run().await;
    failed.ends(5, "failed").says("answered 500, expected 200").says("6 of 7 services answer well on dev");
    assert!(!failed.stdout.contains("ECS calls it healthy"), "nobody has asked ECS: {}", failed.stdout);
    let left_out = job.input("skip-smoke", "true").run().await;
    left_out
        .ends(0, "unchanged")
        .says("– gateway (2.15.0-dev) not asked: skip-smoke")
        .says("0 of 0 services answer well on dev; 7 not asked");
}

#[tokio::test]
async fn a_typed_tag_that_no_repository_has_is_told() {
    let mut job = Job::tag_push(escher()).await;
    job.set("GITHUB_REF_TYPE", "branch").set("GITHUB_REF_NAME", "main").input("tag", "v2.17.0-dev").input("command", "plan");
    let ran = job.run().await;
    ran.says("no repository of this release has the tag v2.17.0-dev: what is deployed is the head of `develop`");
    let known = job.input("tag", "v2.16.0-dev").run().await;
    assert!(!known.stdout.contains("no repository of this release"), "{}", known.stdout);
}
