//! What a limit costs a proxy that nobody uses it at: 100,000 keys with four limits each.
//!
//! Measured as the process sees it, under the allocator that proxies run with: what the
//! allocator rounds up is paid for, too. Alone in its file, so that no other test
//! allocates meanwhile.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test that tells its figure")]

use domain::{
    catalog::{
        Action, Calendar, CalendarPeriod, Catalog, Edit, Limit, Measure, Mode, Period, Rule,
        Subject, Weights,
    },
    id::{KeyId, LimitId},
};
use std::{fs, num::NonZeroU64, sync::Arc};
use uuid::Uuid;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const KEYS: u64 = 100_000;
const PAGE_BYTES: u64 = 4_096;
const MOST_BYTES: u64 = 150;

/// As a UUIDv7 of the `number`-th moment: ascending, with random bits at its end.
fn uuid(number: u64) -> Uuid {
    let random = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (number >> 7);
    let bits = u128::from(number) << 80 | 0x7 << 76 | 0x2 << 62;
    Uuid::from_u128(bits | u128::from(random.wrapping_mul(0xff51_afd7_ed55_8ccd) >> 2))
}

fn rules() -> [Rule; 4] {
    let amount = |it| NonZeroU64::new(it).unwrap();
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

fn limit(number: u64, key: u64, rule: Rule) -> Arc<Limit> {
    Arc::new(Limit {
        id: LimitId::from_uuid(uuid(number)),
        generation: 0,
        subject: Subject::Key(KeyId::from_uuid(uuid(key))),
        rule: Arc::new(rule),
        mode: Mode::Strict,
        action: Action::Enforce,
        warn_percent: Some(80),
        switch_percent: None,
        queue_ms: 0,
    })
}

/// Memory of this process that is really there, in bytes.
fn resident() -> u64 {
    let text = fs::read_to_string("/proc/self/statm").unwrap();
    text.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * PAGE_BYTES
}

#[test]
fn an_idle_limit_takes_at_most_150_bytes() {
    let mut catalog = Catalog::default();
    // The allocator's own beginnings are not the limits'.
    catalog.apply(Edit::PutLimit(limit(0, 0, Rule::InFlight { most: NonZeroU64::MIN })));
    let before = resident();
    for key in 0..KEYS {
        for (number, rule) in (1..).zip(rules()) {
            catalog.apply(Edit::PutLimit(limit(key * 4 + number, key, rule)));
        }
    }
    let limits = u64::try_from(catalog.limits.len()).unwrap() - 1;
    assert_eq!(limits, KEYS * 4);
    let each = (resident() - before) / limits;
    println!("{each} bytes for each of {limits} limits");
    assert!(each <= MOST_BYTES, "{each} bytes for each limit");
}
