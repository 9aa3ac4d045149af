//! A commit's message, read by Conventional Commits 1.0.0 (<https://www.conventionalcommits.org/en/v1.0.0/>). It comes from
//! strangers: it is made harmless as a whole before it is split or cut, so that no half of a credential remains.

use super::credential::harmless;
use super::text::{cut, flat};

/// The longest title, in characters.
pub const LONGEST_TITLE: usize = 200;
/// So much of the body is kept, in characters.
pub const LONGEST_BODY: usize = 600;
/// The longest scope, in characters.
const LONGEST_SCOPE: usize = 40;
/// What lies behind is not read, in bytes; nobody's title or footer does.
const LONGEST_MESSAGE: usize = 64 * 1024;
/// A word that the limit cuts goes whole, unless it is longer than this.
const LONGEST_WORD: usize = 4096;

/// What a commit is about, as its type says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `feat`.
    Feature,
    /// `fix`.
    Fix,
    /// `perf`.
    Performance,
    /// What whoever runs the product should know: `build`, `ci`, `ops`, `config`, `deps`, `migration`, `infra` and the like.
    Operator,
    /// Nothing that shows from outside: `docs`, `test`, `style`, `refactor`, `chore`.
    Internal,
    /// No type, or one of the author's own.
    Other,
}

/// The types, each with its kind. The first two are the standard's, the others are those of the Angular convention, which it names,
/// and the common ones of operators.
const TYPES: &[(Kind, &[&str])] = &[
    (Kind::Feature, &["feat", "feature"]),
    (Kind::Fix, &["fix", "bugfix", "hotfix", "security"]),
    (Kind::Performance, &["perf", "performance"]),
    (
        Kind::Operator,
        &[
            "build",
            "ci",
            "cd",
            "ops",
            "config",
            "conf",
            "deps",
            "dep",
            "migration",
            "migrate",
            "db",
            "infra",
            "deploy",
            "docker",
            "helm",
            "terraform",
            "release",
        ],
    ),
    (Kind::Internal, &["docs", "doc", "test", "tests", "style", "refactor", "chore", "wip", "lint", "typo"]),
];

impl Kind {
    fn parse(word: &str) -> Option<Self> {
        TYPES.iter().find(|(_, words)| words.contains(&word)).map(|(kind, _)| *kind)
    }

    /// The conventional type.
    pub fn word(self) -> &'static str {
        match self {
            Self::Feature => "feat",
            Self::Fix => "fix",
            Self::Performance => "perf",
            Self::Operator => "ops",
            Self::Internal => "chore",
            Self::Other => "other",
        }
    }
}

/// What a commit's message says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed {
    /// What it is about.
    pub kind: Kind,
    /// The part of the product that it names.
    pub scope: Option<String>,
    /// `!` before the colon, or a footer `BREAKING CHANGE`.
    pub is_breaking: bool,
    /// Without prefix and number; at most [`LONGEST_TITLE`] characters, never empty.
    pub title: String,
    /// What stands below it, on one line; at most [`LONGEST_BODY`] characters.
    pub body: String,
    /// The pull request, from the title alone: a body mentions others.
    pub number: Option<u64>,
    /// One branch was merged into another: noise, to be counted and not listed.
    pub is_merge_of_branch: bool,
    /// It takes another commit back.
    pub reverts: bool,
}

/// Reads a message.
pub fn parse(message: &str) -> Parsed {
    let message = limited(message);
    // Before anything is redacted: a footer is no secret, and one may be eaten together with one.
    let has_footer = message.lines().skip(1).any(is_breaking_footer);
    let safe = harmless(message);
    let (first, rest) = safe.trim_start().split_once('\n').unwrap_or((safe.trim(), ""));
    let first = flat(first);
    let is_merge_of_branch = ["Merge branch ", "Merge branches ", "Merge remote-tracking ", "Merge tag ", "Merge commit "]
        .iter()
        .any(|start| first.starts_with(start));
    let (first, merged, rest) = match merged_number(&first) {
        // The pull request's own title is the body's first line.
        Some(number) => {
            let (title, rest) = rest.trim_start().split_once('\n').unwrap_or((rest.trim(), ""));
            let title = flat(title);
            (if title.is_empty() { first } else { title }, Some(number), rest)
        }
        None => (first, None, rest),
    };
    let (subject, number) = split_number(&first);
    let header = Header::read(subject);
    let taken_back = taken_back(&header);
    Parsed {
        kind: header.kind,
        scope: header.scope.map(|scope| cut(scope, LONGEST_SCOPE)).filter(|scope| !scope.is_empty()),
        is_breaking: header.is_breaking || has_footer,
        title: titled(&taken_back.as_ref().map_or_else(|| header.title.to_owned(), |inner| format!("Revert “{inner}”"))),
        body: cut(&flat(rest), LONGEST_BODY),
        number: merged.or(number),
        is_merge_of_branch,
        reverts: taken_back.is_some(),
    }
}

/// At most so much of it, and no half word at the end: half a credential would no longer look like one.
fn limited(message: &str) -> &str {
    if message.len() <= LONGEST_MESSAGE {
        return message;
    }
    let kept = &message[..message.floor_char_boundary(LONGEST_MESSAGE)];
    let blank = kept.rfind(char::is_whitespace).unwrap_or(0);
    let end = if kept.len() - blank > LONGEST_WORD { kept.floor_char_boundary(kept.len() - LONGEST_WORD) } else { blank };
    &kept[..end]
}

/// `BREAKING CHANGE: …` or `BREAKING-CHANGE: …`, in capitals (rules 12 and 16 of the standard).
fn is_breaking_footer(line: &str) -> bool {
    ["BREAKING CHANGE", "BREAKING-CHANGE"].iter().any(|word| {
        let rest = line.trim_start().strip_prefix(word);
        rest.is_some_and(|rest| rest.starts_with(": ") || rest.starts_with(" #") || rest.trim_end() == ":")
    })
}

/// `Merge pull request #12 from …`.
fn merged_number(first: &str) -> Option<u64> {
    let (number, _) = first.strip_prefix("Merge pull request #")?.split_once(' ')?;
    number.parse().ok()
}

/// The title without `(#12)` at its end, and the number. A squashed merge of a merge has two: the last one counts, both go.
fn split_number(title: &str) -> (&str, Option<u64>) {
    let Some((head, number)) = last_number(title) else { return (title, None) };
    let mut head = head;
    while let Some((shorter, _)) = last_number(head) {
        head = shorter;
    }
    (head, Some(number))
}

fn last_number(title: &str) -> Option<(&str, u64)> {
    let (head, number) = title.trim_end().strip_suffix(')')?.rsplit_once("(#")?;
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    Some((head.trim_end(), number.parse().ok().filter(|_| is_number)?))
}

/// `type(scope)!: title`.
struct Header<'a> {
    kind: Kind,
    scope: Option<&'a str>,
    is_breaking: bool,
    reverts: bool,
    title: &'a str,
}

impl<'a> Header<'a> {
    fn read(subject: &'a str) -> Self {
        Self::conventional(subject).unwrap_or(Self { kind: Kind::Other, scope: None, is_breaking: false, reverts: false, title: subject })
    }

    /// None where the subject has no prefix: a colon alone makes none, as in "Gateway: …" or a sentence.
    fn conventional(subject: &'a str) -> Option<Self> {
        let (prefix, title) = subject.split_once(':')?;
        let is_breaking = prefix.ends_with('!');
        let prefix = prefix.trim_end_matches('!');
        let (word, scope) = match prefix.strip_suffix(')').and_then(|prefix| prefix.split_once('(')) {
            Some((word, scope)) => (word, Some(scope.trim())),
            None => (prefix, None),
        };
        let word = word.trim_end().to_ascii_lowercase();
        let reverts = word == "revert";
        // A type of the author's own counts only where the prefix can't be anything else.
        let is_word = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        let own = Some(Kind::Other).filter(|_| is_word && (reverts || is_breaking || scope.is_some()));
        let kind = Kind::parse(&word).or(own)?;
        // `chore(deps)` and `chore(ci)` are what operators look for, `chore` or not.
        let is_operators = scope.and_then(|scope| Kind::parse(&scope.to_ascii_lowercase())) == Some(Kind::Operator);
        let kind = if is_operators && kind == Kind::Internal { Kind::Operator } else { kind };
        Some(Self { kind, scope, is_breaking, reverts, title: title.trim_start() })
    }
}

/// What it takes back, without that one's prefix and number: `revert: a thing`, or `Revert "feat: a thing (#12)"`, as git and
/// GitHub write it.
fn taken_back<'a>(header: &Header<'a>) -> Option<&'a str> {
    let quoted = header.title.strip_prefix("Revert \"").map(|rest| rest.trim_end_matches(['"', '…']));
    match quoted {
        Some(quoted) => Some(Header::read(split_number(quoted).0).title),
        None => header.reverts.then_some(header.title),
    }
}

fn titled(text: &str) -> String {
    let title = cut(text.trim(), LONGEST_TITLE);
    if title.is_empty() { "(no title)".to_owned() } else { title }
}

#[cfg(test)]
#[path = "commit_message_tests.rs"]
mod tests;
