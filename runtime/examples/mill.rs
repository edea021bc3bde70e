//! The smallest program on this crate: it turns until it is asked to stop. Shows how a
//! program is put together; `tests/start_and_stop.rs` starts and stops it.

use std::{net::SocketAddr, process::ExitCode};

use runtime::{
    Failure, Process,
    settings::{Setting, Settings, Spec},
};

const SPEC: Spec = Spec {
    program: "mill",
    about: "Turns until it is asked to stop.",
    settings: &[
        Setting::new("ops-addr", "MILL_OPS_ADDR", "Address of the private port.").or("127.0.0.1:0"),
        Setting::new("wheels", "MILL_WHEELS", "How many wheels turn, 1 to 8.").or("2"),
        Setting::new("node-token", "MILL_NODE_TOKEN", "A secret, to show one.").secret(),
        Setting::new("slow", "MILL_SLOW", "Go on turning until the cut.").switch(),
        Setting::new("broken", "MILL_BROKEN", "Fail after starting.").switch(),
    ],
};

#[derive(Clone, Copy)]
struct Config {
    ops_addr: SocketAddr,
    wheels: u8,
    slow: bool,
    broken: bool,
}

fn parse(settings: &mut Settings) -> Option<Config> {
    let ops_addr = settings.require("ops-addr");
    let wheels = settings.require("wheels");
    if wheels.is_some_and(|wheels| !(1..=8).contains(&wheels)) {
        settings.problem("wheels", "must be 1 to 8");
    }
    let (slow, broken) = (settings.switch("slow"), settings.switch("broken"));
    Some(Config { ops_addr: ops_addr?, wheels: wheels?, slow, broken })
}

async fn turn(config: Config, process: Process) -> Result<(), Failure> {
    let ops = runtime::ops::serve(&process, config.ops_addr)?;
    for _ in 0..config.wheels {
        let shutdown = process.shutdown.clone();
        process.tasks.spawn("wheel", async move {
            match config.slow {
                true => shutdown.cut().await,
                false => shutdown.draining().await,
            }
        });
    }
    runtime::announce(&process, &[("ops", format!("http://{ops}"))]);
    match config.broken {
        true => Err("a wheel is broken".into()),
        false => {
            process.shutdown.draining().await;
            Ok(())
        }
    }
}

fn main() -> ExitCode {
    runtime::run(&SPEC, parse, turn)
}
