//! Limits: set, read, listed, reset, deleted, taken along.

use crate::{
    nouns::{account, add_account, add_team, fields, reason},
    plane::{Authorized, Plane},
};
use proto::admin::v1::{
    account_service_client::AccountServiceClient, catalog_service_client::CatalogServiceClient,
    edit::Edit as One, key_service_client::KeyServiceClient,
    limit_service_client::LimitServiceClient, limit_subject::Subject,
    model_service_client::ModelServiceClient, provider_service_client::ProviderServiceClient,
    settings_service_client::SettingsServiceClient, team_service_client::TeamServiceClient, *,
};
use tonic::{Code, Status};

type Client = LimitServiceClient<Authorized>;

pub(crate) fn of(subject: Subject) -> Option<LimitSubject> {
    Some(LimitSubject { subject: Some(subject) })
}

pub(crate) fn per_minute(subject: Subject, amount: u64) -> Limit {
    Limit {
        subject: of(subject),
        measure: LimitMeasure::Requests.into(),
        amount,
        period: LimitPeriod::Minute.into(),
        ..Limit::default()
    }
}

fn everything() -> Subject {
    Subject::Everything(limit_subject::Everything {})
}

fn key_named(name: &str) -> Subject {
    Subject::Key(name.to_owned())
}

fn key_alias(key: &str, alias: &str) -> Subject {
    Subject::KeyAlias(limit_subject::KeyAlias { key: key.to_owned(), alias: alias.to_owned() })
}

fn account_model(account: &str, model: &str) -> Subject {
    let (account, model) = (account.to_owned(), model.to_owned());
    Subject::AccountModel(limit_subject::AccountModel { account, model })
}

pub(crate) async fn add_key(channel: &Authorized, name: &str) -> VirtualKey {
    let key = VirtualKey { name: name.to_owned(), ..VirtualKey::default() };
    let mut keys = KeyServiceClient::new(channel.clone());
    let made = keys.create_key(CreateKeyRequest { key: Some(key) }).await.unwrap();
    made.into_inner().key.unwrap()
}

async fn try_set(client: &mut Client, limits: Vec<Limit>) -> Result<SetLimitsResponse, Status> {
    client.set_limits(SetLimitsRequest { limits }).await.map(tonic::Response::into_inner)
}

async fn set(client: &mut Client, limit: Limit) -> Limit {
    try_set(client, vec![limit]).await.unwrap().limits.remove(0)
}

async fn list(client: &mut Client, subject: Option<LimitSubject>) -> Vec<Limit> {
    let request = ListLimitsRequest { subject, page_size: 1_000, ..Default::default() };
    client.list_limits(request).await.unwrap().into_inner().limits
}

async fn apply(channel: &Authorized, edits: Vec<One>) -> Result<ApplyChangeResponse, Status> {
    let edits = edits.into_iter().map(|it| Edit { edit: Some(it) }).collect();
    let request = ApplyChangeRequest { edits, ..Default::default() };
    let mut catalog = CatalogServiceClient::new(channel.clone());
    catalog.apply_change(request).await.map(tonic::Response::into_inner)
}

#[tokio::test]
async fn a_limit_from_its_setting_to_its_end() {
    let plane = Plane::start().await;
    let channel = plane.admin().await;
    let mut limits = LimitServiceClient::new(channel.clone());
    let key = add_key(&channel, "k").await;
    // By id or by name: answers give the name.
    let made = set(&mut limits, per_minute(key_named(&key.id), 60)).await;
    assert!(made.id.starts_with("lim_") && made.etag == format!("r{}", made.revision));
    assert_eq!(made.subject, of(key_named("k")));
    let usual = (LimitProfile::Bucket, LimitMode::Strict, LimitAction::Enforce);
    assert_eq!((made.profile(), made.mode(), made.action()), usual);
    assert!(made.worst_case.contains("120"), "{made:?}");

    let get = GetLimitRequest { id: made.id.clone() };
    let found = limits.get_limit(get.clone()).await.unwrap().into_inner().limit.unwrap();
    assert_eq!(found, made);
    assert_eq!(list(&mut limits, None).await, std::slice::from_ref(&made));

    let stale = DeleteLimitRequest { id: made.id.clone(), etag: "r1".to_owned() };
    assert_eq!(limits.delete_limit(stale).await.unwrap_err().code(), Code::Aborted);
    let delete = DeleteLimitRequest { id: made.id.clone(), etag: made.etag.clone() };
    let deleted = limits.delete_limit(delete).await.unwrap().into_inner();
    assert_eq!(deleted.revision, made.revision + 1);
    for id in [made.id, "nonsense".to_owned()] {
        let status = limits.get_limit(GetLimitRequest { id: id.clone() }).await.unwrap_err();
        assert_eq!(status.code(), Code::NotFound);
        let delete = DeleteLimitRequest { id, etag: String::new() };
        assert_eq!(limits.delete_limit(delete).await.unwrap_err().code(), Code::NotFound);
    }
    assert!(list(&mut limits, None).await.is_empty());
}

#[tokio::test]
async fn to_set_a_limit_again_replaces_it_and_a_shadow_stands_beside() {
    let plane = Plane::start().await;
    let channel = plane.admin().await;
    let mut limits = LimitServiceClient::new(channel.clone());
    let made = set(&mut limits, per_minute(everything(), 60)).await;
    // Another amount, another profile, another mode: the same limit.
    let strict = Limit {
        profile: LimitProfile::WindowStrict.into(),
        mode: LimitMode::Availability.into(),
        warn_percent: 80,
        ..per_minute(everything(), 90)
    };
    let changed = set(&mut limits, strict.clone()).await;
    assert_eq!((&changed.id, changed.generation, changed.amount), (&made.id, 0, 90));
    assert_eq!(changed.revision, made.revision + 1);
    // Once more: nothing is written.
    assert_eq!(set(&mut limits, strict.clone()).await, changed);

    let shadow = Limit { action: LimitAction::Shadow.into(), ..per_minute(everything(), 30) };
    let shadow = set(&mut limits, shadow).await;
    assert_ne!(shadow.id, made.id);
    let hour = Limit { period: LimitPeriod::Hour.into(), ..per_minute(everything(), 1_000) };
    let tokens = Limit { measure: LimitMeasure::Tokens.into(), ..per_minute(everything(), 9) };
    let both = try_set(&mut limits, vec![hour, tokens]).await.unwrap();
    let expected = [&changed, &shadow, &both.limits[0], &both.limits[1]].map(Clone::clone);
    assert_eq!(list(&mut limits, None).await, expected);

    // An etag is compared with that of the limit of the id.
    let old = Limit { id: made.id.clone(), etag: made.etag.clone(), ..strict };
    let status = try_set(&mut limits, vec![old.clone()]).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::Aborted, "ETAG_MISMATCH"));
    let status =
        try_set(&mut limits, vec![Limit { id: String::new(), ..old.clone() }]).await.unwrap_err();
    assert_eq!(fields(&status), ["limits[0].id"]);
    let right = Limit { etag: changed.etag.clone(), amount: 91, ..old };
    assert_eq!(set(&mut limits, right).await.amount, 91);
}

#[tokio::test]
async fn windows_that_begin_at_another_moment_begin_anew() {
    let plane = Plane::start().await;
    let mut limits = LimitServiceClient::new(plane.admin().await);
    let day = |amount, zone: &str, reset_minute| Limit {
        period: LimitPeriod::Day.into(),
        time_zone: zone.to_owned(),
        reset_minute,
        ..per_minute(everything(), amount)
    };
    let mut generations = Vec::new();
    for (amount, zone, reset) in [
        (10, "UTC", 0),
        (20, "UTC", 0),
        (20, "Asia/Shanghai", 0),
        (20, "Asia/Shanghai", 570),
        (30, "Asia/Shanghai", 570),
    ] {
        generations.push(set(&mut limits, day(amount, zone, reset)).await.generation);
    }
    assert_eq!(generations, [0, 0, 1, 2, 2]);
}

#[tokio::test]
async fn all_limits_are_set_or_none_and_every_wrong_field_is_named() {
    let plane = Plane::start().await;
    let channel = plane.admin().await;
    let mut limits = LimitServiceClient::new(channel.clone());
    let zone = |zone: &str| Limit {
        period: LimitPeriod::Day.into(),
        time_zone: zone.to_owned(),
        ..per_minute(everything(), 5)
    };
    let wrong = vec![
        per_minute(everything(), 60),
        per_minute(key_named("nobody"), 0),
        zone("Mars/Olympus"),
        Limit { switch_percent: 99, ..per_minute(Subject::Alias("smart".to_owned()), 5) },
        per_minute(Subject::Provider("nobody!".to_owned()), 5),
        per_minute(everything(), 61),
    ];
    let status = try_set(&mut limits, wrong).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    let expected = [
        "limits[1].subject.key",
        "limits[1].amount",
        "limits[2].time_zone",
        "limits[3].switch_percent",
        "limits[4].subject.provider",
        "limits[5]",
    ];
    assert_eq!(fields(&status), expected, "{status}");
    assert!(list(&mut limits, None).await.is_empty());
    // What only shows when it is compiled.
    let nobody = per_minute(Subject::Provider("nobody".to_owned()), 5);
    let status = try_set(&mut limits, vec![nobody]).await.unwrap_err();
    assert_eq!(reason(&status), "CATALOG_DEFECTS", "{status}");
    for count in [0, 1_001] {
        let many = vec![per_minute(everything(), 60); count];
        assert_eq!(fields(&try_set(&mut limits, many).await.unwrap_err()), ["limits"]);
    }
    let day = set(&mut limits, zone("asia/SHANGHAI")).await;
    assert_eq!((day.time_zone.as_str(), day.profile()), ("Asia/Shanghai", LimitProfile::Calendar));
}

#[tokio::test]
async fn a_reset_begins_limits_anew_in_one_revision() {
    let plane = Plane::start().await;
    let channel = plane.admin().await;
    let mut limits = LimitServiceClient::new(channel.clone());
    for name in ["k", "other"] {
        add_key(&channel, name).await;
    }
    let subjects = [key_named("k"), key_alias("k", "smart"), key_named("other"), everything()];
    let all = subjects.iter().map(|it| per_minute(it.clone(), 60)).collect();
    let made = try_set(&mut limits, all).await.unwrap();

    let of_key = ResetLimitsRequest { subject: of(key_named("k")), ids: Vec::new() };
    let reset = limits.reset_limits(of_key).await.unwrap().into_inner();
    assert_eq!(reset.revision, made.revision + 1);
    let generations = async |limits: &mut Client| -> Vec<u32> {
        list(limits, None).await.iter().map(|it| it.generation).collect()
    };
    assert_eq!(generations(&mut limits).await, [1, 1, 0, 0]);
    let ids: Vec<_> = reset.limits.iter().map(|it| it.id.clone()).collect();
    assert_eq!(ids, [made.limits[0].id.clone(), made.limits[1].id.clone()]);
    assert!(reset.limits.iter().all(|it| it.revision == reset.revision));

    // By ids, one of them twice.
    let ids = vec![ids[0].clone(), made.limits[3].id.clone(), ids[0].clone()];
    let by_id = ResetLimitsRequest { ids, subject: None };
    assert_eq!(limits.reset_limits(by_id).await.unwrap().into_inner().limits.len(), 2);
    assert_eq!(generations(&mut limits).await, [2, 1, 0, 1]);
    // Another amount is no reset.
    assert_eq!(set(&mut limits, per_minute(key_named("k"), 61)).await.generation, 2);

    let unknown = ResetLimitsRequest { ids: vec!["lim_x".to_owned()], subject: None };
    assert_eq!(limits.reset_limits(unknown).await.unwrap_err().code(), Code::NotFound);
    let ids = vec![made.limits[0].id.clone()];
    let both = ResetLimitsRequest { ids, subject: of(everything()) };
    assert_eq!(fields(&limits.reset_limits(both).await.unwrap_err()), ["subject"]);
    let nothing = ResetLimitsRequest::default();
    assert_eq!(fields(&limits.reset_limits(nothing).await.unwrap_err()), ["subject"]);
}

#[tokio::test]
async fn limits_go_with_what_they_limit() {
    let plane = Plane::start().await;
    let channel = plane.admin().await;
    let mut limits = LimitServiceClient::new(channel.clone());
    add_key(&channel, "k").await;
    add_team(&channel, "red").await;
    add_account(&channel, "main").await;
    let endpoint = Endpoint {
        dialect: Dialect::Openai.into(),
        base_url: "http://127.0.0.1:9/v1".to_owned(),
        ..Endpoint::default()
    };
    let mine =
        Provider { name: "mine".to_owned(), endpoints: vec![endpoint], ..Provider::default() };
    let mut providers = ProviderServiceClient::new(channel.clone());
    providers.create_provider(CreateProviderRequest { provider: Some(mine) }).await.unwrap();
    let subjects = [
        everything(),
        Subject::Alias("smart".to_owned()),
        key_named("k"),
        key_alias("k", "smart"),
        Subject::Team("red".to_owned()),
        Subject::Account("main".to_owned()),
        account_model("main", "gpt-5"),
        Subject::Provider("mine".to_owned()),
    ];
    let all = subjects.iter().map(|it| per_minute(it.clone(), 60)).collect();
    try_set(&mut limits, all).await.unwrap();
    let left = async |limits: &mut Client| list(limits, None).await.len();
    assert_eq!(left(&mut limits).await, 8);

    let delete = DeleteKeyRequest { key: "k".to_owned(), etag: String::new() };
    KeyServiceClient::new(channel.clone()).delete_key(delete).await.unwrap();
    assert_eq!(left(&mut limits).await, 6);
    let delete = DeleteTeamRequest { team: "red".to_owned(), etag: String::new() };
    TeamServiceClient::new(channel.clone()).delete_team(delete).await.unwrap();
    assert_eq!(left(&mut limits).await, 5);
    let delete = DeleteAccountRequest { account: "main".to_owned(), etag: String::new() };
    AccountServiceClient::new(channel.clone()).delete_account(delete).await.unwrap();
    assert_eq!(left(&mut limits).await, 3);
    // As an edit too, also where the limits' own removal is in the same change.
    let of_mine = list(&mut limits, of(Subject::Provider("mine".to_owned()))).await;
    let edits = vec![
        One::DeleteProvider("mine".to_owned()),
        One::DeleteLimit(of_mine[0].id.clone()),
        One::PutKey(VirtualKey { name: "k".to_owned(), ..VirtualKey::default() }),
        One::PutLimit(per_minute(key_named("k"), 7)),
        One::DeleteKey("k".to_owned()),
    ];
    apply(&channel, edits).await.unwrap();
    let subjects: Vec<_> = list(&mut limits, None).await.into_iter().map(|it| it.subject).collect();
    assert_eq!(subjects, [of(everything()), of(Subject::Alias("smart".to_owned()))]);
}

/// A limit of each kind, as edits, with what they refer to.
fn much() -> Vec<One> {
    let budget = Limit {
        subject: of(Subject::Team("red".to_owned())),
        measure: LimitMeasure::Cost.into(),
        amount: 500_000_000,
        period: LimitPeriod::Month.into(),
        time_zone: "Asia/Shanghai".to_owned(),
        reset_minute: 60,
        ..Limit::default()
    };
    let quota = Limit {
        subject: of(account_model("main", "gpt-5")),
        measure: LimitMeasure::Tokens.into(),
        amount: 1_000_000,
        period: LimitPeriod::Forever.into(),
        weights: Some(TokenWeights { cached_input_percent: Some(10), ..Default::default() }),
        switch_percent: 99,
        mode: LimitMode::Availability.into(),
        ..Limit::default()
    };
    let each = Limit { period: 0, ..per_minute(key_alias("k", "smart"), 4_000) };
    let each = Limit { measure: LimitMeasure::TokensPerRequest.into(), ..each };
    let shadow = Limit { action: LimitAction::Shadow.into(), ..per_minute(key_named("k"), 7) };
    vec![
        One::PutTeam(Team { name: "red".to_owned(), ..Team::default() }),
        One::PutAccount(account("main")),
        One::PutKey(VirtualKey {
            name: "k".to_owned(),
            team: "red".to_owned(),
            ..Default::default()
        }),
        One::PutLimit(budget),
        One::PutLimit(quota),
        One::PutLimit(each),
        One::PutLimit(shadow),
        One::PutLimit(Limit { queue_ms: 500, ..per_minute(key_named("k"), 9) }),
        One::PutModel(Model {
            provider: "openai".to_owned(),
            name: "gpt-5".to_owned(),
            price: Some(Price { input_nanousd: 1, output_nanousd: 2, ..Default::default() }),
            max_output_tokens: 128_000,
            context_tokens: 400_000,
            ..Model::default()
        }),
        One::PutSettings(Settings {
            default_output_tokens: 99,
            fallback_proxies: 3,
            fetch_addresses: true,
            ..Settings::default()
        }),
    ]
}

async fn export(channel: &Authorized, without_keys: bool) -> ExportCatalogResponse {
    let mut catalog = CatalogServiceClient::new(channel.clone());
    let request = ExportCatalogRequest { without_keys, with_built_in: false };
    catalog.export_catalog(request).await.unwrap().into_inner()
}

/// An exported limit without what another installation gives it anew.
fn plain(edits: &[Edit]) -> Vec<Limit> {
    let put =
        |it: &Edit| if let Some(One::PutLimit(it)) = &it.edit { Some(it.clone()) } else { None };
    edits.iter().filter_map(put).map(|it| Limit { id: String::new(), ..it }).collect()
}

#[tokio::test]
async fn an_export_with_limits_applies_here_and_elsewhere() {
    let here = Plane::start().await;
    let channel = here.admin().await;
    let applied = apply(&channel, much()).await.unwrap();
    let exported = export(&channel, false).await;
    assert_eq!(plain(&exported.edits).len(), 5);
    let edits: Vec<_> = exported.edits.iter().filter_map(|it| it.edit.clone()).collect();
    // What operators say of the built-in model is theirs, so it is taken along.
    let told = |it: &Model| (it.name == "gpt-5").then_some(it.context_tokens);
    let told = |it: &One| if let One::PutModel(it) = it { told(it) } else { None };
    assert_eq!(edits.iter().find_map(told), Some(400_000));
    let again = apply(&channel, edits.clone()).await.unwrap();
    assert_eq!(again.revision, applied.revision);

    let there = Plane::start().await;
    let channel = there.admin().await;
    // Credentials are never exported.
    let with_credential = edits.into_iter().map(|it| {
        if matches!(it, One::PutAccount(_)) { One::PutAccount(account("main")) } else { it }
    });
    apply(&channel, with_credential.collect()).await.unwrap();
    assert_eq!(plain(&export(&channel, false).await.edits), plain(&exported.edits));
    // Without keys, what limits keys has nobody to limit.
    assert_eq!(plain(&export(&channel, true).await.edits).len(), 2);
}

#[tokio::test]
async fn a_wrong_limit_in_a_change_is_named_and_nothing_is_written() {
    let plane = Plane::start().await;
    let channel = plane.admin().await;
    let edits = vec![
        One::PutTeam(Team { name: "red".to_owned(), ..Team::default() }),
        One::PutLimit(per_minute(Subject::Team("red".to_owned()), 0)),
        One::DeleteLimit("lim_nonsense".to_owned()),
    ];
    let status = apply(&channel, edits).await.unwrap_err();
    assert_eq!(fields(&status), ["edits[1].put_limit.amount", "edits[2].delete_limit"]);
    assert!(export(&channel, false).await.edits.len() == 1);
    let stale =
        Limit { id: "lim_x".to_owned(), etag: "r1".to_owned(), ..per_minute(everything(), 5) };
    let status = apply(&channel, vec![One::PutLimit(stale)]).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
}

#[tokio::test]
async fn limits_are_there_after_a_restart_and_beside() {
    let first = Plane::start().await;
    let channel = first.admin().await;
    apply(&channel, much()).await.unwrap();
    let mut limits = LimitServiceClient::new(channel);
    let before = list(&mut limits, None).await;
    assert_eq!(before.len(), 5);
    let second = Plane::beside(&first).await;
    let channel = second.admin().await;
    let mut elsewhere = LimitServiceClient::new(channel.clone());
    assert_eq!(list(&mut elsewhere, None).await, before);
    let mut settings = SettingsServiceClient::new(channel.clone());
    let found = settings.get_settings(GetSettingsRequest {}).await.unwrap().into_inner();
    let found = found.settings.unwrap();
    assert_eq!((found.default_output_tokens, found.fallback_proxies), (99, 3));
    assert!(found.fetch_addresses);
    // What was just made there can be named here, and is limited at once.
    add_team(&channel, "late").await;
    assert!(list(&mut limits, of(Subject::Team("late".to_owned()))).await.is_empty());
    set(&mut limits, per_minute(Subject::Team("late".to_owned()), 5)).await;
    assert_eq!(list(&mut elsewhere, of(Subject::Team("late".to_owned()))).await.len(), 1);
    let request = ListLimitsRequest { subject: of(key_named("nobody")), ..Default::default() };
    assert_eq!(fields(&limits.list_limits(request).await.unwrap_err()), ["subject.key"]);
    let request = ListLimitsRequest { page_size: 1_001, ..Default::default() };
    assert_eq!(fields(&limits.list_limits(request).await.unwrap_err()), ["page_size"]);
}

#[tokio::test]
async fn what_a_built_in_model_costs_is_for_operators_to_say() {
    let plane = Plane::start().await;
    let mut models = ModelServiceClient::new(plane.admin().await);
    let id = "openai/gpt-5".to_owned();
    let found = models.get_model(GetModelRequest { model: id }).await.unwrap().into_inner();
    let found = found.model.unwrap();
    assert!(found.built_in && found.price.is_none() && found.max_output_tokens == 0);
    assert_eq!(found.context_tokens, 0);
    let price = Price { input_nanousd: 5, cached_input_nanousd: Some(0), ..Default::default() };
    let priced = Model { price: Some(price), max_output_tokens: 7, ..found.clone() };
    let priced = Model { context_tokens: 9, ..priced };
    let request = UpdateModelRequest { model: Some(priced), update_mask: None };
    let stored = models.update_model(request).await.unwrap().into_inner().model.unwrap();
    let expected = Price { cache_write_nanousd: Some(5), ..price };
    assert_eq!((stored.price, stored.max_output_tokens), (Some(expected), 7));
    assert_eq!(stored.context_tokens, 9);
    let mask = Some(prost_types::FieldMask { paths: vec!["price".to_owned()] });
    let unpriced = Model { price: None, etag: stored.etag, ..found.clone() };
    let request = UpdateModelRequest { model: Some(unpriced), update_mask: mask };
    let stored = models.update_model(request).await.unwrap().into_inner().model.unwrap();
    assert_eq!((stored.price, stored.max_output_tokens, stored.context_tokens), (None, 7, 9));
    let other = Model { operations: vec![Operation::Embeddings.into()], ..found };
    let other = Model { etag: String::new(), ..other };
    let request = UpdateModelRequest { model: Some(other), update_mask: None };
    assert_eq!(reason(&models.update_model(request).await.unwrap_err()), "BUILT_IN");
}
