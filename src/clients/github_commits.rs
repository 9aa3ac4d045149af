//! What GitHub knows of commits: what a name means, how two lie to each other, and everything between two releases.

use serde::Deserialize;
use serde_json::Value;

use super::github::{GitHub, GitHubError, encoded};
use crate::domain::change::{Ancestry, Comparison, MOST_FILES};
use crate::domain::names::Revision;
use crate::domain::older::{Pair, is_commit};

/// The most that GitHub gives on one page.
const PAGE: usize = 100;
/// Nobody reads further back: three thousand tags, or ten thousand commits.
const MOST_TAG_PAGES: usize = 30;
const MOST_COMMIT_PAGES: usize = 100;

/// A commit, as far as it is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// Its id.
    pub id: Revision,
    /// Its tree.
    pub tree: String,
}

#[derive(Deserialize)]
struct CommitAnswer {
    sha: String,
    commit: CommitBody,
}

#[derive(Deserialize)]
struct CommitBody {
    tree: Tree,
}

#[derive(Deserialize)]
struct Tree {
    sha: String,
}

#[derive(Deserialize)]
struct CompareAnswer {
    status: String,
    #[serde(default)]
    behind_by: u64,
    #[serde(default)]
    total_commits: u64,
    #[serde(default)]
    files: Option<Vec<File>>,
    #[serde(default)]
    commits: Vec<Value>,
}

#[derive(Deserialize)]
struct File {
    filename: String,
    previous_filename: Option<String>,
}

/// A commit as a person wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Its id.
    pub id: Revision,
    /// The whole message.
    pub message: String,
    /// The login on GitHub, else the name in the commit.
    pub author: String,
}

/// The commits between two, oldest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Between {
    /// How the head lies to the base.
    pub ancestry: Ancestry,
    /// New commits of the head.
    pub total: u64,
    /// Commits of the base that the head lacks.
    pub lacking: u64,
    /// As many as were read.
    pub commits: Vec<Written>,
    /// Why not all of them were read.
    pub stopped: Option<GitHubError>,
}

impl GitHub {
    /// The commit of a tag, a branch (`tags/v1.2.3`, `heads/main`) or an id, in a repository `owner/name`; none where the
    /// repository has no such one.
    ///
    /// # Errors
    /// `GitHubError`, after three tries at what passes.
    pub async fn commit(&self, repository: &str, reference: &str) -> Result<Option<Commit>, GitHubError> {
        // The changed files are of no interest here: one a page keeps the answer small.
        let route = format!("/repos/{repository}/commits/{}?per_page=1", encoded(reference));
        match self.get(&route).await {
            Ok(answer) => {
                let answer: CommitAnswer = serde_json::from_value(answer).map_err(|_| GitHubError::Odd)?;
                let id = Revision::new(answer.sha);
                if is_commit(&id) { Ok(Some(Commit { id, tree: answer.commit.tree.sha })) } else { Err(GitHubError::Odd) }
            }
            // "No commit found for SHA", and a repository without any commit.
            Err(GitHubError::Status { code: 409 | 422, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// How two commits lie to each other. The first page holds the changed files, three hundred at most.
    ///
    /// # Errors
    /// `GitHubError`, after three tries at what passes.
    pub async fn compare(&self, pair: &Pair) -> Result<Comparison, GitHubError> {
        self.between(&pair.repository, pair.base.as_str(), &pair.head).await
    }

    /// The same for a branch: `Behind` and `Identical` mean that the commit is on it.
    ///
    /// # Errors
    /// `GitHubError`, after three tries at what passes.
    pub async fn on_branch(&self, repository: &str, branch: &str, commit: &Revision) -> Result<bool, GitHubError> {
        let ancestry = self.between(repository, branch, commit).await?.ancestry;
        Ok(matches!(ancestry, Ancestry::Behind | Ancestry::Identical))
    }

    async fn between(&self, repository: &str, base: &str, head: &Revision) -> Result<Comparison, GitHubError> {
        let answer = self.get(&format!("/repos/{repository}/compare/{}...{head}?per_page=1&page=1", encoded(base))).await?;
        let answer: CompareAnswer = serde_json::from_value(answer).map_err(|_| GitHubError::Odd)?;
        let ancestry = Ancestry::parse(&answer.status).ok_or(GitHubError::Odd)?;
        let files = answer.files.filter(|files| files.len() < MOST_FILES);
        // A file that was moved away counts where it was, too.
        let names = |file: File| [Some(file.filename), file.previous_filename].into_iter().flatten();
        let commits = if ancestry == Ancestry::Behind { answer.behind_by } else { answer.total_commits };
        Ok(Comparison { ancestry, commits, files: files.map(|files| files.into_iter().flat_map(names).collect()) })
    }

    /// All commits between two, by pages of a hundred: unpaged, GitHub stops at 250
    /// (<https://docs.github.com/en/rest/commits/commits#compare-two-commits>).
    ///
    /// # Errors
    /// `GitHubError` where not even the first page was given.
    pub async fn commits_between(&self, repository: &str, base: &Revision, head: &Revision) -> Result<Between, GitHubError> {
        let mut found: Option<Between> = None;
        for page in 1..=MOST_COMMIT_PAGES {
            let route = format!("/repos/{repository}/compare/{base}...{head}?per_page={PAGE}&page={page}");
            let read = self.get(&route).await.and_then(|answer| serde_json::from_value(answer).map_err(|_| GitHubError::Odd));
            let answer: CompareAnswer = match (read, &mut found) {
                (Ok(answer), _) => answer,
                (Err(error), None) => return Err(error),
                (Err(error), Some(found)) => {
                    found.stopped = Some(error);
                    break;
                }
            };
            let ancestry = Ancestry::parse(&answer.status).ok_or(GitHubError::Odd)?;
            let (total, lacking, count) = (answer.total_commits, answer.behind_by, answer.commits.len());
            let so_far = found.get_or_insert(Between { ancestry, total, lacking, commits: Vec::new(), stopped: None });
            so_far.commits.extend(answer.commits.iter().filter_map(written));
            if count < PAGE || so_far.commits.len() as u64 >= total {
                break;
            }
        }
        found.ok_or(GitHubError::Odd)
    }

    /// The newest commits up to one, newest first; at most a hundred.
    ///
    /// # Errors
    /// `GitHubError`.
    pub async fn newest(&self, repository: &str, head: &Revision) -> Result<Vec<Written>, GitHubError> {
        let answer = self.get(&format!("/repos/{repository}/commits?sha={head}&per_page={PAGE}")).await?;
        Ok(answer.as_array().ok_or(GitHubError::Odd)?.iter().filter_map(written).collect())
    }

    /// The names of a repository's tags.
    ///
    /// # Errors
    /// `GitHubError`.
    pub async fn tags(&self, repository: &str) -> Result<Vec<String>, GitHubError> {
        let mut names = Vec::new();
        for page in 1..=MOST_TAG_PAGES {
            let answer = self.get(&format!("/repos/{repository}/tags?per_page={PAGE}&page={page}")).await?;
            let tags = answer.as_array().ok_or(GitHubError::Odd)?;
            names.extend(tags.iter().filter_map(|tag| Some(tag["name"].as_str()?.to_owned())));
            if tags.len() < PAGE {
                return Ok(names);
            }
        }
        // Whatever stands behind them could be the one that is looked for.
        Err(GitHubError::Odd)
    }
}

fn written(commit: &Value) -> Option<Written> {
    let id = Revision::new(commit["sha"].as_str()?);
    let login = commit["author"]["login"].as_str();
    let author = login.or(commit["commit"]["author"]["name"].as_str()).unwrap_or("someone").to_owned();
    let message = commit["commit"]["message"].as_str().unwrap_or_default().to_owned();
    is_commit(&id).then_some(Written { id, message, author })
}
