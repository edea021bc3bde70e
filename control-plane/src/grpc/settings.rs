//! The settings over gRPC.

use super::{
    Answer, Desk, answer, asked,
    draft::Draft,
    refusal::Kind,
    required,
    write::{Expected, Terms, etag},
};
use crate::store::Stored;
use domain::catalog::Settings;
use proto::{
    admin::v1::{self, settings_service_server::SettingsService},
    convert::catalog::settings_to,
};
use tonic::Request;

fn shown(stored: &Stored<Settings>) -> v1::Settings {
    let (revision, etag) = (stored.revision, etag(stored.revision));
    v1::Settings { revision, etag, ..settings_to(&stored.item) }
}

#[tonic::async_trait]
impl SettingsService for Desk {
    async fn get_settings(
        &self,
        _request: Request<v1::GetSettingsRequest>,
    ) -> Answer<v1::GetSettingsResponse> {
        let found = self.read(self.store.get_settings()).await?;
        answer(v1::GetSettingsResponse { settings: Some(shown(&found)) })
    }

    async fn update_settings(
        &self,
        request: Request<v1::UpdateSettingsRequest>,
    ) -> Answer<v1::UpdateSettingsResponse> {
        let asked = asked(request);
        let wire = required("settings", asked.settings)?;
        let expected = Expected::new(Kind::Settings, "settings", &wire.etag);
        let plan = |draft: &mut Draft| {
            let updated = draft.update_settings(&wire, asked.update_mask.as_ref());
            updated.map_err(|it| it.within("settings"))
        };
        let done = self.write(Terms::of(expected), plan).await?;
        let written = || Some(done.stored_now(done.snapshot.catalog().settings.clone()));
        let read = async { self.store.get_settings().await.map(Some) };
        let stored = self.stored(read, written).await?;
        answer(v1::UpdateSettingsResponse { settings: Some(shown(&stored)) })
    }
}
