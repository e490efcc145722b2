//! What a scenario file may say, and what is said about one that it may not.

use lrrc_sim::Scenario;

#[test]
fn faulty_files_are_refused_with_place_and_reason() {
    let cases = [
        (
            "name = \"x\"\n[workload]\nagentz = 3",
            "f.toml:3: unknown key `workload.agentz`; did you mean `workload.agents`?",
        ),
        ("worklod = 3", "f.toml:1: unknown key `worklod`; did you mean `workload`?"),
        ("zzz = 3", "f.toml:1: unknown key `zzz`"),
        ("name = \"x\"\n[workload", "f.toml:2: unclosed table, expected `]`"),
        (
            "name = \"x\"\n[workload]\nagents = \"three\"",
            "f.toml:3: invalid type: string \"three\", expected u32",
        ),
        ("name = \"x\"\n[workload]\nticks = -1", "f.toml:3: invalid value: integer `-1`, expected u32"),
        ("", "f.toml: name = \"\": 1 to 64 bytes are needed"),
        ("format = 2", "f.toml: format = 2: this version reads format 1"),
        (
            "name = \"x\"\n[workload]\nagents = 0",
            "f.toml: workload.agents = 0: it lies between 1 and 4294967295",
        ),
        (
            "name = \"x\"\n[workload]\ndelay_ticks = 0",
            "f.toml: workload.delay_ticks = 0: it lies between 1 and 4294967295",
        ),
        (
            "name = \"x\"\n[workload]\naction_probability = 1.5",
            "f.toml: workload.action_probability = 1.5: it lies between 0 and 1",
        ),
        (
            "name = \"x\"\n[workload]\nwrite_probability = nan",
            "f.toml: workload.write_probability = NaN: it lies between 0 and 1",
        ),
        (
            "name = \"x\"\n[published]\nsavings_percent = 101.0",
            "f.toml: published.savings_percent = 101: it lies between 0 and 100",
        ),
        (
            "name = \"x\"\n[workload]\nagents = 4000\nartifacts = 100000",
            "f.toml: workload.agents × workload.artifacts = 400000000: it lies between 1 and 10000000",
        ),
        (
            "name = \"x\"\n[workload]\nartifact_tokens = 9007199254740992",
            "f.toml: tokens that one run may send = 18852068040172896256: it lies between 1 and 9007199254740992",
        ),
        (
            "name = \"x\"\n[seeds]\ncount = 5000000",
            "f.toml: seeds.count = 5000000: it lies between 1 and 1000000",
        ),
    ];
    for (text, message) in cases {
        let refused = Scenario::parse("f.toml", text).expect_err(text);
        assert_eq!(refused.to_string(), message, "{text}");
    }
}

#[test]
fn what_a_file_leaves_out_has_the_published_size() {
    let read = Scenario::parse("f.toml", "name = \"planning\"").expect("a name suffices");
    assert_eq!(read.workload, Scenario::open("planning").expect("shipped").workload);
}

#[test]
fn names_and_files_are_told_apart() {
    let cases = [
        (
            "plannin",
            "no scenario `plannin`, did you mean `planning`?: the shipped ones are planning, analysis, development, churn; a file ends in .toml",
        ),
        (
            "/",
            "no scenario `/`: the shipped ones are planning, analysis, development, churn; a file ends in .toml",
        ),
        ("none.toml", "none.toml: No such file or directory (os error 2)"),
    ];
    for (name, message) in cases {
        assert_eq!(Scenario::open(name).expect_err(name).to_string(), message);
    }
}
