//! The program itself: its first line, its secrets, its encryption and its end.

use crate::plane::Token;
use proto::admin::v1::{system_service_client::SystemServiceClient, *};
use std::{
    fs::{Permissions, read_to_string, set_permissions},
    io::{BufRead, BufReader},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};
use tonic::{
    service::interceptor::InterceptedService,
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint},
};

struct Program {
    child: Child,
    control: String,
}

impl Program {
    fn start(home: &Path, more: &[&str]) -> Self {
        let mut child = command(home, more).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready: serde_json::Value = serde_json::from_str(&line).unwrap();
        let control = ready["ready"]["control"].as_str().unwrap().to_owned();
        assert!(ready["ready"]["ops"].as_str().unwrap().starts_with("http://127.0.0.1:"));
        Self { child, control }
    }

    /// Closes its stdin, as a supervisor does that goes away, and waits.
    fn end(mut self) -> ExitStatus {
        drop(self.child.stdin.take());
        self.child.wait().unwrap()
    }
}

fn command(home: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sluice-control-plane"));
    command
        .env_clear()
        .args(["--control-addr", "127.0.0.1:0", "--ops-addr", "127.0.0.1:0"])
        .args(["--announce", "--supervised", "--home"])
        .arg(home)
        .args(more)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

async fn status(channel: Channel, home: &Path) -> ControlPlaneStatus {
    let token = read_to_string(home.join("operator.token")).unwrap();
    let channel = InterceptedService::new(channel, Token::of(token.trim()));
    let mut system = SystemServiceClient::new(channel);
    let status = system.get_status(GetStatusRequest {}).await.unwrap().into_inner();
    status.control_plane.unwrap()
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_an_empty_folder_to_a_running_installation_and_back() {
    let home = tempfile::tempdir().unwrap();
    set_permissions(home.path(), Permissions::from_mode(0o755)).unwrap();
    let first = Program::start(home.path(), &[]);
    let channel = Endpoint::from_shared(first.control.clone()).unwrap().connect().await.unwrap();
    let seen = status(channel, home.path()).await;
    assert!(seen.database_ok && seen.database == "embedded" && 0 < seen.revision);
    for file in ["operator.token", "node.token", "master.key"] {
        assert_eq!(mode(&home.path().join(file)), 0o600, "{file}");
    }
    let begun = Instant::now();
    assert!(first.end().success());
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());

    // Again, encrypted: the same secrets, the same catalog.
    let second = Program::start(home.path(), &["--tls-self-signed", "127.0.0.1"]);
    assert!(second.control.starts_with("https://"), "{}", second.control);
    let ca = read_to_string(home.path().join("tls/ca.pem")).unwrap();
    let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(ca));
    let endpoint = Endpoint::from_shared(second.control.clone()).unwrap();
    let channel = endpoint.tls_config(tls).unwrap().connect().await.unwrap();
    let again = status(channel, home.path()).await;
    assert_eq!((again.incarnation, again.revision), (seen.incarnation, seen.revision));
    assert!(second.end().success());

    // A master key that is not the database's: it says so, and does not start.
    std::fs::remove_file(home.path().join("master.key")).unwrap();
    let mut child = command(home.path(), &[]).spawn().unwrap();
    let stdin = child.stdin.take();
    let refused = child.wait_with_output().unwrap();
    drop(stdin);
    assert_eq!(refused.status.code(), Some(1));
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(told.contains("master key"), "{told}");
}

#[test]
fn wrong_settings_are_all_told_at_once_and_nothing_is_started() {
    let home = tempfile::tempdir().unwrap();
    let more = ["--control-addr", "0.0.0.0:0", "--db-pool-size", "0", "--tls-key", "k.pem"];
    let refused = command(home.path(), &more).output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    for name in ["--db-pool-size", "--tls-key"] {
        assert!(told.contains(name), "{told}");
    }
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
}
