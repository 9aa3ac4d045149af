//! The binary as a workflow's step has it: through action.yml and its launcher, in real act.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::json;

use crate::stack::{HERE, Job, LIMIT, Ran, command, git};

/// One step of a job; the outputs are written down, as a later step would read them.
const WORKFLOW: &str = r#"
on: { push: { tags: ["v*"] } }
permissions: {}
jobs:
  deploy:
    runs-on: ubuntu-latest
    permissions: { id-token: write, contents: read }
    steps:
      - id: deploy
        uses: escher-dbai/escher-deploy-action@v1
        with:
          services: ${{ vars.SERVICES }}
          skip: ${{ vars.SKIP }}
          slack-bot-token: ${{ secrets.SLACK_BOT_TOKEN }}
        env:
          DEPLOY_ROLE_ARN: ${{ vars.DEPLOY_ROLE_ARN }}
          DEPLOY_BASE_URL: ${{ vars.DEPLOY_BASE_URL }}
      - if: always()
        run: printf '%s' "$OUTPUTS" >"$OUTPUTS_FILE"
        env: { OUTPUTS: "${{ toJSON(steps.deploy.outputs) }}" }
"#;

const ORCHESTRATOR: &str = "escher-dbai/v3-escher-deployment";

/// The orchestrator's repository, that workflow, and the action that it uses.
pub(crate) struct Runner {
    folder: PathBuf,
    /// The git host's repositories.
    git: PathBuf,
    act: PathBuf,
}

impl Runner {
    /// With this configuration in the action's own folder.
    pub(crate) fn new(folder: &Path, stack: &BTreeMap<String, String>, binary: &Path, configuration: &Path) -> Self {
        let runner = Self { folder: folder.join("runner"), git: (&stack["GIT_ROOT"]).into(), act: (&stack["ACT"]).into() };
        let dist = runner.folder.join("action/dist");
        std::fs::create_dir_all(&dist).unwrap();
        std::fs::create_dir_all(runner.folder.join("home")).unwrap();
        let root = Path::new(HERE).join("../..");
        std::fs::copy(root.join("action.yml"), runner.folder.join("action/action.yml")).unwrap();
        std::fs::copy(root.join("dist/launch"), dist.join("launch")).unwrap();
        let name = format!("escher-deploy-{}-linux", std::env::consts::ARCH);
        std::fs::copy(binary, dist.join(&name)).unwrap();
        runner.run(&dist, "sh", &["-c", "sha256sum -- \"$1\" >SHA256SUMS", "sh", &name]);
        runner.run(&runner.folder, "cp", &["-R", &format!("{}/.", configuration.display()), "action"]);
        std::fs::write(runner.folder.join("deploy.yml"), WORKFLOW).unwrap();
        let repository = runner.folder.join("repository");
        std::fs::create_dir_all(&repository).unwrap();
        git(&repository, &["init", "--quiet", "--initial-branch=main"]);
        git(&repository, &["-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "--quiet", "--allow-empty", "--message=one"]);
        git(&repository, &["remote", "add", "origin", &format!("https://github.com/{ORCHESTRATOR}")]);
        runner
    }

    fn run(&self, folder: &Path, program: &str, words: &[&str]) {
        assert!(command(Path::new(program)).current_dir(folder).args(words).status().unwrap().success(), "{program} {words:?}");
    }

    /// Pushes the tag that the job's variables name, and waits for the workflow.
    pub(crate) async fn push(&self, job: &Job) -> Ran {
        let repository = self.repository(&job.variables["GITHUB_REPOSITORY"], &job.variables["GITHUB_REF_NAME"]);
        let event = json!({"ref": format!("refs/tags/{}", job.variables["GITHUB_REF_NAME"]), "after": "0".repeat(40)});
        std::fs::write(self.folder.join("event.json"), event.to_string()).unwrap();
        let outputs = self.folder.join("outputs.json");
        let _ = std::fs::remove_file(&outputs);
        let mut act = tokio::process::Command::new(&self.act);
        act.arg("push").args(self.arguments(job)).env_clear().envs(self.machine(job)).env("OUTPUTS_FILE", &outputs);
        act.current_dir(repository).kill_on_drop(true).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let ended = tokio::time::timeout(LIMIT, act.spawn().unwrap().wait_with_output()).await.expect("it ends in time").unwrap();
        let text = format!("{}{}", String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
        let outputs = std::fs::read_to_string(outputs).unwrap_or_else(|error| panic!("no outputs: {error}\n{text}"));
        Ran::new(code(ended.status.success(), &text), text, serde_json::from_str(&outputs).unwrap())
    }

    /// act takes repository and commit from the folder that it is started in.
    fn repository(&self, name: &str, tag: &str) -> PathBuf {
        if name == ORCHESTRATOR {
            return self.folder.join("repository");
        }
        let from = self.git.join(format!("{name}.git")).display().to_string();
        let _ = std::fs::remove_dir_all(self.folder.join("component"));
        git(&self.folder, &["clone", "--quiet", "--branch", tag, &from, "component"]);
        let component = self.folder.join("component");
        git(&component, &["remote", "set-url", "origin", &format!("https://github.com/{name}")]);
        component
    }

    fn arguments(&self, job: &Job) -> Vec<String> {
        let of = |name: &str| job.variables.get(name).map_or("", String::as_str);
        let mut arguments = vec![
            format!("--workflows={}", self.folder.join("deploy.yml").display()),
            format!("--eventpath={}", self.folder.join("event.json").display()),
            "--platform=ubuntu-latest=-self-hosted".to_owned(),
            format!("--local-repository=escher-dbai/escher-deploy-action@v1={}", self.folder.join("action").display()),
            "--actor=ada".to_owned(),
            "--no-cache-server".to_owned(),
            format!("--var=SERVICES={}", of("INPUT_SERVICES")),
            format!("--var=SKIP={}", of("INPUT_SKIP")),
        ];
        // A runner has these two from GitHub, and no workflow could set them.
        arguments.extend(["GITHUB_API_URL", "GITHUB_SERVER_URL"].map(|name| format!("--env={name}={}", of(name))));
        arguments.extend(["GITHUB_TOKEN", "SLACK_BOT_TOKEN"].map(|name| format!("--secret={name}={}", of(name))));
        arguments.extend(["DEPLOY_ROLE_ARN", "DEPLOY_BASE_URL"].map(|name| format!("--var={name}={}", of(name))));
        arguments
    }

    /// What the job's machine has; what a workflow passes on is not among it.
    fn machine(&self, job: &Job) -> BTreeMap<String, String> {
        let passed = ["SLACK_BOT_TOKEN", "DEPLOY_ROLE_ARN", "DEPLOY_BASE_URL", "RUNNER_TEMP"];
        let is_own = |name: &str| !name.starts_with("GITHUB_") && !name.starts_with("INPUT_") && !passed.contains(&name);
        let mut machine = job.variables.clone();
        machine.retain(|name, _| is_own(name));
        let at = |name: &str| self.folder.join(name).display().to_string();
        let places = [("HOME", at("home")), ("XDG_CACHE_HOME", at("home/cache"))];
        machine.extend(places.map(|(name, value)| (name.to_owned(), value)));
        machine
    }
}

/// The exit code of the step that failed; act's own is 1.
fn code(is_well: bool, log: &str) -> i32 {
    let told = || log.rsplit("exit status ").next()?.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok();
    if is_well { 0 } else { told().unwrap_or(-1) }
}
