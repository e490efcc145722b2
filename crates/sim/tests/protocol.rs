use lrrc_sim::*;
#[test]
fn show() {
    for s in Scenario::shipped().unwrap().into_iter().chain([Scenario::open("churn").unwrap().with_write_probability(0.9).unwrap()]) {
        for st in [Strategy::Lazy, Strategy::Eager, Strategy::Lease{ticks:10}, Strategy::AccessCount{reads:6}] {
            let (mut p, mut m, mut same, mut sp, mut sm) = (0, 0, 0, 0, 0);
            for o in 0..10 {
                let a = run_protocol(&s.workload, st, s.seeds.first + o).unwrap();
                let b = run(&s.workload, st, s.seeds.first + o);
                p += a.tokens.total(); m += b.tokens.total(); same += u32::from(a.tokens == b.tokens); sp += a.stale_reads; sm += b.stale_reads;
            }
            println!("{} {:?} protocol {} model {} {:+.2}% same {} stale {} {}", s.name, st, p, m, 100.0 * (p as f64 / m as f64 - 1.0), same, sp, sm);
        }
    }
}
