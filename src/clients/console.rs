//! The only place that writes to stdout and stderr: masks secrets, and lets no text from outside become a command.

use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, RwLock};

use crate::report::commands::{Annotation, add_mask, data};
use crate::report::text::defuse;
use crate::report::{html, summary};

/// Shorter texts would cut holes into ordinary words.
const SHORTEST_SECRET: usize = 6;

/// Everything that must not be seen.
#[derive(Clone, Default)]
pub struct Masks {
    secrets: Arc<RwLock<Vec<String>>>,
    announces: bool,
    /// A machine reads stdout, and wants the answer alone there.
    is_beside: bool,
}

impl std::fmt::Debug for Masks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Masks")
    }
}

impl Masks {
    /// Under GitHub Actions the runner is told too, so that later steps are covered.
    pub fn new(is_github_actions: bool) -> Self {
        Self { secrets: Arc::default(), announces: is_github_actions, is_beside: false }
    }

    /// Everything but the answer goes to stderr, where the runner reads commands, too.
    #[must_use]
    pub fn beside(self) -> Self {
        Self { is_beside: true, ..self }
    }

    /// Hides a value from now on.
    pub fn add(&self, secret: &str) {
        if secret.len() < SHORTEST_SECRET {
            return;
        }
        let Ok(mut secrets) = self.secrets.write() else { return };
        if secrets.iter().any(|known| known == secret) {
            return;
        }
        // Each line of it, as the runner does; and as it looks where it was escaped before it is written.
        for part in std::iter::once(secret).chain(secret.lines()).filter(|part| part.len() >= SHORTEST_SECRET) {
            let json = serde_json::Value::from(part).to_string();
            let escaped = [summary::escape(part), html::escape(part), json.trim_matches('"').to_owned(), data(part)];
            secrets.extend(std::iter::once(part.to_owned()).chain(escaped));
        }
        secrets.sort_unstable();
        secrets.dedup();
        // One that begins another must not leave the other's end behind.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        if self.announces {
            add_mask(secret).iter().for_each(|command| self.write(command));
        }
    }

    fn write(&self, text: &str) {
        if self.is_beside {
            let _ = writeln!(io::stderr().lock(), "{text}");
        } else {
            raw(text);
        }
    }

    /// The text without secrets.
    pub fn hide(&self, text: &str) -> String {
        let Ok(secrets) = self.secrets.read() else { return String::new() };
        secrets.iter().fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), "***"))
    }
}

/// Where people read.
#[derive(Clone, Debug)]
pub struct Console {
    masks: Masks,
    is_github_actions: bool,
}

impl Console {
    /// The console of this process.
    pub fn new(masks: Masks, is_github_actions: bool) -> Self {
        Self { masks, is_github_actions }
    }

    /// Prints text; whatever it holds, it stays text.
    pub fn line(&self, text: &str) {
        self.masks.write(&defuse(&self.masks.hide(text)));
    }

    /// Prints what was asked for, to stdout whoever reads.
    pub fn answer(&self, text: &str) {
        raw(&defuse(&self.masks.hide(text)));
    }

    /// The text without secrets, for files.
    pub fn hide(&self, text: &str) -> String {
        self.masks.hide(text)
    }

    /// Annotates the run; elsewhere the same words stand in the log.
    pub fn annotate(&self, annotation: &Annotation) {
        if self.is_github_actions {
            self.masks.write(&self.masks.hide(&annotation.command()));
        }
    }

    /// A fold of the log.
    pub fn group(&self, title: &str, lines: &[String]) {
        self.open_group(title);
        lines.iter().for_each(|line| self.line(line));
        self.close_group();
    }

    /// Opens a fold of the log; they don't nest.
    pub fn open_group(&self, title: &str) {
        if self.is_github_actions {
            self.masks.write(&format!("::group::{}", defuse(&self.masks.hide(title)).replace('\n', " ")));
        } else {
            self.line(title);
        }
    }

    /// Closes it.
    pub fn close_group(&self) {
        if self.is_github_actions {
            self.masks.write("::endgroup::");
        }
    }

    /// A person watches, and the lines may be drawn over: never in a workflow, where act pretends to be a terminal.
    pub fn is_live(&self) -> bool {
        !self.is_github_actions && io::stdout().is_terminal()
    }

    /// Draws lines over the `over` lines drawn before; cut to the terminal's width, because a wrapped line can't be drawn over.
    pub fn redraw(&self, lines: &[String], over: usize) {
        let width = terminal_size::terminal_size().map_or(120, |(width, _)| usize::from(width.0));
        let up = if over > 0 { format!("\x1b[{over}A\x1b[J") } else { String::new() };
        let text: Vec<String> = lines.iter().map(|line| crate::report::text::cut(&defuse(&self.masks.hide(line)), width)).collect();
        raw(&format!("{up}{}", text.join("\n")));
    }

    /// How many lines can be drawn over.
    pub fn height(&self) -> usize {
        terminal_size::terminal_size().map_or(24, |(_, height)| usize::from(height.0))
    }
}

/// A closed pipe is no reason to stop a deployment.
fn raw(text: &str) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// Where tracing writes: stderr, with the same care, because the runner reads commands there too.
#[derive(Clone)]
pub struct LogWriter(pub Masks);

impl Write for LogWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = defuse(&self.0.hide(&String::from_utf8_lossy(bytes)));
        io::stderr().write_all(text.as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}
