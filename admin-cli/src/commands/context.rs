//! `sluice context …`

use std::path::{Path, PathBuf};

use serde_json::json;

use super::Session;
use crate::{
    args::config::ContextCommand,
    contexts::{self, Server},
    failure::{CliError, Outcome},
    view::ContextView,
};

pub(super) fn run(it: &Session, command: ContextCommand) -> Outcome {
    match command {
        ContextCommand::List => list(it),
        ContextCommand::Use { name } => {
            contexts::change(|all| {
                all.named(&name)?;
                all.current = Some(name.clone());
                Ok(())
            })?;
            let text = || format!("`{name}` is the current context\n");
            it.output.either(&json!({ "current": name }), text)
        }
        ContextCommand::Add { name, current } => add(it, &name, current),
        ContextCommand::Remove { name } => {
            contexts::change(|all| {
                all.named(&name)?;
                all.contexts.remove(&name);
                all.current = all.current.take().filter(|it| *it != name);
                Ok(())
            })?;
            let text = || format!("forgot context `{name}`\n");
            it.output.either(&json!({ "removed": name }), text)
        }
    }
}

fn list(it: &Session) -> Outcome {
    let all = contexts::load()?;
    let text = |path: Option<PathBuf>| path.map(|it| it.display().to_string());
    let views = all.contexts.into_iter().map(|(name, server)| ContextView {
        current: all.current.as_deref() == Some(name.as_str()),
        name,
        server: server.server,
        token_file: text(server.token_file),
        ca_file: text(server.ca_file),
    });
    let none = "No server is known: start one with `sluice up`, or `sluice context add` one.";
    it.output.list(&views.collect::<Vec<_>>(), none)
}

fn add(it: &Session, name: &str, current: bool) -> Outcome {
    let wanted = it.global.wanted();
    let Some(server) = wanted.server else {
        return Err(CliError::usage("which server is it?").hint("give its --server URL"));
    };
    if name.parse::<domain::name::Name>().is_err() {
        return Err(CliError::usage(format!("`{name}` is not a name"))
            .hint("use lowercase letters, digits, `-`, `_` and `.`"));
    }
    url::Url::parse(&server)
        .map_err(|error| CliError::usage(format!("`{server}` is not a URL: {error}")))?;
    let (token_file, ca_file) = (absolute(wanted.token_file)?, absolute(wanted.ca)?);
    contexts::change(|all| {
        all.contexts.insert(name.to_owned(), Server { server, token_file, ca_file });
        if current || all.current().is_none() {
            all.current = Some(name.to_owned());
        }
        Ok(())
    })?;
    it.output.either(&json!({ "added": name }), || format!("added context `{name}`\n"))
}

/// A path that is the same from every folder, of a file that is there.
fn absolute(path: Option<PathBuf>) -> Outcome<Option<PathBuf>> {
    let Some(path) = path else { return Ok(None) };
    let absolute = std::path::absolute(&path).ok().filter(|it: &PathBuf| Path::exists(it));
    let none = || CliError::usage(format!("there is no file {}", path.display()));
    absolute.ok_or_else(none).map(Some)
}
