//! What a request to GitHub asks for.

use crate::call::Request;
use crate::route::percent;

/// The requests that the sandbox's GitHub understands.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Ask {
    /// About a repository, `owner/name`; asked with a token.
    Repository(String, OfRepository),
    /// About an App; asked with a JSON web token.
    App(OfApp),
}

/// About a repository.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum OfRepository {
    /// `GET /repos/{owner}/{repo}/compare/{base}...{head}`
    Compare { base: String, head: String },
    /// `GET /repos/{owner}/{repo}/commits/{ref}`
    Commit(String),
    /// `GET /repos/{owner}/{repo}/commits`
    Commits,
    /// `GET /repos/{owner}/{repo}/tags`
    Tags,
    /// `GET /repos/{owner}/{repo}/releases/tags/{tag}`
    Release(String),
    /// `POST /repos/{owner}/{repo}/releases`
    CreateRelease,
    /// `PATCH /repos/{owner}/{repo}/releases/{id}`
    UpdateRelease(String),
    /// `/repos/{owner}/{repo}/actions/…`
    Actions(OfActions),
}

/// About workflows; each is named by its file or by its id.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum OfActions {
    /// `GET …/workflows/{file}`
    Workflow(String),
    /// `POST …/workflows/{file}/dispatches`
    Dispatch(String),
    /// `GET …/workflows/{file}/runs`
    Runs(String),
    /// `…/runs/{id}`, and what is asked of it.
    Run(String, OfRun),
}

/// About a run.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum OfRun {
    /// `GET …/runs/{id}`
    Itself,
    /// `GET …/runs/{id}/jobs`
    Jobs,
    /// `GET …/runs/{id}/pending_deployments`
    PendingDeployments,
    /// `POST …/runs/{id}/cancel`
    Cancel,
}

/// About an App.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum OfApp {
    /// `GET /repos/{owner}/{repo}/installation`
    InRepository(String),
    /// `GET /orgs/{org}/installation`
    InOrganization(String),
    /// `GET /app/installations`
    Installations,
    /// `POST /app/installations/{id}/access_tokens`
    AccessTokens(String),
}

/// Reads method and path; nothing for what GitHub would not know either.
pub(crate) fn ask(request: &Request) -> Option<Ask> {
    let path = request.path.strip_prefix("/github/")?;
    let (method, parts): (&str, Vec<&str>) = (request.method.as_str(), path.splitn(4, '/').collect());
    Some(match (method, parts.as_slice()) {
        ("GET", ["repos", owner, name, "installation"]) => Ask::App(OfApp::InRepository(format!("{owner}/{name}"))),
        (_, ["repos", owner, name, rest]) => Ask::Repository(format!("{owner}/{name}"), of_repository(method, rest)?),
        ("GET", ["orgs", org, "installation"]) => Ask::App(OfApp::InOrganization((*org).to_owned())),
        ("GET", ["app", "installations"]) => Ask::App(OfApp::Installations),
        ("POST", ["app", "installations", id, "access_tokens"]) => Ask::App(OfApp::AccessTokens((*id).to_owned())),
        _ => return None,
    })
}

fn of_repository(method: &str, path: &str) -> Option<OfRepository> {
    let (area, rest) = path.split_once('/').unwrap_or((path, ""));
    Some(match (method, area, rest) {
        ("GET", "compare", range) => {
            let (base, head) = range.split_once("...")?;
            OfRepository::Compare { base: percent(base), head: percent(head) }
        }
        ("GET", "commits", reference) if !reference.is_empty() => OfRepository::Commit(percent(reference)),
        ("GET", "commits", "") => OfRepository::Commits,
        ("GET", "tags", "") => OfRepository::Tags,
        ("POST", "releases", "") => OfRepository::CreateRelease,
        ("PATCH", "releases", id) => OfRepository::UpdateRelease(id.to_owned()),
        ("GET", "releases", rest) => OfRepository::Release(percent(rest.strip_prefix("tags/")?)),
        (_, "actions", rest) => OfRepository::Actions(of_actions(method, rest)?),
        _ => return None,
    })
}

fn of_actions(method: &str, path: &str) -> Option<OfActions> {
    let parts: Vec<String> = path.split('/').map(percent).collect();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let run = |id: &str, asked: OfRun| OfActions::Run(id.to_owned(), asked);
    Some(match (method, parts.as_slice()) {
        ("GET", ["workflows", file]) => OfActions::Workflow((*file).to_owned()),
        ("POST", ["workflows", file, "dispatches"]) => OfActions::Dispatch((*file).to_owned()),
        ("GET", ["workflows", file, "runs"]) => OfActions::Runs((*file).to_owned()),
        ("GET", ["runs", id]) => run(id, OfRun::Itself),
        ("GET", ["runs", id, "jobs"]) => run(id, OfRun::Jobs),
        ("GET", ["runs", id, "pending_deployments"]) => run(id, OfRun::PendingDeployments),
        ("POST", ["runs", id, "cancel"]) => run(id, OfRun::Cancel),
        _ => return None,
    })
}

impl OfRepository {
    /// Whether it changes something.
    pub(crate) fn writes(&self) -> bool {
        matches!(
            self,
            OfRepository::Actions(OfActions::Dispatch(_) | OfActions::Run(_, OfRun::Cancel))
                | OfRepository::CreateRelease
                | OfRepository::UpdateRelease(_)
        )
    }

    /// The operation's name.
    fn name(&self) -> &'static str {
        match self {
            OfRepository::Compare { .. } => "compare",
            OfRepository::Commit(_) => "commit",
            OfRepository::Commits => "commits",
            OfRepository::Tags => "tags",
            OfRepository::Release(_) => "release",
            OfRepository::CreateRelease => "create_release",
            OfRepository::UpdateRelease(_) => "update_release",
            OfRepository::Actions(OfActions::Workflow(_)) => "workflow",
            OfRepository::Actions(OfActions::Dispatch(_)) => "dispatch",
            OfRepository::Actions(OfActions::Runs(_)) => "workflow_runs",
            OfRepository::Actions(OfActions::Run(_, asked)) => match asked {
                OfRun::Itself => "run",
                OfRun::Jobs => "jobs",
                OfRun::PendingDeployments => "pending_deployments",
                OfRun::Cancel => "cancel",
            },
        }
    }
}

/// The operation behind `/github`.
pub(crate) fn operation(request: &Request) -> String {
    let name = match ask(request) {
        Some(Ask::Repository(_, asked)) => asked.name(),
        Some(Ask::App(OfApp::InRepository(_) | OfApp::InOrganization(_))) => "installation",
        Some(Ask::App(OfApp::Installations)) => "installations",
        Some(Ask::App(OfApp::AccessTokens(_))) => "access_tokens",
        None => return format!("{} {}", request.method, request.path),
    };
    name.to_owned()
}
