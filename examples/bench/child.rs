//! The binary as a child process, and what it took: time, processor, memory.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use escher_sandbox::Sandbox;
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
use serde_json::Value;

/// The tag that the sandbox's images wait under.
pub(crate) const TAG: &str = "v2.16.0-dev";
/// No run takes longer.
const LIMIT: Duration = Duration::from_secs(900);
/// Linux counts processor time in hundredths (`USER_HZ`, `man 5 proc`).
const TICK: f64 = 0.01;

/// A job of a workflow.
pub(crate) struct Job {
    program: PathBuf,
    folder: PathBuf,
    variables: BTreeMap<String, String>,
    /// How often a process is looked at: each look tells its memory and whether it has ended.
    pub(crate) every: Duration,
}

/// What a run left behind.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    /// Sandbox time of the end.
    pub(crate) ended: f64,
    /// Seconds of processor time.
    pub(crate) cpu: f64,
    /// The most memory, in MiB.
    pub(crate) memory: f64,
    pub(crate) report: Value,
    pub(crate) output: String,
}

impl Job {
    /// What a runner would set for a pushed tag in a repository; `configuration` holds `services/` and `environments/`.
    pub(crate) fn new(program: &Path, sandbox: &Sandbox, folder: &Path, configuration: &Path, repository: &str) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let at = |name: &str| folder.join(name).display().to_string();
        let own = [
            ("GITHUB_ACTIONS", "true".to_owned()),
            ("GITHUB_REPOSITORY", repository.to_owned()),
            ("GITHUB_REF_TYPE", "tag".to_owned()),
            ("GITHUB_REF_NAME", TAG.to_owned()),
            ("GITHUB_RUN_ID", "1".to_owned()),
            ("GITHUB_ACTOR", "bench".to_owned()),
            ("GITHUB_OUTPUT", at("output")),
            ("GITHUB_STEP_SUMMARY", at("summary.md")),
            ("GITHUB_ACTION_PATH", configuration.display().to_string()),
            ("RUNNER_TEMP", folder.display().to_string()),
            ("PATH", at("no-programs")),
            ("INPUT_SKIP-E2E", "true".to_owned()),
        ];
        let variables = sandbox.env().into_iter().chain(own.map(|(name, value)| (name.to_owned(), value))).collect();
        Ok(Self { program: program.to_owned(), folder: folder.to_owned(), variables, every: Duration::from_millis(10) })
    }

    /// Sets a variable.
    pub(crate) fn set(mut self, name: &str, value: impl Into<String>) -> Self {
        self.variables.insert(name.to_owned(), value.into());
        self
    }

    /// ECS's rates, and how often a run looks, in a sandbox whose time passes so many times as fast.
    pub(crate) fn at_scale(self, scale: f64) -> Self {
        self.set("DEPLOY_POLL_SECONDS", (2.0 / scale).to_string()).set("ESCHER_ECS_RATE", scale.to_string())
    }

    /// Starts it.
    #[expect(clippy::disallowed_methods, reason = "it starts the program that it measures")]
    pub(crate) fn start(&self) -> io::Result<Child> {
        let log = File::create(self.folder.join("log"))?;
        let mut command = Command::new(&self.program);
        command.env_clear().envs(&self.variables).current_dir(&self.folder);
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()
    }

    /// Runs it to its end.
    pub(crate) fn run(&self, sandbox: &Sandbox) -> io::Result<Ran> {
        self.ended(self.start()?, sandbox)
    }

    /// Waits for its end, and reads what it left.
    pub(crate) fn ended(&self, mut child: Child, sandbox: &Sandbox) -> io::Result<Ran> {
        let (began, id) = (Instant::now(), child.id());
        let mut memory = 0.0_f64;
        while !has_ended(id)? {
            memory = memory.max(peak(id).unwrap_or(0.0));
            if began.elapsed() > LIMIT {
                child.kill()?;
            }
            std::thread::sleep(self.every);
        }
        let ended = sandbox.now();
        // What has ended and was not waited for is still listed, with all of its time.
        let cpu = processor(id).unwrap_or(f64::NAN);
        let code = child.wait()?.code();
        let read = |name: &str| std::fs::read_to_string(self.folder.join(name)).unwrap_or_default();
        let report = read("output").lines().find(|line| line.ends_with(".json")).map(str::to_owned);
        let report = report.and_then(|path| serde_json::from_str(&std::fs::read_to_string(path).ok()?).ok());
        Ok(Ran { code, ended, cpu, memory, report: report.unwrap_or_default(), output: read("log") })
    }
}

fn has_ended(id: u32) -> io::Result<bool> {
    let id = i32::try_from(id).ok().and_then(Pid::from_raw).ok_or_else(|| io::Error::other("a process without an id"))?;
    let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    Ok(waitid(WaitId::Pid(id), look)?.is_some())
}

/// `VmHWM`, in MiB.
fn peak(id: u32) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let kib = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.trim().strip_suffix(" kB")?.parse::<f64>().ok()?;
    Some(kib / 1024.0)
}

/// Time in user and kernel mode: the 14th and 15th field of `stat`; the second one, a name in parentheses, may hold spaces.
fn processor(id: u32) -> Option<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let mut fields = stat.rsplit_once(") ")?.1.split(' ').skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) * TICK)
}
