//! Release notes as the body of a GitHub release. What a person wrote around them stays.

use super::markdown::{escape, escape_item};
use super::notes_lines::{Completeness, Group, Line, Links, banners, completeness, headline, highlights};
use crate::domain::notes::{Fact, Notes, Repository};

/// GitHub refuses a longer body (<https://docs.github.com/en/rest/releases/releases#create-a-release>, 422 `too_long`), in characters.
pub const LONGEST: usize = 125_000;
/// Where our part begins.
pub const BEGIN: &str = "<!-- escher-deploy:begin -->";
/// Where it ends.
pub const END: &str = "<!-- escher-deploy:end -->";
/// A notice of what was cut has room in so many characters.
const NOTICE: usize = 500;

/// The body; at most [`LONGEST`] characters.
pub fn body(notes: &Notes, links: Links<'_>) -> String {
    fitted(notes, links, LONGEST)
}

/// The body that replaces `existing`: our part anew, around it what a person wrote. Ours gives way where both don't fit; theirs is
/// never cut.
pub fn updated(existing: &str, notes: &Notes, links: Links<'_>) -> String {
    // Two for the empty line between them.
    let theirs = length(&merge_body(existing, "")) + 2;
    merge_body(existing, &fitted(notes, links, LONGEST.saturating_sub(theirs)))
}

/// `existing` with `ours` in the place of our part; behind it where there is none. `ours` bears the marks.
pub fn merge_body(existing: &str, ours: &str) -> String {
    // From the end: a mark that somebody left without its other half must not take their text with it.
    let end = existing.rfind(END);
    let part = end.and_then(|end| Some((existing[..end].rfind(BEGIN)?, end + END.len())));
    match part {
        Some((begin, end)) => format!("{}{ours}{}", &existing[..begin], &existing[end..]),
        None if ours.is_empty() => existing.to_owned(),
        None if existing.trim().is_empty() => ours.to_owned(),
        None => format!("{}\n\n{ours}", existing.trim_end()),
    }
}

fn length(text: &str) -> usize {
    text.chars().count()
}

/// At most `most` characters, cut where a section or a line of it ends, and each cut says how much is missing. Too little room for
/// anything: nothing.
fn fitted(notes: &Notes, links: Links<'_>, most: usize) -> String {
    let mut parts = vec![BEGIN.to_owned(), format!("**{}**", escape(&headline(notes)))];
    parts.extend(banners(notes).iter().map(|banner| format!("> [!WARNING]\n> {}", escape(banner))));
    let fixed = length(&joined(&parts)) + END.len() + NOTICE;
    let Some(room) = most.checked_sub(fixed) else { return String::new() };
    // The list of all commits must not be pushed out by what stands above it, nor these by it.
    let known = joined(&fit(&[known(&completeness(notes, links))], room / 4));
    let room = room - length(&known);
    let told: Vec<Part> = highlights(notes, links).iter().map(told).collect();
    let told = joined(&fit(&told, room / 2));
    let room = room - length(&told);
    parts.extend([told, known]);
    parts.extend(all(notes, links, room));
    parts.push(END.to_owned());
    joined(&parts)
}

fn joined(parts: &[String]) -> String {
    parts.iter().filter(|part| !part.is_empty()).map(String::as_str).collect::<Vec<_>>().join("\n\n")
}

/// A section before it is known how much of it has room.
struct Part {
    heading: String,
    lines: Vec<String>,
    /// What is said after "and 12 more".
    more: &'static str,
    /// Where they are.
    link: String,
}

impl Part {
    /// In characters, with the empty line behind it.
    fn need(&self) -> usize {
        length(&self.heading) + 4 + self.lines.iter().map(|line| length(line) + 1).sum::<usize>()
    }

    /// As many lines as there is room for; nothing where not even a notice of what is missing has room.
    fn fit(&self, room: usize) -> String {
        if self.lines.is_empty() {
            return String::new();
        }
        if self.need() <= room {
            return format!("{}\n\n{}", self.heading, self.lines.join("\n"));
        }
        let Some(mut left) = room.checked_sub(length(&self.heading) + 4 + NOTICE) else { return String::new() };
        let has_room = |line: &&String| match left.checked_sub(length(line) + 1) {
            Some(rest) => {
                left = rest;
                true
            }
            None => false,
        };
        let mut kept: Vec<String> = self.lines.iter().take_while(has_room).cloned().collect();
        kept.push(format!("- _… and {} more{}_{}", self.lines.len() - kept.len(), self.more, self.link));
        format!("{}\n\n{}", self.heading, kept.join("\n"))
    }
}

/// Each part gets what it needs, or an equal share of what those that need less leave over.
fn fit(parts: &[Part], room: usize) -> Vec<String> {
    let mut order: Vec<usize> = (0..parts.len()).collect();
    order.sort_by_key(|at| parts[*at].need());
    let mut left = room;
    let mut fitted = vec![String::new(); parts.len()];
    for (done, at) in order.into_iter().enumerate() {
        let share = left / (parts.len() - done);
        left -= share.min(parts[at].need());
        fitted[at] = parts[at].fit(share);
    }
    fitted
}

fn told(group: &Group) -> Part {
    Part {
        heading: format!("## {}", group.heading),
        lines: group.lines.iter().map(told_line).collect(),
        more: ", under “All commits”",
        link: String::new(),
    }
}

fn known(repositories: &[Completeness]) -> Part {
    let line = |one: &Completeness| {
        let word = |url: &str| if url.contains("/compare/") { "compare" } else { "commits" };
        let link = one.url.as_ref().map(|url| format!(" · [{}]({url})", word(url))).unwrap_or_default();
        let mark = if one.is_complete { "" } else { "⚠️ " };
        format!("- {mark}**{}**: {}{link}", escape(&one.repository), escape(&one.words))
    };
    Part {
        heading: "## Completeness".to_owned(),
        lines: repositories.iter().map(line).collect(),
        more: " repositories, which GitHub's limit leaves no room for",
        link: String::new(),
    }
}

fn all(notes: &Notes, links: Links<'_>, room: usize) -> Vec<String> {
    let with: Vec<&Repository> = notes.repositories.iter().filter(|one| !one.facts.is_empty()).collect();
    if with.is_empty() {
        return Vec::new();
    }
    let part = |repository: &&Repository| Part {
        heading: format!("### {}", escape(&repository.name)),
        lines: repository.facts.iter().map(|fact| listed_line(fact, links)).collect(),
        more: " commits, which GitHub's limit leaves no room for",
        link: links.repository(repository).map(|url| format!(": [all of them]({url})")).unwrap_or_default(),
    };
    let fitted = fit(&with.iter().map(part).collect::<Vec<_>>(), room);
    let untold: Vec<usize> =
        fitted.iter().zip(&with).filter(|(text, _)| text.is_empty()).map(|(_, repository)| repository.facts.len()).collect();
    let mut parts = vec!["## All commits".to_owned()];
    parts.extend(fitted);
    if !untold.is_empty() {
        let commits: usize = untold.iter().sum();
        parts
            .push(format!("_… and {commits} more commits of {} more repositories, which GitHub's limit leaves no room for_", untold.len()));
    }
    parts
}

fn told_line(line: &Line) -> String {
    let mark = if line.is_breaking { "**Breaking:** " } else { "" };
    let text = if mark.is_empty() { escape_item(&line.text) } else { escape(&line.text) };
    let mut about = vec![escape(&line.service)];
    about.extend(pull(line));
    about.push(commit(line));
    about.extend(line.author.as_deref().map(escape));
    format!("- {mark}{text} ({})", about.join(" · "))
}

fn listed_line(fact: &Fact, links: Links<'_>) -> String {
    let line = Line::plain(fact, links);
    let mark = if line.is_breaking { " **breaking**" } else { "" };
    let about: Vec<String> = pull(&line).into_iter().chain(line.author.as_deref().map(escape)).collect();
    let about = if about.is_empty() { String::new() } else { format!(" ({})", about.join(" · ")) };
    format!("- {}{mark} {}{about}", commit(&line), escape(&line.text))
}

fn pull(line: &Line) -> Option<String> {
    line.pull.as_ref().map(|(number, url)| match url {
        Some(url) => format!("[#{number}]({url})"),
        None => escape(&format!("#{number}")),
    })
}

fn commit(line: &Line) -> String {
    // No code span: in one, nothing can be escaped.
    let short = escape(&line.commit);
    line.commit_url.as_ref().map_or_else(|| short.clone(), |url| format!("[{short}]({url})"))
}

#[cfg(test)]
#[path = "notes_tests.rs"]
mod tests;
