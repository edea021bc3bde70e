//! The control port as browsers and strangers see it.

use crate::plane::Plane;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Sends a request as it is written, and reads until the other side hangs up.
async fn ask(plane: &Plane, head: &str, body: &[u8]) -> String {
    let mut stream = TcpStream::connect(plane.app.control_addr).await.unwrap();
    let request = format!(
        "{head}\r\nhost: control\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    stream.write_all(body).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer).to_ascii_lowercase()
}

/// An empty message, framed.
const EMPTY: &[u8] = &[0, 0, 0, 0, 0];

#[tokio::test]
async fn a_browser_speaks_grpc_web_over_http_1() {
    let plane = Plane::start().await;
    let head = |token: &str| {
        format!(
            "POST /sluice.admin.v1.TeamService/ListTeams HTTP/1.1\r\ncontent-type: application/grpc-web+proto\r\norigin: https://dashboard.example\r\nauthorization: Bearer {token}"
        )
    };
    let answer = ask(&plane, &head(&plane.operator), EMPTY).await;
    assert!(answer.starts_with("http/1.1 200"), "{answer}");
    assert!(answer.contains("grpc-status:0"), "{answer}");
    assert!(answer.contains("access-control-allow-origin: https://dashboard.example"), "{answer}");
    let refused = ask(&plane, &head("guess"), EMPTY).await;
    assert!(refused.contains("grpc-status: 16") || refused.contains("grpc-status:16"), "{refused}");
}

#[tokio::test]
async fn only_pages_of_the_named_origins_may_call() {
    let plane = Plane::start().await;
    let head = |origin: &str| {
        format!(
            "OPTIONS /sluice.admin.v1.TeamService/ListTeams HTTP/1.1\r\norigin: {origin}\r\naccess-control-request-method: POST\r\naccess-control-request-headers: authorization,content-type,x-grpc-web"
        )
    };
    let allowed = ask(&plane, &head("https://dashboard.example"), b"").await;
    assert!(allowed.starts_with("http/1.1 200"), "{allowed}");
    assert!(
        allowed.contains("access-control-allow-origin: https://dashboard.example"),
        "{allowed}"
    );
    let denied = ask(&plane, &head("https://evil.example"), b"").await;
    assert!(!denied.contains("access-control-allow-origin"), "{denied}");
}

#[tokio::test]
async fn who_is_lost_is_told_where_they_are() {
    let plane = Plane::start().await;
    let answer = ask(&plane, "GET / HTTP/1.1", b"").await;
    assert!(answer.starts_with("http/1.1 200") && answer.contains("sluice status"), "{answer}");
    let answer = ask(&plane, "GET /nothing HTTP/1.1", b"").await;
    assert!(answer.starts_with("http/1.1 404"), "{answer}");
    // Without grpc-web, a service cannot be had over HTTP/1.
    let head =
        "POST /sluice.admin.v1.TeamService/ListTeams HTTP/1.1\r\ncontent-type: application/json";
    let answer = ask(&plane, head, b"{}").await;
    assert!(answer.starts_with("http/1.1 400"), "{answer}");
}
