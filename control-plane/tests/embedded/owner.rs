//! A process that owns a cluster: this test binary, started again, so that it can be
//! killed and can be another user. It is told what to do on its standard input.

use rustix::process::{Pid, Signal, geteuid, kill_process};
use sluice_control_plane::store::embedded::{Embedded, Lifeline};
use std::{
    env,
    fs::{self, Permissions},
    io::{BufRead, BufReader, Lines, Write},
    os::unix::fs::{PermissionsExt, chown},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};
use tempfile::TempDir;
use tokio::{runtime::Builder, task::JoinSet, time::timeout};
use tokio_postgres::{Client, NoTls};

/// Marks the lines that are meant for the test.
const MARK: &str = "owner: ";

/// Longest wait for anything; nothing here takes so long unless it is broken.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Who owns a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    /// Whoever runs the tests.
    Us,
    /// An ordinary user, when root runs the tests.
    Ordinary,
}

impl Who {
    pub(crate) fn all() -> Vec<Self> {
        if geteuid().is_root() { vec![Self::Us, Self::Ordinary] } else { vec![Self::Us] }
    }
}

/// A home, and the program to run in it, both where their user can reach them.
pub(crate) struct Place {
    pub(crate) who: Who,
    pub(crate) lifeline: Lifeline,
    pub(crate) home: PathBuf,
    program: PathBuf,
    _folder: TempDir,
}

impl Place {
    pub(crate) fn new(who: Who) -> Self {
        Self::named(who, "home")
    }

    pub(crate) fn named(who: Who, name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        let home = folder.path().join(name);
        fs::create_dir_all(&home).unwrap();
        let program = folder.path().join("program");
        // The build folder may be closed to other users. Copied by another process: a file
        // that this one has open for writing, if only in a fork of another test, does not run.
        let mut copy = Command::new("cp");
        copy.arg(env::current_exe().unwrap()).arg(&program);
        assert!(copy.status().unwrap().success());
        if who == Who::Ordinary {
            chown(&home, Some(id("-u")), Some(id("-g"))).unwrap();
        }
        Self { who, lifeline: Lifeline::Setpriv, home, program, _folder: folder }
    }

    pub(crate) fn pgdata(&self) -> PathBuf {
        self.home.join("pg/pgdata")
    }

    /// The first line of `postmaster.pid`.
    pub(crate) fn postmaster(&self) -> Pid {
        let text = fs::read_to_string(self.pgdata().join("postmaster.pid")).unwrap();
        Pid::from_raw(text.lines().next().unwrap().parse().unwrap()).unwrap()
    }

    /// Starts an owner and waits until its cluster runs, or why it does not.
    pub(crate) fn start(&self) -> Result<Owner, String> {
        let mut owner = self.begin();
        let answer = owner.answer();
        if answer == "ready" { Ok(owner) } else { Err(answer) }
    }

    /// Starts an owner and waits for nothing.
    pub(crate) fn begin(&self) -> Owner {
        let mut command = match self.who {
            Who::Us => Command::new(&self.program),
            Who::Ordinary => {
                let mut command = Command::new("setpriv");
                command.args([
                    "--reuid",
                    "nobody",
                    "--regid",
                    &id("-g").to_string(),
                    "--clear-groups",
                ]);
                command.arg(&self.program);
                command
            }
        };
        command
            .args(["--exact", "owner_process", "--ignored", "--nocapture", "--test-threads=1"])
            .env("SLUICE_TEST_HOME", &self.home)
            .env("SLUICE_TEST_WATCHDOG", if self.lifeline == Lifeline::Watchdog { "1" } else { "" })
            .env("SLUICE_MASTER_KEY", "a-secret-of-the-owner")
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stdin = child.stdin.take();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Owner { child, stdin, lines }
    }
}

fn id(what: &str) -> u32 {
    let output = Command::new("id").args([what, "nobody"]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
}

/// A running owner; killed when it is dropped.
pub(crate) struct Owner {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Owner {
    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Inserts a row, as soon as the database takes it; says how many there are.
    pub(crate) fn put(&mut self) -> u64 {
        self.ask("put")
    }

    /// Says how many rows there are.
    pub(crate) fn count(&mut self) -> u64 {
        self.ask("count")
    }

    /// Ends the owner in order.
    pub(crate) fn stop(mut self) {
        self.stdin = None;
        assert_eq!(self.answer(), "stopped");
        assert!(self.child.wait().unwrap().success());
    }

    /// Ends it with SIGKILL.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn ask(&mut self, what: &str) -> u64 {
        writeln!(self.stdin.as_mut().unwrap(), "{what}").unwrap();
        self.answer().parse().unwrap()
    }

    fn answer(&mut self) -> String {
        let marked = self
            .lines
            .by_ref()
            .map(Result::unwrap)
            .find_map(|it| it.split_once(MARK).map(|(_, answer)| answer.to_owned()));
        marked.unwrap_or_else(|| "the owner ended".to_owned())
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn kill(pid: Pid) {
    kill_process(pid, Signal::KILL).unwrap();
}

/// Waits until `fact` holds.
pub(crate) fn until(what: &str, fact: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !fact() {
        assert!(Instant::now() < deadline, "{what}");
        sleep(Duration::from_millis(20));
    }
}

/// The other side: runs in the process that [`Place::start`] starts.
pub(crate) fn run(say: impl Fn(&str)) {
    let Some(home) = env::var_os("SLUICE_TEST_HOME") else { return };
    let say = |text: &str| say(&format!("{MARK}{text}"));
    let watchdog = env::var_os("SLUICE_TEST_WATCHDOG").is_some_and(|it| !it.is_empty());
    let lifeline = watchdog.then_some(Lifeline::Watchdog);
    let cluster = match Embedded::start_with(Path::new(&home), None, lifeline) {
        Ok(cluster) => cluster,
        Err(error) => return say(&error.to_string()),
    };
    say("ready");
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    for line in std::io::stdin().lines() {
        let put = line.unwrap() == "put";
        say(&runtime.block_on(rows(&cluster, put)).to_string());
    }
    cluster.stop();
    say("stopped");
}

/// Tries until the database answers.
async fn rows(cluster: &Embedded, put: bool) -> i64 {
    let tries = async {
        loop {
            if let Ok(count) = try_rows(cluster, put).await {
                return count;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, tries).await.unwrap()
}

async fn try_rows(cluster: &Embedded, put: bool) -> Result<i64, tokio_postgres::Error> {
    let (client, connection) = cluster.config().connect(NoTls).await?;
    let mut tasks = JoinSet::new();
    tasks.spawn(async {
        // Ends with an error when the server is killed.
        let _ = connection.await;
    });
    client
        .batch_execute("CREATE TABLE IF NOT EXISTS thing (id int GENERATED ALWAYS AS IDENTITY)")
        .await?;
    if put {
        insert(&client).await?;
    }
    Ok(client.query_one("SELECT count(*) FROM thing", &[]).await?.get(0))
}

async fn insert(client: &Client) -> Result<(), tokio_postgres::Error> {
    client.batch_execute("INSERT INTO thing DEFAULT VALUES").await
}
