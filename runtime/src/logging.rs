//! Logs: JSON for machines, text for a terminal; always on stderr, because stdout announces.
//!
//! Knows levels and formats, not what is logged.

use std::{io, panic, str::FromStr};

use tracing_subscriber::{
    EnvFilter, Layer as _, layer::SubscriberExt as _, util::SubscriberInitExt as _,
};

use crate::Failure;

/// Libraries that say too much at `info`.
const QUIET: &str = "tokio_postgres=warn,hyper=warn,hyper_util=warn,h2=warn,rustls=warn,\
                     reqwest=warn,tower=warn,tonic=warn";

/// How a process logs.
#[derive(Clone, Debug)]
pub(crate) struct Logging {
    pub(crate) filter: Filter,
    pub(crate) format: Format,
}

/// Which lines are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Filter(String);

/// One JSON object a line, or text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Json,
    Pretty,
}

impl FromStr for Filter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let filter = match text {
            "error" | "warn" => text.to_owned(),
            "info" | "debug" | "trace" => format!("{text},{QUIET}"),
            // What is named after the level still wins over what is quiet by itself.
            whole => match whole.split_once(',') {
                Some((level @ ("info" | "debug" | "trace"), rest)) => {
                    format!("{level},{QUIET},{rest}")
                }
                Some(_) | None => whole.to_owned(),
            },
        };
        // `EnvFilter` takes any lone word for a target, so a misspelt level would silence all.
        let known = |part: &str| part.contains('=') || Levels::has(part);
        match text.split(',').all(known) && EnvFilter::try_new(&filter).is_ok() {
            true => Ok(Self(filter)),
            false => Err("expected error, warn, info, debug, trace, or a filter such as \
                          `info,hyper=debug`"
                .to_owned()),
        }
    }
}

struct Levels;

impl Levels {
    fn has(text: &str) -> bool {
        matches!(text, "off" | "error" | "warn" | "info" | "debug" | "trace")
    }
}

impl FromStr for Format {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "json" => Ok(Self::Json),
            "pretty" => Ok(Self::Pretty),
            _ => Err("expected json or pretty"),
        }
    }
}

/// Sends every event, and every panic, to stderr from here on.
pub(crate) fn install(logging: &Logging) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(&logging.filter.0)?;
    // A log that nobody reads any more must not end the program: without this a failed
    // write is reported with `eprintln!`, which panics for the same reason.
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr).log_internal_errors(false);
    let lines = match logging.format {
        Format::Json => lines.json().flatten_event(true).with_current_span(true).boxed(),
        Format::Pretty => {
            lines.with_ansi(io::IsTerminal::is_terminal(&io::stderr())).with_target(false).boxed()
        }
    };
    tracing_subscriber::registry().with(lines.with_filter(filter)).try_init()?;
    panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let text = panic.payload_as_str().unwrap_or("without a text");
        tracing::error!(place, thread = std::thread::current().name(), "panicked: {text}");
    }));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_quietens_the_libraries_and_what_is_named_after_it_wins() {
        let info: Filter = "info".parse().unwrap();
        assert!(info.0.starts_with("info,tokio_postgres=warn"));
        assert_eq!("warn".parse(), Ok(Filter("warn".into())));
        let named: Filter = "info,hyper=debug".parse().unwrap();
        assert_eq!(named.0, format!("{},hyper=debug", info.0));
        assert_eq!("hyper=debug".parse(), Ok(Filter("hyper=debug".into())));
    }

    #[test]
    fn a_misspelt_level_is_refused_instead_of_silencing_everything() {
        for wrong in ["inof", "", "info,", "hyper=loud"] {
            assert!(wrong.parse::<Filter>().is_err(), "{wrong}");
        }
        assert!("xml".parse::<Format>().is_err());
    }
}
