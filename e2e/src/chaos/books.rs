//! The control plane's books of usage against the upstream's ledger, request by request.

use super::story::Story;
use crate::{demo::ledger::Entry, fleet::Fleet};
use anyhow::Result;
use proto::admin::v1::UsageEntry;
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// How long the last records may take to come in.
const DRAIN: Duration = Duration::from_secs(30);

/// What became of the requests that the upstream served.
#[derive(Debug, Default)]
pub struct Books {
    /// Entered, with the same tokens that the upstream counted.
    pub equal: usize,
    /// Entered with an estimate: the answer was not read to its end.
    pub estimated: usize,
    /// Not entered: they were with a proxy that was killed.
    pub lost: usize,
    /// Tokens that the upstream counted for what was not lost, and those in the books.
    pub tokens: (u64, u64),
    /// What does not agree, in words.
    pub broken: Vec<String>,
}

/// Waits until nothing is missing that may not be, and compares.
pub(super) async fn audit(fleet: &Fleet, story: &Story) -> Result<Books> {
    let began = Instant::now();
    loop {
        let books = compare(&fleet.witness.ledger().await?, &fleet.admin.usage().await?, story);
        if books.broken.is_empty() || DRAIN < began.elapsed() {
            return Ok(books);
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

fn compare(entries: &[Entry], records: &[UsageEntry], story: &Story) -> Books {
    let mut books = Books::default();
    let mut by_id: BTreeMap<&str, &UsageEntry> = BTreeMap::new();
    for it in records {
        if by_id.insert(&it.request_id, it).is_some() {
            books.broken.push(format!("{} is in the books twice", it.request_id));
        }
    }
    let mut served: BTreeMap<&str, u32> = BTreeMap::new();
    for entry in entries {
        *served.entry(&entry.request_id).or_default() += 1;
        match by_id.get(&*entry.request_id) {
            Some(record) => books.enter(entry, record),
            None if story.lost_with_a_proxy(entry) => books.lost += 1,
            None => {
                let id = &entry.request_id;
                books.broken.push(format!("{id} was served and is not in the books: {entry:?}"));
            }
        }
    }
    for record in records.iter().filter(|it| it.outcome == "complete") {
        if !served.contains_key(&*record.request_id) {
            books.broken.push(format!("{} is in the books and was not served", record.request_id));
        }
    }
    // Twenty say as much as thousands.
    books.broken.truncate(20);
    books
}

impl Books {
    fn enter(&mut self, entry: &Entry, record: &UsageEntry) {
        let tokens = record.tokens.unwrap_or_default();
        if record.estimated || !entry.completed || entry.status != 200 || 1 < record.attempts {
            self.estimated += 1;
            return;
        }
        self.tokens.0 += entry.input_tokens + entry.output_tokens;
        self.tokens.1 += tokens.input + tokens.output;
        if (tokens.input, tokens.output) == (entry.input_tokens, entry.output_tokens) {
            self.equal += 1;
        } else {
            self.broken.push(format!("{entry:?} is entered as {record:?}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proto::admin::v1::TokenCounts;

    fn entry(id: &str, at_ms: i64) -> Entry {
        Entry {
            request_id: id.to_owned(),
            status: 200,
            completed: true,
            input_tokens: 3,
            output_tokens: 7,
            at_ms,
            duration_ms: 10,
            ..Entry::default()
        }
    }

    fn record(id: &str, output: u64) -> UsageEntry {
        UsageEntry {
            request_id: id.to_owned(),
            outcome: "complete".to_owned(),
            attempts: 1,
            tokens: Some(TokenCounts { input: 3, output, ..TokenCounts::default() }),
            ..UsageEntry::default()
        }
    }

    #[test]
    fn only_what_died_with_a_proxy_may_be_missing() {
        let story = Story { kills_ms: vec![50_000], ..Story::default() };
        let entries = [entry("kept", 10_000), entry("lost", 49_990), entry("missing", 60_000)];
        let books = compare(&entries, &[record("kept", 7)], &story);
        assert_eq!((books.equal, books.lost, books.broken.len()), (1, 1, 1), "{books:?}");
        let twice = [record("kept", 7), record("kept", 7)];
        assert_eq!(compare(&entries[..1], &twice, &story).broken.len(), 1);
        assert_eq!(compare(&entries[..1], &[record("kept", 8)], &story).broken.len(), 1);
        assert_eq!(compare(&[], &[record("none", 7)], &story).broken.len(), 1);
    }
}
