//! Release notes: complete or marked as incomplete, safe whatever commits say, and never a reason to fail.

use std::collections::BTreeMap;

use escher_sandbox::{Comparison, Effect, Fault, ListedCommit, Message, World};

use crate::harness::{Job, Ran};

const TAG: &str = "v2.16.0";
const HOME: &str = "escher-dbai/v3-escher-deployment";
pub(crate) const GATEWAY: &str = "escher-dbai/v2-gateway-service-java";
pub(crate) const AGENT: &str = "escher-dbai/v2-analysis-agent-go";
pub(crate) const ENGINE: &str = "escher-dbai/v4-context-engine";
pub(crate) const STORE: &str = "escher-dbai/v4-asset-store-go";
const TOLD: [&str; 4] = [STORE, ENGINE, AGENT, GATEWAY];

fn prod() -> World {
    let mut world = World::escher("prod");
    world.time_scale = 100.0;
    world
}

/// What lies between the two releases of a repository.
pub(crate) fn between(world: &mut World, repository: &str, comparison: Comparison) {
    let tags = &world.github.repositories[repository].tags;
    let (base, head) = (tags["v2.15.0"].clone(), tags[TAG].clone());
    world.github.comparisons.insert((repository.to_owned(), base, head), comparison);
}

pub(crate) fn messages(world: &mut World, repository: &str, messages: &[&str]) {
    between(world, repository, Comparison::of_messages(repository, messages));
}

fn many(repository: &str, count: usize) -> Comparison {
    let kinds = ["feat", "fix", "chore", "docs"];
    let message = |at: usize| format!("{}: thing number {at} of the list (#{})", kinds[at % 4], 1000 + at);
    Comparison::of_messages(repository, &(0..count).map(message).collect::<Vec<_>>())
}

/// A few commits in each repository.
pub(crate) fn ordinary() -> World {
    let mut world = prod();
    messages(&mut world, GATEWAY, &["feat(api): export assets as CSV (#12)", "fix: login no longer loops (#13)", "chore: tidy up"]);
    messages(&mut world, AGENT, &["feat!: analyses need a workspace (#7)\n\nBREAKING CHANGE: pass `workspace`"]);
    messages(&mut world, ENGINE, &["ci: build on arm64", "Merge branch 'develop' into main"]);
    messages(&mut world, STORE, &["fix: uploads of 2 GiB and more arrive (#31)"]);
    world
}

async fn job(world: World) -> Job {
    let mut job = Job::tag_push(world).await;
    job.set("GITHUB_REF_NAME", TAG).set("DEPLOY_ANTHROPIC_SECRET", "escher/prod/anthropic-api-key").input("command", "release-notes");
    job
}

pub(crate) async fn notes(world: World) -> (Job, Ran) {
    let mut job = job(world).await;
    let ran = job.run().await;
    (job, ran)
}

pub(crate) fn body(job: &Job) -> String {
    job.sandbox.with(|world| {
        assert_eq!(world.github.releases.len(), 1, "one release");
        world.github.releases[0].body.clone()
    })
}

pub(crate) fn told(job: &Job) -> Vec<Message> {
    let of_releases = |message: &&Message| message.channel_name == "escher-releases";
    job.sandbox.with(|world| world.slack.messages.iter().filter(of_releases).cloned().collect())
}

/// Requests to GitHub by repository.
fn requests(job: &Job) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for call in job.sandbox.calls().iter().filter(|call| call.party == "github") {
        let path = call.body["path"].as_str().unwrap_or_default();
        let repository = path.trim_start_matches("/github/repos/").splitn(3, '/').take(2).collect::<Vec<_>>().join("/");
        *counts.entry(repository).or_default() += 1;
    }
    counts
}

#[tokio::test]
async fn notes_are_a_release_and_a_message_with_sentences_links_and_authors() {
    let (job, ran) = notes(ordinary()).await;
    ran.ends(0, "success")
        .says("Release notes: v2.15.0 → v2.16.0")
        .says("3 of 3 commits")
        .says("1 of 2 commits, 1 merge of a branch not listed");
    let page = format!("https://github.com/{HOME}/releases/tag/{TAG}");
    assert_eq!((ran.output("release-url"), ran.output("notify-ok")), (page.as_str(), "true"));
    let body = body(&job);
    insta::assert_snapshot!(without_ids(&body));
    let messages = told(&job);
    assert_eq!(messages.len(), 2, "a short message and its thread");
    assert_eq!(messages[1].thread_ts.as_deref(), Some(messages[0].ts.as_str()));
    assert!(messages[0].blocks.to_string().contains(&page));
    assert!(messages[0].blocks.to_string().contains(&format!("<https://github.com/{GATEWAY}/pull/12|#12>")), "{}", messages[0].blocks);
    let asked = job.sandbox.with(|world| world.anthropic.requests.clone());
    assert_eq!(asked.len(), 4, "a request a repository");
}

/// Commit ids are long and say nothing to a reader of a snapshot.
fn without_ids(text: &str) -> String {
    let is_hex = |word: &str| word.len() == 40 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let words = text.split_inclusive(|c: char| !c.is_ascii_alphanumeric());
    words
        .map(|word| {
            if is_hex(word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric())) {
                "<id>".to_owned() + &word[40..]
            } else {
                word.to_owned()
            }
        })
        .collect()
}

#[tokio::test]
#[expect(clippy::print_stdout, reason = "it says what it counted")]
async fn repositories_of_1_30_251_and_700_commits_are_complete_in_few_requests() {
    let mut world = prod();
    for (repository, count) in TOLD.into_iter().zip([1, 30, 251, 700]) {
        between(&mut world, repository, many(repository, count));
    }
    let (job, ran) = notes(world).await;
    ran.ends(0, "success");
    for count in [1, 30, 251, 700] {
        let commits = if count == 1 { "commit" } else { "commits" };
        ran.says(&format!("{count} of {count} {commits}"));
    }
    let requests = requests(&job);
    for repository in TOLD {
        assert!(requests[repository] <= 12, "{repository}: {requests:?}");
    }
    assert!(requests[HOME] <= 12, "{requests:?}");
    let body = body(&job);
    assert!(body.chars().count() <= 125_000);
    // Every commit is listed, or counted in a notice of what was cut.
    let all: usize = body.split("## All commits").nth(1).unwrap().lines().filter(|line| line.starts_with("- [")).count();
    let cut: usize = body
        .split("## All commits")
        .nth(1)
        .unwrap()
        .split("… and ")
        .skip(1)
        .filter_map(|rest| rest.split(' ').next()?.parse::<usize>().ok())
        .sum();
    assert_eq!(all + cut, 982, "{all} listed and {cut} counted");
    println!("requests to GitHub: {requests:?}; {all} commits listed, {cut} counted; {} characters", body.chars().count());
}

#[tokio::test]
async fn one_repository_that_is_refused_leaves_the_rest_and_a_mark() {
    let mut world = ordinary();
    let refused =
        Effect::Error { status: 403, code: "forbidden".into(), message: "Resource not accessible by personal access token".into() };
    let of_the_store = format!("compare {STORE}");
    world.fault(Fault { party: "github".into(), operation: of_the_store, skip: 0, times: usize::MAX, effect: refused });
    let (job, ran) = notes(world).await;
    ran.ends(0, "success").says("incomplete: GitHub answered 403").says("3 of 3 commits");
    let body = body(&job);
    assert!(body.contains("Incomplete: not every commit could be read of"), "{body}");
    assert!(body.contains("export assets as CSV") || body.contains("Export assets as CSV"));
    assert!(told(&job)[0].blocks.to_string().contains("Incomplete"));
    assert!(!body.contains("no changes"));
    // All of them, and even the list of tags.
    let mut world = ordinary();
    world.github.forbidden = TOLD.iter().chain([&HOME]).map(|name| (*name).to_owned()).collect();
    let (job, ran) = notes(world).await;
    ran.ends(0, "success").says("incomplete: the release before v2.16.0 can't be found").says("no GitHub Release was made");
    assert!(told(&job)[0].blocks.to_string().contains("Incomplete"), "people are told all the same");
}

#[tokio::test]
async fn first_release_rollback_hotfix_and_not_in_this_release_say_what_they_are() {
    let mut world = ordinary();
    let gateway = world.github.repository_mut(GATEWAY);
    gateway.tags.remove("v2.15.0");
    gateway.log = (0..130).map(|at| ListedCommit::new(GATEWAY, at, &format!("feat: thing {at} of many"))).collect();
    world.ecr.repositories.iter_mut().filter(|it| it.name == "escher-gateway").for_each(|it| it.images.clear());
    between(&mut world, AGENT, Comparison { lacking: Some(3), ..Comparison::new("behind", 0, &[]) });
    let hotfix =
        Comparison { status: "diverged".into(), lacking: Some(2), ..Comparison::of_messages(ENGINE, &["fix: the one thing (#9)"]) };
    between(&mut world, ENGINE, hotfix);
    let store = world.github.repository_mut(STORE);
    store.tags.clear();
    world.ecr.repositories.iter_mut().filter(|it| it.name == "escher-asset-store").for_each(|it| it.images.clear());
    let (job, ran) = notes(world).await;
    ran.ends(0, "success")
        .says("first release: the newest 100 commits")
        .says("rollback: 3 commits of the release before taken back")
        .says("hotfix: 1 of 1 new commit; 2 commits of the release before not in it")
        .says("not in this release: it has neither tag");
    let body = body(&job);
    assert!(body.contains("Rollback: this release takes back commits") && body.contains("Hotfix: this release lacks commits"), "{body}");
}

#[tokio::test]
async fn the_release_before_is_found_by_version_or_as_given() {
    let mut world = ordinary();
    for tag in ["v2.9.0", "v2.15.9-stg", "v3.0.0", "nightly", "v2.15.0-dev"] {
        let commit = world.github.repositories[HOME].tags[TAG].clone();
        world.github.repository_mut(HOME).tags.insert(tag.to_owned(), commit);
    }
    let (_, ran) = notes(world).await;
    ran.ends(0, "success").says("Release notes: v2.15.0 → v2.16.0");
    let mut job = job(ordinary()).await;
    job.input("from-tag", "v2.16.0")
        .input("dry-run", "true")
        .run()
        .await
        .ends(0, "success")
        .says("unchanged: the same commit in both releases");
    job.input("from-tag", "2.15").run().await.ends(2, "refused").says("input `from-tag`");
}

#[tokio::test]
async fn whatever_the_model_does_notes_are_published() {
    use escher_sandbox::Mode;
    for mode in [
        Mode::Well,
        Mode::ThinkingFirst,
        Mode::Refusal,
        Mode::MaxTokens,
        Mode::BrokenJson,
        Mode::InventedIds,
        Mode::MissingIds,
        Mode::DoubledIds,
        Mode::UrlInSentence,
        Mode::MentionInSentence,
        Mode::MarkupInSentence,
        Mode::CredentialInSentence,
        Mode::Possessed,
        Mode::Empty,
        Mode::LongSentences,
    ] {
        let mut world = ordinary();
        world.anthropic.mode = mode;
        let (job, ran) = notes(world).await;
        ran.ends(0, "success");
        assert_eq!(ran.output("notify-ok"), "true", "{mode:?}");
        let body = body(&job);
        let is_marked = body.contains("ummarised:");
        // Nothing here gives orders, so a model that obeys has nothing to obey.
        let is_well = matches!(mode, Mode::Well | Mode::ThinkingFirst | Mode::Possessed);
        assert_eq!(is_marked, !is_well && !matches!(mode, Mode::InventedIds), "{mode:?}: {body}");
        for wrong in ["evil.example", "<!channel>", "@everyone", "](http://", "<b>", "AKIA", "xoxb-"] {
            assert!(!body.contains(wrong), "{mode:?} brought {wrong}: {body}");
        }
        for title in ["export assets as CSV", "login no longer loops", "uploads of 2 GiB"] {
            assert!(body.contains(title), "{mode:?}: the plain list is always there");
        }
        let messages = told(&job);
        assert!(messages.iter().all(|message| message.mentions().is_empty()), "{mode:?}");
    }
}

#[tokio::test]
async fn models_are_tried_in_order_and_what_passes_is_tried_again() {
    // Retired: the next one.
    let mut world = ordinary();
    world.anthropic.models = vec!["claude-sonnet-5-5".to_owned()];
    let (job, ran) = notes(world).await;
    ran.ends(0, "success");
    assert!(!body(&job).contains("ummarised:"));
    // None of them.
    let mut world = ordinary();
    world.anthropic.models.clear();
    let (job, ran) = notes(world).await;
    ran.ends(0, "success");
    assert!(body(&job).contains("Not summarised:"), "{}", body(&job));
    // Overloaded for good, and a key that is no longer good.
    for (status, word) in [(529, "overloaded"), (401, "DEPLOY_ANTHROPIC_SECRET")] {
        let mut world = ordinary();
        world.fault(Fault {
            party: "anthropic".into(),
            operation: "messages".into(),
            skip: 0,
            times: 1000,
            effect: Effect::Body { status, body: r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#.into() },
        });
        let (job, ran) = notes(world).await;
        ran.ends(0, "success");
        assert!(body(&job).contains("Not summarised:"), "{}", body(&job));
        assert!(body(&job).to_lowercase().replace('\\', "").contains(&word.to_lowercase()), "{status}: {}", body(&job));
    }
    // No key at all.
    let mut job = self::job(ordinary()).await;
    job.variables.remove("DEPLOY_ANTHROPIC_SECRET");
    job.run().await.ends(0, "success");
    assert!(body(&job).contains("Not summarised: DEPLOY"), "{}", body(&job));
    let mut job = self::job(ordinary()).await;
    job.set("DEPLOY_ANTHROPIC_SECRET", "escher/prod/none").run().await.ends(0, "success");
    assert!(body(&job).contains("Not summarised:"), "{}", body(&job));
}

#[tokio::test]
async fn a_production_deployment_publishes_once_and_what_fails_there_fails_nothing() {
    let mut job = Job::tag_push(ordinary()).await;
    job.set("GITHUB_REF_NAME", TAG);
    let ran = job.run().await;
    ran.ends(0, "success").says("release notes: https://github.com/").summarises("Release notes");
    assert_eq!((ran.output("release-url").is_empty(), told(&job).len()), (false, 2));
    job.run().await.ends(0, "unchanged");
    assert_eq!((told(&job).len(), job.count("create_release")), (2, 1), "nobody is told twice");
    // Whatever happens to the notes, the deployment has succeeded.
    let mut world = ordinary();
    world.github.read_only.insert(HOME.to_owned());
    world.slack.channels.retain(|channel| channel.name != "escher-releases");
    let mut job = Job::tag_push(world).await;
    let ran = job.set("GITHUB_REF_NAME", TAG).run().await;
    ran.ends(0, "success")
        .says("no GitHub Release was made")
        .says("contents: write")
        .says("Slack did not take the message for #escher-releases (DEPLOY_RELEASES_CHANNEL): channel_not_found");
    assert_eq!((ran.output("notify-ok"), ran.output("release-url")), ("false", ""));
    assert_eq!(ran.names("deployed").len(), 7);
}

#[tokio::test]
async fn dev_publishes_no_notes() {
    let mut job = Job::tag_push(crate::harness::escher()).await;
    job.run().await.ends(0, "success");
    assert_eq!((job.count("create_release"), told(&job).len()), (0, 0));
}

#[tokio::test]
async fn what_a_person_wrote_on_the_release_stays() {
    let mut job = job(ordinary()).await;
    job.run().await.ends(0, "success");
    job.sandbox.with(|world| {
        let release = &mut world.github.releases[0];
        release.body = format!("# Hello\n\n{}\n\nBye.", release.body);
    });
    job.sandbox.with(|world| messages(world, STORE, &["fix: another thing entirely (#99)"]));
    job.run().await.ends(0, "success");
    let body = body(&job);
    assert!(body.starts_with("# Hello\n") && body.ends_with("Bye.") && body.contains("/pull/99") && !body.contains("/pull/31"), "{body}");
    assert_eq!(job.count("create_release"), 1);
}

#[tokio::test]
async fn a_release_that_a_person_made_is_announced_all_the_same() {
    let mut job = job(ordinary()).await;
    job.run().await.ends(0, "success");
    job.sandbox.with(|world| {
        world.github.releases[0].body = "By hand.".to_owned();
        world.slack.messages.clear();
    });
    job.variables.remove("INPUT_COMMAND");
    job.run().await.ends(0, "success");
    assert!(body(&job).starts_with("By hand.\n"), "{}", body(&job));
    assert_eq!(told(&job).len(), 2);
}

#[tokio::test]
async fn a_run_of_one_service_does_not_take_the_others_out_of_the_notes() {
    let mut job = job(ordinary()).await;
    job.variables.remove("INPUT_COMMAND");
    job.only("gateway").run().await.ends(0, "success");
    assert!(body(&job).contains("/pull/12") && body(&job).contains("/pull/31"), "{}", body(&job));
}

#[tokio::test]
async fn a_tag_that_nobody_knows_is_refused() {
    let mut job = job(ordinary()).await;
    job.input("from-tag", "v2.51.0").run().await.ends(3, "refused").says("no repository of the release knows v2.51.0");
    let mut job = self::job(ordinary()).await;
    job.set("GITHUB_REF_NAME", "v9.9.9").run().await.ends(3, "refused").says("no repository of the release knows v9.9.9");
    assert_eq!((job.count("create_release"), told(&job).len()), (0, 0));
}

#[tokio::test]
async fn a_tag_that_is_not_there_is_not_made() {
    let mut world = ordinary();
    world.github.repository_mut(HOME).tags.remove(TAG);
    let (job, ran) = notes(world).await;
    ran.ends(0, "success").says("has no tag v2.16.0");
    assert_eq!(job.count("create_release"), 0);
    assert!(!job.sandbox.with(|world| world.github.repositories[HOME].tags.contains_key(TAG)));
}

#[tokio::test]
async fn a_dry_run_prints_and_publishes_nothing() {
    let mut job = job(ordinary()).await;
    let ran = job.input("dry-run", "true").run().await;
    ran.ends(0, "success").says("Features").says("Completeness").says("nothing was published");
    assert_eq!((job.count("create_release"), job.count("chat.postMessage")), (0, 0));
}

#[tokio::test]
async fn a_repository_without_tags_is_told_by_its_images() {
    let mut world = ordinary();
    world.github.repository_mut(GATEWAY).tags.clear();
    for (at, number) in ["2.15.0", "2.16.0"].into_iter().enumerate() {
        let commit = format!("{at}").repeat(40);
        let image = world.image_mut("escher-gateway", &format!("v{number}"));
        image.tags.retain(|tag| !tag.starts_with("sha-"));
        image.tags.push(format!("sha-{commit}"));
    }
    let key = (GATEWAY.to_owned(), "0".repeat(40), "1".repeat(40));
    world.github.comparisons.insert(key, Comparison::of_messages(GATEWAY, &["feat: found by its image (#77)"]));
    let (job, ran) = notes(world).await;
    ran.ends(0, "success").says("1 of 1 commit");
    assert!(body(&job).contains("/pull/77"), "{}", body(&job));
}
