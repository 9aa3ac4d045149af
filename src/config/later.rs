//! What comes after a deployment: the suite, the release notes, and who is told.

use std::collections::BTreeMap;
use std::path::Path;

use super::problem::{Origin, Problem};
use super::settings::Settings;
use super::value;
use super::yaml::{self, Kind};
use crate::domain::e2e::{How, Suite};
use crate::domain::environment::NotesSettings;

/// The map from GitHub to Slack.
const USERS: &str = "environments/slack-users.yml";

/// The suite of an environment; none where none is named.
pub(super) fn suite(settings: &Settings, problems: &mut Vec<Problem>) -> Option<Suite> {
    let text = |key: &str| settings.get(key).unwrap_or_default().to_owned();
    let (owner, name) = (text("DEPLOY_GITHUB_OWNER"), text("DEPLOY_E2E_REPOSITORY"));
    let repository = if name.contains('/') { name } else { format!("{owner}/{name}") };
    let how = match settings.sourced("DEPLOY_E2E_COMMAND") {
        None => How::Workflow { repository, file: text("DEPLOY_E2E_WORKFLOW"), reference: text("DEPLOY_E2E_REF") },
        Some((command, origin)) => How::Command { words: words(command, origin, problems)?, repository },
    };
    let Some(name) = settings.get("DEPLOY_E2E_SUITE") else {
        if let (How::Command { .. }, Some((_, origin))) = (&how, settings.sourced("DEPLOY_E2E_COMMAND")) {
            let message = "DEPLOY_E2E_COMMAND is set without DEPLOY_E2E_SUITE: name the suite that it is to run".to_owned();
            problems.push(Problem { origin: origin.clone(), message });
        }
        return None;
    };
    Some(Suite {
        name: name.to_owned(),
        how,
        timeout: value::duration(settings.get("DEPLOY_E2E_TIMEOUT_MINUTES").unwrap_or_default(), 60.0),
        rolls_back: settings.get("DEPLOY_E2E_ROLLBACK").and_then(value::boolean) == Some(true),
    })
}

/// A command as a shell would take it apart; no shell ever sees it, so what only a shell can do is refused.
fn words(command: &str, origin: &Origin, problems: &mut Vec<Problem>) -> Option<Vec<String>> {
    let mut refuse = |why: String| {
        problems.push(Problem { origin: origin.clone(), message: format!("DEPLOY_E2E_COMMAND {why}") });
        None
    };
    let words = match shlex::split(command) {
        Some(words) if !words.is_empty() => words,
        _ => return refuse(format!("has an open quote, or nothing in it: `{command}`")),
    };
    let is_shells = |word: &&String| matches!(word.as_str(), "&&" | "||" | "|" | ";" | ">" | ">>" | "<" | "&" | "2>&1");
    match words.iter().find(is_shells) {
        Some(word) => refuse(format!("holds `{word}`, but is run without a shell: put it into a script, or write sh -c '…'")),
        None => Some(words),
    }
}

/// How release notes are made.
pub(super) fn notes(settings: &Settings) -> NotesSettings {
    NotesSettings {
        is_published: settings.get("DEPLOY_RELEASE_NOTES").and_then(value::boolean) == Some(true),
        secret: settings.get("DEPLOY_ANTHROPIC_SECRET").map(str::to_owned),
        models: value::list(settings.get("DEPLOY_NOTES_MODELS").unwrap_or_default()),
        channel: settings.get("DEPLOY_RELEASES_CHANNEL").unwrap_or_default().to_owned(),
    }
}

/// Slack ids by GitHub login in lower case, as GitHub compares them. The file may be missing; a wrong line is a problem.
pub(super) fn slack_users(folder: &Path, problems: &mut Vec<Problem>) -> BTreeMap<String, String> {
    let text = match std::fs::read_to_string(folder.join(USERS)) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return BTreeMap::new(),
        Err(error) => {
            problems.push(Problem::at(USERS, 0, format!("can't be read: {error}")));
            return BTreeMap::new();
        }
    };
    let is_empty = text.lines().all(|line| matches!(line.trim(), "" | "---") || line.trim().starts_with('#'));
    if is_empty {
        return BTreeMap::new();
    }
    let root = match yaml::read(USERS, &text) {
        Ok(root) => root,
        Err(problem) => {
            problems.push(problem);
            return BTreeMap::new();
        }
    };
    let Kind::Map(pairs) = &root.kind else {
        problems.push(Problem::at(USERS, root.line, "must be a map from GitHub login to Slack member id, as in `ada: U012AB3CD`"));
        return BTreeMap::new();
    };
    let mut users = BTreeMap::new();
    for (login, id) in pairs {
        let (name, member) = (login.text().unwrap_or_default(), id.text().unwrap_or_default());
        if !is_member(member) {
            let message = format!("`{name}` is `{member}`, which is no Slack member id: open the profile in Slack, ⋮, Copy member ID (U…)");
            problems.push(Problem::at(USERS, id.line, message));
        } else if users.insert(name.to_lowercase(), member.to_owned()).is_some() {
            problems.push(Problem::at(USERS, login.line, format!("`{name}` is given twice: remove one")));
        }
    }
    users
}

/// `U…` or `W…` (<https://docs.slack.dev/reference/objects/user-object>).
fn is_member(text: &str) -> bool {
    text.starts_with(['U', 'W']) && text.len() >= 6 && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}
