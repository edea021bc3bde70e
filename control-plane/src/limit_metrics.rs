//! Metrics of single limits, while this control plane lends: of the fullest ones only, since
//! there may be hundreds of thousands of them and series are dear.
//!
//! Written as text beside the registry of metrics, which never forgets a series.

use crate::{
    lender::{Leads, Lender, LimitFigures, Wanted},
    named::Named,
    publisher::Publisher,
};
use domain::{id::ProxyId, limit::words::title};
use runtime::Process;
use std::{collections::BTreeMap, fmt::Write as _, sync::Arc, time::Duration};

/// So many limits are told of.
const MOST: usize = 200;

/// How often the figures are taken anew.
const EVERY: Duration = Duration::from_secs(5);

/// One metric: its name, its kind, what it means, and a limit's value in thousandths.
type Told = (&'static str, &'static str, &'static str, fn(&LimitFigures) -> u64);

const AMOUNTS: [Told; 6] = [
    (
        "sluice_control_limit_granted",
        "gauge",
        "Lent to proxies and not known to be used, in the limit's units",
        |it| it.granted_milli,
    ),
    (
        "sluice_control_limit_used",
        "gauge",
        "Used: of a window or a grant since its begin, of a rate since the leader counts",
        |it| it.used_milli,
    ),
    ("sluice_control_limit_reserved", "gauge", "Held by requests in flight", |it| {
        it.reserved_milli
    }),
    ("sluice_control_limit_free", "gauge", "Lent to nobody", |it| it.free_milli),
    (
        "sluice_control_limit_denied",
        "gauge",
        "Requests refused, as proxies told this leader; less again when it forgets who told it",
        |it| it.denied.saturating_mul(1_000),
    ),
    (
        "sluice_control_limit_over",
        "gauge",
        "Let through beyond what the limit promises; should be 0",
        |it| it.over_milli,
    ),
];

/// A limit's id and what it is called, and its figures.
struct Shown {
    labels: String,
    figures: LimitFigures,
}

/// Tells of the fullest limits until the process drains.
pub(crate) async fn tell(lender: Lender, publisher: Arc<Publisher>, process: Process) {
    loop {
        process.metrics.supplement(text(&shown(&lender, &publisher).await));
        tokio::select! {
            () = process.shutdown.draining() => {
                // Somebody else lends from now on, and tells of it.
                return process.metrics.supplement(String::new());
            }
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

async fn shown(lender: &Lender, publisher: &Publisher) -> Vec<Shown> {
    let (Leads::Here, Some(newest)) = (lender.leads(), publisher.newest()) else {
        return Vec::new();
    };
    let figures = lender.figures(Wanted::Fullest(MOST)).await;
    let names = Named(newest.snapshot.catalog());
    let figures = figures.into_iter().flat_map(|it| it.limits);
    let shown = figures.filter_map(|figures| {
        let limit = newest.snapshot.limit(figures.id?)?;
        let title = escaped(&title(limit, &names));
        Some(Shown { labels: format!("limit=\"{}\",title=\"{title}\"", limit.id), figures })
    });
    shown.collect()
}

/// In Prometheus' text format, <https://prometheus.io/docs/instrumenting/exposition_formats/>.
fn text(shown: &[Shown]) -> String {
    let mut text = String::new();
    if shown.is_empty() {
        return text;
    }
    // Writing to a text cannot fail.
    for (name, kind, help, value) in AMOUNTS {
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for Shown { labels, figures } in shown {
            let _ = writeln!(text, "{name}{{{labels}}} {}", units(value(figures)));
        }
    }
    let name = "sluice_control_limit_lease";
    let _ = writeln!(text, "# HELP {name} What lies ready at a proxy\n# TYPE {name} gauge");
    for Shown { labels, figures } in shown {
        for (proxy, level) in ready(figures) {
            let _ = writeln!(text, "{name}{{{labels},proxy=\"{proxy}\"}} {}", units(level));
        }
    }
    text
}

/// What lies ready at each proxy. One that was restarted may be there twice, until the lease
/// that it had before is over.
fn ready(figures: &LimitFigures) -> BTreeMap<ProxyId, u64> {
    let mut ready = BTreeMap::<_, u64>::new();
    for held in &figures.held {
        let sum = ready.entry(held.holder.proxy).or_default();
        *sum = sum.saturating_add(u64::try_from(held.level_milli).unwrap_or(0));
    }
    ready
}

/// Thousandths as a decimal number.
fn units(milli: u64) -> String {
    format!("{}.{:03}", milli / 1_000, milli % 1_000)
}

/// As a label's value.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lender::HeldFigures;
    use domain::limit::Holder;
    use uuid::Uuid;

    #[test]
    fn each_limit_is_a_series_of_each_metric() {
        let proxy = ProxyId::from_uuid(Uuid::from_u128(7));
        let held = HeldFigures {
            holder: Holder { proxy, boot: Uuid::nil() },
            level_milli: 1_500,
            reserved_milli: 0,
            rate_nano: 0,
            left_us: 0,
            spent_milli: 0,
            denied: 0,
        };
        let holder = Holder { proxy, boot: Uuid::from_u128(1) };
        let before = HeldFigures { holder, level_milli: 500, ..held };
        let figures = LimitFigures {
            used_milli: 12_345,
            denied: 3,
            held: vec![held, before],
            ..LimitFigures::default()
        };
        let labels = format!("limit=\"a\",title=\"{}\"", escaped("key \"b\\\": 1\n"));
        let text = text(&[Shown { labels, figures }]);
        for line in [
            "# TYPE sluice_control_limit_used gauge",
            r#"sluice_control_limit_used{limit="a",title="key \"b\\\": 1\n"} 12.345"#,
            r#"sluice_control_limit_denied{limit="a",title="key \"b\\\": 1\n"} 3.000"#,
            r#"sluice_control_limit_over{limit="a",title="key \"b\\\": 1\n"} 0.000"#,
        ] {
            assert!(text.lines().any(|it| it == line), "{line}\n{text}");
        }
        let lease = format!(",proxy=\"{proxy}\"}} 2.000");
        assert!(text.lines().any(|it| it.ends_with(&lease)), "{text}");
        let mut series: Vec<_> = text.lines().filter_map(|it| it.rsplit_once(' ')).collect();
        series.sort_unstable();
        series.dedup_by_key(|it| it.0);
        assert_eq!(series.len(), 2 * 7 + 7, "each once, and HELP and TYPE of each: {text}");
    }
}
