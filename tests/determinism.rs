//! Same scenario and seed, same state hash. `tests/wasm.rs` holds wasm against the same list.

#[path = "common/golden.rs"]
mod golden;

#[test]
fn native_runs_end_in_the_golden_states() {
    let found: Vec<_> = golden::GOLDEN.iter().map(|(id, seed, _, _)| (*id, *seed, golden::run(id, *seed))).collect();
    for (id, seed, (events, hash)) in &found {
        println!("    (\"{id}\", {seed}, {events}, \"{hash}\"),");
    }
    for ((id, seed, (events, hash)), (_, _, golden_events, golden_hash)) in found.iter().zip(golden::GOLDEN) {
        assert_eq!((*events, hash.as_str()), (*golden_events, *golden_hash), "{id} with seed {seed}");
    }
}

#[test]
fn another_seed_ends_in_another_state() {
    assert_ne!(golden::run("lost-ack", 1).1, golden::run("lost-ack", 2).1);
}
