//! Limits in the database, and what they made other rows say.

use crate::fixture::{Fixture, account, catalog, key, team};
use domain::{
    catalog::{
        Action, Calendar, CalendarPeriod, ClientSettings, Edit, Limit, Measure, Mode, Period,
        Price, Rule, Settings, Subject, Weights,
    },
    id::LimitId,
};
use sluice_control_plane::store::{ItemRef, Page, Request, StoreError, WriteError};
use std::{num::NonZeroU64, sync::Arc};
use uuid::Uuid;

fn amount(amount: u64) -> NonZeroU64 {
    NonZeroU64::new(amount).unwrap()
}

fn limit(subject: Subject, rule: Rule) -> Arc<Limit> {
    Arc::new(Limit {
        id: LimitId::from_uuid(Uuid::now_v7()),
        generation: 0,
        subject,
        rule: rule.into(),
        mode: Mode::Strict,
        action: Action::Enforce,
        warn_percent: None,
        switch_percent: None,
        queue_ms: 0,
    })
}

fn requests(subject: Subject) -> Arc<Limit> {
    let measure = Measure::Requests;
    limit(subject, Rule::Bucket { measure, amount: amount(60), period: Period::Minute })
}

/// A rule of every shape, each with another identity.
fn rules() -> Vec<Rule> {
    let weights = Weights { input: 100, cached_input: 10, cache_write: 0, output: 1_000 };
    let mut rules = vec![
        Rule::TokensPerRequest { most: amount(1) },
        Rule::InFlight { most: amount(1_000_000_000_000_000) },
    ];
    for measure in [Measure::Requests, Measure::Tokens(weights), Measure::Cost] {
        rules.push(Rule::Grant { measure, amount: amount(70) });
        rules.push(Rule::Bucket { measure, amount: amount(60), period: Period::Minute });
        rules.push(Rule::WindowStrict { measure, amount: amount(600), period: Period::Hour });
        rules.push(Rule::Bucket { measure, amount: amount(60), period: Period::Day });
        for period in [
            CalendarPeriod::Minute,
            CalendarPeriod::Hour,
            CalendarPeriod::Day,
            CalendarPeriod::Week,
            CalendarPeriod::Month,
        ] {
            let calendar = Box::new(Calendar { zone: "Asia/Shanghai".into(), reset_minute: 1_439 });
            rules.push(Rule::Calendar { measure, amount: amount(90), period, calendar });
        }
    }
    rules
}

/// A limit of each rule, every other one with all that a limit can have.
fn of_each_rule(subject: &Subject) -> Vec<Arc<Limit>> {
    let decked = |plain: &Limit| {
        // A request alone is not counted: no share of it can be nearly used.
        let counted = !matches!(*plain.rule, Rule::TokensPerRequest { .. });
        Limit {
            generation: u32::MAX,
            mode: Mode::Availability,
            action: Action::Shadow,
            warn_percent: counted.then_some(80),
            switch_percent: (counted && !subject.is_callers()).then_some(99),
            queue_ms: if counted { 60_000 } else { 0 },
            ..plain.clone()
        }
    };
    let limits = rules().into_iter().map(|it| limit(subject.clone(), it)).enumerate();
    limits.map(|(at, it)| if at % 2 == 0 { it } else { Arc::new(decked(&it)) }).collect()
}

async fn found(fixture: &Fixture, subject: Option<&Subject>) -> Vec<Limit> {
    let page = Page { after: None, limit: 1_000 };
    let listing = fixture.store.list_limits(&page, subject).await.unwrap();
    listing.items.into_iter().map(|it| it.item).collect()
}

#[tokio::test]
async fn every_subject_with_every_rule_is_read_as_it_was_written() {
    let fixture = Fixture::create().await;
    let (team, key, main) = (team("red"), key("k"), account("main", "sk-1"));
    let subjects = [
        Subject::Everything,
        Subject::Key(key.id),
        Subject::Team(team.id),
        Subject::Alias("smart".into()),
        Subject::KeyAlias(key.id, "smart".into()),
        Subject::Provider("openai".parse().unwrap()),
        Subject::Account(main.id),
        Subject::AccountModel(main.id, "smart".parse().unwrap()),
    ];
    let mut edits =
        vec![Edit::PutTeam(team), Edit::PutKey(key.clone()), Edit::PutAccount(main.clone())];
    let limits: Vec<_> = subjects.iter().flat_map(of_each_rule).collect();
    edits.extend(limits.iter().cloned().map(Edit::PutLimit));
    let written = fixture.put(edits).await;
    let loaded = catalog(fixture.load().await.unwrap());
    assert_eq!(&loaded, written.snapshot.catalog());
    assert_eq!(loaded.limits.len(), limits.len());
    let expected = |subjects: &[Subject]| -> Vec<Limit> {
        let these = limits.iter().filter(|it| subjects.contains(&it.subject));
        these.map(|it| (**it).clone()).collect()
    };
    assert_eq!(found(&fixture, None).await, expected(&subjects));
    for subject in &subjects {
        let with: Vec<_> = match subject {
            Subject::Key(_) => vec![subjects[1].clone(), subjects[4].clone()],
            Subject::Account(_) => vec![subjects[6].clone(), subjects[7].clone()],
            Subject::Everything
            | Subject::Team(_)
            | Subject::Alias(_)
            | Subject::KeyAlias(..)
            | Subject::Provider(_)
            | Subject::AccountModel(..) => vec![subject.clone()],
        };
        assert_eq!(found(&fixture, Some(subject)).await, expected(&with), "{subject:?}");
    }
    let first = &limits[0];
    let one = fixture.store.get_limit(first.id).await.unwrap().unwrap();
    assert_eq!((&one.item, one.revision), (&**first, written.revision));
    let some = fixture.store.get_limits(&[first.id, LimitId::from_uuid(Uuid::now_v7())]).await;
    assert_eq!(some.unwrap(), [one]);
}

#[tokio::test]
async fn limits_are_listed_oldest_first_page_by_page() {
    let fixture = Fixture::create().await;
    let limits: Vec<_> =
        (0..5).map(|at| requests(Subject::Alias(format!("a{at}").into()))).collect();
    fixture.put(limits.iter().rev().cloned().map(Edit::PutLimit).collect()).await;
    for limit in 1..=6 {
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let page = Page { after: after.take(), limit };
            let listing = fixture.store.list_limits(&page, None).await.unwrap();
            seen.extend(listing.items.iter().map(|it| it.item.id));
            after = listing.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(seen, limits.iter().map(|it| it.id).collect::<Vec<_>>(), "{limit}");
    }
    let page = Page { after: Some("nonsense".to_owned()), limit: 1 };
    let error = fixture.store.list_limits(&page, None).await.unwrap_err();
    assert!(matches!(error, StoreError::BadPage), "{error}");
}

#[tokio::test]
async fn whoever_was_away_learns_of_limits_that_came_changed_and_went() {
    let fixture = Fixture::create().await;
    let (stays, goes) = (requests(Subject::Everything), requests(Subject::Alias("a".into())));
    let reset = Arc::new(Limit { generation: 1, ..(*stays).clone() });
    let mut sum = fixture.base.catalog().clone();
    let mut at = fixture.revision().await;
    for change in [
        vec![Edit::PutLimit(stays.clone()), Edit::PutLimit(goes.clone())],
        vec![Edit::PutLimit(reset.clone()), Edit::DeleteLimit(goes.id)],
        vec![Edit::PutLimit(goes.clone())],
        vec![Edit::DeleteLimit(stays.id)],
    ] {
        let written = fixture.put(change).await;
        let since = fixture.store.changes_since(&fixture.vault, at).await.unwrap();
        assert!(!since.whole);
        at = since.revision;
        since.edits.into_iter().for_each(|it| sum.apply(it));
        assert_eq!(&sum, written.snapshot.catalog(), "at {at}");
        assert_eq!(sum, catalog(fixture.load().await.unwrap()), "at {at}");
    }
    let etag = Request { etags: vec![(ItemRef::Limit(goes.id), 1)], ..Request::default() };
    let error = fixture.write(etag, vec![Edit::DeleteLimit(goes.id)]).await.unwrap_err();
    assert!(matches!(error, WriteError::EtagMismatch { .. }), "{error}");
}

#[tokio::test]
async fn the_log_names_a_limit_by_what_it_says() {
    let mut fixture = Fixture::create().await;
    let key = key("team-a-key");
    let of_key = requests(Subject::Key(key.id));
    // Together with its key, which nobody knew before.
    fixture.put(vec![Edit::PutLimit(of_key.clone()), Edit::PutKey(key.clone())]).await;
    fixture.put(vec![Edit::DeleteLimit(of_key.id), Edit::DeleteKey(key.id)]).await;
    let client = fixture.client().await;
    let sql = "SELECT verb, item, name FROM change_log WHERE kind = 'limit' ORDER BY id";
    let rows = client.query(sql, &[]).await.unwrap();
    let verbs: Vec<String> = rows.iter().map(|it| it.get(0)).collect();
    assert_eq!(verbs, ["put", "delete"]);
    for row in rows {
        assert_eq!(row.get::<_, String>(1), of_key.id.to_string());
        let name: String = row.get(2);
        assert!(name.contains("team-a-key") && name.contains("60"), "{name}");
    }
}

#[tokio::test]
async fn the_database_itself_keeps_limits_apart_and_their_subjects_there() {
    let mut fixture = Fixture::create().await;
    let key = key("k");
    let of_key = requests(Subject::Key(key.id));
    fixture.put(vec![Edit::PutKey(key), Edit::PutLimit(of_key)]).await;
    let client = fixture.client().await;
    // The same identity under another id, and as a strict window.
    for rule in ["bucket", "window_strict"] {
        let sql = format!(
            "INSERT INTO limit_rule (id, generation, subject, key_id, rule, amount, measure, period,
                mode, action, queue_ms, revision)
             SELECT gen_random_uuid(), 0, subject, key_id, '{rule}', 1, measure, period, mode,
                action, 0, 9 FROM limit_rule"
        );
        let error = client.batch_execute(&sql).await.unwrap_err();
        assert_eq!(error.code().unwrap().code(), "23505", "{rule}: {error:?}");
    }
    let error = client.batch_execute("DELETE FROM virtual_key").await.unwrap_err();
    assert_eq!(error.code().unwrap().code(), "23503", "{error:?}");
}

#[tokio::test]
async fn what_limits_need_to_know_of_other_items_is_kept() {
    let fixture = Fixture::create().await;
    let mut model = (**fixture.base.catalog().models.values().next().unwrap()).clone();
    assert_eq!(model.price, None);
    model.price = Some(Price { input: 1, cached_input: 0, cache_write: 3, output: 4 });
    model.max_output_tokens = Some(8_192);
    model.context_tokens = Some(128_000);
    let mut main = (*account("main", "sk-1")).clone();
    main.client = ClientSettings { keep_output_open: true, ..main.client };
    let settings = Settings {
        default_output_tokens: 99,
        fallback_proxies: 3,
        fetch_addresses: true,
        ..Settings::default()
    };
    let mut provider = (**fixture.base.catalog().providers.values().next().unwrap()).clone();
    for it in &mut provider.endpoints {
        it.output_cap_field = Some("max_things".to_owned());
    }
    let edits = vec![
        Edit::PutModel(Arc::new(model.clone())),
        Edit::PutAccount(Arc::new(main.clone())),
        Edit::PutSettings(settings.clone()),
        Edit::PutProvider(Arc::new(provider.clone())),
    ];
    fixture.put(edits).await;
    let loaded = catalog(fixture.load().await.unwrap());
    assert_eq!(*loaded.models[&model.id], model);
    assert_eq!(*loaded.accounts[&main.id], main);
    assert_eq!(*loaded.providers[&provider.name], provider);
    assert_eq!(loaded.settings, settings);
    let listed = fixture.store.get_account("main").await.unwrap().unwrap();
    assert!(listed.item.account.client.keep_output_open);
    assert_eq!(fixture.store.get_settings().await.unwrap().item, settings);
}
