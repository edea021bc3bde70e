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

/// Whether tools are to be called.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Choice {
    /// As the model likes.
    #[default]
    Auto,
    /// Any of them.
    Any,
    /// This one.
    Named(String),
}

/// What the model is asked.
#[derive(Debug, Clone)]
pub struct Question<'a> {
    /// The model.
    pub model: &'a str,
    /// The last thing said to it.
    pub said: Said,
    /// The tools that it may call.
    pub tools: Vec<Tool>,
    /// Whether it has to.
    pub choice: Choice,
    /// The JSON schema that its words are to fit.
    pub shape: Option<Value>,
    /// Whether its thoughts are to be seen.
    pub shows_thoughts: bool,
    /// What else the caller set.
    pub bounds: Bounds,
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
    /// Its thoughts, as far as they are seen.
    pub thought: Option<String>,
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
/// A question about the weather, where there are tools, is answered by calling the first
/// ones, each in turn.
pub fn compose(question: &Question<'_>, behave: &Behave) -> Reply {
    let thinks = question.shows_thoughts && behave.reasoning > 0;
    let thought = thinks.then(|| THOUGHT.to_owned());
    let calls = calls(question, behave);
    if !calls.is_empty() {
        return Reply { thought, text: String::new(), calls, end: End::Calls };
    }
    let mut text = words_of(question, behave);
    let mut end = End::Done;
    let bounds = &question.bounds;
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
    Reply { thought, text, calls, end }
}

/// What the model thinks, where its thoughts are seen.
pub const THOUGHT: &str = "Let me think about it.";

fn calls(question: &Question<'_>, behave: &Behave) -> Vec<Call> {
    let Some(first) = question.tools.first() else { return Vec::new() };
    let call = |it: &Tool| Call { name: it.name.clone(), arguments: arguments_for(&it.schema) };
    let asks = match &question.said {
        Said::User(text) => text.to_lowercase().contains("weather"),
        Said::ToolResults(_) => false,
    };
    match (&behave.call, &question.choice) {
        (Some((name, arguments)), _) => {
            let known = question.tools.iter().any(|it| it.name == *name);
            let wanted = known && matches!(question.said, Said::User(_));
            let call = Call { name: name.clone(), arguments: arguments.clone() };
            if wanted { vec![call] } else { Vec::new() }
        }
        (None, Choice::Named(name)) => {
            question.tools.iter().filter(|it| it.name == *name).map(call).collect()
        }
        (None, Choice::Any) => vec![call(first)],
        (None, Choice::Auto) if asks => {
            let tools = question.tools.iter().cycle();
            tools.take(behave.tool_calls.unwrap_or(1)).map(call).collect()
        }
        (None, Choice::Auto) => Vec::new(),
    }
}

fn words_of(question: &Question<'_>, behave: &Behave) -> String {
    if let Some(schema) = &question.shape {
        return arguments_for(schema).to_string();
    }
    match (&question.said, behave.tokens) {
        (Said::User(_) | Said::ToolResults(_), Some(wanted)) => words(wanted),
        (Said::User(text), None) => {
            let start: String = text.chars().take(200).collect();
            format!("This is {} of the demo provider. You said: {start}", question.model)
        }
        (Said::ToolResults(results), None) => format!("The tool says: {}", results.join("; ")),
    }
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

    fn question(text: &str) -> Question<'static> {
        Question {
            model: "demo",
            said: Said::User(text.to_owned()),
            tools: Vec::new(),
            choice: Choice::Auto,
            shape: None,
            shows_thoughts: false,
            bounds: Bounds::default(),
        }
    }

    fn tool(name: &str) -> Tool {
        let schema = json!({"type": "object", "properties": {
            "city": {"type": "string"}, "days": {"type": "integer"}, "unit": {"enum": ["celsius", "kelvin"]},
        }});
        Tool { name: name.to_owned(), schema }
    }

    fn ask(text: &str, bounds: &Bounds, behave: &Behave) -> Reply {
        compose(&Question { bounds: bounds.clone(), ..question(text) }, behave)
    }

    fn names(reply: &Reply) -> Vec<&str> {
        reply.calls.iter().map(|it| it.name.as_str()).collect()
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
        let asked =
            Question { tools: vec![tool("look_outside")], ..question("What is the Weather like?") };
        let reply = compose(&asked, &Behave::default());
        assert_eq!(reply.end, End::Calls);
        assert_eq!(reply.calls[0].name, "look_outside");
        assert_eq!(
            reply.calls[0].arguments,
            json!({"city": "Paris", "days": 1, "unit": "celsius"})
        );
    }
    #[test]
    fn the_tool_that_is_named_is_called_and_two_are_where_two_are_told() {
        let tools = vec![tool("one"), tool("two")];
        let named = Question {
            tools: tools.clone(),
            choice: Choice::Named("two".to_owned()),
            ..question("hi")
        };
        assert_eq!(names(&compose(&named, &Behave::default())), ["two"]);
        let any = Question { tools: tools.clone(), choice: Choice::Any, ..question("hi") };
        assert_eq!(names(&compose(&any, &Behave::default())), ["one"]);
        let weather = Question { tools, ..question("weather?") };
        let behave = Behave { tool_calls: Some(2), ..Behave::default() };
        assert_eq!(names(&compose(&weather, &behave)), ["one", "two"]);
        let behave: Behave = r#"call=two:{"city": "Rome"}"#.parse().unwrap();
        let reply = compose(&weather, &behave);
        assert_eq!(
            (names(&reply), &reply.calls[0].arguments),
            (vec!["two"], &json!({"city": "Rome"}))
        );
        let results = Said::ToolResults(vec!["mild".to_owned()]);
        let reply = compose(&Question { said: results, ..weather }, &behave);
        assert_eq!(reply.text, "The tool says: mild");
    }

    #[test]
    fn words_fit_the_shape_and_thoughts_are_seen_where_both_sides_want_it() {
        let shape = Some(tool("any").schema);
        let reply = compose(&Question { shape, ..question("hi") }, &Behave::default());
        let said: Value = serde_json::from_str(&reply.text).unwrap();
        assert_eq!(said, json!({"city": "Paris", "days": 1, "unit": "celsius"}));
        let thinks = Behave { reasoning: 3, ..Behave::default() };
        for (shows_thoughts, behave, seen) in
            [(true, &thinks, true), (false, &thinks, false), (true, &Behave::default(), false)]
        {
            let reply = compose(&Question { shows_thoughts, ..question("hi") }, behave);
            assert_eq!(reply.thought.is_some(), seen);
        }
    }
}
