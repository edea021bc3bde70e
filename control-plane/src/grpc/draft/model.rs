//! Models in a change.

use super::Draft;
use crate::grpc::{
    mask::{Field, chosen, fields},
    refusal::{Kind, Refusal},
};
use domain::catalog::{Edit, Model, ModelId};
use prost_types::FieldMask;
use proto::{
    admin::v1,
    convert::catalog::{model_from, model_id_from, model_to},
};
use std::sync::Arc;

const FIELDS: &[Field<v1::Model>] =
    fields!(v1::Model: operations, price, max_output_tokens, context_tokens);

impl Draft {
    pub(crate) fn create_model(&mut self, wire: v1::Model) -> Result<ModelId, Refusal> {
        let model = read(wire)?;
        if self.catalog.models.contains_key(&model.id) {
            return Err(Refusal::exists(Kind::Model, &model.id));
        }
        self.write_model(model)
    }

    pub(crate) fn put_model(&mut self, wire: v1::Model) -> Result<ModelId, Refusal> {
        self.write_model(read(wire)?)
    }

    pub(crate) fn update_model(
        &mut self,
        wire: &v1::Model,
        mask: Option<&FieldMask>,
    ) -> Result<ModelId, Refusal> {
        let old = self.model(&format!("{}/{}", wire.provider, wire.name))?;
        let mut new = model_to(&old);
        for field in chosen(FIELDS, wire, mask).map_err(Refusal::Invalid)? {
            (field.copy)(&mut new, wire);
        }
        self.write_model(read(new)?)
    }

    pub(crate) fn delete_model(&mut self, id: &str) -> Result<(), Refusal> {
        let old = self.model(id)?;
        if old.built_in {
            return Err(Refusal::built_in(Kind::Model, &old.id));
        }
        self.push(Edit::DeleteModel(old.id.clone()));
        Ok(())
    }

    fn model(&self, id: &str) -> Result<Arc<Model>, Refusal> {
        let id_of = model_id_from("model", id).map_err(|it| Refusal::Invalid(vec![it]))?;
        let found = self.catalog.models.get(&id_of).cloned();
        found.ok_or_else(|| Refusal::not_found(Kind::Model, id))
    }

    fn write_model(&mut self, mut new: Model) -> Result<ModelId, Refusal> {
        let id = new.id.clone();
        if let Some(old) = self.catalog.models.get(&id) {
            new.built_in = old.built_in;
            if new == **old {
                return Ok(id);
            }
            // What it can be asked ships with Sluice; what it costs here, and how much it
            // takes and gives, is for operators to say.
            let Model { price, max_output_tokens, context_tokens, .. } = **old;
            let as_shipped = Model { price, max_output_tokens, context_tokens, ..new.clone() };
            if old.built_in && as_shipped != **old {
                return Err(Refusal::built_in(Kind::Model, &id));
            }
        }
        self.push(Edit::PutModel(Arc::new(new)));
        Ok(id)
    }
}

fn read(mut wire: v1::Model) -> Result<Model, Refusal> {
    wire.built_in = false;
    model_from(&wire).map_err(Refusal::Invalid)
}
