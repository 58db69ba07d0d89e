//! State hashes that must stay the same: natively and in wasm, today and after a refactoring that changes no behaviour.
//! When behaviour changes on purpose: `cargo test --test determinism -- --nocapture` prints the new ones.

use delivery_lab::scenario::{Trial, library};

/// Scenario, seed, events, state hash.
pub const GOLDEN: &[(&str, u64, u64, &str)] = &[
    ("fire-and-forget", 1, 868, "8c6957b70f002e3d"),
    ("fire-and-forget", 42, 865, "1f67c5832e36a725"),
    ("leader-only-ack", 1, 1056, "aa058051dd2e16b6"),
    ("leader-only-ack", 42, 1050, "c375c492e5d77fdc"),
    ("all-is-not-all", 1, 655, "fc0593b5e3d27aa4"),
    ("all-is-not-all", 42, 648, "323deb1a0b2de143"),
    ("durability-refuses", 1, 686, "cd909f2cffa597fc"),
    ("durability-refuses", 42, 658, "06b70247b77f16bc"),
    ("error-but-appended", 1, 600, "29a20371459892a3"),
    ("error-but-appended", 42, 611, "1da26c6da7e2bdae"),
    ("unclean-election", 1, 929, "4570a28aa9308c5c"),
    ("unclean-election", 42, 931, "040fc6c9f75b268f"),
    ("lost-ack", 1, 434, "db59e2553c5043e2"),
    ("lost-ack", 42, 433, "3e1954ee0ce8d02c"),
    ("reordering", 1, 446, "6b862878fde507cb"),
    ("reordering", 42, 446, "4b4e83347dd6a2d0"),
    ("silent-downgrade", 1, 482, "2fa8f5e4dd54154f"),
    ("silent-downgrade", 42, 493, "7ef85dc71813ae26"),
    ("restart-resend", 1, 557, "5bd34c783f15eec8"),
    ("restart-resend", 42, 561, "82bf290a7ca7eb6a"),
    ("forgotten-producer", 1, 553, "36261dda8aa3f989"),
    ("forgotten-producer", 42, 579, "ac8e523d2524ce41"),
    ("commit-first", 1, 426, "1e8c9f0b28f30ddc"),
    ("commit-first", 42, 429, "6179b4ac2373c96b"),
    ("commit-after", 1, 455, "bfce572a175df3cd"),
    ("commit-after", 42, 466, "ba998a693ef3c66d"),
    ("auto-commit-truth", 1, 924, "eeddbe283cdadbf5"),
    ("auto-commit-truth", 42, 924, "eaa04d8885a68ee4"),
    ("aborted-but-read", 1, 643, "c5f4af996fac6afb"),
    ("aborted-but-read", 42, 650, "82215d35dd315d06"),
    ("blocked-behind-lso", 1, 926, "eb4f9e8988fccde7"),
    ("blocked-behind-lso", 42, 909, "c9e18edc15a20aa2"),
    ("offset-gaps", 1, 489, "18bb0da22f9e04a8"),
    ("offset-gaps", 42, 500, "6858dd0b303a73a0"),
    ("zombie-fencing", 1, 1370, "aef97d735cb2c47b"),
    ("zombie-fencing", 42, 1364, "de33f1e269f54e17"),
    ("bad-transactional-id", 1, 2655, "dd07264b11232785"),
    ("bad-transactional-id", 42, 1842, "b2edafdb2a537a8c"),
    ("read-process-write", 1, 1117, "51201aa0f5c74cbd"),
    ("read-process-write", 42, 1122, "70824a822eb7d029"),
    ("late-end-txn", 1, 407, "f8dc86204f61bef2"),
    ("late-end-txn", 42, 406, "70310fb0c7472000"),
    ("last-replica-standing", 1, 1335, "68adaf6e9a5812f7"),
    ("last-replica-standing", 42, 1336, "f218f19715b01faa"),
    ("rolling-restart", 1, 2276, "1350d8a6e85e1d04"),
    ("rolling-restart", 42, 2244, "9372b94e80683008"),
    ("gc-pause-leader", 1, 737, "e5027d9174544919"),
    ("gc-pause-leader", 42, 736, "e0d818a46f1b06e4"),
    ("one-way-cut", 1, 800, "2727b58f1124114f"),
    ("one-way-cut", 42, 761, "e337a67e89363527"),
    ("torn-tail", 1, 695, "eb8a7af8e7afc961"),
    ("torn-tail", 42, 685, "0a507d05f91e074d"),
    ("disk-full", 1, 1281, "831d1ca9cc6b9e30"),
    ("disk-full", 42, 1261, "dddce7a1732fb6e3"),
    ("clock-skew-retention", 1, 18847, "a20ada44b1b40f5d"),
    ("clock-skew-retention", 42, 18831, "550e24c6234c10ce"),
    ("controller-failover", 1, 1401, "f132da3fc9aa9a00"),
    ("controller-failover", 42, 680, "e897744099bc5a10"),
];

/// What a run ends with.
pub fn run(id: &str, seed: u64) -> (u64, String) {
    let mut scenario = library::get(id).expect("it is in the library");
    scenario.seed = seed;
    let mut trial = Trial::new(&scenario).expect("the library is valid");
    trial.finish();
    (trial.events(), trial.state_hash().to_string())
}
