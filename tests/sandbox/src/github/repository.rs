//! A repository: which commit a name means, and which tree a commit has.

use std::collections::BTreeMap;

use super::ListedCommit;
use crate::ecr::made_up;

/// A repository's tags, branches and trees.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GitRepository {
    /// Tag → commit.
    pub tags: BTreeMap<String, String>,
    /// Branch → its last commit.
    pub branches: BTreeMap<String, String>,
    /// Commit → its tree; a known commit that is not here has a tree made up from its name.
    pub trees: BTreeMap<String, String>,
    /// Its commits as `GET …/commits` lists them, the newest first.
    pub log: Vec<ListedCommit>,
}

impl GitRepository {
    /// Sets a tag to a commit with this tree.
    pub fn tag(&mut self, name: &str, commit: &str, tree: &str) -> &mut GitRepository {
        self.tags.insert(name.to_owned(), commit.to_owned());
        self.commit(commit, tree)
    }

    /// Sets a branch to a commit with this tree.
    pub fn branch(&mut self, name: &str, commit: &str, tree: &str) -> &mut GitRepository {
        self.branches.insert(name.to_owned(), commit.to_owned());
        self.commit(commit, tree)
    }

    /// Adds a commit with this tree, to which no name need lead.
    pub fn commit(&mut self, commit: &str, tree: &str) -> &mut GitRepository {
        self.trees.insert(commit.to_owned(), tree.to_owned());
        self
    }

    /// The commit that a name means: `tags/<tag>`, `heads/<branch>`, both also after `refs/`, a commit, a branch or a tag.
    pub fn resolve(&self, name: &str) -> Option<String> {
        let name = name.strip_prefix("refs/").unwrap_or(name);
        let tag = name.strip_prefix("tags/").and_then(|tag| self.tags.get(tag));
        let branch = || self.branch_name(name).and_then(|branch| self.branches.get(branch));
        let known = || self.knows(name).then_some(name).map(str::to_owned);
        tag.or_else(branch).cloned().or_else(known).or_else(|| self.tags.get(name).cloned())
    }

    /// The branch or tag that a name means, without `refs/heads/` or `refs/tags/`, and its commit. A commit is no name.
    pub fn reference(&self, name: &str) -> Option<(String, String)> {
        let name = name.strip_prefix("refs/").unwrap_or(name);
        if let Some(tag) = name.strip_prefix("tags/") {
            return self.tags.get(tag).map(|commit| (tag.to_owned(), commit.clone()));
        }
        let branch = self.branch_name(name);
        let of_branch = branch.and_then(|branch| Some((branch.to_owned(), self.branches.get(branch)?.clone())));
        of_branch.or_else(|| self.tags.get(name).map(|commit| (name.to_owned(), commit.clone())))
    }

    /// Whether a name is a branch's, with or without `heads/`.
    pub(crate) fn is_branch(&self, name: &str) -> bool {
        self.branch_name(name.strip_prefix("refs/").unwrap_or(name)).is_some()
    }

    fn branch_name<'a>(&self, name: &'a str) -> Option<&'a str> {
        let names = [name.strip_prefix("heads/"), Some(name)];
        names.into_iter().flatten().find(|name| self.branches.contains_key(*name))
    }

    fn knows(&self, commit: &str) -> bool {
        let named = || self.tags.values().chain(self.branches.values()).any(|known| known == commit);
        self.trees.contains_key(commit) || named()
    }

    /// The tree of a commit.
    pub(crate) fn tree(&self, commit: &str) -> String {
        self.trees.get(commit).cloned().unwrap_or_else(|| made_up("tree", "of-commit", commit))
    }
}
