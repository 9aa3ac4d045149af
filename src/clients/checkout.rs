//! The checkout that a job works in: which commit it is of.

use std::ffi::OsString;
use std::path::Path;

use tokio::sync::watch;

use super::process::{self, Ended, Program};
use crate::domain::names::Revision;

/// A folder with a repository at a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkout {
    /// The commit.
    pub head: Revision,
    /// Its tree.
    pub tree: String,
    /// Files that git knows differ from it.
    pub is_changed: bool,
}

/// Reads the checkout in a folder; none where there is none, or no git.
pub async fn read(folder: &Path, hidden: &[String]) -> Option<Checkout> {
    let commit = git(folder, hidden, &["rev-parse", "HEAD^{commit}", "HEAD^{tree}"]).await?;
    let changed = git(folder, hidden, &["status", "--porcelain", "--untracked-files=no"]).await?;
    match commit.as_slice() {
        [head, tree] => Some(Checkout { head: head.as_str().into(), tree: tree.clone(), is_changed: !changed.is_empty() }),
        _ => None,
    }
}

/// Puts the files of a commit into a folder of their own: what earlier steps changed or left in the checkout is not among them,
/// and neither is `.git`, where `actions/checkout` keeps the job's token.
pub async fn export(folder: &Path, commit: &Revision, to: &Path, hidden: &[String]) -> bool {
    let to_text = to.display().to_string();
    let added = git(folder, hidden, &["worktree", "add", "--quiet", "--detach", "--force", &to_text, commit.as_str()]).await;
    // Without its link the worktree is a folder like any other, and git forgets it.
    // Submodules are not brought along: BuildKit fetches them by itself.
    let is_whole = !to.join(".gitmodules").exists();
    let is_there = added.is_some() && std::fs::remove_file(to.join(".git")).is_ok() && is_whole;
    git(folder, hidden, &["worktree", "prune"]).await;
    is_there
}

async fn git(folder: &Path, hidden: &[String], words: &[&str]) -> Option<Vec<String>> {
    // In a container the checkout belongs to somebody else, which git would refuse.
    let arguments = ["-c", "safe.directory=*", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null"]
        .iter()
        .chain(words)
        .map(OsString::from)
        .collect();
    let program = Program { name: "git".into(), arguments, hidden: hidden.to_vec(), folder: Some(folder.to_owned()), ..Program::default() };
    let (_sender, stop) = watch::channel(false);
    match process::run(&program, &stop, |_| {}).await {
        Ok(Ended { code: Some(0), tail, .. }) => Some(tail),
        Ok(ended) => {
            tracing::debug!(?ended, "git has no answer");
            None
        }
        Err(error) => {
            tracing::debug!(%error, "git can't be started");
            None
        }
    }
}
