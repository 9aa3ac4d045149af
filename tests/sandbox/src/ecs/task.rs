//! A task, and what it will do next.

use serde_json::Value;

use super::definition::Definition;
use super::service::{Check, Timing};
use crate::around::Around;
use crate::ecr::{Fate, Found};

/// How long a task lives that runs out of memory.
const MEMORY_LASTS: f64 = 5.0;

/// What a health check last said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// Nothing yet.
    Unknown,
    /// Well.
    Healthy,
    /// Not well.
    Unhealthy,
}

/// The next change in a task's life.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Step {
    Pend,
    Run,
    FailToStart(String),
    Healthy,
    Unhealthy,
    Condemned { reason: String },
    Die { exit_code: i32, reason: Option<String> },
    Gone,
}

/// A container of a task.
#[derive(Debug, Clone)]
pub struct TaskContainer {
    /// Name in the definition.
    pub name: String,
    /// Image as the definition names it.
    pub image: String,
    /// The digest that was pulled; on the wire only once the task ran.
    pub digest: String,
    /// Absent when it never ran.
    pub exit_code: Option<i32>,
    /// Why it stopped, where the container knows more than the task.
    pub reason: Option<String>,
}

/// A task.
#[derive(Debug, Clone)]
pub struct Task {
    /// 32 hexadecimal digits.
    pub id: String,
    /// `arn:aws:ecs:…:task/<cluster>/<id>`.
    pub arn: String,
    /// Name of its cluster.
    pub cluster: String,
    /// The deployment's id; of a one-off task what RunTask said.
    pub started_by: String,
    /// `service:<name>` or `family:<family>`.
    pub group: String,
    /// ARN of its definition.
    pub task_definition: String,
    /// Sandbox seconds.
    pub created_at: f64,
    /// When it ran.
    pub started_at: Option<f64>,
    /// When it was told to stop.
    pub stopping_at: Option<f64>,
    /// When it had stopped.
    pub stopped_at: Option<f64>,
    /// PROVISIONING, PENDING, RUNNING, DEACTIVATING, STOPPING, STOPPED.
    pub last_status: &'static str,
    /// Whether it was told to stop.
    pub told_to_stop: bool,
    /// What the checks say, whoever checks.
    pub health: Health,
    /// It was healthy at some time.
    pub was_healthy: bool,
    /// `TaskFailedToStart`, …
    pub stop_code: Option<String>,
    /// `stoppedReason`.
    pub stopped_reason: Option<String>,
    /// The service's container first, then the others in the definition's order.
    pub containers: Vec<TaskContainer>,
    /// Private address.
    pub ip: String,
    /// Id of the network interface's attachment (a uuid).
    pub attachment: String,
    /// `a` or `b`, after the region's name.
    pub zone: char,
    /// What its image makes of it.
    pub fate: Fate,
    /// The request's `overrides`.
    pub overrides: Value,
    /// Log group and stream of the main container.
    pub log: Option<(String, String)>,
    /// Why it can't start.
    pub(crate) trouble: Option<String>,
    pub(crate) next: Option<(f64, Step)>,
    pub(crate) boot: f64,
}

/// What a task is placed for.
pub(crate) struct Order<'a> {
    pub(crate) arn_prefix: &'a str,
    pub(crate) cluster: &'a str,
    pub(crate) started_by: &'a str,
    pub(crate) group: String,
    pub(crate) container: &'a str,
    pub(crate) definition: &'a Definition,
    pub(crate) boot: f64,
    pub(crate) overrides: Value,
}

impl Task {
    /// A new task, PROVISIONING.
    pub(crate) fn place(order: Order<'_>, around: &mut Around<'_>) -> Task {
        let id = around.ids.hex(32);
        let main = order.definition.main_container(order.container);
        let (fate, missing) = resolve(main, around);
        let trouble = missing.or_else(|| missing_secret(order.definition, around));
        let address = around.ids.number();
        Task {
            arn: format!("{}task/{}/{id}", order.arn_prefix, order.cluster),
            cluster: order.cluster.to_owned(),
            started_by: order.started_by.to_owned(),
            group: order.group,
            task_definition: order.definition.arn.clone(),
            created_at: around.now,
            started_at: None,
            stopping_at: None,
            stopped_at: None,
            last_status: "PROVISIONING",
            told_to_stop: false,
            health: Health::Unknown,
            was_healthy: false,
            stop_code: None,
            stopped_reason: None,
            containers: containers(order.definition, main, around),
            ip: format!("10.20.{}.{}", address % 200, 4 + (address >> 8) % 250),
            attachment: around.ids.uuid(),
            zone: if address.is_multiple_of(2) { 'a' } else { 'b' },
            fate,
            overrides: order.overrides,
            log: order.definition.log_stream(main, &id),
            trouble,
            next: Some((around.now + order.boot / 4.0, Step::Pend)),
            boot: order.boot,
            id,
        }
    }

    /// PROVISIONING is over; now the image is pulled.
    pub(crate) fn pend(&mut self) {
        self.last_status = "PENDING";
        let at = self.created_at + self.boot;
        self.next = match (&self.trouble, &self.fate) {
            (Some(reason), _) => Some((at, Step::FailToStart(reason.clone()))),
            (None, Fate::NeverStarts) => None,
            (None, _) => Some((at, Step::Run)),
        };
    }

    /// It runs; its image decides how it goes on.
    pub(crate) fn run(&mut self, now: f64, timing: &Timing, check: Check) {
        self.last_status = "RUNNING";
        self.started_at = Some(now);
        let judged = now + timing.health_delay(&check);
        let verdict = match self.fate {
            Fate::Unhealthy if check != Check::None => Step::Unhealthy,
            _ => Step::Healthy,
        };
        self.next = match self.death_after_running(now) {
            Some((at, death)) if at <= judged => Some((at, death)),
            _ => Some((judged, verdict)),
        };
    }

    /// It is healthy; some images die after that.
    pub(crate) fn become_healthy(&mut self, now: f64) {
        self.health = Health::Healthy;
        self.was_healthy = true;
        self.next = match self.fate {
            Fate::CrashesWhenHealthy { exit_code, after } => Some((now + after, Step::Die { exit_code, reason: None })),
            _ => self.started_at.and_then(|started| self.death_after_running(started)),
        };
    }

    fn death_after_running(&self, started: f64) -> Option<(f64, Step)> {
        match self.fate {
            Fate::Crashes { exit_code, after } => Some((started + after, Step::Die { exit_code, reason: None })),
            Fate::OutOfMemory => {
                let reason = Some("OutOfMemoryError: Container killed due to memory usage".to_owned());
                Some((started + MEMORY_LASTS, Step::Die { exit_code: 137, reason }))
            }
            _ => None,
        }
    }

    /// Its main container exited, so the others are stopped.
    pub(crate) fn die(&mut self, now: f64, exit_code: i32, reason: Option<String>) {
        self.stop_now(now, "EssentialContainerExited", "Essential container in task exited");
        for container in &mut self.containers {
            container.exit_code = Some(0);
        }
        if let Some(main) = self.containers.first_mut() {
            main.exit_code = Some(exit_code);
            main.reason = reason;
        }
    }

    /// STOPPED at once, for this reason.
    pub(crate) fn stop_now(&mut self, now: f64, code: &str, reason: &str) {
        self.stop_code.get_or_insert_with(|| code.to_owned());
        self.stopped_reason.get_or_insert_with(|| reason.to_owned());
        if self.started_at.is_some() {
            // Whoever handles SIGTERM ends with 0; the rest is killed with 128 + 15.
            self.containers.iter_mut().for_each(|container| container.exit_code = Some(143));
        }
        self.told_to_stop = true;
        self.stopping_at.get_or_insert(now);
        self.stopped_at = Some(now);
        self.last_status = "STOPPED";
        self.next = None;
    }

    /// It leaves the load balancer, gets SIGTERM, and is gone after `drain`.
    pub(crate) fn stop_gently(&mut self, now: f64, drain: f64, check: Check, reason: &str) {
        self.stop_code = Some("ServiceSchedulerInitiated".to_owned());
        self.stopped_reason = Some(reason.to_owned());
        self.told_to_stop = true;
        self.stopping_at = Some(now);
        self.last_status = if check == Check::TargetGroup { "DEACTIVATING" } else { "STOPPING" };
        self.next = Some((now + drain, Step::Gone));
    }

    /// It should run, and nothing has ended it.
    pub fn live(&self) -> bool {
        !self.told_to_stop
    }

    /// Its containers run, even if they were told to stop: what `runningCount` counts.
    pub fn counts_as_running(&self) -> bool {
        matches!(self.last_status, "RUNNING" | "DEACTIVATING" | "STOPPING")
    }

    /// It takes requests.
    pub fn serves(&self, check: Check) -> bool {
        self.live() && self.last_status == "RUNNING" && (check == Check::None || self.health == Health::Healthy)
    }
}

/// The fate of an image, or why it can't be pulled.
fn resolve(main: Option<&Value>, around: &Around<'_>) -> (Fate, Option<String>) {
    let reference = main.and_then(|container| container["image"].as_str()).unwrap_or_default();
    let cannot = || {
        format!(
            "CannotPullContainerError: pull image manifest has been retried 5 time(s): failed to resolve ref {reference}: {reference}: not found"
        )
    };
    match around.ecr.find(reference) {
        // An archived image is listed, but can't be pulled until it is restored.
        Found::Image(image) if image.fate == Fate::CannotPull || image.status != "ACTIVE" => (Fate::CannotPull, Some(cannot())),
        Found::Image(image) => (image.fate.clone(), None),
        Found::Missing => (Fate::CannotPull, Some(cannot())),
        Found::Elsewhere => (Fate::Well, None),
    }
}

/// ECS looks for a secret only when a task starts.
fn missing_secret(definition: &Definition, around: &Around<'_>) -> Option<String> {
    let containers = definition.containers();
    let wanted = containers.iter().flat_map(|container| container["secrets"].as_array().into_iter().flatten());
    let missing = wanted.filter_map(|secret| secret["valueFrom"].as_str()).find(|from| !around.secrets.can_inject(from))?;
    Some(format!(
        "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve secret from asm: service call has been retried 1 time(s): failed to fetch secret {missing} from secrets manager: ResourceNotFoundException: Secrets Manager can't find the specified secret."
    ))
}

fn containers(definition: &Definition, main: Option<&Value>, around: &Around<'_>) -> Vec<TaskContainer> {
    let name = |container: &Value| container["name"].as_str().unwrap_or_default().to_owned();
    let first = main.map(name).unwrap_or_default();
    let mut all: Vec<TaskContainer> = definition
        .containers()
        .iter()
        .map(|container| {
            let image = container["image"].as_str().unwrap_or_default();
            let digest = match around.ecr.find(image) {
                Found::Image(found) => found.digest.clone(),
                _ => crate::ecr::digest(image.as_bytes()),
            };
            TaskContainer { name: name(container), image: image.to_owned(), digest, exit_code: None, reason: None }
        })
        .collect();
    all.sort_by_key(|container| container.name != first);
    all
}
