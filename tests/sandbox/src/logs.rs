//! CloudWatch Logs: what the tasks wrote.

use serde_json::{Value, json};

use crate::ecs::Task;
use crate::refusal::{Answer, Refusal, Table, known, text, unknown_operation};

/// CloudWatch Logs.
#[derive(Debug, Clone, Default)]
pub struct Logs {
    /// Streams that have lines.
    pub streams: Vec<Stream>,
}

/// A log stream.
#[derive(Debug, Clone)]
pub struct Stream {
    /// Log group.
    pub group: String,
    /// `<prefix>/<container>/<task id>`.
    pub name: String,
    /// Its lines, oldest first.
    pub lines: Vec<Line>,
}

/// A line of a log.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// Sandbox seconds.
    pub at: f64,
    /// The line.
    pub message: String,
}

impl Logs {
    /// Writes a line of a task's main container, if it has a log.
    pub(crate) fn write(&mut self, task: &Task, at: f64, message: &str) {
        let Some((group, name)) = &task.log else { return };
        let line = Line { at, message: message.to_owned() };
        match self.streams.iter_mut().find(|stream| stream.group == *group && stream.name == *name) {
            Some(stream) => stream.lines.push(line),
            None => self.streams.push(Stream { group: group.clone(), name: name.clone(), lines: vec![line] }),
        }
    }

    pub(crate) fn first_words(&mut self, task: &Task, service: &str, now: f64) {
        self.write(task, now, &format!("{{\"level\":\"info\",\"msg\":\"starting {service}\"}}"));
        self.write(task, now + 0.2, "{\"level\":\"info\",\"msg\":\"configuration loaded\"}");
    }

    pub(crate) fn last_words(&mut self, task: &Task, exit_code: i32, out_of_memory: bool, now: f64) {
        if out_of_memory {
            self.write(task, now, "{\"level\":\"warn\",\"msg\":\"heap is 98% full\"}");
            return;
        }
        self.write(task, now, "panic: dial tcp 10.20.0.7:5432: connect: connection refused");
        self.write(task, now, "goroutine 1 [running]:");
        self.write(task, now, &format!("main.main() exited with status {exit_code}"));
    }

    pub(crate) fn one_off_begins(&mut self, task: &Task, now: f64) {
        let command = task.overrides["containerOverrides"][0]["command"].clone();
        self.write(task, now, &format!("running {command}"));
    }

    pub(crate) fn one_off_ends(&mut self, task: &Task, exit_code: i32, now: f64) {
        let text = match exit_code {
            0 => "done: the schema is up to date".to_owned(),
            code => format!("error: relation \"assets\" does not exist (exit {code})"),
        };
        self.write(task, now, &text);
    }
}

/// An operation; the sandbox's epoch comes last.
type Operation = fn(&Logs, &Value, f64) -> Answer;

/// What these Logs can do.
pub(crate) const OPERATIONS: Table<Operation, 1> = [("GetLogEvents", get_log_events)];

/// Carries out one operation.
pub(crate) fn answer(logs: &Logs, operation: &str, body: &Value, epoch: f64) -> Answer {
    let perform = known(&OPERATIONS, operation).ok_or_else(|| unknown_operation("Logs", operation))?;
    perform(logs, body, epoch)
}

fn get_log_events(logs: &Logs, body: &Value, epoch: f64) -> Answer {
    let group = text(body, "logGroupName").or_else(|| text(body, "logGroupIdentifier")?.rsplit("log-group:").next());
    let name = text(body, "logStreamName").unwrap_or_default();
    let stream = logs.streams.iter().find(|stream| Some(stream.group.as_str()) == group && stream.name == name);
    let stream = stream.ok_or_else(|| Refusal::bad("ResourceNotFoundException", "The specified log stream does not exist."))?;
    Ok(events(stream, body, epoch))
}

/// One page. Tokens are `f/<line>` and `b/<line>`; at an end the answer's token is the one that was sent.
fn events(stream: &Stream, body: &Value, epoch: f64) -> Value {
    let (count, limit) = (stream.lines.len(), body["limit"].as_u64().unwrap_or(10_000) as usize);
    let token = text(body, "nextToken").and_then(|token| Some((token.get(..2)?, token.get(2..)?.parse::<usize>().ok()?)));
    let (from, to) = match token {
        Some(("f/", at)) => (at.min(count), (at + limit).min(count)),
        Some((_, at)) => (at.min(count).saturating_sub(limit), at.min(count)),
        None if body["startFromHead"] == true => (0, limit.min(count)),
        None => (count.saturating_sub(limit), count),
    };
    let wire = |line: &Line| {
        let at = ((epoch + line.at) * 1000.0).round() as i64;
        json!({"timestamp": at, "message": line.message, "ingestionTime": at + 120})
    };
    let page = stream.lines[from..to].iter().map(wire).collect::<Vec<_>>();
    json!({"events": page, "nextForwardToken": format!("f/{to}"), "nextBackwardToken": format!("b/{from}")})
}
