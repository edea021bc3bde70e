//! How words are chosen, within Bedrock's bounds and those of the model's family.

use super::super::{
    family::Family,
    wire::{Additional, InferenceConfig, TopK},
};
use crate::{
    chat,
    translate::{How, Notes, Target},
};

/// What of it Bedrock is told.
pub(super) struct Told<'a> {
    pub(super) inference: InferenceConfig<'a>,
    pub(super) additional: Additional,
}

/// What the model takes of it. One of Anthropic's that thinks takes less, and the newest
/// take nothing.
pub(super) fn sampling<'a>(
    sampling: &'a chat::Sampling,
    target: &Target<'_>,
    thinks: bool,
    notes: &mut Notes,
) -> Told<'a> {
    let chat::Sampling {
        temperature,
        top_p,
        top_k,
        frequency_penalty,
        presence_penalty,
        seed,
        stop,
        logit_bias,
    } = sampling;
    notes.dropped_if("frequency_penalty", &frequency_penalty.filter(|it| *it != 0.0));
    notes.dropped_if("presence_penalty", &presence_penalty.filter(|it| *it != 0.0));
    notes.dropped_if("seed", seed);
    notes.dropped_if("logit_bias", logit_bias);
    let stop_sequences: Vec<_> =
        stop.iter().map(String::as_str).filter(|it| !it.trim().is_empty()).collect();
    if stop_sequences.len() < stop.len() {
        notes.dropped("stop");
    }
    let family = Family::of(target.model);
    let none = !family.samples(target);
    let (is_claude, thinks) = match family {
        Family::Claude(..) => (true, thinks),
        Family::Nova | Family::Gpt | Family::Other => (false, false),
    };
    let mut drop_if = |drop: bool, field: &'static str| {
        if drop {
            notes.dropped(field);
        }
        drop
    };
    let clamped = temperature.map(|it| it.clamp(0.0, 1.0));
    let refused = |it: f64| none || thinks && it != 1.0;
    let told = clamped.filter(|it| !drop_if(refused(*it), "temperature"));
    // At Anthropic's models 1 is as good as nothing, and only one of the two is taken.
    let top_p = top_p.filter(|it| !(is_claude && *it == 1.0));
    let refused = |it: f64| none || thinks && it < 0.95 || is_claude && temperature.is_some();
    let top_p = top_p.filter(|it| !drop_if(refused(*it), "top_p"));
    let no_place = match family {
        Family::Claude(..) | Family::Nova => none || thinks,
        Family::Gpt | Family::Other => true,
    };
    let top_k = top_k.filter(|_| !drop_if(no_place, "top_k"));
    if told.is_some() && told != *temperature {
        notes.add("temperature", How::Clamped);
    }
    let mut additional = Additional::default();
    match family {
        Family::Claude(..) => additional.top_k = top_k,
        Family::Nova => additional.inference_config = top_k.map(|top_k| TopK { top_k }),
        Family::Gpt | Family::Other => {}
    }
    let inference = InferenceConfig { max_tokens: None, temperature: told, top_p, stop_sequences };
    Told { inference, additional }
}
