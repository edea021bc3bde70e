//! Every defect is provoked, and all of them are reported at once.

mod limit;

use super::*;
use crate::catalog::{Account, Price, Provider, Route};
use std::collections::BTreeSet;

/// A catalog with one mistake, and what is said about it.
struct Case {
    field: String,
    message: &'static str,
    edits: Vec<Edit>,
}

fn case(field: &'static str, message: &'static str, edits: Vec<Edit>) -> Case {
    Case { field: field.to_owned(), message, edits }
}

/// An account at provider `good`, with `change` made to it.
fn changed(number: u8, text: &str, change: impl FnOnce(&mut Account)) -> Edit {
    let mut account = account(number, text, "good");
    change(&mut account);
    account.into()
}

fn provider_with(text: &str, endpoints: Vec<Endpoint>) -> Edit {
    Provider { endpoints, ..provider(text, &[]) }.into()
}

fn of_providers() -> Vec<Case> {
    let spoken = |url| vec![endpoint(Dialect::OpenAi, Some(url))];
    let shown = |header: &str| {
        let auth = AuthStyle::Header(header.to_owned());
        vec![Endpoint { auth, ..endpoint(Dialect::OpenAi, Some("https://a.example")) }]
    };
    let capped = |field: &str| {
        let output_cap_field = Some(field.to_owned());
        vec![Endpoint { output_cap_field, ..endpoint(Dialect::OpenAi, Some("https://a.example")) }]
    };
    vec![
        case("providers[\"mute\"].endpoints", "no endpoint", vec![provider_with("mute", vec![])]),
        case(
            "providers[\"twice\"].endpoints",
            "two endpoints for the openai",
            vec![provider_with(
                "twice",
                [spoken("https://a.example"), spoken("https://b.example")].concat(),
            )],
        ),
        case(
            "providers[\"ftp\"].endpoints",
            "must start with",
            vec![provider_with("ftp", spoken("ftp://a"))],
        ),
        case(
            "providers[\"blank\"].endpoints",
            "spaces",
            vec![provider_with("blank", spoken("https://a b"))],
        ),
        case(
            "providers[\"host\"].endpoints",
            "no host",
            vec![provider_with("host", spoken("https:///v1"))],
        ),
        case(
            "providers[\"port\"].endpoints",
            "port",
            vec![provider_with("port", spoken("http://[::1]:70000/v1"))],
        ),
        case(
            "providers[\"user\"].endpoints",
            "credentials",
            vec![provider_with("user", spoken("https://u:p@a.example"))],
        ),
        case(
            "providers[\"query\"].endpoints",
            "a query",
            vec![provider_with("query", spoken("https://a.example/?k=1"))],
        ),
        case(
            "providers[\"name\"].endpoints",
            "header names",
            vec![provider_with("name", shown("x key"))],
        ),
        case(
            "providers[\"cap\"].endpoints",
            "`max tokens` of provider `cap` is not the name of a field",
            vec![provider_with("cap", capped("max tokens"))],
        ),
        case(
            "providers[\"steal\"].endpoints",
            "`messages` of provider `steal`",
            vec![provider_with("steal", capped("messages"))],
        ),
        case(
            "providers[\"conn\"].endpoints",
            "the connection",
            vec![provider_with("conn", shown("Host"))],
        ),
    ]
}

fn of_signatures() -> Vec<Case> {
    vec![
        case(
            "providers[\"aws\"].endpoints",
            "regions and services",
            vec![signed("aws", sigv4("us east")).into()],
        ),
        case(
            "providers[\"scope\"].endpoints",
            "printable ASCII",
            vec![signed("scope", AuthStyle::GoogleServiceAccount { scope: String::new() }).into()],
        ),
        case(
            "providers[\"entra\"].endpoints",
            "must start with",
            vec![signed("entra", entra("login.example")).into()],
        ),
    ]
}

fn signed(text: &str, auth: AuthStyle) -> Provider {
    let it = endpoint(Dialect::OpenAi, Some("https://a.example"));
    Provider { endpoints: vec![Endpoint { auth, ..it }], ..provider(text, &[]) }
}

fn sigv4(region: &str) -> AuthStyle {
    AuthStyle::SigV4 { region: region.to_owned(), service: "bedrock".to_owned() }
}

fn entra(token_url: &str) -> AuthStyle {
    let (token_url, scope) = (token_url.to_owned(), "https://a.example/.default".to_owned());
    AuthStyle::EntraClientCredentials { token_url, scope }
}

#[test]
fn credentials_have_the_form_that_their_provider_wants() {
    let google = AuthStyle::GoogleServiceAccount { scope: "s".to_owned() };
    for (auth, good, bad) in [
        (sigv4(""), &["a:b", "a:b:c/d=="][..], &["a", "a:", ":b", "a:b:c:d", "a:b\n"][..]),
        (google, &["{\n\"type\": 1}\n"], &["sk-1", ""]),
        (entra("https://l.example/t"), &["a:b:c~"], &["ab", ":b", "a:"]),
        (AuthStyle::Bearer, &["sk-1"], &["{\n}"]),
    ] {
        let fits = |text: &&str| {
            let credential = Some(Secret::new((*text).to_owned()));
            let account = Account { credential, ..account(1, "main", "p") };
            let edits = [signed("p", auth.clone()).into(), account.into()];
            Snapshot::build(catalog(edits), 1).is_ok()
        };
        assert!(good.iter().all(fits), "{auth:?}");
        assert!(!bad.iter().any(fits), "{auth:?}");
    }
}

#[test]
fn who_speaks_two_dialects_may_be_reached_in_one() {
    let two = vec![endpoint(Dialect::OpenAi, None), endpoint(Dialect::OpenAiResponses, None)];
    let mut reached = account(1, "main", "two");
    let built = |account: &Account| {
        let edits = [provider_with("two", two.clone()), account.clone().into()];
        Snapshot::build(catalog(edits), 1)
    };
    assert_eq!(built(&reached).unwrap_err().len(), 2);
    reached.base_urls =
        vec![BaseUrl { dialect: Dialect::OpenAi, url: "https://a.example".to_owned() }];
    let snapshot = built(&reached).unwrap();
    let seat = snapshot.seat(account_id(1)).unwrap();
    assert!(seat.endpoint(Dialect::OpenAi).is_some());
    assert!(seat.endpoint(Dialect::OpenAiResponses).is_none());
}

fn of_accounts() -> Vec<Case> {
    let base = |dialect, url: &str| BaseUrl { dialect, url: url.to_owned() };
    let secret = |text: &str| Some(Secret::new(text.to_owned()));
    let openai = Dialect::OpenAi;
    vec![
        case(
            "accounts[\"lost\"].provider",
            "does not exist",
            vec![account(10, "lost", "nobody").into()],
        ),
        case(
            "accounts[\"bare\"].credential",
            "no credential",
            vec![changed(11, "bare", |it| it.credential = None)],
        ),
        case(
            "accounts[\"void\"].credential",
            "no credential",
            vec![changed(12, "void", |it| it.credential = secret(""))],
        ),
        case(
            "accounts[\"line\"].credential",
            "line ends",
            vec![changed(13, "line", |it| it.credential = secret("sk-1\n"))],
        ),
        case(
            "accounts[\"nowhere\"].base_urls",
            "give account `nowhere` a base URL",
            vec![
                provider_with("homeless", vec![endpoint(openai, None)]),
                account(14, "nowhere", "homeless").into(),
            ],
        ),
        case(
            "accounts[\"foreign\"].base_urls",
            "does not speak",
            vec![changed(15, "foreign", |it| {
                it.base_urls = vec![base(Dialect::Anthropic, "https://a.example")]
            })],
        ),
        case(
            "accounts[\"split\"].base_urls",
            "two base URLs",
            vec![changed(16, "split", |it| {
                it.base_urls =
                    vec![base(openai, "https://a.example"), base(openai, "https://b.example")]
            })],
        ),
        case(
            "accounts[\"crooked\"].base_urls",
            "must start with",
            vec![changed(17, "crooked", |it| it.base_urls = vec![base(openai, "a.example")])],
        ),
        case(
            "accounts[\"twin\"].name",
            "two accounts",
            vec![account(18, "twin", "good").into(), account(19, "twin", "good").into()],
        ),
    ]
}

fn of_clients() -> Vec<Case> {
    let extra = |header: &str, value: &str| vec![(header.to_owned(), value.to_owned())];
    let secret = |text: &str| Some(Secret::new(text.to_owned()));
    vec![
        case(
            "accounts[\"auth\"].client.extra_headers",
            "authentication",
            vec![changed(20, "auth", |it| it.client.extra_headers = extra("X-Api-Key", "1"))],
        ),
        case(
            "accounts[\"length\"].client.extra_headers",
            "the connection",
            vec![changed(21, "length", |it| {
                it.client.extra_headers = extra("content-length", "1")
            })],
        ),
        case(
            "accounts[\"inject\"].client.extra_headers",
            "cannot carry",
            vec![changed(22, "inject", |it| it.client.extra_headers = extra("x-a", "1\r\nx-b: 2"))],
        ),
        case(
            "accounts[\"proxied\"].client.proxy",
            "socks5",
            vec![changed(23, "proxied", |it| it.client.proxy = secret("proxy:3128"))],
        ),
        case(
            "accounts[\"hasty\"].client.connect_timeout_ms",
            "between 1 and 3600000",
            vec![changed(24, "hasty", |it| {
                it.client = ClientSettings { connect_timeout_ms: 0, ..ClientSettings::default() }
            })],
        ),
        case(
            "accounts[\"late\"].client.first_byte_timeout_ms",
            "is 3600001",
            vec![changed(25, "late", |it| it.client.first_byte_timeout_ms = 3_600_001)],
        ),
        case(
            "accounts[\"idle\"].client.idle_timeout_ms",
            "is 0",
            vec![changed(26, "idle", |it| it.client.idle_timeout_ms = 0)],
        ),
    ]
}

fn of_the_rest() -> Vec<Case> {
    let mut silent = model("good", "silent");
    silent.operations = vec![];
    let mut dear = model("good", "dear");
    let dollar = 1_000_000_000_000_000;
    dear.price = Some(Price { input: 0, cached_input: 0, cache_write: dollar, output: dollar + 1 });
    let mut short = model("good", "short");
    short.max_output_tokens = Some(0);
    let mut long = model("good", "long");
    long.context_tokens = Some(1_000_000_001);
    let settings = Settings {
        max_attempts: 21,
        attempt_deadline_ms: 0,
        default_output_tokens: 0,
        fallback_proxies: 1_001,
        ..Settings::default()
    };
    let mut stray = key(1);
    stray.team = Some(team_id(77));
    let old = VirtualKey { pepper_version: 9, ..key(2) };
    let empty =
        Route { tiers: vec![crate::catalog::Tier { targets: vec![] }], ..route("r-2", &[]) };
    vec![
        case("models[\"nobody/m\"].provider", "does not exist", vec![model("nobody", "m").into()]),
        case("models[\"good/silent\"].operations", "can do nothing", vec![silent.into()]),
        case("routes[\"r-1\"].tiers", "no tier", vec![route("r-1", &[]).into()]),
        case("routes[\"r-2\"].tiers[0].targets", "no target of a weight", vec![empty.into()]),
        case(
            "routes[\"r-3\"].tiers[1].targets",
            "no target of a weight",
            vec![route("r-3", &[&[(1, "", 1)], &[(1, "", 0)]]).into()],
        ),
        case(
            "routes[\"r-4\"].tiers[0].targets",
            "does not exist",
            vec![route("r-4", &[&[(99, "", 1)]]).into()],
        ),
        case(
            "routes[\"r-5\"].tiers[0].targets",
            "at most 1000000",
            vec![route("r-5", &[&[(1, "", 1_000_001)]]).into()],
        ),
        case(
            "teams[\"same\"].name",
            "two teams",
            vec![team(1, "same").into(), team(2, "same").into()],
        ),
        case("keys[\"key-1\"].team", "does not exist", vec![stray.into()]),
        case("keys[\"key-2\"].pepper_version", "pepper 9", vec![old.into()]),
        case("settings.max_attempts", "is 21", vec![Edit::PutSettings(settings.clone())]),
        case("settings.attempt_deadline_ms", "is 0", vec![Edit::PutSettings(settings.clone())]),
        case("settings.default_output_tokens", "is 0", vec![Edit::PutSettings(settings.clone())]),
        case("settings.fallback_proxies", "is 1001", vec![Edit::PutSettings(settings)]),
        case("models[\"good/dear\"].price", "between 0 and 1000000000000000", vec![dear.into()]),
        case("models[\"good/short\"].max_output_tokens", "is 0", vec![short.into()]),
        case("models[\"good/long\"].context_tokens", "is 1000000001", vec![long.into()]),
    ]
}

fn base() -> Vec<Edit> {
    vec![provider("good", &["g-*"]).into(), account(1, "main", "good").into(), pepper(1)]
}

fn cases() -> Vec<Case> {
    of_providers()
        .into_iter()
        .chain(of_signatures())
        .chain(of_accounts())
        .chain(of_clients())
        .chain(of_the_rest())
        .chain(limit::cases())
        .collect()
}

fn is_said(defects: &[Defect], case: &Case) -> bool {
    defects.iter().any(|it| it.field() == case.field && it.to_string().contains(case.message))
}

#[test]
fn each_mistake_is_named_with_its_field() {
    for case in cases() {
        let edits = base().into_iter().chain(case.edits.iter().cloned());
        let defects = Snapshot::build(catalog(edits), 1).unwrap_err();
        assert!(is_said(&defects, &case), "{}: {defects:#?}", case.field);
        // The mistakes in the settings come together.
        assert!(
            defects.len() == 1 || case.field.starts_with("settings"),
            "{}: {defects:#?}",
            case.field
        );
        let amended = snapshot(base()).amend(case.edits.clone(), 2).unwrap_err();
        assert_eq!(sorted(&amended), sorted(&defects), "{}", case.field);
    }
}

#[test]
fn all_mistakes_are_reported_at_once_and_nothing_is_taken_over() {
    let edits: Vec<_> = cases().into_iter().flat_map(|it| it.edits).collect();
    let built = Snapshot::build(catalog(base().into_iter().chain(edits.clone())), 1).unwrap_err();
    for case in cases() {
        assert!(is_said(&built, &case), "{}: {built:#?}", case.field);
    }
    let before = snapshot(base());
    let catalog = before.catalog().clone();
    assert_eq!(sorted(&before.amend(edits, 2).unwrap_err()), sorted(&built));
    assert_eq!(before.catalog(), &catalog);
}

#[test]
fn every_kind_of_defect_is_provoked_here() {
    let edits = base().into_iter().chain(cases().into_iter().flat_map(|it| it.edits));
    let defects = Snapshot::build(catalog(edits), 1).unwrap_err();
    let seen: BTreeSet<_> = defects.iter().map(kind).collect();
    assert_eq!(seen, (0..KINDS).collect());
}

const KINDS: u8 = 24;

/// A number for each kind: a new kind does not compile before it has one.
fn kind(defect: &Defect) -> u8 {
    match defect {
        Defect::ProviderWithoutEndpoint { .. } => 0,
        Defect::EndpointTwice { .. } => 1,
        Defect::BadBaseUrl { .. } => 2,
        Defect::BadHeader { .. } => 3,
        Defect::UnknownProvider { .. } => 4,
        Defect::MissingCredential { .. } => 5,
        Defect::MissingBaseUrl { .. } => 6,
        Defect::UnspokenDialect { .. } => 7,
        Defect::BaseUrlTwice { .. } => 8,
        Defect::AccountNameTwice { .. } => 9,
        Defect::TeamNameTwice { .. } => 10,
        Defect::ModelOfUnknownProvider { .. } => 11,
        Defect::ModelWithoutOperation { .. } => 12,
        Defect::RouteWithoutTier { .. } => 13,
        Defect::TierWithoutTarget { .. } => 14,
        Defect::RouteToUnknownAccount { .. } => 15,
        Defect::WeightTooLarge { .. } => 16,
        Defect::KeyOfUnknownTeam { .. } => 17,
        Defect::KeyOfUnknownPepper { .. } => 18,
        Defect::OutOfRange { .. } => 19,
        Defect::BadOutputCapField { .. } => 20,
        Defect::Limit { .. } => 21,
        Defect::BadCredential { .. } => 22,
        Defect::BadAuth { .. } => 23,
    }
}

#[test]
fn deleting_what_others_name_is_a_defect_of_those() {
    let mut owned = key(1);
    owned.team = Some(team_id(1));
    let more = [
        team(1, "t").into(),
        owned.into(),
        model("good", "m").into(),
        route("r", &[&[(1, "", 1)]]).into(),
    ];
    let snapshot = snapshot(base().into_iter().chain(more));
    for (edit, fields) in [
        (Edit::DeleteTeam(team_id(1)), &["keys[\"key-1\"].team"][..]),
        (Edit::DeleteAccount(account_id(1)), &["routes[\"r\"].tiers[0].targets"]),
        (
            Edit::DeleteProvider(name("good")),
            &["accounts[\"main\"].provider", "models[\"good/m\"].provider"],
        ),
    ] {
        let defects = snapshot.amend(vec![edit], 2).unwrap_err();
        assert_eq!(defects.iter().map(Defect::field).collect::<Vec<_>>(), fields);
    }
    // Together with what named it, it may go.
    let both = vec![Edit::DeleteTeam(team_id(1)), Edit::DeleteKey(key_id(1))];
    assert!(snapshot.amend(both, 2).is_ok());
}

#[test]
fn defects_do_not_say_secrets() {
    let edits = [
        provider_with("user", vec![endpoint(Dialect::OpenAi, Some("https://me:sk-url@a.example"))]),
        changed(2, "a", |it| it.credential = Some(Secret::new("sk-line\n".to_owned()))),
        changed(3, "b", |it| {
            it.client.proxy = Some(Secret::new("me:sk-proxy@a.example".to_owned()))
        }),
        changed(4, "c", |it| {
            it.client.extra_headers = vec![("x-a".to_owned(), "sk-extra\n".to_owned())]
        }),
    ];
    let defects = Snapshot::build(catalog(base().into_iter().chain(edits)), 1).unwrap_err();
    assert_eq!(defects.len(), 4);
    for it in defects {
        assert!(!format!("{it} {it:?} {}", it.field()).contains("sk-"), "{it:?}");
    }
}
