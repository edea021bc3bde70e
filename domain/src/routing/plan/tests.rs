use super::*;
use crate::{
    catalog::{Catalog, Edit, Provider, Translation},
    fixture::{account, aggregator, catalog, endpoint, key, model, provider, route, snapshot},
};
use proptest::prelude::*;

const OPENAI: Dialect = Dialect::OpenAi;

fn ask(alias: &str) -> Ask<'_> {
    Ask { alias, dialect: OPENAI, operation: Operation::Chat }
}

/// Where a caller with an open key is sent: `account:model`, a bar between tiers; or why not.
fn sent(snapshot: &Snapshot, alias: &str) -> String {
    described(plan(snapshot, ask(alias), &key(1), 0))
}

fn described(result: Result<Plan, Unroutable>) -> String {
    let plan = match result {
        Ok(plan) => plan,
        Err(Unroutable::UnknownModel { .. }) => return "unknown".to_owned(),
        Err(Unroutable::NoAccount { route }) => return format!("no account: {route}"),
        Err(Unroutable::WrongDialect { route, .. }) => return format!("wrong dialect: {route}"),
    };
    let mut tiers: Vec<Vec<String>> = Vec::new();
    let mut last = None;
    for it in &plan.attempts {
        if last.replace(it.tier) != Some(it.tier) {
            tiers.push(Vec::new());
        }
        let text = format!("{}:{}", it.seat.account.name, it.model);
        tiers.last_mut().unwrap().push(text);
    }
    for tier in &mut tiers {
        // The seed decides within a tier.
        tier.sort();
    }
    tiers.iter().map(|it| it.join(" ")).collect::<Vec<_>>().join(" | ")
}

fn disabled(number: u8, text: &str, provider: &str) -> Edit {
    let mut account = account(number, text, provider);
    account.enabled = false;
    account.into()
}

/// Providers of every kind, with accounts, models and routes over them.
fn town() -> Vec<Edit> {
    vec![
        provider("openai", &["gpt-*", "o1*"]).into(),
        provider("rival", &["gpt-4*", "rival-*"]).into(),
        aggregator("agent", &["*", "agent/*"]).into(),
        provider("idle", &["idle-*"]).into(),
        provider("off", &["off-*"]).into(),
        account(1, "main", "openai").into(),
        account(2, "spare", "openai").into(),
        account(3, "rival", "rival").into(),
        account(4, "agent", "agent").into(),
        disabled(5, "off", "off"),
        model("agent", "gpt-4o").into(),
        model("agent", "only-here").into(),
        model("rival", "o1-rare").into(),
        model("idle", "idle-model").into(),
        route("best", &[&[(1, "gpt-4o", 1), (3, "rival-1", 3)], &[(4, "", 1)]]).into(),
        route("gpt-*", &[&[(2, "", 1)]]).into(),
        route("gpt-5*", &[&[(3, "", 1)]]).into(),
        route("gpt-5-mini", &[&[(4, "tiny", 1)]]).into(),
    ]
}

#[test]
fn a_name_resolves_through_routes_then_providers_then_models_and_patterns() {
    let snapshot = snapshot(town());
    for (alias, expected) in [
        // An exact alias: the caller's name where a target names no model.
        ("best", "main:gpt-4o rival:rival-1 | agent:best"),
        ("gpt-5-mini", "agent:tiny"),
        // Wildcards: the most specific one.
        ("gpt-5-max", "rival:gpt-5-max"),
        ("gpt-4o", "spare:gpt-4o"),
        ("gpt-", "spare:gpt-"),
        // provider/model, whatever the provider's patterns say.
        ("openai/gpt-4o", "main:gpt-4o spare:gpt-4o"),
        ("rival/anything/at:all", "rival:anything/at:all"),
        // Models and patterns: native providers first, and only the best provider's accounts.
        ("o1-mini", "main:o1-mini spare:o1-mini"),
        ("only-here", "agent:only-here"),
        ("rival-2", "rival:rival-2"),
        // Who lists a model comes before whose pattern fits.
        ("o1-rare", "rival:o1-rare"),
        // A name before the slash that is no provider is part of the model.
        ("meta/llama", "agent:meta/llama"),
        ("OpenAI/gpt-4o", "agent:OpenAI/gpt-4o"),
        ("openai/", "agent:openai/"),
    ] {
        assert_eq!(sent(&snapshot, alias), expected, "{alias}");
    }
}

#[test]
fn whose_model_it_is_comes_before_who_only_lists_it() {
    let snapshot = snapshot([
        aggregator("agent", &[]).into(),
        provider("native", &["gpt-*"]).into(),
        account(1, "agent", "agent").into(),
        account(2, "native", "native").into(),
        model("agent", "gpt-4o").into(),
    ]);
    assert_eq!(sent(&snapshot, "gpt-4o"), "native:gpt-4o");
}

#[test]
fn the_most_specific_pattern_decides_between_natives_and_then_the_name() {
    let snapshot = snapshot([
        provider("c", &["gpt-*"]).into(),
        provider("b", &["gpt-*"]).into(),
        provider("a", &["g*"]).into(),
        provider("d", &["gpt-4*", "*"]).into(),
        account(1, "a", "a").into(),
        account(2, "b", "b").into(),
        account(3, "c", "c").into(),
        account(4, "d", "d").into(),
    ]);
    assert_eq!(sent(&snapshot, "gpt-4o"), "d:gpt-4o");
    assert_eq!(sent(&snapshot, "gpt-3"), "b:gpt-3");
}

#[test]
fn what_is_known_but_served_by_nobody_is_not_the_callers_mistake() {
    let mut edits = town();
    edits.retain(|it| !matches!(it, Edit::PutProvider(it) if it.name.as_str() == "agent"));
    edits.retain(|it| !matches!(it, Edit::PutAccount(it) if it.name.as_str() == "agent"));
    edits.retain(|it| !matches!(it, Edit::PutModel(it) if it.id.provider.as_str() == "agent"));
    edits.retain(|it| !matches!(it, Edit::PutRoute(_)));
    edits.push(model("off", "listed").into());
    edits.push(route("asleep", &[&[(5, "", 1)]]).into());
    edits.push(Route { enabled: false, ..route("closed", &[&[(1, "", 1)]]) }.into());
    edits.push(Route { enabled: false, ..route("o1-*", &[&[(1, "", 1)]]) }.into());
    let snapshot = snapshot(edits);
    for (alias, expected) in [
        ("asleep", "no account: asleep"),
        ("off-1", "no account: off"),
        ("listed", "no account: off"),
        ("off/x", "no account: off"),
        ("idle/x", "no account: idle"),
        // Nobody has an account at this provider: it is as if it were not there.
        ("idle-1", "unknown"),
        ("idle-model", "unknown"),
        ("nothing", "unknown"),
        ("nobody/x", "unknown"),
        ("", "unknown"),
        // A disabled route refuses its alias, though a provider's pattern fits.
        ("closed", "no account: closed"),
        ("o1-mini", "no account: o1-*"),
        ("gpt-4o", "rival:gpt-4o"),
    ] {
        assert_eq!(sent(&snapshot, alias), expected, "{alias}");
    }
}

#[test]
fn a_route_says_how_much_may_be_adapted_and_without_one_all_may_be() {
    let strict = Route { translation: Translation::Strict, ..route("r", &[&[(1, "", 1)]]) };
    let snapshot =
        snapshot([provider("p", &["p-*"]).into(), account(1, "a", "p").into(), strict.into()]);
    for (alias, expected) in
        [("r", Translation::Strict), ("p-1", Translation::Lenient), ("p/x", Translation::Lenient)]
    {
        let plan = plan(&snapshot, ask(alias), &key(1), 0).unwrap();
        assert_eq!(plan.translation, expected, "{alias}");
    }
}

#[test]
fn a_target_without_weight_or_with_a_disabled_account_is_left_out() {
    let snapshot = snapshot([
        provider("p", &[]).into(),
        account(1, "a", "p").into(),
        account(2, "b", "p").into(),
        disabled(3, "c", "p"),
        route("r", &[&[(3, "", 1)], &[(1, "", 0), (2, "", 1), (3, "", 9)], &[(1, "", 1)]]).into(),
    ]);
    let plan = plan(&snapshot, ask("r"), &key(1), 0).unwrap();
    let tiers: Vec<_> = plan.attempts.iter().map(|it| it.tier).collect();
    assert_eq!(tiers, [1, 2]);
    assert_eq!(described(Ok(plan)), "b:r | a:r");
}

#[test]
fn a_seat_is_asked_in_the_callers_dialect_or_one_that_it_can_be_translated_to() {
    let speaking = |text, dialects: &[Dialect]| Provider {
        endpoints: dialects.iter().map(|it| endpoint(*it, Some("https://b.example"))).collect(),
        ..provider(text, &["m-*"])
    };
    let snapshot = snapshot([
        speaking("both", &[Dialect::OpenAi, Dialect::Anthropic]).into(),
        speaking("claude", &[Dialect::Anthropic]).into(),
        speaking("google", &[Dialect::Gemini, Dialect::OpenAi]).into(),
        account(1, "both", "both").into(),
        account(2, "claude", "claude").into(),
        account(3, "google", "google").into(),
    ]);
    let asked = |alias, dialect, operation| {
        let plan = plan(&snapshot, Ask { alias, dialect, operation }, &key(1), 0)?;
        Ok(plan.attempts.first().map(|it| it.dialect))
    };
    let wrong =
        |route: &str, dialect| Err(Unroutable::WrongDialect { route: route.to_owned(), dialect });
    use Dialect::{Anthropic, Gemini, OpenAi, OpenAiResponses};
    for (alias, dialect, spoken) in [
        ("both/m", OpenAi, OpenAi),
        ("both/m", Anthropic, Anthropic),
        ("both/m", OpenAiResponses, Anthropic),
        ("claude/m", OpenAi, Anthropic),
        ("google/m", Anthropic, Gemini),
        ("google/m", OpenAi, OpenAi),
        ("google/m", Gemini, Gemini),
    ] {
        assert_eq!(asked(alias, dialect, Operation::Chat), Ok(Some(spoken)), "{alias} {dialect}");
    }
    assert_eq!(asked("google/m", Gemini, Operation::Embeddings), Ok(Some(Gemini)));
    assert_eq!(asked("claude/m", OpenAi, Operation::Embeddings), wrong("claude", OpenAi));
    assert_eq!(asked("both/m", Anthropic, Operation::CountTokens), Ok(Some(Anthropic)));
    // Of providers whose pattern fits, one that can be asked this.
    assert_eq!(asked("m-1", OpenAi, Operation::Embeddings), Ok(Some(OpenAi)));
}

#[test]
fn a_key_cannot_tell_what_it_may_not_use_from_what_is_not_there() {
    let snapshot = snapshot(town());
    let mut key = key(1);
    key.allowed_models = vec!["best".parse().unwrap(), "openai/gpt-*".parse().unwrap()];
    let asked = |alias| plan(&snapshot, ask(alias), &key, 0);
    assert!(asked("best").is_ok() && asked("openai/gpt-4o").is_ok());
    for alias in ["gpt-4o", "rival/x", "openai/o1", "nothing", "best/", "Best", "off/x"] {
        let error = asked(alias).unwrap_err();
        assert_eq!(error, Unroutable::UnknownModel { alias: alias.to_owned() });
    }
}

#[test]
fn the_seed_alone_decides_and_weights_are_kept() {
    let snapshot = snapshot(town());
    let first = |seed| {
        let plan = plan(&snapshot, ask("best"), &key(1), seed).unwrap();
        plan.attempts.first().unwrap().seat.account.name.to_string()
    };
    assert!((0..50).all(|it| first(it) == first(it)));
    let share = (0..8_000).filter(|it| first(*it) == "rival").count();
    assert!((5_800..6_200).contains(&share), "{share}");
}

fn any_catalog() -> impl Strategy<Value = Catalog> {
    let accounts = prop::collection::vec((0..3usize, any::<bool>()), 0..5);
    let aggregators = any::<[bool; 3]>();
    let models = prop::collection::vec((0..3usize, 0..3usize), 0..5);
    let patterns = prop::sample::subsequence(vec!["a*", "b-*", "*", "a-1"], 0..=4);
    let names = ["p", "q", "r"];
    (accounts, aggregators, models, prop::array::uniform3(patterns)).prop_map(
        move |(accounts, aggregators, models, patterns)| {
            let mut edits: Vec<Edit> = Vec::new();
            for ((text, aggregator), patterns) in names.iter().zip(aggregators).zip(&patterns) {
                edits.push(Provider { aggregator, ..provider(text, patterns) }.into());
            }
            for (number, (at, enabled)) in (1u8..).zip(accounts) {
                let mut account = account(number, &format!("a{number}"), names[at]);
                account.enabled = enabled;
                edits.push(account.into());
            }
            for (at, name) in models {
                edits.push(model(names[at], ["a-1", "b-2", "c"][name]).into());
            }
            catalog(edits)
        },
    )
}

proptest! {
    #[test]
    fn without_a_route_all_accounts_of_one_provider_are_asked_a_native_one_if_there_is(
        catalog in any_catalog(),
        alias in prop::sample::select(vec!["a-1", "b-2", "c", "ab", "zz"]),
        seed in any::<u64>(),
    ) {
        let snapshot = Snapshot::build(catalog, 1).unwrap();
        let result = plan(&snapshot, ask(alias), &key(1), seed);
        let attempts = result.as_ref().map_or(&[][..], |it| &it.attempts);
        if result.is_ok() {
            prop_assert!(!attempts.is_empty());
        }
        let mut asked: Vec<_> = attempts.iter().map(|it| it.seat.account.id).collect();
        asked.sort_unstable();
        asked.dedup();
        prop_assert_eq!(asked.len(), attempts.len());
        let catalog = snapshot.catalog();
        let serves = |it: &Provider| {
            it.model_patterns.iter().any(|it| it.matches(alias))
                || catalog.models.keys().any(|id| id.provider == it.name && id.name.as_str() == alias)
        };
        let enabled = || catalog.accounts.values().filter(|it| it.enabled);
        let serving: Vec<_> =
            enabled().filter(|it| serves(&catalog.providers[&it.provider])).collect();
        let Some(first) = attempts.first() else {
            prop_assert!(serving.is_empty());
            return Ok(());
        };
        let chosen = &first.seat.provider;
        let its_own: Vec<_> =
            enabled().filter(|it| it.provider == *chosen).map(|it| it.id).collect();
        prop_assert_eq!(asked, its_own);
        let native = |it: &Name| !catalog.providers[it].aggregator;
        let any_native = serving.iter().any(|it| native(&it.provider));
        prop_assert!(native(chosen) || !any_native);
    }
}
