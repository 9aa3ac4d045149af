//! `judge` as a table: every shape of `deployments[]` that ECS is known to show, and what it means.

use super::*;

const OURS: &str = "ecs-svc/2222";
const OLD: &str = "ecs-svc/1111";
const OTHER: &str = "ecs-svc/3333";
const FAILED_EVENT: &str = "(service s) (deployment ecs-svc/2222) deployment failed: tasks failed to start.";

fn deployment(id: &str, revision: u32, state: RolloutState, running: u32) -> Deployment {
    Deployment {
        id: id.into(),
        is_primary: false,
        definition: DefinitionArn::new(format!("task-definition/f:{revision}")),
        running,
        failed_tasks: 0,
        state,
        reason: format!("ECS deployment {id}"),
        created: None,
    }
}

fn service(mut deployments: Vec<Deployment>) -> ServiceView {
    if let Some(first) = deployments.first_mut() {
        first.is_primary = true;
    }
    ServiceView {
        name: "s".into(),
        status: "ACTIVE".into(),
        controller: "ECS".into(),
        desired: 2,
        deployments,
        events: Vec::new(),
        breaker: Breaker { enabled: true, rollback: true },
        target_groups: Vec::new(),
        is_native: false,
    }
}

fn expected() -> Expected {
    Expected {
        deployment: OURS.into(),
        definition: Some("task-definition/f:2".into()),
        before: vec![(OLD.into(), "task-definition/f:1".into())],
        known_events: BTreeSet::from(["old".to_owned()]),
        has_health_check: true,
        timeout: Duration::from_secs(1200),
    }
}

fn task(id: &str, by: &str) -> Task {
    let definition = if by == OURS { "task-definition/f:2" } else { "task-definition/f:1" };
    let (id, by) = (id.to_owned(), Some(by.into()));
    Task { address: Some(id.clone()), id, started_by: by, definition: definition.into(), is_running: true, is_healthy: true, end: None }
}

fn crashed(id: &str, by: &str) -> Task {
    let end = TaskEnd { code: "EssentialContainerExited".into(), reason: "Essential container in task exited".into(), containers: vec![] };
    Task { is_running: false, is_healthy: false, end: Some(end), ..task(id, by) }
}

struct Case {
    service: ServiceView,
    tasks: Vec<Task>,
    targets: Targets,
    running_for: BTreeMap<String, Duration>,
    absent: u64,
    failed: u64,
    elapsed: u64,
    expected: Expected,
}

impl Case {
    fn new(deployments: Vec<Deployment>) -> Self {
        Self {
            service: service(deployments),
            tasks: Vec::new(),
            targets: Targets::None,
            running_for: BTreeMap::new(),
            absent: 60,
            failed: 0,
            elapsed: 60,
            expected: expected(),
        }
    }

    fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    fn event(self, message: &str) -> Self {
        self.with(|case| case.service.events.push(Event { id: "new".into(), message: message.into() }))
    }

    fn verdict(&self) -> Verdict {
        let observed = Observed {
            service: &self.service,
            tasks: &self.tasks,
            targets: &self.targets,
            running_for: &self.running_for,
            absent_for: Duration::from_secs(self.absent),
            failed_for: Duration::from_secs(self.failed),
            elapsed: Duration::from_secs(self.elapsed),
        };
        judge(&self.expected, &observed)
    }
}

use RolloutState::{Completed, Failed, InProgress};

fn rolling() -> Case {
    Case::new(vec![deployment(OURS, 2, InProgress, 2), deployment(OLD, 1, Completed, 2)])
}

#[test]
fn completed_needs_primary_completed_and_the_desired_count() {
    assert_eq!(Case::new(vec![deployment(OURS, 2, Completed, 2)]).verdict(), Verdict::Completed);
    assert_eq!(Case::new(vec![deployment(OURS, 2, Completed, 1)]).verdict(), Verdict::InProgress { running: 1 });
    let old_alone = Case::new(vec![deployment(OLD, 1, Completed, 2)]);
    assert!(matches!(old_alone.verdict(), Verdict::RolledBack { .. }), "looks steady, is not ours");
    let empty = Case::new(vec![deployment(OURS, 2, Completed, 0)]).with(|case| case.service.desired = 0);
    assert_eq!(empty.verdict(), Verdict::Completed);
}

#[test]
fn healthy_comes_before_the_old_tasks_are_gone() {
    let healthy = rolling().with(|case| case.tasks = vec![task("a", OURS), task("b", OURS)]);
    assert_eq!(healthy.verdict(), Verdict::Healthy);
}

#[test]
fn tasks_of_others_and_unhealthy_ones_do_not_count() {
    let old = rolling().with(|case| case.tasks = vec![task("a", OURS), task("b", OLD)]);
    assert_eq!(old.verdict(), Verdict::InProgress { running: 2 });
    let sick = rolling().with(|case| case.tasks = vec![task("a", OURS), Task { is_healthy: false, ..task("b", OURS) }]);
    assert_eq!(sick.verdict(), Verdict::InProgress { running: 2 });
}

#[test]
fn the_count_is_what_the_service_desires_now() {
    let scaled = rolling().with(|case| {
        case.tasks = vec![task("a", OURS), task("b", OURS)];
        case.service.desired = 3;
    });
    assert_eq!(scaled.verdict(), Verdict::InProgress { running: 2 });
}

#[test]
fn a_target_group_has_its_say_beside_the_container() {
    let tasks = vec![task("a", OURS), task("b", OURS)];
    let one = Targets::Healthy(vec![BTreeSet::from(["a".to_owned()])]);
    let both = Targets::Healthy(vec![BTreeSet::from(["a".to_owned(), "b".to_owned()])]);
    let with = |targets: Targets| rolling().with(|case| (case.tasks, case.targets) = (tasks.clone(), targets)).verdict();
    assert_eq!(with(one), Verdict::InProgress { running: 2 });
    assert_eq!(with(both), Verdict::Healthy);
    assert_eq!(with(Targets::Unknown), Verdict::InProgress { running: 2 }, "unreadable: only COMPLETED counts");
}

#[test]
fn without_any_check_forty_seconds_of_running_count() {
    let seconds = |time: u64| {
        rolling().with(|case| {
            case.expected.has_health_check = false;
            case.tasks = vec![task("a", OURS), task("b", OURS)];
            case.running_for = ["a", "b"].map(|id| (id.to_owned(), Duration::from_secs(time))).into();
        })
    };
    assert_eq!(seconds(39).verdict(), Verdict::InProgress { running: 2 });
    assert_eq!(seconds(40).verdict(), Verdict::Healthy);
}

#[test]
fn failed_without_rollback_stays_primary() {
    let failed = Case::new(vec![deployment(OURS, 2, Failed, 0), deployment(OLD, 1, Completed, 2)])
        .with(|case| case.service.breaker.rollback = false);
    assert_eq!(failed.verdict(), Verdict::Failed { reason: "ECS deployment ecs-svc/2222".into() });
}

#[test]
fn failed_with_rollback_is_on_its_way_back_until_nothing_comes_of_it() {
    let since = |seconds| {
        let shape = vec![deployment(OURS, 2, Failed, 0), deployment(OLD, 1, Completed, 2)];
        Case::new(shape).with(|case| case.failed = seconds).verdict()
    };
    assert!(matches!(since(2), Verdict::RollingBack { .. }));
    assert!(matches!(since(30), Verdict::Failed { .. }), "there was nothing to go back to");
}

#[test]
fn a_rollback_re_promotes_the_old_id() {
    let back = Case::new(vec![deployment(OLD, 1, InProgress, 1), deployment(OURS, 2, Failed, 0)]).event(FAILED_EVENT);
    assert_eq!(back.verdict(), Verdict::RollingBack { reason: FAILED_EVENT.into() });
    let arrived = Case::new(vec![deployment(OLD, 1, Completed, 2)]).event(FAILED_EVENT);
    assert_eq!(arrived.verdict(), Verdict::RolledBack { reason: FAILED_EVENT.into() });
}

#[test]
fn the_failed_entry_may_lag_as_in_progress() {
    let lagging = Case::new(vec![deployment(OLD, 1, InProgress, 2), deployment(OURS, 2, InProgress, 0)]);
    assert!(matches!(lagging.verdict(), Verdict::RollingBack { .. }));
}

#[test]
fn a_rollback_may_mint_a_fresh_id() {
    let back = Case::new(vec![deployment(OTHER, 1, InProgress, 1), deployment(OURS, 2, Failed, 0)]);
    assert!(matches!(back.verdict(), Verdict::RollingBack { .. }));
    let arrived = Case::new(vec![deployment(OTHER, 1, Completed, 2)]).event(FAILED_EVENT);
    assert!(matches!(arrived.verdict(), Verdict::RolledBack { .. }));
    let told = Case::new(vec![deployment(OTHER, 1, InProgress, 2)]).with(|case| {
        case.service.deployments[0].reason = "ECS deployment circuit breaker: rolling back to deploymentId ecs-svc/3333.".into()
    });
    assert!(matches!(told.verdict(), Verdict::RollingBack { .. }));
}

#[test]
fn an_unknown_primary_is_someone_elses() {
    let three = Case::new(vec![deployment(OTHER, 3, InProgress, 0), deployment(OURS, 2, InProgress, 1), deployment(OLD, 1, Completed, 2)]);
    assert_eq!(three.verdict(), Verdict::Superseded { by: OTHER.into() });
    let done = Case::new(vec![deployment(OTHER, 3, Completed, 2)]);
    assert_eq!(done.verdict(), Verdict::Superseded { by: OTHER.into() });
    let forced_old = Case::new(vec![deployment(OTHER, 1, Completed, 2)]);
    assert_eq!(forced_old.verdict(), Verdict::Superseded { by: OTHER.into() }, "the old definition by another's hand");
    let after_failure = Case::new(vec![deployment(OTHER, 3, InProgress, 0), deployment(OURS, 2, Failed, 0)]).event(FAILED_EVENT);
    assert_eq!(after_failure.verdict(), Verdict::Superseded { by: OTHER.into() });
}

#[test]
fn an_older_answer_is_no_verdict_however_often_we_were_listed() {
    let absent = |seconds| Case::new(vec![deployment(OLD, 1, Completed, 2)]).with(|case| case.absent = seconds);
    assert_eq!(absent(5).verdict(), Verdict::InProgress { running: 0 });
    assert!(matches!(absent(30).verdict(), Verdict::RolledBack { .. }));
    assert!(matches!(absent(5).event(FAILED_EVENT).verdict(), Verdict::RolledBack { .. }), "told so: no need to wait");
    let person = absent(5).event("(service s) rolling back to deployment ecs-svc/1111.");
    assert!(matches!(person.verdict(), Verdict::RolledBack { .. }));
}

#[test]
fn a_way_back_that_fails_itself_is_not_waited_for() {
    let case = Case::new(vec![deployment(OLD, 1, Failed, 0), deployment(OURS, 2, Failed, 0)]).event(FAILED_EVENT);
    assert!(matches!(case.verdict(), Verdict::Failed { reason } if reason.contains("ecs-svc/1111, which it went back to, failed as well")));
}

#[test]
fn an_answer_older_than_our_deployment_proves_nothing() {
    let before = service(vec![deployment(OLD, 1, Completed, 2)]);
    let ours: DeploymentId = OURS.into();
    let is_behind = |case: &Case| is_behind(&case.service, &before, &ours);
    let as_before = || Case::new(vec![deployment(OLD, 1, Completed, 2)]);
    assert!(is_behind(&as_before()), "as before our update, and no word of a way back");
    assert!(!is_behind(&as_before().event(FAILED_EVENT)), "ECS has said that it went back");
    assert!(!is_behind(&as_before().event("(service s) rolling back to deployment ecs-svc/1111.")));
    assert!(!is_behind(&as_before().with(|case| case.service.deployments[0].reason = "circuit breaker: rolling back to it".into())));
    assert!(!is_behind(&Case::new(vec![deployment(OURS, 2, Completed, 2), deployment(OLD, 1, Completed, 1)])));
    assert!(!is_behind(&Case::new(vec![deployment(OLD, 1, InProgress, 2), deployment(OURS, 2, Failed, 0)])), "ours is listed");
    assert!(!is_behind(&Case::new(vec![deployment(OTHER, 3, Completed, 2)])), "someone else's");
}

#[test]
fn a_service_that_recovered_from_crashes_is_healthy() {
    let recovered = rolling().with(|case| {
        case.service.breaker.enabled = false;
        case.service.deployments[0].failed_tasks = 3;
        case.tasks = vec![task("a", OURS), task("b", OURS), crashed("c", OURS), crashed("d", OURS), crashed("e", OURS)];
    });
    assert_eq!(recovered.verdict(), Verdict::Healthy);
}

#[test]
fn a_crash_loop_is_ours_to_find_where_the_breaker_is_off_or_keeps_being_reset() {
    let crashes = |count: usize, enabled: bool| {
        rolling()
            .with(|case| {
                case.service.breaker.enabled = enabled;
                case.tasks = (0..count).map(|i| crashed(&i.to_string(), OURS)).collect();
            })
            .verdict()
    };
    assert_eq!(crashes(2, false), Verdict::InProgress { running: 2 });
    assert_eq!(crashes(3, false), Verdict::CrashLoop { ended: 3 });
    assert_eq!(crashes(7, true), Verdict::InProgress { running: 2 }, "ECS has its chance first");
    assert_eq!(crashes(8, true), Verdict::CrashLoop { ended: 8 });
    let counted = rolling().with(|case| {
        case.service.breaker.enabled = false;
        case.service.deployments[0].failed_tasks = 3;
    });
    assert_eq!(counted.verdict(), Verdict::CrashLoop { ended: 3 });
    let others = rolling().with(|case| {
        case.service.breaker.enabled = false;
        case.tasks = (0..9).map(|i| crashed(&i.to_string(), OLD)).collect();
    });
    assert_eq!(others.verdict(), Verdict::InProgress { running: 2 });
}

#[test]
fn time_ends_what_waits_and_nothing_else() {
    assert_eq!(rolling().with(|case| case.elapsed = 1200).verdict(), Verdict::TimedOut);
    let done = Case::new(vec![deployment(OURS, 2, Completed, 2)]).with(|case| case.elapsed = 5000);
    assert_eq!(done.verdict(), Verdict::Completed);
}

#[test]
fn a_deleted_service_is_gone() {
    let gone = rolling().with(|case| case.service.status = "INACTIVE".into());
    assert_eq!(gone.verdict(), Verdict::Gone { status: "INACTIVE".into() });
}

#[test]
fn no_shape_without_our_completed_deployment_is_a_success() {
    for state in [Completed, InProgress, Failed] {
        for id in [OLD, OTHER] {
            for running in 0..4 {
                for absent in [0, 60] {
                    let case = Case::new(vec![deployment(id, 1, state, running)]).with(|case| case.absent = absent);
                    assert!(!matches!(case.verdict(), Verdict::Completed | Verdict::Healthy));
                }
            }
        }
    }
}

#[test]
fn a_task_that_names_no_deployment_is_told_by_its_definition() {
    let unnamed = |id: &str, by: Option<&str>, revision: u32| Task {
        started_by: by.map(DeploymentId::from),
        definition: DefinitionArn::new(format!("task-definition/f:{revision}")),
        ..task(id, OURS)
    };
    let tasks = [
        unnamed("a", Some("s"), 2),
        unnamed("b", None, 2),
        unnamed("old", Some("s"), 1),
        // A deployment that is named is believed.
        unnamed("other", Some(OTHER), 2),
    ];
    let ours = |expected: &Expected| our_tasks(expected, &tasks).map(|task| task.id.clone()).collect::<Vec<_>>();
    assert_eq!(ours(&expected()), ["a", "b"]);
    assert_eq!(ours(&Expected { definition: None, ..expected() }), [""; 0], "two deployments of one definition");
}
