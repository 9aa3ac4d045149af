//! The end of a run, told in every place: console, annotations, summary, outputs, JSON report.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use super::notify::Notified;
use crate::clients::clock;
use crate::clients::console::Console;
use crate::config::runner::Runner;
use crate::domain::board::Board;
use crate::domain::e2e::State as SuiteState;
use crate::domain::notes::Notes;
use crate::domain::outcome::{RunResult, Verdict, exit};
use crate::domain::plan::Plan;
use crate::domain::status::Place;
use crate::domain::tag::ReleaseTag;
use crate::error::Error;
use crate::report::commands::Annotation;
use crate::report::json::{Known, outputs, report};
use crate::report::matrix::Matrix;
use crate::report::notes_lines::Links;
use crate::report::{advice, commands, html, status, suite, summary, table};

/// Everything that a run came to.
#[derive(Clone, Debug, Default)]
pub struct Ending {
    /// It ended before it began.
    pub error: Option<Error>,
    /// What it came to otherwise.
    pub verdict: Option<Verdict>,
    /// Where to.
    pub environment: Option<String>,
    /// Which release.
    pub tag: Option<ReleaseTag>,
    /// What was planned.
    pub plan: Option<Plan>,
    /// What of it is to be built.
    pub matrix: Matrix,
    /// The plan as a board, where it was only printed.
    pub planned: Option<Board>,
    /// The plan's images were provided.
    pub has_provided: bool,
    /// How the services ended.
    pub board: Option<Board>,
    /// What runs where, where that was asked.
    pub places: Vec<Place>,
    /// The run in one line, where it is no deployment.
    pub headline: Option<String>,
    /// What is new in the release, where people were told.
    pub notes: Option<Notes>,
    /// The page of the release notes.
    pub release_url: Option<String>,
    /// What did not stop the run.
    pub warnings: Vec<String>,
    /// The Slack message.
    pub notified: Notified,
}

impl Ending {
    /// There was something to report on, more than what was printed.
    fn is_of_a_run(&self) -> bool {
        self.error.is_some() || self.plan.is_some() || self.board.is_some()
    }

    fn verdict(&self) -> Verdict {
        match (&self.error, &self.verdict) {
            (Some(error), _) => Verdict { result: error.result(), exit_code: error.exit_code() },
            (None, Some(verdict)) => verdict.clone(),
            (None, None) => Verdict { result: RunResult::Refused, exit_code: exit::USAGE },
        }
    }
}

/// Tells the end and returns the exit code. A report that can't be written never changes it.
pub fn finish(runner: &Runner, console: &Console, time: Duration, ending: &Ending) -> u8 {
    let verdict = ending.verdict();
    tell(console, ending, &verdict, time);
    // A job may run several steps: each has a report of its own.
    let safe = |text: &str| text.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(40).collect::<String>();
    let name = format!("escher-deploy-report-{}-{}-{}.json", safe(runner.run_id()), safe(runner.attempt()), std::process::id());
    let path = runner.temp_folder().join(name);
    let known = Known {
        environment: ending.environment.as_deref(),
        version: ending.tag.as_ref().map(ReleaseTag::version),
        plan: ending.plan.as_ref(),
        matrix: ending.matrix.clone(),
        board: ending.board.as_ref(),
        slack: ending.notified.posted.as_ref().map(|posted| (posted.channel.clone(), posted.ts.clone())),
        release_url: ending.release_url.clone(),
        notify_ok: ending.notified.ok,
        report: Some(path.display().to_string()),
    };
    let messages: Vec<String> = ending.error.iter().flat_map(Error::lines).chain(ending.warnings.clone()).collect();
    let mut json = report(&verdict, &known, time, &messages);
    if !ending.places.is_empty() {
        json["status"] = status::json(&ending.places, clock::unix_seconds().cast_signed());
    }
    let page = ending.is_of_a_run().then(|| path.with_extension("html"));
    let page = page.filter(|page| write(console, page, &console.hide(&page_text(runner, ending, &verdict, time)), false));
    json["page"] = page.as_ref().map(|page| page.display().to_string()).into();
    // What could not be written is not named either.
    let is_written = write(console, &path, &console.hide(&format!("{json:#}\n")), false);
    let known = Known { report: known.report.clone().filter(|_| is_written), ..known };
    if let Some(file) = runner.summary_file() {
        write(console, file, &console.hide(&summary_text(ending, time)), true);
    }
    if let Some(file) = runner.output_file() {
        let delimiter = format!("escher_{:032x}", random());
        write(console, file, &console.hide(&outputs(verdict.result, &known).file_text(&delimiter)), true);
    } else if let Some(page) = page.filter(|_| is_written) {
        console.line(&format!("report: {} and, for a browser, {}", path.display(), page.display()));
    }
    verdict.exit_code
}

fn tell(console: &Console, ending: &Ending, verdict: &Verdict, time: Duration) {
    annotations(ending).iter().for_each(|annotation| console.annotate(annotation));
    ending.warnings.iter().for_each(|warning| console.line(&format!("warning: {warning}")));
    commands::of_warnings(&ending.warnings).iter().for_each(|annotation| console.annotate(annotation));
    if let Some(error) = &ending.error {
        return console.line(&error.to_string());
    }
    let Some(board) = &ending.board else {
        if ending.plan.is_some() && !ending.has_provided {
            console.line("plan only: nothing was changed");
        }
        return;
    };
    for (row, failure) in board.failures() {
        console.line(&format!("\n✗ {}: {}", row.name, table::kind_word(&failure.kind)));
        advice::failure(row, failure, 50).iter().for_each(|line| console.line(&format!("    {line}")));
    }
    if let Some(standing) = board.suite()
        && let SuiteState::Failed(failure) = &standing.state
    {
        console.line(&format!("\n✗ E2E {}: {}", standing.suite, suite::words(&standing.state)));
        let lines = suite::failure(standing, failure, suite::runs_now(board).as_deref(), 50);
        lines.iter().for_each(|line| console.line(&format!("    {line}")));
    }
    console.line(&format!("\n{}", headline(ending, verdict, time)));
    let (path, length) = board.critical_path();
    if !path.is_empty() && verdict.result == RunResult::Success {
        let names: Vec<&str> = path.iter().map(crate::domain::names::ServiceName::as_str).collect();
        console.line(&format!("critical path: {} ({})", names.join(" → "), crate::report::text::duration(length)));
    }
}

/// The run in one line.
fn headline(ending: &Ending, verdict: &Verdict, time: Duration) -> String {
    let tag = ending.tag.as_ref().map_or_else(|| "what runs".to_owned(), ToString::to_string);
    let deployed = || table::headline(ending.environment.as_deref().unwrap_or_default(), &tag, verdict, time);
    ending.headline.clone().unwrap_or_else(deployed)
}

/// The report for a browser.
fn page_text(runner: &Runner, ending: &Ending, verdict: &Verdict, time: Duration) -> String {
    let headline = match (&ending.error, &ending.planned) {
        (Some(error), _) => error.headline(),
        (None, Some(_)) if ending.headline.is_none() && ending.board.is_none() => planned_headline(ending),
        _ => headline(ending, verdict, time),
    };
    let (tag, run_url) = (ending.tag.as_ref().map(ToString::to_string).unwrap_or_default(), runner.run_url());
    html::page(&html::Subject {
        headline: &headline,
        verdict,
        environment: ending.environment.as_deref().unwrap_or_default(),
        tag: &tag,
        time,
        run_url: run_url.as_deref(),
        error: ending.error.as_ref(),
        plan: ending
            .planned
            .as_ref()
            .filter(|_| ending.board.is_none())
            .map(|_| if ending.has_provided { "Every image is in the registry; nothing was deployed." } else { "Nothing was changed." }),
        board: ending.board.as_ref().or(ending.planned.as_ref()),
        warnings: &ending.warnings,
        notes: ending.notes.as_ref(),
        links: Links(runner.server_url()),
        release_url: ending.release_url.as_deref(),
    })
}

fn planned_headline(ending: &Ending) -> String {
    let tag = ending.tag.as_ref().map(ToString::to_string).unwrap_or_default();
    let environment = ending.environment.as_deref().unwrap_or_default();
    if ending.has_provided { format!("Images: {tag} for {environment}") } else { format!("Plan: {tag} to {environment}") }
}

/// Whether it was written; if not, that is said.
fn write(console: &Console, path: &Path, text: &str, append: bool) -> bool {
    let written = std::fs::OpenOptions::new()
        .create(true)
        .write(true)
        .append(append)
        .truncate(!append)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()));
    if let Err(error) = &written {
        console.line(&format!("warning: {} can't be written: {error}", path.display()));
    }
    written.is_ok()
}

/// A delimiter that no value can foresee.
fn random() -> u128 {
    let mut bytes = [0; 16];
    match getrandom::fill(&mut bytes) {
        Ok(()) => u128::from_ne_bytes(bytes),
        Err(_) => fastrand::u128(..),
    }
}

fn annotations(ending: &Ending) -> Vec<Annotation> {
    match (&ending.error, &ending.board) {
        (Some(error), _) => commands::of_error(error),
        (None, Some(board)) => commands::of_board(board),
        (None, None) => Vec::new(),
    }
}

fn summary_text(ending: &Ending, time: Duration) -> String {
    if !ending.places.is_empty() {
        return status::markdown(&ending.places, clock::unix_seconds().cast_signed());
    }
    let tag = ending.tag.as_ref().map(ToString::to_string).unwrap_or_default();
    let subject = summary::Subject {
        environment: ending.environment.as_deref().unwrap_or_default(),
        tag: &tag,
        time,
        release_url: ending.release_url.as_deref(),
    };
    match (&ending.error, &ending.verdict, &ending.board, &ending.planned) {
        (Some(error), ..) => summary::of_error(error),
        (None, Some(verdict), Some(board), _) => {
            summary::of_board(subject, &headline(ending, verdict, time), board, verdict, &ending.warnings)
        }
        (None, _, _, Some(board)) => summary::of_plan(subject, board, ending.has_provided, &ending.warnings),
        _ => String::new(),
    }
}
