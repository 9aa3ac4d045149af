//! The orchestrator's deployments: one job, one step.

use escher_sandbox::Fate;

use crate::repository::{Repository, escher};

#[tokio::test]
async fn a_tag_push_deploys_seven_services_in_order() {
    for (environment, suffix) in [("dev", "-dev"), ("staging", "-stg"), ("prod", "")] {
        let repository = Repository::orchestrator(&format!("deploy-{environment}.yml"), escher(environment)).await;
        let ran = repository.tag_push(&format!("v2.16.0{suffix}")).await;
        ran.ends(0).says("Success - Main Build, deploy, test");
        repository.has_arrived(&format!("2.16.0{suffix}"));
        repository.sandbox.with(|world| {
            assert_eq!(world.github.runs.iter().map(|run| run.inputs["environment"].as_str()).collect::<Vec<_>>(), [environment]);
            assert_eq!(world.github.releases.len(), usize::from(environment == "prod"), "release notes are prod's");
        });
    }
}

#[tokio::test]
async fn a_manual_run_leaves_out_what_its_toggles_say() {
    let toggles = [
        ("skip_gateway", "gateway"),
        ("skip_analysis_agent", "analysis-agent"),
        ("skip_playbook_agent", "playbook-agent"),
        ("skip_context_engine", "context-engine"),
        ("skip_asset_store", "asset-store"),
        ("skip_integrations", "integrations-agent"),
    ];
    let repository = Repository::orchestrator("deploy-dev.yml", escher("dev")).await;
    let given: Vec<(&str, &str)> = toggles.iter().map(|(toggle, _)| (*toggle, "true")).collect();
    let ran = repository.dispatch("refs/heads/main", &[&[("tag", "v2.16.0-dev"), ("skip_e2e", "true")], &given[..]].concat()).await;
    ran.ends(0);
    assert_eq!(repository.updated(), ["autoresolver"], "each toggle reaches its service");
    let runs = repository.runs();
    assert!(toggles.iter().all(|(_, service)| runs[*service] == "2.15.0-dev"), "{runs:?}");
    assert_eq!(repository.sandbox.with(|world| world.github.runs.len()), 0, "skip_e2e");
}

#[tokio::test]
async fn a_manual_run_of_prod_is_started_on_a_tag_and_leaves_out_what_its_toggles_say() {
    let repository = Repository::orchestrator("deploy-prod.yml", escher("prod")).await;
    for (reference, why) in [("refs/heads/main", "tag"), ("refs/tags/v2.16.0-stg", "staging"), ("refs/tags/v2.16", "v2.16")] {
        let refused = repository.dispatch(reference, &[]).await;
        refused.ends(1).says(why).says("exit status 2");
    }
    assert!(repository.updated().is_empty(), "a typing error does not get to prod");
    let looked = repository.dispatch("refs/tags/v2.16.0", &[("dry_run", "true")]).await;
    looked.ends(0);
    assert!(repository.updated().is_empty(), "a dry run changes nothing");
    repository.dispatch("refs/tags/v2.16.0", &[("skip_autoresolver", "true"), ("skip_e2e", "true")]).await.ends(0);
    assert_eq!((repository.updated().len(), &*repository.runs()["autoresolver"]), (6, "2.15.0"));
}

#[tokio::test]
async fn a_service_that_fails_makes_the_job_red_and_the_log_names_it() {
    let mut world = escher("dev");
    world.image_mut("escher-gateway", "v2.16.0-dev").fate = Fate::Crashes { exit_code: 3, after: 1.0 };
    let repository = Repository::orchestrator("deploy-dev.yml", world).await;
    let ran = repository.tag_push("v2.16.0-dev").await;
    ran.ends(1).says("gateway").says("exit code 3").says("Failure - Main Build, deploy, test").says("exit status 1");
    assert!(repository.runs().values().all(|version| version == "2.15.0-dev"), "all or nothing: {:?}", repository.runs());
    assert!(repository.told("escher-deployments").iter().any(|text| text.starts_with('❌')), "{:?}", repository.told("escher-deployments"));
}

#[tokio::test]
async fn a_rollback_is_shown_first_and_puts_the_release_before_back() {
    let mut world = escher("dev");
    let repositories: Vec<String> = world.ecr.repositories.iter().map(|repository| repository.name.clone()).collect();
    for repository in repositories {
        world.push_image(&repository, "2.14.0-dev");
    }
    let repository = Repository::orchestrator("rollback.yml", world).await;
    let back = |dry_run: &'static str| [("environment", "dev"), ("tag", "v2.14.0-dev"), ("services", "all"), ("dry_run", dry_run)];
    repository.dispatch("refs/heads/main", &back("true")).await.ends(0).says("asset-store");
    assert!(repository.updated().is_empty(), "a dry run changes nothing");
    repository.dispatch("refs/heads/main", &back("false")).await.ends(0);
    let order = repository.updated();
    assert_eq!((order.len(), order.last().map(String::as_str)), (7, Some("asset-store")), "in reverse order: {order:?}");
    assert!(repository.runs().values().all(|version| version == "2.14.0-dev"), "{:?}", repository.runs());
}
