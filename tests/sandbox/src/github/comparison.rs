//! `GET /repos/{owner}/{repo}/compare/{base}...{head}`.

use serde_json::{Value, json};

use super::{ListedCommit, commit};
use crate::ecr::{digest, made_up};

/// As many commits as GitHub lists when nobody asks for pages.
const UNPAGED: usize = 250;
/// As many files as GitHub lists, whoever asks.
const MOST_FILES: usize = 300;

/// How a head lies to a base.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// `ahead`, `behind`, `identical` or `diverged`.
    pub status: String,
    /// How many commits the head has that the base lacks.
    pub commits: u32,
    /// What these commits change.
    pub files: Vec<ChangedFile>,
    /// The commits, oldest first, where their messages matter; else they are made up.
    pub listed: Vec<ListedCommit>,
    /// How many commits the base has that the head lacks; by the status where it is not said.
    pub lacking: Option<u32>,
}

/// A file that a comparison shows.
#[derive(Debug, Clone, PartialEq)]
pub struct ChangedFile {
    /// Its path.
    pub filename: String,
    /// What it was called before: then its status is `renamed`, else `modified`.
    pub previous_filename: Option<String>,
}

impl ChangedFile {
    /// A file that got another name.
    pub fn renamed(from: &str, to: &str) -> ChangedFile {
        ChangedFile { filename: to.to_owned(), previous_filename: Some(from.to_owned()) }
    }
}

impl From<&str> for ChangedFile {
    fn from(filename: &str) -> ChangedFile {
        ChangedFile { filename: filename.to_owned(), previous_filename: None }
    }
}

/// By its status alone: one commit that changes `src/main.rs` where there is one.
impl From<&str> for Comparison {
    fn from(status: &str) -> Comparison {
        match status {
            "ahead" | "diverged" => Comparison::new(status, 1, &["src/main.rs"]),
            _ => Comparison::new(status, 0, &[]),
        }
    }
}

impl From<String> for Comparison {
    fn from(status: String) -> Comparison {
        status.as_str().into()
    }
}

impl Comparison {
    /// A comparison with modified files.
    pub fn new(status: &str, commits: u32, files: &[&str]) -> Comparison {
        let files = files.iter().map(|file| ChangedFile::from(*file)).collect();
        Comparison { status: status.to_owned(), commits, files, listed: Vec::new(), lacking: None }
    }

    /// The head is ahead by commits with these messages; their ids are made from a name.
    pub fn of_messages<T: AsRef<str>>(name: &str, messages: &[T]) -> Comparison {
        let listed = messages.iter().enumerate().map(|(at, message)| ListedCommit::new(name, at, message.as_ref()));
        let listed: Vec<ListedCommit> = listed.collect();
        Comparison { listed, ..Comparison::ahead(messages.len() as u32, &["src/main.rs"]) }
    }

    /// The head is so many commits ahead, which modify these files.
    pub fn ahead(commits: u32, files: &[&str]) -> Comparison {
        Comparison::new("ahead", commits, files)
    }

    /// Each has commits that the other lacks; the head's modify these files.
    pub fn diverged(commits: u32, files: &[&str]) -> Comparison {
        Comparison::new("diverged", commits, files)
    }

    /// The same with a file that got another name.
    pub fn renamed(mut self, from: &str, to: &str) -> Comparison {
        self.files.push(ChangedFile::renamed(from, to));
        self
    }

    /// As GitHub shows it: `query` chooses the page of commits; files are on the first page only, and never more than 300.
    pub(crate) fn wire(&self, repository: &str, (base, head): (&str, &str), query: &Value) -> Value {
        let number = |key: &str| query[key].as_str().and_then(|text| text.parse::<usize>().ok());
        let paged = query.get("per_page").is_some() || query.get("page").is_some();
        let size = if paged { number("per_page").unwrap_or(30).clamp(1, 100) } else { UNPAGED };
        let page = number("page").unwrap_or(1).max(1);
        let tree = |sha: &str| made_up("tree", "of-commit", sha);
        let show = |sha: &str| commit::wire(repository, sha, &tree(sha));
        let all: Vec<Value> = if self.listed.is_empty() {
            self.shas(repository, base, head).iter().map(|sha| show(sha)).collect()
        } else {
            self.listed.iter().map(|listed| listed.wire(repository)).collect()
        };
        let commits: Vec<Value> = all.into_iter().skip((page - 1) * size).take(size).collect();
        let files = self.files.iter().take(if page == 1 { MOST_FILES } else { 0 });
        let files: Vec<Value> = files.map(|file| file.wire(repository, head)).collect();
        let behind = self.lacking.unwrap_or_else(|| u32::from(matches!(self.status.as_str(), "behind" | "diverged")));
        let (range, web) = (format!("{base}...{head}"), format!("https://github.com/{repository}/compare"));
        json!({
            "url": format!("https://api.github.com/repos/{repository}/compare/{range}"),
            "html_url": format!("{web}/{range}"),
            "permalink_url": format!("{web}/{range}"),
            "diff_url": format!("{web}/{range}.diff"),
            "patch_url": format!("{web}/{range}.patch"),
            "base_commit": show(base),
            "merge_base_commit": show(if self.status == "behind" { head } else { base }),
            "status": self.status,
            "ahead_by": self.commits,
            "behind_by": behind,
            "total_commits": self.commits,
            "commits": commits,
            "files": files
        })
    }

    /// The commits, oldest first; the last is the head itself.
    fn shas(&self, repository: &str, base: &str, head: &str) -> Vec<String> {
        let sha = |at: u32| match at + 1 == self.commits {
            true => head.to_owned(),
            false => made_up("compared", repository, &format!("{base}...{head}:{at}")),
        };
        (0..self.commits).map(sha).collect()
    }
}

impl ChangedFile {
    fn wire(&self, repository: &str, head: &str) -> Value {
        let (name, web) = (&self.filename, format!("https://github.com/{repository}"));
        let renamed = self.previous_filename.as_deref();
        let (status, lines) = if renamed.is_some() { ("renamed", 0) } else { ("modified", 1) };
        let mut wire = json!({
            "sha": made_up("blob", repository, &digest(format!("{head}:{name}").as_bytes())),
            "filename": name,
            "status": status,
            "additions": lines,
            "deletions": lines,
            "changes": 2 * lines,
            "blob_url": format!("{web}/blob/{head}/{name}"),
            "raw_url": format!("{web}/raw/{head}/{name}"),
            "contents_url": format!("https://api.github.com/repos/{repository}/contents/{name}?ref={head}")
        });
        if let Some(previous) = renamed {
            wire["previous_filename"] = json!(previous);
        }
        wire
    }
}
