//! What an App may ask: where it is installed, and for tokens.

use serde_json::{Value, json};

use super::ask::OfApp;
use super::{App, GitHub, jwt, refuse, wire};
use crate::call::{Reply, Request};
use crate::time::iso;

/// Answers an App that proves itself with a JSON web token, at this Unix time.
pub(crate) fn answer(github: &mut GitHub, ask: &OfApp, request: &Request, now: f64) -> Reply {
    let unreadable = "A JSON web token could not be decoded";
    let (Some(app), Some(token)) = (github.app.as_ref(), request.bearer()) else { return refuse(401, unreadable) };
    if let Err(why) = jwt::check(app, token, now) {
        return refuse(401, why);
    }
    let installed = match ask {
        OfApp::InRepository(name) => installed_in(github, app, name),
        OfApp::InOrganization(org) => github.repositories.keys().any(|name| owner(name) == org),
        OfApp::Installations => true,
        OfApp::AccessTokens(id) => *id == app.installation.to_string(),
    };
    let account = match ask {
        OfApp::InRepository(name) => owner(name),
        OfApp::InOrganization(org) => org,
        _ => github.repositories.keys().next().map_or("escher-dbai", |name| owner(name)),
    };
    let shown = installation(app, account);
    match (installed, ask) {
        (false, _) => refuse(404, "Not Found"),
        (true, OfApp::Installations) => Reply::json(200, &json!([shown])),
        (true, OfApp::AccessTokens(_)) => {
            github.app.as_mut().map_or_else(|| refuse(401, unreadable), |app| access_token(app, &request.body, now))
        }
        (true, _) => Reply::json(200, &shown),
    }
}

fn owner(repository: &str) -> &str {
    repository.split('/').next().unwrap_or_default()
}

fn installed_in(github: &GitHub, app: &App, repository: &str) -> bool {
    match &app.reaches {
        Some(reaches) => reaches.contains(repository),
        None => github.repositories.contains_key(repository) && !github.forbidden.contains(repository),
    }
}

fn selection(app: &App) -> &'static str {
    if app.reaches.is_some() { "selected" } else { "all" }
}

fn permissions() -> Value {
    json!({"contents": "read", "metadata": "read", "actions": "write"})
}

/// What was asked for, where that was narrowed.
fn granted(body: &str) -> Value {
    let wanted: Value = serde_json::from_str(body).unwrap_or_default();
    wanted.get("permissions").filter(|permissions| permissions.is_object()).cloned().unwrap_or_else(permissions)
}

fn access_token(app: &mut App, body: &str, now: f64) -> Reply {
    let token = app.issue(now);
    let expires = iso(now + app.lifetime);
    let answer = json!({"token": token, "expires_at": expires, "permissions": granted(body), "repository_selection": selection(app)});
    Reply::json(201, &answer)
}

fn installation(app: &App, account: &str) -> Value {
    let (api, id) = ("https://api.github.com", app.installation);
    // An id is a number on the wire, though tests may call an App whatever they like.
    let app_id = app.id.parse::<u64>().map_or_else(|_| json!(app.id), |number| json!(number));
    json!({
        "id": id,
        "account": wire::account(account, "Organization", 9_001),
        "repository_selection": selection(app),
        "access_tokens_url": format!("{api}/app/installations/{id}/access_tokens"),
        "repositories_url": format!("{api}/installation/repositories"),
        "html_url": format!("https://github.com/organizations/{account}/settings/installations/{id}"),
        "app_id": app_id,
        "app_slug": "escher-deploy",
        "target_id": 9_001,
        "target_type": "Organization",
        "permissions": permissions(),
        "events": [],
        "created_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-01-01T00:00:00Z",
        "single_file_name": null,
        "suspended_by": null,
        "suspended_at": null
    })
}
