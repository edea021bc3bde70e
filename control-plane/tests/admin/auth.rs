//! Who may call what: every method of the contract, and some that are not in it.

use crate::plane::Plane;
use http::Request;
use prost::Message;
use prost_types::FileDescriptorSet;
use tonic::{Code, body::Body, transport::Channel};
use tower::ServiceExt;

/// Calls a method with nothing in it; the status of its answer's head, if it has one.
async fn call(channel: &Channel, path: &str, token: Option<&str>) -> Option<Code> {
    let mut request = Request::post(format!("http://control{path}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let request = request.body(Body::empty()).unwrap();
    let answer = channel.clone().oneshot(request).await.unwrap();
    let status = answer.headers().get("grpc-status")?;
    Some(Code::from_bytes(status.as_bytes()))
}

fn methods() -> Vec<(String, String)> {
    let files = FileDescriptorSet::decode(proto::DESCRIPTORS).unwrap();
    let mut methods = Vec::new();
    for file in &files.file {
        for service in &file.service {
            for method in &service.method {
                let path = format!("/{}.{}/{}", file.package(), service.name(), method.name());
                methods.push((file.package().to_owned(), path));
            }
        }
    }
    methods
}

#[tokio::test]
async fn no_method_of_the_contract_is_open_and_each_plane_has_its_own_token() {
    let plane = Plane::start().await;
    let channel = plane.channel().await;
    let methods = methods();
    assert!(30 < methods.len(), "{methods:?}");
    for (package, path) in methods {
        let (right, wrong) = match package.as_str() {
            "sluice.admin.v1" => (&plane.operator, &plane.node),
            "sluice.sync.v1" => (&plane.node, &plane.operator),
            other => panic!("who may call {other}?"),
        };
        let unknown = Some(Code::Unauthenticated);
        assert_eq!(call(&channel, &path, None).await, unknown, "{path}");
        assert_eq!(call(&channel, &path, Some("")).await, unknown, "{path}");
        assert_eq!(call(&channel, &path, Some("slc_pat_guess")).await, unknown, "{path}");
        let other = call(&channel, &path, Some(wrong)).await;
        assert_eq!(other, Some(Code::PermissionDenied), "{path}");
        let passed = call(&channel, &path, Some(right)).await;
        assert!(passed != unknown && passed != Some(Code::PermissionDenied), "{path} {passed:?}");
    }
}

#[tokio::test]
async fn an_unknown_service_is_refused_whatever_is_shown() {
    let plane = Plane::start().await;
    let channel = plane.channel().await;
    for path in ["/sluice.admin.v2.TeamService/ListTeams", "/x.Y/Z", "/x"] {
        for token in [None, Some(plane.operator.as_str())] {
            let status = call(&channel, path, token).await;
            assert_eq!(status, Some(Code::Unimplemented), "{path}");
        }
    }
}

#[tokio::test]
async fn health_and_reflection_are_open() {
    let plane = Plane::start().await;
    let channel = plane.channel().await;
    let mut health = tonic_health::pb::health_client::HealthClient::new(channel.clone());
    for service in ["", "sluice.admin.v1.TeamService", "sluice.sync.v1.SyncService"] {
        let request = tonic_health::pb::HealthCheckRequest { service: service.to_owned() };
        let answer = health.check(request).await.unwrap().into_inner();
        assert_eq!(answer.status, 1, "{service}");
    }
    let reflected = reflect(channel).await;
    for service in ["sluice.admin.v1.TeamService", "sluice.sync.v1.SyncService"] {
        assert!(reflected.iter().any(|it| it == service), "{reflected:?}");
    }
}

async fn reflect(channel: Channel) -> Vec<String> {
    use tonic_reflection::pb::v1::{
        ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
        server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
    };
    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut client = ServerReflectionClient::new(channel);
    let requests = tokio_stream::once(request);
    let mut answers = client.server_reflection_info(requests).await.unwrap().into_inner();
    let answer = answers.message().await.unwrap().unwrap();
    let Some(MessageResponse::ListServicesResponse(list)) = answer.message_response else {
        panic!("not a list: {answer:?}");
    };
    list.service.into_iter().map(|it| it.name).collect()
}
