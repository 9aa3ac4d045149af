//! What is wrong with the configuration: collected, never thrown, so that one run reports all of it.

use std::fmt;

/// Where a problem or a value comes from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// A line of a file; lines count from 1, 0 means the whole file.
    File {
        /// The path as a person would write it.
        path: String,
        /// The line.
        line: usize,
    },
    /// An input of the action, by whatever way it came.
    Input(&'static str),
    /// A variable of the process.
    Variable(String),
    /// The built-in default.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line: 0 } => f.write_str(path),
            Self::File { path, line } => write!(f, "{path}:{line}"),
            Self::Input(name) => write!(f, "input `{name}`"),
            Self::Variable(name) => write!(f, "variable {name}"),
            Self::Default => f.write_str("default"),
        }
    }
}

/// One problem.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Where.
    pub origin: Origin,
    /// What, and the way out.
    pub message: String,
}

/// A problem's place in an annotation.
impl Problem {
    /// A problem at a line of a file.
    pub fn at(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self { origin: Origin::File { path: path.to_owned(), line }, message: message.into() }
    }

    /// A problem with an input.
    pub fn input(name: &'static str, message: impl Into<String>) -> Self {
        Self { origin: Origin::Input(name), message: message.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.origin, self.message)
    }
}

/// `; did you mean …?` or the list of what there is.
pub(super) fn did_you_mean<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    match crate::domain::names::nearest(wrong, known.clone()) {
        Some(near) => format!("; did you mean `{near}`?"),
        None if known.clone().into_iter().next().is_none() => "; there is none".to_owned(),
        None => format!("; known are {}", known.into_iter().collect::<Vec<_>>().join(", ")),
    }
}
