//! What runs where: a table for people, JSON for machines, Markdown for the job summary.

use serde_json::{Value, json};

use super::summary::{escape, limited};
use super::text::one_line;
use crate::domain::names::{Digest, Revision};
use crate::domain::plan::Side;
use crate::domain::smoke::Opinion;
use crate::domain::status::{Drift, Place, Standing, State, drift};

/// The places, for a terminal. `now` in seconds since 1970.
pub fn lines(places: &[Place], now: i64) -> Vec<String> {
    let mut lines = match places {
        [place] if place.services.is_ok() => one_place(place, now),
        _ if places.iter().all(|place| place.services.is_err()) => Vec::new(),
        _ => side_by_side(places, now),
    };
    let worries = worries(places);
    if !worries.is_empty() && !lines.is_empty() {
        lines.push(String::new());
    }
    lines.extend(worries);
    lines
}

/// One environment in full.
fn one_place(place: &Place, now: i64) -> Vec<String> {
    let head = ["", "service", "version", "commit", "image", "tasks", "health", "for"].map(str::to_owned).to_vec();
    let row = |standing: &Standing| {
        let runs = &standing.runs;
        vec![
            sign(standing).to_owned(),
            standing.name.to_string(),
            version(runs),
            runs.revision.as_ref().map(|revision| revision.short().to_owned()).unwrap_or_default(),
            runs.digest.as_ref().map(|digest| digest.short().to_owned()).unwrap_or_default(),
            tasks(standing),
            health_word(standing).to_owned(),
            age(standing, now),
        ]
    };
    let rows = place.services.iter().flatten().map(row);
    let title = format!("{}: cluster {}, {}", place.environment, place.cluster, place.region);
    [title].into_iter().chain(columns(std::iter::once(head).chain(rows).collect())).collect()
}

/// Every environment a column, and at the end who runs the same.
fn side_by_side(places: &[Place], now: i64) -> Vec<String> {
    columns(matrix(places, now))
}

/// Head and rows: service, a cell an environment, drift.
fn matrix(places: &[Place], now: i64) -> Vec<Vec<String>> {
    let head = std::iter::once(String::new()).chain(places.iter().map(|place| place.environment.clone())).chain([String::new()]);
    let row = |drift: &Drift| {
        let cell = |place: &Place| match &place.services {
            Err(_) => "?".to_owned(),
            Ok(services) => services.iter().find(|standing| standing.name == drift.service).map(|it| cell(it, now)).unwrap_or_default(),
        };
        std::iter::once(drift.service.to_string()).chain(places.iter().map(cell)).chain([groups(drift)]).collect()
    };
    std::iter::once(head.collect()).chain(drift(places).iter().map(row)).collect()
}

/// `dev ≠ staging = prod`; nothing where all are the same.
fn groups(drift: &Drift) -> String {
    if !drift.is_there() {
        return String::new();
    }
    drift.groups.iter().map(|group| group.join(" = ")).collect::<Vec<_>>().join(" ≠ ")
}

fn cell(standing: &Standing, now: i64) -> String {
    let next = standing.next.as_ref().map(|next| format!(" → {}", version(next))).unwrap_or_default();
    let age = age(standing, now);
    let age = if age.is_empty() { age } else { format!("  {age}") };
    format!("{} {}{next}{age}", sign(standing), version(&standing.runs))
}

/// Everything that somebody should look at, a line each.
fn worries(places: &[Place]) -> Vec<String> {
    let of = |place: &Place| match &place.services {
        Err(why) => vec![format!("{}: could not be read: {}", place.environment, one_line(why, 500))],
        Ok(services) => {
            let worry = |standing: &&Standing| !standing.is_well() || standing.state == State::Stopped;
            let line = |standing: &Standing| {
                format!("{} {}: {}: {}", sign(standing), place.environment, standing.name, one_line(&words(standing), 500))
            };
            services.iter().filter(worry).map(line).collect()
        }
    };
    places.iter().flat_map(of).collect()
}

fn sign(standing: &Standing) -> &'static str {
    match &standing.state {
        State::Runs if standing.is_well() => "✓",
        State::Runs | State::Short => "!",
        State::Stopped => "–",
        State::InFlight => "▸",
        State::Failed(_) => "✗",
        State::Unknown(_) => "?",
    }
}

/// How it stands, in words.
fn words(standing: &Standing) -> String {
    let tasks = format!("{} of {} tasks run", standing.running, standing.desired);
    let state = match &standing.state {
        State::Runs => None,
        State::Stopped => Some("no task is wanted".to_owned()),
        State::Short => Some(tasks),
        State::InFlight => {
            let what = standing.next.as_ref().unwrap_or(&standing.runs);
            Some(format!("{} is rolling out, {tasks}", version(what)))
        }
        State::Failed(reason) => Some(format!("the newest deployment failed: {reason}")),
        State::Unknown(why) => Some(why.clone()),
    };
    let health = match &standing.health {
        Some(Opinion::Unwell(why)) => Some(format!("its health check {why}")),
        Some(Opinion::WrongVersion(other)) => Some(format!("it answers with version `{other}`, not {}", version(&standing.runs))),
        Some(Opinion::Well) | None => None,
    };
    state.into_iter().chain(health).collect::<Vec<_>>().join("; ")
}

fn health_word(standing: &Standing) -> &'static str {
    match &standing.health {
        Some(Opinion::Well) => "well",
        Some(Opinion::WrongVersion(_)) => "wrong version",
        Some(Opinion::Unwell(_)) => "unwell",
        None => "not asked",
    }
}

fn tasks(standing: &Standing) -> String {
    match standing.state {
        State::Unknown(_) => String::new(),
        _ => format!("{}/{}", standing.running, standing.desired),
    }
}

fn version(side: &Side) -> String {
    let other = || side.revision.as_ref().map(Revision::short).or(side.digest.as_ref().map(Digest::short)).map(str::to_owned);
    side.version.clone().or_else(other).unwrap_or_else(|| "?".to_owned())
}

/// `40s`, `12m`, `3h`, `9d`.
fn age(standing: &Standing, now: i64) -> String {
    let Some(seconds) = standing.since.map(|since| now.saturating_sub(since).max(0)) else { return String::new() };
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..172_800 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// Rows of one width a column, two blanks between.
fn columns(rows: Vec<Vec<String>>) -> Vec<String> {
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |at: usize| rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..count).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        format!("  {}", cells.collect::<Vec<_>>().join("  ")).trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

/// For the job summary.
pub fn markdown(places: &[Place], now: i64) -> String {
    let row = |cells: &Vec<String>| format!("| {} |", cells.iter().map(|cell| escape(cell)).collect::<Vec<_>>().join(" | "));
    let mut rows = matrix(places, now).iter().map(row).collect::<Vec<_>>();
    rows.insert(1, format!("|{}", " --- |".repeat(places.len() + 2)));
    let worries: Vec<String> = worries(places).iter().map(|line| format!("- {}", escape(line))).collect();
    limited(&["## What runs where".to_owned(), rows.join("\n"), worries.join("\n")])
}

/// For machines.
pub fn json(places: &[Place], now: i64) -> Value {
    let place = |place: &Place| {
        json!({
            "name": place.environment,
            "region": place.region,
            "cluster": place.cluster,
            "error": place.services.as_ref().err(),
            "services": place.services.iter().flatten().map(|standing| service(standing, now)).collect::<Vec<_>>(),
        })
    };
    let drift = drift(places);
    json!({
        "schema": 1,
        "environments": places.iter().map(place).collect::<Vec<_>>(),
        "drift": drift.iter().filter(|it| it.is_there()).map(|it| json!({"service": it.service, "groups": it.groups})).collect::<Vec<_>>(),
    })
}

fn service(standing: &Standing, now: i64) -> Value {
    let state = match standing.state {
        State::Runs => "runs",
        State::Stopped => "stopped",
        State::Short => "short",
        State::InFlight => "in-flight",
        State::Failed(_) => "failed",
        State::Unknown(_) => "unknown",
    };
    json!({
        "name": standing.name,
        "state": state,
        "well": standing.is_well(),
        "words": words(standing),
        "runs": standing.runs,
        "next": standing.next,
        "age_seconds": standing.since.map(|since| now.saturating_sub(since).max(0)),
        "running": standing.running,
        "desired": standing.desired,
        "health": health_word(standing).replace(' ', "-"),
    })
}
