//! The stack that the script `run` has started, and the binary on it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use escher_sandbox::{Backing, Sandbox, World};
use serde_json::Value;
use tempfile::TempDir;

pub(crate) const HERE: &str = env!("CARGO_MANIFEST_DIR");
/// No story takes longer.
pub(crate) const LIMIT: Duration = Duration::from_secs(240);

/// Engine, registry and git host.
pub(crate) struct Stack {
    pub(crate) variables: BTreeMap<String, String>,
    binary: PathBuf,
    /// The repositories of this story.
    git: PathBuf,
}

/// A job on the stack.
pub(crate) struct Job {
    pub(crate) sandbox: Sandbox,
    pub(crate) variables: BTreeMap<String, String>,
    pub(crate) folder: TempDir,
    pub(crate) binary: PathBuf,
}

/// What a job left behind.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) text: String,
    pub(crate) outputs: BTreeMap<String, String>,
    /// The command lines of everything that it started.
    pub(crate) command_lines: BTreeSet<String>,
    /// The most `docker` commands of it that ran at the same time.
    pub(crate) most_at_once: usize,
}

impl Stack {
    /// The stack, with the seven repositories at this tag.
    pub(crate) fn with_repositories(tag: &str) -> (Self, BTreeMap<String, Commit>) {
        let variable = |name: &str| env_of(name).unwrap_or_else(|| panic!("{name} is not set: start this with tests/realstack/run"));
        let text = std::fs::read_to_string(variable("REALSTACK_ENV")).unwrap();
        let pairs = text.lines().filter_map(|line| line.split_once('=')).map(|(name, value)| (name.to_owned(), value.to_owned()));
        let variables: BTreeMap<String, String> = pairs.collect();
        let git = PathBuf::from(&variables["GIT_ROOT"]);
        let stack = Self { variables, binary: variable("ESCHER_DEPLOY").into(), git };
        let commits = stack.repositories(&["create", tag]);
        (stack, commits)
    }

    /// Makes or changes repositories.
    pub(crate) fn repositories(&self, arguments: &[&str]) -> BTreeMap<String, Commit> {
        let output = command(&Path::new(HERE).join("make_repositories")).args(arguments).env("GIT_ROOT", &self.git).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        let made: BTreeMap<String, Value> = serde_json::from_slice(&output.stdout).unwrap();
        let commit = |value: &Value| Commit { id: text(&value["commit"]), tree: text(&value["tree"]) };
        made.iter().map(|(name, value)| (format!("escher-dbai/{}", name.trim_start_matches("escher-dbai/")), commit(value))).collect()
    }

    /// Escher in dev, with the registry behind ECR and nothing of 2.16.0 built.
    pub(crate) fn world(&self) -> World {
        let mut world = World::escher("dev");
        world.time_scale = 100.0;
        for repository in &mut world.ecr.repositories {
            repository.images.retain(|image| !image.version.starts_with("2.16.0"));
        }
        let folder = self.variables["REGISTRY_FOLDER"].clone().into();
        world.ecr.backing = Some(Backing { folder, address: self.variables["REGISTRY"].clone() });
        world.ecr.password = self.variables["REGISTRY_PASSWORD"].clone();
        world.github.token = self.variables["GIT_TOKEN"].clone();
        world
    }

    /// A tag push in the orchestrator.
    pub(crate) async fn job(&self, world: World, tag: &str) -> Job {
        let sandbox = Sandbox::start(world).await;
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).display().to_string();
        let configuration = folder.path().join("configuration");
        copy_configuration(&configuration);
        let mut variables: BTreeMap<String, String> = sandbox.env().into_iter().collect();
        let own = [
            ("PATH", env_of("PATH").unwrap_or_default()),
            ("HOME", at("home")),
            ("DOCKER_HOST", self.variables["DOCKER_HOST"].clone()),
            ("DOCKER_CONFIG", self.variables["DOCKER_CONFIG"].clone()),
            ("GITHUB_ACTIONS", "true".to_owned()),
            ("GITHUB_REPOSITORY", "escher-dbai/v3-escher-deployment".to_owned()),
            ("GITHUB_REF_TYPE", "tag".to_owned()),
            ("GITHUB_REF_NAME", tag.to_owned()),
            ("GITHUB_SERVER_URL", self.variables["GIT_URL"].clone()),
            ("GITHUB_OUTPUT", at("output")),
            ("GITHUB_STEP_SUMMARY", at("summary")),
            ("RUNNER_TEMP", folder.path().display().to_string()),
            ("INPUT_CONFIG_DIR", configuration.display().to_string()),
            ("DEPLOY_POLL_SECONDS", "0.1".to_owned()),
            ("DEPLOY_BUILD_JOBS", "2".to_owned()),
        ];
        variables.extend(own.map(|(name, value)| (name.to_owned(), value)));
        Job { sandbox, variables, folder, binary: self.binary.clone() }
    }

    /// The digest that the registry itself names for a tag.
    pub(crate) fn digest(&self, repository: &str, tag: &str) -> Option<String> {
        let (address, password) = (&self.variables["REGISTRY"], &self.variables["REGISTRY_PASSWORD"]);
        let auth = STANDARD.encode(format!("AWS:{password}"));
        let kinds = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
                     application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json";
        let request = format!(
            "HEAD /v2/{repository}/manifests/{tag} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Basic {auth}\r\nAccept: {kinds}\r\nConnection: close\r\n\r\n"
        );
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.lines().find_map(|line| line.strip_prefix("Docker-Content-Digest: ")).map(|digest| digest.trim().to_owned())
    }

    /// Blobs of the registry, layers unpacked, that hold a text.
    pub(crate) fn blobs_with(&self, text: &str) -> usize {
        let script = "find \"$1\" -type f -name data | while read -r blob; do gzip -dcfq \"$blob\" | grep -qaF -e \"$2\" && echo \"$blob\"; done; true";
        let output = command(Path::new("sh")).args(["-c", script, "sh", &self.variables["REGISTRY_FOLDER"], text]).output().unwrap();
        assert!(output.status.success());
        String::from_utf8_lossy(&output.stdout).lines().count()
    }

    /// The folder of a repository on the git host.
    pub(crate) fn repository(&self, name: &str) -> PathBuf {
        [name.to_owned(), format!("{name}.git")].iter().map(|name| self.git.join(name)).find(|path| path.is_dir()).unwrap()
    }

    /// A file of a repository as it is on `main`.
    pub(crate) fn file(&self, repository: &str, path: &str) -> String {
        let folder = self.repository(&format!("escher-dbai/{repository}"));
        let words = ["-c", "safe.directory=*", "show", &format!("main:{path}")];
        let output = command(Path::new("git")).current_dir(folder).args(words).output().unwrap();
        assert!(output.status.success(), "{path}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// The token that the git host asks for.
    pub(crate) fn git_token(&self) -> &str {
        &self.variables["GIT_TOKEN"]
    }
}

/// A commit that was made.
#[derive(Clone, Debug)]
pub(crate) struct Commit {
    pub(crate) id: String,
    pub(crate) tree: String,
}

impl Job {
    pub(crate) fn set(&mut self, name: &str, value: &str) -> &mut Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Starts a command.
    pub(crate) fn start(&mut self, command: &str) -> tokio::process::Child {
        self.set("INPUT_COMMAND", command);
        let _ = std::fs::remove_file(self.folder.path().join("output"));
        let mut program = tokio::process::Command::new(&self.binary);
        program.env_clear().envs(&self.variables).current_dir(self.folder.path()).kill_on_drop(true);
        program.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Waits for a command that was started, and reads what it left.
    pub(crate) async fn ended(&self, child: tokio::process::Child) -> Ran {
        let output = tokio::time::timeout(LIMIT, child.wait_with_output()).await.expect("it ends in time").unwrap();
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let outputs = outputs(&std::fs::read_to_string(self.folder.path().join("output")).unwrap_or_default());
        Ran::new(output.status.code().unwrap_or(-1), text, outputs)
    }

    /// Runs a command, and watches everything that it starts.
    pub(crate) async fn run(&mut self, command: &str) -> Ran {
        let child = self.start(command);
        let id = child.id().unwrap();
        let (stop, mut stopped) = tokio::sync::oneshot::channel::<()>();
        let watching = tokio::spawn(async move {
            let (mut lines, mut most) = (BTreeSet::new(), 0);
            while stopped.try_recv() == Err(tokio::sync::oneshot::error::TryRecvError::Empty) {
                let now = descendants(id);
                // Docker starts its plugin, and looks the same for a moment: only our own children count.
                most = most.max(now.iter().filter(|(parent, line)| *parent == id && line.contains("buildx build")).count());
                lines.extend(now.into_iter().map(|(_, line)| line));
                tokio::time::sleep(Duration::from_millis(3)).await;
            }
            (lines, most)
        });
        let ran = self.ended(child).await;
        drop(stop);
        let (command_lines, most_at_once) = watching.await.unwrap();
        Ran { command_lines, most_at_once, ..ran }
    }
}

impl Ran {
    pub(crate) fn new(code: i32, text: String, outputs: BTreeMap<String, String>) -> Self {
        Self { code, text, outputs, command_lines: BTreeSet::new(), most_at_once: 0 }
    }

    #[track_caller]
    pub(crate) fn ends(&self, code: i32, result: &str) -> &Self {
        let found = (self.code, self.outputs.get("result").map_or("", String::as_str));
        assert_eq!(found, (code, result), "\n{}", self.text);
        self
    }

    #[track_caller]
    pub(crate) fn says(&self, words: &str) -> &Self {
        assert!(self.text.contains(words), "it does not say {words:?}\n{}", self.text);
        self
    }

    /// Service → action and new digest.
    pub(crate) fn plan(&self) -> BTreeMap<String, (String, String)> {
        let plan: Value = serde_json::from_str(&self.outputs["plan"]).unwrap();
        let services = plan["services"].as_array().unwrap().iter();
        services.map(|it| (text(&it["name"]), (text(&it["action"]), text(&it["to"]["digest"])))).collect()
    }

    /// An output that is a JSON array of names.
    pub(crate) fn names(&self, output: &str) -> Vec<String> {
        serde_json::from_str(&self.outputs[output]).unwrap()
    }

    /// How many images it built.
    pub(crate) fn built(&self) -> usize {
        self.text.lines().filter(|line| line.contains("✓") && line.contains("  built ")).count()
    }
}

/// GitHub has these commits under a tag, and at the heads of both branches.
pub(crate) fn publish(world: &mut World, tag: &str, commits: &BTreeMap<String, Commit>) {
    for (name, commit) in commits {
        let repository = world.github.repository_mut(name);
        repository.tag(tag, &commit.id, &commit.tree).branch("develop", &commit.id, &commit.tree).branch("main", &commit.id, &commit.tree);
    }
}

/// git, in a folder.
pub(crate) fn git(folder: &Path, words: &[&str]) {
    let output = command(Path::new("git")).current_dir(folder).args(["-c", "safe.directory=*"]).args(words).output().unwrap();
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

pub(crate) fn command(program: &Path) -> Command {
    Command::new(program)
}

fn env_of(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The shipped configuration; every service has a test in its Dockerfile.
fn copy_configuration(to: &Path) {
    let root = Path::new(HERE).join("../..");
    for kind in ["services", "environments"] {
        std::fs::create_dir_all(to.join(kind)).unwrap();
        for file in std::fs::read_dir(root.join(kind)).unwrap() {
            let file = file.unwrap();
            let test = if kind == "services" { "test_target: test\n" } else { "" };
            std::fs::write(to.join(kind).join(file.file_name()), std::fs::read_to_string(file.path()).unwrap() + test).unwrap();
        }
    }
}

/// The command lines of a process's children and theirs, as everybody on the machine can read them, each with its parent.
fn descendants(of: u32) -> Vec<(u32, String)> {
    let processes: Vec<(u32, u32)> =
        std::fs::read_dir("/proc").unwrap().filter_map(|entry| parent(entry.ok()?.file_name().to_str()?)).collect();
    let (mut family, mut next) = (BTreeSet::from([of]), vec![of]);
    while let Some(one) = next.pop() {
        for (id, _) in processes.iter().filter(|(_, parent)| *parent == one) {
            if family.insert(*id) {
                next.push(*id);
            }
        }
    }
    family.remove(&of);
    let line = |id: u32| std::fs::read(format!("/proc/{id}/cmdline")).ok().map(|bytes| String::from_utf8_lossy(&bytes).replace('\0', " "));
    processes.iter().filter(|(id, _)| family.contains(id)).filter_map(|(id, parent)| Some((*parent, line(*id)?))).collect()
}

fn parent(id: &str) -> Option<(u32, u32)> {
    let id: u32 = id.parse().ok()?;
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    Some((id, stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()?))
}

fn outputs(text: &str) -> BTreeMap<String, String> {
    let mut lines = text.split('\n');
    let mut found = BTreeMap::new();
    while let Some(line) = lines.next() {
        if let Some((name, delimiter)) = line.split_once("<<") {
            let value: Vec<&str> = lines.by_ref().take_while(|line| *line != delimiter).collect();
            found.insert(name.to_owned(), value.join("\n"));
        }
    }
    found
}
