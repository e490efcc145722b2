//! Writes that share a sync: durable before anybody is told, and nobody is told where the sync fails.

use lrrc_coherence::{AgentId, Millis};
use lrrc_store::fault::{Faults, FaultyDisk};
use lrrc_store::wire::{Answer, FromHome, PROTOCOL, Request, Says, Ticket, ToHome};
use lrrc_store::{Content, ContentRules, Home, HomeConfig, RedbBackend};

use crate::house::name;

const NOW: Millis = Millis(0);

fn home(disk: &FaultyDisk) -> Home<RedbBackend> {
    let backend = RedbBackend::with_storage(disk.clone(), "a disk").unwrap();
    let content = Content::in_memory(ContentRules::default()).unwrap();
    Home::open(backend, content, HomeConfig::default(), NOW).unwrap()
}

fn create(home: &mut Home<RedbBackend>, agent: AgentId, ticket: u64) {
    let request = Request::Create { name: name(&format!("plan-{ticket}")), content: "one".into() };
    home.receive(agent, ToHome::Ask { ticket: Ticket(ticket), request }, NOW);
}

/// How many commits the home acknowledges.
fn acknowledged(said: &[(AgentId, FromHome)]) -> usize {
    let is_commit =
        |frame: &FromHome| matches!(&frame.says, Says::Answer { outcome: Ok(Answer::Committed(_)), .. });
    said.iter().filter(|(_, frame)| is_commit(frame)).count()
}

fn names(disk: &FaultyDisk) -> usize {
    let mut home = home(disk);
    let agent = home.join(PROTOCOL, NOW).unwrap();
    let request = Request::List { prefix: String::new(), after: None };
    let Ok(Answer::Listed { rows, .. }) = home.handle(agent, request, NOW) else { panic!() };
    rows.len()
}

#[test]
fn writes_that_share_a_sync_outlive_a_power_loss_once_they_are_told() {
    let disk = FaultyDisk::new(Faults::default());
    let mut home = home(&disk);
    let agent = home.join(PROTOCOL, NOW).unwrap();
    let before = disk.operations();
    create(&mut home, agent, 1);
    let alone = disk.operations() - before;
    home.outbox();
    home.gather();
    (2..=5).for_each(|ticket| create(&mut home, agent, ticket));
    assert_eq!(disk.operations(), before + alone, "nothing is written before the flush");
    home.flush();
    assert_eq!(disk.operations(), before + 2 * alone, "four commits cost what one does");
    assert_eq!(acknowledged(&home.outbox()), 4);
    assert_eq!(names(&disk.after_power_loss(0)), 5);
    create(&mut home, agent, 6);
    assert_eq!(acknowledged(&home.outbox()), 1);
    assert_eq!(names(&disk.after_power_loss(0)), 6, "after a flush, each write waits for its own sync again");
}

#[test]
fn nobody_is_told_of_writes_whose_sync_fails() {
    // The write of the journal fails, or its sync.
    for operation in 0..2 {
        let disk = FaultyDisk::new(Faults::default());
        let mut home = home(&disk);
        let agent = home.join(PROTOCOL, NOW).unwrap();
        create(&mut home, agent, 1);
        home.outbox();
        home.gather();
        (2..=5).for_each(|ticket| create(&mut home, agent, ticket));
        disk.set_faults(Faults { power_off_at: Some(operation), ..Faults::default() });
        home.flush();
        assert_eq!(home.outbox(), []);
        assert!(home.failed().is_some());
        assert!((1..=5).contains(&names(&disk.after_power_loss(operation))));
    }
}
