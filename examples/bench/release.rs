//! A whole release in one run: its time over the least possible one, its calls, its processor time and memory.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use escher_sandbox::{Sandbox, World};
use serde_json::Value;

use crate::child::{Job, Ran};
use crate::limit::{Limit, limit};
use crate::made::{ORCHESTRATOR, Times, times};
use crate::row::Row;
use crate::{Bench, calls};

/// A release to be measured, and what it may come to.
pub(crate) struct Release {
    pub(crate) group: &'static str,
    pub(crate) world: World,
    pub(crate) needs: BTreeMap<String, Vec<String>>,
    pub(crate) configuration: PathBuf,
    /// The most over the limit.
    pub(crate) ratio: f64,
    /// MiB.
    pub(crate) memory: Option<f64>,
    /// Seconds.
    pub(crate) cpu: Option<f64>,
}

impl Release {
    /// Runs it, and tells of it.
    pub(crate) fn measure(self, bench: &Bench, folder: &Path) -> io::Result<Vec<Row>> {
        let (scale, times) = (self.world.time_scale, times(&self.world));
        let least = limit(&self.needs, &times);
        let sandbox = bench.sandbox(self.world);
        let job = Job::new(&bench.program, &sandbox, folder, &self.configuration, ORCHESTRATOR)?.at_scale(scale);
        let began = sandbox.now();
        let ran = job.run(&sandbox)?;
        let mut rows = time(self.group, self.ratio, &ran, &least, scale);
        rows.push(Row::told(self.group, "the whole run, from its start to its exit", ran.ended - began, "s").note("sandbox time"));
        rows.push(row(self.group, "processor time", ran.cpu, "s", self.cpu.filter(|_| bench.is_release)));
        rows.push(row(self.group, "most memory", ran.memory, "MiB", self.memory.filter(|_| bench.is_release)));
        rows.extend(calls::rows(self.group, &sandbox, &times, scale, ran.ended - began));
        if ran.code != Some(0) {
            rows.push(Row::limited(self.group, "exit code", ran.code.map_or(f64::NAN, f64::from), "", 0.0));
            eprintln!("{}", ran.output);
        }
        Ok(rows)
    }
}

fn row(group: &'static str, what: &'static str, value: f64, unit: &'static str, most: Option<f64>) -> Row {
    match most {
        Some(most) => Row::limited(group, what, value, unit, most),
        None => Row::told(group, what, value, unit),
    }
}

/// From the first service's start to the last one's end, as the report tells them.
fn time(group: &'static str, most: f64, ran: &Ran, least: &Limit, scale: f64) -> Vec<Row> {
    let services = || ran.report["services"].as_array().into_iter().flatten();
    let seconds = |key: &'static str| services().filter_map(move |service: &Value| service[key].as_f64());
    let first = seconds("started_seconds").fold(f64::NAN, f64::min);
    let last = seconds("ended_seconds").fold(f64::NAN, f64::max);
    let took = (last - first) * scale;
    vec![
        Row::limited(group, "release over the limit", took / least.seconds, "×", most)
            .note(format!("{took:.1} s over {:.1} s, {}", least.seconds, least.by)),
    ]
}

/// The graph of the shipped configuration.
pub(crate) fn shipped() -> BTreeMap<String, Vec<String>> {
    let needs = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    [
        ("asset-store", needs(&[])),
        ("context-engine", needs(&["asset-store"])),
        ("analysis-agent", needs(&["context-engine"])),
        ("playbook-agent", needs(&["context-engine"])),
        ("integrations-agent", needs(&["context-engine"])),
        ("gateway", needs(&["analysis-agent", "playbook-agent", "integrations-agent"])),
        ("autoresolver", needs(&[])),
    ]
    .map(|(name, needs)| (name.to_owned(), needs))
    .into()
}

/// How many of the sandbox's services have arrived.
pub(crate) fn arrived(sandbox: &Sandbox, times: &BTreeMap<String, Times>) -> usize {
    sandbox.with(|world| {
        let has = |name: &&String| world.history(name).iter().any(|moment| moment.what == escher_sandbox::What::Completed);
        times.keys().filter(has).count()
    })
}
