//! Links: those that were written once and must mean the same for ever, damaged ones, random ones, and runs that a link
//! brings back to the last bit.

#[path = "links/damaged.rs"]
mod damaged;
#[path = "links/drawn.rs"]
mod drawn;
#[path = "links/golden.rs"]
mod golden;
#[path = "common/replays.rs"]
mod replays;
#[path = "links/same_run.rs"]
mod same_run;

#[test]
fn runs_of_links_end_in_the_golden_states() {
    let found: Vec<_> = replays::all().iter().map(replays::run).collect();
    println!("{}", serde_json::to_string_pretty(&found).expect("JSON"));
    assert_eq!(
        found,
        replays::all(),
        "if the engine was changed on purpose: what was printed goes into golden/replays.json"
    );
}
