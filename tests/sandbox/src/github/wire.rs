//! Shapes that many of GitHub's answers share.

use serde_json::{Value, json};

use crate::ecr::digest;

/// The number of something that has a name, always the same.
pub(crate) fn number(words: &str) -> u64 {
    let hash = digest(words.as_bytes());
    hash.get("sha256:".len()..).and_then(|hash| u64::from_str_radix(hash.get(..7)?, 16).ok()).unwrap_or(1)
}

/// A person (`User`) or an `Organization`, with all members that typed clients demand.
pub(crate) fn account(login: &str, kind: &str, id: u64) -> Value {
    let user = format!("https://api.github.com/users/{login}");
    json!({
        "login": login,
        "id": id,
        "node_id": format!("O_kgDO{id:08}"),
        "avatar_url": format!("https://avatars.githubusercontent.com/u/{id}?v=4"),
        "gravatar_id": "",
        "url": user,
        "html_url": format!("https://github.com/{login}"),
        "followers_url": format!("{user}/followers"),
        "following_url": format!("{user}/following"),
        "gists_url": format!("{user}/gists"),
        "starred_url": format!("{user}/starred"),
        "subscriptions_url": format!("{user}/subscriptions"),
        "organizations_url": format!("{user}/orgs"),
        "repos_url": format!("{user}/repos"),
        "events_url": format!("{user}/events"),
        "received_events_url": format!("{user}/received_events"),
        "type": kind,
        "site_admin": false
    })
}

/// A person.
pub(crate) fn person(login: &str) -> Value {
    account(login, "User", number(login))
}

/// A repository as other things name it.
pub(crate) fn repository(full_name: &str) -> Value {
    let (owner, name) = full_name.split_once('/').unwrap_or(("", full_name));
    let id = number(full_name);
    json!({
        "id": id,
        "node_id": format!("R_kgDO{id:08}"),
        "name": name,
        "full_name": full_name,
        "private": true,
        "owner": account(owner, "Organization", 9_001),
        "html_url": format!("https://github.com/{full_name}"),
        "description": null,
        "fork": false,
        "url": format!("https://api.github.com/repos/{full_name}")
    })
}
