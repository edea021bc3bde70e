//! `sluice settings …`

use proto::admin::v1;

use super::{Session, mask, part};
use crate::{
    args::catalog::{SetSettings, SettingsCommand},
    failure::Outcome,
    view::SettingsView,
};

pub(super) async fn run(it: &Session, command: SettingsCommand) -> Outcome {
    match command {
        SettingsCommand::Show => {
            let client = it.client().await?;
            let answer = client.settings().get_settings(v1::GetSettingsRequest {}).await?;
            it.output.one(&SettingsView::from(part(answer.into_inner().settings)?))
        }
        SettingsCommand::Set(args) => set(it, args).await,
    }
}

async fn set(it: &Session, args: SetSettings) -> Outcome {
    let client = it.client().await?;
    let mut paths = Vec::new();
    let mut said = |said: bool, path| {
        if said {
            paths.push(path);
        }
    };
    said(args.max_attempts.is_some(), "max_attempts");
    said(args.attempt_deadline.is_some(), "attempt_deadline_ms");
    said(args.hide_route.is_some(), "hide_route");
    said(args.default_output_tokens.is_some(), "default_output_tokens");
    said(args.fallback_proxies.is_some(), "fallback_proxies");
    said(args.fetch_addresses.is_some(), "fetch_addresses");
    let settings = v1::Settings {
        max_attempts: args.max_attempts.unwrap_or(0),
        attempt_deadline_ms: args.attempt_deadline.unwrap_or(0),
        hide_route: args.hide_route.unwrap_or(false),
        default_output_tokens: args.default_output_tokens.unwrap_or(0),
        fallback_proxies: args.fallback_proxies.unwrap_or(0),
        fetch_addresses: args.fetch_addresses.unwrap_or(false),
        ..v1::Settings::default()
    };
    let update_mask = mask(&paths);
    let request = v1::UpdateSettingsRequest { settings: Some(settings), update_mask };
    let settings = part(client.settings().update_settings(request).await?.into_inner().settings)?;
    let revision = settings.revision;
    it.output.one(&SettingsView::from(settings))?;
    it.applied(&client, Some(args.wait), revision).await
}
