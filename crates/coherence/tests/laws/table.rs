//! The table of the protocol, row by row, as scripts.

use crate::script::{self, Stage};
use lrrc_coherence::{Rules, Strategy};

fn rules() -> Rules {
    Rules {
        lease_ms: 100,
        lease_max_ms: 500,
        waiting_max: 2,
        history_max: 2,
        holders_max: 8,
        ..Rules::default()
    }
}

fn play(script: &str) {
    Stage::new(rules()).play(script);
}

fn play_under(strategy: Strategy, script: &str) {
    Stage::new(Rules { strategy, ..rules() }).play(script);
}

#[test]
fn a_miss_gives_e_to_one_alone_and_s_beside_others() {
    play(
        "1 read => ! unknown
         1 create => created v1 g0 | - | 1E
         1 create => ! exists at v1
         2 read => read v1 g0 S | - | 1S 2S
         1 release => released v1 g0 | - | 2S
         2 read v1 => read v1 g0 E from v1 | - | 2E
         2 hit => noted | - | 2E",
    );
}

#[test]
fn a_claim_revokes_each_other_copy_with_one_signal() {
    play(
        "1 create => created v1 g0 | - | 1E
         2 read => read v1 g0 S | - | 1S 2S
         3 acquire => acquired v1 g1 until 100 | signal 1 v1 g1, signal 2 v1 g1 | 3E
         3 commit v1 g1 => committed v2 g1 M | - | 3M
         3 commit v2 g1 => committed v3 g1 M | - | 3M
         1 commit v3 g1 => ! held by 3 0..100
         1 commit v1 g0 => ! stale g0, is g1",
    );
}

#[test]
fn a_reader_demotes_the_writer_and_takes_no_claim_from_it() {
    play(
        "1 create => created v1 g0 | - | 1E
         1 acquire => acquired v1 g1 until 100 | - | 1E
         2 read => read v1 g1 S | - | 1S 2S
         3 acquire => ! held by 1 0..100
         3 cas v1 => ! held by 1 0..100
         @10
         1 commit v1 g1 => committed v2 g1 M | signal 2 v2 g1 | 1M
         2 read v1 => read v2 g1 S from v1 | - | 1S 2S
         @20
         1 acquire => acquired v2 g2 until 120 | signal 2 v2 g2 | 1E
         1 acquire => acquired v2 g2 until 120 | - | 1E",
    );
}

#[test]
fn a_clean_exclusive_copy_may_write_without_asking() {
    play(
        "1 create => created v1 g0 | - | 1E
         1 commit v1 g0 => committed v2 g0 M | - | 1M
         2 acquire => ! held by 1 0..100
         1 release => released v2 g1 | - |
         1 commit v2 g0 => ! stale g0, is g1
         1 commit v2 g1 => ! not holder: I",
    );
}

#[test]
fn a_compare_and_set_lands_on_the_version_it_names() {
    play(
        "1 create => created v1 g0 | - | 1E
         2 cas v1 => committed v2 g0 S | signal 1 v2 g0 | 2S
         1 cas v1 => ! expected v1, is v2 of 2, base v1
         1 cas v2 => committed v3 g0 S | signal 2 v3 g0 | 1S
         1 cas v3 => committed v4 g0 S | - | 1S
         2 cas v1 => ! expected v1, is v4 of 1, base unknown
         2 cas v4 g7 => ! stale g7, is g0
         2 acquire => acquired v4 g1 until 100 | signal 1 v4 g1 | 2E
         2 cas v4 => committed v5 g2 S | - | 2S
         2 commit v5 g1 => ! stale g1, is g2",
    );
}

#[test]
fn the_fence_stops_every_claim_that_ended() {
    play(
        "1 create => created v1 g0 | - | 1E
         # released
         2 acquire => acquired v1 g1 until 100 | signal 1 v1 g1 | 2E
         2 release => released v1 g2 | - |
         2 commit v1 g1 => ! stale g1, is g2
         # lost
         2 acquire => acquired v1 g3 until 100 | - | 2E
         2 lost => ended 2 | - |
         2 commit v1 g3 => ! stale g3, is g4
         # timed out, reclaimed by the tick
         2 acquire l50 => acquired v1 g5 until 50 | - | 2E
         @49
         2 over => settled | - | 2E
         @50
         2 commit v1 g5 => ! stale g5, is g6
         2 over => ended 2 | signal 2 v1 g6 |
         2 commit v1 g5 => ! stale g5, is g6
         # timed out, reclaimed by the next that asks
         2 acquire l50 => acquired v1 g7 until 100 | - | 2E
         @100
         2 renew g7 => ! stale g7, is g8
         3 acquire => acquired v1 g9 until 200 | signal 2 v1 g8 | 3E
         2 commit v1 g7 => ! stale g7, is g9
         # an exclusive read that was given up
         3 release => released v1 g10 | - |
         1 read => read v1 g10 E | - | 1E
         1 release => released v1 g11 | - |
         1 commit v1 g10 => ! stale g10, is g11",
    );
}

#[test]
fn a_late_release_ends_neither_the_next_claim_nor_the_place_in_the_queue() {
    play(
        "1 create => created v1 g0 | - | 1E
         1 acquire l50 => acquired v1 g1 until 50 | - | 1E
         @50
         1 over => ended 1 | signal 1 v1 g2 |
         1 release g1 => ! stale g1, is g2
         1 acquire => acquired v1 g3 until 150 | - | 1E
         1 release g1 => ! stale g1, is g3
         1 release g3 => released v1 g4 | - |
         2 acquire => acquired v1 g5 until 150 | - | 2E
         1 acquire wait => waiting 1 for 2 until 150 | - | 2E
         1 release g5 => ! held by 2 50..150
         2 release g5 => released v1 g7 | granted 1 v1 g7 | 1E
         1 release g7 => released v1 g8 | - |
         2 read => read v1 g8 E | - | 2E
         3 release g8 => ! not holder: I
         2 release g8 => released v1 g9 | - |",
    );
}

#[test]
fn who_waits_is_told_in_turn() {
    play(
        "1 create => created v1 g0 | - | 1E
         1 acquire => acquired v1 g1 until 100 | - | 1E
         2 acquire wait => waiting 1 for 1 until 100 | - | 1E
         3 acquire wait => waiting 2 for 1 until 100 | - | 1E
         2 acquire wait => waiting 1 for 1 until 100 | - | 1E
         4 acquire wait => ! queue of 2 full
         @60
         1 renew g1 => renewed until 160 | - | 1E
         2 renew g1 => ! held by 1 0..160
         1 commit v1 g1 => committed v2 g1 M | - | 1M
         1 release => released v2 g3 | granted 2 v2 g3 | 2E
         2 lost => ended 2 | granted 3 v2 g5 | 3E
         1 acquire wait => waiting 1 for 3 until 160 | - | 3E
         1 release => released v2 g5 | - | 3E
         1 release => ! not holder: I
         1 acquire wait => waiting 1 for 3 until 160 | - | 3E
         @160
         4 read => read v2 g7 S | signal 3 v2 g6, granted 1 v2 g7 | 1S 4S",
    );
}

#[test]
fn a_lease_is_cut_to_its_limit_and_never_shortened() {
    play(
        "1 create => created v1 g0 | - | 1E
         1 acquire l9999 => acquired v1 g1 until 500 | - | 1E
         1 acquire l10 => acquired v1 g1 until 500 | - | 1E
         1 acquire l0 => acquired v1 g1 until 500 | - | 1E",
    );
}

#[test]
fn what_is_deleted_and_made_again_is_another() {
    play(
        "1 create => created v1 g0 | - | 1E
         2 read => read v1 g0 S | - | 1S 2S
         3 acquire => acquired v1 g1 until 100 | signal 1 v1 g1, signal 2 v1 g1 | 3E
         4 acquire wait => waiting 1 for 3 until 100 | - | 3E
         1 delete v9 => ! expected v9, is v1 of 1, base unknown
         1 delete v1 => deleted v1 g2 | gone 3 v1 g2, gone 4 v1 g2 | gone
         3 commit v1 g1 => ! unknown
         3 over => settled | - | gone
         3 lost => settled | - | gone
         1 delete => ! unknown
         2 create => created v1 g0 | - | 2E",
    );
}

#[test]
fn a_reader_of_sections_is_told_when_one_of_them_changes() {
    play(
        "1 create a:1 b:1 c:1 => created v1 g0 | - | 1E
         2 read #a => read v1 g0 S (a) | - | 1E 2S(a)
         2 read #b => read v1 g0 S (a,b) | - | 1E 2S(a,b)
         3 read #c => read v1 g0 S (c) | - | 1E 2S(a,b) 3S(c)
         4 read #d => ! no section d
         1 commit v1 g0 a:1 b:1 c:2 => committed v2 g0 M | signal 3 v2 g0 | 1M 2S(a,b)
         4 acquire => ! held by 1 0..100
         1 release => released v2 g1 | - | 2S(a,b)
         # the claim leaves readers of sections alone, the write does not
         4 acquire => acquired v2 g2 until 100 | - | 2S(a,b) 4E
         4 commit v2 g2 a:1 b:2 => committed v3 g2 M | signal 2 v3 g2 | 4M
         # a section that is gone is changed, and a whole read covers all
         2 read #a #b => read v3 g2 S (a,b) | - | 2S(a,b) 4M
         4 commit v3 g2 a:1 => committed v4 g2 M | signal 2 v4 g2 | 4M
         4 commit v4 g2 a:1 a:2 => ! two sections a
         2 read #a => read v4 g2 S (a) | - | 2S(a) 4M
         2 read => read v4 g2 S | - | 2S 4S",
    );
}

#[test]
fn a_reader_of_the_whole_that_asks_for_a_section_is_told_of_every_write_until_it_loses_its_copy() {
    play(
        "1 create a:1 b:1 => created v1 g0 | - | 1E
         2 read => read v1 g0 S | - | 1S 2S
         2 read #a => read v1 g0 S (a) | - | 1S 2S
         1 cas v1 a:1 b:2 => committed v2 g0 S | signal 2 v2 g0 | 1S
         2 read #a => read v2 g0 S (a) | - | 1S 2S(a)",
    );
}

#[test]
fn eager_sends_the_content_to_those_whose_copy_the_write_made_old() {
    play_under(
        Strategy::Eager,
        "1 create => created v1 g0 | - | 1E
         2 read => read v1 g0 S | - | 1S 2S
         3 cas v1 => committed v2 g0 S | push 1 v2 g0, push 2 v2 g0 | 1S 2S 3S
         1 acquire => acquired v2 g1 until 100 | signal 2 v2 g1, signal 3 v2 g1 | 1E 2I 3I
         1 commit v2 g1 => committed v3 g1 S | push 2 v3 g1, push 3 v3 g1 | 1S 2S 3S
         1 commit v3 g1 => committed v4 g1 S | push 2 v4 g1, push 3 v4 g1 | 1S 2S 3S
         2 release => released v4 g1 | - | 1S 3S
         1 commit v4 g1 => committed v5 g1 S | push 3 v5 g1 | 1S 3S
         1 acquire => acquired v5 g2 until 100 | signal 3 v5 g2 | 1E 3I
         1 release => released v5 g3 | - |",
    );
}

#[test]
fn broadcast_sends_the_content_to_everyone_who_ever_came() {
    play_under(
        Strategy::Broadcast,
        "1 create => created v1 g0 | - | 1E
         2 read => read v1 g0 S | - | 1S 2S
         2 release => released v1 g0 | - | 1S 2I
         1 acquire => acquired v1 g1 until 100 | - | 1E 2I
         1 commit v1 g1 => committed v2 g1 S | push 2 v2 g1 | 1S 2S
         2 lost => settled | - | 1S",
    );
}

#[test]
fn a_reader_too_many_reads_without_a_copy() {
    let mut stage = Stage::new(Rules { holders_max: 2, ..rules() });
    stage.play(
        "1 create => created v1 g0 | - | 1E
         2 read => read v1 g0 S | - | 1S 2S
         3 read => read v1 g0 I | - | 1S 2S
         2 read => read v1 g0 S | - | 1S 2S",
    );
    assert!(!script::line(&stage, 3).is_valid());
}

#[test]
fn what_another_home_wrote_makes_the_copies_here_old() {
    play(
        "1 create => created v1 g0 | - | 1E
         2 read => read v1 g0 S | - | 1S 2S
         # an echo of what is known
         9 observed => settled | - | 1S 2S
         9 observed written => settled | signal 1 v2 g0, signal 2 v2 g0 |
         2 read => read v2 g0 E | - | 2E
         9 observed claimed g1 => settled | signal 2 v2 g1 | 9E
         2 acquire wait => waiting 1 for 9 until 100 | - | 9E
         9 observed free g2 => ended 9 | signal 9 v2 g2 |
         9 over => settled | granted 2 v2 g3 | 2E
         9 observed gone => ended 2 | gone 2 v2 g4 | gone",
    );
}
