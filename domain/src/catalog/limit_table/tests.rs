use super::*;
use crate::{
    catalog::Rule,
    fixture::{account_id, key_id, limit, limit_id, name, team_id},
};
use proptest::prelude::*;
use std::{collections::BTreeMap, num::NonZeroU64};

fn subjects() -> Vec<Subject> {
    let keys = (0..3).flat_map(|it| {
        let of = move |alias: &str| Subject::KeyAlias(key_id(it), alias.into());
        [Subject::Key(key_id(it)), of("a"), of("b")]
    });
    let accounts = (0..3).flat_map(|it| {
        let of = move |model: &str| Subject::AccountModel(account_id(it), model.parse().unwrap());
        // The same number as a key's and a team's, and so the same place.
        [Subject::Account(account_id(it)), of("a"), of("b"), Subject::Team(team_id(it))]
    });
    let named = [
        Subject::Everything,
        Subject::Alias("a".into()),
        Subject::Alias("p".into()),
        Subject::Provider(name("p")),
    ];
    keys.chain(accounts).chain(named).collect()
}

fn numbered(number: u8, subject: Subject) -> Arc<Limit> {
    let most = NonZeroU64::new(u64::from(number) + 1).unwrap();
    Arc::new(limit(number, subject, Rule::InFlight { most }))
}

/// The number of a limit, and whom it shall limit; or only the number of one to remove.
fn edits() -> impl Strategy<Value = Vec<(u8, Option<Subject>)>> {
    let subject = prop::option::weighted(0.75, prop::sample::select(subjects()));
    prop::collection::vec((0..16u8, subject), 0..80)
}

fn apply(table: &mut LimitTable, edit: &(u8, Option<Subject>)) {
    match edit {
        (number, Some(it)) => table.insert(numbered(*number, it.clone())),
        (number, None) => table.remove(limit_id(*number)),
    }
}

fn ids<'a>(limits: impl IntoIterator<Item = &'a Arc<Limit>>) -> Vec<LimitId> {
    limits.into_iter().map(|it| it.id).collect()
}

proptest! {
    #[test]
    fn agrees_with_a_plain_map(edits in edits()) {
        let mut table = LimitTable::default();
        let mut plain: BTreeMap<LimitId, Arc<Limit>> = BTreeMap::new();
        for edit in &edits {
            let (before, there) = (table.clone(), plain.clone());
            apply(&mut table, edit);
            match edit {
                (number, Some(it)) => {
                    plain.insert(limit_id(*number), numbered(*number, it.clone()));
                }
                (number, None) => drop(plain.remove(&limit_id(*number))),
            }
            prop_assert_eq!((table.len(), table.is_empty()), (plain.len(), plain.is_empty()));
            for number in 0..16 {
                prop_assert_eq!(table.get(limit_id(number)), plain.get(&limit_id(number)));
            }
            for subject in subjects() {
                let expected = ids(plain.values().filter(|it| it.subject == subject));
                prop_assert_eq!(ids(table.of(subject.as_ref())), expected);
            }
            for number in 0..3 {
                let (key, account) = (key_id(number), account_id(number));
                let of_key = |it: &&Arc<Limit>| {
                    matches!(&it.subject, Subject::Key(it) | Subject::KeyAlias(it, _) if *it == key)
                };
                let of_account = |it: &&Arc<Limit>| {
                    matches!(
                        &it.subject,
                        Subject::Account(it) | Subject::AccountModel(it, _) if *it == account
                    )
                };
                let mut found = ids(table.of_key(key));
                found.sort_unstable();
                prop_assert_eq!(found, ids(plain.values().filter(of_key)));
                let mut found = ids(table.of_account(account));
                found.sort_unstable();
                prop_assert_eq!(found, ids(plain.values().filter(of_account)));
            }
            let mut limited: Vec<_> = table.subjects().collect();
            limited.sort_unstable();
            let mut expected: Vec<_> = plain.values().map(|it| it.subject.as_ref()).collect();
            expected.sort_unstable();
            expected.dedup();
            prop_assert_eq!(limited, expected);
            let mut all = ids(table.iter());
            all.sort_unstable();
            prop_assert_eq!(all, plain.keys().copied().collect::<Vec<_>>());
            // A clone made before does not see the edit.
            prop_assert_eq!(before.len(), there.len());
            prop_assert!(there.values().all(|it| before.get(it.id) == Some(it)));
            prop_assert_eq!(before == table, there == plain);
        }
    }

    #[test]
    fn equal_tables_are_gone_through_in_the_same_order(edits in edits()) {
        let mut table = LimitTable::default();
        edits.iter().for_each(|it| apply(&mut table, it));
        let mut again = LimitTable::default();
        let mut limits: Vec<_> = table.iter().cloned().collect();
        limits.reverse();
        limits.iter().for_each(|it| again.insert(Arc::clone(it)));
        prop_assert_eq!(&again, &table);
        prop_assert!(again.subjects().eq(table.subjects()));
    }
}

#[test]
fn an_edit_copies_two_shards_and_shares_the_rest() {
    let mut table = LimitTable::default();
    (0..200).for_each(|it| table.insert(numbered(it, Subject::Key(key_id(it)))));
    let before = table.clone();
    table.insert(numbered(200, Subject::Key(key_id(7))));
    assert_eq!(table.by_id.unshared(&before.by_id), 1);
    assert_eq!(table.by_subject.unshared(&before.by_subject), 1);
}

#[test]
fn a_limit_whose_subject_changes_is_only_found_under_the_new_one() {
    let mut table = LimitTable::default();
    let (old, new) = (Subject::Key(key_id(1)), Subject::Team(team_id(2)));
    table.insert(numbered(1, old.clone()));
    table.insert(numbered(1, new.clone()));
    assert_eq!((table.of(old.as_ref()).len(), table.of(new.as_ref()).len()), (0, 1));
    assert_eq!(table.len(), 1);
}

#[test]
fn limits_that_allow_the_same_share_it_and_the_memory_of_that_is_bounded() {
    let seats = |number, most| {
        let most = NonZeroU64::new(most).unwrap();
        Arc::new(limit(number, Subject::Everything, Rule::InFlight { most }))
    };
    let mut table = LimitTable::default();
    table.insert(seats(1, 7));
    table.insert(seats(2, 7));
    table.insert(seats(3, 8));
    let rule = |id| &table.get(limit_id(id)).unwrap().rule;
    assert!(Arc::ptr_eq(rule(1), rule(2)) && !Arc::ptr_eq(rule(1), rule(3)));
    for most in 1..3_000 {
        table.insert(seats(4, most));
        assert!(table.rules.0.iter().all(|it| it.len() <= Rules::MOST));
        assert_eq!(table.get(limit_id(4)), Some(&seats(4, most)));
    }
}
