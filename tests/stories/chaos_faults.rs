//! Every operation meets every fault. What passes by itself is ridden out; what does not ends in a failure that says what
//! happened and what runs. Never a hang, a panic, or a success that is none.

use std::collections::BTreeMap;

use escher_sandbox::{Check, Effect, Fate, Fault};
use futures_util::{StreamExt, stream};
use serde_json::Value;

use crate::chaos::{Standing, standing};
use crate::harness::{Job, Ran, TAG, escher};

/// Runs at once in a story: most of a run is waiting.
const AT_ONCE: usize = 6;
const SUCCEEDING: [&str; 2] = ["asset-store", "context-engine"];
const FAILING: [&str; 2] = ["asset-store", "autoresolver"];

/// Party, operation, and how many calls pass before the fault: once for each place that makes the call.
type Target = (&'static str, &'static str, usize);

/// What a release that succeeds asks for: DescribeServices for the plan, before each update, and while it watches.
const OF_A_SUCCESS: &[Target] = &[
    ("oidc", "token", 0),
    ("sts", "AssumeRoleWithWebIdentity", 0),
    ("sts", "GetCallerIdentity", 0),
    ("ecs", "DescribeServices", 0),
    ("ecs", "DescribeServices", 1),
    ("ecs", "DescribeServices", 2),
    ("ecs", "DescribeServices", 4),
    ("ecs", "DescribeTaskDefinition", 0),
    ("ecr", "DescribeRepositories", 0),
    ("ecr", "DescribeImages", 1),
    ("ecs", "RegisterTaskDefinition", 0),
    ("ecs", "RegisterTaskDefinition", 1),
    ("ecs", "UpdateService", 0),
    ("ecs", "UpdateService", 1),
    ("ecs", "ListTasks", 0),
    ("ecs", "DescribeTasks", 0),
    ("elasticloadbalancing", "DescribeTargetHealth", 0),
    ("secretsmanager", "DescribeSecret", 0),
    ("ecs", "RunTask", 0),
    ("ecr", "BatchGetImage", 0),
    ("ecr", "PutImage", 0),
];

/// What only a release that fails asks for: the third UpdateService takes a service back.
const OF_A_FAILURE: &[Target] = &[
    ("ecs", "ListServiceDeployments", 0),
    ("ecs", "StopServiceDeployment", 0),
    ("ecs", "UpdateService", 2),
    ("ecs", "ListTasks", 0),
    ("ecs", "DescribeTasks", 0),
    ("logs", "GetLogEvents", 0),
];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Trouble {
    Throttled,
    InternalError,
    Unavailable,
    LostRequest,
    LostAnswer,
    Hang,
    Malformed,
    Expired,
}

impl Trouble {
    fn fault(self, (party, operation, skip): Target) -> Fault {
        let error = |status, code: &str| Effect::Error { status, code: code.to_owned(), message: "made to fail".to_owned() };
        let is_query = operation == "GetCallerIdentity" || party == "elasticloadbalancing";
        let effect = match self {
            Trouble::Throttled if party == "oidc" => error(429, "TooManyRequests"),
            Trouble::Throttled if matches!(party, "sts" | "elasticloadbalancing") => error(400, "Throttling"),
            Trouble::Throttled => error(400, "ThrottlingException"),
            Trouble::InternalError => error(500, "ServerException"),
            Trouble::Unavailable => error(503, "ServiceUnavailable"),
            Trouble::LostRequest => Effect::LoseRequest,
            Trouble::LostAnswer => Effect::LoseAnswer,
            // The product gives an attempt ten seconds, twenty where it asks GitHub.
            Trouble::Hang => Effect::Delay(30.0),
            Trouble::Malformed => Effect::Body { status: 200, body: "not json".to_owned() },
            Trouble::Expired if party == "oidc" => error(401, "Unauthorized"),
            Trouble::Expired if is_query => error(403, "ExpiredToken"),
            Trouble::Expired => error(400, "ExpiredTokenException"),
        };
        let times = if self == Trouble::Throttled { 3 } else { 1 };
        Fault { party: party.to_owned(), operation: operation.to_owned(), skip, times, effect }
    }

    /// Whether it must not make any difference.
    fn passes(self) -> bool {
        !matches!(self, Trouble::Malformed | Trouble::Expired)
    }
}

/// A run that met a fault.
struct Met {
    what: String,
    before: BTreeMap<String, Standing>,
    after: BTreeMap<String, Standing>,
    ran: Ran,
}

async fn meet(mut job: Job, services: &[&str], target: Target, trouble: Trouble) -> Met {
    let before = standing(&job);
    job.sandbox.with(|world| world.fault(trouble.fault(target)));
    let ran = job.only(&services.join(" ")).run().await;
    let left = job.sandbox.with(|world| world.faults[0].times);
    let met = Met { what: format!("{trouble:?} at {target:?}"), before, after: standing(&job), ran };
    met.check(left == 0 || (trouble == Trouble::Throttled && left < 3), "the fault was met");
    met.tells_the_truth();
    met
}

impl Met {
    #[track_caller]
    fn check(&self, holds: bool, claim: &str) {
        let (code, result) = (self.ran.code, self.ran.output("result"));
        let (stdout, stderr) = (&self.ran.stdout, &self.ran.stderr);
        assert!(holds, "{}: not so: {claim}; exit {code}, {result}\n--- stdout\n{stdout}\n--- stderr\n{stderr}", self.what);
    }

    fn is_as_before(&self) -> bool {
        self.after.iter().all(|(name, now)| now.is_at_rest && now.definition == self.before[name].definition)
    }

    fn runs_before(&self, service: &str) -> bool {
        self.after[service].definition == self.before[service].definition
    }

    /// What every run owes, however it ended.
    fn tells_the_truth(&self) {
        let result = self.ran.output("result");
        self.check(!self.ran.stderr.contains("panicked"), "no panic");
        self.check([0, 1, 3, 4, 5, 7, 8].contains(&self.ran.code), "a documented exit code");
        self.check((self.ran.code == 0) == (result == "success"), "code and result agree");
        let rows = self.ran.report["services"].as_array().cloned().unwrap_or_default();
        if self.ran.code != 0 {
            let messages = self.ran.report["messages"].as_array().cloned().unwrap_or_default();
            let reasons = rows.iter().map(|row| &row["failure"]["reason"]).chain(&messages);
            self.check(reasons.filter_map(Value::as_str).any(|text| !text.is_empty()), "a failure says why");
        }
        self.check(!self.ran.stdout.contains("allow the role"), "nothing was denied, so no permission is asked for");
        if matches!(result, "rolled-back" | "refused") || self.ran.code == 8 {
            self.check(self.is_as_before(), "everything is as before");
        }
        for name in self.ran.names("deployed") {
            self.check(!self.runs_before(&name) && self.after[&name].is_at_rest, &format!("{name} is deployed"));
        }
        for row in &rows {
            let name = row["name"].as_str().unwrap_or_default();
            let told = row["failure"]["runs_now"].as_str().unwrap_or_default();
            self.check(!told.ends_with(" as before") || self.runs_before(name), &format!("{name} {told}"));
            self.check(!told.ends_with(", this release") || !self.runs_before(name), &format!("{name} {told}"));
            let is_untouched = matches!(row["state"].as_str(), Some("taken back" | "not begun"));
            self.check(!is_untouched || self.runs_before(name), &format!("{name} is {}", row["state"]));
        }
    }
}

async fn succeeding(target: Target, trouble: Trouble) {
    let mut world = escher();
    world.service_mut("asset-store").check = Check::TargetGroup;
    let mut job = Job::tag_push(world).await;
    // A secret and a migration, so that everything a release may ask for is asked for.
    let file = job.own_configuration().join("services/asset-store.yml");
    let more = "secrets: { DATABASE_URL: \"escher/{env}/asset-store/database-url\" }\nmigrate: { command: [./migrate, up] }\n";
    std::fs::write(&file, std::fs::read_to_string(&file).unwrap() + more).unwrap();
    let met = meet(job, &SUCCEEDING, target, trouble).await;
    met.check(!trouble.passes() || met.ran.code == 0, "what passes makes no difference");
    if met.ran.code == 0 {
        met.check(met.ran.names("deployed").len() == SUCCEEDING.len(), "all are deployed");
    }
}

/// autoresolver fails its smoke test while asset-store is on its way, however slow the machine.
async fn failing(target: Target, trouble: Trouble) {
    let mut world = escher();
    world.image_mut("escher-autoresolver", TAG).fate = Fate::Answers { status: 500 };
    world.service_mut("asset-store").timing.boot = 1000.0;
    let mut job = Job::tag_push(world).await;
    job.set("DEPLOY_SMOKE_TIMEOUT_SECONDS", "0.3");
    let met = meet(job, &FAILING, target, trouble).await;
    met.check(met.ran.code != 0, "no success");
    met.check(!trouble.passes() || (met.ran.code, met.ran.output("result")) == (5, "rolled-back"), "what passes makes no difference");
}

async fn everywhere(troubles: &[Trouble]) {
    let pairs = |targets: &'static [Target]| targets.iter().flat_map(|target| troubles.iter().map(|trouble| (*target, *trouble)));
    let successes = stream::iter(pairs(OF_A_SUCCESS)).for_each_concurrent(AT_ONCE, |(target, trouble)| succeeding(target, trouble));
    let failures = stream::iter(pairs(OF_A_FAILURE)).for_each_concurrent(AT_ONCE, |(target, trouble)| failing(target, trouble));
    tokio::join!(successes, failures);
}

#[tokio::test]
async fn throttled_three_times_any_call_is_made_again() {
    everywhere(&[Trouble::Throttled]).await;
}

#[tokio::test]
async fn an_internal_error_or_an_outage_of_any_call_is_ridden_out() {
    everywhere(&[Trouble::InternalError, Trouble::Unavailable]).await;
}

#[tokio::test]
async fn a_connection_closed_before_or_after_the_effect_makes_no_difference() {
    everywhere(&[Trouble::LostRequest, Trouble::LostAnswer]).await;
}

#[tokio::test]
async fn answers_that_cant_be_read_end_in_success_or_in_a_true_failure() {
    everywhere(&[Trouble::Malformed]).await;
}

#[tokio::test]
async fn an_expired_token_ends_in_success_or_in_a_true_failure() {
    everywhere(&[Trouble::Expired]).await;
}

#[tokio::test]
async fn a_call_that_hangs_is_given_up_and_made_again() {
    everywhere(&[Trouble::Hang]).await;
}
