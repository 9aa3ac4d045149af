//! What GitHub answers, read by the client's own files over a GitHub that says whatever the input says.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use serde_json::{Value, json};

use crate::domain::change::MOST_FILES;
use crate::domain::commit_message::parse;
use crate::domain::e2e::{Judged, judge};
use crate::domain::names::Revision;
use crate::domain::older::{Pair, is_commit};

#[path = "../../src/clients/github_actions.rs"]
mod github_actions;
#[path = "../../src/clients/github_commits.rs"]
mod github_commits;
#[path = "../../src/clients/github_releases.rs"]
mod github_releases;

use github_actions::{Dispatch, RunId};

/// The client's own room, with answers from the input in place of a connection.
mod github {
    use std::cell::RefCell;
    use std::collections::VecDeque;

    use reqwest::Method;
    use serde_json::Value;

    #[derive(Clone, Debug, PartialEq, Eq)]
    pub enum GitHubError {
        Status { code: u16, message: String },
        Odd,
    }

    pub(super) struct Ask<'a> {
        pub(super) version: &'static str,
        pub(super) body: Option<&'a Value>,
        pub(super) etag: Option<&'a str>,
    }

    impl<'a> Ask<'a> {
        pub(super) fn get(_: &'a str) -> Self {
            Self { version: "", body: None, etag: None }
        }

        pub(super) fn write(_: Method, _: &'a str, body: &'a Value) -> Self {
            Self { version: "", body: Some(body), etag: None }
        }
    }

    pub(super) struct Answer {
        pub(super) status: u16,
        pub(super) body: Value,
        pub(super) etag: Option<String>,
    }

    pub struct GitHub(RefCell<VecDeque<Value>>);

    impl GitHub {
        pub(super) fn saying(answers: impl Iterator<Item = Value>) -> Self {
            Self(RefCell::new(answers.collect()))
        }

        pub(super) async fn send(&self, _: &Ask<'_>) -> Result<Answer, GitHubError> {
            let mut answers = self.0.borrow_mut();
            // The last one is given for ever: pages that never end are bounded by whoever turns them.
            let body = if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() }.unwrap_or_default();
            let status = body["$status"].as_u64().and_then(|status| u16::try_from(status).ok()).unwrap_or(200);
            if status >= 400 {
                let message = body["message"].as_str().unwrap_or_default().to_owned();
                return Err(GitHubError::Status { code: status, message });
            }
            Ok(Answer { status, body, etag: Some("\"mark\"".to_owned()) })
        }

        pub(super) async fn get(&self, route: &str) -> Result<Value, GitHubError> {
            self.send(&Ask::get(route)).await.map(|answer| answer.body)
        }
    }

    pub(super) fn encoded(name: &str) -> String {
        name.to_owned()
    }
}

/// Nothing here waits for anything.
fn done<T>(work: impl Future<Output = T>) -> T {
    match pin!(work).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("it waits"),
    }
}

/// JSON answers, one after the other; every question is asked of them.
pub fn github_answer(text: &str) {
    let answers: Vec<Value> = text.split("\n---\n").filter_map(|text| serde_json::from_str(text).ok()).collect();
    if answers.is_empty() {
        return;
    }
    let github = || github::GitHub::saying(answers.iter().cloned());
    commits(&github);
    runs(&github);
    let _ = done(github().release("o/r", "v1"));
    let _ = done(github().create_release("o/r", "v1", "body", true));
    let _ = done(github().update_release("o/r", 1, "body"));
}

fn commits(github: &impl Fn() -> github::GitHub) {
    let (base, head) = (Revision::new("0".repeat(40)), Revision::new("1".repeat(40)));
    if let Ok(Some(commit)) = done(github().commit("o/r", "tags/v1")) {
        assert!(is_commit(&commit.id), "{commit:?}");
    }
    let pair = Pair { repository: "o/r".to_owned(), base: base.clone(), head: head.clone() };
    if let Ok(comparison) = done(github().compare(&pair)) {
        assert!(comparison.files.is_none_or(|files| files.len() <= 2 * MOST_FILES));
    }
    let _ = done(github().on_branch("o/r", "main", &head));
    let between = done(github().commits_between("o/r", &base, &head));
    for written in between.into_iter().flat_map(|between| between.commits).take(200) {
        assert!(is_commit(&written.id), "{written:?}");
        parse(&written.message);
    }
    let _ = (done(github().newest("o/r", &head)), done(github().tags("o/r")));
}

fn runs(github: &impl Fn() -> github::GitHub) {
    let inputs = json!({});
    let dispatch = Dispatch { repository: "o/r", file: "e2e.yml", reference: "main", inputs: &inputs };
    let _ = (done(github().dispatch(&dispatch)), done(github().find_run(&dispatch, "id")), done(github().failed_jobs("o/r", RunId(1))));
    if let Ok(Some((view, _))) = done(github().run("o/r", RunId(1), None))
        && judge(&view) == Judged::Passed
    {
        assert_eq!((view.status.as_str(), view.conclusion.as_deref()), ("completed", Some("success")));
    }
}
