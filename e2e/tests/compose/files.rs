//! The files of `compose/`, and the programs' tables of settings, as the test reads them.
//!
//! Knows their forms, not what they should say.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    net::SocketAddr,
    path::Path,
    process::Command,
};

use serde_norway::Value;

/// The programs that read their settings with `runtime`, by their image's Dockerfile.
pub(crate) const PROGRAMS: [(&str, &str); 2] =
    [("control-plane", "sluice-control-plane"), ("data-plane", "sluice-data-plane")];

/// A program's settings, as its `--help` lists them.
pub(crate) struct Table(pub(crate) BTreeMap<String, Setting>);

#[derive(Default)]
pub(crate) struct Setting {
    pub(crate) env: Option<String>,
    pub(crate) default: Option<String>,
    pub(crate) secret: bool,
    pub(crate) switch: bool,
}

impl Table {
    pub(crate) fn of(program: &str) -> Self {
        let output = e2e::program::command(program).unwrap().arg("--help").output().unwrap();
        assert!(output.status.success());
        let mut table = BTreeMap::new();
        let mut last = String::new();
        for line in String::from_utf8(output.stdout).unwrap().lines() {
            let fact = |name: &str| {
                let rest = line.split_once(&format!("[{name}: "))?.1;
                Some(rest.split_once(']')?.0.to_owned())
            };
            if let Some(head) = line.strip_prefix("  ").filter(|rest| !rest.starts_with(' ')) {
                let (name, rest) = head.split_once(' ').unwrap_or((head, ""));
                last = name.trim_start_matches("--").to_owned();
                let secret = rest.starts_with("(secret");
                let switch = rest.is_empty();
                table.insert(last.clone(), Setting { secret, switch, ..Setting::default() });
            } else if let Some(setting) = table.get_mut(&last) {
                setting.env = setting.env.take().or(fact("env"));
                setting.default = setting.default.take().or(fact("default"));
            }
        }
        assert!(table.contains_key("ops-addr"), "the form of --help has changed");
        Self(table)
    }

    pub(crate) fn by_env(&self, variable: &str) -> Option<(&String, &Setting)> {
        self.0.iter().find(|(_, setting)| setting.env.as_deref() == Some(variable))
    }

    pub(crate) fn check_env(&self, place: &str, env: &BTreeMap<String, String>) {
        for variable in env.keys() {
            assert!(self.by_env(variable).is_some(), "{place}: {variable} is no setting");
        }
    }

    pub(crate) fn check_flags(&self, place: &str, args: &[String]) {
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let (name, inline) =
                arg.split_once('=').map_or((arg.as_str(), false), |it| (it.0, true));
            let setting = name.strip_prefix("--").and_then(|name| self.0.get(name));
            let Some(setting) = setting else { panic!("{place}: {arg} is no setting") };
            assert!(!setting.secret, "{place}: {arg} is secret");
            if !setting.switch && !inline {
                assert!(args.next().is_some(), "{place}: {arg} has no value");
            }
        }
    }

    /// Where the program listens with this environment, by setting.
    pub(crate) fn addresses(&self, env: &BTreeMap<String, String>) -> BTreeMap<String, SocketAddr> {
        let listens = self.0.iter().filter(|(name, _)| name.ends_with("-addr"));
        let addresses = listens.map(|(name, setting)| {
            let given = setting.env.as_ref().and_then(|variable| env.get(variable));
            (name.clone(), given.or(setting.default.as_ref()).unwrap().parse().unwrap())
        });
        addresses.collect()
    }
}

pub(crate) struct Dockerfile(Vec<(String, String)>);

impl Dockerfile {
    /// Its instructions, each on one line, with single spaces.
    pub(crate) fn read(name: &str) -> Self {
        let text = read(&format!("compose/{name}.Dockerfile"));
        let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
        let joined = lines.collect::<Vec<_>>().join("\n").replace("\\\n", " ");
        let instructions = joined.lines().filter_map(|line| {
            let words: Vec<_> = line.split_whitespace().collect();
            let (first, rest) = words.split_first()?;
            Some(((*first).to_owned(), rest.join(" ")))
        });
        Self(instructions.collect())
    }

    pub(crate) fn all(&self, instruction: &str) -> Vec<String> {
        let all = self.0.iter().filter(|(name, _)| name == instruction);
        all.map(|(_, rest)| rest.clone()).collect()
    }

    pub(crate) fn copied(&self) -> BTreeSet<String> {
        let all = self.all("COPY").into_iter().filter(|rest| !rest.starts_with("--"));
        all.flat_map(|rest| {
            let words: Vec<_> = rest.split(' ').map(str::to_owned).collect();
            words[..words.len() - 1].to_vec()
        })
        .collect()
    }

    pub(crate) fn env(&self) -> BTreeMap<String, String> {
        let all = self.all("ENV").join(" ");
        let pairs = all.split(' ').filter(|pair| !pair.is_empty());
        pairs
            .map(|pair| pair.split_once('=').unwrap())
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }

    pub(crate) fn exposed(&self) -> BTreeSet<u16> {
        self.all("EXPOSE")
            .iter()
            .flat_map(|rest| rest.split(' '))
            .map(|it| it.parse().unwrap())
            .collect()
    }

    pub(crate) fn user(&self) -> u32 {
        self.all("USER").concat().split(':').next().unwrap().parse().unwrap()
    }
}

pub(crate) struct Compose {
    pub(crate) whole: Value,
    pub(crate) services: BTreeMap<String, Value>,
}

impl Compose {
    pub(crate) fn read() -> Self {
        let mut whole: Value = serde_norway::from_str(&read("compose/compose.yaml")).unwrap();
        whole.apply_merge().unwrap();
        let services = whole["services"].as_mapping().unwrap().iter();
        let services =
            services.map(|(name, service)| (name.as_str().unwrap().to_owned(), service.clone()));
        Self { services: services.collect(), whole }
    }

    /// The Dockerfile that a service of ours is built from, without its ending.
    pub(crate) fn dockerfile(&self, service: &str) -> Option<String> {
        let path = self.services[service].get("build")?["dockerfile"].as_str()?;
        Some(path.strip_prefix("compose/")?.strip_suffix(".Dockerfile")?.to_owned())
    }

    /// What a service's program finds in its environment.
    pub(crate) fn env(&self, service: &str) -> BTreeMap<String, String> {
        let mut env = Dockerfile::read(&self.dockerfile(service).unwrap()).env();
        env.extend(strings(self.services[service].get("environment")));
        env
    }

    pub(crate) fn addresses(&self, service: &str) -> BTreeMap<String, SocketAddr> {
        let file = self.dockerfile(service).unwrap_or_else(|| panic!("{service} is not ours"));
        let program = PROGRAMS.iter().find(|(image, _)| *image == file).unwrap().1;
        Table::of(program).addresses(&self.env(service))
    }

    /// What is mounted where: the place inside, and the volume or file.
    pub(crate) fn mounts(&self, service: &str) -> BTreeMap<String, String> {
        let mounts = list(self.services[service].get("volumes")).into_iter();
        mounts
            .map(|mount| {
                let parts: Vec<_> = mount.split(':').collect();
                (parts[1].to_owned(), parts[0].to_owned())
            })
            .collect()
    }

    /// The one-shot service puts `file` into `volume`, from a file that the control plane
    /// makes, and readable for `user`.
    pub(crate) fn check_handed_over(&self, volume: &str, file: &str, user: u32) {
        let mounts = self.mounts("handover");
        let place = |wanted: &str| mounts.iter().find(|(_, source)| *source == wanted).unwrap().0;
        let (from, to) = (place("control-plane"), place(volume));
        let script = list(self.services["handover"].get("command")).concat();
        let end = format!(" {to}/{file}");
        let line = script.lines().find(|line| line.ends_with(&end)).unwrap();
        assert!(line.contains(&format!(" {from}/")), "{line}");
        let readable = line.contains("-m 0644") || line.contains(&format!("-m 0600 -o {user} "));
        assert!(readable, "{line}");
        assert!(mentions("control-plane/src", &format!("\"{file}\"")), "nobody makes {file}");
    }
}

pub(crate) struct Haproxy {
    pub(crate) binds: BTreeSet<u16>,
    pub(crate) servers: BTreeMap<String, u16>,
    pub(crate) check_port: u16,
    pub(crate) check_path: String,
}

impl Haproxy {
    pub(crate) fn read() -> Self {
        let text = read("compose/haproxy.cfg");
        let lines: Vec<Vec<_>> =
            text.lines().map(|line| line.split_whitespace().collect()).collect();
        let starting =
            |word: &'static str| lines.iter().filter(move |line| line.first() == Some(&word));
        let port = |address: &str| address.rsplit_once(':').unwrap().1.parse().unwrap();
        let servers = starting("server").map(|line| {
            let host = line[2].split(':').next().unwrap();
            assert_eq!(line[1], host, "a server is named after its service");
            (host.to_owned(), port(line[2]))
        });
        Self {
            binds: starting("bind").map(|line| port(line[1])).collect(),
            servers: servers.collect(),
            check_port: after(&text, "check port").unwrap().parse().unwrap(),
            check_path: after(&text, "meth GET uri").unwrap(),
        }
    }
}

pub(crate) struct Member {
    pub(crate) folder: String,
    pub(crate) bins: BTreeSet<String>,
}

pub(crate) fn members() -> BTreeMap<String, Member> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline", "--locked"])
        .current_dir(root())
        .output()
        .unwrap();
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap().iter();
    packages
        .map(|package| {
            let manifest = Path::new(package["manifest_path"].as_str().unwrap());
            let folder = manifest.parent().unwrap().file_name().unwrap().to_str().unwrap();
            let targets = package["targets"].as_array().unwrap().iter();
            let bins = targets.filter(|it| it["kind"][0] == "bin");
            let bins = bins.map(|it| it["name"].as_str().unwrap().to_owned()).collect();
            let name = package["name"].as_str().unwrap().to_owned();
            (name, Member { folder: folder.to_owned(), bins })
        })
        .collect()
}

pub(crate) fn dockerfiles() -> Vec<String> {
    let entries = fs::read_dir(root().join("compose")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let found: Vec<_> =
        names.filter_map(|name| name.strip_suffix(".Dockerfile").map(str::to_owned)).collect();
    assert_eq!(found.len(), 3, "{found:?}");
    found
}

/// Whether the private port answers this path.
pub(crate) fn is_served(path: &str) -> bool {
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tokio.block_on(async {
        let process = runtime::Process::alone();
        let address = runtime::ops::serve(&process, ([127, 0, 0, 1], 0).into()).unwrap();
        let answer = reqwest::get(format!("http://{address}{path}")).await.unwrap();
        answer.status().is_success()
    })
}

pub(crate) fn cli_knows(variable: &str) -> bool {
    mentions("admin-cli/src", &format!("\"{variable}\""))
}

/// Whether some source file under `folder` holds `text`.
pub(crate) fn mentions(folder: &str, text: &str) -> bool {
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if fs::read_to_string(&path).unwrap().contains(text) {
                return true;
            }
        }
    }
    false
}

/// The words of `text` that begin with `start`, for as long as they are of one piece.
pub(crate) fn words_with(text: &str, start: &str) -> BTreeSet<String> {
    let words = text.split(|it: char| !it.is_ascii_alphanumeric() && it != '_');
    words.filter(|word| word.starts_with(start)).map(str::to_owned).collect()
}

/// The word after `mark`.
pub(crate) fn after(text: &str, mark: &str) -> Option<String> {
    let rest = text.split_once(mark)?.1;
    rest.split_whitespace().next().map(str::to_owned)
}

pub(crate) fn list(value: Option<&Value>) -> Vec<String> {
    let items = value.and_then(Value::as_sequence).into_iter().flatten();
    items.map(|item| item.as_str().unwrap().to_owned()).collect()
}

/// A mapping with its values as text; what is no text is empty.
pub(crate) fn strings(value: Option<&Value>) -> BTreeMap<String, String> {
    let pairs = value.and_then(Value::as_mapping).into_iter().flatten();
    pairs
        .map(|(name, value)| {
            (name.as_str().unwrap().to_owned(), value.as_str().unwrap_or_default().to_owned())
        })
        .collect()
}

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

pub(crate) fn read(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap()
}
