//! Ids of answers: the caller's dialect's prefix before the provider's own id.

use super::Thread;

/// Prefixes of answers' ids that are known, whichever dialect they belong to.
const PREFIXES: [&str; 3] = ["chatcmpl-", "resp_", "msg_"];

/// The id of an answer in the caller's dialect. `upstream` is the provider's id, which
/// stays to be seen in it; if the provider gave none, our id of the request stands there.
pub(crate) fn answer_id(prefix: &str, upstream: &str, thread: &Thread) -> String {
    let bare = PREFIXES.iter().find_map(|it| upstream.strip_prefix(it)).unwrap_or(upstream);
    let bare = if bare.is_empty() { &thread.request } else { bare };
    format!("{prefix}{bare}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_keeps_its_providers_id_under_the_callers_prefix() {
        let thread = Thread { request: "req_9".to_owned(), ..Thread::default() };
        for (upstream, id) in [
            ("chatcmpl-1", "msg_1"),
            ("resp_2", "msg_2"),
            ("msg_3", "msg_3"),
            ("x4", "msg_x4"),
            ("", "msg_req_9"),
            ("resp_", "msg_req_9"),
        ] {
            assert_eq!(answer_id("msg_", upstream, &thread), id);
        }
    }
}
