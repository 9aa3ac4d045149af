//! Release notes in Slack: a short message, and the details in its thread.

use super::blocks::{Block, Line, Message, sections};
use super::notes_lines::{Counts, Group, Line as Told, Links, banners, completeness, highlights, title};
use super::text::one_line;
use crate::domain::notes::Notes;

/// Lines of one heading in the short message.
const SHORT: usize = 4;
/// Messages in the thread; the whole list stands in the GitHub Release.
const MOST_PAGES: usize = 8;

/// The message, and what stands in its thread.
pub fn messages(notes: &Notes, links: Links<'_>, release_url: Option<&str>) -> (Message, Vec<Message>) {
    let groups = highlights(notes, links);
    (short(notes, &groups, release_url), details(notes, &groups, links, release_url))
}

fn short(notes: &Notes, groups: &[Group], release_url: Option<&str>) -> Message {
    let headline = format!("🚀 {} is in production", notes.tag);
    let headline = if notes.tag.environment() == Ok("prod") { headline } else { format!("🚀 {}", notes.tag) };
    let mut small = vec![Line::text(title(notes)), Line::text(Counts::of(notes).words())];
    small.extend(release_url.map(|url| Line::link(url, "release notes")));
    let mut blocks = vec![Block::Header(headline.clone()), Block::Context(vec![Line::join(small, " · ")])];
    blocks.extend(banners(notes).into_iter().map(|banner| Block::Context(vec![Line::text(format!("⚠️ {}", one_line(&banner, 280)))])));
    for group in groups {
        let mut lines = vec![Line::bold(group.heading)];
        lines.extend(group.lines.iter().take(SHORT).map(line));
        if group.lines.len() > SHORT {
            lines.push(Line::text(format!("… and {} more", group.lines.len() - SHORT)));
        }
        blocks.extend(sections(lines));
    }
    blocks.push(Block::Context(vec![Line::text("everything else in the thread")]));
    Message::new(headline, blocks)
}

fn details(notes: &Notes, groups: &[Group], links: Links<'_>, release_url: Option<&str>) -> Vec<Message> {
    let mut lines = Vec::new();
    for group in groups.iter().filter(|group| group.lines.len() > SHORT) {
        lines.push(Line::bold(group.heading));
        lines.extend(group.lines.iter().map(line));
    }
    lines.push(Line::bold("Completeness"));
    for one in completeness(notes, links) {
        let mark = if one.is_complete { "" } else { "⚠️ " };
        let line = Line::text(format!("• {mark}{}: {}", one.repository, one_line(&one.words, 500)));
        lines.push(match &one.url {
            Some(url) => line.say("  ").then(Line::link(url, "compare")),
            None => line,
        });
    }
    let mut pages = Message::new(format!("{}: details", notes.tag), sections(lines)).pages();
    if pages.len() > MOST_PAGES {
        let more = pages.len() - MOST_PAGES;
        pages.truncate(MOST_PAGES);
        let rest = Line::text(format!("… and {more} more pages: "));
        let rest = rest.then(release_url.map_or_else(|| Line::text("see the GitHub Release"), |url| Line::link(url, "the whole list")));
        pages.push(Message::new(format!("{}: more", notes.tag), vec![Block::Section(rest)]));
    }
    pages
}

/// A change: what, where, and by whom.
fn line(told: &Told) -> Line {
    let mark = if told.is_breaking { Line::bold("Breaking:").say(" ") } else { Line::default() };
    let line = Line::text("• ").then(mark).say(format!("{} ({}", one_line(&told.text, 400), told.service));
    let line = match &told.pull {
        Some((number, Some(url))) => line.say(" · ").then(Line::link(url, format!("#{number}"))),
        Some((number, None)) => line.say(format!(" · #{number}")),
        None => match &told.commit_url {
            Some(url) => line.say(" · ").then(Line::link(url, told.commit.clone())),
            None => line,
        },
    };
    line.say(told.author.as_ref().map(|author| format!(" · {author})")).unwrap_or_else(|| ")".to_owned()))
}
