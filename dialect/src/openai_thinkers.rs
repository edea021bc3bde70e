//! Which of OpenAI's models choose their words by themselves, as those do that think.

use crate::chat::Effort;

/// The last minor version of the fifth generation that does not think unless it is told to.
const LAST_UNASKED: u64 = 4;

/// Whether `model` thinks when it is told this effort, and so refuses `temperature` and the
/// like. Of a model that is not known it is not assumed.
pub(crate) fn thinks(model: &str, effort: Option<Effort>) -> bool {
    let model = model.to_ascii_lowercase();
    // Behind the maker's name; fine-tuned ones stand before whose they are.
    let name = model.rsplit('/').next().unwrap_or_default();
    let name = name.strip_prefix("ft:").unwrap_or(name);
    let mut words = name.split(['-', ':']);
    let first = words.next().unwrap_or_default();
    if let Some(number) = first.strip_prefix('o') {
        // `o1`, `o3-mini`, `o4-mini`.
        return number.parse::<u64>().is_ok();
    }
    let minor = match (first, words.next()) {
        ("gpt", Some("5")) => 0,
        ("gpt", Some(version)) => {
            match version.strip_prefix("5.").and_then(|it| it.parse::<u64>().ok()) {
                Some(minor) => minor,
                None => return false,
            }
        }
        (_, _) => return false,
    };
    let has = |word: &str| words.clone().any(|it| it == word);
    if has("chat") {
        return false;
    }
    if minor == 0 || has("codex") || has("pro") {
        // These cannot be told not to.
        return true;
    }
    effort.map_or(minor > LAST_UNASKED, |it| it != Effort::None)
}

#[cfg(test)]
mod tests {
    use super::*;

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
