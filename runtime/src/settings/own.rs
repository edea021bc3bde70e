//! The settings that every program has. Knows logs and the way to the end, nothing else.

use std::{io::IsTerminal as _, time::Duration};

use super::{Setting, Settings};
use crate::logging::{Format, Logging};

pub(super) const TABLE: &[Setting] = &[
    Setting::new(
        "log-level",
        "SLUICE_LOG",
        "How much is logged: error, warn, info, debug or trace; or a whole filter such as \
         `info,hyper=debug`.",
    )
    .or("info"),
    Setting::new(
        "log-format",
        "SLUICE_LOG_FORMAT",
        "json (one object a line) or pretty; without it, pretty on a terminal and json elsewhere.",
    ),
    Setting::new(
        "drain-timeout-ms",
        "SLUICE_DRAIN_TIMEOUT_MS",
        "Milliseconds that begun work may take to finish once the program is asked to stop.",
    )
    .or("30000"),
    Setting::new(
        "announce",
        "SLUICE_ANNOUNCE",
        "Print one JSON line on stdout with the addresses, once everything listens.",
    )
    .switch(),
    Setting::new(
        "supervised",
        "SLUICE_SUPERVISED",
        "Stop, as on SIGTERM, when stdin ends; and leave Ctrl-C to the supervisor.",
    )
    .switch(),
    Setting::new("config", "", "A TOML file with `name = value` lines for any of these settings."),
];

/// What the settings of [`TABLE`] say.
#[derive(Clone, Debug)]
pub(crate) struct Own {
    pub(crate) logging: Logging,
    pub(crate) drain_timeout: Duration,
    pub(crate) announce: bool,
    pub(crate) supervised: bool,
}

impl Own {
    pub(crate) fn parse(settings: &mut Settings) -> Option<Self> {
        let filter = settings.require("log-level");
        let format = settings.get("log-format");
        let drain_timeout = settings.require("drain-timeout-ms").map(Duration::from_millis);
        let announce = settings.switch("announce");
        let supervised = settings.switch("supervised");
        let usual = match std::io::stderr().is_terminal() {
            true => Format::Pretty,
            false => Format::Json,
        };
        Some(Self {
            logging: Logging { filter: filter?, format: format.unwrap_or(usual) },
            drain_timeout: drain_timeout?,
            announce,
            supervised,
        })
    }
}
