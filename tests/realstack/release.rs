//! The stories of a release line on real containers: what ECS does is done by a scheduler that nobody here wrote. Each story stands
//! on what the ones before left.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crate::cloud::{Answer, Cloud, Container};

const ASSETS: &str = "v4-asset-store-go";
const CONTEXT: &str = "v4-context-engine";
const ANALYSIS: &str = "v2-analysis-agent-go";
const GATEWAY: &str = "v2-gateway-service-java";
const AUTORESOLVER: &str = "v2-autoresolver-java";
/// Builds, and its tests pass; but there is nothing to start.
const NOTHING_TO_START: &str = "FROM scratch AS test\nCOPY service /\nRUN [\"/service\", \"--self-test\"]\n\
                                FROM scratch\nCOPY service /\nENTRYPOINT [\"/nothing\"]\n";

/// A story, and when it began. Its line is printed once it has been told to its end.
struct Story(&'static str, Instant);

impl Story {
    fn begins(what: &'static str) -> Self {
        Self(what, Instant::now())
    }

    fn ends(self) {
        eprintln!("  ✓ {:<90} {:>5.1} s", self.0, self.1.elapsed().as_secs_f64());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_line_on_containers_of_a_scheduler_that_nobody_here_wrote() {
    let story = Story::begins("    an environment: seven services of a placeholder run, and nothing is built");
    let mut cloud = Cloud::with_source("v2.16.0-dev").await;
    story.ends();
    everything_from_nothing_but_source(&mut cloud).await;
    one_change_rolls_one(&mut cloud).await;
    staging_promotes(&mut cloud).await;
    what_cannot_start_is_rolled_back(&mut cloud).await;
    what_crashes_is_told_with_its_log(&mut cloud).await;
    what_answers_badly_goes_back(&mut cloud).await;
    a_failed_migration_stops_everything(&mut cloud).await;
    what_is_skipped_is_left(&mut cloud).await;
    a_component_alone(&mut cloud).await;
    killed_and_run_again(&mut cloud).await;
    nobody_gets_further_than_their_role(&mut cloud).await;
}

async fn everything_from_nothing_but_source(cloud: &mut Cloud) {
    let story = Story::begins("1.  a tag push to dev deploys all seven from nothing but source");
    let before = cloud.seven("dev").await;
    let run = cloud.push("v2.16.0-dev").await;
    run.ends(0, "success");
    assert_eq!((run.built(), run.names("deployed").len()), (7, 7));
    let now = cloud.seven("dev").await;
    assert_eq!(differing(&before, &now).len(), 7);
    for (name, container) in &now {
        let digest = &run.plan()[name].1;
        assert!(container.image.ends_with(&format!("/escher-{name}@{digest}")), "{name} runs {}, not {digest}", container.image);
    }
    assert_eq!(cloud.health("dev", "gateway").await, well("2.16.0-dev"));
    let url = cloud.variable(&now["gateway"], "DATABASE_URL");
    assert_eq!(url.as_deref(), Some("postgres://dev.db.internal/gateway"), "the secret's value is in the container");
    assert_eq!(cloud.variable(&now["gateway"], "LOG_LEVEL").as_deref(), Some("debug"), "and the configuration of dev.env");
    assert!(!run.text.contains("postgres://dev.db.internal"));
    story.ends();
    for (name, container) in &now {
        eprintln!("        docker ps: {name:<18} {}  {}", &container.id[..12], container.address);
    }
}

async fn one_change_rolls_one(cloud: &mut Cloud) {
    let story = Story::begins("2.  a second tag with one change builds and rolls one");
    let before = cloud.seven("dev").await;
    cloud.change(&[(GATEWAY, "notes.txt", "new")], "v2.17.0-dev");
    let run = cloud.push("v2.17.0-dev").await;
    run.ends(0, "success");
    assert_eq!((run.built(), run.names("deployed")), (1, vec!["gateway".to_owned()]));
    assert_eq!(differing(&before, &cloud.seven("dev").await), names(&["gateway"]), "six containers are the very same");
    assert_eq!(cloud.health("dev", "gateway").await, well("2.17.0-dev"), "the new version, through the published port");
    story.ends();
}

async fn staging_promotes(cloud: &mut Cloud) {
    let story = Story::begins("3.  staging promotes: nothing is built, and the digests are dev's");
    let dev = cloud.seven("dev").await;
    cloud.make("staging").await;
    let run = cloud.push("v2.17.0-stg").await;
    run.ends(0, "success");
    assert_eq!((run.built(), run.names("deployed").len()), (0, 7));
    assert_eq!(images(&cloud.seven("staging").await), images(&dev));
    assert_eq!(cloud.health("staging", "gateway").await.status, 200);
    assert_eq!(differing(&dev, &cloud.seven("dev").await), names(&[]), "dev is not touched");
    cloud.enter("dev");
    story.ends();
}

async fn what_cannot_start_is_rolled_back(cloud: &mut Cloud) {
    let story = Story::begins("4.  an image that can't start is rolled back by the scheduler, and the release with it");
    let before = cloud.seven("dev").await;
    let whole = cloud.stack.file(GATEWAY, "Dockerfile");
    cloud.change(&[(GATEWAY, "Dockerfile", NOTHING_TO_START), (ASSETS, "notes.txt", "new")], "v2.18.0-dev");
    let run = cloud.push("v2.18.0-dev").await;
    run.ends(1, "rolled-back").says("gateway  rolled back by ECS").says("/nothing").says("asset-store  taken back");
    assert_eq!((run.built(), run.names("failed"), run.names("deployed").len()), (2, vec!["asset-store".into(), "gateway".into()], 0));
    let now = cloud.seven("dev").await;
    assert_eq!(differing(&before, &now), names(&["asset-store"]), "the gateway that ran has gone on running");
    assert_eq!(now["asset-store"].image, before["asset-store"].image);
    assert_eq!(cloud.health("dev", "gateway").await, well("2.17.0-dev"), "the old version, through the published port");
    cloud.change(&[(GATEWAY, "Dockerfile", &whole)], "v2.18.1-dev");
    story.ends();
}

async fn what_crashes_is_told_with_its_log(cloud: &mut Cloud) {
    let story = Story::begins("5.  a service that crashes: exit code and log are told, what needs it is blocked, all goes back");
    let before = cloud.seven("dev").await;
    cloud.change(&[(ANALYSIS, "crash", "no database"), (GATEWAY, "notes.txt", "newer"), (CONTEXT, "notes.txt", "new")], "v2.19.0-dev");
    let run = cloud.push("v2.19.0-dev").await;
    run.ends(1, "rolled-back").says("exit code 1").says("crash: no database").says("gateway  blocked by analysis-agent");
    assert_eq!(run.names("deployed"), [""; 0]);
    assert_eq!(images(&cloud.seven("dev").await), images(&before), "asset-store, which was mended before, runs as it did");
    assert_eq!(cloud.health("dev", "gateway").await, well("2.17.0-dev"));
    cloud.take_out(ANALYSIS, "crash");
    story.ends();
}

async fn what_answers_badly_goes_back(cloud: &mut Cloud) {
    let story = Story::begins("6.  a service that runs but fails its smoke test goes back");
    let before = cloud.seven("dev").await;
    cloud.change(&[(AUTORESOLVER, "unwell", "no rules")], "v2.20.0-dev");
    cloud.only("autoresolver");
    let run = cloud.push("v2.20.0-dev").await;
    run.ends(5, "rolled-back").says("500").says("unwell: no rules");
    let now = cloud.seven("dev").await;
    assert_eq!((differing(&before, &now), images(&now)), (names(&["autoresolver"]), images(&before)));
    assert_eq!(cloud.health("dev", "autoresolver").await, well("2.16.0-dev"));
    cloud.take_out(AUTORESOLVER, "unwell");
    cloud.only("");
    story.ends();
}

async fn a_failed_migration_stops_everything(cloud: &mut Cloud) {
    let story = Story::begins("7.  a migration that fails: no service is updated");
    let before = cloud.seven("dev").await;
    cloud.change(&[(CONTEXT, "fail-migration", "column exists"), (AUTORESOLVER, "notes.txt", "new")], "v2.21.0-dev");
    let run = cloud.push("v2.21.0-dev").await;
    run.ends(8, "failed").says("exit code 1").says("fail-migration: column exists");
    assert_eq!(differing(&before, &cloud.seven("dev").await), names(&[]), "the very same containers");
    cloud.take_out(CONTEXT, "fail-migration");
    story.ends();
}

async fn what_is_skipped_is_left(cloud: &mut Cloud) {
    let story = Story::begins("8.  skip toggles: what is left out stays, the rest of what was held up so far arrives");
    let before = cloud.seven("dev").await;
    cloud.change(&[(ASSETS, "notes.txt", "newest")], "v2.22.0-dev");
    cloud.job.set("INPUT_SKIP", "autoresolver");
    let run = cloud.push("v2.22.0-dev").await;
    run.ends(0, "success");
    assert_eq!(run.names("skipped"), ["autoresolver"]);
    let now = cloud.seven("dev").await;
    assert_eq!(now["autoresolver"], before["autoresolver"]);
    assert_eq!(differing(&before, &now), run.names("deployed").into_iter().collect());
    assert_eq!(cloud.health("dev", "asset-store").await, well("2.22.0-dev"));
    cloud.job.set("INPUT_SKIP", "");
    story.ends();
}

async fn a_component_alone(cloud: &mut Cloud) {
    let story = Story::begins("9.  a tag push in a component's repository deploys that one alone");
    let before = cloud.seven("dev").await;
    cloud.change(&[(AUTORESOLVER, "notes.txt", "newer"), (ASSETS, "notes.txt", "not now")], "v2.23.0-dev");
    cloud.token(AUTORESOLVER, "dev");
    let run = cloud.push("v2.23.0-dev").await;
    run.ends(0, "success");
    assert_eq!((run.built(), run.names("deployed")), (1, vec!["autoresolver".to_owned()]));
    assert_eq!(differing(&before, &cloud.seven("dev").await), names(&["autoresolver"]));
    assert_eq!(cloud.health("dev", "autoresolver").await, well("2.23.0-dev"));
    cloud.token("v3-escher-deployment", "dev");
    story.ends();
}

async fn killed_and_run_again(cloud: &mut Cloud) {
    let story = Story::begins("10. kill -9 in the middle, then again: it takes up where things stand");
    let before = cloud.seven("dev").await;
    let changes = [ASSETS, CONTEXT, ANALYSIS, GATEWAY].map(|repository| (repository, "notes.txt", "at last"));
    cloud.change(&changes, "v2.24.0-dev");
    let mut child = cloud.begin("v2.24.0-dev");
    let has_begun = |now: &BTreeMap<String, Vec<Container>>| now["context-engine"].iter().any(|it| *it != before["context-engine"]);
    until(|| has_begun(&cloud.running("dev"))).await;
    child.kill().await.unwrap();
    let killed = cloud.job.ended(child).await;
    assert!(killed.code == -1 && killed.built() == 4, "{}", killed.text);
    let halfway = cloud.running("dev");
    assert!(halfway["gateway"] == [before["gateway"].clone()], "the gateway had not begun");
    let run = cloud.push("v2.24.0-dev").await;
    run.ends(0, "success");
    assert_eq!(run.built(), 0);
    assert_eq!(differing(&before, &cloud.seven("dev").await), names(&["asset-store", "context-engine", "analysis-agent", "gateway"]));
    assert_eq!(cloud.health("dev", "gateway").await, well("2.24.0-dev"));
    story.ends();
}

/// The roles have the policies that `escher-deploy iam` prints; somebody else's IAM enforces them, here and in every story above.
async fn nobody_gets_further_than_their_role(cloud: &mut Cloud) {
    let story = Story::begins("11. the printed policies were enough, and are no more than that: refused to others, and elsewhere");
    let before = cloud.seven("dev").await;
    cloud.token("v3-escher-deployment", "staging");
    let stranger = cloud.push("v2.24.0-dev").await;
    stranger.ends(3, "refused").says("Not authorized to perform sts:AssumeRoleWithWebIdentity").says("environment:staging");
    cloud.token("v3-escher-deployment", "dev");
    cloud.job.set("DEPLOY_CLUSTER", "escher-staging");
    let elsewhere = cloud.push("v2.24.0-dev").await;
    elsewhere.ends(3, "refused").says("ecs:DescribeServices");
    cloud.enter("dev");
    assert_eq!(differing(&before, &cloud.seven("dev").await), names(&[]));
    story.ends();
}

async fn until(is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(60), "it never comes to that");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn well(version: &str) -> Answer {
    Answer { status: 200, version: version.to_owned() }
}

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

fn images(of: &BTreeMap<String, Container>) -> Vec<String> {
    of.values().map(|container| container.image.clone()).collect()
}

/// The services whose container is another one.
fn differing(before: &BTreeMap<String, Container>, now: &BTreeMap<String, Container>) -> BTreeSet<String> {
    now.iter().filter(|(name, container)| before[*name].id != container.id).map(|(name, _)| name.clone()).collect()
}
