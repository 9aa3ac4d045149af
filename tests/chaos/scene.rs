//! A world drawn from a seed, and what will happen in it.

use escher_sandbox::{Breaker, BuildFate, Check, Deed, Fate, RollbackId, RunFate, When, World};
use fastrand::Rng;

use crate::faults;

pub(crate) const SERVICES: [&str; 7] =
    ["asset-store", "context-engine", "analysis-agent", "playbook-agent", "integrations-agent", "gateway", "autoresolver"];
pub(crate) const RELEASE: &str = "v2.16.0-dev";
pub(crate) const BEFORE: &str = "v2.15.0-dev";
const SUITE: (&str, &str) = ("escher-dbai/v3-testing-framework", "e2e.yml");

/// When a run is stopped, and how.
#[derive(Debug, Clone)]
pub(crate) struct Interrupt {
    /// `KILL`, `INT` or `TERM`.
    pub(crate) signal: &'static str,
    /// After so many calls to anybody.
    pub(crate) calls: usize,
}

/// What is done after the first run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    /// Nothing.
    Nothing,
    /// The release once more, with whatever faults are left.
    Again,
    /// The release before is put back.
    RollBack,
}

/// Everything that a seed decides.
#[derive(Debug)]
pub(crate) struct Scene {
    pub(crate) world: World,
    pub(crate) scope: Vec<&'static str>,
    pub(crate) skip: Option<&'static str>,
    pub(crate) inputs: Vec<(&'static str, &'static str)>,
    pub(crate) variables: Vec<(&'static str, &'static str)>,
    /// Text to be added to services' files.
    pub(crate) files: Vec<(&'static str, &'static str)>,
    pub(crate) builds: bool,
    pub(crate) interrupts: [Option<Interrupt>; 2],
    pub(crate) then: Then,
    /// What others do.
    pub(crate) deeds: Vec<(When, Deed)>,
    /// Answers may say what is not so; then a run can't be held to the truth, but to everything else.
    pub(crate) is_lied_to: bool,
    /// A service whose counts others change.
    pub(crate) recounted: Vec<&'static str>,
}

impl Scene {
    /// Draws the scene of a seed.
    pub(crate) fn draw(seed: u64) -> Self {
        let rng = &mut Rng::with_seed(seed);
        let mut world = World::escher("dev");
        world.time_scale = f64::from(rng.u32(120..350));
        let scope = scope(rng);
        let mut scene = Self {
            skip: (rng.u8(..10) == 0).then(|| scope[rng.usize(..scope.len())]),
            scope,
            inputs: Vec::new(),
            variables: vec![
                ("DEPLOY_TIMEOUT_MINUTES", "0.15"),
                ("DEPLOY_SMOKE_TIMEOUT_SECONDS", "1"),
                ("DEPLOY_E2E_TIMEOUT_MINUTES", "0.15"),
            ],
            files: Vec::new(),
            builds: rng.u8(..5) == 0,
            interrupts: [interrupt(rng, 35), interrupt(rng, 15)],
            then: [Then::Nothing, Then::Again, Then::Again, Then::RollBack][rng.usize(..4)],
            deeds: Vec::new(),
            is_lied_to: false,
            recounted: Vec::new(),
            world,
        };
        scene.shape_services(rng);
        scene.break_images(rng);
        scene.draw_build(rng);
        scene.draw_inputs(rng);
        scene.draw_migration(rng);
        scene.draw_deeds(rng);
        for _ in 0..[0, 0, 1, 1, 2, 3, 5][rng.usize(..7)] {
            scene.world.fault(faults::draw(rng));
        }
        scene
    }

    /// The scene of a seed, with answers that are not quite what they should be in place of its faults.
    pub(crate) fn garbled(seed: u64) -> Self {
        let rng = &mut Rng::with_seed(seed ^ 0x6172);
        let mut scene = Self::draw(seed);
        scene.is_lied_to = true;
        scene.world.faults = (0..1 + rng.usize(..4)).map(|_| faults::garbled(rng)).collect();
        scene
    }

    /// Counts, checks and breakers of the services as they run.
    fn shape_services(&mut self, rng: &mut Rng) {
        for name in SERVICES {
            if rng.u8(..3) > 0 {
                continue;
            }
            let service = self.world.service_mut(name);
            service.check = [Check::Container, Check::Container, Check::TargetGroup, Check::None][rng.usize(..4)];
            service.breaker = Breaker { enable: rng.u8(..4) > 0, rollback: rng.bool() };
            service.rollback_id = if rng.bool() { RollbackId::Reused } else { RollbackId::Fresh };
            service.timing.drain = [1.0, 30.0, 200.0][rng.usize(..3)];
            service.timing.crash_retry = [1.0, 12.0][rng.usize(..2)];
            service.timing.pull_retry = [2.0, 40.0][rng.usize(..2)];
        }
        self.world.ecs.stale_reads = [0.0, 0.0, 20.0, 150.0][rng.usize(..4)];
        self.world.ecs.failure_lags = rng.bool();
        self.world.slack.rate_limit = rng.bool();
    }

    /// Half of the worlds have images that don't do well.
    fn break_images(&mut self, rng: &mut Rng) {
        for _ in 0..[0, 0, 1, 1, 1, 2][rng.usize(..6)] {
            let name = self.scope[rng.usize(..self.scope.len())];
            let fate = match rng.u8(..9) {
                0 | 1 => Fate::Crashes { exit_code: rng.i32(1..140), after: f64::from(rng.u32(0..8)) },
                2 => Fate::Unhealthy,
                3 => Fate::CannotPull,
                4 => Fate::Answers { status: [500, 302, 404][rng.usize(..3)] },
                5 => Fate::AnswersVersion(["2.15.0-dev", "", "\u{1b}[31m::error::owned"][rng.usize(..3)].to_owned()),
                6 => Fate::OutOfMemory,
                7 => Fate::NeverStarts,
                _ => Fate::CrashesWhenHealthy { exit_code: 1, after: f64::from(rng.u32(1..60)) },
            };
            self.world.image_mut(&format!("escher-{name}"), RELEASE).fate = fate;
        }
    }

    /// In some worlds the images are not built yet.
    fn draw_build(&mut self, rng: &mut Rng) {
        if !self.builds {
            return;
        }
        let all = rng.bool();
        for repository in &mut self.world.ecr.repositories {
            let is_kept = !all && rng.bool();
            repository.images.retain(|image| is_kept || image.version != "2.16.0-dev");
        }
        if rng.u8(..3) == 0 {
            let lines =
                vec!["ERROR: failed to solve".to_owned(), "##[error]owned".to_owned(), "::set-output name=result::success".to_owned()];
            let fate = if rng.bool() { BuildFate::Fails(lines) } else { BuildFate::TestFails(lines) };
            let name = self.scope[rng.usize(..self.scope.len())];
            self.world.engine.fates.insert(name.to_owned(), fate);
        }
    }

    fn draw_inputs(&mut self, rng: &mut Rng) {
        if rng.u8(..10) < 3 {
            self.inputs.push(("on-failure", "hold"));
        }
        for (name, chance) in [("force", 8), ("skip-smoke", 10), ("dry-run", 4), ("skip-e2e", 40)] {
            if rng.u8(..100) < chance {
                self.inputs.push((name, "true"));
            }
        }
        if rng.u8(..4) == 0 {
            self.world.github.workflow_mut(SUITE.0, SUITE.1).fate = RunFate::ends(["failure", "timed_out", "cancelled"][rng.usize(..3)]);
        }
        if rng.u8(..4) == 0 {
            self.variables.push(("DEPLOY_E2E_ROLLBACK", "true"));
        }
    }

    fn draw_migration(&mut self, rng: &mut Rng) {
        if rng.u8(..4) > 0 {
            return;
        }
        let name = SERVICES[rng.usize(..SERVICES.len())];
        let text = if rng.u8(..4) == 0 {
            "migrate: { command: [./migrate, up], irreversible: true }\n"
        } else {
            "migrate: { command: [./migrate, up] }\n"
        };
        self.files.push((name, text));
        self.world.ecs.one_off_exit = [0, 0, 0, 3][rng.usize(..4)];
    }

    fn draw_deeds(&mut self, rng: &mut Rng) {
        if rng.u8(..3) > 0 {
            return;
        }
        for _ in 0..1 + rng.usize(..2) {
            let name = SERVICES[rng.usize(..SERVICES.len())];
            let (service, after) = (name.to_owned(), SERVICES[rng.usize(..SERVICES.len())]);
            let when = match rng.u8(..6) {
                0 => When::BeforeUpdate { service: name.to_owned() },
                1 => When::BeforeUpdate { service: after.to_owned() },
                2 | 3 => When::AfterUpdate { service: name.to_owned(), seconds: f64::from(rng.u32(0..80)) },
                4 => When::AfterUpdate { service: after.to_owned(), seconds: f64::from(rng.u32(0..80)) },
                _ => When::At(f64::from(rng.u32(0..600))),
            };
            let deed = match rng.u8(..6) {
                0..3 => Deed::StrangerDeploys { service },
                3 => Deed::StopTasks { service },
                4 => Deed::SetDesired { service, count: rng.u32(0..4) },
                _ => Deed::Rollback { service },
            };
            if matches!(deed, Deed::StopTasks { .. } | Deed::SetDesired { .. }) {
                self.recounted.push(name);
            }
            self.deeds.push((when.clone(), deed.clone()));
            self.world.script(when, deed);
        }
    }

    /// What is still broken is mended.
    pub(crate) fn heal(world: &mut World) {
        world.faults.clear();
        world.ecs.one_off_exit = 0;
        world.engine.fates.clear();
        world.slack.rate_limit = false;
        world.github.workflow_mut(SUITE.0, SUITE.1).fate = RunFate::ends("success");
        let stuck = |service: &&escher_sandbox::Service| service.tasks.iter().any(|task| task.live() && task.fate == Fate::NeverStarts);
        let stuck: Vec<String> = world.ecs.services.iter().filter(stuck).map(|service| service.name.clone()).collect();
        for service in stuck {
            world.script(When::At(world.now()), Deed::StopTasks { service });
        }
        let now = world.now();
        for task in world.ecs.one_off.iter_mut().filter(|task| task.live() && task.fate == Fate::NeverStarts) {
            (task.told_to_stop, task.last_status, task.stopped_at) = (true, "STOPPED", Some(now));
            task.stop_code = Some("UserInitiated".to_owned());
        }
        for image in world.ecr.repositories.iter_mut().flat_map(|repository| &mut repository.images) {
            image.fate = Fate::Well;
        }
    }
}

fn scope(rng: &mut Rng) -> Vec<&'static str> {
    if rng.u8(..3) == 0 {
        return SERVICES.to_vec();
    }
    let mut all = SERVICES.to_vec();
    rng.shuffle(&mut all);
    all.truncate(1 + rng.usize(..4));
    all
}

fn interrupt(rng: &mut Rng, chance: u8) -> Option<Interrupt> {
    let signal = ["KILL", "INT", "TERM"][rng.usize(..3)];
    let calls = if rng.bool() { rng.usize(1..60) } else { rng.usize(1..250) };
    (rng.u8(..100) < chance).then_some(Interrupt { signal, calls })
}

impl std::fmt::Display for Scene {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} · {:?}", self.scope.join(" "), self.then)?;
        if let Some(skip) = self.skip {
            write!(f, " · without {skip}")?;
        }
        write!(f, " · {:?} {:?} {:?}", self.inputs, self.variables, self.files)?;
        write!(f, " · scale {}{}", self.world.time_scale, if self.builds { ", builds" } else { "" })?;
        for (at, interrupt) in self.interrupts.iter().enumerate() {
            if let Some(interrupt) = interrupt {
                write!(f, "\n   run {}: SIG{} after {} calls", at + 1, interrupt.signal, interrupt.calls)?;
            }
        }
        for fault in &self.world.faults {
            write!(f, "\n   {} {}: {} pass, then {} times {:?}", fault.party, fault.operation, fault.skip, fault.times, fault.effect)?;
        }
        for image in self.world.ecr.repositories.iter().flat_map(|repository| &repository.images) {
            if image.fate != Fate::Well {
                write!(f, "\n   {} {:?}", image.tags.first().map_or("", String::as_str), image.fate)?;
            }
        }
        for (when, deed) in &self.deeds {
            write!(f, "\n   {when:?}: {deed:?}")?;
        }
        Ok(())
    }
}
