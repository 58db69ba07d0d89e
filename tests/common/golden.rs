//! State hashes that must stay the same: natively and in wasm, today and after a refactoring that changes no behaviour.
//! When behaviour changes on purpose: `cargo test --test determinism -- --nocapture` prints the new ones.

use delivery_lab::scenario::{Trial, library};

/// Scenario, seed, events, state hash.
pub const GOLDEN: &[(&str, u64, u64, &str)] = &[
    ("fire-and-forget", 1, 850, "705e1cb6794c64db"),
    ("fire-and-forget", 42, 852, "3145f0c53c71571f"),
    ("leader-only-ack", 1, 1027, "012b4dcd6000d957"),
    ("leader-only-ack", 42, 1026, "a1c66f2fd5aeb0c2"),
    ("lost-ack", 1, 430, "3a9ffc2a48ca67ca"),
    ("lost-ack", 42, 432, "b47faba7bec1456f"),
    ("commit-first", 1, 419, "f1884f7ec5908ad1"),
    ("commit-first", 42, 421, "33ef7e11977649ef"),
    ("commit-after", 1, 453, "59fb7c79997f1b31"),
    ("commit-after", 42, 455, "f77fee36302f82e5"),
    ("auto-commit-truth", 1, 984, "8d22d30da3f82c8c"),
    ("auto-commit-truth", 42, 986, "21222e836a84370d"),
];

/// What a run ends with.
pub fn run(id: &str, seed: u64) -> (u64, String) {
    let mut scenario = library::get(id).expect("it is in the library");
    scenario.seed = seed;
    let mut trial = Trial::new(&scenario).expect("the library is valid");
    trial.finish();
    (trial.events(), trial.state_hash().to_string())
}
