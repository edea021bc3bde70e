//! A dialect for tests only: what is said stands there as it is meant.

use super::voice::furnished;

furnished!(TOY, crate::translate::toy);

/// The toy, as it is called.
pub(super) fn voice() -> &'static super::voice::Voice {
    &TOY
}

pub(crate) mod request {
    use crate::{
        chat::{Part, Request, Role, Tool, ToolKind, Turn},
        json::Fields,
        translate::{Notes, Refused, Target, Thread},
    };

    pub(crate) fn read(body: &[u8], notes: &mut Notes) -> Result<Request, Refused> {
        let text = std::str::from_utf8(body).map_err(|_| Refused::new("body", "no text"))?;
        let mut fields = Fields::parse(text).map_err(|_| Refused::new("body", "no object"))?;
        let words: String = fields.take_as("text")?.unwrap_or_default();
        let tool: Option<String> = fields.take_as("custom_tool")?;
        let request = Request {
            model: fields.take_as("model")?.unwrap_or_default(),
            turns: vec![Turn { role: Role::User, name: None, parts: vec![Part::text(words)] }],
            tools: tool
                .map(|name| Tool {
                    name,
                    namespace: Some("ns".to_owned()),
                    description: None,
                    kind: ToolKind::Custom { format: None },
                    cache: None,
                })
                .into_iter()
                .collect(),
            stream: fields.take_as("stream")?.unwrap_or_default(),
            ..Request::default()
        };
        fields.rest().for_each(|(name, _)| notes.dropped(name.into_owned()));
        Ok(request)
    }

    pub(crate) fn write(
        request: &Request,
        target: &Target<'_>,
        thread: &mut Thread,
        notes: &mut Notes,
    ) -> Result<Vec<u8>, Refused> {
        if request.answers.is_some() {
            return Err(Refused::new("n", "the toy says one thing at a time"));
        }
        notes.dropped_if("top_k", &request.sampling.top_k);
        thread.wants_opaque = true;
        let tools: Vec<_> = request.tools.iter().map(|it| it.name.as_str()).collect();
        Ok(format!("{} {} {tools:?}", target.model, request.turns.len()).into_bytes())
    }
}

pub(crate) mod response {
    use crate::{
        chat::{Answer, Call, CallInput, Choice, Content, Part, Stop},
        json::Json,
        translate::{Thread, Unreadable},
    };

    /// `name: input` is a call; anything else but `broken` a text.
    pub(crate) fn read(body: &[u8]) -> Result<Answer, Unreadable> {
        let text = String::from_utf8_lossy(body);
        if text == "broken" {
            return Err(Unreadable("it says so".to_owned()));
        }
        let part = match text.split_once(": ") {
            None => Part::text(text),
            Some((name, input)) => Part::new(Content::Call(Call {
                id: String::new(),
                name: name.to_owned(),
                namespace: None,
                input: Json::parse(input)
                    .map_or_else(|| CallInput::Text(input.to_owned()), CallInput::Json),
                opaque: None,
            })),
        };
        let choice = Choice { parts: vec![part], stop: Stop::End, logprobs: None };
        Ok(Answer { id: "a".to_owned(), choices: vec![choice], ..Answer::default() })
    }

    pub(crate) fn write(answer: &Answer, thread: &Thread) -> Vec<u8> {
        format!("{} {:?}", thread.alias, answer.choices).into_bytes()
    }
}

pub(crate) mod stream {
    use crate::{
        chat::{Event, Failure, Start, Step, Stop},
        error::ErrorKind,
        translate::{Thread, Unreadable},
    };
    use domain::tokens::Tokens;

    #[derive(Debug, Default)]
    pub(crate) struct Reader;

    impl Reader {
        pub(crate) fn push(
            &mut self,
            name: &str,
            data: &str,
            out: &mut Vec<Event>,
        ) -> Result<(), Unreadable> {
            let choice = 0;
            let text = data.to_owned();
            out.push(match name {
                "start" => Event::Start(Start { id: text, ..Start::default() }),
                "text" => Event::Text { choice, text, logprobs: None },
                "call" => {
                    let id = String::new();
                    let (namespace, opaque) = (None, None);
                    let (slot, custom) = (0, false);
                    Event::CallStart { choice, slot, id, name: text, namespace, custom, opaque }
                }
                "input" => Event::CallInput { choice, slot: 0, text },
                "usage" => Event::Usage(Tokens { output: 3, ..Tokens::default() }),
                "ping" => Event::Ping,
                "stop" => Event::Stop { choice, stop: Stop::End },
                "end" => Event::End,
                "fail" => Event::Failed(Failure {
                    kind: ErrorKind::Overloaded,
                    message: text,
                    code: None,
                    param: None,
                }),
                _ => return Err(Unreadable(format!("{name} is no word"))),
            });
            Ok(())
        }
    }

    #[derive(Debug)]
    pub(crate) struct Writer;

    impl Writer {
        pub(crate) fn new(_: &Thread) -> Self {
            Self
        }

        /// Has no word for pings.
        pub(crate) fn push(&mut self, step: &Step, _: &Thread, out: &mut Vec<u8>) {
            if *step != Step::Ping {
                out.extend_from_slice(format!("data: {step:?}\n\n").as_bytes());
            }
        }
    }
}

pub(crate) mod error {
    use crate::{chat::Failure, error::ErrorKind};

    pub(crate) fn read(status: u16, body: &[u8]) -> Failure {
        let message = format!("{status}: {}", String::from_utf8_lossy(body));
        Failure { kind: ErrorKind::UpstreamFailed, message, code: None, param: None }
    }

    pub(crate) fn write(failure: &Failure, request_id: &str) -> Vec<u8> {
        format!("{request_id}: {}", failure.message).into_bytes()
    }
}
