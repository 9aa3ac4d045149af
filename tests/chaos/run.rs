//! Plays a seed: up to three runs in one world, each checked.

use std::time::{Duration, Instant};

use escher_sandbox::World;
use futures_util::FutureExt;

use crate::check::{self, Before};
use crate::harness::{Job, Ran};
use crate::scene::{BEFORE, Interrupt, RELEASE, Scene, Then};
use crate::secrets;

/// Told to stop, a run ends within five seconds; twice that on a machine that plays a dozen seeds at once.
const LAST_WORDS: Duration = Duration::from_secs(10);

/// No run takes longer, whatever goes wrong; then it is told to stop, so that it says where it stands.
const PATIENCE: Duration = Duration::from_secs(80);

/// A seed that was played.
pub(crate) struct Played {
    pub(crate) seed: u64,
    pub(crate) runs: Vec<Told>,
    /// What was not as it must be.
    pub(crate) wrong: Vec<String>,
    scene: String,
}

/// One of its runs.
pub(crate) struct Told {
    pub(crate) code: i32,
    pub(crate) result: String,
    text: String,
}

impl Played {
    /// Everything about it.
    pub(crate) fn told(&self) -> String {
        let mut text = format!("── seed {}: {}\n", self.seed, self.scene);
        for (at, run) in self.runs.iter().enumerate() {
            text += &format!("── run {} of seed {}\n{}\n", at + 1, self.seed, run.text);
        }
        for wrong in &self.wrong {
            text += &format!("✗ seed {}: {wrong}\n", self.seed);
        }
        text
    }
}

/// Which run it is, and what it may be held to.
pub(crate) struct Act {
    pub(crate) tag: &'static str,
    pub(crate) interrupt: Option<Interrupt>,
    /// Nothing is broken any more: it must succeed.
    pub(crate) is_healed: bool,
}

/// Plays a seed. A panic in the test itself is a finding, too.
pub(crate) async fn play(seed: u64, scene: &Scene) -> Played {
    let mut played = Played { seed, runs: Vec::new(), wrong: Vec::new(), scene: scene.to_string() };
    let caught = std::panic::AssertUnwindSafe(acts(scene, &mut played)).catch_unwind().await;
    if let Err(panic) = caught {
        let words = panic.downcast_ref::<String>().cloned().or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
        played.wrong.push(format!("the test itself stopped: {}", words.unwrap_or_default()));
    }
    played
}

async fn acts(scene: &Scene, played: &mut Played) {
    let mut job = set_up(scene).await;
    let first = Before::of(&job);
    let [one, two] = scene.interrupts.clone();
    act(scene, &mut job, &first, &Act { tag: RELEASE, interrupt: one, is_healed: false }, played).await;
    match scene.then {
        Then::Nothing => {}
        Then::Again => act(scene, &mut job, &first, &Act { tag: RELEASE, interrupt: two, is_healed: false }, played).await,
        Then::RollBack => {
            job.input("command", "rollback").input("tag", BEFORE);
            act(scene, &mut job, &first, &Act { tag: BEFORE, interrupt: two, is_healed: false }, played).await;
            job.input("command", "").input("tag", "");
        }
    }
    if !scene.inputs.contains(&("dry-run", "true")) {
        job.sandbox.with(Scene::heal);
        act(scene, &mut job, &first, &Act { tag: RELEASE, interrupt: None, is_healed: true }, played).await;
    }
}

async fn set_up(scene: &Scene) -> Job {
    let mut job = Job::tag_push(scene.world.clone()).await;
    job.only(&scene.scope.join(" "));
    for (name, value) in &scene.inputs {
        job.input(name, value);
    }
    for (name, value) in &scene.variables {
        job.set(name, value);
    }
    if let Some(name) = scene.skip {
        job.input("skip", name);
    }
    if scene.builds {
        job.with_docker();
    }
    if !scene.files.is_empty() {
        let folder = job.own_configuration();
        for (name, text) in &scene.files {
            let file = folder.join(format!("services/{name}.yml"));
            let whole = std::fs::read_to_string(&file).unwrap() + text;
            std::fs::write(&file, whole).unwrap();
        }
    }
    job
}

async fn act(scene: &Scene, job: &mut Job, first: &Before, act: &Act, played: &mut Played) {
    // Time goes on only while a run is on its way, so that what it says can be compared with what is there.
    job.sandbox.with(|world| world.time_scale = scene.world.time_scale);
    // Whoever runs a job again does so later than ECS shows what was before.
    let stale = scene.world.ecs.stale_reads / scene.world.time_scale;
    tokio::time::sleep(Duration::from_secs_f64(stale)).await;
    let before = Before::of(job);
    let child = job.start();
    let began = Instant::now();
    let (ran, last_words) = watched(job, child, act.interrupt.as_ref()).await;
    job.sandbox.with(stop_time);
    let mut wrong = check::wrong(scene, job, first, &before, act, &ran);
    wrong.extend(secrets::shown(job, &ran));
    if began.elapsed() >= PATIENCE {
        wrong.push(format!("it hung, and was told to stop after {PATIENCE:?}"));
    }
    if let Some(took) = last_words.filter(|took| *took > LAST_WORDS) {
        wrong.push(format!("it took {took:?} to end once it was told to"));
    }
    let at = played.runs.len() + 1;
    played.wrong.extend(wrong.into_iter().map(|what| format!("run {at} ({}): {what}", ran.code)));
    let text = format!("exit {}\n{}\n--- stderr\n{}\n{}", ran.code, ran.stdout.trim_end(), ran.stderr.trim_end(), after(job));
    played.runs.push(Told { code: ran.code, result: ran.output("result").to_owned(), text });
}

/// A minute of the sandbox takes more than an hour.
fn stop_time(world: &mut World) {
    world.time_scale = 0.01;
}

/// Waits for the end, plants what must not be shown, and stops the run when its time has come. How long it went on after that.
async fn watched(job: &Job, child: tokio::process::Child, interrupt: Option<&Interrupt>) -> (Ran, Option<Duration>) {
    let id = child.id().expect("it runs").to_string();
    let (calls_before, mut has_event, mut told) = (job.sandbox.with(|world| world.calls.len()), false, None);
    let began = Instant::now();
    let mut ended = std::pin::pin!(job.ended(child));
    loop {
        tokio::select! {
            ran = &mut ended => return (ran, told.map(|told: Instant| told.elapsed())),
            () = tokio::time::sleep(Duration::from_millis(4)) => {}
        }
        let calls = job.sandbox.with(|world| {
            secrets::plant(world, &mut has_event);
            world.calls.len() - calls_before
        });
        let due = interrupt.filter(|interrupt| calls >= interrupt.calls).map(|interrupt| interrupt.signal);
        let due = due.or_else(|| (began.elapsed() >= PATIENCE).then_some("TERM"));
        if let Some(signal) = due.filter(|_| told.is_none()) {
            told = Some(Instant::now());
            let _ = tokio::process::Command::new("kill").args([&format!("-{signal}"), &id]).status().await;
        }
    }
}

/// How the sandbox stands, a line a service.
fn after(job: &Job) -> String {
    job.sandbox.with(|world| {
        let line = |service: &escher_sandbox::Service| {
            let primary = service.primary();
            let definition = primary.map(|it| it.task_definition.rsplit('/').next().unwrap_or_default().to_owned());
            let history: Vec<String> = service.history.iter().map(|moment| format!("{:?}@{:.0}", moment.what, moment.at)).collect();
            let rollout = primary.map(|it| it.rollout);
            format!("   {}: {} {rollout:?} {}", service.name, definition.unwrap_or_default(), history.join(" "))
        };
        world.ecs.services.iter().map(line).collect::<Vec<_>>().join("\n")
    })
}
