//! A release that is older than what runs: refused before anything is changed, unless that is what was asked for.

use escher_sandbox::{Effect, Fault, World};

use crate::harness::{Job, escher};

const REPOSITORY: &str = "escher-dbai/v2-gateway-service-java";

fn compared(status: &str) -> World {
    let mut world = escher();
    let mut commit = |version: &str| {
        let tags = world.image_mut("escher-gateway", version).tags.clone();
        tags.iter().find_map(|tag| tag.strip_prefix("sha-")).unwrap().to_owned()
    };
    let (base, head) = (commit("v2.15.0-dev"), commit("v2.16.0-dev"));
    world.github.comparisons.insert((REPOSITORY.to_owned(), base, head), status.into());
    world
}

fn fault(times: usize, effect: Effect) -> Fault {
    Fault { party: "github".into(), operation: "compare".into(), skip: 0, times, effect }
}

fn status(status: u16) -> Effect {
    Effect::Error { status, code: "no".into(), message: "no".into() }
}

fn changes(job: &Job) -> usize {
    job.count("UpdateService") + job.count("RegisterTaskDefinition")
}

#[tokio::test]
async fn a_release_that_is_behind_is_refused_and_nothing_has_changed() {
    for (command, at_least_posted) in [("run", 1), ("plan", 0)] {
        let mut job = Job::tag_push(compared("behind")).await;
        let ran = job.input("command", command).run().await;
        ran.ends(3, "refused").says("Plan: v2.16.0-dev to dev").says("gateway: 2.16.0-dev (").says("is older than 2.15.0-dev (");
        ran.says("`rollback` command, or `allow-older: true`").says("refused: 1 finding").summarises("is older than 2.15.0-dev");
        assert_eq!((changes(&job), job.count("compare")), (0, 7), "{command}");
        assert!(job.operations("slack").len() >= at_least_posted, "{command}");
    }
}

#[tokio::test]
async fn allow_older_lets_it_go() {
    let mut job = Job::tag_push(compared("behind")).await;
    job.only("gateway").input("allow-older", "true").run().await.ends(0, "success");
    assert_eq!(job.count("UpdateService"), 1);
}

#[tokio::test]
async fn a_hotfix_that_has_diverged_goes_with_a_warning() {
    let mut job = Job::tag_push(compared("diverged")).await;
    let ran = job.only("gateway").run().await;
    ran.ends(0, "success").says("warning: hotfix: diverged: gateway: 2.16.0-dev (").summarises("diverged");
}

#[tokio::test]
async fn what_can_not_be_compared_is_told_and_goes() {
    const UNCHECKED: &str = "warning: not checked whether this release is older than what runs (gateway): ";
    let mut without = Job::tag_push(compared("behind")).await;
    without.variables.remove("GITHUB_TOKEN");
    let ran = without.only("gateway").input("command", "plan").run().await;
    ran.ends(0, "success").says(&format!("{UNCHECKED}there is no `github-token`"));
    assert_eq!(without.count("compare"), 0);
    let mut job = Job::tag_push(compared("behind")).await;
    job.only("gateway").input("command", "plan").input("github-token", "ghs_wrong").run().await.ends(0, "success").says("answered 401");
    job.variables.remove("INPUT_GITHUB_TOKEN");
    job.sandbox.with(|world| world.github.forbidden.insert(REPOSITORY.to_owned()));
    job.run().await.ends(0, "success").says(&format!("{UNCHECKED}GitHub answered 404"));
    job.sandbox.with(|world| world.github.forbidden.clear());
    job.sandbox.with(|world| world.github.comparisons.clear());
    for (effect, words) in [
        (status(403), "GitHub answered 403"),
        (Effect::Body { status: 200, body: "<html>".into() }, "GitHub's answer can't be read"),
        (Effect::LoseRequest, "GitHub did not answer"),
        (status(503), "GitHub answered 503"),
    ] {
        job.sandbox.with(|world| world.faults = vec![fault(usize::MAX, effect)]);
        let before = job.count("compare");
        job.run().await.ends(0, "success").says(&format!("{UNCHECKED}{words}"));
        assert!(job.count("compare") - before <= 3 * 2, "tries are bounded: {words}");
    }
}

#[tokio::test]
async fn one_cause_is_one_warning() {
    let mut job = Job::tag_push(escher()).await;
    job.sandbox.with(|world| world.faults = vec![fault(usize::MAX, status(404))]);
    let ran = job.input("command", "plan").run().await;
    ran.ends(0, "success");
    assert_eq!(ran.stdout.matches("warning: not checked").count(), 1, "{}", ran.stdout);
}

#[tokio::test]
async fn two_bad_answers_and_a_good_one_are_a_good_one() {
    for (answer, code, result) in [("ahead", 0, "success"), ("behind", 3, "refused")] {
        let mut world = compared(answer);
        world.fault(fault(2, status(500)));
        let mut job = Job::tag_push(world).await;
        let ran = job.only("gateway").input("command", "plan").run().await;
        ran.ends(code, result);
        assert!(!ran.stdout.contains("not checked"), "{}", ran.stdout);
        assert_eq!(job.count("compare"), 3);
    }
}

#[tokio::test]
async fn what_stays_is_not_compared() {
    let mut job = Job::tag_push(escher()).await;
    job.only("gateway").run().await.ends(0, "success");
    job.sandbox.with(|world| world.github.default_comparison = "behind".into());
    job.run().await.ends(0, "unchanged");
    job.input("force", "true").input("command", "plan").run().await.ends(0, "success");
    assert_eq!(job.count("compare"), 1);
}
