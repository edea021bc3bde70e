//! One connection to a control plane: which server, whose token, TLS, deadlines.
//!
//! Knows how to be let in, not what is asked.

use std::{net::IpAddr, path::PathBuf, time::Duration};

use anyhow::Context as _;
use domain::secret::Secret;
use proto::admin::v1::{
    account_service_client::AccountServiceClient, catalog_service_client::CatalogServiceClient,
    key_service_client::KeyServiceClient, limit_service_client::LimitServiceClient,
    model_service_client::ModelServiceClient, provider_service_client::ProviderServiceClient,
    route_service_client::RouteServiceClient, settings_service_client::SettingsServiceClient,
    system_service_client::SystemServiceClient, team_service_client::TeamServiceClient,
    usage_service_client::UsageServiceClient,
};
use tonic::{
    Request, Status,
    metadata::{Ascii, MetadataValue},
    service::{Interceptor, interceptor::InterceptedService},
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint},
};
use url::{Host, Url};

use crate::{
    contexts::{self, Contexts},
    env,
    failure::{CliError, Kind, Outcome},
};

/// Longest wait for an answer, unless a call says otherwise.
const DEADLINE: Duration = Duration::from_secs(10);
/// Longest wait for a connection.
const CONNECT: Duration = Duration::from_secs(5);
/// Largest answer: an export with 100,000 keys has some 20 MB.
const ANSWER_MAX_BYTES: usize = 256 << 20;

/// What says which server is meant, as it was given.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wanted {
    pub(crate) context: Option<String>,
    pub(crate) server: Option<String>,
    pub(crate) token_file: Option<PathBuf>,
    pub(crate) ca: Option<PathBuf>,
}

/// A server, and how to be let in.
#[derive(Debug, Clone)]
pub(crate) struct Address {
    /// The control plane's URL.
    pub(crate) server: String,
    /// The operator's token.
    pub(crate) token: Secret,
    /// The authorities that may vouch for an https server.
    pub(crate) ca: Option<PathBuf>,
}

/// A connection, and a way to every service over it.
#[derive(Clone)]
pub(crate) struct Client {
    channel: Channel,
    bearer: Bearer,
    /// The server's URL, for people.
    pub(crate) server: String,
}

/// A service's transport.
pub(crate) type Way = InterceptedService<Channel, Bearer>;

/// Adds the token, and a deadline where the call has none.
#[derive(Clone)]
pub(crate) struct Bearer(MetadataValue<Ascii>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", self.0.clone());
        if request.metadata().get("grpc-timeout").is_none() {
            request.set_timeout(DEADLINE);
        }
        Ok(request)
    }
}

impl Address {
    /// Which server is meant: a named context, else flags, else the environment, else
    /// the current context. A token is only ever sent to the server it was kept for.
    pub(crate) fn find(wanted: &Wanted) -> Outcome<Self> {
        let known = contexts::load()?;
        let place = Place::find(wanted, env::var("SLUICE_CONTROL_URL"), &known)?;
        let token = match (&wanted.token_file, env::var("SLUICE_OPERATOR_TOKEN"), place.token_file)
        {
            (Some(file), _, _) => read_token(file)?,
            (None, Some(token), _) if !place.by_name => Secret::new(token),
            (None, _, Some(file)) => read_token(&file)?,
            (None, Some(token), None) => Secret::new(token),
            (None, None, None) => {
                return Err(CliError::new(
                    Kind::Unreachable,
                    format!("there is no operator token for {}", place.server),
                )
                .hint("give --token-file FILE, or set SLUICE_OPERATOR_TOKEN"));
            }
        };
        Ok(Self { server: place.server, token, ca: wanted.ca.clone().or(place.ca_file) })
    }
}

fn read_token(file: &std::path::Path) -> Outcome<Secret> {
    let text = runtime::files::read_secret(file).map_err(|error| {
        CliError::new(Kind::Unreachable, format!("read the operator token: {error}"))
    })?;
    Ok(Secret::new(text))
}

/// Where, before any file is read.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    server: String,
    token_file: Option<PathBuf>,
    ca_file: Option<PathBuf>,
    /// Whether a context was named on the command line: it then beats the environment.
    by_name: bool,
}

impl Place {
    fn find(wanted: &Wanted, env_url: Option<String>, known: &Contexts) -> Outcome<Self> {
        let of = |it: &contexts::Server, by_name| Self {
            server: it.server.clone(),
            token_file: it.token_file.clone(),
            ca_file: it.ca_file.clone(),
            by_name,
        };
        if let Some(name) = &wanted.context {
            return Ok(of(known.named(name)?, true));
        }
        if let Some(server) = wanted.server.clone().or(env_url) {
            let same = |it: &&contexts::Server| {
                it.server.trim_end_matches('/') == server.trim_end_matches('/')
            };
            // Not a context of another server: its token is none of this one's business.
            let kept = known.current().filter(same).or_else(|| known.contexts.values().find(same));
            let kept = kept.map(|it| of(it, false));
            let (token_file, ca_file) = kept.map_or((None, None), |it| (it.token_file, it.ca_file));
            return Ok(Self { server, token_file, ca_file, by_name: false });
        }
        known.current().map(|it| of(it, false)).ok_or_else(|| {
            CliError::new(Kind::Unreachable, "no server is known").hint(
                "start one here with `sluice up`, or name one with `sluice context add NAME \
                 --server URL --token-file FILE`",
            )
        })
    }
}

impl Client {
    /// Connects to the server that is meant.
    pub(crate) async fn connect(wanted: &Wanted) -> Outcome<Self> {
        Self::open(&Address::find(wanted)?).await
    }

    /// Connects to a server.
    pub(crate) async fn open(address: &Address) -> Outcome<Self> {
        let server = &address.server;
        let endpoint = endpoint(address)?;
        let mut bearer: MetadataValue<Ascii> = format!("Bearer {}", address.token.expose())
            .parse()
            .map_err(|_| CliError::usage("the operator token is not one: it has odd characters"))?;
        bearer.set_sensitive(true);
        let channel = endpoint.connect().await;
        let channel = channel.map_err(|error| unreachable(server, &causes(&error)))?;
        Ok(Self { channel, bearer: Bearer(bearer), server: server.clone() })
    }

    fn way(&self) -> Way {
        InterceptedService::new(self.channel.clone(), self.bearer.clone())
    }

    pub(crate) fn providers(&self) -> ProviderServiceClient<Way> {
        ProviderServiceClient::new(self.way()).max_decoding_message_size(ANSWER_MAX_BYTES)
    }

    pub(crate) fn accounts(&self) -> AccountServiceClient<Way> {
        AccountServiceClient::new(self.way()).max_decoding_message_size(ANSWER_MAX_BYTES)
    }

    pub(crate) fn models(&self) -> ModelServiceClient<Way> {
        ModelServiceClient::new(self.way()).max_decoding_message_size(ANSWER_MAX_BYTES)
    }

    pub(crate) fn routes(&self) -> RouteServiceClient<Way> {
        RouteServiceClient::new(self.way()).max_decoding_message_size(ANSWER_MAX_BYTES)
    }

    pub(crate) fn teams(&self) -> TeamServiceClient<Way> {
        TeamServiceClient::new(self.way()).max_decoding_message_size(ANSWER_MAX_BYTES)
    }

    pub(crate) fn keys(&self) -> KeyServiceClient<Way> {
        KeyServiceClient::new(self.way()).max_decoding_message_size(ANSWER_MAX_BYTES)
    }

    pub(crate) fn settings(&self) -> SettingsServiceClient<Way> {
        SettingsServiceClient::new(self.way())
    }

    pub(crate) fn catalog(&self) -> CatalogServiceClient<Way> {
        CatalogServiceClient::new(self.way())
            .max_decoding_message_size(ANSWER_MAX_BYTES)
            .max_encoding_message_size(ANSWER_MAX_BYTES)
    }

    pub(crate) fn usage(&self) -> UsageServiceClient<Way> {
        UsageServiceClient::new(self.way()).max_decoding_message_size(ANSWER_MAX_BYTES)
    }

    pub(crate) fn limits(&self) -> LimitServiceClient<Way> {
        LimitServiceClient::new(self.way()).max_decoding_message_size(ANSWER_MAX_BYTES)
    }

    pub(crate) fn system(&self) -> SystemServiceClient<Way> {
        SystemServiceClient::new(self.way())
    }
}

fn unreachable(server: &str, cause: &str) -> CliError {
    let hint = match cause.contains("certificate") {
        true => "give the authority that vouches for it with --ca FILE",
        false => "is it running? `sluice up` starts one here, `sluice context list` shows others",
    };
    CliError::new(Kind::Unreachable, format!("cannot reach {server}: {cause}")).hint(hint)
}

fn endpoint(address: &Address) -> Outcome<Endpoint> {
    let server = &address.server;
    let wrong = |why: &str| CliError::usage(format!("`{server}` is not a server's URL: {why}"));
    let url = Url::parse(server).map_err(|error| wrong(&error.to_string()))?;
    let endpoint = Endpoint::from_shared(server.trim_end_matches('/').to_owned())
        .map_err(|error| wrong(&causes(&error)))?
        .connect_timeout(CONNECT);
    match url.scheme() {
        "https" => {
            let mut tls = ClientTlsConfig::new();
            match &address.ca {
                Some(path) => {
                    let pem =
                        std::fs::read(path).with_context(|| format!("read {}", path.display()))?;
                    tls = tls.ca_certificate(Certificate::from_pem(pem));
                }
                None => tls = tls.with_webpki_roots(),
            }
            let endpoint = endpoint.tls_config(tls);
            endpoint.map_err(|error| CliError::failed(format!("set up TLS: {}", causes(&error))))
        }
        "http" if is_loopback(&url) => Ok(endpoint),
        "http" => Err(wrong("beyond this machine the token would travel in clear")
            .hint("use https://, with --ca FILE if the certificate is your own")),
        _ => Err(wrong("it must start with http:// or https://")),
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(ip)) => IpAddr::V4(ip).is_loopback(),
        Some(Host::Ipv6(ip)) => IpAddr::V6(ip).is_loopback(),
        None => false,
    }
}

/// An error and what it came from, on one line, without the transport's own words.
fn causes(error: &dyn std::error::Error) -> String {
    let mut deepest = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    deepest.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Contexts {
        toml::from_str(
            "current = \"a\"\n[contexts.a]\nserver = \"http://localhost:1\"\ntoken_file = \"/a\"\n\
             [contexts.b]\nserver = \"https://b\"\ntoken_file = \"/b\"\nca_file = \"/ca\"\n",
        )
        .unwrap()
    }

    fn place(context: Option<&str>, server: Option<&str>, env: Option<&str>) -> Place {
        let wanted = Wanted {
            context: context.map(Into::into),
            server: server.map(Into::into),
            ..Wanted::default()
        };
        Place::find(&wanted, env.map(Into::into), &known()).unwrap()
    }

    #[test]
    fn a_named_context_beats_flags_environment_and_the_current_one() {
        assert_eq!(place(None, None, None).server, "http://localhost:1");
        assert_eq!(place(None, None, Some("http://e")).server, "http://e");
        assert_eq!(place(None, Some("http://f"), Some("http://e")).server, "http://f");
        assert_eq!(place(Some("b"), None, Some("http://e")).server, "https://b");
    }

    #[test]
    fn a_server_that_is_no_context_gets_no_contexts_token() {
        assert_eq!(place(None, Some("http://f"), None).token_file, None);
        let kept = place(None, Some("https://b/"), None);
        assert_eq!(kept.token_file, Some("/b".into()));
        assert_eq!(kept.ca_file, Some("/ca".into()));
    }

    #[test]
    fn plain_http_is_for_this_machine_only() {
        let check = |server: &str, fits: bool| {
            let address =
                Address { server: server.into(), token: Secret::new("t".into()), ca: None };
            assert_eq!(endpoint(&address).is_ok(), fits, "{server}");
        };
        check("http://127.0.0.1:7070", true);
        check("http://[::1]:7070", true);
        check("http://localhost:7070", true);
        check("http://192.0.2.1:7070", false);
        check("http://sluice.example", false);
        check("ftp://127.0.0.1", false);
        check("127.0.0.1:7070", false);
    }
}
