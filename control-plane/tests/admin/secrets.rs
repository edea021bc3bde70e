//! What goes in and must never come out.

use crate::{
    nouns::{account, add_account},
    plane::{Authorized, Plane},
};
use prost::Message;
use proto::admin::v1::{
    account_service_client::AccountServiceClient, catalog_service_client::CatalogServiceClient,
    key_service_client::KeyServiceClient, *,
};

fn check<T: Message + std::fmt::Debug>(answer: &T, canaries: &[&str]) {
    let bytes = answer.encode_to_vec();
    for canary in canaries {
        let needle = canary.as_bytes();
        let found = bytes.windows(needle.len()).any(|it| it == needle);
        assert!(!found, "{canary} is in {answer:?}");
    }
}

async fn export(channel: &Authorized) -> ExportCatalogResponse {
    let mut catalog = CatalogServiceClient::new(channel.clone());
    let request = ExportCatalogRequest { without_keys: false, with_built_in: true };
    catalog.export_catalog(request).await.unwrap().into_inner()
}

#[tokio::test]
async fn credentials_proxies_and_keys_texts_are_in_no_answer() {
    let plane = Plane::start().await;
    let channel = plane.admin().await;
    let mut accounts = AccountServiceClient::new(channel.clone());
    let mut keys = KeyServiceClient::new(channel.clone());

    let key = VirtualKey { name: "k".to_owned(), ..VirtualKey::default() };
    let made = keys.create_key(CreateKeyRequest { key: Some(key) }).await.unwrap().into_inner();
    let text = made.secret.clone();
    assert!(text.starts_with("slc_sk_") && text.len() == 56);
    let canaries = ["sk-canary-1", "canary-2", text.as_str()];

    check(&add_account(&channel, "main").await, &canaries);
    let update = Account { proxy: "http://u:canary-2@h:1".to_owned(), ..account("main") };
    let request = UpdateAccountRequest { account: Some(update), update_mask: None };
    check(&accounts.update_account(request).await.unwrap().into_inner(), &canaries);
    let request = GetAccountRequest { account: "main".to_owned() };
    check(&accounts.get_account(request).await.unwrap().into_inner(), &canaries);
    let list = accounts.list_accounts(ListAccountsRequest::default()).await.unwrap();
    check(&list.into_inner(), &canaries);
    let request = GetKeyRequest { key: "k".to_owned() };
    check(&keys.get_key(request).await.unwrap().into_inner(), &canaries);
    let list = keys.list_keys(ListKeysRequest::default()).await.unwrap();
    check(&list.into_inner(), &canaries);
    check(&export(&channel).await, &canaries);
}

#[tokio::test]
async fn a_refused_secret_is_not_in_the_refusal() {
    let plane = Plane::start().await;
    let mut accounts = AccountServiceClient::new(plane.admin().await);
    let bad = Account {
        proxy: "ftp://u:canary-2@h".to_owned(),
        base_urls: vec![BaseUrl {
            dialect: Dialect::Openai.into(),
            url: "https://u:sk-canary-1@h/v1".to_owned(),
        }],
        ..account("main")
    };
    let request = CreateAccountRequest { account: Some(bad) };
    let status = accounts.create_account(request).await.unwrap_err();
    let details = String::from_utf8_lossy(status.details()).into_owned();
    let text = format!("{} {details}", status.message());
    assert!(!text.contains("canary"), "{text}");
}
