//! `judge` against a small model of ECS: every order in which ECS, its breaker, a person and a stranger may act after our update,
//! and every answer that may be seen, an older one included. A verdict must be true of the state that was seen.

use super::*;

const OLD: &str = "ecs-svc/1";
const OURS: &str = "ecs-svc/2";
const DESIRED: u32 = 2;
/// Acts after our update.
const DEPTH: usize = 5;

/// A service as ECS keeps it. The first deployment is the PRIMARY.
#[derive(Clone, Debug)]
struct Model {
    deployments: Vec<Deployment>,
    events: Vec<Event>,
    next_id: u32,
    /// Ids that neither we nor ECS's way back made.
    strangers: Vec<DeploymentId>,
    rollback: bool,
    reuses_id: bool,
}

/// What may happen.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Act {
    /// All tasks of the PRIMARY run.
    Run,
    /// The PRIMARY is completed.
    Complete,
    /// The breaker, or a person, ends the PRIMARY.
    Fail,
    /// Somebody else deploys something.
    Stranger,
    /// Somebody puts the old definition back by hand.
    ByHand,
}

const ACTS: [Act; 5] = [Act::Run, Act::Complete, Act::Fail, Act::Stranger, Act::ByHand];

fn deployment(id: &str, definition: &str, state: RolloutState) -> Deployment {
    Deployment {
        id: id.into(),
        is_primary: true,
        definition: definition.into(),
        running: if state == RolloutState::Completed { DESIRED } else { 0 },
        failed_tasks: 0,
        state,
        reason: format!("ECS deployment {id} in progress."),
        created: None,
    }
}

impl Model {
    fn before_our_update(rollback: bool, reuses_id: bool) -> Self {
        let old = deployment(OLD, "old", RolloutState::Completed);
        Self { deployments: vec![old], events: Vec::new(), next_id: 3, strangers: Vec::new(), rollback, reuses_id }
    }

    fn primary(&mut self) -> &mut Deployment {
        &mut self.deployments[0]
    }

    fn lead(&mut self, new: Deployment) {
        self.deployments[0].is_primary = false;
        self.deployments.insert(0, new);
    }

    fn fresh(&mut self) -> String {
        self.next_id += 1;
        format!("ecs-svc/{}", self.next_id)
    }

    fn event(&mut self, message: String) {
        let id = format!("event-{}", self.events.len());
        self.events.insert(0, Event { id, message });
    }

    /// What the service is after it; none where it can't happen.
    fn after(&self, act: Act) -> Option<Self> {
        let mut model = self.clone();
        let primary = model.primary().clone();
        let is_moving = primary.state == RolloutState::InProgress;
        match act {
            Act::Run if is_moving && primary.running < DESIRED => model.primary().running = DESIRED,
            Act::Complete if is_moving => {
                model.deployments.truncate(1);
                let primary = model.primary();
                (primary.state, primary.running) = (RolloutState::Completed, DESIRED);
                primary.reason = format!("ECS deployment {} completed.", primary.id);
            }
            Act::Fail if is_moving => model.fail(&primary),
            Act::Stranger | Act::ByHand => {
                let (id, definition) = (model.fresh(), if act == Act::ByHand { "old" } else { "theirs" });
                if primary.definition.as_str() == definition {
                    return None;
                }
                model.strangers.push(id.as_str().into());
                model.lead(deployment(&id, definition, RolloutState::InProgress));
            }
            _ => return None,
        }
        Some(model)
    }

    fn fail(&mut self, failed: &Deployment) {
        self.primary().state = RolloutState::Failed;
        self.event(format!("(service s) (deployment {}) deployment failed: tasks failed to start.", failed.id));
        let former = self.deployments.iter().position(|other| !other.is_primary && other.state == RolloutState::Completed);
        // Of the way back itself there is no further way back.
        let goes_back = self.rollback && !failed.reason.contains("rolling back");
        let Some(former) = former.filter(|_| goes_back) else { return };
        let old = if self.reuses_id { self.deployments.remove(former) } else { self.deployments[former].clone() };
        let id = if self.reuses_id { old.id.to_string() } else { self.fresh() };
        let reason = format!("ECS deployment circuit breaker: rolling back to deploymentId {id}.");
        self.lead(Deployment { reason, ..deployment(&id, old.definition.as_str(), RolloutState::InProgress) });
        self.event(format!("(service s) rolling back to deployment {id}."));
    }

    fn view(&self) -> ServiceView {
        ServiceView {
            name: "s".into(),
            status: "ACTIVE".into(),
            controller: "ECS".into(),
            desired: DESIRED,
            deployments: self.deployments.clone(),
            events: self.events.clone(),
            breaker: Breaker { enabled: true, rollback: self.rollback },
            ..ServiceView::default()
        }
    }

    fn is_at_rest(&self) -> bool {
        self.deployments[0].state != RolloutState::InProgress
    }
}

fn verdict(view: &ServiceView, seconds: u64) -> Verdict {
    let expected = Expected {
        deployment: OURS.into(),
        definition: Some("new".into()),
        before: vec![(OLD.into(), "old".into())],
        known_events: BTreeSet::new(),
        has_health_check: true,
        timeout: Duration::from_secs(1200),
    };
    let ours = view.deployments.iter().find(|deployment| deployment.id.as_str() == OURS).map_or(0, |ours| ours.running);
    let task = |number: u32| Task {
        id: number.to_string(),
        started_by: Some(OURS.into()),
        definition: "new".into(),
        is_running: true,
        is_healthy: true,
        address: None,
        end: None,
    };
    let tasks: Vec<Task> = (0..ours).map(task).collect();
    let time = Duration::from_secs(seconds);
    let observed = Observed {
        service: view,
        tasks: &tasks,
        targets: &Targets::None,
        running_for: &BTreeMap::new(),
        absent_for: time,
        failed_for: time,
        elapsed: time,
    };
    judge(&expected, &observed)
}

/// Whether a verdict is true of the service as it was when it was seen.
fn is_true(verdict: &Verdict, seen: &Model) -> bool {
    let (primary, ours) = (&seen.deployments[0], DeploymentId::from(OURS));
    let is_ours = primary.id == ours;
    match verdict {
        Verdict::Completed => is_ours && primary.state == RolloutState::Completed && primary.running >= DESIRED,
        Verdict::Healthy => is_ours && primary.running >= DESIRED && primary.state != RolloutState::Failed,
        Verdict::Failed { .. } => primary.state == RolloutState::Failed && (is_ours || primary.definition.as_str() == "old"),
        Verdict::RolledBack { .. } => !is_ours && primary.definition.as_str() == "old" && primary.state == RolloutState::Completed,
        Verdict::RollingBack { .. } => primary.state == RolloutState::Failed || (!is_ours && primary.definition.as_str() == "old"),
        Verdict::Superseded { by } => *by == primary.id && !is_ours,
        Verdict::InProgress { .. } => true,
        Verdict::CrashLoop { .. } | Verdict::Gone { .. } | Verdict::TimedOut => false,
    }
}

/// Every state that can be reached, by way of its acts.
fn explore(model: &Model, path: &mut Vec<Act>, count: &mut usize) {
    *count += 1;
    for seconds in [1, 60] {
        let told = verdict(&model.view(), seconds);
        assert!(is_true(&told, model), "{told:?} after {path:?}: {model:?}");
    }
    let told = verdict(&model.view(), 60);
    let is_final = !matches!(told, Verdict::InProgress { .. } | Verdict::Healthy | Verdict::RollingBack { .. });
    assert!(is_final || !model.is_at_rest(), "at rest, and no word: {told:?} after {path:?}: {model:?}");
    // Going back by somebody else's hand is no success of ours either.
    assert!(told != Verdict::Completed || model.strangers.is_empty() || model.deployments[0].id.as_str() == OURS);
    if path.len() < DEPTH {
        for act in ACTS {
            if let Some(after) = model.after(act) {
                path.push(act);
                explore(&after, path, count);
                path.pop();
            }
        }
    }
}

#[test]
fn whatever_others_do_and_in_whatever_order_the_verdict_is_true_and_comes() {
    let mut count = 0;
    for (rollback, reuses_id) in [(false, true), (true, true), (true, false)] {
        let before = Model::before_our_update(rollback, reuses_id);
        // An answer from before our update tells nothing.
        assert_eq!(verdict(&before.view(), 1), Verdict::InProgress { running: 0 });
        let mut model = before;
        model.lead(deployment(OURS, "new", RolloutState::InProgress));
        explore(&model, &mut Vec::new(), &mut count);
    }
    assert!(count > 1000, "{count} states");
}
