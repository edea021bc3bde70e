//! Typed settings from flags, environment and a file; reports all that is wrong at once.
//!
//! Knows how settings are written down, not what any of them means.

mod help;
mod own;
mod source;

use std::{collections::BTreeMap, ffi::OsString, fmt, str::FromStr};

pub(crate) use own::Own;

/// The version of every program of this workspace.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A program and the table of its settings.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// The program's name, as in its `--help`.
    pub program: &'static str,
    /// What the program does, in a sentence.
    pub about: &'static str,
    /// Its settings, without those that every program has.
    pub settings: &'static [Setting],
}

impl Spec {
    /// Its settings, then those that every program has.
    pub fn all(&self) -> impl Iterator<Item = &'static Setting> + use<> {
        self.settings.iter().chain(own::TABLE)
    }

    fn find(&self, name: &str) -> Option<&'static Setting> {
        self.all().find(|setting| setting.name == name)
    }
}

/// One row of the table: where a setting may come from.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// The name, `kebab-case`: `--name` as a flag, `name = …` in the file.
    pub name: &'static str,
    /// The environment variable; empty when there is none.
    pub env: &'static str,
    /// What holds when it is given nowhere.
    pub default: Option<&'static str>,
    /// Whether it is on or off, and the flag takes no value.
    pub switch: bool,
    /// Whether it must never be a flag (other users can read those) nor be printed.
    pub secret: bool,
    /// What it is, with its unit.
    pub help: &'static str,
}

impl Setting {
    /// A setting without a default.
    #[must_use]
    pub const fn new(name: &'static str, env: &'static str, help: &'static str) -> Self {
        Self { name, env, default: None, switch: false, secret: false, help }
    }

    /// The same with a default.
    #[must_use]
    pub const fn or(self, default: &'static str) -> Self {
        Self { default: Some(default), ..self }
    }

    /// The same as a switch.
    #[must_use]
    pub const fn switch(self) -> Self {
        Self { switch: true, ..self }
    }

    /// The same as a secret.
    #[must_use]
    pub const fn secret(self) -> Self {
        Self { secret: true, ..self }
    }
}

/// Where a value was found, for the text of a problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The command line.
    Flag,
    /// The environment.
    Environment,
    /// The file given by `--config`.
    File,
    /// The table.
    Default,
}

#[derive(Clone, Debug)]
struct Value {
    text: String,
    origin: Origin,
}

/// The settings a program was given, and what is wrong with them.
#[derive(Clone, Debug)]
pub struct Settings {
    spec: Spec,
    values: BTreeMap<&'static str, Value>,
    problems: Problems,
    asked: Option<Asked>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Help,
    Version,
}

impl Settings {
    /// Gathers every setting of `spec` from the flags in `args`, the environment
    /// as told by `env`, the file given by `--config`, and the defaults; the
    /// first of these that has it wins. What is wrong is kept as problems.
    pub fn read(
        spec: &Spec,
        args: impl IntoIterator<Item = OsString>,
        env: impl Fn(&str) -> Option<OsString>,
    ) -> Self {
        let mut settings = Self {
            spec: *spec,
            values: BTreeMap::new(),
            problems: Problems::default(),
            asked: None,
        };
        settings.read_flags(args);
        if settings.asked.is_none() {
            settings.read_environment(env);
            settings.read_file();
            settings.read_defaults();
        }
        settings
    }

    /// The value of `name`, or `None` when it was given nowhere or does not parse;
    /// the latter is recorded as a problem.
    pub fn get<T>(&mut self, name: &'static str) -> Option<T>
    where
        T: FromStr<Err: fmt::Display>,
    {
        let setting = self.declared(name)?;
        let value = self.values.get(name)?;
        match value.text.parse() {
            Ok(parsed) => Some(parsed),
            Err(error) => {
                let text = match setting.secret {
                    true => error.to_string(),
                    false => format!("`{}`: {error}", value.text),
                };
                self.problem(name, text);
                None
            }
        }
    }

    /// As [`get`](Self::get), and that it was given nowhere is a problem too.
    pub fn require<T>(&mut self, name: &'static str) -> Option<T>
    where
        T: FromStr<Err: fmt::Display>,
    {
        if self.declared(name).is_some() && !self.values.contains_key(name) {
            self.problem(name, "is required");
        }
        self.get(name)
    }

    /// Whether the switch `name` is on.
    pub fn switch(&mut self, name: &'static str) -> bool {
        let text = match self.declared(name) {
            Some(_) => self.values.get(name).map_or("false", |value| value.text.as_str()),
            None => "false",
        };
        match text {
            "1" | "true" | "yes" | "on" => true,
            "0" | "false" | "no" | "off" => false,
            other => {
                let text = format!("`{other}` is neither true nor false");
                self.problem(name, text);
                false
            }
        }
    }

    /// Where the value of `name` comes from; `None` when it has none.
    #[must_use]
    pub fn origin(&self, name: &str) -> Option<Origin> {
        self.values.get(name).map(|value| value.origin)
    }

    /// Records that `name` is wrong; say why and what would be right, in a
    /// sentence that goes on from the name.
    pub fn problem(&mut self, name: &str, text: impl Into<String>) {
        let place = self.place(name);
        self.problems.0.push(Problem { place, text: text.into() });
    }

    /// What is wrong so far.
    #[must_use]
    pub fn problems(&self) -> &Problems {
        &self.problems
    }

    /// What `--help` or `--version` is answered with, when one of them was given.
    #[must_use]
    pub fn answer(&self) -> Option<String> {
        self.asked.map(|asked| match asked {
            Asked::Help => help::text(&self.spec),
            Asked::Version => format!("{} {VERSION}\n", self.spec.program),
        })
    }

    /// The row of `name`; asking for a setting that has none is our own mistake,
    /// and the program refuses to start with it.
    fn declared(&mut self, name: &'static str) -> Option<&'static Setting> {
        let found = self.spec.find(name);
        if found.is_none() {
            self.problem(name, "is not in the program's table of settings");
        }
        found
    }

    /// The setting as its giver wrote it: a flag, a variable, or a line of the file.
    fn place(&self, name: &str) -> String {
        let setting = self.spec.find(name);
        match (self.origin(name), setting) {
            (Some(Origin::Environment), Some(setting)) => setting.env.to_owned(),
            (Some(Origin::File), _) => format!("{name} in the file of --config"),
            (None, Some(setting)) if setting.secret => setting.env.to_owned(),
            _ => format!("--{name}"),
        }
    }
}

/// Everything that is wrong with the settings, in the order it was found.
#[derive(Clone, Debug, Default, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.lines())]
pub struct Problems(Vec<Problem>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Problem {
    place: String,
    text: String,
}

impl Problems {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many things are wrong.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// What a program prints that refuses to start.
    #[must_use]
    pub fn report(&self, program: &str) -> String {
        let count = match self.len() {
            1 => "1 problem".to_owned(),
            many => format!("{many} problems"),
        };
        format!(
            "{program}: {count} with the settings\n{}\n`{program} --help` lists every setting.\n",
            self.lines()
        )
    }

    fn lines(&self) -> String {
        let lines: Vec<_> =
            self.0.iter().map(|it| format!("  {}: {}", it.place, it.text)).collect();
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests;
