//! GitHub's REST API: commits, comparisons, Actions, and the tokens of an App.

mod actions;
mod app;
mod app_api;
mod ask;
mod commit;
mod comparison;
mod history;
mod jwt;
mod page;
mod release;
mod repository;
mod scene;
mod wire;

pub use actions::{Approval, FatedJob, Run, RunFate, Workflow};
pub use app::App;
pub(crate) use ask::operation;
pub use comparison::{ChangedFile, Comparison};
pub use history::ListedCommit;
pub use release::Release;
pub use repository::GitRepository;
pub(crate) use scene::Scene;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::call::{Reply, Request};
use crate::clock::unix;
use crate::world::World;
use ask::{Ask, ask};

/// The repositories, as far as their commits are looked up and compared, and their workflows.
#[derive(Debug, Clone)]
pub struct GitHub {
    /// The one token that is good without an App, as `github.token` of a job.
    pub token: String,
    /// `owner/name` → its tags, branches and trees. Commits are only found in repositories that are listed here.
    pub repositories: BTreeMap<String, GitRepository>,
    /// `owner/name`, base and head → how head lies to base. Names of tags and branches are followed to their commits.
    pub comparisons: BTreeMap<(String, String, String), Comparison>,
    /// The answer for all others, but for those that the repository itself answers: see [`GitHub::compare`].
    pub default_comparison: Comparison,
    /// `owner/name` of repositories that no token reaches, except one of an App that names them in [`App::reaches`].
    pub forbidden: BTreeSet<String>,
    /// `owner/name` of repositories in which nothing may be written, except with one of [`GitHub::tokens`].
    pub read_only: BTreeSet<String>,
    /// Further good tokens, and the `owner/name` of all that each may read and write, whatever else stands here.
    pub tokens: BTreeMap<String, BTreeSet<String>>,
    /// The values of `X-GitHub-Api-Version` that it knows.
    pub api_versions: BTreeSet<String>,
    /// `owner/name` and file → workflow.
    pub workflows: BTreeMap<(String, String), Workflow>,
    /// All runs of all workflows, in the order in which they were started.
    pub runs: Vec<Run>,
    /// All releases.
    pub releases: Vec<Release>,
    /// The GitHub App, if there is one.
    pub app: Option<App>,
}

/// What a token opens.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Sight {
    /// It is no good token.
    Stranger,
    /// It is good, but not for this repository.
    Blind,
    /// It reads this repository.
    Sees,
}

impl GitHub {
    pub(crate) fn new() -> GitHub {
        GitHub {
            // In two parts, so that no scanner takes it for a real one.
            token: ["ghs", "_sandbox0123456789abcdefghijklmnopqrst"].concat(),
            repositories: BTreeMap::new(),
            comparisons: BTreeMap::new(),
            default_comparison: "ahead".into(),
            forbidden: BTreeSet::new(),
            read_only: BTreeSet::new(),
            tokens: BTreeMap::new(),
            api_versions: ["2022-11-28", "2026-03-10"].map(str::to_owned).into(),
            workflows: BTreeMap::new(),
            runs: Vec::new(),
            releases: Vec::new(),
            app: None,
        }
    }

    /// A repository by `owner/name`, made if there is none.
    pub fn repository_mut(&mut self, name: &str) -> &mut GitRepository {
        self.repositories.entry(name.to_owned()).or_default()
    }

    /// What this token opens, right now.
    pub(crate) fn sight(&self, token: Option<&str>, repository: &str) -> Sight {
        if let Some(reach) = token.and_then(|token| self.tokens.get(token)) {
            return if reach.contains(repository) { Sight::Sees } else { Sight::Blind };
        }
        let app = self.app.as_ref().filter(|app| token.is_some_and(|token| app.honours(token, unix())));
        if app.is_none() && token != Some(self.token.as_str()) {
            return Sight::Stranger;
        }
        let reaches = app.and_then(|app| app.reaches.as_ref()).map(|reaches| reaches.contains(repository));
        if reaches.unwrap_or_else(|| !self.forbidden.contains(repository)) { Sight::Sees } else { Sight::Blind }
    }

    /// Whether a token that sees this repository may change something in it.
    fn may_write(&self, token: Option<&str>, repository: &str) -> bool {
        token.is_some_and(|token| self.tokens.contains_key(token)) || !self.read_only.contains(repository)
    }

    /// How `head` lies to `base`: the same commit is `identical`; then what [`GitHub::comparisons`] says; then, if `base` is a
    /// branch of a listed repository, `head` lies on that branch, at its end or before; then the default.
    pub fn compare(&self, repository: &str, base: &str, head: &str) -> Comparison {
        let (base_commit, head_commit) = (self.commit(repository, base), self.commit(repository, head));
        if base_commit == head_commit {
            return "identical".into();
        }
        let listed = |base: &str, head: &str| self.comparisons.get(&(repository.to_owned(), base.to_owned(), head.to_owned()));
        if let Some(listed) = listed(base, head).or_else(|| listed(&base_commit, &head_commit)) {
            return listed.clone();
        }
        if self.repositories.get(repository).is_some_and(|it| it.is_branch(base)) {
            return "behind".into();
        }
        self.default_comparison.clone()
    }

    /// The commit that a name means, or the name itself where nothing is known of it.
    fn commit(&self, repository: &str, name: &str) -> String {
        self.repositories.get(repository).and_then(|it| it.resolve(name)).unwrap_or_else(|| name.to_owned())
    }
}

/// A refusal in GitHub's shape.
pub(crate) fn refuse(status: u16, message: &str) -> Reply {
    let docs = "https://docs.github.com/rest";
    Reply::json(status, &json!({"message": message, "documentation_url": docs, "status": status.to_string()}))
}

/// Answers as GitHub does: a repository that may not be seen is not there. `query` is the query as an object.
pub(crate) fn answer(world: &mut World, query: &Value, request: &Request) -> Reply {
    let scene = Scene::new(world, query, request);
    let github = &mut world.github;
    if let Some(refused) = manners(github, request) {
        return refused;
    }
    let (repository, ask) = match ask(request) {
        Some(Ask::App(ask)) => return app_api::answer(github, &ask, request, unix()),
        Some(Ask::Repository(repository, ask)) => (repository, Some(ask)),
        None => (String::new(), None),
    };
    match (github.sight(request.bearer(), &repository), ask) {
        (Sight::Stranger, _) => refuse(401, "Bad credentials"),
        (Sight::Sees, Some(ask)) if ask.writes() && !github.may_write(request.bearer(), &repository) => {
            refuse(403, "Resource not accessible by integration")
        }
        (Sight::Sees, Some(ask)) => scene.conditional(of_repository(github, &repository, &ask, &scene)),
        _ => refuse(404, "Not Found"),
    }
}

/// What GitHub demands of every request.
fn manners(github: &GitHub, request: &Request) -> Option<Reply> {
    if request.header("user-agent").is_none() {
        return Some(refuse(403, "Request forbidden by administrative rules."));
    }
    // Without it GitHub answers in whatever form is current: a client that means to last names it.
    if !request.header("accept").is_some_and(|accept| accept.starts_with("application/vnd.github")) {
        return Some(refuse(400, "Name the media type of the API."));
    }
    let version = request.header("x-github-api-version").filter(|version| !github.api_versions.contains(*version))?;
    let known: Vec<String> = github.api_versions.iter().map(|version| format!("\"{version}\"")).collect();
    let why = format!(
        "The version you specified in the \"X-GitHub-API-Version\" request header, \"{version}\", is not a supported version. The following versions are currently supported: {}.",
        known.join(", ")
    );
    Some(refuse(400, &why))
}

fn of_repository(github: &mut GitHub, repository: &str, ask: &ask::OfRepository, scene: &Scene<'_>) -> Reply {
    match ask {
        ask::OfRepository::Compare { base, head } => {
            let compared = github.compare(repository, base, head);
            let commits = (github.commit(repository, base), github.commit(repository, head));
            Reply::json(200, &compared.wire(repository, (&commits.0, &commits.1), scene.query))
        }
        ask::OfRepository::Commit(reference) => commit::answer(github, repository, reference),
        ask::OfRepository::Commits => history::commits(github, repository, scene),
        ask::OfRepository::Tags => history::tags(github, repository, scene),
        ask::OfRepository::Release(tag) => release::by_tag(github, repository, tag),
        ask::OfRepository::CreateRelease => release::create(github, repository, scene),
        ask::OfRepository::UpdateRelease(id) => release::update(github, repository, id, scene),
        ask::OfRepository::Actions(ask) => actions::answer(github, repository, ask, scene),
    }
}
