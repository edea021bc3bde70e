//! Where settings are found: flags, environment, file, table. Knows no setting by meaning
//! but `config`, which names the file.

use std::{
    collections::hash_map::{Entry, HashMap},
    ffi::OsString,
    fs,
};

use super::{Asked, Origin, Setting, Settings, Value};
use crate::files;

impl Settings {
    /// `--name value`, `--name=value`, `--switch`; each at most once.
    pub(super) fn read_flags(&mut self, args: impl IntoIterator<Item = OsString>) {
        let mut args = args.into_iter().map(|arg| arg.into_string()).peekable();
        let mut seen = HashMap::new();
        while let Some(arg) = args.next() {
            let Ok(arg) = arg else {
                self.stray("an argument", "is not UTF-8");
                continue;
            };
            match arg.as_str() {
                "--help" | "-h" => self.asked = Some(Asked::Help),
                "--version" | "-V" => self.asked = Some(Asked::Version),
                _ => {}
            }
            if self.asked.is_some() {
                return;
            }
            let Some(flag) = arg.strip_prefix("--") else {
                self.stray(&arg, "is not a flag; settings are given as --name value");
                continue;
            };
            let (name, inline) = match flag.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (flag, None),
            };
            let setting = self.spec.find(name);
            let value = match (inline, setting) {
                (None, Some(setting)) if setting.switch => Some("true".to_owned()),
                // The value of a flag we do not know is dropped with it, unseen: it may be secret.
                (None, _) => args
                    .next_if(|next| next.as_ref().is_ok_and(|text| !text.starts_with("--")))
                    .and_then(Result::ok),
                (inline, _) => inline,
            };
            let Some(setting) = setting else {
                self.stray(&format!("--{name}"), "is not a setting");
                continue;
            };
            match seen.entry(setting.name) {
                Entry::Occupied(_) => self.problem(setting.name, "is given twice"),
                Entry::Vacant(first) => {
                    first.insert(());
                    self.take_flag(setting, value);
                }
            }
        }
    }

    fn take_flag(&mut self, setting: &'static Setting, value: Option<String>) {
        if setting.secret {
            let place = format!("--{}", setting.name);
            let text = match setting.env {
                "" => "is secret and not taken from the command line, which others can read; \
                       put it into the file of --config"
                    .to_owned(),
                env => format!(
                    "is secret and not taken from the command line, which others can read; set \
                     {env}, or put it into the file of --config"
                ),
            };
            return self.stray(&place, &text);
        }
        match value {
            Some(text) => self.keep(setting, text, Origin::Flag),
            None => self.problem(setting.name, "needs a value"),
        }
    }

    /// An empty variable counts as none: compose files and scripts pass those on.
    pub(super) fn read_environment(&mut self, env: impl Fn(&str) -> Option<OsString>) {
        for setting in self.spec.all().filter(|setting| !setting.env.is_empty()) {
            match env(setting.env).map(OsString::into_string) {
                None => {}
                Some(Ok(text)) if text.is_empty() => {}
                Some(Ok(text)) => self.keep(setting, text, Origin::Environment),
                Some(Err(_)) => self.stray(setting.env, "is not UTF-8"),
            }
        }
    }

    pub(super) fn read_file(&mut self) {
        let Some(path) = self.values.get("config").map(|value| value.text.clone()) else {
            return;
        };
        let read = match fs::File::open(&path) {
            Ok(file) => file,
            Err(error) => return self.problem("config", format!("`{path}`: {error}")),
        };
        let table: toml::Table = match std::io::read_to_string(&read) {
            Err(error) => return self.problem("config", format!("`{path}`: {error}")),
            Ok(text) => match text.parse() {
                Ok(table) => table,
                // Its message quotes the line, which may hold a secret.
                Err(error) => {
                    let line = line_of(&text, &error);
                    let message = toml::de::Error::message(&error);
                    return self.problem("config", format!("`{path}`, line {line}: {message}"));
                }
            },
        };
        for (name, value) in table {
            let place = format!("{name} in {path}");
            let Some(setting) = self.spec.find(&name).filter(|found| found.name != "config") else {
                self.stray(&place, "is not a setting");
                continue;
            };
            if setting.secret
                && let Err(error) = files::check_private(&read)
            {
                self.stray(&place, &format!("is secret, but {error}"));
            }
            match plain(value) {
                Some(text) => self.keep(setting, text, Origin::File),
                None => self.stray(&place, "must be text, a number, a truth value, or a list"),
            }
        }
    }

    pub(super) fn read_defaults(&mut self) {
        for setting in self.spec.all() {
            if let Some(default) = setting.default {
                self.keep(setting, default.to_owned(), Origin::Default);
            }
        }
    }

    /// The first that is kept wins: sources are read in the order of their rank.
    fn keep(&mut self, setting: &'static Setting, text: String, origin: Origin) {
        self.values.entry(setting.name).or_insert(Value { text, origin });
    }

    /// A problem with something that is no setting of ours.
    fn stray(&mut self, place: &str, text: &str) {
        self.problems.0.push(super::Problem { place: place.to_owned(), text: text.to_owned() });
    }
}

fn line_of(text: &str, error: &toml::de::Error) -> usize {
    let start = error.span().map_or(0, |span| span.start);
    1 + text.bytes().take(start).filter(|byte| *byte == b'\n').count()
}

/// A TOML value as one writes it in a flag; a list is joined with commas.
fn plain(value: toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Float(number) => Some(number.to_string()),
        toml::Value::Boolean(truth) => Some(truth.to_string()),
        toml::Value::Array(items) => {
            let items: Option<Vec<_>> = items.into_iter().map(plain).collect();
            items.map(|items| items.join(","))
        }
        toml::Value::Datetime(_) | toml::Value::Table(_) => None,
    }
}
