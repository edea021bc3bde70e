//! The house rules: which way dependencies point, and how files must look.
//!
//! Knows the repository as text and as `cargo metadata`; runs nothing of it.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

/// Who may lean on which of our own crates, in any way: to run, to build, to test.
const ARROWS: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("dialect", &["domain"]),
    ("proto", &["domain"]),
    ("runtime", &[]),
    ("sluice-control-plane", &["domain", "proto", "runtime"]),
    ("sluice-data-plane", &["domain", "dialect", "proto", "runtime"]),
    ("sluice", &["domain", "proto", "runtime"]),
];

/// The one crate that is only proof: it may lean on anything, and nobody on it.
const PROOF: &str = "e2e";

/// All that the crates at the bottom may lean on outside, to run.
const DOMAIN_OUTSIDE: &[&str] =
    &["crc32fast", "hmac", "sha2", "subtle", "thiserror", "uuid", "zeroize"];
const DIALECT_OUTSIDE: &[&str] =
    &["base64", "bytes", "crc32fast", "http", "memchr", "serde", "serde_json", "thiserror"];

/// What must be nowhere under `domain` and `dialect`, however deep: they wait for nothing.
const WAITING: &[&str] = &["tokio", "hyper", "tonic", "mio", "futures-executor"];

/// Crates that one room only may know, because they are what the room is for.
const ROOMS: &[(&str, &[&str])] = &[
    ("tokio-postgres", &["sluice-control-plane"]),
    ("deadpool-postgres", &["sluice-control-plane"]),
    ("tokio-postgres-rustls", &["sluice-control-plane"]),
    ("tonic-reflection", &["sluice-control-plane"]),
    ("tonic-web", &["sluice-control-plane"]),
    ("axum", &["sluice-control-plane"]),
    ("reqwest", &["sluice-data-plane"]),
    ("clap", &["sluice"]),
    ("comfy-table", &["sluice"]),
    ("anyhow", &["sluice-control-plane", "sluice-data-plane", "sluice"]),
];

/// Most lines of a source file, without its tests; and of a file of tests.
const SOURCE_LINES_MAX: usize = 400;
const TEST_LINES_MAX: usize = 600;

/// The words of the product's trade, of which the crate `runtime` knows nothing.
const TRADE: &[&str] = &["provider", "account", "alias", "lease", "snapshot", "dialect"];

/// Words that say nothing, kept out of the names of files and of types.
const EMPTY_WORDS: &[&str] = &[
    "manager",
    "handler",
    "helper",
    "helpers",
    "util",
    "utils",
    "common",
    "misc",
    "data",
    "info",
    "processor",
    "backend",
];

#[test]
fn every_crate_leans_only_on_the_floors_below() {
    let packages = packages();
    let ours: BTreeSet<_> = packages.keys().map(String::as_str).collect();
    let known: BTreeSet<_> = ARROWS.iter().map(|(name, _)| *name).chain([PROOF]).collect();
    assert_eq!(ours, known, "a crate without a row of arrows, or a row without a crate");
    let mut wrong = Vec::new();
    for (name, allowed) in ARROWS {
        for (dependency, kind) in &packages[*name] {
            if ours.contains(dependency.as_str()) && !allowed.contains(&dependency.as_str()) {
                wrong.push(format!("{name} leans on {dependency} ({kind})"));
            }
        }
    }
    assert_none(&wrong);
}

#[test]
fn the_floors_below_lean_on_the_short_list_outside() {
    let packages = packages();
    let outside = |name: &str| -> BTreeSet<String> {
        let all = packages[name].iter().filter(|(_, kind)| kind == "normal");
        all.map(|(name, _)| name.clone()).filter(|name| !packages.contains_key(name)).collect()
    };
    let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(outside("domain"), set(DOMAIN_OUTSIDE));
    let extra: Vec<_> = outside("dialect").difference(&set(DIALECT_OUTSIDE)).cloned().collect();
    assert_none(&extra);
}

#[test]
fn domain_and_dialect_wait_for_nothing_however_deep() {
    for name in ["domain", "dialect"] {
        let tree = cargo(&[
            "tree",
            "--offline",
            "--locked",
            "-e",
            "normal",
            "--prefix",
            "none",
            "-p",
            name,
        ]);
        let deep: BTreeSet<_> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
        assert!(deep.contains(name), "{tree}");
        let waiting: Vec<_> =
            WAITING.iter().filter(|name| deep.contains(*name)).map(ToString::to_string).collect();
        assert_none(&waiting);
    }
}

#[test]
fn what_belongs_to_one_room_stays_there() {
    let packages = packages();
    let mut wrong = Vec::new();
    for (name, dependencies) in packages.iter().filter(|(name, _)| *name != PROOF) {
        for (dependency, kind) in dependencies.iter().filter(|(_, kind)| kind == "normal") {
            let room = ROOMS.iter().find(|(known, _)| known == dependency);
            if room.is_some_and(|(_, rooms)| !rooms.contains(&name.as_str())) {
                wrong.push(format!("{name} leans on {dependency} ({kind})"));
            }
        }
    }
    assert_none(&wrong);
}

#[test]
fn every_crate_takes_the_lints_of_the_workspace() {
    let mut wrong = Vec::new();
    for manifest in files().into_iter().filter(|file| file.ends_with("/Cargo.toml")) {
        let table: toml::Table = read(&manifest).parse().unwrap();
        let lints = table.get("lints").and_then(|lints| lints.get("workspace"));
        if lints.and_then(toml::Value::as_bool) != Some(true) {
            wrong.push(manifest);
        }
    }
    assert_none(&wrong);
}

#[test]
fn every_source_file_opens_with_what_it_knows() {
    // Unit tests in a file of their own belong to the room they stand beside.
    let rooms = sources().into_iter().filter(|(name, _)| !name.ends_with("/tests.rs"));
    let wrong: Vec<_> = rooms.filter(|(_, text)| !text.starts_with("//! ")).collect();
    assert_none(&names(&wrong));
}

#[test]
fn no_file_is_longer_than_a_room() {
    let mut wrong = Vec::new();
    for (name, text) in sources() {
        let (lines, most) = match is_test(&name) {
            true => (text.lines().count(), TEST_LINES_MAX),
            false => (lines_without_tests(&text), SOURCE_LINES_MAX),
        };
        if most < lines {
            wrong.push(format!("{name}: {lines} lines, at most {most}"));
        }
    }
    assert_none(&wrong);
}

#[test]
fn modules_are_files_beside_their_folder() {
    let wrong: Vec<_> =
        sources().into_iter().filter(|(name, _)| name.ends_with("/mod.rs")).collect();
    assert_none(&names(&wrong));
}

#[test]
fn nothing_is_left_undone_or_silenced() {
    // In two halves, so that this file does not hold what it looks for.
    let forbidden = [
        ("#[al", "low("),
        ("#![al", "low("),
        ("to", "do!("),
        ("unimple", "mented!("),
        ("db", "g!("),
    ]
    .map(|(first, second)| format!("{first}{second}"));
    let mut wrong = Vec::new();
    for (name, text) in sources() {
        for (number, line) in text.lines().enumerate() {
            for word in forbidden.iter().filter(|word| has_start_of_word(line, word)) {
                wrong.push(format!("{name}:{}: {word}", number + 1));
            }
        }
    }
    assert_none(&wrong);
}

#[test]
fn no_file_names_a_place_on_someones_machine() {
    // In two halves, so that this file does not hold what it looks for.
    let usual = [("/ro", "ot/"), ("/Us", "ers/")].map(|(first, second)| format!("{first}{second}"));
    // A place such as `/`, `/tmp` or a container's `/src` is on every machine.
    let own = std::env::var_os("HOME").map(PathBuf::from).into_iter().chain([root()]);
    let own = own.filter(|place| 2 < place.components().count());
    let own = own.map(|place| format!("{}/", place.to_string_lossy().trim_end_matches('/')));
    let places: Vec<_> = usual.into_iter().chain(own).collect();
    let mut wrong = Vec::new();
    for name in files() {
        // What is not UTF-8 is no text of ours.
        let Ok(text) = fs::read_to_string(root().join(&name)) else { continue };
        for (number, line) in text.lines().enumerate() {
            if places.iter().any(|place| is_place(line, place)) {
                wrong.push(format!("{name}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    assert_none(&wrong);
}

#[test]
fn runtime_knows_no_word_of_the_trade() {
    let mut wrong = Vec::new();
    for (name, text) in sources().into_iter().filter(|(name, _)| name.starts_with("runtime/")) {
        for (number, line) in text.lines().enumerate() {
            // rustls's own name for what does its sums.
            let line = line.replace("default_provider", "");
            for word in words(&line).filter(|word| TRADE.contains(&word.trim_end_matches('s'))) {
                wrong.push(format!("{name}:{}: {word}", number + 1));
            }
        }
    }
    assert_none(&wrong);
}

#[test]
fn names_say_something() {
    let mut wrong = Vec::new();
    for (name, text) in sources() {
        let stem = Path::new(&name).file_stem().unwrap().to_string_lossy().into_owned();
        if words(&stem).any(|word| EMPTY_WORDS.contains(&word.as_str())) {
            wrong.push(name.clone());
        }
        for line in text.lines() {
            let line =
                line.trim_start().trim_start_matches("pub(crate) ").trim_start_matches("pub ");
            let declared =
                ["struct ", "enum ", "trait ", "mod "].iter().find_map(|it| line.strip_prefix(it));
            let Some(declared) = declared else { continue };
            let end = declared.find(|it: char| !it.is_alphanumeric() && it != '_');
            let declared = &declared[..end.unwrap_or(declared.len())];
            if words(declared).any(|word| EMPTY_WORDS.contains(&word.as_str())) {
                wrong.push(format!("{name}: {declared}"));
            }
        }
    }
    assert_none(&wrong);
}

#[test]
fn the_rules_see_what_they_look_for() {
    let seen: Vec<_> = words("LeaseBook for my_provider_ids, released").collect();
    assert_eq!(seen, ["lease", "book", "for", "my", "provider", "ids", "released"]);
    assert_eq!(lines_without_tests("a\nb\n#[cfg(test)]\nmod tests {\n}\n"), 2);
    assert_eq!(lines_without_tests("a\n#[cfg(test)]\nfn only_for_tests() {}\nb\n"), 4);
    assert!(is_place("cd /srv/x", "/srv/") && is_place("\"/srv/x", "/srv/"));
    assert!(!is_place("https://a.test/srv/x", "/srv/") && !is_place("$HOME/srv/x", "/srv/"));
    assert!(has_start_of_word("  now!(", "now!(") && !has_start_of_word("snow!(", "now!("));
}

/// Our crates, each with what it leans on and in which way (`normal`, `build`, `dev`).
fn packages() -> BTreeMap<String, BTreeSet<(String, String)>> {
    let text = cargo(&["metadata", "--format-version", "1", "--no-deps", "--offline", "--locked"]);
    let metadata: Value = serde_json::from_str(&text).unwrap();
    let packages = metadata["packages"].as_array().unwrap().iter();
    packages
        .map(|package| {
            let dependencies = package["dependencies"].as_array().unwrap().iter();
            let dependencies = dependencies.map(|dependency| {
                let kind = dependency["kind"].as_str().unwrap_or("normal");
                (dependency["name"].as_str().unwrap().to_owned(), kind.to_owned())
            });
            (package["name"].as_str().unwrap().to_owned(), dependencies.collect())
        })
        .collect()
}

fn cargo(args: &[&str]) -> String {
    let output = Command::new(env!("CARGO")).args(args).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn read(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap()
}

/// Every file of the repository by its path from the root, without what is built or fetched.
fn files() -> Vec<String> {
    let root = root();
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let hidden = name.starts_with('.') && name != ".ci";
            match path.is_dir() {
                true if hidden || name == "target" || name == "node_modules" => {}
                true => folders.push(path),
                false => {
                    let inside = path.strip_prefix(&root).unwrap();
                    found.push(inside.to_str().unwrap().to_owned());
                }
            }
        }
    }
    found.sort();
    found
}

/// Every Rust file, with its text.
fn sources() -> Vec<(String, String)> {
    let all = files().into_iter().filter(|name| name.ends_with(".rs"));
    all.map(|name| (name.clone(), read(&name))).collect()
}

fn is_test(name: &str) -> bool {
    name.contains("/tests/") || name.ends_with("/tests.rs") || name.contains("/benches/")
}

/// Lines above the module of tests, which stands last in its file.
fn lines_without_tests(text: &str) -> usize {
    let lines: Vec<_> = text.lines().collect();
    let tests = lines.windows(2).position(|pair| {
        pair[0].trim() == "#[cfg(test)]" && pair[1].trim_start().starts_with("mod tests")
    });
    tests.unwrap_or(lines.len())
}

/// The words of a text in lower case, names in snake or camel case taken apart.
fn words(text: &str) -> impl Iterator<Item = String> + use<> {
    let mut spaced = String::new();
    let mut before = ' ';
    for letter in text.chars() {
        if letter.is_uppercase() && before.is_lowercase() {
            spaced.push(' ');
        }
        spaced.push(if letter.is_alphanumeric() { letter } else { ' ' });
        before = letter;
    }
    let spaced = spaced.to_lowercase();
    spaced.split_whitespace().map(str::to_owned).collect::<Vec<_>>().into_iter()
}

fn has_start_of_word(line: &str, word: &str) -> bool {
    line.match_indices(word)
        .any(|(at, _)| !line[..at].ends_with(|it: char| it.is_alphanumeric() || it == '_'))
}

/// Whether a path begins here; not in the middle of a URL or of another path.
fn is_place(line: &str, place: &str) -> bool {
    line.match_indices(place).any(|(at, _)| {
        !line[..at].ends_with(|it: char| it.is_alphanumeric() || "_-./}$~*".contains(it))
    })
}

fn names(files: &[(String, String)]) -> Vec<String> {
    files.iter().map(|(name, _)| name.clone()).collect()
}

fn assert_none(wrong: &[String]) {
    assert!(wrong.is_empty(), "{} found:\n  {}", wrong.len(), wrong.join("\n  "));
}
