//! What a request to GitHub asks for.

use crate::call::Request;
use crate::route::percent;

/// The requests that the sandbox's GitHub understands.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Ask {
    /// About the commits of a repository, `owner/name`; asked with a token.
    Repository(String, OfRepository),
    /// About an App; asked with a JSON web token.
    App(OfApp),
}

/// About a repository's commits.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum OfRepository {
    /// `GET /repos/{owner}/{repo}/compare/{base}...{head}`
    Compare { base: String, head: String },
    /// `GET /repos/{owner}/{repo}/commits/{ref}`
    Commit(String),
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
    let parts: Vec<&str> = path.splitn(5, '/').collect();
    let get = request.method == "GET";
    Some(match parts.as_slice() {
        ["repos", owner, name, "compare", range] if get => {
            let (base, head) = range.split_once("...")?;
            Ask::Repository(format!("{owner}/{name}"), OfRepository::Compare { base: percent(base), head: percent(head) })
        }
        ["repos", owner, name, "commits", reference] if get => {
            Ask::Repository(format!("{owner}/{name}"), OfRepository::Commit(percent(reference)))
        }
        ["repos", owner, name, "installation"] if get => Ask::App(OfApp::InRepository(format!("{owner}/{name}"))),
        ["orgs", org, "installation"] if get => Ask::App(OfApp::InOrganization((*org).to_owned())),
        ["app", "installations"] if get => Ask::App(OfApp::Installations),
        ["app", "installations", id, "access_tokens"] if request.method == "POST" => Ask::App(OfApp::AccessTokens((*id).to_owned())),
        _ => return None,
    })
}

/// The operation behind `/github`.
pub(crate) fn operation(request: &Request) -> String {
    let name = match ask(request) {
        Some(Ask::Repository(_, OfRepository::Compare { .. })) => "compare",
        Some(Ask::Repository(_, OfRepository::Commit(_))) => "commit",
        Some(Ask::App(OfApp::InRepository(_) | OfApp::InOrganization(_))) => "installation",
        Some(Ask::App(OfApp::Installations)) => "installations",
        Some(Ask::App(OfApp::AccessTokens(_))) => "access_tokens",
        None => return format!("{} {}", request.method, request.path),
    };
    name.to_owned()
}
