//! Seals what must not lie in the database in clear: AES-256-GCM under the master key.
//!
//! Knows keys and bytes. Knows no table: who seals says where the sealed text will
//! lie, and the text opens only there. Sealed form, version 1:
//!
//! `1 | key id (8 bytes) | nonce (12 bytes) | ciphertext and tag`
//!
//! The associated data is `slc1` and table, row, column and version, each with its
//! length before it, so that no two places have the same.

use aes_gcm::{
    Aes256Gcm, KeyInit, Nonce,
    aead::{Aead, Payload},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use domain::secret::Secret;
use sha2::{Digest, Sha256};
use std::fmt;
use zeroize::Zeroizing;

const FORMAT: u8 = 1;
const KEY_ID_LEN: usize = 8;
const NONCE_LEN: usize = 12;
const HEADER_LEN: usize = 1 + KEY_ID_LEN + NONCE_LEN;

/// Where a sealed text lies. It opens nowhere else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    /// The table.
    pub table: &'a str,
    /// The row's primary key, as text.
    pub row: &'a str,
    /// The column.
    pub column: &'a str,
    /// Grows with each text that takes the place, so that an old one cannot come back.
    pub version: u64,
}

impl Place<'_> {
    fn associated_data(&self) -> Vec<u8> {
        let mut bytes = b"slc1".to_vec();
        for part in [self.table, self.row, self.column] {
            bytes.extend((part.len() as u64).to_be_bytes());
            bytes.extend(part.as_bytes());
        }
        bytes.extend(self.version.to_be_bytes());
        bytes
    }
}

/// Why a text cannot be sealed or opened. Says nothing of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// The master key is not 32 bytes of base64.
    #[error("the master key must be the base64 text of 32 bytes")]
    BadMasterKey,
    /// The system gave no randomness.
    #[error("the system gives no randomness")]
    NoEntropy,
    /// Not something that this program sealed, or that a newer one did.
    #[error("not a sealed text of a known format")]
    UnknownFormat,
    /// Another master key sealed it.
    #[error("sealed with another master key")]
    OtherKey,
    /// Altered, or moved from another place.
    #[error("the sealed text was altered or does not belong to its place")]
    Altered,
}

/// The key that seals everything. Wiped when dropped, never printed.
#[derive(Clone)]
pub struct MasterKey(Zeroizing<[u8; 32]>);

impl MasterKey {
    /// A key from its 32 bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// A key from base64, with white space around it or not.
    ///
    /// # Errors
    /// [`VaultError::BadMasterKey`].
    pub fn from_base64(text: &str) -> Result<Self, VaultError> {
        let bytes =
            Zeroizing::new(STANDARD.decode(text.trim()).map_err(|_| VaultError::BadMasterKey)?);
        let bytes = <[u8; 32]>::try_from(bytes.as_slice()).map_err(|_| VaultError::BadMasterKey)?;
        Ok(Self::new(bytes))
    }

    /// A new random key.
    ///
    /// # Errors
    /// [`VaultError::NoEntropy`].
    pub fn generate() -> Result<Self, VaultError> {
        let mut key = Self::new([0; 32]);
        getrandom::fill(key.0.as_mut_slice()).map_err(|_| VaultError::NoEntropy)?;
        Ok(key)
    }

    /// The key as base64, for the file that keeps it.
    pub fn to_base64(&self) -> Secret {
        Secret::new(STANDARD.encode(self.0.as_slice()))
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey")
    }
}

/// Seals and opens under one master key.
#[derive(Clone)]
pub struct Vault {
    cipher: Aes256Gcm,
    key_id: [u8; KEY_ID_LEN],
}

impl Vault {
    /// The vault of a master key.
    #[expect(clippy::needless_pass_by_value, reason = "the key is wiped once its schedule exists")]
    pub fn new(key: MasterKey) -> Self {
        let digest =
            Sha256::new().chain_update(b"slc1 key id").chain_update(key.0.as_slice()).finalize();
        let mut key_id = [0; KEY_ID_LEN];
        key_id.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
        let bytes: &[u8; 32] = &key.0;
        Self { cipher: Aes256Gcm::new(bytes.into()), key_id }
    }

    /// Seals `plain` for `place`, under a nonce of its own.
    ///
    /// # Errors
    /// [`VaultError::NoEntropy`].
    pub fn seal(&self, place: &Place<'_>, plain: &[u8]) -> Result<Vec<u8>, VaultError> {
        let mut nonce = [0; NONCE_LEN];
        getrandom::fill(&mut nonce).map_err(|_| VaultError::NoEntropy)?;
        let payload = Payload { msg: plain, aad: &place.associated_data() };
        // Fails only beyond 64 GiB, which no caller has.
        let ciphertext = self
            .cipher
            .encrypt(&Nonce::from(nonce), payload)
            .map_err(|_| VaultError::UnknownFormat)?;
        let mut sealed = Vec::with_capacity(HEADER_LEN + ciphertext.len());
        sealed.push(FORMAT);
        sealed.extend(self.key_id);
        sealed.extend(nonce);
        sealed.extend(ciphertext);
        Ok(sealed)
    }

    /// Opens what [`Self::seal`] sealed for the same `place`.
    ///
    /// # Errors
    /// Everything but [`VaultError::BadMasterKey`] and [`VaultError::NoEntropy`].
    pub fn open(&self, place: &Place<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let (header, ciphertext) =
            sealed.split_at_checked(HEADER_LEN).ok_or(VaultError::UnknownFormat)?;
        let (format, rest) = header.split_first().ok_or(VaultError::UnknownFormat)?;
        let (key_id, nonce) = rest.split_at_checked(KEY_ID_LEN).ok_or(VaultError::UnknownFormat)?;
        if *format != FORMAT {
            return Err(VaultError::UnknownFormat);
        }
        if key_id != self.key_id {
            return Err(VaultError::OtherKey);
        }
        let nonce = <[u8; NONCE_LEN]>::try_from(nonce).map_err(|_| VaultError::UnknownFormat)?;
        let payload = Payload { msg: ciphertext, aad: &place.associated_data() };
        let plain =
            self.cipher.decrypt(&Nonce::from(nonce), payload).map_err(|_| VaultError::Altered)?;
        Ok(Zeroizing::new(plain))
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place<'_> = Place { table: "account", row: "a", column: "credential", version: 7 };

    fn vault(byte: u8) -> Vault {
        Vault::new(MasterKey::new([byte; 32]))
    }

    #[test]
    fn opens_what_it_sealed_and_never_seals_twice_alike() {
        let vault = vault(1);
        let first = vault.seal(&PLACE, b"sk-live").unwrap();
        let second = vault.seal(&PLACE, b"sk-live").unwrap();
        assert_ne!(first, second);
        assert_eq!(vault.open(&PLACE, &first).unwrap().as_slice(), b"sk-live");
        assert!(!first.windows(7).any(|it| it == b"sk-live"));
    }

    #[test]
    fn a_text_opens_in_no_other_place() {
        let vault = vault(1);
        let sealed = vault.seal(&PLACE, b"sk-live").unwrap();
        for other in [
            Place { table: "accoun", row: "ta", ..PLACE },
            Place { row: "b", ..PLACE },
            Place { column: "proxy", ..PLACE },
            Place { version: 8, ..PLACE },
        ] {
            assert_eq!(vault.open(&other, &sealed), Err(VaultError::Altered), "{other:?}");
        }
    }

    #[test]
    fn every_flipped_byte_is_noticed() {
        let vault = vault(1);
        let sealed = vault.seal(&PLACE, b"sk-live").unwrap();
        for at in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[at] ^= 1;
            assert!(vault.open(&PLACE, &altered).is_err(), "byte {at}");
        }
        for len in 0..sealed.len() {
            assert!(vault.open(&PLACE, &sealed[..len]).is_err(), "length {len}");
        }
    }

    #[test]
    fn another_master_key_is_named_as_such() {
        let sealed = vault(1).seal(&PLACE, b"sk-live").unwrap();
        assert_eq!(vault(2).open(&PLACE, &sealed), Err(VaultError::OtherKey));
    }

    #[test]
    fn a_master_key_survives_base64_and_shows_nothing() {
        let key = MasterKey::generate().unwrap();
        let again = MasterKey::from_base64(&format!("{}\n", key.to_base64().expose())).unwrap();
        assert_eq!(again.0, key.0);
        assert_eq!(format!("{key:?} {:?}", Vault::new(key.clone())), "MasterKey Vault");
        for bad in ["", "AAAA", "not base64 at all"] {
            assert!(MasterKey::from_base64(bad).is_err(), "{bad}");
        }
    }
}
