//! detect, a matrix of builds, deploy.

use escher_sandbox::BuildFate;

use crate::repository::{Repository, escher};

/// Nothing of the release is built yet.
fn not_built() -> escher_sandbox::World {
    let mut world = escher("dev");
    for repository in &mut world.ecr.repositories {
        repository.images.retain(|image| image.version != "2.16.0-dev");
    }
    world
}

const INPUTS: [(&str, &str); 2] = [("environment", "dev"), ("tag", "v2.16.0-dev")];

#[tokio::test]
async fn what_is_to_be_built_is_built_by_a_job_each_and_deployed_by_the_last() {
    let repository = Repository::orchestrator("build-matrix.yml", not_built()).await;
    let ran = repository.dispatch("refs/heads/main", &[&INPUTS[..], &[("skip_autoresolver", "true")]].concat()).await;
    ran.ends(0).says("build gateway").says("build asset-store");
    assert!(!ran.log.contains("build autoresolver"), "\n{}", ran.log);
    assert_eq!(repository.sandbox.with(|world| world.engine.builds.len()), 6, "each once");
    assert_eq!((repository.updated().len(), &*repository.runs()["autoresolver"]), (6, "2.15.0-dev"));
    // One message, opened by the first job and closed by the last.
    let told = repository.told("escher-deployments");
    assert!(told.len() == 1 && told[0].starts_with('✅'), "{told:?}");
}

#[tokio::test]
async fn a_build_that_fails_deploys_nothing_and_closes_the_message() {
    let mut world = not_built();
    world.engine.fates.insert("gateway".to_owned(), BuildFate::Fails(vec!["no such file".to_owned()]));
    let repository = Repository::orchestrator("build-matrix.yml", world).await;
    repository.dispatch("refs/heads/main", &INPUTS).await.ends(1).says("gateway");
    assert!(repository.updated().is_empty());
    let told = repository.told("escher-deployments");
    assert!(told[0].starts_with('❌'), "{told:?}");
}
