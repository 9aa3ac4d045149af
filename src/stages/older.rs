//! Refuses a release that is older than what runs. What can't be compared is told, and goes on: GitHub's word is wanted, not
//! needed, to deploy.

use std::collections::BTreeMap;

use futures_util::{StreamExt, stream};

use super::AT_ONCE;
use crate::clients::github::GitHub;
use crate::config::{Command, Request};
use crate::domain::names::ServiceName;
use crate::domain::older::{Ancestry, Comparison, comparisons, incomparable};
use crate::domain::plan::Plan;
use crate::error::{Error, Finding};

/// Compares what runs with what is to run, service by service; the warnings of what was not compared, or has diverged.
///
/// # Errors
/// `Error::Refused` with every service whose new commit lies behind the one that runs, unless `allow-older` is set.
pub async fn check(request: &Request, http: &reqwest::Client, plan: &Plan) -> Result<Vec<String>, Error> {
    let wanted = comparisons(plan, &request.services, &request.environment);
    let unknown: Vec<&str> = incomparable(plan).into_iter().map(ServiceName::as_str).collect();
    // A rollback means to go back.
    if request.allow_older || request.command == Command::Rollback || (wanted.is_empty() && unknown.is_empty()) {
        return Ok(Vec::new());
    }
    let mut warnings = Vec::new();
    if !unknown.is_empty() {
        warnings.push(format!(
            "not checked whether the release is older for {}: a commit is unknown, of what runs or of the new image",
            unknown.join(", ")
        ));
    }
    if wanted.is_empty() {
        return Ok(warnings);
    }
    let Some(token) = &request.tokens.github else {
        warnings.push(unchecked(&wanted.iter().collect::<Vec<_>>(), "there is no `github-token`"));
        return Ok(warnings);
    };
    let github = GitHub::new(http.clone(), request.runner.github_url(), token);
    let asked = wanted.iter().map(|one| {
        let github = &github;
        async move { (one, github.compare(&one.repository, &one.base, &one.head).await) }
    });
    let mut older = Vec::new();
    let mut failed: BTreeMap<String, Vec<&Comparison>> = BTreeMap::new();
    for (one, answer) in stream::iter(asked).buffered(AT_ONCE).collect::<Vec<_>>().await {
        match answer {
            Ok(Ancestry::Ahead | Ancestry::Identical) => {}
            Ok(Ancestry::Behind) => older.push(refused(one)),
            Ok(Ancestry::Diverged) => {
                warnings.push(format!(
                    "hotfix: diverged: {}: {} lacks commits of {}, which runs, and the other way round",
                    one.service, one.new, one.runs
                ));
            }
            Err(error) => failed.entry(error.to_string()).or_default().push(one),
        }
    }
    if !older.is_empty() {
        return Err(Error::Refused(older));
    }
    // One warning a cause: a token that reaches no other repository would otherwise bring seven.
    warnings.extend(failed.iter().map(|(why, which)| unchecked(which, why)));
    Ok(warnings)
}

fn refused(one: &Comparison) -> Finding {
    Finding::new(
        one.service.as_str(),
        format!(
            "{} is older than {}, which runs: GitHub calls {} `behind` {} in {}",
            one.new, one.runs, one.head, one.base, one.repository
        ),
        "release a newer commit; to go back on purpose: the `rollback` command, or `allow-older: true`",
    )
}

fn unchecked(which: &[&Comparison], why: &str) -> String {
    let names: Vec<&str> = which.iter().map(|one| one.service.as_str()).collect();
    format!("not checked whether this release is older than what runs ({}): {why}", names.join(", "))
}
