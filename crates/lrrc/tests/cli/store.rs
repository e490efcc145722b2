//! What `lrrc store` says and how it ends.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::Stdio;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::{Folder, Running, SOON, serve};

/// A watch that has begun, and the lines of its error stream.
fn watch(folder: &Folder, stdout: Stdio) -> (Running, mpsc::Receiver<String>) {
    let mut command = folder.command("store watch");
    let mut child = command.stdout(stdout).stderr(Stdio::piped()).spawn().expect("the binary");
    let (told, lines) = mpsc::channel();
    let said = BufReader::new(child.stderr.take().expect("a pipe")).lines().map_while(Result::ok);
    // It ends with the watch, or with the test that hears it.
    std::thread::spawn(move || said.map(|line| told.send(line)).all(|sent| sent.is_ok()));
    assert_eq!(lines.recv_timeout(SOON).as_deref(), Ok("watching \"\""));
    (Running(child), lines)
}

#[test]
fn a_watch_ends_with_its_reader() {
    let folder = Folder::new();
    let _daemon = serve(&folder, &[]);
    let (mut watching, _) = watch(&folder, Stdio::piped());
    drop(watching.0.stdout.take());
    assert_eq!(watching.ends_soon(), Some(0), "no change comes, and nobody reads");
}

#[test]
fn a_watch_says_when_the_store_is_lost_and_back() {
    let folder = Folder::new();
    let daemon = serve(&folder, &[]);
    let (_watching, lines) = watch(&folder, Stdio::null());
    drop(daemon);
    let line = lines.recv_timeout(SOON).expect("a line");
    assert!(line.contains("unix:.lrrc/store/socket is lost"), "{line}");
    let _daemon = serve(&folder, &[]);
    let line = lines.recv_timeout(SOON).expect("a line");
    assert!(line.contains("unix:.lrrc/store/socket is back"), "{line}");
}

#[test]
fn an_empty_input_blanks_nothing_unless_asked() {
    let folder = Folder::new();
    let _daemon = serve(&folder, &[]);
    folder.feed("store put plan", b"the plan").succeeded();
    folder
        .feed("store put plan", b"")
        .failed_with(&["the input is empty, and plan stays as it is", "--empty"]);
    assert_eq!(folder.run("store get plan").succeeded().out, "the plan");
    folder.feed("store put plan --empty", b"").succeeded();
    assert_eq!(folder.run("store get plan").succeeded().out, "");
    folder.file("empty", b"");
    folder.run("store put other empty").succeeded();
}

#[test]
fn a_content_is_divided_as_its_name_or_the_writer_says() {
    let folder = Folder::new();
    let _daemon = serve(&folder, &[]);
    let text = b"# Plan\none\n## Risks\ntwo\n";
    folder.feed("store put plan", text).succeeded();
    folder.run("store get plan --section Plan/Risks").failed_with(&["no sections", "--divide"]);
    for words in ["store put plan.md", "store put notes --divide headings"] {
        folder.feed(words, text).succeeded();
        let name = words.split_whitespace().nth(2).expect("a name");
        let told = folder.run(&format!("store get {name} --section Plan/Risks")).succeeded();
        assert_eq!(told.out, "## Risks\ntwo\n", "{name}");
    }
    folder.feed("store put whole.md --divide whole", text).succeeded();
    folder.run("store get whole.md --section Plan").failed_with(&["no sections"]);
    folder.feed("store put list --divide pointers", b"{\"a\": 1}").succeeded();
    assert_eq!(folder.run("store get list --section /a").succeeded().out, "1");
}

#[test]
fn advice_leads_to_the_same_store() {
    let folder = Folder::new();
    let daemon = serve(&folder, &["--folder", "my store"]);
    let told = |words: &str| {
        let mut command = folder.command(words);
        super::Told::of(&command.args(["--folder", "my store"]).output().expect("the binary"))
    };
    folder.file("text", b"text");
    told("store put plan text").succeeded();
    told("store put plan text --expect 9").failed_with(&[
        "written by agent",
        "s ago",
        "lrrc store get plan --version 1 --folder 'my store'\n",
    ]);
    told("store get other").failed_with(&["lrrc store ls --folder 'my store'"]);
    let big = folder.file("big", &vec![b'x'; 17 << 20]);
    told(&format!("store put big {}", big.display()))
        .failed_with(&["lrrc store serve --folder 'my store' --content-mib 17\n"]);
    drop(daemon);
    told("store ls").failed_with(&["start one with: lrrc store serve --folder 'my store'\n"]);
    let told = told("store verify").succeeded();
    assert!(
        told.err.starts_with("no daemon answers at unix:my store/socket, so this process opens my store"),
        "{told:?}"
    );
    assert!(told.out.starts_with("1 artifact, 1 version, 4 bytes"), "{told:?}");
}

#[test]
fn a_place_that_cannot_be_reached_is_told_from_one_where_nobody_listens() {
    let folder = Folder::new();
    folder.file("file", b"");
    let told = folder.run("store ls --at unix:file/socket");
    told.failed_with(&["cannot reach a store at unix:file/socket: Not a directory"]);
    assert!(!told.err.contains("start one"), "{told:?}");
    folder
        .run("store ls --at unix:nothing")
        .failed_with(&["no store answers", "start one with: lrrc store serve --at unix:nothing"]);
    folder.run(&format!("store ls --folder {}", "x".repeat(120))).failed_with(&["108 bytes", "--at"]);
    let told = folder.run(&format!("store serve --folder {}", "x".repeat(120)));
    told.failed_with(&["108 bytes", "--at"]);
    let told = folder.run("store serve --at unix:file/socket");
    told.failed_with(&["cannot listen at unix:file/socket: Not a directory"]);
    assert_eq!(told.err.matches("Not a directory").count(), 1, "{told:?}");
}

#[test]
fn numbers_are_refused_with_their_bounds() {
    let folder = Folder::new();
    for (words, bounds) in [
        ("store serve --strategy lease --lease-ttl 0", "from 1 to"),
        ("store serve --content-mib 0", "from 1 to 1023"),
        ("store serve --lease 0", "from 1 to"),
        ("store watch --count 0", "from 1 to"),
        ("store put plan --tokens 4294967296", "from 0 to 4294967295"),
        ("store put plan --tokens -1", "from 0 to 4294967295"),
        ("store put plan --expect x", "from 0 to 18446744073709551615"),
        ("store rm plan --expect -3", "from 1 to"),
    ] {
        folder.run(words).failed_with(&["error: invalid value", bounds]);
    }
    let long = "x".repeat(300);
    for (words, said) in [
        ("store get ", "this one has 300"),
        ("store ls --", "unexpected argument"),
        ("store ", "unrecognized"),
    ] {
        let told = folder.run(&format!("{words}{long}"));
        told.failed_with(&[said]);
        assert!(!told.err.contains(&"x".repeat(81)), "{told:?}");
    }
}

#[test]
fn a_stopped_daemon_is_not_waited_for_without_end() {
    let folder = Folder::new();
    let daemon = serve(&folder, &[]);
    folder.feed("store put plan", b"text").succeeded();
    let large = folder.file("large", &vec![b'x'; 4 << 20]);
    daemon.signal("STOP");
    let start = Instant::now();
    for words in ["store ls".to_owned(), format!("store put large {}", large.display())] {
        let told = folder.run(&words);
        told.failed_with(&["the store at unix:.lrrc/store/socket", "stopped"]);
    }
    assert!(start.elapsed() < Duration::from_secs(70), "{:?}", start.elapsed());
    daemon.signal("CONT");
}

/// A place that hands everything on to the daemon until `bytes` have come, and then takes no more.
fn jam(folder: &Folder, bytes: u64) {
    let listener = UnixListener::bind(folder.path("jam")).expect("a socket");
    let daemon = folder.path(".lrrc/store/socket");
    std::thread::spawn(move || {
        let (mut client, _) = listener.accept().expect("a client");
        let mut daemon = UnixStream::connect(daemon).expect("the daemon");
        let (mut answers, mut back) = (daemon.try_clone().expect("one"), client.try_clone().expect("one"));
        std::thread::spawn(move || std::io::copy(&mut answers, &mut back));
        let mut chunk = [0; 4096];
        let mut left = bytes;
        while left > 0 {
            let read = client.read(&mut chunk).expect("bytes");
            daemon.write_all(&chunk[..read]).expect("the daemon reads");
            left = left.saturating_sub(read as u64);
        }
        std::thread::sleep(Duration::from_secs(600));
    });
}

#[test]
fn a_daemon_that_stops_in_the_middle_is_not_waited_for_without_end() {
    let folder = Folder::new();
    let _daemon = serve(&folder, &[]);
    folder.file("large", &vec![b'x'; 8 << 20]);
    jam(&folder, 1 << 16);
    let start = Instant::now();
    let told = folder.run("store put large large --at unix:jam");
    told.failed_with(&["the store at unix:jam gave no answer within 30 s", "may have landed"]);
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
}
