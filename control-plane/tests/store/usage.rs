//! Usage: in the books once, however it is sent, and it adds up.

use crate::fixture::{Fixture, key, store, team};
use domain::{
    catalog::{Dialect, Edit, Operation},
    id::{AccountId, KeyId, ProxyId, RequestId},
    time::Timestamp,
    tokens::Tokens,
    usage::{Outcome, UsageRecord},
};
use futures_util::future::join_all;
use sluice_control_plane::store::{
    Batch, Durable, Page, PoolSettings, Source, Store, UsageDimension, UsageQuery, UsageSums,
};
use uuid::Uuid;

const DAY_MS: i64 = 86_400_000;

fn record(number: u64) -> UsageRecord {
    UsageRecord {
        request: RequestId::from_uuid(Uuid::now_v7()),
        started_at: Timestamp::from_unix_ms(
            runtime::clock::unix_ms() - 1_000 + i64::try_from(number).unwrap(),
        ),
        duration_ms: 120,
        ttft_ms: number.is_multiple_of(2).then_some(40),
        key: KeyId::from_uuid(Uuid::from_u128(1)),
        team: None,
        alias: "fast".to_owned(),
        model: format!("model-{}", number % 3),
        account: AccountId::from_uuid(Uuid::from_u128(u128::from(number % 2))),
        provider: "openai".parse().unwrap(),
        dialect: Dialect::OpenAi,
        operation: Operation::Chat,
        streamed: true,
        status: if number % 5 == 4 { 502 } else { 200 },
        outcome: if number % 5 == 4 { Outcome::UpstreamError } else { Outcome::Complete },
        tokens: Tokens { input: number, cached_input: 1, cache_write: 2, output: 10, reasoning: 3 },
        estimated: number % 4 == 3,
        attempts: 1,
        revision: 1,
    }
}

struct Log {
    proxy: ProxyId,
    wal_id: Uuid,
    records: Vec<UsageRecord>,
}

impl Log {
    fn of(count: u64) -> Self {
        let proxy = ProxyId::from_uuid(Uuid::now_v7());
        Self { proxy, wal_id: Uuid::now_v7(), records: (1..=count).map(record).collect() }
    }

    /// Records `first` to `last`, numbered from 1.
    fn batch(&self, first: usize, last: usize) -> Batch {
        Batch {
            proxy: self.proxy,
            wal_id: self.wal_id,
            first_seq: first as u64,
            records: self.records[first - 1..last].to_vec(),
        }
    }
}

async fn seqs(fixture: &mut Fixture) -> Vec<i64> {
    let client = fixture.client().await;
    let rows = client.query("SELECT seq FROM usage_event ORDER BY wal_id, seq", &[]).await.unwrap();
    rows.iter().map(|it| it.get(0)).collect()
}

#[tokio::test]
async fn duplicates_overlaps_and_gaps_end_in_every_record_once() {
    let mut fixture = Fixture::create().await;
    let log = Log::of(10);
    for (first, last, durable) in [
        (3, 4, 0),
        (1, 3, 3),
        (1, 3, 3),
        (2, 5, 5),
        (8, 10, 5),
        (6, 6, 6),
        (1, 6, 6),
        (1, 10, 10),
        (4, 4, 10),
    ] {
        let answer = fixture.store.ingest_usage(vec![log.batch(first, last)]).await.unwrap();
        let expected = Durable { wal_id: log.wal_id, seq: durable };
        assert_eq!(answer, [expected], "{first} to {last}");
    }
    assert_eq!(seqs(&mut fixture).await, Vec::from_iter(1..=10));
}

#[tokio::test]
async fn batches_of_one_log_come_in_any_order_and_of_many_logs_at_once() {
    let mut fixture = Fixture::create().await;
    let (a, b) = (Log::of(6), Log::of(4));
    let batches = vec![a.batch(5, 6), b.batch(1, 4), a.batch(1, 2), a.batch(3, 4)];
    let mut answer = fixture.store.ingest_usage(batches).await.unwrap();
    answer.sort_by_key(|it| it.seq);
    assert_eq!(answer.iter().map(|it| it.seq).collect::<Vec<_>>(), [4, 6]);
    let empty = Batch { records: Vec::new(), ..a.batch(1, 1) };
    let answer = fixture.store.ingest_usage(vec![empty]).await.unwrap();
    assert_eq!(answer, [Durable { wal_id: a.wal_id, seq: 6 }]);
    let unnumbered = Batch { first_seq: 0, ..a.batch(1, 6) };
    let answer = fixture.store.ingest_usage(vec![unnumbered]).await.unwrap();
    assert_eq!(answer, [Durable { wal_id: a.wal_id, seq: 6 }]);
    assert_eq!(seqs(&mut fixture).await.len(), 10);
}

#[tokio::test]
async fn the_same_records_through_two_control_planes_at_once_count_once() {
    let mut fixture = Fixture::create().await;
    let logs: Vec<_> = (0..3).map(|_| Log::of(40)).collect();
    let stores: Vec<_> = (0..3).map(|_| store(&fixture.database)).collect();
    let senders = stores.iter().map(|store| async {
        for at in 0..8 {
            let batches = logs.iter().map(|it| it.batch(at * 5 + 1, at * 5 + 5)).collect();
            store.ingest_usage(batches).await.unwrap();
        }
    });
    join_all(senders).await;
    let expected: Vec<i64> = (0..3).flat_map(|_| 1..=40).collect();
    assert_eq!(seqs(&mut fixture).await, expected);
}

#[tokio::test]
async fn an_odd_record_does_not_keep_others_out() {
    let mut fixture = Fixture::create().await;
    let mut log = Log::of(4);
    log.records[0].alias = "nul\0and\u{1f980}".repeat(1_000);
    log.records[1].started_at = Timestamp::from_unix_ms(i64::MIN);
    log.records[2].started_at = Timestamp::from_unix_ms(i64::MAX);
    log.records[3].tokens.input = u64::MAX;
    log.records[3].attempts = u32::MAX;
    let answer = fixture.store.ingest_usage(vec![log.batch(1, 4)]).await.unwrap();
    assert_eq!(answer[0].seq, 4);
    assert_eq!(seqs(&mut fixture).await, [1, 2, 3, 4]);
    fixture
        .store
        .list_usage(&UsageQuery::default(), &Page { after: None, limit: 10 })
        .await
        .unwrap();
}

#[tokio::test]
async fn days_get_partitions_ahead_and_take_over_what_came_before_them() {
    let mut fixture = Fixture::create().await;
    let client = fixture.client().await;
    let in_default = || async {
        let row = client.query_one("SELECT count(*) FROM usage_event_default", &[]).await.unwrap();
        row.get::<_, i64>(0)
    };
    let now = runtime::clock::unix_ms();
    let mut log = Log::of(3);
    log.records[1].started_at = Timestamp::from_unix_ms(now + 7 * DAY_MS);
    log.records[2].started_at = Timestamp::from_unix_ms(now + 30 * DAY_MS);
    fixture.store.ingest_usage(vec![log.batch(1, 3)]).await.unwrap();
    assert_eq!(in_default().await, 1);
    let later = Timestamp::from_unix_ms(now + 25 * DAY_MS);
    let both = [store(&fixture.database), store(&fixture.database)];
    for result in join_all(both.iter().map(|it| it.prepare_usage_days(later))).await {
        result.unwrap();
    }
    assert_eq!(in_default().await, 0);
    assert_eq!(seqs(&mut fixture).await, [1, 2, 3]);
}

fn sum(records: &[&UsageRecord]) -> UsageSums {
    let mut sums = UsageSums::default();
    for it in records {
        sums.requests += 1;
        sums.failed_requests += u64::from(it.status != 200);
        sums.estimated_requests += u64::from(it.estimated);
        sums.tokens.input += it.tokens.input;
        sums.tokens.cached_input += it.tokens.cached_input;
        sums.tokens.cache_write += it.tokens.cache_write;
        sums.tokens.output += it.tokens.output;
        sums.tokens.reasoning += it.tokens.reasoning;
    }
    sums
}

#[tokio::test]
async fn summaries_add_up_along_every_dimension() {
    let fixture = Fixture::create().await;
    let (red, caller) = (team("red"), key("caller"));
    fixture.put(vec![Edit::PutTeam(red.clone()), Edit::PutKey(caller.clone())]).await;
    let mut log = Log::of(60);
    for (at, it) in log.records.iter_mut().enumerate() {
        if at % 2 == 0 {
            it.key = caller.id;
            it.team = Some(red.id);
        }
    }
    fixture.store.ingest_usage(vec![log.batch(1, 60)]).await.unwrap();
    let all: Vec<&UsageRecord> = log.records.iter().collect();
    for dimension in [
        UsageDimension::Key,
        UsageDimension::Model,
        UsageDimension::Account,
        UsageDimension::Team,
        UsageDimension::Alias,
        UsageDimension::Provider,
    ] {
        let (groups, total) =
            fixture.store.summarize_usage(&UsageQuery::default(), &[dimension]).await.unwrap();
        assert_eq!(total, sum(&all), "{dimension:?}");
        let requests: u64 = groups.iter().map(|it| it.sums.requests).sum();
        assert_eq!(requests, 60, "{dimension:?}");
        assert!(groups.is_sorted_by(|a, b| a.sums.tokens.total() >= b.sums.tokens.total()));
    }
    let by_both = [UsageDimension::Model, UsageDimension::Key];
    let (groups, _) =
        fixture.store.summarize_usage(&UsageQuery::default(), &by_both).await.unwrap();
    assert_eq!(groups.len(), 6);
    let group = groups.iter().find(|it| it.group == ["model-1", "caller"]).unwrap();
    let of_group: Vec<_> =
        all.iter().filter(|it| it.model == "model-1" && it.key == caller.id).copied().collect();
    assert_eq!(group.sums, sum(&of_group));
    let query = UsageQuery {
        team: Some(red.id),
        model: Some("model-2".to_owned()),
        ..UsageQuery::default()
    };
    let (groups, total) =
        fixture.store.summarize_usage(&query, &[UsageDimension::Team]).await.unwrap();
    assert_eq!(groups.len(), 1);
    assert_eq!(groups[0].group, ["red"]);
    assert_eq!(groups[0].sums, total);
    let nothing = UsageQuery { until: Some(Timestamp::from_unix_ms(0)), ..UsageQuery::default() };
    let (groups, total) =
        fixture.store.summarize_usage(&nothing, &[UsageDimension::Key]).await.unwrap();
    assert_eq!((groups.len(), total), (0, UsageSums::default()));
}

#[tokio::test]
async fn records_are_listed_newest_first_page_by_page_with_names_of_what_is_there() {
    let fixture = Fixture::create().await;
    let caller = key("caller");
    fixture.put(vec![Edit::PutKey(caller.clone())]).await;
    let mut log = Log::of(25);
    log.records.iter_mut().take(10).for_each(|it| it.key = caller.id);
    // Requests of the same millisecond are told apart too.
    let same = log.records[3].started_at;
    log.records.iter_mut().skip(3).take(6).for_each(|it| it.started_at = same);
    fixture.store.ingest_usage(vec![log.batch(1, 25)]).await.unwrap();
    let mut expected = log.records.clone();
    expected.sort_by_key(|it| (it.started_at, it.request));
    expected.reverse();
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let page = Page { after, limit: 4 };
        let (entries, next) =
            fixture.store.list_usage(&UsageQuery::default(), &page).await.unwrap();
        for it in entries {
            let name = if it.record.key == caller.id {
                "caller".to_owned()
            } else {
                it.record.key.to_string()
            };
            assert_eq!(it.key, name);
            assert_eq!(it.account, it.record.account.to_string());
            assert_eq!((it.team.as_str(), it.proxy), ("", log.proxy));
            seen.push(it.record);
        }
        after = next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen, expected);
    let of_caller = UsageQuery { key: Some(caller.id), ..UsageQuery::default() };
    let page = Page { after: None, limit: 100 };
    assert_eq!(fixture.store.list_usage(&of_caller, &page).await.unwrap().0.len(), 10);
    for bad in ["", "x", "1.2", "1.zz"] {
        let page = Page { after: Some(bad.to_owned()), limit: 1 };
        assert!(fixture.store.list_usage(&of_caller, &page).await.is_err(), "{bad}");
    }
}

#[tokio::test]
async fn a_sum_may_take_longer_than_a_statement_otherwise_may() {
    let mut fixture = Fixture::create().await;
    let mut client = fixture.client().await;
    let settings =
        PoolSettings { max_size: 2, statement_timeout_ms: 100, acquire_timeout_ms: 30_000 };
    let hasty = Store::connect(Source::Embedded(fixture.database.config.clone()), settings);
    let hasty = hasty.unwrap();
    let lock = client.transaction().await.unwrap();
    lock.batch_execute("LOCK TABLE usage_event").await.unwrap();
    let query = UsageQuery::default();
    let release = async {
        lock.query_one("SELECT pg_sleep(0.4)", &[]).await.unwrap();
        lock.rollback().await.unwrap();
    };
    let (sums, ()) = tokio::join!(hasty.summarize_usage(&query, &[]), release);
    assert_eq!(sums.unwrap().1, UsageSums::default());
}
