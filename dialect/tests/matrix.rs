//! What becomes of each field between each two dialects, as `docs/dialects.md` tells it:
//! the tables there are written by this test (`SLUICE_UPDATE_GOLDEN=1`), from requests in
//! `tests/matrix/` that differ from a plain one in that field alone.
#![expect(clippy::unwrap_used, reason = "tests")]

use dialect::translate::{
    self, Note, Outgoing, PathWords, Refused, Target, callers_speak, providers_speak,
};
use domain::catalog::{Dialect, Quirk, Quirks};
use serde::Deserialize;
use serde_json::Value;
use std::{fmt::Write as _, fs, path::Path};

const BEGIN: &str = "<!-- tables: written by dialect/tests/matrix.rs -->\n";
const END: &str = "<!-- tables: end -->\n";

/// What is said in one dialect.
#[derive(Deserialize)]
struct Sayings {
    /// A plain request.
    base: Value,
    /// Tools, for the fields that are about tools.
    tools: Value,
    fields: Vec<Field>,
}

/// What the table calls it, and what the request says more than a plain one.
#[derive(Deserialize)]
#[serde(untagged)]
enum Field {
    Plain(String, Value),
    WithTools(String, Value, Tools),
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Tools {
    Tools,
}

/// What became of a field.
#[derive(Debug, PartialEq, Eq)]
enum Fate {
    Said,
    /// What the header says of it, as the table shows that.
    Adapted(Vec<String>),
    Refused,
    /// It changes nothing, and nobody is told.
    Silent,
}

impl Fate {
    fn cell(&self) -> String {
        match self {
            Self::Said => "✓".to_owned(),
            Self::Adapted(how) => how.join(", "),
            Self::Refused => "**refused**".to_owned(),
            Self::Silent => "–".to_owned(),
        }
    }
}

fn sayings(from: Dialect) -> Sayings {
    let name = match from {
        Dialect::OpenAi => "openai_chat",
        Dialect::OpenAiResponses => "openai_responses",
        Dialect::Anthropic => "anthropic",
        Dialect::Gemini => "gemini",
        Dialect::Bedrock => "bedrock",
    };
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/matrix/{name}.json"));
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

const fn title(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::OpenAi => "OpenAI chat",
        Dialect::OpenAiResponses => "OpenAI Responses",
        Dialect::Anthropic => "Anthropic",
        Dialect::Gemini => "Gemini",
        Dialect::Bedrock => "Bedrock",
    }
}

/// A model as the dialect's own provider has them.
fn target(dialect: Dialect) -> Target<'static> {
    let model = match dialect {
        Dialect::OpenAi | Dialect::OpenAiResponses => "gpt-5.4",
        Dialect::Anthropic => "claude-opus-4-8",
        Dialect::Gemini => "gemini-3.5-pro",
        Dialect::Bedrock => "anthropic.claude-opus-4-8-v1:0",
    };
    Target {
        dialect,
        model,
        quirks: match dialect {
            Dialect::OpenAi => [Quirk::DeveloperRole, Quirk::CustomTools].into_iter().collect(),
            Dialect::OpenAiResponses | Dialect::Anthropic | Dialect::Gemini | Dialect::Bedrock => {
                Quirks::NONE
            }
        },
        output_cap_field: "max_completion_tokens",
        max_output: None,
        output_cap: None,
    }
}

fn outgoing(from: Dialect, body: &Value, to: Dialect) -> Result<Outgoing, Refused> {
    let model = (from == Dialect::Gemini).then_some("m");
    let path = PathWords { model, stream: model.map(|_| false) };
    let reading = translate::read(from, body.to_string().as_bytes(), path)?;
    reading.write(&target(to), "req_1", 1_700_000_000)
}

/// Lays `more` over `value`: objects field by field, all else whole.
fn lay(value: &mut Value, more: &Value) {
    match (value, more) {
        (Value::Object(value), Value::Object(more)) => {
            for (name, more) in more {
                lay(value.entry(name).or_insert(Value::Null), more);
            }
        }
        (value, more) => *value = more.clone(),
    }
}

fn fate(from: Dialect, sayings: &Sayings, field: &Field, to: Dialect) -> Fate {
    let mut plain = sayings.base.clone();
    let (what, more) = match field {
        Field::Plain(what, more) => (what, more),
        Field::WithTools(what, more, Tools::Tools) => {
            plain["tools"] = sayings.tools.clone();
            (what, more)
        }
    };
    let mut full = plain.clone();
    lay(&mut full, more);
    let mut plain = outgoing(from, &plain, to).unwrap();
    let Ok(mut full) = outgoing(from, &full, to) else { return Fate::Refused };
    let mut told = Vec::new();
    for note in full.notes.iter().filter(|it| !plain.notes.iter().any(|other| other == *it)) {
        let note = cell(what, note);
        if !told.contains(&note) {
            told.push(note);
        }
    }
    // Responses repeat to the caller what was asked, whether it was said or not.
    plain.thread.echo = Default::default();
    full.thread.echo = Default::default();
    if !told.is_empty() {
        Fate::Adapted(told)
    } else if (full.body, full.thread) == (plain.body, plain.thread) {
        Fate::Silent
    } else {
        Fate::Said
    }
}

/// What a note says, with the field where it is not the one that the row is about.
fn cell(what: &str, note: &Note) -> String {
    let (field, how) = (&note.field, note.how.as_str());
    let last = field.rsplit('.').next().unwrap();
    let is_it = what.contains(last) || what.contains("nobody knows");
    if is_it { how.to_owned() } else { format!("{how} (`{field}`)") }
}

fn tables() -> String {
    let mut text = String::new();
    for from in Dialect::ALL.into_iter().filter(|it| callers_speak(*it)) {
        let sayings = sayings(from);
        let others: Vec<_> =
            Dialect::ALL.into_iter().filter(|it| *it != from && providers_speak(*it)).collect();
        writeln!(text, "\n### A caller of {}\n", title(from)).unwrap();
        let titles: Vec<_> = others.iter().map(|it| title(*it)).collect();
        writeln!(text, "| What is said | {} |", titles.join(" | ")).unwrap();
        writeln!(text, "|---|{}", "---|".repeat(others.len())).unwrap();
        for field in &sayings.fields {
            let (Field::Plain(what, _) | Field::WithTools(what, ..)) = field;
            let cells: Vec<_> =
                others.iter().map(|to| fate(from, &sayings, field, *to).cell()).collect();
            writeln!(text, "| {what} | {} |", cells.join(" | ")).unwrap();
        }
    }
    text.push('\n');
    text
}

#[test]
fn the_tables_in_the_documentation_are_what_happens() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/dialects.md");
    let page = fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(BEGIN).unwrap();
    let (told, after) = rest.split_once(END).unwrap();
    let tables = tables();
    if std::env::var_os("SLUICE_UPDATE_GOLDEN").is_some() {
        fs::write(&path, [before, BEGIN, &tables, END, after].concat()).unwrap();
        return;
    }
    for (told, tables) in told.lines().zip(tables.lines()) {
        assert_eq!(told, tables, "SLUICE_UPDATE_GOLDEN=1 cargo test -p dialect --test matrix");
    }
    assert_eq!(told, tables);
}
