//! Routes over gRPC.

use super::{
    Answer, Desk, answer, asked,
    draft::Draft,
    page,
    refusal::Kind,
    required, status,
    write::{Done, Expected, Terms, etag},
};
use crate::store::Stored;
use domain::{
    catalog::{Catalog, Route},
    pattern::Pattern,
};
use proto::{
    admin::v1::{self, route_service_server::RouteService},
    convert::catalog::route_to,
};
use tonic::Request;

/// With the names of accounts; an id where the account is newer than `catalog`.
fn shown(stored: &Stored<Route>, catalog: &Catalog) -> v1::Route {
    let name =
        |id| catalog.accounts.get(&id).map_or_else(|| id.to_string(), |it| it.name.to_string());
    let (revision, etag) = (stored.revision, etag(stored.revision));
    v1::Route { revision, etag, ..route_to(&stored.item, &name) }
}

impl Desk {
    async fn route_done(&self, done: Done<Pattern>) -> Result<Option<v1::Route>, tonic::Status> {
        let written = || {
            let item = done.snapshot.catalog().routes.get(&done.item)?;
            Some(done.stored_now((**item).clone()))
        };
        let stored = self.stored(self.store.get_route(done.item.as_str()), written).await?;
        Ok(Some(shown(&stored, done.snapshot.catalog())))
    }
}

#[tonic::async_trait]
impl RouteService for Desk {
    async fn create_route(
        &self,
        request: Request<v1::CreateRouteRequest>,
    ) -> Answer<v1::CreateRouteResponse> {
        let wire = required("route", asked(request).route)?;
        let plan = |draft: &mut Draft| draft.create_route(wire).map_err(|it| it.within("route"));
        let done = self.write(Terms::default(), plan).await?;
        answer(v1::CreateRouteResponse { route: self.route_done(done).await? })
    }

    async fn get_route(
        &self,
        request: Request<v1::GetRouteRequest>,
    ) -> Answer<v1::GetRouteResponse> {
        let name = asked(request).alias;
        let found = self.read(self.store.get_route(&name)).await?;
        let newest = self.newest()?;
        let found = found.ok_or_else(|| status::not_found(Kind::Route, &name))?;
        answer(v1::GetRouteResponse { route: Some(shown(&found, newest.snapshot.catalog())) })
    }

    async fn list_routes(
        &self,
        request: Request<v1::ListRoutesRequest>,
    ) -> Answer<v1::ListRoutesResponse> {
        let asked = asked(request);
        let page = page::page(asked.page_size, &asked.page_token).map_err(status::of_refusal)?;
        let list = self.read(self.store.list_routes(&page)).await?;
        let newest = self.newest()?;
        let catalog = newest.snapshot.catalog();
        answer(v1::ListRoutesResponse {
            routes: list.items.iter().map(|it| shown(it, catalog)).collect(),
            next_page_token: page::token(list.next),
        })
    }

    async fn update_route(
        &self,
        request: Request<v1::UpdateRouteRequest>,
    ) -> Answer<v1::UpdateRouteResponse> {
        let asked = asked(request);
        let wire = required("route", asked.route)?;
        let expected = Expected::new(Kind::Route, &wire.alias, &wire.etag);
        let plan = |draft: &mut Draft| {
            let updated = draft.update_route(&wire, asked.update_mask.as_ref());
            updated.map_err(|it| it.within("route"))
        };
        let done = self.write(Terms::of(expected), plan).await?;
        answer(v1::UpdateRouteResponse { route: self.route_done(done).await? })
    }

    async fn delete_route(
        &self,
        request: Request<v1::DeleteRouteRequest>,
    ) -> Answer<v1::DeleteRouteResponse> {
        let asked = asked(request);
        let expected = Expected::new(Kind::Route, &asked.alias, &asked.etag);
        let plan = |draft: &mut Draft| draft.delete_route(&asked.alias);
        let done = self.write(Terms::of(expected), plan).await?;
        answer(v1::DeleteRouteResponse { revision: done.revision })
    }
}
