//! The only way to start a task or a thread: named, counted, awaited at the end.
//!
//! Knows that work is going on, not which.

use std::{
    collections::BTreeMap,
    future::Future,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

use crate::shutdown::Shutdown;

/// The tasks and threads of this process.
#[derive(Clone, Debug, Default)]
pub struct Tasks {
    tracker: TaskTracker,
    alive: Arc<Mutex<BTreeMap<&'static str, usize>>>,
    shutdown: Shutdown,
}

impl Tasks {
    pub(crate) fn new(shutdown: Shutdown) -> Self {
        Self { shutdown, ..Self::default() }
    }

    /// Starts `future` on the current tokio runtime; the process waits for it at
    /// its end, so it must end when drained.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub fn spawn<F>(&self, name: &'static str, future: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send + 'static> + Send + 'static,
    {
        let alive = self.enter(name);
        self.tracker.spawn(async move {
            let _alive = alive;
            future.await
        })
    }

    /// Starts `future` on the current tokio runtime; it goes on to the very end and
    /// is dropped there: for what must still answer while the process drains.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    #[expect(clippy::disallowed_methods, reason = "on purpose: nobody waits for it")]
    pub fn spawn_until_exit<F>(&self, name: &'static str, future: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        tracing::trace!(task = name, "start until exit");
        tokio::spawn(future);
    }

    /// Starts a dedicated thread; the process waits for it at its end. A panic in
    /// it drains the process, which then fails: a program that has lost a thread is
    /// better started again than left limping.
    ///
    /// # Errors
    ///
    /// When the system gives no thread.
    pub fn spawn_thread(
        &self,
        name: &'static str,
        body: impl FnOnce() + Send + 'static,
    ) -> io::Result<()> {
        let alive = self.enter(name);
        let tracked = self.tracker.token();
        let shutdown = self.shutdown.clone();
        thread::Builder::new().name(name.to_owned()).spawn(move || {
            // Dropped in reverse: who has waited finds nothing alive.
            let _tracked = tracked;
            let _alive = alive;
            if catch_unwind(AssertUnwindSafe(body)).is_err() {
                shutdown.fail(format!("thread `{name}` panicked"));
            }
        })?;
        Ok(())
    }

    /// Waits until every task and thread that was started has ended.
    pub async fn wait(&self) {
        self.tracker.close();
        self.tracker.wait().await;
    }

    /// What is going on, by name, and how many of each.
    #[must_use]
    pub fn alive(&self) -> Vec<(&'static str, usize)> {
        let alive = self.alive.lock().unwrap_or_else(PoisonError::into_inner);
        alive.iter().map(|(name, count)| (*name, *count)).collect()
    }

    fn enter(&self, name: &'static str) -> Alive {
        let mut alive = self.alive.lock().unwrap_or_else(PoisonError::into_inner);
        *alive.entry(name).or_default() += 1;
        Alive { name, alive: Arc::clone(&self.alive) }
    }
}

/// Counts a task as alive until it is dropped, however it ends.
struct Alive {
    name: &'static str,
    alive: Arc<Mutex<BTreeMap<&'static str, usize>>>,
}

impl Drop for Alive {
    fn drop(&mut self) {
        let mut alive = self.alive.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = alive.get_mut(self.name) {
            *count -= 1;
            if *count == 0 {
                alive.remove(self.name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
    }

    #[test]
    fn waits_for_tasks_and_threads_and_names_them_meanwhile() {
        block_on(async {
            let tasks = Tasks::default();
            let (end_task, ended) = tokio::sync::oneshot::channel::<()>();
            let (end_thread, until) = mpsc::channel::<()>();
            let task = tasks.spawn("task", async move { ended.await.is_err() });
            tasks.spawn_thread("thread", move || assert!(until.recv().is_err())).unwrap();
            assert_eq!(tasks.alive(), [("task", 1), ("thread", 1)]);
            drop((end_task, end_thread));
            tasks.wait().await;
            assert!(task.await.unwrap());
            assert_eq!(tasks.alive(), []);
        });
    }

    #[test]
    fn an_aborted_task_is_not_counted_for_ever() {
        block_on(async {
            let tasks = Tasks::default();
            tasks.spawn("endless", std::future::pending::<()>()).abort();
            tasks.wait().await;
            assert_eq!(tasks.alive(), []);
        });
    }

    #[test]
    fn a_thread_that_panics_drains_the_process() {
        block_on(async {
            let shutdown = Shutdown::default();
            let tasks = Tasks::new(shutdown.clone());
            tasks.spawn_thread("brittle", || panic!("on purpose")).unwrap();
            shutdown.draining().await;
            assert!(shutdown.reason().unwrap().contains("brittle"));
            tasks.wait().await;
        });
    }
}
