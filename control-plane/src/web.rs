//! The control port as HTTP: gRPC, grpc-web for browsers, and a word for who is lost.
//!
//! Knows routes and layers. Knows nothing of what the services do.

use crate::grpc::{
    auth::{Gate, guard},
    status,
};
use axum::{
    Router,
    body::Body,
    extract::Request,
    middleware::from_fn_with_state,
    response::{IntoResponse, Response},
    routing::get,
};
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use std::time::Duration;
use tonic::service::Routes;
use tonic_web::GrpcWebLayer;
use tower_http::cors::CorsLayer;

const POINTER: &str = "This is a Sluice control plane. It speaks gRPC and grpc-web, with reflection.\n\
    Try `sluice status`, or `grpcurl <this address> list`.\n";

/// How long a browser may remember what it is allowed to do.
const PREFLIGHT_AGE: Duration = Duration::from_secs(3_600);

/// Everything that the control port answers.
pub(crate) fn router(services: Routes, gate: Gate, cors_origins: &[String]) -> Router {
    // `route_layer`: only what is a service passes here. The gate lies inside of the
    // grpc-web layer, so that a browser can read its refusals.
    services
        .into_axum_router()
        .route_layer(from_fn_with_state(gate, guard))
        .route_layer(GrpcWebLayer::new())
        .route("/", get(|| async { text(StatusCode::OK, POINTER) }))
        .fallback(unknown)
        .layer(cors(cors_origins))
}

/// Web pages of these origins may call; without any, none may.
fn cors(origins: &[String]) -> CorsLayer {
    let origins: Vec<HeaderValue> = origins.iter().filter_map(|it| it.parse().ok()).collect();
    let names = |names: &[&'static str]| -> Vec<HeaderName> {
        names.iter().map(|it| HeaderName::from_static(it)).collect()
    };
    CorsLayer::new()
        .allow_origin(origins)
        .allow_methods([Method::POST])
        .allow_headers(names(&[
            "authorization",
            "content-type",
            "grpc-timeout",
            "x-grpc-web",
            "x-user-agent",
        ]))
        .expose_headers(names(&["grpc-status", "grpc-message", "grpc-status-details-bin"]))
        .max_age(PREFLIGHT_AGE)
}

async fn unknown(request: Request) -> Response {
    let kind = request.headers().get(header::CONTENT_TYPE);
    if kind.is_some_and(|it| it.as_bytes().starts_with(b"application/grpc")) {
        return status::unknown_path().into_http::<Body>();
    }
    text(StatusCode::NOT_FOUND, "nothing is here\n")
}

fn text(status: StatusCode, body: &'static str) -> Response {
    (status, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], body).into_response()
}
