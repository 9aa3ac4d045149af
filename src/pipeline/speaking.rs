//! How a run speaks to Slack: its live message, and messages of their own.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use super::Run;
use crate::clients::slack::{Channel, Posted};
use crate::domain::board::{Board, Links};
use crate::domain::names::ServiceName;
use crate::report::blocks::Message;
use crate::report::slack::{Context, Told, of_suite};
use crate::report::suite::runs_now;
use crate::stages::finish::Ending;
use crate::stages::notify::{self, Notified, Notifier};

/// Slack's last update may take so long; a cancelled run must end within five seconds.
const LAST_WORDS: Duration = Duration::from_secs(65);
const LAST_WORDS_CANCELLED: Duration = Duration::from_millis(2500);
/// A message of its own, with its thread, may take so long.
const OWN_WORDS: Duration = Duration::from_secs(60);

impl Run<'_> {
    pub(super) fn notifier(&self, board: watch::Receiver<Board>) -> Option<Notifier> {
        let Some(slack) = self.slack.clone() else {
            self.console.line("Slack: no bot token was given, so nothing is posted (input `slack-bot-token`)");
            return None;
        };
        let channel = Channel { name: self.request.environment.slack_channel.clone(), setting: "DEPLOY_SLACK_CHANNEL" };
        let earlier = self.request.slack_message.as_ref();
        let earlier = earlier.map(|message| Posted { channel: message.channel.clone(), ts: message.ts.clone() });
        Some(Notifier::start(slack, channel, self.slack_context(), board, self.began, earlier, self.masks))
    }

    /// The release's message, for the last time in this job.
    pub(super) async fn tell(&self, notifier: Option<Notifier>, last: Told, ending: &mut Ending) {
        let notified = match notifier {
            Some(notifier) if self.cancel.is_cancelled() => notifier.finish(last, LAST_WORDS_CANCELLED).await,
            Some(notifier) => notifier.finish(last, LAST_WORDS).await,
            None => Notified::default(),
        };
        ending.warnings.extend(notified.warning.clone());
        ending.notified = Notified { ok: notified.ok && ending.notified.ok, ..notified };
    }

    /// A message of its own; that Slack did not take it is a warning.
    pub(super) async fn say(&self, channel: Channel, main: Message, details: Vec<Message>, ending: &mut Ending) {
        let Some(slack) = self.slack.as_ref().filter(|_| !self.cancel.is_cancelled()) else { return };
        let link = self.request.runner.run_url();
        let telling = notify::tell(slack, &channel, (main, details), link.as_deref(), self.masks);
        let why = match self.cancel.until(timeout(OWN_WORDS, telling)).await {
            Some(Ok(Ok(_))) => return,
            Some(Ok(Err(error))) => {
                ending.notified.ok = false;
                // The release's own message says it already, once.
                if error.is_about_the_token() && self.request.command.goes_on_to_the_suite() {
                    return;
                }
                error.to_string()
            }
            None => return,
            Some(Err(_)) => "there was no answer in time".to_owned(),
        };
        ending.warnings.push(format!("Slack did not take the message for {} ({}): {why}", channel.name, channel.setting));
        ending.notified.ok = false;
    }

    /// The suite's result, to those who look after the suite; a suite that was left out is no news.
    pub(super) async fn tell_of_the_suite(&self, board: &Board, ending: &mut Ending) {
        let environment = &self.request.environment;
        let (Some(standing), Some(suite)) = (board.suite(), &environment.suite) else { return };
        if standing.started.is_none() {
            return;
        }
        let message = of_suite(&self.slack_context(), standing, &suite.place(), runs_now(board), self.began.elapsed());
        let channel = Channel { name: environment.e2e_channel.clone(), setting: "DEPLOY_E2E_CHANNEL" };
        self.say(channel, message, Vec::new(), ending).await;
    }

    pub(super) fn slack_context(&self) -> Context {
        let actor = self.request.runner.actor();
        Context {
            environment: self.request.environment.name.clone(),
            tag: self.request.tag_text(),
            actor: actor.to_owned(),
            member: self.request.slack_users.get(&actor.to_lowercase()).cloned(),
            run_url: self.request.runner.run_url(),
        }
    }

    pub(super) fn links(&self) -> BTreeMap<ServiceName, Links> {
        let repository = |repo: &str| format!("{}/{}", self.request.runner.server_url(), self.request.environment.repository(repo));
        let services = self.request.services.values();
        services
            .map(|service| (service.name.clone(), Links { runbook: service.runbook.clone(), repository: repository(&service.repo) }))
            .collect()
    }
}
