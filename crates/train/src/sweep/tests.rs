use super::*;
use crate::error::ConfigError;

const TEXT: &str = "name = \"t\"\nseeds = 3\nfolds = 3\ndatasets = [\"taubench-airline\"]\n\
    set = [\"optim.epochs=1\"]\n[grid]\n\"model.rank\" = [4, 8]\n[[arm]]\nname = \"rules\"\nkind = \"rules\"\n";

fn names(text: &str) -> Vec<String> {
    let spec = SweepSpec::parse("t.toml", text).expect("a sound sweep");
    spec.trials().expect("sound arms").into_iter().map(|trial| trial.name).collect()
}

#[test]
fn arms_meet_seeds_and_folds() {
    let diagonal = names(TEXT);
    assert_eq!(diagonal[..3], ["rank-4-s1-f0", "rank-8-s1-f0", "rules-s1-f0"]);
    assert_eq!(diagonal.len(), 9);
    let crossed = names(&TEXT.replace("folds = 3", "folds = 3\ndesign = \"crossed\""));
    assert_eq!(crossed.len(), 2 * 9 + 3);
}

#[test]
fn shards_share_the_list_out() {
    let spec = SweepSpec::parse("t.toml", TEXT).expect("a sound sweep");
    let trials = spec.trials().expect("sound arms");
    let mut all: Vec<&str> =
        (1..=4).flat_map(|this| shard(&trials, (this, 4))).map(|trial| trial.name.as_str()).collect();
    all.sort_unstable();
    let mut whole: Vec<&str> = trials.iter().map(|trial| trial.name.as_str()).collect();
    whole.sort_unstable();
    assert_eq!(all, whole);
}

#[test]
fn a_faulty_sweep_is_named_with_its_place() {
    let check = |text: &str, expect: &str| {
        let error = SweepSpec::parse("t.toml", text).expect_err(expect).to_string();
        assert!(error.contains(expect), "{error}");
    };
    check("name = \"t\"\nseedz = 3\n", "t.toml:2: unknown field `seedz`");
    check(&TEXT.replace("folds = 3", "folds = 2"), "folds = 2: must be at least 3");
    check("name = \"t\"\ndatasets = [\"a\"]\n", "needs a [grid] or at least one [[arm]]");
    let twice = format!("{TEXT}[[arm]]\nname = \"rules\"\n");
    let spec = SweepSpec::parse("t.toml", &twice).expect("names are checked with the trials");
    assert!(spec.trials().expect_err("two arms of one name").to_string().contains("two arms"));
    let bad = TEXT.replace("[4, 8]", "[4, 800]");
    let error = SweepSpec::parse("t.toml", &bad).expect("TOML").trials().expect_err("rank 800");
    assert!(matches!(error, TrainError::Config(ConfigError::Model(_))), "{error}");
}
