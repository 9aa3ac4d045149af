//! `GET …/actions/workflows/{file}/runs`: which of the runs are asked for.

use serde_json::{Value, json};

use super::{Run, wire};
use crate::call::Reply;
use crate::github::page::Page;
use crate::github::{GitHub, Scene};
use crate::refusal::text;
use crate::time::unix_of;

/// The runs of a workflow, newest first.
pub(crate) fn runs(github: &GitHub, repository: &str, file: &str, scene: &Scene<'_>) -> Reply {
    let of_it = |run: &&Run| run.repository == repository && run.workflow == file && run.listed_at <= scene.now;
    let mut asked: Vec<&Run> = github.runs.iter().filter(of_it).filter(|run| wanted(run, scene)).collect();
    asked.sort_by(|a, b| b.created_at.total_cmp(&a.created_at).then(b.id.cmp(&a.id)));
    let (page, total) = (Page::of(scene.query), asked.len());
    let shown: Vec<Value> = page.cut(asked).into_iter().map(|run| wire::run(github, run, scene)).collect();
    page.link(scene, total, Reply::json(200, &json!({"total_count": total, "workflow_runs": shown})))
}

/// Whether a run passes the filters of the query.
fn wanted(run: &Run, scene: &Scene<'_>) -> bool {
    let is = |key: &str, has: &dyn Fn(&str) -> bool| text(scene.query, key).is_none_or(has);
    // Times are compared as GitHub shows them: in whole seconds.
    let created = (scene.epoch + run.created_at).floor();
    is("event", &|event| run.event == event)
        && is("branch", &|branch| run.reference == branch)
        && is("head_sha", &|sha| run.sha == sha)
        && is("status", &|word| run.status(scene.now) == word || run.conclusion(scene.now) == Some(word))
        && is("created", &|range| lies_in(created, range))
}

/// GitHub's search syntax for times: `>=T`, `>T`, `<=T`, `<T`, `T..T` with `*` for an open end, and `T` alone. A day stands
/// for all of itself.
fn lies_in(at: f64, range: &str) -> bool {
    let first = |time: &str| unix_of(time).map(|(first, _)| first);
    let last = |time: &str| unix_of(time).map(|(_, last)| last);
    if let Some((from, to)) = range.split_once("..") {
        return (from == "*" || first(from).is_some_and(|from| at >= from)) && (to == "*" || last(to).is_some_and(|to| at <= to));
    }
    if let Some(time) = range.strip_prefix(">=") {
        return first(time).is_some_and(|time| at >= time);
    }
    if let Some(time) = range.strip_prefix("<=") {
        return last(time).is_some_and(|time| at <= time);
    }
    if let Some(time) = range.strip_prefix('>') {
        return last(time).is_some_and(|time| at > time);
    }
    if let Some(time) = range.strip_prefix('<') {
        return first(time).is_some_and(|time| at < time);
    }
    first(range).is_some_and(|time| at >= time) && last(range).is_some_and(|time| at <= time)
}
