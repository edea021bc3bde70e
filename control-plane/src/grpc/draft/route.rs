//! Routes in a change.

use super::Draft;
use crate::grpc::{
    mask::{Field, chosen, fields},
    refusal::{Kind, Refusal},
};
use domain::{
    catalog::{Edit, Route},
    pattern::Pattern,
};
use prost_types::FieldMask;
use proto::{
    admin::v1,
    convert::catalog::{route_from, route_to},
};
use std::sync::Arc;

const FIELDS: &[Field<v1::Route>] = fields!(v1::Route: tiers, disabled, translation);

impl Draft {
    pub(crate) fn create_route(&mut self, wire: v1::Route) -> Result<Pattern, Refusal> {
        let route = self.read_route(wire)?;
        if self.catalog.routes.contains_key(&route.alias) {
            return Err(Refusal::exists(Kind::Route, &route.alias));
        }
        Ok(self.write_route(route))
    }

    pub(crate) fn put_route(&mut self, wire: v1::Route) -> Result<Pattern, Refusal> {
        let route = self.read_route(wire)?;
        Ok(self.write_route(route))
    }

    pub(crate) fn update_route(
        &mut self,
        wire: &v1::Route,
        mask: Option<&FieldMask>,
    ) -> Result<Pattern, Refusal> {
        let old = self.route(&wire.alias)?;
        let mut new = route_to(&old, &|id| id.to_string());
        for field in chosen(FIELDS, wire, mask).map_err(Refusal::Invalid)? {
            (field.copy)(&mut new, wire);
        }
        let new = self.read_route(new)?;
        Ok(self.write_route(new))
    }

    pub(crate) fn delete_route(&mut self, alias: &str) -> Result<(), Refusal> {
        let old = self.route(alias)?;
        self.push(Edit::DeleteRoute(old.alias.clone()));
        Ok(())
    }

    fn route(&self, alias: &str) -> Result<Arc<Route>, Refusal> {
        let found = alias.parse().ok().and_then(|it: Pattern| self.catalog.routes.get(&it));
        found.cloned().ok_or_else(|| Refusal::not_found(Kind::Route, alias))
    }

    fn read_route(&self, wire: v1::Route) -> Result<Route, Refusal> {
        route_from(wire, &|text| self.account_id(text)).map_err(Refusal::Invalid)
    }

    fn write_route(&mut self, new: Route) -> Pattern {
        let alias = new.alias.clone();
        if self.catalog.routes.get(&alias).is_none_or(|old| **old != new) {
            self.push(Edit::PutRoute(Arc::new(new)));
        }
        alias
    }
}
