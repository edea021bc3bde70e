//! What is said when everything is ready: short, and the lines work when they are pasted.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{home::HOME_FLAG, sample::Sample};
use crate::{
    failure::Outcome,
    output::{self, Format, Output},
};

/// Where everything is. The key is in it only in the moment it was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Banner {
    /// Where callers are served, one URL a proxy.
    pub(crate) data: Vec<String>,
    /// The control plane's URL.
    pub(crate) control: String,
    /// The first key's text.
    pub(crate) key: Option<String>,
    /// The file that holds the operator's token.
    pub(crate) operator_token_file: PathBuf,
    /// The demo provider, if it runs.
    pub(crate) demo: Option<Demo>,
    /// Where everything is kept.
    pub(crate) home: PathBuf,
    /// What only people are told.
    pub(super) words: Words,
}

/// The demo provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Demo {
    pub(crate) url: String,
}

/// What only people are told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Words {
    pub(super) home_because: String,
    pub(super) notes: Vec<String>,
    pub(super) sample: Sample,
}

/// What scripts are told, in this order.
#[derive(Debug, Serialize)]
struct Places<'a> {
    data: &'a [String],
    control: &'a str,
    key: Option<&'a str>,
    operator_token_file: &'a Path,
    demo: Option<&'a Demo>,
    home: &'a Path,
}

/// Who reads the banner: who started it in the foreground, or in the background.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ground {
    Fore,
    Back,
}

impl Banner {
    /// Prints it.
    pub(super) fn print(&self, output: Output, ground: Ground) -> Outcome {
        match output.format {
            Format::Table => output::print(&self.text(ground)),
            Format::Json => output::json_line(&self.value()),
            Format::Yaml => output::print(&output::yaml(&self.value())?),
        }
    }

    /// For scripts: all but the words.
    fn value(&self) -> Places<'_> {
        Places {
            data: &self.data,
            control: &self.control,
            key: self.key.as_deref(),
            operator_token_file: &self.operator_token_file,
            demo: self.demo.as_ref(),
            home: &self.home,
        }
    }

    fn text(&self, ground: Ground) -> String {
        let words = &self.words;
        let mut text = String::from("\nSluice is ready.\n\n");
        let mut line = |name: &str, value: &str| text.push_str(&format!("  {name:<14} {value}\n"));
        line("callers", &self.data.join("  "));
        line("control plane", &self.control);
        if let Some(demo) = &self.demo {
            line("demo provider", &format!("{} (answers without a real provider)", demo.url));
        }
        line("home", &format!("{} ({})", self.home.display(), words.home_because));
        match &self.key {
            Some(key) => line("key", &format!("{key} (shown only this once)")),
            None => line("key", "as it was made; `sluice key create --name NAME` makes another"),
        }
        for note in &words.notes {
            line("note", note);
        }
        text.push('\n');
        if self.key.is_none() {
            text.push_str("With a key in SLUICE_KEY:\n\n");
        }
        let (curl, python) = (self.curl(), self.python());
        let sdk = if words.sample.anthropic { "anthropic" } else { "openai" };
        text.push_str(&format!("{curl}\n\nOr, after `pip install {sdk}`:\n\n{python}\n\n"));
        match ground {
            Ground::Fore => text.push_str("Ctrl-C stops it. "),
            Ground::Back => text.push_str(&format!("`{}` stops it. ", self.down())),
        }
        text.push_str("`sluice status` and `sluice usage` show how it is doing.\n");
        text
    }

    /// What stops this one and no other.
    fn down(&self) -> String {
        match self.words.home_because == HOME_FLAG {
            true => down_line(&self.home),
            false => "sluice down".to_owned(),
        }
    }

    fn first(&self) -> &str {
        self.data.first().map(String::as_str).unwrap_or_default()
    }

    fn curl(&self) -> String {
        let key = self.key.as_deref().unwrap_or("$SLUICE_KEY");
        let (url, Sample { anthropic, model }) = (self.first(), &self.words.sample);
        let messages = r#""messages":[{"role":"user","content":"Hello"}]"#;
        match anthropic {
            false => format!(
                "curl {url}/v1/chat/completions -H \"Authorization: Bearer {key}\" \\\n     \
                 -H 'Content-Type: application/json' \\\n     \
                 -d '{{\"model\":\"{model}\",{messages}}}'"
            ),
            true => format!(
                "curl {url}/v1/messages -H \"x-api-key: {key}\" \\\n     \
                 -H 'anthropic-version: 2023-06-01' -H 'Content-Type: application/json' \\\n     \
                 -d '{{\"model\":\"{model}\",\"max_tokens\":100,{messages}}}'"
            ),
        }
    }

    fn python(&self) -> String {
        let (import, key) = match &self.key {
            Some(key) => ("", format!("\"{key}\"")),
            None => ("import os; ", "os.environ[\"SLUICE_KEY\"]".to_owned()),
        };
        let (url, Sample { anthropic, model }) = (self.first(), &self.words.sample);
        let messages = r#"messages=[{"role": "user", "content": "Hello"}]"#;
        match anthropic {
            false => format!(
                "python3 -c '{import}from openai import OpenAI; \
                 print(OpenAI(base_url=\"{url}/v1\", api_key={key}).chat.completions.create(model=\"{model}\", {messages})\
                 .choices[0].message.content)'"
            ),
            true => format!(
                "python3 -c '{import}from anthropic import Anthropic; \
                 print(Anthropic(base_url=\"{url}\", api_key={key}).messages.create(model=\"{model}\", max_tokens=100, {messages})\
                 .content[0].text)'"
            ),
        }
    }
}

/// What stops the one in a home folder, for a shell.
pub(super) fn down_line(home: &Path) -> String {
    let home = home.display().to_string();
    let plain = |it: char| it.is_alphanumeric() || "/._-+".contains(it);
    match home.chars().all(plain) {
        true => format!("sluice down --home {home}"),
        false => format!("sluice down --home '{}'", home.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::commands::up) fn banner() -> Banner {
        Banner {
            data: vec!["http://127.0.0.1:8080".into()],
            control: "http://127.0.0.1:7070".into(),
            key: Some("slc_sk_1".into()),
            operator_token_file: "/h/operator.token".into(),
            demo: Some(Demo { url: "http://127.0.0.1:9".into() }),
            home: "/h".into(),
            words: Words {
                home_because: "--home".into(),
                notes: Vec::new(),
                sample: Sample { anthropic: false, model: "gpt-4o-mini".into() },
            },
        }
    }

    #[test]
    fn the_json_has_just_what_scripts_were_promised() {
        let value = serde_json::to_value(banner().value()).unwrap();
        assert_eq!(
            value,
            serde_json::json!({
                "data": ["http://127.0.0.1:8080"],
                "control": "http://127.0.0.1:7070",
                "key": "slc_sk_1",
                "operator_token_file": "/h/operator.token",
                "demo": {"url": "http://127.0.0.1:9"},
                "home": "/h",
            })
        );
        let later = Banner { key: None, demo: None, ..banner() };
        let later = serde_json::to_value(later.value()).unwrap();
        assert!(later["key"].is_null() && later["demo"].is_null());
    }

    #[test]
    fn the_lines_to_paste_hold_the_key_or_the_variable() {
        let first = banner().text(Ground::Fore);
        assert!(first.contains("Bearer slc_sk_1") && first.contains("api_key=\"slc_sk_1\""));
        let later = Banner { key: None, ..banner() }.text(Ground::Back);
        assert!(later.contains("Bearer $SLUICE_KEY") && later.contains("os.environ"));
        assert!(later.contains("sluice down --home /h") && !later.contains("Ctrl-C"));
    }

    #[test]
    fn the_line_that_stops_it_names_a_home_that_was_named() {
        let mut it = banner();
        it.home = "/my home".into();
        assert_eq!(it.down(), "sluice down --home '/my home'");
        it.words.home_because = "SLUICE_HOME".into();
        assert_eq!(it.down(), "sluice down");
    }

    #[test]
    fn an_anthropic_account_gets_anthropic_lines() {
        let mut banner = banner();
        banner.words.sample = Sample { anthropic: true, model: "claude-haiku-4-5".into() };
        let text = banner.text(Ground::Fore);
        assert!(text.contains("/v1/messages") && text.contains("pip install anthropic"));
    }
}
