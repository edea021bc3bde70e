//! What OpenAI's models take of effort, and which choose their words by themselves, as those do
//! that think. Known by their names; of others nothing is assumed.

use crate::{
    chat::Effort,
    translate::{How, Notes},
};

/// The last minor version of the fifth generation that does not think unless it is told to.
const LAST_UNASKED: u64 = 4;

/// What a name says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Model {
    /// `o1`, `o3-mini`, `o4-mini`.
    O,
    /// `gpt-5` and later.
    Fifth { minor: u64, codex: bool, pro: bool },
    /// One that cannot think.
    Plain,
    /// Nobody's that we know.
    Unknown,
}

impl Model {
    fn of(model: &str) -> Self {
        let model = model.to_ascii_lowercase();
        // Behind the maker's name; fine-tuned ones stand before whose they are.
        let name = model.rsplit('/').next().unwrap_or_default();
        let name = name.strip_prefix("ft:").unwrap_or(name);
        let mut words = name.split(['-', ':']);
        let first = words.next().unwrap_or_default();
        if first.strip_prefix('o').is_some_and(|it| it.parse::<u64>().is_ok()) {
            return Self::O;
        }
        let minor = match (first, words.next()) {
            ("gpt", Some("5")) => Some(0),
            ("gpt", Some(version)) if version.starts_with("3.5") || version.starts_with('4') => {
                return Self::Plain;
            }
            ("gpt", Some(version)) => version.strip_prefix("5.").and_then(|it| it.parse().ok()),
            ("chatgpt", _) => return Self::Plain,
            (_, _) => None,
        };
        let Some(minor) = minor else { return Self::Unknown };
        let has = |word: &str| words.clone().any(|it| it == word);
        if has("chat") {
            return Self::Plain;
        }
        Self::Fifth { minor, codex: has("codex"), pro: has("pro") }
    }

    /// The efforts that it takes, ascending; `None`: any.
    const fn efforts(self) -> Option<&'static [Effort]> {
        use Effort::{High, Low, Max, Medium, Minimal, None as Not, XHigh};
        Some(match self {
            Self::Unknown => return None,
            Self::Plain => &[],
            Self::O => &[Low, Medium, High],
            Self::Fifth { minor: 0, pro: true, .. } => &[High],
            Self::Fifth { pro: true, .. } => &[Medium, High, XHigh],
            Self::Fifth { minor: 0, codex: true, .. } => &[Low, Medium, High],
            Self::Fifth { codex: true, .. } => &[Low, Medium, High, XHigh],
            Self::Fifth { minor: 0, .. } => &[Minimal, Low, Medium, High],
            Self::Fifth { minor: 1, .. } => &[Not, Low, Medium, High],
            Self::Fifth { minor: ..=LAST_UNASKED, .. } => &[Not, Low, Medium, High, XHigh],
            Self::Fifth { .. } => &[Not, Low, Medium, High, XHigh, Max],
        })
    }
}

/// The effort that `model` takes and that is nearest to `wanted`, if it takes any.
pub(crate) fn nearest(model: &str, wanted: Effort, notes: &mut Notes) -> Option<Effort> {
    let Some(efforts) = Model::of(model).efforts() else { return Some(wanted) };
    let away = |it: &Effort| (*it as u8).abs_diff(wanted as u8);
    // Who wants a few thoughts does not want none.
    let meant = efforts.iter().filter(|it| **it != Effort::None || wanted == Effort::None);
    let nearest = meant.min_by_key(|it| away(it)).copied();
    match nearest {
        Some(it) if it != wanted => notes.add("reasoning_effort", How::Clamped),
        // What does not think need not be told not to.
        None if wanted != Effort::None => notes.dropped("reasoning_effort"),
        Some(_) | None => {}
    }
    nearest
}

/// Whether `model` cannot think, and so refuses to be asked for thoughts or their state.
pub(crate) fn is_plain(model: &str) -> bool {
    Model::of(model) == Model::Plain
}

/// Whether `model` thinks when it is told this effort, and so refuses `temperature` and the
/// like.
pub(crate) fn thinks(model: &str, effort: Option<Effort>) -> bool {
    match Model::of(model) {
        Model::O => true,
        Model::Plain | Model::Unknown => false,
        // These cannot be told not to.
        Model::Fifth { minor, codex, pro } if minor == 0 || codex || pro => true,
        Model::Fifth { minor, .. } => effort.map_or(minor > LAST_UNASKED, |it| it != Effort::None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_model_is_told_an_effort_that_it_takes() {
        use Effort::{High, Low, Max, Medium, Minimal, None as Not, XHigh};
        for (model, wanted, told, note) in [
            ("gpt-4.1", High, None, "reasoning_effort;dropped"),
            ("gpt-4o", Not, None, ""),
            ("gpt-5-chat-latest", Low, None, "reasoning_effort;dropped"),
            ("o3", Not, Some(Low), "reasoning_effort;clamped"),
            ("o4-mini", Max, Some(High), "reasoning_effort;clamped"),
            ("gpt-5", Not, Some(Minimal), "reasoning_effort;clamped"),
            ("gpt-5", Medium, Some(Medium), ""),
            ("gpt-5-pro", Low, Some(High), "reasoning_effort;clamped"),
            ("gpt-5-codex", Minimal, Some(Low), "reasoning_effort;clamped"),
            ("gpt-5.1", Minimal, Some(Low), "reasoning_effort;clamped"),
            ("gpt-5.1", XHigh, Some(High), "reasoning_effort;clamped"),
            ("gpt-5.2", Not, Some(Not), ""),
            ("gpt-5.2", Max, Some(XHigh), "reasoning_effort;clamped"),
            ("gpt-5.6", Max, Some(Max), ""),
            ("openai/gpt-oss-120b", XHigh, Some(XHigh), ""),
            ("deepseek-chat", Not, Some(Not), ""),
        ] {
            let mut notes = Notes::default();
            let found = nearest(model, wanted, &mut notes);
            assert_eq!((found, &*notes.to_string()), (told, note), "{model} {wanted:?}");
        }
    }

    #[test]
    fn models_are_known_by_their_names_and_by_what_they_are_told() {
        let (none, low) = (Some(Effort::None), Some(Effort::Low));
        for (model, unsaid, told_not, told) in [
            ("o1", true, true, true),
            ("o3-mini-2025-01-31", true, true, true),
            ("ft:o4-mini-2025-04-16:acme::1", true, true, true),
            ("gpt-5", true, true, true),
            ("openai/GPT-5-mini", true, true, true),
            ("gpt-5-2025-08-07", true, true, true),
            ("gpt-5.1-codex-max", true, true, true),
            ("gpt-5.2-pro", true, true, true),
            ("gpt-5.1", false, false, true),
            ("gpt-5.2-2025-12-11", false, false, true),
            ("gpt-5.5", true, false, true),
            ("gpt-5-chat-latest", false, false, false),
            ("gpt-4o", false, false, false),
            ("gpt-4.1-mini", false, false, false),
            ("gpt-50", false, false, false),
            ("chatgpt-4o-latest", false, false, false),
            ("openai/gpt-oss-120b", false, false, false),
            ("omni", false, false, false),
            ("claude-sonnet-5", false, false, false),
            ("up", false, false, false),
            ("", false, false, false),
        ] {
            let found = [None, none, low].map(|it| thinks(model, it));
            assert_eq!(found, [unsaid, told_not, told], "{model}");
        }
    }
}
