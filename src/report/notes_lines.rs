//! Release notes in pieces that GitHub, Slack and the console put together: lines, counts, banners. Plain text, not yet escaped for
//! any of them.

use super::text::{clean, cut, one_line};
use crate::domain::credential::harmless;
use crate::domain::names::{Revision, ServiceName};
use crate::domain::notes::{Coverage, Fact, Notes, Repository};
use crate::domain::notes_summary::{How, Section};
use crate::domain::older::is_commit;

/// So many of a repository's services are named in a line.
const MOST_SERVICES: usize = 5;

/// Where the repositories' pages are: `https://github.com`.
#[derive(Clone, Copy, Debug)]
pub struct Links<'a>(pub &'a str);

impl Links<'_> {
    /// A pull request's page. None of these is made where a part of it has characters that an address would have to hide.
    pub fn pull(self, repository: &str, number: u64) -> Option<String> {
        self.page(repository, &format!("pull/{number}"))
    }

    /// A commit's page.
    pub fn commit(self, repository: &str, commit: &Revision) -> Option<String> {
        is_commit(commit).then(|| self.page(repository, &format!("commit/{commit}"))).flatten()
    }

    /// What lies between two commits.
    pub fn compare(self, repository: &str, base: &Revision, head: &Revision) -> Option<String> {
        let is_sound = is_commit(base) && is_commit(head);
        is_sound.then(|| self.page(repository, &format!("compare/{base}...{head}"))).flatten()
    }

    /// A repository's part of the notes: what lies between the releases, else everything up to the commit.
    pub fn repository(self, repository: &Repository) -> Option<String> {
        match (&repository.base, &repository.head) {
            (Some(base), Some(head)) => self.compare(&repository.name, base, head),
            (None, Some(head)) if is_commit(head) => self.page(&repository.name, &format!("commits/{head}")),
            _ => None,
        }
    }

    fn page(self, repository: &str, rest: &str) -> Option<String> {
        let is_name = |part: &str| {
            part.len() <= 100
                && !part.trim_matches('.').is_empty()
                && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
        };
        let (owner, name) = repository.split_once('/').filter(|(owner, name)| is_name(owner) && is_name(name))?;
        Some(format!("{}/{owner}/{name}/{rest}", self.0.trim_end_matches('/')))
    }
}

/// What is said of one commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The sentence, else the commit's own title.
    pub text: String,
    /// Whoever uses it must change something.
    pub is_breaking: bool,
    /// The services that are built from there, else the repository's name.
    pub service: String,
    /// The pull request: its number and its page.
    pub pull: Option<(u64, Option<String>)>,
    /// The commit, shortened.
    pub commit: String,
    /// Its page.
    pub commit_url: Option<String>,
    /// Login or name, without `@`.
    pub author: Option<String>,
}

impl Line {
    /// With the sentence where there is one.
    pub fn of(notes: &Notes, fact: &Fact, links: Links<'_>) -> Self {
        Self { text: notes.text(fact).to_owned(), ..Self::plain(fact, links) }
    }

    /// With the commit's own title.
    pub fn plain(fact: &Fact, links: Links<'_>) -> Self {
        Self {
            text: fact.parsed.title.clone(),
            is_breaking: fact.parsed.is_breaking,
            service: services(&fact.services, &fact.repository),
            pull: fact.parsed.number.map(|number| (number, links.pull(&fact.repository, number))),
            commit: one_line(fact.commit.short(), 12),
            commit_url: links.commit(&fact.repository, &fact.commit),
            author: fact.author.as_deref().map(|author| one_line(author, 60)),
        }
    }
}

fn services(services: &[ServiceName], repository: &str) -> String {
    let more = services.len().saturating_sub(MOST_SERVICES);
    let mut names: Vec<String> = services.iter().take(MOST_SERVICES).map(|name| one_line(name.as_str(), 60)).collect();
    if names.is_empty() {
        names.push(one_line(repository.rsplit('/').next().unwrap_or(repository), 60));
    }
    if more > 0 {
        names.push(format!("{more} more"));
    }
    names.join(", ")
}

/// Lines under one heading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Which.
    pub section: Section,
    /// The heading.
    pub heading: &'static str,
    /// Breaking ones first, else in the order of the commits; never empty.
    pub lines: Vec<Line>,
}

/// What is worth telling, under its headings; internal changes are only counted.
pub fn highlights(notes: &Notes, links: Links<'_>) -> Vec<Group> {
    let group = |(section, heading)| {
        let here = notes.facts().filter(|fact| notes.section(fact) == section);
        let mut lines: Vec<Line> = here.map(|fact| Line::of(notes, fact, links)).collect();
        lines.sort_by_key(|line| !line.is_breaking);
        (!lines.is_empty()).then_some(Group { section, heading, lines })
    };
    let sections = [
        (Section::Features, "Features"),
        (Section::Fixes, "Fixes"),
        (Section::Operators, "Changes for operators"),
        (Section::Other, "Other changes"),
    ];
    sections.into_iter().filter_map(group).collect()
}

/// How much of what there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Commits that are listed.
    pub commits: usize,
    /// Repositories that they are from.
    pub repositories: usize,
    /// Commits under this heading; so the next four.
    pub features: usize,
    /// Mended or quicker.
    pub fixes: usize,
    /// For whoever runs the product.
    pub operators: usize,
    /// Of no known type.
    pub other: usize,
    /// Nothing that shows from outside.
    pub internal: usize,
    /// Breaking ones among all of them.
    pub breaking: usize,
}

impl Counts {
    /// Counts.
    pub fn of(notes: &Notes) -> Self {
        let of = |section| notes.facts().filter(|fact| notes.section(fact) == section).count();
        Self {
            commits: notes.facts().count(),
            repositories: notes.repositories.iter().filter(|repository| !repository.facts.is_empty()).count(),
            features: of(Section::Features),
            fixes: of(Section::Fixes),
            operators: of(Section::Operators),
            other: of(Section::Other),
            internal: of(Section::Internal),
            breaking: notes.facts().filter(|fact| fact.parsed.is_breaking).count(),
        }
    }

    /// `9 commits in 3 repositories: 4 features, 2 fixes, 3 internal; 1 breaking`.
    pub fn words(self) -> String {
        let each = [
            (self.features, "feature", "features"),
            (self.fixes, "fix", "fixes"),
            (self.operators, "change for operators", "changes for operators"),
            (self.other, "other", "other"),
            (self.internal, "internal", "internal"),
        ];
        let each: Vec<String> =
            each.into_iter().filter(|(count, ..)| *count > 0).map(|(count, one, many)| counted(count, one, many)).collect();
        if each.is_empty() {
            return "no commits".to_owned();
        }
        let breaking = if self.breaking > 0 { format!("; {} breaking", self.breaking) } else { String::new() };
        let repositories = counted(self.repositories, "repository", "repositories");
        format!("{} in {repositories}: {}{breaking}", counted(self.commits, "commit", "commits"), each.join(", "))
    }
}

fn counted(count: usize, one: &str, many: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {many}") }
}

/// `v2.15.0 → v2.16.0`.
pub fn title(notes: &Notes) -> String {
    match &notes.previous {
        Some(previous) => format!("{previous} → {}", notes.tag),
        None => format!("{}, the first release", notes.tag),
    }
}

/// Title, day and counts.
pub fn headline(notes: &Notes) -> String {
    let date = notes.date.as_deref().map(|date| format!(" · {}", one_line(date, 40))).unwrap_or_default();
    format!("{}{date} · {}", title(notes), Counts::of(notes).words())
}

/// What must be known before anything else is read: that something is missing, goes back, or was not summarised.
pub fn banners(notes: &Notes) -> Vec<String> {
    let names = |is_meant: &dyn Fn(&Repository) -> bool| {
        let names: Vec<String> = notes.repositories.iter().filter(|one| is_meant(one)).map(|one| one_line(&one.name, 140)).collect();
        cut(&names.join(", "), 600)
    };
    let mut banners = Vec::new();
    if !notes.is_complete() {
        let names = names(&|one| !one.is_complete());
        banners.push(format!("Incomplete: not every commit could be read of {names}. What is missing stands under “Completeness”."));
    }
    if notes.is_rollback() {
        let names = names(&|one| matches!(one.coverage, Coverage::Rollback { .. }));
        banners.push(format!("Rollback: this release takes back commits of the one before, in {names}."));
    }
    if notes.is_hotfix() {
        let names = names(&|one| matches!(one.coverage, Coverage::Diverged { .. }));
        banners.push(format!("Hotfix: this release lacks commits of the one before, in {names}."));
    }
    banners.extend(not_summarised(notes));
    banners
}

fn not_summarised(notes: &Notes) -> Option<String> {
    let all = notes.facts().count();
    let said = |why: &str| one_line(&harmless(why), 300);
    match &notes.summary.how {
        _ if all == 0 => None,
        How::Summarised { .. } => None,
        How::Partly { why, plain, .. } => {
            Some(format!("Partly summarised: {plain} of {} stand with their own titles: {}", counted(all, "commit", "commits"), said(why)))
        }
        How::Plain { why } => Some(format!("Not summarised: {}. These are the commits' own titles.", said(why).trim_end_matches('.'))),
    }
}

/// A repository, how much of it is known, and where to look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completeness {
    /// `owner/name`.
    pub repository: String,
    /// The sentence.
    pub words: String,
    /// Everything is known.
    pub is_complete: bool,
    /// The page of all commits.
    pub url: Option<String>,
}

/// One for each repository.
pub fn completeness(notes: &Notes, links: Links<'_>) -> Vec<Completeness> {
    let one = |repository: &Repository| Completeness {
        repository: one_line(&repository.name, 140),
        words: clean(&repository.completeness()),
        is_complete: repository.is_complete(),
        url: links.repository(repository),
    };
    notes.repositories.iter().map(one).collect()
}
