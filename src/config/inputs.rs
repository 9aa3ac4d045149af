//! The action's inputs: one table for action.yml, the environment and the command line (CONTRACT 2).

use std::collections::BTreeMap;

use super::problem::{Origin, Problem, did_you_mean};
use super::settings::Sourced;
use super::value;

/// What an input holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One text.
    Text,
    /// A boolean.
    Boolean,
    /// A list.
    List,
    /// A token: no flag, masked before first use.
    Token,
}

/// One input.
#[derive(Clone, Copy, Debug)]
pub struct Input {
    /// Its name in action.yml, and its flag's.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// The variable behind it, where it has one: a `DEPLOY_` key, or a token's.
    pub variable: Option<&'static str>,
    /// What it means.
    pub meaning: &'static str,
}

const fn input(name: &'static str, kind: Kind, variable: Option<&'static str>, meaning: &'static str) -> Input {
    Input { name, kind, variable, meaning }
}

/// Every input. `action.yml` maps each to `INPUT_<NAME>`; a test compares the two.
pub const INPUTS: &[Input] = &[
    input(
        "command",
        Kind::Text,
        None,
        "what to do: run (default), plan, detect, build, deploy, smoke, e2e, release-notes, rollback, status, verify, iam or schema",
    ),
    input("environment", Kind::Text, None, "dev, staging, prod, or any other file in environments/ (from the tag)"),
    input("tag", Kind::Text, None, "the release's tag (the tag that was pushed)"),
    input("services", Kind::List, None, "only these services; `all` for every one (those built from this repository)"),
    input("skip", Kind::List, None, "services to leave out"),
    input("skip-e2e", Kind::Boolean, None, "don't hand over to the end-to-end suite"),
    input("skip-smoke", Kind::Boolean, None, "don't ask deployed services for their health and version"),
    input("dry-run", Kind::Boolean, None, "print the plan and stop"),
    input("force", Kind::Boolean, None, "deploy unchanged services too"),
    input("allow-older", Kind::Boolean, None, "let a release go over one that is ahead of it"),
    input("config-dir", Kind::Text, None, "folder that holds services/ and environments/ (the action's own; locally the current folder)"),
    input("role-to-assume", Kind::Text, Some("DEPLOY_ROLE_ARN"), "role that is assumed with the runner's OIDC token (DEPLOY_ROLE_ARN)"),
    input("aws-region", Kind::Text, Some("DEPLOY_REGION"), "AWS region (DEPLOY_REGION)"),
    input("github-token", Kind::Token, Some("GITHUB_TOKEN"), "reads repositories and compares commits"),
    input("e2e-token", Kind::Token, None, "may dispatch workflows in the test repository (github-token)"),
    input("slack-bot-token", Kind::Token, Some("SLACK_BOT_TOKEN"), "bot token; without it nothing is posted"),
    input("slack-channel", Kind::Text, None, "with slack-ts: carry on an earlier job's message"),
    input("slack-ts", Kind::Text, None, "with slack-channel: carry on an earlier job's message"),
    input("on-failure", Kind::Text, Some("DEPLOY_ON_FAILURE"), "rollback or hold (DEPLOY_ON_FAILURE, else rollback)"),
    input("from-tag", Kind::Text, None, "release notes: the release before (found by semver)"),
];

impl Input {
    /// `INPUT_<NAME>`, upper case, `-` as `_`: a dash silently loses the variable in some shells.
    pub fn environment_variable(&self) -> String {
        format!("INPUT_{}", self.name.to_uppercase().replace('-', "_"))
    }
}

/// The inputs as given: flags over `INPUT_*` over a token's own variable. Empty equals absent.
#[derive(Clone, Debug, Default)]
pub(super) struct Inputs {
    values: BTreeMap<&'static str, String>,
}

impl Inputs {
    pub(super) fn read(flags: &BTreeMap<String, String>, variables: &BTreeMap<String, String>) -> Self {
        let given = |input: &Input| {
            let token_variable = input.variable.filter(|_| input.kind == Kind::Token);
            let texts =
                [flags.get(input.name), variables.get(&input.environment_variable()), token_variable.and_then(|name| variables.get(name))];
            texts.into_iter().flatten().map(|text| text.trim()).find(|text| !text.is_empty()).map(str::to_owned)
        };
        Self { values: INPUTS.iter().filter_map(|input| Some((input.name, given(input)?))).collect() }
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    pub(super) fn list(&self, name: &str) -> Vec<String> {
        self.text(name).map(value::list).unwrap_or_default()
    }

    pub(super) fn boolean(&self, name: &'static str, problems: &mut Vec<Problem>) -> bool {
        let Some(text) = self.text(name) else { return false };
        value::boolean(text).unwrap_or_else(|| {
            problems.push(Problem::input(name, format!("must be true or false, not `{text}`")));
            false
        })
    }

    /// What stands over the environment's file, by `DEPLOY_` key.
    pub(super) fn over_settings(&self) -> BTreeMap<&'static str, Sourced> {
        let is_setting = |input: &&Input| input.kind != Kind::Token;
        INPUTS
            .iter()
            .filter(is_setting)
            .filter_map(|input| {
                let text = self.text(input.name)?.to_owned();
                Some((input.variable?, Sourced { text, origin: Origin::Input(input.name) }))
            })
            .collect()
    }

    /// Every token that was given, to be masked.
    pub(super) fn tokens(&self) -> impl Iterator<Item = &str> {
        INPUTS.iter().filter(|input| input.kind == Kind::Token).filter_map(|input| self.text(input.name))
    }
}

/// One of several words, else a problem that names the nearest.
pub(super) fn choice<'a, T: Copy>(name: &'static str, text: &str, known: &'a [(&'a str, T)], problems: &mut Vec<Problem>) -> Option<T> {
    let found = known.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
    if found.is_none() {
        let hint = did_you_mean(text, known.iter().map(|(word, _)| *word));
        problems.push(Problem::input(name, format!("`{text}` is none of the choices{hint}")));
    }
    found
}
