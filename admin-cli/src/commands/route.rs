//! `sluice route …`

use proto::admin::v1;

use super::{PAGE, Session, mask, pages, part};
use crate::{
    args::{
        Wait,
        catalog::{RouteChange, RouteCommand, SetRoute},
    },
    client::Client,
    failure::Outcome,
    manifest::rename_places,
    view::RouteView,
};

pub(super) async fn run(it: &Session, command: RouteCommand) -> Outcome {
    match command {
        RouteCommand::Set(args) => set(it, args).await,
        RouteCommand::List => {
            let routes = list(&it.client().await?).await?;
            it.output.list(&routes, "There is no route: models go to the providers that have them.")
        }
        RouteCommand::Show(args) => {
            let route = get(&it.client().await?, args.alias).await?;
            it.output.one(&RouteView::from(route))
        }
        RouteCommand::Enable(args) => switch(it, args, false).await,
        RouteCommand::Disable(args) => switch(it, args, true).await,
        RouteCommand::Remove(args) => {
            let client = it.client().await?;
            let alias = args.name.alias;
            let request = v1::DeleteRouteRequest { alias: alias.clone(), etag: String::new() };
            let revision = client.routes().delete_route(request).await?.into_inner().revision;
            it.removed(&client, &format!("route {alias}"), revision, Some(args.wait)).await
        }
    }
}

async fn list(client: &Client) -> Outcome<Vec<RouteView>> {
    let routes = pages(async |page_token| {
        let request = v1::ListRoutesRequest { page_size: PAGE, page_token };
        let page = client.routes().list_routes(request).await?.into_inner();
        Ok((page.routes, page.next_page_token))
    });
    Ok(routes.await?.into_iter().map(RouteView::from).collect())
}

async fn get(client: &Client, alias: String) -> Outcome<v1::Route> {
    let request = v1::GetRouteRequest { alias };
    part(client.routes().get_route(request).await?.into_inner().route)
}

/// One edit that adds or replaces, so that saying it twice is saying it once.
async fn set(it: &Session, args: SetRoute) -> Outcome {
    let alias = args.name.alias;
    let route = v1::Route {
        alias: alias.clone(),
        tiers: args.tiers,
        disabled: args.disabled,
        translation: args.translation.into(),
        ..v1::Route::default()
    };
    let client = it.client().await?;
    let edit = v1::Edit { edit: Some(v1::edit::Edit::PutRoute(route)) };
    let request = v1::ApplyChangeRequest { edits: vec![edit], ..Default::default() };
    let edits = request.edits.clone();
    let applied = client.catalog().apply_change(request).await;
    applied.map_err(|it| rename_places(it.into(), &edits))?;
    let route = get(&client, alias).await?;
    show(it, &client, route, args.wait).await
}

async fn switch(it: &Session, args: RouteChange, disabled: bool) -> Outcome {
    let client = it.client().await?;
    let route = v1::Route { alias: args.name.alias, disabled, ..v1::Route::default() };
    let request = v1::UpdateRouteRequest { route: Some(route), update_mask: mask(&["disabled"]) };
    let route = part(client.routes().update_route(request).await?.into_inner().route)?;
    show(it, &client, route, args.wait).await
}

async fn show(it: &Session, client: &Client, route: v1::Route, wait: Wait) -> Outcome {
    let revision = route.revision;
    it.output.one(&RouteView::from(route))?;
    it.applied(client, Some(wait), revision).await
}
