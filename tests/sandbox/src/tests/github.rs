//! Commits and comparisons.

use serde_json::Value;

use super::send;
use crate::call::Request;
use crate::{Comparison, World, made_up};

const GATEWAY: &str = "escher-dbai/v2-gateway-service-java";

/// A GET as the client library sends it.
pub(super) fn ask(path: &str, token: &str) -> Request {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let headers = [
        ("user-agent", "octocrab".to_owned()),
        ("accept", "application/vnd.github.v3+json".to_owned()),
        ("authorization", format!("Bearer {token}")),
    ];
    Request {
        method: "GET".to_owned(),
        path: format!("/github{path}"),
        query: query.to_owned(),
        headers: headers.map(|(name, value)| (name.to_owned(), value)).to_vec(),
        body: String::new(),
    }
}

fn get(world: &mut World, path: &str) -> (u16, Value) {
    let token = world.github.token.clone();
    let reply = send(world, &ask(path, &token));
    (reply.status, reply.value())
}

fn commit(version: &str) -> String {
    made_up("commit", "escher-gateway", version)
}

#[test]
fn a_commit_is_found_by_whatever_leads_to_it() {
    let mut world = World::escher("dev");
    let sha = commit("2.16.0-dev");
    world.github.repository_mut(GATEWAY).branch("feature/odd name", &sha, &made_up("tree", "escher-gateway", "2.16.0-dev"));
    let names = ["tags/v2.16.0-dev", "tags%2Fv2.16.0-dev", "heads/develop", "main", "v2.16.0-dev", "refs/heads/main", &sha];
    for name in names.into_iter().chain(["heads/feature/odd%20name", "feature%2Fodd%20name"]) {
        let (status, found) = get(&mut world, &format!("/repos/{GATEWAY}/commits/{name}"));
        assert_eq!((status, found["sha"].as_str()), (200, Some(sha.as_str())), "{name}: {found}");
        assert_eq!(found["commit"]["tree"]["sha"], made_up("tree", "escher-gateway", "2.16.0-dev"));
    }
    let (_, older) = get(&mut world, &format!("/repos/{GATEWAY}/commits/tags/v2.15.0-dev"));
    assert_eq!(older["sha"], commit("2.15.0-dev"));
    for member in ["node_id", "files"] {
        assert!(!older[member].is_null(), "{member}");
    }
    for member in ["message", "author"] {
        assert!(!older["commit"][member].is_null(), "{member}");
    }
    assert_eq!(older["parents"].as_array().map(Vec::len), Some(1));
}

#[test]
fn a_commit_without_a_tree_has_one_made_up() {
    let mut world = World::escher("dev");
    let sha = "0123456789abcdef0123456789abcdef01234567";
    world.github.repository_mut(GATEWAY).branches.insert("hotfix".to_owned(), sha.to_owned());
    let first = get(&mut world, &format!("/repos/{GATEWAY}/commits/heads/hotfix")).1;
    let again = get(&mut world, &format!("/repos/{GATEWAY}/commits/{sha}")).1;
    assert_eq!(first, again);
    assert_eq!(first["commit"]["tree"]["sha"].as_str().map(str::len), Some(40));
}

#[test]
fn what_does_not_lead_to_a_commit() {
    let mut world = World::escher("dev");
    let (status, refused) = get(&mut world, &format!("/repos/{GATEWAY}/commits/tags/v9.9.9"));
    assert_eq!((status, refused["message"].as_str()), (422, Some("No commit found for SHA: tags/v9.9.9")));
    assert_eq!(refused["status"], "422");
    let unknown = "ffffffffffffffffffffffffffffffffffffffff";
    assert_eq!(get(&mut world, &format!("/repos/{GATEWAY}/commits/{unknown}")).0, 422);
    let (status, refused) = get(&mut world, "/repos/escher-dbai/nowhere/commits/main");
    assert_eq!((status, refused["message"].as_str()), (404, Some("Not Found")));
    world.github.forbidden.insert(GATEWAY.to_owned());
    assert_eq!(get(&mut world, &format!("/repos/{GATEWAY}/commits/main")).0, 404);
    assert_eq!(get(&mut world, &format!("/repos/{GATEWAY}/compare/main...develop")).0, 404);
}

#[test]
fn who_asks_badly_is_told() {
    let mut world = World::escher("dev");
    let token = world.github.token.clone();
    let path = format!("/repos/{GATEWAY}/commits/main");
    let without = |header: &str| {
        let mut request = ask(&path, &token);
        request.headers.retain(|(name, _)| name != header);
        request
    };
    let statuses = ["user-agent", "accept", "authorization"].map(|header| send(&mut world, &without(header)).status);
    assert_eq!(statuses, [403, 400, 401]);
    assert_eq!(send(&mut world, &ask(&path, "wrong")).value()["message"], "Bad credentials");
    assert_eq!(get(&mut world, "/repos/a/b/pulls").0, 404);
}

#[test]
fn a_branch_contains_what_is_not_listed_otherwise() {
    let mut world = World::escher("dev");
    let (old, new) = (commit("2.15.0-dev"), commit("2.16.0-dev"));
    let status = |world: &mut World, base: &str, head: &str| {
        let (status, found) = get(world, &format!("/repos/{GATEWAY}/compare/{base}...{head}"));
        assert_eq!(status, 200);
        found["status"].as_str().unwrap().to_owned()
    };
    assert_eq!(status(&mut world, "main", &new), "identical");
    assert_eq!(status(&mut world, "heads%2Fmain", "v2.16.0-dev"), "identical");
    assert_eq!(status(&mut world, "main", &old), "behind");
    assert_eq!(status(&mut world, &old, &new), "ahead");
    assert_eq!(status(&mut world, &old, &old), "identical");
    world.github.comparisons.insert((GATEWAY.to_owned(), "main".to_owned(), old.clone()), "diverged".into());
    assert_eq!(status(&mut world, "main", &old), "diverged");
    world.github.comparisons.insert((GATEWAY.to_owned(), old.clone(), new.clone()), String::from("behind").into());
    assert_eq!(status(&mut world, "v2.15.0-dev", "v2.16.0-dev"), "behind", "names are followed");
    world.github.default_comparison = "diverged".into();
    let (code, unlisted) = get(&mut world, "/repos/some/where/compare/a...b");
    assert_eq!((code, unlisted["status"].as_str()), (200, Some("diverged")));
}

#[test]
fn commits_come_in_pages_and_files_only_on_the_first() {
    let mut world = World::escher("dev");
    let files: Vec<String> = (0..301).map(|n| format!("src/{n}.rs")).collect();
    let names: Vec<&str> = files.iter().map(String::as_str).collect();
    world.github.default_comparison = Comparison::ahead(260, &names);
    let (old, new) = (commit("2.15.0-dev"), commit("2.16.0-dev"));
    let base = format!("/repos/{GATEWAY}/compare/{old}...{new}");
    let mut counts = |query: &str| {
        let found = get(&mut world, &format!("{base}{query}")).1;
        assert_eq!((found["total_commits"].as_u64(), found["ahead_by"].as_u64()), (Some(260), Some(260)));
        (found["commits"].as_array().unwrap().len(), found["files"].as_array().unwrap().len())
    };
    assert_eq!(counts(""), (250, 300));
    assert_eq!(counts("?page=1"), (30, 300));
    assert_eq!(counts("?per_page=1000"), (100, 300));
    assert_eq!(counts("?per_page=100&page=3"), (60, 0));
    assert_eq!(counts("?per_page=100&page=4"), (0, 0));
    let last = get(&mut world, &format!("{base}?per_page=100&page=3")).1;
    assert_eq!(last["commits"][59]["sha"], new);
    assert_eq!(last["base_commit"]["sha"], old);
}

#[test]
fn a_renamed_file_says_what_it_was_called() {
    let mut world = World::empty("dev");
    world.github.default_comparison = Comparison::diverged(2, &["a"]).renamed("old", "new");
    let found = get(&mut world, "/repos/some/where/compare/a...b").1;
    assert_eq!((found["ahead_by"].as_u64(), found["behind_by"].as_u64()), (Some(2), Some(1)));
    let file = |at: usize| (found["files"][at]["status"].as_str().unwrap(), found["files"][at]["previous_filename"].as_str());
    assert_eq!((file(0), file(1)), (("modified", None), ("renamed", Some("old"))));
    let words =
        ["ahead", "behind", "identical", "diverged"].map(|word| (Comparison::from(word).commits, Comparison::from(word).files.len()));
    assert_eq!(words, [(1, 1), (0, 0), (0, 0), (1, 1)]);
}

#[test]
fn another_environment_adds_tags_and_keeps_branches() {
    let mut world = World::escher("staging");
    world.add_environment("prod");
    let repository = &world.github.repositories[GATEWAY];
    let tags: Vec<&str> = repository.tags.keys().map(String::as_str).collect();
    assert_eq!(tags, ["v2.15.0", "v2.15.0-stg", "v2.16.0", "v2.16.0-stg"]);
    assert_eq!(repository.branches["main"], commit("2.16.0-stg"));
    assert_eq!(world.github.repositories.len(), 9);
    assert!(world.github.repositories["escher-dbai/v3-escher-deployment"].tags.contains_key("v2.16.0"));
}
