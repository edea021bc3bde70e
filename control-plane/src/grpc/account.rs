//! Accounts over gRPC. Credentials go in and never come out.

use super::{
    Answer, Desk, answer, asked,
    draft::{Draft, References},
    page,
    refusal::Kind,
    required, status,
    write::{Done, Expected, Terms, etag, id_or_name},
};
use crate::store::{Stored, StoredAccount};
use domain::id::AccountId;
use proto::{
    admin::v1::{self, account_service_server::AccountService},
    convert::catalog::account_to,
};
use tonic::Request;

fn shown(stored: &Stored<StoredAccount>) -> v1::Account {
    let StoredAccount { account, has_credential, has_proxy } = &stored.item;
    v1::Account {
        has_credential: *has_credential,
        has_proxy: *has_proxy,
        revision: stored.revision,
        etag: etag(stored.revision),
        ..account_to(account)
    }
}

impl Desk {
    async fn account_done(
        &self,
        done: Done<AccountId>,
    ) -> Result<Option<v1::Account>, tonic::Status> {
        let id = done.item.to_string();
        let written = || {
            let item = done.snapshot.catalog().accounts.get(&done.item)?;
            let (has_credential, has_proxy) =
                (item.credential.is_some(), item.client.proxy.is_some());
            let account = (**item).clone();
            Some(done.stored_now(StoredAccount { account, has_credential, has_proxy }))
        };
        let stored = self.stored(self.store.get_account(&id), written).await?;
        Ok(Some(shown(&stored)))
    }
}

#[tonic::async_trait]
impl AccountService for Desk {
    async fn create_account(
        &self,
        request: Request<v1::CreateAccountRequest>,
    ) -> Answer<v1::CreateAccountResponse> {
        let wire = required("account", asked(request).account)?;
        let plan =
            |draft: &mut Draft| draft.create_account(wire).map_err(|it| it.within("account"));
        let done = self.write(Terms::default(), plan).await?;
        answer(v1::CreateAccountResponse { account: self.account_done(done).await? })
    }

    async fn get_account(
        &self,
        request: Request<v1::GetAccountRequest>,
    ) -> Answer<v1::GetAccountResponse> {
        let name = asked(request).account;
        let found = self.read(self.store.get_account(&name)).await?;
        let found = found.ok_or_else(|| status::not_found(Kind::Account, &name))?;
        answer(v1::GetAccountResponse { account: Some(shown(&found)) })
    }

    async fn list_accounts(
        &self,
        request: Request<v1::ListAccountsRequest>,
    ) -> Answer<v1::ListAccountsResponse> {
        let asked = asked(request);
        let page = page::page(asked.page_size, &asked.page_token).map_err(status::of_refusal)?;
        let list = self.read(self.store.list_accounts(&page)).await?;
        answer(v1::ListAccountsResponse {
            accounts: list.items.iter().map(shown).collect(),
            next_page_token: page::token(list.next),
        })
    }

    async fn update_account(
        &self,
        request: Request<v1::UpdateAccountRequest>,
    ) -> Answer<v1::UpdateAccountResponse> {
        let asked = asked(request);
        let wire = required("account", asked.account)?;
        let expected = Expected::new(Kind::Account, id_or_name(&wire.id, &wire.name), &wire.etag);
        let plan = |draft: &mut Draft| {
            let updated = draft.update_account(&wire, asked.update_mask.as_ref());
            updated.map_err(|it| it.within("account"))
        };
        let done = self.write(Terms::of(expected), plan).await?;
        answer(v1::UpdateAccountResponse { account: self.account_done(done).await? })
    }

    async fn delete_account(
        &self,
        request: Request<v1::DeleteAccountRequest>,
    ) -> Answer<v1::DeleteAccountResponse> {
        let asked = asked(request);
        let expected = Expected::new(Kind::Account, &asked.account, &asked.etag);
        let plan = |draft: &mut Draft| draft.delete_account(&asked.account, References::Refuse);
        let done = self.write(Terms::of(expected), plan).await?;
        answer(v1::DeleteAccountResponse { revision: done.revision })
    }
}
