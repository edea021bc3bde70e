//! Asks everybody at once how a request was decided; whoever served it knows.

use super::Fleet;
use domain::id::RequestId;
use proto::admin::v1::ExplainRequestResponse;
use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    sync::mpsc,
    time::{Instant, timeout_at},
};

/// Longest wait for answers.
const PATIENCE: Duration = Duration::from_secs(2);

/// Questions that wait for one session; what comes beyond it is not asked.
const MOST_WAITING: usize = 8;

/// How was this request decided?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Question {
    /// Goes with the answer.
    pub(crate) number: u64,
    /// Which request.
    pub(crate) request: RequestId,
}

/// What was found out.
#[derive(Debug, Default)]
pub(crate) struct Explained {
    /// The record, if anybody has it.
    pub(crate) record: Option<ExplainRequestResponse>,
    /// Proxies that were asked from here.
    pub(crate) proxies: u32,
    /// Other control planes that were asked to ask theirs.
    pub(crate) planes: u32,
}

/// Who can be asked, and what is being asked.
#[derive(Debug, Default)]
pub(super) struct Questions(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    next: u64,
    ears: BTreeMap<u64, Ear>,
    open: BTreeMap<u64, mpsc::Sender<Option<ExplainRequestResponse>>>,
}

#[derive(Debug)]
struct Ear {
    to: mpsc::Sender<Question>,
    /// Whether it is another control plane.
    plane: bool,
}

/// Somebody who can be asked; dropped, it cannot any more.
#[derive(Debug)]
pub(crate) struct Ears {
    fleet: Fleet,
    number: u64,
}

impl Drop for Ears {
    fn drop(&mut self) {
        self.fleet.0.questions.inner().ears.remove(&self.number);
    }
}

impl Fleet {
    /// Another control plane can be asked from now on.
    pub(crate) fn listen_peer(&self) -> (Ears, mpsc::Receiver<Question>) {
        self.listen(true)
    }

    pub(super) fn listen(&self, plane: bool) -> (Ears, mpsc::Receiver<Question>) {
        let (to, questions) = mpsc::channel(MOST_WAITING);
        let mut inner = self.0.questions.inner();
        let number = inner.take_number();
        inner.ears.insert(number, Ear { to, plane });
        drop(inner);
        (Ears { fleet: self.clone(), number }, questions)
    }

    /// Asks all, and takes the first record; waits no longer than two seconds.
    pub(crate) async fn explain(&self, request: RequestId) -> Explained {
        self.ask(request, true).await
    }

    /// Asks only the proxies whose streams are here.
    pub(crate) async fn explain_here(&self, request: RequestId) -> Explained {
        self.ask(request, false).await
    }

    async fn ask(&self, request: RequestId, planes: bool) -> Explained {
        let mut found = Explained::default();
        let (number, mut answers) = {
            let mut inner = self.0.questions.inner();
            let number = inner.take_number();
            let question = Question { number, request };
            for ear in inner.ears.values().filter(|it| planes || !it.plane) {
                if ear.to.try_send(question).is_ok() {
                    let count = if ear.plane { &mut found.planes } else { &mut found.proxies };
                    *count = count.saturating_add(1);
                }
            }
            let (answer, answers) = mpsc::channel(inner.ears.len().max(1));
            inner.open.insert(number, answer);
            (number, answers)
        };
        let _open = Open { fleet: self, number };
        let deadline = Instant::now() + PATIENCE;
        for _ in 0..found.proxies.saturating_add(found.planes) {
            match timeout_at(deadline, answers.recv()).await {
                Ok(Some(Some(record))) => {
                    found.record = Some(record);
                    return found;
                }
                Ok(Some(None)) => {}
                Ok(None) | Err(_) => return found,
            }
        }
        found
    }

    /// Somebody answers a question.
    pub(crate) fn answered(&self, number: u64, record: Option<ExplainRequestResponse>) {
        let inner = self.0.questions.inner();
        if let Some(asker) = inner.open.get(&number) {
            // Whoever answers twice or too late is not heard.
            let _ = asker.try_send(record);
        }
    }
}

/// A question until it is answered.
struct Open<'a> {
    fleet: &'a Fleet,
    number: u64,
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.fleet.0.questions.inner().open.remove(&self.number);
    }
}

impl Questions {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn take_number(&mut self) -> u64 {
        self.next = self.next.saturating_add(1);
        self.next
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn request() -> RequestId {
        RequestId::from_uuid(Uuid::from_u128(7))
    }

    fn record(proxy: &str) -> ExplainRequestResponse {
        ExplainRequestResponse { proxy: proxy.to_owned(), ..ExplainRequestResponse::default() }
    }

    #[tokio::test]
    async fn the_first_who_knows_ends_the_question() {
        let fleet = Fleet::default();
        let (_a, mut to_a) = fleet.listen(false);
        let (_b, mut to_b) = fleet.listen(false);
        let (_c, _never_answers) = fleet.listen_peer();
        let (found, ()) = tokio::join!(fleet.explain(request()), async {
            let question = to_a.recv().await.unwrap();
            assert_eq!((question.request, to_b.recv().await), (request(), Some(question)));
            fleet.answered(question.number, None);
            fleet.answered(question.number, Some(record("b")));
        });
        assert_eq!(found.record.unwrap().proxy, "b");
        assert_eq!((found.proxies, found.planes), (2, 1));
    }

    #[tokio::test]
    async fn when_all_have_answered_nobody_is_waited_for() {
        let fleet = Fleet::default();
        let begun = Instant::now();
        assert_eq!(fleet.explain(request()).await.proxies, 0);
        let (_a, mut to_a) = fleet.listen(false);
        let (gone, _) = fleet.listen(false);
        drop(gone);
        let (found, ()) = tokio::join!(fleet.explain_here(request()), async {
            let question = to_a.recv().await.unwrap();
            fleet.answered(question.number, None);
        });
        assert!(found.record.is_none() && found.proxies == 1);
        assert!(begun.elapsed() < PATIENCE);
    }
}
