//! Create, read, list, update and delete, noun by noun.

use crate::plane::{Authorized, Plane};
use prost_types::FieldMask;
use proto::admin::v1::{
    account_service_client::AccountServiceClient, key_service_client::KeyServiceClient,
    model_service_client::ModelServiceClient, provider_service_client::ProviderServiceClient,
    route_service_client::RouteServiceClient, settings_service_client::SettingsServiceClient,
    team_service_client::TeamServiceClient, *,
};
use tonic::{Code, Status};
use tonic_types::StatusExt;

fn mask(paths: &[&str]) -> Option<FieldMask> {
    Some(FieldMask { paths: paths.iter().map(ToString::to_string).collect() })
}

pub(crate) fn fields(status: &Status) -> Vec<String> {
    let details = status.get_error_details();
    let violations = details.bad_request().map(|it| it.field_violations.clone());
    violations.unwrap_or_default().into_iter().map(|it| it.field).collect()
}

pub(crate) fn reason(status: &Status) -> String {
    status.get_error_details().error_info().map(|it| it.reason.clone()).unwrap_or_default()
}

pub(crate) fn account(name: &str) -> Account {
    Account {
        name: name.to_owned(),
        provider: "openai".to_owned(),
        credential: "sk-canary-1".to_owned(),
        ..Account::default()
    }
}

pub(crate) async fn add_account(channel: &Authorized, name: &str) -> Account {
    let request = CreateAccountRequest { account: Some(account(name)) };
    let mut accounts = AccountServiceClient::new(channel.clone());
    accounts.create_account(request).await.unwrap().into_inner().account.unwrap()
}

pub(crate) async fn add_team(channel: &Authorized, name: &str) -> Team {
    let team = Team { name: name.to_owned(), ..Team::default() };
    let mut teams = TeamServiceClient::new(channel.clone());
    let request = CreateTeamRequest { team: Some(team) };
    teams.create_team(request).await.unwrap().into_inner().team.unwrap()
}

#[tokio::test]
async fn a_team_from_its_creation_to_its_end() {
    let plane = Plane::start().await;
    let channel = plane.admin().await;
    let mut teams = TeamServiceClient::new(channel.clone());
    let made = add_team(&channel, "team-a").await;
    assert!(made.id.starts_with("team_") && made.etag == format!("r{}", made.revision));

    let again = Team { name: "team-a".to_owned(), ..Team::default() };
    let status = teams.create_team(CreateTeamRequest { team: Some(again) }).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::AlreadyExists, "ALREADY_EXISTS"));

    for asked in [&made.id, &made.name] {
        let found = teams.get_team(GetTeamRequest { team: asked.clone() }).await.unwrap();
        assert_eq!(found.into_inner().team.as_ref(), Some(&made));
    }

    let team = Team { description: "chat".to_owned(), etag: made.etag.clone(), ..made.clone() };
    let request = UpdateTeamRequest { team: Some(team.clone()), update_mask: None };
    let updated = teams.update_team(request).await.unwrap().into_inner().team.unwrap();
    assert_eq!(updated.description, "chat");
    assert!(made.revision < updated.revision);

    let request = UpdateTeamRequest { team: Some(team), update_mask: None };
    let status = teams.update_team(request).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::Aborted, "ETAG_MISMATCH"));

    let stale = DeleteTeamRequest { team: made.id.clone(), etag: made.etag };
    assert_eq!(teams.delete_team(stale).await.unwrap_err().code(), Code::Aborted);
    let request = DeleteTeamRequest { team: made.id.clone(), etag: updated.etag };
    let deleted = teams.delete_team(request).await.unwrap().into_inner();
    assert_eq!(deleted.revision, updated.revision + 1);
    let status = teams.get_team(GetTeamRequest { team: made.id.clone() }).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
    let details = status.get_error_details();
    assert_eq!(details.resource_info().unwrap().resource_name, made.id);
}

#[tokio::test]
async fn a_write_that_changes_nothing_makes_no_revision() {
    let plane = Plane::start().await;
    let channel = plane.admin().await;
    let mut teams = TeamServiceClient::new(channel.clone());
    let made = add_team(&channel, "team-a").await;
    let request = UpdateTeamRequest { team: Some(made.clone()), update_mask: mask(&["*"]) };
    let same = teams.update_team(request).await.unwrap().into_inner().team.unwrap();
    assert_eq!(same, made);
}

#[tokio::test]
async fn masks_say_what_is_replaced_and_unknown_paths_are_named() {
    let plane = Plane::start().await;
    let channel = plane.admin().await;
    let mut accounts = AccountServiceClient::new(channel.clone());
    let made = add_account(&channel, "main").await;
    assert!(made.has_credential && made.credential.is_empty() && !made.has_proxy);

    let client = ClientSettings { idle_timeout_ms: 7, connect_timeout_ms: 8, ..Default::default() };
    let update = Account {
        name: "main".to_owned(),
        client: Some(client),
        disabled: true,
        proxy: "http://u:canary-2@proxy:1".to_owned(),
        ..Account::default()
    };
    let paths = ["client.idle_timeout_ms", "proxy", "credential"];
    let request = UpdateAccountRequest { account: Some(update.clone()), update_mask: mask(&paths) };
    let updated = accounts.update_account(request).await.unwrap().into_inner().account.unwrap();
    let client = updated.client.unwrap();
    assert_eq!((client.idle_timeout_ms, client.connect_timeout_ms), (7, 5_000));
    assert!(!updated.disabled && updated.has_proxy && updated.has_credential);

    let gone = Account { proxy: String::new(), ..update.clone() };
    let request = UpdateAccountRequest { account: Some(gone), update_mask: mask(&["proxy"]) };
    let updated = accounts.update_account(request).await.unwrap().into_inner().account.unwrap();
    assert!(!updated.has_proxy);

    let request = UpdateAccountRequest {
        account: Some(update),
        update_mask: mask(&["nonsense", "name", "id"]),
    };
    let status = accounts.update_account(request).await.unwrap_err();
    assert_eq!((status.code(), fields(&status).len()), (Code::InvalidArgument, 3));
    assert!(status.message().contains("`nonsense`"), "{status}");
}

#[tokio::test]
async fn everything_wrong_with_an_item_is_said_at_once() {
    let plane = Plane::start().await;
    let channel = plane.admin().await;
    let mut accounts = AccountServiceClient::new(channel.clone());
    let bad = Account { name: "A B".to_owned(), provider: "Ü".to_owned(), ..Account::default() };
    let status =
        accounts.create_account(CreateAccountRequest { account: Some(bad) }).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert_eq!(fields(&status), ["account.name", "account.provider"]);

    // What only shows when it is compiled: no credential, a bad URL, a bad timeout.
    let bad = Account {
        credential: String::new(),
        base_urls: vec![BaseUrl { dialect: Dialect::Openai.into(), url: "ftp://x".to_owned() }],
        client: Some(ClientSettings { idle_timeout_ms: 99_999_999, ..Default::default() }),
        ..account("main")
    };
    let status =
        accounts.create_account(CreateAccountRequest { account: Some(bad) }).await.unwrap_err();
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::InvalidArgument, "CATALOG_DEFECTS")
    );
    assert_eq!(fields(&status).len(), 3, "{status:?}");
    let missing = accounts.create_account(CreateAccountRequest { account: None }).await;
    assert_eq!(fields(&missing.unwrap_err()), ["account"]);
}

#[tokio::test]
async fn what_is_in_use_or_built_in_cannot_be_deleted() {
    let plane = Plane::start().await;
    let channel = plane.admin().await;
    let mut routes = RouteServiceClient::new(channel.clone());
    add_account(&channel, "main").await;
    let team = add_team(&channel, "team-a").await;
    let target = Target { account: "main".to_owned(), ..Target::default() };
    let tiers = vec![Tier { targets: vec![target] }];
    let route = Route { alias: "smart".to_owned(), tiers, ..Route::default() };
    let route = routes.create_route(CreateRouteRequest { route: Some(route) }).await.unwrap();
    let route = route.into_inner().route.unwrap();
    let target = &route.tiers[0].targets[0];
    assert_eq!((target.account.as_str(), target.weight), ("main", Some(1)));
    let key = VirtualKey { name: "k".to_owned(), team: team.id.clone(), ..Default::default() };
    let mut keys = KeyServiceClient::new(channel.clone());
    keys.create_key(CreateKeyRequest { key: Some(key) }).await.unwrap();

    let request = DeleteAccountRequest { account: "main".to_owned(), etag: String::new() };
    let mut accounts = AccountServiceClient::new(channel.clone());
    let status = accounts.delete_account(request).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::FailedPrecondition, "IN_USE"));
    assert!(status.message().contains("route `smart`"), "{status}");
    let request = DeleteTeamRequest { team: "team-a".to_owned(), etag: String::new() };
    let status = TeamServiceClient::new(channel.clone()).delete_team(request).await.unwrap_err();
    assert!(status.message().contains("key `k`"), "{status}");

    let mut providers = ProviderServiceClient::new(channel.clone());
    let request = DeleteProviderRequest { name: "openai".to_owned(), etag: String::new() };
    let status = providers.delete_provider(request).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::FailedPrecondition, "BUILT_IN"));
    let mut changed =
        providers.get_provider(GetProviderRequest { name: "openai".to_owned() }).await.unwrap();
    let provider = changed.get_mut().provider.take().unwrap();
    assert!(provider.built_in);
    let provider = Provider { title: "Mine".to_owned(), ..provider };
    let request = UpdateProviderRequest { provider: Some(provider), update_mask: None };
    let status = providers.update_provider(request).await.unwrap_err();
    assert_eq!(reason(&status), "BUILT_IN");
}

#[tokio::test]
async fn an_own_provider_is_free_once_nothing_refers_to_it() {
    let plane = Plane::start().await;
    let channel = plane.admin().await;
    let mut providers = ProviderServiceClient::new(channel.clone());
    let mut models = ModelServiceClient::new(channel.clone());
    let endpoint = Endpoint {
        dialect: Dialect::Openai.into(),
        base_url: "http://127.0.0.1:9/v1".to_owned(),
        ..Endpoint::default()
    };
    let provider = Provider {
        name: "mine".to_owned(),
        endpoints: vec![endpoint],
        built_in: true,
        ..Provider::default()
    };
    let made = providers
        .create_provider(CreateProviderRequest { provider: Some(provider) })
        .await
        .unwrap()
        .into_inner()
        .provider
        .unwrap();
    assert!(!made.built_in && made.title == "mine");
    let model =
        Model { provider: "mine".to_owned(), name: "org/m-1".to_owned(), ..Model::default() };
    let made = models.create_model(CreateModelRequest { model: Some(model) }).await.unwrap();
    assert_eq!(made.into_inner().model.unwrap().operations, [i32::from(Operation::Chat)]);

    let delete = DeleteProviderRequest { name: "mine".to_owned(), etag: String::new() };
    let status = providers.delete_provider(delete.clone()).await.unwrap_err();
    assert!(status.message().contains("model `mine/org/m-1`"), "{status}");
    let id = "mine/org/m-1".to_owned();
    let found = models.get_model(GetModelRequest { model: id.clone() }).await.unwrap();
    let etag = found.into_inner().model.unwrap().etag;
    models.delete_model(DeleteModelRequest { model: id, etag }).await.unwrap();
    providers.delete_provider(delete).await.unwrap();
}

#[tokio::test]
async fn a_route_is_lenient_unless_it_is_told_to_be_strict() {
    let plane = Plane::start().await;
    let channel = plane.admin().await;
    let mut routes = RouteServiceClient::new(channel.clone());
    add_account(&channel, "main").await;
    let target = Target { account: "main".to_owned(), ..Target::default() };
    let tiers = vec![Tier { targets: vec![target] }];
    let route = Route { alias: "smart".to_owned(), tiers, ..Route::default() };
    let made = routes.create_route(CreateRouteRequest { route: Some(route.clone()) }).await;
    let made = made.unwrap().into_inner().route.unwrap();
    assert_eq!(made.translation(), Translation::Lenient);

    let change = |translation: i32| {
        let route = Route { translation, ..route.clone() };
        UpdateRouteRequest { route: Some(route), update_mask: mask(&["translation"]) }
    };
    let status = routes.update_route(change(9)).await.unwrap_err();
    assert_eq!(fields(&status), ["route.translation"]);
    let changed = routes.update_route(change(Translation::Strict.into())).await.unwrap();
    let changed = changed.into_inner().route.unwrap();
    assert_eq!((changed.translation(), changed.tiers.len()), (Translation::Strict, 1));
    let found = routes.get_route(GetRouteRequest { alias: "smart".to_owned() }).await.unwrap();
    assert_eq!(found.into_inner().route.unwrap().translation(), Translation::Strict);
}

#[tokio::test]
async fn settings_are_read_and_replaced() {
    let plane = Plane::start().await;
    let mut client = SettingsServiceClient::new(plane.admin().await);
    let found = client.get_settings(GetSettingsRequest {}).await.unwrap().into_inner();
    let found = found.settings.unwrap();
    assert_eq!((found.max_attempts, found.attempt_deadline_ms), (3, 60_000));
    let settings = Settings { max_attempts: 5, etag: found.etag.clone(), ..Settings::default() };
    let request = UpdateSettingsRequest { settings: Some(settings), update_mask: None };
    let changed = client.update_settings(request.clone()).await.unwrap().into_inner();
    let changed = changed.settings.unwrap();
    assert_eq!((changed.max_attempts, changed.attempt_deadline_ms), (5, 60_000));
    assert_eq!(client.update_settings(request).await.unwrap_err().code(), Code::Aborted);
    let settings = Settings { max_attempts: 21, ..Settings::default() };
    let request = UpdateSettingsRequest { settings: Some(settings), update_mask: None };
    let status = client.update_settings(request).await.unwrap_err();
    assert_eq!(fields(&status), ["settings.max_attempts"]);
}

#[tokio::test]
async fn lists_come_in_pages() {
    let plane = Plane::start().await;
    let channel = plane.admin().await;
    let mut teams = TeamServiceClient::new(channel.clone());
    for at in 0..5 {
        add_team(&channel, &format!("team-{at}")).await;
    }
    let mut names = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = ListTeamsRequest { page_size: 2, page_token };
        let page = teams.list_teams(request).await.unwrap().into_inner();
        assert!(page.teams.len() <= 2);
        names.extend(page.teams.into_iter().map(|it| it.name));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(names, ["team-0", "team-1", "team-2", "team-3", "team-4"]);
    for (page_size, page_token, field) in [(2, "nonsense", "page_token"), (1_001, "", "page_size")]
    {
        let request = ListTeamsRequest { page_size, page_token: page_token.to_owned() };
        assert_eq!(fields(&teams.list_teams(request).await.unwrap_err()), [field]);
    }
    let request = ListKeysRequest { team: "nobody".to_owned(), ..Default::default() };
    let status = KeyServiceClient::new(channel.clone()).list_keys(request).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
}
