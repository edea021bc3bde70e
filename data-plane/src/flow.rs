//! One request, from left to right and never back.

mod admit;
mod attempt;
mod charge;
mod exchange;
mod failure;
mod fetched;
mod hosted;
pub(crate) mod models;
mod opening;
mod order;
mod passage;
mod plan;
mod receive;
mod relay;
mod settle;
mod toll;
mod watched;
mod words;

use crate::{
    access_log::Trace,
    gateway::Worker,
    http::{Asked, endpoint::PathSays, refusal::Refusal, reply::Reply},
};
use attempt::NoAnswer;
use domain::catalog::Operation;
use hyper::body::Incoming;
use std::sync::Arc;
use toll::Toll;

/// A request for an operation, its body still to be read.
pub(crate) struct Call<'a> {
    pub(crate) asked: Asked<'a>,
    pub(crate) operation: Operation,
    pub(crate) says: PathSays,
    pub(crate) body: &'a mut Incoming,
    pub(crate) trace: &'a mut Trace,
}

/// The story of one request. The listener and the endpoint came before; what follows
/// the answer's head is told by the relay, and settled by the settlement it holds.
///
/// The key is looked at before the body is, so that strangers cannot make us hold
/// what they send.
pub(crate) async fn serve(worker: &Arc<Worker>, mut call: Call<'_>) -> Result<Reply, Refusal> {
    let gateway = &worker.gateway;
    let snapshot = gateway.snapshot().ok_or(Refusal::NotReady)?;
    let caller = admit::caller(&snapshot, call.asked, call.trace)?;
    // Before it is known what is asked, only that limits are told which hold for all of it.
    let early = || admit::standing(&snapshot, caller.key(), "");
    let received = receive::read(gateway, &mut call).await;
    let received = received.inspect_err(|_| call.trace.limits = early())?;
    let says = std::mem::take(&mut call.says);
    let ask = receive::ask(&received, &says, &mut call);
    let ask = ask.inspect_err(|_| call.trace.limits = early())?;
    call.trace.limits = admit::standing(&snapshot, caller.key(), &ask.peek.model);
    let record = admit::record(gateway, &snapshot, &caller, &ask);
    call.trace.record = Some(Arc::clone(&record));
    let plan = plan::plan(&snapshot, &ask, &caller)?;
    let plan = plan::bind(plan, &gateway.owners, &ask, &caller)?;
    let toll = Toll::of(&snapshot, caller.key(), &ask, &plan);
    let admission = admit::admit(gateway, caller, &toll, &ask, record).await?;
    let mut settlement = settle::open(gateway, &snapshot, admission, &ask);
    match attempt::first_to_begin(worker, &mut settlement, &toll, &ask, &plan).await {
        Ok(answer) => Ok(relay::to_caller(answer, settlement, &snapshot, &ask, &plan)),
        Err(NoAnswer::Failed(failed)) => {
            Ok(failure::to_caller(failed, settlement, &snapshot, &ask, &plan).await)
        }
        Err(NoAnswer::NoRoom(refusal)) => {
            settlement.withdraw();
            Err(refusal)
        }
    }
}
