//! `sluice account …`

use std::{
    io::{IsTerminal as _, Read as _},
    path::Path,
};

use proto::admin::v1;

use super::{PAGE, Session, mask, pages, part, something};
use crate::{
    args::{
        Wait,
        account::{
            AccountChange, AccountCommand, AddAccount, ClientFlags, Credential, UpdateAccount,
        },
    },
    client::Client,
    env,
    failure::{CliError, Outcome},
    output,
    view::AccountView,
};

/// Longest credential, in bytes.
const CREDENTIAL_MAX: u64 = 64 * 1024;

pub(super) async fn run(it: &Session, command: AccountCommand) -> Outcome {
    match command {
        AccountCommand::Add(args) => add(it, *args).await,
        AccountCommand::List => {
            let accounts = list(&it.client().await?).await?;
            let accounts: Vec<_> = accounts.into_iter().map(AccountView::from).collect();
            it.output.list(&accounts, "There is no account: add one with `sluice account add`.")
        }
        AccountCommand::Show(args) => {
            let account = get(&it.client().await?, &args.account).await?;
            it.output.one(&AccountView::from(account))
        }
        AccountCommand::Update(args) => update(it, *args).await,
        AccountCommand::Enable(args) => switch(it, args, false).await,
        AccountCommand::Disable(args) => switch(it, args, true).await,
        AccountCommand::Remove(args) => {
            let client = it.client().await?;
            let account = args.name.account;
            let request =
                v1::DeleteAccountRequest { account: account.clone(), etag: String::new() };
            let revision = client.accounts().delete_account(request).await?.into_inner().revision;
            it.removed(&client, &format!("account {account}"), revision, Some(args.wait)).await
        }
    }
}

/// Every account.
pub(super) async fn list(client: &Client) -> Outcome<Vec<v1::Account>> {
    pages(async |page_token| {
        let request = v1::ListAccountsRequest { page_size: PAGE, page_token };
        let page = client.accounts().list_accounts(request).await?.into_inner();
        Ok((page.accounts, page.next_page_token))
    })
    .await
}

async fn get(client: &Client, account: &str) -> Outcome<v1::Account> {
    let request = v1::GetAccountRequest { account: account.to_owned() };
    part(client.accounts().get_account(request).await?.into_inner().account)
}

async fn add(it: &Session, args: AddAccount) -> Outcome {
    let credential = args.credential.read()?.unwrap_or_default();
    let proxy = args.client.proxy()?.unwrap_or_default();
    let client = it.client().await?;
    let mut settings = v1::ClientSettings::default();
    args.client.apply(&mut settings);
    let account = v1::Account {
        name: args.name.unwrap_or_else(|| args.provider.clone()),
        base_urls: base_urls(&client, &args.client, &args.provider).await?,
        provider: args.provider,
        credential,
        proxy,
        disabled: args.disabled,
        client: Some(settings),
        ..v1::Account::default()
    };
    let request = v1::CreateAccountRequest { account: Some(account) };
    let made = client.accounts().create_account(request).await;
    let account = part(made.map_err(|it| name_flags(it.into()))?.into_inner().account)?;
    show(it, &client, account, args.wait).await
}

/// Names the flags where the server can only name fields.
fn name_flags(error: CliError) -> CliError {
    let names = |field: &str| error.fields.iter().any(|it| it.field.ends_with(field));
    let hint = if names("credential") {
        "give it with --api-key-stdin, --api-key-env VARIABLE or --api-key-file FILE"
    } else if names("base_urls") {
        "give it with --base-url URL"
    } else {
        return error;
    };
    error.hint(hint)
}

async fn update(it: &Session, args: UpdateAccount) -> Outcome {
    let credential = args.credential.read()?;
    let proxy = args.client.proxy()?;
    let client = it.client().await?;
    let mut account = get(&client, &args.name.account).await?;
    let mut paths = Vec::new();
    if let Some(credential) = credential {
        paths.push("credential");
        account.credential = credential;
    }
    if args.no_base_url || !args.client.base_urls.is_empty() {
        paths.push("base_urls");
        account.base_urls = base_urls(&client, &args.client, &account.provider).await?;
    }
    if args.no_proxy || proxy.is_some() {
        paths.push("proxy");
        account.proxy = proxy.unwrap_or_default();
    }
    let before = account.client.clone().unwrap_or_default();
    let settings = account.client.get_or_insert_default();
    if args.no_header {
        settings.extra_headers.clear();
    }
    args.client.apply(settings);
    if *settings != before {
        paths.push("client");
    }
    something(&paths)?;
    save(it, &client, account, &paths, args.wait).await
}

async fn switch(it: &Session, args: AccountChange, disabled: bool) -> Outcome {
    let client = it.client().await?;
    let account = get(&client, &args.name.account).await?;
    // What has not changed meanwhile is only this one field.
    let account = v1::Account { disabled, etag: String::new(), ..account };
    save(it, &client, account, &["disabled"], args.wait).await
}

async fn save(
    it: &Session,
    client: &Client,
    account: v1::Account,
    paths: &[&str],
    wait: Wait,
) -> Outcome {
    let account = write(client, account, paths).await?;
    show(it, client, account, wait).await
}

/// Replaces the named fields of an account.
pub(super) async fn write(
    client: &Client,
    account: v1::Account,
    paths: &[&str],
) -> Outcome<v1::Account> {
    let request = v1::UpdateAccountRequest { account: Some(account), update_mask: mask(paths) };
    part(client.accounts().update_account(request).await?.into_inner().account)
}

async fn show(it: &Session, client: &Client, account: v1::Account, wait: Wait) -> Outcome {
    let revision = account.revision;
    it.output.one(&AccountView::from(account))?;
    it.applied(client, Some(wait), revision).await
}

/// The addresses that were given; one without a dialect is for every dialect of the provider.
async fn base_urls(
    client: &Client,
    flags: &ClientFlags,
    provider: &str,
) -> Outcome<Vec<v1::BaseUrl>> {
    let mut urls = Vec::new();
    for (dialect, url) in &flags.base_urls {
        let dialects: Vec<i32> = match dialect {
            Some(dialect) => vec![(*dialect).into()],
            None => {
                let request = v1::GetProviderRequest { name: provider.to_owned() };
                let answer = client.providers().get_provider(request).await?.into_inner();
                part(answer.provider)?.endpoints.iter().map(|it| it.dialect).collect()
            }
        };
        urls.extend(dialects.into_iter().map(|dialect| v1::BaseUrl { dialect, url: url.clone() }));
    }
    Ok(urls)
}

impl ClientFlags {
    fn apply(&self, settings: &mut v1::ClientSettings) {
        let take = |flag: Option<u32>, field: &mut u32| *field = flag.unwrap_or(*field);
        take(self.connect_timeout, &mut settings.connect_timeout_ms);
        take(self.first_byte_timeout, &mut settings.first_byte_timeout_ms);
        take(self.idle_timeout, &mut settings.idle_timeout_ms);
        if !self.headers.is_empty() {
            let header = |(name, value): &(String, String)| v1::Header {
                name: name.clone(),
                value: value.clone(),
            };
            settings.extra_headers = self.headers.iter().map(header).collect();
        }
        settings.keep_stream_options =
            self.keep_stream_options.unwrap_or(settings.keep_stream_options);
        settings.keep_output_open = self.keep_output_open.unwrap_or(settings.keep_output_open);
    }

    fn proxy(&self) -> Outcome<Option<String>> {
        self.proxy_env.as_deref().map(variable).transpose()
    }
}

impl Credential {
    fn read(&self) -> Outcome<Option<String>> {
        if self.api_key_stdin {
            return from_stdin().map(Some);
        }
        if let Some(file) = &self.api_key_file {
            return from_file(file).map(Some);
        }
        self.api_key_env.as_deref().map(variable).transpose()
    }
}

fn variable(name: &str) -> Outcome<String> {
    let text = env::var(name).map(|it| it.trim().to_owned()).filter(|it| !it.is_empty());
    text.ok_or_else(|| CliError::usage(format!("the variable {name} is not set, or empty")))
}

fn from_file(path: &Path) -> Outcome<String> {
    let read = std::fs::File::open(path).and_then(|file| {
        let mut text = String::new();
        file.take(CREDENTIAL_MAX).read_to_string(&mut text).map(|_| text)
    });
    let text =
        read.map_err(|error| CliError::usage(format!("read {}: {error}", path.display())))?;
    not_empty(&text, &path.display().to_string())
}

fn from_stdin() -> Outcome<String> {
    let stdin = std::io::stdin();
    let mut text = String::new();
    let read = if stdin.is_terminal() {
        output::remark("Paste the credential and press Enter:");
        stdin.read_line(&mut text)
    } else {
        stdin.lock().take(CREDENTIAL_MAX).read_to_string(&mut text)
    };
    read.map_err(|error| CliError::usage(format!("read the credential from stdin: {error}")))?;
    not_empty(&text, "stdin")
}

fn not_empty(text: &str, place: &str) -> Outcome<String> {
    match text.trim() {
        "" => Err(CliError::usage(format!("there is no credential in {place}: it is empty"))),
        text => Ok(text.to_owned()),
    }
}
