//! Secrets at rest: sealed, bound to their place, and useless under another master key.

use crate::fixture::{Fixture, account, catalog, vault};
use domain::catalog::Edit;
use sluice_control_plane::store::StoreError;

#[tokio::test]
async fn a_credential_comes_back_and_lies_nowhere_in_clear() {
    let mut fixture = Fixture::create().await;
    let main = account("main", "sk-very-secret");
    fixture.put(vec![Edit::PutAccount(main.clone())]).await;
    let loaded = catalog(fixture.load().await.unwrap());
    assert_eq!(loaded.accounts[&main.id], main);
    let client = fixture.client().await;
    let tables = client
        .query("SELECT tablename FROM pg_tables WHERE schemaname = 'public'", &[])
        .await
        .unwrap();
    assert!(tables.len() > 10);
    for table in tables {
        let table: String = table.get(0);
        let dump =
            format!("SELECT t::text, encode(convert_to(t::text, 'UTF8'), 'hex') FROM {table} t");
        for row in client.query(&dump, &[]).await.unwrap() {
            let text: String = row.get(0);
            // A bytea shows as the hexadecimal digits of its bytes.
            assert!(!text.contains("sk-very-secret"), "{table}");
            assert!(!text.contains("736b2d766572792d736563726574"), "{table}");
        }
    }
}

#[tokio::test]
async fn another_master_key_is_refused() {
    let fixture = Fixture::create().await;
    fixture.put(vec![Edit::PutAccount(account("main", "sk-1"))]).await;
    fixture.store.verify_vault(&fixture.vault).await.unwrap();
    let error = fixture.store.verify_vault(&vault(8)).await.unwrap_err();
    assert!(matches!(error, StoreError::WrongMasterKey), "{error}");
    let error = fixture.store.load(&vault(8)).await.unwrap_err();
    assert!(matches!(error, StoreError::WrongMasterKey), "{error}");
}

#[tokio::test]
async fn a_sealed_text_moved_to_another_row_or_column_is_refused() {
    for swap in [
        "UPDATE account SET sealed_credential =
            (SELECT sealed_credential FROM account other WHERE other.name <> account.name LIMIT 1)",
        "UPDATE account SET sealed_credential = sealed_proxy, sealed_proxy = sealed_credential",
        "UPDATE account SET secret_version = secret_version - 1",
    ] {
        let mut fixture = Fixture::create().await;
        fixture.put(vec![Edit::PutAccount(account("a", "sk-a"))]).await;
        fixture.put(vec![Edit::PutAccount(account("b", "sk-b"))]).await;
        let client = fixture.client().await;
        client.batch_execute(swap).await.unwrap();
        let error = fixture.load().await.unwrap_err();
        assert!(matches!(error, StoreError::Corrupt { .. }), "{swap}: {error}");
        assert!(error.to_string().contains("acct_"), "{error}");
    }
}

#[tokio::test]
async fn lists_tell_of_secrets_without_opening_them() {
    let fixture = Fixture::create().await;
    let main = account("main", "sk-1");
    fixture.put(vec![Edit::PutAccount(main.clone())]).await;
    for name in [main.name.to_string(), main.id.to_string()] {
        let stored = fixture.store.get_account(&name).await.unwrap().unwrap();
        assert!(stored.item.has_credential && stored.item.has_proxy);
        assert_eq!(stored.item.account.credential, None);
        assert_eq!(stored.item.account.client.proxy, None);
        assert_eq!(stored.revision, 2);
    }
    assert_eq!(fixture.store.get_account("none").await.unwrap(), None);
}
