use super::*;
use domain::{
    catalog::{
        Action, AuthStyle, BaseUrl, Calendar, CalendarPeriod, ClientSettings, Dialect, Endpoint,
        Limit, Measure, Mode, Model, ModelId, Operation, Price, Provider, Quirk, Quirks, Route,
        Rule, Settings, Subject, Target, Team, Tier, Translation, Weights,
    },
    id::{KeyId, LimitId},
    time::Timestamp,
};
use std::num::NonZeroU64;
use uuid::Uuid;

fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

/// One edit of each kind that writes.
#[expect(clippy::too_many_lines, reason = "every field of every kind, once")]
fn edits() -> Vec<Edit> {
    let account = AccountId::from_uuid(id(1));
    let team = TeamId::from_uuid(id(2));
    vec![
        Edit::PutSettings(Settings {
            max_attempts: 7,
            attempt_deadline_ms: 9,
            reveal_route: false,
            default_output_tokens: 11,
            fallback_proxies: 12,
            fetch_addresses: true,
        }),
        Edit::PutPepper(Pepper::new(3, [5; 32])),
        Edit::PutProvider(Arc::new(Provider {
            name: "acme".parse().unwrap(),
            title: "Acme".into(),
            endpoints: vec![
                Endpoint {
                    dialect: Dialect::OpenAi,
                    base_url: Some("https://a/v1".into()),
                    auth: AuthStyle::Bearer,
                    output_cap_field: Some("max_completion_tokens".into()),
                    quirks: [Quirk::DeveloperRole, Quirk::CustomTools].into_iter().collect(),
                },
                Endpoint {
                    dialect: Dialect::Anthropic,
                    base_url: None,
                    auth: AuthStyle::Header("x-api-key".into()),
                    output_cap_field: None,
                    quirks: Quirks::NONE,
                },
                Endpoint {
                    dialect: Dialect::Bedrock,
                    base_url: None,
                    auth: AuthStyle::SigV4 { region: "eu-1".into(), service: "bedrock".into() },
                    output_cap_field: None,
                    quirks: Quirks::NONE,
                },
                Endpoint {
                    dialect: Dialect::Gemini,
                    base_url: None,
                    auth: AuthStyle::GoogleServiceAccount { scope: "s".into() },
                    output_cap_field: None,
                    quirks: Quirks::NONE,
                },
                Endpoint {
                    dialect: Dialect::OpenAiResponses,
                    base_url: None,
                    auth: AuthStyle::EntraClientCredentials {
                        token_url: "https://t".into(),
                        scope: "s".into(),
                    },
                    output_cap_field: None,
                    quirks: Quirks::NONE,
                },
            ],
            env_var: Some("ACME_API_KEY".into()),
            model_patterns: vec!["acme-*".parse().unwrap()],
            aggregator: true,
            docs_url: "https://docs".into(),
            built_in: true,
        })),
        Edit::PutAccount(Arc::new(Account {
            id: account,
            name: "main".parse().unwrap(),
            provider: "acme".parse().unwrap(),
            credential: Some(Secret::new("sk-1".into())),
            base_urls: vec![BaseUrl { dialect: Dialect::Anthropic, url: "https://b/v1".into() }],
            enabled: false,
            client: ClientSettings {
                connect_timeout_ms: 1,
                first_byte_timeout_ms: 2,
                idle_timeout_ms: 3,
                proxy: Some(Secret::new("http://u:p@proxy".into())),
                extra_headers: vec![("x-a".into(), "b".into())],
                ask_stream_usage: false,
                keep_output_open: true,
            },
        })),
        Edit::PutModel(Arc::new(Model {
            id: ModelId { provider: "acme".parse().unwrap(), name: "big/one".parse().unwrap() },
            operations: vec![Operation::Chat, Operation::Embeddings],
            built_in: true,
            price: Some(Price { input: 4, cached_input: 0, cache_write: 5, output: 6 }),
            max_output_tokens: Some(8_192),
            context_tokens: Some(128_000),
        })),
        Edit::PutRoute(Arc::new(Route {
            alias: "chat-*".parse().unwrap(),
            tiers: vec![Tier {
                targets: vec![
                    Target { account, model: Some("m".parse().unwrap()), weight: 0 },
                    Target { account, model: None, weight: 4 },
                ],
            }],
            enabled: false,
            translation: Translation::Strict,
        })),
        Edit::PutTeam(Arc::new(Team {
            id: team,
            name: "red".parse().unwrap(),
            description: "reds".into(),
        })),
        Edit::PutKey(Arc::new(VirtualKey {
            id: KeyId::from_uuid(id(3)),
            name: "k".parse().unwrap(),
            team: Some(team),
            fingerprint: Fingerprint::from_bytes([8; 32]),
            pepper_version: 3,
            hint: "abcd".into(),
            enabled: false,
            expires_at: Some(Timestamp::from_unix_ms(1_700_000_000_123)),
            allowed_models: vec!["gpt-*".parse().unwrap()],
        })),
        Edit::PutLimit(Arc::new(Limit {
            id: LimitId::from_uuid(id(4)),
            generation: 5,
            subject: Subject::KeyAlias(KeyId::from_uuid(id(3)), "smart".into()),
            rule: Arc::new(Rule::Calendar {
                measure: Measure::Tokens(Weights { cached_input: 10, ..Weights::default() }),
                amount: NonZeroU64::new(1_000).unwrap(),
                period: CalendarPeriod::Month,
                calendar: Box::new(Calendar { zone: "Asia/Shanghai".into(), reset_minute: 60 }),
            }),
            mode: Mode::Availability,
            action: Action::Shadow,
            warn_percent: Some(80),
            switch_percent: None,
            queue_ms: 500,
        })),
    ]
}

fn removals() -> Vec<Edit> {
    vec![
        Edit::DeleteProvider("acme".parse().unwrap()),
        Edit::DeleteAccount(AccountId::from_uuid(id(1))),
        Edit::DeleteModel(ModelId {
            provider: "acme".parse().unwrap(),
            name: "big/one".parse().unwrap(),
        }),
        Edit::DeleteRoute("chat-*".parse().unwrap()),
        Edit::DeleteTeam(TeamId::from_uuid(id(2))),
        Edit::DeleteKey(KeyId::from_uuid(id(3))),
        Edit::DeleteLimit(LimitId::from_uuid(id(4))),
    ]
}

#[test]
fn every_edit_survives_the_wire() {
    for edit in edits().into_iter().chain(removals()) {
        let back = match wire_of(&edit) {
            Wire::Upsert(item) => {
                let bytes = item.encode_to_vec();
                edit_of_item(v1::ConfigItem::decode(&bytes[..]).unwrap()).unwrap()
            }
            Wire::Removed(key) => edit_of_removed(&key).unwrap(),
        };
        assert_eq!(back, edit);
    }
}

#[test]
fn the_items_of_a_catalog_make_it_again() {
    let mut catalog = Catalog::default();
    for edit in edits() {
        catalog.apply(edit);
    }
    let mut again = Catalog::default();
    for item in items(&catalog) {
        again.apply(edit_of_item(item).unwrap());
    }
    assert_eq!(again, catalog);
}

#[test]
fn the_hash_depends_on_what_is_in_and_not_on_the_way_there() {
    let wires: Vec<_> = edits().iter().map(wire_of).collect();
    let upserts: Vec<_> = wires
        .iter()
        .filter_map(|it| if let Wire::Upsert(item) = it { Some(item.clone()) } else { None })
        .collect();
    let forward = CatalogHash::of(upserts.clone());
    let backward = CatalogHash::of(upserts.iter().rev().cloned());
    assert_eq!(forward.value(), backward.value());

    let mut twice = forward.clone();
    twice.upsert(&upserts[3]);
    assert_eq!(twice.value(), forward.value());

    let removed: Vec<_> = removals()
        .iter()
        .filter_map(|it| if let Wire::Removed(key) = wire_of(it) { Some(key) } else { None })
        .collect();
    let mut emptied = forward.clone();
    for key in &removed {
        emptied.remove(key);
    }
    assert_ne!(emptied.value(), forward.value());
    assert_eq!(forward.value_after(&[], &removed), emptied.value());
    assert_eq!(CatalogHash::default().value_after(&upserts, &[]), forward.value());
    // Written and removed in one change; and removed without having been there.
    assert_eq!(CatalogHash::default().value_after(&upserts, &removed), emptied.value());
    for key in &removed {
        emptied.remove(key);
    }
    assert_eq!(emptied.value_after(&upserts, &[]), forward.value());
}

#[test]
fn an_item_of_an_unknown_kind_is_refused() {
    assert!(edit_of_item(v1::ConfigItem::default()).is_err());
    assert!(edit_of_removed(&v1::ItemKey { kind: 99, id: "x".into() }).is_err());
}

#[test]
fn everything_wrong_with_an_item_is_said_at_once() {
    let item = v1::ConfigItem {
        item: Some(Item::Route(crate::admin::v1::Route {
            alias: "a b".into(),
            tiers: vec![crate::admin::v1::Tier {
                targets: vec![crate::admin::v1::Target {
                    account: "nobody".into(),
                    model: "m m".into(),
                    weight: None,
                }],
            }],
            ..Default::default()
        })),
        ..Default::default()
    };
    let wrong = edit_of_item(item).unwrap_err();
    let fields: Vec<_> = wrong.iter().map(|it| it.field.as_str()).collect();
    assert_eq!(
        fields,
        ["a b.alias", "a b.tiers[0].targets[0].account", "a b.tiers[0].targets[0].model"]
    );
}

#[test]
fn a_field_that_an_older_proxy_does_not_know_leaves_the_hash_as_it_is() {
    let Wire::Upsert(mut newer) = wire_of(&edits()[2]) else { panic!("it is written") };
    newer.digest = Vec::new();
    // Field 100 of the item, two bytes long: what a later version might say.
    let mut bytes = newer.encode_to_vec();
    bytes.extend([0xa2, 0x06, 0x02, 0x01, 0x02]);
    let digest = Sha256::digest(&bytes).to_vec();
    newer.digest = digest.clone();

    bytes.extend([0x82, 0x01, 0x20]);
    bytes.extend(&digest);
    let older = v1::ConfigItem::decode(&bytes[..]).unwrap();
    assert!(edit_of_item(older.clone()).is_ok());
    assert_eq!(CatalogHash::of([older]).value(), bytes32_from("digest", &digest).unwrap());
    assert_eq!(CatalogHash::of([newer]).value(), bytes32_from("digest", &digest).unwrap());
}

#[test]
fn what_a_price_leaves_out_costs_as_other_input() {
    let price = crate::admin::v1::Price {
        input_nanousd: 7,
        cached_input_nanousd: Some(0),
        output_nanousd: 9,
        ..Default::default()
    };
    let mut wire = crate::admin::v1::Model {
        provider: "acme".into(),
        name: "m".into(),
        price: Some(price),
        ..Default::default()
    };
    let read = model_from(&wire).unwrap();
    let expected = Price { input: 7, cached_input: 0, cache_write: 7, output: 9 };
    assert_eq!((read.price, read.max_output_tokens), (Some(expected), None));
    assert_eq!(read.context_tokens, None);
    wire.price = Some(crate::admin::v1::Price { output_nanousd: u64::MAX, ..price });
    assert_eq!(model_from(&wire).unwrap_err()[0].field, "price.output_nanousd");
    wire.price = None;
    assert_eq!(model_from(&wire).unwrap().price, None);
}

#[test]
fn texts_for_people_have_a_bound_and_no_control_characters() {
    let team = |description: &str| crate::admin::v1::Team {
        name: "red".into(),
        description: description.into(),
        ..Default::default()
    };
    let id = TeamId::from_uuid(id(1));
    assert!(team_from(team("the reds, 红队"), id).is_ok());
    for bad in ["a\0b", "two\nlines", &"x".repeat(1_001)] {
        assert_eq!(team_from(team(bad), id).unwrap_err()[0].field, "description", "{bad:?}");
    }
}
