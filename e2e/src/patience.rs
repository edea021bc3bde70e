//! Waiting for what will be true: by looking again until a deadline, never by a fixed sleep.

use anyhow::{Result, bail};
use std::time::{Duration, Instant};

/// How long anything may take on a slow and shared machine.
pub const LONG: Duration = Duration::from_secs(90);

/// How long to wait between two looks.
const PAUSE: Duration = Duration::from_millis(10);

/// Looks until there is something to see, for at most [`LONG`].
///
/// # Errors
/// When nothing was seen in that time; `what` says what was waited for.
pub async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> Result<T> {
    let start = Instant::now();
    loop {
        if let Some(seen) = look().await {
            return Ok(seen);
        }
        if start.elapsed() > LONG {
            bail!("waited {LONG:?} in vain: {what}");
        }
        tokio::time::sleep(PAUSE).await;
    }
}
