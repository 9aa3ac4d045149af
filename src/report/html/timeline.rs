//! The run as a gantt: a track a service, its critical path marked.

use std::time::Duration;

use super::super::text::duration;
use super::super::{suite, table};
use super::{escape, parts};
use crate::domain::board::{Board, Row, State};
use crate::domain::e2e;
use crate::domain::names::ServiceName;
use crate::domain::outcome::{End, exit};

/// At most so many marks on the axis.
const MOST_MARKS: f64 = 8.0;
/// Seconds between two marks.
const STEPS: &[f64] = &[0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0];

/// The timeline; none where nothing was begun.
pub(super) fn timeline(board: &Board, time: Duration) -> Option<String> {
    let scale = Scale(time.max(Duration::from_millis(1)));
    // Of a release that has not arrived, no path tells how quick it was.
    let (path, length) = if is_release(board) { board.critical_path() } else { Default::default() };
    let begun = |row: &&Row| row.started.is_some() || row.build.started.is_some();
    let tracks: Vec<String> = board.rows().iter().filter(begun).map(|row| track(row, &path, scale)).collect();
    if tracks.is_empty() {
        return None;
    }
    let names: Vec<String> = path.iter().map(|name| escape(name.as_str())).collect();
    let critical = match path.is_empty() {
        true => String::new(),
        false => format!("<p>Critical path: <strong>{}</strong>, {} of {}.</p>\n", names.join(" → "), duration(length), duration(time)),
    };
    let legend = [
        ("build", "build"),
        ("roll", "to healthy"),
        ("roll critical", "on the critical path"),
        ("drain", "old tasks drain"),
        ("back", "goes back"),
        ("bad", "failed"),
    ]
    .map(|(class, word)| format!("<span><i class=\"bar {class}\"></i>{word}</span>"))
    .concat();
    Some(format!(
        "<section>\n<h2>Timeline</h2>\n{critical}<div class=\"gantt\" role=\"table\" aria-label=\"Timeline\">\n{}\n{}{}</div>\n<p class=\"legend\">{legend}</p>\n</section>",
        scale.axis(),
        tracks.join("\n"),
        board.suite().and_then(|standing| suite_track(standing, scale)).unwrap_or_default()
    ))
}

/// Something was deployed, and arrived.
fn is_release(board: &Board) -> bool {
    board.verdict().exit_code == exit::SUCCESS && board.ends().any(|(_, end)| *end == End::Deployed)
}

/// Positions on the axis, in percent of the run.
#[derive(Clone, Copy)]
struct Scale(Duration);

impl Scale {
    fn percent(self, at: Duration) -> f64 {
        (at.as_secs_f64() / self.0.as_secs_f64() * 100.0).clamp(0.0, 100.0)
    }

    fn axis(self) -> String {
        let seconds = self.0.as_secs_f64();
        let step = STEPS.iter().copied().find(|step| seconds / step <= MOST_MARKS).unwrap_or(seconds);
        let count = (seconds / step).floor() as u32;
        let mark = |number: u32| {
            let at = Duration::from_secs_f64(step * f64::from(number));
            // What would stand over the edge is left out.
            let is_last = self.percent(at) > 97.0;
            let word = if is_last { String::new() } else { duration(at) };
            format!("<span style=\"left:{:.2}%\">{word}</span>", self.percent(at))
        };
        let marks: String = (0..=count).map(mark).collect();
        format!("<div class=\"axis\"><span class=\"name\"></span><div class=\"track\">{marks}</div></div>")
    }

    /// A bar of no length can't be seen, so it gets a little.
    fn bar(self, class: &str, what: &str, start: Duration, end: Duration) -> String {
        let (left, right) = (self.percent(start), self.percent(end));
        let title = format!("{what}: {} to {}", duration(start), duration(end));
        format!(
            "<i class=\"bar {class}\" style=\"left:{left:.2}%;width:{:.2}%\" title=\"{}\"></i>",
            (right - left).max(0.3),
            escape(&title)
        )
    }
}

fn track(row: &Row, path: &[ServiceName], scale: Scale) -> String {
    let end = row.ended.unwrap_or(scale.0);
    let mut bars = String::new();
    if let Some(began) = row.build.started {
        bars.push_str(&scale.bar("build", "build", began, row.build.ended.unwrap_or(end)));
    }
    if let Some(start) = row.started {
        let class = match &row.state {
            State::Done(End::Failed(_)) => "bad",
            _ if path.contains(&row.name) => "roll critical",
            _ => "roll",
        };
        // When it had arrived, or gave up.
        let until = row.back.map_or(end, |back| back.arrived.unwrap_or(back.began));
        match row.opened.filter(|opened| *opened > start && *opened < until) {
            Some(opened) => {
                bars.push_str(&scale.bar(class, "to healthy", start, opened));
                bars.push_str(&scale.bar("drain", "old tasks drain", opened, until));
            }
            None => bars.push_str(&scale.bar(class, &table::words(row), start, until)),
        }
        bars.extend(row.back.map(|back| scale.bar("back", "goes back", back.began, end)));
    }
    line(row.name.as_str(), parts::tone(&row.state), &bars, &table::time(row, scale.0))
}

fn suite_track(standing: &e2e::Standing, scale: Scale) -> Option<String> {
    let start = standing.started?;
    let class = if matches!(standing.state, e2e::State::Failed(_)) { "bad" } else { "roll" };
    let bar = scale.bar(class, &suite::words(&standing.state), start, standing.ended.unwrap_or(scale.0));
    let time = suite::time(standing, scale.0).map(duration).unwrap_or_default();
    Some(line(&format!("E2E {}", standing.suite), "", &bar, &time))
}

fn line(name: &str, tone: &str, bars: &str, time: &str) -> String {
    let name = escape(name);
    format!(
        "<div class=\"line {tone}\" role=\"row\"><span class=\"name\" role=\"rowheader\" title=\"{name}\">{name}</span>\
         <div class=\"track\" role=\"cell\">{bars}</div><span class=\"time\" role=\"cell\">{time}</span></div>"
    )
}
