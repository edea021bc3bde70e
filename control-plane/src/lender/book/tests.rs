use super::*;
use crate::lender::Wanted;
use domain::{
    catalog::{Action, CalendarPeriod, Catalog, Measure, Mode, Period, Rule, Subject},
    id::ProxyId,
    limit::{
        bucket::Plain,
        budget::message::ChunkEntry,
        lease::{node::Lease, session::Session},
        message::Why,
        supply::Supply,
    },
    snapshot::Snapshot,
};
use std::{num::NonZeroU64, time::Instant};
use uuid::Uuid;

const SECOND: u64 = 1_000_000;

fn limit(number: u64) -> Limit {
    Limit {
        id: LimitId::from_uuid(Uuid::from_u128(number.into())),
        generation: 0,
        subject: Subject::Alias(format!("alias-{number}").into()),
        rule: Rule::Bucket {
            measure: Measure::Requests,
            amount: NonZeroU64::new(60_000).unwrap(),
            period: Period::Minute,
        }
        .into(),
        mode: Mode::Strict,
        action: Action::Enforce,
        warn_percent: None,
        switch_percent: None,
        queue_ms: 0,
    }
}

fn catalog(limits: u64) -> Arc<Published> {
    published((0..limits).map(limit))
}

fn published(limits: impl IntoIterator<Item = Limit>) -> Arc<Published> {
    let mut catalog = Catalog::default();
    limits.into_iter().for_each(|it| catalog.limits.insert(Arc::new(it)));
    let snapshot = Snapshot::build(catalog, 1).unwrap();
    Arc::new(Published { incarnation: Uuid::nil(), snapshot, hash: [0; 32] })
}

fn now(us: u64) -> Now {
    Now { us, unix_ms: i64::try_from(us / 1_000).unwrap() }
}

fn book(limits: u64) -> Book {
    Book::open(now(SECOND), Arc::new(Term::of_a_test(1)), catalog(limits), false)
}

/// A proxy with a lease of each limit, by the machines that proxies have.
struct Proxy {
    holder: Holder,
    talk: Session,
    leases: Vec<Lease<Plain>>,
}

impl Proxy {
    fn new(number: u64, limits: u64) -> Self {
        let proxy = ProxyId::from_uuid(Uuid::from_u128(number.into()));
        let lease = |number| {
            let limit = limit(number);
            let of = LeaseOf { limit: limit.id, generation: 0 };
            Lease::new(of, Supply::of(&limit).unwrap(), 1, SECOND)
        };
        Self {
            holder: Holder { proxy, boot: Uuid::nil() },
            talk: Session::new(),
            leases: (0..limits).map(lease).collect(),
        }
    }

    fn say(&mut self, us: u64, release: bool) -> Sync {
        if release {
            self.leases.iter_mut().for_each(Lease::release);
        }
        let entries = self.leases.iter_mut().map(|it| it.entry(us)).collect();
        self.talk.next(us, true, entries, Vec::new())
    }

    /// Takes what is meant for it, and says how many grants that were.
    fn take(&mut self, us: u64, out: &Out) -> usize {
        let mut count = 0;
        for (_, grants) in out.sends.iter().filter(|(it, _)| *it == self.holder) {
            let verdict = self.talk.on_grants(grants);
            if let domain::limit::lease::session::Verdict::Hello(epoch) = verdict {
                self.leases.iter_mut().for_each(|it| it.on_epoch(us, epoch));
            }
            for grant in &grants.grants {
                let at = usize::try_from(grant.of.limit.uuid().as_u128()).unwrap();
                self.leases[at].on_grant(us, domain::limit::hold::Head::of(grants), grant);
                count += 1;
            }
        }
        count
    }

    /// Lets a few requests through for each limit, as far as they can be.
    fn spend(&mut self, us: u64) {
        for lease in &mut self.leases {
            match lease.take(us, 1_000) {
                Ok(hold) => lease.settle(us, hold, 1_000),
                Err(_) => lease.want(1_000),
            }
        }
    }
}

#[test]
fn nobody_is_answered_before_it_is_recorded() {
    let mut book = book(1);
    let mut proxy = Proxy::new(1, 1);
    let mut out = Out::default();
    book.greet(now(SECOND), proxy.holder, &mut out);
    assert!(matches!(out.errands[..], [Errand::Record(it)] if it == proxy.holder));
    proxy.take(SECOND, &out);

    let mut out = Out::default();
    let sync = proxy.say(SECOND, false);
    book.hear(now(SECOND), proxy.holder, sync, &mut out);
    assert!(out.sends.is_empty() && out.errands.is_empty(), "{out:?}");
    book.done(now(SECOND), Done::Recorded(vec![proxy.holder]), &mut out);
    assert_eq!(proxy.take(SECOND, &out), 1);

    // It could not be recorded: it asks again, and so does the book.
    let mut other = Proxy::new(2, 1);
    let mut out = Out::default();
    book.hear(now(SECOND), other.holder, other.say(SECOND, false), &mut out);
    book.done(now(SECOND), Done::NotRecorded(vec![other.holder]), &mut out);
    assert!(out.sends.is_empty(), "{out:?}");
    let mut out = Out::default();
    book.hear(now(SECOND), other.holder, other.say(SECOND, false), &mut out);
    assert!(matches!(out.errands[..], [Errand::Record(it)] if it == other.holder));
}

#[test]
fn those_let_through_too_much_are_told_of_first_and_then_the_fullest() {
    let mut book = book(4);
    let mut proxy = Proxy::new(1, 4);
    let mut out = Out::default();
    book.greet(now(SECOND), proxy.holder, &mut out);
    book.done(now(SECOND), Done::Recorded(vec![proxy.holder]), &mut out);
    proxy.take(SECOND, &out);
    let mut us = SECOND;
    let talk = |book: &mut Book, proxy: &mut Proxy, us: &mut u64| {
        *us += 1_000;
        let mut out = Out::default();
        book.hear(now(*us), proxy.holder, proxy.say(*us, false), &mut out);
        proxy.take(*us, &out);
    };
    proxy.spend(us);
    talk(&mut book, &mut proxy, &mut us);
    talk(&mut book, &mut proxy, &mut us);
    // One used a little, one much, and one more than it may have.
    for (at, used) in [(1, 2_000), (2, 9_000_000), (3, 90_000_000)] {
        let hold = proxy.leases[at].take(us, 1_000).unwrap();
        proxy.leases[at].settle(us, hold, used);
    }
    talk(&mut book, &mut proxy, &mut us);
    let fullest = |book: &Book, us, most| {
        let limits = book.figures(now(us), &Wanted::Fullest(most)).limits;
        limits.iter().map(|it| (it.id.unwrap().uuid().as_u128(), 0 < it.over_milli)).collect()
    };
    let first: Vec<(u128, bool)> = fullest(&book, us, 3);
    assert_eq!(first, [(3, true), (2, false), (1, false)]);
    let all: Vec<_> = fullest(&book, us, 9);
    assert_eq!((all.len(), all[3].0), (4, 0));
    let figures = book.figures(now(us), &Wanted::Ids);
    assert_eq!((figures.ids.len(), figures.limits.len()), (4, 0));
}

#[test]
fn only_limits_that_are_asked_for_hold_state_and_not_for_ever() {
    let mut book = book(5_000);
    let mut proxy = Proxy::new(1, 3);
    let mut out = Out::default();
    book.greet(now(SECOND), proxy.holder, &mut out);
    book.done(now(SECOND), Done::Recorded(vec![proxy.holder]), &mut out);
    proxy.take(SECOND, &out);
    let mut us = SECOND;
    for release in [false, false, true] {
        us += SECOND;
        let mut out = Out::default();
        book.hear(now(us), proxy.holder, proxy.say(us, release), &mut out);
        proxy.take(us, &out);
        assert_eq!(book.active.len(), 3);
    }
    for _ in 0..60 {
        us += SECOND;
        book.tick(now(us), &mut Out::default());
    }
    assert!(book.active.is_empty(), "{}", book.active.len());
    assert!(!book.papers.knows(proxy.holder));
}

#[test]
fn many_proxies_with_many_limits_cost_little() {
    const PROXIES: u64 = 8;
    const LIMITS: u64 = 1_000;
    const SECONDS: u64 = 20;
    let mut book = book(LIMITS);
    let mut proxies: Vec<_> = (1..=PROXIES).map(|it| Proxy::new(it, LIMITS)).collect();
    let mut out = Out::default();
    for proxy in &mut proxies {
        book.greet(now(SECOND), proxy.holder, &mut out);
        book.done(now(SECOND), Done::Recorded(vec![proxy.holder]), &mut out);
        proxy.take(SECOND, &out);
    }
    let mut spent = std::time::Duration::ZERO;
    let mut answers = 0;
    for tick in 0..SECONDS * 20 {
        let us = 2 * SECOND + tick * 50_000;
        let mut out = Out::default();
        for (at, proxy) in proxies.iter_mut().enumerate() {
            // Each renews every two seconds, at another moment.
            if tick % 40 == (at as u64) * 5 {
                proxy.spend(us);
                let sync = proxy.say(us, false);
                let begun = Instant::now();
                book.hear(now(us), proxy.holder, sync, &mut out);
                spent += begun.elapsed();
            }
        }
        let begun = Instant::now();
        book.tick(now(us), &mut out);
        spent += begun.elapsed();
        answers += proxies.iter_mut().map(|it| it.take(us, &out)).sum::<usize>();
    }
    println!("{answers} answers in {SECONDS} s cost {spent:?}");
    assert!(80_000 <= answers, "{answers}");
    // Of one core, unoptimized, on a machine that has other things to do.
    assert!(spent.as_secs() < SECONDS, "{spent:?}");
}

#[test]
fn an_heir_begins_where_the_one_before_ended_and_passes_on_what_it_never_used() {
    let (mut book, mut proxy) = (book(3), Proxy::new(1, 1));
    let mut out = Out::default();
    book.greet(now(SECOND), proxy.holder, &mut out);
    book.done(now(SECOND), Done::Recorded(vec![proxy.holder]), &mut out);
    proxy.take(SECOND, &out);
    proxy.spend(SECOND);
    let mut out = Out::default();
    book.hear(now(SECOND), proxy.holder, proxy.say(SECOND, false), &mut out);
    proxy.take(SECOND, &out);
    let mut estate = book.leave(now(SECOND)).unwrap();
    assert_eq!(estate.holders, BTreeSet::from([proxy.holder]));
    assert_eq!((estate.levels.len(), estate.others_empty_us), (1, None));
    let own = LeaseOf { limit: limit(0).id, generation: 0 };
    assert!(estate.levels[&own] < 60_000_000);

    // Of one that this control plane has not heard of yet, too.
    let unknown = LeaseOf { limit: limit(9).id, generation: 4 };
    estate.levels.insert(unknown, -5);
    let term = Arc::new(Term::of_an_heir(2, estate.clone()));
    let mut heir = Book::open(now(SECOND), Arc::clone(&term), catalog(3), false);
    assert_eq!(term.take_estate(), None);
    assert!(heir.learning && heir.active.contains_key(&own.limit));
    let mut out = Out::default();
    heir.greet(now(SECOND), proxy.holder, &mut out);
    heir.done(now(SECOND), Done::Recorded(vec![proxy.holder]), &mut out);
    proxy.take(SECOND, &out);
    heir.hear(now(SECOND), proxy.holder, proxy.say(SECOND, false), &mut Out::default());
    assert_eq!(heir.leave(now(SECOND)), Some(estate));
}

#[test]
fn a_limit_that_is_younger_than_the_leader_begins_full_even_after_a_crash() {
    let term = Arc::new(Term::of_a_test(2));
    // Nobody is recorded, so there is nothing to wait for.
    let mut book = Book::open(now(SECOND), term, catalog(1), false);
    book.take(now(SECOND), catalog(2), &mut Out::default());
    let free = |book: &mut Book, number: u64| {
        let of = LeaseOf { limit: limit(number).id, generation: 0 };
        book.activate(now(SECOND), of, &mut Out::default());
        book.leader.status(SECOND, of).unwrap().free_milli
    };
    assert_eq!(free(&mut book, 0), 0, "what was lent of it before is not known");
    assert!(0 < free(&mut book, 1), "nobody can have been lent anything of it");
}

/// The first limit, of another generation and counted by the calendar.
fn daily(generation: u32) -> Limit {
    let rule = Rule::Calendar {
        measure: Measure::Requests,
        amount: NonZeroU64::new(9).unwrap(),
        period: CalendarPeriod::Day,
        calendar: Box::default(),
    };
    Limit { generation, rule: rule.into(), ..limit(0) }
}

#[test]
fn a_bucket_that_becomes_a_calendar_limit_lends_no_more_by_leases() {
    let (mut book, mut proxy) = (book(1), Proxy::new(1, 1));
    let mut out = Out::default();
    book.greet(now(SECOND), proxy.holder, &mut out);
    book.done(now(SECOND), Done::Recorded(vec![proxy.holder]), &mut out);
    proxy.take(SECOND, &out);
    for _ in 0..2 {
        proxy.spend(SECOND);
        let mut out = Out::default();
        book.hear(now(SECOND), proxy.holder, proxy.say(SECOND, false), &mut out);
        proxy.take(SECOND, &out);
    }
    let old = LeaseOf { limit: limit(0).id, generation: 0 };
    assert!(proxy.leases[0].view(SECOND).live);
    let mut out = Out::default();
    book.take(now(SECOND), published([daily(1)]), &mut out);
    assert_eq!(book.leader.status(SECOND, old), None, "the old pool is still there");
    proxy.take(SECOND, &out);
    assert!(!proxy.leases[0].view(SECOND).live, "the lease was not called back");
    proxy.leases[0].want(1_000);
    let mut out = Out::default();
    book.hear(now(SECOND), proxy.holder, proxy.say(SECOND, false), &mut out);
    proxy.take(SECOND, &out);
    assert!(!proxy.leases[0].view(SECOND).live, "it was lent again");
    assert_eq!(book.leave(now(SECOND)), Some(Estate::default()));
}

#[test]
fn a_calendar_limit_that_becomes_a_bucket_keeps_no_window() {
    let term = Arc::new(Term::of_a_test(1));
    let mut book = Book::open(now(SECOND), term, published([daily(0)]), false);
    let proxy = Proxy::new(1, 0).holder;
    let chunk = |generation| ChunkEntry {
        of: LeaseOf { limit: limit(0).id, generation },
        window: None,
        seq: 1,
        level_milli: 0,
        reserved_milli: 0,
        spent_milli: 0,
        denied: 0,
        demand_milli_per_s: 0,
        need_milli: 1_000,
        least_milli: 1_000,
        give_back_seq: 1,
        give_back_milli: 0,
        owed_milli: 0,
    };
    let mut out = Out::default();
    book.greet(now(SECOND), proxy, &mut out);
    book.done(now(SECOND), Done::Recorded(vec![proxy]), &mut out);
    let say = |number, generation| Sync {
        epoch: 1,
        number,
        sent_us: SECOND,
        whole: true,
        entries: Vec::new(),
        chunks: vec![chunk(generation)],
    };
    book.hear(now(SECOND), proxy, say(1, 0), &mut out);
    assert_eq!(book.ends.len(), 1);
    // Another day of another generation, and then no day at all.
    book.take(now(SECOND), published([daily(1)]), &mut out);
    assert_eq!(book.ends.len(), 1);
    book.take(now(SECOND), published([Limit { generation: 2, ..limit(0) }]), &mut out);
    assert!(book.ends.is_empty(), "its window is still rolled on");
    let now_of = LeaseOf { limit: limit(0).id, generation: 2 };
    assert!(book.leader.status(SECOND, now_of).is_some());
    // Who has not heard of it yet is told so, and does not wait for an answer in vain.
    let mut out = Out::default();
    book.hear(now(SECOND), proxy, say(2, 0), &mut out);
    let told = out.sends.iter().flat_map(|(_, it)| &it.chunks);
    assert_eq!(
        told.filter_map(|it| it.denied).map(|it| it.why).collect::<Vec<_>>(),
        [Why::Unknown]
    );
}
