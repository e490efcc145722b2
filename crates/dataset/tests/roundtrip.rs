//! Episode → Arrow → Parquet → Episode is the identity, and no bytes make an importer panic.

use lrrc_dataset::{Dataset, Format, ReadOptions, ShardWriter};
use lrrc_episode::{Agent, Episode, Outcome, Query, Role, ToolCall, Turn, Winner};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

fn call() -> impl Strategy<Value = ToolCall> {
    (option::of(".{0,5}"), ".{0,8}", ".{0,20}").prop_map(|(id, name, arguments)| ToolCall {
        id,
        name,
        arguments,
    })
}

/// A turn that is not a tool result, since those need a call before them.
fn turn() -> impl Strategy<Value = Turn> {
    let role = prop::sample::select(vec![Role::System, Role::User, Role::Assistant, Role::Speaker]);
    let names = (option::of(".{0,8}"), option::of(".{0,8}"));
    (0..3_usize, role, any::<String>(), vec(call(), 0..3), names, any::<u32>()).prop_map(
        |(agent, role, content, tool_calls, (tool_name, tool_call_id), tokens)| Turn {
            agent,
            role,
            content,
            tool_calls,
            tool_name,
            tool_call_id,
            tokens: Some(tokens),
        },
    )
}

fn outcome() -> impl Strategy<Value = Outcome> {
    let winner =
        prop::sample::select(vec![None, Some(Winner::ModelA), Some(Winner::ModelB), Some(Winner::Tie)]);
    let reward = option::of(-1e9..1e9_f64);
    (reward, option::of(any::<bool>()), winner, option::of(any::<u32>()))
        .prop_map(|(reward, success, winner, votes)| Outcome { reward, success, winner, votes })
}

fn episode() -> impl Strategy<Value = Episode> {
    let models = vec(option::of(".{0,5}"), 3);
    let queries = vec((".{0,9}", ".{0,9}", any::<bool>()), 0..3);
    (vec(turn(), 1..6), models, queries, outcome(), option::of(".{0,9}"), any::<String>()).prop_map(
        |(turns, models, queries, outcome, task, source)| {
            let last = turns.len() as u32 - 1;
            let evidence = |has: bool| if has { vec![(0, last), (last, last)] } else { Vec::new() };
            Episode {
                id: String::new(),
                group: "g".into(),
                source,
                license: "MIT".into(),
                task,
                agents: (0..)
                    .zip(models)
                    .map(|(at, model)| Agent { name: format!("agent {at}"), model })
                    .collect(),
                turns,
                queries: queries
                    .into_iter()
                    .map(|(text, answer, has)| Query { text, answer, evidence: evidence(has) })
                    .collect(),
                outcome,
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn parquet_gives_back_what_it_was_given(mut episodes in vec(episode(), 1..8)) {
        (0..).zip(&mut episodes).for_each(|(at, episode)| episode.id = format!("e{at}"));
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("shard.parquet");
        let mut writer = ShardWriter::create(&path)?;
        for episode in &episodes {
            writer.push(episode.clone())?;
        }
        let info = writer.finish()?;
        prop_assert_eq!(info.episodes, episodes.len() as u64);
        let read = Dataset::of_files(vec![path], &ReadOptions::default()).read_all()?.0;
        prop_assert_eq!(read, episodes);
    }

    #[test]
    fn no_bytes_make_an_importer_panic(lines in vec(vec(any::<u8>(), 0..60), 0..5)) {
        read_as_every_format(&lines.join(&b'\n'));
    }

    #[test]
    fn no_near_miss_makes_an_importer_panic(lines in vec(near_miss(), 0..6)) {
        read_as_every_format(lines.join("\n").as_bytes());
    }
}

/// JSON made of the words that the importers look for, in places where they may not belong.
fn near_miss() -> impl Strategy<Value = String> {
    let words = "traj_id turns agent role content tool user system assistant tool_calls function name arguments messages \
                 request response choices message conversation_a conversation_b winner model_a question_id tokens \
                 specific_queries relevant_text_span query session metadata votes tool_call_id id outcome agents models";
    let word = prop::sample::select(words.split(' ').collect::<Vec<_>>());
    let leaf = prop_oneof![
        word.clone().prop_map(|word| format!("\"{word}\"")),
        any::<i64>().prop_map(|number| number.to_string()),
        Just("null".to_owned()),
        Just("true".to_owned()),
    ];
    let value = leaf.prop_recursive(5, 40, 6, move |inner| {
        let field = (word.clone(), inner.clone()).prop_map(|(word, value)| format!("\"{word}\": {value}"));
        prop_oneof![
            vec(inner, 0..4).prop_map(|items| format!("[{}]", items.join(", "))),
            vec(field, 0..8).prop_map(|fields| format!("{{{}}}", fields.join(", "))),
        ]
    });
    value.boxed()
}

fn read_as_every_format(bytes: &[u8]) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("rows.jsonl");
    std::fs::write(&path, bytes).expect("a writable folder");
    for format in Format::ALL.map(Some).into_iter().chain([None]) {
        let options = ReadOptions { skip_bad: true, format, ..ReadOptions::default() };
        let mut stream = Dataset::of_files(vec![path.clone()], &options).episodes();
        let read = stream.by_ref().filter(Result::is_ok).count() as u64;
        assert_eq!(stream.report().read, read);
    }
}
