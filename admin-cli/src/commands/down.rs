//! `sluice down`: stops what `sluice up` runs in a home folder.

use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use super::{
    Session,
    up::{home::Home, lock},
};
use crate::{
    args::up::Down,
    failure::{CliError, Outcome},
};

/// How often the end is looked for.
const LOOK_AGAIN: Duration = Duration::from_millis(25);

pub(super) async fn run(it: &Session, args: &Down) -> Outcome {
    let home = Home::choose(args.home.home.as_deref())?.path;
    let Some(holder) = lock::holder(&home)? else {
        let text = format!("nothing runs in {}\n", home.display());
        return it.output.either(&json!({ "stopped": null, "home": home }), || text);
    };
    let pid = holder.pid.and_then(|it| i32::try_from(it).ok()).and_then(Pid::from_raw);
    let Some(pid) = pid else {
        return Err(CliError::failed(format!("{} is just being started", home.display()))
            .hint("try again in a moment"));
    };
    let begun = Instant::now();
    kill_process(pid, Signal::TERM).map_err(|error| {
        CliError::failed(format!("stop process {pid}: {error}"))
            .hint("is it another user's? then only that user or root can stop it")
    })?;
    let timeout = Duration::from_millis(args.timeout.into());
    while lock::holder(&home)?.is_some_and(|it| it.pid.is_none_or(|it| Some(it) == holder.pid)) {
        if timeout < begun.elapsed() {
            let s = timeout.as_secs_f64();
            return Err(CliError::failed(format!("process {pid} has not ended in {s:.1} s")).hint(
                "it drains: wait longer with --timeout; a second `sluice down` cuts it short",
            ));
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    let ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    let pid = pid.as_raw_nonzero().get();
    let text = || format!("stopped process {pid} in {ms} ms\n");
    it.output.either(&json!({ "stopped": pid, "home": home, "ms": ms }), text)
}
