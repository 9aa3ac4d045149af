//! What is generated from the code: action.yml, docs/reference.md and docs/services.schema.json. Stale ones fail, and say what mends
//! them.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use escher_deploy::config::inputs::{INPUTS, Input, Kind};
use escher_deploy::config::service_keys::{Holds, KEYS, Key};
use escher_deploy::config::settings::SETTINGS;
use escher_deploy::config::{self, COMMANDS, Command};
use escher_deploy::domain::outcome::exit;
use escher_deploy::domain::tag::TABLE;
use escher_deploy::report::json::OUTPUTS;
use escher_deploy::report::schema;
use serde_json::Value;

use crate::harness::ROOT;

const MEND: &str = "UPDATE_DOCS=1 cargo test --test stories reference";

/// Compares a file with what the code says, or writes it when UPDATE_DOCS is set.
#[track_caller]
fn is_current(path: &str, text: &str) {
    let file = Path::new(ROOT).join(path);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(file, text).unwrap();
        return;
    }
    let found = std::fs::read_to_string(file).unwrap_or_default();
    let differs = found.lines().zip(text.lines()).position(|(found, text)| found != text).unwrap_or(found.lines().count());
    assert!(found == text, "{path}:{} is stale: run `{MEND}` and look at the difference", differs + 1);
}

#[test]
fn action_yml_is_what_the_code_says() {
    let mut text = String::from(
        "# Written by a test from the binary's own tables: UPDATE_DOCS=1 cargo test --test stories reference\n\
         name: Escher deploy\n\
         description: One step that deploys Escher to Amazon ECS, in order, and is truthful about it\n\
         author: escher-dbai\n\
         branding:\n  icon: upload-cloud\n  color: purple\n\ninputs:\n",
    );
    for input in INPUTS {
        let (name, meaning, default) = (input.name, quoted(input.meaning), quoted(default(input)));
        writeln!(text, "  {name}:\n    description: {meaning}\n    required: false\n    default: {default}").unwrap();
    }
    text.push_str("\noutputs:\n");
    for (name, meaning) in OUTPUTS {
        writeln!(text, "  {name}:\n    description: {}\n    value: ${{{{ steps.escher.outputs.{name} }}}}", quoted(meaning)).unwrap();
    }
    text.push_str(
        r#"
runs:
  using: composite
  steps:
    - name: escher-deploy
      id: escher
      # -p keeps functions and BASH_ENV of earlier steps out, of the launcher too; exec lets the runner's signals through.
      shell: bash --noprofile --norc -p -eo pipefail {0}
      run: exec bash --noprofile --norc -p "$GITHUB_ACTION_PATH/dist/launch"
      # A composite step gets no INPUT_* from the runner: every input is mapped here.
      env:
"#,
    );
    for input in INPUTS {
        writeln!(text, "        {}: ${{{{ inputs.{} }}}}", input.environment_variable(), input.name).unwrap();
    }
    is_current("action.yml", &text);
}

fn default(input: &Input) -> &'static str {
    match (input.name, input.kind) {
        ("command", _) => "run",
        ("github-token", _) => "${{ github.token }}",
        (_, Kind::Boolean) => "false",
        _ => "",
    }
}

/// YAML in single quotes, which escape nothing but themselves.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[test]
fn the_schema_for_editors_is_what_the_reader_knows() {
    is_current("docs/services.schema.json", &format!("{:#}\n", schema::services()));
}

#[test]
fn the_reference_is_what_the_code_says() {
    is_current("docs/reference.md", &reference());
}

fn reference() -> String {
    let mut text = format!(
        "# Reference\n\n\
         Written from the code by a test (`{MEND}`), which fails when this page is stale.\n\
         How the pieces work together: [configuration.md](configuration.md). Messages: [troubleshooting.md](troubleshooting.md).\n\n"
    );
    section(&mut text, "Commands", "The input `command`, and the command line's first word.", &["command", "does", "changes anything"]);
    for (name, command) in COMMANDS {
        row(&mut text, &[&code(name), command.meaning(), command.changes()]);
    }
    inputs(&mut text);
    section(&mut text, "Outputs", "Every run writes all of them; what it has nothing for is empty.", &["output", "holds"]);
    OUTPUTS.iter().for_each(|(name, meaning)| row(&mut text, &[&code(name), meaning]));
    exit_codes(&mut text);
    write!(text, "\n## Tags\n\n```text\n{TABLE}\n```\n\nAny other is refused; `environment` reaches environments beyond the three.\n")
        .unwrap();
    settings(&mut text);
    services(&mut text);
    variables(&mut text);
    text
}

fn inputs(text: &mut String) {
    let about = "All are optional; empty equals absent. Lists are separated by commas, spaces or newlines. Booleans are \
                 `true|True|TRUE|false|False|FALSE`. On the command line each input that is no token is a flag of its own name.";
    section(text, "Inputs", about, &["input", "holds", "default", "means"]);
    for input in INPUTS {
        let holds = match input.kind {
            Kind::Text => "text",
            Kind::Boolean => "boolean",
            Kind::List => "list",
            Kind::Token => "token, no flag",
        };
        row(text, &[&code(input.name), holds, &code(default(input)), input.meaning]);
    }
    let about = "\nOn the command line only: `--json` has `status` answer as JSON; `escher-deploy completions bash|zsh|fish|elvish|powershell` \
                 prints a completion script.\n\n\
                 Precedence: flag, `INPUT_*`, process variable `DEPLOY_*`, `environments/<env>.env`, default.\n";
    text.push_str(about);
}

fn exit_codes(text: &mut String) {
    let about = "The first cause decides. `result` is an output.";
    section(text, "Exit codes", about, &["code", "means", "`result`"]);
    for (number, meaning) in exit::CODES {
        let result = match *number {
            exit::SUCCESS => "`success`, `unchanged`",
            exit::DEPLOYMENT | exit::SMOKE | exit::E2E => "`failed`; `rolled-back` when everything runs as before",
            exit::USAGE | exit::REFUSED => "`refused`",
            exit::SUPERSEDED => "`superseded`",
            exit::IMAGE | exit::MIGRATION => "`failed`",
            _ => "`cancelled`",
        };
        row(text, &[&code(&number.to_string()), meaning, result]);
    }
}

fn settings(text: &mut String) {
    let about = "Keys of `environments/<env>.env` that steer the pipeline; each may also be a variable of the job. Any other key that \
                 begins with `DEPLOY_` is an error; keys that don't are configuration for services.";
    section(text, "`DEPLOY_` keys", about, &["key", "must be", "default", "means"]);
    for setting in SETTINGS {
        row(text, &[&code(setting.key), setting.shape.describe(), &code(setting.default.unwrap_or("")), setting.meaning]);
    }
}

fn services(text: &mut String) {
    let about = "[services.schema.json](services.schema.json), which `schema` prints, says the same to editors: begin a file with \
                 `# yaml-language-server: $schema=../docs/services.schema.json`. An unknown key is an error.";
    section(text, "`services/<name>.yml`", about, &["key", "holds", "default", "means"]);
    keys(text, "", KEYS);
}

fn keys(text: &mut String, prefix: &str, list: &[Key]) {
    for key in list {
        let (holds, inner): (&str, &[Key]) = match key.holds {
            Holds::Text => ("text", &[]),
            Holds::Boolean => ("boolean", &[]),
            Holds::Status => ("HTTP status", &[]),
            Holds::Url => ("URL", &[]),
            Holds::List => ("list", &[]),
            Holds::Names => ("list of services", &[]),
            Holds::Map => ("map", &[]),
            Holds::Keys(inner) => ("map", inner),
        };
        let default = if key.is_required { "required" } else { key.default };
        row(text, &[&code(&format!("{prefix}{}", key.name)), holds, default, key.meaning]);
        keys(text, &format!("{prefix}{}.", key.name), inner);
    }
}

fn variables(text: &mut String) {
    let about = "For GitHub Enterprise, VPC endpoints, proxies and tests.";
    section(text, "Variables", about, &["variable", "means"]);
    let known = [
        ("AWS_ENDPOINT_URL", "AWS, with the SDK's forms for single services: `AWS_ENDPOINT_URL_ECS`, …"),
        ("GITHUB_API_URL", "GitHub's API; the runner sets it"),
        ("SLACK_API_URL", "Slack's API (`https://slack.com/api`)"),
        ("ANTHROPIC_BASE_URL", "Anthropic's API"),
        ("HTTPS_PROXY`, `NO_PROXY", "as everywhere"),
        ("ESCHER_ECS_RATE", "how many times ECS's documented rates of calls AWS grants this account (`1`); it raises them on request"),
        ("ESCHER_LOG", "what is traced to stderr, in the syntax of tracing's filter: `escher_deploy=debug`"),
    ];
    known.iter().for_each(|(name, meaning)| row(text, &[&code(name), meaning]));
}

fn section(text: &mut String, title: &str, about: &str, columns: &[&str]) {
    write!(text, "\n## {title}\n\n{about}\n\n| {} |\n|{}\n", columns.join(" | "), " --- |".repeat(columns.len())).unwrap();
}

fn row(text: &mut String, cells: &[&str]) {
    let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
    writeln!(text, "| {} |", cells.join(" | ")).unwrap();
}

fn code(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("`{text}`") }
}

#[test]
fn every_command_has_a_place_in_the_input_s_meaning() {
    let meaning = INPUTS.iter().find(|input| input.name == "command").map(|input| input.meaning).unwrap_or_default();
    let named: Vec<&str> = meaning.split([' ', ',', ':']).collect();
    COMMANDS.iter().for_each(|(name, _)| assert!(named.contains(name), "`{name}` is missing in `{meaning}`"));
    assert!(COMMANDS.iter().any(|(_, command)| *command == Command::Schema));
}

/// What the reader finds wrong in a service's file, in a folder of its own.
fn problems(text: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    for kind in ["services", "environments"] {
        std::fs::create_dir(folder.path().join(kind)).unwrap();
    }
    std::fs::write(folder.path().join("services/a.yml"), text).unwrap();
    std::fs::write(folder.path().join("environments/dev.env"), "DEPLOY_REGION=us-west-1\nDEPLOY_CLUSTER=dev\n").unwrap();
    let shown = folder.path().display().to_string();
    let flags = [("command", "status"), ("environment", "dev"), ("services", "all"), ("config-dir", &shown)];
    let loaded = config::load(&flags.map(|(name, value)| (name.to_owned(), value.to_owned())).into(), &BTreeMap::new());
    let problems = loaded.request.err().unwrap_or_default();
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// The schema and the reader agree on what a service file may hold: each judges the same files.
#[test]
fn the_schema_judges_as_the_reader_does() {
    let validator = jsonschema::validator_for(&schema::services()).unwrap();
    let read = |text: &str| serde_saphyr::from_str::<Value>(text).unwrap();
    for entry in std::fs::read_dir(Path::new(ROOT).join("services")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "yml") {
            let text = std::fs::read_to_string(&path).unwrap();
            let errors: Vec<String> = validator.iter_errors(&read(&text)).map(|error| error.to_string()).collect();
            assert!(errors.is_empty(), "{}: {errors:?}", path.display());
            assert!(
                text.starts_with("# yaml-language-server: $schema=../docs/services.schema.json\n"),
                "{}: editors find no schema",
                path.display()
            );
        }
    }
    let good = "{name: a, repo: b, ecr_repo: c";
    for (bad, why) in [
        ("{name: a, repo: b}", "a required key is missing"),
        (&format!("{good}, needz: [x]}}"), "an unknown key"),
        (&format!("{good}, needs: x}}"), "no list"),
        (&format!("{good}, health: {{path: /h, url: 'https://x'}}}}"), "path and url"),
        (&format!("{good}, health: {{expect_status: 99, path: /h}}}}"), "no status"),
        (&format!("{good}, release_notes: 'yes'}}"), "no boolean"),
        (&format!("{good}, migrate: {{irreversible: true}}}}"), "no command"),
        (&format!("{good}, runbook: wiki/x}}"), "no URL"),
    ] {
        assert!(!validator.is_valid(&read(bad)), "{why}: {bad}");
        assert!(problems(bad).contains("services/a.yml"), "{why}: {bad}: {}", problems(bad));
    }
    let whole = format!("{good}, health: {{path: /h, expect_status: 204}}, secrets: {{A: b}}, migrate: {{command: [./up, 1]}}}}");
    assert!(validator.is_valid(&read(&whole)));
    assert_eq!(problems(&whole), "");
}
