//! The tree of the repository, and Rust read just far enough to tell code from comments and strings.

use std::path::{Path, PathBuf};

pub(super) use crate::root;

/// Top folders that hold what is written here; build output and runs lie elsewhere.
const FOLDERS: [&str; 8] =
    [".ci", "checkpoints", "configs", "crates", "datasets", "proofs", "python", "tests"];
/// Endings of texts; a name without an ending is a text in `.ci` and in the root.
const TEXTS: [&str; 11] = ["rs", "toml", "md", "json", "sh", "py", "yml", "yaml", "svg", "v", "tla"];

/// One text.
#[derive(Debug)]
pub(super) struct File {
    /// Its path from the root, with `/`.
    pub(super) path: String,
    /// Its text.
    pub(super) text: String,
}

impl File {
    pub(super) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }
}

/// Every text of the repository, in the order of the paths.
#[derive(Debug)]
pub(super) struct Tree {
    pub(super) files: Vec<File>,
}

impl Tree {
    pub(super) fn read() -> Self {
        let root = root();
        let mut paths: Vec<PathBuf> = entries(&root).into_iter().filter(|p| p.is_file()).collect();
        FOLDERS.iter().for_each(|folder| walk(&root.join(folder), &mut paths));
        paths.sort();
        let file = |path: PathBuf| {
            let text = std::fs::read_to_string(&path).ok()?;
            let path = path.strip_prefix(&root).ok()?.to_string_lossy().replace('\\', "/");
            Some(File { path, text })
        };
        let files: Vec<File> = paths.into_iter().filter(|p| is_text(p)).filter_map(file).collect();
        assert!(files.iter().any(File::is_rust), "no Rust under {}", root.display());
        Self { files }
    }

    pub(super) fn rust(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|f| f.is_rust())
    }
}

fn is_text(path: &Path) -> bool {
    path.extension().is_none_or(|end| TEXTS.iter().any(|text| end == *text))
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let listed = std::fs::read_dir(folder).into_iter().flatten();
    listed.filter_map(|entry| Some(entry.ok()?.path())).collect()
}

fn walk(folder: &Path, paths: &mut Vec<PathBuf>) {
    for path in entries(folder) {
        if path.is_dir() {
            walk(&path, paths);
        } else {
            paths.push(path);
        }
    }
}

/// Rust with the comments and the bodies of strings blanked, byte for byte, and the comments apart.
pub(super) struct Rust {
    pub(super) code: String,
    /// Line (from 1) and text of each comment.
    pub(super) comments: Vec<(usize, String)>,
}

impl Rust {
    pub(super) fn parse(text: &str) -> Self {
        let mut rust = Self { code: String::with_capacity(text.len()), comments: Vec::new() };
        let (mut at, mut line) = (0, 1);
        while let Some(first) = text[at..].chars().next() {
            let piece = match token_length(&text[at..], rust.code.as_bytes().last().copied()) {
                Some(length) => &text[at..at + length],
                None => &text[at..at + first.len_utf8()],
            };
            if piece.starts_with("//") || piece.starts_with("/*") {
                let lines = piece.lines().enumerate();
                rust.comments.extend(lines.map(|(i, text)| (line + i, text.to_owned())));
            }
            if piece.len() == first.len_utf8() {
                rust.code.push_str(piece);
            } else {
                rust.code.extend(piece.bytes().map(|b| if b == b'\n' { '\n' } else { ' ' }));
            }
            line += piece.matches('\n').count();
            at += piece.len();
        }
        rust
    }

    /// Name, first line (from 1) and number of lines of each function with a body.
    pub(super) fn functions(&self) -> Vec<(String, usize, usize)> {
        let starts = self.code.match_indices("fn ").filter(|(at, _)| {
            self.code[..*at].chars().next_back().is_none_or(|c| !c.is_alphanumeric() && c != '_')
        });
        starts.filter_map(|(at, _)| self.function(at)).collect()
    }

    fn function(&self, at: usize) -> Option<(String, usize, usize)> {
        let name: String =
            self.code[at + 3..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        let length = body_end(&self.code[at..]).filter(|_| !name.is_empty())?;
        let first = 1 + self.code[..at].matches('\n').count();
        Some((name, first, 1 + self.code[at..at + length].matches('\n').count()))
    }
}

/// The length of the comment, string or character that `rest` starts with.
fn token_length(rest: &str, before: Option<u8>) -> Option<usize> {
    if rest.starts_with("//") {
        return Some(rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return Some(block_comment(rest));
    }
    let in_word = before.is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_');
    let prefix = rest.bytes().take_while(|b| b"bcr".contains(b)).count();
    let body = &rest[prefix..];
    if prefix > 0 && (in_word || prefix > 2) {
        return None;
    }
    let hashes = body.bytes().take_while(|b| *b == b'#').count();
    if rest[..prefix].ends_with('r') && body[hashes..].starts_with('"') {
        let close = format!("\"{}", "#".repeat(hashes));
        let end = body[hashes + 1..].find(&close)?;
        return Some(prefix + hashes + 1 + end + close.len());
    }
    match body.chars().next() {
        Some('"') => Some(prefix + quoted(body)?),
        Some('\'') => character(body).map(|length| prefix + length),
        _ => None,
    }
}

/// The length of a block comment, nested ones included.
fn block_comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        match &rest.as_bytes()[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

/// The length of a string with escapes, quotes included.
fn quoted(body: &str) -> Option<usize> {
    let mut escaped = false;
    let end = body.bytes().enumerate().skip(1).find(|(_, byte)| {
        let closes = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        closes
    })?;
    Some(end.0 + 1)
}

/// The length of a character literal; a lifetime is none.
fn character(body: &str) -> Option<usize> {
    let mut inside = body[1..].chars();
    let first = inside.next()?;
    if first == '\\' {
        return body[3..].find('\'').map(|end| 3 + end + 1);
    }
    (inside.next() == Some('\'')).then(|| 1 + first.len_utf8() + 1)
}

/// The length from the start of a signature to the end of its body; a signature alone has none.
fn body_end(code: &str) -> Option<usize> {
    let (mut brackets, mut braces) = (0, 0);
    for (at, mark) in code.char_indices() {
        match mark {
            '(' | '[' => brackets += 1,
            ')' | ']' => brackets -= 1,
            '{' => braces += 1,
            '}' => {
                braces -= 1;
                if braces <= 0 {
                    return (braces == 0).then_some(at + 1);
                }
            }
            ';' if braces == 0 && brackets == 0 => return None,
            _ => {}
        }
    }
    None
}

#[test]
fn code_is_told_from_comments_and_strings() {
    let text = "let a = \"// no\"; // yes {\nlet b: &'static str = r#\"\"fn x() {\"#; /* two\nlines */ let c = '\"';";
    let rust = Rust::parse(text);
    assert_eq!(rust.code.len(), text.len());
    assert_eq!(rust.comments.iter().map(|c| c.0).collect::<Vec<_>>(), [1, 2, 3]);
    assert!(rust.code.contains("&'static str") && rust.code.contains("let c = "), "{}", rust.code);
    assert!(
        !rust.code.contains('"') && !rust.code.contains("fn") && !rust.code.contains('{'),
        "{}",
        rust.code
    );
}

#[test]
fn functions_are_measured_from_signature_to_brace() {
    let text =
        "trait T { fn none(a: [u8; 3]); }\nfn one(b: [u8; 3]) -> u8 {\n    let s = \"}\";\n    b[0]\n}\n";
    assert_eq!(Rust::parse(text).functions(), [("one".to_owned(), 2, 4)]);
}
