//! What the demo provider answers for itself: its ledger and its rules.

use super::{Body, Demo, reply};
use crate::demo::behave::Rule;
use bytes::Bytes;
use http::{Method, Response};
use serde_json::json;

/// The answer, if the path is one of our own.
pub(super) fn answer(
    demo: &Demo,
    method: &Method,
    path: &str,
    query: &str,
    body: &Bytes,
) -> Option<Response<Body>> {
    let response = match (method, path) {
        (&Method::GET, "/ledger") => {
            let with_bodies = query.split('&').any(|it| it == "bodies=1");
            let mut response = reply(200, "application/x-ndjson", demo.ledger.lines(with_bodies));
            response.headers_mut().insert("x-demo-open", demo.ledger.open().into());
            response
        }
        (&Method::DELETE, "/ledger") => {
            demo.ledger.clear();
            reply(204, "text/plain", "")
        }
        (&Method::POST, "/behave") => match add_rule(demo, body) {
            Ok(()) => reply(204, "text/plain", ""),
            Err(why) => reply(400, "application/json", json!({ "error": why }).to_string()),
        },
        (&Method::DELETE, "/behave") => {
            demo.rules.clear();
            reply(204, "text/plain", "")
        }
        (_, "/ledger" | "/behave") => {
            reply(405, "text/plain", "GET or DELETE /ledger, POST or DELETE /behave")
        }
        _ => return None,
    };
    Some(response)
}

fn add_rule(demo: &Demo, body: &[u8]) -> Result<(), String> {
    let rule: Rule = serde_json::from_slice(body).map_err(|it| it.to_string())?;
    demo.rules.add(rule).map_err(|it| it.to_string())
}
