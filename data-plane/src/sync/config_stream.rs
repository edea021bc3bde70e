//! Configuration as it arrives: pieces → an update → a new snapshot, or a reason why not.
//!
//! Whole or not at all: what is held changes only when an update applies, compiles and
//! hashes to what was announced. Knows no sockets and waits for nothing.

use domain::{
    catalog::{Catalog, Edit},
    snapshot::{Defect, Snapshot},
};
use proto::{
    convert::{
        Invalid, bytes32_from,
        snapshot::{CatalogHash, edit_of_item, edit_of_removed},
        uuid_from,
    },
    sync::v1::{ConfigItem, ConfigUpdate, ItemKey},
};
use std::sync::Arc;
use uuid::Uuid;

/// Most items in one update: a bound on what a broken control plane can make us keep.
const MAX_ITEMS: usize = 5_000_000;

/// What a proxy runs, with what it takes to follow the stream from there.
#[derive(Debug)]
pub struct Held {
    /// The database that the revisions are of.
    pub incarnation: Uuid,
    /// The catalog, compiled.
    pub snapshot: Arc<Snapshot>,
    /// The catalog's hash, item by item.
    pub hash: CatalogHash,
}

impl Held {
    /// Builds the whole from its items, taking one at a time.
    ///
    /// # Errors
    /// Everything that is wrong with them, in words.
    pub fn build(
        incarnation: Uuid,
        revision: u64,
        items: impl IntoIterator<Item = ConfigItem>,
    ) -> Result<Self, Vec<String>> {
        let mut hash = CatalogHash::default();
        let mut catalog = Catalog::default();
        let mut wrong = Vec::new();
        for item in items {
            hash.upsert(&item);
            match edit_of_item(item) {
                Ok(edit) => catalog.apply(edit),
                Err(invalid) => wrong.extend(invalid.iter().map(Invalid::to_string)),
            }
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let snapshot = Snapshot::build(catalog, revision).map_err(|it| in_words(&it))?;
        Ok(Self { incarnation, snapshot: Arc::new(snapshot), hash })
    }

    /// The revision that is held.
    pub fn revision(&self) -> u64 {
        self.snapshot.revision()
    }

    /// Whether operators have set up nothing, or removed everything. The built-in
    /// providers and models are there in any case.
    fn is_empty(&self) -> bool {
        is_empty(self.snapshot.catalog())
    }
}

fn is_empty(catalog: &Catalog) -> bool {
    catalog.accounts.is_empty() && catalog.keys.is_empty() && catalog.routes.is_empty()
}

fn in_words(defects: &[Defect]) -> Vec<String> {
    defects.iter().map(|it| format!("{}: {it}", it.field())).collect()
}

/// All pieces of one update.
#[derive(Debug, Clone, PartialEq)]
pub struct Update {
    incarnation: Uuid,
    /// The revision that it leads to.
    pub revision: u64,
    /// The revision that it starts from; `None`: it is the whole catalog.
    pub base: Option<u64>,
    upserts: Vec<ConfigItem>,
    removed: Vec<ItemKey>,
    hash: [u8; 32],
}

/// Puts pieces together.
#[derive(Debug, Default)]
pub struct Collector {
    begun: Option<ConfigUpdate>,
}

impl Collector {
    /// Takes a piece; gives the update that it completes, if it is the last one.
    ///
    /// # Errors
    /// Why the pieces do not fit together; what was collected is forgotten.
    pub fn push(&mut self, piece: ConfigUpdate) -> Result<Option<Update>, String> {
        let whole = match self.begun.take() {
            None => piece,
            Some(mut begun) => {
                let one_update = begun.incarnation == piece.incarnation
                    && begun.revision == piece.revision
                    && begun.base_revision == piece.base_revision;
                if !one_update {
                    return Err(format!(
                        "a piece of revision {} came amid those of revision {}",
                        piece.revision, begun.revision
                    ));
                }
                begun.upserts.extend(piece.upserts);
                begun.removed.extend(piece.removed);
                begun.snapshot_hash = piece.snapshot_hash;
                begun.last = piece.last;
                begun
            }
        };
        if whole.upserts.len().saturating_add(whole.removed.len()) > MAX_ITEMS {
            return Err(format!("revision {} has more than {MAX_ITEMS} items", whole.revision));
        }
        if !whole.last {
            self.begun = Some(whole);
            return Ok(None);
        }
        let incarnation = uuid_from("incarnation", &whole.incarnation);
        let hash = bytes32_from("snapshot_hash", &whole.snapshot_hash);
        Ok(Some(Update {
            incarnation: Uuid::from_bytes(incarnation.map_err(|it| it.to_string())?),
            revision: whole.revision,
            base: whole.base_revision,
            upserts: whole.upserts,
            removed: whole.removed,
            hash: hash.map_err(|it| it.to_string())?,
        }))
    }
}

/// What became of an update.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is held now.
    Applied,
    /// It is refused for these reasons; what was held stays.
    Rejected(Vec<String>),
    /// It does not fit onto what is held: the whole catalog is wanted.
    Resync(String),
}

/// Applies an update to what is held.
pub fn apply(held: Option<Held>, update: Update) -> (Option<Held>, Verdict) {
    match (held, update.base) {
        (held, None) => match whole(held.as_ref(), update) {
            Ok(new) => (Some(new), Verdict::Applied),
            Err(verdict) => (held, verdict),
        },
        (None, Some(base)) => {
            (None, Verdict::Resync(format!("a change of revision {base} came, and none is held")))
        }
        (Some(mut held), Some(base)) => {
            let verdict = change(&mut held, base, &update);
            (Some(held), verdict)
        }
    }
}

fn whole(held: Option<&Held>, update: Update) -> Result<Held, Verdict> {
    let reject = |why: String| Verdict::Rejected(vec![why]);
    let same = held.filter(|it| it.incarnation == update.incarnation);
    if let Some(newer) = same.filter(|it| it.revision() > update.revision) {
        return Err(reject(format!(
            "revision {} is older than {}, which runs",
            update.revision,
            newer.revision()
        )));
    }
    if !update.removed.is_empty() {
        return Err(reject("the whole catalog came with removals".to_owned()));
    }
    let announced = update.hash;
    let new = match Held::build(update.incarnation, update.revision, update.upserts) {
        Ok(new) if new.hash.value() == announced => new,
        Ok(_) => {
            return Err(Verdict::Resync(format!(
                "revision {} does not hash to what was announced",
                update.revision
            )));
        }
        Err(wrong) => return Err(Verdict::Rejected(wrong)),
    };
    // Losing everything is hardly ever meant: a restored or wrong database looks like that.
    let meant = same.is_some_and(|it| it.revision() < update.revision);
    if new.is_empty() && held.is_some_and(|it| !it.is_empty()) && !meant {
        return Err(reject(
            "it has no account, no key and no route, and would replace a catalog that has some"
                .to_owned(),
        ));
    }
    Ok(new)
}

fn change(held: &mut Held, base: u64, update: &Update) -> Verdict {
    if held.incarnation != update.incarnation {
        return Verdict::Resync("the change is one of another database".to_owned());
    }
    if held.revision() != base {
        let runs = held.revision();
        return Verdict::Resync(format!("the change starts from {base}, and {runs} is held"));
    }
    if update.revision < base {
        let why = format!("a change leads from revision {base} back to {}", update.revision);
        return Verdict::Rejected(vec![why]);
    }
    if held.hash.value_after(&update.upserts, &update.removed) != update.hash {
        return Verdict::Resync(format!(
            "revision {} does not hash to what was announced",
            update.revision
        ));
    }
    if update.revision == base && update.upserts.is_empty() && update.removed.is_empty() {
        return Verdict::Applied;
    }
    let edits = match edits(update) {
        Ok(edits) => edits,
        Err(wrong) => return Verdict::Rejected(wrong),
    };
    let snapshot = match held.snapshot.amend(edits, update.revision) {
        Ok(snapshot) => snapshot,
        Err(defects) => return Verdict::Rejected(in_words(&defects)),
    };
    if is_empty(snapshot.catalog()) && !held.is_empty() {
        // The whole of a newer revision is believed; see `whole`.
        return Verdict::Resync(format!("revision {} leaves nothing", update.revision));
    }
    for item in &update.upserts {
        held.hash.upsert(item);
    }
    for key in &update.removed {
        held.hash.remove(key);
    }
    held.snapshot = Arc::new(snapshot);
    Verdict::Applied
}

/// The update's edits, or everything that is wrong with it.
fn edits(update: &Update) -> Result<Vec<Edit>, Vec<String>> {
    let mut wrong = Vec::new();
    let mut edits = Vec::with_capacity(update.upserts.len().saturating_add(update.removed.len()));
    for item in &update.upserts {
        match edit_of_item(item.clone()) {
            Ok(edit) => edits.push(edit),
            Err(invalid) => wrong.extend(invalid.iter().map(Invalid::to_string)),
        }
    }
    for key in &update.removed {
        match edit_of_removed(key) {
            Ok(edit) => edits.push(edit),
            Err(invalid) => wrong.push(invalid.to_string()),
        }
    }
    if wrong.is_empty() { Ok(edits) } else { Err(wrong) }
}

#[cfg(test)]
mod tests;
