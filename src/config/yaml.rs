//! A YAML document as a tree that remembers its lines, duplicates included.

use granit_parser::{Event, Parser, ScalarStyle};

use super::problem::Problem;

/// A value and the line it begins on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) line: usize,
    pub(super) kind: Kind,
}

/// What the value is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Text; plain when it was written without quotes.
    Scalar {
        text: String,
        is_plain: bool,
    },
    List(Vec<Node>),
    /// Keys in the order of the file.
    Map(Vec<(Node, Node)>),
}

impl Node {
    /// For messages.
    pub(super) fn kind_name(&self) -> &'static str {
        match self.kind {
            Kind::Scalar { .. } => "text",
            Kind::List(_) => "a list",
            Kind::Map(_) => "a map",
        }
    }

    /// The text of a scalar.
    pub(super) fn text(&self) -> Option<&str> {
        if let Kind::Scalar { text, .. } = &self.kind { Some(text) } else { None }
    }

    /// Nothing was written: `key:` and no value, or `null`.
    pub(super) fn is_null(&self) -> bool {
        matches!(&self.kind, Kind::Scalar { text, is_plain: true } if matches!(text.as_str(), "" | "~" | "null"))
    }
}

/// A collection that is still open.
enum Open {
    List(usize, Vec<Node>),
    Map(usize, Vec<(Node, Node)>, Option<Node>),
}

/// Reads one document.
///
/// # Errors
/// One `Problem` where the text is no YAML, or uses what these files don't need: aliases, several documents.
pub(super) fn read(path: &str, text: &str) -> Result<Node, Problem> {
    let mut open: Vec<Open> = Vec::new();
    let mut root = None;
    for next in Parser::new_from_str(text) {
        let (event, span) = next.map_err(|error| Problem::at(path, error.marker().line(), format!("not valid YAML: {}", error.info())))?;
        let line = span.start.line();
        let done = match event {
            Event::Scalar(text, style, ..) => {
                Some(Node { line, kind: Kind::Scalar { text: text.into_owned(), is_plain: style == ScalarStyle::Plain } })
            }
            Event::SequenceStart(..) => {
                open.push(Open::List(line, Vec::new()));
                None
            }
            Event::MappingStart(..) => {
                open.push(Open::Map(line, Vec::new(), None));
                None
            }
            Event::SequenceEnd | Event::MappingEnd => open.pop().map(close),
            Event::Alias(..) => return Err(Problem::at(path, line, "aliases (`*name`) are not supported here: write the value out")),
            _ => None,
        };
        let Some(node) = done else { continue };
        match open.last_mut() {
            Some(parent) => add(parent, node),
            None if root.is_some() => return Err(Problem::at(path, line, "a second document begins here: one file describes one service")),
            None => root = Some(node),
        }
    }
    root.ok_or_else(|| Problem::at(path, 0, "the file is empty"))
}

fn close(open: Open) -> Node {
    match open {
        Open::List(line, items) => Node { line, kind: Kind::List(items) },
        Open::Map(line, pairs, _) => Node { line, kind: Kind::Map(pairs) },
    }
}

fn add(parent: &mut Open, node: Node) {
    match parent {
        Open::List(_, items) => items.push(node),
        Open::Map(_, pairs, key) => match key.take() {
            Some(key) => pairs.push((key, node)),
            None => *key = Some(node),
        },
    }
}
