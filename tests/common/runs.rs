//! Scenarios as tests write them: read, changed, struck, run to their end.

use delivery_lab::scenario::{self, Scenario, Trial};
use delivery_lab::session::report::Report;

/// A scenario with settings changed.
pub fn read(text: &str, set: &[&str]) -> Scenario {
    let mut scenario = scenario::parse(text).unwrap_or_else(|mistakes| panic!("{mistakes:?}"));
    set.iter().for_each(|one| scenario::set(&mut scenario, one).expect("a valid setting"));
    scenario
}

/// One fault more.
pub fn with_fault(mut scenario: Scenario, fault: &str) -> Scenario {
    let fault = serde_json::from_str(fault).expect("JSON");
    scenario.faults.push(scenario::parse_fault(fault).expect("a valid fault"));
    scenario
}

/// That application crashes at the nth event of a kind, and comes back.
pub fn crash_at(node: &str, event: &str, nth: u32) -> String {
    let on = format!(r#"{{ "event": "{event}", "node": "{node}", "nth": {nth} }}"#);
    format!(r#"{{ "on": {on}, "do": "crash", "node": "{node}", "for.ms": 300 }}"#)
}

/// As it ends; no invariant was violated.
pub fn finish(scenario: &Scenario) -> (Trial, Report) {
    let mut trial = Trial::new(scenario).expect("a valid scenario");
    trial.finish();
    let report = Report::of(scenario, &trial);
    assert_eq!(report.invariant_violations, Vec::<String>::new());
    (trial, report)
}
