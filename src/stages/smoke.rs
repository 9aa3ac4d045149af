//! Asks a deployed service for its health and version until it answers well, or its time is over.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use crate::clients::endpoint;
use crate::domain::service::Health;
use crate::domain::smoke::{Accepted, Opinion, Patience, judge};

/// Short at first: behind a load balancer the next answer often comes from a newer task.
const FIRST_PAUSE: Duration = Duration::from_millis(40);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// One smoke test.
#[derive(Clone, Debug)]
pub struct Smoke {
    /// Where to ask.
    pub url: String,
    /// What to expect.
    pub health: Health,
    /// How the version may call itself.
    pub accepted: Accepted,
    /// `DEPLOY_SMOKE_TIMEOUT_SECONDS`.
    pub timeout: Duration,
}

/// The last answer of a service that never answered well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NeverWell {
    /// How often it was asked.
    pub asked: u32,
    /// In words.
    pub why: String,
}

/// Asks until the answer is well.
///
/// # Errors
/// `NeverWell` when the time is over; a wrong version while older tasks may answer costs none.
pub async fn smoke(http: &reqwest::Client, test: &Smoke, older_may_answer: watch::Receiver<bool>) -> Result<(), NeverWell> {
    let mut patience = Patience::new(test.timeout);
    let mut pause = FIRST_PAUSE;
    let mut last = Instant::now();
    let mut asked = 0;
    loop {
        asked += 1;
        let opinion = judge(&test.health, &test.accepted, &endpoint::ask(http, &test.url).await);
        if opinion == Opinion::Well {
            return Ok(());
        }
        let older = *older_may_answer.borrow();
        let now = Instant::now();
        if !patience.spend(&opinion, older, now - last) {
            return Err(NeverWell { asked, why: words(test, &opinion) });
        }
        last = now;
        sleep(pause).await;
        pause = (pause * 3 / 2).min(LONGEST_PAUSE).min(test.timeout);
    }
}

fn words(test: &Smoke, opinion: &Opinion) -> String {
    match opinion {
        Opinion::Well => "well".to_owned(),
        Opinion::Unwell(why) => format!("{} {why}", test.url),
        Opinion::WrongVersion(version) => {
            let names = test.accepted.versions.iter().cloned().chain(test.accepted.commits.iter().map(|commit| commit.short().to_owned()));
            let expected = names.collect::<Vec<_>>().join(" or ");
            format!("{} answers with version `{version}`, expected {expected}", test.url)
        }
    }
}
