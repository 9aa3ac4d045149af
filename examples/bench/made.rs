//! Graphs that nobody drew: so many services in five levels, with durations that scatter as real ones do. The same seed gives the
//! same graph.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::io;
use std::path::Path;

use escher_sandbox::{Blueprint, Buckets, Check, Timing, World};

/// Levels of a graph.
const DEPTH: usize = 5;
/// The repository that releases all services together.
pub(crate) const ORCHESTRATOR: &str = "escher-dbai/v3-escher-deployment";

/// A service of a graph.
#[derive(Clone, Debug)]
pub(crate) struct Made {
    pub(crate) name: String,
    pub(crate) needs: Vec<String>,
    desired: u32,
    check: Check,
    timing: Timing,
}

impl Made {
    /// Its repository's name.
    pub(crate) fn repo(&self) -> String {
        format!("{}-service", self.name)
    }
}

/// A graph of so many services.
pub(crate) fn graph(size: usize, seed: u64) -> Vec<Made> {
    let mut chance = fastrand::Rng::with_seed(seed);
    let level = |at: usize| at * DEPTH / size;
    let name = |at: usize| format!("s{at:04}");
    let mut made = Vec::with_capacity(size);
    for at in 0..size {
        let mut needs = Vec::new();
        let before: Vec<usize> = (0..at).filter(|other| level(*other) + 1 == level(at)).collect();
        if let Some(last) = before.last() {
            // One of the level before makes it this level; the others may lie anywhere below.
            let below = last + 1;
            needs.push(before[chance.usize(..before.len())]);
            needs.extend((0..chance.usize(..3)).map(|_| chance.usize(..below)));
            needs.sort_unstable();
            needs.dedup();
        }
        made.push(Made {
            name: name(at),
            needs: needs.into_iter().map(name).collect(),
            desired: chance.u32(1..4),
            check: if chance.u8(..10) == 0 { Check::TargetGroup } else { Check::Container },
            timing: timing(&mut chance),
        });
    }
    made
}

/// The same number without needs: each is released by a repository of its own.
pub(crate) fn independent(size: usize, seed: u64) -> Vec<Made> {
    graph(size, seed).into_iter().map(|made| Made { needs: Vec::new(), ..made }).collect()
}

/// Lognormal around a quick service on Fargate.
fn timing(chance: &mut fastrand::Rng) -> Timing {
    let usual = Timing::USUAL;
    let boot = usual.boot * lognormal(chance, 0.3);
    let check = usual.check * lognormal(chance, 0.3);
    let drain = usual.drain * lognormal(chance, 0.4);
    Timing { boot, check, drain, ..usual }
}

/// Median 1 (Box and Muller's normal, as a power of e).
fn lognormal(chance: &mut fastrand::Rng, sigma: f64) -> f64 {
    let (a, b) = (1.0 - chance.f64(), chance.f64());
    (sigma * (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos()).exp()
}

/// The services in a cluster with ECS's documented token buckets.
pub(crate) fn world(services: &[Made], scale: f64) -> World {
    let mut world = World::empty("dev");
    world.time_scale = scale;
    world.keeps_bodies = false;
    world.ecs.buckets = Some(Buckets::default());
    for made in services {
        let repo = made.repo();
        let (name, port) = (made.name.as_str(), 8080);
        let blueprint = Blueprint { name, repo: &repo, desired: made.desired, check: made.check, port, timing: made.timing };
        world.add_service("dev", &blueprint);
    }
    world
}

/// `services/` and `environments/`, as the shipped ones are.
pub(crate) fn configuration(services: &[Made], folder: &Path) -> io::Result<()> {
    for kind in ["services", "environments"] {
        std::fs::create_dir_all(folder.join(kind))?;
    }
    for made in services {
        let mut text = format!("name: {0}\nrepo: {1}\necr_repo: escher-{0}\n", made.name, made.repo());
        if !made.needs.is_empty() {
            let _ = writeln!(text, "needs: [{}]", made.needs.join(", "));
        }
        text += "health: { path: /health, expect_status: 200, version_field: version }\nconfig: [LOG_LEVEL]\n";
        std::fs::write(folder.join(format!("services/{}.yml", made.name)), text)?;
    }
    std::fs::write(folder.join("environments/dev.env"), "DEPLOY_REGION=us-west-1\nDEPLOY_CLUSTER=escher-dev\nLOG_LEVEL=debug\n")
}

/// What a service holds up, and how long it takes, in seconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    pub(crate) healthy: f64,
    pub(crate) completed: f64,
}

/// The times of every service of a world.
pub(crate) fn times(world: &World) -> BTreeMap<String, Times> {
    let of = |service: &escher_sandbox::Service| Times {
        healthy: service.timing.to_healthy(&service.check),
        completed: service.timing.to_completed(&service.check),
    };
    world.ecs.services.iter().map(|service| (service.name.clone(), of(service))).collect()
}
