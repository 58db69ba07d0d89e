//! What `make bench` asks of the built page: the same measurements as `lab bench`, as wasm in a browser.

use super::dom;
use delivery_lab::session::bench::{self, Meter};
use wasm_bindgen::prelude::wasm_bindgen;

struct Tab;

impl Meter for Tab {
    fn micros(&mut self) -> u64 {
        (dom::now_ms() * 1_000.0) as u64
    }

    #[cfg(target_arch = "wasm32")]
    fn memory(&mut self) -> u64 {
        core::arch::wasm32::memory_size(0) as u64 * 65_536
    }

    #[cfg(not(target_arch = "wasm32"))]
    fn memory(&mut self) -> u64 {
        0
    }
}

/// Events a second, headless; the slowest seek in microseconds; the bytes of a history of a million events.
#[wasm_bindgen]
pub fn bench() -> Vec<f64> {
    let figures = bench::measure(&mut Tab);
    vec![figures.events_per_second() as f64, figures.slowest_seek_us as f64, figures.history_bytes as f64]
}
