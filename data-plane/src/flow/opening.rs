//! The first event of a streamed answer, for which its good status is held back: an
//! upstream that says 200 and then an error has not answered.

use bytes::Bytes;
use dialect::relay::Relay;
use domain::catalog::{Dialect, Operation};
use http_body_util::BodyExt;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// So much is waited for: a stream whose first event is longer begins without it.
const MOST_HELD_BYTES: usize = 64 * 1024;

/// How a stream opened.
pub(super) enum Opening {
    /// With something that is no error; these pieces of it have come.
    Good(Vec<Bytes>),
    /// With an error, which these pieces hold.
    Error(Vec<Bytes>),
    /// With nothing in time.
    Silent,
    /// It broke off, or ended, before an event.
    Broken,
}

/// Listens until the first event is there.
pub(super) async fn hear(
    body: &mut reqwest::Body,
    (dialect, operation): (Dialect, Operation),
    within: Duration,
) -> Opening {
    let until = Instant::now() + within;
    let mut probe = Relay::new(dialect, operation, true, false);
    let mut pieces = Vec::new();
    let mut held = 0_usize;
    loop {
        let frame = match timeout_at(until, body.frame()).await {
            Err(_) => return Opening::Silent,
            Ok(Some(Err(_))) => return Opening::Broken,
            Ok(frame) => frame.and_then(Result::ok),
        };
        let Some(frame) = frame else {
            // A stream of one event may lack its blank line.
            let _ = probe.finish();
            return match (probe.seen().errored, pieces.is_empty()) {
                (true, _) => Opening::Error(pieces),
                (false, true) => Opening::Broken,
                (false, false) => Opening::Good(pieces),
            };
        };
        let Ok(piece) = frame.into_data() else { continue };
        held = held.saturating_add(piece.len());
        let _ = probe.push(piece.clone());
        pieces.push(piece);
        if probe.seen().errored {
            return Opening::Error(pieces);
        }
        if probe.has_begun() || MOST_HELD_BYTES < held {
            return Opening::Good(pieces);
        }
    }
}

/// The data of the first event in `pieces`: an error's own words.
pub(super) fn first_data(pieces: &[Bytes]) -> Vec<u8> {
    let whole = pieces.concat();
    let text = String::from_utf8_lossy(&whole);
    let mut data = String::new();
    for line in text.lines() {
        if let Some(value) = line.strip_prefix("data:") {
            data.push_str(value.strip_prefix(' ').unwrap_or(value));
        } else if line.is_empty() && !data.is_empty() {
            break;
        }
    }
    if data.is_empty() { whole } else { data.into_bytes() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_events_data_is_found_wherever_it_is_cut() {
        let text = ": hi\r\n\r\nevent: error\r\ndata: {\"a\":\r\ndata: 1}\r\n\r\ndata: x\n\n";
        for cut in 0..text.len() {
            let (a, b) = text.split_at(cut);
            let pieces = [Bytes::from(a.to_owned()), Bytes::from(b.to_owned())];
            assert_eq!(first_data(&pieces), b"{\"a\":1}", "{cut}");
        }
    }
}
