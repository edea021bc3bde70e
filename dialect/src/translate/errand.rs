//! The calls beside chats: how many tokens a conversation takes, and texts to vectors.
//!
//! Their answers come whole and are small, so that one function tells the way back.

use super::{Notes, PathWords, Reading, Refused, Target, Thread, Unreadable, fit};
use crate::{anthropic, gemini};
use bytes::Bytes;
use domain::catalog::{Dialect, Quirk};

/// A call that is translated.
#[derive(Debug)]
pub struct Errand {
    /// The body to send.
    pub body: Bytes,
    /// What was adapted.
    pub notes: Notes,
    /// How its answer comes back.
    pub way: Way,
}

/// How an answer comes back to the caller.
#[derive(Debug, Clone)]
pub enum Way {
    /// A count of tokens, from this dialect to that one.
    Count {
        /// The provider's.
        from: Dialect,
        /// The caller's.
        to: Dialect,
    },
    /// Vectors from Google to a caller of OpenAI's dialect.
    #[expect(private_interfaces, reason = "only this module looks into it")]
    ToOpenAi {
        /// What the caller asked for.
        asked: gemini::embed::Asked,
        /// The model, in the provider's words.
        model: String,
    },
    /// Vectors from a provider of OpenAI's dialect to one of Google's.
    #[expect(private_interfaces, reason = "only this module looks into it")]
    ToGemini(gemini::embed::Wanted),
}

/// Reads the question how many tokens a conversation takes.
///
/// # Errors
/// When it is no proper one.
pub fn read_count(caller: Dialect, body: &[u8], path: PathWords<'_>) -> Result<Reading, Refused> {
    let mut notes = Notes::default();
    let request = match caller {
        Dialect::Anthropic => anthropic::request::read_count(body, &mut notes)?,
        Dialect::Gemini => gemini::request::read_count(body, &mut notes)?,
        Dialect::OpenAi | Dialect::OpenAiResponses | Dialect::Bedrock => return Err(unasked()),
    };
    Ok(path.complete(Reading { dialect: caller, request, notes, completion: false }))
}

/// Asks the target how many tokens the caller's conversation takes.
///
/// # Errors
/// When the target cannot be asked it.
pub fn count(reading: &Reading, target: &Target<'_>) -> Result<Errand, Refused> {
    let mut notes = reading.notes.clone();
    let mut thread = Thread::default();
    let request = fit::fit(&reading.request, target, &mut thread, &mut notes);
    let body = match target.dialect {
        Dialect::Anthropic => {
            anthropic::request::write_count(&request, target, &mut thread, &mut notes)?
        }
        Dialect::Gemini => {
            let whole = gemini::request::write(&request, target, &mut thread, &mut notes)?;
            match target.quirks.has(Quirk::Vertex) {
                true => whole,
                false => gemini::request::ask_count(&whole, target.model),
            }
        }
        Dialect::OpenAi | Dialect::OpenAiResponses | Dialect::Bedrock => return Err(unasked()),
    };
    let way = Way::Count { from: target.dialect, to: reading.dialect };
    Ok(Errand { body: body.into(), notes, way })
}

/// Asks the target for the vectors that the caller wants.
///
/// # Errors
/// When it is no proper request, or the target cannot give what is asked.
pub fn embed(caller: Dialect, body: &[u8], target: &Target<'_>) -> Result<Errand, Refused> {
    let mut notes = Notes::default();
    let (body, way) = match (caller, target.dialect) {
        (Dialect::OpenAi, Dialect::Gemini) => {
            let (body, asked) = gemini::embed::from_openai(body, target.model, &mut notes)?;
            (body, Way::ToOpenAi { asked, model: target.model.to_owned() })
        }
        (Dialect::Gemini, Dialect::OpenAi) => {
            let (body, wanted) = gemini::embed::to_openai(body, target.model, &mut notes)?;
            (body, Way::ToGemini(wanted))
        }
        _ => return Err(Refused::new("model", "nobody there makes vectors of texts")),
    };
    Ok(Errand { body: body.into(), notes, way })
}

impl Way {
    /// The provider's answer, as the caller is told it.
    ///
    /// # Errors
    /// When it is none.
    pub fn back(self, body: &[u8]) -> Result<Bytes, Unreadable> {
        match self {
            Self::Count { from, to } => {
                let tokens = match from {
                    Dialect::Gemini => gemini::request::told_count(body)?,
                    Dialect::OpenAi
                    | Dialect::OpenAiResponses
                    | Dialect::Anthropic
                    | Dialect::Bedrock => anthropic::response::read_count(body)?,
                };
                Ok(match to {
                    Dialect::Gemini => gemini::request::write_count(tokens).into(),
                    Dialect::OpenAi
                    | Dialect::OpenAiResponses
                    | Dialect::Anthropic
                    | Dialect::Bedrock => anthropic::response::write_count(tokens).into(),
                })
            }
            Self::ToOpenAi { asked, model } => {
                gemini::embed::answer_to_openai(body, asked, &model).map(|(body, _)| body.into())
            }
            Self::ToGemini(wanted) => {
                gemini::embed::answer_from_openai(body, wanted).map(|(body, _)| body.into())
            }
        }
    }
}

fn unasked() -> Refused {
    Refused::new("model", "nobody there counts tokens")
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::catalog::Quirks;
    use serde_json::{Value, json};

    fn target(dialect: Dialect) -> Target<'static> {
        Target {
            dialect,
            model: "m-1",
            quirks: Quirks::NONE,
            output_cap_field: "max_tokens",
            max_output: None,
            output_cap: None,
        }
    }

    fn parsed(bytes: &[u8]) -> Value {
        serde_json::from_slice(bytes).unwrap()
    }

    #[test]
    fn a_count_is_asked_of_google_and_told_to_anthropics_caller_and_the_other_way_round() {
        let body = br#"{"model":"a","messages":[{"role":"user","content":"hi"}]}"#;
        let reading = read_count(Dialect::Anthropic, body, PathWords::default()).unwrap();
        let errand = count(&reading, &target(Dialect::Gemini)).unwrap();
        let asked = parsed(&errand.body);
        assert_eq!(asked["generateContentRequest"]["contents"][0]["parts"][0]["text"], "hi");
        let told = errand.way.back(br#"{"totalTokens":31}"#).unwrap();
        assert_eq!(parsed(&told), json!({"input_tokens": 31}));

        let body = br#"{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}"#;
        let reading = read_count(Dialect::Gemini, body, PathWords::default()).unwrap();
        let errand = count(&reading, &target(Dialect::Anthropic)).unwrap();
        let asked = parsed(&errand.body);
        assert_eq!((&asked["model"], &asked["max_tokens"]), (&json!("m-1"), &Value::Null));
        let told = errand.way.back(br#"{"input_tokens":31}"#).unwrap();
        assert_eq!(parsed(&told), json!({"totalTokens": 31}));
    }

    #[test]
    fn vertex_is_asked_for_a_count_with_the_request_itself() {
        let body = br#"{"model":"a","messages":[{"role":"user","content":"hi"}]}"#;
        let reading = read_count(Dialect::Anthropic, body, PathWords::default()).unwrap();
        let quirks = Quirks::NONE.with(Quirk::Vertex);
        let errand = count(&reading, &Target { quirks, ..target(Dialect::Gemini) }).unwrap();
        let asked = parsed(&errand.body);
        assert_eq!(asked["contents"][0]["parts"][0]["text"], "hi");
        assert!(asked["generateContentRequest"].is_null());
    }

    #[test]
    fn vectors_are_asked_of_google_and_told_to_openais_caller() {
        let body = br#"{"model":"a","input":["x","y"],"encoding_format":"float"}"#;
        let errand = embed(Dialect::OpenAi, body, &target(Dialect::Gemini)).unwrap();
        assert_eq!(parsed(&errand.body)["requests"].as_array().unwrap().len(), 2);
        let answer = br#"{"embeddings":[{"values":[0.5]},{"values":[0.25]}]}"#;
        let told = parsed(&errand.way.back(answer).unwrap());
        assert_eq!(told["data"][1]["embedding"], json!([0.25]));
        assert_eq!(told["model"], "m-1");
    }

    #[test]
    fn who_cannot_do_it_is_not_asked() {
        let body = br#"{"model":"a","messages":[{"role":"user","content":"hi"}]}"#;
        let reading = read_count(Dialect::Anthropic, body, PathWords::default()).unwrap();
        assert!(count(&reading, &target(Dialect::OpenAi)).is_err());
        assert!(read_count(Dialect::OpenAi, body, PathWords::default()).is_err());
        assert!(embed(Dialect::OpenAi, b"{}", &target(Dialect::Anthropic)).is_err());
    }
}
