//! A small world, and everything that can happen in it: somebody else acts just before each call to ECS, one world for each
//! call, each deed and each way that the release may go; in some the run is stopped as well.

use escher_sandbox::{Breaker, Deed, Fate, When, World};

use crate::scene::{Interrupt, RELEASE, Scene, Then};

const SCOPE: [&str; 2] = ["asset-store", "context-engine"];

/// How the release goes if nobody interferes.
const FATES: [Option<(&str, Fate)>; 4] = [
    None,
    Some(("context-engine", Fate::Answers { status: 500 })),
    Some(("context-engine", Fate::Crashes { exit_code: 3, after: 1.0 })),
    Some(("asset-store", Fate::Answers { status: 500 })),
];

/// Calls to ECS of the longest of these releases; a deed that comes too late for its run meets the next one.
const CALLS: usize = 36;

fn deeds() -> [Deed; 3] {
    let [store, engine] = SCOPE.map(str::to_owned);
    [Deed::StrangerDeploys { service: store }, Deed::StrangerDeploys { service: engine.clone() }, Deed::Rollback { service: engine }]
}

/// How many there are.
pub(crate) fn count() -> u64 {
    (FATES.len() * deeds().len() * CALLS) as u64
}

/// One of them.
pub(crate) fn scene(number: u64) -> Scene {
    let number = usize::try_from(number).unwrap_or_default();
    let (call, rest) = (number % CALLS + 1, number / CALLS);
    let (deed, fate) = (deeds()[rest % deeds().len()].clone(), FATES[rest / deeds().len() % FATES.len()].clone());
    let mut world = World::escher("dev");
    world.time_scale = 250.0;
    for service in SCOPE {
        world.service_mut(service).breaker = Breaker { enable: true, rollback: true };
    }
    if let Some((service, fate)) = fate {
        world.image_mut(&format!("escher-{service}"), RELEASE).fate = fate;
    }
    let when = When::BeforeCall(call);
    world.script(when.clone(), deed.clone());
    // Each third world: a signal as well, at a call that goes through the whole run as the numbers do.
    let signal = ["KILL", "INT", "TERM"][call / 3 % 3];
    let interrupt = (call % 3 == 0).then_some(Interrupt { signal, calls: 10 + number * 7 % 60 });
    Scene {
        world,
        scope: SCOPE.to_vec(),
        skip: None,
        inputs: vec![("skip-e2e", "true")],
        variables: vec![("DEPLOY_TIMEOUT_MINUTES", "0.15"), ("DEPLOY_SMOKE_TIMEOUT_SECONDS", "0.3")],
        files: Vec::new(),
        builds: false,
        interrupts: [interrupt, None],
        then: Then::Nothing,
        deeds: vec![(when, deed)],
        is_lied_to: false,
        recounted: Vec::new(),
    }
}
