//! Bad input: each is refused with its values, and nothing changes.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use lrrc_coherence::{Rules, Strategy};
use lrrc_store::wire::codec::Frames;
use lrrc_store::wire::{FromHome, PROTOCOL, Payload, Request, Says, Ticket, ToHome};
use lrrc_store::{Address, HomeConfig, Limits, Listener, Refusal};
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;
use tokio_util::codec::Framed;

use crate::house::{House, in_house, name};

async fn raw(house: &House) -> UnixStream {
    let Address::Unix(path) = house.place() else { panic!("no socket") };
    UnixStream::connect(path).await.unwrap()
}

/// What the daemon says last on a connection.
async fn last_word(stream: UnixStream) -> String {
    let mut frames = Framed::new(stream, Frames::<FromHome, ToHome>::new(1 << 20));
    let mut last = String::from("nothing");
    while let Some(Ok(frame)) = frames.next().await {
        if let Says::Goodbye { why } = frame.says {
            last = why.to_string();
        }
    }
    last
}

#[test]
fn content_beyond_the_bounds_is_refused_with_both_numbers() {
    let limits = Limits { content_bytes_max: 1000, sections_max: 3, members_max: 2, ..Limits::default() };
    in_house(HomeConfig { limits, ..HomeConfig::default() }, |house| async move {
        let client = house.client().await;
        let refused = |error: lrrc_store::StoreError| error.to_string();
        let long = client.create(&name("long"), "x".repeat(1001)).await.map_err(refused).unwrap_err();
        let longer = client.create(&name("long"), vec![0; 3 << 20]).await.map_err(refused).unwrap_err();
        assert!(longer.contains("3145728"), "{longer}");
        assert!(long.contains("1001") && long.contains("1000"), "{long}");
        let headings =
            Payload { divide: lrrc_store::wire::Divide::Headings, ..Payload::from("# a\n# b\n# c\n# d\n") };
        let many = client.create(&name("many"), headings).await.map_err(refused).unwrap_err();
        assert!(many.contains("more than 3 sections"), "{many}");
        let json = Payload { divide: lrrc_store::wire::Divide::Pointers, ..Payload::from("{nope") };
        let broken = client.create(&name("broken"), json).await.map_err(refused).unwrap_err();
        assert!(broken.contains("line 1"), "{broken}");
        client.create(&name("kept.json"), "{nope").await.unwrap();
        let members = |count: usize| {
            (0..count).map(|n| lrrc_store::wire::Change {
                name: name(&format!("m{n}")),
                basis: lrrc_store::wire::Basis::Unchanged {
                    expected: lrrc_coherence::Stamp {
                        incarnation: lrrc_coherence::Incarnation(1),
                        version: lrrc_coherence::Version(1),
                    },
                },
                content: "x".into(),
            })
        };
        let many = client.commit_all(members(3).collect()).await.map_err(refused).unwrap_err();
        assert!(many.contains('3') && many.contains("at most 2"), "{many}");
        let twice =
            client.commit_all(members(1).chain(members(1)).collect()).await.map_err(refused).unwrap_err();
        assert!(twice.contains("m0"), "{twice}");
        let (rows, _) = client.list("", None).await.unwrap();
        assert_eq!(rows.len(), 1);
    });
}

#[test]
fn a_content_that_its_name_would_cut_too_finely_is_kept_whole() {
    let limits = Limits { sections_max: 3, ..Limits::default() };
    in_house(HomeConfig { limits, ..HomeConfig::default() }, |house| async move {
        let writer = house.client().await;
        let title = "long ".repeat(1000);
        let (title, long) = (title.trim(), format!("# {title}\n"));
        let cases = [
            ("list.json", "[1, 2, 3, 4]", "/0"),
            ("plan.md", "# a\n# b\n# c\n# d\n", "a"),
            ("title.md", &long, title),
        ];
        for (at, text, section) in cases {
            writer.create(&name(at), text.to_owned()).await.unwrap();
            // The writer's own copy has no sections that the home does not know.
            for client in [&writer, &house.client().await] {
                assert_eq!(client.read(&name(at)).await.unwrap().bytes, text.as_bytes());
                let cut = client.read_sections(&name(at), &[section.to_owned()]).await;
                let refused = cut.unwrap_err().to_string();
                assert!(refused.contains("no sections"), "{refused}");
            }
        }
    });
}

#[test]
fn what_a_higher_limit_took_is_read_under_a_lower_one() {
    in_house(HomeConfig::default(), |mut house| async move {
        let text = "x".repeat(3 << 20);
        house.client().await.create(&name("long"), text.clone()).await.unwrap();
        house.stop().await;
        house.config.limits.content_bytes_max = 1000;
        house.start(None).await;
        let client = house.client().await;
        assert_eq!(client.read(&name("long")).await.unwrap().bytes, text.as_bytes());
        client.create(&name("longer"), text).await.unwrap_err();
    });
}

#[test]
fn who_does_not_take_answers_is_not_answered_further() {
    let limits = Limits { pending_max: 2, ..Limits::default() };
    in_house(HomeConfig { limits, ..HomeConfig::default() }, |house| async move {
        let client = house.client().await;
        client.create(&name("long"), "x".repeat(4 << 20)).await.unwrap();
        let mut greedy = Framed::new(raw(&house).await, Frames::<FromHome, ToHome>::new(16 << 20));
        greedy.send(ToHome::Hello { protocol: PROTOCOL }).await.unwrap();
        let read = Request::Read { name: name("long"), have: None, sections: vec![], parts: vec![] };
        let create = Request::Create { name: name("last"), content: "it is done".into() };
        for (ticket, request) in (1..).zip([read.clone(), read.clone(), read.clone(), read, create]) {
            greedy.send(ToHome::Ask { ticket: Ticket(ticket), request }).await.unwrap();
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
        client.read(&name("last")).await.expect_err("four answers lie before it");
        let mut answers = 0;
        while answers < 5 {
            let frame = greedy.next().await.unwrap().unwrap();
            answers += usize::from(matches!(frame.says, Says::Answer { outcome: Ok(_), .. }));
        }
        assert_eq!(client.read(&name("last")).await.unwrap().bytes, "it is done");
    });
}

#[test]
fn who_does_not_take_pushes_is_sent_signals_in_their_place() {
    const VERSIONS: u64 = 40;
    let rules = Rules { strategy: Strategy::Eager, ..Rules::default() };
    in_house(HomeConfig { rules, ..HomeConfig::default() }, |house| async move {
        let client = house.client().await;
        let mut stamp = client.create(&name("long"), "x").await.unwrap().mark.stamp;
        let mut slow = Framed::new(raw(&house).await, Frames::<FromHome, ToHome>::new(16 << 20));
        slow.send(ToHome::Hello { protocol: PROTOCOL }).await.unwrap();
        let read = Request::Read { name: name("long"), have: None, sections: vec![], parts: vec![] };
        slow.send(ToHome::Ask { ticket: Ticket(1), request: read }).await.unwrap();
        while !matches!(slow.next().await.unwrap().unwrap().says, Says::Answer { .. }) {}
        for version in 0..VERSIONS {
            let content = format!("{version:08}").repeat(128 << 10);
            stamp = client.commit_cas(&name("long"), stamp, content).await.unwrap().mark.stamp;
        }
        let (mut pushed, mut signalled) = (0, 0);
        while pushed + signalled < VERSIONS {
            match slow.next().await.unwrap().unwrap().says {
                Says::Pushed { mark, .. } => {
                    pushed += 1;
                    assert_eq!((mark.version().0, signalled), (pushed + 1, 0));
                }
                Says::Invalidate { mark, .. } => {
                    signalled += 1;
                    assert_eq!(mark.version().0, pushed + signalled + 1);
                }
                says => panic!("{says:?}"),
            }
        }
        assert!((1..=20).contains(&pushed), "{pushed} MiB wait for one who does not read");
    });
}

#[test]
fn a_file_where_the_socket_should_be_stays() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let path = folder.path().join("plan.md");
    std::fs::write(&path, "precious").unwrap();
    let refused = runtime.block_on(Listener::open(&Address::Unix(path.clone()))).unwrap_err().to_string();
    assert!(refused.contains("plan.md"), "{refused}");
    assert_eq!(std::fs::read(&path).unwrap(), b"precious");
}

#[test]
fn a_daemon_that_ends_leaves_the_socket_of_the_next_one() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let path = folder.path().join("socket");
    let open = || runtime.block_on(Listener::open(&Address::Unix(path.clone()))).unwrap();
    let first = open();
    std::fs::remove_file(&path).unwrap();
    let second = open();
    drop(first);
    assert!(path.exists());
    drop(second);
    assert!(!path.exists());
}

#[test]
fn a_connection_that_does_not_speak_the_protocol_is_told_why() {
    in_house(HomeConfig::default(), |house| async move {
        let client = house.client().await;
        client.create(&name("plan"), "one").await.unwrap();
        let mut garbage = raw(&house).await;
        garbage.write_all(&[0, 0, 0, 4, 0xc1, 0xff, 0, 7]).await.unwrap();
        let said = last_word(garbage).await;
        assert!(said.contains("4 bytes"), "{said}");
        let mut long = raw(&house).await;
        long.write_all(&u32::MAX.to_be_bytes()).await.unwrap();
        let said = last_word(long).await;
        assert!(said.contains("frame"), "{said}");
        let mut old = Framed::new(raw(&house).await, Frames::<FromHome, ToHome>::new(1 << 20));
        old.send(ToHome::Hello { protocol: PROTOCOL + 1 }).await.unwrap();
        let said = last_word(old.into_inner()).await;
        assert!(said.contains(&format!("protocol {}", PROTOCOL + 1)), "{said}");
        let mut early = Framed::new(raw(&house).await, Frames::<FromHome, ToHome>::new(1 << 20));
        early.send(ToHome::Ask { ticket: Ticket(1), request: Request::Ping }).await.unwrap();
        let said = last_word(early.into_inner()).await;
        assert!(said.contains("not a hello"), "{said}");
        assert_eq!(client.read_fresh(&name("plan")).await.unwrap().bytes, "one");
    });
}

#[test]
fn a_repeated_ask_is_answered_once() {
    in_house(HomeConfig::default(), |house| async move {
        let mut frames = Framed::new(raw(&house).await, Frames::<FromHome, ToHome>::new(32 << 20));
        frames.send(ToHome::Hello { protocol: PROTOCOL }).await.unwrap();
        let create = Request::Create { name: name("plan"), content: "one".into() };
        for ticket in [1, 1, 2] {
            frames.send(ToHome::Ask { ticket: Ticket(ticket), request: create.clone() }).await.unwrap();
        }
        let long = Request::Create { name: name("long"), content: vec![0; (16 << 20) + 1].into() };
        frames.send(ToHome::Ask { ticket: Ticket(3), request: long }).await.unwrap();
        let mut heard = Vec::new();
        while heard.len() < 4 {
            heard.push(frames.next().await.unwrap().unwrap());
        }
        let answers = heard.iter().filter_map(|frame| match &frame.says {
            Says::Answer { ticket, outcome, .. } => Some((ticket.0, outcome.is_ok())),
            _ => None,
        });
        assert_eq!(answers.collect::<Vec<_>>(), [(1, true), (2, false), (3, false)]);
        assert_eq!(heard.iter().map(|frame| frame.seq).collect::<Vec<_>>(), [1, 2, 3, 4]);
    });
}

#[test]
fn one_session_too_many_is_told_the_bound() {
    let limits = Limits { sessions_max: 1, ..Limits::default() };
    in_house(HomeConfig { limits, ..HomeConfig::default() }, |house| async move {
        let client = house.client().await;
        let said = last_word(raw(&house).await).await;
        let expected = Refusal::TooMany { what: "sessions".into(), found: 2, limit: 1 };
        assert_eq!(said, expected.to_string());
        client.create(&name("plan"), "one").await.unwrap();
    });
}
