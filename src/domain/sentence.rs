//! Which sentences of a model may be published. Whatever it was talked into by a commit, what passes here is one line of plain text
//! about the commit whose id it bears; anything else gives way to the commit's own title.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use regex_lite::Regex;
use serde::Deserialize;

use super::credential;
use super::notes::{Fact, FactId};
use super::notes_summary::{Category, Sentence};
use super::text::clean;

/// The longest sentence, in characters.
pub const LONGEST: usize = 240;
/// A word of so many letters says what a sentence is about.
const SIGNIFICANT: usize = 4;

/// What a model answers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Answer {
    /// One for each commit, as it should be.
    pub sentences: Vec<RawSentence>,
}

/// A sentence as the model wrote it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct RawSentence {
    /// The commit's.
    pub id: String,
    /// One of [`Category::WORDS`].
    pub category: String,
    /// The text.
    pub sentence: String,
}

/// Why a sentence is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Flaw {
    /// Nobody asked for that id.
    UnknownId,
    /// No sentence came.
    Missing,
    /// More than one came.
    Repeated,
    /// No such category.
    Category,
    /// Nothing in it.
    Empty,
    /// More than [`LONGEST`] characters.
    TooLong,
    /// Control characters, line breaks, or what can't be seen.
    Unseen,
    /// What looks like a credential.
    Credential,
    /// An address.
    Link,
    /// Somebody would be called.
    Mention,
    /// Markdown, HTML, a template or a workflow command.
    Markup,
    /// A number that the commit doesn't hold.
    Number,
    /// No word of the commit's title is in it.
    Unrelated,
    /// Another commit got the same.
    Duplicate,
}

impl Flaw {
    /// In words, after a count: "3 …".
    pub fn words(self) -> &'static str {
        match self {
            Self::UnknownId => "for unknown commits",
            Self::Missing => "missing",
            Self::Repeated => "given twice",
            Self::Category => "without a known category",
            Self::Empty => "empty",
            Self::TooLong => "too long",
            Self::Unseen => "with characters that can't be seen",
            Self::Credential => "with what looks like a credential",
            Self::Link => "with a link",
            Self::Mention => "with a mention",
            Self::Markup => "with markup",
            Self::Number => "with a number of their own",
            Self::Unrelated => "about something else",
            Self::Duplicate => "the same as another's",
        }
    }
}

/// What is left of an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Judged {
    /// The sentences that may be published.
    pub accepted: BTreeMap<FactId, Sentence>,
    /// How often which flaw was found.
    pub dropped: BTreeMap<Flaw, usize>,
}

impl Judged {
    fn drop(&mut self, flaw: Flaw) {
        *self.dropped.entry(flaw).or_default() += 1;
    }

    /// The answers to several batches together. Sentences that are the same across batches go, as they do within one.
    pub fn join(all: impl IntoIterator<Item = Self>) -> Self {
        let mut joined = Self::default();
        for one in all {
            joined.accepted.extend(one.accepted);
            one.dropped.into_iter().for_each(|(flaw, count)| *joined.dropped.entry(flaw).or_default() += count);
        }
        joined.without_duplicates()
    }

    /// What was dropped and why: `2 with a link, 1 missing`; none where nothing was.
    pub fn words(&self) -> Option<String> {
        let each: Vec<String> = self.dropped.iter().map(|(flaw, count)| format!("{count} {}", flaw.words())).collect();
        (!each.is_empty()).then(|| each.join(", "))
    }

    /// Whichever of two the words belong to, they say nothing about the other.
    fn without_duplicates(mut self) -> Self {
        let mut seen: BTreeMap<String, Vec<FactId>> = BTreeMap::new();
        for (id, sentence) in &self.accepted {
            seen.entry(words(&sentence.text).join(" ")).or_default().push(*id);
        }
        for id in seen.into_values().filter(|ids| ids.len() > 1).flatten() {
            self.accepted.remove(&id);
            self.drop(Flaw::Duplicate);
        }
        self
    }
}

/// Judges an answer by what was asked.
pub fn judge(asked: &[&Fact], answer: &Answer) -> Judged {
    let mut judged = Judged::default();
    let mut given: BTreeMap<FactId, Vec<&RawSentence>> = BTreeMap::new();
    for raw in &answer.sentences {
        match FactId::parse(&raw.id).filter(|id| asked.iter().any(|fact| fact.id == *id)) {
            Some(id) => given.entry(id).or_default().push(raw),
            None => judged.drop(Flaw::UnknownId),
        }
    }
    for fact in asked {
        let result = match given.get(&fact.id).map(Vec::as_slice) {
            None | Some([]) => Err(Flaw::Missing),
            Some([raw]) => accept(fact, raw),
            Some(_) => Err(Flaw::Repeated),
        };
        match result {
            Ok(sentence) => {
                judged.accepted.insert(fact.id, sentence);
            }
            Err(flaw) => judged.drop(flaw),
        }
    }
    judged.without_duplicates()
}

fn accept(fact: &Fact, raw: &RawSentence) -> Result<Sentence, Flaw> {
    let category = Category::parse(&raw.category).ok_or(Flaw::Category)?;
    let text = raw.sentence.trim();
    match flaw(fact, text) {
        Some(flaw) => Err(flaw),
        None => Ok(Sentence { category, text: text.to_owned() }),
    }
}

fn flaw(fact: &Fact, text: &str) -> Option<Flaw> {
    let found = [
        (text.is_empty(), Flaw::Empty),
        (text.chars().nth(LONGEST).is_some(), Flaw::TooLong),
        (text.contains('\n') || clean(text) != text, Flaw::Unseen),
        (credential::redact(text) != text, Flaw::Credential),
        (text.contains('@'), Flaw::Mention),
        (is_link(text), Flaw::Link),
        (is_markup(text), Flaw::Markup),
    ];
    if let Some((_, flaw)) = found.into_iter().find(|(is_so, _)| *is_so) {
        return Some(flaw);
    }
    let parsed = &fact.parsed;
    let own = format!("{} {} {}", parsed.title, parsed.scope.as_deref().unwrap_or_default(), parsed.body);
    if !numbers(text).is_subset(&numbers(&own)) {
        return Some(Flaw::Number);
    }
    (!is_about(text, &parsed.title)).then_some(Flaw::Unrelated)
}

/// A scheme, `www.`, a host with a path, or what readers take for a host.
fn is_link(text: &str) -> bool {
    static LINK: LazyLock<Option<Regex>> = LazyLock::new(|| {
        let known = "com|net|org|io|dev|app|ai|co|info|biz|xyz|me|sh|gg|ly|ru|cn|tk|link|click|site|online|top|shop|live|page|cloud|tech";
        Regex::new(&format!(r"(?i)[a-z][a-z0-9+.-]*:/|\b(?:mailto|javascript|data|tel):|www\.|\w\.[a-z]{{2,}}[/:]|\w\.(?:{known})\b")).ok()
    });
    // An expression that didn't compile would let links pass.
    LINK.as_ref().is_none_or(|link| link.is_match(text))
}

fn is_markup(text: &str) -> bool {
    let starts_a_block = ["- ", "* ", "+ ", "=", ">", ":"].iter().any(|start| text.starts_with(start));
    let is_entity =
        text.split('&').skip(1).any(|rest| rest.starts_with('#') || rest.split_once(';').is_some_and(|(name, _)| is_word(name)));
    text.contains(['`', '<', '[', ']', '{', '}', '|', '\\', '#', '~', '*'])
        || text.contains("__")
        || text.contains("::")
        || starts_a_block
        || is_entity
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.chars().all(char::is_alphanumeric)
}

/// Runs of two digits or more; one digit alone is no fact that anybody would act upon.
fn numbers(text: &str) -> BTreeSet<&str> {
    text.split(|c: char| !c.is_numeric()).filter(|run| run.chars().nth(1).is_some()).collect()
}

/// Words that every sentence may hold.
const COMMON: &[&str] = &[
    "about", "added", "adds", "after", "again", "allow", "allows", "also", "been", "before", "being", "both", "cannot", "change",
    "changed", "changes", "could", "does", "each", "fixed", "fixes", "from", "have", "into", "just", "longer", "made", "make", "makes",
    "more", "most", "must", "need", "only", "other", "over", "remove", "removed", "removes", "should", "some", "such", "support", "than",
    "that", "their", "them", "then", "there", "these", "they", "this", "update", "updated", "updates", "used", "user", "users", "using",
    "very", "want", "were", "what", "when", "where", "which", "while", "will", "with", "would", "your",
];

/// A significant word of the title is in the sentence, inflected or not. An instruction in one commit can make a model write
/// anything about another, but hardly in that one's own words.
fn is_about(sentence: &str, title: &str) -> bool {
    let said = words(sentence);
    words(title).iter().any(|word| said.iter().any(|other| is_akin(word, other)))
}

/// Words in small letters; `exportCsv` is two.
fn words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_small = false;
    for c in text.chars() {
        if !c.is_alphanumeric() || (was_small && c.is_uppercase()) {
            words.push(String::new());
        }
        if c.is_alphanumeric() {
            words.last_mut().into_iter().for_each(|word| word.extend(c.to_lowercase()));
        }
        was_small = c.is_lowercase();
    }
    words.retain(|word| !word.is_empty());
    words
}

/// The same stem: at least four letters in common at the beginning, and two thirds of the shorter word.
fn is_akin(one: &str, other: &str) -> bool {
    let is_significant = |word: &str| word.chars().filter(|c| c.is_alphabetic()).count() >= SIGNIFICANT && !COMMON.contains(&word);
    if !is_significant(one) || !is_significant(other) {
        return false;
    }
    let common = one.chars().zip(other.chars()).take_while(|(a, b)| a == b).count();
    let shorter = one.chars().count().min(other.chars().count());
    common >= SIGNIFICANT && common * 3 >= shorter * 2
}

#[cfg(test)]
#[path = "sentence_tests.rs"]
mod tests;
