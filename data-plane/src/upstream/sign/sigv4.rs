//! AWS's Signature Version 4 of one request. Is told the time; sends nothing.

use super::InvalidSignature;
use domain::secret::Secret;
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use reqwest::{Request, Url};
use sha2::{Digest, Sha256};
use std::fmt::{self, Write as _};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const DATE: HeaderName = HeaderName::from_static("x-amz-date");
const TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");
/// What is signed of a request's headers, in the order of the alphabet. Others may be
/// changed on the way by a proxy of the operator's.
const SIGNED: [HeaderName; 4] = [header::CONTENT_TYPE, header::HOST, DATE, TOKEN];

/// Signs requests for one account.
pub(super) struct Signer {
    access_key: String,
    secret_key: Secret,
    session: Option<HeaderValue>,
    region: String,
    service: String,
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { region, service, .. } = self;
        f.debug_struct("Signer")
            .field("region", region)
            .field("service", service)
            .finish_non_exhaustive()
    }
}

impl Signer {
    /// Of a credential that is written `ACCESS_KEY:SECRET_KEY[:SESSION_TOKEN]`. An empty
    /// region is taken from the host of `base_url`.
    ///
    /// # Errors
    /// [`InvalidSignature`] when it is not written so, or when no region is said.
    pub(super) fn of(
        credential: &Secret,
        (region, service): (&str, &str),
        base_url: &str,
    ) -> Result<Self, InvalidSignature> {
        const FORM: InvalidSignature =
            InvalidSignature::Form("ACCESS_KEY:SECRET_KEY[:SESSION_TOKEN]");
        let mut parts = credential.expose().split(':');
        let access_key = parts.next().filter(|it| !it.is_empty()).ok_or(FORM)?;
        let secret_key = parts.next().filter(|it| !it.is_empty()).ok_or(FORM)?;
        let session = parts.next().map(|it| {
            let mut value = HeaderValue::from_str(it).map_err(|_| InvalidSignature::Credential)?;
            value.set_sensitive(true);
            Ok(value)
        });
        if parts.next().is_some() {
            return Err(FORM);
        }
        let region = if region.is_empty() { region_of(base_url) } else { Some(region.to_owned()) };
        Ok(Self {
            access_key: access_key.to_owned(),
            secret_key: Secret::new(secret_key.to_owned()),
            session: session.transpose()?,
            region: region.ok_or(InvalidSignature::NoRegion)?,
            service: service.to_owned(),
        })
    }

    /// Signs `request` as it is, at `unix_secs`: it must not be changed any more.
    ///
    /// # Errors
    /// [`InvalidSignature::Credential`] when the access key fits into no header.
    pub(super) fn sign(
        &self,
        request: &mut Request,
        unix_secs: i64,
    ) -> Result<(), InvalidSignature> {
        let time = timestamp(unix_secs);
        let body = request.body().and_then(reqwest::Body::as_bytes).unwrap_or_default();
        let hash = hex(&Sha256::digest(body));
        let url = request.url().clone();
        let method = request.method().clone();
        let headers = request.headers_mut();
        let value = |it: &str| HeaderValue::from_str(it).map_err(|_| InvalidSignature::Credential);
        headers.insert(header::HOST, value(&host_of(&url))?);
        headers.insert(DATE, value(&time)?);
        if let Some(session) = &self.session {
            headers.insert(TOKEN, session.clone());
        }
        let canonical = canonical(method.as_str(), &url, headers, &hash);
        let mut authorization = value(&self.authorization(&canonical, &time))?;
        authorization.set_sensitive(true);
        headers.insert(header::AUTHORIZATION, authorization);
        Ok(())
    }

    fn authorization(&self, canonical: &Canonical, time: &str) -> String {
        let Self { access_key, secret_key, region, service, .. } = self;
        let date = time.get(..8).unwrap_or_default();
        let scope = format!("{date}/{region}/{service}/aws4_request");
        let hash = hex(&Sha256::digest(&canonical.request));
        let to_sign = format!("{ALGORITHM}\n{time}\n{scope}\n{hash}");
        let key = signing_key(secret_key, date, region, service);
        let signature = hex(&hmac(&key, to_sign.as_bytes()));
        let headers = &canonical.signed_headers;
        format!(
            "{ALGORITHM} Credential={access_key}/{scope}, SignedHeaders={headers}, \
             Signature={signature}"
        )
    }
}

/// A request in the form in which it is signed.
struct Canonical {
    request: String,
    signed_headers: String,
}

fn canonical(method: &str, url: &Url, headers: &HeaderMap, body_hash: &str) -> Canonical {
    let mut lines = String::new();
    let mut names = Vec::with_capacity(SIGNED.len());
    let signed = SIGNED;
    for name in signed.iter().filter(|it| headers.contains_key(*it)) {
        let values = headers.get_all(name).iter().map(|it| {
            let text = String::from_utf8_lossy(it.as_bytes()).into_owned();
            text.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
        });
        let values = values.collect::<Vec<_>>().join(",");
        let _ = writeln!(lines, "{name}:{values}");
        names.push(name.as_str());
    }
    let signed_headers = names.join(";");
    let (path, query) = (canonical_path(url), canonical_query(url));
    let request = format!("{method}\n{path}\n{query}\n{lines}\n{signed_headers}\n{body_hash}");
    Canonical { request, signed_headers }
}

/// The path as it is sent, quoted once more: all services but S3 want it so.
fn canonical_path(url: &Url) -> String {
    let mut path = String::new();
    for segment in url.path().split('/').skip(1) {
        path.push('/');
        quote(segment, &mut path);
    }
    path
}

/// Names and values quoted anew, and sorted.
fn canonical_query(url: &Url) -> String {
    let mut pairs: Vec<_> = url
        .query_pairs()
        .map(|(name, value)| {
            let (mut quoted_name, mut quoted_value) = (String::new(), String::new());
            quote(&name, &mut quoted_name);
            quote(&value, &mut quoted_value);
            (quoted_name, quoted_value)
        })
        .collect();
    pairs.sort_unstable();
    let pairs: Vec<_> = pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join("&")
}

fn quote(text: &str, quoted: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            quoted.push(char::from(byte));
        } else {
            let _ = write!(quoted, "%{byte:02X}");
        }
    }
}

/// As the client will write it.
fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

/// The first label of the host that looks like a region: `us-east-1`, `us-gov-west-1`.
fn region_of(base_url: &str) -> Option<String> {
    let url = Url::parse(base_url).ok()?;
    let is_region = |label: &&str| {
        let parts: Vec<_> = label.split('-').collect();
        let Some((number, words)) = parts.split_last() else { return false };
        let is_word = |it: &&str| !it.is_empty() && it.bytes().all(|it| it.is_ascii_lowercase());
        let is_number = !number.is_empty() && number.bytes().all(|it| it.is_ascii_digit());
        2 <= words.len() && words.iter().all(is_word) && is_number
    };
    url.host_str()?.split('.').find(is_region).map(str::to_owned)
}

fn signing_key(secret: &Secret, date: &str, region: &str, service: &str) -> [u8; 32] {
    let mut first = zeroize::Zeroizing::new(b"AWS4".to_vec());
    first.extend_from_slice(secret.expose().as_bytes());
    let by_date = hmac(&first, date.as_bytes());
    let by_region = hmac(&by_date, region.as_bytes());
    let by_service = hmac(&by_region, service.as_bytes());
    hmac(&by_service, b"aws4_request")
}

fn hmac(key: &[u8], text: &[u8]) -> [u8; 32] {
    // A key of any length is fine.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return [0; 32] };
    mac.update(text);
    mac.finalize().into_bytes().into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(64), |mut text, it| {
        let _ = write!(text, "{it:02x}");
        text
    })
}

/// `20150830T123600Z`, of a time after 1970.
fn timestamp(unix_secs: i64) -> String {
    let secs = unix_secs.max(0);
    let (days, rest) = (secs / 86_400, secs % 86_400);
    // Howard Hinnant's civil_from_days: years begin in March, eras have 400 years.
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (rest / 3_600, rest % 3_600 / 60, rest % 60);
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
}

#[cfg(test)]
mod tests;
