//! Sinks, retry and dead letter topics on the whole cluster.

use delivery_lab::scenario::Scenario;
use delivery_lab::session::report::Report;
use delivery_lab::session::sweep;
use runs::{crash_at, finish, read, with_fault};

#[path = "common/runs.rs"]
mod runs;

const MAILER: &str = r#"{ "version": 1, "seed": 7,
    "topics": [ { "name": "orders" }, { "name": "orders-retry" }, { "name": "orders-dlt" } ],
    "producers": [ { "name": "shop", "topic": "orders", "records": 12, "rate.per.second": 50 } ],
    "consumers": [ { "name": "mailer", "group": "mail", "topics": ["orders"], "processing.ms": 5,
                     "config": { "auto.offset.reset": "earliest", "enable.auto.commit": "false",
                                 "max.poll.records": "4" } } ] }"#;

fn mailer(set: &[&str]) -> Scenario {
    read(MAILER, set)
}

fn run(scenario: &Scenario) -> Report {
    finish(scenario).1
}

fn crash(set: &[&str], event: &str, nth: u32) -> Report {
    run(&with_fault(mailer(set), &crash_at("mailer", event, nth)))
}

const POISON: &[&str] = &["mailer.sink.poison.every=5", "mailer.dead.letter.topic=orders-dlt"];

#[test]
fn a_record_in_the_dead_letter_topic_is_not_lost() {
    let report = run(&mailer(POISON));
    assert_eq!((report.ledger.dead_lettered.as_slice(), report.ledger.lost.as_slice()), (&[4, 9][..], &[][..]));
    assert_eq!((report.guarantee.observed, report.guarantee.holds, report.ledger.sent), ("exactly-once", true, 12));
    assert!(report.to_json().contains("\"dead_lettered\""));
    let without = run(&mailer(&["mailer.sink.poison.every=5"]));
    assert_eq!(without.ledger.lost, (4..12).collect::<Vec<_>>(), "the exception ends the loop");
}

#[test]
fn a_retry_topic_is_read_again_before_a_record_is_given_up() {
    let report = run(&mailer(&[POISON, &["mailer.retry.topic=orders-retry"]].concat()));
    assert_eq!((report.ledger.dead_lettered.as_slice(), report.ledger.lost.as_slice()), (&[4, 9][..], &[][..]));
    assert_eq!(report.ledger.appended, 16, "both stand in all three topics");
    // What fails only now and then is cured by it, and counts where it came from.
    let report = run(&mailer(&["mailer.sink.fail.every=5", "mailer.retry.topic=orders-retry"]));
    assert_eq!((report.guarantee.observed, report.ledger.processed), ("exactly-once", 12));
    assert!(report.ledger.appended > 12 && !report.ledger.reordered.is_empty(), "a retry topic costs the order");
}

#[test]
fn a_window_that_is_too_small_shows_in_the_verdict() {
    let window = |set: &str| crash(&["mailer.sink.dedupe=processed-ids", set], "processed", 4);
    assert_eq!(window("mailer.sink.window.records=4").guarantee.observed, "exactly-once");
    assert_eq!(window("mailer.sink.window.records=3").ledger.duplicated, [0, 1, 2, 3]);
    assert_eq!(window("mailer.sink.window.ms=100").ledger.duplicated, [0, 1, 2, 3]);
}

#[test]
fn a_crash_between_effect_and_id_repeats_or_loses() {
    let split = |first: &str| {
        let first = format!("mailer.sink.first={first}");
        let set = ["mailer.sink.dedupe=processed-ids", "mailer.sink.atomic=false", "mailer.sink.latency.ms=2", &first];
        (1..=12).map(|nth| crash(&set, "processed", nth).guarantee.observed).collect::<Vec<_>>()
    };
    assert!(split("effect").iter().all(|observed| *observed == "at-least-once"));
    assert!(split("id").iter().all(|observed| *observed == "exactly-once"), "the id is there already");
}

#[test]
fn random_faults_break_no_strategy_that_works() {
    for dedupe in ["unique-key", "version", "processed-ids", "offset-with-output"] {
        let dedupe = format!("mailer.sink.dedupe={dedupe}");
        let shaky = ["mailer.sink.latency.ms=3", "mailer.sink.fail.every=7", "mailer.sink.lose.reply.every=5"];
        let set = [&[&*dedupe, "mailer.retries=3"][..], &shaky, POISON].concat();
        for seed in 1..=3 {
            let mut scenario = mailer(&set);
            scenario.seed = seed;
            let (_, broken) = sweep::run_seed(&scenario).expect("a valid scenario");
            assert!(broken.is_none(), "{dedupe} {seed}: {broken:?}");
        }
    }
}
