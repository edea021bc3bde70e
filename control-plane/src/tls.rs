//! Certificates of the control port: an operator's own, or a small CA made once.
//!
//! Knows PEM files. Knows nothing of what is said over the connection.

use crate::config::Tls;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};
use time::{Duration, OffsetDateTime};
use tokio_rustls::TlsAcceptor;

/// Nobody renews these by hand in time; who wants shorter ones brings a CA of their own.
const SELF_SIGNED_DAYS: i64 = 3650;

/// Why the control port cannot be encrypted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    /// A file cannot be read or written.
    #[error("cannot use {path}: {source}")]
    File {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        source: io::Error,
    },
    /// A file is not PEM, or not of the wanted kind.
    #[error("{path} is not usable: {why}")]
    Pem {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// Certificate and key do not go together, or are of a kind that is not known.
    #[error("certificate and key cannot be used: {0}")]
    Unusable(#[from] rustls::Error),
    /// A certificate cannot be made for these names.
    #[error("cannot make a certificate: {0}")]
    Make(#[from] rcgen::Error),
}

/// What encrypts the control port, if anything does.
///
/// # Errors
/// Why the certificate or its key cannot be used or made.
pub(crate) fn acceptor(tls: &Tls, home: &Path) -> Result<Option<TlsAcceptor>, TlsError> {
    let (cert, key) = match tls {
        Tls::Off => return Ok(None),
        Tls::Files { cert, key } => (cert.clone(), key.clone()),
        Tls::SelfSigned(names) => self_signed(names, &home.join("tls"))?,
    };
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain(&cert)?, private_key(&key)?)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Some(TlsAcceptor::from(Arc::new(config))))
}

fn chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let bad = |why: String| TlsError::Pem { path: path.to_owned(), why };
    let certs: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(path).map_err(|error| bad(error.to_string()))?.collect();
    let certs = certs.map_err(|error| bad(error.to_string()))?;
    if certs.is_empty() { Err(bad("it holds no certificate".to_owned())) } else { Ok(certs) }
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_file(path)
        .map_err(|error| TlsError::Pem { path: path.to_owned(), why: error.to_string() })
}

/// Makes `ca.pem`, `cert.pem` and `key.pem` unless they are there. The CA's key is
/// thrown away: nothing else can ever be signed with it.
fn self_signed(names: &[String], folder: &Path) -> Result<(PathBuf, PathBuf), TlsError> {
    let (ca, cert, key) = (folder.join("ca.pem"), folder.join("cert.pem"), folder.join("key.pem"));
    if ca.exists() && cert.exists() && key.exists() {
        return Ok((cert, key));
    }
    let made = make(names)?;
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| TlsError::File { path, source }
    };
    fs::create_dir_all(folder).map_err(failed(folder))?;
    // The certificate last: it is only looked for together with what came before.
    for (path, text, mode) in
        [(&key, &made.key, 0o600), (&ca, &made.ca, 0o644), (&cert, &made.cert, 0o644)]
    {
        runtime::files::write_atomically(path, text.as_bytes(), mode).map_err(failed(path))?;
    }
    tracing::info!(ca = %ca.display(), ?names, "made a certificate: proxies and the CLI need the CA");
    Ok((cert, key))
}

struct Made {
    ca: String,
    cert: String,
    key: String,
}

fn make(names: &[String]) -> Result<Made, rcgen::Error> {
    let now = OffsetDateTime::now_utc();
    let (not_before, not_after) = (now - Duration::days(1), now + Duration::days(SELF_SIGNED_DAYS));

    let mut params = CertificateParams::new(Vec::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.distinguished_name.push(DnType::CommonName, "Sluice control plane CA");
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    (params.not_before, params.not_after) = (not_before, not_after);
    let ca_key = KeyPair::generate()?;
    let ca = params.self_signed(&ca_key)?;
    let issuer = Issuer::new(params, ca_key);

    let mut params = CertificateParams::new(names.to_vec())?;
    params.distinguished_name.push(DnType::CommonName, "Sluice control plane");
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    (params.not_before, params.not_after) = (not_before, not_after);
    let key = KeyPair::generate()?;
    let cert = params.signed_by(&key, &issuer)?;
    Ok(Made { ca: ca.pem(), cert: cert.pem(), key: key.serialize_pem() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_certificate_is_made_once_and_its_key_is_private() {
        let home = tempfile::tempdir().unwrap();
        let tls = Tls::SelfSigned(vec!["cp.example".into(), "127.0.0.1".into()]);
        assert!(acceptor(&tls, home.path()).unwrap().is_some());
        let read = |name: &str| fs::read_to_string(home.path().join("tls").join(name)).unwrap();
        let first = read("cert.pem");
        assert!(acceptor(&tls, home.path()).unwrap().is_some());
        assert_eq!(first, read("cert.pem"));
        let mode = fs::metadata(home.path().join("tls/key.pem")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn unusable_files_are_named() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("cert.pem");
        fs::write(&path, "no pem").unwrap();
        let tls = Tls::Files { cert: path.clone(), key: path };
        let error = acceptor(&tls, home.path()).err().unwrap().to_string();
        assert!(error.contains("cert.pem"), "{error}");
    }
}
