//! The sections of the page.

use std::time::Duration;

use super::super::notes_lines::{Line, Links, banners, completeness, headline, highlights};
use super::super::text::{duration, one_line};
use super::super::{advice, suite, table};
use super::{Subject, escape, link};
use crate::domain::board::{Board, Row, State};
use crate::domain::e2e;
use crate::domain::notes::Notes;
use crate::domain::outcome::{End, Failure};
use crate::error::Error;

/// So many of a log's last lines are shown.
const MOST_LOG_LINES: usize = 50;

fn section(title: &str, body: &str) -> String {
    format!("<section>\n<h2>{}</h2>\n{body}\n</section>", escape(title))
}

/// Result, release, place, time, and where to look further.
pub(super) fn head(subject: &Subject<'_>) -> String {
    let fact = |(name, value): (&str, String)| format!("<div><dt>{name}</dt><dd>{value}</dd></div>");
    let facts = [
        ("environment", escape(subject.environment)),
        ("release", escape(subject.tag)),
        ("time", escape(&duration(subject.time))),
        ("exit code", subject.verdict.exit_code.to_string()),
        ("run", subject.run_url.map(|url| link("on GitHub", Some(url))).unwrap_or_default()),
    ];
    let facts: String = facts.into_iter().filter(|(_, value)| !value.is_empty()).map(fact).collect();
    format!(
        "<header>\n<p class=\"result\">{}</p>\n<h1>{}</h1>\n<dl>{facts}</dl>\n</header>",
        subject.verdict.result.as_str(),
        escape(subject.headline)
    )
}

/// Why the run ended before it began, and that nothing has changed.
pub(super) fn error(error: &Error) -> String {
    let lines: String = error.lines().iter().map(|line| format!("<pre>{}</pre>\n", escape(line))).collect();
    section("Why", &format!("{lines}<p class=\"now\">{}</p>", escape(error.changed())))
}

/// What failed: reason, events, what to do, what runs now, the log's tail.
pub(super) fn failures(board: &Board) -> Option<String> {
    let of_service = |(row, failure): (&Row, &Failure)| {
        let title = format!("{}: {}", row.name, table::kind_word(&failure.kind));
        let runbook = row.runbook.as_deref().map(|url| format!("<p>{}</p>", link("Runbook", Some(url)))).unwrap_or_default();
        let text = Told {
            reason: &failure.reason,
            details: failure.details.clone(),
            hint: &failure.hint,
            runs_now: Some(advice::runs_now(row, failure.runs_now)),
            log: &failure.log,
        };
        article(&title, &format!("{}{runbook}", text.html()))
    };
    let of_suite = board.suite().and_then(|standing| {
        let e2e::State::Failed(failure) = &standing.state else { return None };
        let text = Told {
            reason: &failure.reason,
            details: failure.jobs.iter().map(suite::failed).collect(),
            hint: &failure.hint,
            runs_now: suite::runs_now(board),
            log: &failure.log,
        };
        let page = standing.url.as_deref().map(|url| format!("<p>{}</p>", link("The suite's run", Some(url)))).unwrap_or_default();
        Some(article(&format!("E2E {}: {}", standing.suite, suite::words(&standing.state)), &format!("{}{page}", text.html())))
    });
    let all: Vec<String> = board.failures().map(of_service).chain(of_suite).collect();
    (!all.is_empty()).then(|| section("What failed", &all.join("\n")))
}

fn article(title: &str, body: &str) -> String {
    format!("<article class=\"failure\">\n<h3>{}</h3>\n{body}\n</article>", escape(title))
}

/// A failure of a service or of the suite.
struct Told<'a> {
    reason: &'a str,
    details: Vec<String>,
    hint: &'a str,
    runs_now: Option<String>,
    log: &'a [String],
}

impl Told<'_> {
    fn html(&self) -> String {
        let details: String = self.details.iter().map(|detail| format!("<li>{}</li>", escape(&one_line(detail, 500)))).collect();
        let details = if details.is_empty() { details } else { format!("<ul>{details}</ul>\n") };
        let hint = if self.hint.is_empty() { String::new() } else { format!("<p class=\"hint\">{}</p>\n", escape(self.hint)) };
        let now = self.runs_now.as_deref().map(|now| format!("<p class=\"now\">{}</p>\n", escape(now))).unwrap_or_default();
        format!("<p>{}</p>\n{details}{hint}{now}{}", escape(&one_line(self.reason, 500)), log(self.log))
    }
}

fn log(lines: &[String]) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let tail = lines.iter().skip(lines.len().saturating_sub(MOST_LOG_LINES)).map(|line| escape(&one_line(line, 300)));
    format!("<figure><figcaption>The log's last lines</figcaption><pre>{}</pre></figure>\n", tail.collect::<Vec<_>>().join("\n"))
}

pub(super) fn warnings(warnings: &[String]) -> Option<String> {
    let items: String = warnings.iter().map(|text| format!("<li>{}</li>", escape(&one_line(text, 1000)))).collect();
    (!items.is_empty()).then(|| section("Warnings", &format!("<ul class=\"warnings\">{items}</ul>")))
}

/// A row a service: old → new, image, time, state, why. Of a plan, what is to be done stands for the state.
pub(super) fn services(board: &Board, now: Duration, is_plan: bool) -> String {
    let row = |row: &Row| {
        let (change, digest) = table::outcome(row);
        let digest = digest.map(|digest| format!("<code>{}</code>", escape(digest.short()))).unwrap_or_default();
        let why = link(&one_line(&row.reason, 200), row.compare.as_deref());
        let state = if is_plan {
            table::action_word(row.action).to_owned()
        } else {
            format!("{} {}", table::sign(&row.state), escape(&table::words(row)))
        };
        format!(
            "<tr class=\"{}\"><th scope=\"row\">{}</th><td>{}</td><td>{digest}</td><td class=\"number\">{}</td><td>{state}</td><td>{why}</td></tr>",
            tone(&row.state),
            escape(row.name.as_str()),
            escape(&change),
            table::time(row, now),
        )
    };
    let rows: String = board.rows().iter().map(row).collect::<Vec<_>>().join("\n");
    let state = if is_plan { "what is done" } else { "state" };
    let head = ["service", "version", "image", "time", state, "why"].map(|name| format!("<th scope=\"col\">{name}</th>")).concat();
    section("Services", &format!("<div class=\"wide\"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n</table></div>"))
}

/// A state's colour.
pub(super) fn tone(state: &State) -> &'static str {
    match state {
        State::Done(End::Deployed) => "good",
        State::Done(End::Failed(_)) => "bad",
        State::Done(End::Unchanged | End::Skipped) | State::Waiting => "still",
        _ => "open",
    }
}

/// What happened when, oldest first.
pub(super) fn moments(board: &Board) -> Option<String> {
    let mut moments: Vec<(Duration, &str, String)> = Vec::new();
    for row in board.rows() {
        let name = row.name.as_str();
        let mut note = |at: Option<Duration>, what: &str| moments.extend(at.map(|at| (at, name, what.to_owned())));
        note(row.build.started, "its image is being built");
        note(row.build.ended, "its image is in the registry");
        note(row.started, &format!("update begins: {}", table::change(&row.from, &row.to)));
        note(row.opened, "healthy and well: what needs it may start");
        note(row.back.and_then(|back| back.arrived), "deployed");
        note(row.back.map(|back| back.began), "its way back begins");
        note(row.ended.filter(|_| row.started.is_some() || matches!(row.state, State::Done(End::Failed(_)))), &table::words(row));
    }
    if let Some(standing) = board.suite() {
        let mut note = |at: Option<Duration>, what: String| moments.extend(at.map(|at| (at, standing.suite.as_str(), what)));
        note(standing.started, "handed over to the end-to-end suite".to_owned());
        note(standing.ended, format!("E2E {}", suite::words(&standing.state)));
    }
    moments.sort_by_key(|(at, ..)| *at);
    let row = |(at, name, what): &(Duration, &str, String)| {
        format!("<tr><td class=\"number\">{}</td><th scope=\"row\">{}</th><td>{}</td></tr>", duration(*at), escape(name), escape(what))
    };
    let rows: Vec<String> = moments.iter().map(row).collect();
    let table = format!("<div class=\"wide\"><table class=\"moments\">\n<tbody>\n{}\n</tbody>\n</table></div>", rows.join("\n"));
    (!rows.is_empty()).then(|| section("What happened when", &table))
}

/// What is new, and how much of it is known.
pub(super) fn notes(notes: &Notes, links: Links<'_>, page: Option<&str>) -> String {
    let banners: String = banners(notes).iter().map(|text| format!("<p class=\"warning\">{}</p>\n", escape(text))).collect();
    let groups: String = highlights(notes, links)
        .iter()
        .map(|group| {
            let lines: String = group.lines.iter().map(|line| format!("<li>{}</li>\n", told(line))).collect();
            format!("<h3>{}</h3>\n<ul>\n{lines}</ul>\n", escape(group.heading))
        })
        .collect();
    let known: String = completeness(notes, links)
        .iter()
        .map(|one| format!("<li>{}: {}</li>\n", link(&one.repository, one.url.as_deref()), escape(&one.words)))
        .collect();
    let page = page.map(|url| format!("<p>{}</p>\n", link("The release on GitHub", Some(url)))).unwrap_or_default();
    let body = format!("<p>{}</p>\n{banners}{groups}<h3>Completeness</h3>\n<ul>\n{known}</ul>\n{page}", escape(&headline(notes)));
    section("Release notes", &body)
}

fn told(line: &Line) -> String {
    let mark = if line.is_breaking { "<strong>Breaking:</strong> " } else { "" };
    let pull = line.pull.as_ref().map(|(number, url)| link(&format!("#{number}"), url.as_deref()));
    let commit = link(&line.commit, line.commit_url.as_deref());
    let about = [Some(escape(&line.service)), pull, Some(commit), line.author.as_deref().map(escape)];
    format!("{mark}{} <small>{}</small>", escape(&line.text), about.into_iter().flatten().collect::<Vec<_>>().join(" · "))
}
