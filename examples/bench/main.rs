//! How fast the pipeline is, and what it costs: `cargo build --release && cargo run --release --example bench`.
//!
//! The binary is measured as a child process, the cloud is the sandbox, and everything is measured in one run. `--quick` leaves
//! out what takes minutes; `--only <part>` measures one part; `--json <file>` says where the numbers go; `--action <folder>` names a
//! checkout of aws-actions/amazon-ecs-deploy-task-definition to run beside ours. Exit code 1: a limit is missed.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it says what it measured")]

mod calls;
mod child;
mod crowd;
mod lag;
mod limit;
mod made;
mod reasons;
mod release;
mod row;
mod start;

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use escher_sandbox::{Sandbox, World};

use crate::release::{Release, shipped};
use crate::row::Row;

/// What is measured, and with what.
pub(crate) struct Bench {
    /// The binary.
    pub(crate) program: PathBuf,
    /// It is built as it is shipped: then its size, time and memory mean something.
    pub(crate) is_release: bool,
    pub(crate) is_quick: bool,
    only: Option<String>,
    json: PathBuf,
    pub(crate) aws: Option<PathBuf>,
    pub(crate) action: Option<PathBuf>,
    runtime: tokio::runtime::Runtime,
}

impl Bench {
    /// A sandbox in a thread of its own.
    pub(crate) fn sandbox(&self, world: World) -> Sandbox {
        self.runtime.block_on(Sandbox::start(world))
    }

    fn wants(&self, part: &str) -> bool {
        self.only.as_ref().is_none_or(|only| only == part)
    }
}

fn main() -> ExitCode {
    match bench() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("the bench failed: {error}");
            ExitCode::from(2)
        }
    }
}

fn bench() -> io::Result<bool> {
    let bench = read_arguments()?;
    let folder = std::env::temp_dir().join(format!("escher-bench-{}", std::process::id()));
    let mut rows = Vec::new();
    for (part, measure) in PARTS {
        if bench.wants(part) && (!bench.is_quick || !LONG.contains(&part)) {
            eprintln!("measuring: {part} …");
            let measured = measure(&bench, &folder.join(part))?;
            print!("{}", row::table(&measured));
            rows.extend(measured);
        }
    }
    std::fs::remove_dir_all(&folder)?;
    std::fs::write(&bench.json, format!("{:#}\n", row::as_json(&rows)))?;
    println!("\n{}\nThe same for machines: {}", row::verdict(&rows), bench.json.display());
    Ok(row::all_hold(&rows))
}

type Part = (&'static str, fn(&Bench, &Path) -> io::Result<Vec<Row>>);

/// In this order: what nothing else may disturb comes first.
const PARTS: [Part; 6] = [
    ("start", start::measure),
    ("lag", lag::measure),
    ("seven", seven),
    ("63", sixty_three),
    ("1000", thousand),
    ("crowd", crowd::measure),
];

/// These take minutes.
const LONG: [&str; 2] = ["1000", "crowd"];

fn seven(bench: &Bench, folder: &Path) -> io::Result<Vec<Row>> {
    let mut world = World::escher("dev");
    world.time_scale = if bench.is_quick { 10.0 } else { 6.0 };
    world.keeps_bodies = false;
    world.ecs.buckets = Some(escher_sandbox::Buckets::default());
    let configuration = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let group =
        if bench.is_quick { "The seven services, 10 × as fast as real time" } else { "The seven services, 6 × as fast as real time" };
    let release = Release { group, world, needs: shipped(), configuration, ratio: 1.03, memory: None, cpu: None };
    release.measure(bench, folder)
}

fn sixty_three(bench: &Bench, folder: &Path) -> io::Result<Vec<Row>> {
    let group = "63 services in one run, 10 × as fast as real time";
    generated(bench, folder, (group, 63, 10.0), (1.05, 30.0, Some(1.0)))
}

fn thousand(bench: &Bench, folder: &Path) -> io::Result<Vec<Row>> {
    let group = "1,000 services in one run, 10 × as fast as real time";
    generated(bench, folder, (group, 1000, 10.0), (1.10, 100.0, None))
}

fn generated(
    bench: &Bench,
    folder: &Path,
    (group, size, scale): (&'static str, usize, f64),
    (ratio, memory, cpu): (f64, f64, Option<f64>),
) -> io::Result<Vec<Row>> {
    let services = made::graph(size, 7);
    let configuration = folder.join("configuration");
    made::configuration(&services, &configuration)?;
    let needs = services.iter().map(|made| (made.name.clone(), made.needs.clone())).collect();
    let world = made::world(&services, scale);
    Release { group, world, needs, configuration, ratio, memory: Some(memory), cpu }.measure(bench, folder)
}

fn read_arguments() -> io::Result<Bench> {
    let own = std::env::current_exe()?;
    let target = own.parent().and_then(Path::parent).unwrap_or(Path::new("."));
    let mut bench = Bench {
        program: target.join("escher-deploy"),
        is_release: !cfg!(debug_assertions),
        is_quick: false,
        only: None,
        json: target.join("bench.json"),
        aws: lag::aws(),
        action: None,
        runtime: tokio::runtime::Builder::new_current_thread().build()?,
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| io::Error::other(format!("{argument} needs a value")));
        match argument.as_str() {
            "--quick" => bench.is_quick = true,
            "--only" => bench.only = Some(value()?),
            "--json" => bench.json = PathBuf::from(value()?),
            "--action" => bench.action = Some(PathBuf::from(value()?)),
            "--binary" => bench.program = PathBuf::from(value()?),
            other => return Err(io::Error::other(format!("unknown option {other}"))),
        }
    }
    if !bench.program.is_file() {
        let how = if bench.is_release { "cargo build --release" } else { "cargo build" };
        return Err(io::Error::other(format!("there is no {}: build it with `{how}`", bench.program.display())));
    }
    Ok(bench)
}
