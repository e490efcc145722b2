//! Which tokenizer crate counts fastest, and which of them count the same.
//!
//! `cargo bench -p lrrc-episode --bench tokenizer` measures on texts made here. With `LRRC_BENCH_DATA=<folder of
//! JSONL>` the prose and the JSON are strings of those files, and every string of every file is counted by all.

#![expect(
    clippy::disallowed_methods,
    reason = "a bench reads the clock, the files to measure on, and where they lie"
)]

use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use lrrc_episode::Encoding;
use serde_json::Value;

type Count = Box<dyn Fn(&str) -> usize>;

const SAMPLE_BYTES: usize = 1 << 20;
const HOSTILE_BYTES: usize = 2_000_000;
const PATIENCE: Duration = Duration::from_secs(120);

fn candidates(encoding: Encoding) -> Vec<(&'static str, Count)> {
    let (ours, reference) = match encoding {
        Encoding::Cl100kBase => (bpe_openai::cl100k_base(), tiktoken_rs::cl100k_base_singleton()),
        Encoding::O200kBase => (bpe_openai::o200k_base(), tiktoken_rs::o200k_base_singleton()),
    };
    let other = tiktoken::get_encoding(encoding.name()).expect("tiktoken knows both tables");
    vec![
        ("bpe-openai", Box::new(move |text| ours.count(text))),
        ("tiktoken-rs", Box::new(move |text| reference.encode_ordinary(text).len())),
        ("tiktoken", Box::new(move |text| other.count(text))),
    ]
}

/// The strings of the files in `LRRC_BENCH_DATA`, or some made here.
fn texts() -> Vec<String> {
    let mut texts = Vec::new();
    if let Some(folder) = std::env::var_os("LRRC_BENCH_DATA") {
        for entry in std::fs::read_dir(folder).expect("LRRC_BENCH_DATA is a folder") {
            let path = entry.expect("a readable folder").path();
            if path.extension().is_some_and(|extension| extension == "jsonl") {
                for line in std::fs::read_to_string(path).expect("a readable file").lines() {
                    strings(&serde_json::from_str(line).expect("a line of JSON"), &mut texts);
                }
            }
        }
    } else {
        for number in 0..4_000 {
            texts.push(format!(
                "Could you please book flight {number} for {} passengers, thanks!",
                number % 7
            ));
            texts
                .push(format!("{{\"user_id\": \"u_{number}\", \"price\": {}, \"paid\": true}}", number * 31));
        }
    }
    texts
}

fn strings(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::String(text) => into.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| strings(item, into)),
        Value::Object(fields) => fields.values().for_each(|field| strings(field, into)),
        _ => {}
    }
}

/// About one MiB of the texts that are JSON, or of those that are not.
fn sample(texts: &[String], json: bool) -> Vec<&str> {
    let is_json = |text: &str| text.len() > 30 && (text.starts_with('{') || text.starts_with('['));
    let mut bytes = 0;
    let chosen = texts.iter().filter(|text| is_json(text) == json).take_while(|text| {
        bytes += text.len();
        bytes <= SAMPLE_BYTES
    });
    chosen.map(String::as_str).collect()
}

/// The crate in use must count as `tiktoken-rs` does, which carries OpenAI's own code; of the third the strings that
/// it counts otherwise are told.
fn compare_counts(texts: &[String]) {
    for encoding in Encoding::ALL {
        let candidates = candidates(encoding);
        let mut otherwise = 0;
        for text in texts {
            let [ours, reference, third] = [0, 1, 2].map(|at| candidates[at].1(text));
            assert_eq!(ours, reference, "{} of {text:?}", encoding.name());
            otherwise += usize::from(third != reference);
        }
        let strings = texts.len();
        println!(
            "{}: bpe-openai = tiktoken-rs on {strings} strings; tiktoken differs on {otherwise}",
            encoding.name()
        );
    }
}

fn throughput(criterion: &mut Criterion) {
    let texts = texts();
    compare_counts(&texts);
    for encoding in Encoding::ALL {
        for (kind, json) in [("prose", false), ("json", true)] {
            let sample = sample(&texts, json);
            let mut group = criterion.benchmark_group(format!("{}/{kind}", encoding.name()));
            group.sample_size(10).measurement_time(Duration::from_secs(4));
            group.throughput(Throughput::Bytes(sample.iter().map(|text| text.len() as u64).sum()));
            for (name, count) in candidates(encoding) {
                group.bench_with_input(BenchmarkId::from_parameter(name), &sample, |bencher, sample| {
                    bencher.iter(|| sample.iter().map(|text| count(text)).sum::<usize>());
                });
            }
        }
    }
}

/// One timed pass each, and no longer run than [`PATIENCE`] foretells: some crates need quadratic time here.
fn hostile(_: &mut Criterion) {
    for encoding in Encoding::ALL {
        for (name, count) in candidates(encoding) {
            let mut bytes = HOSTILE_BYTES / 64;
            loop {
                let run = "a".repeat(bytes);
                let start = Instant::now();
                let tokens = count(&run);
                let elapsed = start.elapsed();
                println!("{}/hostile/{name}: {bytes} bytes, {tokens} tokens, {elapsed:?}", encoding.name());
                if bytes == HOSTILE_BYTES || elapsed * 16 > PATIENCE {
                    break;
                }
                bytes = (bytes * 4).min(HOSTILE_BYTES);
            }
        }
    }
}

criterion_group!(benches, throughput, hostile);
criterion_main!(benches);
