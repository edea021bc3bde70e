//! Which programs are run, and with which flags.

use std::{
    ffi::OsString,
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use domain::secret::Secret;

use super::children::{Job, Listen, Role, Started};
use crate::{
    args::up::Up,
    client::Address,
    env,
    failure::{CliError, Kind, Outcome},
};

/// The programs, and what each of them is told.
#[derive(Debug)]
pub(super) struct Programs {
    folder: PathBuf,
    home: PathBuf,
    args: Up,
    database_url: Option<String>,
    /// The file that holds the operator's token.
    pub(super) token_file: PathBuf,
}

impl Programs {
    /// Finds the programs, beside this one unless SLUICE_BIN_DIR says where.
    pub(super) fn find(home: &Path, args: &Up) -> Outcome<Self> {
        let folder = match env::path("SLUICE_BIN_DIR") {
            Some(folder) => folder,
            None => {
                let own = std::env::current_exe().context("find this program")?;
                own.parent().map(Path::to_owned).unwrap_or_default()
            }
        };
        for name in ["sluice-control-plane", "sluice-data-plane"] {
            check(&folder, name)?;
        }
        let database_url = env::var(&args.database_url_env);
        if database_url.is_none() && args.database_url_env != "DATABASE_URL" {
            let name = &args.database_url_env;
            return Err(CliError::usage(format!("--database-url-env: {name} is not set")));
        }
        Ok(Self {
            folder,
            home: home.to_owned(),
            args: args.clone(),
            database_url,
            token_file: home.join("operator.token"),
        })
    }

    pub(super) fn control_plane(&self) -> Job {
        let addr = self.args.control_addr;
        let ops = self.args.control_ops_addr.unwrap_or_else(|| private(addr, 1));
        let mut job = self.job("control plane", Role::ControlPlane, "sluice-control-plane");
        job.args.extend(["--home".into(), self.home.clone().into_os_string()]);
        job.listens = vec![
            Listen { flag: "--control-addr", place: "control", addr },
            Listen { flag: "--ops-addr", place: "ops", addr: ops },
        ];
        if let Some(url) = &self.database_url {
            job.vars.push(("DATABASE_URL", url.into()));
        }
        job
    }

    /// Proxy `number`, counted from 1.
    pub(super) fn proxy(&self, number: u16, control: &Address) -> Job {
        let first = self.args.data_addr;
        let addr = next(first, number - 1);
        let ops = match self.args.data_ops_addr {
            Some(ops) => next(ops, number - 1),
            None => private(first, self.args.proxies + number - 1),
        };
        let mut job = self.job(&format!("proxy {number}"), Role::Proxy, "sluice-data-plane");
        let state = self.home.join(format!("proxy-{number}"));
        job.args.extend(["--control-url".into(), control.server.clone().into()]);
        job.args.extend(["--state-dir".into(), state.into_os_string()]);
        // A node token in the environment reaches both planes as it is.
        if env::var("SLUICE_NODE_TOKEN").is_none() {
            let file = self.home.join("node.token");
            job.args.extend(["--node-token-file".into(), file.into_os_string()]);
        }
        if let Some(ca) = &control.ca {
            job.args.extend(["--control-ca".into(), ca.clone().into_os_string()]);
        }
        job.listens = vec![
            Listen { flag: "--data-addr", place: "data", addr },
            Listen { flag: "--ops-addr", place: "ops", addr: ops },
        ];
        job
    }

    /// The demo provider; where any port will do, on the one it `had` if that is free.
    pub(super) fn demo(&self, had: Option<u16>) -> Outcome<Job> {
        check(&self.folder, "sluice-demo-provider")?;
        let mut job = self.job("demo provider", Role::DemoProvider, "sluice-demo-provider");
        let mut addr = self.args.demo_addr;
        if let (0, Some(port)) = (addr.port(), had)
            && TcpListener::bind((addr.ip(), port)).is_ok()
        {
            addr.set_port(port);
        }
        job.listens = vec![Listen { flag: "--listen-addr", place: "demo", addr }];
        Ok(job)
    }

    /// How the control plane that was just started is spoken to.
    pub(super) fn address(&self, control: &Started) -> Outcome<Address> {
        let token = match env::var("SLUICE_OPERATOR_TOKEN") {
            Some(token) => token,
            None => {
                runtime::files::read_secret(&self.token_file).context("read the operator token")?
            }
        };
        let ca = self.home.join("tls/ca.pem");
        let server = control.url("control")?;
        let ca = Some(ca).filter(|it| server.starts_with("https:") && it.exists());
        Ok(Address { server, token: Secret::new(token), ca })
    }

    fn job(&self, name: &str, role: Role, program: &str) -> Job {
        let mut args: Vec<OsString> = ["--announce", "--supervised"].map(Into::into).to_vec();
        let drain = self.args.drain_timeout.to_string();
        args.extend(["--drain-timeout-ms".into(), drain.into()]);
        // In the foreground the banner must not drown; what is set in the environment counts.
        if env::var("SLUICE_LOG").is_none() {
            // The log of a detached start grows for as long as it runs: not by every request.
            let level = match (self.args.verbose, self.args.detached) {
                (true, _) => "info",
                (false, true) => "info,access=warn",
                (false, false) => "warn",
            };
            args.extend(["--log-level".into(), level.into()]);
        }
        if env::var("SLUICE_LOG_FORMAT").is_none() {
            args.extend(["--log-format".into(), "pretty".into()]);
        }
        // Only the control plane opens credentials and knows the database.
        let withheld = match role {
            Role::ControlPlane => Vec::new(),
            Role::Proxy | Role::DemoProvider => {
                let own = ["SLUICE_MASTER_KEY", "SLUICE_OPERATOR_TOKEN", "DATABASE_URL"];
                own.into_iter().chain([&*self.args.database_url_env]).map(Into::into).collect()
            }
        };
        Job {
            name: name.to_owned(),
            role,
            program: self.folder.join(program),
            args,
            vars: Vec::new(),
            withheld,
            listens: Vec::new(),
        }
    }
}

fn check(folder: &Path, name: &str) -> Outcome {
    let path = folder.join(name);
    if path.is_file() {
        return Ok(());
    }
    Err(CliError::new(Kind::Failed, format!("there is no program {}", path.display()))
        .hint("build all of them (`cargo build --release --workspace`), or say in SLUICE_BIN_DIR where they are"))
}

/// The address `more` ports on; port 0 stays any free one.
fn next(addr: SocketAddr, more: u16) -> SocketAddr {
    let port = if addr.port() == 0 { 0 } else { addr.port().saturating_add(more) };
    SocketAddr::new(addr.ip(), port)
}

/// The same on loopback: private ports are for this machine.
fn private(addr: SocketAddr, more: u16) -> SocketAddr {
    let ip = if addr.ip().is_loopback() { addr.ip() } else { IpAddr::V4(Ipv4Addr::LOCALHOST) };
    SocketAddr::new(ip, next(addr, more).port())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Cli, Command};
    use clap::Parser as _;

    fn programs(line: &str) -> Programs {
        let line = ["sluice", "up"].into_iter().chain(line.split_whitespace());
        let Command::Up(args) = Cli::try_parse_from(line).unwrap().command else { panic!("up") };
        Programs {
            folder: "/bin".into(),
            home: "/home".into(),
            args,
            database_url: None,
            token_file: "/home/operator.token".into(),
        }
    }

    fn addresses(job: &Job) -> Vec<String> {
        job.listens.iter().map(|it| it.addr.to_string()).collect()
    }

    fn control() -> Address {
        let token = Secret::new("t".into());
        Address { server: "http://127.0.0.1:7070".into(), token, ca: None }
    }

    #[test]
    fn proxies_are_on_consecutive_ports_and_private_ports_follow() {
        let three = programs("--proxies 3");
        assert_eq!(addresses(&three.proxy(1, &control())), ["127.0.0.1:8080", "127.0.0.1:8083"]);
        assert_eq!(addresses(&three.proxy(3, &control())), ["127.0.0.1:8082", "127.0.0.1:8085"]);
        let one = programs("--data-addr 0.0.0.0:80");
        assert_eq!(addresses(&one.proxy(1, &control())), ["0.0.0.0:80", "127.0.0.1:81"]);
        assert_eq!(addresses(&one.control_plane()), ["127.0.0.1:7070", "127.0.0.1:7071"]);
    }

    #[test]
    fn any_free_port_stays_any_free_port() {
        let free = programs("--data-addr 127.0.0.1:0 --control-addr [::1]:0 --proxies 2");
        assert_eq!(addresses(&free.proxy(2, &control())), ["127.0.0.1:0", "127.0.0.1:0"]);
        assert_eq!(addresses(&free.control_plane()), ["[::1]:0", "[::1]:0"]);
    }

    #[test]
    fn no_secret_is_in_a_flag() {
        let mut programs = programs("");
        programs.database_url = Some("postgres://u:canary@h/d".into());
        let job = programs.control_plane();
        assert!(!format!("{:?}", job.args).contains("canary"));
        assert_eq!(job.vars.len(), 1);
        assert!(job.withheld.is_empty(), "it needs them");
    }

    #[test]
    fn only_the_control_plane_sees_the_secrets_of_the_control_plane() {
        let programs = programs("--database-url-env PROD_DB");
        let proxy = programs.proxy(1, &control());
        for name in ["SLUICE_MASTER_KEY", "SLUICE_OPERATOR_TOKEN", "DATABASE_URL", "PROD_DB"] {
            assert!(proxy.withheld.iter().any(|it| it == name), "{name}: {:?}", proxy.withheld);
        }
    }
}
