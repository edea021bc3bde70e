//! Facts about how limits' use is shown.

use super::*;

const NOW_MS: i64 = 1_700_000_000_000;

fn at(ms: i64) -> Option<prost_types::Timestamp> {
    Some(spell::timestamp(domain::time::Timestamp::from_unix_ms(ms)))
}

fn leader() -> v1::LimitLeader {
    v1::LimitLeader {
        address: "127.0.0.1:7070".into(),
        epoch: 3,
        since: at(NOW_MS - 300_000),
        learning: false,
        database_ok: true,
    }
}

fn statuses() -> Vec<v1::LimitStatus> {
    let mut limits = super::super::tests::limits().into_iter();
    let mut status = |used_milli, used_ppm| v1::LimitStatus {
        limit: limits.next(),
        used_milli,
        used_ppm,
        ..v1::LimitStatus::default()
    };
    let (rate, quota, money) =
        (status(12_500, 200_000), status(990_000_000, 990_000), status(12_345_678_901, 24_691));
    let lease = |address: &str, level_milli| v1::LimitLease {
        proxy: "prx_1".into(),
        address: address.into(),
        level_milli,
        rate_milli_per_s: 500,
        expires_ms: 7_500,
        spent_milli: 12_000,
        denied: 2,
        ..v1::LimitLease::default()
    };
    vec![
        v1::LimitStatus {
            reserved_milli: 1_000,
            free_milli: 40_000,
            granted_milli: 7_500,
            denied: 1_234,
            leases: vec![lease("127.0.0.1:8080", 7_500), lease("", -1_000)],
            ..rate
        },
        v1::LimitStatus { switched: true, window_ends_at: at(NOW_MS + 7_300_000), ..quota },
        v1::LimitStatus { over_milli: 5_000_000, window_ends_at: at(NOW_MS - 1), ..money },
    ]
}

#[test]
fn the_table_says_how_full_each_limit_is() {
    let view = LimitStatusesView::new(Some(leader()), statuses(), NOW_MS);
    let head = "leader  127.0.0.1:7070, epoch 3, for 5m\n";
    assert_eq!(
        view.text(Leases::Hidden),
        format!(
            "{head}
SUBJECT              LIMIT                     USED                    RESERVED   FREE   LENT  DENIED  PROXIES    OVER  ENDS
key team-a           60 requests/minute        12 (20%)                       1     40      7   1,234        2       0  -
account free-1       1M tokens/month           990,000 (99%) switched         0      0      0       0        0       0  in 2h
key ci × alias chat  $500.00 forever (shadow)  $12.34 (2.4%)              $0.00  $0.00  $0.00       0        0  $0.005  now
"
        )
    );
    let text = view.text(Leases::Shown);
    let (_, leases) = text.rsplit_once("\n\n").unwrap();
    assert_eq!(
        leases,
        "\
SUBJECT     LIMIT               PROXY           LEVEL  RESERVED  PER SECOND  SPENT  DENIED  LEFT
key team-a  60 requests/minute  127.0.0.1:8080      7         0         0.5     12       2  7s
key team-a  60 requests/minute  prx_1              -1         0         0.5     12       2  7s
"
    );
}

#[test]
fn the_head_says_what_is_wrong_with_the_leader() {
    let text = |leader| LimitStatusesView::new(leader, Vec::new(), NOW_MS).text(Leases::Hidden);
    let none = text(None);
    assert!(none.starts_with("NO LEADER: nothing new is lent, epoch 0, DATABASE AWAY\n"), "{none}");
    assert!(none.ends_with("No limit is in use. `--all` shows those that nobody uses, too.\n"));
    let new = v1::LimitLeader { learning: true, since: at(NOW_MS), ..leader() };
    let new = text(Some(new));
    assert!(new.contains("epoch 3, for <1s, LEARNING what was lent before\n"), "{new}");
}

#[test]
fn a_log_has_a_line_for_each_limit() {
    let view = LimitStatusesView::new(Some(leader()), statuses(), NOW_MS);
    let lines = view.lines();
    assert_eq!(
        lines.lines().next().unwrap(),
        "2023-11-14T22:13:20Z  key team-a: 60 requests/minute  used 12 (20%)  reserved 1  free 40  \
         lent 7  denied 1,234  proxies 2  over 0"
    );
    assert_eq!(lines.lines().count(), 3);
    let away = LimitStatusesView::new(None, Vec::new(), NOW_MS).lines();
    assert!(away.starts_with("2023-11-14T22:13:20Z  NO LEADER"), "{away}");
    let json = serde_json::to_value(&view).unwrap();
    assert_eq!(json["statuses"][0]["leases"][1]["level_milli"], -1_000);
    assert_eq!(json["leader"]["epoch"], 3);
}
