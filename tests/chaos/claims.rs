//! What the report says of each service, held against the sandbox.

use escher_sandbox::{Rollout, Service, What};
use serde_json::Value;

use crate::check::{After, Stood};

/// What a row says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Claim {
    Deployed,
    Unchanged,
    Skipped,
    TakenBack,
    /// Not begun, or blocked.
    Untouched,
    InFlight,
    /// Begun or not: the run ended before ECS had answered.
    Unknown,
    Failed,
}

impl Claim {
    pub(crate) fn of(row: &Value) -> Self {
        match row["state"].as_str().unwrap_or_default() {
            "deployed" | "is back" => Self::Deployed,
            "unchanged" => Self::Unchanged,
            "skipped" => Self::Skipped,
            "taken back" => Self::TakenBack,
            "not begun" => Self::Untouched,
            state if state.starts_with("blocked by") => Self::Untouched,
            "left in flight" => Self::InFlight,
            "perhaps in flight" => Self::Unknown,
            _ => Self::Failed,
        }
    }
}

/// Everything that is not as the report says.
pub(crate) fn wrong(after: &After<'_>) -> Vec<String> {
    let mut wrong = Vec::new();
    let rows = after.rows();
    for row in &rows {
        let name = row["name"].as_str().unwrap_or_default();
        let Some(view) = View::of(after, name, row) else {
            wrong.push(format!("{name} is reported and not there"));
            continue;
        };
        if let Some(what) = view.wrong() {
            wrong.push(format!("{name} is told as `{}`, {}, but {what}", row["state"].as_str().unwrap_or_default(), view.told()));
        }
    }
    let mut scope: Vec<&str> = after.scene.scope.clone();
    scope.retain(|name| !rows.iter().any(|row| row["name"] == *name));
    if after.ran.code == 0 && !after.is_dry() && !scope.is_empty() {
        wrong.push(format!("a success without a word on {scope:?}"));
    }
    if matches!(after.ran.output("result"), "rolled-back" | "refused") || matches!(after.ran.code, 7 | 8) {
        for service in &after.world.ecs.services {
            let Some(view) = View::of(after, &service.name, &Value::Null) else { continue };
            if !view.is_touched && (!view.is_as_before() || (view.stood.is_at_rest && !view.is_at_rest())) {
                wrong.push(format!("{} does not run as before", service.name));
            }
        }
    }
    wrong
}

/// One service: what is said, and what is.
struct View<'a> {
    after: &'a After<'a>,
    service: &'a Service,
    stood: &'a Stood,
    row: &'a Value,
    /// Somebody else deployed or took back, during this run.
    is_touched: bool,
    definition: String,
}

impl<'a> View<'a> {
    fn of(after: &'a After<'a>, name: &str, row: &'a Value) -> Option<Self> {
        let service = after.world.ecs.services.iter().find(|service| service.name == name)?;
        let stood = after.before.services.get(name)?;
        let moments = &service.history[stood.moments..];
        let strangers = moments.iter().any(|moment| moment.what == What::Updated && !after.ours.contains(&moment.deployment));
        // Of a person's way back the history tells no more than of ECS's own.
        let is_taken_back = after.scene.deeds.iter().any(|(_, deed)| *deed == escher_sandbox::Deed::Rollback { service: name.to_owned() });
        let definition = service.primary().map(|it| it.task_definition.clone()).unwrap_or_default();
        Some(Self { after, service, stood, row, is_touched: strangers || is_taken_back, definition })
    }

    fn told(&self) -> String {
        self.row["failure"]["runs_now"].as_str().unwrap_or("no word on what runs").to_owned()
    }

    fn is_at_rest(&self) -> bool {
        self.service.primary().is_some_and(|primary| primary.rollout == Rollout::Completed)
    }

    /// As before this run, or before the first run of the release.
    fn is_as_before(&self) -> bool {
        let first = self.after.first.services.get(&self.service.name).map(|stood| &stood.definition);
        self.definition == self.stood.definition || Some(&self.definition) == first
    }

    fn container(&self) -> Value {
        let definition = self.after.world.ecs.definitions.iter().find(|known| known.arn == self.definition);
        definition.and_then(|it| it.main_container(&self.service.container)).cloned().unwrap_or_default()
    }

    fn version(&self) -> String {
        let container = self.container();
        let label = container["dockerLabels"]["org.opencontainers.image.version"].as_str().unwrap_or_default();
        label.to_owned()
    }

    /// It runs the image of the release that was deployed.
    fn runs_the_release(&self) -> bool {
        let repository = self.after.world.ecr.repository(&format!("escher-{}", self.service.name));
        let digest = repository.and_then(|it| it.image(self.after.act.tag)).map(|image| image.digest.clone()).unwrap_or_default();
        let image = self.container()["image"].as_str().unwrap_or_default().to_owned();
        !digest.is_empty() && image.ends_with(&format!("@{digest}"))
    }

    /// As many tasks run as are wanted; where others change that, it can't be held against anybody.
    fn runs_whole(&self) -> bool {
        let running = self.service.tasks.iter().filter(|task| task.task_definition == self.definition && task.counts_as_running()).count();
        let is_others_doing = self.after.scene.recounted.contains(&self.service.name.as_str());
        is_others_doing || self.dies_later() || running >= self.service.desired_count as usize
    }

    /// Its image is one that arrives and dies afterwards.
    fn dies_later(&self) -> bool {
        let image = self.container()["image"].as_str().and_then(|image| image.rsplit_once('@')).map(|(_, digest)| digest.to_owned());
        let found = image.and_then(|digest| self.after.world.ecr.by_digest(&digest));
        found.is_some_and(|image| matches!(image.fate, escher_sandbox::Fate::CrashesWhenHealthy { .. }))
    }

    /// This run began a deployment of it.
    fn was_begun(&self) -> bool {
        self.service.history.iter().any(|moment| moment.what == What::Updated && self.after.began.contains(&moment.deployment))
    }

    /// One of our deployments has completed.
    fn has_completed(&self) -> bool {
        self.service.history.iter().any(|moment| moment.what == What::Completed && self.after.ours.contains(&moment.deployment))
    }

    fn wrong(&self) -> Option<String> {
        if self.after.is_dry() {
            return None;
        }
        let claim = Claim::of(self.row);
        // Somebody else's deployment of what we would register is joined (CONTRACT 5.5).
        let is_joined = || self.is_at_rest() && self.runs_the_release();
        if claim == Claim::Deployed && !self.has_completed() && !is_joined() {
            return Some("no deployment of ours has completed".to_owned());
        }
        if claim == Claim::Untouched && self.was_begun() {
            return Some("it was begun".to_owned());
        }
        if self.is_touched {
            return self.tramples(claim);
        }
        let not = |holds: bool, what: &str| {
            (!holds).then(|| format!("{what} (it runs {})", self.definition.rsplit('/').next().unwrap_or_default()))
        };
        match claim {
            Claim::Deployed => not(self.is_at_rest(), "it is not COMPLETED")
                .or_else(|| not(self.runs_the_release(), "it does not run the release's digest"))
                .or_else(|| not(self.runs_whole(), "fewer tasks run than desired")),
            Claim::Unchanged => not(self.definition == self.stood.definition && !self.was_begun(), "it has changed")
                .or_else(|| not(self.is_at_rest(), "it is not COMPLETED"))
                .or_else(|| not(self.after.ran.code != 0 || self.runs_the_release(), "it does not run the release's digest")),
            Claim::Skipped => not(!self.was_begun(), "it was begun"),
            Claim::TakenBack => {
                not(self.is_as_before(), "it does not run as before").or_else(|| not(self.is_at_rest(), "it is not COMPLETED"))
            }
            Claim::Untouched => not(self.is_as_before(), "it does not run as before"),
            Claim::InFlight => not(self.was_begun() || !self.stood.is_at_rest, "it was never begun"),
            Claim::Unknown => not(self.after.ran.code == 130, "the run was not told to stop"),
            Claim::Failed => self.failed(),
        }
    }

    /// Somebody else's deployment is neither stopped by us, nor called ours, nor gone back over.
    fn tramples(&self, claim: Claim) -> Option<String> {
        let moments = &self.service.history[self.stood.moments..];
        let is_ours = |id: &String| self.after.ours.contains(id);
        let stopped = moments
            .iter()
            .find(|moment| moment.what == What::RollbackStarted && !is_ours(&moment.deployment) && self.after.stopped_at(moment.at));
        if let Some(moment) = stopped {
            return Some(format!("{}, which is someone else's, was stopped by us", moment.deployment));
        }
        let strangers = moments.iter().rposition(|moment| moment.what == What::Updated && !is_ours(&moment.deployment))?;
        let back = moments[strangers..].iter().find(|moment| {
            let is_back = self.after.wanted(&moment.deployment) == Some(&self.stood.definition);
            moment.what == What::Updated && self.after.began.contains(&moment.deployment) && is_back
        });
        (back.is_some() && claim == Claim::TakenBack).then(|| "it went back over someone else's deployment".to_owned())
    }

    /// A failure says what runs now.
    fn failed(&self) -> Option<String> {
        let told = self.told();
        let version = self.version();
        if let Some(before) = told.strip_prefix("runs now: ").and_then(|rest| rest.strip_suffix(" as before")) {
            let holds = before == version && self.is_as_before();
            return (!holds).then(|| format!("it runs {version} ({})", self.definition));
        }
        if let Some(new) = told.strip_prefix("runs now: ").and_then(|rest| rest.strip_suffix(", this release")) {
            let holds = (new == version && self.runs_the_release()) || self.dies_later();
            return (!holds).then(|| format!("it runs {version} ({})", self.definition));
        }
        if told.contains("what the other deployment brings") {
            return Some("nobody else has deployed it".to_owned());
        }
        told.is_empty().then(|| "it does not say what runs".to_owned())
    }
}
