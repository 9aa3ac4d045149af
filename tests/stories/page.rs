//! The report for a browser: beside the JSON report, whole in itself, and harmless.

use escher_sandbox::Fate;

use crate::harness::{Job, Ran, TAG, escher};

fn page(ran: &Ran) -> String {
    let path = ran.report["page"].as_str().unwrap_or_else(|| panic!("the report names no page: {:#}", ran.report));
    assert_eq!(std::path::Path::new(path).with_extension("json").display().to_string(), ran.output("report"), "beside the JSON report");
    std::fs::read_to_string(path).unwrap()
}

/// What a browser would fetch: nothing.
#[track_caller]
fn is_whole_in_itself(page: &str) {
    for fetching in ["<script", "<iframe", "<img", "<object", " src=", "@import", "url("] {
        assert!(!page.contains(fetching), "{fetching}");
    }
    assert_eq!(page.matches("<link").count(), 1, "the empty icon alone, so that no browser asks for one");
    assert!(page.contains("default-src 'none'"), "and if something slipped in, the browser would not fetch it");
}

#[tokio::test]
async fn a_release_has_a_page_with_its_timeline_and_what_changed() {
    let mut job = Job::tag_push(escher()).await;
    let ran = job.run().await;
    ran.ends(0, "success");
    let page = page(&ran);
    is_whole_in_itself(&page);
    for words in [
        "v2.16.0-dev deployed to dev",
        "2.15.0-dev → 2.16.0-dev",
        "Critical path: <strong>asset-store → context-engine",
        "What happened when",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    assert_eq!(page.matches("class=\"bar roll critical\" style").count(), 4, "four services lie on the critical path");
    assert!(!page.contains("What failed"));
}

#[tokio::test]
async fn a_failed_release_has_a_page_that_says_why_first_and_shows_nothing_secret() {
    let mut world = escher();
    world.image_mut("escher-gateway", TAG).fate = Fate::Crashes { exit_code: 3, after: 1.0 };
    let token = world.slack.token.clone();
    let mut job = Job::tag_push(world).await;
    let ran = job.run().await;
    ran.ends(1, "rolled-back");
    let page = page(&ran);
    is_whole_in_itself(&page);
    let failed = page.find("What failed").unwrap_or_else(|| panic!("{page}"));
    assert!(failed < page.find("<h2>Timeline").unwrap() && page.contains("exit code 3") && page.contains("runs now: 2.15.0-dev as before"));
    assert!(page.contains("The log's last lines") && !page.contains(&token));
}

#[tokio::test]
async fn a_refused_run_has_a_page_that_says_why() {
    let mut job = Job::tag_push(escher()).await;
    let ran = job.input("tag", "v1.2").run().await;
    ran.ends(2, "refused");
    let page = page(&ran);
    is_whole_in_itself(&page);
    assert!(page.contains("nothing was contacted, nothing has changed"), "{page}");
}
