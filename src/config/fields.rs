//! Reads the keys of one YAML map: every problem is noted, and reading goes on.

use std::collections::BTreeMap;

use super::problem::{Problem, did_you_mean};
use super::service_keys::Key;
use super::yaml::{Kind, Node};

/// The keys of a map, checked against those that are known.
pub(super) struct Fields<'a> {
    path: &'a str,
    line: usize,
    prefix: &'a str,
    found: BTreeMap<&'a str, &'a Node>,
    problems: &'a mut Vec<Problem>,
}

impl<'a> Fields<'a> {
    /// Opens a map; unknown and duplicate keys are noted. `prefix` names an outer key, with its dot.
    pub(super) fn open(path: &'a str, prefix: &'a str, node: &'a Node, keys: &[Key], problems: &'a mut Vec<Problem>) -> Option<Self> {
        let known: Vec<&str> = keys.iter().map(|key| key.name).collect();
        let Kind::Map(pairs) = &node.kind else {
            let what = if prefix.is_empty() { "the file".to_owned() } else { format!("`{}`", prefix.trim_end_matches('.')) };
            problems.push(Problem::at(path, node.line, format!("{what} must be a map with the keys {}", known.join(", "))));
            return None;
        };
        let mut found: BTreeMap<&str, &Node> = BTreeMap::new();
        for (key, value) in pairs {
            let name = key.text().unwrap_or_default();
            if !known.contains(&name) {
                let hint = did_you_mean(name, known.iter().copied());
                problems.push(Problem::at(path, key.line, format!("unknown key `{prefix}{name}`{hint}")));
            } else if let Some(first) = found.get(name) {
                let line = first.line;
                problems.push(Problem::at(
                    path,
                    key.line,
                    format!("key `{prefix}{name}` is given twice, first on line {line}: remove one"),
                ));
            } else {
                found.insert(name, value);
            }
        }
        Some(Self { path, line: node.line, prefix, found, problems })
    }

    /// Notes a problem with a key.
    pub(super) fn problem(&mut self, key: &str, message: impl Into<String>) {
        let line = self.line_of(key);
        self.problems.push(Problem::at(self.path, line, message));
    }

    /// The line of a key's value, else of the map.
    pub(super) fn line_of(&self, key: &str) -> usize {
        self.found.get(key).map_or(self.line, |node| node.line)
    }

    /// The value of a key that was given and isn't empty.
    pub(super) fn node(&self, key: &str) -> Option<&'a Node> {
        self.found.get(key).copied().filter(|node| !node.is_null())
    }

    /// An optional text.
    pub(super) fn text(&mut self, key: &str) -> Option<String> {
        let node = self.node(key)?;
        let text = node.text().map(str::to_owned);
        if text.is_none() {
            self.wrong_type(key, "text", node);
        }
        text
    }

    /// A text that must be there.
    pub(super) fn required(&mut self, key: &str) -> String {
        if self.node(key).is_none() {
            let prefix = self.prefix;
            self.problem(key, format!("key `{prefix}{key}` is missing"));
        }
        self.text(key).unwrap_or_default()
    }

    /// A list of texts.
    pub(super) fn list(&mut self, key: &str) -> Option<Vec<(String, usize)>> {
        let node = self.node(key)?;
        let Kind::List(items) = &node.kind else {
            self.wrong_type(key, "a list", node);
            return None;
        };
        let mut texts = Vec::with_capacity(items.len());
        for item in items {
            match item.text() {
                Some(text) => texts.push((text.to_owned(), item.line)),
                None => self.wrong_type(key, "a list of texts", item),
            }
        }
        Some(texts)
    }

    /// A boolean, in the spellings that the inputs have too.
    pub(super) fn boolean(&mut self, key: &str) -> Option<bool> {
        let node = self.node(key)?;
        match &node.kind {
            Kind::Scalar { text, is_plain: true } if super::value::boolean(text).is_some() => super::value::boolean(text),
            _ => {
                self.wrong_type(key, "true or false", node);
                None
            }
        }
    }

    /// A map from text to text, with the line of each key; duplicates are noted.
    pub(super) fn map(&mut self, key: &str) -> Vec<(String, String, usize)> {
        let Some(node) = self.node(key) else { return Vec::new() };
        let Kind::Map(pairs) = &node.kind else {
            self.wrong_type(key, "a map", node);
            return Vec::new();
        };
        let mut texts: Vec<(String, String, usize)> = Vec::with_capacity(pairs.len());
        for (name, value) in pairs {
            match (name.text(), value.text()) {
                (Some(name_text), _) if texts.iter().any(|(known, ..)| known == name_text) => {
                    self.problems.push(Problem::at(self.path, name.line, format!("key `{key}.{name_text}` is given twice: remove one")));
                }
                (Some(name_text), Some(text)) => texts.push((name_text.to_owned(), text.to_owned(), name.line)),
                _ => self.wrong_type(key, "a map of texts", value),
            }
        }
        texts
    }

    fn wrong_type(&mut self, key: &str, expected: &str, node: &Node) {
        let found = node.text().map_or_else(|| node.kind_name().to_owned(), |text| format!("`{text}`"));
        let message = format!("key `{}{key}` must be {expected}, not {found}", self.prefix);
        self.problems.push(Problem::at(self.path, node.line, message));
    }

    /// Notes a problem at a line.
    pub(super) fn problem_at(&mut self, line: usize, message: impl Into<String>) {
        self.problems.push(Problem::at(self.path, line, message));
    }

    /// The problems, for a nested map.
    pub(super) fn problems(&mut self) -> &mut Vec<Problem> {
        self.problems
    }
}
