//! What every run owes, however it ended.

use std::collections::BTreeMap;

use escher_sandbox::{Call, Rollout, Service, What, World};
use serde_json::Value;

use crate::claims::{self, Claim};
use crate::harness::{Job, Ran};
use crate::run::Act;
use crate::scene::Scene;

/// How a service stood before a run.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Stood {
    /// ARN of the PRIMARY's definition.
    pub(crate) definition: String,
    /// How many moments of its history ECS was certain to show: one that is younger may still be new to the run.
    pub(crate) moments: usize,
    /// It was at rest.
    pub(crate) is_at_rest: bool,
}

/// The world before a run.
#[derive(Debug, Clone)]
pub(crate) struct Before {
    pub(crate) services: BTreeMap<String, Stood>,
    calls: usize,
    messages: usize,
}

impl Before {
    pub(crate) fn of(job: &Job) -> Self {
        job.sandbox.with(|world| {
            let shown = world.now() - world.ecs.stale_reads;
            let stood = |service: &Service| {
                let primary = service.primary();
                Stood {
                    definition: primary.map(|it| it.task_definition.clone()).unwrap_or_default(),
                    moments: service.history.iter().filter(|moment| moment.at <= shown).count(),
                    is_at_rest: primary.is_some_and(|it| it.rollout == Rollout::Completed) && service.deployments.len() == 1,
                }
            };
            let services = world.ecs.services.iter().map(|service| (service.name.clone(), stood(service))).collect();
            Self { services, calls: world.calls.len(), messages: world.slack.messages.len() }
        })
    }
}

/// A run, and the world that it left.
pub(crate) struct After<'a> {
    pub(crate) scene: &'a Scene,
    pub(crate) first: &'a Before,
    pub(crate) before: &'a Before,
    pub(crate) act: &'a Act,
    pub(crate) ran: &'a Ran,
    pub(crate) world: World,
    /// The calls of this run.
    pub(crate) calls: Vec<Call>,
    /// The deployments that any of our runs began.
    pub(crate) ours: Vec<String>,
    /// Those that this run began.
    pub(crate) began: Vec<String>,
}

/// Everything that is not as it must be.
pub(crate) fn wrong(scene: &Scene, job: &Job, first: &Before, before: &Before, act: &Act, ran: &Ran) -> Vec<String> {
    let world = job.sandbox.with(|world| world.clone());
    let calls = world.calls[before.calls..].to_vec();
    let (ours, began) = (begun(&world, &world.calls), begun(&world, &calls));
    let after = After { scene, first, before, act, ran, world, calls, ours, began };
    let mut wrong = after.manners();
    // A killed run says nothing.
    if ran.code != -1 {
        wrong.extend(after.outputs());
        // Who was lied to is held to the truth again once nobody lies any more.
        if !scene.is_lied_to || act.is_healed {
            wrong.extend(after.verdict());
            wrong.extend(after.slack());
            wrong.extend(claims::wrong(&after));
        }
    } else if act.interrupt.as_ref().is_none_or(|interrupt| interrupt.signal != "KILL") {
        wrong.push("it ended by a signal that nobody sent".to_owned());
    }
    wrong
}

/// The ids of the deployments that these calls made, whether or not the answer arrived.
fn begun(world: &World, calls: &[Call]) -> Vec<String> {
    let updates = calls.iter().filter(|call| call.operation == "UpdateService");
    let made = updates.filter_map(|call| {
        let id = call.answer["service"]["deployments"][0]["id"].as_str()?;
        let services = world.ecs.services.iter();
        let mut moments = services.flat_map(|service| &service.history);
        moments
            .any(|moment| moment.what == What::Updated && moment.deployment == id && (moment.at - call.at).abs() < 1e-6)
            .then(|| id.to_owned())
    });
    made.collect()
}

impl After<'_> {
    /// Results in which nothing of ECS was touched.
    fn changed_nothing(&self) -> bool {
        matches!(self.ran.code, 2 | 3 | 7 | 8) || self.ran.output("result") == "unchanged" || self.is_dry()
    }

    /// What a deployment of ours was to run: the definition that its update named.
    pub(crate) fn wanted(&self, deployment: &str) -> Option<&str> {
        let made = self
            .calls
            .iter()
            .find(|call| call.operation == "UpdateService" && call.answer["service"]["deployments"][0]["id"] == deployment);
        made.and_then(|call| call.body["taskDefinition"].as_str())
    }

    /// Our own StopServiceDeployment, at this moment.
    pub(crate) fn stopped_at(&self, at: f64) -> bool {
        self.calls.iter().any(|call| call.operation == "StopServiceDeployment" && (call.at - at).abs() < 1e-6)
    }

    pub(crate) fn is_dry(&self) -> bool {
        self.scene.inputs.contains(&("dry-run", "true"))
    }

    pub(crate) fn made(&self, operation: &str) -> usize {
        self.calls
            .iter()
            .filter(|call| call.operation == operation && (call.status == 200 || (call.status == 0 && call.answer.is_object())))
            .count()
    }

    /// No panic, and no line of text is a command.
    fn manners(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        if self.ran.stderr.contains("panicked") || self.ran.code == 101 || self.ran.code == 134 {
            wrong.push("it panicked".to_owned());
        }
        const OWN: [&str; 5] = ["::add-mask::", "::group::", "::endgroup::", "::error ", "::warning "];
        for line in self.ran.stdout.split(['\n', '\r']).chain(self.ran.stderr.split(['\n', '\r'])) {
            let is_ours = OWN.iter().any(|own| line.starts_with(own)) && line.trim() != "::add-mask::e";
            if (line.trim_start().starts_with("::") && !is_ours) || line.contains("##[") || line.contains('\u{1b}') {
                wrong.push(format!("text from outside is a command: {line:?}"));
            }
        }
        wrong
    }

    /// Code, result, and what was done agree.
    fn verdict(&self) -> Vec<String> {
        let (code, result) = (self.ran.code, self.ran.output("result"));
        let mut wrong = Vec::new();
        let mut hold = |holds: bool, claim: &str| {
            if !holds {
                wrong.push(format!("not so: {claim}; exit {code}, {result}"));
            }
        };
        let known: &[&str] = match code {
            0 => &["success", "unchanged"],
            1 | 5 | 6 => &["failed", "rolled-back"],
            // The configuration of every scene is sound: a run that refuses it tries nothing.
            3 => &["refused"],
            4 => &["superseded"],
            7 | 8 => &["failed"],
            130 => &["cancelled"],
            _ => &[],
        };
        hold(known.contains(&result), "code and result agree");
        hold(code != 130 || self.act.interrupt.is_some(), "only a run that was told to stop is cancelled");
        hold(!self.changed_nothing() || self.began.is_empty(), "no service was updated");
        hold(!matches!(code, 2 | 3 | 7) || self.made("RunTask") == 0, "nothing was migrated");
        hold(!matches!(code, 2 | 3) || self.is_rerun() || self.made("PutImage") == 0, "no image was tagged");
        hold(result != "cancelled" || self.made("StopServiceDeployment") == 0, "a cancelled run takes nothing back");
        hold(code != 4 || !self.scene.deeds.is_empty(), "somebody else was there");
        if self.act.is_healed && self.scene.deeds.is_empty() && self.scene.then != crate::scene::Then::RollBack {
            hold(code == 0, "what is broken no longer is deployed by the next run");
        }
        let rows = self.rows();
        let has_reason = || {
            let messages = self.ran.report["messages"].as_array().cloned().unwrap_or_default();
            let failures = rows.iter().map(|row| row["failure"]["reason"].clone());
            let suite = [self.ran.report["e2e"]["failure"]["reason"].clone()];
            failures.chain(messages).chain(suite).any(|reason| reason.as_str().is_some_and(|text| !text.is_empty()))
        };
        hold(code == 0 || code == 130 || has_reason(), "what fails says why");
        wrong
    }

    fn is_rerun(&self) -> bool {
        self.before.calls > self.first.calls
    }

    pub(crate) fn rows(&self) -> Vec<Value> {
        self.ran.report["services"].as_array().cloned().unwrap_or_default()
    }

    /// The outputs say what the report says.
    fn outputs(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let names =
            |output: &str| -> Vec<String> { serde_json::from_str(self.ran.output(output)).unwrap_or_else(|_| vec!["?".to_owned()]) };
        for (output, is_meant) in [
            ("deployed", (|claim| matches!(claim, Claim::Deployed)) as fn(&Claim) -> bool),
            ("unchanged", |claim| matches!(claim, Claim::Unchanged)),
            ("skipped", |claim| matches!(claim, Claim::Skipped)),
            ("failed", |claim| !matches!(claim, Claim::Deployed | Claim::Unchanged | Claim::Skipped)),
        ] {
            let rows = self.rows();
            let told: Vec<&str> = rows.iter().filter(|row| is_meant(&Claim::of(row))).filter_map(|row| row["name"].as_str()).collect();
            if names(output) != told {
                wrong.push(format!("the output {output} is {:?}, the report says {told:?}", names(output)));
            }
        }
        for output in ["matrix", "plan"] {
            let text = self.ran.output(output);
            if !(text.is_empty() || serde_json::from_str::<Value>(text).is_ok()) {
                wrong.push(format!("the output {output} is no JSON: {text}"));
            }
        }
        if self.ran.report.is_null() {
            wrong.push("there is no report".to_owned());
        } else if self.ran.report["exit_code"] != self.ran.code || self.ran.report["result"] != self.ran.output("result") {
            wrong.push(format!("the report has another end: {}", self.ran.report["result"]));
        }
        if self.ran.summary.is_empty() {
            wrong.push("there is no summary".to_owned());
        }
        wrong
    }

    /// Where every notification got through, the message ends as the run does.
    fn slack(&self) -> Vec<String> {
        let words = match self.ran.output("result") {
            "success" => "deployed to",
            "unchanged" => "runs already in",
            "failed" => "failed in",
            "rolled-back" => "failed and was rolled back in",
            "superseded" => "was superseded in",
            "cancelled" => "was cancelled in",
            _ => return Vec::new(),
        };
        if self.ran.output("notify-ok") != "true" || self.rows().is_empty() || self.is_dry() {
            return Vec::new();
        }
        let ts = self.ran.output("slack-ts");
        let message = self.world.slack.messages.iter().skip(self.before.messages).find(|message| message.ts == ts);
        let text = message.map_or("(no message)", |message| message.text.as_str());
        let ends_so = text.contains(words);
        if ends_so { Vec::new() } else { vec![format!("Slack's message does not say {words:?}: {text}")] }
    }
}
