//! A steady stream of requests that does not wait for answers: what limits are pressed with.

use crate::caller::{Caller, chat_body, streamed};
use serde_json::Value;
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    task::JoinSet,
    time::{MissedTickBehavior, interval, timeout},
};

/// Longest wait for one answer: a proxy that is stopped gives none.
const PATIENCE: Duration = Duration::from_secs(20);

/// What came of a stream of requests.
#[derive(Debug, Default)]
pub struct Tally {
    /// Answered in full.
    pub good: AtomicU64,
    /// Refused with 429.
    pub limited: AtomicU64,
    /// Anything else: a proxy that is down, a provider's error.
    pub other: AtomicU64,
}

/// A running stream of requests. Ends when it is dropped.
#[derive(Debug)]
pub struct Load {
    /// What came of it so far.
    pub tally: Arc<Tally>,
    callers: Arc<Mutex<Vec<Caller>>>,
    paused: Arc<AtomicBool>,
    /// Ends with the load.
    _running: JoinSet<()>,
}

/// What each request asks.
#[derive(Debug, Clone)]
pub struct Ask {
    /// The model.
    pub model: String,
    /// Whether for a stream.
    pub stream: bool,
    /// The most output tokens; `None`: it does not say.
    pub max_tokens: Option<u64>,
}

impl Ask {
    /// The body of an OpenAI chat completion that asks it.
    pub fn body(&self) -> Value {
        let mut body = chat_body(&self.model, "hello there");
        if let (Some(most), Some(object)) = (self.max_tokens, body.as_object_mut()) {
            object.insert("max_tokens".to_owned(), most.into());
        }
        if self.stream { streamed(body) } else { body }
    }
}

impl Load {
    /// So many requests a second, to `callers` in turn; one that stands there twice gets
    /// twice as many.
    pub fn start(callers: Vec<Caller>, ask: Ask, per_second: f64) -> Self {
        let tally = Arc::new(Tally::default());
        let callers = Arc::new(Mutex::new(callers));
        let paused = Arc::new(AtomicBool::new(false));
        let mut running = JoinSet::new();
        running.spawn(run(
            Arc::clone(&callers),
            ask,
            per_second,
            Arc::clone(&tally),
            Arc::clone(&paused),
        ));
        Self { tally, callers, paused, _running: running }
    }

    /// From now on other callers.
    pub fn redirect(&self, callers: Vec<Caller>) {
        *self.callers.lock().unwrap_or_else(PoisonError::into_inner) = callers;
    }

    /// Sends nothing for a while, or again.
    pub fn pause(&self, paused: bool) {
        self.paused.store(paused, Ordering::Relaxed);
    }
}

async fn run(
    callers: Arc<Mutex<Vec<Caller>>>,
    ask: Ask,
    per_second: f64,
    tally: Arc<Tally>,
    paused: Arc<AtomicBool>,
) {
    let mut beat = interval(Duration::from_secs_f64(1.0 / per_second));
    beat.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut under_way = JoinSet::new();
    let mut turn = 0usize;
    loop {
        beat.tick().await;
        while under_way.try_join_next().is_some() {}
        if paused.load(Ordering::Relaxed) {
            continue;
        }
        let caller = {
            let callers = callers.lock().unwrap_or_else(PoisonError::into_inner);
            callers.get(turn % callers.len().max(1)).cloned()
        };
        turn = turn.wrapping_add(1);
        let Some(caller) = caller else { continue };
        let (ask, tally) = (ask.clone(), Arc::clone(&tally));
        under_way.spawn(async move { one(&caller, &ask, &tally).await });
    }
}

async fn one(caller: &Caller, ask: &Ask, tally: &Tally) {
    let answer = timeout(PATIENCE, caller.post("/v1/chat/completions", &ask.body())).await;
    let counter = match answer {
        Ok(Ok(answer)) if answer.status == 200 => &tally.good,
        Ok(Ok(answer)) if answer.status == 429 => &tally.limited,
        Ok(_) | Err(_) => &tally.other,
    };
    counter.fetch_add(1, Ordering::Relaxed);
}
