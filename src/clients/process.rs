//! The one place that starts other programs: no shell, no secrets in their environment, their output line by line, and an end
//! to all of them when the run ends.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

/// The last lines of a program's output that are kept.
const KEPT: usize = 200;
/// A program that was told to stop may take so long to clean up.
const GRACE: Duration = Duration::from_secs(2);

/// A program to be run.
#[derive(Clone, Debug, Default)]
pub struct Program {
    /// Its name, looked up in `PATH`.
    pub name: OsString,
    /// Its arguments: anybody on the machine can read them, so they hold no secret.
    pub arguments: Vec<OsString>,
    /// Variables that are set for it.
    pub set: Vec<(&'static str, OsString)>,
    /// Variables of this process that it doesn't get.
    pub hidden: Vec<String>,
    /// Where it works; here, where none is given.
    pub folder: Option<PathBuf>,
}

/// How a program ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Its exit code; none where a signal ended it.
    pub code: Option<i32>,
    /// It was told to stop.
    pub was_stopped: bool,
    /// The last lines of its output, oldest first.
    pub tail: Vec<String>,
}

/// Runs a program to its end and shows each line of its output. Told to stop, it gets SIGTERM, with all that it started, and
/// SIGKILL two seconds later.
///
/// # Errors
/// `io::Error` where it can't be started.
pub async fn run(program: &Program, stop: &watch::Receiver<bool>, show: impl Fn(&str)) -> io::Result<Ended> {
    #[expect(clippy::disallowed_methods, reason = "programs are started here and nowhere else")]
    let mut command = Command::new(&program.name);
    command.args(&program.arguments);
    program.hidden.iter().for_each(|name| {
        command.env_remove(name);
    });
    // Afterwards: what is set for it may bear the name of something that it must not get.
    command.envs(program.set.iter().map(|(name, value)| (*name, value)));
    if let Some(folder) = &program.folder {
        command.current_dir(folder);
    }
    // A group of its own: it can be ended with everything that it started, and a Ctrl-C in the terminal reaches us alone.
    command.process_group(0).kill_on_drop(true).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    let group = Group(child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?)));
    let (lines, mut shown) = mpsc::channel(64);
    read_lines(child.stdout.take(), lines.clone());
    read_lines(child.stderr.take(), lines);
    let (mut stop, mut was_stopped) = (stop.clone(), false);
    let mut tail = VecDeque::new();
    let mut note = |line: String| {
        show(&line);
        tail.push_back(line);
        if tail.len() > KEPT {
            tail.pop_front();
        }
    };
    let code = loop {
        tokio::select! {
            biased;
            line = shown.recv() => match line {
                Some(line) => note(line),
                // Both pipes are closed: only the exit code is still to come.
                None => break child.wait().await?.code(),
            },
            status = child.wait() => {
                let code = status?.code();
                // What it has left in the background may hold the pipes for ever, and write into them for ever.
                group.signal(Signal::KILL);
                let rest = async {
                    while let Ok(Some(line)) = timeout(Duration::from_millis(200), shown.recv()).await {
                        note(line);
                    }
                };
                let _ = timeout(GRACE, rest).await;
                break code;
            }
            () = told(&mut stop), if !was_stopped => {
                was_stopped = true;
                end(&group, &mut child).await;
            }
        }
    };
    Ok(Ended { code, was_stopped, tail: tail.into() })
}

async fn told(stop: &mut watch::Receiver<bool>) {
    if stop.wait_for(|stop| *stop).await.is_err() {
        std::future::pending::<()>().await;
    }
}

async fn end(group: &Group, child: &mut Child) {
    group.signal(Signal::TERM);
    if timeout(GRACE, child.wait()).await.is_err() {
        group.signal(Signal::KILL);
    }
}

/// A program with all that it started.
struct Group(Option<Pid>);

impl Group {
    fn signal(&self, signal: Signal) {
        if let Some(id) = self.0 {
            // It may have ended a moment ago.
            let _ = kill_process_group(id, signal);
        }
    }
}

impl Drop for Group {
    /// Nothing goes on behind a run that has ended.
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}

fn read_lines(pipe: Option<impl AsyncRead + Unpin + Send + 'static>, to: mpsc::Sender<String>) {
    let Some(pipe) = pipe else { return };
    tokio::spawn(async move {
        let mut lines = BufReader::new(pipe).split(b'\n');
        while let Ok(Some(line)) = lines.next_segment().await {
            let line = String::from_utf8_lossy(&line).trim_end().to_owned();
            if to.send(line).await.is_err() {
                return;
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Program {
        Program { name: "sh".into(), arguments: ["-c", script].map(OsString::from).to_vec(), ..Program::default() }
    }

    #[tokio::test]
    async fn lines_and_code_come_back_and_hidden_variables_do_not_arrive() {
        let (_sender, stop) = watch::channel(false);
        let program = Program {
            set: vec![("GREETING", "hello".into())],
            hidden: vec!["HOME".to_owned()],
            ..shell("echo $GREETING; echo \"home=$HOME\" >&2; exit 3")
        };
        let ended = run(&program, &stop, |_| {}).await.expect("sh is there");
        let mut tail = ended.tail.clone();
        tail.sort();
        assert_eq!((ended.code, ended.was_stopped, tail), (Some(3), false, vec!["hello".to_owned(), "home=".to_owned()]));
    }

    #[tokio::test]
    async fn what_is_told_to_stop_ends_with_all_that_it_started() {
        let (sender, stop) = watch::channel(false);
        let began = std::time::Instant::now();
        let program = shell("sleep 60 & echo $!; wait");
        let (line, mut first) = mpsc::unbounded_channel();
        let task = tokio::spawn(async move { run(&program, &stop, move |text| drop(line.send(text.to_owned()))).await });
        let child = first.recv().await.expect("a line");
        sender.send_replace(true);
        let ended = task.await.expect("no panic").expect("sh is there");
        assert!(ended.was_stopped && began.elapsed() < Duration::from_secs(10));
        // It has its signal; the machine may take a moment to end it.
        let stat = || std::fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
        let is_gone = |stat: String| stat.is_empty() || stat.contains(") Z");
        while !is_gone(stat()) && began.elapsed() < Duration::from_secs(20) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert!(is_gone(stat()), "{}", stat());
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_an_error() {
        let (_sender, stop) = watch::channel(false);
        let program = Program { name: "no-such-program".into(), ..Program::default() };
        assert!(run(&program, &stop, |_| {}).await.is_err());
    }
}
