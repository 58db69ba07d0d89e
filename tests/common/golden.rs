//! State hashes that must stay the same: natively and in wasm, today and after a refactoring that changes no behaviour.
//! When behaviour changes on purpose: `cargo test --test determinism -- --nocapture` prints the new ones.

use delivery_lab::scenario::{Trial, library};

/// Scenario, seed, events, state hash.
pub const GOLDEN: &[(&str, u64, u64, &str)] = &[
    ("fire-and-forget", 1, 850, "9f3fe86e98ec9f90"),
    ("fire-and-forget", 42, 852, "177b2c3a50c982f3"),
    ("leader-only-ack", 1, 1027, "9ba187624c6f264a"),
    ("leader-only-ack", 42, 1026, "6962c56b4aa79e8c"),
    ("lost-ack", 1, 430, "b15dc62e76af2009"),
    ("lost-ack", 42, 432, "19848454fef44100"),
    ("commit-first", 1, 419, "89eb8bef5bc0ef0f"),
    ("commit-first", 42, 421, "aa6c4a61af8cdc71"),
    ("commit-after", 1, 453, "7009b281724905fe"),
    ("commit-after", 42, 455, "e3a81c8cacf88f22"),
    ("auto-commit-truth", 1, 984, "545c7eb6fea41674"),
    ("auto-commit-truth", 42, 986, "14f612ddfd3fb637"),
];

/// What a run ends with.
pub fn run(id: &str, seed: u64) -> (u64, String) {
    let mut scenario = library::get(id).expect("it is in the library");
    scenario.seed = seed;
    let mut trial = Trial::new(&scenario).expect("the library is valid");
    trial.finish();
    (trial.events(), trial.state_hash().to_string())
}
