//! The release's Slack message, which lives as long as the run, and what stands in its thread.

use std::time::Duration;

use super::blocks::{Block, Line, Message, sections};
use super::text::{cut, duration, one_line};
use super::{advice, suite, table};
use crate::domain::board::{Board, Row, State};
use crate::domain::e2e;
use crate::domain::names::Revision;
use crate::domain::outcome::{End, Failure, FailureKind, RunResult, Verdict};
use crate::error::{Error, FailedStep};

/// The table of the services keeps to so much, so that everything else has its place.
const TABLE: usize = 6000;
/// A refusal is told so far in the message itself.
const SHORT: usize = 2500;
/// The longest line of a detail.
const LINE: usize = 600;
/// Lines of a log.
const LOG: usize = 20;

/// What every message of a run says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Context {
    /// The environment's name.
    pub environment: String,
    /// The release's tag.
    pub tag: String,
    /// Who started it.
    pub actor: String,
    /// The same person's member id in Slack, where it is known.
    pub member: Option<String>,
    /// The run's page.
    pub run_url: Option<String>,
}

/// A message and its thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The message.
    pub main: Message,
    /// What stands in its thread, in order; the first of a failure is shown in the channel too.
    pub thread: Vec<Message>,
}

impl Told {
    /// The same with every text changed.
    pub fn map(self, change: impl Fn(&str) -> String) -> Self {
        let thread = self.thread.into_iter().map(|message| message.map(&change)).collect();
        Self { main: self.main.map(&change), thread }
    }
}

/// The run as it goes, or as it ended.
pub fn of_board(context: &Context, board: &Board, verdict: Option<&Verdict>, now: Duration) -> Told {
    let headline = match verdict {
        Some(verdict) => format!("{} {}", sign(verdict), table::headline(&context.environment, &context.tag, verdict, now)),
        None => format!("🚀 {} is being deployed to {}", context.tag, context.environment),
    };
    let mut blocks = top(context, &headline, versions(board).as_deref());
    let kept: Vec<&str> = board.rows().iter().filter(|row| row.stays).map(|row| row.name.as_str()).collect();
    if !kept.is_empty() {
        let text = format!("⚠️ no automatic rollback, because a migration is irreversible: {}", kept.join(", "));
        blocks.push(Block::Section(Line::text(cut(&text, 1000))));
    }
    blocks.extend(sections(rows(board, now)));
    blocks.extend(board.suite().map(|standing| Block::Section(suite_line(standing, now))));
    let thread = thread(context, board);
    if !thread.is_empty() {
        blocks.push(Block::Context(vec![Line::text("why, what to do, and the log: in the thread")]));
    }
    Told { main: Message::new(headline, blocks), thread }
}

/// A run that ended before it began.
pub fn of_error(context: &Context, error: &Error) -> Told {
    let sign = if error.result() == RunResult::Cancelled { "⚪" } else { "❌" };
    let headline = format!("{sign} {} to {}: {}", context.tag, context.environment, error.headline());
    let mut blocks = top(context, &headline, None);
    let (short, long) = told(error);
    let (shown, missing) = fitting(short, SHORT);
    blocks.extend(sections(shown.into_iter().map(|line| Line::text(format!("• {line}")))));
    if missing > 0 {
        blocks.push(Block::Context(vec![Line::text(format!("… and {missing} more"))]));
    }
    blocks.push(Block::Section(Line::text(error.changed())));
    // What could not be said there in full is said in the thread.
    let lines = error.lines().into_iter().filter(|_| long.is_empty()).map(|line| Line::text(cut(&line, 2500)));
    // An update of the message calls nobody, so that it stopped is said there at least.
    let is_told = error.result() != RunResult::Cancelled;
    let thread = if is_told { details(context, &headline, lines.chain(long.clone())) } else { Vec::new() };
    Told { main: Message::new(headline, blocks), thread }
}

/// What an error says: in short, and at length where it comes with a log.
fn told(error: &Error) -> (Vec<String>, Vec<Line>) {
    let steps = match error {
        Error::Build(steps) => steps.iter().collect(),
        Error::Migration { failed, .. } => vec![failed],
        _ => return (error.lines(), Vec::new()),
    };
    let short = steps.iter().map(|step| one_line(&format!("{}: {}", step.finding.subject, step.finding.what), 400)).collect();
    let long = |step: &&FailedStep| {
        let finding = &step.finding;
        let what = Line::text("✗ ").then(Line::bold(finding.subject.as_str())).say(format!(": {}", one_line(&finding.what, LINE)));
        let way_out = Some(Line::text(format!("→ {}", cut(&finding.way_out, LINE)))).filter(|_| !finding.way_out.is_empty());
        [Some(what), way_out, log(&step.log)].into_iter().flatten().collect::<Vec<_>>()
    };
    (short, steps.iter().flat_map(long).collect())
}

/// As many texts as fit into so many characters, each cut where it must be, and how many are missing.
fn fitting(texts: Vec<String>, most: usize) -> (Vec<String>, usize) {
    let (all, mut used) = (texts.len(), 0);
    let shown: Vec<String> = texts
        .into_iter()
        .map(|text| cut(&text, most / 2))
        .take_while(|text| {
            used += text.chars().count();
            used <= most
        })
        .collect();
    let missing = all - shown.len();
    (shown, missing)
}

/// The suite's result, for those who look after the suite.
pub fn of_suite(context: &Context, standing: &e2e::Standing, place: &str, runs_now: Option<String>, now: Duration) -> Message {
    let sign = match &standing.state {
        e2e::State::Passed(_) => "✅",
        e2e::State::Cancelled => "⚪",
        _ => "❌",
    };
    let time = suite::time(standing, now).map(|time| format!(" after {}", duration(time))).unwrap_or_default();
    let on = if context.tag.is_empty() { context.environment.clone() } else { format!("{} with {}", context.environment, context.tag) };
    let headline = format!("{sign} E2E {} {} on {on}{time}", standing.suite, suite::short(&standing.state));
    let is_failed = matches!(standing.state, e2e::State::Failed(_));
    let mut small = vec![if is_failed { by(context) } else { Line::text(format!("by {}", context.actor)) }, Line::text(place)];
    small.extend(standing.url.as_ref().map(|url| Line::link(url, "E2E run")));
    small.extend(context.run_url.as_ref().map(|url| Line::link(url, "deployment")));
    let mut blocks = vec![Block::Header(headline.clone()), Block::Context(small)];
    if let e2e::State::Passed(Some(tests)) = &standing.state {
        blocks.push(Block::Section(Line::text(format!("{tests} tests"))));
    }
    if let e2e::State::Failed(failure) = &standing.state {
        blocks.extend(sections(suite_failure(standing, failure, runs_now)));
    }
    Message::new(headline, blocks)
}

fn sign(verdict: &Verdict) -> &'static str {
    match verdict.result {
        RunResult::Success => "✅",
        RunResult::Unchanged => "☑️",
        RunResult::Cancelled => "⚪",
        RunResult::RolledBack => "↩️",
        RunResult::Failed | RunResult::Refused | RunResult::Superseded => "❌",
    }
}

fn by(context: &Context) -> Line {
    Line::text("by ").then(Line::person(context.member.as_deref(), &context.actor))
}

fn top(context: &Context, headline: &str, versions: Option<&str>) -> Vec<Block> {
    let mut small: Vec<Line> = versions.map(Line::text).into_iter().collect();
    small.push(by(context));
    small.extend(context.run_url.as_ref().map(|url| Line::link(url, "log")));
    vec![Block::Header(headline.to_owned()), Block::Context(vec![Line::join(small, " · ")])]
}

/// The release's version, and the one before where all services had the same.
fn versions(board: &Board) -> Option<String> {
    let changing = || board.rows().iter().filter(|row| row.from.version != row.to.version && row.to.version.is_some());
    let first = changing().next()?;
    let is_one = changing().all(|row| (&row.from.version, &row.to.version) == (&first.from.version, &first.to.version));
    is_one.then(|| table::change(&first.from, &first.to))
}

fn rows(board: &Board, now: Duration) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    let mut used = 0;
    for (index, row) in board.rows().iter().enumerate() {
        let line = line(row, now);
        used += line.length() + 1;
        if used > TABLE {
            lines.push(Line::text(format!("… and {} more services in the log", board.rows().len() - index)));
            break;
        }
        lines.push(line);
    }
    lines
}

/// A service: state, version, time, and what is new in it.
fn line(row: &Row, now: Duration) -> Line {
    let mut line = Line::text(format!("{} ", table::sign(&row.state))).then(Line::bold(row.name.as_str()));
    line = line.say(format!("  {}  {}", one_line(&table::change(&row.from, &row.to), 80), one_line(&table::words(row), 80)));
    let time = row.started.or(row.build.started).map(|started| row.ended.or(row.build.ended).unwrap_or(now).saturating_sub(started));
    line = line.say(time.map(|time| format!("  {}", duration(time))).unwrap_or_default());
    let is_new = !matches!(row.state, State::Done(End::Unchanged | End::Skipped));
    line = match (&row.compare, short(row)) {
        (Some(url), Some(words)) if is_new => line.say("  ").then(Line::link(url, words)),
        (None, Some(words)) if is_new => line.say(format!("  {words}")),
        _ => line,
    };
    match &row.state {
        State::Done(End::Failed(failure)) => line.say(format!("\n      {}", one_line(&failure.reason, 200))),
        _ => line,
    }
}

/// What is new, in a few words.
fn short(row: &Row) -> Option<String> {
    if let Some(words) = &row.what {
        return Some(one_line(words.split(',').next().unwrap_or(words), 60));
    }
    row.to.revision.as_ref().filter(|_| row.compare.is_some()).map(Revision::short).map(str::to_owned)
}

fn suite_line(standing: &e2e::Standing, now: Duration) -> Line {
    let line = Line::text(format!("{} ", suite::sign(&standing.state))).then(Line::bold(format!("E2E {}", standing.suite)));
    let time = suite::time(standing, now).map(|time| format!("  {}", duration(time))).unwrap_or_default();
    let line = line.say(format!("  {}{time}", one_line(&suite::words(&standing.state), 200)));
    match &standing.url {
        Some(url) => line.say("  ").then(Line::link(url, if standing.result().is_empty() { "open" } else { "run" })),
        None => line,
    }
}

/// The failures, each with everything that a person needs; what could not be taken back first, because it is the loudest.
fn thread(context: &Context, board: &Board) -> Vec<Message> {
    let mut failed: Vec<_> = board.failures().collect();
    failed.sort_by_key(|(_, failure)| failure.kind != FailureKind::NotTakenBack);
    let mut lines: Vec<Line> = failed.iter().flat_map(|(row, failure)| service_failure(row, failure)).collect();
    let mut names: Vec<String> = failed.iter().map(|(row, failure)| format!("{} {}", row.name, table::kind_word(&failure.kind))).collect();
    if let Some((standing, e2e::State::Failed(failure))) = board.suite().map(|standing| (standing, &standing.state)) {
        lines
            .push(Line::text("✗ ").then(Line::bold(format!("E2E {}", standing.suite))).say(format!(": {}", suite::words(&standing.state))));
        lines.extend(suite_failure(standing, failure, suite::runs_now(board)));
        names.push(format!("E2E {} {}", standing.suite, suite::words(&standing.state)));
    }
    if lines.is_empty() {
        return Vec::new();
    }
    details(context, &format!("❌ {} in {}: {}", context.tag, context.environment, cut(&names.join(", "), 300)), lines)
}

fn details(context: &Context, text: &str, lines: impl IntoIterator<Item = Line>) -> Vec<Message> {
    // A person is called once, in what is shown in the channel.
    let call = context.member.as_deref().map(|member| Line::person(Some(member), &context.actor).say(" "));
    let head = call.unwrap_or_default().then(Line::bold(text));
    let mut blocks = vec![Block::Section(head)];
    blocks.extend(sections(lines));
    Message::new(text, blocks).pages()
}

fn service_failure(row: &Row, failure: &Failure) -> Vec<Line> {
    let mut lines = vec![Line::text("✗ ").then(Line::bold(row.name.as_str())).say(format!(": {}", table::kind_word(&failure.kind)))];
    lines.push(Line::text(one_line(&failure.reason, LINE)));
    lines.extend(failure.details.iter().take(20).map(|detail| Line::text(format!("• {}", one_line(detail, LINE)))));
    if !failure.hint.is_empty() {
        lines.push(Line::text(format!("→ {}", cut(&failure.hint, LINE))));
    }
    lines.extend(row.runbook.as_ref().map(|url| Line::text("→ ").then(Line::link(url, "runbook"))));
    lines.push(Line::text(advice::runs_now(row, failure.runs_now)));
    lines.extend(log(&failure.log));
    lines
}

fn suite_failure(standing: &e2e::Standing, failure: &e2e::Failure, runs_now: Option<String>) -> Vec<Line> {
    let mut lines = vec![Line::text(one_line(&failure.reason, LINE))];
    let job = |job: &e2e::FailedJob| {
        let text = Line::text(one_line(&suite::failed(job), LINE));
        job.url.as_ref().map_or(text.clone(), |url| text.say("  ").then(Line::link(url, "log")))
    };
    lines.extend(failure.jobs.iter().take(20).map(job));
    if failure.jobs.len() > 20 {
        lines.push(Line::text(format!("… and {} more", failure.jobs.len() - 20)));
    }
    lines.extend(standing.url.as_ref().map(|url| Line::text("→ ").then(Line::link(url, "the suite's run"))));
    lines.push(Line::text(format!("→ {}", cut(&failure.hint, LINE))));
    lines.extend(runs_now.map(Line::text));
    lines.extend(log(&failure.log));
    lines
}

/// The log's last lines.
fn log(lines: &[String]) -> Option<Line> {
    let shown: Vec<String> = lines.iter().skip(lines.len().saturating_sub(LOG)).map(|line| one_line(line, 200)).collect();
    let text = shown.join("\n");
    // The end of a log tells more than its beginning.
    let skipped = text.chars().count().saturating_sub(2500);
    let text: String = text.chars().skip(skipped).collect();
    (!text.trim().is_empty()).then(|| Line::code(text))
}

#[cfg(test)]
#[path = "slack_tests.rs"]
mod tests;
