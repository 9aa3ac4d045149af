//! GitHub Actions: workflows that can be dispatched, and their runs.

mod api;
mod dispatch;
mod fate;
mod list;
mod wire;

pub(crate) use api::answer;
pub use fate::{Approval, FatedJob, RunFate};

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::GitHub;
use super::wire::number;

/// A workflow with a `workflow_dispatch` trigger.
#[derive(Debug, Clone, PartialEq)]
pub struct Workflow {
    /// What it calls itself.
    pub name: String,
    /// The inputs that it declares.
    pub inputs: BTreeSet<String>,
    /// Those of them without which it isn't dispatched.
    pub required: BTreeSet<String>,
    /// False: somebody has disabled it.
    pub active: bool,
    /// Whether a dispatch with `return_run_details` and the API's version 2026-03-10 is answered with the run: else 204.
    pub answers_details: bool,
    /// Whether `return_run_details` is refused as a key that nobody knows, as an old server does. For one that does not
    /// know the version either, see [`GitHub::api_versions`].
    pub rejects_details: bool,
    /// Whether the run's name holds the input `correlation_id`.
    pub echoes: bool,
    /// How many sandbox seconds a run is in no list and not found by its id.
    pub listed_after: f64,
    /// How the next runs go, the first of them first.
    pub fates: VecDeque<RunFate>,
    /// How all others go.
    pub fate: RunFate,
}

impl Workflow {
    /// A workflow that declares these inputs, answers with details, echoes and succeeds.
    pub fn new(name: &str, inputs: &[&str]) -> Workflow {
        Workflow {
            name: name.to_owned(),
            inputs: inputs.iter().map(|&input| input.to_owned()).collect(),
            required: BTreeSet::new(),
            active: true,
            answers_details: true,
            rejects_details: false,
            echoes: true,
            listed_after: 0.0,
            fates: VecDeque::new(),
            fate: RunFate::ends("success"),
        }
    }
}

/// A run of a workflow.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// Its id.
    pub id: u64,
    /// Its number among the runs of its workflow.
    pub number: u64,
    /// `owner/name`.
    pub repository: String,
    /// The workflow's file.
    pub workflow: String,
    /// Its name: what `run-name` makes of the inputs.
    pub title: String,
    /// What started it.
    pub event: String,
    /// The branch or tag that it runs on, without `refs/heads/`.
    pub reference: String,
    /// The commit that it runs on.
    pub sha: String,
    /// What it was given.
    pub inputs: BTreeMap<String, String>,
    /// Sandbox seconds.
    pub created_at: f64,
    /// From when on it is shown, in sandbox seconds.
    pub listed_at: f64,
    /// When somebody cancelled it.
    pub cancelled_at: Option<f64>,
    /// How it goes.
    pub fate: RunFate,
}

impl GitHub {
    /// A workflow by repository (`owner/name`) and file.
    ///
    /// # Panics
    /// When there is none: a mistake in the test.
    #[expect(clippy::panic, reason = "a helper for tests, where a wrong name should stop the test")]
    pub fn workflow_mut(&mut self, repository: &str, file: &str) -> &mut Workflow {
        match self.workflows.get_mut(&(repository.to_owned(), file.to_owned())) {
            Some(workflow) => workflow,
            None => panic!("the sandbox has no workflow {file} in {repository}"),
        }
    }

    /// Somebody starts a run of a workflow at this time, in sandbox seconds; its id. The workflow's next fate is its own.
    pub fn start_run(&mut self, repository: &str, file: &str, reference: &str, inputs: &[(&str, &str)], now: f64) -> u64 {
        let id = self.runs.iter().map(|run| run.id).max().unwrap_or(30_433_642_000) + 1;
        let number = self.runs.iter().filter(|run| run.repository == repository && run.workflow == file).count() + 1;
        let workflow = self.workflow_mut(repository, file);
        let inputs: BTreeMap<String, String> = inputs.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect();
        let echo = inputs.get("correlation_id").filter(|echo| workflow.echoes && !echo.is_empty());
        let title = echo.map_or_else(|| workflow.name.clone(), |echo| format!("{} {echo}", workflow.name));
        let fate = workflow.fates.pop_front().unwrap_or_else(|| workflow.fate.clone());
        let listed_at = now + workflow.listed_after;
        let found = self.repositories.get(repository).and_then(|it| it.reference(reference));
        let (reference, sha) = found.unwrap_or_else(|| (reference.to_owned(), "0".repeat(40)));
        self.runs.push(Run {
            id,
            number: number as u64,
            repository: repository.to_owned(),
            workflow: file.to_owned(),
            title,
            event: "workflow_dispatch".to_owned(),
            reference,
            sha,
            inputs,
            created_at: now,
            listed_at,
            cancelled_at: None,
            fate,
        });
        id
    }
}

/// The id of a workflow.
pub(crate) fn workflow_id(repository: &str, file: &str) -> u64 {
    number(&format!("{repository}/{file}"))
}
