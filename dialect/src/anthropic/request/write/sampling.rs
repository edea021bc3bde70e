//! How words are chosen, within Anthropic's bounds.

use super::thinking;
use crate::{
    chat,
    translate::{How, Notes, Target},
};

/// What of it Anthropic is told.
pub(super) struct Sampling<'a> {
    pub(super) temperature: Option<f64>,
    pub(super) top_p: Option<f64>,
    pub(super) top_k: Option<u64>,
    pub(super) stop: Vec<&'a str>,
}

/// What Anthropic takes of it. A model that thinks takes less, and the newest take nothing.
pub(super) fn write<'a>(
    sampling: &'a chat::Sampling,
    target: &Target<'_>,
    thinks: bool,
    notes: &mut Notes,
) -> Sampling<'a> {
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
    let spoken: Vec<_> =
        stop.iter().map(String::as_str).filter(|it| !it.trim().is_empty()).collect();
    if spoken.len() < stop.len() {
        notes.dropped("stop");
    }
    let mut told = Sampling {
        temperature: temperature.map(|it| it.clamp(0.0, 1.0)),
        // 1 is as good as nothing.
        top_p: top_p.filter(|it| *it != 1.0),
        top_k: *top_k,
        stop: spoken,
    };
    let none = !thinking::takes_sampling(target);
    let mut drop_if = |drop, field: &'static str| {
        if drop {
            notes.dropped(field);
        }
        drop
    };
    if drop_if(told.temperature.is_some_and(|it| none || thinks && it != 1.0), "temperature") {
        told.temperature = None;
    }
    let refused = |it: f64| none || thinks && it < 0.95 || temperature.is_some();
    if drop_if(told.top_p.is_some_and(refused), "top_p") {
        told.top_p = None;
    }
    if drop_if(told.top_k.is_some() && (none || thinks), "top_k") {
        told.top_k = None;
    }
    if told.temperature.is_some() && told.temperature != *temperature {
        notes.add("temperature", How::Clamped);
    }
    told
}
