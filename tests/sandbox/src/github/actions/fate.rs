//! How a run goes by sandbox time.

use super::Run;

/// How a run goes: queued, perhaps waiting for an approval, in progress, completed.
#[derive(Debug, Clone, PartialEq)]
pub struct RunFate {
    /// How many sandbox seconds it is queued.
    pub queued: f64,
    /// Whether somebody has to approve it before it runs.
    pub approval: Approval,
    /// How many sandbox seconds it then runs.
    pub running: f64,
    /// `success`, `failure`, `timed_out`, `startup_failure`…
    pub conclusion: String,
    /// Its jobs, which all run as long as it does.
    pub jobs: Vec<FatedJob>,
}

/// Whether a run waits for somebody's approval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Approval {
    /// It does not.
    None,
    /// Somebody approves it after so many sandbox seconds.
    Given(f64),
    /// It does, and nobody ever approves it.
    Never,
}

/// A job of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct FatedJob {
    /// Its name.
    pub name: String,
    /// How it ends.
    pub conclusion: String,
    /// Its steps, one after the other and equally long: name and conclusion.
    pub steps: Vec<(String, String)>,
}

impl FatedJob {
    /// A job with these steps: names and conclusions.
    pub fn new(name: &str, conclusion: &str, steps: &[(&str, &str)]) -> FatedJob {
        let steps = steps.iter().map(|&(name, conclusion)| (name.to_owned(), conclusion.to_owned())).collect();
        FatedJob { name: name.to_owned(), conclusion: conclusion.to_owned(), steps }
    }
}

impl RunFate {
    /// Queued for 2 seconds, then running for 6; one job, `e2e`, in which the step `Run the suite` decides.
    pub fn ends(conclusion: &str) -> RunFate {
        let steps = [("Set up job", "success"), ("Check out", "success"), ("Run the suite", conclusion), ("Complete job", "success")];
        let jobs = vec![FatedJob::new("e2e", conclusion, &steps)];
        RunFate { queued: 2.0, approval: Approval::None, running: 6.0, conclusion: conclusion.to_owned(), jobs }
    }
}

impl Run {
    /// When it begins to run, if nobody cancels it; infinity for never.
    fn starts_at(&self) -> f64 {
        let waits = match self.fate.approval {
            Approval::None => 0.0,
            Approval::Given(after) => after,
            Approval::Never => f64::INFINITY,
        };
        self.created_at + self.fate.queued + waits
    }

    /// When it is over, in sandbox seconds; infinity for never.
    pub fn ends_at(&self) -> f64 {
        let natural = self.starts_at() + self.fate.running;
        self.cancelled_at.map_or(natural, |cancelled| cancelled.min(natural))
    }

    /// `queued`, `waiting`, `in_progress` or `completed`, at this time.
    pub fn status(&self, now: f64) -> &'static str {
        match now {
            _ if now >= self.ends_at() => "completed",
            _ if now >= self.starts_at() => "in_progress",
            _ if now >= self.created_at + self.fate.queued => "waiting",
            _ => "queued",
        }
    }

    /// How it has ended, if it has by this time.
    pub fn conclusion(&self, now: f64) -> Option<&str> {
        let cancelled = self.cancelled_at.is_some_and(|at| at < self.starts_at() + self.fate.running);
        let conclusion = if cancelled { "cancelled" } else { self.fate.conclusion.as_str() };
        (self.status(now) == "completed").then_some(conclusion)
    }

    /// When its state last changed, as of this time.
    pub(crate) fn changed_at(&self, now: f64) -> f64 {
        match self.status(now) {
            "completed" => self.ends_at(),
            "in_progress" => self.starts_at(),
            "waiting" => self.created_at + self.fate.queued,
            _ => self.created_at,
        }
    }

    /// When its jobs began, if they have by this time.
    pub(crate) fn began_at(&self, now: f64) -> Option<f64> {
        let begins = self.starts_at();
        (begins <= now && begins < self.ends_at()).then_some(begins)
    }

    /// Status, conclusion, begin and end of the step at this place among so many.
    pub(crate) fn step(&self, (at, of): (usize, usize), conclusion: &str, now: f64) -> Step {
        let after = |steps: usize| self.starts_at() + self.fate.running * (steps as f64 / of.max(1) as f64);
        let (begins, natural) = (after(at), after(at + 1));
        let over = self.ends_at();
        if natural <= over && now >= natural {
            return Step { status: "completed", conclusion: Some(conclusion.to_owned()), begins: Some(begins), ends: Some(natural) };
        }
        if now >= over {
            let begun = begins < over;
            let conclusion = if begun { "cancelled" } else { "skipped" };
            return Step {
                status: "completed",
                conclusion: Some(conclusion.to_owned()),
                begins: begun.then_some(begins),
                ends: Some(over),
            };
        }
        let begun = now >= begins;
        Step { status: if begun { "in_progress" } else { "pending" }, conclusion: None, begins: begun.then_some(begins), ends: None }
    }
}

/// A step at some time.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Step {
    pub(crate) status: &'static str,
    pub(crate) conclusion: Option<String>,
    pub(crate) begins: Option<f64>,
    pub(crate) ends: Option<f64>,
}
