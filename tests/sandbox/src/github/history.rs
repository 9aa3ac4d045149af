//! Commits as people wrote them, and lists of commits and tags.

use serde_json::{Value, json};

use super::page::Page;
use super::wire::person;
use super::{GitHub, Scene, commit, refuse};
use crate::call::Reply;
use crate::ecr::made_up;

/// A commit with its message.
#[derive(Debug, Clone, PartialEq)]
pub struct ListedCommit {
    /// Its id.
    pub sha: String,
    /// The whole message.
    pub message: String,
    /// The name in it.
    pub author_name: String,
    /// The account on GitHub, where there is one.
    pub author_login: Option<String>,
    /// More than one is a merge.
    pub parents: usize,
}

impl ListedCommit {
    /// A commit of `ada` with this message; its id is made from a name and a number.
    pub fn new(name: &str, number: usize, message: &str) -> ListedCommit {
        ListedCommit {
            sha: made_up("listed", name, &number.to_string()),
            message: message.to_owned(),
            author_name: "Ada Lovelace".to_owned(),
            author_login: Some("ada".to_owned()),
            parents: 1,
        }
    }

    /// As GitHub shows it.
    pub(crate) fn wire(&self, repository: &str) -> Value {
        let mut wire = commit::wire(repository, &self.sha, &made_up("tree", "of-commit", &self.sha));
        wire["commit"]["message"] = json!(self.message);
        wire["commit"]["author"]["name"] = json!(self.author_name);
        wire["author"] = self.author_login.as_deref().map(person).unwrap_or_default();
        let parent = |at: usize| json!({"sha": made_up("parent", repository, &format!("{}:{at}", self.sha))});
        wire["parents"] = (0..self.parents).map(parent).collect();
        wire
    }
}

/// `GET /repos/{owner}/{repo}/commits`: the newest first.
pub(crate) fn commits(github: &GitHub, repository: &str, scene: &Scene<'_>) -> Reply {
    let Some(found) = github.repositories.get(repository) else { return refuse(404, "Not Found") };
    let all: Vec<Value> = found.log.iter().map(|listed| listed.wire(repository)).collect();
    let (page, total) = (Page::of(scene.query), all.len());
    page.link(scene, total, Reply::json(200, &json!(page.cut(all))))
}

/// `GET /repos/{owner}/{repo}/tags`
pub(crate) fn tags(github: &GitHub, repository: &str, scene: &Scene<'_>) -> Reply {
    let Some(found) = github.repositories.get(repository) else { return refuse(404, "Not Found") };
    let tag = |(name, sha): (&String, &String)| json!({"name": name, "commit": {"sha": sha}});
    let all: Vec<Value> = found.tags.iter().rev().map(tag).collect();
    let (page, total) = (Page::of(scene.query), all.len());
    page.link(scene, total, Reply::json(200, &json!(page.cut(all))))
}
