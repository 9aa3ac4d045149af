//! action.yml against the binary's own list of inputs, both ways; and the launcher, which fails closed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, Output};

use escher_deploy::config::inputs::INPUTS;
use serde_json::Value;

use crate::harness::{Job, ROOT, escher};

fn action() -> Value {
    let text = std::fs::read_to_string(Path::new(ROOT).join("action.yml")).unwrap();
    serde_saphyr::from_str(&text).unwrap()
}

fn keys(value: &Value) -> BTreeSet<String> {
    value.as_object().map(|map| map.keys().cloned().collect()).unwrap_or_default()
}

#[test]
fn action_yml_and_the_binary_have_the_same_inputs() {
    let action = action();
    let own: BTreeSet<String> = INPUTS.iter().map(|input| input.name.to_owned()).collect();
    assert_eq!(keys(&action["inputs"]), own, "action.yml `inputs` and INPUTS in src/config/inputs.rs differ");
    let mapped: BTreeMap<String, String> =
        INPUTS.iter().map(|input| (input.environment_variable(), format!("${{{{ inputs.{} }}}}", input.name))).collect();
    let env: BTreeMap<String, String> = serde_json::from_value(action["runs"]["steps"][0]["env"].clone()).unwrap();
    assert_eq!(env, mapped, "the step's `env` must map every input to INPUT_<NAME>");
}

#[test]
fn the_action_is_one_step_that_becomes_the_launcher() {
    let action = action();
    assert_eq!(action["runs"]["using"], "composite");
    let steps = action["runs"]["steps"].as_array().unwrap();
    assert_eq!(steps.len(), 1);
    assert_eq!(steps[0]["run"], r#"exec bash --noprofile --norc -p "$GITHUB_ACTION_PATH/dist/launch""#);
    assert!(steps[0].get("uses").is_none());
    assert!(keys(&action["inputs"]).iter().all(|name| action["inputs"][name]["required"] == false));
}

#[tokio::test]
async fn every_output_of_action_yml_is_written_and_no_other() {
    let mut job = Job::tag_push(escher()).await;
    let ran = job.only("autoresolver").run().await;
    let written: BTreeSet<String> = ran.outputs.keys().cloned().collect();
    assert_eq!(keys(&action()["outputs"]), written);
}

#[test]
fn the_toggles_of_the_example_workflows_name_real_services() {
    for (file, job) in [
        ("deploy-dev.yml", "deploy"),
        ("deploy-staging.yml", "deploy"),
        ("deploy-prod.yml", "deploy"),
        ("build-matrix.yml", "detect"),
        ("build-matrix.yml", "deploy"),
    ] {
        let text = std::fs::read_to_string(Path::new(ROOT).join("examples/workflows").join(file)).unwrap();
        let workflow: Value = serde_saphyr::from_str(&text).unwrap();
        let inputs = keys(&workflow["on"]["workflow_dispatch"]["inputs"]);
        let toggles: Vec<&String> = inputs.iter().filter(|name| name.starts_with("skip_")).collect();
        assert_eq!(toggles.len(), 8, "{file}");
        let with = &workflow["jobs"][job]["steps"][0]["with"];
        assert!(job == "detect" || with["skip-e2e"].as_str().is_some_and(|text| text.contains("inputs.skip_e2e")), "{file}");
        for toggle in toggles.iter().filter(|name| name.as_str() != "skip_e2e") {
            let service = with["skip"]
                .as_str()
                .and_then(|text| text.split(&format!("inputs.{toggle} && '")).nth(1))
                .and_then(|rest| rest.split('\'').next());
            let service = service.unwrap_or_else(|| panic!("{toggle} of {file} feeds nothing"));
            assert!(Path::new(ROOT).join(format!("services/{service}.yml")).exists(), "{toggle} of {file} names {service}");
        }
    }
}

/// A release tree of a launcher and a "binary" that tells what it was given.
struct Tree(tempfile::TempDir);

const BINARY: &str = "escher-deploy-x86_64-linux";

impl Tree {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::copy(Path::new(ROOT).join("dist/launch"), folder.path().join("launch")).unwrap();
        // `uname` decides; here it always says the same.
        Self::script(&folder.path().join("uname"), "[ \"$1\" = -s ] && echo Linux || echo x86_64");
        let tree = Self(folder);
        Self::script(&tree.0.path().join(BINARY), "echo \"pid $$ input $INPUT_TAG arguments $*\"; exit 42");
        let sum = Command::new("sha256sum").arg(BINARY).current_dir(tree.0.path()).output().unwrap();
        std::fs::write(tree.0.path().join("SHA256SUMS"), sum.stdout).unwrap();
        tree
    }

    fn script(path: &Path, body: &str) {
        use std::os::unix::fs::PermissionsExt;
        std::fs::write(path, format!("#!/bin/sh\n{body}\n")).unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn launch(&self) -> Output {
        let path = format!("{}:/usr/bin:/bin", self.0.path().display());
        let child =
            Command::new(self.0.path().join("launch")).arg("plan").env_clear().env("PATH", path).env("INPUT_TAG", "v1.2.3").output();
        child.unwrap()
    }

    #[track_caller]
    fn refuses(&self, words: &str) {
        let output = self.launch();
        let text = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(3), "{text}");
        assert!(text.contains(words), "{text}");
        assert!(!text.contains("input v1.2.3"), "it was started: {text}");
    }
}

#[test]
fn the_launcher_becomes_the_binary_with_its_arguments_and_inputs() {
    let output = Tree::new().launch();
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(42), "{text}");
    assert!(text.contains("input v1.2.3 arguments plan"), "{text}");
}

#[test]
fn the_launcher_refuses_what_was_changed_what_is_not_listed_and_what_is_not_there() {
    let changed = Tree::new();
    let path = changed.0.path().join(BINARY);
    let mut bytes = std::fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&path, bytes).unwrap();
    changed.refuses("does not match dist/SHA256SUMS");
    let unlisted = Tree::new();
    std::fs::write(unlisted.0.path().join("SHA256SUMS"), "").unwrap();
    unlisted.refuses("does not list escher-deploy-x86_64-linux");
    let unsummed = Tree::new();
    std::fs::remove_file(unsummed.0.path().join("SHA256SUMS")).unwrap();
    unsummed.refuses("SHA256SUMS is not here");
    let absent = Tree::new();
    std::fs::remove_file(absent.0.path().join(BINARY)).unwrap();
    absent.refuses("only released tags carry binaries");
    let strange = Tree::new();
    Tree::script(&strange.0.path().join("uname"), "[ \"$1\" = -s ] && echo Plan9 || echo mips");
    strange.refuses("no binary for Plan9 on mips");
}
