//! State hashes that must stay the same: natively and in wasm, today and after a refactoring that changes no behaviour.
//! When behaviour changes on purpose: `cargo test --test determinism -- --nocapture` prints the new ones.

use delivery_lab::scenario::{Trial, library};

/// Scenario, seed, events, state hash.
pub const GOLDEN: &[(&str, u64, u64, &str)] = &[
    ("fire-and-forget", 1, 860, "a4de5d971cbfa9b5"),
    ("fire-and-forget", 42, 860, "91d9a4a3bd04fed4"),
    ("leader-only-ack", 1, 1035, "6a00a34e7f4289f9"),
    ("leader-only-ack", 42, 1034, "90dd03e3985af1be"),
    ("all-is-not-all", 1, 665, "e11ec9a00882ef70"),
    ("all-is-not-all", 42, 658, "e88b6825e8443652"),
    ("durability-refuses", 1, 686, "bd68a138ff9f2fdc"),
    ("durability-refuses", 42, 653, "8c34faa94b274c26"),
    ("error-but-appended", 1, 594, "88ecbf738360d0d0"),
    ("error-but-appended", 42, 605, "db724435a0b24928"),
    ("unclean-election", 1, 951, "7d49d5d2820f8ee9"),
    ("unclean-election", 42, 945, "667a4b87218794f7"),
    ("lost-ack", 1, 430, "66834ea6b2ab36eb"),
    ("lost-ack", 42, 432, "2988244428e8bed4"),
    ("commit-first", 1, 419, "9b12bb6f4971b1df"),
    ("commit-first", 42, 421, "77ccea7d34d73a46"),
    ("commit-after", 1, 453, "bb56032f542f24f4"),
    ("commit-after", 42, 455, "742ccf2d804ba09b"),
    ("auto-commit-truth", 1, 987, "4e3155cf5e8b0b18"),
    ("auto-commit-truth", 42, 989, "3aaab64830f4e5f2"),
    ("rolling-restart", 1, 2269, "e6e406f0deba2ba4"),
    ("rolling-restart", 42, 2242, "eddfd96278b23f5d"),
    ("gc-pause-leader", 1, 732, "0419e8926379aebe"),
    ("gc-pause-leader", 42, 732, "7d7e09ef908211f3"),
    ("one-way-cut", 1, 794, "0f238bd78e1b3342"),
    ("one-way-cut", 42, 754, "e2b08140beaece1f"),
    ("torn-tail", 1, 714, "432c08b8e97bb177"),
    ("torn-tail", 42, 710, "93c023cbc8985951"),
    ("disk-full", 1, 1260, "6b98906729b534de"),
    ("disk-full", 42, 1246, "c37074c1fea0867a"),
    ("clock-skew-retention", 1, 866, "d33ba4ff9362830a"),
    ("clock-skew-retention", 42, 852, "8b8a5aa0f9d7ca02"),
    ("controller-failover", 1, 1648, "a98584cdf1766839"),
    ("controller-failover", 42, 673, "92fae72e48881f6f"),
];

/// What a run ends with.
pub fn run(id: &str, seed: u64) -> (u64, String) {
    let mut scenario = library::get(id).expect("it is in the library");
    scenario.seed = seed;
    let mut trial = Trial::new(&scenario).expect("the library is valid");
    trial.finish();
    (trial.events(), trial.state_hash().to_string())
}
