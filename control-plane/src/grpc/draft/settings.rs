//! The settings in a change.

use super::Draft;
use crate::grpc::{
    mask::{Field, chosen, fields},
    refusal::Refusal,
};
use domain::catalog::Edit;
use prost_types::FieldMask;
use proto::{
    admin::v1,
    convert::catalog::{settings_from, settings_to},
};

const FIELDS: &[Field<v1::Settings>] = fields!(v1::Settings:
    max_attempts,
    attempt_deadline_ms,
    hide_route,
    default_output_tokens,
    fallback_proxies,
    fetch_addresses,
);

impl Draft {
    pub(crate) fn put_settings(&mut self, wire: &v1::Settings) {
        let new = settings_from(wire);
        if new != self.catalog.settings {
            self.push(Edit::PutSettings(new));
        }
    }

    pub(crate) fn update_settings(
        &mut self,
        wire: &v1::Settings,
        mask: Option<&FieldMask>,
    ) -> Result<(), Refusal> {
        let mut new = settings_to(&self.catalog.settings);
        for field in chosen(FIELDS, wire, mask).map_err(Refusal::Invalid)? {
            (field.copy)(&mut new, wire);
        }
        self.put_settings(&new);
        Ok(())
    }
}
