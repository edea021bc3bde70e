//! A proxy with two accounts and a key, between a caller and two scripted upstreams.

use crate::{lender::Lender, upstream::Upstream};
use arc_swap::ArcSwapOption;
use domain::{
    catalog::{
        Account, Action, AuthStyle, BaseUrl, Catalog, ClientSettings, Dialect, Edit, Endpoint,
        Limit, Mode, Model, ModelId, Operation, Provider, Quirks, Route, Rule, Settings, Subject,
        Target, Team, Tier, Translation, VirtualKey,
    },
    id::{AccountId, KeyId, LimitId, TeamId},
    key::{KeyKind, Pepper, mint},
    secret::Secret,
    snapshot::Snapshot,
    time::Timestamp,
    usage::UsageRecord,
};
use reqwest::{RequestBuilder, Response};
use runtime::Process;
use serde_json::Value;
use sluice_data_plane::{
    config::HttpConfig,
    gateway::{FetchBounds, Gateway, Reach, SnapshotCell},
    http::listener,
    sync::usage::UsageQueue,
};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use uuid::Uuid;

pub(crate) const MAIN_CREDENTIAL: &str = "sk-main-1234567890";
pub(crate) const SPARE_CREDENTIAL: &str = "sk-spare-1234567890";
pub(crate) const REVISION: u64 = 7;

/// What a stage is built from; change it before it starts.
pub(crate) struct Plan {
    pub(crate) providers: Vec<Provider>,
    pub(crate) accounts: Vec<Account>,
    pub(crate) models: Vec<Model>,
    pub(crate) routes: Vec<Route>,
    pub(crate) keys: Vec<VirtualKey>,
    pub(crate) limits: Vec<Limit>,
    pub(crate) teams: Vec<Team>,
    pub(crate) settings: Settings,
    pub(crate) http: HttpConfig,
    pub(crate) fetching: FetchBounds,
    pub(crate) usage_places: u64,
    main: Upstream,
    spare: Upstream,
}

impl Plan {
    /// Account `main`, then `spare`; the route `fast` asks them in this order for
    /// `big-1` and `big-2`, and `gpt-*` and `claude-*` are known by their pattern.
    pub(crate) async fn new() -> Self {
        let (main, spare) = (Upstream::start().await, Upstream::start().await);
        let accounts = vec![
            account(1, "main", MAIN_CREDENTIAL, main.addr),
            account(2, "spare", SPARE_CREDENTIAL, spare.addr),
        ];
        let tier = |number, model: &str| Tier {
            targets: vec![Target {
                account: id(number),
                model: Some(model.parse().unwrap()),
                weight: 1,
            }],
        };
        let tiers = vec![tier(1, "big-1"), tier(2, "big-2")];
        Self {
            providers: vec![provider()],
            accounts,
            models: vec![model("gpt-4o-mini"), model("meta/llama-3"), model("claude-sonnet")],
            routes: vec![Route {
                alias: "fast".parse().unwrap(),
                tiers,
                enabled: true,
                translation: Translation::Lenient,
            }],
            keys: vec![key(1, "team-a")],
            limits: Vec::new(),
            teams: Vec::new(),
            settings: Settings::default(),
            http: HttpConfig::default(),
            fetching: FetchBounds { reach: Reach::ThisMachine, ..FetchBounds::default() },
            usage_places: 100,
            main,
            spare,
        }
    }

    pub(crate) async fn start(self) -> Stage {
        let lender = Lender::new(&self.limits);
        let limits = self.limits.into_iter().map(|it| Edit::PutLimit(Arc::new(it)));
        let mut catalog = Catalog::default();
        let edits = self.providers.into_iter().map(|it| Edit::PutProvider(Arc::new(it)));
        let edits = edits
            .chain(self.accounts.into_iter().map(|it| Edit::PutAccount(Arc::new(it))))
            .chain(self.models.into_iter().map(|it| Edit::PutModel(Arc::new(it))))
            .chain(self.routes.into_iter().map(|it| Edit::PutRoute(Arc::new(it))))
            .chain(self.keys.into_iter().map(|it| Edit::PutKey(Arc::new(it))))
            .chain(self.teams.into_iter().map(|it| Edit::PutTeam(Arc::new(it))))
            .chain(limits)
            .chain([Edit::PutPepper(pepper()), Edit::PutSettings(self.settings)]);
        for edit in edits {
            catalog.apply(edit);
        }
        let snapshot = Snapshot::build(catalog, REVISION).unwrap();
        let cell: SnapshotCell = Arc::new(ArcSwapOption::from_pointee(snapshot));
        let usage = UsageQueue::new(self.usage_places);
        let process = Process::alone();
        let meter = lender.meter.clone();
        let (queue, held) = (usage.clone(), process.clone());
        let gateway = Gateway::new(self.http, self.fetching, Arc::clone(&cell), queue, meter, held);
        process.tasks.spawn_until_exit("lender", Arc::clone(&lender).serve());
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let addr = listener.local_addr().unwrap();
        let serving = listener::serve(listener, Arc::clone(&gateway), process.clone());
        process.tasks.spawn("worker", serving);
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let (main, spare) = (self.main, self.spare);
        Stage { addr, main, spare, cell, usage, lender, process, gateway, client }
    }
}

/// The running pieces.
pub(crate) struct Stage {
    pub(crate) addr: SocketAddr,
    pub(crate) main: Upstream,
    pub(crate) spare: Upstream,
    pub(crate) cell: SnapshotCell,
    pub(crate) usage: UsageQueue,
    pub(crate) lender: Arc<Lender>,
    pub(crate) process: Process,
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) client: reqwest::Client,
}

impl Stage {
    pub(crate) async fn new() -> Self {
        Plan::new().await.start().await
    }

    pub(crate) fn post(&self, path: &str, body: impl Into<reqwest::Body>) -> RequestBuilder {
        let url = format!("http://{}{path}", self.addr);
        self.client.post(url).bearer_auth(key_text(1)).body(body)
    }

    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        self.client.get(format!("http://{}{path}", self.addr)).bearer_auth(key_text(1))
    }

    /// A plain chat request through the route `fast`.
    pub(crate) async fn chat(&self) -> Response {
        self.post("/v1/chat/completions", CHAT).send().await.unwrap()
    }

    /// The same, streamed.
    pub(crate) async fn stream(&self) -> Response {
        self.post("/v1/chat/completions", STREAM).send().await.unwrap()
    }

    /// A limit, as the proxy knows it.
    pub(crate) fn limit(&self, number: u128) -> Arc<Limit> {
        let snapshot = self.cell.load_full().unwrap();
        Arc::clone(snapshot.limit(LimitId::from_uuid(Uuid::from_u128(number))).unwrap())
    }

    /// The one usage record of everything that happened, once all requests are over.
    pub(crate) async fn record(&self) -> UsageRecord {
        let records = self.records(1).await;
        records.into_iter().next().unwrap()
    }

    /// Exactly so many records, and no place taken besides.
    pub(crate) async fn records(&self, count: u64) -> Vec<UsageRecord> {
        eventually("all requests are over", || {
            self.gateway.in_flight() == 0 && count <= self.usage.pending()
        })
        .await;
        let records = self.usage.unacknowledged();
        assert_eq!(records.len() as u64, count, "{records:?}");
        records.iter().map(|it| UsageRecord::clone(it)).collect()
    }
}

pub(crate) const CHAT: &str =
    r#"{"model":"fast","messages":[{"role":"user","content":"hello there"}]}"#;
pub(crate) const STREAM: &str = r#"{"model":"fast","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"hello there"}]}"#;
pub(crate) const ANSWER: &str = r#"{"id":"c1","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":3,"total_tokens":12,"prompt_tokens_details":{"cached_tokens":4}}}"#;
pub(crate) const EVENTS: [&str; 5] = [
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n",
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hello\"}}]}\n\n",
    "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n",
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":3,\"total_tokens\":12}}\n\n",
    "data: [DONE]\n\n",
];

/// Waits for what has no event to wait for.
pub(crate) async fn eventually(what: &str, mut is: impl FnMut() -> bool) {
    let all = async {
        while !is() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), all).await.unwrap_or_else(|_| panic!("{what}"));
}

pub(crate) async fn body(response: Response) -> Value {
    serde_json::from_slice(&response.bytes().await.unwrap()).unwrap()
}

pub(crate) fn header(response: &Response, name: &str) -> Option<String> {
    response.headers().get(name).map(|it| it.to_str().unwrap().to_owned())
}

pub(crate) fn id(number: u128) -> AccountId {
    AccountId::from_uuid(Uuid::from_u128(number))
}

pub(crate) fn key_text(number: u8) -> String {
    mint(KeyKind::Caller, &[number; 32]).expose().to_owned()
}

fn pepper() -> Pepper {
    Pepper::new(1, [9; 32])
}

pub(crate) fn key(number: u8, name: &str) -> VirtualKey {
    VirtualKey {
        id: KeyId::from_uuid(Uuid::from_u128(number.into())),
        name: name.parse().unwrap(),
        team: None,
        fingerprint: pepper().fingerprint(&key_text(number)),
        pepper_version: 1,
        hint: "abcd".to_owned(),
        enabled: true,
        expires_at: None,
        allowed_models: Vec::new(),
    }
}

pub(crate) const PAST: Timestamp = Timestamp::from_unix_ms(1_000);

fn account(number: u128, name: &str, credential: &str, addr: SocketAddr) -> Account {
    let base_urls = [Dialect::OpenAi, Dialect::Anthropic]
        .map(|dialect| BaseUrl { dialect, url: format!("http://{addr}/v1") });
    Account {
        id: id(number),
        name: name.parse().unwrap(),
        provider: "acme".parse().unwrap(),
        credential: Some(Secret::new(credential.to_owned())),
        base_urls: base_urls.into(),
        enabled: true,
        client: ClientSettings::default(),
    }
}

pub(crate) fn limit(number: u128, subject: Subject, rule: Rule) -> Limit {
    Limit {
        id: LimitId::from_uuid(Uuid::from_u128(number)),
        generation: 1,
        subject,
        rule: Arc::new(rule),
        mode: Mode::Strict,
        action: Action::Enforce,
        warn_percent: None,
        switch_percent: None,
        queue_ms: 0,
    }
}

pub(crate) fn team(id: TeamId, name: &str) -> Team {
    Team { id, name: name.parse().unwrap(), description: String::new() }
}

pub(crate) fn team_key(number: u8, name: &str, team: TeamId) -> VirtualKey {
    VirtualKey { team: Some(team), ..key(number, name) }
}

pub(crate) fn model(name: &str) -> Model {
    let id = ModelId { provider: "acme".parse().unwrap(), name: name.parse().unwrap() };
    Model {
        id,
        operations: vec![Operation::Chat],
        built_in: false,
        price: None,
        max_output_tokens: None,
        context_tokens: None,
    }
}

fn provider() -> Provider {
    let endpoint = |dialect, auth| Endpoint {
        dialect,
        base_url: None,
        auth,
        output_cap_field: None,
        quirks: Quirks::NONE,
    };
    Provider {
        name: "acme".parse().unwrap(),
        title: "Acme".to_owned(),
        endpoints: vec![
            endpoint(Dialect::OpenAi, AuthStyle::Bearer),
            endpoint(Dialect::Anthropic, AuthStyle::Header("x-api-key".to_owned())),
        ],
        env_var: None,
        model_patterns: vec!["gpt-*".parse().unwrap(), "claude-*".parse().unwrap()],
        aggregator: false,
        docs_url: "https://example.com".to_owned(),
        built_in: false,
    }
}
