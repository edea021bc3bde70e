//! What we build on: lowest versions, banned crates, licences, and where it all comes from.
//!
//! Checks what `deny.toml` says without the tool that reads it, from `Cargo.lock` and
//! `cargo tree` alone: neither needs a network.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::{collections::BTreeMap, fs, path::Path, process::Command};

/// Lowest versions, each with what was wrong before. Checked for those that we have.
const FLOORS: &[(&str, [u64; 3], &str)] = &[
    ("hyper", [1, 11, 0], "Content-Length before Transfer-Encoding left both"),
    ("h2", [0, 4, 18], "frame budgets against floods"),
    ("tonic", [0, 12, 3], "a failing accept ended the server"),
    ("sqlx", [0, 8, 1], "protocol messages misread above 4 GiB"),
    ("rustls", [0, 23, 45], "RUSTSEC-2026-0285"),
    ("rustls-webpki", [0, 103, 13], "RUSTSEC-2026-0104"),
    ("aws-lc-sys", [0, 39, 0], "RUSTSEC-2026-0044, RUSTSEC-2026-0048"),
    ("jsonwebtoken", [10, 3, 0], "CVE-2026-25537"),
    ("lru", [0, 16, 3], "unsound iteration"),
];

/// Crates that we could not do without; that they have a floor proves that it is checked.
const PRESENT: &[&str] = &["hyper", "h2", "tonic", "rustls", "rustls-webpki", "aws-lc-sys"];

#[test]
fn nothing_is_older_than_its_floor() {
    let lock = lock();
    for name in PRESENT {
        assert!(lock.iter().any(|it| it.name == *name), "{name} is not in Cargo.lock");
    }
    let mut wrong = Vec::new();
    for (name, floor, why) in FLOORS {
        for locked in lock.iter().filter(|it| it.name == *name) {
            if numbers(&locked.version) < *floor {
                wrong.push(format!("{name} {} is below {floor:?}: {why}", locked.version));
            }
        }
    }
    assert_none(&wrong);
}

#[test]
fn banned_crates_are_not_built() {
    let deny = deny();
    let banned: Vec<_> = deny["bans"]["deny"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["crate"].as_str().unwrap().to_owned())
        .collect();
    for name in ["ring", "openssl", "openssl-sys", "native-tls", "rsa"] {
        assert!(banned.iter().any(|it| it == name), "deny.toml does not ban {name}");
    }
    // Cargo.lock also names what an unused feature would bring; this is what is built.
    let built = built();
    assert!(built.contains_key("aws-lc-sys"), "the one provider of cryptography is missing");
    let wrong: Vec<_> = banned.into_iter().filter(|name| built.contains_key(name)).collect();
    assert_none(&wrong);
}

#[test]
fn everything_comes_from_crates_io_with_a_checksum() {
    let deny = deny();
    assert_eq!(deny["sources"]["unknown-registry"].as_str(), Some("deny"));
    assert_eq!(deny["sources"]["unknown-git"].as_str(), Some("deny"));
    let allowed: Vec<_> = deny["sources"]["allow-registry"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| format!("registry+{}", it.as_str().unwrap()))
        .collect();
    let mut wrong = Vec::new();
    for locked in lock() {
        match (locked.source, locked.checksum) {
            // Ours.
            (None, false) => {}
            (Some(source), true) if allowed.contains(&source) => {}
            (source, _) => wrong.push(format!("{} from {source:?}", locked.name)),
        }
    }
    assert_none(&wrong);
}

#[test]
fn every_licence_is_one_we_allow() {
    let deny = deny();
    let allowed: Vec<_> = deny["licenses"]["allow"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it.as_str().unwrap().to_owned())
        .collect();
    let wrong: Vec<_> = built()
        .into_iter()
        .filter(|(_, licence)| !is_allowed(licence, &allowed))
        .map(|(name, licence)| format!("{name}: `{licence}`"))
        .collect();
    assert_none(&wrong);
}

#[test]
fn a_licence_is_read_as_it_is_written() {
    let allowed = ["MIT".to_owned(), "ISC".to_owned(), "Apache-2.0 WITH LLVM-exception".to_owned()];
    for fine in [
        "MIT",
        "GPL-3.0 OR MIT",
        "MIT AND ISC",
        "(GPL-3.0 OR MIT) AND ISC",
        "GPL-3.0/MIT",
        "Apache-2.0 WITH LLVM-exception OR GPL-3.0",
        "GPL-3.0 AND BSD OR MIT",
    ] {
        assert!(is_allowed(fine, &allowed), "{fine}");
    }
    for wrong in
        ["", "GPL-3.0", "MIT AND GPL-3.0", "Apache-2.0", "MIT AND (GPL-3.0 OR BSD)", "MIT ISC"]
    {
        assert!(!is_allowed(wrong, &allowed), "{wrong}");
    }
}

struct Locked {
    name: String,
    version: String,
    source: Option<String>,
    checksum: bool,
}

fn lock() -> Vec<Locked> {
    let lock: toml::Table = read("Cargo.lock").parse().unwrap();
    let text = |package: &toml::Value, key: &str| package.get(key)?.as_str().map(str::to_owned);
    let packages = lock["package"].as_array().unwrap().iter();
    packages
        .map(|package| Locked {
            name: text(package, "name").unwrap(),
            version: text(package, "version").unwrap(),
            source: text(package, "source"),
            checksum: package.get("checksum").is_some(),
        })
        .collect()
}

fn deny() -> toml::Table {
    read("deny.toml").parse().unwrap()
}

/// The name and licence of every crate that is built here, to run or to build with.
fn built() -> BTreeMap<String, String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--locked", "--workspace", "--edges", "normal,build"])
        .args(["--prefix", "none", "--no-dedupe", "--format", "{p}|{l}"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let crates = text.lines().filter(|line| !line.is_empty()).map(|line| {
        let (package, licence) = line.split_once('|').unwrap();
        let name = package.split(' ').next().unwrap();
        (name.to_owned(), licence.to_owned())
    });
    crates.collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn read(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap()
}

/// `1.2.3+more` or `1.2.3-more` as its three numbers.
fn numbers(version: &str) -> [u64; 3] {
    let plain = version.split(['+', '-']).next().unwrap();
    let parts: Vec<_> = plain.split('.').map(|part| part.parse().unwrap()).collect();
    parts.try_into().unwrap_or_else(|_| panic!("`{version}` has not three numbers"))
}

/// Whether an SPDX expression can be satisfied with licences from the list.
fn is_allowed(licence: &str, allowed: &[String]) -> bool {
    let spaced = licence.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let mut words: Vec<_> = spaced.split_whitespace().rev().collect();
    !words.is_empty() && any_of(&mut words, allowed) && words.is_empty()
}

/// `a OR b OR …`; the words are taken from the end. All of them are read, whatever they say.
fn any_of(words: &mut Vec<&str>, allowed: &[String]) -> bool {
    let mut fine = all_of(words, allowed);
    while words.pop_if(|word| *word == "OR").is_some() {
        fine |= all_of(words, allowed);
    }
    fine
}

fn all_of(words: &mut Vec<&str>, allowed: &[String]) -> bool {
    let mut fine = one(words, allowed);
    while words.pop_if(|word| *word == "AND").is_some() {
        fine &= one(words, allowed);
    }
    fine
}

fn one(words: &mut Vec<&str>, allowed: &[String]) -> bool {
    match words.pop() {
        Some("(") => {
            let fine = any_of(words, allowed);
            words.pop() == Some(")") && fine
        }
        Some(name) => {
            let exception = words.pop_if(|word| *word == "WITH").and_then(|_| words.pop());
            let name = match exception {
                Some(exception) => format!("{name} WITH {exception}"),
                None => name.to_owned(),
            };
            allowed.contains(&name)
        }
        None => false,
    }
}

fn assert_none(wrong: &[String]) {
    assert!(wrong.is_empty(), "{} found:\n  {}", wrong.len(), wrong.join("\n  "));
}
