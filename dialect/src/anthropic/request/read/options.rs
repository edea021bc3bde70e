//! All that is neither said nor called: how much, how, for whom.

use super::within;
use crate::{
    chat::{Budget, Effort, Format, Reasoning, Request, Sampling, Show, Tier},
    json::{self, Fields, Json},
    translate::{How, Notes, Refused},
};
use serde_json::value::RawValue;

/// Takes these fields out.
pub(super) fn read(
    fields: &mut Fields<'_>,
    request: &mut Request,
    notes: &mut Notes,
) -> Result<(), Refused> {
    refuse(fields)?;
    request.max_output = fields.take_as("max_tokens")?;
    request.sampling = Sampling {
        temperature: fields.take_as("temperature")?,
        top_p: fields.take_as("top_p")?,
        top_k: fields.take_as("top_k")?,
        stop: fields.take_as("stop_sequences")?.unwrap_or_default(),
        ..Sampling::default()
    };
    request.reasoning = thinking(fields, notes)?;
    output(fields, request, notes)?;
    request.tier = fields.take_as::<String>("service_tier")?.map(tier);
    if let Some(raw) = fields.take("metadata") {
        let metadata = Fields::parse(raw.get());
        let mut metadata = metadata.map_err(|_| Refused::new("metadata", "has to be an object"))?;
        request.user = metadata.take_as("user_id").map_err(within("metadata"))?;
        for (name, _) in metadata.rest() {
            notes.dropped(format!("metadata.{name}"));
        }
    }
    if fields.take_as::<String>("speed")?.is_some_and(|it| it != "standard") {
        notes.dropped("speed");
    }
    // What else stands in headers: it says which form of Anthropic's own is spoken.
    for name in ["anthropic_version", "anthropic_beta", "betas"] {
        fields.take(name);
    }
    // Anthropic would clear old results by itself; elsewhere they stay.
    if fields.take("context_management").is_some() {
        notes.dropped("context_management");
    }
    Ok(())
}

/// What would change where data goes, or what the model can reach.
fn refuse(fields: &mut Fields<'_>) -> Result<(), Refused> {
    if fields.take("container").is_some() {
        return Err(Refused::new("container", "is kept by Anthropic, and only there"));
    }
    if fields.take("inference_geo").is_some() {
        return Err(Refused::new("inference_geo", "cannot be promised for another provider"));
    }
    let servers = fields.take("mcp_servers").map(|it| json::elements(it).unwrap_or_default());
    if servers.is_some_and(|it| !it.is_empty()) {
        return Err(Refused::new("mcp_servers", "are called by Anthropic, and only there"));
    }
    Ok(())
}

fn tier(word: String) -> Tier {
    match word.as_str() {
        "auto" => Tier::Auto,
        "standard_only" => Tier::Standard,
        _ => Tier::Other(word),
    }
}

fn thinking(fields: &mut Fields<'_>, notes: &mut Notes) -> Result<Option<Reasoning>, Refused> {
    let Some(raw) = fields.take("thinking") else { return Ok(None) };
    let fields = Fields::parse(raw.get());
    let mut fields = fields.map_err(|_| Refused::new("thinking", "has to be an object"))?;
    let place = within("thinking");
    let kind: Option<String> = fields.take_as("type").map_err(&place)?;
    let tokens: Option<u64> = fields.take_as("budget_tokens").map_err(&place)?;
    let display: Option<String> = fields.take_as("display").map_err(&place)?;
    let budget = match (kind.as_deref(), tokens) {
        (Some("disabled"), _) => Budget::Tokens(0),
        (Some("enabled"), Some(tokens)) => Budget::Tokens(tokens),
        (Some("enabled"), None) => {
            return Err(Refused::new("thinking.budget_tokens", "is required"));
        }
        (Some("adaptive"), _) => Budget::Auto,
        (Some(_), _) => {
            notes.add("thinking.type", How::Changed);
            Budget::Auto
        }
        (None, _) => return Err(Refused::new("thinking.type", "is required")),
    };
    let show = match display.as_deref() {
        // Models that are given a budget tell what they thought, unless they are told not to.
        None => matches!(budget, Budget::Tokens(1..)).then_some(Show::Summary),
        Some("omitted") => Some(Show::Nothing),
        Some("summarized") => Some(Show::Summary),
        Some(_) => {
            notes.add("thinking.display", How::Changed);
            Some(Show::Summary)
        }
    };
    for (name, _) in fields.rest() {
        notes.dropped(format!("thinking.{name}"));
    }
    let wants_opaque = budget != Budget::Tokens(0);
    Ok(Some(Reasoning { effort: None, budget: Some(budget), show, wants_opaque }))
}

/// Effort and form of the answer, where they stand now and where the form stood before.
fn output(
    fields: &mut Fields<'_>,
    request: &mut Request,
    notes: &mut Notes,
) -> Result<(), Refused> {
    if let Some(raw) = fields.take("output_format") {
        request.format = format(raw, "output_format")?;
    }
    let Some(raw) = fields.take("output_config") else { return Ok(()) };
    let config = Fields::parse(raw.get());
    let mut config = config.map_err(|_| Refused::new("output_config", "has to be an object"))?;
    if let Some(raw) = config.take("format") {
        request.format = format(raw, "output_config.format")?;
    }
    let word: Option<String> = config.take_as("effort").map_err(within("output_config"))?;
    if let Some(word) = word {
        effort(&word, &mut request.reasoning, notes);
    }
    for (name, _) in config.rest() {
        notes.dropped(format!("output_config.{name}"));
    }
    Ok(())
}

fn effort(word: &str, reasoning: &mut Option<Reasoning>, notes: &mut Notes) {
    let Some(effort) = Effort::parse(word) else {
        notes.dropped("output_config.effort");
        return;
    };
    // Without thoughts it says only how wordy to be, for which others have no such word.
    if reasoning.as_ref().is_some_and(|it| it.budget == Some(Budget::Tokens(0))) {
        notes.dropped("output_config.effort");
        return;
    }
    let wanted = Reasoning { wants_opaque: true, ..Reasoning::default() };
    reasoning.get_or_insert(wanted).effort = Some(effort);
}

fn format(raw: &RawValue, place: &'static str) -> Result<Option<Format>, Refused> {
    let fields = Fields::parse(raw.get());
    let mut fields = fields.map_err(|_| Refused::new(place, "has to be an object"))?;
    match fields.take_as::<String>("type").map_err(within(place))?.as_deref() {
        Some("json_schema") => {}
        Some("text") => return Ok(None),
        _ => return Err(Refused::new(format!("{place}.type"), "has to be json_schema")),
    }
    let schema = fields.take("schema").map(Json::from).filter(Json::is_object);
    let schema =
        schema.ok_or_else(|| Refused::new(format!("{place}.schema"), "has to be an object"))?;
    // It always is kept to the letter.
    Ok(Some(Format::Schema { name: None, description: None, schema, strict: Some(true) }))
}
