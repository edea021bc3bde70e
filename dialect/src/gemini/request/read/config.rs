//! How the answer is made: `generationConfig`.

use super::tools;
use crate::{
    chat::{Budget, Effort, Format, Reasoning, Request, Show},
    gemini::wire::object::Object,
    translate::{How, Notes, Refused},
};

/// Reads `generationConfig`.
pub(super) fn read(
    mut config: Object<'_>,
    request: &mut Request,
    notes: &mut Notes,
) -> Result<(), Refused> {
    let sampling = &mut request.sampling;
    sampling.temperature = config.number("temperature")?;
    sampling.top_p = config.number("topP")?;
    sampling.top_k = config.count("topK")?;
    sampling.frequency_penalty = config.number("frequencyPenalty")?;
    sampling.presence_penalty = config.number("presencePenalty")?;
    sampling.seed = config.integer("seed")?;
    sampling.stop = config.texts("stopSequences")?;
    request.max_output = config.count("maxOutputTokens")?;
    if let Some(count) = config.count("candidateCount")?.filter(|it| *it != 0) {
        let count = u32::try_from(count);
        let wrong = |_| Refused::new("generationConfig.candidateCount", "is too large");
        request.answers = Some(count.map_err(wrong)?);
    }
    let others = config.count("logprobs")?.and_then(|it| u32::try_from(it).ok());
    if config.flag("responseLogprobs")?.unwrap_or(false) {
        request.logprobs = Some(others.unwrap_or(0));
    }
    if let Some(thinking) = config.object("thinkingConfig", "generationConfig.thinkingConfig")? {
        request.reasoning = Some(reasoning(thinking, notes)?);
    }
    modalities(&mut config)?;
    request.format = format(&mut config, notes)?;
    config.drop_rest(notes);
    Ok(())
}

/// What form the answer shall have.
fn format(config: &mut Object<'_>, notes: &mut Notes) -> Result<Option<Format>, Refused> {
    let openapi = config.take("responseSchema");
    let plain = config.json("responseJsonSchema");
    // How SDKs spelt it before it was public.
    let plain = plain.or_else(|| config.json("_responseJsonSchema"));
    let schema = match plain {
        Some(schema) => Some(schema),
        None => openapi.map(tools::answer).transpose()?,
    };
    let mime = config.text("responseMimeType")?.unwrap_or_default();
    let mime = mime.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let schema = schema.map(|schema| {
        let (name, description, strict) = (None, None, None);
        Format::Schema { name, description, schema, strict }
    });
    match mime.as_str() {
        "application/json" => Ok(Some(schema.unwrap_or(Format::Json))),
        "" | "text/plain" => {
            if schema.is_some() {
                let reason = "is needed beside a schema, as `application/json`";
                return Err(Refused::new("generationConfig.responseMimeType", reason));
            }
            Ok(None)
        }
        "text/x.enum" => {
            // The answer will stand in quotes.
            notes.add("generationConfig.responseMimeType", How::Changed);
            let missing = || Refused::new("generationConfig.responseSchema", "is missing");
            Ok(Some(schema.ok_or_else(missing)?))
        }
        _ => {
            let reason = "is neither `text/plain` nor `application/json`";
            Err(Refused::new("generationConfig.responseMimeType", reason))
        }
    }
}

/// How much to think.
fn reasoning(mut thinking: Object<'_>, notes: &mut Notes) -> Result<Reasoning, Refused> {
    let level = thinking.text("thinkingLevel")?.unwrap_or_default();
    let effort = match level.to_ascii_uppercase().as_str() {
        "" | "THINKING_LEVEL_UNSPECIFIED" => None,
        _ => {
            let wrong =
                || Refused::new("generationConfig.thinkingConfig.thinkingLevel", "is unknown");
            Some(Effort::parse(&level).ok_or_else(wrong)?)
        }
    };
    let budget = match thinking.integer("thinkingBudget")? {
        None => None,
        Some(-1) => Some(Budget::Auto),
        Some(tokens) => {
            let field = "generationConfig.thinkingConfig.thinkingBudget";
            let wrong = |_| Refused::new(field, "is neither -1 nor a whole number from 0 on");
            Some(Budget::Tokens(u64::try_from(tokens).map_err(wrong)?))
        }
    };
    // Thoughts are shown only to those who ask for them.
    let is_shown = thinking.flag("includeThoughts")?.unwrap_or(false);
    let show = Some(if is_shown { Show::Summary } else { Show::Nothing });
    thinking.drop_rest(notes);
    Ok(Reasoning { effort, budget, show, wants_opaque: true })
}

/// Only words can be asked for.
fn modalities(config: &mut Object<'_>) -> Result<(), Refused> {
    let modalities = config.texts("responseModalities")?;
    let is_text = |it: &String| it.eq_ignore_ascii_case("text") || it.is_empty();
    if modalities.iter().all(|it| is_text(it) || it == "MODALITY_UNSPECIFIED") {
        // Says nothing without sound.
        config.take("speechConfig");
        return Ok(());
    }
    let reason = "asks for more than text, which only Google's own models give";
    Err(Refused::new("generationConfig.responseModalities", reason))
}
