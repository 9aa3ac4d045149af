//! Release notes: as a command, and after a production deployment.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::timeout;

use super::Run;
use crate::clients::ecr::Ecr;
use crate::clients::github::GitHub;
use crate::clients::secrets::SecretsManager;
use crate::clients::slack::Channel;
use crate::config::Request;
use crate::domain::board::Board;
use crate::domain::names::{Revision, ServiceName};
use crate::domain::notes::{Notes, Repository};
use crate::domain::outcome::{RunResult, Verdict, exit};
use crate::domain::tag::ReleaseTag;
use crate::error::Error;
use crate::report::notes_lines::Links;
use crate::report::{notes_console, slack_notes};
use crate::stages::finish::Ending;
use crate::stages::prepare::{self, Prepared};
use crate::stages::release_notes::{Gathering, Published};

/// A deployment waits no longer for its notes.
const LONGEST: Duration = Duration::from_secs(420);

/// Commits of releases that a deployment has found already.
type Known = BTreeMap<(ServiceName, String), Revision>;

impl Run<'_> {
    /// The command: gathers, shows, publishes.
    pub(super) async fn release_notes(&self, tag: &ReleaseTag) -> Ending {
        let connected = self.until_cancelled(async { Ok(self.connect().await) }).await;
        let (mut warnings, clients) = match connected {
            Err(error) => return Ending { error: Some(error), ..Ending::default() },
            Ok(Ok(clients)) => (Vec::new(), Some(clients)),
            // The App's key is in AWS; everything else can do without.
            Ok(Err(error)) if self.request.environment.github_app.is_some() => return Ending { error: Some(error), ..Ending::default() },
            Ok(Err(error)) => (vec![format!("AWS can't be reached, so there is no key for sentences: {}", error.lines().join("; "))], None),
        };
        let (http, github) = match &clients {
            Some(clients) => (clients.http.clone(), clients.github.clone()),
            None => match prepare::connect_to_github(self.request, &self.console, self.masks).await {
                Ok(connected) => connected,
                Err(error) => return Ending { error: Some(error), ..Ending::default() },
            },
        };
        let known = Known::new();
        let job = self.gathering(tag, (&http, &github), clients.as_ref().map(|clients| (&clients.ecr, &clients.secrets)), &known);
        let mut ending = match self.cancel.until(self.notes(&job, true)).await {
            None => Ending { error: Some(Error::Cancelled), ..Ending::default() },
            Some(ending) => ending,
        };
        ending.warnings.splice(0..0, warnings.drain(..));
        ending
    }

    /// After a deployment: whatever happens here, it has succeeded.
    pub(super) async fn publish_notes(&self, tag: &ReleaseTag, prepared: &Prepared, has_succeeded: bool, ending: &mut Ending) {
        let is_due = self.request.environment.notes.is_published && self.request.command.goes_on_to_the_suite();
        if !is_due || !has_succeeded || prepared.plan.has_passed() || self.cancel.is_cancelled() {
            return;
        }
        let mut known = Known::new();
        for planned in &prepared.plan.services {
            let source = prepared.world.sources.known.get(&planned.name).map(|source| source.commit.clone());
            known.extend(
                planned.from.version.clone().zip(planned.from.revision.clone()).map(|(version, at)| ((planned.name.clone(), version), at)),
            );
            known.extend(source.map(|source| ((planned.name.clone(), tag.version()), source)));
        }
        let clients = &prepared.clients;
        let job = self.gathering(tag, (&clients.http, &clients.github), Some((&clients.ecr, &clients.secrets)), &known);
        match self.cancel.until(timeout(LONGEST, self.notes(&job, false))).await {
            Some(Ok(told)) => {
                ending.warnings.extend(told.warnings);
                ending.notified.ok &= told.notified.ok;
                ending.release_url = told.release_url;
                ending.notes = told.notes;
            }
            Some(Err(_)) => {
                let minutes = LONGEST.as_secs() / 60;
                ending.warnings.push(format!("release notes: not done after {minutes} min; make them by hand: command `release-notes`"));
            }
            None => ending.warnings.push("release notes: interrupted; make them by hand: command `release-notes`".to_owned()),
        }
    }

    fn gathering<'a>(
        &'a self,
        tag: &'a ReleaseTag,
        (http, github): (&'a reqwest::Client, &'a Result<GitHub, String>),
        aws: Option<(&'a Ecr, &'a SecretsManager)>,
        known: &'a Known,
    ) -> Gathering<'a> {
        let (ecr, secrets) = (aws.map(|(ecr, _)| ecr), aws.map(|(_, secrets)| secrets));
        Gathering { request: self.request, tag, github, ecr, secrets, http, console: &self.console, masks: self.masks, known }
    }

    /// Gathers and publishes; a deployment tells people of a release once, the command as often as it is asked.
    async fn notes(&self, job: &Gathering<'_>, is_command: bool) -> Ending {
        let mut ending = Ending { board: Some(Board::default()), ..Ending::default() };
        let Some(notes) = job.gather().await else {
            return said(ending, RunResult::Unchanged, "release notes: no service in scope has `release_notes: true`");
        };
        if let Some(error) = unknown(self.request, job.tag, &notes).filter(|_| is_command) {
            return Ending { error: Some(error), ..Ending::default() };
        }
        let links = Links(self.request.runner.server_url());
        if is_command {
            self.console.group(&format!("Release notes: {}", job.tag), &[notes_console::text(&notes, links)]);
        }
        if self.request.dry_run {
            return said(ending, RunResult::Success, "release notes: nothing was published (dry-run)");
        }
        let Published { url, is_new, warnings } = job.publish(&notes).await;
        ending.warnings.extend(warnings);
        // The GitHub Release remembers that people were told.
        if is_command || is_new || url.is_none() {
            let (short, details) = slack_notes::messages(&notes, links, url.as_deref());
            let channel = Channel { name: self.request.environment.notes.channel.clone(), setting: "DEPLOY_RELEASES_CHANNEL" };
            self.say(channel, short, details, &mut ending).await;
            if !ending.notified.ok && !is_command {
                ending.warnings.push("release notes: tell people of them once that is mended: command `release-notes`".to_owned());
            }
        }
        let words = match &url {
            Some(url) => format!("release notes: {url}"),
            None => "release notes: not on GitHub".to_owned(),
        };
        ending.release_url = url;
        ending.notes = Some(notes);
        if !is_command {
            self.console.line(&words);
        }
        said(ending, RunResult::Success, &words)
    }
}

/// A tag that no repository knows is a typing error, and nothing to tell people of.
fn unknown(request: &Request, tag: &ReleaseTag, notes: &Notes) -> Option<Error> {
    let is_known =
        |end: fn(&Repository) -> &Option<Revision>| !notes.is_complete() || notes.repositories.iter().any(|one| end(one).is_some());
    let refuse =
        |input: &str, tag: &ReleaseTag| Error::refused(input, format!("no repository of the release knows {tag}"), "correct the tag");
    match &request.from_tag {
        _ if !is_known(|one| &one.head) => Some(refuse("tag", tag)),
        Some(from) if !is_known(|one| &one.base) => Some(refuse("from-tag", from)),
        _ => None,
    }
}

fn said(ending: Ending, result: RunResult, headline: &str) -> Ending {
    Ending { verdict: Some(Verdict { result, exit_code: exit::SUCCESS }), headline: Some(headline.to_owned()), ..ending }
}
