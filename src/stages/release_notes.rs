//! Release notes: what lies between two releases in every repository, put into sentences, and published. Nothing here fails a
//! deployment: what could not be read or published is said in the notes, or is a warning.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::{StreamExt, stream};

use super::publish;
use super::summarise;
use crate::clients::console::{Console, Masks};
use crate::clients::ecr::Ecr;
use crate::clients::github::GitHub;
use crate::clients::github_commits::Written;
use crate::clients::secrets::SecretsManager;
use crate::config::{Command, Request};
use crate::domain::change::Ancestry;
use crate::domain::names::{Revision, ServiceName};
use crate::domain::notes::{Commit, Coverage, Notes, Numbering, Repository};
use crate::domain::notes_summary::Summary;
use crate::domain::older::is_commit;
use crate::domain::previous::previous;
use crate::domain::service::Service;
use crate::domain::smoke::Accepted;
use crate::domain::tag::ReleaseTag;
use crate::report::notes_console;

/// Repositories that are read at the same time.
const AT_ONCE: usize = 4;
/// All sentences together may take so long; what is not there by then stays plain.
pub(super) const PATIENCE: Duration = Duration::from_secs(240);

/// Who is asked, and for what.
#[derive(Clone, Copy)]
pub struct Gathering<'a> {
    /// The request.
    pub request: &'a Request,
    /// The release.
    pub tag: &'a ReleaseTag,
    /// GitHub, or why it isn't asked.
    pub github: &'a Result<GitHub, String>,
    /// The registry, whose images tell the commits of a repository that has no tags.
    pub ecr: Option<&'a Ecr>,
    /// The secret store, with the Anthropic key.
    pub secrets: Option<&'a SecretsManager>,
    /// The one client.
    pub http: &'a reqwest::Client,
    /// Where people read.
    pub console: &'a Console,
    /// What must not be seen.
    pub masks: &'a Masks,
    /// Commits of releases, as far as a deployment has found them already: of this one, and of what ran before.
    pub known: &'a BTreeMap<(ServiceName, String), Revision>,
}

/// What became of the notes.
#[derive(Clone, Debug, Default)]
pub struct Published {
    /// The page of the GitHub Release.
    pub url: Option<String>,
    /// It was made now, and is news.
    pub is_new: bool,
    /// What was not published, and why.
    pub warnings: Vec<String>,
}

/// A repository whose commits are told.
struct Told<'a> {
    name: String,
    services: Vec<&'a Service>,
}

impl Told<'_> {
    fn names(&self) -> Vec<ServiceName> {
        self.services.iter().map(|service| service.name.clone()).collect()
    }
}

/// What was found of a repository, before its commits have numbers.
struct Found {
    base: Option<Revision>,
    head: Option<Revision>,
    coverage: Coverage,
    commits: Vec<Written>,
}

impl Found {
    fn without_commits(base: Option<Revision>, head: Option<Revision>, coverage: Coverage) -> Self {
        Self { base, head, coverage, commits: Vec::new() }
    }
}

impl Gathering<'_> {
    /// The notes; none where no service in scope is told of.
    pub async fn gather(&self) -> Option<Notes> {
        let told = self.told();
        if told.is_empty() {
            return None;
        }
        let previous = self.previous(&told).await;
        let asked = told.iter().map(|repository| async {
            match &previous {
                Ok(before) => self.read(repository, before.as_ref()).await,
                Err(why) => {
                    let why = format!("the release before {} can't be found: {why}", self.tag);
                    Found::without_commits(None, None, Coverage::Incomplete { why, total: None })
                }
            }
        });
        // In the order of the services, so that two runs write the same.
        let found: Vec<Found> = stream::iter(asked).buffered(AT_ONCE).collect().await;
        let mut numbering = Numbering::default();
        let repositories: Vec<Repository> =
            told.iter().zip(found).map(|(repository, found)| numbered(&mut numbering, repository, found, self.masks)).collect();
        let span = match &previous {
            Ok(Some(before)) => format!("{before} → {}", self.tag),
            Ok(None) => format!("{}, the first release", self.tag),
            Err(_) => format!("? → {}", self.tag),
        };
        self.console.line(&format!("Release notes: {span}"));
        repositories.iter().for_each(|repository| self.console.line(&notes_console::read(repository)));
        let mut notes =
            Notes { tag: self.tag.clone(), previous: previous.ok().flatten(), date: None, repositories, summary: Summary::plain("") };
        notes.summary = summarise::summary(self, &notes).await;
        Some(notes)
    }

    /// Gathers and publishes. A GitHub Release that is there already is only brought up to date.
    pub async fn publish(&self, notes: &Notes) -> Published {
        publish::release(self, notes).await
    }

    fn told(&self) -> Vec<Told<'_>> {
        let mut told: Vec<Told<'_>> = Vec::new();
        let home = self.home();
        let is_home = |service: &&Service| self.request.environment.repository(&service.repo).eq_ignore_ascii_case(&home);
        let is_component = self.request.services.values().any(|service| is_home(&service));
        // A release is told whole, also where a run is about a part of it; only the command may ask for less.
        let is_meant = |service: &&Service| match self.request.command {
            Command::ReleaseNotes => self.request.scope.included.contains(&service.name),
            _ => !is_component || is_home(service),
        };
        for service in self.request.graph.order().iter().filter_map(|name| self.request.services.get(name)) {
            if !service.release_notes || !is_meant(&service) {
                continue;
            }
            let name = self.request.environment.repository(&service.repo);
            match told.iter_mut().find(|known| known.name == name) {
                Some(known) => known.services.push(service),
                None => told.push(Told { name, services: vec![service] }),
            }
        }
        told
    }

    /// The repository in which the release was tagged.
    pub(super) fn home(&self) -> String {
        let environment = &self.request.environment;
        self.request.runner.repository().map_or_else(|| environment.repository(&environment.orchestrator), str::to_owned)
    }

    /// The release before: as given, else by the tags of the repository in which the release was tagged, else by all the others'.
    async fn previous(&self, told: &[Told<'_>]) -> Result<Option<ReleaseTag>, String> {
        if let Some(given) = &self.request.from_tag {
            return Ok(Some(given.clone()));
        }
        let github = self.github.as_ref().map_err(Clone::clone)?;
        let others: BTreeSet<&String> = told.iter().map(|repository| &repository.name).collect();
        let home = self.home();
        let (mut found, mut why) = (None, None);
        for (at, repository) in std::iter::once(&home).chain(others).enumerate() {
            match github.tags(repository).await {
                Ok(tags) => found = found.max(previous(self.tag, tags.iter().map(String::as_str))),
                // Others may have releases of their own, so only the release's repository decides then.
                Err(error) if at == 0 => return Err(format!("the tags of {repository} can't be read: {error}")),
                Err(error) => why = Some(error.to_string()),
            }
            // The release's own repository decides, where it knows of a release before.
            if at == 0 && found.is_some() {
                break;
            }
        }
        match (found, why) {
            (Some(found), _) => Ok(Some(found)),
            (None, Some(why)) => Err(why),
            (None, None) => Ok(None),
        }
    }

    /// The commits of one repository between two releases.
    async fn read(&self, told: &Told<'_>, before: Option<&ReleaseTag>) -> Found {
        let incomplete = |why: String| Found::without_commits(None, None, Coverage::Incomplete { why, total: None });
        let github = match self.github {
            Ok(github) => github,
            Err(why) => return incomplete(why.clone()),
        };
        let ends = async {
            let head = self.commit(github, told, self.tag).await?;
            let base = match before {
                Some(before) => self.commit(github, told, before).await?,
                None => None,
            };
            Ok::<_, String>((base, head))
        };
        let (base, head) = match ends.await {
            Ok(ends) => ends,
            Err(why) => return incomplete(why),
        };
        let (Some(last), first) = (head.clone(), base.clone()) else {
            return Found::without_commits(base, None, Coverage::NotInRelease);
        };
        match first {
            None => first_release(github, &told.name, last).await,
            Some(first) if first == last => Found::without_commits(base, head, Coverage::Unchanged),
            Some(first) => between(github, &told.name, first, last).await,
        }
    }

    /// The commit that a release means in a repository: by its tag; where it has none, by the image that was released.
    async fn commit(&self, github: &GitHub, told: &Told<'_>, tag: &ReleaseTag) -> Result<Option<Revision>, String> {
        let tagged = github.commit(&told.name, &format!("tags/{tag}")).await.map_err(|error| error.to_string())?;
        let known = || told.services.iter().find_map(|service| self.known.get(&(service.name.clone(), tag.version())).cloned());
        if let Some(commit) = tagged.map(|commit| commit.id).or_else(known) {
            return Ok(Some(commit));
        }
        let Some(ecr) = self.ecr else {
            return Err(format!("it has no tag {tag}, and its images can't be asked: AWS can't be reached"));
        };
        for service in &told.services {
            let stored = ecr.by_tag(&service.ecr_repo, &tag.to_string()).await;
            let stored = stored.map_err(|error| format!("it has no tag {tag}, and its images can't be asked: {error}"))?;
            let commits = stored.map(|stored| Accepted::from_tags(stored.tags.iter().map(String::as_str)).commits);
            match commits.as_deref() {
                Some([commit]) if is_commit(commit) => return Ok(Some(commit.clone())),
                // An image that stayed the same through several releases bears all their commits.
                Some([_, _, ..]) => {
                    return Err(format!("its commit in {tag} can't be told: it has no such tag, and its image stands for several commits"));
                }
                _ => {}
            }
        }
        Ok(None)
    }
}

async fn first_release(github: &GitHub, repository: &str, head: Revision) -> Found {
    match github.newest(repository, &head).await {
        Ok(commits) => {
            let coverage = Coverage::FirstRelease { is_capped: commits.len() >= 100 };
            Found { base: None, head: Some(head), coverage, commits }
        }
        Err(error) => Found::without_commits(None, Some(head), Coverage::Incomplete { why: error.to_string(), total: None }),
    }
}

async fn between(github: &GitHub, repository: &str, base: Revision, head: Revision) -> Found {
    let read = match github.commits_between(repository, &base, &head).await {
        Ok(read) => read,
        Err(error) => {
            return Found::without_commits(Some(base), Some(head), Coverage::Incomplete { why: error.to_string(), total: None });
        }
    };
    let coverage = match (read.stopped, read.ancestry) {
        (Some(error), _) => Coverage::Incomplete { why: error.to_string(), total: Some(read.total) },
        (None, Ancestry::Identical) => Coverage::Unchanged,
        (None, Ancestry::Behind) => Coverage::Rollback { taken_back: read.lacking },
        (None, Ancestry::Diverged) => Coverage::Diverged { total: read.total, lacking: read.lacking },
        (None, Ancestry::Ahead) => Coverage::Complete { total: read.total },
    };
    Found { base: Some(base), head: Some(head), coverage, commits: read.commits }
}

fn numbered(numbering: &mut Numbering, told: &Told<'_>, found: Found, masks: &Masks) -> Repository {
    let commits = found.commits.into_iter();
    // What is known to be secret goes before anything else is done with it.
    let commits = commits.map(|written| Commit {
        revision: written.id,
        message: masks.hide(&written.message),
        author: Some(masks.hide(&written.author)),
    });
    let (facts, left_out) = numbering.facts(&told.name, &told.names(), commits);
    Repository {
        name: told.name.clone(),
        services: told.names(),
        base: found.base,
        head: found.head,
        coverage: found.coverage,
        facts,
        left_out,
    }
}
