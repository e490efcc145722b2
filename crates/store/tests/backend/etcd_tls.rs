//! An etcd that speaks TLS, with certificates of the test's own.

use std::path::{Path, PathBuf};

use lrrc_store::{Backend, Batch, EtcdBackend, EtcdConfig, EtcdTls, Expect, Write};
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};

use crate::etcd_server::{EtcdServer, Secure};

/// An authority, whose certificate lies in a file.
struct Authority {
    file: PathBuf,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn make(folder: &Path, name: &str) -> Self {
        let (mut params, key) = (CertificateParams::default(), KeyPair::generate().unwrap());
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        let file = folder.join(format!("{name}.pem"));
        std::fs::write(&file, params.self_signed(&key).unwrap().pem()).unwrap();
        Self { file, issuer: Issuer::new(params, key) }
    }

    /// The files of a certificate for 127.0.0.1 and of its key.
    fn sign(&self, folder: &Path, name: &str) -> (PathBuf, PathBuf) {
        let mut params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let files = ["crt", "key"].map(|kind| folder.join(format!("{name}.{kind}")));
        std::fs::write(&files[0], params.signed_by(&key, &self.issuer).unwrap().pem()).unwrap();
        std::fs::write(&files[1], key.serialize_pem()).unwrap();
        files.into()
    }
}

#[test]
fn a_cluster_is_reached_over_tls_and_asks_for_a_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let [ours, other] = ["ours", "other"].map(|name| Authority::make(folder, name));
    let (certificate, key) = ours.sign(folder, "server");
    let path = |path: &Path| path.display().to_string();
    let arguments = [
        "--cert-file",
        &path(&certificate),
        "--key-file",
        &path(&key),
        "--trusted-ca-file",
        &path(&ours.file),
        "--client-cert-auth",
    ]
    .map(str::to_owned);
    let tls = EtcdTls { ca: Some(ours.file.clone()), identity: Some(ours.sign(folder, "client")) };
    let secure = Secure { arguments: arguments.into(), tls: tls.clone() };
    let Some(server) = EtcdServer::start_as(secure) else { return };
    let store = server.open("tls");
    let revision = store.commit(&Batch::of([Write::put("plan", Expect::Absent, "1")])).unwrap();
    assert_eq!(store.changes(lrrc_store::Revision::START, 10).unwrap()[0].revision, revision);

    let nobody = EtcdTls { identity: None, ..tls.clone() };
    let stranger = EtcdTls { identity: Some(other.sign(folder, "stranger")), ..tls.clone() };
    let wrong_ca = EtcdTls { ca: Some(other.file.clone()), ..tls.clone() };
    let of_the_system = EtcdTls { ca: None, ..tls.clone() };
    let swapped = EtcdTls {
        identity: tls.identity.clone().map(|(certificate, key)| (key, certificate)),
        ..tls.clone()
    };
    let no_file = EtcdTls { ca: Some(folder.join("no-such-file")), ..tls.clone() };
    std::fs::write(folder.join("text"), "not PEM").unwrap();
    let no_pem = EtcdTls { ca: Some(folder.join("text")), ..tls.clone() };
    let plain = server.endpoint().replace("https", "http");
    for (endpoint, tls, says) in [
        (server.endpoint(), nobody, ""),
        (server.endpoint(), stranger, ""),
        (server.endpoint(), wrong_ca, "certificate"),
        (server.endpoint(), of_the_system, "certificate"),
        (server.endpoint(), swapped, ""),
        (server.endpoint(), no_file, "no-such-file: No such file"),
        (server.endpoint(), no_pem, "text: no certificate and no key in PEM"),
        (plain.clone(), tls, "no address begins with https://"),
        (plain, EtcdTls::default(), ""),
    ] {
        let config = EtcdConfig { tls, timeout_ms: 2_000, ..EtcdConfig::at(endpoint.clone()) };
        let error = EtcdBackend::connect(&config).unwrap_err().to_string();
        println!("{error}");
        assert!(error.contains(&endpoint) && error.contains(says), "{error}");
    }
    assert_eq!(store.list("").unwrap().entries.len(), 1);
}

#[test]
fn an_address_that_is_none_says_what_to_write() {
    for address in ["", "127.0.0.1:2379", "etcd:2379", "ftp://127.0.0.1", "http://"] {
        let error = EtcdBackend::connect(&EtcdConfig::at(address)).unwrap_err().to_string();
        assert!(error.starts_with(&format!("address {address:?}: ")), "{error}");
        assert!(error.contains("write http://HOST:2379"), "{error}");
    }
}
