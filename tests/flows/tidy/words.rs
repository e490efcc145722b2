//! Laws about words: names of files, comments, attributes, paths, and what a pure room may name.

use regex::Regex;

use super::source::{File, Rust, Tree};
use super::{assert_none, findings};

/// Names that say nothing about what is inside.
const GRAB_BAGS: [&str; 8] = ["utils", "util", "helpers", "helper", "common", "misc", "stuff", "shared"];
/// Names of crates that everybody would depend on.
const GRAB_CRATES: [&str; 6] = ["types", "core", "utils", "common", "helpers", "base"];
/// Rooms without files, clock, environment, network or device.
const PURE: [&str; 5] = ["episode", "context", "coherence", "fragment", "media"];
/// What the code of a pure room does not name.
const EFFECTS: &str = r"\bstd::(?:fs|env|net|process|thread::sleep)\b|\b(?:SystemTime|Instant)::now\b|\b(?:burn|tokio|parquet)::";

/// A comment that tells how the code came to be.
const DIARY: &str = r"(?ix)
    \b(?:phase|wave|milestone|sprint|iteration|stage|audit)[\ \-][a-z]?\d
  | \b(?:todo|fixme|xxx|hack)\b
  | \b(?:previously|formerly|as\ of\ now|for\ now|we\ now|now\ we|used\ to\ be)\b
  | \bno\ longer\ (?:\w+ed|\w+s|an?|the|be|read)\b
  | \b(?:was|were|has\ been|have\ been)\ (?:renamed|moved|rewritten|replaced|refactored|changed|fixed)\b
  | \b(?:pr|issue|ticket|bug|fix|gh)[\ \-]?\#?\d+\b
  | (?:^|[\s(])\#\d{1,5}\b";

/// A path of one machine: it means nothing on another.
const ABSOLUTE: &str = r#"(?m)(?:^|[\s"'`(=:,\[])/(?:home|root|work|Users)/\w"#;

fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the pattern is a literal of this file")
}

/// Comments of Rust, and of the formats whose comments start with `#`.
fn comments(file: &File) -> Vec<(usize, String)> {
    let hash = file.path.ends_with(".toml") || file.path.starts_with(".ci/");
    if file.is_rust() {
        return Rust::parse(&file.text).comments;
    }
    let lines = file.text.lines().enumerate().filter(|_| hash);
    lines.filter_map(|(i, line)| Some((i + 1, line.trim_start().strip_prefix('#')?.to_owned()))).collect()
}

fn diary(file: &File) -> Vec<(usize, String)> {
    let pattern = regex(DIARY);
    comments(file).into_iter().filter(|(_, text)| pattern.is_match(text)).collect()
}

fn absolute(file: &File) -> Vec<(usize, String)> {
    let pattern = regex(ABSOLUTE);
    let lines = file.text.lines().enumerate().filter(|(_, line)| pattern.is_match(line));
    lines.map(|(i, line)| (i + 1, line.trim().to_owned())).collect()
}

/// Lines of Rust code, comments and strings aside, that match.
fn code_lines(file: &File, pattern: &str) -> Vec<(usize, String)> {
    let pattern = regex(pattern);
    let code = Rust::parse(&file.text).code;
    let lines = code.lines().enumerate().filter(|(_, line)| pattern.is_match(line));
    lines.map(|(i, line)| (i + 1, line.trim().to_owned())).collect()
}

fn allowed(file: &File) -> Vec<(usize, String)> {
    if file.is_rust() { code_lines(file, r"#!?\[allow\(") } else { Vec::new() }
}

fn impure(file: &File) -> Vec<(usize, String)> {
    let pure = PURE.iter().any(|room| file.path.starts_with(&format!("crates/{room}/src/")));
    if pure && file.is_rust() { code_lines(file, EFFECTS) } else { Vec::new() }
}

fn is_grab_bag(path: &str) -> bool {
    let mut parts = path.split('/');
    let crate_folder = parts.next() == Some("crates");
    let grab_crate = crate_folder && parts.next().is_some_and(|name| GRAB_CRATES.contains(&name));
    let names = path.split('/').map(|part| part.strip_suffix(".rs").unwrap_or(part));
    grab_crate || names.into_iter().any(|name| GRAB_BAGS.contains(&name))
}

#[test]
fn names_say_what_is_inside() {
    let tree = Tree::read();
    let bags: Vec<_> = tree.rust().filter(|f| is_grab_bag(&f.path)).map(|f| f.path.clone()).collect();
    assert_none("a grab-bag has no subject: name the file after what it does", &bags);
}

#[test]
fn comments_tell_the_code_and_not_its_history() {
    let tree = Tree::read();
    assert_none("history belongs in CHANGELOG.md and the commits", &findings(&tree, diary));
}

#[test]
fn lints_are_expected_and_never_allowed() {
    let tree = Tree::read();
    assert_none("write #[expect(lint, reason = \"…\")]", &findings(&tree, allowed));
}

#[test]
fn no_path_names_a_machine() {
    let tree = Tree::read();
    assert_none("a path of one machine means nothing on another", &findings(&tree, absolute));
}

#[test]
fn pure_rooms_name_no_effect() {
    let tree = Tree::read();
    assert_none("a pure room takes effects as arguments", &findings(&tree, impure));
}

/// A file made up for a case.
fn file(path: &str, text: &str) -> File {
    File { path: path.to_owned(), text: text.to_owned() }
}

#[test]
fn each_law_about_words_catches_its_case() {
    let at = |found: Vec<(usize, String)>| found.into_iter().map(|(line, _)| line).collect::<Vec<_>>();
    let told = "//! Counts tokens.\n// Phase 2: faster\nlet s = \"TODO\"; // see #12\n/* it was moved */\n";
    assert_eq!(at(diary(&file("crates/a/src/lib.rs", told))), [2, 3, 4]);
    assert_eq!(at(diary(&file("a.toml", "# no longer read\nkey = 1 # fine\n"))), [1]);
    assert_eq!(at(allowed(&file("a.rs", "// #[allow(x)]\n#[allow(dead_code)]\n"))), [2]);
    assert_eq!(
        at(absolute(&file("a.md", concat!("see `docs`\nin /", "home/ada/x\nhttps://a.b/work/c\n")))),
        [2]
    );
    let clock = "// std::fs::read\nlet now = std::time::SystemTime::now();\nuse std::fs;\n";
    assert_eq!(at(impure(&file("crates/episode/src/a.rs", clock))), [2, 3]);
    assert!(impure(&file("crates/dataset/src/a.rs", clock)).is_empty());
}

#[test]
fn grab_bags_are_told_from_subjects() {
    assert!(
        ["crates/a/src/utils.rs", "crates/a/src/common/mod.rs", "crates/core/src/lib.rs"].map(is_grab_bag)
            == [true; 3]
    );
    assert!(["crates/a/src/token.rs", "crates/episode/src/core.rs"].map(is_grab_bag) == [false; 2]);
}
