//! The laws of the house, as tests: arrows between crates, names, comments, sizes.

mod arrows;
mod ratchet;
mod source;
mod words;

use source::Tree;

/// Fails with every finding at once, so that one run shows the whole list.
#[track_caller]
fn assert_none(law: &str, findings: &[String]) {
    assert!(findings.is_empty(), "{law}:\n  {}\n", findings.join("\n  "));
}

/// Findings of `judge` over texts, as `path:line: what`.
fn findings<'a>(
    tree: &'a Tree,
    judge: impl Fn(&'a source::File) -> Vec<(usize, String)> + 'a,
) -> Vec<String> {
    let found = |file: &'a source::File| {
        let path = &file.path;
        judge(file).into_iter().map(move |(line, what)| format!("{path}:{line}: {what}"))
    };
    tree.files.iter().flat_map(found).collect()
}
