//! What Slack makes of a message's texts: whom it calls, and what it links.

use serde_json::Value;

use super::Message;

/// A text that Slack formats.
struct Formatted<'a> {
    text: &'a str,
    /// Addresses become links by themselves.
    links_itself: bool,
}

impl Message {
    /// Every `<!…>`, `<@…>` and `<#…>` that is not escaped, in the text and in the formatted texts of the blocks, as it stands
    /// there. A text in plain text calls nobody.
    pub fn mentions(&self) -> Vec<String> {
        let formatted = self.formatted();
        let all = formatted.iter().flat_map(|formatted| sequences(formatted.text));
        all.filter(|inside| inside.starts_with(['!', '@', '#'])).map(|inside| format!("<{inside}>")).collect()
    }

    /// The addresses of all links in the text and in the formatted texts of the blocks: those that are written as `<http…|…>`, and
    /// the bare ones that Slack links by itself, which it does not where a text says `verbatim: true`. Buttons don't count.
    pub fn links(&self) -> Vec<String> {
        self.formatted().iter().flat_map(links).collect()
    }

    fn formatted(&self) -> Vec<Formatted<'_>> {
        let mut found = vec![Formatted { text: &self.text, links_itself: true }];
        collect(&self.blocks, &mut found);
        found
    }
}

fn collect<'a>(value: &'a Value, found: &mut Vec<Formatted<'a>>) {
    match value {
        Value::Object(members) => {
            if let (Some("mrkdwn" | "markdown"), Some(text)) = (value["type"].as_str(), value["text"].as_str()) {
                found.push(Formatted { text, links_itself: value["verbatim"] != true });
            }
            members.values().for_each(|member| collect(member, found));
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        _ => {}
    }
}

/// What stands between `<` and the next `>`, from every `<`: one within another may count, too.
fn sequences(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices('<').filter_map(|(at, _)| text[at + 1..].split_once('>').map(|(inside, _)| inside))
}

fn links(formatted: &Formatted<'_>) -> Vec<String> {
    let text = formatted.text;
    let mut found = Vec::new();
    let mut behind = 0;
    for (at, _) in text.char_indices().filter(|(at, _)| is_address(&text[*at..])) {
        // Whatever is a part of the address before it, or the words of its link, is none of its own.
        if at < behind {
            continue;
        }
        let (before, rest) = text.split_at(at);
        let written = before.ends_with('<').then(|| rest.split_once('>')).flatten();
        let (address, length) = match written {
            Some((inside, _)) => (inside.split('|').next().unwrap_or_default(), inside.len()),
            None => (bare(rest), bare(rest).len()),
        };
        behind = at + length;
        if (written.is_some() || formatted.links_itself) && !address.ends_with("://") {
            found.push(address.replace("&amp;", "&"));
        }
    }
    found
}

fn is_address(text: &str) -> bool {
    let starts = |scheme: &str| text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
    starts("http://") || starts("https://")
}

/// The address that a text begins with.
fn bare(text: &str) -> &str {
    let end = text.find(|c: char| c.is_whitespace() || "<>|\"`".contains(c)).unwrap_or(text.len());
    let escaped = ["&lt;", "&gt;"].iter().filter_map(|sign| text.find(sign)).min().unwrap_or(end);
    text[..end.min(escaped)].trim_end_matches(['.', ',', ';', ':', '!', '?', ')', ']', '}', '\'', '*', '_', '~'])
}
