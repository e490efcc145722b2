//! Every kind of bad input is refused with file, row and field, and passed over with `skip_bad`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};
use lrrc_dataset::schema::{VERSION_KEY, schema};
use lrrc_dataset::{
    Dataset, DatasetError, DatasetWriter, Format, Manifest, Provenance, ReadOptions, RowFault, ShardWriter,
    SplitSpec,
};
use lrrc_episode::check::Fault;
use parquet::arrow::ArrowWriter;
use tempfile::TempDir;

const GOOD: &str = r#"{"traj_id": "ID", "turns": [{"role": "user", "content": "hello world"}]}"#;

fn good(id: &str) -> String {
    GOOD.replace("ID", id)
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn write(folder: &TempDir, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).expect("a writable folder");
    path
}

fn open(path: &Path, options: &ReadOptions) -> Dataset {
    Dataset::open(path.to_str().expect("a UTF-8 path"), options).expect("the file is there")
}

fn read_error(path: &Path, format: Option<Format>) -> DatasetError {
    let options = ReadOptions { format, ..ReadOptions::default() };
    open(path, &options).read_all().expect_err("bad input was taken")
}

/// Puts `bad` as line 2 between two good rows: refused by row and field, and skipped leaving both good rows.
#[track_caller]
fn check(bad: impl AsRef<[u8]>, field: &str, expect: impl Fn(&RowFault) -> bool) {
    let folder = folder();
    let mut bytes = good("first").into_bytes();
    bytes.push(b'\n');
    bytes.extend(bad.as_ref());
    bytes.push(b'\n');
    bytes.extend(good("last").into_bytes());
    let path = write(&folder, "rows.jsonl", bytes);
    match read_error(&path, None) {
        DatasetError::Row { file, row, field: found, fault } => {
            assert_eq!((file, row, found.as_str()), (path.clone(), 2, field), "{fault}");
            assert!(expect(&fault), "unexpected fault {fault:?}");
        }
        other => panic!("not the fault of a row: {other}"),
    }
    let options = ReadOptions { skip_bad: true, ..ReadOptions::default() };
    let (episodes, report) = open(&path, &options).read_all().expect("bad rows are skipped");
    assert_eq!(episodes.iter().map(|episode| episode.id.as_str()).collect::<Vec<_>>(), ["first", "last"]);
    assert_eq!((report.read, report.skipped, report.listed.len()), (2, 1, 1));
}

#[test]
fn invalid_utf8_names_the_field() {
    let bad =
        [&b"{\"traj_id\": \"x\", \"turns\": [{\"role\": \"user\", \"content\": \"\xff\"}]}"[..]].concat();
    check(bad, "turns[0].content", |fault| matches!(fault, RowFault::InvalidUtf8 { at: 56 }));
}

#[test]
fn broken_json_names_the_row() {
    check("{\"traj_id\": \"x\", ", "(whole row)", |fault| matches!(fault, RowFault::InvalidJson(_)));
    check("[]", "(whole row)", |fault| matches!(fault, RowFault::WrongType { .. }));
}

#[test]
fn an_empty_episode_is_refused() {
    check(r#"{"traj_id": "x", "turns": []}"#, "turns", |fault| *fault == RowFault::Law(Fault::Empty));
}

#[test]
fn a_tool_result_needs_its_call() {
    let bad = r#"{"traj_id": "x", "turns": [{"role": "tool", "content": "42", "tool_call_id": "c1"}]}"#;
    check(bad, "turns[0].role", |fault| *fault == RowFault::Law(Fault::ResultWithoutCall { turn: 0 }));
}

#[test]
fn a_message_of_50_mb_is_refused() {
    let bad = format!(
        r#"{{"traj_id": "x", "turns": [{{"role": "user", "content": "{}"}}]}}"#,
        "x".repeat(50_000_000)
    );
    check(bad, "turns[0].content", |fault| {
        matches!(fault, RowFault::Law(Fault::MessageTooLong { bytes: 50_000_000, .. }))
    });
}

#[test]
fn a_line_over_64_mb_is_refused() {
    check(" ".repeat(64_000_001), "(whole row)", |fault| matches!(fault, RowFault::RowTooLong { .. }));
}

#[test]
fn ids_are_distinct() {
    check(good("first"), "id", |fault| *fault == RowFault::DuplicateId { id: "first".into(), first: 1 });
}

#[test]
fn a_field_of_the_wrong_type_is_named() {
    check(r#"{"traj_id": "x", "turns": "none"}"#, "turns", |fault| {
        *fault == RowFault::WrongType { expected: "an array", found: "text" }
    });
}

#[test]
fn a_log_names_the_lost_call() {
    let folder = folder();
    let record = r#"{"request": {"messages": [{"role": "tool", "tool_call_id": "c1", "content": "42"}]}}"#;
    let path = write(&folder, "log.jsonl", record);
    match read_error(&path, None) {
        DatasetError::Row { row: 1, field, fault: RowFault::ResultWithoutCall { id }, .. } => {
            assert_eq!((field.as_str(), id.as_str()), ("request.messages[0].tool_call_id", "c1"));
        }
        other => panic!("{other}"),
    }
}

fn shard(folder: &TempDir, episodes: usize) -> PathBuf {
    let rows: Vec<String> = (0..episodes).map(|at| good(&format!("e{at}"))).collect();
    let source = write(folder, "rows.jsonl", rows.join("\n"));
    let path = folder.path().join("shard.parquet");
    let mut writer = ShardWriter::create(&path).expect("a writable folder");
    for episode in open(&source, &ReadOptions::default()).episodes() {
        writer.push(episode.expect("good rows")).expect("a writable folder");
    }
    writer.finish().expect("a writable folder");
    path
}

#[test]
fn truncated_parquet_is_refused_at_every_length() {
    let folder = folder();
    let whole = std::fs::read(shard(&folder, 20)).expect("the shard was written");
    for length in [0, 3, 4, 100, whole.len() / 2, whole.len() - 9, whole.len() - 1] {
        let path = write(&folder, "cut.parquet", &whole[..length]);
        for format in [None, Some(Format::Episodes), Some(Format::Arena)] {
            let error = read_error(&path, format);
            assert!(matches!(error, DatasetError::Parquet { .. }), "{length} bytes: {error}");
        }
    }
}

#[test]
fn damaged_parquet_never_panics() {
    let folder = folder();
    let whole = std::fs::read(shard(&folder, 20)).expect("the shard was written");
    let mut refused = 0;
    for at in (4..whole.len()).step_by(whole.len() / 97) {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x55;
        let path = write(&folder, "damaged.parquet", &damaged);
        let options = ReadOptions { format: Some(Format::Episodes), ..ReadOptions::default() };
        refused += usize::from(open(&path, &options).read_all().is_err());
    }
    assert!(refused > 20, "only {refused} of 97 damages were noticed");
}

fn write_parquet(path: &Path, schema: Schema, columns: Vec<ArrayRef>) {
    let schema = Arc::new(schema);
    let file = std::fs::File::create(path).expect("a writable folder");
    let mut writer = ArrowWriter::try_new(file, schema.clone(), None).expect("a sound schema");
    writer.write(&RecordBatch::try_new(schema, columns).expect("sound columns")).expect("a writable folder");
    writer.close().expect("a writable folder");
}

#[test]
fn a_column_of_the_wrong_type_is_named() {
    let folder = folder();
    let path = folder.path().join("wrong.parquet");
    let metadata = schema().metadata().clone();
    let wrong = Schema::new_with_metadata(vec![Field::new("id", DataType::Int64, false)], metadata);
    write_parquet(&path, wrong, vec![Arc::new(Int64Array::from(vec![1]))]);
    match read_error(&path, None) {
        DatasetError::ColumnType { field, expected, found, .. } => {
            assert_eq!((field.as_str(), expected.as_str(), found.as_str()), ("id", "Utf8", "Int64"));
        }
        other => panic!("{other}"),
    }
}

#[test]
fn an_arena_column_of_the_wrong_type_is_named() {
    let folder = folder();
    let path = folder.path().join("arena.parquet");
    let names = ["question_id", "model_a", "model_b", "winner", "conversation_a", "conversation_b"];
    let mut fields: Vec<Field> = names.iter().map(|name| Field::new(*name, DataType::Utf8, false)).collect();
    let mut columns: Vec<ArrayRef> =
        names.iter().map(|_| Arc::new(StringArray::from(vec!["model_a"])) as ArrayRef).collect();
    fields[3] = Field::new("winner", DataType::Int64, false);
    columns[3] = Arc::new(Int64Array::from(vec![1]));
    write_parquet(&path, Schema::new(fields), columns);
    match read_error(&path, None) {
        DatasetError::Row { row: 1, field, fault, .. } => {
            assert_eq!(field, "winner");
            assert_eq!(fault, RowFault::WrongType { expected: "text", found: "a number" });
        }
        other => panic!("{other}"),
    }
}

#[test]
fn other_schema_versions_are_refused() {
    let folder = folder();
    for version in ["0", "2", "x"] {
        let path = folder.path().join("version.parquet");
        let metadata = [(VERSION_KEY.to_owned(), version.to_owned())];
        let other = Schema::new_with_metadata(vec![Field::new("id", DataType::Utf8, false)], metadata);
        write_parquet(&path, other, vec![Arc::new(StringArray::from(vec!["e1"]))]);
        match read_error(&path, None) {
            DatasetError::SchemaVersion { found, supported: 1, .. } => assert_eq!(found, version),
            other => panic!("{other}"),
        }
    }
}

fn written(folder: &Path, overwrite: bool) -> Result<Manifest, DatasetError> {
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let source = write(&scratch, "rows.jsonl", format!("{}\n{}", good("a"), good("b")));
    let mut writer =
        DatasetWriter::create(folder, "small", Provenance::default(), SplitSpec::default(), overwrite)?;
    for episode in open(&source, &ReadOptions::default()).episodes() {
        writer.push(episode?)?;
    }
    writer.finish()
}

#[test]
fn a_data_set_is_written_once_and_read_by_its_folder() {
    let folder = folder();
    let manifest = written(folder.path(), false).expect("a writable folder");
    assert_eq!((manifest.episodes, manifest.groups, manifest.turns, manifest.tokens), (2, 2, 2, 4));
    assert!(matches!(written(folder.path(), false), Err(DatasetError::Occupied { .. })));
    assert_eq!(written(folder.path(), true).expect("overwriting was asked for"), manifest);
    let dataset = open(folder.path(), &ReadOptions::default());
    assert_eq!((dataset.name(), dataset.manifest()), ("small", Some(&manifest)));
    assert_eq!(dataset.read_all().expect("a sound data set").0.len(), 2);
    let left: Vec<_> = std::fs::read_dir(folder.path())
        .expect("a folder")
        .flatten()
        .map(|entry| entry.file_name())
        .collect();
    assert_eq!(left.len(), 2, "something else was left behind: {left:?}");
}

#[test]
fn a_changed_shard_or_manifest_is_refused() {
    let folder = folder();
    let manifest = written(folder.path(), false).expect("a writable folder");
    let at = folder.path().to_str().expect("a UTF-8 path");
    let reopen = || Dataset::open(at, &ReadOptions::default()).expect_err("a changed data set was taken");

    let toml = folder.path().join("manifest.toml");
    let text = std::fs::read_to_string(&toml).expect("the manifest was written");
    std::fs::write(&toml, text.replace("schema_version = 1", "schema_version = 9"))
        .expect("a writable folder");
    assert!(matches!(reopen(), DatasetError::SchemaVersion { found, .. } if found == "9"));
    std::fs::write(&toml, text.replace("tokens = 4", "tokens = \"four\"")).expect("a writable folder");
    assert!(matches!(reopen(), DatasetError::Manifest { message, .. } if message.contains("line")));

    std::fs::write(&toml, &text).expect("a writable folder");
    let shard = folder.path().join(&manifest.shards[0].file);
    let mut bytes = std::fs::read(&shard).expect("the shard was written");
    bytes[10] ^= 1;
    std::fs::write(&shard, bytes).expect("a writable folder");
    assert!(matches!(reopen(), DatasetError::HashMismatch { .. }));
}

#[test]
fn what_is_no_data_set_is_told_apart() {
    let folder = folder();
    let error = Dataset::open("no-such-data-set", &ReadOptions::default()).expect_err("it does not exist");
    assert!(matches!(error, DatasetError::NotFound { .. }));
    let path = write(&folder, "other.jsonl", r#"{"a": 1, "b": 2}"#);
    match read_error(&path, None) {
        DatasetError::UnknownFormat { seen, .. } => assert_eq!(seen, "a, b"),
        other => panic!("{other}"),
    }
}
