//! `sluice key …`

use domain::time::Timestamp;
use proto::admin::v1;

use super::{PAGE, Session, mask, pages, part, something};
use crate::{
    args::{
        Wait,
        key::{CreateKey, KeyChange, KeyCommand, Terms, UpdateKey},
    },
    client::Client,
    failure::{CliError, Outcome},
    output::{self, Cell, Format, Show},
    spell,
    view::{CreatedKeyView, KeyView},
};

pub(super) async fn run(it: &Session, command: KeyCommand) -> Outcome {
    match command {
        KeyCommand::Create(args) => create(it, args).await,
        KeyCommand::List { team } => {
            let keys = list(&it.client().await?, team.unwrap_or_default()).await?;
            it.output.list(&keys, "There is no key: make one with `sluice key create`.")
        }
        KeyCommand::Show(args) => {
            let client = it.client().await?;
            let request = v1::GetKeyRequest { key: args.key };
            let key = part(client.keys().get_key(request).await?.into_inner().key)?;
            it.output.one(&KeyView::from(key))
        }
        KeyCommand::Update(args) => update(it, args).await,
        KeyCommand::Enable(args) => switch(it, args, false).await,
        KeyCommand::Disable(args) => switch(it, args, true).await,
        KeyCommand::Remove(args) => {
            let client = it.client().await?;
            let key = args.name.key;
            let request = v1::DeleteKeyRequest { key: key.clone(), etag: String::new() };
            let revision = client.keys().delete_key(request).await?.into_inner().revision;
            it.removed(&client, &format!("key {key}"), revision, Some(args.wait)).await
        }
    }
}

async fn list(client: &Client, team: String) -> Outcome<Vec<KeyView>> {
    let keys = pages(async |page_token| {
        let request = v1::ListKeysRequest { page_size: PAGE, page_token, team: team.clone() };
        let page = client.keys().list_keys(request).await?.into_inner();
        Ok((page.keys, page.next_page_token))
    });
    Ok(keys.await?.into_iter().map(KeyView::from).collect())
}

async fn create(it: &Session, args: CreateKey) -> Outcome {
    let mut key = v1::VirtualKey { name: args.name, ..v1::VirtualKey::default() };
    args.terms.apply(&mut key, runtime::clock::unix_ms())?;
    let client = it.client().await?;
    let request = v1::CreateKeyRequest { key: Some(key) };
    let made = client.keys().create_key(request).await?.into_inner();
    let key = part(made.key)?;
    let revision = key.revision;
    it.output.one(&CreatedKeyView { key: KeyView::from(key), secret: made.secret })?;
    if it.output.format == Format::Table {
        output::remark("The secret is shown only this once: keep it now.");
    }
    it.applied(&client, Some(args.wait), revision).await
}

impl Show for CreatedKeyView {
    const COLUMNS: &'static [&'static str] = &["NAME", "SECRET"];

    fn row(&self) -> Vec<Cell> {
        vec![Cell::text(&self.key.name), Cell::text(&self.secret)]
    }

    fn details(&self) -> Vec<(&'static str, Cell)> {
        let mut lines = self.key.details();
        lines.push(("secret", Cell::text(&self.secret)));
        lines
    }
}

async fn update(it: &Session, args: UpdateKey) -> Outcome {
    // A key is named by its id or by its name; the server looks for both in `name`.
    let mut key = named(args.name.key);
    let paths = args.terms.apply(&mut key, runtime::clock::unix_ms())?;
    something(&paths)?;
    save(it, key, &paths, args.wait).await
}

async fn switch(it: &Session, args: KeyChange, disabled: bool) -> Outcome {
    let key = v1::VirtualKey { disabled, ..named(args.name.key) };
    save(it, key, &["disabled"], args.wait).await
}

fn named(text: String) -> v1::VirtualKey {
    match text.parse::<domain::id::KeyId>() {
        Ok(_) => v1::VirtualKey { id: text, ..v1::VirtualKey::default() },
        Err(_) => v1::VirtualKey { name: text, ..v1::VirtualKey::default() },
    }
}

async fn save(it: &Session, key: v1::VirtualKey, paths: &[&str], wait: Wait) -> Outcome {
    let client = it.client().await?;
    let request = v1::UpdateKeyRequest { key: Some(key), update_mask: mask(paths) };
    let key = part(client.keys().update_key(request).await?.into_inner().key)?;
    let revision = key.revision;
    it.output.one(&KeyView::from(key))?;
    it.applied(&client, Some(wait), revision).await
}

impl Terms {
    /// Writes what was said into a key; gives the fields that were said.
    fn apply(&self, key: &mut v1::VirtualKey, now_ms: i64) -> Outcome<Vec<&'static str>> {
        let mut paths = Vec::new();
        if let Some(team) = &self.team {
            paths.push("team");
            key.team.clone_from(team);
        }
        if let Some(text) = &self.expires {
            paths.push("expires_at");
            key.expires_at = expiry(text, now_ms)?.map(spell::timestamp);
        }
        if let Some(models) = &self.models {
            paths.push("allowed_models");
            key.allowed_models = models.iter().filter(|it| !it.is_empty()).cloned().collect();
        }
        Ok(paths)
    }
}

fn expiry(text: &str, now_ms: i64) -> Outcome<Option<Timestamp>> {
    if text == "never" {
        return Ok(None);
    }
    let at = spell::instant(text, now_ms, 1)
        .map_err(|error| CliError::usage(format!("--expires: {error}")))?;
    match at.unix_ms() <= now_ms {
        false => Ok(Some(at)),
        true => Err(CliError::usage(format!("--expires: `{text}` is in the past"))
            .hint("to refuse a key at once, use `sluice key disable`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_700_000_000_000;

    #[test]
    fn a_key_expires_in_a_while_at_a_time_or_never() {
        let check = |text, ms: Option<i64>| {
            assert_eq!(expiry(text, NOW), Ok(ms.map(Timestamp::from_unix_ms)), "{text}");
        };
        check("never", None);
        check("1d", Some(NOW + 86_400_000));
        check("2023-11-15T00:00:00Z", Some(1_700_006_400_000));
        assert!(expiry("2020-01-01", NOW).unwrap_err().hint.is_some());
        assert!(expiry("soon", NOW).is_err());
    }

    #[test]
    fn only_what_was_said_is_changed() {
        let terms =
            Terms { team: None, expires: Some("never".into()), models: Some(vec!["".into()]) };
        let mut key = named("key_00000000000000000000000000000001".into());
        assert_eq!(terms.apply(&mut key, NOW).unwrap(), ["expires_at", "allowed_models"]);
        assert!(key.name.is_empty() && key.allowed_models.is_empty());
    }
}
