//! Sizes as a ratchet: the longest file and function may only get shorter.

use super::source::{Rust, Tree, root};

/// Where the maxima are kept.
const RATCHET: &str = "tests/flows/ratchet.toml";
/// Set to `lower` to write maxima that have shrunk.
const SWITCH: &str = "LRRC_RATCHET";

/// A maximum of the data file: its key, and the most that it may ever say.
struct Maximum {
    key: &'static str,
    ceiling: usize,
}

const FILE_LINES: Maximum = Maximum { key: "file_lines_max", ceiling: 800 };
const FN_LINES: Maximum = Maximum { key: "fn_lines_max", ceiling: 70 };

impl Maximum {
    /// What the data file says.
    fn recorded(&self, text: &str) -> usize {
        let table: toml::Table = text.parse().expect("the ratchet is TOML");
        let value = table.get(self.key).and_then(toml::Value::as_integer);
        value.and_then(|v| usize::try_from(v).ok()).expect("each maximum is a whole number")
    }

    /// The data file with the smaller of what it says and what was measured.
    fn lowered(&self, text: &str, measured: usize) -> String {
        let recorded = self.recorded(text);
        let [old, new] = [recorded, recorded.min(measured)].map(|n| format!("{} = {n}", self.key));
        text.replace(&old, &new)
    }

    /// What is wrong with the sizes (longest first) under this maximum.
    fn faults(&self, text: &str, sizes: &[(usize, String)]) -> Vec<String> {
        let recorded = self.recorded(text);
        let over = sizes.iter().filter(|(size, _)| *size > recorded);
        let mut faults: Vec<_> = over.map(|(size, what)| format!("{size:5}  {what}")).collect();
        if recorded > self.ceiling {
            faults.push(format!("{} = {recorded} is above {}", self.key, self.ceiling));
        }
        faults
    }
}

/// Lines of each file, longest first.
fn file_lines(tree: &Tree) -> Vec<(usize, String)> {
    longest_first(tree.rust().map(|f| (f.text.lines().count(), f.path.clone())).collect())
}

/// Lines of each function, longest first.
fn fn_lines(tree: &Tree) -> Vec<(usize, String)> {
    let of_file = |path: &str, text: &str| {
        let functions = Rust::parse(text).functions().into_iter();
        functions.map(|(name, line, size)| (size, format!("{name}  {path}:{line}"))).collect::<Vec<_>>()
    };
    longest_first(tree.rust().flat_map(|f| of_file(&f.path, &f.text)).collect())
}

fn longest_first(mut sizes: Vec<(usize, String)>) -> Vec<(usize, String)> {
    sizes.sort_by(|a, b| b.cmp(a));
    sizes
}

fn check(maximum: &Maximum, sizes: &[(usize, String)]) {
    let path = root().join(RATCHET);
    let text = std::fs::read_to_string(&path).expect("the ratchet lies beside the tests");
    let faults = maximum.faults(&text, sizes);
    let law = format!("{RATCHET}, {}", maximum.key);
    assert!(faults.is_empty(), "{law}:\n{}\n", faults.join("\n"));
    if std::env::var(SWITCH).is_ok_and(|v| v == "lower") {
        std::fs::write(&path, maximum.lowered(&text, sizes[0].0)).expect("the ratchet can be written");
    }
}

// One test for both maxima: they share the data file, which only one may write at a time.
#[test]
fn files_and_functions_only_get_shorter() {
    let tree = Tree::read();
    check(&FILE_LINES, &file_lines(&tree));
    check(&FN_LINES, &fn_lines(&tree));
}

#[test]
fn the_ratchet_turns_one_way() {
    let text = "# Sizes.\nfile_lines_max = 300\nfn_lines_max = 40\n";
    assert_eq!(FILE_LINES.lowered(text, 250), "# Sizes.\nfile_lines_max = 250\nfn_lines_max = 40\n");
    assert_eq!(FILE_LINES.lowered(text, 350), text);
    let sizes = [(41, "long".to_owned()), (40, "fair".to_owned())];
    assert_eq!(FN_LINES.faults(text, &sizes), ["   41  long"]);
    assert_eq!(FN_LINES.faults("fn_lines_max = 90", &sizes), ["fn_lines_max = 90 is above 70"]);
}
