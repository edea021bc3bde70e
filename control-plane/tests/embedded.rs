//! The private cluster: every trap that its supervisor is built around, as root (when
//! root runs the tests) and as an ordinary user.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

#[path = "embedded/owner.rs"]
mod owner;

use futures_util::future::join_all;
use owner::{Owner, PATIENCE, Place, Who, kill, until};
use rustix::process::Pid;
use sluice_control_plane::store::{
    PoolSettings, Source, Store, StoreError,
    embedded::{Embedded, EmbeddedError, Lifeline},
};
use std::{
    fs::{self, Permissions},
    os::unix::fs::{MetadataExt, PermissionsExt, chown},
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};
use tokio::time::{sleep, timeout};

#[test]
#[ignore = "is the process that the other tests start and kill"]
fn owner_process() {
    owner::run(|it| println!("{it}"));
}

/// Runs a test as everybody, with every lifeline. Rows stay from one to the next.
fn everybody(test: impl Fn(&Place)) {
    for who in Who::all() {
        let mut place = Place::new(who);
        for lifeline in [Lifeline::Setpriv, Lifeline::Watchdog] {
            place.lifeline = lifeline;
            test(&place);
        }
    }
}

fn start(place: &Place) -> Owner {
    place.start().unwrap_or_else(|why| panic!("{:?}, {:?}: {why}", place.who, place.lifeline))
}

/// Neither running nor waiting to be reaped in a state in which it still works.
fn is_gone(place: &Place) -> bool {
    let pid = place.pgdata().join("postmaster.pid");
    let Ok(text) = fs::read_to_string(pid) else { return true };
    let Some(pid) = text.lines().next() else { return true };
    // A zombie has no working directory.
    !cfg!(target_os = "linux") || fs::metadata(format!("/proc/{pid}/cwd")).is_err()
}

#[test]
fn it_stops_in_order_and_starts_again_with_what_was_in_it() {
    everybody(|place| {
        let mut owner = start(place);
        let rows = owner.put();
        owner.stop();
        assert!(!place.pgdata().join("postmaster.pid").exists());
        let mut owner = start(place);
        assert_eq!(owner.count(), rows);
        owner.stop();
    });
}

#[test]
fn a_second_owner_is_refused_and_told_who_is_the_first() {
    for who in Who::all() {
        let place = Place::new(who);
        let mut first = start(&place);
        let error = place.start().err().unwrap();
        let pid = first.pid().as_raw_nonzero();
        assert!(error.contains(&format!("in use by process {pid}")), "{error}");
        assert_eq!(first.put(), 1);
        first.stop();
    }
}

#[test]
fn a_killed_postmaster_comes_back() {
    everybody(|place| {
        let mut owner = start(place);
        for _ in 0..2 {
            let rows = owner.put();
            let old = place.postmaster();
            kill(old);
            assert_eq!(owner.count(), rows);
            assert_ne!(place.postmaster(), old);
        }
        owner.stop();
    });
}

#[test]
fn a_killed_owner_takes_its_postgres_with_it() {
    everybody(|place| {
        let mut owner = start(place);
        let rows = owner.put();
        owner.kill();
        until("postgres outlives its owner", || is_gone(place));
        let mut owner = start(place);
        assert_eq!(owner.count(), rows);
        owner.stop();
    });
}

#[test]
fn who_starts_in_the_instant_of_a_kill_finds_everything() {
    everybody(|place| {
        let mut owner = start(place);
        for _ in 0..2 {
            let rows = owner.put();
            owner.kill();
            owner = start(place);
            assert_eq!(owner.count(), rows);
        }
        owner.stop();
    });
}

#[test]
fn both_killed_recover_with_every_acknowledged_write() {
    everybody(|place| {
        let mut owner = start(place);
        for _ in 0..2 {
            let rows = owner.put();
            kill(place.postmaster());
            owner.kill();
            owner = start(place);
            assert_eq!(owner.count(), rows);
        }
        owner.stop();
    });
}

#[test]
fn an_orphaned_postmaster_is_ended_before_a_new_one_starts() {
    for who in Who::all() {
        let mut place = Place::new(who);
        // Without its shell, this lifeline does not hold: as if the owner had died
        // before the lifeline was tied.
        place.lifeline = Lifeline::Watchdog;
        let mut owner = start(&place);
        assert_eq!(owner.put(), 1);
        let orphan = place.postmaster();
        if let Some(watchdog) = child_named(owner.pid(), "sh") {
            kill(watchdog);
        }
        owner.kill();
        let mut owner = start(&place);
        assert_ne!(place.postmaster(), orphan);
        assert_eq!(owner.count(), 1);
        owner.stop();
    }
}

fn child_named(parent: Pid, name: &str) -> Option<Pid> {
    fs::read_dir("/proc").ok()?.flatten().find_map(|it| {
        let stat = fs::read_to_string(it.path().join("stat")).ok()?;
        let (front, back) = stat.rsplit_once(") ")?;
        let (pid, found) = front.split_once(" (")?;
        let its_parent = back.split(' ').nth(1)?;
        let ours = found == name && its_parent == parent.as_raw_nonzero().to_string();
        ours.then(|| Pid::from_raw(pid.parse().ok()?)).flatten()
    })
}

#[test]
fn stale_lock_files_of_the_dead_and_of_strangers_do_not_keep_it_from_starting() {
    for who in Who::all() {
        let place = Place::new(who);
        let mut owner = start(&place);
        assert_eq!(owner.put(), 1);
        kill(place.postmaster());
        owner.kill();
        // Nobody waits for it yet: a zombie, as a container without init has many.
        let mut zombie = Command::new("true").stdin(Stdio::null()).spawn().unwrap();
        let stranger = std::process::id();
        for pid in [zombie.id(), stranger] {
            let pg = place.home.join("pg");
            let owner_of = fs::metadata(place.pgdata()).unwrap();
            for (path, last) in [
                (place.pgdata().join("postmaster.pid"), "ready   "),
                (pg.join("socket/.s.PGSQL.5432.lock"), ""),
            ] {
                let text =
                    format!("{pid}\n{}\n1\n5432\n\n\n1 1\n{last}\n", place.pgdata().display());
                fs::write(&path, text).unwrap();
                fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
                chown(&path, Some(owner_of.uid()), Some(owner_of.gid())).unwrap();
            }
            let mut owner = start(&place);
            assert_eq!(owner.count(), 1);
            owner.stop();
        }
        zombie.wait().unwrap();
    }
}

#[test]
fn a_long_path_gets_a_short_socket_that_is_cleaned_up() {
    for who in Who::all() {
        let place =
            Place::named(who, &format!("{}/{}", "long".repeat(30), "path, long".repeat(10)));
        let folders = || short_folders(&place);
        let mut owner = start(&place);
        assert_eq!(owner.put(), 1);
        let first = folders();
        assert_eq!(first.len(), 1);
        let mode = fs::metadata(&first[0]).unwrap().mode();
        assert_eq!(mode & 0o777, 0o700);
        owner.kill();
        let mut owner = start(&place);
        assert!(!Path::new(&first[0]).exists());
        assert_eq!(owner.count(), 1);
        let second = folders();
        owner.stop();
        assert!(!Path::new(&second[0]).exists());
    }
}

/// What the cluster of a place recorded as its socket's folder.
fn short_folders(place: &Place) -> Vec<String> {
    fs::read_to_string(place.home.join("pg/socket-folder")).into_iter().collect()
}

#[test]
fn a_cluster_of_another_major_version_is_refused_with_the_ways_out() {
    for who in Who::all() {
        let place = Place::new(who);
        start(&place).stop();
        fs::write(place.pgdata().join("PG_VERSION"), "9\n").unwrap();
        let error = place.start().err().unwrap();
        for part in ["made by PostgreSQL 9", "SLUICE_PG_BIN", "pg_upgrade"] {
            assert!(error.contains(part), "{error}");
        }
    }
}

#[test]
fn half_a_cluster_is_made_anew_and_something_else_is_left_alone() {
    for who in Who::all() {
        let place = Place::new(who);
        let half = place.home.join("pg/pgdata.new-1");
        fs::create_dir_all(half.join("base")).unwrap();
        fs::write(half.join("PG_VERSION"), "15\n").unwrap();
        if who == Who::Ordinary {
            // Its own, as a broken off start of its own would have left it.
            let owner = fs::metadata(&place.home).unwrap();
            for it in
                [place.home.join("pg"), half.clone(), half.join("base"), half.join("PG_VERSION")]
            {
                chown(it, Some(owner.uid()), Some(owner.gid())).unwrap();
            }
        }
        start(&place).stop();
        assert!(!half.exists());
        fs::remove_file(place.pgdata().join("PG_VERSION")).unwrap();
        let error = place.start().err().unwrap();
        assert!(error.contains("not a PostgreSQL cluster"), "{error}");
        assert!(place.pgdata().join("base").exists());
    }
}

#[test]
fn who_is_killed_while_the_cluster_is_made_leaves_nothing_that_is_in_the_way() {
    for who in Who::all() {
        let place = Place::new(who);
        let unfinished = || {
            let entries = fs::read_dir(place.home.join("pg")).into_iter().flatten().flatten();
            let names = entries.map(|it| it.file_name().into_string().unwrap());
            names.filter(|it| it.starts_with("pgdata.new")).count()
        };
        for _ in 0..2 {
            let owner = place.begin();
            until("no cluster is made", || unfinished() > 0 || place.pgdata().exists());
            owner.kill();
        }
        let mut owner = start(&place);
        assert_eq!(owner.put(), 1);
        owner.stop();
    }
}

#[tokio::test]
async fn a_store_and_its_listener_are_well_again_when_postgres_is() {
    let place = Place::new(Who::Us);
    let home = place.home.clone();
    let start = move || Embedded::start(&home, None).unwrap();
    let cluster = tokio::task::spawn_blocking(start).await.unwrap();
    let settings =
        PoolSettings { max_size: 4, statement_timeout_ms: 5_000, acquire_timeout_ms: 5_000 };
    let store = Store::connect(Source::Embedded(cluster.config()), settings).unwrap();
    let mut listener = store.listen();
    listener.changed().await;
    let all = || join_all((0..4).map(|_| store.ping()));
    assert!(all().await.iter().all(Result::is_ok));
    kill(place.postmaster());
    let healed = async {
        // Hears that the connection was lost and made again.
        listener.changed().await;
        while let Some(Err(error)) = all().await.into_iter().find(Result::is_err) {
            assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, healed).await.unwrap();
    tokio::task::spawn_blocking(move || cluster.stop()).await.unwrap();
}

#[test]
fn a_home_that_postgres_cannot_reach_is_named() {
    // An ordinary user runs Postgres as itself, and reaches what is its own.
    if Who::all().len() == 1 {
        return;
    }
    let closed = tempfile::tempdir().unwrap();
    fs::set_permissions(closed.path(), Permissions::from_mode(0o700)).unwrap();
    let error = Embedded::start(&closed.path().join("home"), None).unwrap_err();
    assert!(matches!(error, EmbeddedError::Unreachable { .. }), "{error}");
    let text = error.to_string();
    let folder = fs::canonicalize(closed.path()).unwrap();
    assert!(text.contains(&format!("cannot enter {}:", folder.display())), "{text}");
    assert!(text.contains("/var/lib/sluice"), "{text}");
}

#[test]
fn a_cluster_of_another_user_is_refused_as_such_or_run_as_its_owner() {
    if Who::all().len() == 1 {
        return;
    }
    // Made by an ordinary user, then started by root: runs as who made it.
    let mut place = Place::new(Who::Ordinary);
    let mut owner = start(&place);
    assert_eq!(owner.put(), 1);
    owner.stop();
    place.who = Who::Us;
    let mut owner = start(&place);
    assert_eq!(owner.count(), 1);
    owner.stop();
    // Made by root for `postgres`, then started by an ordinary user.
    let mut place = Place::new(Who::Us);
    start(&place).stop();
    place.who = Who::Ordinary;
    let error = place.start().err().unwrap();
    assert!(error.contains("Permission denied") || error.contains("belongs to"), "{error}");
}

#[test]
fn nothing_of_our_environment_reaches_postgres() {
    for who in Who::all() {
        let place = Place::new(who);
        let owner = start(&place);
        let file = format!("/proc/{}/environ", place.postmaster().as_raw_nonzero());
        if let Ok(environment) = fs::read(file) {
            let environment = String::from_utf8_lossy(&environment);
            assert!(environment.contains("PATH="), "{environment}");
            assert!(!environment.contains("a-secret-of-the-owner"), "{environment}");
        }
        owner.stop();
    }
}

#[test]
fn missing_programs_are_named_with_the_ways_out() {
    let place = Place::new(Who::Us);
    let nothing = tempfile::tempdir().unwrap();
    let error = Embedded::start(&place.home, Some(nothing.path())).unwrap_err();
    assert!(matches!(error, EmbeddedError::NoBinaries { .. }), "{error}");
}

#[test]
fn it_listens_on_no_port_and_only_its_user_may_enter_the_socket() {
    let place = Place::new(Who::Us);
    let cluster = Embedded::start(&place.home, None).unwrap();
    let socket = fs::metadata(place.home.join("pg/socket")).unwrap();
    assert_eq!(socket.mode() & 0o777, 0o700);
    let options = fs::read_to_string(place.pgdata().join("postmaster.opts")).unwrap();
    assert!(options.contains("listen_addresses="), "{options}");
    // Line 6 of postmaster.pid is the first address it listens on.
    let text = fs::read_to_string(place.pgdata().join("postmaster.pid")).unwrap();
    assert_eq!(text.lines().nth(5).map(str::trim), Some(""));
    let began = Instant::now();
    cluster.stop();
    assert!(began.elapsed() < Duration::from_secs(30));
}
