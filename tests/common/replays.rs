//! Links and the states that their runs end in: the same natively, in wasm, and on the page (`tests/browser/links.test.mjs`).
//! When behaviour changes on purpose: `cargo test --test links runs_of_links -- --nocapture` prints the new ones.

use delivery_lab::scenario::link;
use delivery_lab::session::replay;
use delivery_lab::session::report::Report;
use serde_json::{Value, json};

/// What `tests/golden/replays.json` holds.
pub fn all() -> Vec<Value> {
    let text = include_str!("../golden/replays.json");
    serde_json::from_str(text).expect("a list")
}

/// The same, run anew.
pub fn run(golden: &Value) -> Value {
    let text = golden["link"].as_str().expect("a link");
    let opened = link::read_text(text);
    assert_eq!(opened.mistakes, [], "{text}");
    let trial = replay(&opened.link, None).unwrap_or_else(|mistakes| panic!("{text}: {mistakes:?}"));
    let report = Report::of(&opened.link.scenario, &trial);
    json!({ "link": text, "state_hash": report.state_hash, "lost": report.ledger.lost, "duplicated": report.ledger.duplicated,
            "processed": report.ledger.processed })
}
