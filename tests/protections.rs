//! What each protection protects from: the same sweep of random faults, with the protection and without. With it nothing is
//! found in the seeds tried here (`lab sweep` tries as many as one likes); without it the anomaly is found within 1,000, so that
//! the checks are known to be able to fail. `lab sweep --find` looks for anomalies from the command line.

use delivery_lab::scenario::{self, Scenario, library};
use delivery_lab::session::sweep::{self, Anomaly};

/// A scenario of the library without its own faults, from that seed on.
fn from_seed(id: &str, seed: u64, set: &[&str]) -> Scenario {
    let mut scenario = library::get(id).expect("it is in the library");
    scenario.faults.clear();
    set.iter().for_each(|one| scenario::set(&mut scenario, one).expect("a valid setting"));
    scenario.seed = seed;
    scenario
}

/// Without the protection the anomaly is there.
fn found(scenario: &Scenario, anomaly: Anomaly) {
    let found = sweep::find(scenario, 1_000, anomaly).expect("a valid scenario");
    assert!(found.is_some(), "no seed of 1,000 shows {anomaly:?}");
    println!("{anomaly:?}: seed {found:?}");
}

/// With it neither the anomaly nor anything else that must not be.
fn never_found(scenario: &Scenario, anomaly: Anomaly, seeds: u64) {
    for i in 0..seeds {
        let mut one = scenario.clone();
        one.seed += i;
        let swept = sweep::strike(&one).expect("a valid scenario");
        assert!(swept.violations.is_empty(), "seed {}: {:#?}", one.seed, swept.violations);
        assert!(!anomaly.is_in(&swept), "seed {}: {:#?}", one.seed, swept.trial.run.final_verdict());
    }
}

const FIVE: &str = "shop.max.in.flight.requests.per.connection=5";

/// Idempotence alone does not promise one copy for ever: a broker that recovers knows only the last batch of each producer,
/// and then the epoch is raised. Within an epoch it does, and that is an invariant.
#[test]
fn idempotence_keeps_out_duplicates_and_reordering() {
    let without = from_seed("lost-ack", 42, &[FIVE]);
    found(&without, Anomaly::LogDuplicated);
    found(&without, Anomaly::Reordered);
    let with = from_seed("lost-ack", 42, &[FIVE, "shop.enable.idempotence=true"]);
    let outcome = sweep::run(&with, 15, |_| {}).expect("a valid scenario");
    assert_eq!(outcome.broken, None);
}

#[test]
fn read_committed_keeps_out_what_is_aborted() {
    found(&from_seed("aborted-but-read", 44, &[]), Anomaly::AbortedRead);
    let with = from_seed("aborted-but-read", 44, &["mailer.isolation.level=read_committed"]);
    never_found(&with, Anomaly::AbortedRead, 10);
}

/// Of a shop that never sends an order twice: one that crashes while its commit is under way does, for it cannot know.
fn billing(id: &str, seed: u64, set: &[&str]) -> Scenario {
    let mut scenario = from_seed(id, seed, set);
    scenario.producers[0].config.remove("transactional.id");
    scenario
}

#[test]
fn offsets_in_the_transaction_give_one_output() {
    found(&billing("read-process-write", 49, &["billing.offsets=after"]), Anomaly::Duplicated);
    found(&billing("read-process-write", 49, &["billing.offsets=before"]), Anomaly::Lost);
    never_found(&billing("read-process-write", 49, &[]), Anomaly::Duplicated, 8);
    never_found(&billing("read-process-write", 49, &[]), Anomaly::Lost, 4);
}

#[test]
fn one_transactional_id_fences_the_zombie() {
    found(&billing("zombie-fencing", 47, &["billing-b.transactional.id=billing-b"]), Anomaly::Duplicated);
    never_found(&billing("zombie-fencing", 47, &[]), Anomaly::Duplicated, 10);
}

/// KIP-890, part 2.
#[test]
fn transaction_version_2_refuses_what_comes_late() {
    found(&from_seed("late-end-txn", 106, &[]), Anomaly::AbortedRead);
    never_found(&from_seed("late-end-txn", 106, &["cluster.transaction.version=2"]), Anomaly::AbortedRead, 10);
}

/// KIP-890, part 1.
#[test]
fn verification_prevents_hanging_transactions() {
    let off = "cluster.transaction.partition.verification.enable=false";
    found(&from_seed("late-end-txn", 106, &[off]), Anomaly::Hanging);
    never_found(&from_seed("late-end-txn", 106, &[]), Anomaly::Hanging, 10);
}
