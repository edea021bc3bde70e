//! When everything is ready: private ports answer, and every proxy runs the newest revision.

use std::time::{Duration, Instant};

use proto::admin::v1;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use url::Url;

use super::{LOOK_AGAIN, children::Started};
use crate::{
    client::{Address, Client},
    commands::{await_revision, part},
    failure::{CliError, Outcome},
    output,
};

/// Longest wait for a program that listens to be ready.
const READY: Duration = Duration::from_secs(60);
/// A longer wait than this is said.
const QUIET: Duration = Duration::from_secs(3);
/// Longest wait for one answer of a private port.
const ANSWER: Duration = Duration::from_secs(2);
/// How much of an answer is read, in bytes.
const ANSWER_MAX: u64 = 16 * 1024;

/// Waits until a program's private port says that it is ready.
pub(super) async fn answers(program: &Started, place: &str) -> Outcome {
    let url = program.url(place)?;
    let begun = Instant::now();
    let mut told = false;
    loop {
        let last = match tokio::time::timeout(ANSWER, readyz(&url)).await {
            Ok(Ok((200, _))) => return Ok(()),
            Ok(Ok((status, body))) => format!("{status}: {}", body.trim()),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer".to_owned(),
        };
        let name = &program.name;
        if READY < begun.elapsed() {
            return Err(CliError::failed(format!("{name} is not ready: {url}/readyz: {last}")));
        }
        if !told && QUIET < begun.elapsed() {
            told = true;
            output::remark(&format!("sluice: waiting for {name}: {last}"));
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// Asks `/readyz`: status and body.
async fn readyz(url: &str) -> anyhow::Result<(u16, String)> {
    let url = Url::parse(url)?;
    let addresses = url.socket_addrs(|| None)?;
    let mut stream = TcpStream::connect(addresses.as_slice()).await?;
    let host = url.host_str().unwrap_or_default();
    let request = format!("GET /readyz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(ANSWER_MAX).read_to_end(&mut answer).await?;
    parse(&String::from_utf8_lossy(&answer))
        .ok_or_else(|| anyhow::anyhow!("what answers is no HTTP server"))
}

fn parse(answer: &str) -> Option<(u16, String)> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()?;
    Some((status, body.to_owned()))
}

/// Connects to a control plane that was just started.
pub(super) async fn connect(address: &Address) -> Outcome<Client> {
    let begun = Instant::now();
    loop {
        match Client::open(address).await {
            Err(_) if begun.elapsed() < ANSWER => tokio::time::sleep(LOOK_AGAIN).await,
            ended => return ended,
        }
    }
}

/// Waits until all proxies are connected and run the newest revision.
pub(super) async fn in_step(client: &Client, proxies: usize) -> Outcome {
    let begun = Instant::now();
    loop {
        let status = client.system().get_status(v1::GetStatusRequest {}).await?.into_inner();
        let revision = part(status.control_plane)?.revision;
        let connected = status.proxies.iter().filter(|it| it.state() == v1::ProxyState::Connected);
        let connected = connected.count();
        let left = READY.saturating_sub(begun.elapsed());
        let told = match proxies <= connected {
            false => format!("{connected} of {proxies} proxies are connected"),
            true => match await_revision(client, revision, millis(left)).await? {
                (true, _) => return Ok(()),
                (false, text) => text,
            },
        };
        if left.is_zero() {
            return Err(CliError::failed(format!("the proxies are not in step: {told}")));
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

fn millis(span: Duration) -> u32 {
    u32::try_from(span.as_millis()).unwrap_or(u32::MAX).clamp(1, 60_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_a_status_and_a_body() {
        let parsed = parse("HTTP/1.1 503 Service Unavailable\r\nA: b\r\n\r\nno catalog\n");
        assert_eq!(parsed, Some((503, "no catalog\n".to_owned())));
        for bad in ["", "SSH-2.0-x\r\n\r\n", "HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\n"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
