//! The least time that a release can take, whoever carries it out.

use std::collections::BTreeMap;

use escher_sandbox::{Bucket, category};

use crate::made::Times;

/// The calls that every service of a release needs and that nobody can make for ten at once.
const ONE_EACH: [&str; 2] = ["RegisterTaskDefinition", "UpdateService"];

/// A limit, and what makes it.
#[derive(Clone, Debug)]
pub(crate) struct Limit {
    pub(crate) seconds: f64,
    pub(crate) by: String,
}

/// The larger of the critical path and what the documented token buckets allow.
///
/// A service holds up those that need it until it is healthy, and has ended when it is COMPLETED: what follows from its start
/// is its tail. The longest tail is the critical path. Of n calls that go through a bucket the k-th can't be made before its
/// token is there, and the tail of its service follows: the order that loses the least takes the longest tails first.
pub(crate) fn limit(needs: &BTreeMap<String, Vec<String>>, times: &BTreeMap<String, Times>) -> Limit {
    let mut tails: Vec<f64> = tails(needs, times).into_values().collect();
    tails.sort_by(|a, b| b.total_cmp(a));
    let path = tails.first().copied().unwrap_or(0.0);
    let critical = Limit { seconds: path, by: "critical path".to_owned() };
    let buckets = ONE_EACH.iter().filter_map(|operation| Some((operation, category(operation)?)));
    let allowed = buckets.map(|(operation, bucket)| Limit { seconds: allowed(bucket, &tails), by: format!("tokens of {operation}") });
    allowed.fold(critical, |most, other| if other.seconds > most.seconds { other } else { most })
}

fn allowed(bucket: &Bucket, tails: &[f64]) -> f64 {
    let token = |at: usize| ((at as f64 + 1.0 - bucket.burst) / bucket.refill).max(0.0);
    tails.iter().enumerate().map(|(at, tail)| token(at) + tail).fold(0.0, f64::max)
}

/// From a service's start to the end of everything that waits for it.
fn tails(needs: &BTreeMap<String, Vec<String>>, times: &BTreeMap<String, Times>) -> BTreeMap<String, f64> {
    let mut users: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, needs) in needs {
        needs.iter().for_each(|need| users.entry(need).or_default().push(name));
    }
    let mut known = BTreeMap::new();
    for name in times.keys() {
        tail(name, &users, times, &mut known);
    }
    known
}

fn tail(name: &str, users: &BTreeMap<&str, Vec<&str>>, times: &BTreeMap<String, Times>, known: &mut BTreeMap<String, f64>) -> f64 {
    if let Some(known) = known.get(name) {
        return *known;
    }
    let Some(own) = times.get(name).copied() else { return 0.0 };
    let after = users.get(name).into_iter().flatten().map(|user| tail(user, users, times, known)).fold(f64::MIN, f64::max);
    let tail = own.completed.max(own.healthy + after);
    known.insert(name.to_owned(), tail);
    tail
}
