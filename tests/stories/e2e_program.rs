//! The suite as a program of this machine: its exit code decides, and a JUnit report names what failed.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use crate::e2e::alone;
use crate::harness::{Job, escher};

fn script(job: &Job, text: &str) -> String {
    let folder = job.folder.path().join("v3-testing-framework");
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("run_tests");
    std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path.display().to_string()
}

/// The suite as a program, in a folder that is called like the test repository.
async fn program(text: &str) -> Job {
    let mut job = alone(escher()).await;
    let path = script(&job, text);
    job.set("DEPLOY_E2E_COMMAND", &format!("{path} --env {{env}} --suite {{suite}} --version '{{version}} x'"))
        .set("PATH", "/usr/bin:/bin");
    job
}

#[tokio::test]
async fn a_command_is_run_in_the_checkout_and_its_exit_code_decides() {
    let mut job = program("echo \"args: $*\"; pwd; env | grep -c -e TOKEN -e INPUT_ || true").await;
    let ran = job.run().await;
    ran.ends(0, "success").says("args: --env dev --suite smoke --version 2.16.0-dev x").says("/v3-testing-framework");
    assert!(ran.stdout.lines().any(|line| line == "0"), "it gets no token\n{}", ran.stdout);
    assert_eq!(job.count("dispatch"), 0);
    let ran = program("echo 'assertion failed: login'; exit 3").await.run().await;
    ran.ends(6, "failed").says("it ended with code 3").says("| assertion failed: login");
}

#[tokio::test]
async fn a_junit_report_names_the_tests_that_failed() {
    let report = r#"<testsuites><testsuite name="smoke"><testcase classname="login" name="by token"><failure message="401 is not 200"/></testcase><testcase name="ok"/></testsuite></testsuites>"#;
    let ran = program(&format!("mkdir -p reports; echo '{report}' > reports/junit.xml; exit 1")).await.run().await;
    ran.ends(6, "failed").says("it ended with code 1, and 1 of 2 tests failed").says("✗ login: by token: 401 is not 200");
    let ran = program(&format!("echo '{report}' > junit.xml")).await.run().await;
    ran.ends(6, "failed").says("it ended with code 0, and 1 of 2 tests failed");
    let ran = program("echo '<testsuite><testcase name=\"a\"/><testcase name=\"b\"/></testsuite>' > results.xml").await.run().await;
    ran.ends(0, "success").says("passed, 2 tests");
}

#[tokio::test]
async fn a_command_that_hangs_or_is_not_there_is_said_so() {
    let mut job = program("sleep 60").await;
    let began = std::time::Instant::now();
    job.set("DEPLOY_E2E_TIMEOUT_MINUTES", "0.01").run().await.ends(6, "failed").says("it had not ended after 0.01 min, and was stopped");
    assert!(began.elapsed() < Duration::from_secs(30));
    let mut job = alone(escher()).await;
    job.set("DEPLOY_E2E_COMMAND", "no-such-program --now").run().await.ends(6, "failed").says("`no-such-program` can't be started");
    let mut job = alone(escher()).await;
    job.set("DEPLOY_E2E_COMMAND", "a && b").run().await.ends(2, "refused").says("DEPLOY_E2E_COMMAND holds `&&`");
}

#[tokio::test]
async fn what_a_program_prints_is_shown_without_credentials() {
    let ran = program(
        "echo 'leak AKIAIOSFODNN7EXAMPLE'; echo '-----BEGIN PRIVATE KEY-----'; echo MIIEow; echo '-----END PRIVATE KEY-----'; echo done",
    )
    .await
    .run()
    .await;
    ran.ends(0, "success").says("leak ***").says("done");
    assert!(!ran.stdout.contains("IOSFODNN7") && !ran.stdout.contains("MIIEow"), "{}", ran.stdout);
}
