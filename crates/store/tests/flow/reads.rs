//! Reads: versions, freshness, deltas, sections, old versions, lists and watches.

use lrrc_coherence::{Bound, Version};
use lrrc_store::{Client, HomeConfig, Noticed};

use crate::house::{in_house, name};

/// Waits until the client's own copy of a name is read or not read, as wanted.
async fn until_copy(client: &Client, at: &str, from_copy: bool) -> lrrc_store::Read {
    for _ in 0..2000 {
        let read = client.read(&name(at)).await.unwrap();
        if read.freshness.from_copy == from_copy {
            return read;
        }
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    panic!("from_copy never became {from_copy}");
}

#[test]
fn a_read_says_its_version_revision_and_age_and_the_second_is_from_the_copy() {
    in_house(HomeConfig::default(), |house| async move {
        let (writer, reader) = (house.client().await, house.client().await);
        let made = writer.create(&name("plan"), "one").await.unwrap();
        let first = reader.read(&name("plan")).await.unwrap();
        assert_eq!((&first.bytes[..], first.freshness.from_copy), (&b"one"[..], false));
        assert_eq!(first.stamp(), made.mark.stamp);
        let second = reader.read(&name("plan")).await.unwrap();
        assert!(second.freshness.from_copy && second.bytes == "one");
        assert!(second.freshness.confirmed_revision >= first.freshness.confirmed_revision);
        assert!(second.freshness.age_ms <= Bound::default().age_ms);
        let second = writer.commit_cas(&name("plan"), first.stamp(), "two").await.unwrap();
        let read = until_copy(&reader, "plan", false).await;
        assert_eq!((&read.bytes[..], read.stamp()), (&b"two"[..], second.mark.stamp));
    });
}

#[test]
fn a_miss_fetches_what_changed_and_not_the_rest() {
    in_house(HomeConfig::default(), |house| async move {
        let (writer, reader) = (house.client().await, house.client().await);
        let text =
            |line: &str| (0..400).map(|n| format!("line {n} {}\n", if n == 7 { line } else { "" })).collect();
        let (one, two): (String, String) = (text("old"), text("new"));
        writer.create(&name("log"), one.clone()).await.unwrap();
        let first = reader.read(&name("log")).await.unwrap();
        let whole_bytes = reader.counts().bytes;
        writer.commit_cas(&name("log"), first.stamp(), two.clone()).await.unwrap();
        let second = reader.read_fresh(&name("log")).await.unwrap();
        assert_eq!(second.bytes, two);
        let counts = reader.counts();
        assert_eq!((counts.whole, counts.delta), (1, 1));
        assert!(counts.bytes - whole_bytes < 200, "{} bytes for one line", counts.bytes - whole_bytes);
    });
}

#[test]
fn a_reader_of_one_section_keeps_its_copy_when_another_changes() {
    in_house(HomeConfig::default(), |house| async move {
        let (writer, reader) = (house.client().await, house.client().await);
        let text = |goal: &str, risk: &str| format!("# Goal\n{goal}\n# Risks\n{risk}\n");
        let plan = name("plan.md");
        writer.create(&plan, text("ship", "none")).await.unwrap();
        let wanted = ["Goal".to_owned()];
        let first = reader.read_sections(&plan, &wanted).await.unwrap();
        assert_eq!(first.sections, [("Goal".to_owned(), "# Goal\nship\n".into())]);
        let stamp = writer.read(&plan).await.unwrap().stamp();
        let second = writer.commit_cas(&plan, stamp, text("ship", "rain")).await.unwrap();
        // A round trip: every signal that was sent before is delivered after it.
        reader.history(&plan).await.unwrap();
        assert!(reader.read_sections(&plan, &wanted).await.unwrap().freshness.from_copy);
        writer.commit_cas(&plan, second.mark.stamp, text("sail", "rain")).await.unwrap();
        reader.history(&plan).await.unwrap();
        let third = reader.read_sections(&plan, &wanted).await.unwrap();
        assert_eq!((third.freshness.from_copy, &third.sections[0].1[..]), (false, &b"# Goal\nsail\n"[..]));
        let unknown = reader.read_sections(&plan, &["Costs".to_owned()]).await.unwrap_err().to_string();
        assert!(unknown.contains("\"Costs\"") && unknown.contains("\"Goal\", \"Risks\""), "{unknown}");
    });
}

#[test]
fn old_versions_lists_and_histories_tell_what_there_is() {
    in_house(HomeConfig::default(), |house| async move {
        let client = house.client().await;
        let mut stamp = client.create(&name("a/1"), "v1").await.unwrap().mark.stamp;
        client.create(&name("a/2"), "other").await.unwrap();
        client.create(&name("b"), "third").await.unwrap();
        for n in 2..=20 {
            stamp = client.commit_cas(&name("a/1"), stamp, format!("v{n}")).await.unwrap().mark.stamp;
        }
        let (rows, more) = client.list("a/", None).await.unwrap();
        let rows: Vec<_> = rows.iter().map(|row| (row.name.as_str(), row.version.0)).collect();
        assert_eq!((rows, more), (vec![("a/1", 20), ("a/2", 1)], false));
        let history = client.history(&name("a/1")).await.unwrap();
        let versions: Vec<u64> = history.past.iter().map(|edition| edition.version.0).collect();
        assert_eq!((history.current.version.0, versions), (20, (4..20).collect()));
        assert_eq!(client.read_version(&name("a/1"), Version(5)).await.unwrap().1, "v5");
        let gone = client.read_version(&name("a/1"), Version(2)).await.unwrap_err().to_string();
        assert!(gone.contains("version 2") && gone.contains("version 4"), "{gone}");
    });
}

#[test]
fn a_watch_tells_of_every_version_and_every_deletion_under_its_prefix() {
    in_house(HomeConfig::default(), |house| async move {
        let (client, watcher) = (house.client().await, house.client().await);
        let mut watch = watcher.watch("a/").await.unwrap();
        let stamp = client.create(&name("a/1"), "one").await.unwrap().mark.stamp;
        client.create(&name("b"), "not told").await.unwrap();
        client.commit_cas(&name("a/1"), stamp, "two").await.unwrap();
        client.delete(&name("a/1"), None).await.unwrap();
        let mut told = Vec::new();
        for _ in 0..3 {
            let Some(Noticed::Changed(changed)) = watch.next().await else { panic!("a gap") };
            told.push((changed.name.to_string(), changed.now.map(|(stamp, _)| stamp.version.0)));
        }
        let at = |version| ("a/1".to_owned(), version);
        assert_eq!(told, [at(Some(1)), at(Some(2)), at(None)]);
    });
}
