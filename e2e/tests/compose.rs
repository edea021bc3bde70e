//! Keeps `compose/` honest: every flag, variable, port, path and name in it is held against
//! the programs, because it cannot be run everywhere.
//!
//! Knows the files of `compose/` as text and the programs by their `--help`.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    process::Command,
};

use files::{
    Compose, Dockerfile, Haproxy, PROGRAMS, Table, after, cli_knows, dockerfiles, is_served, list,
    members, read, root, strings, words_with,
};
use serde_norway::Value;

#[path = "compose/files.rs"]
mod files;

const PROXIES: [&str; 3] = ["data-plane-1", "data-plane-2", "data-plane-3"];

#[test]
fn images_are_built_from_what_is_here_and_run_what_they_build() {
    let members = members();
    for file in dockerfiles() {
        let image = Dockerfile::read(&file);
        let copied = image.copied();
        for source in &copied {
            assert!(root().join(source).exists(), "{file}: COPY {source}: no such file");
        }
        for member in members.keys() {
            assert!(copied.contains(&members[member].folder), "{file}: {member} is not copied");
        }
        assert!(copied.contains("Cargo.lock"), "{file}: --locked needs the lock file");
        let run = image.all("RUN").join(" ");
        let package = after(&run, "--package").unwrap();
        let bin = after(&run, "--bin").unwrap();
        assert!(members[&package].bins.contains(&bin), "{file}: {package} has no program {bin}");
        assert!(run.contains("--locked"), "{file}");
        let profile = after(&run, "--profile").unwrap();
        let workspace: toml::Table = read("Cargo.toml").parse().unwrap();
        assert!(workspace["profile"].get(&profile).is_some(), "{file}: no profile {profile}");
        assert!(run.contains(&format!("target/{profile}/{bin} /out/{bin}")), "{file}");
        let placed = format!("--from=build /out/{bin} /usr/local/bin/{bin}");
        assert!(image.all("COPY").contains(&placed), "{file}: {placed} is missing");
        assert_eq!(image.all("ENTRYPOINT"), [format!("[\"/usr/local/bin/{bin}\"]")], "{file}");
    }
}

#[test]
fn images_run_as_nobody_in_particular() {
    let mut seen = BTreeSet::new();
    for file in dockerfiles() {
        let image = Dockerfile::read(&file);
        assert_eq!(image.all("FROM").len(), 2, "{file}: one stage builds, one runs");
        let user = image.user();
        assert!(10_000 < user, "{file}: runs as {user}");
        assert!(seen.insert(user), "{file}: shares its user, and so its files, with another");
    }
}

#[test]
fn images_set_and_expose_what_their_programs_have() {
    for (file, program) in PROGRAMS {
        let image = Dockerfile::read(file);
        let table = Table::of(program);
        let env = image.env();
        table.check_env(file, &env);
        let ports: BTreeSet<u16> =
            table.addresses(&env).into_values().map(|it| it.port()).collect();
        assert_eq!(image.exposed(), ports, "{file}: EXPOSE");
        for address in table.addresses(&env).values() {
            assert!(address.ip().is_unspecified(), "{file}: {address} cannot be reached");
        }
        let check = image.all("HEALTHCHECK").concat();
        let ops = table.addresses(&env)["ops-addr"].port();
        assert!(check.contains(&format!("/dev/tcp/127.0.0.1/{ops} ")), "{file}: {check}");
        let path = after(&check, "'GET").unwrap();
        assert!(is_served(&path), "{file}: {path} is not served");
        let volume = image.all("VOLUME").concat();
        let kept = env.get("SLUICE_HOME").or_else(|| env.get("SLUICE_STATE_DIR")).unwrap();
        assert_eq!(*kept, volume, "{file}: what must be kept is not in the volume");
    }
}

#[test]
fn services_are_told_only_what_their_programs_understand() {
    let compose = Compose::read();
    let mut checked = 0;
    for (name, service) in &compose.services {
        let Some(file) = compose.dockerfile(name) else { continue };
        let Some((_, program)) = PROGRAMS.iter().find(|(image, _)| *image == file) else {
            continue;
        };
        if service.get("entrypoint").is_some() {
            continue;
        }
        let table = Table::of(program);
        table.check_env(name, &strings(service.get("environment")));
        table.check_flags(name, &list(service.get("command")));
        let env = compose.env(name);
        let kept = env.get("SLUICE_HOME").or_else(|| env.get("SLUICE_STATE_DIR")).unwrap();
        assert!(compose.mounts(name).contains_key(kept), "{name}: {kept} is on no volume");
        let drain = env.get("SLUICE_DRAIN_TIMEOUT_MS").cloned();
        let drain = drain.unwrap_or_else(|| table.0["drain-timeout-ms"].default.clone().unwrap());
        let grace = service["stop_grace_period"].as_str().unwrap().trim_end_matches('s');
        let grace_ms = grace.parse::<u64>().unwrap() * 1000;
        assert!(drain.parse::<u64>().unwrap() < grace_ms, "{name}: killed before it has drained");
        checked += 1;
    }
    assert_eq!(checked, 1 + PROXIES.len());
}

#[test]
fn published_ports_lead_to_what_listens() {
    let compose = Compose::read();
    let balancer = Haproxy::read();
    for (name, service) in &compose.services {
        for port in list(service.get("ports")) {
            let (address, inside) = port.rsplit_once(':').unwrap();
            assert!(address.starts_with("127.0.0.1:"), "{name}: {port} is open to the world");
            let inside: u16 = inside.parse().unwrap();
            let listens = match name.as_str() {
                "balancer" => balancer.binds.clone(),
                // Prometheus's own default.
                "prometheus" => [9090].into(),
                ours => compose.addresses(ours).into_values().map(|it| it.port()).collect(),
            };
            assert!(listens.contains(&inside), "{name}: nothing listens on {inside}");
        }
    }
}

#[test]
fn services_volumes_and_files_that_are_named_exist() {
    let compose = Compose::read();
    let volumes: BTreeSet<_> = strings(compose.whole.get("volumes")).into_keys().collect();
    let mut used = BTreeSet::new();
    for (name, service) in &compose.services {
        let needed = match service.get("depends_on") {
            Some(Value::Sequence(_)) => list(service.get("depends_on")),
            other => strings(other).into_keys().collect(),
        };
        for other in needed {
            assert!(compose.services.contains_key(&other), "{name}: no service {other}");
        }
        for source in compose.mounts(name).into_values() {
            match source.strip_prefix("./") {
                Some(file) => {
                    assert!(root().join("compose").join(file).is_file(), "{name}: {source}");
                }
                None => {
                    assert!(volumes.contains(&source), "{name}: no volume {source}");
                    used.insert(source);
                }
            }
        }
        if let Some(build) = service.get("build") {
            assert_eq!(build["context"].as_str(), Some(".."), "{name}");
            assert!(root().join(build["dockerfile"].as_str().unwrap()).is_file(), "{name}");
        }
    }
    assert_eq!(used, volumes, "a volume that nobody uses");
}

#[test]
fn proxies_find_the_control_plane_trust_it_and_get_what_they_need() {
    let compose = Compose::read();
    let control = compose.addresses("control-plane")["control-addr"].port();
    let flags = list(compose.services["control-plane"].get("command")).join(" ");
    let names = after(&flags, "--tls-self-signed").unwrap();
    for name in PROXIES {
        let env = compose.env(name);
        assert_eq!(env["SLUICE_CONTROL_URL"], format!("https://control-plane:{control}"));
        assert!(names.split(',').any(|it| it == "control-plane"), "not in the certificate");
        for variable in ["SLUICE_CONTROL_CA", "SLUICE_NODE_TOKEN_FILE"] {
            let path = Path::new(&env[variable]);
            let folder = path.parent().unwrap().to_str().unwrap();
            let file = path.file_name().unwrap().to_str().unwrap();
            let volume = &compose.mounts(name)[folder];
            compose.check_handed_over(volume, file, Dockerfile::read("data-plane").user());
        }
    }
    let states: BTreeSet<_> =
        PROXIES.iter().map(|name| compose.mounts(name)["/var/lib/sluice"].clone()).collect();
    assert_eq!(states.len(), PROXIES.len(), "proxies share a state directory");
    let database = &strings(compose.services["control-plane"].get("environment"))["DATABASE_URL"];
    assert!(database.contains("@postgres:5432/"), "{database}");
}

#[test]
fn the_command_line_finds_the_control_plane_and_its_token() {
    let compose = Compose::read();
    let env = strings(compose.services["cli"].get("environment"));
    assert!(env.keys().all(|variable| cli_knows(variable)), "{env:?}");
    let mounts = compose.mounts("cli");
    assert_eq!(mounts[&env["SLUICE_CONFIG"]], "./cli.toml");
    let known: toml::Table = read("compose/cli.toml").parse().unwrap();
    let current = &known["contexts"][known["current"].as_str().unwrap()];
    let control = compose.addresses("control-plane")["control-addr"].port();
    assert_eq!(current["server"].as_str(), Some(&*format!("https://control-plane:{control}")));
    let user = Dockerfile::read("cli").user();
    for key in ["token_file", "ca_file"] {
        let path = Path::new(current[key].as_str().unwrap());
        let volume = &mounts[path.parent().unwrap().to_str().unwrap()];
        compose.check_handed_over(volume, path.file_name().unwrap().to_str().unwrap(), user);
    }
    // The program itself reads the file, and refuses keys that it does not know.
    let output = e2e::program::command("sluice")
        .unwrap()
        .args(["context", "list"])
        .env("SLUICE_CONFIG", root().join("compose/cli.toml"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).contains("compose"));
}

#[test]
fn the_balancer_sends_callers_to_every_proxy_that_is_ready() {
    let compose = Compose::read();
    let balancer = Haproxy::read();
    let expected: BTreeMap<_, _> = PROXIES
        .map(|name| (name.to_owned(), compose.addresses(name)["data-addr"].port()))
        .into_iter()
        .collect();
    assert_eq!(balancer.servers, expected);
    let ops = compose.addresses(PROXIES[0])["ops-addr"].port();
    assert_eq!(balancer.check_port, ops);
    assert!(is_served(&balancer.check_path), "{}", balancer.check_path);
}

#[test]
fn prometheus_reads_ports_that_exist() {
    let compose = Compose::read();
    let whole: Value = serde_norway::from_str(&read("compose/prometheus.yaml")).unwrap();
    assert!(is_served("/metrics"), "what Prometheus asks for when it is told nothing else");
    let mut seen = BTreeSet::new();
    for job in whole["scrape_configs"].as_sequence().unwrap() {
        assert!(job.get("metrics_path").is_none());
        for target in job["static_configs"]
            .as_sequence()
            .unwrap()
            .iter()
            .flat_map(|it| list(it.get("targets")))
        {
            let (name, port) = target.rsplit_once(':').unwrap();
            let port: u16 = port.parse().unwrap();
            match name {
                "balancer" => assert!(Haproxy::read().binds.contains(&port), "{target}"),
                ours => assert_eq!(compose.addresses(ours)["ops-addr"].port(), port, "{target}"),
            }
            seen.insert(name.to_owned());
        }
    }
    let all: BTreeSet<_> =
        PROXIES.iter().chain(&["control-plane", "balancer"]).map(ToString::to_string).collect();
    assert_eq!(seen, all);
}

#[test]
fn haproxy_accepts_its_configuration() {
    let places = ["/usr/sbin/haproxy", "/usr/local/sbin/haproxy", "/usr/bin/haproxy"];
    let Some(haproxy) = places.iter().find(|place| Path::new(place).is_file()) else {
        eprintln!("not checked: haproxy is not installed");
        return;
    };
    let output = Command::new(haproxy)
        .args(["-c", "-f"])
        .arg(root().join("compose/haproxy.cfg"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn no_secret_is_written_down() {
    for (_, service) in Compose::read().services {
        for (name, value) in strings(service.get("environment")) {
            let secret =
                ["PASSWORD", "TOKEN", "KEY", "DATABASE_URL"].iter().any(|it| name.contains(it));
            let fine = value.contains("${POSTGRES_PASSWORD:?") || name.ends_with("_FILE");
            assert!(!secret || fine, "{name} has a value of its own");
        }
    }
}

#[test]
fn the_guide_names_only_what_exists() {
    let guide = read("compose/README.md");
    let compose = Compose::read();
    for variable in words_with(&guide, "SLUICE_") {
        let known =
            PROGRAMS.iter().any(|(_, program)| Table::of(program).by_env(&variable).is_some());
        assert!(known || cli_knows(&variable), "{variable}");
    }
    for line in guide.lines().filter_map(|line| line.trim().strip_prefix("docker compose ")) {
        let mut words = line
            .split_whitespace()
            .skip_while(|word| *word != "run" && *word != "logs" && *word != "exec");
        words.next();
        let service = words.find(|word| !word.starts_with('-'));
        assert!(service.is_none_or(|name| compose.services.contains_key(name)), "{line}");
    }
}
