//! Many repositories release at the same moment, each in a process of its own, and share one account's token buckets.

use std::io;
use std::path::Path;
use std::time::Duration;

use crate::Bench;
use crate::calls::throttled;
use crate::child::Job;
use crate::limit::limit;
use crate::made::{configuration, independent, times, world};
use crate::release::arrived;
use crate::row::Row;

/// As many as can be at once.
const SIZE: usize = 63;
const GROUP: &str = "63 repositories release at the same moment, at real time";

/// Starts all, and waits for all.
pub(crate) fn measure(bench: &Bench, folder: &Path) -> io::Result<Vec<Row>> {
    let services = independent(SIZE, 3);
    let world = world(&services, 1.0);
    let times = times(&world);
    let least = limit(&services.iter().map(|made| (made.name.clone(), Vec::new())).collect(), &times);
    let shipped = folder.join("configuration");
    configuration(&services, &shipped)?;
    let sandbox = bench.sandbox(world);
    let jobs = services.iter().map(|made| {
        let repository = format!("escher-dbai/{}", made.repo());
        let mut job = Job::new(&bench.program, &sandbox, &folder.join(&made.name), &shipped, &repository)?;
        job.every = Duration::from_millis(100);
        Ok(job)
    });
    let jobs: Vec<Job> = jobs.collect::<io::Result<_>>()?;
    let children = jobs.iter().map(Job::start).collect::<io::Result<Vec<_>>>()?;
    let ran = std::thread::scope(|scope| {
        let waits = jobs.iter().zip(children).map(|(job, child)| scope.spawn(|| job.ended(child, &sandbox)));
        let waits: Vec<_> = waits.collect();
        waits.into_iter().filter_map(|wait| wait.join().ok()?.ok()).collect::<Vec<_>>()
    });
    let well = ran.iter().filter(|ran| ran.code == Some(0)).count();
    ran.iter().filter(|ran| ran.code != Some(0)).take(3).for_each(|ran| eprintln!("{}", ran.output));
    let failed = ran.iter().filter(|ran| ran.code != Some(0) && ran.output.contains("ThrottlingException")).count();
    let slowest = (SIZE as f64 - 20.0) + times.values().map(|times| times.completed).fold(0.0, f64::max);
    let last = ran.iter().map(|ran| ran.ended).fold(0.0, f64::max);
    let calls = sandbox.calls();
    let refused = throttled(&calls);
    let by_operation = refused.iter().map(|(operation, count)| format!("{operation} {count}")).collect::<Vec<_>>().join(", ");
    Ok(vec![
        Row::limited(GROUP, "processes whose verdict is not `success`", (SIZE - well) as f64, "", 0.0),
        Row::limited(GROUP, "services that have not arrived", (SIZE - arrived(&sandbox, &times)) as f64, "", 0.0),
        Row::limited(GROUP, "failures because of throttling", failed as f64, "", 0.0),
        Row::told(GROUP, "the last process has ended", last, "s").note(format!("no earlier than {:.1} s, {}", least.seconds, least.by)),
        // Nobody knows of the others: the longest deployment may be the last to get a token.
        Row::limited(GROUP, "the last one over all tokens and the longest deployment: none starves", last / slowest, "×", 1.1),
        Row::told(GROUP, "calls to ECS", calls.iter().filter(|call| call.party == "ecs").count() as f64, ""),
        Row::told(GROUP, "calls throttled, and made again", refused.values().sum::<usize>() as f64, "").note(by_operation),
    ])
}
