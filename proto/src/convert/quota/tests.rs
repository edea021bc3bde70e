use super::*;
use proptest::{collection::vec, option, prelude::*};
use prost::Message as _;

fn of() -> impl Strategy<Value = LeaseOf> {
    any::<(u128, u32)>().prop_map(|(id, generation)| LeaseOf {
        limit: LimitId::from_uuid(Uuid::from_u128(id)),
        generation,
    })
}

fn denied() -> impl Strategy<Value = Denied> {
    let why = prop::sample::select(vec![
        Why::Exhausted,
        Why::Moving,
        Why::Learning,
        Why::Unknown,
        Why::Unavailable,
    ]);
    (any::<u64>(), why).prop_map(|(retry_us, why)| Denied { retry_us, why })
}

fn held() -> impl Strategy<Value = Held> {
    any::<(u64, i64, [u64; 4])>().prop_map(|(seq, level_milli, rest)| {
        let [rate_nano, cap_milli, left_us, surplus_milli] = rest;
        Held { seq, level_milli, rate_nano, cap_milli, left_us, surplus_milli }
    })
}

fn entry() -> impl Strategy<Value = Entry> {
    let returned =
        any::<(u64, u64)>().prop_map(|(since_us, unused_milli)| Return { since_us, unused_milli });
    let parts = (of(), option::of(held()), vec(returned, 0..4), any::<(u32, [u64; 7], bool)>());
    parts.prop_map(|(of, held, returned, (incarnation, numbers, release))| {
        let [
            demand_milli_per_s,
            largest_milli,
            spent_milli,
            reserved_milli,
            denied,
            need_milli,
            least_milli,
        ] = numbers;
        Entry {
            of,
            incarnation,
            held,
            demand_milli_per_s,
            largest_milli,
            spent_milli,
            reserved_milli,
            denied,
            need_milli,
            least_milli,
            returned,
            release,
        }
    })
}

fn chunk_entry() -> impl Strategy<Value = ChunkEntry> {
    (of(), any::<(Option<i64>, i64, [u64; 10])>()).prop_map(|(of, (window, level_milli, rest))| {
        let [
            seq,
            reserved_milli,
            spent_milli,
            denied,
            demand_milli_per_s,
            need_milli,
            least_milli,
            give_back_seq,
            give_back_milli,
            owed_milli,
        ] = rest;
        ChunkEntry {
            of,
            window: window.map(WindowId),
            seq,
            level_milli,
            reserved_milli,
            spent_milli,
            denied,
            demand_milli_per_s,
            need_milli,
            least_milli,
            give_back_seq,
            give_back_milli,
            owed_milli,
        }
    })
}

fn grant() -> impl Strategy<Value = Grant> {
    (of(), option::of(denied()), any::<(u32, [u64; 5], bool, u32)>()).prop_map(
        |(
            of,
            denied,
            (incarnation, [seq, rate_nano, cap_milli, credit_milli, free_milli], reset, used_ppm),
        )| Grant {
            of,
            incarnation,
            seq,
            rate_nano,
            cap_milli,
            credit_milli,
            reset,
            denied,
            free_milli,
            used_ppm,
        },
    )
}

fn chunk_grant() -> impl Strategy<Value = ChunkGrant> {
    (of(), option::of(denied()), any::<(i64, Option<u64>, [u64; 3], bool, u32)>()).prop_map(
        |(of, denied, (window, left_us, [seq, credit_milli, free_milli], call_in, used_ppm))| {
            let window = WindowId(window);
            ChunkGrant {
                of,
                window,
                left_us,
                seq,
                credit_milli,
                denied,
                call_in,
                call_in_milli: free_milli / 2,
                free_milli,
                used_ppm,
            }
        },
    )
}

proptest! {
    #[test]
    fn what_a_holder_says_survives_the_wire(
        (epoch, number, sent_us, whole) in any::<(u64, u64, u64, bool)>(),
        entries in vec(entry(), 0..5),
        chunks in vec(chunk_entry(), 0..5),
    ) {
        let sync = Sync { epoch, number, sent_us, whole, entries, chunks };
        let bytes = sync_to(&sync).encode_to_vec();
        prop_assert_eq!(sync_from(v1::QuotaSync::decode(&bytes[..]).unwrap()), Ok(sync));
    }

    #[test]
    fn what_the_leader_says_survives_the_wire(
        (epoch, stamp_us, reply_to_us, hello, ttl_us) in any::<(u64, u64, Option<u64>, bool, u64)>(),
        grants in vec(grant(), 0..5),
        chunks in vec(chunk_grant(), 0..5),
    ) {
        let grants = Grants { epoch, stamp_us, reply_to_us, hello, ttl_us, grants, chunks };
        let bytes = grants_to(&grants).encode_to_vec();
        prop_assert_eq!(grants_from(v1::QuotaGrants::decode(&bytes[..]).unwrap()), Ok(grants));
    }
}

#[test]
fn what_names_no_limit_is_refused_with_its_field() {
    let short = v1::LeaseOf { limit: vec![1; 15], generation: 0 };
    for (of, field) in [(None, "of"), (Some(short), "of.limit")] {
        let entry = v1::LeaseEntry { of: of.clone(), ..Default::default() };
        let sync = v1::QuotaSync { entries: vec![entry], ..Default::default() };
        assert_eq!(sync_from(sync).unwrap_err().field, field);
        let chunk = v1::ChunkGrant { of, ..Default::default() };
        let grants = v1::QuotaGrants { chunks: vec![chunk], ..Default::default() };
        assert_eq!(grants_from(grants).unwrap_err().field, field);
    }
    let elsewhere = v1::QuotaSync { shard: 1, ..Default::default() };
    assert_eq!(sync_from(elsewhere).unwrap_err().field, "shard");
}

#[test]
fn a_reason_of_a_later_version_does_not_cost_the_message() {
    let denied = |reason| {
        let of = Some(of_to(LeaseOf { limit: LimitId::from_uuid(Uuid::nil()), generation: 0 }));
        let denied = Some(v1::QuotaDenied { retry_us: 5, reason });
        let grant = v1::LeaseGrant { of, denied, ..Default::default() };
        grants_from(v1::QuotaGrants { grants: vec![grant], ..Default::default() })
    };
    let read = denied(77).unwrap();
    assert_eq!(read.grants[0].denied, Some(Denied { retry_us: 5, why: Why::Unavailable }));
    assert_eq!(denied(0).unwrap_err().field, "denied.reason");
}
