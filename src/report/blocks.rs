//! Slack's Block Kit (<https://docs.slack.dev/reference/block-kit/blocks>): the one model of a message, and the one place that
//! knows Slack's limits. Text from outside stays text: it is escaped here and nowhere else.

use serde_json::{Value, json};

use super::text::{clean, cut};

/// The longest text of a section, in characters.
const SECTION: usize = 3000;
/// The longest header.
const HEADER: usize = 150;
/// The most blocks of a message.
const MOST_BLOCKS: usize = 50;
/// All texts of a message: Slack refuses near 10,000, undocumented.
const BUDGET: usize = 9000;
/// The most elements of a context, and the longest of them that we write.
const MOST_ELEMENTS: usize = 10;
const ELEMENT: usize = 300;
/// The text that stands for the blocks in notifications.
const TEXT: usize = 1000;
/// The longest link.
const URL: usize = 3000;

/// A piece of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Bold(String),
    Code(String),
    Link {
        url: String,
        label: String,
    },
    /// A member's id.
    Mention(String),
}

/// A line, or several: pieces that are escaped when they are written, and cut between characters, never within an escape.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line(Vec<Piece>);

impl Line {
    /// Text from wherever.
    pub fn text(text: impl Into<String>) -> Self {
        Self(vec![Piece::Text(text.into())])
    }

    /// The same in bold.
    pub fn bold(text: impl Into<String>) -> Self {
        Self(vec![Piece::Bold(text.into())])
    }

    /// Lines of a log.
    pub fn code(text: impl Into<String>) -> Self {
        Self(vec![Piece::Code(text.into())])
    }

    /// A link; only the label where the address is none.
    pub fn link(url: &str, label: impl Into<String>) -> Self {
        let is_url = (url.starts_with("https://") || url.starts_with("http://")) && url.len() < URL;
        let is_plain = !url.contains(|c: char| c.is_whitespace() || c.is_control() || matches!(c, '<' | '>' | '|'));
        let label = label.into();
        Self(vec![if is_url && is_plain { Piece::Link { url: url.to_owned(), label } } else { Piece::Text(label) }])
    }

    /// A person, by the member id in Slack; by name where there is none.
    pub fn person(member: Option<&str>, name: &str) -> Self {
        let is_id = |id: &&str| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
        Self(vec![match member.filter(is_id) {
            Some(id) => Piece::Mention(id.to_owned()),
            None => Piece::Text(name.to_owned()),
        }])
    }

    /// This, then that.
    #[must_use]
    pub fn then(mut self, next: Self) -> Self {
        self.0.extend(next.0);
        self
    }

    /// This, then text.
    #[must_use]
    pub fn say(self, text: impl Into<String>) -> Self {
        self.then(Self::text(text))
    }

    /// Lines with something between them.
    pub fn join(lines: impl IntoIterator<Item = Self>, between: &str) -> Self {
        let mut whole = Self::default();
        for (at, line) in lines.into_iter().enumerate() {
            whole = if at == 0 { line } else { whole.say(between).then(line) };
        }
        whole
    }

    /// Nothing to see of it where there is so much room; Slack refuses empty texts.
    fn is_blank(&self, most: usize) -> bool {
        self.mrkdwn(most).trim().is_empty()
    }

    /// Slack's mrkdwn, of at most so many characters; what does not fit is left out, with an ellipsis.
    fn mrkdwn(&self, most: usize) -> String {
        let mut written = String::new();
        let mut left = most;
        for piece in &self.0 {
            let text = piece.mrkdwn(left);
            left = left.saturating_sub(text.chars().count());
            written.push_str(&text);
        }
        written
    }

    /// Its characters, as Slack will count them.
    pub fn length(&self) -> usize {
        self.mrkdwn(usize::MAX).chars().count()
    }

    /// As a person without Slack would read it.
    fn plain(&self) -> String {
        let one = |piece: &Piece| match piece {
            Piece::Text(text) => clean(text),
            Piece::Bold(text) => format!("*{}*", clean(text)),
            Piece::Code(text) => clean(text).lines().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n"),
            Piece::Link { url, label } => format!("{} ({url})", clean(label)),
            Piece::Mention(id) => format!("@{id}"),
        };
        self.0.iter().map(one).collect()
    }

    fn map(self, change: &impl Fn(&str) -> String) -> Self {
        let one = |piece: Piece| match piece {
            Piece::Text(text) => Piece::Text(change(&text)),
            Piece::Bold(text) => Piece::Bold(change(&text)),
            Piece::Code(text) => Piece::Code(change(&text)),
            Piece::Link { url, label } => Piece::Link { url: change(&url), label: change(&label) },
            Piece::Mention(id) => Piece::Mention(id),
        };
        Self(self.0.into_iter().map(one).collect())
    }
}

impl Piece {
    fn mrkdwn(&self, most: usize) -> String {
        match self {
            // Three backticks would make code of everything up to the next three.
            Self::Text(text) => fitted(&text.replace("```", "'''"), most),
            Self::Bold(text) => wrapped("*", &text.replace('*', "∗"), "*", most),
            // Three backticks of its own would end the block.
            Self::Code(text) => wrapped("```\n", &text.replace("```", "'''"), "\n```", most),
            Self::Link { url, label } => wrapped(&format!("<{}|", escape(url)), &label.replace('|', "¦"), ">", most),
            Self::Mention(id) => Some(format!("<@{id}>")).filter(|text| text.len() <= most).unwrap_or_default(),
        }
    }
}

/// The text between two marks, or nothing where not even they fit.
fn wrapped(before: &str, text: &str, after: &str, most: usize) -> String {
    let marks = before.chars().count() + after.chars().count();
    let inner = if most > marks { fitted(text, most - marks) } else { String::new() };
    if inner.trim().is_empty() { String::new() } else { format!("{before}{inner}{after}") }
}

/// Escaped text of at most so many characters.
fn fitted(text: &str, most: usize) -> String {
    let text = clean(text);
    let mut written = String::with_capacity(text.len());
    // Where to cut, so that the ellipsis has its place too.
    let (mut length, mut end) = (0_usize, 0);
    for c in text.chars() {
        let one = match c {
            '&' => "&amp;",
            '<' => "&lt;",
            '>' => "&gt;",
            _ => "",
        };
        length += one.len().max(1);
        if length > most {
            written.truncate(end);
            return if most == 0 { String::new() } else { written + "…" };
        }
        if one.is_empty() {
            written.push(c)
        } else {
            written.push_str(one)
        }
        end = if length < most { written.len() } else { end };
    }
    written
}

/// Slack's three characters, the ampersand first: text from outside never becomes `<!channel>` or `<@someone>`.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// A block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Block {
    /// Large, plain text.
    Header(String),
    /// A paragraph.
    Section(Line),
    /// Small print.
    Context(Vec<Line>),
    /// A line across.
    Divider,
}

impl Block {
    fn is_blank(&self) -> bool {
        match self {
            Self::Header(text) => clean(text).trim().is_empty(),
            Self::Section(line) => line.is_blank(SECTION),
            Self::Context(lines) => lines.iter().all(|line| line.is_blank(ELEMENT)),
            Self::Divider => false,
        }
    }

    /// The characters of its texts, as Slack will count them.
    fn length(&self) -> usize {
        let count = |object: &Value| object["text"].as_str().map_or(0, |text| text.chars().count());
        let block = self.json();
        count(&block["text"]) + block["elements"].as_array().into_iter().flatten().map(count).sum::<usize>()
    }

    fn json(&self) -> Value {
        // Verbatim: no address and no name in it becomes a link by itself.
        let mrkdwn = |line: &Line, most: usize| json!({"type": "mrkdwn", "text": line.mrkdwn(most), "verbatim": true});
        match self {
            Self::Header(text) => {
                let text = cut(clean(text).replace('\n', " ").trim(), HEADER);
                json!({"type": "header", "text": {"type": "plain_text", "text": text, "emoji": true}})
            }
            Self::Section(line) => json!({"type": "section", "text": mrkdwn(line, SECTION)}),
            Self::Context(lines) => {
                let shown = lines.iter().filter(|line| !line.is_blank(ELEMENT)).take(MOST_ELEMENTS);
                json!({"type": "context", "elements": shown.map(|line| mrkdwn(line, ELEMENT)).collect::<Vec<_>>()})
            }
            Self::Divider => json!({"type": "divider"}),
        }
    }

    fn plain(&self) -> String {
        match self {
            Self::Header(text) => format!("# {}", clean(text)),
            Self::Section(line) => line.plain(),
            Self::Context(lines) => lines.iter().map(Line::plain).collect::<Vec<_>>().join(" · "),
            Self::Divider => "---".to_owned(),
        }
    }
}

/// Lines in as few sections as they need.
pub fn sections(lines: impl IntoIterator<Item = Line>) -> Vec<Block> {
    let mut sections: Vec<(usize, Line)> = Vec::new();
    for line in lines {
        let length = line.length();
        match sections.last_mut() {
            Some((used, section)) if *used + 1 + length <= SECTION => {
                *used += 1 + length;
                *section = std::mem::take(section).say("\n").then(line);
            }
            _ => sections.push((length, line)),
        }
    }
    sections.into_iter().map(|(_, section)| Block::Section(section)).collect()
}

/// A message: short text for notifications, blocks for eyes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    text: String,
    blocks: Vec<Block>,
    /// Behind the text, where there are no blocks.
    link: Option<String>,
}

impl Message {
    /// A message of any length.
    pub fn new(text: impl Into<String>, blocks: Vec<Block>) -> Self {
        Self { text: text.into(), blocks, link: None }
    }

    /// Only text: for the day on which Slack refuses the blocks.
    pub fn without_blocks(&self, link: Option<&str>) -> Self {
        Self { text: self.text.clone(), blocks: Vec::new(), link: link.map(str::to_owned) }
    }

    /// The same with every text changed, before anything is escaped.
    pub fn map(self, change: impl Fn(&str) -> String) -> Self {
        let one = |block: Block| match block {
            Block::Header(text) => Block::Header(change(&text)),
            Block::Section(line) => Block::Section(line.map(&change)),
            Block::Context(lines) => Block::Context(lines.into_iter().map(|line| line.map(&change)).collect()),
            Block::Divider => Block::Divider,
        };
        Self { text: change(&self.text), blocks: self.blocks.into_iter().map(one).collect(), ..self }
    }

    /// As many messages as Slack's limits ask for; the first bears the text, the others say that they go on.
    pub fn pages(self) -> Vec<Self> {
        let mut pages: Vec<Vec<Block>> = vec![Vec::new()];
        let mut used = 0;
        for block in self.blocks.into_iter().filter(|block| !block.is_blank()) {
            let length = block.length();
            let is_full = pages.last().is_some_and(|page| page.len() >= MOST_BLOCKS || (used + length > BUDGET && !page.is_empty()));
            if is_full {
                pages.push(Vec::new());
                used = 0;
            }
            used += length;
            if let Some(page) = pages.last_mut() {
                page.push(block);
            }
        }
        let text = |at: usize| if at == 0 { self.text.clone() } else { format!("{} (continued)", self.text) };
        pages.into_iter().enumerate().map(|(at, blocks)| Self { text: text(at), blocks, link: self.link.clone() }).collect()
    }

    /// Short, for notifications; within Slack's limits.
    pub fn text(&self) -> String {
        let text = fitted(self.text.trim(), TEXT);
        let text = if text.trim().is_empty() { "…".to_owned() } else { text };
        let link = self.link.as_ref().map(|url| format!(" {}", Line::link(url, "log").mrkdwn(TEXT))).unwrap_or_default();
        text + &link
    }

    /// The blocks, within Slack's limits: what is too much for one message is left out. `pages` loses nothing.
    pub fn blocks(&self) -> Vec<Value> {
        let first = self.clone().pages().into_iter().next().map(|page| page.blocks).unwrap_or_default();
        first.iter().map(Block::json).collect()
    }

    /// As a person without Slack would read it.
    pub fn plain(&self) -> String {
        self.blocks.iter().filter(|block| !block.is_blank()).map(Block::plain).collect::<Vec<_>>().join("\n\n")
    }
}

#[cfg(test)]
#[path = "blocks_tests.rs"]
mod tests;
