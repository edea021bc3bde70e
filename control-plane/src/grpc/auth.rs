//! Who is calling: an operator, or a proxy.
//!
//! One gate before every service, and a path that it does not know does not pass: a
//! service that is added later is closed until it is given its token here.

use super::status;
use crate::{listener::Acquaintance, metrics};
use axum::{
    body::Body,
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use domain::secret::Secret;
use http::{HeaderMap, header::AUTHORIZATION};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use subtle::{Choice, ConstantTimeEq};
use tonic::Status;

/// What a path asks of who calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    /// An operator's token.
    Operator,
    /// The token of proxies, and of control planes among themselves.
    Proxy,
    /// Nothing: it tells nothing that is not public.
    Open,
}

/// Knows the tokens by their digests: of equal length, so that a comparison takes
/// the same time whatever is shown.
#[derive(Clone)]
pub(crate) struct Gate(Arc<Digests>);

struct Digests {
    operator: [u8; 32],
    node: [u8; 32],
}

impl Gate {
    pub(crate) fn new(operator: &Secret, node: &Secret) -> Self {
        let digests = Digests { operator: digest(operator.expose()), node: digest(node.expose()) };
        Self(Arc::new(digests))
    }

    fn check(&self, access: Access, headers: &HeaderMap) -> Result<(), Status> {
        if access == Access::Open {
            return Ok(());
        }
        let Some(token) = bearer(headers) else {
            metrics::refused("no_token");
            return Err(status::unauthenticated("show a token: `authorization: Bearer <token>`"));
        };
        let shown = digest(token);
        // Both are compared, whichever is wanted.
        let operator = shown.ct_eq(&self.0.operator);
        let node = shown.ct_eq(&self.0.node);
        let (wanted, other) = match access {
            Access::Operator => (operator, node),
            Access::Proxy | Access::Open => (node, operator),
        };
        match (passes(wanted), passes(other)) {
            (true, _) => Ok(()),
            (false, true) => {
                metrics::refused("wrong_plane");
                Err(status::forbidden(
                    "this token is for the other plane: the admin API takes operators' tokens, the sync service proxies'",
                ))
            }
            (false, false) => {
                metrics::refused("wrong_token");
                Err(status::unauthenticated("this token is not known here"))
            }
        }
    }
}

/// Lets a request pass to its service, or answers it.
pub(crate) async fn guard(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    let Some((access, label)) = access(request.uri().path()) else {
        return refused(status::unknown_path());
    };
    metrics::request(label);
    match gate.check(access, request.headers()) {
        Ok(()) => {
            let acquaintance = request.extensions().get::<Acquaintance>();
            if let Some(it) = acquaintance.filter(|_| access != Access::Open) {
                it.made();
            }
            next.run(request).await
        }
        Err(status) => refused(status),
    }
}

fn refused(status: Status) -> Response {
    status.into_http::<Body>()
}

/// What a path needs, and the service's kind for the metrics.
fn access(path: &str) -> Option<(Access, &'static str)> {
    let (service, _method) = path.strip_prefix('/')?.split_once('/')?;
    match service {
        it if it.starts_with("sluice.admin.v1.") => Some((Access::Operator, "admin")),
        "sluice.sync.v1.SyncService" => Some((Access::Proxy, "sync")),
        "sluice.sync.v1.PeerService" => Some((Access::Proxy, "peer")),
        "grpc.health.v1.Health" => Some((Access::Open, "health")),
        "grpc.reflection.v1.ServerReflection" | "grpc.reflection.v1alpha.ServerReflection" => {
            Some((Access::Open, "reflection"))
        }
        _ => None,
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

fn passes(choice: Choice) -> bool {
    choice.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tonic::Code;

    fn check(access: Access, header: Option<&str>) -> Result<(), Code> {
        let gate = Gate::new(&Secret::new("op".into()), &Secret::new("node".into()));
        let mut headers = HeaderMap::new();
        if let Some(header) = header {
            headers.insert(AUTHORIZATION, header.parse().unwrap());
        }
        gate.check(access, &headers).map_err(|it| it.code())
    }

    #[test]
    fn each_plane_has_its_token() {
        assert_eq!(check(Access::Operator, Some("Bearer op")), Ok(()));
        assert_eq!(check(Access::Proxy, Some("bearer  node")), Ok(()));
        assert_eq!(check(Access::Operator, Some("Bearer node")), Err(Code::PermissionDenied));
        assert_eq!(check(Access::Proxy, Some("Bearer op")), Err(Code::PermissionDenied));
        for header in [None, Some("Bearer "), Some("op"), Some("Basic op"), Some("Bearer opp")] {
            assert_eq!(check(Access::Operator, header), Err(Code::Unauthenticated), "{header:?}");
        }
        assert_eq!(check(Access::Open, None), Ok(()));
    }

    #[test]
    fn a_path_that_is_not_known_does_not_pass() {
        for path in ["/", "/x/y", "/sluice.adminx.v1.A/B", "/sluice.sync.v1.Other/B", ""] {
            assert_eq!(access(path), None, "{path}");
        }
        assert_eq!(access("/sluice.admin.v1.New/B").unwrap().0, Access::Operator);
    }
}
