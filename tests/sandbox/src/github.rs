//! GitHub's REST API: `GET /repos/{owner}/{repo}/compare/{base}...{head}`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::call::{Reply, Request};

/// The repositories, as far as their commits are compared.
#[derive(Debug, Clone)]
pub struct GitHub {
    /// The only token that is good.
    pub token: String,
    /// `owner/name`, base and head → `ahead`, `behind`, `identical` or `diverged`.
    pub comparisons: BTreeMap<(String, String, String), String>,
    /// The answer for all others.
    pub default_status: String,
    /// `owner/name` of repositories that the token does not reach.
    pub forbidden: BTreeSet<String>,
}

impl GitHub {
    pub(crate) fn new() -> GitHub {
        GitHub {
            // In two parts, so that no scanner takes it for a real one.
            token: ["ghs", "_sandbox0123456789abcdefghijklmnopqrst"].concat(),
            comparisons: BTreeMap::new(),
            default_status: "ahead".to_owned(),
            forbidden: BTreeSet::new(),
        }
    }
}

/// The operation behind `/github`.
pub(crate) fn operation(request: &Request) -> String {
    match compared(request) {
        Some(_) if request.method == "GET" => "compare".to_owned(),
        _ => format!("{} {}", request.method, request.path),
    }
}

/// Repository, base and head.
fn compared(request: &Request) -> Option<(String, String, String)> {
    let (repository, rest) = request.path.strip_prefix("/github/repos/")?.split_once("/compare/")?;
    let (base, head) = rest.split_once("...")?;
    Some((repository.to_owned(), base.to_owned(), head.to_owned()))
}

/// Answers as GitHub does: a repository that may not be seen is not there.
pub(crate) fn answer(github: &GitHub, operation: &str, request: &Request) -> Reply {
    let no = |status: u16, message: &str| Reply::json(status, &json!({"message": message, "status": status.to_string()}));
    if request.header("user-agent").is_none() {
        return no(403, "Request forbidden by administrative rules.");
    }
    if request.bearer() != Some(github.token.as_str()) {
        return no(401, "Bad credentials");
    }
    // Without them GitHub answers in whatever form is current: a client that means to last sends both.
    if request.header("accept") != Some("application/vnd.github+json") || request.header("x-github-api-version") != Some("2022-11-28") {
        return no(400, "Name the media type and the version of the API.");
    }
    match compared(request).filter(|(repository, ..)| operation == "compare" && !github.forbidden.contains(repository)) {
        Some(which) => Reply::json(200, &comparison(github.comparisons.get(&which).unwrap_or(&github.default_status))),
        None => no(404, "Not Found"),
    }
}

fn comparison(status: &str) -> Value {
    let (ahead, behind) = match status {
        "ahead" => (1, 0),
        "behind" => (0, 1),
        "diverged" => (1, 1),
        _ => (0, 0),
    };
    json!({"status": status, "ahead_by": ahead, "behind_by": behind, "total_commits": ahead, "commits": [], "files": []})
}
