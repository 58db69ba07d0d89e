//! The engine under random faults: every invariant at every event, and rest after all heals. `lab sweep` does the same
//! for as many seeds as one likes.

use delivery_lab::scenario::{self, Trial, library};
use delivery_lab::session::sweep;

#[test]
fn random_faults_break_no_invariant() {
    for id in library::ids() {
        let scenario = library::get(id).expect("it is listed");
        let outcome = sweep::run(&scenario, 6, |_| {}).expect("the library is valid");
        assert_eq!(outcome.broken, None, "{id}");
    }
}

#[test]
fn an_idempotent_producer_under_random_faults() {
    let mut scenario = library::get("lost-ack").expect("it is in the library");
    scenario::set(&mut scenario, "shop.enable.idempotence=true").expect("a valid setting");
    scenario::set(&mut scenario, "shop.max.in.flight.requests.per.connection=5").expect("a valid setting");
    let outcome = sweep::run(&scenario, 25, |_| {}).expect("a valid scenario");
    assert_eq!(outcome.broken, None);
}

/// The figure of the JSON contract: all keys, and no other.
#[test]
fn the_report_has_the_documented_keys() {
    let scenario = library::get("lost-ack").expect("it is in the library");
    let mut trial = Trial::new(&scenario).expect("the library is valid");
    trial.finish();
    let report = delivery_lab::session::report::Report::of(&scenario, &trial).to_json();
    let json: serde_json::Value = serde_json::from_str(&report).expect("it is JSON");
    let keys =
        |value: &serde_json::Value| value.as_object().expect("an object").keys().cloned().collect::<Vec<_>>().join(" ");
    assert_eq!(
        keys(&json),
        "errors events guarantee invariant_violations ledger partitions scenario seed state_hash virtual_ms"
    );
    assert_eq!(keys(&json["guarantee"]), "claimed holds observed");
    assert_eq!(
        keys(&json["ledger"]),
        "aborted_read acked acked_lost appended committed delivered duplicated log_duplicated lost processed reordered sent"
    );
    assert_eq!(
        keys(&json["partitions"]["orders-0"]),
        "high_watermark isr last_stable_offset leader leader_epoch log_end_offset"
    );
    assert_eq!(keys(&json["errors"][0]), "at_ms code node");
}
