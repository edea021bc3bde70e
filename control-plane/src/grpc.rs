//! The services of the control port, and what they share.
//!
//! Each service converts, calls, converts back; `status` alone makes errors of gRPC.

mod account;
pub(crate) mod auth;
mod catalog;
mod draft;
mod key;
mod limit;
mod mask;
mod model;
mod page;
mod peer;
mod provider;
mod refusal;
mod route;
mod settings;
pub(crate) mod status;
mod sync;
mod system;
mod team;
mod usage;
mod write;

pub(crate) use peer::PeerDesk;
pub(crate) use sync::SyncDesk;

use crate::{
    fleet::Fleet,
    lender::Lender,
    publisher::{Published, Publisher},
    store::{Store, StoreError},
    vault::Vault,
};
use proto::{
    admin::v1::{
        account_service_server::AccountServiceServer, catalog_service_server::CatalogServiceServer,
        key_service_server::KeyServiceServer, limit_service_server::LimitServiceServer,
        model_service_server::ModelServiceServer, provider_service_server::ProviderServiceServer,
        route_service_server::RouteServiceServer, settings_service_server::SettingsServiceServer,
        system_service_server::SystemServiceServer, team_service_server::TeamServiceServer,
        usage_service_server::UsageServiceServer,
    },
    sync::v1::{peer_service_server::PeerServiceServer, sync_service_server::SyncServiceServer},
};
use std::{future::Future, sync::Arc, time::Duration};
use tokio::time::timeout;
use tonic::{Request, Response, Status, service::Routes};
use tonic_health::pb::health_server::{Health, HealthServer};

/// Longest wait for the database in a read: a caller is told within 3 seconds.
const PATIENCE: Duration = Duration::from_millis(2_500);

/// A change may hold 10,000 edits.
const MOST_APPLY_BYTES: usize = 64 << 20;

/// A proxy's largest message is a batch of usage, or what it says of all its leases.
const MOST_SYNC_BYTES: usize = 16 << 20;

/// What every admin service has at hand. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Desk {
    pub(crate) store: Store,
    pub(crate) vault: Arc<Vault>,
    pub(crate) publisher: Arc<Publisher>,
    pub(crate) fleet: Fleet,
    pub(crate) lender: Lender,
    pub(crate) started_ms: i64,
    /// What the database is: `embedded` or `external`.
    pub(crate) database: &'static str,
}

type Answer<T> = Result<Response<T>, Status>;

impl Desk {
    /// The newest catalog.
    ///
    /// # Errors
    /// `UNAVAILABLE` until the database answered for the first time.
    fn newest(&self) -> Result<Arc<Published>, Status> {
        self.publisher.newest().ok_or_else(status::unavailable)
    }

    /// Reads from the store, within the patience of a caller.
    async fn read<T>(
        &self,
        read: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, Status> {
        self.newest()?;
        match timeout(PATIENCE, read).await {
            Ok(result) => result.map_err(|error| status::of_store(&error)),
            Err(_) => {
                tracing::warn!("the database did not answer a read in time");
                Err(status::unavailable())
            }
        }
    }
}

/// The services, each under its own path.
pub(crate) fn routes(
    desk: &Desk,
    sync: SyncDesk,
    peer: PeerDesk,
    health: HealthServer<impl Health>,
) -> Result<Routes, tonic_reflection::server::Error> {
    let files = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(proto::DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let apply = CatalogServiceServer::new(desk.clone()).max_decoding_message_size(MOST_APPLY_BYTES);
    let sync = SyncServiceServer::new(sync).max_decoding_message_size(MOST_SYNC_BYTES);
    let peer = PeerServiceServer::new(peer).max_decoding_message_size(MOST_SYNC_BYTES);
    // Not `Routes::default()`: that one has a fallback of its own.
    Ok(Routes::from(axum::Router::new())
        .add_service(ProviderServiceServer::new(desk.clone()))
        .add_service(AccountServiceServer::new(desk.clone()))
        .add_service(ModelServiceServer::new(desk.clone()))
        .add_service(RouteServiceServer::new(desk.clone()))
        .add_service(TeamServiceServer::new(desk.clone()))
        .add_service(KeyServiceServer::new(desk.clone()))
        .add_service(LimitServiceServer::new(desk.clone()))
        .add_service(SettingsServiceServer::new(desk.clone()))
        .add_service(UsageServiceServer::new(desk.clone()))
        .add_service(SystemServiceServer::new(desk.clone()))
        .add_service(apply)
        .add_service(sync)
        .add_service(peer)
        .add_service(health)
        .add_service(files().build_v1()?)
        .add_service(files().build_v1alpha()?))
}

/// An answer.
fn answer<T>(message: T) -> Answer<T> {
    Ok(Response::new(message))
}

/// The part of a request that must be there.
fn required<T>(field: &str, part: Option<T>) -> Result<T, Status> {
    part.ok_or_else(|| status::of_refusal(refusal::Refusal::field(field, "is missing")))
}

/// What is asked for, without what came along.
fn asked<T>(request: Request<T>) -> T {
    request.into_inner()
}
