//! Release notes as a value: what lies between two releases, repository by repository, and how much of it is known.

use std::fmt;

use super::commit_message::{self, Parsed};
use super::credential::harmless;
use super::names::{Revision, ServiceName};
use super::notes_summary::{Section, Summary};
use super::tag::ReleaseTag;
use super::text::one_line;

/// A commit's name within one release's notes, `c1` and on: what a model gets to see and answers with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FactId(u32);

impl FactId {
    /// Reads it back; nothing but the exact form counts.
    pub fn parse(text: &str) -> Option<Self> {
        let id = Self(text.strip_prefix('c')?.parse().ok()?);
        (id.to_string() == text).then_some(id)
    }
}

impl fmt::Display for FactId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "c{}", self.0)
    }
}

/// A commit as it comes from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// Its id.
    pub revision: Revision,
    /// Its whole message.
    pub message: String,
    /// Its author's login, else the name.
    pub author: Option<String>,
}

/// One commit of a release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// Unique over the whole release.
    pub id: FactId,
    /// `owner/name`.
    pub repository: String,
    /// The services that are built from there.
    pub services: Vec<ServiceName>,
    /// The commit.
    pub commit: Revision,
    /// Its message.
    pub parsed: Parsed,
    /// Login or name, harmless; no `@` in front.
    pub author: Option<String>,
}

/// Gives the commits of a whole release their ids.
#[derive(Debug, Default)]
pub struct Numbering(u32);

impl Numbering {
    /// The facts of a repository, in the order given, and how many merges of branches were left out.
    pub fn facts(&mut self, repository: &str, services: &[ServiceName], commits: impl IntoIterator<Item = Commit>) -> (Vec<Fact>, usize) {
        let mut left_out = 0;
        let mut facts = Vec::new();
        for commit in commits {
            let parsed = commit_message::parse(&commit.message);
            if parsed.is_merge_of_branch && !parsed.is_breaking {
                left_out += 1;
                continue;
            }
            self.0 += 1;
            let author = commit.author.map(|author| one_line(harmless(&author).trim_start_matches('@'), 60));
            facts.push(Fact {
                id: FactId(self.0),
                repository: repository.to_owned(),
                services: services.to_vec(),
                commit: commit.revision,
                parsed,
                author: author.filter(|author| !author.is_empty()),
            });
        }
        (facts, left_out)
    }
}

/// How much of what lies between two releases is known of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Coverage {
    /// Every commit.
    Complete {
        /// As many as GitHub counts.
        total: u64,
    },
    /// The repository has the new tag alone.
    FirstRelease {
        /// There are older commits than those listed.
        is_capped: bool,
    },
    /// It has neither tag.
    NotInRelease,
    /// Both tags are the same commit.
    Unchanged,
    /// The new release lies behind the one before.
    Rollback {
        /// Commits that the one before has and the new one lacks.
        taken_back: u64,
    },
    /// Each has commits that the other lacks, as after a hotfix.
    Diverged {
        /// Commits that are new.
        total: u64,
        /// Commits of the release before that the new one lacks.
        lacking: u64,
    },
    /// Not everything could be read. This is never the same as no changes.
    Incomplete {
        /// Why, in words.
        why: String,
        /// As many as GitHub counts, where that is known.
        total: Option<u64>,
    },
}

/// A repository's part of the notes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    /// `owner/name`.
    pub name: String,
    /// The services that are built from there.
    pub services: Vec<ServiceName>,
    /// The commit of the release before.
    pub base: Option<Revision>,
    /// The commit of the release.
    pub head: Option<Revision>,
    /// How much is known.
    pub coverage: Coverage,
    /// The commits, those merges of branches excepted that are only counted.
    pub facts: Vec<Fact>,
    /// How many of these.
    pub left_out: usize,
}

impl Repository {
    /// Everything is known: nothing failed, and the commits at hand are as many as GitHub counts.
    pub fn is_complete(&self) -> bool {
        match self.coverage {
            Coverage::Complete { total } | Coverage::Diverged { total, .. } => self.seen() >= total,
            Coverage::Incomplete { .. } => false,
            Coverage::FirstRelease { .. } | Coverage::NotInRelease | Coverage::Unchanged | Coverage::Rollback { .. } => true,
        }
    }

    fn seen(&self) -> u64 {
        (self.facts.len() + self.left_out) as u64
    }

    /// How much is known, in a sentence without a full stop.
    pub fn completeness(&self) -> String {
        let listed = self.facts.len();
        let merges = match self.left_out {
            0 => String::new(),
            1 => ", 1 merge of a branch not listed".to_owned(),
            many => format!(", {many} merges of branches not listed"),
        };
        let of = |total: u64, what: &str| format!("{listed} of {}{merges}", counted(total, what));
        match &self.coverage {
            Coverage::Complete { total } if self.is_complete() => of(*total, "commit"),
            Coverage::Complete { total } => format!("incomplete: {}", of(*total, "commit")),
            Coverage::FirstRelease { is_capped: true } => {
                format!("first release: the newest {}{merges}", counted(listed as u64, "commit"))
            }
            Coverage::FirstRelease { is_capped: false } => format!("first release: {}{merges}", counted(listed as u64, "commit")),
            Coverage::NotInRelease => "not in this release: it has neither tag".to_owned(),
            Coverage::Unchanged => "unchanged: the same commit in both releases".to_owned(),
            Coverage::Rollback { taken_back } => {
                format!("rollback: {} of the release before taken back", counted(*taken_back, "commit"))
            }
            Coverage::Diverged { total, lacking } => {
                let start = if self.is_complete() { "hotfix" } else { "hotfix, incomplete" };
                let new = if *total == 0 { "no new commits".to_owned() } else { of(*total, "new commit") };
                format!("{start}: {new}; {} of the release before not in it", counted(*lacking, "commit"))
            }
            Coverage::Incomplete { why, total } => {
                let known = match total {
                    Some(total) => of(*total, "commit"),
                    None if listed == 0 => "its commits are not known".to_owned(),
                    None => format!("{} known{merges}", counted(listed as u64, "commit")),
                };
                format!("incomplete: {}; {known}", one_line(&harmless(why), 300))
            }
        }
    }
}

fn counted(count: u64, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// Release notes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notes {
    /// The release.
    pub tag: ReleaseTag,
    /// The one before; none for the first.
    pub previous: Option<ReleaseTag>,
    /// The day of the release, as people write it.
    pub date: Option<String>,
    /// In the order in which they are shown.
    pub repositories: Vec<Repository>,
    /// What a model made of it.
    pub summary: Summary,
}

impl Notes {
    /// Every commit, repository by repository.
    pub fn facts(&self) -> impl Iterator<Item = &Fact> {
        self.repositories.iter().flat_map(|repository| &repository.facts)
    }

    /// Nothing is missing in any repository.
    pub fn is_complete(&self) -> bool {
        self.repositories.iter().all(Repository::is_complete)
    }

    /// Some repository goes back.
    pub fn is_rollback(&self) -> bool {
        self.repositories.iter().any(|repository| matches!(repository.coverage, Coverage::Rollback { .. }))
    }

    /// Some repository has commits of the release before that the new one lacks.
    pub fn is_hotfix(&self) -> bool {
        self.repositories.iter().any(|repository| matches!(repository.coverage, Coverage::Diverged { .. }))
    }

    /// Where a commit stands.
    pub fn section(&self, fact: &Fact) -> Section {
        Section::of(&fact.parsed, self.summary.sentences.get(&fact.id).map(|sentence| sentence.category))
    }

    /// What is said of a commit: its sentence, else its title.
    pub fn text<'a>(&'a self, fact: &'a Fact) -> &'a str {
        self.summary.sentences.get(&fact.id).map_or(fact.parsed.title.as_str(), |sentence| sentence.text.as_str())
    }
}

#[cfg(test)]
#[path = "notes_tests.rs"]
mod tests;
