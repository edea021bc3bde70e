//! Which model the banner's first call asks, and in which dialect.

use proto::admin::v1;
use serde::{Deserialize, Serialize};

use crate::{
    client::Client,
    commands::{account, model, provider},
    failure::Outcome,
};

/// What most examples ask.
const USUAL: &str = "gpt-4o-mini";

/// A first call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sample {
    /// Whether it is in Anthropic's dialect; else in OpenAI's.
    pub(super) anthropic: bool,
    pub(super) model: String,
}

/// Chooses a model that will answer: the demo provider's, else one of an enabled account.
pub(super) async fn choose(client: &Client, demo: bool) -> Outcome<Sample> {
    if demo {
        return Ok(Sample { anthropic: false, model: USUAL.to_owned() });
    }
    let accounts = account::list(client).await?;
    let providers = provider::list(client).await?;
    let models = model::list(client).await?;
    Ok(pick(&accounts, &providers, &models)
        .unwrap_or_else(|| Sample { anthropic: false, model: USUAL.to_owned() }))
}

fn pick(
    accounts: &[v1::Account],
    providers: &[v1::Provider],
    models: &[v1::Model],
) -> Option<Sample> {
    let samples = accounts.iter().filter(|it| !it.disabled).filter_map(|account| {
        let provider = providers.iter().find(|it| it.name == account.provider)?;
        // The dialect that it names first is its own.
        let own = provider.endpoints.first()?.dialect;
        let anthropic = own == i32::from(v1::Dialect::Anthropic);
        let chat = i32::from(v1::Operation::Chat);
        let own = models
            .iter()
            .filter(|it| it.provider == provider.name && it.operations.contains(&chat));
        let rank = |it: &&v1::Model| (it.name != USUAL, !is_small(&it.name), it.name.len());
        let model = own.min_by_key(rank)?.name.clone();
        Some(Sample { anthropic, model })
    });
    samples.min_by_key(|it| it.anthropic)
}

/// Whether a name speaks of a model that is quick and cheap enough for a first try.
fn is_small(name: &str) -> bool {
    ["mini", "flash", "haiku", "small", "lite", "chat"].iter().any(|it| name.contains(it))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_model_of_an_enabled_account_is_chosen() {
        let provider = |name: &str, dialect: v1::Dialect| v1::Provider {
            name: name.into(),
            endpoints: vec![v1::Endpoint { dialect: dialect.into(), ..Default::default() }],
            ..Default::default()
        };
        let model = |provider: &str, name: &str| v1::Model {
            provider: provider.into(),
            name: name.into(),
            operations: vec![v1::Operation::Chat.into()],
            ..Default::default()
        };
        let account = |provider: &str, disabled| v1::Account {
            provider: provider.into(),
            disabled,
            ..Default::default()
        };
        let providers = [provider("a", v1::Dialect::Anthropic), provider("o", v1::Dialect::Openai)];
        let models =
            [model("a", "claude-haiku-4-5"), model("o", "gpt-4o"), model("o", "gpt-4o-mini")];
        let check = |accounts: &[v1::Account], expected: Option<(bool, &str)>| {
            let expected =
                expected.map(|(anthropic, it)| Sample { anthropic, model: it.to_owned() });
            assert_eq!(pick(accounts, &providers, &models), expected);
        };
        check(&[account("a", false), account("o", false)], Some((false, "gpt-4o-mini")));
        check(&[account("a", false), account("o", true)], Some((true, "claude-haiku-4-5")));
        check(&[account("x", false)], None);
    }
}
