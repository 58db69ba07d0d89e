//! Scenarios 18 to 24: transactions, what they promise and where it ends.

use super::{met, on_a_dozen_seeds, run, run_scenario};
use delivery_lab::base::{Duration, Offset, RecordId, TopicPartition};
use delivery_lab::check::{Life, StoryKind};
use delivery_lab::coordinator::group::OffsetsShard;
use delivery_lab::node::Event;
use delivery_lab::protocol::TransactionState;
use delivery_lab::scenario::{self, Scenario, Trial, library, parse_value, to_json};
use serde_json::json;
use std::ops::Range;

const READ_COMMITTED: &str = "mailer.isolation.level=read_committed";

fn scenario_with(id: &str, set: &[&str]) -> Scenario {
    let mut scenario = library::get(id).expect("it is in the library");
    set.iter().for_each(|one| scenario::set(&mut scenario, one).expect("a valid setting"));
    scenario
}

fn finished(id: &str, set: &[&str]) -> Trial {
    let mut trial = Trial::new(&scenario_with(id, set)).expect("a valid scenario");
    trial.finish();
    trial
}

/// How long the slowest of these records waited between `send()` and the mailer.
fn slowest(trial: &Trial, records: Range<u32>) -> Duration {
    let waited = |life: &Life| {
        let got =
            life.story.iter().find(|step| matches!(step.kind, StoryKind::Delivered(_) | StoryKind::ReadUncommitted(_)));
        Some(got?.at.since(life.sent_at?))
    };
    let lives = records.filter_map(|record| trial.run.ledger.life(RecordId(record)));
    lives.filter_map(|life| waited(life)).max().expect("some were delivered")
}

#[test]
fn s18_aborted_but_read_acts_on_what_was_taken_back() {
    let report = run("aborted-but-read", &[]);
    assert_eq!(report.ledger.aborted_read, [8, 9, 10], "11 was never sent off: the abort was quicker");
    assert!(report.ledger.lost.is_empty() && report.ledger.duplicated.is_empty());
    on_a_dozen_seeds("aborted-but-read", &[], |report| report.ledger.aborted_read.starts_with(&[8, 9, 10]));
}

#[test]
fn s18_sibling_read_committed_never_sees_it() {
    on_a_dozen_seeds("aborted-but-read", &[READ_COMMITTED], |report| {
        let ledger = &report.ledger;
        ledger.aborted_read.is_empty() && ledger.processed == 16 && report.guarantee.claimed == "exactly-once"
    });
}

/// The importer's records come first: the shop's are 20 to 39.
#[test]
fn s19_blocked_behind_lso_hides_everybodys_records_until_the_abort() {
    for seed in 1..=12 {
        let trial = finished("blocked-behind-lso", &[&format!("seed={seed}")]);
        let hidden = slowest(&trial, 20..40);
        assert!(hidden > Duration::from_millis(7_000) && hidden < Duration::from_millis(11_000), "{hidden:?}");
        assert_eq!(trial.run.final_verdict().processed, 20);
    }
}

#[test]
fn s19_siblings_a_shorter_timeout_or_reading_what_is_uncommitted() {
    for seed in 1..=12 {
        let seed = format!("seed={seed}");
        let hidden = slowest(&finished("blocked-behind-lso", &[&seed, "importer.transaction.timeout.ms=1000"]), 20..40);
        assert!(hidden < Duration::from_millis(3_500), "{hidden:?}");
        let hidden =
            slowest(&finished("blocked-behind-lso", &[&seed, "mailer.isolation.level=read_uncommitted"]), 20..40);
        assert!(hidden < Duration::from_millis(500), "{hidden:?}");
    }
}

/// Of `orders-0`: log end offset, the mailer's committed offset, and the offset after the last record that it processed.
fn ends(trial: &Trial) -> (Offset, Offset, Offset) {
    let world = &trial.run.world;
    let orders = TopicPartition::new(world.topic_id("orders").expect("there is one"), 0);
    let ends = world.brokers().filter_map(|(_, broker)| Some(broker.partition(orders)?.log().log_end_offset()));
    let shards = world.brokers().flat_map(|(_, broker)| broker.group_offsets()).map(|(_, shard)| shard);
    let committed = shards.flat_map(OffsetsShard::offsets).filter(|(key, _)| &*key.group == "mail");
    let committed = committed.map(|(_, offset)| offset.offset).max().expect("the mailer has committed");
    let read = trial.run.ledger.lives().flat_map(|(_, life)| &life.places).map(|(_, offset)| offset + 1);
    (ends.max().expect("somebody hosts it"), committed, read.max().expect("it has read"))
}

#[test]
fn s20_offset_gaps_are_markers_and_a_naive_lag_stays() {
    for seed in 1..=12 {
        let trial = finished("offset-gaps", &[&format!("seed={seed}")]);
        let verdict = trial.run.final_verdict();
        assert_eq!((verdict.appended, verdict.processed), (20, 20));
        let (end, committed, read) = ends(&trial);
        assert_eq!((end, end - read), (25, 1), "five markers, the last of them behind the last record");
        assert_eq!(committed, end, "a position passes markers");
    }
}

#[test]
fn s20_sibling_one_large_transaction_has_one_gap() {
    let trial = finished("offset-gaps", &["shop.transaction.records=20"]);
    assert_eq!(ends(&trial), (21, 21, 20));
}

#[test]
fn s21_zombie_fencing_lets_only_the_younger_one_write() {
    let report = run("zombie-fencing", &[]);
    let fenced = |error: &str| error.starts_with("ProducerFencedException") || error == "INVALID_PRODUCER_EPOCH";
    assert!(
        report.errors.iter().any(|error| &*error.node == "billing-a" && fenced(&error.code)),
        "{:?}",
        report.errors
    );
    assert!(!report.errors.iter().any(|error| &*error.node == "billing-b" && fenced(&error.code)));
    on_a_dozen_seeds("zombie-fencing", &[], |report| {
        let ledger = &report.ledger;
        report.guarantee.holds && ledger.processed == 30 && ledger.duplicated.is_empty() && ledger.lost.is_empty()
    });
}

#[test]
fn s21_sibling_an_id_of_its_own_fences_nobody() {
    on_a_dozen_seeds("zombie-fencing", &["billing-b.transactional.id=billing-b"], |report| {
        report.guarantee.claimed == "exactly-once" && !report.guarantee.holds && !report.ledger.duplicated.is_empty()
    });
}

/// Till 2's records are 40 to 79.
#[test]
fn s22_bad_transactional_id_leaves_an_orphan_that_blocks_everybody() {
    for seed in 1..=12 {
        let trial = finished("bad-transactional-id", &[&format!("seed={seed}")]);
        let blocked = slowest(&trial, 40..80);
        assert!(blocked > Duration::from_millis(8_000), "{seed} {blocked:?}");
        assert!(trial.run.final_verdict().holds);
    }
}

#[test]
fn s22_siblings_a_stable_id_aborts_at_once_and_a_shared_one_fences() {
    for seed in 1..=12 {
        let seed = format!("seed={seed}");
        let trial = finished("bad-transactional-id", &[&seed, "till-1.transactional.id=till-1"]);
        let blocked = slowest(&trial, 40..80);
        assert!(blocked < Duration::from_millis(3_000), "{blocked:?}");
        assert_eq!(trial.run.final_verdict().processed, 80);
        let report = run("bad-transactional-id", &[&seed, "transactional.id=till"]);
        let tills = ["till-1", "till-2"].into_iter();
        let fenced = tills.filter(|till| {
            let of_till = report.errors.iter().filter(|error| &*error.node == *till);
            of_till.into_iter().any(|error| error.code.contains("Fenced") || error.code == "INVALID_PRODUCER_EPOCH")
        });
        assert!(fenced.count() > 0, "{:?}", report.errors);
        assert!(report.ledger.sent < 80, "who is fenced sells nothing any more");
        assert!(report.ledger.duplicated.is_empty() && report.guarantee.holds);
    }
}

/// `read-process-write` with the crash at another step.
fn crash_at(step: &str, nth: u32, set: &[&str]) -> Scenario {
    let mut json = to_json(&scenario_with("read-process-write", set));
    json["faults"][0]["on"] = json!({ "event": step, "node": "billing", "nth": nth });
    parse_value(json).expect("a valid scenario")
}

const STEPS: &[(&str, u32)] = &[
    ("transactions-initialized", 1),
    ("transaction-begun", 2),
    ("processing", 6),
    ("sent", 6),
    ("offsets-sent", 2),
    ("transaction-ending", 2),
    ("transaction-ended", 2),
];

#[test]
fn s23_read_process_write_gives_one_output_wherever_it_crashes() {
    for version in 0..=2 {
        for (step, nth) in STEPS {
            for seed in 1..=3 {
                let set = [&*format!("seed={seed}"), &*format!("cluster.transaction.version={version}")];
                let scenario = crash_at(step, *nth, &set);
                let report = run_scenario(&scenario);
                let ledger = &report.ledger;
                assert_eq!(
                    (report.guarantee.claimed, report.guarantee.holds),
                    ("exactly-once", true),
                    "{step}, {set:?}"
                );
                let found = (ledger.processed, ledger.duplicated.len(), ledger.lost.len());
                assert_eq!(found, (20, 0, 0), "{step}, {set:?}: {report:#?}");
            }
        }
    }
}

#[test]
fn s23_siblings_offsets_outside_the_transaction() {
    on_a_dozen_seeds("read-process-write", &["billing.offsets=after"], |report| {
        !report.ledger.duplicated.is_empty() && report.guarantee.claimed == "at-least-once"
    });
    for seed in 1..=12 {
        let set = [&*format!("seed={seed}"), "billing.offsets=before"];
        let report = run_scenario(&crash_at("transaction-ending", 2, &set));
        assert!(!report.ledger.lost.is_empty() && report.ledger.duplicated.is_empty(), "{report:#?}");
        assert_eq!((report.guarantee.claimed, report.guarantee.holds), ("at-most-once", true));
    }
}

#[test]
fn s24_late_end_txn_ends_the_next_transaction() {
    let report = run("late-end-txn", &[]);
    assert!(met(&report, "shop", "REQUEST_TIMED_OUT"));
    assert!(!report.ledger.aborted_read.is_empty(), "visible, though its program aborted it");
    assert_eq!((report.guarantee.claimed, report.guarantee.holds), ("exactly-once", false));
    on_a_dozen_seeds("late-end-txn", &[], |report| !report.guarantee.holds && !report.ledger.aborted_read.is_empty());
    on_a_dozen_seeds("late-end-txn", &["cluster.transaction.version=0"], |report| !report.guarantee.holds);
}

#[test]
fn s24_sibling_version_2_refuses_it_by_its_epoch() {
    on_a_dozen_seeds("late-end-txn", &["cluster.transaction.version=2"], |report| {
        let ledger = &report.ledger;
        report.guarantee.holds && ledger.aborted_read.is_empty() && ledger.processed == 20 && ledger.sent == 30
    });
    let mut trial = Trial::new(&scenario_with("late-end-txn", &["cluster.transaction.version=2"])).expect("valid");
    let mut epochs = Vec::new();
    while let Some(events) = trial.step() {
        epochs.extend(events.iter().filter_map(|it| match it.event {
            Event::TransactionChanged { producer_epoch, state: TransactionState::PrepareCommit, .. } => {
                Some(producer_epoch)
            }
            _ => None,
        }));
    }
    assert_eq!(epochs, [1, 3], "each end has an epoch of its own; the second is the abort's");
}
