//! What is changed, unchanged, stuck or ours, and what the plan says of it.

use std::collections::BTreeMap;

use serde_json::json;

use super::*;
use crate::domain::change::{FoundImage, Origin, Source};
use crate::domain::plan::Plan;
use crate::domain::rollout::{Breaker, Deployment};
use crate::domain::task_definition::TaskDefinition;

const OLD: &str = "sha256:aaaaaaaaaaaaaaaa";
const NEW: &str = "sha256:bbbbbbbbbbbbbbbb";

fn service() -> Service {
    Service {
        name: "gateway".into(),
        repo: "v2-gateway-service-java".into(),
        dockerfile: "Dockerfile".into(),
        context: ".".into(),
        test_target: None,
        ecr_repo: "escher-gateway".into(),
        needs: vec![],
        ecs_service: "gateway".into(),
        container: "gateway".into(),
        paths: vec!["**".into()],
        health: None,
        migrate: None,
        config: vec!["LOG_LEVEL".into()],
        secrets: BTreeMap::new(),
        release_notes: false,
        runbook: None,
    }
}

fn found(image: &str, state: RolloutState, labels: serde_json::Value) -> Found {
    let definition = json!({"taskDefinition": {
        "taskDefinitionArn": "arn:aws:ecs:r:1:task-definition/f:7", "family": "f",
        "containerDefinitions": [{"name": "gateway", "image": format!("repo{image}"), "dockerLabels": labels,
                                  "environment": [{"name": "LOG_LEVEL", "value": "info"}]}]}});
    let deployment = Deployment {
        id: "ecs-svc/7".into(),
        is_primary: true,
        definition: "arn:aws:ecs:r:1:task-definition/f:7".into(),
        running: 1,
        failed_tasks: 0,
        state,
        reason: "in ECS's words".into(),
        created: None,
    };
    Found {
        view: ServiceView {
            name: "gateway".into(),
            status: "ACTIVE".into(),
            controller: "ECS".into(),
            desired: 1,
            deployments: vec![deployment],
            events: vec![],
            breaker: Breaker::default(),
            target_groups: vec![],
            is_native: false,
        },
        definition: TaskDefinition::from_answer(&definition).expect("a definition"),
        serving: None,
        secrets: BTreeMap::new(),
    }
}

fn plan(found: &Found, digest: &str, level: &str, force: bool) -> PlannedService {
    planned_with(found, Some((image(digest), How::Release)), level, force)
}

fn image(digest: &str) -> Image {
    Image { uri: "repo".into(), digest: digest.into(), tags: vec!["v2.16.0-dev".into(), "sha-3f2c1e9".into()] }
}

fn planned_with(found: &Found, image: Option<(Image, How)>, level: &str, force: bool) -> PlannedService {
    let source = Some(Source { commit: "3f2c1e9".into(), tree: None, origin: Origin::Tag });
    let chosen = Chosen { found: image.map(|(image, how)| FoundImage { image, how }), source, words: None, other: None };
    let tag = ReleaseTag::parse("v2.16.0-dev").expect("a tag");
    let values = BTreeMap::from([("LOG_LEVEL".to_owned(), level.to_owned()), ("OTHER".to_owned(), "x".to_owned())]);
    let release = Release { tag: &tag, environment: "dev", values: &values, owner: "escher-dbai", force };
    plan_service(&release, &service(), found, &chosen).expect("has the container")
}

fn at(digest: &str) -> String {
    format!("@{digest}")
}

#[test]
fn the_same_image_and_settings_are_left_alone() {
    let planned = plan(&found(&at(NEW), RolloutState::Completed, json!({})), NEW, "info", false);
    assert_eq!((planned.action, &planned.start), (Action::None, &Start::Nothing));
    assert_eq!(planned.reason, "same image, configuration and secrets as running");
}

#[test]
fn another_image_is_promoted_and_another_setting_configured() {
    let image = plan(&found(&at(OLD), RolloutState::Completed, json!({})), NEW, "info", false);
    assert_eq!((image.action, image.reason.as_str()), (Action::Promote, "changed: the image of v2.16.0-dev"));
    let setting = plan(&found(&at(NEW), RolloutState::Completed, json!({})), NEW, "debug", false);
    assert_eq!((setting.action, setting.reason.as_str()), (Action::Configure, "changed: only configuration, LOG_LEVEL"));
}

#[test]
fn what_is_failed_or_short_of_tasks_is_never_unchanged() {
    let failed = plan(&found(&at(NEW), RolloutState::Failed, json!({})), NEW, "info", false);
    assert_eq!((failed.action, &failed.start), (Action::Promote, &Start::Restart));
    assert!(failed.reason.contains("FAILED (in ECS's words)"), "{}", failed.reason);
    let mut short = found(&at(NEW), RolloutState::Completed, json!({}));
    short.view.desired = 2;
    assert_eq!(plan(&short, NEW, "info", false).start, Start::Restart);
}

#[test]
fn our_own_deployment_in_flight_is_joined_and_remembers_what_was_before() {
    let labels = json!({"escher.release": "v2.16.0-dev", "escher.previous": "arn:aws:ecs:r:1:task-definition/f:6"});
    let joined = plan(&found(&at(NEW), RolloutState::InProgress, labels.clone()), NEW, "info", false);
    assert_eq!(joined.start, Start::Join("ecs-svc/7".into()));
    let Start::Update(body) = plan(&found(&at(OLD), RolloutState::Failed, labels), NEW, "info", false).start else {
        panic!("an update");
    };
    let body = body.value();
    let labels = &body["containerDefinitions"][0]["dockerLabels"];
    assert_eq!(labels["escher.previous"], "arn:aws:ecs:r:1:task-definition/f:6", "not the failed one");
    assert_eq!(labels[LABEL_REVISION], "3f2c1e9");
}

#[test]
fn behind_a_failed_primary_the_earlier_deployment_is_what_runs_and_what_is_gone_back_to() {
    let mut stuck = found(&at(OLD), RolloutState::Failed, json!({}));
    let serving = json!({"taskDefinition": {"taskDefinitionArn": "arn:aws:ecs:r:1:task-definition/f:6", "family": "f",
        "containerDefinitions": [{"name": "gateway", "image": "repo:v2.14.0"}]}});
    stuck.serving = Some(TaskDefinition::from_answer(&serving).expect("a definition"));
    let planned = plan(&stuck, NEW, "info", false);
    assert_eq!(planned.from.version.as_deref(), Some("2.14.0"));
    let Start::Update(body) = &planned.start else { panic!("an update") };
    assert_eq!(body.value()["containerDefinitions"][0]["dockerLabels"]["escher.previous"], "arn:aws:ecs:r:1:task-definition/f:6");
    let whole = Plan { environment: "dev".into(), version: "2".into(), services: vec![planned.clone()] };
    assert_eq!(whole.goes_back_to(&planned), Some("arn:aws:ecs:r:1:task-definition/f:6".into()));
}

#[test]
fn force_deploys_what_is_unchanged() {
    let forced = plan(&found(&at(NEW), RolloutState::Completed, json!({})), NEW, "info", true);
    assert!(matches!(forced.start, Start::Update(_)));
    assert_eq!(forced.reason, "unchanged, but `force` is set");
}

#[test]
fn an_image_named_by_tag_is_changed_because_tags_move() {
    let by_tag = plan(&found(":v2.15.0-dev", RolloutState::Completed, json!({})), NEW, "info", false);
    assert_eq!(by_tag.action, Action::Promote);
    assert_eq!(by_tag.from.version.as_deref(), Some("2.15.0-dev"));
    assert!(by_tag.reason.contains("named by tag"), "{}", by_tag.reason);
}

#[test]
fn what_must_be_built_says_so_and_is_given_the_commit() {
    let old = found(&at(OLD), RolloutState::Completed, json!({}));
    let planned = planned_with(&old, None, "info", false);
    assert_eq!((planned.action, planned.reason.as_str()), (Action::Build, "changed: 3f2c1e9"));
    assert!(matches!(&planned.start, Start::Build(source) if source.commit.as_str() == "3f2c1e9"));
    let built = planned_with(&old, Some((image(NEW), How::Built)), "info", false);
    assert_eq!(built.action, Action::Build);
    assert!(matches!(built.start, Start::Update(_)));
}

#[test]
fn an_image_that_never_passed_does_not_go_where_only_such_may() {
    let old = found(&at(OLD), RolloutState::Completed, json!({}));
    let refused = not_passed(&planned_with(&old, Some((image(NEW), How::Tree)), "info", false), "staging");
    assert_eq!(refused.as_deref(), Some("its image sha256:bbbbbbbbbbbb of 3f2c1e9 has never passed staging"));
    let mut passed = image(NEW);
    passed.tags.push("passed-staging-2.16.0-stg".into());
    assert_eq!(not_passed(&planned_with(&old, Some((passed, How::Tree)), "info", false), "staging"), None);
    let same = found(&at(NEW), RolloutState::Completed, json!({}));
    assert_eq!(not_passed(&planned_with(&same, Some((image(NEW), How::Release)), "debug", false), "staging"), None, "it runs already");
}
