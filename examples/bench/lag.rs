//! How long after a deployment's completion the verdict on it comes, at real time; and the same of others who wait beside us.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::ScopedJoinHandle;
use std::time::Duration;

use escher_sandbox::{Sandbox, Timing, What};

use crate::child::Job;
use crate::made::{ORCHESTRATOR, configuration, independent, world};
use crate::row::Row;
use crate::{Bench, made::Made};

/// One poll by default, in seconds.
const POLL: f64 = 2.0;
/// How much less than the peer's our lag must be.
const TIMES_LESS: f64 = 5.0;
const GROUP: &str = "Lag: from COMPLETED to the end of the process, at real time";

/// So many of the longest deployments are watched by each: when somebody looks is chance.
const TIMES: usize = 5;
/// They begin one after the other, so that nobody's looks fall together.
const APART: Duration = Duration::from_millis(430);

const fn timing(place: f64, boot: f64, check: f64, stop_old: f64, drain: f64) -> Timing {
    Timing { place, boot, check, stop_old, drain, ..Timing::USUAL }
}

/// A deployment's length in seconds, and what makes it; how many of it.
const LENGTHS: [(f64, Timing, usize); 3] = [
    (5.0, timing(0.5, 1.0, 1.0, 0.5, 2.0), 1),
    (20.0, timing(2.0, 6.0, 5.0, 1.0, 6.0), 1),
    (65.0, timing(3.0, 15.0, 10.0, 2.0, 35.0), TIMES),
];

/// All lengths side by side, each deployment a run of its own.
pub(crate) fn measure(bench: &Bench, folder: &Path) -> io::Result<Vec<Row>> {
    let lengths: Vec<_> = LENGTHS.into_iter().filter(|(length, ..)| !bench.is_quick || *length < 60.0).collect();
    let each: Vec<(f64, Timing)> = lengths.iter().flat_map(|(length, timing, times)| vec![(*length, *timing); *times]).collect();
    let has_action = bench.action.is_some() && !bench.is_quick;
    let services: Vec<Made> = independent(each.len() + if has_action { TIMES } else { 0 }, 1);
    let mut world = world(&services, 1.0);
    // The action has the longest for itself.
    let longest = each.iter().copied().last().into_iter().cycle();
    for (service, (_, timing)) in world.ecs.services.iter_mut().zip(each.iter().copied().chain(longest)) {
        service.timing = timing;
    }
    let shipped = folder.join("configuration");
    configuration(&services, &shipped)?;
    let sandbox = bench.sandbox(world);
    let (own, others) = services.split_at(each.len());
    let watched = &own[own.len() - if bench.is_quick || bench.aws.is_none() { 0 } else { TIMES }..];
    let (ours, waits, actions) = std::thread::scope(|scope| {
        let (sandbox, shipped) = (&sandbox, &shipped);
        let start = |at: usize| Duration::from_secs(1) + APART * u32::try_from(at).unwrap_or(0);
        let ours = own.iter().enumerate().map(|(at, made)| {
            let folder = folder.join(&made.name);
            scope.spawn(move || later(start(at), || ours(bench, sandbox, shipped, &folder, &made.name)))
        });
        let ours: Vec<_> = ours.collect();
        let waits: Vec<_> = watched.iter().map(|made| scope.spawn(|| wait(bench, sandbox, &made.name))).collect();
        let actions = others.iter().enumerate().map(|(at, made)| {
            let folder = folder.join("action").join(&made.name);
            scope.spawn(move || later(start(at), || action(bench, sandbox, &folder, &made.name)))
        });
        let actions: Vec<_> = actions.collect();
        (ended(ours), ended(waits), ended(actions))
    });
    Ok(rows(&lengths, &ours?, &[("aws ecs wait services-stable", waits?), ("amazon-ecs-deploy-task-definition", actions?)]))
}

/// What the threads brought, in order.
fn ended(threads: Vec<ScopedJoinHandle<'_, io::Result<f64>>>) -> io::Result<Vec<f64>> {
    threads.into_iter().map(|thread| thread.join().unwrap_or(Ok(f64::NAN))).collect()
}

fn later<T>(pause: Duration, work: impl FnOnce() -> T) -> T {
    std::thread::sleep(pause);
    work()
}

fn rows(lengths: &[(f64, Timing, usize)], lags: &[f64], peers: &[(&'static str, Vec<f64>)]) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut rest = lags;
    let mut last = (0.0, f64::NAN);
    for (length, _, times) in lengths {
        let (own, others) = rest.split_at(*times);
        rest = others;
        last = (*length, median(own));
        let most = own.iter().copied().fold(f64::MIN, |a, b| if b.is_nan() { b } else { a.max(b) });
        let what = format!("a deployment of {length} s");
        let what = if *times > 1 { format!("{what}, the longest of {times}") } else { what };
        rows.push(Row::limited(GROUP, what, most, "s", POLL).note(format!("the middle one {:.3}", median(own))));
    }
    for (who, lags) in peers.iter().filter(|(_, lags)| !lags.is_empty()) {
        let (length, ours, all) = (last.0, last.1, lags.iter().map(|lag| format!("{lag:.1}")).collect::<Vec<_>>().join(", "));
        rows.push(Row::told(GROUP, format!("{who}, of {length} s, the middle one"), median(lags), "s").note(all));
        rows.push(Row::limited(
            GROUP,
            format!("{TIMES_LESS} × our middle lag, over that of {who}"),
            TIMES_LESS * ours / median(lags),
            "×",
            1.0,
        ));
    }
    rows
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

fn ours(bench: &Bench, sandbox: &Sandbox, shipped: &Path, folder: &Path, service: &str) -> io::Result<f64> {
    let job = Job::new(&bench.program, sandbox, folder, shipped, ORCHESTRATOR)?.set("INPUT_SERVICES", service);
    let ran = job.run(sandbox)?;
    if ran.code != Some(0) {
        eprintln!("{}", ran.output);
        return Ok(f64::NAN);
    }
    Ok(ran.ended - completed(sandbox, service))
}

fn completed(sandbox: &Sandbox, service: &str) -> f64 {
    sandbox.with(|world| {
        let moments = world.history(service).iter();
        moments.rev().find(|moment| moment.what == What::Completed).map_or(f64::NAN, |moment| moment.at)
    })
}

/// `aws ecs wait services-stable`, from the moment at which the service was updated.
fn wait(bench: &Bench, sandbox: &Sandbox, service: &str) -> io::Result<f64> {
    let Some(aws) = &bench.aws else { return Ok(f64::NAN) };
    let is_updated = || sandbox.with(|world| world.history(service).iter().any(|moment| moment.what == What::Updated));
    for _ in 0..400 {
        if is_updated() {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let arguments = ["ecs", "wait", "services-stable", "--cluster", "escher-dev", "--services", service];
    let is_well = other(aws, sandbox).args(arguments).stdout(Stdio::null()).stderr(Stdio::inherit()).status()?.success();
    Ok(if is_well { sandbox.now() - completed(sandbox, service) } else { f64::NAN })
}

/// The deploy action, which registers and updates by itself, on a service of its own.
fn action(bench: &Bench, sandbox: &Sandbox, folder: &Path, service: &str) -> io::Result<f64> {
    let Some(action) = &bench.action else { return Ok(f64::NAN) };
    std::fs::create_dir_all(folder)?;
    let definition = sandbox.with(|world| {
        let arn = world.ecs.service(service).map(|service| service.task_definition.clone()).unwrap_or_default();
        world.ecs.definition(&arn).map(|definition| definition.body.clone()).unwrap_or_default()
    });
    let file = folder.join("definition.json");
    std::fs::write(&file, definition.to_string())?;
    let inputs = [
        ("INPUT_TASK-DEFINITION", file.display().to_string()),
        ("INPUT_CLUSTER", "escher-dev".to_owned()),
        ("INPUT_SERVICE", service.to_owned()),
        ("INPUT_WAIT-FOR-SERVICE-STABILITY", "true".to_owned()),
        ("GITHUB_WORKSPACE", folder.display().to_string()),
        ("GITHUB_OUTPUT", folder.join("output").display().to_string()),
    ];
    std::fs::write(folder.join("output"), "")?;
    let log = std::fs::File::create(folder.join("log"))?;
    let mut command = other(Path::new("node"), sandbox);
    command.arg(action.join("dist/index.js")).envs(inputs).stdout(log.try_clone()?).stderr(log);
    let is_well = command.status()?.success();
    let lag = sandbox.now() - completed(sandbox, service);
    if !is_well {
        eprintln!("the deploy action: {}", std::fs::read_to_string(folder.join("log")).unwrap_or_default());
    }
    Ok(if is_well { lag } else { f64::NAN })
}

/// A program that finds the sandbox where AWS would be.
#[expect(clippy::disallowed_methods, reason = "it starts those beside whom it measures")]
fn other(program: &Path, sandbox: &Sandbox) -> Command {
    let mut command = Command::new(program);
    command
        .env("AWS_ENDPOINT_URL", sandbox.url())
        .env("AWS_REGION", "us-west-1")
        .env("AWS_DEFAULT_REGION", "us-west-1")
        .stdin(Stdio::null());
    command.env("AWS_ACCESS_KEY_ID", "AKIASANDBOXSTATIC").env("AWS_SECRET_ACCESS_KEY", "any").env("AWS_MAX_ATTEMPTS", "3");
    command
}

/// The project's own `aws`, or the first one on the path.
#[expect(clippy::disallowed_methods, reason = "where programs are is no configuration of the pipeline")]
pub(crate) fn aws() -> Option<PathBuf> {
    let own = std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache/escher-deploy/tools/python/bin/aws"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    own.into_iter().chain(std::env::split_paths(&path).map(|folder| folder.join("aws"))).find(|file| file.is_file())
}
