use lrrc_sim::*;
#[test]
fn show() {
    let get = |n: &str, d: u64| std::env::var(n).ok().and_then(|r| r.parse().ok()).unwrap_or(d);
    let found = world::run_many(get("FIRST", 1), get("RUNS", 50), &WorldConfig::default(), &|| {});
    println!("{}\nbroken {:?}", found.tally, found.broken.len());
    for seed in found.broken.iter().take(40) {
        let v = world::run(*seed, &WorldConfig::default());
        println!("{seed} {}", v.broken.map(|b| b.to_string().chars().take(300).collect::<String>()).unwrap_or_default());
    }
    if get("SEED", 0) > 0 {
        let v = world::run_traced(get("SEED", 0), &WorldConfig::default());
        println!("{:?}\n{}", v.broken, v.trace.join("\n"));
    }
}
