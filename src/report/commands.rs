//! Workflow commands (<https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands>).

use crate::config::problem::Origin;
use crate::domain::board::Board;
use crate::domain::e2e::State;
use crate::error::Error;
use crate::report::suite;
use crate::report::text::{clean, cut, defuse};

/// GitHub shows ten of a kind for a step, and cuts each at 4,096 characters.
const MOST: usize = 10;
const LONGEST: usize = 4000;

/// An annotation's kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Red.
    Error,
    /// Yellow.
    Warning,
}

/// One annotation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Annotation {
    /// Its kind.
    pub level: Level,
    /// In bold.
    pub title: String,
    /// Below it.
    pub message: String,
    /// Where, for problems of files.
    pub place: Option<(String, usize)>,
}

impl Annotation {
    /// The command, on one line.
    pub fn command(&self) -> String {
        let level = match self.level {
            Level::Error => "error",
            Level::Warning => "warning",
        };
        let place = self.place.as_ref().map(|(file, line)| format!("file={},line={line},", property(file))).unwrap_or_default();
        format!("::{level} {place}title={}::{}", property(&self.title), data(&cut(&defuse(&self.message), LONGEST)))
    }
}

/// Masks a value; each line of it, as the runner does.
pub fn add_mask(secret: &str) -> Vec<String> {
    secret.lines().filter(|line| !line.trim().is_empty()).map(|line| format!("::add-mask::{}", data(line))).collect()
}

/// A command's text, as the runner decodes it.
pub fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(&clean(text)).replace(':', "%3A").replace(',', "%2C")
}

/// The annotations of a refusal: one a problem, the rest counted.
pub fn of_error(error: &Error) -> Vec<Annotation> {
    let annotation = |message: String, place| Annotation { level: Level::Error, title: error.headline(), message, place };
    let all = match error {
        Error::Configuration(problems) => problems
            .iter()
            .map(|problem| {
                let place = match &problem.origin {
                    Origin::File { path, line } => Some((path.clone(), (*line).max(1))),
                    _ => None,
                };
                annotation(problem.to_string(), place)
            })
            .collect(),
        _ => error.lines().into_iter().map(|line| annotation(line, None)).collect(),
    };
    limited(all)
}

/// The annotations of a run: its failures, in dependency order.
pub fn of_board(board: &Board) -> Vec<Annotation> {
    let failure = |(row, failure): (&crate::domain::board::Row, &crate::domain::outcome::Failure)| Annotation {
        level: Level::Error,
        title: format!("{}: {}", row.name, crate::report::table::kind_word(&failure.kind)),
        message: crate::report::advice::failure(row, failure, 20).join("\n"),
        place: None,
    };
    let suite = board.suite().and_then(|standing| match &standing.state {
        State::Failed(failure) => Some(Annotation {
            level: Level::Error,
            title: format!("E2E {}: {}", standing.suite, suite::words(&standing.state)),
            message: suite::failure(standing, failure, suite::runs_now(board).as_deref(), 20).join("\n"),
            place: None,
        }),
        _ => None,
    });
    limited(board.failures().map(failure).chain(suite).collect())
}

/// The annotations of what did not stop a run.
pub fn of_warnings(warnings: &[String]) -> Vec<Annotation> {
    let annotation =
        |warning: &String| Annotation { level: Level::Warning, title: "escher-deploy".to_owned(), message: warning.clone(), place: None };
    limited(warnings.iter().map(annotation).collect())
}

fn limited(mut annotations: Vec<Annotation>) -> Vec<Annotation> {
    let more = annotations.len().saturating_sub(MOST);
    if more > 0 {
        annotations.truncate(MOST);
        if let Some(last) = annotations.last_mut() {
            last.message.push_str(&format!("\n… and {more} more in the log"));
        }
    }
    annotations
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_ends_the_command() {
        let annotation = Annotation {
            level: Level::Error,
            title: "a,b:c".into(),
            message: "100%\n::add-mask::x\r##[error]y".into(),
            place: Some(("services/a,b.yml".into(), 3)),
        };
        assert_eq!(annotation.command(), "::error file=services/a%2Cb.yml,line=3,title=a%2Cb%3Ac::100%25%0A: :add-mask::x # #[error]y");
    }

    #[test]
    fn every_line_of_a_secret_is_masked() {
        assert_eq!(add_mask("one\n\ntwo%"), ["::add-mask::one", "::add-mask::two%25"]);
    }
}
