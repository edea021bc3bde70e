//! A scripted upstream: writes down what it gets, and answers with the bytes it is told to.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{Notify, watch},
    task::JoinSet,
};

/// One request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Got {
    /// Method and target.
    pub(crate) line: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Got {
    /// All values of a header, joined by `|`.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let values: Vec<_> =
            self.headers.iter().filter(|(it, _)| it == name).map(|(_, it)| it.as_str()).collect();
        (!values.is_empty()).then(|| values.join("|"))
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

/// What to do with a request, step by step.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    Send(Vec<u8>),
    /// Goes on when somebody says so.
    Wait(Arc<Notify>),
    /// Says nothing more until the other side hangs up.
    Stall,
    /// Ends the connection in good order.
    Close,
    /// Ends it with a reset.
    Reset,
}

pub(crate) struct Upstream {
    pub(crate) addr: SocketAddr,
    shared: Arc<Shared>,
    _tasks: JoinSet<()>,
}

struct Shared {
    got: Mutex<Vec<Got>>,
    scripts: Mutex<VecDeque<Vec<Step>>>,
    /// How many answers were hung up upon.
    hung_up: watch::Sender<usize>,
    connections: watch::Sender<usize>,
}

impl Upstream {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            got: Mutex::default(),
            scripts: Mutex::default(),
            hung_up: watch::Sender::new(0),
            connections: watch::Sender::new(0),
        });
        let mut tasks = JoinSet::new();
        let of_listener = Arc::clone(&shared);
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                of_listener.connections.send_modify(|it| *it += 1);
                connections.spawn(serve(stream, Arc::clone(&of_listener)));
            }
        });
        Self { addr, shared, _tasks: tasks }
    }

    /// The next request that nothing is planned for yet is answered like this.
    pub(crate) fn then(&self, script: Vec<Step>) -> &Self {
        self.shared.scripts.lock().unwrap().push_back(script);
        self
    }

    /// … with this JSON.
    pub(crate) fn then_json(&self, status: u16, body: &str) -> &Self {
        self.then(vec![Step::Send(json(status, body))])
    }

    /// … with these events, and the end.
    pub(crate) fn then_events(&self, events: &[&str]) -> &Self {
        let mut steps = vec![Step::Send(stream_head())];
        steps.extend(events.iter().map(|it| Step::Send(chunk(it))));
        steps.push(Step::Send(b"0\r\n\r\n".to_vec()));
        self.then(steps)
    }

    pub(crate) fn got(&self) -> Vec<Got> {
        self.shared.got.lock().unwrap().clone()
    }

    /// The one request that came.
    pub(crate) fn only(&self) -> Got {
        let got = self.got();
        assert_eq!(got.len(), 1, "{got:?}");
        got.into_iter().next().unwrap()
    }

    /// Waits until so many answers were hung up upon.
    pub(crate) async fn hung_up(&self, times: usize) {
        let mut hung_up = self.shared.hung_up.subscribe();
        let all = hung_up.wait_for(|it| times <= *it);
        tokio::time::timeout(Duration::from_secs(20), all).await.expect("cancelled").unwrap();
    }

    pub(crate) fn connections(&self) -> usize {
        *self.shared.connections.borrow()
    }
}

async fn serve(mut stream: TcpStream, shared: Arc<Shared>) {
    stream.set_nodelay(true).unwrap();
    let mut bytes = Vec::new();
    while let Some(got) = read(&mut stream, &mut bytes).await {
        shared.got.lock().unwrap().push(got);
        let script = shared.scripts.lock().unwrap().pop_front();
        let script = script.unwrap_or_else(|| vec![Step::Send(json(500, r#"{"unplanned":1}"#))]);
        for step in script {
            match step {
                Step::Send(bytes) => {
                    if stream.write_all(&bytes).await.is_err() {
                        shared.hung_up.send_modify(|it| *it += 1);
                        return;
                    }
                }
                Step::Wait(notify) => notify.notified().await,
                Step::Stall => {
                    let mut rest = [0; 64];
                    while let Ok(1..) = stream.read(&mut rest).await {}
                    shared.hung_up.send_modify(|it| *it += 1);
                    return;
                }
                Step::Close => return,
                Step::Reset => {
                    stream.set_zero_linger().unwrap();
                    return;
                }
            }
        }
    }
}

/// The next request of a connection, which always announces its length.
async fn read(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> Option<Got> {
    let head_len = loop {
        if let Some(at) = bytes.windows(4).position(|it| it == b"\r\n\r\n") {
            break at + 4;
        }
        more(stream, bytes).await?;
    };
    let head = String::from_utf8(bytes[..head_len].to_vec()).unwrap();
    let mut lines = head.trim_end().split("\r\n");
    let line = lines.next().unwrap().rsplit_once(' ').unwrap().0.to_owned();
    let headers: Vec<_> = lines
        .map(|it| it.split_once(':').unwrap())
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length: usize = length.map_or(0, |(_, it)| it.parse().unwrap());
    while bytes.len() < head_len + length {
        more(stream, bytes).await?;
    }
    let body = bytes[head_len..head_len + length].to_vec();
    bytes.drain(..head_len + length);
    Some(Got { line, headers, body })
}

async fn more(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> Option<()> {
    let len = stream.read_buf(bytes).await.ok()?;
    (0 < len).then_some(())
}

pub(crate) fn json(status: u16, body: &str) -> Vec<u8> {
    with_headers(status, &[("content-type", "application/json")], body)
}

pub(crate) fn with_headers(status: u16, headers: &[(&str, &str)], body: &str) -> Vec<u8> {
    let headers: String = headers.iter().map(|(k, v)| format!("{k}: {v}\r\n")).collect();
    let length = body.len();
    format!("HTTP/1.1 {status} Status\r\n{headers}content-length: {length}\r\n\r\n{body}").into()
}

pub(crate) fn stream_head() -> Vec<u8> {
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
        .to_vec()
}

pub(crate) fn chunk(text: &str) -> Vec<u8> {
    format!("{:x}\r\n{text}\r\n", text.len()).into()
}
