//! ECS's own blue/green, linear and canary deployments: they are followed through their *service deployment* to its end,
//! bake time included, because new tasks are healthy long before traffic reaches them
//! (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-deployment.html>).

use std::time::Duration;

use super::rollout::{ServiceView, Verdict};

/// How a service deployment stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Native {
    /// Under way: scaling, shifting traffic, baking, or paused by a hook.
    Going,
    /// `SUCCESSFUL`.
    Succeeded,
    /// `ROLLBACK_REQUESTED`, `ROLLBACK_IN_PROGRESS`.
    GoingBack(String),
    /// `ROLLBACK_SUCCESSFUL`.
    WentBack(String),
    /// `ROLLBACK_FAILED`, `STOPPED`: it ended half-way.
    Ended(String),
    /// It is not listed, or may not be looked at: the classic view decides.
    Unknown,
}

impl Native {
    /// Reads `status` and `statusReason`.
    pub fn read(status: &str, reason: &str) -> Self {
        let reason = if reason.is_empty() { format!("the service deployment is {status}") } else { reason.to_owned() };
        match status {
            "SUCCESSFUL" => Self::Succeeded,
            "ROLLBACK_REQUESTED" | "ROLLBACK_IN_PROGRESS" => Self::GoingBack(reason),
            "ROLLBACK_SUCCESSFUL" => Self::WentBack(reason),
            "ROLLBACK_FAILED" | "STOPPED" => Self::Ended(reason),
            _ => Self::Going,
        }
    }
}

/// The verdict of the classic view, held against the service deployment.
pub fn follow(verdict: Verdict, native: &Native, view: &ServiceView, elapsed: Duration, timeout: Duration) -> Verdict {
    let hopeful = matches!(verdict, Verdict::InProgress { .. } | Verdict::Healthy | Verdict::Completed | Verdict::RollingBack { .. });
    match (native, verdict) {
        // What the classic view has settled stays settled.
        (_, settled) if !hopeful => settled,
        (Native::Succeeded, verdict) => verdict,
        (Native::WentBack(reason), _) => Verdict::RolledBack { reason: reason.clone() },
        (Native::Ended(reason), _) => Verdict::Failed { reason: reason.clone() },
        (Native::GoingBack(reason), _) if elapsed < timeout => Verdict::RollingBack { reason: reason.clone() },
        (Native::Unknown, Verdict::Healthy) => Verdict::InProgress { running: view.desired },
        (Native::Unknown, verdict) => verdict,
        (Native::Going | Native::GoingBack(_), _) if elapsed >= timeout => Verdict::TimedOut,
        (Native::Going, Verdict::Healthy | Verdict::Completed) => Verdict::InProgress { running: view.desired },
        (Native::Going | Native::GoingBack(_), verdict) => verdict,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(classic: Verdict, status: &str, elapsed: u64) -> Verdict {
        let view = ServiceView { desired: 2, ..ServiceView::default() };
        follow(classic, &Native::read(status, ""), &view, Duration::from_secs(elapsed), Duration::from_secs(100))
    }

    #[test]
    fn nothing_is_healthy_or_complete_before_the_service_deployment_is() {
        assert_eq!(verdict(Verdict::Healthy, "IN_PROGRESS", 1), Verdict::InProgress { running: 2 });
        assert_eq!(verdict(Verdict::Completed, "IN_PROGRESS", 1), Verdict::InProgress { running: 2 });
        assert_eq!(verdict(Verdict::Completed, "SUCCESSFUL", 1), Verdict::Completed);
        assert_eq!(verdict(Verdict::Completed, "IN_PROGRESS", 100), Verdict::TimedOut);
    }

    #[test]
    fn its_way_back_and_its_end_are_ours() {
        assert!(matches!(verdict(Verdict::Healthy, "ROLLBACK_IN_PROGRESS", 1), Verdict::RollingBack { .. }));
        assert!(matches!(verdict(Verdict::Completed, "ROLLBACK_SUCCESSFUL", 1), Verdict::RolledBack { .. }));
        assert!(matches!(verdict(Verdict::InProgress { running: 0 }, "ROLLBACK_FAILED", 1), Verdict::Failed { .. }));
        let superseded = Verdict::Superseded { by: "ecs-svc/3".into() };
        assert_eq!(verdict(superseded.clone(), "STOPPED", 1), superseded, "the classic view knows by whom");
    }
}
