//! The engine as wasm, in a browser: the same states as natively.
#![cfg(target_arch = "wasm32")]

use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_browser);

#[path = "common/golden.rs"]
mod golden;
#[path = "common/replays.rs"]
mod replays;

#[wasm_bindgen_test]
fn wasm_runs_end_in_the_golden_states() {
    for (id, seed, events, hash) in golden::GOLDEN {
        assert_eq!(golden::run(id, *seed), (*events, (*hash).to_owned()), "{id} with seed {seed}");
    }
}

#[wasm_bindgen_test]
fn wasm_runs_of_links_end_in_the_golden_states() {
    for golden in replays::all() {
        assert_eq!(replays::run(&golden), golden);
    }
}
