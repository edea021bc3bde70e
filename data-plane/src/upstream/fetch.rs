//! What is at an address that a caller names, fetched with suspicion: only from the public
//! internet, without any credential, and no more of it than is allowed.
//!
//! Tells whoever asked as little as helps: what cannot be reached and what must not be reached
//! are the same to it.

mod reach;

pub use reach::Reach;
pub(super) use reach::Resolver;

use super::client;
use crate::{http::body::ROOM_UNIT_BYTES, metrics::Fetches};
use dialect::translate::{Address, FileKind};
use http::{HeaderMap, StatusCode, header};
use reqwest::{Client, Response};
use std::{
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};
use url::Url;

/// Most places of addresses in one request.
pub(crate) const MAX_PLACES: usize = 20;
/// Most addresses of one request that are fetched at a time.
pub(crate) const AT_ONCE: usize = 4;
/// Most that are fetched at a time by this process.
const AT_ONCE_IN_ALL: usize = 32;
/// Most times that an address may lead on to another one.
const MAX_REDIRECTS: usize = 3;
/// What can be made use of.
const ACCEPT: &str = "image/jpeg, image/png, image/gif, image/webp, application/pdf, text/plain";

/// How far fetching goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Where to.
    pub reach: Reach,
    /// How long a connection may take.
    pub connect: Duration,
    /// How long one address may take, waiting for its turn included.
    pub whole: Duration,
    /// Most bytes of one address.
    pub address_bytes: usize,
    /// Most bytes for one request, counted once for each place where they are said.
    pub request_bytes: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            reach: Reach::Internet,
            connect: Duration::from_secs(3),
            whole: Duration::from_secs(10),
            address_bytes: 20 << 20,
            request_bytes: 50 << 20,
        }
    }
}

/// Why nothing came. Read by the caller, behind the name of its field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotFetched {
    #[error("has to be an https address at the usual port, without the name of a user")]
    Form,
    #[error("could not be fetched from its address")]
    Unreachable,
    #[error("did not come from its address in time")]
    Late,
    #[error("could not be fetched: its server answered with status {0}")]
    Status(u16),
    #[error("leads on to other addresses too often")]
    Redirects,
    #[error("leads to neither a JPEG, PNG, GIF or WebP picture, nor a PDF or a plain text")]
    Kind,
    #[error("is larger than {max_bytes} bytes")]
    TooLarge { max_bytes: usize },
    #[error("makes more than {max_bytes} bytes together with the others")]
    TooMuch { max_bytes: usize },
    #[error("finds no room in this proxy")]
    NoRoom,
}

/// Fetches for all requests of this process.
pub(crate) struct Fetcher {
    bounds: Bounds,
    /// Made when it is first needed; `None`: it cannot be made.
    client: OnceLock<Option<Client>>,
    turns: Semaphore,
    outcomes: Fetches,
}

impl Fetcher {
    /// Call it once the process's recorder of metrics is there.
    pub(crate) fn new(bounds: Bounds) -> Self {
        let turns = Semaphore::new(AT_ONCE_IN_ALL);
        Self { bounds, client: OnceLock::new(), turns, outcomes: Fetches::new() }
    }

    /// What one request may fetch, if there is `room` for it.
    pub(crate) fn allowance(&self, room: Arc<Semaphore>) -> Allowance {
        Allowance { room, max_bytes: self.bounds.request_bytes, held: Mutex::default() }
    }

    /// What is at an address. Tries once.
    ///
    /// # Errors
    /// [`NotFetched`], which says why and nothing that is not the caller's to know.
    pub(crate) async fn fetch(
        &self,
        address: &Address,
        allowance: &Allowance,
    ) -> Result<(FileKind, Vec<u8>), NotFetched> {
        let fetched = timeout(self.bounds.whole, self.followed(address, allowance)).await;
        let fetched = fetched.unwrap_or(Err(NotFetched::Late));
        self.outcomes.ended(fetched.as_ref().err().copied());
        fetched
    }

    async fn followed(
        &self,
        address: &Address,
        allowance: &Allowance,
    ) -> Result<(FileKind, Vec<u8>), NotFetched> {
        let _turn = self.turns.acquire().await.map_err(|_| NotFetched::Unreachable)?;
        let mut url = Url::parse(&address.url).map_err(|_| NotFetched::Form)?;
        if !self.bounds.reach.allows_form(&url) {
            return Err(NotFetched::Form);
        }
        for _ in 0..=MAX_REDIRECTS {
            let response = self.asked(url.clone()).await?;
            match response.status() {
                StatusCode::OK => return self.taken_in(response, address.places, allowance).await,
                StatusCode::MOVED_PERMANENTLY
                | StatusCode::FOUND
                | StatusCode::SEE_OTHER
                | StatusCode::TEMPORARY_REDIRECT
                | StatusCode::PERMANENT_REDIRECT => url = next(&url, response.headers())?,
                status => return Err(NotFetched::Status(status.as_u16())),
            }
        }
        Err(NotFetched::Redirects)
    }

    /// Asks one host, if it may be asked. A redirect is judged like what the caller wrote.
    async fn asked(&self, url: Url) -> Result<Response, NotFetched> {
        let reach = self.bounds.reach;
        if !reach.allows_form(&url) || !reach.allows_host(&url) {
            return Err(NotFetched::Unreachable);
        }
        let client = self.client().ok_or(NotFetched::Unreachable)?;
        let sent = client.get(url).header(header::ACCEPT, ACCEPT).send().await;
        sent.map_err(|error| unreachable(&error))
    }

    fn client(&self) -> Option<&Client> {
        let make = || {
            let made = client::to_strangers(self.bounds.reach.resolver(), self.bounds.connect);
            made.inspect_err(|error| tracing::error!(%error, "nothing can be fetched")).ok()
        };
        self.client.get_or_init(make).as_ref()
    }

    /// Its body, which is counted as it comes, whatever its head announces.
    async fn taken_in(
        &self,
        mut response: Response,
        places: usize,
        allowance: &Allowance,
    ) -> Result<(FileKind, Vec<u8>), NotFetched> {
        let kind = kind(response.headers()).ok_or(NotFetched::Kind)?;
        let max_bytes = self.bounds.address_bytes;
        let too_large = NotFetched::TooLarge { max_bytes };
        let announced = response.content_length().unwrap_or(0);
        if usize::try_from(announced).map_or(true, |it| max_bytes < it) {
            return Err(too_large);
        }
        let mut bytes = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(|error| unreachable(&error))? {
            if max_bytes.saturating_sub(bytes.len()) < piece.len() {
                return Err(too_large);
            }
            allowance.take(piece.len().saturating_mul(places))?;
            bytes.extend_from_slice(&piece);
        }
        Ok((kind, bytes))
    }
}

/// Where a redirect leads.
fn next(from: &Url, headers: &HeaderMap) -> Result<Url, NotFetched> {
    let to = headers.get(header::LOCATION).and_then(|it| it.to_str().ok());
    to.and_then(|it| from.join(it).ok()).ok_or(NotFetched::Unreachable)
}

/// What a head says that its body is. One that is packed is not unpacked: it was not asked for.
fn kind(headers: &HeaderMap) -> Option<FileKind> {
    if headers.get(header::CONTENT_ENCODING).is_some_and(|it| it != "identity") {
        return None;
    }
    FileKind::of(headers.get(header::CONTENT_TYPE)?.to_str().ok()?)
}

/// The operator may want to know more than the caller; nobody needs the address itself, which
/// may hold a secret.
fn unreachable(error: &reqwest::Error) -> NotFetched {
    tracing::debug!(
        is_connect = error.is_connect(),
        is_timeout = error.is_timeout(),
        "an address was not read"
    );
    NotFetched::Unreachable
}

/// What one request may still fetch, and its part of the room for bodies.
pub(crate) struct Allowance {
    room: Arc<Semaphore>,
    max_bytes: usize,
    held: Mutex<Holding>,
}

#[derive(Default)]
struct Holding {
    bytes: usize,
    room: Option<OwnedSemaphorePermit>,
}

impl Allowance {
    fn take(&self, len: usize) -> Result<(), NotFetched> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = held.bytes.saturating_add(len);
        if self.max_bytes < bytes {
            return Err(NotFetched::TooMuch { max_bytes: self.max_bytes });
        }
        // It is kept in base64.
        let units = len.saturating_mul(4).div_ceil(3 * ROOM_UNIT_BYTES);
        let units = u32::try_from(units).map_err(|_| NotFetched::NoRoom)?;
        let more = Arc::clone(&self.room).try_acquire_many_owned(units);
        let more = more.map_err(|_| NotFetched::NoRoom)?;
        match &mut held.room {
            Some(room) => room.merge(more),
            none => *none = Some(more),
        }
        held.bytes = bytes;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(max_bytes: usize, room: usize, lens: &[usize]) -> Result<(), NotFetched> {
        let room = Arc::new(Semaphore::new(room));
        let allowance = Allowance { room, max_bytes, held: Mutex::default() };
        lens.iter().try_for_each(|it| allowance.take(*it))
    }

    #[test]
    fn all_that_a_request_fetches_is_bounded_together_and_has_its_room() {
        assert_eq!(taken(100, 10, &[60, 40]), Ok(()));
        assert_eq!(taken(100, 10, &[60, 41]), Err(NotFetched::TooMuch { max_bytes: 100 }));
        assert_eq!(taken(usize::MAX, 8, &[3 * 1024, 3 * 1024]), Ok(()));
        assert_eq!(taken(usize::MAX, 7, &[3 * 1024, 3 * 1024]), Err(NotFetched::NoRoom));
        assert_eq!(taken(usize::MAX, 7, &[usize::MAX]), Err(NotFetched::NoRoom));
    }

    #[test]
    fn room_comes_back_with_the_end_of_the_request() {
        let room = Arc::new(Semaphore::new(4));
        let allowance =
            Allowance { room: Arc::clone(&room), max_bytes: 9_999, held: Mutex::default() };
        allowance.take(3_000).unwrap();
        assert_eq!(room.available_permits(), 0);
        drop(allowance);
        assert_eq!(room.available_permits(), 4);
    }

    #[test]
    fn what_is_packed_or_of_no_known_kind_is_not_taken_in() {
        let of = |pairs: &[(header::HeaderName, &'static str)]| {
            let pairs = pairs.iter().map(|(name, it)| (name.clone(), it.parse().unwrap()));
            kind(&pairs.collect())
        };
        let png = (header::CONTENT_TYPE, "image/png");
        assert_eq!(of(std::slice::from_ref(&png)), Some(FileKind::Png));
        assert_eq!(of(&[png.clone(), (header::CONTENT_ENCODING, "identity")]), Some(FileKind::Png));
        assert_eq!(of(&[png, (header::CONTENT_ENCODING, "gzip")]), None);
        assert_eq!(of(&[(header::CONTENT_TYPE, "text/html")]), None);
        assert_eq!(of(&[]), None);
    }
}
