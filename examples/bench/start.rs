//! From the start of the process to its first request, and the size of the binary.

use std::io;
use std::path::Path;

use crate::Bench;
use crate::child::Job;
use crate::made::{ORCHESTRATOR, configuration, independent, world};
use crate::row::Row;

/// A pause of the machine is no delay of ours, and a delay of ours would be in every one.
const TRIES: usize = 15;
const GROUP: &str = "Start";

/// The quickest of some runs of `plan`.
pub(crate) fn measure(bench: &Bench, folder: &Path) -> io::Result<Vec<Row>> {
    let services = independent(7, 1);
    let shipped = folder.join("configuration");
    configuration(&services, &shipped)?;
    let mut times = Vec::with_capacity(TRIES);
    for _ in 0..TRIES {
        let sandbox = bench.sandbox(world(&services, 1.0));
        let job = Job::new(&bench.program, &sandbox, folder, &shipped, ORCHESTRATOR)?.set("INPUT_COMMAND", "plan");
        let began = sandbox.now();
        let ran = job.run(&sandbox)?;
        let first = sandbox.calls().first().map(|call| call.at);
        times.push(first.filter(|_| ran.code == Some(0)).map_or(f64::NAN, |first| (first - began) * 1000.0));
    }
    times.sort_by(f64::total_cmp);
    let size = std::fs::metadata(&bench.program)?.len() as f64 / 1024.0 / 1024.0;
    let what = "from start to the first request";
    let (best, middle) = (times[0], times[TRIES / 2]);
    let row = if bench.is_release { Row::limited(GROUP, what, best, "ms", 20.0) } else { Row::told(GROUP, what, best, "ms") };
    Ok(vec![row.note(format!("the quickest of {TRIES}; the middle one {middle:.1}")), Row::told(GROUP, "size of the binary", size, "MiB")])
}
