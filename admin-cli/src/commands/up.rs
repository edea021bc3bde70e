//! `sluice up`: the whole system on this machine, supervised.
//!
//! Starts programs and speaks to them over their announced addresses and the admin API;
//! it knows nothing of what they do inside.

mod banner;
mod children;
mod detach;
mod first_start;
pub(super) mod home;
mod leftover;
pub(super) mod lock;
mod programs;
mod ready;
mod sample;

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, time::Duration};

use anyhow::Context as _;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::Session;
use crate::{
    args::up::Up,
    failure::{CliError, Kind, Outcome},
    output,
};
use banner::{Banner, Ground};
use children::{Children, Order};
use home::Home;
use lock::Taken;
use programs::Programs;

pub(super) async fn run(it: &Session, args: Up) -> Outcome {
    let home = Home::choose(args.home.home.as_deref())?;
    prepare(&home.path)?;
    if args.detach && !args.detached {
        if let Some(holder) = lock::holder(&home.path)? {
            return Err(held(&home.path, &holder));
        }
        return detach::launch(it, &home.path).await;
    }
    if !args.detached {
        return supervise(it, &home, &args).await;
    }
    // Out of the terminal's session: its end and its Ctrl-C are none of ours.
    rustix::process::setsid().context("leave the terminal's session")?;
    let ended = supervise(it, &home, &args).await;
    if let Err(error) = &ended {
        detach::tell(detach::Told::failed(error))?;
    }
    ended
}

/// Runs everything until it is told to stop.
async fn supervise(it: &Session, home: &Home, args: &Up) -> Outcome {
    let mut lock = match lock::take(&home.path).await? {
        Taken::Ours(lock) => lock,
        Taken::By(holder) => return Err(held(&home.path, &holder)),
    };
    let mut signals = Signals::new()?;
    leftover::wait(&home.path).await;
    let programs = Programs::find(&home.path, args)?;
    let mut children = Children::new(&home.path, args.drain_timeout);
    let started = tokio::select! {
        started = start(home, args, &programs, &mut children) => Some(started),
        () = signals.recv() => None,
    };
    let ended = match started {
        None => Ok(()),
        Some(Err(error)) => Err(error),
        Some(Ok(banner)) => {
            lock.tell(&banner)?;
            match args.detached {
                true => detach::tell(detach::Told::Ready(banner))?,
                false => banner.print(it.output, Ground::Fore)?,
            }
            signals.recv().await;
            output::remark("sluice: stopping");
            Ok(())
        }
    };
    end(&mut children, &mut signals).await;
    leftover::forget(&home.path);
    ended
}

/// Stops everything: in good time, at a second signal without waiting for what is begun,
/// at a third at once.
async fn end(children: &mut Children, signals: &mut Signals) {
    for (how, next) in [(Order::Drain, "cutting it short"), (Order::Hurry, "killing")] {
        tokio::select! {
            () = children.stop(how) => return,
            () = signals.recv() => output::remark(&format!("sluice: asked again: {next}")),
        }
    }
    children.stop(Order::Die).await;
}

/// From nothing to ready.
async fn start(
    home: &Home,
    args: &Up,
    programs: &Programs,
    children: &mut Children,
) -> Outcome<Banner> {
    let control = children.start(programs.control_plane()).await?;
    let address = programs.address(&control)?;
    ready::answers(&control, "ops").await?;
    let client = ready::connect(&address).await?;
    let catalog = first_start::Survey::read(&client).await?;
    let demo = match catalog.wants_demo(args.demo) {
        true => Some(children.start(programs.demo(catalog.demo_port())?).await?),
        false => None,
    };
    let demo_url = demo.as_ref().map(|it| it.url("demo")).transpose()?;
    let mut proxies = Vec::new();
    for number in 1..=args.proxies {
        proxies.push(children.begin(programs.proxy(number, &address)));
    }
    let notes = catalog.complete(&client, demo_url.as_deref()).await?;
    let mut data = Vec::new();
    for proxy in proxies {
        let proxy = children.announced(proxy).await?;
        ready::answers(&proxy, "ops").await?;
        data.push(proxy.url("data")?);
    }
    ready::in_step(&client, args.proxies.into()).await?;
    let sample = sample::choose(&client, demo_url.is_some()).await?;
    let context_of = first_start::remember_server(&address, &programs.token_file);
    // Last, when nothing is likely to fail any more: a start that fails shows no key.
    let key = catalog.first_key(&client).await?;
    if key.is_some() {
        ready::in_step(&client, args.proxies.into()).await?;
    }
    Ok(Banner {
        data,
        control: address.server.clone(),
        key,
        operator_token_file: programs.token_file.clone(),
        demo: demo_url.map(|url| banner::Demo { url }),
        home: home.path.clone(),
        words: banner::Words {
            home_because: home.because.to_owned(),
            notes: notes.into_iter().chain(context_of).collect(),
            sample,
        },
    })
}

/// Makes the home folder, which the database's user has to be able to pass.
fn prepare(home: &Path) -> Outcome {
    let make = || format!("create the home folder {}", home.display());
    if !home.is_dir() {
        fs::create_dir_all(home).with_context(make)?;
        fs::set_permissions(home, fs::Permissions::from_mode(0o755)).with_context(make)?;
    }
    Ok(())
}

fn held(home: &Path, holder: &lock::Holder) -> CliError {
    let mut what = format!("Sluice already runs in {}", home.display());
    if let Some(pid) = holder.pid {
        what.push_str(&format!(": process {pid}"));
    }
    if let Some(banner) = &holder.banner {
        let places =
            format!(", callers at {}, control plane at {}", banner.data.join(" "), banner.control);
        what.push_str(&places);
    }
    let down = banner::down_line(home);
    CliError::new(Kind::Refused, what)
        .hint(format!("`{down}` stops it; another one needs another --home and other ports"))
}

/// What asks this program to stop.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Signals {
    fn new() -> Outcome<Self> {
        let watch = |kind| signal(kind).context("watch signals");
        Ok(Self {
            interrupt: watch(SignalKind::interrupt())?,
            terminate: watch(SignalKind::terminate())?,
            hangup: watch(SignalKind::hangup())?,
        })
    }

    async fn recv(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hangup.recv() => {}
        }
    }
}

/// How often something is looked at again while it is waited for.
const LOOK_AGAIN: Duration = Duration::from_millis(25);
