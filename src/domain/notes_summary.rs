//! What a model made of a release's commits, and where each stands in the notes.

use std::collections::BTreeMap;

use super::commit_message::{Kind, Parsed};
use super::notes::FactId;

/// Whom a change concerns, as a model says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Category {
    /// Something new for the product's users.
    Feature,
    /// Something that works again, or better.
    Fix,
    /// Something for whoever runs the product.
    Operator,
    /// Nothing that shows from outside.
    Internal,
}

impl Category {
    /// Every category, by the word that a model answers with.
    pub const WORDS: [(&'static str, Self); 4] =
        [("feature", Self::Feature), ("fix", Self::Fix), ("operator", Self::Operator), ("internal", Self::Internal)];

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::WORDS.iter().find(|(known, _)| *known == word).map(|(_, category)| *category)
    }
}

/// A sentence that a model wrote, judged and accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sentence {
    /// Whom it concerns.
    pub category: Category,
    /// One line of plain text.
    pub text: String,
}

/// How the summary came about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum How {
    /// Every commit has its sentence.
    Summarised {
        /// The model.
        model: String,
    },
    /// Some have none, and stand there with their own titles.
    Partly {
        /// The model.
        model: String,
        /// Why, in words.
        why: String,
        /// How many.
        plain: usize,
    },
    /// None has one.
    Plain {
        /// Why, in words.
        why: String,
    },
}

/// What a model made of the commits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// How it came about.
    pub how: How,
    /// The sentences.
    pub sentences: BTreeMap<FactId, Sentence>,
}

impl Summary {
    /// None: the commits' own titles, grouped by their types.
    pub fn plain(why: impl Into<String>) -> Self {
        Self { how: How::Plain { why: why.into() }, sentences: BTreeMap::new() }
    }

    /// Of `facts` commits, those in `sentences` have one. `why` says what kept the others from theirs.
    pub fn of(facts: usize, model: &str, sentences: BTreeMap<FactId, Sentence>, why: &str) -> Self {
        let plain = facts.saturating_sub(sentences.len());
        let how = match (plain, sentences.is_empty()) {
            (0, _) => How::Summarised { model: model.to_owned() },
            (_, true) => How::Plain { why: why.to_owned() },
            (_, false) => How::Partly { model: model.to_owned(), why: why.to_owned(), plain },
        };
        Self { how, sentences }
    }
}

/// Where a commit stands in the notes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Section {
    /// New for users.
    Features,
    /// Mended or quicker.
    Fixes,
    /// For whoever runs the product.
    Operators,
    /// Nobody has said.
    Other,
    /// Only in the list of all commits.
    Internal,
}

impl Section {
    /// A model may move a commit, but hides none, and nobody hides a breaking one.
    pub fn of(parsed: &Parsed, category: Option<Category>) -> Self {
        let own = match parsed.kind {
            Kind::Feature => Self::Features,
            Kind::Fix | Kind::Performance => Self::Fixes,
            Kind::Operator => Self::Operators,
            Kind::Internal => Self::Internal,
            Kind::Other => Self::Other,
        };
        let section = match category {
            None => own,
            Some(Category::Feature) => Self::Features,
            Some(Category::Fix) => Self::Fixes,
            Some(Category::Operator) => Self::Operators,
            Some(Category::Internal) => own,
        };
        if section == Self::Internal && parsed.is_breaking { Self::Operators } else { section }
    }
}

#[cfg(test)]
mod tests {
    use super::super::commit_message::parse;
    use super::*;

    fn section(message: &str, category: Option<Category>) -> Section {
        Section::of(&parse(message), category)
    }

    #[test]
    fn a_model_moves_a_commit_but_hides_none() {
        let internal = Some(Category::Internal);
        assert_eq!(section("feat: x", None), Section::Features);
        assert_eq!(section("feat: x", internal), Section::Features);
        assert_eq!(section("fix: x", internal), Section::Fixes);
        assert_eq!(section("ci: x", internal), Section::Operators);
        assert_eq!(section("x", internal), Section::Other);
        assert_eq!(section("x", None), Section::Other);
        assert_eq!(section("chore: x", None), Section::Internal);
        assert_eq!(section("chore: x", Some(Category::Feature)), Section::Features);
        assert_eq!(section("chore!: x", None), Section::Operators);
        assert_eq!(section("x\n\nBREAKING CHANGE: y", internal), Section::Other);
    }

    #[test]
    fn how_it_came_about_follows_from_what_is_there() {
        let one = || BTreeMap::from([(FactId::parse("c1").unwrap(), Sentence { category: Category::Fix, text: "x".into() })]);
        assert_eq!(Summary::of(1, "m", one(), "").how, How::Summarised { model: "m".into() });
        assert_eq!(Summary::of(3, "m", one(), "why").how, How::Partly { model: "m".into(), why: "why".into(), plain: 2 });
        assert_eq!(Summary::of(3, "m", BTreeMap::new(), "why").how, How::Plain { why: "why".into() });
    }
}
