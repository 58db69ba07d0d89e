//! State hashes that must stay the same: natively and in wasm, today and after a refactoring that changes no behaviour.
//! When behaviour changes on purpose: `cargo test --test determinism -- --nocapture` prints the new ones.

use delivery_lab::scenario::{Trial, library};

/// Scenario, seed, events, state hash.
pub const GOLDEN: &[(&str, u64, u64, &str)] = &[
    ("fire-and-forget", 1, 868, "f603f33f2685396b"),
    ("fire-and-forget", 42, 865, "013c2f8b3ece87fd"),
    ("leader-only-ack", 1, 1056, "6b045fcc22c6c45e"),
    ("leader-only-ack", 42, 1050, "09dc6c080ce57cdb"),
    ("all-is-not-all", 1, 655, "7a433ae68bf21a87"),
    ("all-is-not-all", 42, 648, "766bc35f8fe2100f"),
    ("durability-refuses", 1, 686, "a872c98694eec563"),
    ("durability-refuses", 42, 658, "d4b2548f818d8178"),
    ("error-but-appended", 1, 600, "0042dd72c1562140"),
    ("error-but-appended", 42, 611, "6b8108a7aaca694a"),
    ("unclean-election", 1, 929, "08aceed944c90a68"),
    ("unclean-election", 42, 931, "3222f25e1f5bd8ee"),
    ("lost-ack", 1, 434, "c8da2197f285bf77"),
    ("lost-ack", 42, 433, "64e52c4ff6ed9bfd"),
    ("reordering", 1, 446, "840d2ffb5b3406d9"),
    ("reordering", 42, 446, "f070c25fd3543b8e"),
    ("silent-downgrade", 1, 482, "3c2af9ae4156f889"),
    ("silent-downgrade", 42, 493, "aba894f6ac9a5266"),
    ("restart-resend", 1, 557, "9771c53ea5207e7a"),
    ("restart-resend", 42, 561, "d84a03c7fa7d7149"),
    ("forgotten-producer", 1, 553, "db84940c64472069"),
    ("forgotten-producer", 42, 579, "5b066b16b987a315"),
    ("commit-first", 1, 426, "b94ea49ff17d58e0"),
    ("commit-first", 42, 429, "3bf4c85ecf07c07e"),
    ("commit-after", 1, 455, "ce272e71838a61b5"),
    ("commit-after", 42, 466, "53ec84a1ad5a17bf"),
    ("auto-commit-truth", 1, 924, "90acdf75b0d41233"),
    ("auto-commit-truth", 42, 924, "2c0bfd32c1c44a11"),
    ("slow-handler", 1, 1192, "18fa2509f66e8ee6"),
    ("slow-handler", 42, 1195, "4ffc1806165cb46a"),
    ("rebalance-styles", 1, 9435, "11c62c25da3d8a08"),
    ("rebalance-styles", 42, 9444, "cf97b8df334b92bc"),
    ("born-too-late", 1, 1325, "b0cbd5b5274295cc"),
    ("born-too-late", 42, 1326, "bb4713c372be140a"),
    ("aborted-but-read", 1, 643, "d6265c27ca61d225"),
    ("aborted-but-read", 42, 650, "1e2d5027dd9c3455"),
    ("blocked-behind-lso", 1, 926, "bff4ee601e9d4e26"),
    ("blocked-behind-lso", 42, 909, "132a22af2c6885d0"),
    ("offset-gaps", 1, 489, "39b0899caff70f2b"),
    ("offset-gaps", 42, 500, "9b445729300cc63f"),
    ("zombie-fencing", 1, 1370, "65124d659ac633a9"),
    ("zombie-fencing", 42, 1364, "7fb1b78345b0055f"),
    ("bad-transactional-id", 1, 2655, "d3855dbb31b1b172"),
    ("bad-transactional-id", 42, 1842, "b8809c0600b42161"),
    ("read-process-write", 1, 1117, "f1b6a1a7d8ca665d"),
    ("read-process-write", 42, 1122, "25d5b1bd05ba59bc"),
    ("late-end-txn", 1, 407, "485df4e006b184dd"),
    ("late-end-txn", 42, 406, "a5792dc6d2317d6a"),
    ("side-effects", 1, 1038, "d23dd2022c84e857"),
    ("side-effects", 42, 1042, "8da22ed1a07fc143"),
    ("share-group", 1, 1498, "0f42d8547a73c5aa"),
    ("share-group", 42, 1508, "2c350bdadddde441"),
    ("last-replica-standing", 1, 1335, "e9a8d2be7497b3fd"),
    ("last-replica-standing", 42, 1336, "ba0fbcfa35e5d787"),
    ("rolling-restart", 1, 2276, "1f106c5a78852b90"),
    ("rolling-restart", 42, 2244, "f4367d0361297fbc"),
    ("gc-pause-leader", 1, 737, "5c555bcbe3e96c7a"),
    ("gc-pause-leader", 42, 736, "b6f0682fdebba3d6"),
    ("one-way-cut", 1, 800, "aee979c8f1b3fcb5"),
    ("one-way-cut", 42, 761, "b09ccd25d0ea568a"),
    ("torn-tail", 1, 695, "375606940a50b123"),
    ("torn-tail", 42, 685, "c3ec245b4e20c63c"),
    ("disk-full", 1, 1281, "0b1499c06a73f719"),
    ("disk-full", 42, 1261, "3e9575e732ff6f74"),
    ("clock-skew-retention", 1, 777, "541525e5123435d4"),
    ("clock-skew-retention", 42, 778, "af8baf019c980ade"),
    ("controller-failover", 1, 1401, "ce0724f09dd1b3ef"),
    ("controller-failover", 42, 680, "5806057735ae1aa8"),
];

/// What a run ends with.
pub fn run(id: &str, seed: u64) -> (u64, String) {
    let mut scenario = library::get(id).expect("it is in the library");
    scenario.seed = seed;
    let mut trial = Trial::new(&scenario).expect("the library is valid");
    trial.finish();
    (trial.events(), trial.state_hash().to_string())
}
