//! The command line: every input that is no token as a flag of its own name.

use std::collections::BTreeMap;

use clap::builder::{EnumValueParser, PossibleValuesParser};
use clap::{Arg, ArgAction, ArgMatches};
use clap_complete::Shell;

use crate::config::inputs::{INPUTS, Input, Kind};
use crate::config::{COMMANDS, JSON_FLAG};
use crate::domain::outcome::exit;

/// What follows the flags: the commands, and what the exit codes mean.
fn after() -> String {
    let width = COMMANDS.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let commands: Vec<String> = COMMANDS.iter().map(|(name, command)| format!("  {name:<width$}  {}", command.meaning())).collect();
    let codes: Vec<String> = exit::CODES.iter().map(|(code, meaning)| format!("  {code:>3}  {meaning}")).collect();
    format!(
        "commands:\n{}\n  {:<width$}  shell completion: bash, zsh, fish, elvish or powershell\n\nTokens have no flags: set GITHUB_TOKEN and SLACK_BOT_TOKEN.\n\nexit codes:\n{}",
        commands.join("\n"),
        COMPLETIONS,
        codes.join("\n")
    )
}

/// Prints a script for a shell; no command of the action.
const COMPLETIONS: &str = "completions";

fn flag(input: &Input) -> Arg {
    let arg = Arg::new(input.name).long(input.name).help(input.meaning);
    match input.kind {
        Kind::Boolean => arg.num_args(0..=1).require_equals(true).default_missing_value("true").value_name("BOOL"),
        Kind::List => arg.value_name("NAME,…").num_args(1),
        Kind::Text | Kind::Token => arg.value_name("TEXT").num_args(1),
    }
}

fn parser() -> clap::Command {
    let commands: Vec<&str> = COMMANDS.iter().map(|(name, _)| *name).collect();
    let command = Arg::new("command").value_name("COMMAND").help("what to do").value_parser(PossibleValuesParser::new(commands));
    let flags = INPUTS.iter().filter(|input| input.name != "command" && input.kind != Kind::Token);
    clap::Command::new("escher-deploy")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Deploys Escher: in order, and truthful about it")
        .after_help(after())
        .arg(command)
        .args(flags.map(flag))
        .arg(Arg::new(JSON_FLAG).long(JSON_FLAG).help("status: the answer as JSON, and nothing else").action(ArgAction::SetTrue))
}

fn completions() -> clap::Command {
    let shell = Arg::new("shell").value_parser(EnumValueParser::<Shell>::new()).required(true);
    clap::Command::new("escher-deploy completions").about("Prints the completion script of a shell").arg(shell)
}

/// Prints the completion script of the shell that is named.
fn complete(arguments: impl IntoIterator<Item = String>) {
    let matches = completions().get_matches_from(arguments);
    if let Some(shell) = matches.get_one::<Shell>("shell") {
        clap_complete::generate(*shell, &mut parser(), "escher-deploy", &mut std::io::stdout());
    }
}

/// Reads the command line into flags by input name. Prints help, version and usage errors itself, and then ends the
/// process: with 0, or with 2 as documented.
pub fn flags(arguments: impl IntoIterator<Item = String>) -> BTreeMap<String, String> {
    let arguments: Vec<String> = arguments.into_iter().collect();
    if arguments.get(1).is_some_and(|first| first == COMPLETIONS) {
        complete(arguments.into_iter().skip(1));
        std::process::exit(i32::from(exit::SUCCESS));
    }
    let matches = parser().get_matches_from(arguments);
    let given = |name: &str, matches: &ArgMatches| matches.get_one::<String>(name).cloned();
    INPUTS
        .iter()
        .filter(|input| input.kind != Kind::Token)
        .filter_map(|input| Some((input.name.to_owned(), given(input.name, &matches)?)))
        .chain(matches.get_flag(JSON_FLAG).then(|| (JSON_FLAG.to_owned(), "true".to_owned())))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Vec<(String, String)> {
        flags(line.split(' ').map(str::to_owned)).into_iter().collect()
    }

    #[test]
    fn flags_are_inputs_by_their_own_name() {
        let given = read("escher-deploy plan --tag v1.2.3 --dry-run --force=false --services a,b");
        let expected = [("command", "plan"), ("dry-run", "true"), ("force", "false"), ("services", "a,b"), ("tag", "v1.2.3")];
        assert_eq!(given, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn tokens_have_no_flags() {
        parser().debug_assert();
        let error = parser().try_get_matches_from(["escher-deploy", "--slack-bot-token", "x"]).expect_err("no such flag");
        assert_eq!(error.exit_code(), 2);
    }
}
