//! Same scenario and seed, same state hash. `tests/wasm.rs` holds wasm against the same list.

#[path = "common/golden.rs"]
mod golden;

use delivery_lab::scenario::library;

#[test]
fn native_runs_end_in_the_golden_states() {
    let runs = library::ids().flat_map(|id| [1, 42].map(|seed| (id, seed, golden::run(id, seed))));
    let found: Vec<_> = runs.collect();
    for (id, seed, (events, hash)) in &found {
        println!("    (\"{id}\", {seed}, {events}, \"{hash}\"),");
    }
    for ((id, seed, (events, hash)), golden) in found.iter().zip(golden::GOLDEN) {
        assert_eq!((*id, *seed, *events, hash.as_str()), *golden, "{id} with seed {seed}");
    }
    assert_eq!(found.len(), golden::GOLDEN.len(), "every scenario of the library is held, with seeds 1 and 42");
}

#[test]
fn another_seed_ends_in_another_state() {
    assert_ne!(golden::run("lost-ack", 1).1, golden::run("lost-ack", 2).1);
}
