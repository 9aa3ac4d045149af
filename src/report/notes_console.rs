//! Release notes for a terminal or a log: no markup, no addresses but those of whole comparisons.

use super::notes_lines::{Line, Links, banners, completeness, headline, highlights};
use crate::domain::names::Revision;
use crate::domain::notes::{Notes, Repository};

/// The notes, a text of many lines.
pub fn text(notes: &Notes, links: Links<'_>) -> String {
    let mut lines = vec![headline(notes)];
    lines.extend(banners(notes).into_iter().map(|banner| format!("! {banner}")));
    for group in highlights(notes, links) {
        lines.extend([String::new(), group.heading.to_owned()]);
        lines.extend(group.lines.iter().map(|line| format!("  • {}", told(line))));
    }
    lines.extend([String::new(), "Completeness".to_owned()]);
    for one in completeness(notes, links) {
        let url = one.url.map(|url| format!("  {url}")).unwrap_or_default();
        lines.push(format!("  {}: {}{url}", one.repository, one.words));
    }
    for repository in notes.repositories.iter().filter(|repository| !repository.facts.is_empty()) {
        lines.extend([String::new(), format!("All commits of {}", super::text::one_line(&repository.name, 140))]);
        lines.extend(repository.facts.iter().map(|fact| format!("  {}", listed(&Line::plain(fact, links)))));
    }
    lines.join("\n")
}

/// One repository in a line of the log: both commits, and how much is known.
pub fn read(repository: &Repository) -> String {
    let short = |commit: &Option<Revision>| commit.as_ref().map_or("?", Revision::short).to_owned();
    let (base, head) = (short(&repository.base), short(&repository.head));
    format!("  {}  {base} → {head}  {}", super::text::one_line(&repository.name, 140), repository.completeness())
}

fn told(line: &Line) -> String {
    let mark = if line.is_breaking { "breaking: " } else { "" };
    let number = line.pull.as_ref().map(|(number, _)| format!("#{number}"));
    let about = [Some(line.service.clone()), number, Some(line.commit.clone()), line.author.clone()];
    format!("{mark}{} ({})", line.text, about.into_iter().flatten().collect::<Vec<_>>().join(", "))
}

fn listed(line: &Line) -> String {
    let mark = if line.is_breaking { "breaking: " } else { "" };
    let number = line.pull.as_ref().map(|(number, _)| format!(" (#{number})")).unwrap_or_default();
    let author = line.author.as_ref().map(|author| format!(", {author}")).unwrap_or_default();
    format!("{} {mark}{}{number}{author}", line.commit, line.text)
}
