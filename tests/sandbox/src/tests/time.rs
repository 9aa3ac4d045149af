use super::deploy;
use crate::{Deed, Fate, Moment, When, World};

/// The gateway's story under a fate, looked at every `step` seconds.
fn story(fate: &Fate, step: f64) -> (Vec<Moment>, Vec<(f64, String)>) {
    let mut world = World::escher("dev");
    world.image_mut("escher-gateway", "v2.16.0-dev").fate = fate.clone();
    let gateway = || "gateway".to_owned();
    world.script(When::At(33.3), Deed::SetDesired { service: gateway(), count: 3 });
    world.script(When::AfterUpdate { service: gateway(), seconds: 700.0 }, Deed::StopTasks { service: gateway() });
    deploy(&mut world, "gateway");
    let steps = (1200.0 / step) as u32;
    (1..=steps).for_each(|n| world.advance(f64::from(n) * step));
    world.advance(1200.0);
    let events = world.service_mut("gateway").events.iter().map(|event| (event.at, event.message.clone())).collect();
    (world.history("gateway").to_vec(), events)
}

#[test]
fn it_makes_no_difference_how_often_somebody_looks() {
    let fates = [
        Fate::Well,
        Fate::Crashes { exit_code: 1, after: 2.0 },
        Fate::CrashesWhenHealthy { exit_code: 1, after: 3.0 },
        Fate::Unhealthy,
        Fate::CannotPull,
        Fate::OutOfMemory,
        Fate::NeverStarts,
    ];
    for fate in fates {
        let often = story(&fate, 0.37);
        assert_eq!(often, story(&fate, 1200.0), "{fate:?}");
        assert!(!often.0.is_empty());
    }
}

#[test]
fn nothing_spins_when_everything_takes_no_time() {
    let mut world = World::escher("dev");
    world.image_mut("escher-gateway", "v2.16.0-dev").fate = Fate::Crashes { exit_code: 1, after: 0.0 };
    let service = world.service_mut("gateway");
    service.breaker.enable = false;
    service.timing = crate::Timing { place: 0.0, boot: 0.0, check: 0.0, stop_old: 0.0, drain: 0.0, crash_retry: 0.0, pull_retry: 0.0 };
    deploy(&mut world, "gateway");
    world.advance(20.0);
    assert!(world.service_mut("gateway").deployments[0].failed_tasks > 100);
    world.image_mut("escher-gateway", "v2.16.0-dev").fate = Fate::Well;
    world.advance(30.0);
    assert_eq!(world.service_mut("gateway").deployments.len(), 1);
}
