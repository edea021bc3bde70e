//! Limits tried on recorded usage.

use crate::{
    limits::{add_key, of, per_minute},
    nouns::{add_account, add_team, fields},
    plane::{Authorized, Plane},
};
use domain::id::{AccountId, KeyId, RequestId, TeamId};
use prost_types::Timestamp;
use proto::admin::v1::{limit_service_client::LimitServiceClient, limit_subject::Subject, *};
use tokio::task::JoinSet;
use tokio_postgres::{Client, NoTls};
use tonic::{Code, Status};
use uuid::Uuid;

/// Friday, 2026-01-02 00:00:00 UTC.
const BEGIN: i64 = 1_767_312_000;

struct Row<'a> {
    number: u128,
    second: i64,
    key: &'a str,
    alias: &'a str,
    provider: &'a str,
    model: &'a str,
    input: i64,
    cached: i64,
    output: i64,
    duration_ms: i64,
}

const USUAL: Row<'_> = Row {
    number: 0,
    second: 0,
    key: "",
    alias: "smart",
    provider: "demo",
    model: "gpt-4o-mini",
    input: 100,
    cached: 0,
    output: 50,
    duration_ms: 1_000,
};

/// Puts records straight into the table.
struct Books {
    client: Client,
    account: Uuid,
    team: Uuid,
    _tasks: JoinSet<()>,
}

impl Books {
    async fn of(plane: &Plane, account: &str, team: &str) -> Self {
        let config = plane.database.as_ref().unwrap().config.clone();
        let (client, connection) = config.connect(NoTls).await.unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let _ = connection.await;
        });
        let account = account.parse::<AccountId>().unwrap().uuid();
        let team = team.parse::<TeamId>().unwrap().uuid();
        Self { client, account, team, _tasks: tasks }
    }

    async fn add(&self, rows: &[Row<'_>]) {
        let sql = "INSERT INTO usage_event (started_at, request_id, proxy_id, wal_id, seq, key_id,
                team_id, account_id, provider, alias, model, dialect, operation, outcome, streamed,
                estimated, status, attempts, duration_ms, input_tokens, cached_input_tokens,
                cache_write_tokens, output_tokens, reasoning_tokens, revision)
            VALUES (to_timestamp($1::bigint), $2, $2, $2, 1, $3, $4, $5, $6, $7, $8, 'openai',
                'chat', 'complete', false, false, 200, 1, $9, $10, $11, 0, $12, 0, 1)";
        for it in rows {
            let key = it.key.parse::<KeyId>().unwrap().uuid();
            let at = BEGIN + it.second;
            let request = Uuid::from_u128(it.number);
            self.client
                .execute(
                    sql,
                    &[
                        &at,
                        &request,
                        &key,
                        &self.team,
                        &self.account,
                        &it.provider,
                        &it.alias,
                        &it.model,
                        &it.duration_ms,
                        &it.input,
                        &it.cached,
                        &it.output,
                    ],
                )
                .await
                .unwrap();
        }
    }
}

fn at(second: i64) -> Option<Timestamp> {
    Some(Timestamp { seconds: BEGIN + second, nanos: 0 })
}

async fn simulate(channel: &Authorized, limit: Limit) -> Result<SimulateLimitResponse, Status> {
    let mut limits = LimitServiceClient::new(channel.clone());
    let request = SimulateLimitRequest { limit: Some(limit), since: at(0), until: at(400_000) };
    limits.simulate_limit(request).await.map(tonic::Response::into_inner)
}

fn everything() -> Subject {
    Subject::Everything(limit_subject::Everything {})
}

#[tokio::test]
async fn recorded_requests_are_replayed_in_their_order_and_by_their_subject() {
    let plane = Plane::start().await;
    let channel = plane.admin().await;
    let (a, b) = (add_key(&channel, "a").await, add_key(&channel, "b").await);
    let account = add_account(&channel, "main").await;
    let team = add_team(&channel, "red").await;
    let books = Books::of(&plane, &account.id, &team.id).await;
    let gone = KeyId::from_uuid(Uuid::from_u128(99)).to_string();
    // Six of `a` within ten seconds, two of `b` between them, one of a key that is gone a
    // day later; written in no order.
    let mut rows = Vec::new();
    for (number, second, key) in [
        (8, 7, &b.id),
        (1, 0, &a.id),
        (3, 4, &a.id),
        (2, 2, &a.id),
        (7, 3, &b.id),
        (4, 6, &a.id),
        (6, 9, &a.id),
        (5, 8, &a.id),
        (9, 86_400, &gone),
    ] {
        rows.push(Row { number, second, key, ..USUAL });
    }
    rows[0].alias = "other";
    books.add(&rows).await;

    let tried = simulate(&channel, per_minute(Subject::Key("a".to_owned()), 4)).await.unwrap();
    assert_eq!((tried.requests, tried.refused), (6, 2));
    assert_eq!(tried.first_refused_at, at(8));
    let fifth = RequestId::from_uuid(Uuid::from_u128(5)).to_string();
    assert_eq!(tried.first_refused_request, fifth);
    let refused =
        |key: &str, requests, refused| SimulatedRefusals { key: key.to_owned(), requests, refused };
    assert_eq!(tried.keys, [refused("a", 6, 2)]);
    assert!(tried.worst_case.contains('8'), "{}", tried.worst_case);

    // Of everybody's nine, in a window of the calendar: a day begins at midnight UTC, and
    // in Shanghai all nine fall into two days, too.
    let day = |zone: &str, amount| Limit {
        period: LimitPeriod::Day.into(),
        time_zone: zone.to_owned(),
        ..per_minute(everything(), amount)
    };
    let tried = simulate(&channel, day("", 5)).await.unwrap();
    assert_eq!((tried.requests, tried.refused), (9, 3));
    assert_eq!(tried.keys, [refused("a", 6, 2), refused("b", 2, 1)]);
    let tried = simulate(&channel, day("Asia/Shanghai", 1)).await.unwrap();
    assert_eq!((tried.requests, tried.refused), (9, 7));
    // For ever: the key that is gone is shown by its id.
    let grant = Limit { period: LimitPeriod::Forever.into(), ..per_minute(everything(), 8) };
    let tried = simulate(&channel, grant).await.unwrap();
    assert_eq!(tried.keys, [refused(&gone, 1, 1)]);

    for (subject, requests) in [
        (Subject::Team("red".to_owned()), 9),
        (Subject::Alias("other".to_owned()), 1),
        (Subject::Provider("demo".to_owned()), 9),
        (Subject::Provider("openai".to_owned()), 0),
        (Subject::Account("main".to_owned()), 9),
    ] {
        let tried = simulate(&channel, per_minute(subject.clone(), 1_000)).await.unwrap();
        assert_eq!((tried.requests, tried.refused), (requests, 0), "{subject:?}");
        assert_eq!((tried.first_refused_at, tried.keys.len()), (None, 0));
    }
    // Nothing was written.
    let list = LimitServiceClient::new(channel).list_limits(ListLimitsRequest::default()).await;
    assert!(list.unwrap().into_inner().limits.is_empty());
}

#[tokio::test]
async fn tokens_money_and_seats_are_counted_as_a_limit_would_count_them() {
    let plane = Plane::start().await;
    let channel = plane.admin().await;
    let key = add_key(&channel, "a").await;
    let account = add_account(&channel, "main").await;
    let team = add_team(&channel, "red").await;
    let books = Books::of(&plane, &account.id, &team.id).await;
    let usual = Row { key: &key.id, ..USUAL };
    books
        .add(&[
            Row { number: 1, second: 0, duration_ms: 10_000, ..usual },
            Row { number: 2, second: 5, input: 1_000, cached: 1_000, output: 0, ..usual },
            Row { number: 3, second: 10, model: "of-no-price", ..usual },
            Row { number: 4, second: 20, ..usual },
        ])
        .await;
    // 150, then 1,000 cached ones at a tenth, then 150 and 150.
    let tokens = Limit {
        measure: LimitMeasure::Tokens.into(),
        weights: Some(TokenWeights { cached_input_percent: Some(10), ..Default::default() }),
        period: LimitPeriod::Forever.into(),
        ..per_minute(everything(), 400)
    };
    let tried = simulate(&channel, tokens).await.unwrap();
    assert_eq!((tried.requests, tried.refused, tried.unpriced), (4, 1, 0));
    assert_eq!(tried.first_refused_at, at(20));
    // The demo model costs a micro-dollar for input, a tenth for cached input, two for output:
    // 200, 100, unknown, 200.
    let cost = Limit {
        measure: LimitMeasure::Cost.into(),
        period: LimitPeriod::Forever.into(),
        ..per_minute(everything(), 499)
    };
    let tried = simulate(&channel, cost.clone()).await.unwrap();
    assert_eq!((tried.requests, tried.refused, tried.unpriced), (4, 1, 1));
    let tried = simulate(&channel, Limit { amount: 500, ..cost }).await.unwrap();
    assert_eq!((tried.refused, tried.unpriced), (0, 1));
    // The second runs beside the first, which ends when the third begins.
    let alone = |measure: LimitMeasure, amount| Limit {
        measure: measure.into(),
        period: 0,
        ..per_minute(everything(), amount)
    };
    let tried = simulate(&channel, alone(LimitMeasure::InFlight, 1)).await.unwrap();
    assert_eq!((tried.requests, tried.refused, tried.first_refused_at), (4, 1, at(5)));
    let tried = simulate(&channel, alone(LimitMeasure::TokensPerRequest, 999)).await.unwrap();
    assert_eq!((tried.refused, tried.first_refused_at), (1, at(5)));
}

#[tokio::test]
async fn what_cannot_be_tried_is_named() {
    let plane = Plane::start().await;
    let channel = plane.admin().await;
    let bad = Limit { time_zone: "UTC".to_owned(), ..per_minute(Subject::Key("x".to_owned()), 0) };
    let status = simulate(&channel, bad).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    let expected = ["limit.subject.key", "limit.amount", "limit.time_zone"];
    assert_eq!(fields(&status), expected, "{status}");
    let mut limits = LimitServiceClient::new(channel);
    let nothing = limits.simulate_limit(SimulateLimitRequest::default()).await.unwrap_err();
    assert_eq!(fields(&nothing), ["limit"]);
    let limit = Some(Limit { subject: of(everything()), ..per_minute(everything(), 5) });
    let back = SimulateLimitRequest { limit: limit.clone(), since: at(5), until: at(5) };
    assert_eq!(fields(&limits.simulate_limit(back).await.unwrap_err()), ["until"]);
    // Seven days until now, if nothing else is said.
    let usual = SimulateLimitRequest { limit, since: None, until: None };
    assert_eq!(limits.simulate_limit(usual).await.unwrap().into_inner().requests, 0);
}

#[tokio::test]
async fn more_usage_than_is_fetched_at_once_is_replayed_whole() {
    let plane = Plane::start().await;
    let channel = plane.admin().await;
    let key = add_key(&channel, "a").await;
    let account = add_account(&channel, "main").await;
    let team = add_team(&channel, "red").await;
    let books = Books::of(&plane, &account.id, &team.id).await;
    books.add(&[Row { number: 1, key: &key.id, ..USUAL }]).await;
    // 9,999 more, one a second.
    let sql =
        "INSERT INTO usage_event SELECT started_at + make_interval(secs => n), gen_random_uuid(),
            proxy_id, wal_id, n + 1, key_id, team_id, account_id, provider, alias, model, dialect,
            operation, outcome, streamed, estimated, status, attempts, duration_ms, ttft_ms,
            input_tokens, cached_input_tokens, cache_write_tokens, output_tokens,
            reasoning_tokens, revision
        FROM usage_event, generate_series(1, 9999) AS n";
    books.client.batch_execute(sql).await.unwrap();
    let hour = Limit {
        period: LimitPeriod::Hour.into(),
        profile: LimitProfile::Calendar.into(),
        ..per_minute(everything(), 600)
    };
    // Two whole hours, and 2,800 s of the third.
    let tried = simulate(&channel, hour).await.unwrap();
    assert_eq!((tried.requests, tried.refused), (10_000, 10_000 - 3 * 600));
    assert_eq!(tried.first_refused_at, at(600));
}
