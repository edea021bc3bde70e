//! The programs that are run: started, watched, started again, stopped in order.
//!
//! Each is in a process group of its own, so that Ctrl-C reaches only the supervisor, and
//! leaves by itself when the pipe that is its stdin ends.

mod life;

use std::{
    collections::BTreeMap,
    ffi::OsString,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use runtime::tasks::Tasks;
use tokio::{sync::watch, task::JoinHandle};

use super::leftover::Register;
use crate::failure::{CliError, Outcome};
use life::Life;

/// Longest wait for a program to announce that it listens.
const START: Duration = Duration::from_secs(60);
/// How much longer than its own drain deadline a program may take to end.
const GRACE: Duration = Duration::from_secs(5);

/// A program to run.
#[derive(Debug, Clone)]
pub(super) struct Job {
    /// For people: `proxy 2`.
    pub(super) name: String,
    pub(super) role: Role,
    pub(super) program: PathBuf,
    pub(super) args: Vec<OsString>,
    /// Secrets go here, never into `args`.
    pub(super) vars: Vec<(&'static str, OsString)>,
    /// Variables of ours that hold secrets and are none of its business.
    pub(super) withheld: Vec<String>,
    pub(super) listens: Vec<Listen>,
}

impl Job {
    /// Its name in a sentence.
    fn called(&self) -> String {
        match self.role {
            Role::Proxy => self.name.clone(),
            Role::ControlPlane | Role::DemoProvider => format!("the {}", self.name),
        }
    }
}

/// An address that a program listens on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Listen {
    /// The flag that says so.
    pub(super) flag: &'static str,
    /// Its name in the announced line.
    pub(super) place: &'static str,
    /// Port 0 until the first announced line says which it is.
    pub(super) addr: SocketAddr,
}

/// What a program announced: names and URLs.
pub(super) type Places = BTreeMap<String, String>;

/// What a program is there for: says when it is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    ControlPlane,
    Proxy,
    DemoProvider,
}

/// What is known of a program's start.
#[derive(Debug, Clone)]
enum Seen {
    Starting,
    Announced(Places),
    Failed(String),
}

/// What a program is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Run,
    /// Finish what is begun, then end.
    Drain,
    /// End now, in good order.
    Hurry,
    Die,
}

/// A program that is being run.
#[derive(Debug)]
struct Child {
    role: Role,
    order: watch::Sender<Order>,
    done: JoinHandle<()>,
}

/// A program that has been started and has not announced itself yet.
#[derive(Debug)]
pub(super) struct Begun {
    /// In a sentence.
    name: String,
    seen: watch::Receiver<Seen>,
}

/// A program that listens.
#[derive(Debug)]
pub(super) struct Started {
    /// In a sentence.
    pub(super) name: String,
    places: Places,
}

impl Started {
    /// The URL of a place that it announced.
    pub(super) fn url(&self, place: &str) -> Outcome<String> {
        let url = self.places.get(place).map(|it| reachable(it));
        url.ok_or_else(|| {
            CliError::failed(format!("{} did not announce its `{place}` address", self.name))
        })
    }
}

/// An address that listens everywhere is reached here over loopback.
fn reachable(url: &str) -> String {
    url.replacen("://0.0.0.0:", "://127.0.0.1:", 1).replacen("://[::]:", "://[::1]:", 1)
}

/// Every program of this run, in the order in which they were started.
#[derive(Debug)]
pub(super) struct Children {
    children: Vec<Child>,
    tasks: Tasks,
    register: Arc<Mutex<Register>>,
    patience: Duration,
}

impl Children {
    /// None yet. `drain_ms` is how long each may take to finish what is begun.
    pub(super) fn new(home: &Path, drain_ms: u32) -> Self {
        Self {
            children: Vec::new(),
            tasks: Tasks::default(),
            register: Arc::new(Mutex::new(Register::new(home))),
            patience: Duration::from_millis(drain_ms.into()) + GRACE,
        }
    }

    /// Starts a program and waits until it listens.
    pub(super) async fn start(&mut self, job: Job) -> Outcome<Started> {
        let begun = self.begin(job);
        self.announced(begun).await
    }

    /// Starts a program.
    pub(super) fn begin(&mut self, job: Job) -> Begun {
        let (name, role) = (job.called(), job.role);
        let (order, ordered) = watch::channel(Order::Run);
        let (tell, seen) = watch::channel(Seen::Starting);
        let life = Life::new(job, self.patience, Arc::clone(&self.register), self.tasks.clone());
        let done = self.tasks.spawn("child", life.run(tell, ordered));
        self.children.push(Child { role, order, done });
        Begun { name, seen }
    }

    /// Waits until a program listens.
    pub(super) async fn announced(&self, mut begun: Begun) -> Outcome<Started> {
        let name = begun.name;
        let seen = begun.seen.wait_for(|it| !matches!(it, Seen::Starting));
        let seen = tokio::time::timeout(START, seen).await.map(|it| it.map(|it| it.clone()));
        match seen {
            Ok(Ok(Seen::Announced(places))) => Ok(Started { name, places }),
            Ok(Ok(Seen::Failed(why))) => Err(CliError::failed(format!("{name} {why}"))),
            Ok(Ok(Seen::Starting) | Err(_)) => {
                Err(CliError::failed(format!("{name} was given up")))
            }
            Err(_) => Err(CliError::failed(format!(
                "{name} did not say within {} s that it listens",
                START.as_secs()
            ))),
        }
    }

    /// Stops every program, role by role: proxies first, so that the control plane still
    /// takes their usage and the demo provider still answers what they have begun.
    pub(super) async fn stop(&mut self, how: Order) {
        for role in [Role::Proxy, Role::ControlPlane, Role::DemoProvider] {
            self.order(how, |it| it == role).await;
        }
    }

    async fn order(&mut self, order: Order, whom: impl Fn(Role) -> bool) {
        for child in self.children.iter().filter(|it| whom(it.role)) {
            // One that has ended by itself listens no more.
            let _ = child.order.send(order);
        }
        for child in self.children.iter_mut().filter(|it| whom(it.role)) {
            // Some have been waited for already when a second signal cuts the first short.
            if !child.done.is_finished() {
                let _ = (&mut child.done).await;
            }
        }
        self.children.retain(|it| !whom(it.role));
    }
}

#[cfg(test)]
mod tests;
