//! What a limit costs a proxy that nobody uses: 100,000 keys with four limits each,
//! of some thousand different amounts.
//!
//! All that a proxy keeps of its catalog is there: the catalog, what is compiled of it, and
//! the digests by which it follows the stream. What the same proxy keeps of the keys alone
//! is taken off. Counted are the bytes that are asked of the allocator, which are the same on
//! every machine; allocators round each up by about a tenth.
#![expect(clippy::unwrap_used, reason = "a test that tells its figure")]

use domain::{
    catalog::{
        Action, Calendar, CalendarPeriod, Catalog, Edit, Limit, Measure, Mode, Period, Rule,
        Subject, VirtualKey, Weights,
    },
    id::{KeyId, LimitId},
    key::{Fingerprint, Pepper},
};
use proto::{
    convert::snapshot::items,
    sync::v1::{ConfigItem, config_item::Item},
};
use sluice_data_plane::sync::config_stream::Held;
use std::{num::NonZeroU64, sync::Arc};
use uuid::Uuid;

/// Fewer where nothing is optimized: building them takes long there, and each takes the same.
const KEYS: u64 = if cfg!(debug_assertions) { 25_000 } else { 100_000 };
/// More than a table of a thousand would share.
const AMOUNTS: u64 = 2_000;
const CHUNK: u64 = 1_000;
/// Aimed at were 150. 48 of them are the digest by which the stream is followed, and its key.
const MOST_BYTES: u64 = 200;

/// As a UUIDv7 of the `number`-th moment: ascending, with random bits at its end.
fn uuid(number: u64) -> Uuid {
    let random = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (number >> 7);
    let bits = u128::from(number) << 80 | 0x7 << 76 | 0x2 << 62;
    Uuid::from_u128(bits | u128::from(random.wrapping_mul(0xff51_afd7_ed55_8ccd) >> 2))
}

fn rules(key: u64) -> [Rule; 4] {
    let amount = |it| NonZeroU64::new(it + key % AMOUNTS).unwrap();
    let tokens = Measure::Tokens(Weights::default());
    let period = Period::Minute;
    [
        Rule::Bucket { measure: Measure::Requests, amount: amount(60), period },
        Rule::Bucket { measure: tokens, amount: amount(100_000), period },
        Rule::Calendar {
            measure: Measure::Requests,
            amount: amount(1_000),
            period: CalendarPeriod::Day,
            calendar: Box::new(Calendar::default()),
        },
        Rule::TokensPerRequest { most: amount(4_000) },
    ]
}

fn virtual_key(number: u64) -> Arc<VirtualKey> {
    let mut fingerprint = [0; 32];
    fingerprint[..8].copy_from_slice(&number.to_le_bytes());
    Arc::new(VirtualKey {
        id: KeyId::from_uuid(uuid(number)),
        name: format!("key-{number}").parse().unwrap(),
        team: None,
        fingerprint: Fingerprint::from_bytes(fingerprint),
        pepper_version: 1,
        hint: "abcd".into(),
        enabled: true,
        expires_at: None,
        allowed_models: vec![],
    })
}

fn limit(number: u64, key: u64, rule: Rule) -> Arc<Limit> {
    let counted = !matches!(rule, Rule::TokensPerRequest { .. });
    Arc::new(Limit {
        id: LimitId::from_uuid(uuid(number)),
        generation: 0,
        subject: Subject::Key(KeyId::from_uuid(uuid(key))),
        rule: Arc::new(rule),
        mode: Mode::Strict,
        action: Action::Enforce,
        warn_percent: counted.then_some(80),
        switch_percent: None,
        queue_ms: 0,
    })
}

/// A chunk of keys with their limits, as they come over the wire.
fn chunk(from: u64, with_limits: bool) -> Vec<ConfigItem> {
    let mut catalog = Catalog::default();
    catalog.apply(Edit::PutPepper(Pepper::new(1, [7; 32])));
    for key in from..from + CHUNK {
        catalog.apply(Edit::PutKey(virtual_key(key)));
        for (number, rule) in (1..).zip(rules(key)).filter(|_| with_limits) {
            catalog.apply(Edit::PutLimit(limit(key * 4 + number, key, rule)));
        }
    }
    let wanted = |it: &ConfigItem| {
        let common = matches!(it.item, Some(Item::Pepper(_) | Item::Settings(_)));
        from == 0 || !common
    };
    items(&catalog).filter(wanted).collect()
}

fn held(keys: u64, with_limits: bool) -> Held {
    let chunks = (0..keys).step_by(CHUNK as usize);
    let items = chunks.flat_map(|from| chunk(from, with_limits));
    Held::build(Uuid::nil(), 1, items).map_err(|it| it[0].clone()).unwrap()
}

/// What is kept, and how many bytes it takes.
fn kept(with_limits: bool) -> (Held, u64) {
    let mut kept = None;
    let counted = allocation_counter::measure(|| kept = Some(held(KEYS, with_limits)));
    (kept.unwrap(), u64::try_from(counted.bytes_current).unwrap())
}

#[test]
fn an_idle_limit_takes_at_most_200_bytes() {
    let (_keys, of_keys) = kept(false);
    let (all, of_all) = kept(true);
    let limits = all.snapshot.catalog().limits.len() as u64;
    assert_eq!(limits, KEYS * 4);
    let each = (of_all - of_keys) / limits;
    println!("{each} bytes for each of {limits} limits, {} for each key", of_keys / KEYS);
    assert!(each <= MOST_BYTES, "{each} bytes for each limit");
}
