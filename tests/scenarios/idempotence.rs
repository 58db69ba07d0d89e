//! Scenarios 7 to 11: what the idempotent producer cures, and what it does not.

use super::{met, on_a_dozen_seeds, run};
use delivery_lab::scenario::{self, Trial, library};

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
fn s07_and_its_sibling_do_so_with_every_seed() {
    on_a_dozen_seeds("lost-ack", &[], |report| report.ledger.duplicated == [3]);
    on_a_dozen_seeds("lost-ack", &["shop.enable.idempotence=true"], |report| {
        report.ledger.log_duplicated.is_empty() && report.ledger.lost.is_empty()
    });
}

#[test]
fn s08_reordering_puts_the_retry_behind_what_overtook_it() {
    let report = run("reordering", &[]);
    assert!(met(&report, "shop", "NOT_LEADER_OR_FOLLOWER"), "the former leader refuses the batch");
    assert!(!report.ledger.reordered.is_empty());
    assert!(report.ledger.lost.is_empty() && report.ledger.log_duplicated.is_empty());
    assert_eq!((report.ledger.acked, report.ledger.appended), (20, 20));
    assert_eq!(report.partitions["orders-0"].leader, 1);
    on_a_dozen_seeds("reordering", &[], |report| {
        !report.ledger.reordered.is_empty() && report.ledger.log_duplicated.is_empty()
    });
}

#[test]
fn s08_siblings_idempotence_and_one_in_flight_keep_the_order() {
    let report = run("reordering", &["shop.enable.idempotence=true"]);
    assert!(met(&report, "shop", "OUT_OF_ORDER_SEQUENCE_NUMBER"), "the new leader waits for what comes first");
    for cure in ["shop.enable.idempotence=true", "shop.max.in.flight.requests.per.connection=1"] {
        on_a_dozen_seeds("reordering", &[cure], |report| {
            let ledger = &report.ledger;
            ledger.reordered.is_empty() && ledger.log_duplicated.is_empty() && ledger.appended == 20
        });
    }
}

#[test]
fn s09_silent_downgrade_doubles_what_everybody_thought_idempotent() {
    let report = run("silent-downgrade", &[]);
    assert!(report.ledger.log_duplicated.contains(&3) && report.ledger.duplicated.contains(&3));
    assert!(met(&report, "shop", "REQUEST_TIMED_OUT"));
    on_a_dozen_seeds("silent-downgrade", &[], |report| report.ledger.log_duplicated.contains(&3));
}

#[test]
fn s09_sibling_acks_all_leaves_idempotence_on() {
    on_a_dozen_seeds("silent-downgrade", &["shop.acks=all"], |report| {
        report.ledger.log_duplicated.is_empty() && report.ledger.appended == 20
    });
}

/// What Kafka's constructor throws for these settings of `silent-downgrade`.
fn config_exception(set: &[&str]) -> Option<String> {
    let mut scenario = library::get("silent-downgrade").expect("it is in the library");
    set.iter().for_each(|one| scenario::set(&mut scenario, one).expect("a value that the key may have"));
    Trial::new(&scenario).err().map(|mistakes| mistakes[0].problem.clone())
}

#[test]
fn s09_siblings_idempotence_asked_for_by_name_is_a_config_exception() {
    let text = config_exception(&["shop.enable.idempotence=true"]).expect("acks=1 contradicts it");
    assert!(text.starts_with("Must set acks to all in order to use the idempotent producer."), "{text}");
    let six = "shop.max.in.flight.requests.per.connection=6";
    for set in [&[six, "shop.acks=all"][..], &[six, "shop.acks=all", "shop.enable.idempotence=true"]] {
        let text = config_exception(set).expect("five at most");
        assert!(text.ends_with("must be set to at most 5. Current value is 6."), "{text}");
    }
    assert_eq!(config_exception(&[six, "shop.enable.idempotence=false"]), None);
}

#[test]
fn s10_restart_resend_is_a_new_producer_to_the_broker() {
    let report = run("restart-resend", &[]);
    assert_eq!((&report.ledger.log_duplicated, &report.ledger.duplicated), (&vec![6], &vec![6]));
    assert_eq!((report.ledger.acked, report.ledger.appended), (20, 21));
    assert!(report.ledger.lost.is_empty());
    on_a_dozen_seeds("restart-resend", &[], |report| {
        !report.ledger.log_duplicated.is_empty()
            && !report.ledger.duplicated.is_empty()
            && report.ledger.lost.is_empty()
    });
}

#[test]
fn s10_siblings_a_sink_with_a_unique_key_or_not_sending_again() {
    on_a_dozen_seeds("restart-resend", &["mailer.dedupe=unique-key"], |report| {
        report.ledger.duplicated.is_empty() && !report.ledger.log_duplicated.is_empty() && report.ledger.lost.is_empty()
    });
    on_a_dozen_seeds("restart-resend", &["shop.resend=never"], |report| report.ledger.log_duplicated.is_empty());
}

/// What the program does not know to be committed is aborted by `initTransactions()` before it is sent again. (A crash after
/// the commit and before its answer leaves a duplicate: where the program stands has to be part of the transaction, too.)
#[test]
fn s10_sibling_a_transactional_id_takes_the_first_copy_back() {
    let set = ["shop.transactional.id=shop-1", "mailer.isolation.level=read_committed"];
    on_a_dozen_seeds("restart-resend", &set, |report| {
        let ledger = &report.ledger;
        report.guarantee.claimed == "exactly-once"
            && report.guarantee.holds
            && ledger.appended == 21
            && ledger.processed == 20
    });
}

#[test]
fn s11_forgotten_producer_is_believed_at_any_sequence() {
    let report = run("forgotten-producer", &[]);
    assert!(met(&report, "shop", "REQUEST_TIMED_OUT"));
    assert_eq!((report.ledger.acked, report.ledger.appended), (15, 16));
    assert_eq!((&report.ledger.log_duplicated, &report.ledger.duplicated), (&vec![6], &vec![6]));
    on_a_dozen_seeds("forgotten-producer", &[], |report| !report.ledger.log_duplicated.is_empty());
}

#[test]
fn s11_sibling_remembers_for_a_day() {
    on_a_dozen_seeds("forgotten-producer", &["cluster.producer.id.expiration.ms=86400000"], |report| {
        report.ledger.log_duplicated.is_empty() && report.ledger.appended == 15 && report.ledger.lost.is_empty()
    });
}
