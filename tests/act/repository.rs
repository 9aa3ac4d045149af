//! A scratch repository with one of the workflows in it, the sandbox, and act.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use escher_sandbox::{Sandbox, World};
use serde_json::{Value, json};
use tempfile::TempDir;

/// The checkout.
pub(crate) const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
pub(crate) const ORCHESTRATOR: &str = "v3-escher-deployment";
/// No run of act takes longer.
const LIMIT: Duration = Duration::from_secs(120);

/// A repository of escher-dbai with one workflow.
pub(crate) struct Repository {
    pub(crate) sandbox: Sandbox,
    pub(crate) release: PathBuf,
    folder: TempDir,
    workflow: String,
    environment: String,
}

/// What act left behind.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) log: String,
}

/// The seven services of an environment, quick enough for a test.
pub(crate) fn escher(environment: &str) -> World {
    let mut world = World::escher(environment);
    world.time_scale = 100.0;
    world
}

/// What the script `run` has made.
fn made(variable: &str) -> PathBuf {
    std::env::var(variable).unwrap_or_else(|_| panic!("{variable} is not set: start this with tests/act/run")).into()
}

impl Repository {
    /// The repository `name`, with the example `workflow`.
    pub(crate) async fn with(name: &str, workflow: &str, world: World) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let environment = world.environment.clone();
        let sandbox = Sandbox::start(world).await;
        let repository = Self { sandbox, release: made("RELEASE_TREE"), folder, workflow: workflow.to_owned(), environment };
        let example = Path::new(ROOT).join("examples/workflows").join(workflow);
        repository.write(&format!("repository/.github/workflows/{workflow}"), &std::fs::read_to_string(example).unwrap());
        repository.git(&["init", "--quiet", "--initial-branch=main"]);
        repository.git(&["remote", "add", "origin", &format!("https://github.com/escher-dbai/{name}")]);
        for place in ["home", "tmp", "bin", "checkout"] {
            std::fs::create_dir_all(repository.at(place)).unwrap();
        }
        repository
    }

    /// The orchestrator, with one of its workflows.
    pub(crate) async fn orchestrator(workflow: &str, world: World) -> Self {
        Self::with(ORCHESTRATOR, workflow, world).await
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file below the story's folder; `repository/` is the repository.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.at(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn git(&self, words: &[&str]) {
        let mut command = Command::new("git");
        command.env_clear().env("PATH", made("PATH")).env("HOME", self.at("home"));
        let output = command.arg("-C").arg(self.at("repository")).args(words).output().unwrap();
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// A pushed tag, at the commit that the sandbox's GitHub knows for it.
    pub(crate) async fn tag_push(&self, tag: &str) -> Ran {
        self.run("push", json!({"ref": format!("refs/tags/{tag}"), "after": self.commit(tag)})).await
    }

    /// A manual run on a branch or a tag, as `gh workflow run` starts it.
    pub(crate) async fn dispatch(&self, reference: &str, inputs: &[(&str, &str)]) -> Ran {
        let inputs: BTreeMap<&str, &str> = inputs.iter().copied().collect();
        self.run("workflow_dispatch", json!({"ref": reference, "inputs": inputs})).await
    }

    fn commit(&self, tag: &str) -> String {
        let name = self.remote();
        self.sandbox
            .with(|world| world.github.repositories.get(&name).and_then(|it| it.tags.get(tag).cloned()))
            .unwrap_or_else(|| "0".repeat(40))
    }

    fn remote(&self) -> String {
        let text = std::fs::read_to_string(self.at("repository/.git/config")).unwrap();
        let url = text.lines().find_map(|line| line.trim().strip_prefix("url = https://github.com/")).unwrap();
        url.to_owned()
    }

    /// Commits what is in the repository and runs its workflow.
    async fn run(&self, event: &str, payload: Value) -> Ran {
        self.git(&["add", "--all"]);
        self.git(&["-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "--quiet", "--allow-empty", "--message=one"]);
        self.write("event.json", &payload.to_string());
        // A runner has a `python3`, whatever it is called here.
        let _ = symlink("/usr/bin/python3", self.at("bin/python3"));
        let mut command = tokio::process::Command::new(made("ACT"));
        command.arg(event).args(self.arguments()).env_clear().envs(self.variables());
        command.current_dir(self.at("repository")).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.process_group(0).kill_on_drop(true).spawn().unwrap();
        let group = format!("-{}", child.id().unwrap());
        let Ok(output) = tokio::time::timeout(LIMIT, child.wait_with_output()).await else {
            let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
            panic!("act takes longer than {LIMIT:?}");
        };
        let output = output.unwrap();
        let log = [output.stdout, output.stderr].concat();
        Ran { code: output.status.code().unwrap_or(-1), log: String::from_utf8_lossy(&log).into_owned() }
    }

    fn arguments(&self) -> Vec<String> {
        let sandbox: BTreeMap<String, String> = self.sandbox.env().into_iter().collect();
        let repository = |name: &str, folder: &Path| format!("--local-repository={name}={}", folder.display());
        let checkout = self.checkout_used().map(|used| repository(&used, &self.at("checkout")));
        let mut arguments = vec![
            format!("--workflows=.github/workflows/{}", self.workflow),
            format!("--eventpath={}", self.at("event.json").display()),
            "--platform=ubuntu-latest=-self-hosted".to_owned(),
            repository("escher-dbai/escher-deploy-action@v1", &self.release),
            "--actor=ada".to_owned(),
            "--no-cache-server".to_owned(),
            // A real runner has this from GitHub, and no workflow could set it.
            format!("--env=GITHUB_API_URL={}", sandbox["GITHUB_API_URL"]),
            format!("--secret=GITHUB_TOKEN={}", sandbox["GITHUB_TOKEN"]),
            format!("--secret=SLACK_BOT_TOKEN={}", sandbox["SLACK_BOT_TOKEN"]),
            "--var=DEPLOY_ACCOUNT_ID=111122223333".to_owned(),
            format!("--var=DEPLOY_ANTHROPIC_SECRET=escher/{}/anthropic-api-key", self.environment),
        ];
        arguments.extend(["DEPLOY_ROLE_ARN", "DEPLOY_BASE_URL"].map(|name| format!("--var={name}={}", sandbox[name])));
        arguments.extend(checkout);
        arguments
    }

    /// The pinned `actions/checkout` of the workflow: act has the job's own repository checked out itself, any other by this stand-in.
    fn checkout_used(&self) -> Option<String> {
        let workflow = std::fs::read_to_string(self.at("repository/.github/workflows").join(&self.workflow)).unwrap();
        let used = workflow.lines().find_map(|line| line.trim().strip_prefix("uses: actions/checkout@"))?;
        let sha = used.split(' ').next().unwrap_or_default();
        Some(format!("actions/checkout@{sha}"))
    }

    /// What the job's machine has: the sandbox's addresses, OIDC, and the pace of a test. What a workflow passes on is not among it.
    fn variables(&self) -> BTreeMap<String, String> {
        let mut variables: BTreeMap<String, String> = self.sandbox.env().into_iter().collect();
        for passed in
            ["GITHUB_API_URL", "GITHUB_TOKEN", "SLACK_BOT_TOKEN", "DEPLOY_ROLE_ARN", "DEPLOY_BASE_URL", "DEPLOY_CLUSTER", "DEPLOY_REGION"]
        {
            variables.remove(passed);
        }
        let at = |name: &str| self.at(name).display().to_string();
        let own = [
            ("PATH", format!("{}:{}:/usr/bin:/bin", at("bin"), Sandbox::docker_folder().display())),
            ("DOCKER_HOST", self.sandbox.docker_host()),
            ("HOME", at("home")),
            ("TMPDIR", at("tmp")),
            ("XDG_CACHE_HOME", at("home/cache")),
            ("DEPLOY_POLL_SECONDS", "0.05".to_owned()),
            ("DEPLOY_SMOKE_TIMEOUT_SECONDS", "5".to_owned()),
        ];
        variables.extend(own.map(|(name, value)| (name.to_owned(), value)));
        variables
    }

    /// Service → version of the image that its PRIMARY runs.
    pub(crate) fn runs(&self) -> BTreeMap<String, String> {
        self.sandbox.with(|world| {
            let running = |service: &escher_sandbox::Service| {
                let task = service.tasks.iter().find(|task| task.last_status == "RUNNING")?;
                Some(world.ecr.by_digest(&task.containers.first()?.digest)?.version.clone())
            };
            world.ecs.services.iter().map(|service| (service.name.clone(), running(service).unwrap_or_default())).collect()
        })
    }

    /// The services in the order of their updates.
    pub(crate) fn updated(&self) -> Vec<String> {
        let calls = self.sandbox.calls();
        let updates = calls.iter().filter(|call| call.operation == "UpdateService");
        let bodies = updates.map(|call| serde_json::from_str::<Value>(&call.raw).unwrap());
        bodies.map(|body| body["service"].as_str().unwrap().to_owned()).collect()
    }

    /// The texts in a Slack channel.
    pub(crate) fn told(&self, channel: &str) -> Vec<String> {
        self.sandbox.with(|world| {
            let messages = world.slack.messages.iter().filter(|message| message.channel_name == channel);
            messages.map(|message| message.text.clone()).collect()
        })
    }

    /// All seven run this version, in the order that `needs` asks for, and Slack was told that it went well.
    #[track_caller]
    pub(crate) fn has_arrived(&self, version: &str) {
        let versions: BTreeSet<String> = self.runs().into_values().collect();
        assert_eq!(versions, BTreeSet::from([version.to_owned()]), "{:?}", self.runs());
        let order = self.updated();
        let at = |name: &str| order.iter().position(|it| it == name).unwrap_or_else(|| panic!("{name} was not updated: {order:?}"));
        assert_eq!(order.len(), 7, "each once: {order:?}");
        assert!(at("asset-store") < at("context-engine"), "{order:?}");
        for agent in ["analysis-agent", "playbook-agent", "integrations-agent"] {
            assert!(at("context-engine") < at(agent) && at(agent) < at("gateway"), "{order:?}");
        }
        assert!(self.told("escher-deployments").iter().any(|text| text.starts_with('✅')), "{:?}", self.told("escher-deployments"));
    }
}

impl Ran {
    /// act's exit code, with its whole log where it is another.
    #[track_caller]
    pub(crate) fn ends(&self, code: i32) -> &Self {
        assert_eq!(self.code, code, "\n{}", self.log);
        self
    }

    #[track_caller]
    pub(crate) fn says(&self, words: &str) -> &Self {
        assert!(self.log.contains(words), "act's log does not say {words:?}\n{}", self.log);
        self
    }
}
