//! Contents in an S3-compatible store: a server of the test's own on loopback, and the one that `LRRC_TEST_S3` names, such
//! as a moto or MinIO with a bucket in it: `LRRC_TEST_S3=s3://bucket/folder`, and the `AWS_*` variables.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use lrrc_coherence::{Digest, Millis};
use lrrc_store::wire::{Answer, PROTOCOL, Request};
use lrrc_store::{
    Backend, Content, ContentError, ContentRules, Home, HomeConfig, MemoryBackend, Name, RedbBackend,
    digest_of,
};
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;

const RULES: ContentRules = ContentRules { inline_bytes_max: 8, content_bytes_max: 1 << 20, grace_ms: 1000 };
const LARGE: &str = "longer than what rides along";

/// Serves the folders of `root` as buckets until the process ends.
fn serve(root: &Path) -> SocketAddr {
    let mut service = S3ServiceBuilder::new(s3s_fs::FileSystem::new(root).unwrap());
    service.set_auth(SimpleAuth::from_single("key", "secret"));
    let service = service.build();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    std::thread::spawn(move || {
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let service = service.clone();
                tokio::spawn(async move {
                    let http = Builder::new(TokioExecutor::new());
                    let _ = http.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
    });
    address
}

fn options(server: SocketAddr, secret: &str) -> Vec<(String, String)> {
    let of = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    vec![
        of("aws_endpoint", &format!("http://{server}")),
        of("aws_allow_http", "true"),
        of("aws_access_key_id", "key"),
        of("aws_secret_access_key", secret),
        of("aws_region", "us-east-1"),
    ]
}

fn open(address: &str, options: &[(String, String)]) -> Content {
    let options = options.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    Content::at(address, options, RULES).unwrap()
}

/// What every S3-compatible store must do for us.
fn hold(address: &str, options: &[(String, String)]) {
    let (backend, [one, other]) = (MemoryBackend::new(), [(); 2].map(|()| open(address, options)));
    let placed = one.put(LARGE.into(), 1).unwrap();
    assert!(!placed.is_inline);
    assert_eq!(other.get(&backend, &placed.digest).unwrap(), LARGE, "another machine reads it");
    assert_eq!(other.put(LARGE.into(), 100).unwrap().put_ms, 1, "a recent put is used again");
    one.belong_to(&backend).unwrap();
    other.belong_to(&backend).unwrap();
    let foreign = other.belong_to(&MemoryBackend::new()).unwrap_err();
    assert!(matches!(foreign, ContentError::Foreign { .. }), "{foreign}");
    let garbage = one.put("garbage that no record names".into(), 1).unwrap();
    let missing = one.get(&backend, &digest_of(b"never put"));
    assert!(matches!(missing, Err(ContentError::Missing { .. })), "{missing:?}");
    let names = |_: &str, _: &bytes::Bytes| Ok::<Vec<Digest>, std::convert::Infallible>(vec![placed.digest]);
    backend
        .commit(&lrrc_store::Batch::of([lrrc_store::Write::put("a", lrrc_store::Expect::Any, "")]))
        .unwrap();
    let swept = lrrc_store::gc::collect(&backend, &one, 5000, names).unwrap();
    assert!(swept.removed >= 1, "{swept:?}");
    assert!(matches!(one.get(&backend, &garbage.digest), Err(ContentError::Missing { .. })));
    assert_eq!(one.get(&backend, &placed.digest).unwrap(), LARGE);
}

#[test]
fn contents_lie_in_s3() {
    let root = tempfile::tempdir().unwrap();
    std::fs::create_dir(root.path().join("bucket")).unwrap();
    let server = serve(root.path());
    hold("s3://bucket/team/contents", &options(server, "secret"));
    if let Ok(address) = std::env::var("LRRC_TEST_S3") {
        let given = std::env::vars().filter(|(name, _)| name.starts_with("AWS_"));
        hold(&address, &given.map(|(name, value)| (name.to_ascii_lowercase(), value)).collect::<Vec<_>>());
    } else {
        println!("SKIPPED: no other S3-compatible store is named in LRRC_TEST_S3");
    }
}

#[test]
fn a_home_keeps_large_contents_in_s3_over_a_restart() {
    let (root, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    std::fs::create_dir(root.path().join("bucket")).unwrap();
    let options = options(serve(root.path()), "secret");
    let name: Name = "plan".parse().unwrap();
    for turn in 0..2 {
        let backend = RedbBackend::open(folder.path().join("store.redb")).unwrap();
        let content = open("s3://bucket/contents", &options);
        let mut home = Home::open(backend, content, HomeConfig::default(), Millis(turn)).unwrap();
        let agent = home.join(PROTOCOL, Millis(turn)).unwrap();
        if turn == 0 {
            let create = Request::Create { name: name.clone(), content: LARGE.into() };
            home.handle(agent, create, Millis(turn)).unwrap();
        }
        let Ok(Answer::Verified(found)) = home.handle(agent, Request::Verify, Millis(turn)) else { panic!() };
        assert_eq!((found.bytes, &found.faults[..]), (LARGE.len() as u64, &[][..]));
    }
}

#[test]
fn a_content_that_was_put_or_read_is_at_hand_and_a_verification_looks_where_it_lies() {
    let root = tempfile::tempdir().unwrap();
    std::fs::create_dir(root.path().join("bucket")).unwrap();
    let options = options(serve(root.path()), "secret");
    let content = open("s3://bucket/contents", &options);
    let mut home = Home::open(MemoryBackend::new(), content, HomeConfig::default(), Millis(0)).unwrap();
    let agent = home.join(PROTOCOL, Millis(0)).unwrap();
    let name: Name = "plan".parse().unwrap();
    let create = Request::Create { name: name.clone(), content: LARGE.into() };
    home.handle(agent, create, Millis(0)).unwrap();
    let (reader, backend) = (open("s3://bucket/contents", &options), MemoryBackend::new());
    assert_eq!(reader.get(&backend, &digest_of(LARGE.as_bytes())).unwrap(), LARGE);
    std::fs::remove_dir_all(root.path().join("bucket/contents")).unwrap();
    assert_eq!(reader.get(&backend, &digest_of(LARGE.as_bytes())).unwrap(), LARGE);
    let read = Request::Read { name, have: None, sections: vec![], parts: vec![] };
    assert!(matches!(home.handle(agent, read, Millis(0)), Ok(Answer::Read(_))));
    let Ok(Answer::Verified(found)) = home.handle(agent, Request::Verify, Millis(0)) else { panic!() };
    assert_eq!(found.faults.len(), 1, "{found:?}");
    let other = open("s3://bucket/contents", &options).get(&backend, &digest_of(LARGE.as_bytes()));
    assert!(matches!(other, Err(ContentError::Missing { .. })), "{other:?}");
}

#[test]
fn a_store_that_does_not_let_us_in_says_so() {
    let root = tempfile::tempdir().unwrap();
    std::fs::create_dir(root.path().join("bucket")).unwrap();
    let server = serve(root.path());
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    for (address, options) in [
        ("s3://bucket/contents", options(server, "wrong")),
        ("s3://no-such-bucket/contents", options(server, "secret")),
        ("s3://bucket/contents", options(free, "secret")),
    ] {
        let options = options.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let error = Content::at(address, options, RULES).unwrap_err();
        println!("{error}");
        assert!(matches!(&error, ContentError::Place { place, .. } if place == address), "{error}");
        assert!(error.to_string().contains("check the bucket"), "{error}");
    }
}

#[test]
fn a_store_that_does_not_answer_says_so_before_agents_lose_patience() {
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let options = options(silent.local_addr().unwrap(), "secret");
    let options = options.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let asked = std::time::Instant::now();
    Content::at("s3://bucket/contents", options, RULES).unwrap_err();
    let patience_ms = u128::from(lrrc_store::AgentConfig::default().patience_ms);
    assert!(asked.elapsed().as_millis() < patience_ms, "{:?}", asked.elapsed());
}
