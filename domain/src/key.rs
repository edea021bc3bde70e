//! Virtual keys: their text, their checksum and their fingerprint.
//!
//! Text form: `slc_<kind>_<43 characters of base62 = 256 bits><6 characters of
//! base62 = CRC-32 of everything before>`. The checksum rejects noise without any
//! look-up. What is stored and streamed is the [`Fingerprint`]: HMAC-SHA256 of the
//! whole text under a versioned pepper. A 256-bit key cannot be searched for, so a
//! slow hash would only cost time; the HMAC keeps a stolen table from confirming
//! guesses.

use crate::{catalog::VirtualKey, secret::Secret, time::Timestamp};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::fmt;
use subtle::ConstantTimeEq;

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const BODY_LEN: usize = 43;
const CHECKSUM_LEN: usize = 6;

/// What a minted secret is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// A caller's virtual key, `slc_sk_…`.
    Caller,
    /// An operator's token for the admin API, `slc_pat_…`.
    Operator,
    /// A proxy's token for the sync service, `slc_jn_…`.
    Proxy,
}

impl KeyKind {
    /// What the text of this kind starts with.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Caller => "slc_sk_",
            Self::Operator => "slc_pat_",
            Self::Proxy => "slc_jn_",
        }
    }
}

/// Why a text cannot be a key of the wanted kind. Deliberately says nothing of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a well-formed key: expected `{}` followed by 49 letters and digits", .0.prefix())]
pub struct MalformedKey(pub KeyKind);

/// Makes a new key of `kind` from 32 bytes of entropy.
pub fn mint(kind: KeyKind, entropy: &[u8; 32]) -> Secret {
    let mut text = kind.prefix().to_owned();
    push_base62(&mut text, entropy, BODY_LEN);
    let checksum = crc32fast::hash(text.as_bytes());
    push_base62(&mut text, &checksum.to_be_bytes(), CHECKSUM_LEN);
    Secret::new(text)
}

/// Checks length, characters and checksum; touches no table.
///
/// # Errors
/// [`MalformedKey`] when `text` was certainly never minted by [`mint`] for `kind`.
pub fn check_form(kind: KeyKind, text: &str) -> Result<(), MalformedKey> {
    let malformed = MalformedKey(kind);
    let body = text.strip_prefix(kind.prefix()).ok_or(malformed)?;
    if body.len() != BODY_LEN + CHECKSUM_LEN || !body.bytes().all(|it| it.is_ascii_alphanumeric()) {
        return Err(malformed);
    }
    // All ASCII, and longer than the checksum: the split cannot miss.
    let (covered, checksum) = text.split_at(text.len().saturating_sub(CHECKSUM_LEN));
    let mut expected = String::with_capacity(CHECKSUM_LEN);
    push_base62(&mut expected, &crc32fast::hash(covered.as_bytes()).to_be_bytes(), CHECKSUM_LEN);
    if expected == checksum { Ok(()) } else { Err(malformed) }
}

/// The last four characters, which lists show so that people can tell keys apart.
pub fn hint(key: &Secret) -> String {
    let text = key.expose();
    text.get(text.len().saturating_sub(4)..).unwrap_or("").to_owned()
}

/// Appends the big-endian number in `bytes` as `width` base62 digits.
fn push_base62(text: &mut String, bytes: &[u8], width: usize) {
    let mut number = bytes.to_vec();
    let mut digits = Vec::with_capacity(width);
    for _ in 0..width {
        let mut remainder = 0u32;
        for byte in &mut number {
            let value = remainder.wrapping_mul(256).wrapping_add(u32::from(*byte));
            // value < 62 * 256, so the quotient fits a byte.
            *byte = u8::try_from(value / 62).unwrap_or(u8::MAX);
            remainder = value % 62;
        }
        digits.push(DIGITS.get(remainder as usize).copied().unwrap_or(b'0'));
    }
    text.extend(digits.iter().rev().map(|it| char::from(*it)));
}

/// The key under which fingerprints are made. Versioned, because the raw keys are
/// gone: a new pepper serves new keys only.
#[derive(Clone, PartialEq, Eq)]
pub struct Pepper {
    version: u32,
    bytes: [u8; 32],
}

impl Pepper {
    /// A pepper from its stored 32 bytes.
    pub const fn new(version: u32, bytes: [u8; 32]) -> Self {
        Self { version, bytes }
    }

    /// Which pepper this is, from 1.
    pub const fn version(&self) -> u32 {
        self.version
    }

    /// The bytes, for sealing and for the encrypted stream.
    pub const fn expose(&self) -> &[u8; 32] {
        &self.bytes
    }

    /// The fingerprint of a key's text under this pepper.
    pub fn fingerprint(&self, text: &str) -> Fingerprint {
        // HMAC takes keys of any length, so this cannot fail; the empty branch keeps it panic-free.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.bytes) else {
            return Fingerprint([0; 32]);
        };
        mac.update(text.as_bytes());
        Fingerprint(mac.finalize().into_bytes().into())
    }
}

impl fmt::Debug for Pepper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pepper(v{})", self.version)
    }
}

/// HMAC-SHA256 of a key: finds its row, proves nothing to who steals it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// From its stored 32 bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes, for storage and the wire.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Whether both are the same, in a time that does not depend on where they differ.
    pub fn matches(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fingerprint")
    }
}

/// Why a key that exists may not be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// An operator disabled it.
    #[error("the key is disabled")]
    Disabled,
    /// Its time is over.
    #[error("the key has expired")]
    Expired,
}

/// Whether `key` may be used at `now`.
///
/// # Errors
/// The reason why not.
pub fn check_usable(key: &VirtualKey, now: Timestamp) -> Result<(), Unusable> {
    if !key.enabled {
        return Err(Unusable::Disabled);
    }
    match key.expires_at {
        Some(end) if end <= now => Err(Unusable::Expired),
        Some(_) | None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_minted_key_is_well_formed(entropy: [u8; 32]) {
            for kind in [KeyKind::Caller, KeyKind::Operator, KeyKind::Proxy] {
                let key = mint(kind, &entropy);
                prop_assert_eq!(key.expose().len(), kind.prefix().len() + 49);
                prop_assert_eq!(check_form(kind, key.expose()), Ok(()));
            }
        }

        #[test]
        fn a_single_changed_character_is_noticed(entropy: [u8; 32], at in 7usize..56, with in "[0-9A-Za-z]") {
            let key = mint(KeyKind::Caller, &entropy);
            let mut text = key.expose().to_owned();
            prop_assume!(text[at..=at] != with);
            text.replace_range(at..=at, &with);
            prop_assert!(check_form(KeyKind::Caller, &text).is_err());
        }

        #[test]
        fn two_keys_have_two_fingerprints(a: [u8; 32], b: [u8; 32]) {
            prop_assume!(a != b);
            let pepper = Pepper::new(1, [7; 32]);
            let of = |it: &[u8; 32]| pepper.fingerprint(mint(KeyKind::Caller, it).expose());
            prop_assert!(of(&a).matches(&of(&a)) && !of(&a).matches(&of(&b)));
        }
    }

    #[test]
    fn a_key_of_another_kind_is_not_well_formed() {
        let operator = mint(KeyKind::Operator, &[1; 32]);
        assert!(check_form(KeyKind::Caller, operator.expose()).is_err());
    }

    #[test]
    fn odd_texts_are_malformed_and_do_not_panic() {
        for text in ["", "slc_sk_", "slc_sk_é", "sk-123", &"slc_sk_".repeat(10_000)] {
            assert!(check_form(KeyKind::Caller, text).is_err());
        }
    }

    #[test]
    fn another_pepper_gives_another_fingerprint() {
        let key = mint(KeyKind::Caller, &[9; 32]);
        let of = |bytes| Pepper::new(1, bytes).fingerprint(key.expose());
        assert!(!of([1; 32]).matches(&of([2; 32])));
    }
}
