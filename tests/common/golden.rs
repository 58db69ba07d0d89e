//! State hashes that must stay the same: natively and in wasm, today and after a refactoring that changes no behaviour.
//! When behaviour changes on purpose: `cargo test --test determinism -- --nocapture` prints the new ones.

use delivery_lab::scenario::{Trial, library};

/// Scenario, seed, events, state hash.
pub const GOLDEN: &[(&str, u64, u64, &str)] = &[
    ("fire-and-forget", 1, 860, "28dc96114f1cf015"),
    ("fire-and-forget", 42, 860, "f0646be1ddfb69b3"),
    ("leader-only-ack", 1, 1035, "5ebb3fd8269bb46a"),
    ("leader-only-ack", 42, 1034, "babf58d61d9d48fc"),
    ("all-is-not-all", 1, 665, "653722d68dd938c6"),
    ("all-is-not-all", 42, 658, "0b51f14891a605b0"),
    ("durability-refuses", 1, 686, "a3ad66bdf04173df"),
    ("durability-refuses", 42, 653, "09fd942188ac6001"),
    ("error-but-appended", 1, 594, "b86ae049a5f73c10"),
    ("error-but-appended", 42, 605, "9f09f6e757e6a1c9"),
    ("unclean-election", 1, 951, "4f1b298c318c808d"),
    ("unclean-election", 42, 945, "1ca15ae381c99e73"),
    ("lost-ack", 1, 430, "77f50efb8507ad2c"),
    ("lost-ack", 42, 432, "7c9a5f695e201c1f"),
    ("commit-first", 1, 419, "99de1fc054574c3c"),
    ("commit-first", 42, 421, "24a2f64f565d0e92"),
    ("commit-after", 1, 453, "5c19a6f190eb3926"),
    ("commit-after", 42, 455, "3b1e26d0e077620f"),
    ("auto-commit-truth", 1, 987, "7031d47d8ae7e60e"),
    ("auto-commit-truth", 42, 989, "3957b7494c13e483"),
    ("last-replica-standing", 1, 1043, "03c2d29029ef75c2"),
    ("last-replica-standing", 42, 1047, "4399f2f92de6634a"),
    ("rolling-restart", 1, 2269, "0ad417f2f306fa14"),
    ("rolling-restart", 42, 2242, "d279102c9e45cd0b"),
    ("gc-pause-leader", 1, 732, "720bd6e8e269306a"),
    ("gc-pause-leader", 42, 732, "bcf754ac2ee8c776"),
    ("one-way-cut", 1, 794, "23f486d1608799be"),
    ("one-way-cut", 42, 754, "e2803548d6e8b680"),
    ("torn-tail", 1, 714, "76a0fb26f1f0d31e"),
    ("torn-tail", 42, 710, "d06407ec838e0c80"),
    ("disk-full", 1, 1260, "d5b63b085d325082"),
    ("disk-full", 42, 1246, "969d2295dcf12c28"),
    ("clock-skew-retention", 1, 866, "f7ad1a4f033273cd"),
    ("clock-skew-retention", 42, 852, "7f1ec7e160538982"),
    ("controller-failover", 1, 1648, "84a19b70ab7b2e24"),
    ("controller-failover", 42, 673, "9bfb172919a67aa3"),
];

/// What a run ends with.
pub fn run(id: &str, seed: u64) -> (u64, String) {
    let mut scenario = library::get(id).expect("it is in the library");
    scenario.seed = seed;
    let mut trial = Trial::new(&scenario).expect("the library is valid");
    trial.finish();
    (trial.events(), trial.state_hash().to_string())
}
