//! Read-process-write from end to end, on the whole cluster: what a crash at each step costs, by when offsets are committed.

use delivery_lab::scenario::{self, Scenario, Trial};
use delivery_lab::session::report::Report;

/// Orders become invoices, invoices are mailed: exactly once, by all settings.
const BILLING: &str = r#"{ "version": 1, "seed": 7,
    "topics": [ { "name": "orders" }, { "name": "invoices" } ],
    "producers": [ { "name": "shop", "topic": "orders", "records": 12, "rate.per.second": 50, "transaction.records": 3,
                     "config": { "transactional.id": "shop-1" } } ],
    "processors": [ { "name": "billing", "from": ["orders"], "to": ["invoices"], "processing.ms": 15,
                      "producer.config": { "transactional.id": "billing-1" },
                      "consumer.config": { "auto.offset.reset": "earliest", "isolation.level": "read_committed",
                                           "max.poll.records": "4" } } ],
    "consumers": [ { "name": "mailer", "group": "mail", "topics": ["invoices"], "processing.ms": 5,
                     "config": { "auto.offset.reset": "earliest", "isolation.level": "read_committed",
                                 "enable.auto.commit": "false" } } ] }"#;

fn billing(set: &[&str]) -> Scenario {
    let mut scenario = scenario::parse(BILLING).expect("a valid scenario");
    set.iter().for_each(|one| scenario::set(&mut scenario, one).expect("a valid setting"));
    scenario
}

fn run(scenario: &Scenario) -> Report {
    let mut trial = Trial::new(scenario).expect("a valid scenario");
    trial.finish();
    let report = Report::of(scenario, &trial);
    assert_eq!(report.invariant_violations, Vec::<String>::new());
    report
}

#[test]
fn nothing_fails_and_everything_happens_once() {
    let report = run(&billing(&[]));
    assert_eq!((report.guarantee.claimed, report.guarantee.observed), ("exactly-once", "exactly-once"));
    assert_eq!((report.ledger.sent, report.ledger.processed), (12, 12));
    assert_eq!(report.ledger.appended, 24, "once in each topic");
}

/// The steps of the loop, as events that a fault can wait for.
const STEPS: &[&str] = &[
    "delivered",
    "transaction-begun",
    "processing",
    "processed",
    "sent",
    "offsets-sent",
    "transaction-ending",
    "transaction-ended",
    "offsets-committed",
];

/// The outcome of a crash of that application at the nth event of a kind; none if that never comes.
fn crash(scenario: &Scenario, node: &str, event: &str, nth: u32) -> Option<Report> {
    let fault = format!(
        r#"{{ "on": {{ "event": "{event}", "node": "{node}", "nth": {nth} }}, "do": "crash", "node": "{node}", "for.ms": 300 }}"#
    );
    let mut scenario = scenario.clone();
    let fault = serde_json::from_str(&fault).expect("JSON");
    scenario.faults.push(scenario::parse_fault(fault).expect("a valid fault"));
    let mut trial = Trial::new(&scenario).expect("a valid scenario");
    trial.finish();
    let crashed = trial.run.world.processors().any(|(_, app)| app.lives() > 1);
    let report = Report::of(&scenario, &trial);
    assert_eq!(report.invariant_violations, Vec::<String>::new(), "{event} {nth}");
    crashed.then_some(report)
}

/// The outcomes of a crash at each step of each round.
fn crash_at_each_step(scenario: &Scenario) -> Vec<(String, Report)> {
    let mut outcomes = Vec::new();
    for event in STEPS {
        for nth in 1.. {
            let Some(report) = crash(scenario, "billing", event, nth) else { break };
            outcomes.push((format!("{event} {nth}"), report));
        }
    }
    outcomes
}

#[test]
fn offsets_in_the_transaction_survive_a_crash_at_each_step() {
    let outcomes = crash_at_each_step(&billing(&[]));
    println!("{} crashes", outcomes.len());
    for (when, report) in outcomes {
        let ledger = &report.ledger;
        if report.guarantee.observed != "exactly-once" {
            println!("{when}: {}", report.to_text());
        }
        assert_eq!((report.guarantee.claimed, report.guarantee.observed), ("exactly-once", "exactly-once"), "{when}");
        assert_eq!((ledger.processed, ledger.open), (12, 0), "{when}");
    }
}

#[test]
fn offsets_after_the_transaction_repeat_and_never_lose() {
    let outcomes = crash_at_each_step(&billing(&["billing.offsets=after"]));
    for (when, report) in &outcomes {
        assert_eq!(report.guarantee.claimed, "at-least-once");
        assert!(report.guarantee.holds && report.ledger.lost.is_empty(), "{when}");
    }
    assert!(outcomes.iter().any(|(_, report)| !report.ledger.duplicated.is_empty()));
}

#[test]
fn offsets_before_processing_lose_and_never_repeat() {
    let outcomes = crash_at_each_step(&billing(&["billing.offsets=before"]));
    for (when, report) in &outcomes {
        assert_eq!(report.guarantee.claimed, "at-most-once");
        assert!(report.guarantee.holds && report.ledger.duplicated.is_empty(), "{when}");
    }
    assert!(outcomes.iter().any(|(_, report)| !report.ledger.acked_lost.is_empty()));
}
