//! The end-to-end suite as a program on this machine: for local runs, and for suites that no workflow runs.

use std::cell::RefCell;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tokio::sync::watch;
use tokio::time::sleep;

use super::e2e::{AGAIN, HandOver, not_run};
use crate::clients::process::{Ended, Program};
use crate::clients::{clock, process};
use crate::domain::credential::{Redactor, redact_lines};
use crate::domain::e2e::{Failure, Kind, Phase, State, Suite};
use crate::domain::junit::{self, Tests};

/// Where test frameworks leave their report, in the suite's folder.
const REPORTS: &[&str] =
    &[".", "reports", "report", "results", "test-results", "test-reports", "build/test-results", "target/surefire-reports"];
/// The deploy role is not the suite's, and the step's command files are this tool's.
const HIDDEN: &[&str] = &[
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "GITHUB_OUTPUT",
    "GITHUB_ENV",
    "GITHUB_PATH",
    "GITHUB_STATE",
    "GITHUB_STEP_SUMMARY",
];
/// No report is larger.
const LARGEST: u64 = 20 << 20;
/// Lines of its output in a failure.
const TAIL: usize = 50;

/// Runs it to its end, to the end of its time, or until the run is told to stop.
pub(super) async fn run(job: HandOver<'_>, suite: &Suite, words: &[String], repository: &str) -> State {
    let folder = folder(job.request.runner.workspace(), repository);
    let words: Vec<String> = words.iter().map(|word| filled(word, job, suite)).collect();
    let Some((name, arguments)) = words.split_first() else { return State::Skipped("DEPLOY_E2E_COMMAND is empty") };
    let program = Program {
        name: name.into(),
        arguments: arguments.iter().map(OsString::from).collect(),
        hidden: job.request.tokens.variables.iter().cloned().chain(HIDDEN.iter().map(|name| (*name).to_owned())).collect(),
        folder: Some(folder.clone()),
        ..Program::default()
    };
    job.show(State::Goes(Phase::Running));
    let before = clock::now();
    let (stop, stopped) = watch::channel(false);
    job.console.open_group(&format!("E2E: {}", words.join(" ")));
    let redactor = RefCell::new(Redactor::default());
    let show = |line: &str| job.console.line(&redactor.borrow_mut().line(line));
    let (mut is_late, mut running) = (false, std::pin::pin!(process::run(&program, &stopped, show)));
    let ended = tokio::select! {
        biased;
        () = job.cancel.cancelled() => {
            stop.send_replace(true);
            running.await
        }
        () = sleep(suite.timeout) => {
            is_late = true;
            stop.send_replace(true);
            running.await
        }
        ended = &mut running => ended,
    };
    job.console.close_group();
    let tests = reports(&folder, before);
    match ended {
        Err(error) => not_run(
            format!("`{name}` can't be started in {}: {error}", folder.display()),
            "check DEPLOY_E2E_COMMAND, and check the test repository out into the workspace first".to_owned(),
        ),
        Ok(_) if is_late => late(suite.timeout, tests),
        Ok(_) if job.cancel.is_cancelled() => State::Cancelled,
        Ok(ended) => judged(&ended, tests),
    }
}

/// The checkout of the test repository where it stands in the workspace, else the workspace.
fn folder(workspace: PathBuf, repository: &str) -> PathBuf {
    let name = repository.rsplit('/').next().unwrap_or(repository);
    let checkout = workspace.join(name);
    if checkout.is_dir() { checkout } else { workspace }
}

/// Placeholders are filled after the command was taken apart, so that no value becomes two arguments.
fn filled(word: &str, job: HandOver<'_>, suite: &Suite) -> String {
    let version = job.request.version_text();
    word.replace("{env}", &job.request.environment.name).replace("{suite}", &suite.name).replace("{version}", &version)
}

/// Both have to say that all is well: a report with failures is none that passes, whatever the exit code.
fn judged(ended: &Ended, tests: Option<Tests>) -> State {
    let failed = tests.as_ref().map_or(0, |tests| tests.failed.len());
    if ended.code == Some(0) && failed == 0 {
        return State::Passed(tests.map(|tests| tests.total));
    }
    let code = ended.code.map_or_else(|| "was ended by a signal".to_owned(), |code| format!("ended with code {code}"));
    let reason = match &tests {
        Some(tests) => format!("it {code}, and {failed} of {} tests failed", tests.total),
        None => format!("it {code}"),
    };
    let log: Vec<String> = ended.tail.iter().skip(ended.tail.len().saturating_sub(TAIL)).cloned().collect();
    let log = redact_lines(&log);
    let jobs = tests.map(|tests| tests.failed).unwrap_or_default();
    State::Failed(Failure { kind: Kind::Failed, reason, jobs, log, hint: AGAIN.to_owned() })
}

fn late(after: Duration, tests: Option<Tests>) -> State {
    let reason = format!("it had not ended after {} min, and was stopped", after.as_secs_f64() / 60.0);
    let hint = "see where it hangs, or give it more time: DEPLOY_E2E_TIMEOUT_MINUTES".to_owned();
    State::Failed(Failure {
        kind: Kind::TimedOut,
        reason,
        jobs: tests.map(|tests| tests.failed).unwrap_or_default(),
        log: Vec::new(),
        hint,
    })
}

/// The JUnit reports that this run has written; an older one tells of another run.
fn reports(folder: &Path, since: SystemTime) -> Option<Tests> {
    // Some file systems keep whole seconds.
    let since = since - Duration::from_secs(1);
    let is_new = |path: &PathBuf| {
        let Ok(metadata) = std::fs::metadata(path) else { return false };
        metadata.is_file() && metadata.len() <= LARGEST && metadata.modified().is_ok_and(|modified| modified >= since)
    };
    let files = REPORTS.iter().filter_map(|place| std::fs::read_dir(folder.join(place)).ok()).flatten();
    let mut paths: Vec<PathBuf> = files.filter_map(|file| Some(file.ok()?.path())).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "xml") && is_new(path));
    paths.sort();
    let texts = paths.iter().filter_map(|path| std::fs::read_to_string(path).ok());
    texts.filter_map(|text| junit::read(&text)).reduce(Tests::and)
}
