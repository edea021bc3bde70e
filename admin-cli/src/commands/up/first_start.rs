//! What a fresh installation needs before its first request: accounts, a key, a context.
//!
//! Accounts for providers whose variable is set are looked for on every start.

use std::{collections::BTreeSet, path::Path};

use proto::admin::v1;
use url::Url;

use crate::{
    client::{Address, Client},
    commands::{account, part, provider},
    contexts::{self, Server},
    env,
    failure::Outcome,
    output,
};

/// The demo provider's name in the catalog, and its account's.
const DEMO: &str = "demo";
/// The first key's name.
const FIRST_KEY: &str = "default";
/// The context's name.
const LOCAL: &str = "local";

/// Providers, each with the variable that holds its credential.
type Offers = Vec<(String, String)>;

/// What there is, and what could be added.
#[derive(Debug)]
pub(super) struct Survey {
    /// No key has been made yet.
    first: bool,
    accounts: Vec<v1::Account>,
    /// Providers without an account whose variable is set: name, variable.
    offered: Offers,
    /// Such as well, but the provider has no address of its own.
    addressless: Offers,
    demo_dialects: Vec<i32>,
}

impl Survey {
    pub(super) async fn read(client: &Client) -> Outcome<Self> {
        let request = v1::ListKeysRequest { page_size: 1, ..Default::default() };
        let first = client.keys().list_keys(request).await?.into_inner().keys.is_empty();
        let providers = provider::list(client).await?;
        let accounts = account::list(client).await?;
        let demo = providers.iter().find(|it| it.name == DEMO);
        let demo_dialects =
            demo.map(|it| it.endpoints.iter().map(|it| it.dialect).collect()).unwrap_or_default();
        let (offered, addressless) =
            offered(&providers, &accounts, &|name| env::var(name).is_some());
        Ok(Self { first, accounts, offered, addressless, demo_dialects })
    }

    fn demo_account(&self) -> Option<&v1::Account> {
        self.accounts.iter().find(|it| it.name == DEMO && it.provider == DEMO)
    }

    /// Whether the demo provider is to run: when it is asked for, and as long as nothing
    /// else could answer.
    pub(super) fn wants_demo(&self, asked: bool) -> bool {
        let answers = |it: &v1::Account| it.provider != DEMO && !it.disabled;
        asked || (self.offered.is_empty() && !self.accounts.iter().any(answers))
    }

    /// The port that the demo provider had, so that its account can stay as it is.
    pub(super) fn demo_port(&self) -> Option<u16> {
        Url::parse(&self.demo_account()?.base_urls.first()?.url).ok()?.port()
    }

    /// Adds the accounts that are missing; gives what people should know of it. What
    /// cannot be added is said, and does not stop the rest.
    pub(super) async fn complete(
        &self,
        client: &Client,
        demo: Option<&str>,
    ) -> Outcome<Vec<String>> {
        let mut notes = Vec::new();
        for (name, variable) in &self.offered {
            let account = v1::Account {
                name: name.clone(),
                provider: name.clone(),
                credential: env::var(variable).unwrap_or_default().trim().to_owned(),
                ..v1::Account::default()
            };
            let request = v1::CreateAccountRequest { account: Some(account) };
            notes.push(match client.accounts().create_account(request).await {
                Ok(_) => format!("added account `{name}` with the credential in {variable}"),
                Err(status) => {
                    format!("no account `{name}` from {variable}: {}", status.message())
                }
            });
        }
        for (name, variable) in &self.addressless {
            notes.push(format!(
                "no account from {variable}: `{name}` has no address of its own; `sluice account \
                 add --provider {name} --api-key-env {variable} --base-url URL` adds one"
            ));
        }
        match (demo, self.demo_account()) {
            (Some(url), account) => self.point_demo_to(client, account.cloned(), url).await?,
            (None, Some(account)) if !account.disabled => {
                let account =
                    v1::Account { disabled: true, etag: String::new(), ..account.clone() };
                account::write(client, account, &["disabled"]).await?;
                let note = "account `demo` is disabled while the demo provider does not run";
                notes.push(format!("{note} (--demo runs it)"));
            }
            (None, Some(_) | None) => {}
        }
        Ok(notes)
    }

    /// Makes the first key if there is none; gives its text, which nobody can ask for again.
    pub(super) async fn first_key(&self, client: &Client) -> Outcome<Option<String>> {
        if !self.first {
            return Ok(None);
        }
        let key = v1::VirtualKey { name: FIRST_KEY.to_owned(), ..Default::default() };
        let request = v1::CreateKeyRequest { key: Some(key) };
        Ok(Some(client.keys().create_key(request).await?.into_inner().secret))
    }

    /// Makes the demo account's address the demo provider's, which may be another on
    /// each start.
    async fn point_demo_to(
        &self,
        client: &Client,
        account: Option<v1::Account>,
        url: &str,
    ) -> Outcome {
        let url = format!("{}/v1", url.trim_end_matches('/'));
        let base_url = |dialect: &i32| v1::BaseUrl { dialect: *dialect, url: url.clone() };
        let base_urls: Vec<_> = self.demo_dialects.iter().map(base_url).collect();
        match account {
            None => {
                let account = v1::Account {
                    name: DEMO.to_owned(),
                    provider: DEMO.to_owned(),
                    // Anything will do there, but something has to be shown.
                    credential: DEMO.to_owned(),
                    base_urls,
                    ..v1::Account::default()
                };
                let request = v1::CreateAccountRequest { account: Some(account) };
                part(client.accounts().create_account(request).await?.into_inner().account)?;
            }
            Some(account) if account.base_urls == base_urls && !account.disabled => {}
            Some(account) => {
                let etag = String::new();
                let account = v1::Account { base_urls, disabled: false, etag, ..account };
                account::write(client, account, &["base_urls", "disabled"]).await?;
            }
        }
        Ok(())
    }
}

/// Providers that have no account and whose variable is set: those that are complete, and
/// those whose accounts bring an address of their own.
fn offered(
    providers: &[v1::Provider],
    accounts: &[v1::Account],
    is_set: &dyn Fn(&str) -> bool,
) -> (Offers, Offers) {
    let taken: BTreeSet<_> =
        accounts.iter().flat_map(|it| [it.provider.as_str(), it.name.as_str()]).collect();
    let complete = |it: &&v1::Provider| it.endpoints.iter().all(|it| !it.base_url.is_empty());
    let (complete, addressless): (Vec<_>, Vec<_>) = providers
        .iter()
        .filter(|it| {
            !it.env_var.is_empty() && is_set(&it.env_var) && !taken.contains(it.name.as_str())
        })
        .partition(complete);
    let named = |all: Vec<&v1::Provider>| {
        all.into_iter().map(|it| (it.name.clone(), it.env_var.clone())).collect()
    };
    (named(complete), named(addressless))
}

/// Makes the server that was just started known as `local`, and current if no other is.
/// What does not work is said, and stops nothing: `--server` and `--token-file` do as well.
pub(super) fn remember_server(address: &Address, token_file: &Path) -> Option<String> {
    let server = Server {
        server: address.server.clone(),
        token_file: Some(token_file.to_owned()).filter(|it| it.exists()),
        ca_file: address.ca.clone(),
    };
    let changed = contexts::change(|all| {
        all.contexts.insert(LOCAL.to_owned(), server);
        if all.current().is_none() {
            all.current = Some(LOCAL.to_owned());
        }
        Ok(all.current.clone())
    });
    match changed {
        Ok(Some(current)) if current != LOCAL => {
            Some(format!("`{current}` is still the current context: use --context {LOCAL}"))
        }
        Ok(_) => None,
        Err(error) => {
            output::remark(&format!("sluice: no context `{LOCAL}`: {}", error.what));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn provider(name: &str, variable: &str, base_url: &str) -> v1::Provider {
        let endpoint = v1::Endpoint { base_url: base_url.into(), ..Default::default() };
        v1::Provider {
            name: name.into(),
            env_var: variable.into(),
            endpoints: vec![endpoint],
            ..Default::default()
        }
    }

    fn account(name: &str, provider: &str) -> v1::Account {
        v1::Account { name: name.into(), provider: provider.into(), ..Default::default() }
    }

    #[test]
    fn accounts_are_offered_for_set_variables_without_an_account() {
        let providers = [
            provider("openai", "OPENAI_API_KEY", "https://o"),
            provider("azure", "AZURE_KEY", ""),
            provider("groq", "GROQ_API_KEY", "https://g"),
            provider("ollama", "", "http://l"),
        ];
        let check = |accounts: &[v1::Account], set: &str, expected: &[&str]| {
            let (offered, addressless) = offered(&providers, accounts, &|name| set.contains(name));
            let names: Vec<_> = offered.iter().map(|it| it.0.as_str()).collect();
            assert_eq!(names, expected);
            assert_eq!(!addressless.is_empty(), set.contains("AZURE_KEY"));
        };
        check(&[], "", &[]);
        check(&[], "OPENAI_API_KEY AZURE_KEY", &["openai"]);
        check(&[account("main", "openai")], "OPENAI_API_KEY GROQ_API_KEY", &["groq"]);
        check(&[account("openai", "groq")], "OPENAI_API_KEY", &[]);
    }

    #[test]
    fn the_demo_provider_runs_when_asked_for_or_when_nothing_else_could_answer() {
        let check = |accounts: Vec<v1::Account>, offered: bool, asked, expected| {
            let offered = if offered { vec![("a".into(), "A".into())] } else { Vec::new() };
            let survey = Survey {
                first: true,
                accounts,
                offered,
                addressless: Vec::new(),
                demo_dialects: Vec::new(),
            };
            assert_eq!(survey.wants_demo(asked), expected);
        };
        check(vec![], false, false, true);
        check(vec![account("demo", "demo")], false, false, true);
        check(vec![], true, false, false);
        check(vec![account("main", "openai")], false, false, false);
        let disabled = v1::Account { disabled: true, ..account("main", "openai") };
        check(vec![disabled], false, false, true);
        check(vec![account("main", "openai")], true, true, true);
    }
}
