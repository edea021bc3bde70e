//! How accounts are spoken to.

use crate::{
    stage::{ANSWER, CHAT, EVENTS, MAIN_CREDENTIAL, Plan, REVISION, Stage, header, id},
    upstream::Step,
};
use domain::{
    catalog::{Account, AuthStyle, Edit},
    secret::Secret,
};

#[tokio::test]
async fn an_account_adds_its_own_headers() {
    let mut plan = Plan::new().await;
    plan.accounts[0].client.extra_headers = vec![("OpenAI-Organization".into(), "org-1".into())];
    let stage = plan.start().await;
    stage.main.then_json(200, ANSWER);
    let request = stage.post("/v1/chat/completions", CHAT).header("openai-organization", "org-2");
    request.send().await.unwrap();
    assert_eq!(stage.main.only().header("openai-organization").as_deref(), Some("org-1"));
}

#[tokio::test]
async fn connections_to_an_upstream_are_used_again() {
    let stage = Stage::new().await;
    for _ in 0..5 {
        stage.main.then_json(200, ANSWER);
        stage.chat().await.bytes().await.unwrap();
        stage.main.then_events(&EVENTS);
        stage.stream().await.bytes().await.unwrap();
    }
    assert_eq!(stage.main.connections(), 1);
    stage.records(10).await;
}

#[tokio::test]
async fn a_connection_that_is_closed_as_it_is_used_again_costs_nobody_an_answer() {
    for end in [Step::Close, Step::Reset] {
        let mut plan = Plan::new().await;
        plan.routes[0].tiers.truncate(1);
        let stage = plan.start().await;
        stage.main.then_json(200, ANSWER);
        stage.chat().await.bytes().await.unwrap();
        // The upstream's patience ends in the moment in which the next request comes.
        stage.main.then(vec![end]).then_json(200, ANSWER);
        let response = stage.chat().await;
        assert_eq!(response.status(), 200);
        assert_eq!(header(&response, "x-sluice-attempts").as_deref(), Some("1"));
        assert_eq!(response.text().await.unwrap(), ANSWER);
        let got = stage.main.got();
        assert_eq!((got.len(), stage.main.connections()), (3, 2));
        assert_eq!((got[1].text(), got[1].headers.len()), (got[2].text(), got[2].headers.len()));
        stage.records(2).await;
    }
}

#[tokio::test]
async fn a_request_is_sent_once_more_and_not_for_ever() {
    let mut plan = Plan::new().await;
    plan.routes[0].tiers.truncate(1);
    let stage = plan.start().await;
    stage.main.then_json(200, ANSWER);
    stage.chat().await.bytes().await.unwrap();
    stage.main.then(vec![Step::Close]).then(vec![Step::Close]).then_json(200, ANSWER);
    assert_eq!(stage.chat().await.status(), 502);
    let garbage = || vec![Step::Send(b"not http at all\r\n\r\n".to_vec()), Step::Close];
    assert_eq!(stage.chat().await.status(), 200);
    stage.main.then(garbage());
    assert_eq!(stage.chat().await.status(), 502);
    assert_eq!(stage.main.got().len(), 5);
}

#[tokio::test]
async fn an_accounts_proxy_is_asked_in_its_place() {
    let mut plan = Plan::new().await;
    let proxy = format!(
        "http://user:word@{}",
        plan.accounts[1].base_urls[0].url.split('/').nth(2).unwrap()
    );
    plan.accounts[0].client.proxy = Some(Secret::new(proxy));
    for base in &mut plan.accounts[0].base_urls {
        base.url = "http://provider.invalid/v1".to_owned();
    }
    let stage = plan.start().await;
    stage.spare.then_json(200, ANSWER);
    let response = stage.chat().await;
    assert_eq!(header(&response, "x-sluice-account").as_deref(), Some("main"));
    let got = stage.spare.only();
    assert_eq!(got.line, "POST http://provider.invalid/v1/chat/completions");
    assert_eq!(got.header("authorization"), Some(format!("Bearer {MAIN_CREDENTIAL}")));
    assert!(got.header("proxy-authorization").is_some_and(|it| it.starts_with("Basic ")));
}

#[tokio::test]
async fn a_changed_account_is_spoken_to_anew_and_others_keep_their_connections() {
    let stage = Stage::new().await;
    let one_each = async |revision: u64| {
        stage.main.then_json(500, "{}");
        stage.spare.then_json(200, ANSWER);
        let response = stage.chat().await;
        assert_eq!(header(&response, "x-sluice-revision"), Some(revision.to_string()));
        response.bytes().await.unwrap();
    };
    one_each(REVISION).await;
    let before = stage.cell.load_full().unwrap();
    let mut account = Account::clone(&before.catalog().accounts[&id(1)]);
    account.credential = Some(Secret::new("sk-rotated-1234567890".to_owned()));
    let after = before.amend(vec![Edit::PutAccount(account.into())], REVISION + 1).unwrap();
    stage.cell.store(Some(after.into()));
    one_each(REVISION + 1).await;
    let told: Vec<_> = stage.main.got().iter().map(|it| it.header("authorization")).collect();
    let bearer = |it: &str| Some(format!("Bearer {it}"));
    assert_eq!(told, [bearer(MAIN_CREDENTIAL), bearer("sk-rotated-1234567890")]);
    assert_eq!((stage.main.connections(), stage.spare.connections()), (2, 1));
}

#[tokio::test]
async fn what_of_a_query_is_said_to_us_is_not_said_to_the_provider() {
    for (query, expected) in [
        ("?api-version=2024-06-01&x=1", "?x=1"),
        ("?Api%2DVersion=2024-06-01", ""),
        ("?key=secret&beta", "?beta"),
        ("?a=%20&b", "?a=%20&b"),
    ] {
        let stage = Stage::new().await;
        stage.main.then_json(200, ANSWER);
        let path = format!("/openai/deployments/fast/chat/completions{query}");
        stage.post(&path, CHAT).send().await.unwrap();
        assert_eq!(stage.main.only().line, format!("POST /v1/chat/completions{expected}"));
    }
}

#[tokio::test]
async fn a_token_that_a_provider_refuses_is_shown_to_it_once() {
    let mut plan = Plan::new().await;
    plan.routes[0].tiers.truncate(1);
    let token_url = plan.accounts[1].base_urls[0].url.replace("/v1", "/token");
    let auth = AuthStyle::EntraClientCredentials { token_url, scope: "s".to_owned() };
    plan.providers[0].endpoints[0].auth = auth;
    for account in &mut plan.accounts {
        account.credential = Some(Secret::new("id-1:sk-secret".to_owned()));
    }
    let stage = plan.start().await;
    stage.spare.then_json(200, r#"{"access_token":"t-1","expires_in":3599}"#);
    stage.spare.then_json(200, r#"{"access_token":"t-2","expires_in":3599}"#);
    stage.main.then_json(401, "{}").then_json(200, ANSWER);
    assert!(!stage.chat().await.status().is_success());
    assert_eq!(stage.chat().await.status(), 200);
    let told: Vec<_> = stage.main.got().iter().map(|it| it.header("authorization")).collect();
    assert_eq!(told, ["t-1", "t-2"].map(|it| Some(format!("Bearer {it}"))));
}
