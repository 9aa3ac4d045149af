//! Why a run makes each call, and how many that are at most.

/// What the numbers hang on.
#[derive(Debug)]
pub(crate) struct Facts {
    /// Services of the release.
    pub(crate) services: f64,
    /// Calls that ECS has refused for a while.
    pub(crate) throttled: f64,
    /// Calls that a look at everything in flight takes, added up.
    pub(crate) looks: f64,
    /// Seconds from the updates to healthy tasks, added up, in sandbox time.
    pub(crate) waits: f64,
    /// Seconds of the whole run, in real time.
    pub(crate) seconds: f64,
    /// Seconds of the whole run, in sandbox time.
    pub(crate) sandbox: f64,
}

/// A reason.
pub(crate) struct Reason {
    pub(crate) call: &'static str,
    pub(crate) why: &'static str,
    most: fn(&Facts) -> f64,
}

impl Reason {
    /// The most calls that the reason is good for.
    pub(crate) fn most(&self, facts: &Facts) -> f64 {
        (self.most)(facts).ceil()
    }
}

const fn reason(call: &'static str, why: &'static str, most: fn(&Facts) -> f64) -> Reason {
    Reason { call, why, most }
}

/// Every call of a release in which each service is changed and nothing is built.
pub(crate) const REASONS: [Reason; 18] = [
    reason("oidc token", "one token for one session", |_| 1.0),
    reason("sts AssumeRoleWithWebIdentity", "one session", |_| 1.0),
    reason("sts GetCallerIdentity", "whose account it is", |_| 1.0),
    reason("github GET", "a service's commit of the release, and what has changed since the one that runs", |it| 2.0 * it.services + 10.0),
    reason("ecr DescribeRepositories", "the repositories' addresses, a hundred a call", |it| it.services / 100.0),
    reason("ecr DescribeImages", "a service's image of the release", |it| it.services),
    reason("ecs DescribeTaskDefinition", "the definition that runs, which is copied whole", |it| it.services),
    reason("ecs RegisterTaskDefinition", "the definition with the new image", |it| it.services),
    reason("ecs UpdateService", "the update", |it| it.services),
    reason("ecs DescribeServices", "ten a call to plan and at each look; each service once more just before its update", |it| {
        (it.services / 10.0).ceil() + it.services + it.looks + it.throttled
    }),
    // Once for those that run, once more where one of several came later; and those that ended, every ten seconds.
    reason("ecs ListTasks", "which tasks run, and every ten seconds which have ended", |it| 3.0 * it.services + it.waits / 10.0),
    reason("ecs DescribeTasks", "how all tasks that are waited for are, a hundred a call, at most twice a second", |it| {
        it.sandbox * 2.0 + it.services
    }),
    reason("elasticloadbalancing DescribeTargetHealth", "how a group's targets are, as often", |it| it.waits * 2.0 + it.services),
    reason("endpoint GET", "a smoke test, until the new version answers", |it| 12.0 * it.services),
    reason("ecr BatchGetImage", "the manifest that gets the tag `passed-…`", |it| it.services),
    reason("ecr PutImage", "that tag", |it| it.services),
    reason("slack chat.postMessage", "the message, and that of the release notes", |_| 2.0),
    reason("slack chat.update", "the message as it is, at most once a second", |it| it.seconds + 2.0),
];
