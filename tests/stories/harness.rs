//! Runs the binary in a runner's environment and nothing else, with a time limit, and reads everything that it left.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use escher_sandbox::{Sandbox, World};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

/// No story takes longer.
const LIMIT: Duration = Duration::from_secs(90);
/// Sandbox seconds in a real one: a service is healthy after a quarter of a second.
const SCALE: f64 = 100.0;

pub(crate) const ROOT: &str = env!("CARGO_MANIFEST_DIR");
pub(crate) const TAG: &str = "v2.16.0-dev";

/// A job of a workflow.
pub(crate) struct Job {
    pub(crate) sandbox: Sandbox,
    pub(crate) folder: TempDir,
    pub(crate) variables: BTreeMap<String, String>,
    pub(crate) arguments: Vec<String>,
    attempts: u32,
}

/// What a job left behind.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) outputs: BTreeMap<String, String>,
    pub(crate) summary: String,
    pub(crate) report: Value,
}

/// The seven services of dev, quick enough for a test.
pub(crate) fn escher() -> World {
    let mut world = World::escher("dev");
    world.time_scale = SCALE;
    world
}

impl Job {
    /// The tag push `v2.16.0-dev` in the orchestrator repository.
    pub(crate) async fn tag_push(world: World) -> Self {
        let sandbox = Sandbox::start(world).await;
        let folder = tempfile::tempdir().unwrap();
        let mut variables: BTreeMap<String, String> = sandbox.env().into_iter().collect();
        let at = |name: &str| folder.path().join(name).display().to_string();
        let runner = [
            ("GITHUB_ACTIONS", "true".to_owned()),
            ("GITHUB_REPOSITORY", "escher-dbai/v3-escher-deployment".to_owned()),
            ("GITHUB_REF_TYPE", "tag".to_owned()),
            ("GITHUB_REF_NAME", TAG.to_owned()),
            ("GITHUB_RUN_ID", "4711".to_owned()),
            ("GITHUB_ACTOR", "ada".to_owned()),
            ("GITHUB_SERVER_URL", "https://github.com".to_owned()),
            ("GITHUB_OUTPUT", at("output")),
            ("GITHUB_STEP_SUMMARY", at("summary")),
            ("GITHUB_ACTION_PATH", ROOT.to_owned()),
            // Without programs: what is installed on the machine decides no story.
            ("PATH", at("no-programs")),
            ("RUNNER_TEMP", folder.path().display().to_string()),
            ("DEPLOY_POLL_SECONDS", "0.05".to_owned()),
            ("DEPLOY_SMOKE_TIMEOUT_SECONDS", "2".to_owned()),
        ];
        variables.extend(runner.map(|(name, value)| (name.to_owned(), value)));
        Self { sandbox, folder, variables, arguments: Vec::new(), attempts: 0 }
    }

    /// Sets a variable, as a workflow's `env:` does.
    pub(crate) fn set(&mut self, name: &str, value: &str) -> &mut Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Sets an input, as action.yml does.
    pub(crate) fn input(&mut self, name: &str, value: &str) -> &mut Self {
        self.set(&format!("INPUT_{}", name.to_uppercase().replace('-', "_")), value)
    }

    /// A docker whose engine is the sandbox, and git.
    pub(crate) fn with_docker(&mut self) -> &mut Self {
        let (path, host) = (format!("{}:/usr/bin:/bin", Sandbox::docker_folder().display()), self.sandbox.docker_host());
        self.set("PATH", &path).set("DOCKER_HOST", &host)
    }

    /// Only these services.
    pub(crate) fn only(&mut self, services: &str) -> &mut Self {
        self.input("services", services)
    }

    /// Copies the shipped configuration into the job's folder, where a story may change it.
    pub(crate) fn own_configuration(&mut self) -> PathBuf {
        let folder = self.folder.path().join("configuration");
        for kind in ["services", "environments"] {
            std::fs::create_dir_all(folder.join(kind)).unwrap();
            for file in std::fs::read_dir(Path::new(ROOT).join(kind)).unwrap() {
                let file = file.unwrap();
                std::fs::copy(file.path(), folder.join(kind).join(file.file_name())).unwrap();
            }
        }
        let shown = folder.display().to_string();
        self.input("config-dir", &shown);
        folder
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_escher-deploy"));
        command.args(&self.arguments).env_clear().envs(&self.variables);
        command.current_dir(self.folder.path()).kill_on_drop(true).stdin(Stdio::null());
        command
    }

    /// Starts the binary without waiting, for stories that interrupt it.
    pub(crate) fn start(&mut self) -> tokio::process::Child {
        self.attempts += 1;
        let _ = std::fs::remove_file(self.folder.path().join("output"));
        let _ = std::fs::remove_file(self.folder.path().join("summary"));
        self.set("GITHUB_RUN_ATTEMPT", &self.attempts.to_string());
        self.command().stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Runs the binary to its end.
    pub(crate) async fn run(&mut self) -> Ran {
        let child = self.start();
        self.ended(child).await
    }

    /// Waits for a started binary and reads what it left.
    pub(crate) async fn ended(&self, child: tokio::process::Child) -> Ran {
        let output = tokio::time::timeout(LIMIT, child.wait_with_output()).await.expect("the binary ends in time").unwrap();
        let read = |name: &str| std::fs::read_to_string(self.folder.path().join(name)).unwrap_or_default();
        let outputs = outputs(&read("output"));
        let report = outputs.get("report").and_then(|path| std::fs::read_to_string(path).ok());
        Ran {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            summary: read("summary"),
            report: report.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default(),
            outputs,
        }
    }

    /// Sends a started binary a signal (`INT`, `TERM`) and waits for its end; how long that took, too.
    pub(crate) async fn stopped(&self, child: tokio::process::Child, signal: &str) -> (Ran, Duration) {
        let id = child.id().expect("it runs").to_string();
        let told = Instant::now();
        let sent = std::process::Command::new("kill").args([&format!("-{signal}"), &id]).status().unwrap();
        assert!(sent.success());
        (self.ended(child).await, told.elapsed())
    }

    /// The operations that the sandbox saw of one party, in order.
    pub(crate) fn operations(&self, party: &str) -> Vec<String> {
        self.sandbox.calls().iter().filter(|call| call.party == party).map(|call| call.operation.clone()).collect()
    }

    /// How often an operation was called.
    pub(crate) fn count(&self, operation: &str) -> usize {
        self.sandbox.calls().iter().filter(|call| call.operation == operation).count()
    }
}

impl Ran {
    /// Code and result at once, with everything printed where they are others.
    #[track_caller]
    pub(crate) fn ends(&self, code: i32, result: &str) -> &Self {
        let found = (self.code, self.output("result"));
        assert_eq!(found, (code, result), "\n--- stdout\n{}\n--- stderr\n{}", self.stdout, self.stderr);
        self
    }

    /// An output.
    pub(crate) fn output(&self, name: &str) -> &str {
        self.outputs.get(name).map_or("(missing)", String::as_str)
    }

    /// An output that is a JSON array of names.
    pub(crate) fn names(&self, output: &str) -> Vec<String> {
        serde_json::from_str(self.output(output)).unwrap_or_default()
    }

    /// The log and the summary both say it.
    #[track_caller]
    pub(crate) fn says(&self, words: &str) -> &Self {
        assert!(self.stdout.contains(words), "the log does not say {words:?}\n--- stdout\n{}\n--- stderr\n{}", self.stdout, self.stderr);
        self
    }

    /// The job summary says it.
    #[track_caller]
    pub(crate) fn summarises(&self, words: &str) -> &Self {
        assert!(self.summary.contains(words), "the summary does not say {words:?}\n--- summary\n{}", self.summary);
        self
    }
}

/// Reads a `GITHUB_OUTPUT` file as the runner does: `name<<delimiter`, lines, delimiter; nothing else is valid.
fn outputs(text: &str) -> BTreeMap<String, String> {
    let mut lines = text.split('\n');
    let mut found = BTreeMap::new();
    while let Some(line) = lines.next() {
        let Some((name, delimiter)) = line.split_once("<<") else {
            assert!(line.is_empty() && lines.next().is_none(), "a malformed output file: {line:?}");
            break;
        };
        let value: Vec<&str> = lines.by_ref().take_while(|line| *line != delimiter).collect();
        found.insert(name.to_owned(), value.join("\n"));
    }
    found
}
