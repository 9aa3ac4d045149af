//! Has a model put commits into sentences, batch by batch. Whatever goes wrong, the commits' own titles stand.

use futures_util::{StreamExt, stream};
use tokio::time::Instant;

use super::release_notes::{Gathering, PATIENCE};
use crate::clients::anthropic::Anthropic;
use crate::domain::notes::{Fact, Notes};
use crate::domain::notes_prompt::{Prompt, batches};
use crate::domain::notes_summary::Summary;
use crate::domain::sentence::{Judged, judge};

/// Requests that are under way at the same time.
const AT_ONCE: usize = 3;

/// The sentences, or why there are none.
pub(super) async fn summary(job: &Gathering<'_>, notes: &Notes) -> Summary {
    let facts: Vec<&Fact> = notes.facts().collect();
    if facts.is_empty() {
        return Summary::plain("there are no commits to put into sentences");
    }
    let client = match client(job).await {
        Ok(client) => client,
        Err(why) => return Summary::plain(why),
    };
    let plan = batches(facts.iter().copied());
    let until = Instant::now() + PATIENCE;
    let models = &job.request.environment.notes.models;
    let asked = plan.batches.iter().map(|batch| {
        let client = &client;
        async move { (batch, client.ask(models, &Prompt::new(batch), until).await) }
    });
    let answers: Vec<_> = stream::iter(asked).buffer_unordered(AT_ONCE).collect().await;
    let (mut judged, mut model, mut whys) = (Vec::new(), String::new(), Vec::new());
    for (batch, answer) in answers {
        match answer {
            Ok(answered) => {
                model = answered.model;
                judged.push(judge(batch, &answered.answer));
            }
            Err(error) => whys.push(error.to_string()),
        }
    }
    if plan.suspicious > 0 {
        whys.push(format!("{} speak to a model instead of about a change, and were not sent", plan.suspicious));
    }
    if plan.unsent > 0 {
        whys.push(format!("{} commits are more than anybody reads", plan.unsent));
    }
    let judged = Judged::join(judged);
    whys.extend(judged.words().map(|words| format!("sentences were not used: {words}")));
    whys.sort();
    whys.dedup();
    Summary::of(facts.len(), &model, judged.accepted, &whys.join("; "))
}

/// The key comes from Secrets Manager, and from nowhere else.
async fn client(job: &Gathering<'_>) -> Result<Anthropic, String> {
    let name = job.request.environment.notes.secret.as_ref().ok_or("DEPLOY_ANTHROPIC_SECRET is not set")?;
    let secrets = job.secrets.ok_or("AWS, which keeps the key, could not be reached")?;
    let key = secrets.value(name, job.masks).await.map_err(|error| format!("the key {name} can't be read: {error}"))?;
    Anthropic::new(job.http.clone(), job.request.runner.anthropic_url(), &key).map_err(|error| error.to_string())
}
