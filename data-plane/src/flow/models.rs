//! `GET /v1/models`: what a key may write in `model`. Asks no upstream.

use super::{admit, plan};
use crate::{
    access_log::{self, Trace},
    gateway::Worker,
    http::{Asked, refusal::Refusal, reply::Reply},
};
use domain::snapshot::{Listed, Snapshot};
use http::StatusCode;
use std::sync::Arc;

/// All of them.
pub(crate) fn list(worker: &Worker, asked: Asked<'_>, trace: &mut Trace) -> Result<Reply, Refusal> {
    let (_, _, listed) = listed(worker, asked, trace)?;
    access_log::answered(&worker.gateway.metrics, trace, asked.dialect);
    Ok(Reply::json(StatusCode::OK, dialect::models::list(asked.dialect, &listed)))
}

/// The one of this id.
pub(crate) fn one(
    worker: &Worker,
    asked: Asked<'_>,
    id: &str,
    trace: &mut Trace,
) -> Result<Reply, Refusal> {
    let (snapshot, caller, listed) = listed(worker, asked, trace)?;
    let found = listed.into_iter().find(|it| it.name == id);
    let Some(model) = found.or_else(|| plan::unlisted(&snapshot, caller.key(), id)) else {
        let near = plan::near(&snapshot, caller.key(), id);
        return Err(Refusal::UnknownModel { alias: id.to_owned(), near });
    };
    access_log::answered(&worker.gateway.metrics, trace, asked.dialect);
    Ok(Reply::json(StatusCode::OK, dialect::models::one(asked.dialect, &model)))
}

fn listed(
    worker: &Worker,
    asked: Asked<'_>,
    trace: &mut Trace,
) -> Result<(Arc<Snapshot>, admit::Caller, Vec<Listed>), Refusal> {
    let snapshot = worker.gateway.snapshot().ok_or(Refusal::NotReady)?;
    let caller = admit::caller(&snapshot, asked, trace)?;
    let listed = snapshot.listed(caller.key());
    Ok((snapshot, caller, listed))
}
