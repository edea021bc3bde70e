//! An account as it stands in a manifest, and how it is spoken to.

use std::path::PathBuf;

use domain::catalog::ClientSettings;
use proto::admin::v1;
use serde::{Deserialize, Serialize};

use super::{dialect, is_default};
use crate::{
    manifest::{Secrets, Wrong},
    spell,
};

/// An account. Without a credential, the stored one stays.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Account {
    pub(crate) name: String,
    pub(crate) provider: String,
    /// The environment variable that holds the credential.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) credential_env: Option<String>,
    /// The file that holds the credential.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) credential_file: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) base_urls: Vec<BaseUrl>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) disabled: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) client: Client,
    /// The environment variable that holds the proxy's URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) proxy_env: Option<String>,
    /// The file that holds the proxy's URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) proxy_file: Option<PathBuf>,
}

/// An account's own address.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BaseUrl {
    pub(crate) dialect: String,
    pub(crate) url: String,
}

/// How an account is spoken to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Client {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) connect_timeout_ms: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) first_byte_timeout_ms: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) idle_timeout_ms: Option<u32>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) extra_headers: Vec<Header>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) keep_stream_options: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) keep_output_open: bool,
}

/// A header sent with every request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Header {
    pub(crate) name: String,
    pub(crate) value: String,
}

impl From<&v1::ClientSettings> for Client {
    fn from(wire: &v1::ClientSettings) -> Self {
        let usual = ClientSettings::default();
        let unusual = |ms: u32, usual: u32| Some(ms).filter(|it| *it != usual && *it != 0);
        let header = |it: &v1::Header| Header { name: it.name.clone(), value: it.value.clone() };
        Self {
            connect_timeout_ms: unusual(wire.connect_timeout_ms, usual.connect_timeout_ms),
            first_byte_timeout_ms: unusual(wire.first_byte_timeout_ms, usual.first_byte_timeout_ms),
            idle_timeout_ms: unusual(wire.idle_timeout_ms, usual.idle_timeout_ms),
            extra_headers: wire.extra_headers.iter().map(header).collect(),
            keep_stream_options: wire.keep_stream_options,
            keep_output_open: wire.keep_output_open,
        }
    }
}

impl From<&v1::Account> for Account {
    fn from(wire: &v1::Account) -> Self {
        let base_url = |it: &v1::BaseUrl| BaseUrl {
            dialect: spell::dialect_text(it.dialect),
            url: it.url.clone(),
        };
        Self {
            name: wire.name.clone(),
            provider: wire.provider.clone(),
            credential_env: None,
            credential_file: None,
            base_urls: wire.base_urls.iter().map(base_url).collect(),
            disabled: wire.disabled,
            client: wire.client.as_ref().map(Client::from).unwrap_or_default(),
            proxy_env: None,
            proxy_file: None,
        }
    }
}

impl Account {
    pub(in crate::manifest) fn wire(
        &self,
        wrong: &mut Wrong,
        secrets: &dyn Secrets,
    ) -> v1::Account {
        let base_urls = self.base_urls.iter().enumerate().map(|(at, it)| v1::BaseUrl {
            dialect: dialect(wrong, &format!("base_urls[{at}].dialect"), &it.dialect),
            url: it.url.clone(),
        });
        let base_urls = base_urls.collect();
        let header = |it: &Header| v1::Header { name: it.name.clone(), value: it.value.clone() };
        let client = v1::ClientSettings {
            connect_timeout_ms: self.client.connect_timeout_ms.unwrap_or(0),
            first_byte_timeout_ms: self.client.first_byte_timeout_ms.unwrap_or(0),
            idle_timeout_ms: self.client.idle_timeout_ms.unwrap_or(0),
            extra_headers: self.client.extra_headers.iter().map(header).collect(),
            keep_stream_options: self.client.keep_stream_options,
            keep_output_open: self.client.keep_output_open,
        };
        let mut secret =
            |name: &str, var: &Option<String>, file: &Option<PathBuf>| match (var, file) {
                (None, None) => String::new(),
                (Some(var), None) => wrong.note(
                    &format!("{name}_env"),
                    secrets.var(var).ok_or_else(|| format!("the variable {var} is not set")),
                ),
                (None, Some(file)) => wrong.note(&format!("{name}_file"), secrets.file(file)),
                (Some(_), Some(_)) => {
                    wrong.add(&format!("{name}_env"), format!("and `{name}_file`: keep one"));
                    String::new()
                }
            };
        v1::Account {
            credential: secret("credential", &self.credential_env, &self.credential_file),
            proxy: secret("proxy", &self.proxy_env, &self.proxy_file),
            name: self.name.clone(),
            provider: self.provider.clone(),
            base_urls,
            disabled: self.disabled,
            client: Some(client),
            ..v1::Account::default()
        }
    }
}
