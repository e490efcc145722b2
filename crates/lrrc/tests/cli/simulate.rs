//! What `lrrc simulate` prints and refuses.

use super::Folder;

#[test]
fn one_of_json_and_figure_may_take_the_standard_output() {
    let folder = Folder::new();
    let told = folder.run("simulate --scenario planning --plot -").succeeded();
    assert!(told.out.starts_with("<svg") && !told.out.contains("tokens a run"), "{}", told.out);
    assert!(folder.names().is_empty(), "{:?}", folder.names());
    let told = folder.run("simulate --scenario planning --plot - --json out.json").succeeded();
    assert!(told.out.starts_with("<svg"), "{}", told.out);
    assert_eq!(folder.names(), ["out.json"]);
    folder
        .run("simulate --scenario planning --plot - --json -")
        .failed_with(&["cannot both write the standard output"]);
}

#[test]
fn seeds_end_with_the_numbers() {
    let folder = Folder::new();
    folder.run("simulate --seed 18446744073709551615 --faults 3").failed_with(&[
        "--seed 18446744073709551615 with --faults 3",
        "--seed 18446744073709551613 is the last",
    ]);
    let told = folder.run("simulate --seed 18446744073709551615 --faults 1").succeeded();
    assert!(
        told.out.starts_with("seed 18446744073709551615\n") && told.out.contains("\n1 run in"),
        "{}",
        told.out
    );
    folder.run("simulate --seed -1").failed_with(&["from 0 to 18446744073709551615"]);
    folder.run("simulate --faults 0").failed_with(&["from 1 to 10000000"]);
    folder.run("simulate --write-probability -0.5").failed_with(&["between 0 and 1"]);
}

#[test]
fn published_figures_stand_beside_the_published_work_only() {
    let folder = Folder::new();
    let shipped = include_str!("../../../../configs/sim/planning.toml");
    for (name, text, is_told) in [
        ("same.toml", shipped.to_owned(), true),
        ("more.toml", shipped.replace("agents = 4", "agents = 5"), false),
        ("claim.toml", shipped.replace("savings_percent = 95.0", "savings_percent = 99.0"), false),
    ] {
        folder.file(name, text.as_bytes());
        let told = folder.run(&format!("simulate --scenario {name}")).succeeded();
        assert_eq!(told.out.contains("published:"), is_told, "{name}: {}", told.out);
    }
    let told = folder.run("simulate --scenario planning --strategy eager").succeeded();
    assert!(!told.out.contains("published:"), "{}", told.out);
}

#[test]
fn what_saves_nothing_of_nothing_is_a_dash() {
    let folder = Folder::new();
    let idle = "name = \"idle\"\n[workload]\naction_probability = 0.0\n[seeds]\nfirst = 1\ncount = 2\n";
    folder.file("idle.toml", idle.as_bytes());
    let told = folder.run("simulate --scenario idle.toml").succeeded();
    let row = told.out.lines().find(|line| line.contains("│ idle")).expect("its row");
    let cells: Vec<&str> = row.split('┆').map(str::trim).collect();
    assert_eq!(cells[6..8], ["–", "–"], "{row}");
}

#[test]
fn a_name_steers_no_terminal() {
    let folder = Folder::new();
    folder.file("odd.toml", b"name = \"red \\u001b[31m\"\n[seeds]\nfirst = 1\ncount = 1\n");
    let told = folder.run("simulate --scenario odd.toml").succeeded();
    assert!(!told.out.contains('\u{1b}') && told.out.contains("red \\u{1b}[31m"), "{}", told.out);
    let told = folder.run(&format!("simulate --scenario {}", "\u{1b}x".repeat(500)));
    told.failed_with(&["no scenario", "…"]);
    assert!(!told.err.contains('\u{1b}') && told.err.len() < 1000, "{told:?}");
}
