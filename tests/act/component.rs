//! A service's own repository, with the configuration of the orchestrator.

use std::path::Path;

use crate::repository::{ROOT, Repository, escher};

/// Stands for actions/checkout where it fetches another repository: puts the orchestrator's configuration there.
fn orchestrator_at(repository: &Repository, log_level: &str) {
    for kind in ["services", "environments"] {
        for file in std::fs::read_dir(Path::new(ROOT).join(kind)).unwrap() {
            let (name, path) = file.map(|file| (file.file_name(), file.path())).unwrap();
            let text = std::fs::read_to_string(path).unwrap().replace("LOG_LEVEL=debug", log_level);
            repository.write(&format!("checkout/orchestrator/{kind}/{}", name.display()), &text);
        }
    }
    let action = "\
name: checkout
inputs: { repository: {}, path: {}, persist-credentials: {} }
runs:
  using: composite
  steps:
    - shell: bash
      run: |
        test \"$PERSIST\" = false
        # act has the job's own repository there already.
        [ -n \"$REPOSITORY\" ] || exit 0
        test \"$REPOSITORY\" = escher-dbai/v3-escher-deployment
        mkdir -p \"$FOLDER\" && cp -r \"$GITHUB_ACTION_PATH\"/orchestrator/. \"$FOLDER\"
      env:
        REPOSITORY: ${{ inputs.repository }}
        FOLDER: ${{ inputs.path }}
        PERSIST: ${{ inputs.persist-credentials }}
";
    repository.write("checkout/action.yml", action);
}

#[tokio::test]
async fn a_tag_deploys_the_repository_s_own_service_with_the_orchestrator_s_configuration() {
    for (environment, suffix) in [("dev", "-dev"), ("staging", "-stg"), ("prod", "")] {
        let repository = Repository::with("v2-gateway-service-java", "component.yml", escher(environment)).await;
        orchestrator_at(&repository, "LOG_LEVEL=from-the-orchestrator");
        repository.tag_push(&format!("v2.16.0{suffix}")).await.ends(0);
        assert_eq!(repository.updated(), ["gateway"], "{environment}");
        let runs = repository.runs();
        assert_eq!((&*runs["gateway"], &*runs["asset-store"]), (&*format!("2.16.0{suffix}"), &*format!("2.15.0{suffix}")));
        let registered = repository.sandbox.calls().into_iter().find(|call| call.operation == "RegisterTaskDefinition").unwrap();
        assert_eq!(registered.raw.contains("from-the-orchestrator"), environment == "dev", "`config-dir` is what counts");
    }
}

#[tokio::test]
async fn a_mistyped_suffix_and_a_branch_are_refused() {
    let repository = Repository::with("v2-gateway-service-java", "component.yml", escher("dev")).await;
    orchestrator_at(&repository, "LOG_LEVEL=debug");
    repository.tag_push("v2.16.0-dve").await.ends(1).says("v2.16.0-dve").says("exit status 2");
    repository.dispatch("refs/heads/main", &[]).await.ends(1).says("exit status 2");
    assert!(repository.updated().is_empty());
}
