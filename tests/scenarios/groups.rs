//! Scenarios 12 to 17 and 25: groups of consumers, and sinks that survive duplicates.

use super::*;
use delivery_lab::base::{NodeId, SortedMap, Time, TopicPartition};

fn scenario_with(id: &str, set: &[&str]) -> Scenario {
    let mut scenario = library::get(id).expect("it is in the library");
    set.iter().for_each(|one| scenario::set(&mut scenario, one).expect("a valid setting"));
    scenario
}

/// The scenario with other faults.
fn with_faults(id: &str, set: &[&str], faults: &str) -> Scenario {
    let mut json = scenario::to_json(&scenario_with(id, set));
    json["faults"] = serde_json::from_str(faults).expect("JSON");
    scenario::parse_value(json).expect("a valid scenario")
}

/// Every strategy of a sink that lets no effect happen twice.
const STRATEGIES: [&str; 4] = ["unique-key", "version", "processed-ids", "offset-with-output"];

/// What a rolling restart costs the partitions of a group.
#[derive(Debug, Default)]
struct Pauses {
    /// Without an owner, one partition after the other.
    total: Duration,
    /// The longest of these.
    longest: Duration,
    /// How many there were.
    interruptions: usize,
    /// How often a member gave something up.
    revocations: usize,
}

fn pauses(set: &[&str]) -> Pauses {
    let mut trial = Trial::new(&scenario_with("rebalance-styles", set)).expect("a valid scenario");
    // Whose it is, or was, and since when nobody's.
    let mut partitions: SortedMap<TopicPartition, (NodeId, Option<Time>)> = SortedMap::new();
    let mut pauses = Pauses::default();
    while let Some(events) = trial.step() {
        for it in events {
            match &it.event {
                Event::PartitionsAssigned { partitions: assigned } => {
                    for partition in assigned.iter() {
                        if let Some((_, Some(since))) = partitions.insert(*partition, (it.node, None)) {
                            let pause = it.at.since(since);
                            pauses.total = pauses.total + pause;
                            pauses.longest = pauses.longest.max(pause);
                            pauses.interruptions += 1;
                        }
                    }
                }
                Event::PartitionsRevoked { partitions: gone } | Event::PartitionsLost { partitions: gone } => {
                    pauses.revocations += 1;
                    for partition in gone.iter() {
                        partitions.insert(*partition, (it.node, Some(it.at)));
                    }
                }
                _ => {}
            }
        }
    }
    pauses
}

/// How often a call of that consumer threw this.
fn thrown(id: &str, set: &[&str], node: &str, exception: &str) -> usize {
    let mut trial = Trial::new(&scenario_with(id, set)).expect("a valid scenario");
    let node = trial.run.world.node_id(node).expect("it is there");
    let mut count = 0;
    while let Some(events) = trial.step() {
        let is = |event: &Event| matches!(event, Event::ConsumerFailed { error } if error.name() == exception);
        count += events.iter().filter(|it| it.node == node && is(&it.event)).count();
    }
    count
}

#[test]
fn s12_siblings_a_sink_that_knows_repetitions_does_not_bring_back_what_was_skipped() {
    for dedupe in ["unique-key", "version", "processed-ids"] {
        let report = run("commit-first", &[&format!("mailer.sink.dedupe={dedupe}")]);
        assert!(!report.ledger.lost.is_empty(), "{dedupe}");
    }
    let cured = run("commit-first", &["mailer.sink.dedupe=offset-with-output"]);
    assert_eq!((cured.guarantee.observed, cured.ledger.processed), ("exactly-once", 20), "it reads on from the output");
}

#[test]
fn s13_siblings_every_strategy_of_a_sink_makes_it_once() {
    for dedupe in STRATEGIES {
        let dedupe = format!("mailer.sink.dedupe={dedupe}");
        on_a_dozen_seeds("commit-after", &[&dedupe], |report| {
            report.guarantee.observed == "exactly-once" && report.ledger.processed == 20
        });
    }
}

#[test]
fn s13_siblings_a_sink_that_forgets_or_writes_in_two_steps_fails() {
    let ids = "mailer.sink.dedupe=processed-ids";
    for window in ["mailer.sink.window.records=3", "mailer.sink.window.ms=200"] {
        on_a_dozen_seeds("commit-after", &[ids, window], |report| !report.ledger.duplicated.is_empty());
    }
    // The program dies between the two writes, of which the sink does one.
    let crash = r#"[{ "on": { "event": "processed", "node": "mailer", "nth": 6 }, "do": "crash", "node": "mailer", "for.ms": 1000 }]"#;
    let halves = |first: &str| {
        let set = [ids, "mailer.sink.atomic=false", first, "mailer.sink.latency.ms=20"];
        run_scenario(&with_faults("commit-after", &set, crash))
    };
    assert_eq!(halves("mailer.sink.first=effect").ledger.duplicated, [5], "the effect, and no id");
    let lost_id = r#"[{ "at.ms": 1190, "do": "crash", "node": "mailer", "for.ms": 1000 }]"#;
    let lost = |at: u32| {
        let set = [ids, "mailer.sink.atomic=false", "mailer.sink.first=id", "mailer.sink.latency.ms=20"];
        run_scenario(&with_faults("commit-after", &set, &lost_id.replace("1190", &at.to_string()))).ledger.lost
    };
    assert!((1_100..1_300).step_by(5).any(|at| !lost(at).is_empty()), "the id, and no effect");
}

#[test]
fn s14_siblings_what_a_worker_lost_is_found_by_the_offset_alone() {
    for dedupe in STRATEGIES {
        let set = [format!("inline.sink.dedupe={dedupe}"), format!("handed-over.sink.dedupe={dedupe}")];
        let report = run("auto-commit-truth", &set.each_ref().map(String::as_str));
        assert!(report.ledger.duplicated.is_empty(), "{dedupe}: nothing twice");
        assert_eq!(report.ledger.lost.is_empty(), dedupe == "offset-with-output", "{dedupe}");
    }
}

#[test]
fn s15_slow_handler_is_thrown_out_and_its_orders_are_processed_again() {
    on_a_dozen_seeds("slow-handler", &[], |report| {
        !report.ledger.duplicated.is_empty() && report.ledger.lost.is_empty() && report.guarantee.holds
    });
    assert_eq!(thrown("slow-handler", &[], "slow", "CommitFailedException"), 1);
}

#[test]
fn s15_siblings_fewer_records_or_more_time_cure_and_a_longer_session_does_not() {
    for cure in ["slow.max.poll.records=4", "slow.max.poll.interval.ms=20000", "slow.processing.ms=200"] {
        on_a_dozen_seeds("slow-handler", &[cure], |report| report.guarantee.observed == "exactly-once");
        assert_eq!(thrown("slow-handler", &[cure], "slow", "CommitFailedException"), 0);
    }
    let session = "slow.session.timeout.ms=300000";
    assert_eq!(thrown("slow-handler", &[session], "slow", "CommitFailedException"), 1);
    let epochs = run("slow-handler", &["group.protocol=consumer", "shop.records=60"]);
    assert!(!epochs.ledger.duplicated.is_empty() && epochs.ledger.lost.is_empty(), "the newer protocol is as strict");
}

/// Polling goes on while a worker is slow, so that nobody is thrown out; but what is in its queue is committed.
#[test]
fn s15_sibling_a_worker_keeps_its_partition_and_loses_its_queue() {
    let worker = ["slow.hand.over=worker", "slow.group.instance.id=slow"];
    assert_eq!(run("slow-handler", &worker).guarantee.observed, "exactly-once");
    let crash = r#"[{ "at.ms": 4000, "do": "crash", "node": "slow", "for.ms": 1000 }]"#;
    assert!(!run_scenario(&with_faults("slow-handler", &worker, crash)).ledger.lost.is_empty());
}

const COOPERATIVE: &str = "mailer.partition.assignment.strategy=cooperative-sticky";
const STATIC: &str = "mailer.group.instance.id=mailer";
const EPOCHS: &str = "mailer.group.protocol=consumer";

#[test]
fn s16_rebalance_styles_differ_in_who_stops_for_how_long() {
    let (range, cooperative, statics, epochs) =
        (pauses(&[]), pauses(&[COOPERATIVE]), pauses(&[STATIC]), pauses(&[EPOCHS]));
    let told = format!("{range:?}\n{cooperative:?}\n{statics:?}\n{epochs:?}");
    assert!(range.interruptions >= 5 * 6, "all six partitions, again and again: {told}");
    for style in [&cooperative, &epochs] {
        assert!(2 * style.interruptions < range.interruptions && style.revocations < range.revocations, "{told}");
    }
    assert_eq!(
        (statics.interruptions, statics.revocations),
        (6, 3),
        "each stands still while its owner is away: {told}"
    );
    assert!(statics.longest < Duration::from_millis(2_100), "as long as a restart takes: {told}");
    assert!(epochs.longest > Duration::from_millis(4_000), "until the next heartbeat: {told}");
    let quick = pauses(&[
        EPOCHS,
        "cluster.group.consumer.heartbeat.interval.ms=500",
        "cluster.group.consumer.min.heartbeat.interval.ms=500",
    ]);
    assert!(quick.longest < Duration::from_millis(2_500), "{quick:?}");
}

#[test]
fn s16_siblings_differ_in_what_is_processed_twice() {
    for set in [&[][..], &[STATIC], &[EPOCHS]] {
        let report = run("rebalance-styles", set);
        assert_eq!((report.guarantee.observed, report.ledger.processed), ("exactly-once", 500), "{set:?}");
    }
    let cooperative = run("rebalance-styles", &[COOPERATIVE]);
    assert!(
        cooperative.ledger.lost.is_empty() && !cooperative.ledger.duplicated.is_empty(),
        "commitSync() fails while the rebalance goes on"
    );
    let thrown = |set: &[&str]| thrown("rebalance-styles", set, "mailer-2", "RebalanceInProgressException");
    assert!(thrown(&[COOPERATIVE]) > 0);
    assert_eq!((thrown(&[STATIC]), thrown(&[EPOCHS])), (0, 0));
}

#[test]
fn s17_born_too_late_skips_what_came_before_the_first_position() {
    on_a_dozen_seeds("born-too-late", &[], |report| {
        !report.ledger.acked_lost.is_empty()
            && !report.guarantee.holds
            && report.errors.iter().all(|it| &*it.node != "mailer")
    });
}

#[test]
fn s17_siblings_a_reset_to_before_the_beginning_cures_and_quicker_metadata_do_not() {
    for reset in ["earliest", "by_duration:PT1H"] {
        let reset = format!("mailer.auto.offset.reset={reset}");
        on_a_dozen_seeds("born-too-late", &[&reset], |report| report.guarantee.observed == "exactly-once");
    }
    let (slow, quick) = (run("born-too-late", &[]), run("born-too-late", &["mailer.metadata.max.age.ms=200"]));
    assert!(quick.ledger.lost.len() < slow.ledger.lost.len(), "fewer");
}

/// A group that has committed nothing yet begins at the latest record again after every rebalance.
#[test]
fn s17_sibling_a_rebalance_before_the_first_commit_skips_records() {
    let crash = r#"[{ "on": { "event": "processing", "node": "mailer", "nth": 1 }, "do": "crash", "node": "mailer", "for.ms": 1000 }]"#;
    let set = ["mailer.group.instance.id=mailer-1"];
    let report = run_scenario(&with_faults("born-too-late", &set, crash));
    assert!(report.ledger.lost.contains(&0) && !report.guarantee.holds, "{:?}", report.ledger.lost);
    let set = [set[0], "mailer.auto.offset.reset=earliest"];
    assert!(run_scenario(&with_faults("born-too-late", &set, crash)).ledger.lost.is_empty());
}

#[test]
fn s25_side_effects_happen_twice_though_the_output_stands_once() {
    on_a_dozen_seeds("side-effects", &[], |report| {
        let ledger = &report.ledger;
        report.guarantee.claimed == "exactly-once"
            && !report.guarantee.holds
            && !ledger.duplicated.is_empty()
            && ledger.log_duplicated.is_empty()
            && ledger.lost.is_empty()
    });
}

#[test]
fn s25_siblings_every_strategy_of_the_sink_cures() {
    for dedupe in STRATEGIES {
        let dedupe = format!("billing.sink.dedupe={dedupe}");
        on_a_dozen_seeds("side-effects", &[&dedupe], |report| {
            report.guarantee.holds && report.guarantee.observed == "exactly-once" && report.ledger.processed == 20
        });
    }
}

#[test]
fn s25_siblings_a_store_that_forgets_too_early_does_not() {
    for window in ["billing.sink.window.records=2", "billing.sink.window.ms=50"] {
        on_a_dozen_seeds("side-effects", &["billing.sink.dedupe=processed-ids", window], |report| {
            !report.guarantee.holds && !report.ledger.duplicated.is_empty()
        });
    }
}
