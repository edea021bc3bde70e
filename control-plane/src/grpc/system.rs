//! The installation over gRPC. Asks no database: it must answer when that is gone.

use super::{Answer, Desk, answer, asked, refusal::Refusal, status};
use crate::fleet::Member;
use domain::{id::ProxyId, time::Timestamp};
use proto::{
    admin::v1::{self, system_service_server::SystemService},
    convert::key::timestamp_to,
};
use std::time::{Duration, Instant};
use tonic::Request;

const USUAL_WAIT_MS: u32 = 5_000;
const LONGEST_WAIT_MS: u32 = 60_000;

#[tonic::async_trait]
impl SystemService for Desk {
    async fn get_status(
        &self,
        _request: Request<v1::GetStatusRequest>,
    ) -> Answer<v1::GetStatusResponse> {
        let newest = self.publisher.newest();
        let newest = newest.as_ref();
        let control_plane = v1::ControlPlaneStatus {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            revision: newest.map_or(0, |it| it.snapshot.revision()),
            incarnation: newest.map(|it| it.incarnation.to_string()).unwrap_or_default(),
            started_at: Some(time(self.started_ms)),
            database_ok: *self.publisher.database_ok().borrow(),
            database: self.database.to_owned(),
        };
        answer(v1::GetStatusResponse {
            control_plane: Some(control_plane),
            proxies: self.fleet.list().into_iter().map(|(id, it)| proxy(id, it)).collect(),
        })
    }

    async fn await_revision(
        &self,
        request: Request<v1::AwaitRevisionRequest>,
    ) -> Answer<v1::AwaitRevisionResponse> {
        let asked = asked(request);
        let timeout_ms = match asked.timeout_ms {
            0 => USUAL_WAIT_MS,
            some if some <= LONGEST_WAIT_MS => some,
            more => {
                let reason = format!("{more} must be at most {LONGEST_WAIT_MS}");
                return Err(status::of_refusal(Refusal::field("timeout_ms", reason)));
            }
        };
        let begun = Instant::now();
        let at_most = Duration::from_millis(u64::from(timeout_ms));
        let reach = self.fleet.await_revision(asked.revision, at_most).await;
        answer(v1::AwaitRevisionResponse {
            applied: reach.applied,
            connected: reach.connected,
            waited_ms: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
        })
    }
}

fn proxy(id: ProxyId, member: Member) -> v1::ProxyStatus {
    let state = if member.connected { v1::ProxyState::Connected } else { v1::ProxyState::Gone };
    v1::ProxyStatus {
        id: id.to_string(),
        address: member.address,
        version: member.version,
        state: state.into(),
        applied_revision: member.applied_revision,
        defects: member.defects,
        since: Some(time(member.since_ms)),
        seen_at: Some(time(member.seen_ms)),
        requests_in_flight: member.load.requests_in_flight,
        requests_total: member.load.requests_total,
        usage_pending: member.load.usage_pending,
    }
}

fn time(unix_ms: i64) -> prost_types::Timestamp {
    timestamp_to(Timestamp::from_unix_ms(unix_ms))
}
