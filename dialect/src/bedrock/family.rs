//! Whose model an id stands for, as far as Bedrock wants to be told things otherwise.

use crate::translate::Target;
use domain::catalog::Quirk;

/// A family of models.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    /// Anthropic's, of this version; `(0, 0)` if the id does not say it.
    Claude(u64, u64),
    /// Amazon's own.
    Nova,
    /// OpenAI's open ones.
    Gpt,
    /// All others, and ids that do not say it.
    Other,
}

/// How much thought a model can be told to give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ways {
    /// Nothing can be told.
    None,
    /// In tokens.
    Budgets,
    /// In tokens or in words.
    Both,
    /// In words.
    Words,
}

impl Family {
    /// Of an id such as `us.anthropic.claude-sonnet-4-5-20250929-v1:0`, or of an ARN.
    pub(super) fn of(model: &str) -> Self {
        let model = model.to_ascii_lowercase();
        if let Some((_, rest)) = model.split_once("claude") {
            let (major, minor) = version(rest);
            Self::Claude(major, minor)
        } else if model.contains("anthropic.") {
            Self::Claude(0, 0)
        } else if model.contains("amazon.nova") {
            Self::Nova
        } else if model.contains("openai.") {
            Self::Gpt
        } else {
            Self::Other
        }
    }

    /// Whether marks of the cache are understood; others refuse them.
    pub(super) const fn caches(self) -> bool {
        match self {
            Self::Claude(..) | Self::Nova => true,
            Self::Gpt | Self::Other => false,
        }
    }

    /// Whether a result can say that its call failed.
    pub(super) const fn knows_status(self) -> bool {
        match self {
            Self::Claude(..) | Self::Nova => true,
            Self::Gpt | Self::Other => false,
        }
    }

    /// Whether answers, and inputs of tools, can be bound to a JSON schema.
    pub(super) const fn knows_schemas(self, target: &Target<'_>) -> bool {
        !target.quirks.has(Quirk::NoJsonSchema)
            && match self {
                Self::Claude(major, minor) => major > 4 || major == 4 && minor >= 5,
                Self::Nova => false,
                Self::Gpt | Self::Other => true,
            }
    }

    /// Whether `temperature` and the like are understood.
    pub(super) const fn samples(self, target: &Target<'_>) -> bool {
        !target.quirks.has(Quirk::NoSampling)
            && match self {
                Self::Claude(major, minor) => major < 4 || major == 4 && minor < 7,
                Self::Nova | Self::Gpt | Self::Other => true,
            }
    }

    /// How it is told how much to think.
    pub(super) const fn ways(self, target: &Target<'_>) -> Ways {
        let no_effort = target.quirks.has(Quirk::NoEffort);
        match self {
            // What cannot think refuses to be told about it.
            Self::Claude(1..=2, _) | Self::Claude(3, 0..=6) => Ways::None,
            Self::Claude(..) if no_effort => Ways::Budgets,
            Self::Claude(0 | 3, _) | Self::Claude(4, 0..=5) => Ways::Budgets,
            Self::Claude(4, 6) => Ways::Both,
            Self::Claude(..) => Ways::Words,
            Self::Gpt if !no_effort => Ways::Words,
            Self::Gpt | Self::Nova | Self::Other => Ways::None,
        }
    }
}

/// The first number of at most two digits, and the one behind it. Longer ones are dates.
fn version(rest: &str) -> (u64, u64) {
    let mut words = rest
        .split(|it: char| !it.is_ascii_alphanumeric())
        .map(|word| (word.len() <= 2).then(|| word.parse().ok()).flatten());
    match words.by_ref().find_map(|it| it) {
        Some(major) => (major, words.next().flatten().unwrap_or(0)),
        None => (0, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_and_versions_are_found_in_ids() {
        for (model, expected) in [
            ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", Family::Claude(4, 5)),
            ("anthropic.claude-3-7-sonnet-20250219-v1:0", Family::Claude(3, 7)),
            ("anthropic.claude-3-haiku-20240307-v1:0", Family::Claude(3, 0)),
            ("global.anthropic.claude-opus-4-6-v1", Family::Claude(4, 6)),
            ("anthropic.claude-sonnet-4-20250514-v1:0", Family::Claude(4, 0)),
            (
                "arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude-opus-4-7",
                Family::Claude(4, 7),
            ),
            ("anthropic.next", Family::Claude(0, 0)),
            ("us.amazon.nova-pro-v1:0", Family::Nova),
            ("openai.gpt-oss-120b-1:0", Family::Gpt),
            ("meta.llama3-3-70b-instruct-v1:0", Family::Other),
            ("arn:aws:bedrock:us-east-1:1:application-inference-profile/x", Family::Other),
        ] {
            assert_eq!(Family::of(model), expected, "{model}");
        }
    }
}
