//! The hub's refusals, from a server on this machine.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;

use lrrc_dataset::hub::{HubError, HubOptions, fetch};

/// Answers every request with `answer(path)` until the test ends.
fn serve(answer: impl Fn(&str) -> (u16, Vec<(&'static str, String)>, Vec<u8>) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let endpoint = format!("http://{}", listener.local_addr().expect("a bound address"));
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let _ = respond(stream, &answer);
        }
    });
    endpoint
}

fn respond(
    mut stream: TcpStream,
    answer: &impl Fn(&str) -> (u16, Vec<(&'static str, String)>, Vec<u8>),
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut request = String::new();
    reader.read_line(&mut request)?;
    let mut header = String::new();
    while reader.read_line(&mut header)? > 2 {
        header.clear();
    }
    let mut words = request.split(' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (status, headers, body) = answer(path);
    write!(stream, "HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: {}\r\n", body.len())?;
    for (name, value) in headers {
        write!(stream, "{name}: {value}\r\n")?;
    }
    stream.write_all(b"\r\n")?;
    if method != "HEAD" {
        stream.write_all(&body)?;
    }
    stream.flush()
}

fn options(endpoint: &str, cache: &Path) -> HubOptions {
    HubOptions { endpoint: Some(endpoint.to_owned()), cache: Some(cache.to_owned()), offline: false }
}

fn refused_with(status: u16) -> HubError {
    let cache = tempfile::tempdir().expect("a temporary folder");
    let endpoint = serve(move |_| (status, Vec::new(), b"{\"error\": \"no\"}".to_vec()));
    fetch("owner/name", &options(&endpoint, cache.path())).expect_err("the server refuses")
}

#[test]
fn a_gated_data_set_says_what_to_do() {
    for status in [401, 403] {
        let error = refused_with(status);
        assert!(matches!(&error, HubError::Gated { status: found, .. } if *found == status), "{error:?}");
        assert!(error.help().contains("HF_TOKEN") && error.help().contains("owner/name"), "{}", error.help());
    }
}

#[test]
fn a_missing_data_set_is_told_apart() {
    let error = refused_with(404);
    assert!(matches!(error, HubError::Missing { .. }), "{error:?}");
}

#[test]
fn an_unreachable_hub_is_offline() {
    let cache = tempfile::tempdir().expect("a temporary folder");
    let endpoint = {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        format!("http://{}", listener.local_addr().expect("a bound address"))
    };
    let error = fetch("owner/name", &options(&endpoint, cache.path())).expect_err("nobody listens");
    assert!(matches!(&error, HubError::Offline { endpoint: at, .. } if *at == endpoint), "{error:?}");
}

#[test]
fn offline_mode_reads_the_cache_only() {
    let cache = tempfile::tempdir().expect("a temporary folder");
    let options = HubOptions { offline: true, ..options("http://127.0.0.1:1", cache.path()) };
    let error = fetch("owner/name", &options).expect_err("the cache is empty");
    assert!(matches!(error, HubError::NotCached { .. }), "{error:?}");
    let repo = cache.path().join("datasets--owner--name");
    let snapshot = repo.join("snapshots").join("abc").join("data");
    std::fs::create_dir_all(&snapshot).expect("a writable folder");
    std::fs::create_dir_all(repo.join("refs")).expect("a writable folder");
    std::fs::write(repo.join("refs").join("main"), "abc").expect("a writable folder");
    std::fs::write(snapshot.join("rows.jsonl"), "{}").expect("a writable folder");
    std::fs::write(snapshot.join("README.md"), "").expect("a writable folder");
    assert_eq!(fetch("owner/name", &options).expect("it is cached"), [snapshot.join("rows.jsonl")]);
}

#[test]
fn files_are_listed_and_downloaded() {
    const TREE: &str = r#"[{"type": "file", "path": "README.md", "size": 1, "oid": "a"},
                           {"type": "file", "path": "data/rows.jsonl", "size": 3, "oid": "b"}]"#;
    let endpoint = serve(|path| {
        if path.starts_with("/api/") {
            return (200, Vec::new(), TREE.as_bytes().to_vec());
        }
        let headers = vec![("ETag", "\"b\"".to_owned()), ("X-Repo-Commit", "a".repeat(40))];
        (200, headers, b"{}\n".to_vec())
    });
    let cache = tempfile::tempdir().expect("a temporary folder");
    let files = fetch("owner/name", &options(&endpoint, cache.path())).expect("the server gives it");
    assert_eq!(files.len(), 1);
    assert_eq!(std::fs::read_to_string(&files[0]).expect("a downloaded file"), "{}\n");
}

#[test]
fn names_are_checked_before_anything_is_sent() {
    for name in ["name", "/name", "owner/", "a/b/c"] {
        let error = fetch(name, &HubOptions::default()).expect_err("not a name");
        assert!(matches!(error, HubError::BadName { .. }), "{error:?}");
    }
}
