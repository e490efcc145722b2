//! Conditions, all or nothing, and what is refused.

use lrrc_store::{BackendError, Batch, Expect, Revision, Write, digest_of};

use super::{Case, Place, put, records};

pub(super) const CASES: &[Case] = &[
    ("a write lands when its expectation holds", lands_as_expected),
    ("a lost batch changes nothing and says what lies there", lost_batch_changes_nothing),
    ("a batch that changes no record keeps the revision", bare_checks_keep_the_revision),
    ("a key that cannot be held is refused", bad_keys_are_refused),
    ("a record that was deleted and made again is another record", recreated_record_is_another),
];

fn lands_as_expected(place: &mut dyn Place) {
    let store = place.open();
    let elsewhere = put(&*store, "elsewhere", "0");
    let cases = [
        (false, "absent", true),
        (false, "at its revision", false),
        (false, "at another revision", false),
        (false, "anything", true),
        (true, "absent", false),
        (true, "at its revision", true),
        (true, "at another revision", false),
        (true, "anything", true),
    ];
    for (stands, asked, lands) in cases {
        for value in [Some("2".into()), None] {
            let key = format!("{asked}, {stands}, {value:?}");
            let revision = if stands { put(&*store, &key, "1") } else { Revision::START };
            let expect = match asked {
                "absent" => Expect::Absent,
                "at its revision" => Expect::At(revision),
                "at another revision" => Expect::At(elsewhere),
                _ => Expect::Any,
            };
            let before = stands.then(|| "1".into());
            let result = store.commit(&Batch::of([Write { key: key.clone(), expect, value: value.clone() }]));
            assert_eq!(result.is_ok(), lands, "{key}: {result:?}");
            let after = store.get(&key).unwrap().map(|entry| entry.value);
            assert_eq!(after, if lands { value } else { before }, "{key}");
        }
    }
}

fn lost_batch_changes_nothing(place: &mut dyn Place) {
    let store = place.open();
    put(&*store, "kept", "1");
    let stands = put(&*store, "contended", "2");
    let (before, revision) = (records(&*store), store.revision().unwrap());
    let content = "a content";
    let batch = Batch::of([
        Write::put("new", Expect::Absent, "3"),
        Write::delete("kept", Expect::Any),
        Write::put("contended", Expect::Absent, "4"),
        Write::put("never looked at", Expect::At(stands), "5"),
    ]);
    let digest = digest_of(content.as_bytes());
    match store.commit(&batch.with_blob(digest, content, 1)) {
        Err(BackendError::Lost { key, expected, actual }) => {
            let actual = actual.expect("the record that stands");
            assert_eq!((key.as_str(), expected), ("contended", Expect::Absent));
            assert_eq!((&actual.value[..], actual.revision), (&b"2"[..], stands));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(records(&*store), before);
    assert_eq!(store.blob(&digest).unwrap(), None);
    assert_eq!(store.changes(revision, 10).unwrap(), []);
}

fn bare_checks_keep_the_revision(place: &mut dyn Place) {
    let store = place.open();
    let stands = put(&*store, "present", "1");
    let checks = [
        Batch::of([]),
        Batch::of([Write::delete("absent", Expect::Absent)]),
        Batch::of([Write::delete("absent", Expect::Any)]),
        Batch::of([]).with_blob(digest_of(b"x"), "x", 1),
    ];
    for batch in checks {
        store.commit(&batch).unwrap();
        assert_eq!(store.changes(stands, 10).unwrap(), [], "{batch:?}");
        assert_eq!(store.get("present").unwrap().unwrap().revision, stands);
    }
    let next = put(&*store, "present", "2");
    assert!(next > stands);
}

fn bad_keys_are_refused(place: &mut dyn Place) {
    let store = place.open();
    let long = "k".repeat(Write::KEY_BYTES_MAX + 1);
    let cases: [(&[&str], &str); 4] = [
        (&["good", ""], "\"\" is empty"),
        (&["good", "a\0b"], "holds a NUL"),
        (&["good", &long], "longer than 1024"),
        (&["twice", "once", "twice"], "\"twice\" stands twice"),
    ];
    for (keys, says) in cases {
        let batch = Batch::of(keys.iter().map(|key| Write::put(*key, Expect::Any, "1")));
        let error = store.commit(&batch).unwrap_err();
        assert!(matches!(error, BackendError::BadKey { .. }) && error.to_string().contains(says), "{error}");
        assert_eq!(records(&*store), []);
    }
    let longest = &long[1..];
    put(&*store, longest, "1");
    assert_eq!(store.get(longest).unwrap().unwrap().value, "1");
}

fn recreated_record_is_another(place: &mut dyn Place) {
    let store = place.open();
    let first = put(&*store, "plan", "1");
    store.commit(&Batch::of([Write::delete("plan", Expect::At(first))])).unwrap();
    put(&*store, "plan", "1");
    let late = store.commit(&Batch::of([Write::put("plan", Expect::At(first), "2")]));
    assert!(matches!(late, Err(BackendError::Lost { .. })), "{late:?}");
}
