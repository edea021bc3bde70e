//! Google's dialect: generated content, token counts, embeddings, models, errors. Pure.
//! As strict as the real API: what it would refuse is refused in its words.

use super::{
    Answer, Ask, MODELS, Piece, embeddings, random_text,
    reply::{self, Bounds, Choice, End, Question, Reply, Said, Tool},
    strict, tokens,
};
use bytes::Bytes;
use serde_json::{Value, json};

/// What the path says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Called<'a> {
    /// The model.
    pub model: &'a str,
    /// What is done with it, such as `generateContent`.
    pub verb: &'a str,
    /// Whether a stream is one JSON array and not server-sent events.
    pub array: bool,
}

/// The model and the verb of a path like `/v1beta/models/{model}:{verb}`.
pub fn called<'a>(path: &'a str, query: &str) -> Option<Called<'a>> {
    let (model, verb) = path.strip_prefix("/v1beta/models/")?.rsplit_once(':')?;
    Some(Called { model, verb, array: query.split('&').all(|it| it != "alt=sse") })
}

/// An error as Google writes it.
pub fn error(status: u16, message: &str) -> Answer {
    let name = match status {
        400 => "INVALID_ARGUMENT",
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        429 => "RESOURCE_EXHAUSTED",
        503 | 529 => "UNAVAILABLE",
        504 => "DEADLINE_EXCEEDED",
        _ => "INTERNAL",
    };
    let error = json!({"code": status, "message": message, "status": name});
    Answer::plain(status, &json!({ "error": error }))
}

/// The error for a key that is none: with the status of a bad request.
pub fn invalid_key() -> Answer {
    let why = json!({
        "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID",
        "domain": "googleapis.com", "metadata": {"service": "generativelanguage.googleapis.com"},
    });
    let message = "API key not valid. Please pass a valid API key.";
    let error = json!({
        "code": 400, "message": message, "status": "INVALID_ARGUMENT", "details": [why],
    });
    Answer::plain(400, &json!({ "error": error }))
}

/// The error for a status that was asked for. When to ask again stands in its details.
pub fn error_for(status: u16, retry_after: Option<&str>) -> Answer {
    let message = match status {
        400 => "The demo provider was told to refuse this.",
        401 => "API key not valid. Please pass a valid API key.",
        403 => "The caller does not have permission",
        404 => "models/x is not found for API version v1beta",
        429 => "You exceeded your current quota.",
        503 | 529 => "The model is overloaded. Please try again later.",
        _ => "An internal error has occurred.",
    };
    let Some(seconds) = retry_after else { return error(status, message) };
    let kind = "type.googleapis.com/google.rpc.RetryInfo";
    let retry = json!({"@type": kind, "retryDelay": format!("{seconds}s")});
    let error = json!({
        "code": status, "message": message, "details": [retry],
        "status": if status == 429 { "RESOURCE_EXHAUSTED" } else { "UNAVAILABLE" },
    });
    Answer::plain(status, &json!({ "error": error }))
}

/// Answers a call.
pub fn answer(ask: &Ask<'_>, called: Called<'_>) -> Answer {
    let body = strict::camel(ask.body);
    let ask = &Ask { body: &body, behave: ask.behave, now: ask.now };
    match called.verb {
        "generateContent" => generate(ask, called, false),
        "streamGenerateContent" => generate(ask, called, true),
        "countTokens" => match strict::gemini::countable(ask.body) {
            Ok(()) => Answer::plain(
                200,
                &json!({"totalTokens": tokens::count_all(&ask.body["contents"]) + 3}),
            ),
            Err(why) => error(400, &why),
        },
        "embedContent" => embed_one(ask, called),
        "batchEmbedContents" => embed(ask, called),
        other => error(404, &format!("unknown method {other}")),
    }
}

fn embed(ask: &Ask<'_>, called: Called<'_>) -> Answer {
    let Some(requests) = ask.body["requests"].as_array().filter(|it| !it.is_empty()) else {
        return error(400, "* BatchEmbedContentsRequest.requests: contents is required");
    };
    let full = format!("models/{}", called.model);
    if requests.iter().any(|it| it["model"] != full.as_str()) {
        let why = "* BatchEmbedContentsRequest.requests[0].model: must match that of the batch";
        return error(400, why);
    }
    let body = json!({"embeddings": requests.iter().map(vector_of).collect::<Vec<_>>()});
    vectors(&body, requests.iter().map(|it| tokens::count(&text_of(&it["content"]))).sum())
}

fn embed_one(ask: &Ask<'_>, called: Called<'_>) -> Answer {
    let content = &ask.body["content"];
    if !content.is_object() {
        return error(400, "* EmbedContentRequest.content: contents is not specified");
    }
    let named = &ask.body["model"];
    if !named.is_null() && *named != format!("models/{}", called.model).as_str() {
        return error(400, "* EmbedContentRequest.model: must match that of the path");
    }
    vectors(&json!({"embedding": vector_of(ask.body)}), tokens::count(&text_of(content)))
}

fn vector_of(asked: &Value) -> Value {
    let length = asked["outputDimensionality"].as_u64().unwrap_or(768);
    let length = usize::try_from(length).unwrap_or(768);
    json!({"values": embeddings::vector(&text_of(&asked["content"]), length)})
}

fn vectors(body: &Value, input_tokens: u64) -> Answer {
    let pieces = vec![Piece { bytes: Bytes::from(body.to_string()), output_tokens: 0 }];
    Answer { input_tokens, pieces, ..Answer::default() }
}

fn generate(ask: &Ask<'_>, called: Called<'_>, streamed: bool) -> Answer {
    let model = called.model;
    if let Err(why) = strict::gemini::generating(ask.body, model) {
        return error(400, &why);
    }
    let reply = reply::compose(&question(ask.body, model), ask.behave);
    let input = ["systemInstruction", "contents", "tools"]
        .iter()
        .map(|it| tokens::count_all(&ask.body[*it]))
        .sum::<u64>()
        + 3;
    let used = Used {
        input,
        cached: ask.behave.cached.min(input),
        said: reply.tokens(),
        thoughts: ask.behave.reasoning,
    };
    let frame = Frame { id: random_text(22), model };
    let parts = parts(&reply, streamed);
    let end = finish_reason(&reply);
    let pieces = if streamed {
        let pieces = stream(ask, &frame, parts, end, &used);
        if called.array { as_array(pieces) } else { pieces }
    } else {
        let usage = (!ask.behave.no_usage).then(|| used.to_json(used.said));
        let body = frame.chunk(&Value::from(parts), Some(end), usage);
        let bytes = Bytes::from(body.to_string());
        vec![Piece { bytes, output_tokens: used.output() }]
    };
    Answer {
        streamed,
        array: streamed && called.array,
        pieces,
        input_tokens: used.input,
        cached_input_tokens: used.cached,
        ..Answer::default()
    }
}

/// What the reply is as parts; a stream has a part for every token of text. Google's newer
/// models want the state back that comes with the first call, or with the last text.
fn parts(reply: &Reply, streamed: bool) -> Vec<Value> {
    let thought = reply.thought.as_ref().map(|it| json!({"text": it, "thought": true}));
    let mut parts: Vec<Value> = thought.into_iter().collect();
    if reply.calls.is_empty() {
        let pieces = tokens::pieces(&reply.text);
        let texts = if streamed { pieces } else { vec![reply.text.as_str()] };
        parts.extend(texts.into_iter().map(|it| json!({ "text": it })));
        if reply.thought.is_some()
            && let Some(last) = parts.last_mut()
        {
            last["thoughtSignature"] = json!(strict::gemini::SIGNATURE);
        }
    }
    for (at, call) in reply.calls.iter().enumerate() {
        let call = json!({"name": call.name, "args": call.arguments});
        let mut part = json!({ "functionCall": call });
        if at == 0 {
            part["thoughtSignature"] = json!(strict::gemini::SIGNATURE);
        }
        parts.push(part);
    }
    parts
}

/// The chunks as elements of one JSON array.
fn as_array(pieces: Vec<Piece>) -> Vec<Piece> {
    let last = pieces.len().saturating_sub(1);
    let element = |(at, piece): (usize, Piece)| {
        let text = String::from_utf8_lossy(&piece.bytes).into_owned();
        let text = text.trim_end().strip_prefix("data: ").unwrap_or_default();
        let before = if at == 0 { "[" } else { ",\r\n" };
        let after = if at == last { "]" } else { "" };
        Piece { bytes: Bytes::from(format!("{before}{text}{after}")), ..piece }
    };
    pieces.into_iter().enumerate().map(element).collect()
}

/// One chunk for each part, but for calls: those come together, as Google sends them.
fn stream(
    ask: &Ask<'_>,
    frame: &Frame<'_>,
    parts: Vec<Value>,
    end: &str,
    used: &Used,
) -> Vec<Piece> {
    let (calls, texts): (Vec<_>, Vec<_>) =
        parts.into_iter().partition(|it| !it["functionCall"].is_null());
    let mut groups: Vec<Value> = texts.into_iter().map(|it| json!([it])).collect();
    if !calls.is_empty() {
        groups.push(Value::from(calls));
    }
    if groups.is_empty() {
        groups.push(json!([{"text": ""}]));
    }
    let last = groups.len().saturating_sub(1);
    let mut said = used.thoughts;
    let groups = groups.into_iter().enumerate().filter(|(at, _)| *at < last || !ask.behave.no_end);
    let chunk = |(at, parts): (usize, Value)| {
        let is_last = at == last;
        said = if is_last { used.output() } else { said + 1 };
        let usage = (!ask.behave.no_usage)
            .then(|| used.to_json(if is_last { used.said } else { said - used.thoughts }));
        let body = frame.chunk(&parts, is_last.then_some(end), usage);
        let bytes = Bytes::from(format!("data: {body}\r\n\r\n"));
        Piece { bytes, output_tokens: said }
    };
    groups.map(chunk).collect()
}

struct Frame<'a> {
    id: String,
    model: &'a str,
}

impl Frame<'_> {
    fn chunk(&self, parts: &Value, end: Option<&str>, usage: Option<Value>) -> Value {
        let mut candidate = json!({"content": {"role": "model", "parts": parts}, "index": 0});
        if let Some(end) = end {
            candidate["finishReason"] = json!(end);
        }
        let mut body = json!({"candidates": [candidate]});
        if let Some(usage) = usage {
            body["usageMetadata"] = usage;
        }
        body["modelVersion"] = json!(self.model);
        body["responseId"] = json!(self.id);
        body
    }
}

struct Used {
    input: u64,
    cached: u64,
    said: u64,
    thoughts: u64,
}

impl Used {
    const fn output(&self) -> u64 {
        self.said + self.thoughts
    }

    fn to_json(&self, said: u64) -> Value {
        json!({
            "promptTokenCount": self.input, "cachedContentTokenCount": self.cached,
            "candidatesTokenCount": said, "thoughtsTokenCount": self.thoughts,
            "totalTokenCount": self.input + said + self.thoughts,
        })
    }
}

fn finish_reason(reply: &Reply) -> &'static str {
    match reply.end {
        End::Done | End::Stop(_) | End::Calls => "STOP",
        End::Length => "MAX_TOKENS",
    }
}

fn question<'a>(body: &Value, model: &'a str) -> Question<'a> {
    let config = &body["generationConfig"];
    let calling = &body["toolConfig"]["functionCallingConfig"];
    let one = calling["allowedFunctionNames"].as_array().filter(|it| it.len() == 1);
    let is_json = config["responseMimeType"] == "application/json";
    let schemas = [&config["responseJsonSchema"], &config["responseSchema"]];
    let schema = schemas.into_iter().find(|it| !it.is_null()).cloned();
    Question {
        model,
        said: last_said(body),
        tools: tools(body),
        choice: match (calling["mode"].as_str(), one.and_then(|it| it[0].as_str())) {
            (Some("ANY"), Some(name)) => Choice::Named(name.to_owned()),
            (Some("ANY"), None) => Choice::Any,
            _ => Choice::Auto,
        },
        shape: is_json.then(|| {
            schema.unwrap_or_else(|| json!({"properties": {"answer": {"type": "string"}}}))
        }),
        shows_thoughts: config["thinkingConfig"]["includeThoughts"].as_bool() == Some(true),
        bounds: Bounds {
            max_tokens: config["maxOutputTokens"].as_u64(),
            stops: super::openai::texts(&config["stopSequences"]),
        },
    }
}

fn last_said(body: &Value) -> Said {
    let contents = body["contents"].as_array();
    let user = contents.and_then(|it| it.iter().rev().find(|it| it["role"] != "model"));
    let parts = user.map_or(&Value::Null, |it| &it["parts"]);
    let results = parts.as_array().into_iter().flatten().filter_map(|it| {
        let response = &it["functionResponse"]["response"];
        let told = response["output"].as_str().or_else(|| response["error"].as_str());
        (!response.is_null()).then(|| told.map_or_else(|| response.to_string(), str::to_owned))
    });
    let results: Vec<String> = results.collect();
    match (results.is_empty(), user) {
        (false, _) => Said::ToolResults(results),
        (true, user) => Said::User(user.map(text_of).unwrap_or_default()),
    }
}

/// The text of a content's parts.
fn text_of(content: &Value) -> String {
    let parts = content["parts"].as_array().into_iter().flatten();
    parts.filter_map(|it| it["text"].as_str()).collect::<Vec<_>>().join(" ")
}

fn tools(body: &Value) -> Vec<Tool> {
    if body["toolConfig"]["functionCallingConfig"]["mode"] == "NONE" {
        return Vec::new();
    }
    let tools = body["tools"].as_array().into_iter().flatten();
    let declared = tools.flat_map(|it| it["functionDeclarations"].as_array().into_iter().flatten());
    let tools = declared.filter_map(|it| {
        let schema = if it["parametersJsonSchema"].is_null() {
            &it["parameters"]
        } else {
            &it["parametersJsonSchema"]
        };
        Some(Tool { name: it["name"].as_str()?.to_owned(), schema: schema.clone() })
    });
    tools.collect()
}

/// The event by which a stream says that it failed.
pub fn error_event() -> Bytes {
    let error = json!({"error": {
        "code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE",
    }});
    Bytes::from(format!("data: {error}\r\n\r\n"))
}

/// The list of models.
pub fn models() -> Answer {
    let models: Vec<Value> = MODELS.iter().map(|it| model_json(it)).collect();
    Answer::plain(200, &json!({ "models": models }))
}

/// One model.
pub fn model(name: &str) -> Answer {
    if MODELS.contains(&name) {
        return Answer::plain(200, &model_json(name));
    }
    error(404, &format!("models/{name} is not found for API version v1beta."))
}

fn model_json(name: &str) -> Value {
    json!({
        "name": format!("models/{name}"), "displayName": name, "version": "001",
        "supportedGenerationMethods": ["generateContent", "countTokens"],
    })
}

#[cfg(test)]
mod tests;
