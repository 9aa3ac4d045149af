//! ECS's token buckets: one for each category of actions, for the whole account
//! (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/request-throttling.html>).

use std::collections::BTreeMap;

use crate::refusal::Refusal;

/// A category's bucket.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bucket {
    /// The documentation's name of the category.
    pub category: &'static str,
    /// The actions that share it.
    pub actions: &'static [&'static str],
    /// So many calls at once.
    pub burst: f64,
    /// Then so many a sandbox second.
    pub refill: f64,
}

const fn bucket(category: &'static str, actions: &'static [&'static str], burst: f64, refill: f64) -> Bucket {
    Bucket { category, actions, burst, refill }
}

/// The categories of the operations that the sandbox has. `StopServiceDeployment` is listed nowhere, and counted as a change of a
/// service.
pub const CATEGORIES: [Bucket; 8] = [
    bucket("Task definition modify", &["RegisterTaskDefinition", "DeregisterTaskDefinition"], 20.0, 1.0),
    bucket("Task definition read", &["DescribeTaskDefinition", "ListTaskDefinitions"], 50.0, 20.0),
    bucket("Service modify", &["UpdateService", "StopServiceDeployment"], 50.0, 5.0),
    bucket("Service read", &["DescribeServices", "ListServices"], 100.0, 20.0),
    bucket("Service deployment", &["DescribeServiceDeployments", "ListServiceDeployments"], 50.0, 20.0),
    bucket("Service revision", &["DescribeServiceRevisions"], 50.0, 20.0),
    bucket("Cluster resource modify", &["RunTask", "StopTask"], 100.0, 40.0),
    bucket("Cluster resource read", &["DescribeTasks", "ListTasks"], 100.0, 20.0),
];

/// The bucket of an operation; none for one that no category names.
pub fn category(operation: &str) -> Option<&'static Bucket> {
    CATEGORIES.iter().find(|bucket| bucket.actions.contains(&operation))
}

/// How full the buckets are.
#[derive(Debug, Clone, Default)]
pub struct Buckets {
    /// Tokens left, and when that was so, by category.
    levels: BTreeMap<&'static str, (f64, f64)>,
}

impl Buckets {
    /// Takes a token; where there is none, ECS refuses the call.
    pub(crate) fn take(&mut self, operation: &str, now: f64) -> Result<(), Refusal> {
        let Some(bucket) = category(operation) else { return Ok(()) };
        let (left, since) = self.levels.entry(bucket.category).or_insert((bucket.burst, now));
        *left = (*left + (now - *since) * bucket.refill).min(bucket.burst);
        *since = now;
        if *left < 1.0 {
            return Err(Refusal::bad("ThrottlingException", "Rate exceeded"));
        }
        *left -= 1.0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::aws_operations;

    #[test]
    fn every_operation_of_ecs_but_those_of_clusters_has_a_bucket() {
        let without: Vec<&str> = aws_operations()
            .into_iter()
            .filter(|(party, name)| *party == "ecs" && category(name).is_none())
            .map(|(_, name)| name)
            .collect();
        assert_eq!(without, ["DescribeClusters"]);
    }

    #[test]
    fn the_burst_is_let_through_and_then_one_call_for_each_token() {
        let mut buckets = Buckets::default();
        let mut taken = |now: f64, calls: usize| (0..calls).filter(|_| buckets.take("RegisterTaskDefinition", now).is_ok()).count();
        assert_eq!(taken(0.0, 30), 20);
        assert_eq!(taken(0.5, 5), 0);
        assert_eq!(taken(3.0, 5), 3);
        assert_eq!(taken(1000.0, 50), 20, "it holds no more than its burst");
        assert!(buckets.take("DescribeServices", 0.0).is_ok(), "each category has its own");
        let refused = (0..200).find_map(|_| buckets.take("DescribeServices", 0.0).err());
        assert_eq!(refused, Some(Refusal::new(400, "ThrottlingException", "Rate exceeded")));
    }
}
