//! Starts, observes and stops a process; the same in every program.
//!
//! Knows settings, logs, metrics, tasks and signals. Must not know what the
//! programs do: not one word of the product's trade occurs here.
#![warn(missing_docs)]

mod announce;
pub mod backoff;
pub mod clock;
pub mod files;
pub mod logging;
pub mod metrics;
pub mod ops;
pub mod readiness;
pub mod settings;
pub mod shutdown;
pub mod tasks;

use std::{error::Error, future::Future, io, pin::pin, process::ExitCode, time::Duration};

pub use announce::announce;
use metrics::MetricsHandle;
use readiness::Readiness;
use settings::{Own, Settings, Spec};
use shutdown::Shutdown;
use tasks::Tasks;

/// How long after the cut a program may still take to end by itself.
const GRACE_AFTER_CUT: Duration = Duration::from_secs(2);

/// How often the metrics' recorder folds what it has collected.
const METRICS_UPKEEP: Duration = Duration::from_secs(5);

/// The error a program's main future ends with; `anyhow::Error` converts with `.into()`.
pub type Failure = Box<dyn Error + Send + Sync>;

/// What a running program is given: its end, its tasks, and how it is seen.
#[derive(Clone, Debug)]
pub struct Process {
    /// Drain, deadline, cut.
    pub shutdown: Shutdown,
    /// The only way to start a task that outlives its caller.
    pub tasks: Tasks,
    /// Not ready while any guard is held.
    pub readiness: Readiness,
    /// The metrics as text.
    pub metrics: MetricsHandle,
    /// Whether a line on stdout says where this process listens.
    pub announce: bool,
}

impl Process {
    /// A process that nothing outside ends: for tests and for tools. Its metrics
    /// are not installed globally, so they stay empty.
    #[must_use]
    pub fn alone() -> Self {
        Self::new(MetricsHandle::default(), false)
    }

    fn new(metrics: MetricsHandle, announce: bool) -> Self {
        let shutdown = Shutdown::default();
        let tasks = Tasks::new(shutdown.clone());
        Self { shutdown, tasks, readiness: Readiness::default(), metrics, announce }
    }
}

/// A program from its first line to its exit code: settings, logs, metrics, TLS,
/// tokio, signals; then `main`; then the end of every task, up to the deadline.
///
/// `parse` turns settings into the program's configuration and records in them
/// whatever is wrong; all of it is printed at once.
///
/// Exit code 0: ended as asked. 1: failed, or did not end within the deadline.
/// 2: settings refused, nothing was started.
pub fn run<C, F, Fut>(spec: &Spec, parse: fn(&mut Settings) -> Option<C>, main: F) -> ExitCode
where
    F: FnOnce(C, Process) -> Fut,
    Fut: Future<Output = Result<(), Failure>>,
{
    let mut settings =
        Settings::read(spec, std::env::args_os().skip(1), |name| std::env::var_os(name));
    if let Some(text) = settings.answer() {
        return say(&mut io::stdout(), &text, ExitCode::SUCCESS);
    }
    let own = Own::parse(&mut settings);
    let config = parse(&mut settings);
    let (Some(own), Some(config), true) = (own, config, settings.problems().is_empty()) else {
        let text = settings.problems().report(spec.program);
        return say(&mut io::stderr(), &text, ExitCode::from(2));
    };
    match start(spec, &own, config, main) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            tracing::error!(error = %chain(failure.as_ref()), "failed");
            ExitCode::FAILURE
        }
    }
}

fn start<C, F, Fut>(spec: &Spec, own: &Own, config: C, main: F) -> Result<(), Failure>
where
    F: FnOnce(C, Process) -> Fut,
    Fut: Future<Output = Result<(), Failure>>,
{
    logging::install(&own.logging)?;
    // Fails only when one is installed already, and then TLS works as well.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let process = Process::new(metrics::install()?, own.announce);
    let tokio = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name(spec.program)
        .enable_all()
        .build()?;
    let ended = tokio.block_on(async {
        shutdown::watch(&process, own.drain_timeout, own.supervised)?;
        metrics::keep_up(&process, METRICS_UPKEEP);
        tracing::info!(program = spec.program, version = settings::VERSION, "starting");
        to_the_end(&process, Box::pin(main(config, process.clone()))).await
    });
    // A blocking call that hangs must not keep a process alive that has ended.
    tokio.shutdown_timeout(Duration::from_millis(200));
    tracing::info!(program = spec.program, clean = ended.is_ok(), "stopped");
    ended
}

/// Waits for `main`, then for every task; after the cut only a short while.
async fn to_the_end(
    process: &Process,
    main: impl Future<Output = Result<(), Failure>>,
) -> Result<(), Failure> {
    let mut all = pin!(async {
        let ended = main.await;
        process.shutdown.drain();
        process.tasks.wait().await;
        ended
    });
    let overdue = async {
        process.shutdown.cut().await;
        tokio::time::sleep(GRACE_AFTER_CUT).await;
    };
    let ended = tokio::select! {
        ended = &mut all => ended,
        () = overdue => Err(format!("did not end in time: {:?}", process.tasks.alive()).into()),
    };
    match process.shutdown.reason() {
        Some(reason) if ended.is_ok() => Err(reason.into()),
        Some(_) | None => ended,
    }
}

/// An error and what it came from, on one line.
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        // Some libraries repeat their source in their own text.
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

/// Writes `text`; that nobody listens is not an error of ours.
fn say(to: &mut impl io::Write, text: &str, code: ExitCode) -> ExitCode {
    let _ = to.write_all(text.as_bytes()).and_then(|()| to.flush());
    code
}

#[cfg(test)]
mod tests {
    use std::{io, time::Duration};

    use super::*;

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
    }

    #[test]
    fn a_chain_names_every_cause_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("read the file")]
        struct Outer(#[source] io::Error);
        assert_eq!(chain(&Outer(io::Error::other("disk on fire"))), "read the file: disk on fire");
    }

    #[test]
    fn the_end_of_main_drains_and_waits_for_the_tasks() {
        block_on(async {
            let process = Process::alone();
            let shutdown = process.shutdown.clone();
            let task = process.tasks.spawn("waits", async move { shutdown.draining().await });
            to_the_end(&process, async { Ok(()) }).await.unwrap();
            assert!(task.is_finished());
        });
    }

    #[test]
    fn a_failed_main_is_a_failed_process() {
        block_on(async {
            let ended = to_the_end(&Process::alone(), async { Err("no".into()) }).await;
            assert_eq!(ended.unwrap_err().to_string(), "no");
        });
    }

    #[test]
    fn what_ignores_the_cut_is_named_and_left_behind() {
        block_on(async {
            let process = Process::alone();
            let _task = process.tasks.spawn("deaf", std::future::pending::<()>());
            process.shutdown.cut_now();
            let ended = tokio::time::timeout(
                Duration::from_secs(20),
                to_the_end(&process, async { Ok(()) }),
            );
            assert!(ended.await.unwrap().unwrap_err().to_string().contains("deaf"));
        });
    }
}
