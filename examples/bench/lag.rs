//! How long after a deployment's completion the verdict on it comes, at real time; and the same of others who wait beside us.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
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

/// A deployment's length in seconds, and what makes it.
const LENGTHS: [(f64, Timing); 3] = [
    (5.0, Timing { place: 0.5, boot: 1.0, check: 1.0, stop_old: 0.5, drain: 2.0, ..Timing::USUAL }),
    (20.0, Timing { place: 2.0, boot: 6.0, check: 5.0, stop_old: 1.0, drain: 6.0, ..Timing::USUAL }),
    (65.0, Timing { place: 3.0, boot: 15.0, check: 10.0, stop_old: 2.0, drain: 35.0, ..Timing::USUAL }),
];

/// All lengths side by side, each a run of its own.
pub(crate) fn measure(bench: &Bench, folder: &Path) -> io::Result<Vec<Row>> {
    let lengths: Vec<(f64, Timing)> = LENGTHS.into_iter().filter(|(length, _)| !bench.is_quick || *length < 60.0).collect();
    let services: Vec<Made> = independent(lengths.len() + 1, 1);
    let mut world = world(&services, 1.0);
    for (service, (_, timing)) in world.ecs.services.iter_mut().zip(&lengths) {
        service.timing = *timing;
    }
    if let (Some(service), Some((_, longest))) = (world.ecs.services.last_mut(), lengths.last()) {
        service.timing = *longest;
    }
    let shipped = folder.join("configuration");
    configuration(&services, &shipped)?;
    let sandbox = bench.sandbox(world);
    std::thread::scope(|scope| {
        let ours = services.iter().zip(&lengths).map(|(made, (length, _))| {
            let (sandbox, shipped, folder) = (&sandbox, &shipped, folder.join(&made.name));
            scope.spawn(move || ours(bench, sandbox, shipped, &folder, made, *length))
        });
        let ours: Vec<_> = ours.collect();
        let theirs = peers(bench, &sandbox, &services[lengths.len() - 1].name)?;
        let action = scope.spawn(|| action(bench, &sandbox, &folder.join("action"), &services[lengths.len()].name));
        let lags = ours.into_iter().map(|thread| thread.join().unwrap_or(Ok(f64::NAN))).collect::<io::Result<Vec<f64>>>()?;
        let mut rows: Vec<Row> = lengths
            .iter()
            .zip(&lags)
            .map(|((length, _), lag)| Row::limited(GROUP, format!("a deployment of {length} s"), *lag, "s", POLL))
            .collect();
        let last = lags.last().copied().unwrap_or(f64::NAN);
        let length = lengths.last().map_or(0.0, |(length, _)| *length);
        for (who, lag) in theirs.wait(&sandbox)?.into_iter().chain(action.join().unwrap_or(Ok(None))?) {
            rows.push(Row::told(GROUP, format!("{who}, a deployment of {length} s"), lag, "s"));
            rows.push(Row::limited(GROUP, format!("{TIMES_LESS} × our lag, over that of {who}"), TIMES_LESS * last / lag, "×", 1.0));
        }
        Ok(rows)
    })
}

fn ours(bench: &Bench, sandbox: &Sandbox, shipped: &Path, folder: &Path, made: &Made, length: f64) -> io::Result<f64> {
    let job = Job::new(&bench.program, sandbox, folder, shipped, ORCHESTRATOR)?.set("INPUT_SERVICES", &made.name);
    let ran = job.run(sandbox)?;
    if ran.code != Some(0) {
        eprintln!("the deployment of {length} s: {}", ran.output);
    }
    Ok(if ran.code == Some(0) { ran.ended - completed(sandbox, &made.name) } else { f64::NAN })
}

fn completed(sandbox: &Sandbox, service: &str) -> f64 {
    sandbox.with(|world| {
        let moments = world.history(service).iter();
        moments.rev().find(|moment| moment.what == What::Completed).map_or(f64::NAN, |moment| moment.at)
    })
}

/// Who waits beside us, and for what.
struct Peers {
    service: String,
    aws: Option<Child>,
}

/// `aws ecs wait services-stable`, from the moment at which the service was updated.
fn peers(bench: &Bench, sandbox: &Sandbox, service: &str) -> io::Result<Peers> {
    let none = Peers { service: service.to_owned(), aws: None };
    let Some(aws) = bench.aws.as_ref().filter(|_| !bench.is_quick) else { return Ok(none) };
    let is_updated = || sandbox.with(|world| world.history(service).iter().any(|moment| moment.what == What::Updated));
    for _ in 0..200 {
        if is_updated() {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let arguments = ["ecs", "wait", "services-stable", "--cluster", "escher-dev", "--services", service];
    let child = other(aws, sandbox).args(arguments).stdout(Stdio::null()).stderr(Stdio::inherit()).spawn()?;
    Ok(Peers { aws: Some(child), ..none })
}

impl Peers {
    fn wait(self, sandbox: &Sandbox) -> io::Result<Option<(&'static str, f64)>> {
        let Some(mut aws) = self.aws else { return Ok(None) };
        let is_well = aws.wait()?.success();
        let lag = sandbox.now() - completed(sandbox, &self.service);
        Ok(is_well.then_some(("aws ecs wait services-stable", lag)))
    }
}

/// The deploy action, which registers and updates by itself, on a service of its own.
fn action(bench: &Bench, sandbox: &Sandbox, folder: &Path, service: &str) -> io::Result<Option<(&'static str, f64)>> {
    let Some(action) = bench.action.as_ref().filter(|_| !bench.is_quick) else { return Ok(None) };
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
    Ok(Some(("amazon-ecs-deploy-task-definition", if is_well { lag } else { f64::NAN })))
}

/// A program that finds the sandbox where AWS would be.
#[expect(clippy::disallowed_methods, reason = "it starts those beside whom it measures")]
fn other(program: &Path, sandbox: &Sandbox) -> Command {
    let mut command = Command::new(program);
    command.env("AWS_ENDPOINT_URL", sandbox.url()).env("AWS_REGION", "us-west-1").env("AWS_DEFAULT_REGION", "us-west-1").stdin(Stdio::null());
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
