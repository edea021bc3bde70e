//! The form of a cached snapshot: a header in clear, the catalog's items sealed.
//!
//! ```text
//! magic 8 | format 4 | generation 8 | incarnation 16 | revision 8 | nonce 12 | sealed items | tag 16
//! ```
//!
//! Numbers are little-endian. Everything before the nonce is associated data, so no
//! part can be exchanged between files. The sealed part is the catalog's items, each
//! with its length before it. Knows bytes; knows no files.

use super::CacheError;
use crate::sync::config_stream::Held;
use aes_gcm::{
    Aes256Gcm, KeyInit,
    aead::{AeadInOut, inout::InOutBuf},
};
use domain::{secret::Secret, snapshot::Snapshot};
use hmac::{Hmac, Mac};
use prost::Message;
use proto::{convert::snapshot::items, sync::v1::ConfigItem};
use sha2::Sha256;
use uuid::Uuid;

const MAGIC: [u8; 8] = *b"SLUICESC";
const FORMAT: u32 = 1;
const NONCE_LEN: usize = 12;
const TAG_LEN: usize = 16;
/// Up to the nonce: what is authenticated in clear.
const HEADER_LEN: usize = 8 + 4 + 8 + 16 + 8;
const SEALED_AT: usize = HEADER_LEN + NONCE_LEN;

/// What is said in clear about a cached snapshot. Believed only once the rest opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    /// Counts what was ever written here: the higher one is the newer one.
    pub(super) generation: u64,
    incarnation: Uuid,
    revision: u64,
}

impl Header {
    /// Reads the header in front of `bytes`.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, CacheError> {
        let mut rest = bytes;
        if take::<8>(&mut rest) != Some(MAGIC) {
            return Err(CacheError::NotASnapshot);
        }
        let format = take(&mut rest).map(u32::from_le_bytes).ok_or(CacheError::NotASnapshot)?;
        if format > FORMAT {
            return Err(CacheError::Newer { found: format, known: FORMAT });
        }
        Self::read_fields(rest).filter(|_| format == FORMAT).ok_or(CacheError::NotASnapshot)
    }

    fn read_fields(mut rest: &[u8]) -> Option<Self> {
        Some(Self {
            generation: take(&mut rest).map(u64::from_le_bytes)?,
            incarnation: take(&mut rest).map(Uuid::from_bytes)?,
            revision: take(&mut rest).map(u64::from_le_bytes)?,
        })
    }

    fn write(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(1 << 16);
        bytes.extend(MAGIC);
        bytes.extend(FORMAT.to_le_bytes());
        bytes.extend(self.generation.to_le_bytes());
        bytes.extend(self.incarnation.as_bytes());
        bytes.extend(self.revision.to_le_bytes());
        bytes
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (front, behind) = rest.split_first_chunk::<N>()?;
    *rest = behind;
    Some(*front)
}

/// Seals and opens, under a key that only holders of the node token can derive.
pub(super) struct Seal(Aes256Gcm);

impl Seal {
    /// Derives the key from the node token.
    pub(super) fn new(token: &Secret) -> Result<Self, CacheError> {
        // Neither can fail: HMAC takes any key, and its output is 32 bytes.
        let mut mac = Hmac::<Sha256>::new_from_slice(token.expose().as_bytes())
            .map_err(|_| CacheError::Unsealable)?;
        mac.update(b"sluice snapshot cache v1");
        let key = mac.finalize().into_bytes();
        Aes256Gcm::new_from_slice(&key).map(Self).map_err(|_| CacheError::Unsealable)
    }

    /// The whole file for a snapshot.
    pub(super) fn close(
        &self,
        generation: u64,
        incarnation: Uuid,
        snapshot: &Snapshot,
    ) -> Result<Vec<u8>, CacheError> {
        let header = Header { generation, incarnation, revision: snapshot.revision() };
        let mut bytes = header.write();
        let clear = bytes.clone();
        let mut nonce = [0; NONCE_LEN];
        // Random: at one write a second, 2^32 of them take longer than any token lives.
        getrandom::fill(&mut nonce).map_err(|_| CacheError::Unsealable)?;
        bytes.extend(nonce);
        for item in items(snapshot.catalog()) {
            item.encode_length_delimited(&mut bytes).map_err(|_| CacheError::Unsealable)?;
        }
        let plain = bytes.get_mut(SEALED_AT..).unwrap_or_default();
        let tag = self
            .0
            .encrypt_inout_detached(&nonce.into(), &clear, InOutBuf::from(plain))
            .map_err(|_| CacheError::Unsealable)?;
        bytes.extend(tag);
        Ok(bytes)
    }

    /// The snapshot in a file.
    pub(super) fn open(&self, mut bytes: Vec<u8>) -> Result<(Header, Held), CacheError> {
        let header = Header::read(&bytes)?;
        let tag_at = bytes.len().checked_sub(TAG_LEN).ok_or(CacheError::Unopenable)?;
        let tag: [u8; TAG_LEN] =
            bytes.get(tag_at..).and_then(|it| it.try_into().ok()).ok_or(CacheError::Unopenable)?;
        bytes.truncate(tag_at);
        let (clear, rest) = bytes.split_at_mut_checked(HEADER_LEN).ok_or(CacheError::Unopenable)?;
        let (nonce, sealed) =
            rest.split_first_chunk_mut::<NONCE_LEN>().ok_or(CacheError::Unopenable)?;
        self.0
            .decrypt_inout_detached(
                &(*nonce).into(),
                clear,
                InOutBuf::from(&mut *sealed),
                &tag.into(),
            )
            .map_err(|_| CacheError::Unopenable)?;
        // One at a time: all of them decoded would take several times the catalog's memory.
        let (mut rest, mut broken) = (&*sealed, None);
        let items = std::iter::from_fn(|| {
            let more = !rest.is_empty() && broken.is_none();
            let item = more.then(|| ConfigItem::decode_length_delimited(&mut rest))?;
            item.map_err(|error| broken = Some(error.to_string())).ok()
        });
        let built = Held::build(header.incarnation, header.revision, items);
        if let Some(error) = broken {
            return Err(CacheError::Outdated(vec![error]));
        }
        let held = built.map_err(CacheError::Outdated)?;
        Ok((header, held))
    }
}
