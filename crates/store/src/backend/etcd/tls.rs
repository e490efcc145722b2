//! How an `https` cluster is recognised, and shown who we are.

use std::path::{Path, PathBuf};

use etcd_client::{Certificate, Identity, TlsOptions};
use url::Url;

use super::{BackendError, unavailable};

/// Files in PEM for the addresses that begin with `https://`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EtcdTls {
    /// Certificates of the authorities that sign those of the servers; those that the system trusts, if not given.
    pub ca: Option<PathBuf>,
    /// Certificate and private key, where the cluster asks its clients for them.
    pub identity: Option<(PathBuf, PathBuf)>,
}

impl EtcdTls {
    /// What the client has to be told; `None` where every address begins with `http://`.
    pub(super) fn options(&self, endpoints: &[String]) -> Result<Option<TlsOptions>, BackendError> {
        let mut secure = Vec::new();
        for endpoint in endpoints {
            secure.push(is_secure(endpoint)?);
        }
        let place = endpoints.join(",");
        let mixed = |why: &str| Err(unavailable(&place, why.to_owned()));
        if !secure.contains(&true) {
            return if *self == Self::default() {
                Ok(None)
            } else {
                mixed(
                    "files for TLS are given, and no address begins with https://: write https://, or leave them out",
                )
            };
        }
        if secure.contains(&false) {
            return mixed("some addresses begin with http:// and some with https://: write one of the two");
        }
        let mut options = match &self.ca {
            Some(ca) => TlsOptions::new().ca_certificate(Certificate::from_pem(read(&place, ca)?)),
            None => TlsOptions::new().with_native_roots(),
        };
        if let Some((certificate, key)) = &self.identity {
            options = options.identity(Identity::from_pem(read(&place, certificate)?, read(&place, key)?));
        }
        Ok(Some(options))
    }
}

fn is_secure(endpoint: &str) -> Result<bool, BackendError> {
    let bad = |why: &str| BackendError::Address {
        address: endpoint.to_owned(),
        why: format!("{why}; write http://HOST:2379 or https://HOST:2379"),
    };
    let url = Url::parse(endpoint).map_err(|error| bad(&error.to_string()))?;
    match url.scheme() {
        "http" => Ok(false),
        "https" => Ok(true),
        _ => Err(bad("it begins neither with http:// nor with https://")),
    }
}

/// The file, if it holds something in PEM: anything else would only show as a failed handshake.
fn read(place: &str, file: &Path) -> Result<Vec<u8>, BackendError> {
    let fault = |why: String| unavailable(place, format!("{}: {why}", file.display()));
    let pem = std::fs::read(file).map_err(|error| fault(error.to_string()))?;
    if pem.windows(11).any(|part| part == b"-----BEGIN ") {
        Ok(pem)
    } else {
        Err(fault("no certificate and no key in PEM, which begins with -----BEGIN".to_owned()))
    }
}
