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

use super::{Job, Order, Places, Seen};
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
            let name = &self.job.name;
            output::remark(&format!(
                "sluice: the {name} {why}; starting it again in {} ms",
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
        let said = child.stderr.take().map(|it| self.pass_on(it));
        let stdout = child.stdout.take().map(BufReader::new);
        let died = tokio::select! {
            why = self.watch(&mut child, stdout, tell) => Some(why),
            _ = order.wait_for(|it| *it != Order::Run) => None,
        };
        let end = match died {
            Some(why) => End::Died(why),
            None => {
                self.end(&mut child, order).await;
                End::Ordered
            }
        };
        if let Some(said) = said {
            // What it said last comes before what is said about its end. A grandchild may
            // hold the pipe for longer.
            let _ = tokio::time::timeout(Duration::from_millis(500), said).await;
        }
        end
    }

    fn spawn(&self) -> std::io::Result<process::Child> {
        let mut command = Command::new(&self.job.program);
        command.args(&self.job.args);
        for it in &self.job.listens {
            command.arg(it.flag).arg(it.addr.to_string());
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

    /// Asks it to drain, and kills it when it does not end in time or when told to.
    async fn end(&self, child: &mut process::Child, order: &mut watch::Receiver<Order>) {
        if *order.borrow() == Order::Drain {
            if let Some(pid) =
                child.id().and_then(|it| i32::try_from(it).ok()).and_then(Pid::from_raw)
            {
                // Not reaped yet, so the number is still its own.
                let _ = kill_process(pid, Signal::TERM);
            }
            let name = &self.job.name;
            tokio::select! {
                _ = child.wait() => return,
                () = tokio::time::sleep(self.patience) => {
                    output::remark(&format!("sluice: the {name} did not end in time: killed"));
                }
                _ = order.wait_for(|it| *it == Order::Die) => {
                    output::remark(&format!("sluice: killed the {name}"));
                }
            }
        }
        let _ = child.kill().await;
    }

    /// Passes on what it logs, each line with the program's name before it.
    fn pass_on(&self, from: impl AsyncRead + Unpin + Send + 'static) -> JoinHandle<()> {
        let name = self.job.name.clone();
        self.tasks.spawn("log", async move {
            let mut lines = BufReader::new(from).split(b'\n');
            while let Ok(Some(line)) = lines.next_segment().await {
                output::remark(&format!("{name:<13} | {}", String::from_utf8_lossy(&line)));
            }
        })
    }
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
