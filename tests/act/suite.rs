//! The end-to-end suite and the release notes, each alone; and the suite's own side.

use escher_sandbox::RunFate;

use crate::repository::{Repository, escher};

#[tokio::test]
async fn the_suite_is_handed_over_to_and_waited_for() {
    for (conclusion, code, sign) in [("success", 0, '✅'), ("failure", 1, '❌')] {
        let mut world = escher("dev");
        world.github.workflow_mut("escher-dbai/v3-testing-framework", "e2e.yml").fate = RunFate::ends(conclusion);
        let repository = Repository::orchestrator("e2e-integration.yml", world).await;
        let ran = repository.dispatch("refs/heads/main", &[("environment", "dev"), ("suite", "regression")]).await;
        ran.ends(code).says("E2E regression");
        let given = repository.sandbox.with(|world| world.github.runs[0].inputs.clone());
        assert_eq!((&*given["environment"], &*given["suite"]), ("dev", "regression"));
        let told = repository.told("escher-test-results");
        assert!(told.iter().any(|text| text.starts_with(sign)), "{told:?}");
        assert!(repository.updated().is_empty());
    }
}

#[tokio::test]
async fn release_notes_are_shown_and_then_published() {
    let repository = Repository::orchestrator("release-notes.yml", escher("prod")).await;
    let inputs = [("tag", "v2.16.0"), ("from_tag", "v2.15.0")];
    let shown = repository.dispatch("refs/heads/main", &[&inputs[..], &[("dry_run", "true")]].concat()).await;
    shown.ends(0).says("nothing was published");
    assert!(repository.sandbox.with(|world| world.github.releases.is_empty()) && repository.told("escher-releases").is_empty());
    repository.dispatch("refs/heads/main", &[&inputs[..], &[("dry_run", "false")]].concat()).await.ends(0);
    assert_eq!(repository.sandbox.with(|world| world.github.releases.len()), 1);
    assert!(!repository.told("escher-releases").is_empty());
    let unknown = repository.dispatch("refs/heads/main", &[("tag", "v2.61.0"), ("dry_run", "false")]).await;
    unknown.ends(1).says("exit status 3");
}

#[tokio::test]
async fn the_testing_framework_runs_what_it_was_asked_for() {
    let suite = "import sys\nprint('suite', sys.argv[1:])\nsys.exit(sys.argv[4] != 'smoke')\n";
    for (name, code) in [("smoke", 0), ("other", 1)] {
        let repository = Repository::with("v3-testing-framework", "e2e.yml", escher("dev")).await;
        repository.write("repository/run_tests.py", suite);
        let inputs = [("environment", "dev"), ("suite", name), ("version", "2.16.0-dev"), ("correlation_id", "4711")];
        let ran = repository.dispatch("refs/heads/main", &inputs).await;
        ran.ends(code).says(&format!("suite ['--env', 'dev', '--suite', '{name}']"));
    }
}
