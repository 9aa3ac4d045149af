//! Chaos: for each seed a world of its own, in which services fail, calls go wrong, strangers deploy, and somebody may stop
//! the run. Whatever happens, what the run says must be what the sandbox holds.
//!
//! `cargo test --test chaos -- --seeds 1000 --from 1 --jobs 12`, or `--seconds 60`; a failing seed is played again with
//! `--seed N`. A seed decides the world, the faults, and when the run is stopped, counted in calls; how the system's
//! scheduler interleaves processes and calls is not its to decide, so a rare failure may take several replays (`--times`).
//!
//! With `--garbled` answers are changed in one place instead of lost: left out, of another type, absurd.
//!
//! `--every-call` goes through a small world instead, see `small.rs`; there `--seed` is a number of its list.
#![expect(clippy::disallowed_methods, clippy::print_stdout, reason = "a program for people that starts the binary")]
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that can't go on should stop")]

mod check;
mod claims;
mod faults;
#[path = "../stories/harness.rs"]
#[expect(dead_code, reason = "the stories' harness; chaos needs less of it")]
mod harness;
mod run;
mod scene;
mod secrets;
mod small;

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use run::Played;
use scene::Scene;

/// What was asked for.
struct Asked {
    from: u64,
    seeds: u64,
    seconds: Option<u64>,
    jobs: usize,
    times: u64,
    tells: bool,
    every_call: bool,
    garbled: bool,
}

impl Asked {
    fn read() -> Result<Self, String> {
        let mut asked = Self { from: 1, seeds: 100, seconds: None, jobs: 8, times: 1, tells: false, every_call: false, garbled: false };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            match word.as_str() {
                "--tell" => asked.tells = true,
                "--garbled" => asked.garbled = true,
                "--every-call" => (asked.every_call, asked.from, asked.seeds) = (true, 0, small::count()),
                _ => asked.number(&word, words.next())?,
            }
        }
        Ok(asked)
    }

    fn number(&mut self, word: &str, text: Option<String>) -> Result<(), String> {
        let number = text.and_then(|text| text.parse::<u64>().ok()).ok_or(format!("{word} wants a number"))?;
        match word {
            "--from" => self.from = number,
            "--seeds" => self.seeds = number,
            "--seconds" => (self.seconds, self.seeds) = (Some(number), u64::MAX / 2),
            "--jobs" => self.jobs = usize::try_from(number).unwrap_or(1).max(1),
            "--times" => self.times = number.max(1),
            "--seed" => (self.from, self.seeds, self.tells) = (number, 1, true),
            _ => {
                return Err(format!(
                    "{word} is unknown: --seed, --seeds, --from, --seconds, --jobs, --times, --tell, --every-call, --garbled"
                ));
            }
        }
        Ok(())
    }

    fn scene(&self, seed: u64) -> Scene {
        match (self.every_call, self.garbled) {
            (true, _) => small::scene(seed),
            (false, true) => Scene::garbled(seed),
            (false, false) => Scene::draw(seed),
        }
    }

    fn replay(&self, seed: u64) -> String {
        let which = [(self.every_call, "--every-call "), (self.garbled, "--garbled ")];
        let which: String = which.iter().filter(|(is_asked, _)| *is_asked).map(|(_, word)| *word).collect();
        format!("cargo test --test chaos -- {which}--seed {seed}")
    }
}

/// How often each ending was seen, and which seeds failed.
#[derive(Default)]
struct Tally {
    seeds: u64,
    runs: u64,
    endings: std::collections::BTreeMap<String, u64>,
    failed: Vec<u64>,
}

impl Tally {
    fn add(&mut self, played: &Played, asked: &Asked) {
        self.seeds += 1;
        for ran in &played.runs {
            self.runs += 1;
            *self.endings.entry(format!("exit {} {}", ran.code, ran.result)).or_default() += 1;
        }
        if asked.tells || !played.wrong.is_empty() {
            println!("{}", played.told());
        }
        if !played.wrong.is_empty() {
            self.failed.push(played.seed);
            println!("seed {} FAILED; play it again: {}", played.seed, asked.replay(played.seed));
        }
    }

    fn print(&self, time: Duration) {
        println!("{} seeds, {} runs in {:.0} s, {} failed", self.seeds, self.runs, time.as_secs_f64(), self.failed.len());
        for (ending, count) in &self.endings {
            println!("  {count:5}  {ending}");
        }
        if !self.failed.is_empty() {
            println!("failed seeds: {:?}", self.failed);
        }
    }
}

fn main() -> ExitCode {
    let asked = match Asked::read() {
        Ok(asked) => asked,
        Err(why) => {
            println!("{why}");
            return ExitCode::from(2);
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let tally = runtime.block_on(play_all(&asked));
    if tally.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn play_all(asked: &Asked) -> Tally {
    let (began, next, mut tally) = (Instant::now(), AtomicU64::new(0), Tally::default());
    let (sender, mut played) = tokio::sync::mpsc::unbounded_channel();
    let worker = |sender: tokio::sync::mpsc::UnboundedSender<Played>| {
        let next = &next;
        async move {
            loop {
                let turn = next.fetch_add(1, Ordering::Relaxed) / asked.times;
                let is_over = asked.seconds.is_some_and(|seconds| began.elapsed() >= Duration::from_secs(seconds));
                if is_over || turn >= asked.seeds {
                    return;
                }
                let seed = asked.from + turn;
                if sender.send(run::play(seed, &asked.scene(seed)).await).is_err() {
                    return;
                }
            }
        }
    };
    let workers = futures_util::future::join_all((0..asked.jobs).map(|_| worker(sender.clone())));
    let telling = async {
        while let Some(one) = played.recv().await {
            tally.add(&one, asked);
        }
    };
    tokio::join!(
        async {
            workers.await;
            drop(sender);
        },
        telling
    );
    tally.print(began.elapsed());
    tally
}
