//! One program's life: born, announced, perhaps dead and born again, ended.

use std::{
    os::unix::process::ExitStatusExt as _,
    process::{ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use runtime::{backoff::Backoff, tasks::Tasks};
use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, BufReader},
    process::{self, ChildStdout, Command},
    sync::watch,
    task::JoinHandle,
};

use super::{GRACE, Job, Order, Places, Seen};
use crate::{commands::up::leftover::Register, output};

/// The first wait before a dead program is started again.
const BACKOFF: Duration = Duration::from_millis(200);
/// The longest.
const BACKOFF_MOST: Duration = Duration::from_secs(10);
/// A program that lived so long did not die of its start.
const SOUND: Duration = Duration::from_secs(30);

/// How a life ended.
enum End {
    /// As it was ordered.
    Ordered,
    /// By itself; how, in words.
    Died(String),
}

/// One program, over all its lives.
pub(super) struct Life {
    job: Job,
    patience: Duration,
    register: Arc<Mutex<Register>>,
    tasks: Tasks,
    announced: bool,
}

impl Life {
    pub(super) fn new(
        job: Job,
        patience: Duration,
        register: Arc<Mutex<Register>>,
        tasks: Tasks,
    ) -> Self {
        Self { job, patience, register, tasks, announced: false }
    }

    /// Runs the program until it is ordered to end. One that dies before it has ever
    /// announced itself is a failed start; later it is started again.
    pub(super) async fn run(
        mut self,
        tell: watch::Sender<Seen>,
        mut order: watch::Receiver<Order>,
    ) {
        let mut backoff = Backoff::new(BACKOFF, BACKOFF_MOST);
        loop {
            let born = Instant::now();
            let why = match self.live(&tell, &mut order).await {
                End::Ordered => return,
                End::Died(why) => why,
            };
            if !self.announced {
                tell.send_replace(Seen::Failed(why));
                return;
            }
            if SOUND < born.elapsed() {
                backoff.reset();
            }
            let wait = backoff.next();
            let name = self.job.called();
            output::remark(&format!(
                "sluice: {name} {why}; starting it again in {} ms",
                wait.as_millis()
            ));
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                _ = order.wait_for(|it| *it != Order::Run) => return,
            }
        }
    }

    async fn live(
        &mut self,
        tell: &watch::Sender<Seen>,
        order: &mut watch::Receiver<Order>,
    ) -> End {
        let mut child = match self.spawn() {
            Ok(child) => child,
            Err(error) => return End::Died(format!("cannot be started: {error}")),
        };
        // Held until the end: its end is what tells the program to leave. Left within
        // `child`, the first wait would close it.
        let pipe = child.stdin.take();
        let said = child.stderr.take().map(|it| self.pass_on(it));
        let stdout = child.stdout.take().map(BufReader::new);
        let died = tokio::select! {
            why = self.watch(&mut child, stdout, tell) => Some(why),
            _ = order.wait_for(|it| *it != Order::Run) => None,
        };
        if died.is_none() {
            self.end(&mut child, order).await;
        }
        drop(pipe);
        // What it said last comes before what is said about its end. A grandchild may hold
        // the pipe for longer.
        let last = match said {
            Some(said) => tokio::time::timeout(Duration::from_millis(500), said).await,
            None => Ok(Ok(None)),
        };
        match (died, last) {
            (None, _) => End::Ordered,
            (Some(why), Ok(Ok(Some(error)))) => End::Died(format!("{why}: {error}")),
            (Some(why), Ok(Ok(None) | Err(_)) | Err(_)) => End::Died(why),
        }
    }

    fn spawn(&self) -> std::io::Result<process::Child> {
        let mut command = Command::new(&self.job.program);
        command.args(&self.job.args);
        for it in &self.job.listens {
            command.arg(it.flag).arg(it.addr.to_string());
        }
        for name in &self.job.withheld {
            command.env_remove(name);
        }
        command
            .envs(self.job.vars.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        let child = command.spawn()?;
        if let Some(pid) = child.id() {
            let mut register = self.register.lock().unwrap_or_else(PoisonError::into_inner);
            register.add(&self.job.name, pid);
        }
        Ok(child)
    }

    /// Reads what it announces until it dies; how, in words.
    async fn watch(
        &mut self,
        child: &mut process::Child,
        stdout: Option<BufReader<ChildStdout>>,
        tell: &watch::Sender<Seen>,
    ) -> String {
        if let Some(stdout) = stdout {
            let mut lines = stdout.lines();
            loop {
                tokio::select! {
                    // What it said before it died counts.
                    biased;
                    line = lines.next_line() => match line {
                        Ok(Some(line)) => self.heard(&line, tell),
                        // It says no more, and may yet live.
                        Ok(None) | Err(_) => break,
                    },
                    status = child.wait() => return died(status),
                }
            }
        }
        died(child.wait().await)
    }

    fn heard(&mut self, line: &str, tell: &watch::Sender<Seen>) {
        let Some(places) = announced(line) else {
            output::remark(&format!("{} | {line}", self.job.name));
            return;
        };
        // The same addresses in the next life.
        for it in &mut self.job.listens {
            let url = places.get(it.place).and_then(|it| url::Url::parse(it).ok());
            if let Some(port) = url.and_then(|it| it.port_or_known_default()) {
                it.addr.set_port(port);
            }
        }
        self.announced = true;
        tell.send_replace(Seen::Announced(places));
    }

    /// Asks it to end, and kills it when it does not in time, or when told to.
    async fn end(&self, child: &mut process::Child, order: &mut watch::Receiver<Order>) {
        let name = self.job.called();
        loop {
            let now = *order.borrow_and_update();
            let patience = match now {
                // What is ordered to end is never ordered to run again.
                Order::Run | Order::Drain => self.patience,
                Order::Hurry => GRACE,
                Order::Die => {
                    output::remark(&format!("sluice: killing {name}"));
                    break;
                }
            };
            // To drain; and a second time, to cut that short.
            terminate(child);
            tokio::select! {
                _ = child.wait() => return,
                () = tokio::time::sleep(patience) => {
                    output::remark(&format!("sluice: {name} did not end in time: killing it"));
                    break;
                }
                _ = order.wait_for(|it| *it != now) => {}
            }
        }
        let _ = child.kill().await;
    }

    /// Passes on what it logs, each line with the program's name before it; gives the last
    /// error among it.
    fn pass_on(&self, from: impl AsyncRead + Unpin + Send + 'static) -> JoinHandle<Option<String>> {
        let name = self.job.name.clone();
        self.tasks.spawn("log", async move {
            let mut lines = BufReader::new(from).split(b'\n');
            let (mut error, mut of_settings) = (None, false);
            while let Ok(Some(line)) = lines.next_segment().await {
                let line = String::from_utf8_lossy(&line);
                error = error_in(&line).or(error);
                // Its settings' problems are told one a line, below a line that counts them.
                match line.strip_prefix("  ").filter(|_| of_settings) {
                    Some(problem) => {
                        error = Some(error.map_or(String::new(), |it| it + "; ") + problem);
                    }
                    None => of_settings = line.ends_with(" with the settings"),
                }
                output::remark(&format!("{name:<13} | {line}"));
            }
            error
        })
    }
}

/// Sends SIGTERM. What is not reaped yet still has its own number.
fn terminate(child: &process::Child) {
    let pid = child.id().and_then(|it| i32::try_from(it).ok()).and_then(Pid::from_raw);
    if let Some(pid) = pid {
        // That it has just ended is what we want.
        let _ = kill_process(pid, Signal::TERM);
    }
}

/// What a logged line says went wrong, if it says so: its error, else all of it.
fn error_in(line: &str) -> Option<String> {
    let (_, text) = line.split_once(" ERROR ")?;
    Some(text.split_once("error=").map_or(text, |(_, error)| error).to_owned())
}

/// What `{"ready":{"name":"url",…}}` says.
fn announced(line: &str) -> Option<Places> {
    #[derive(serde::Deserialize)]
    struct Line {
        ready: Places,
    }
    serde_json::from_str::<Line>(line).ok().map(|it| it.ready)
}

/// How a program ended, in words that follow its name.
fn died(status: std::io::Result<ExitStatus>) -> String {
    match status {
        Ok(status) => match (status.code(), status.signal()) {
            (Some(code), _) => format!("ended with exit code {code}"),
            (None, Some(signal)) => format!("was killed by signal {signal}"),
            (None, None) => "ended".to_owned(),
        },
        Err(error) => format!("cannot be watched: {error}"),
    }
}
