//! The control plane asks how a request was decided, and the proxy that had it says so.

use super::*;
use domain::{catalog::Edit, id::RequestId, key::Pepper};
use fake::key_with;
use proto::sync::v1::{Explain, Explained};
use sluice_data_plane::http::listener;

async fn explained(peer: &mut Peer, question: u64, request: RequestId) -> Explained {
    let request_id = request.uuid().as_bytes().to_vec();
    peer.say(Say::Explain(Explain { question, request_id })).await;
    loop {
        if let Said::Explained(it) = peer.hear().await.unwrap() {
            return it;
        }
    }
}

#[tokio::test]
async fn the_proxy_that_had_a_request_tells_how_it_was_decided_and_others_that_they_do_not_know() {
    let dir = tempfile::tempdir().unwrap();
    let mut control = Control::start().await;
    let (proxy, mut peer, mut catalog) = settled(&mut control, &dir).await;
    let text = mint(KeyKind::Caller, &[3; 32]).expose().to_owned();
    let key = key_with(Pepper::new(1, [1; 32]).fingerprint(&text));
    let limit = Limit {
        rule: Arc::new(Rule::TokensPerRequest { most: NonZeroU64::MIN }),
        ..Limit::clone(&fake::limit())
    };
    let edits = vec![key, fake::model(), Edit::PutLimit(Arc::new(limit))];
    peer.publish(delta(&mut catalog, 5, edits)).await;
    peer.applied(5).await;

    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("http://{}/v1/chat/completions", listener.local_addr().unwrap());
    let serving = listener::serve(listener, Arc::clone(&proxy.gateway), proxy.process.clone());
    proxy.process.tasks.spawn("worker", serving);
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let body = r#"{"model":"acme/big-1","messages":[{"role":"user","content":"hello"}]}"#;
    let refused = client.post(url).bearer_auth(text).body(body).send().await.unwrap();
    assert_eq!(refused.status(), 400, "{}", refused.text().await.unwrap());
    let id: RequestId = refused.headers()["x-request-id"].to_str().unwrap().parse().unwrap();

    let answer = explained(&mut peer, 7, id).await;
    let record = answer.record.unwrap();
    assert_eq!((answer.question, record.request_id), (7, id.to_string()));
    assert_eq!((record.status, record.revision), (400, 5));
    assert_eq!(record.address, "http://127.0.0.1:1");
    assert_eq!(record.proxy, ProxyId::from_uuid(Uuid::from_u128(5)).to_string());
    assert_eq!(record.limits[0].title, "everything: 1 token per request");
    assert_eq!(record.limits[0].verdict, "refused");

    let nobodys = RequestId::from_uuid(Uuid::from_u128(404));
    let answer = explained(&mut peer, 8, nobodys).await;
    assert_eq!((answer.question, answer.record), (8, None));
    // What is no id is answered all the same: somebody waits for it.
    peer.say(Say::Explain(Explain { question: 9, request_id: vec![1] })).await;
    while !matches!(peer.hear().await.unwrap(), Said::Explained(it) if it.question == 9) {}
    proxy.process.shutdown.cut_now();
    timeout(PATIENCE, proxy.running).await.unwrap().unwrap();
}
