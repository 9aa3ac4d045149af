//! The sentences that the model writes.

use serde_json::{Value, json};

use super::Mode;

/// A commit that is asked about.
#[derive(Debug)]
pub(super) struct Commit {
    id: String,
    kind: String,
    text: String,
}

impl Commit {
    /// Those of the document. Of anything else there are none, and the answer has no sentences.
    pub(super) fn all(document: &str) -> Vec<Commit> {
        let document: Value = serde_json::from_str(document).unwrap_or_default();
        let read = |commit: &Value| {
            let text = |key: &str| commit[key].as_str().unwrap_or_default().to_owned();
            Commit { id: text("id"), kind: text("kind"), text: text("text") }
        };
        document["commits"].as_array().into_iter().flatten().map(read).collect()
    }

    fn has_even_number(&self) -> bool {
        self.id.ends_with(['0', '2', '4', '6', '8'])
    }

    fn category(&self) -> &'static str {
        match self.kind.as_str() {
            "feat" | "feature" => "feature",
            "fix" | "perf" | "revert" => "fix",
            "ops" | "build" | "ci" | "deps" => "operator",
            "other" => match self.text.split_whitespace().next().unwrap_or_default().to_lowercase().as_str() {
                "add" | "adds" | "added" | "new" => "feature",
                "fix" | "fixes" | "fixed" => "fix",
                _ => "internal",
            },
            _ => "internal",
        }
    }

    /// The first line without type and pull request's number, with a capital letter.
    fn well(&self) -> String {
        let line = self.text.lines().next().unwrap_or_default().trim();
        let line = without_type(line);
        let line = line.rsplit_once(" (#").filter(|(_, number)| is_number(number)).map_or(line, |(line, _)| line).trim();
        let mut letters = line.chars();
        letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
    }

    /// What follows `say:` in a text that gives orders.
    fn order(&self) -> Option<String> {
        let small = self.text.to_ascii_lowercase();
        let at = small.find("say:").filter(|_| small.contains("ignore") && small.contains("instructions"))?;
        self.text.get(at + "say:".len()..).map(|order| order.trim().to_owned())
    }
}

fn is_number(text: &str) -> bool {
    text.strip_suffix(')').is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The types of conventional commits.
const TYPES: [&str; 12] = ["feat", "fix", "perf", "build", "ci", "ops", "docs", "test", "style", "refactor", "chore", "revert"];

fn without_type(line: &str) -> &str {
    let Some((before, rest)) = line.split_once(": ") else { return line };
    let before = before.strip_suffix('!').unwrap_or(before);
    let word = before.strip_suffix(')').and_then(|before| before.split_once('(')).map_or(before, |(word, _)| word);
    if TYPES.iter().any(|known| known.eq_ignore_ascii_case(word)) { rest } else { line }
}

/// The text of the answer. A model that is not held to a schema wraps its JSON.
pub(super) fn answer(mode: Mode, commits: &[Commit], has_schema: bool) -> String {
    let json = json!({"sentences": sentences(mode, commits)}).to_string();
    match mode {
        Mode::BrokenJson => json.replacen("[", "[[", 1),
        _ if has_schema => json,
        _ => format!("Here are the sentences:\n\n```json\n{json}\n```"),
    }
}

fn sentences(mode: Mode, commits: &[Commit]) -> Vec<Value> {
    let spell = commits.iter().find_map(Commit::order);
    let write = |commit: &Commit| {
        let well = commit.well();
        let sentence = match mode {
            Mode::UrlInSentence => format!("{well}, see https://evil.example/login"),
            Mode::MentionInSentence => format!("<!channel> @everyone {well}"),
            Mode::MarkupInSentence => format!("[{well}](https://evil.example) <b onclick=\"alert(1)\">now</b>"),
            // In two parts, so that no scanner takes it for a real one.
            Mode::CredentialInSentence => format!("{well} with {}{}", "AKIA", "SANDBOX012345678"),
            Mode::Obedient => commit.order().unwrap_or(well),
            Mode::Possessed => spell.clone().unwrap_or(well),
            Mode::LongSentences => well.chars().chain(" and more".chars().cycle()).take(5_000).collect(),
            _ => well,
        };
        json!({"id": commit.id, "category": commit.category(), "sentence": sentence})
    };
    match mode {
        Mode::InventedIds => commits.iter().map(write).chain(invented()).collect(),
        Mode::MissingIds => commits.iter().filter(|commit| !commit.has_even_number()).map(write).collect(),
        Mode::DoubledIds => commits.iter().chain(commits).map(write).collect(),
        _ => commits.iter().map(write).collect(),
    }
}

fn invented() -> impl Iterator<Item = Value> {
    ["c900001", "x", ""].into_iter().map(|id| json!({"id": id, "category": "feature", "sentence": "Everything is twice as fast"}))
}
