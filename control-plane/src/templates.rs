//! The built-in providers: reads `templates.toml`, which is data only.

use domain::{
    catalog::{
        AuthStyle, Dialect, Endpoint, Model, ModelId, Operation, Price, Provider, Quirk, Quirks,
    },
    name::Name,
};
use serde::Deserialize;
use std::{collections::BTreeMap, fmt::Display, str::FromStr};

const TEMPLATES: &str = include_str!("templates.toml");

/// A provider and the models of it that are listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template {
    pub(crate) provider: Provider,
    pub(crate) models: Vec<Model>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    provider: Vec<ProviderText>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ProviderText {
    name: String,
    title: String,
    endpoints: Vec<EndpointText>,
    env_var: Option<String>,
    #[serde(default)]
    model_patterns: Vec<String>,
    #[serde(default)]
    aggregator: bool,
    docs_url: String,
    #[serde(default)]
    chat: Vec<String>,
    #[serde(default)]
    embeddings: Vec<String>,
    #[serde(default)]
    known: Vec<KnownText>,
}

/// What is known of a listed model.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct KnownText {
    model: String,
    price: Option<PriceText>,
    max_output_tokens: Option<u64>,
    context_tokens: Option<u64>,
}

/// In nano-dollars per million tokens.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct PriceText {
    input: u64,
    cached_input: u64,
    cache_write: u64,
    output: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct EndpointText {
    dialect: String,
    base_url: Option<String>,
    auth: AuthText,
    output_cap_field: Option<String>,
    #[serde(default)]
    quirks: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum AuthText {
    /// `bearer`, `none`, or the header that carries the credential.
    Plain(String),
    Signed(SignedText),
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum SignedText {
    /// By region and service; the region of the base URL if it is left out.
    Sigv4 {
        #[serde(default)]
        region: String,
        service: String,
    },
    GoogleServiceAccount {
        scope: String,
    },
    EntraClientCredentials {
        token_url: String,
        scope: String,
    },
}

/// The templates that ship with this program.
///
/// # Errors
/// What is wrong with the file, which a test keeps from happening.
pub(crate) fn built_in() -> Result<Vec<Template>, String> {
    let file: File = toml::from_str(TEMPLATES).map_err(|error| error.to_string())?;
    file.provider.into_iter().map(template).collect()
}

/// The models that ship with this program, as they ship.
pub(crate) fn models() -> BTreeMap<ModelId, Model> {
    let templates = built_in().unwrap_or_default();
    templates.into_iter().flat_map(|it| it.models).map(|it| (it.id.clone(), it)).collect()
}

fn template(text: ProviderText) -> Result<Template, String> {
    let name: Name = parse(&text.name)?;
    let models = [(text.chat, Operation::Chat), (text.embeddings, Operation::Embeddings)];
    let models = models.into_iter().flat_map(|(names, operation)| {
        let (provider, known) = (name.clone(), &text.known);
        names.into_iter().map(move |it| {
            let known = known.iter().find(|known| known.model == it);
            Ok(Model {
                id: ModelId { provider: provider.clone(), name: parse(&it)? },
                operations: vec![operation],
                built_in: true,
                price: known.and_then(|it| it.price).map(price),
                max_output_tokens: known.and_then(|it| it.max_output_tokens),
                context_tokens: known.and_then(|it| it.context_tokens),
            })
        })
    });
    let models = models.collect::<Result<_, String>>()?;
    let patterns = text.model_patterns.iter().map(|it| parse(it));
    let provider = Provider {
        name,
        title: text.title,
        endpoints: text.endpoints.into_iter().map(endpoint).collect::<Result<_, _>>()?,
        env_var: text.env_var,
        model_patterns: patterns.collect::<Result<_, _>>()?,
        aggregator: text.aggregator,
        docs_url: text.docs_url,
        built_in: true,
    };
    Ok(Template { provider, models })
}

fn endpoint(text: EndpointText) -> Result<Endpoint, String> {
    let dialect = Dialect::ALL
        .into_iter()
        .find(|it| it.as_str() == text.dialect)
        .ok_or_else(|| format!("dialect `{}`", text.dialect))?;
    let quirk = |it: &String| Quirk::parse(it).ok_or_else(|| format!("quirk `{it}`"));
    let quirks = text.quirks.iter().map(quirk).collect::<Result<Quirks, _>>()?;
    let auth = auth(text.auth);
    let EndpointText { base_url, output_cap_field, .. } = text;
    Ok(Endpoint { dialect, base_url, auth, output_cap_field, quirks })
}

fn auth(text: AuthText) -> AuthStyle {
    match text {
        AuthText::Plain(text) => match text.as_str() {
            "bearer" => AuthStyle::Bearer,
            "none" => AuthStyle::None,
            _ => AuthStyle::Header(text),
        },
        AuthText::Signed(SignedText::Sigv4 { region, service }) => {
            AuthStyle::SigV4 { region, service }
        }
        AuthText::Signed(SignedText::GoogleServiceAccount { scope }) => {
            AuthStyle::GoogleServiceAccount { scope }
        }
        AuthText::Signed(SignedText::EntraClientCredentials { token_url, scope }) => {
            AuthStyle::EntraClientCredentials { token_url, scope }
        }
    }
}

const fn price(text: PriceText) -> Price {
    let PriceText { input, cached_input, cache_write, output } = text;
    Price { input, cached_input, cache_write, output }
}

fn parse<T: FromStr<Err: Display>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: T::Err| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_promised_provider_is_there_once() {
        let templates = built_in().unwrap();
        let names: BTreeSet<_> = templates.iter().map(|it| it.provider.name.to_string()).collect();
        assert_eq!(names.len(), templates.len());
        for name in [
            "openai",
            "anthropic",
            "gemini",
            "azure-openai",
            "deepseek",
            "zhipu",
            "dashscope",
            "moonshot",
            "qianfan",
            "ark",
            "hunyuan",
            "minimax",
            "siliconflow",
            "mistral",
            "groq",
            "xai",
            "together",
            "fireworks",
            "openrouter",
            "cohere",
            "perplexity",
            "nvidia",
            "ollama",
            "vllm",
            "lm-studio",
            "demo",
            "bedrock",
            "bedrock-anthropic",
            "vertex",
            "vertex-anthropic",
        ] {
            assert!(names.contains(name), "{name}");
        }
    }

    #[test]
    fn only_aggregators_share_a_listed_model_with_another_provider() {
        let templates = built_in().unwrap();
        let native: Vec<_> = templates.iter().filter(|it| !it.provider.aggregator).collect();
        let mut seen = BTreeSet::new();
        for model in native.iter().flat_map(|it| &it.models) {
            assert!(seen.insert(model.id.name.clone()), "{}", model.id);
        }
    }

    #[test]
    fn what_a_provider_lists_its_patterns_describe() {
        for template in built_in().unwrap() {
            for model in &template.models {
                let name = model.id.name.as_str();
                let described = template.provider.model_patterns.iter().any(|it| it.matches(name));
                assert!(described, "{}", model.id);
            }
        }
    }

    #[test]
    fn only_of_the_demo_provider_s_models_price_and_context_are_known() {
        for template in built_in().unwrap() {
            let demo = template.provider.name.as_str() == "demo";
            for model in &template.models {
                assert_eq!(model.price.is_some(), demo, "{}", model.id);
                assert_eq!(model.context_tokens.is_some(), demo, "{}", model.id);
            }
        }
    }

    #[test]
    fn the_maximum_of_output_goes_where_each_provider_takes_it() {
        for template in built_in().unwrap() {
            let name = template.provider.name.as_str();
            let field =
                ["openai", "azure-openai"].contains(&name).then_some("max_completion_tokens");
            for endpoint in &template.provider.endpoints {
                let field = field.filter(|_| endpoint.dialect == Dialect::OpenAi);
                assert_eq!(endpoint.output_cap_field.as_deref(), field, "{name}");
            }
        }
    }

    #[test]
    fn each_cloud_is_shown_its_own_credential() {
        let templates = built_in().unwrap();
        let endpoint = |name: &str, dialect| {
            let template = templates.iter().find(|it| it.provider.name.as_str() == name).unwrap();
            template.provider.endpoint(dialect).unwrap()
        };
        let sigv4 = AuthStyle::SigV4 { region: String::new(), service: "bedrock".into() };
        assert_eq!(endpoint("bedrock", Dialect::Bedrock).auth, sigv4);
        let scope = "https://www.googleapis.com/auth/cloud-platform".into();
        let google = AuthStyle::GoogleServiceAccount { scope };
        assert_eq!(endpoint("vertex", Dialect::Gemini).auth, google);
        assert!(endpoint("vertex-anthropic", Dialect::Anthropic).quirks.has(Quirk::Vertex));
        assert!(endpoint("vertex", Dialect::Gemini).quirks.has(Quirk::Vertex));
        assert!(endpoint("openai", Dialect::OpenAi).quirks.has(Quirk::DeveloperRole));
        assert_eq!(endpoint("openai", Dialect::OpenAiResponses).quirks, Quirks::NONE);
    }

    #[test]
    fn an_environment_variable_names_one_provider() {
        let mut seen = BTreeSet::new();
        for template in built_in().unwrap() {
            if let Some(env_var) = template.provider.env_var {
                assert!(seen.insert(env_var.clone()), "{env_var}");
            }
        }
    }
}
