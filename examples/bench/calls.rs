//! A run's calls: how many of each, why so many, and whether any was one too many.

use std::collections::{BTreeMap, BTreeSet};

use escher_sandbox::{Call, Sandbox, What};

use crate::made::Times;
use crate::reasons::{Facts, REASONS};
use crate::row::Row;

/// `DescribeServices` takes ten names.
const TEN: usize = 10;
/// The calls of one look come so close to each other, in real seconds.
const TOGETHER: f64 = 0.005;

/// Every operation with its number and the reason for it; the looks at what is in flight; the calls that were throttled.
pub(crate) fn rows(group: &'static str, sandbox: &Sandbox, times: &BTreeMap<String, Times>, scale: f64, took: f64) -> Vec<Row> {
    let calls = sandbox.calls();
    let looks = looks(&calls, &updated(sandbox, times), TOGETHER * scale);
    let throttled = calls.iter().filter(|call| is_throttled(call)).count();
    let over = looks.iter().filter(|look| look.calls > look.names.len().div_ceil(TEN)).count();
    let mut rows = vec![
        Row::told(group, "looks at what is in flight", looks.len() as f64, ""),
        // Two looks that fall together can't be told from one that takes a call too many.
        Row::limited(group, "looks with more DescribeServices than ⌈n/10⌉", 100.0 * over as f64 / looks.len() as f64, "%", 5.0),
        Row::told(group, "calls throttled", throttled as f64, ""),
    ];
    let facts = Facts {
        services: times.len() as f64,
        throttled: throttled as f64,
        looks: looks.iter().map(|look| look.calls as f64).sum(),
        waits: times.values().map(|times| times.healthy).sum(),
        seconds: took / scale,
        sandbox: took,
    };
    rows.extend(counted(&calls).into_iter().map(|(call, count)| row(group, call, count as f64, &facts)));
    rows
}

fn row(group: &'static str, call: String, count: f64, facts: &Facts) -> Row {
    match REASONS.iter().find(|reason| reason.call == call) {
        Some(reason) => Row::limited(group, call, count, "", reason.most(facts)).note(reason.why),
        None => Row::limited(group, call, count, "", 0.0).note("without a reason"),
    }
}

/// How often each was called. What was throttled has not been answered, and is told apart.
fn counted(calls: &[Call]) -> BTreeMap<String, usize> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for call in calls.iter().filter(|call| !is_throttled(call)) {
        let operation = if matches!(call.party.as_str(), "endpoint" | "github") { "GET" } else { call.operation.as_str() };
        *counts.entry(format!("{} {operation}", call.party)).or_default() += 1;
    }
    counts
}

/// How many calls of each operation were throttled.
pub(crate) fn throttled(calls: &[Call]) -> BTreeMap<&str, usize> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    calls.iter().filter(|call| is_throttled(call)).for_each(|call| *counts.entry(&call.operation).or_default() += 1);
    counts
}

/// ECS has refused the call because of its rate.
pub(crate) fn is_throttled(call: &Call) -> bool {
    call.answer["__type"] == "ThrottlingException"
}

/// When each service was updated.
fn updated(sandbox: &Sandbox, times: &BTreeMap<String, Times>) -> BTreeMap<String, f64> {
    sandbox.with(|world| {
        let at = |name: &String| {
            let begun = world.history(name).iter().find(|moment| moment.what == What::Updated)?;
            Some((name.clone(), begun.at))
        };
        times.keys().filter_map(at).collect()
    })
}

/// One look at everything in flight.
#[derive(Default)]
struct Look {
    calls: usize,
    names: BTreeSet<String>,
    at: f64,
}

/// The calls about services that are under way, look by look: a pause, or a name that comes again, begins the next one.
fn looks(calls: &[Call], updated: &BTreeMap<String, f64>, together: f64) -> Vec<Look> {
    let mut looks: Vec<Look> = Vec::new();
    for call in calls.iter().filter(|call| call.operation == "DescribeServices") {
        let named: BTreeSet<String> =
            call.body["services"].as_array().into_iter().flatten().filter_map(|name| name.as_str().map(str::to_owned)).collect();
        let is_under_way = |name: &String| updated.get(name).is_some_and(|at| *at < call.at);
        if !named.iter().all(is_under_way) {
            continue;
        }
        match looks.last_mut().filter(|look| look.names.is_disjoint(&named) && call.at - look.at <= together) {
            Some(look) => {
                look.calls += 1;
                look.at = call.at;
                look.names.extend(named);
            }
            None => looks.push(Look { calls: 1, names: named, at: call.at }),
        }
    }
    looks
}
