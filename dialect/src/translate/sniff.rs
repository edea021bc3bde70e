//! Tells by a request's body in which dialect it is, where its path says another: some
//! clients send one dialect's body to another's path.
//!
//! Knows the few names that only one dialect has. Where they say nothing, the path holds.
//! Reads turns only where there is a reason to: most requests are what their path says.

use crate::{
    json::{Fields, elements},
    peek::Peek,
};
use domain::catalog::Dialect;
use memchr::memmem;
use serde_json::value::RawValue;

/// Most turns and tools that are looked at: the first ones tell.
const LOOKED_AT: usize = 64;

/// The dialect of a body that was sent to a path of `path`'s, and looked at as such.
/// `anthropic_version`: whether it came with Anthropic's header of that name.
pub fn sniff(path: Dialect, peek: &Peek<'_>, anthropic_version: bool) -> Dialect {
    let given = peek.given();
    match (given.messages, given.input) {
        (None, _) if given.contents.is_some() => Dialect::Gemini,
        (None, Some(_)) => Dialect::OpenAiResponses,
        (None, None) => path,
        // A body with both is what its path takes it for.
        (Some(_), Some(_)) if path == Dialect::OpenAiResponses => path,
        (Some(messages), _) => {
            let tools = given.tools;
            let asked = Asked { messages, tools, anthropic_version };
            match path {
                _ if given.system.is_some() => Dialect::Anthropic,
                Dialect::Anthropic if given.openai_only => Dialect::OpenAi,
                Dialect::Anthropic => asked.says().unwrap_or(Dialect::Anthropic),
                Dialect::OpenAi if anthropic_version || asked.may_be_anthropic() => {
                    asked.says().unwrap_or(Dialect::OpenAi)
                }
                Dialect::OpenAi => Dialect::OpenAi,
                Dialect::OpenAiResponses | Dialect::Gemini | Dialect::Bedrock => {
                    let unsaid =
                        if anthropic_version { Dialect::Anthropic } else { Dialect::OpenAi };
                    asked.says().unwrap_or(unsaid)
                }
            }
        }
    }
}

/// A body with `messages`: OpenAI's chat or Anthropic's. Most requests could be either.
struct Asked<'a> {
    messages: &'a str,
    tools: Option<&'a str>,
    anthropic_version: bool,
}

impl Asked<'_> {
    /// Whether there is a word that only Anthropic's turns have; quick, and wrong at times.
    fn may_be_anthropic(&self) -> bool {
        let has = |word: &str| memmem::find(self.messages.as_bytes(), word.as_bytes()).is_some();
        has("\"tool_use_id\"") || has("\"tool_use\"") || has("\"media_type\"")
    }

    /// What turns and tools say, if they say something.
    fn says(&self) -> Option<Dialect> {
        let turns = raw_elements(self.messages).into_iter();
        let of_turn = |it: &RawValue| of_turn(&serde_json::from_str(it.get()).ok()?);
        turns.take(LOOKED_AT).find_map(of_turn).or_else(|| self.tools_say())
    }

    fn tools_say(&self) -> Option<Dialect> {
        let tools = self.tools.map(raw_elements).unwrap_or_default();
        let said = tools.into_iter().take(LOOKED_AT).find_map(|it| {
            let tool: Fields<'_> = serde_json::from_str(it.get()).ok()?;
            match (tool.get("function"), tool.get("input_schema"), tool.get("parameters")) {
                (Some(_), _, _) | (None, None, Some(_)) => Some(Dialect::OpenAi),
                (None, Some(_), _) => Some(Dialect::Anthropic),
                (None, None, None) => None,
            }
        });
        // Anthropic's form of tools is understood among OpenAI's words as well, so it takes
        // the header to believe it.
        said.filter(|it| *it != Dialect::Anthropic || self.anthropic_version)
    }
}

fn raw_elements(text: &str) -> Vec<&RawValue> {
    serde_json::from_str(text).unwrap_or_default()
}

/// What one message tells.
fn of_turn(turn: &Fields<'_>) -> Option<Dialect> {
    let role = turn.text("role");
    let is_openai = matches!(role.as_deref(), Some("tool" | "developer" | "function"))
        || turn.get("tool_calls").is_some()
        || turn.get("tool_call_id").is_some();
    if is_openai {
        return Some(Dialect::OpenAi);
    }
    let parts = elements(turn.get("content")?)?;
    parts.into_iter().take(LOOKED_AT).find_map(|part| {
        let part: Fields<'_> = serde_json::from_str(part.get()).ok()?;
        match part.text("type")?.as_ref() {
            "tool_use" | "tool_result" | "thinking" | "redacted_thinking" | "document" => {
                Some(Dialect::Anthropic)
            }
            "image" if part.get("source").is_some() => Some(Dialect::Anthropic),
            "image_url" | "input_audio" | "file" | "refusal" => Some(Dialect::OpenAi),
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peek::peek_in;
    use Dialect::{Anthropic, Gemini, OpenAi, OpenAiResponses};

    fn sniffed(path: Dialect, body: &str, anthropic_version: bool) -> Dialect {
        sniff(path, &peek_in(path, body.as_bytes(), Some("m")).unwrap(), anthropic_version)
    }

    #[track_caller]
    fn check(path: Dialect, body: &str, expected: Dialect) {
        assert_eq!(sniffed(path, body, false), expected, "{path}: {body}");
    }

    #[test]
    fn what_could_be_either_is_what_its_path_says() {
        let plain = r#"{"model":"m","max_tokens":5,"messages":[{"role":"user","content":"hi"}]}"#;
        for path in [OpenAi, Anthropic] {
            check(path, plain, path);
            assert_eq!(sniffed(path, plain, true), path);
        }
        check(OpenAiResponses, plain, OpenAi);
        assert_eq!(sniffed(OpenAiResponses, plain, true), Anthropic);
        for body in [r#"{"x":1}"#, r#"{"prompt":"x"}"#] {
            for path in Dialect::ALL {
                check(path, body, path);
            }
        }
    }

    /// Bug 43 of the list: a body of `/responses` at `/chat/completions` was refused.
    #[test]
    fn one_name_tells_where_only_one_dialect_has_it() {
        for path in Dialect::ALL {
            check(path, r#"{"contents":[],"model":"m"}"#, Gemini);
            check(path, r#"{"input":"hi","model":"m"}"#, OpenAiResponses);
            check(path, r#"{"input":[{"role":"user"}],"tools":[]}"#, OpenAiResponses);
            check(path, r#"{"messages":[],"system":"s"}"#, Anthropic);
            check(path, r#"{"messages":[],"max_completion_tokens":5}"#, OpenAi);
            check(path, r#"{"messages":[],"stream_options":{}}"#, OpenAi);
        }
        // Providers of OpenAI's dialect have it too.
        check(OpenAi, r#"{"messages":[],"thinking":{"type":"enabled"}}"#, OpenAi);
        // `null` counts for absent.
        check(OpenAi, r#"{"messages":[],"system":null,"contents":null}"#, OpenAi);
        check(OpenAiResponses, r#"{"messages":[],"input":"x"}"#, OpenAiResponses);
        check(OpenAi, r#"{"messages":[],"input":"x"}"#, OpenAi);
    }

    /// Bug 43 of the list: what is at home at another path was refused, or misunderstood.
    #[test]
    fn messages_tell_by_what_stands_in_them() {
        let with = |message: &str| {
            format!(r#"{{"messages":[{{"role":"user","content":"x"}},{message}]}}"#)
        };
        for (message, expected) in [
            (r#"{"role":"user","content":[{"type":"tool_result","tool_use_id":"x"}]}"#, Anthropic),
            (r#"{"role":"assistant","content":[{"type":"tool_use","id":"x"}]}"#, Anthropic),
            (
                r#"{"role":"user","content":[{"type":"image","source":{"media_type":"x"}}]}"#,
                Anthropic,
            ),
            (r#"{"role":"tool","tool_call_id":"x","content":"y"}"#, OpenAi),
            (r#"{"role":"developer","content":"y"}"#, OpenAi),
            (r#"{"role":"assistant","content":"","tool_calls":[]}"#, OpenAi),
            (r#"{"role":"user","content":[{"type":"image_url","image_url":{}}]}"#, OpenAi),
        ] {
            for path in [OpenAi, Anthropic] {
                check(path, &with(message), expected);
            }
        }
        for message in [r#"{"role":"system","content":"x"}"#, "1", r#"{"content":[1,{}]}"#] {
            check(OpenAi, &with(message), OpenAi);
            check(Anthropic, &with(message), Anthropic);
        }
    }

    #[test]
    fn tools_tell_last() {
        let with = |tool: &str| format!(r#"{{"messages":[],"tools":[{tool}]}}"#);
        let anthropic = with(r#"{"name":"a","input_schema":{}}"#);
        check(Anthropic, &with(r#"{"type":"function","function":{}}"#), OpenAi);
        check(Anthropic, &with(r#"{"type":"function","name":"a","parameters":{}}"#), OpenAi);
        check(Anthropic, &anthropic, Anthropic);
        // OpenAI's reader takes such tools too.
        check(OpenAi, &anthropic, OpenAi);
        assert_eq!(sniffed(OpenAi, &anthropic, true), Anthropic);
    }
}
