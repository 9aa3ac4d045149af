//! The command line: every input that is no token as a flag of its own name.

use std::collections::BTreeMap;

use clap::{Arg, ArgMatches, builder::PossibleValuesParser};

use crate::config::COMMANDS;
use crate::config::inputs::{INPUTS, Input, Kind};

const AFTER: &str = "\
commands:
  run       plan, build what has changed, deploy in order, with smoke tests (default)
  plan      print what `run` would do and why
  detect    plan, and give a build job its matrix (output `matrix`)
  build     build, test and push the images of the plan
  deploy    as run, once the images are in the registry
  smoke     ask the running services for their health and version
  e2e       hand over to the end-to-end suite and wait for it
  release-notes
            notes between two releases: a GitHub Release, and Slack
  rollback  put the images of an earlier release (tag; default: the one before) back, in reverse order
  verify    check every precondition of `run` and report all findings
  iam       print the trust policy and the least-privilege policy for the deploy role

Tokens have no flags: set GITHUB_TOKEN and SLACK_BOT_TOKEN.
exit codes: 0 done, 1 deployment failed, 2 usage, 3 refused, 4 superseded, 5 smoke test, 6 E2E, 7 build failed or image missing,
8 migration failed, 130 cancelled";

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
        .after_help(AFTER)
        .arg(command)
        .args(flags.map(flag))
}

/// Reads the command line into flags by input name. Prints help, version and usage errors itself, and then ends the
/// process: with 0, or with 2 as documented.
pub fn flags(arguments: impl IntoIterator<Item = String>) -> BTreeMap<String, String> {
    let matches = parser().get_matches_from(arguments);
    let given = |name: &str, matches: &ArgMatches| matches.get_one::<String>(name).cloned();
    INPUTS
        .iter()
        .filter(|input| input.kind != Kind::Token)
        .filter_map(|input| Some((input.name.to_owned(), given(input.name, &matches)?)))
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
