use super::*;
use crate::{
    catalog::{
        Account, AuthStyle, BaseUrl, ClientSettings, Dialect, Endpoint, Model, Operation, Settings,
    },
    fixture::{
        account, account_id, aggregator, catalog, endpoint, key, key_id, limit_id, model, name,
        pepper, provider, route, snapshot, team, team_id,
    },
    key::{KeyKind, Pepper, mint},
    routing::{Ask, plan},
    secret::Secret,
};
use proptest::prelude::*;

const ALIASES: [&str; 8] = ["gpt-1", "gpt-2", "best", "m-1", "p0/gpt-1", "p1/x", "zzz", "m-2"];

fn any_provider() -> impl Strategy<Value = Edit> {
    let patterns = prop::sample::subsequence(vec!["gpt-*", "m-*", "*-1", "best"], 0..3);
    let url = prop_oneof![9 => Just(Some("https://a.example/v1")), 1 => Just(None)];
    (0..3u8, patterns, any::<bool>(), 0..3u8, url).prop_map(
        |(number, patterns, passes, speaks, url)| {
            let mut provider = provider(&format!("p{number}"), &patterns);
            provider.aggregator = passes;
            provider.endpoints = Dialect::ALL.into_iter().map(|it| endpoint(it, url)).collect();
            provider.endpoints.truncate(usize::from(speaks).max(1));
            provider.into()
        },
    )
}

fn any_account() -> impl Strategy<Value = Edit> {
    let named = prop::option::weighted(0.1, 0..4u8);
    (0..4u8, named, 0..3u8, prop::bool::weighted(0.8), prop::bool::weighted(0.9)).prop_map(
        |(number, named, provider, enabled, with_credential)| {
            let text = format!("a{}", named.unwrap_or(number));
            let mut account = account(number, &text, &format!("p{provider}"));
            account.enabled = enabled;
            account.credential = account.credential.filter(|_| with_credential);
            account.into()
        },
    )
}

fn any_route() -> impl Strategy<Value = Edit> {
    let alias = prop::sample::select(vec!["best", "gpt-1", "gpt-*", "*-1", "*"]);
    let target = (0..4u8, prop::sample::select(vec!["", "m-1"]), 0..3u32);
    let tiers = prop::collection::vec(prop::collection::vec(target, 1..3), 1..3);
    (alias, tiers, prop::bool::weighted(0.8)).prop_map(|(alias, tiers, enabled)| {
        let tiers: Vec<_> = tiers.iter().map(Vec::as_slice).collect();
        let mut route = route(alias, &tiers);
        route.enabled = enabled;
        route.into()
    })
}

fn any_key() -> impl Strategy<Value = Edit> {
    let team = prop::option::weighted(0.3, 0..2u8);
    let allowed = prop::sample::subsequence(vec!["gpt-*", "best"], 0..2);
    (0..5u8, team, 0..5u8, prop::sample::select(vec![1u32, 1, 1, 2]), allowed).prop_map(
        |(number, team, fingerprint, pepper, allowed)| {
            let mut it = key(number);
            it.team = team.map(team_id);
            it.fingerprint = key(fingerprint).fingerprint;
            it.pepper_version = pepper;
            it.allowed_models = allowed.iter().map(|it| it.parse().unwrap()).collect();
            it.into()
        },
    )
}

fn any_edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        3 => any_provider(),
        1 => (0..3u8).prop_map(|it| Edit::DeleteProvider(name(&format!("p{it}")))),
        4 => any_account(),
        1 => (0..4u8).prop_map(|it| Edit::DeleteAccount(account_id(it))),
        2 => (0..3u8, 1..3u8).prop_map(|(a, b)| model(&format!("p{a}"), &format!("m-{b}")).into()),
        1 => (0..3u8, 1..3u8).prop_map(|(a, b)| {
            Edit::DeleteModel(model(&format!("p{a}"), &format!("m-{b}")).id)
        }),
        4 => any_route(),
        1 => prop::sample::select(vec!["best", "gpt-*"])
            .prop_map(|it| Edit::DeleteRoute(it.parse().unwrap())),
        2 => (0..2u8).prop_map(|it| team(it, &format!("t{it}")).into()),
        1 => (0..2u8).prop_map(|it| Edit::DeleteTeam(team_id(it))),
        6 => any_key(),
        2 => (0..5u8).prop_map(|it| Edit::DeleteKey(key_id(it))),
        5 => limits::any_limit(),
        1 => (0..8u8).prop_map(|it| Edit::DeleteLimit(limit_id(it))),
        1 => (1..3u32).prop_map(pepper),
        1 => (0..22u32).prop_map(|max_attempts| {
            Edit::PutSettings(Settings { max_attempts, ..Settings::default() })
        }),
    ]
}

/// Where a snapshot would send what.
fn routing(snapshot: &Snapshot) -> Vec<String> {
    let keys: Vec<_> = snapshot.catalog().keys.iter().cloned().chain([Arc::new(key(99))]).collect();
    let mut results = Vec::new();
    for key in &keys {
        results.push(format!("{:?}", snapshot.listed(key)));
        for alias in ALIASES {
            for dialect in Dialect::ALL {
                for seed in 0..2 {
                    let result = plan(
                        snapshot,
                        Ask { alias, dialect, operation: Operation::Chat },
                        key,
                        seed,
                    );
                    results.push(format!("{result:?}"));
                }
            }
        }
    }
    results
}

fn sorted(defects: &[Defect]) -> Vec<String> {
    let mut texts: Vec<_> = defects.iter().map(ToString::to_string).collect();
    texts.sort();
    texts.dedup();
    texts
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn amending_gives_what_building_the_result_gives(
        changes in prop::collection::vec(prop::collection::vec(any_edit(), 1..4), 1..12),
    ) {
        let mut base: Vec<Edit> = (0..3).map(|it| provider(&format!("p{it}"), &["gpt-*"]).into()).collect();
        base.extend((0..4).map(|it| account(it, &format!("a{it}"), "p0").into()));
        base.extend((0..4).map(|it| key(it).into()));
        base.push(pepper(1));
        let mut snapshot = snapshot(base);
        for (change, revision) in changes.into_iter().zip(2..) {
            let mut catalog = snapshot.catalog().clone();
            change.iter().for_each(|it| catalog.apply(it.clone()));
            let before = snapshot.catalog().clone();
            match (snapshot.amend(change, revision), Snapshot::build(catalog, revision)) {
                (Ok(amended), Ok(built)) => {
                    prop_assert_eq!(amended.catalog(), built.catalog());
                    prop_assert_eq!(amended.index(), built.index());
                    prop_assert_eq!(amended.revision(), built.revision());
                    prop_assert_eq!(routing(&amended), routing(&built));
                    prop_assert_eq!(limits::limits(&amended), limits::limits(&built));
                    snapshot = amended;
                }
                (Err(amended), Err(built)) => {
                    prop_assert_eq!(sorted(&amended), sorted(&built));
                    prop_assert_eq!(snapshot.catalog(), &before);
                }
                (amended, built) => prop_assert!(false, "{amended:?}\nbut\n{built:?}"),
            }
        }
    }

    #[test]
    fn the_order_of_edits_of_different_items_means_nothing(
        edits in prop::collection::vec(any_edit(), 1..20),
        seed in any::<u64>(),
    ) {
        // The last edit of each item decides, so keep just that one of each.
        let mut items: Vec<Edit> = catalog_edits(&catalog(edits));
        let there = catalog(items.clone());
        let mut dice = seed;
        for at in (1..items.len()).rev() {
            dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            items.swap(at, usize::try_from(dice >> 33).unwrap() % (at + 1));
        }
        let (a, b) = (Snapshot::build(there, 1), Snapshot::build(catalog(items), 1));
        prop_assert_eq!(format!("{a:?}"), format!("{b:?}"));
    }
}

fn catalog_edits(catalog: &Catalog) -> Vec<Edit> {
    let mut edits: Vec<Edit> = Vec::new();
    edits.extend(catalog.providers.values().cloned().map(Edit::PutProvider));
    edits.extend(catalog.accounts.values().cloned().map(Edit::PutAccount));
    edits.extend(catalog.models.values().cloned().map(Edit::PutModel));
    edits.extend(catalog.routes.values().cloned().map(Edit::PutRoute));
    edits.extend(catalog.teams.values().cloned().map(Edit::PutTeam));
    edits.extend(catalog.keys.iter().cloned().map(Edit::PutKey));
    edits.extend(catalog.limits.iter().cloned().map(Edit::PutLimit));
    edits.extend(catalog.peppers.values().cloned().map(Edit::PutPepper));
    edits.push(Edit::PutSettings(catalog.settings.clone()));
    edits
}

#[test]
fn a_seat_that_stayed_the_same_is_the_same_seat() {
    let before = snapshot([
        provider("p", &[]).into(),
        account(1, "a", "p").into(),
        account(2, "b", "p").into(),
    ]);
    let mut changed = account(2, "b", "p");
    changed.client.idle_timeout_ms = 7;
    let after = before.amend(vec![changed.into()], 2).unwrap();
    let same =
        |id| Arc::ptr_eq(before.seat(account_id(id)).unwrap(), after.seat(account_id(id)).unwrap());
    assert!(same(1) && !same(2));
}

#[test]
fn a_key_is_found_under_any_pepper() {
    let text = |entropy| mint(KeyKind::Caller, &[entropy; 32]).expose().to_owned();
    let made = |number: u8, pepper: &Pepper| VirtualKey {
        fingerprint: pepper.fingerprint(&text(number)),
        pepper_version: pepper.version(),
        ..key(number)
    };
    let (old, new) = (Pepper::new(1, [1; 32]), Pepper::new(2, [2; 32]));
    let keys = [made(1, &old).into(), made(2, &new).into()];
    let peppers = [Edit::PutPepper(old), Edit::PutPepper(new)];
    let snapshot = snapshot(keys.into_iter().chain(peppers));
    for number in 1..=2 {
        assert_eq!(snapshot.key_of(&text(number)).unwrap().id, key_id(number));
    }
    assert!(snapshot.key_of(&text(3)).is_none());
}

#[test]
fn a_list_has_what_a_key_may_use_under_the_one_who_is_asked_first() {
    let snapshot = snapshot([
        aggregator("demo", &["*"]).into(),
        provider("openai", &["gpt-*"]).into(),
        provider("idle", &[]).into(),
        account(1, "demo", "demo").into(),
        account(2, "main", "openai").into(),
        model("demo", "gpt-4o").into(),
        model("demo", "llama").into(),
        model("demo", "hidden").into(),
        model("demo", "best").into(),
        model("idle", "nobody").into(),
        route("best", &[&[(1, "llama", 1)]]).into(),
        route("x-*", &[&[(1, "", 1)]]).into(),
        crate::catalog::Route { enabled: false, ..route("hidden", &[&[(1, "", 1)]]) }.into(),
    ]);
    let list = |allowed: &[&str]| -> Vec<_> {
        let allowed_models = allowed.iter().map(|it| it.parse().unwrap()).collect();
        let listed = snapshot.listed(&VirtualKey { allowed_models, ..key(1) });
        listed.into_iter().map(|it| format!("{} {}", it.name, it.owner)).collect()
    };
    assert_eq!(list(&[]), ["best sluice", "gpt-4o openai", "llama demo"]);
    assert_eq!(list(&["gpt-*", "b*"]), ["best sluice", "gpt-4o openai"]);
    assert!(list(&["nothing"]).is_empty());
}

#[test]
fn a_list_says_what_is_known_of_the_model_that_is_asked_first() {
    let known = |provider, name, context| Model {
        operations: vec![Operation::Chat, Operation::Embeddings],
        context_tokens: Some(context),
        max_output_tokens: Some(7),
        ..model(provider, name)
    };
    let snapshot = snapshot([
        aggregator("demo", &["*"]).into(),
        provider("openai", &["gpt-*"]).into(),
        account(1, "demo", "demo").into(),
        account(2, "main", "openai").into(),
        Account { enabled: false, ..account(3, "off", "openai") }.into(),
        known("demo", "llama", 100).into(),
        known("openai", "gpt-5", 200).into(),
        // Asked of `openai`, which does not list it: what `demo` says of it says nothing.
        known("demo", "gpt-4o", 300).into(),
        route("best", &[&[(3, "gpt-5", 1), (2, "gpt-5", 0)], &[(1, "llama", 1)]]).into(),
        route("dark", &[&[(1, "nobody-knows", 1)]]).into(),
        // A target without a model is asked for what the caller wrote.
        route("llama", &[&[(1, "", 1)]]).into(),
        route("gone", &[&[(3, "gpt-5", 1)]]).into(),
    ]);
    let listed: Vec<_> = snapshot
        .listed(&key(1))
        .into_iter()
        .map(|it| (it.name, it.context_tokens, it.max_output_tokens, it.operations.len()))
        .collect();
    let expected = [
        ("best", Some(100), Some(7), 2),
        ("dark", None, None, 0),
        ("gone", None, None, 0),
        ("gpt-4o", None, None, 0),
        ("gpt-5", Some(200), Some(7), 2),
        ("llama", Some(100), Some(7), 2),
    ];
    assert_eq!(listed, expected.map(|(name, a, b, c)| (name.to_owned(), a, b, c)));
}

#[test]
fn secrets_are_never_in_a_debug_text() {
    let mut seat = account(1, "a", "p");
    seat.credential = Some(Secret::new("sk-live-credential".to_owned()));
    seat.client.proxy = Some(Secret::new("http://user:sk-password@proxy:1".to_owned()));
    let text = mint(KeyKind::Caller, &[3; 32]);
    let pepper = Pepper::new(1, *b"sk-pepper-sk-pepper-sk-pepper-sk");
    let mut caller = key(1);
    caller.fingerprint = pepper.fingerprint(text.expose());
    let fingerprint = format!("{:?}", caller.fingerprint.as_bytes());
    let edits =
        [provider("p", &[]).into(), seat.into(), caller.into(), Edit::PutPepper(pepper.clone())];
    let snapshot = snapshot(edits.clone());
    for debug in [
        format!("{snapshot:?}"),
        format!("{snapshot:#?}"),
        format!("{edits:?}"),
        format!("{:?}", snapshot.seat(account_id(1))),
    ] {
        assert!(!debug.contains("sk-") && !debug.contains(text.expose()), "{debug}");
        assert!(!debug.contains(&fingerprint), "{debug}");
        assert!(!debug.contains(&format!("{:?}", pepper.expose())), "{debug}");
    }
}

mod defects;
mod limits;
