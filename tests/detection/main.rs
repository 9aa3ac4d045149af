//! How soon the verdict comes, and how close the release stays to its critical path. A program of its own: cargo runs test
//! programs one after the other, so nothing else disturbs the measurement.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that can't go on should stop")]
#![expect(clippy::print_stdout, reason = "it says what it measured")]
#![expect(clippy::disallowed_methods, reason = "it starts the program that it measures")]

#[path = "../stories/harness.rs"]
#[expect(dead_code, reason = "the stories use the rest of it")]
mod harness;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use escher_sandbox::What;

use crate::harness::{Job, escher};

/// Real seconds of polling in these stories: slow enough to be measured through the noise of a busy machine.
const POLL: f64 = 0.25;

/// The best of five: a pause of the machine is no delay of ours, and a delay of ours would be in all five.
const TRIES: usize = 5;

#[tokio::test]
async fn the_verdict_comes_at_most_one_poll_after_completion() {
    let mut best = f64::MAX;
    for _ in 0..TRIES {
        best = best.min(lag().await);
        if best <= POLL {
            break;
        }
    }
    // The look itself takes a moment.
    assert!(best <= POLL + 0.1, "{best:.3} s after completion");
}

/// Real seconds between the completion and the look that saw it.
async fn lag() -> f64 {
    let mut world = escher();
    world.time_scale = 50.0;
    let mut job = Job::tag_push(world).await;
    let ran = job.only("autoresolver").input("skip-e2e", "true").set("DEPLOY_POLL_SECONDS", &POLL.to_string()).run().await;
    ran.ends(0, "success");
    let (completed, seen) = job.sandbox.with(|world| {
        let completed = world.history("autoresolver").iter().find(|moment| moment.what == What::Completed).map(|moment| moment.at);
        let looks = world.calls.iter().filter(|call| call.operation == "DescribeServices" && call.party == "ecs");
        (completed.unwrap(), looks.map(|call| call.at).next_back().unwrap())
    });
    let lag = (seen - completed) / 50.0;
    println!("the last look came {lag:.3} s after completion, the poll is {POLL} s");
    assert!(lag >= 0.0, "nothing is judged before it has happened");
    lag
}

#[tokio::test]
async fn seven_services_take_hardly_longer_than_their_critical_path() {
    let mut tried = Vec::new();
    for _ in 0..TRIES {
        let (ratio, machine) = over_the_critical_path().await;
        if ratio <= 1.05 + machine {
            return;
        }
        tried.push(format!("{ratio:.3} x the critical path, {machine:.3} x of it the machine's"));
    }
    panic!("{tried:?}");
}

/// Calls in a row on the critical path: on each of four levels three to start a service, three to see it healthy, one to ask
/// it, and one more look in hand.
const CALLS_IN_A_ROW: f64 = 32.0;
/// Wake-ups of a call: client, connection, server, and back.
const WAKE_UPS: f64 = 4.0;

/// How late the machine wakes those who sleep, in seconds on average: on a shared one it can be tens of milliseconds, and
/// every call bears it four times. Measured beside the release, in the same run.
struct Lateness {
    stop: Arc<AtomicBool>,
    meter: JoinHandle<f64>,
}

impl Lateness {
    fn measure() -> Self {
        const NAP: Duration = Duration::from_millis(5);
        let stop = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&stop);
        let meter = std::thread::spawn(move || {
            let (mut late, mut naps) = (0.0, 0.0);
            while !flag.load(Ordering::Relaxed) {
                let began = Instant::now();
                std::thread::sleep(NAP);
                late += began.elapsed().saturating_sub(NAP).as_secs_f64();
                naps += 1.0;
            }
            late / naps
        });
        Self { stop, meter }
    }

    fn end(self) -> f64 {
        self.stop.store(true, Ordering::Relaxed);
        self.meter.join().expect("the meter ends")
    }
}

/// The time of the release over its critical path, and how much of that the machine's late wake-ups make up.
async fn over_the_critical_path() -> (f64, f64) {
    let mut world = escher();
    // Levels of four to five seconds: what is measured is our own delay, not the machine's.
    world.time_scale = 6.0;
    let timings: BTreeMap<String, (f64, f64)> = world
        .ecs
        .services
        .iter()
        .map(|service| (service.name.clone(), (service.timing.to_healthy(&service.check), service.timing.to_completed(&service.check))))
        .collect();
    let healthy = |name: &str| timings[name].0;
    let agents = ["analysis-agent", "playbook-agent", "integrations-agent"].map(healthy).into_iter().fold(0.0, f64::max);
    let path = (healthy("asset-store") + healthy("context-engine") + agents + timings["gateway"].1) / 6.0;
    let mut job = Job::tag_push(world).await;
    let lateness = Lateness::measure();
    let ran = job.set("DEPLOY_POLL_SECONDS", "0.03").input("skip-e2e", "true").run().await;
    let late = lateness.end();
    ran.ends(0, "success");
    let first = ran.report["services"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|service| service["started_seconds"].as_f64())
        .fold(f64::MAX, f64::min);
    let last =
        ran.report["services"].as_array().unwrap().iter().filter_map(|service| service["ended_seconds"].as_f64()).fold(0.0, f64::max);
    let took = Duration::from_secs_f64(last - first);
    let ratio = took.as_secs_f64() / path;
    let machine = late * CALLS_IN_A_ROW * WAKE_UPS / path;
    println!(
        "critical path {path:.2} s, release {:.2} s, {ratio:.3} x; the machine wakes {:.1} ms late, {machine:.3} x",
        took.as_secs_f64(),
        late * 1000.0
    );
    (ratio, machine)
}

#[tokio::test]
async fn services_in_flight_are_described_ten_a_call() {
    let mut job = Job::tag_push(escher()).await;
    job.run().await.ends(0, "success");
    let most = job.sandbox.with(|world| {
        let calls = world.calls.iter().filter(|call| call.operation == "DescribeServices");
        calls.map(|call| call.body["services"].as_array().map_or(0, Vec::len)).max()
    });
    assert!(most.is_some_and(|most| (3..=10).contains(&most)), "{most:?}");
}
