//! GitHub Releases.

use serde_json::{Value, json};

use super::{GitHub, Scene, refuse};
use crate::call::Reply;
use crate::refusal::text;

/// A longer body is refused.
const LONGEST: usize = 125_000;

/// A release.
#[derive(Debug, Clone, PartialEq)]
pub struct Release {
    /// Its number.
    pub id: u64,
    /// `owner/name`.
    pub repository: String,
    /// Its tag.
    pub tag: String,
    /// Its title.
    pub name: String,
    /// Its text.
    pub body: String,
    /// Not for production.
    pub is_prerelease: bool,
    /// `true`, `false` or `legacy`.
    pub make_latest: String,
}

impl Release {
    fn wire(&self) -> Value {
        let (web, api) = (format!("https://github.com/{}", self.repository), format!("https://api.github.com/repos/{}", self.repository));
        json!({
            "url": format!("{api}/releases/{}", self.id),
            "html_url": format!("{web}/releases/tag/{}", self.tag),
            "id": self.id,
            "tag_name": self.tag,
            "target_commitish": "main",
            "name": self.name,
            "body": self.body,
            "draft": false,
            "prerelease": self.is_prerelease,
            "created_at": "2026-11-20T09:00:00Z",
            "published_at": "2026-11-20T09:00:00Z",
            "assets": []
        })
    }
}

/// `POST /repos/{owner}/{repo}/releases`. A tag that isn't there is made, at the head of the default branch.
pub(crate) fn create(github: &mut GitHub, repository: &str, scene: &Scene<'_>) -> Reply {
    let query = scene.query;
    let Some(tag) = text(query, "tag_name") else { return invalid("missing_field", "tag_name") };
    if github.releases.iter().any(|release| release.repository == repository && release.tag == tag) {
        return invalid("already_exists", "tag_name");
    }
    let body = text(query, "body").unwrap_or_default();
    if body.chars().count() > LONGEST {
        return too_long();
    }
    let Some(known) = github.repositories.get_mut(repository) else { return refuse(404, "Not Found") };
    if !known.tags.contains_key(tag) {
        let head = known.branches.get("main").cloned().unwrap_or_else(|| "0".repeat(40));
        known.tags.insert(tag.to_owned(), head);
    }
    let release = Release {
        id: 901_000 + github.releases.len() as u64,
        repository: repository.to_owned(),
        tag: tag.to_owned(),
        name: text(query, "name").unwrap_or(tag).to_owned(),
        body: body.to_owned(),
        is_prerelease: query["prerelease"] == true,
        make_latest: text(query, "make_latest").unwrap_or("true").to_owned(),
    };
    let reply = Reply::json(201, &release.wire());
    github.releases.push(release);
    reply
}

/// `GET /repos/{owner}/{repo}/releases/tags/{tag}`
pub(crate) fn by_tag(github: &GitHub, repository: &str, tag: &str) -> Reply {
    let found = github.releases.iter().find(|release| release.repository == repository && release.tag == tag);
    found.map_or_else(|| refuse(404, "Not Found"), |release| Reply::json(200, &release.wire()))
}

/// `PATCH /repos/{owner}/{repo}/releases/{id}`
pub(crate) fn update(github: &mut GitHub, repository: &str, id: &str, scene: &Scene<'_>) -> Reply {
    let found = github.releases.iter_mut().find(|release| release.repository == repository && release.id.to_string() == id);
    let Some(release) = found else { return refuse(404, "Not Found") };
    if let Some(body) = text(scene.query, "body") {
        if body.chars().count() > LONGEST {
            return too_long();
        }
        body.clone_into(&mut release.body);
    }
    Reply::json(200, &release.wire())
}

fn invalid(code: &str, field: &str) -> Reply {
    let mut reply = refuse(422, "Validation Failed");
    let mut body = reply.value();
    body["errors"] = json!([{"resource": "Release", "code": code, "field": field}]);
    reply.body = body.to_string();
    reply
}

fn too_long() -> Reply {
    let mut reply = refuse(422, "Validation Failed");
    let mut body = reply.value();
    body["errors"] =
        json!([{"resource": "Release", "code": "custom", "field": "body", "message": "body is too long (maximum is 125000 characters)"}]);
    reply.body = body.to_string();
    reply
}
