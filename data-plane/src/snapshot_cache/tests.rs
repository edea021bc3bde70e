use super::*;
use domain::{
    catalog::{
        Account, AuthStyle, Catalog, ClientSettings, Dialect, Edit, Endpoint, Provider, Quirks,
    },
    id::AccountId,
};
use std::{os::unix::fs::PermissionsExt, sync::Arc};

const DATABASE: Uuid = Uuid::from_u128(7);

fn token() -> Secret {
    Secret::new("slc_jn_one".into())
}

fn snapshot(revision: u64) -> Snapshot {
    let mut catalog = Catalog::default();
    catalog.apply(Edit::PutProvider(Arc::new(Provider {
        name: "acme".parse().unwrap(),
        title: "Acme".into(),
        endpoints: vec![Endpoint {
            dialect: Dialect::OpenAi,
            base_url: Some("https://acme.test/v1".into()),
            auth: AuthStyle::Bearer,
            output_cap_field: None,
            quirks: Quirks::NONE,
        }],
        env_var: None,
        model_patterns: vec![],
        aggregator: false,
        docs_url: String::new(),
        built_in: true,
    })));
    catalog.apply(Edit::PutAccount(Arc::new(Account {
        id: AccountId::from_uuid(Uuid::from_u128(u128::from(revision))),
        name: "main".parse().unwrap(),
        provider: "acme".parse().unwrap(),
        credential: Some(Secret::new("sk-very-secret".into())),
        base_urls: vec![],
        enabled: true,
        client: ClientSettings::default(),
    })));
    Snapshot::build(catalog, revision).unwrap()
}

fn write(dir: &Path, revisions: &[u64]) {
    let (mut cache, _) = SnapshotCache::open(dir, &token()).unwrap();
    for revision in revisions {
        cache.write(DATABASE, &snapshot(*revision)).unwrap();
    }
}

fn revision_in(dir: &Path, token: &Secret) -> Option<u64> {
    let (_, cached) = SnapshotCache::open(dir, token).unwrap();
    cached.map(|it| {
        assert_eq!(it.held.snapshot.catalog(), snapshot(it.held.revision()).catalog());
        assert_eq!(it.held.incarnation, DATABASE);
        it.held.revision()
    })
}

/// The slot that holds this revision alone.
fn slot_of(dir: &Path, revision: u64) -> PathBuf {
    let seal = Seal::new(&token()).unwrap();
    let paths = SLOTS.iter().map(|it| dir.join(it));
    let holds = |it: &PathBuf| {
        seal.open(fs::read(it).unwrap()).is_ok_and(|(_, held)| held.revision() == revision)
    };
    paths.into_iter().find(holds).unwrap()
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 1;
    fs::write(path, bytes).unwrap();
}

#[test]
fn two_generations_are_kept_and_the_newest_is_read() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(revision_in(dir.path(), &token()), None);
    write(dir.path(), &[3]);
    assert_eq!(revision_in(dir.path(), &token()), Some(3));
    write(dir.path(), &[4, 5]);
    assert_eq!(revision_in(dir.path(), &token()), Some(5));
    slot_of(dir.path(), 4);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
}

#[test]
fn a_database_that_began_anew_is_newer_though_its_revision_is_lower() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &[900, 2]);
    assert_eq!(revision_in(dir.path(), &token()), Some(2));
}

#[test]
fn any_damage_is_noticed_and_the_older_generation_used() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &[4, 5]);
    let newest = slot_of(dir.path(), 5);
    let good = fs::read(&newest).unwrap();
    for at in (0..good.len()).step_by(7).chain([good.len() - 1]) {
        flip(&newest, at);
        assert_eq!(revision_in(dir.path(), &token()), Some(4), "byte {at}");
        fs::write(&newest, &good).unwrap();
    }
    for len in [0, 7, 11, 40, 56, 60, good.len() - 1] {
        fs::write(&newest, &good[..len]).unwrap();
        assert_eq!(revision_in(dir.path(), &token()), Some(4), "{len} bytes");
    }
    // The damaged one is what is replaced next.
    write(dir.path(), &[6]);
    slot_of(dir.path(), 4);
    assert_eq!(revision_in(dir.path(), &token()), Some(6));
}

#[test]
fn another_token_opens_nothing() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &[4, 5]);
    assert_eq!(revision_in(dir.path(), &Secret::new("slc_jn_two".into())), None);
}

#[test]
fn a_newer_format_is_refused_and_said_to_be_newer() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &[4]);
    let mut bytes = fs::read(slot_of(dir.path(), 4)).unwrap();
    bytes[8] = 2;
    let why = Seal::new(&token()).unwrap().open(bytes).unwrap_err().to_string();
    assert!(why.contains("newer version of Sluice") && why.contains("format 2"), "{why}");
}

#[test]
fn secrets_do_not_lie_there_in_clear_and_only_the_owner_may_read() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &[4]);
    let path = slot_of(dir.path(), 4);
    let bytes = fs::read(&path).unwrap();
    assert!(!bytes.windows(7).any(|it| it == b"sk-very"));
    assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
}
