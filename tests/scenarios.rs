//! Every scenario of the library runs and ends as its story says.

use delivery_lab::scenario::{self, Scenario, Trial, library};
use delivery_lab::session::report::Report;

fn run(id: &str, set: &[&str]) -> Report {
    let mut scenario = library::get(id).expect("it is in the library");
    set.iter().for_each(|one| scenario::set(&mut scenario, one).expect("a valid setting"));
    run_scenario(&scenario)
}

fn run_scenario(scenario: &Scenario) -> Report {
    let mut trial = Trial::new(scenario).expect("a valid scenario");
    trial.finish();
    let report = Report::of(scenario, &trial);
    assert_eq!(report.invariant_violations, Vec::<String>::new());
    report
}

#[test]
fn s01_fire_and_forget_loses_and_nobody_is_told() {
    let report = run("fire-and-forget", &[]);
    assert_eq!(report.guarantee.claimed, "at-most-once");
    assert!(report.guarantee.holds);
    assert_eq!((report.ledger.sent, report.ledger.acked), (20, 20), "every callback reports success");
    assert!(!report.ledger.lost.is_empty(), "records are gone");
    assert_eq!(report.ledger.lost, report.ledger.acked_lost);
    assert!(report.ledger.duplicated.is_empty());
}

#[test]
fn s01_sibling_acks_all_loses_nothing() {
    let report = run("fire-and-forget", &["shop.acks=all"]);
    assert_eq!(report.guarantee.claimed, "at-least-once");
    assert!(report.ledger.lost.is_empty());
}

#[test]
fn s02_leader_only_ack_loses_an_acked_record() {
    let report = run("leader-only-ack", &[]);
    assert!(!report.ledger.acked_lost.is_empty());
    assert!(!report.guarantee.holds);
    assert_ne!(report.partitions["orders-0"].leader, 0, "another broker leads");
}

#[test]
fn s02_sibling_acks_all_keeps_every_acked_record() {
    let report = run("leader-only-ack", &["shop.acks=all"]);
    assert!(report.ledger.acked_lost.is_empty());
}

#[test]
fn s07_lost_ack_duplicates_record_3() {
    let report = run("lost-ack", &[]);
    assert_eq!(report.ledger.duplicated, [3]);
    assert_eq!(report.ledger.log_duplicated, [3]);
    assert_eq!((report.ledger.sent, report.ledger.acked, report.ledger.appended), (20, 20, 21));
    assert!(report.ledger.lost.is_empty());
    assert_eq!((report.guarantee.claimed, report.guarantee.observed), ("at-least-once", "at-least-once"));
    assert!(report.guarantee.holds);
    assert!(report.errors.iter().any(|error| error.code == "REQUEST_TIMED_OUT" && &*error.node == "shop"));
    assert_eq!(report.partitions["orders-0"].log_end_offset, 21);
}

#[test]
fn s07_sibling_idempotence_keeps_one_copy() {
    let report = run("lost-ack", &["shop.enable.idempotence=true"]);
    assert!(report.ledger.duplicated.is_empty() && report.ledger.log_duplicated.is_empty());
    assert_eq!(report.ledger.appended, 20);
}

#[test]
fn s12_commit_first_loses_what_was_committed_and_not_processed() {
    let report = run("commit-first", &[]);
    assert_eq!(report.guarantee.claimed, "at-most-once");
    assert!(!report.ledger.lost.is_empty());
    assert!(report.ledger.duplicated.is_empty());
    assert!(report.guarantee.holds);
}

#[test]
fn s13_commit_after_repeats_what_was_processed_and_not_committed() {
    let report = run("commit-after", &[]);
    assert_eq!(report.guarantee.claimed, "at-least-once");
    assert!(report.ledger.lost.is_empty());
    assert!(!report.ledger.duplicated.is_empty());
    assert!(report.ledger.log_duplicated.is_empty(), "the log has one copy: the repetition is the consumer's");
    assert!(report.guarantee.holds);
}

#[test]
fn controller_failover_goes_on_with_two_of_three() {
    let scenario = library::get("controller-failover").expect("it is in the library");
    let trial = Trial::new(&scenario).expect("a valid scenario");
    let (active, _) = trial.run.world.active_controller().expect("one of three");
    assert_eq!(&**trial.run.world.name(active), "controller-0", "the one that is going to die");
    let report = run("controller-failover", &[]);
    assert_eq!((report.ledger.sent, report.ledger.acked), (40, 40));
    assert!(report.ledger.lost.is_empty() && report.ledger.log_duplicated.is_empty());
    assert!(report.guarantee.holds);
    let orders = &report.partitions["orders-0"];
    assert_ne!(orders.leader, 0, "the new controller has made another broker the leader");
    assert_eq!(orders.isr.len(), 2);
}

#[test]
fn controller_failover_sibling_one_controller_decides_nothing_when_it_is_dead() {
    let report = run("controller-failover", &["cluster.controllers=1"]);
    assert_eq!(report.partitions["orders-0"].leader, 0, "nobody could depose the dead broker");
    assert!(report.ledger.acked < 40, "what was sent after its death was given up");
    assert!(report.errors.iter().any(|error| error.code == "REQUEST_TIMED_OUT" && &*error.node == "shop"));
    assert!(report.ledger.acked_lost.is_empty() && report.guarantee.holds);
}

#[test]
fn s14_auto_commit_shows_both() {
    let report = run("auto-commit-truth", &[]);
    assert!(!report.ledger.lost.is_empty(), "the worker's queue was committed and lost");
    assert!(!report.ledger.duplicated.is_empty(), "the inline loop repeats");
    let inline = run("auto-commit-truth", &["handed-over.hand.over=inline"]);
    assert!(inline.ledger.lost.is_empty(), "an inline loop never loses");
}
