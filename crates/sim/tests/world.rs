use lrrc_sim::*;
#[test]
fn show() {
    let found = world::run_many(1, std::env::var("RUNS").ok().and_then(|r| r.parse().ok()).unwrap_or(50), &WorldConfig::default(), &|| {});
    println!("{}\nbroken {:?}", found.tally, &found.broken[..found.broken.len().min(40)]);
    if let Some(seed) = found.broken.first() {
        let v = world::run_traced(*seed, &WorldConfig::default());
        println!("{:?}\n{}", v.broken, v.trace.join("\n"));
    }
}
