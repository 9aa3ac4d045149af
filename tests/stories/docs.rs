//! The pages that name messages, files and tests: what they name is there.

use std::path::{Path, PathBuf};

use crate::harness::ROOT;

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(ROOT).join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(Path::new(ROOT).join(folder)).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path.strip_prefix(ROOT).unwrap().display().to_string(), ending)),
            false if path.to_string_lossy().ends_with(ending) => found.push(path),
            false => {}
        }
    }
    found
}

/// The program's own words: tests and comments are left out, lines that a literal runs over are joined.
fn words_of_the_program() -> String {
    let mut all = format!("{}\n{}", read("dist/launch"), read("dist/build"));
    for file in files("src", ".rs").into_iter().filter(|file| !file.to_string_lossy().ends_with("_tests.rs")) {
        let text = std::fs::read_to_string(file).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
        for line in code.lines().filter(|line| !line.trim_start().starts_with("//")) {
            match line.strip_suffix('\\') {
                Some(open) => all.push_str(if open.trim_start().starts_with('"') { open } else { open.trim_start() }),
                None => {
                    all.push_str(line.trim_start());
                    all.push('\n');
                }
            }
        }
    }
    all.replace("\\\"", "\"").replace("{{", "{").replace("}}", "}")
}

/// The code spans of a line of Markdown; a span in two backticks may hold one.
fn spans(line: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = line;
    while let Some(at) = rest.find('`') {
        let after = &rest[at..];
        let fence: String = after.chars().take_while(|c| *c == '`').collect();
        let inner = &after[fence.len()..];
        let Some(end) = inner.find(&fence) else { break };
        found.push(inner[..end].trim_matches(|c| fence.len() > 1 && c == ' ').to_owned());
        rest = &inner[end + fence.len()..];
    }
    found
}

#[test]
fn every_message_of_the_troubleshooting_page_is_one_of_the_program() {
    let (page, words) = (read("docs/troubleshooting.md"), words_of_the_program());
    let rows = page.lines().enumerate().filter(|(_, line)| line.starts_with("| ") && !line.starts_with("| ---"));
    let mut count = 0;
    let mut wrong = Vec::new();
    for (number, line) in rows {
        let cell = line[2..].split(" | ").next().unwrap_or_default();
        for message in spans(cell) {
            count += 1;
            if !words.contains(message.as_str()) {
                wrong.push(format!("docs/troubleshooting.md:{}: the program does not say `{message}`", number + 1));
            }
        }
    }
    assert!(wrong.is_empty(), "{}\nCorrect the page, or the message.", wrong.join("\n"));
    assert!(count > 250, "only {count} messages were found: is the page still made of tables?");
}

#[test]
fn every_test_that_the_security_page_names_exists() {
    let page = read("docs/security.md");
    let code: String =
        files("tests", ".rs").into_iter().chain(files("src", ".rs")).map(|file| std::fs::read_to_string(file).unwrap()).collect();
    let is_name =
        |span: &String| span.matches('_').count() >= 3 && span.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    let names: Vec<String> = page.lines().flat_map(spans).filter(is_name).collect();
    assert!(names.len() > 10, "{names:?}");
    for name in names {
        assert!(code.contains(&format!("fn {name}(")), "docs/security.md names the test `{name}`, which is not there");
    }
}

/// Every page for people.
pub(crate) fn pages() -> Vec<PathBuf> {
    let at_the_top = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"];
    files("docs", ".md").into_iter().chain(at_the_top.map(|name| Path::new(ROOT).join(name))).collect()
}

#[test]
fn every_link_between_pages_leads_somewhere() {
    for page in &pages() {
        let text = std::fs::read_to_string(page).unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.contains("://") || link.starts_with('#') || link.contains(' ') {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = page.parent().unwrap().join(file);
            assert!(target.exists(), "{}: {link} leads nowhere", page.display());
            let anchors = || {
                std::fs::read_to_string(&target).unwrap().lines().filter(|line| line.starts_with('#')).map(anchor_of).collect::<Vec<_>>()
            };
            assert!(anchor.is_empty() || anchors().iter().any(|known| known == anchor), "{}: {link}: no such heading", page.display());
        }
    }
}

/// As GitHub makes it of a heading.
fn anchor_of(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    text.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_')).map(|c| if c == ' ' { '-' } else { c }).collect()
}
