//! What the demo provider says: the same words for the same question, in no dialect yet.

use super::{behave::Behave, tokens};
use serde_json::{Map, Value, json};

/// The last thing said to the model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// A person's words.
    User(String),
    /// What tools answered.
    ToolResults(Vec<String>),
}

/// A tool that the model may call.
#[derive(Debug, Clone, PartialEq)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// The JSON schema of its arguments.
    pub schema: Value,
}

/// Bounds that the caller set.
#[derive(Debug, Clone, Default)]
pub struct Bounds {
    /// The most output tokens.
    pub max_tokens: Option<u64>,
    /// Texts that end the reply and are not part of it.
    pub stops: Vec<String>,
}

/// Why the reply ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// It was all said.
    Done,
    /// The caller's bound was reached.
    Length,
    /// One of the caller's stop texts came up.
    Stop(String),
    /// Tools are to be called.
    Calls,
}

/// A call of a tool.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// The tool's name.
    pub name: String,
    /// Its arguments.
    pub arguments: Value,
}

/// What the model says.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// Its words; empty when it calls tools.
    pub text: String,
    /// Its calls.
    pub calls: Vec<Call>,
    /// Why it ends.
    pub end: End,
}

impl Reply {
    /// How many output tokens it is, reasoning not included.
    pub fn tokens(&self) -> u64 {
        let calls = self.calls.iter();
        let calls =
            calls.map(|it| tokens::count(&it.name) + tokens::count(&it.arguments.to_string()));
        tokens::count(&self.text) + calls.sum::<u64>()
    }
}

/// The model's reply.
///
/// A question about the weather, where there are tools, is answered by calling the first one.
pub fn compose(
    model: &str,
    said: &Said,
    tools: &[Tool],
    bounds: &Bounds,
    behave: &Behave,
) -> Reply {
    if let (Said::User(text), Some(tool)) = (said, tools.first())
        && text.to_lowercase().contains("weather")
    {
        let call = Call { name: tool.name.clone(), arguments: arguments_for(&tool.schema) };
        let calls = vec![call; behave.tool_calls.unwrap_or(1)];
        return Reply { text: String::new(), calls, end: End::Calls };
    }
    let mut text = match (said, behave.tokens) {
        (Said::User(_) | Said::ToolResults(_), Some(wanted)) => words(wanted),
        (Said::User(text), None) => {
            let start: String = text.chars().take(200).collect();
            format!("This is {model} of the demo provider. You said: {start}")
        }
        (Said::ToolResults(results), None) => format!("The tool says: {}", results.join("; ")),
    };
    let mut end = End::Done;
    let stop = bounds.stops.iter().filter_map(|it| text.find(it.as_str()).map(|at| (at, it))).min();
    if let Some((at, stop)) = stop {
        text.truncate(at);
        end = End::Stop(stop.clone());
    }
    if let Some(most) = bounds.max_tokens {
        let pieces = tokens::pieces(&text);
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        if pieces.len() > most {
            text = pieces[..most].concat();
            end = End::Length;
        }
    }
    Reply { text, calls: Vec::new(), end }
}

/// A text of exactly this many tokens.
fn words(wanted: u64) -> String {
    const WORDS: [&str; 8] =
        ["water", " runs", " through", " the", " gate", " and", " is", " measured"];
    (0..wanted)
        .map(|it| if it > 0 && it % 8 == 0 { " water" } else { WORDS[(it % 8) as usize] })
        .collect()
}

/// Arguments that fit a JSON schema of an object, as far as its properties' types say.
fn arguments_for(schema: &Value) -> Value {
    let mut arguments = Map::new();
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let first_choice = property["enum"].get(0).cloned();
        let value = first_choice.unwrap_or_else(|| match property["type"].as_str() {
            Some("number" | "integer") => json!(1),
            Some("boolean") => json!(true),
            Some("array") => json!([]),
            Some("object") => arguments_for(property),
            Some(_) | None => json!("Paris"),
        });
        arguments.insert(name.clone(), value);
    }
    Value::Object(arguments)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(text: &str, bounds: &Bounds, behave: &Behave) -> Reply {
        compose("demo", &Said::User(text.to_owned()), &[], bounds, behave)
    }

    #[test]
    fn the_wanted_number_of_tokens_is_said() {
        for wanted in [0, 1, 7, 8, 9, 100] {
            let behave = Behave { tokens: Some(wanted), ..Behave::default() };
            assert_eq!(ask("hi", &Bounds::default(), &behave).tokens(), wanted);
        }
    }

    #[test]
    fn bounds_cut_the_reply_and_say_so() {
        let bounds = Bounds { max_tokens: Some(3), stops: Vec::new() };
        let reply = ask("hello", &bounds, &Behave::default());
        assert_eq!((reply.tokens(), reply.end), (3, End::Length));
        let bounds = Bounds { max_tokens: None, stops: vec!["You".to_owned()] };
        let reply = ask("hello", &bounds, &Behave::default());
        assert_eq!(reply.text, "This is demo of the demo provider. ");
        assert_eq!(reply.end, End::Stop("You".to_owned()));
    }

    #[test]
    fn the_weather_is_asked_of_the_first_tool_with_arguments_that_fit() {
        let schema = json!({"type": "object", "properties": {
            "city": {"type": "string"}, "days": {"type": "integer"}, "unit": {"enum": ["celsius", "kelvin"]},
        }});
        let tools = [Tool { name: "look_outside".to_owned(), schema }];
        let said = Said::User("What is the Weather like?".to_owned());
        let reply = compose("demo", &said, &tools, &Bounds::default(), &Behave::default());
        assert_eq!(reply.end, End::Calls);
        assert_eq!(reply.calls[0].name, "look_outside");
        assert_eq!(
            reply.calls[0].arguments,
            json!({"city": "Paris", "days": 1, "unit": "celsius"})
        );
    }
}
