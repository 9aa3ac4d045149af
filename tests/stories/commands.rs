//! Every command line that the pages show is one that the program takes.

use std::collections::BTreeMap;
use std::path::Path;

use escher_deploy::{cli, config};

use crate::docs::pages;
use crate::harness::ROOT;

/// The command lines of a page: `escher-deploy …` in a console block, without comment, pipe and redirection.
fn lines_of(page: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(page).unwrap();
    let mut is_console = false;
    let mut found = Vec::new();
    for line in text.lines() {
        if line.starts_with("```") {
            is_console = line == "```console";
        }
        let command =
            line.split_once("escher-deploy ").map(|(before, rest)| (before, rest.split(['#', '|', '>']).next().unwrap_or_default()));
        // Variables may stand in front, and nothing else.
        if let Some((before, rest)) = command.filter(|(before, _)| is_console && before.split_whitespace().all(|word| word.contains('='))) {
            let before = before.trim();
            found.push(format!("{before} {}", rest.trim()).trim().to_owned());
        }
    }
    found
}

#[test]
fn every_command_line_of_the_pages_is_taken() {
    let mut count = 0;
    for page in pages() {
        for line in lines_of(&page) {
            let words: Vec<String> = shlex::split(&line).unwrap().into_iter().collect();
            let (variables, words): (Vec<String>, Vec<String>) =
                words.into_iter().partition(|word| word.starts_with("DEPLOY_") && word.contains('='));
            if words.first().is_some_and(|word| word == "completions") {
                continue;
            }
            count += 1;
            let mut flags = cli::flags(std::iter::once("escher-deploy".to_owned()).chain(words));
            flags.insert("config-dir".to_owned(), ROOT.to_owned());
            let mut variables: BTreeMap<String, String> =
                variables.iter().filter_map(|word| word.split_once('=')).map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            // What a page tells to set beforehand.
            variables.insert("DEPLOY_BASE_URL".to_owned(), "https://{service}.{env}.example.com".to_owned());
            let loaded = config::load(&flags, &variables);
            let problems: Vec<String> = loaded.request.err().into_iter().flatten().map(|problem| problem.to_string()).collect();
            assert!(loaded.wants_schema || problems.is_empty(), "{}: `escher-deploy {line}`: {problems:?}", page.display());
        }
    }
    assert!(count > 20, "only {count} command lines were found");
}
