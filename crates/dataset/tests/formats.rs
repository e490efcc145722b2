//! Files of each format are recognised and read through the one door.

use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, ListArray, RecordBatch, StringArray, StructArray};
use arrow_buffer::OffsetBuffer;
use arrow_schema::{DataType, Field, Fields, Schema};
use lrrc_dataset::{Dataset, Format, ReadOptions};
use lrrc_episode::{Episode, Role, Winner};
use parquet::arrow::ArrowWriter;

fn read(path: &Path, format: Format) -> Vec<Episode> {
    assert_eq!(Format::detect(path).expect("a known format"), format);
    let at = path.to_str().expect("a UTF-8 path");
    let dataset = Dataset::open(at, &ReadOptions::default()).expect("the file is there");
    dataset.read_all().expect("a sound file").0
}

/// A column of conversations, each a list of `{content, role}` as `chatbot_arena_conversations` has it.
fn conversations(rows: &[&[(&str, &str)]]) -> ArrayRef {
    let fields: Fields =
        ["content", "role"].map(|name| Field::new(name, DataType::Utf8, true)).to_vec().into();
    let messages = rows.iter().flat_map(|row| row.iter());
    let roles: StringArray = messages.clone().map(|(role, _)| Some(*role)).collect();
    let contents: StringArray = messages.map(|(_, content)| Some(*content)).collect();
    let values = StructArray::new(fields.clone(), vec![Arc::new(contents), Arc::new(roles)], None);
    let item = Arc::new(Field::new("item", DataType::Struct(fields), true));
    let offsets = OffsetBuffer::from_lengths(rows.iter().map(|row| row.len()));
    Arc::new(ListArray::new(item, offsets, Arc::new(values), None))
}

#[test]
fn arena_parquet_is_read() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("train.parquet");
    let words = |words: [&str; 2]| Arc::new(StringArray::from(words.to_vec())) as ArrayRef;
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("question_id", words(["q1", "q2"])),
        ("model_a", words(["alpha", "beta"])),
        ("model_b", words(["gamma", "delta"])),
        ("winner", words(["model_b", "tie"])),
        ("judge", words(["j1", "j2"])),
        (
            "conversation_a",
            conversations(&[&[("user", "hello world"), ("assistant", "one")], &[("user", "x")]]),
        ),
        (
            "conversation_b",
            conversations(&[&[("user", "hello world"), ("assistant", "two")], &[("user", "x")]]),
        ),
    ];
    let fields: Vec<Field> =
        columns.iter().map(|(name, column)| Field::new(*name, column.data_type().clone(), true)).collect();
    let schema = Arc::new(Schema::new(fields));
    let columns = columns.into_iter().map(|(_, column)| column).collect();
    let batch = RecordBatch::try_new(schema.clone(), columns).expect("sound columns");
    let file = std::fs::File::create(&path).expect("a writable folder");
    let mut writer = ArrowWriter::try_new(file, schema, None).expect("a sound schema");
    writer.write(&batch).expect("a writable folder");
    writer.close().expect("a writable folder");

    let episodes = read(&path, Format::Arena);
    let texts: Vec<&str> = episodes[0].turns.iter().map(|turn| turn.content.as_str()).collect();
    assert_eq!(texts, ["hello world", "one", "two"]);
    assert_eq!(episodes[0].turns[0].tokens, Some(2));
    assert_eq!(
        episodes.iter().map(|episode| episode.outcome.winner).collect::<Vec<_>>(),
        [Some(Winner::ModelB), Some(Winner::Tie)]
    );
    assert_eq!(episodes[1].turns.len(), 1);
}

#[test]
fn jsonl_of_every_format_is_recognised() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let cases = [
        (Format::Trajectory, r#"{"traj_id": "t", "turns": [{"role": "user", "content": "a"}]}"#, Role::User),
        (
            Format::Evidence,
            r#"{"traj_id": "m", "turns": [{"agent": "A", "content": "a"}], "specific_queries": []}"#,
            Role::Speaker,
        ),
        (
            Format::Arena,
            r#"{"question_id": "q", "model_a": "x", "model_b": "y", "winner": "tie", "conversation_a":
                [{"role": "user", "content": "a"}], "conversation_b": [{"role": "user", "content": "a"}]}"#,
            Role::User,
        ),
        (
            Format::OpenAi,
            r#"{"request": {"messages": [{"role": "developer", "content": "a"}]}}"#,
            Role::System,
        ),
        (Format::OpenAi, r#"{"messages": [{"role": "user", "content": "a"}]}"#, Role::User),
    ];
    for (format, row, role) in cases {
        let path = folder.path().join("rows.jsonl");
        std::fs::write(&path, row.replace('\n', " ")).expect("a writable folder");
        let episodes = read(&path, format);
        assert_eq!(episodes.len(), 1, "{format}");
        assert_eq!(
            (episodes[0].turns[0].role, episodes[0].turns[0].content.as_str()),
            (role, "a"),
            "{format}"
        );
        assert_eq!(episodes[0].turns[0].tokens, Some(1), "{format}");
    }
}
