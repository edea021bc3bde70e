//! Anthropic's messages as others host them: what is edited in a request's bytes. All that
//! is not named here stays as it was written.
//!
//! Where others host it the model stands in the path and the version in the body. Streams
//! of Amazon's are unwrapped by [`crate::aws_stream`].

mod members;

use bytes::Bytes;
use members::{Member, members};
use serde_json::json;

/// Who hosts it, and what is asked there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Host {
    /// Google's Vertex AI, for an answer.
    Vertex,
    /// Google's Vertex AI, for a count of tokens: the model stays in the body.
    VertexCount,
    /// Amazon Bedrock's `InvokeModel`: the path says whether to stream, too.
    BedrockInvoke,
}

/// Betas that Bedrock knows; it refuses requests with others.
pub const BEDROCK_BETAS: &[&str] = &[
    "computer-use-2025-01-24",
    "context-1m-2025-08-07",
    "context-management-2025-06-27",
    "dev-full-thinking-2025-05-14",
    "effort-2025-11-24",
    "interleaved-thinking-2025-05-14",
    "output-128k-2025-02-19",
    "token-efficient-tools-2025-02-19",
    "tool-examples-2025-10-29",
    "tool-search-tool-2025-10-19",
];

const VERSION: &str = "anthropic_version";
const BETA: &str = "anthropic_beta";

/// The body for `host`. `betas` are the values of the caller's `anthropic-beta` headers;
/// for Bedrock, those that `allowed` has go into the body. The body must be one JSON
/// object; what is none comes back as it is.
pub fn edit<'a>(
    body: &Bytes,
    host: Host,
    betas: impl IntoIterator<Item = &'a str>,
    allowed: &[&str],
) -> Bytes {
    let Some(all) = members(body) else { return body.clone() };
    let (dropped, version): (&[&str], _) = match host {
        Host::Vertex => (&["model"], "vertex-2023-10-16"),
        Host::VertexCount => (&[], "vertex-2023-10-16"),
        Host::BedrockInvoke => (&["model", "stream", BETA], "bedrock-2023-05-31"),
    };
    let mut added = Vec::new();
    if !all.iter().any(|it| it.key == VERSION) {
        added.push(format!("{}:{}", json!(VERSION), json!(version)));
    }
    if host == Host::BedrockInvoke {
        let own = all.iter().filter(|it| it.key == BETA).flat_map(|it| texts(body, it));
        let own: Vec<String> = own.collect();
        let asked = betas.into_iter().flat_map(|it| it.split(',')).map(str::trim);
        let mut known: Vec<&str> = Vec::new();
        for beta in own.iter().map(String::as_str).chain(asked) {
            if allowed.contains(&beta) && !known.contains(&beta) {
                known.push(beta);
            }
        }
        if !known.is_empty() {
            added.push(format!("{}:{}", json!(BETA), json!(known)));
        }
    }
    let kept = |it: &Member| !dropped.contains(&it.key.as_str());
    written(body, &all, kept, &added)
}

/// The texts of an array.
fn texts(body: &[u8], member: &Member) -> Vec<String> {
    let value = body.get(member.value..member.end).unwrap_or_default();
    serde_json::from_slice(value).unwrap_or_default()
}

/// The object with `added` before its members, of which only those stay that are `kept`.
fn written(
    body: &Bytes,
    all: &[Member],
    kept: impl Fn(&Member) -> bool,
    added: &[String],
) -> Bytes {
    let slice = |from: usize, to: usize| body.get(from..to).unwrap_or_default();
    let mut out = Vec::with_capacity(body.len().saturating_add(128));
    // Up to the first member or, if there is none, to the end of the object.
    let open = body.iter().position(|it| *it == b'{').map_or(0, |it| it.saturating_add(1));
    let first = all.first().map_or(open, |it| it.start);
    out.extend_from_slice(slice(0, first));
    out.extend_from_slice(added.join(",").as_bytes());
    let mut comma = if added.is_empty() { None } else { Some(&b","[..]) };
    for (at, member) in all.iter().enumerate().filter(|(_, it)| kept(it)) {
        out.extend_from_slice(comma.unwrap_or_default());
        out.extend_from_slice(slice(member.start, member.end));
        // What stands behind it, up to the next, parts it from the next that is kept.
        comma = all.get(at.saturating_add(1)).map(|next| slice(member.end, next.start));
    }
    let end = all.last().map_or(open, |it| it.end);
    out.extend_from_slice(slice(end, body.len()));
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[&str] = &["a-1", "b-2"];

    #[track_caller]
    fn check(host: Host, betas: &[&str], body: &str, expected: &str) {
        let body = Bytes::from(body.to_owned());
        let edited = edit(&body, host, betas.iter().copied(), KNOWN);
        assert_eq!(std::str::from_utf8(&edited).unwrap(), expected);
        assert!(serde_json::from_slice::<serde_json::Value>(&edited).is_ok(), "{expected}");
    }

    #[test]
    fn for_vertex_the_model_goes_and_the_version_comes() {
        check(
            Host::Vertex,
            &["a-1"],
            "\n{ \"max_tokens\" : 1e2, \"model\":\"claude\",\t\"stream\" :true, \"x\":{\"model\":1} } ",
            "\n{ \"anthropic_version\":\"vertex-2023-10-16\",\"max_tokens\" : 1e2, \"stream\" :true, \
             \"x\":{\"model\":1} } ",
        );
        check(
            Host::Vertex,
            &[],
            r#"{"model":"c","anthropic_version":"vertex-x"}"#,
            r#"{"anthropic_version":"vertex-x"}"#,
        );
        check(
            Host::VertexCount,
            &[],
            r#"{"model":"c","messages":[]}"#,
            r#"{"anthropic_version":"vertex-2023-10-16","model":"c","messages":[]}"#,
        );
    }

    /// Bug 32 of the list: Bedrock was told every beta, and refuses those it does not know.
    #[test]
    fn for_bedrock_the_stream_goes_too_and_known_betas_come() {
        const VERSION: &str = r#""anthropic_version":"bedrock-2023-05-31""#;
        check(
            Host::BedrockInvoke,
            &["a-1, other-3", "b-2,a-1"],
            r#"{"model":"c","messages":["\"model\":\"y\""],"stream":true}"#,
            &format!(
                r#"{{{VERSION},"anthropic_beta":["a-1","b-2"],"messages":["\"model\":\"y\""]}}"#
            ),
        );
        check(
            Host::BedrockInvoke,
            &["other"],
            r#"{"stream" : false ,"mo\u0064el":"c" , "k" : 1 }"#,
            &format!(r#"{{{VERSION},"k" : 1 }}"#),
        );
        check(
            Host::BedrockInvoke,
            &[],
            r#"{"anthropic_beta":["b-2","z"],"a":1,"model":"c"}"#,
            &format!(r#"{{{VERSION},"anthropic_beta":["b-2"],"a":1}}"#),
        );
        check(Host::BedrockInvoke, &[], r#"{"model":"c"}"#, &format!("{{{VERSION}}}"));
        check(Host::BedrockInvoke, &[], "{ }", &format!("{{{VERSION} }}"));
    }

    /// Bug 34 of the list: an edit wrote the whole body anew, and the prompt was not cached.
    #[test]
    fn between_members_that_stay_all_bytes_stay() {
        check(
            Host::Vertex,
            &[],
            "{\"anthropic_version\":1 ,\n \"model\":\"c\"\t, \"a\" : 1.0 , \"b\":[ ],\"b\":2}",
            "{\"anthropic_version\":1 ,\n \"a\" : 1.0 , \"b\":[ ],\"b\":2}",
        );
    }

    #[test]
    fn what_is_no_object_comes_back_as_it_is() {
        for body in [
            "",
            "[]",
            "{",
            "{\"a\"",
            "{\"a\":",
            "{\"a\":1",
            "{\"a\":1,",
            "null",
            "{\"a\":1}}",
            "{a:1}",
        ] {
            let bytes = Bytes::from(body.to_owned());
            assert_eq!(edit(&bytes, Host::Vertex, [], &[]), body, "{body}");
        }
    }
}
