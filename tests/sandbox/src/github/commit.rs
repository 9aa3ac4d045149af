//! `GET /repos/{owner}/{repo}/commits/{ref}`, and commits wherever GitHub shows them.

use serde_json::{Value, json};

use super::{GitHub, refuse};
use crate::call::Reply;
use crate::ecr::made_up;

/// The commit that a reference leads to.
pub(crate) fn answer(github: &GitHub, repository: &str, reference: &str) -> Reply {
    let Some(found) = github.repositories.get(repository) else { return refuse(404, "Not Found") };
    match found.resolve(reference) {
        Some(sha) => {
            let mut commit = wire(repository, &sha, &found.tree(&sha));
            commit["stats"] = json!({"total": 0, "additions": 0, "deletions": 0});
            commit["files"] = json!([]);
            Reply::json(200, &commit)
        }
        None => refuse(422, &format!("No commit found for SHA: {reference}")),
    }
}

/// A commit with all members that GitHub gives and typed clients demand.
pub(crate) fn wire(repository: &str, sha: &str, tree: &str) -> Value {
    let api = format!("https://api.github.com/repos/{repository}");
    let web = format!("https://github.com/{repository}");
    let person = json!({"name": "Escher", "email": "escher@example.com", "date": "2026-11-20T09:00:00Z"});
    let parent = made_up("parent", repository, sha);
    json!({
        "sha": sha,
        "node_id": format!("C_{sha}"),
        "commit": {
            "author": person,
            "committer": person,
            "message": format!("Change something (commit {})", sha.get(..7).unwrap_or(sha)),
            "tree": {"sha": tree, "url": format!("{api}/git/trees/{tree}")},
            "url": format!("{api}/git/commits/{sha}"),
            "comment_count": 0,
            "verification": {"verified": false, "reason": "unsigned", "signature": null, "payload": null}
        },
        "url": format!("{api}/commits/{sha}"),
        "html_url": format!("{web}/commit/{sha}"),
        "comments_url": format!("{api}/commits/{sha}/comments"),
        "author": null,
        "committer": null,
        "parents": [{"sha": parent, "url": format!("{api}/commits/{parent}"), "html_url": format!("{web}/commit/{parent}")}]
    })
}
