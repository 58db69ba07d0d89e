//! Sinks, retry and dead letter topics on the whole cluster.

use delivery_lab::scenario::{self, Scenario, Trial};
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
    let report = run(&mailer(&["mailer.sink.fail.every=7", "mailer.retry.topic=orders-retry"]));
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

// ---- as nodes of their own ----

/// Patient enough for a sink that is away for a while.
const PATIENT: &[&str] = &["mailer.retries=100", "mailer.retry.backoff.ms=20", "mailer.sink.timeout.ms=100"];

/// What the sink holds: effects and refusals of each record.
fn table(trial: &Trial) -> Vec<(u32, u32)> {
    let (_, sink) = trial.run.world.sinks().next().expect("the sink is a node");
    sink.table().rows().map(|row| (row.effects, row.refused)).collect()
}

fn struck(set: &[&str], fault: &str) -> (Report, Vec<(u32, u32)>) {
    let (trial, report) = finish(&with_fault(mailer(&[PATIENT, set].concat()), fault));
    let table = table(&trial);
    (report, table)
}

#[test]
fn a_sink_of_which_nothing_is_told_needs_no_node() {
    let nodes = |set: &[&str]| finish(&mailer(set)).0.run.world.sinks().count();
    assert_eq!((nodes(&[]), nodes(&["mailer.sink.dedupe=none"])), (0, 0));
    assert_eq!((nodes(&["mailer.sink.latency.ms=1"]), nodes(&["mailer.sink.name=smtp"])), (1, 1));
}

#[test]
fn what_is_between_effect_and_reply_repeats_unless_the_sink_recognises_it() {
    let crash = r#"{ "on": { "event": "processed", "node": "mail-sink", "nth": 3 }, "do": "crash", "node": "mail-sink", "for.ms": 200 }"#;
    let on = |message: &str, verb: &str| format!(r#"{{ "on": {{ "message": "{message}", "nth": 3 }}, {verb} }}"#);
    let reset = on("SinkWriteResponse", r#""do": "reset""#);
    let stall = on("SinkWriteResponse", r#""do": "stall""#);
    let late = on("SinkWriteRequest", r#""do": "delay", "by.ms": 300"#);
    let pause =
        r#"{ "on": { "message": "SinkWriteRequest", "nth": 3 }, "do": "pause", "node": "mail-sink", "for.ms": 150 }"#;
    for fault in [crash, &reset, &stall, &late, pause] {
        let (report, table) = struck(&["mailer.sink.latency.ms=5"], fault);
        assert_eq!((report.ledger.duplicated.as_slice(), report.ledger.lost.len()), (&[2][..], 0), "{fault}");
        assert!(table[2].0 > 1, "{fault}: {table:?}");
        for dedupe in ["unique-key", "version", "processed-ids", "offset-with-output"] {
            let (report, table) = struck(&[&format!("mailer.sink.dedupe={dedupe}")], fault);
            assert_eq!(report.guarantee.observed, "exactly-once", "{dedupe} {fault}");
            assert!(table.iter().all(|row| row.0 == 1) && table[2].1 > 0, "{dedupe} {fault}: {table:?}");
        }
    }
}

/// Its deadline was in the future that it believed in: who waits for a sink then waits longer, and not for ever.
#[test]
fn a_clock_that_is_set_back_while_it_waits_for_the_sink_costs_time_only() {
    // While it reads the stored offsets, and while it writes.
    for message in ["SinkOffsets", "SinkWrite"] {
        let on_reply = |rest: &str| format!(r#"{{ "on": {{ "message": "{message}Response", "nth": 1 }}, {rest} }}"#);
        let skewed = r#"{ "at.ms": 1, "do": "skew_clock", "node": "mailer", "by.ms": 2000 }"#;
        let set_back = on_reply(r#""do": "skew_clock", "node": "mailer", "by.ms": 0"#);
        let lost = on_reply(r#""do": "stall""#);
        let set = ["mailer.sink.dedupe=offset-with-output", "mailer.start.at.ms=5"];
        let scenario = mailer(&[PATIENT, &set].concat());
        let report = run(&[skewed, &set_back, &lost].into_iter().fold(scenario, with_fault));
        assert_eq!((report.guarantee.observed, report.ledger.processed), ("exactly-once", 12), "{message}");
    }
}

#[test]
fn a_request_that_never_arrives_has_no_effect() {
    let reset = r#"{ "on": { "message": "SinkWriteRequest", "nth": 3 }, "do": "reset" }"#;
    let cut = r#"{ "on": { "event": "processed", "nth": 2 }, "do": "partition", "node": "mail-sink", "for.ms": 400 }"#;
    let (report, table) = struck(&["mailer.sink.name=mail-sink"], reset);
    assert_eq!((report.guarantee.observed, &table), ("exactly-once", &vec![(1, 0); 12]));
    let (report, _) = struck(&["mailer.sink.dedupe=unique-key"], cut);
    assert_eq!(report.guarantee.observed, "exactly-once");
    // Without patience the exception ends the loop.
    let hasty = with_fault(mailer(&["mailer.sink.name=mail-sink"]), reset);
    let (trial, report) = finish(&hasty);
    assert_eq!((table_len(&trial), report.ledger.lost.len()), (2, 10));
}

fn table_len(trial: &Trial) -> usize {
    table(trial).len()
}

/// Two members, and the first dies after effects that it has not committed.
#[test]
fn members_of_a_group_act_on_one_sink() {
    let members = ["mailer.members=2", "orders.partitions=2", "shop.key=record", "session.timeout.ms=6000"];
    let crash =
        r#"{ "on": { "event": "processed", "node": "mailer-1", "nth": 3 }, "do": "crash", "node": "mailer-1" }"#;
    let ran = |dedupe: &str| {
        let (trial, report) = finish(&with_fault(mailer(&[&members[..], &[dedupe]].concat()), crash));
        let refused =
            trial.run.world.sinks().map(|(_, it)| it.table().rows().map(|row| row.refused).sum::<u32>()).sum::<u32>();
        (report.ledger.duplicated.len(), report.ledger.lost.len(), refused > 0)
    };
    assert!(ran("mailer.sink.name=mail-sink").0 > 0);
    for dedupe in ["unique-key", "processed-ids", "version"] {
        assert_eq!(
            ran(&format!("mailer.sink.dedupe={dedupe}")),
            (0, 0, true),
            "{dedupe}: the other's effects are known"
        );
    }
    // Read on from where the effects are, nothing even comes twice.
    assert_eq!(ran("mailer.sink.dedupe=offset-with-output"), (0, 0, false));
}

/// The first member sleeps with records in hand. The other has its partition, reads the stored offset, and is slow.
#[test]
fn a_zombie_is_kept_out_by_the_offset_or_by_its_generation() {
    let set = [
        "mailer.members=2",
        "mailer.sink.dedupe=offset-with-output",
        "mailer.processing.ms=400",
        "session.timeout.ms=6000",
        "heartbeat.interval.ms=500",
        "mailer.max.poll.records=500",
    ];
    let owner = {
        let (trial, _) = finish(&mailer(&set));
        let mut consumers = trial.run.world.consumers();
        consumers
            .find(|(_, app)| app.client().is_some_and(|it| !it.subscription().is_empty()))
            .expect("one")
            .1
            .setup()
            .name
            .clone()
    };
    let pause = format!(
        r#"{{ "on": {{ "event": "processing", "node": "{owner}", "nth": 6 }}, "do": "pause", "node": "{owner}", "for.ms": 9000 }}"#
    );
    let ran = |fencing: &str| {
        let fencing = format!("mailer.sink.fencing={fencing}");
        let (trial, report) = finish(&with_fault(mailer(&[&set[..], &[&fencing]].concat()), &pause));
        let fenced = report.errors.iter().any(|error| error.code.contains("another generation"));
        (report.ledger.duplicated.is_empty(), report.ledger.lost.len(), table(&trial).iter().any(|it| it.1 > 0), fenced)
    };
    assert_eq!(ran("none"), (false, 0, false, false), "the zombie writes what the next owner writes again");
    assert_eq!(ran("offset"), (true, 0, true, false), "one of both is refused");
    assert_eq!(ran("generation"), (true, 0, false, true), "the zombie is");
}

#[test]
fn random_faults_break_no_strategy_that_works_in_a_group() {
    for dedupe in ["unique-key", "processed-ids", "offset-with-output"] {
        let dedupe = format!("mailer.sink.dedupe={dedupe}");
        let group = ["mailer.members=2", "orders.partitions=3", "max.poll.interval.ms=20000", &dedupe];
        for seed in 1..=3 {
            let mut scenario = mailer(&[PATIENT, &group].concat());
            scenario.seed = seed;
            let (_, broken) = sweep::run_seed(&scenario).expect("a valid scenario");
            assert!(broken.is_none(), "{dedupe} {seed}: {broken:?}");
        }
    }
}

#[test]
fn a_processor_undoes_what_its_sink_did_not_confirm() {
    let text = r#"{ "version": 1, "seed": 5, "topics": [ { "name": "orders" }, { "name": "invoices" } ],
        "producers": [ { "name": "shop", "topic": "orders", "records": 10, "rate.per.second": 50 } ],
        "processors": [ { "name": "billing", "from": ["orders"], "to": ["invoices"], "sink": { "dedupe": "unique-key", "timeout.ms": 100 },
                          "producer.config": { "transactional.id": "b" },
                          "consumer.config": { "isolation.level": "read_committed", "auto.offset.reset": "earliest" } } ] }"#;
    let crash = r#"{ "on": { "event": "processed", "node": "billing-sink", "nth": 3 }, "do": "crash", "node": "billing-sink", "for.ms": 500 }"#;
    let (trial, report) = finish(&with_fault(read(text, &[]), crash));
    assert_eq!(
        (report.ledger.duplicated.len(), report.ledger.log_duplicated.len(), report.ledger.lost.len()),
        (0, 0, 0)
    );
    let table = table(&trial);
    assert!(table.iter().all(|row| row.0 == 1) && table.iter().any(|row| row.1 > 0), "{table:?}");
    let mut twice = read(text, &["billing.sink.dedupe=none", "billing.sink.latency.ms=1"]);
    twice = with_fault(twice, crash);
    assert!(!finish(&twice).1.ledger.duplicated.is_empty(), "exactly once ends where Kafka ends");
}

#[test]
fn what_is_wrong_with_the_sinks_of_a_group_is_named() {
    let text = |one: &str, two: &str| {
        format!(
            r#"{{ "version": 1, "topics": [ {{ "name": "orders" }} ], "consumers": [
                {{ "name": "a", "group": "mail", "topics": ["orders"], "sink": {one} }},
                {{ "name": "b", "group": "mail", "topics": ["orders"], "sink": {two} }},
                {{ "name": "c", "topics": ["orders"], "sink": {{ "name": "other" }} }} ] }}"#
        )
    };
    let names = |one: &str, two: &str| {
        let scenario = scenario::parse(&text(one, two)).map_err(|all| all[0].to_string())?;
        let (world, _) = scenario::build(&scenario).map_err(|all| all[0].to_string())?;
        Ok::<_, String>(world.sinks.iter().map(|sink| sink.name.to_string()).collect::<Vec<_>>())
    };
    let keys = r#"{ "dedupe": "unique-key" }"#;
    assert_eq!(names(keys, keys), Ok(vec!["mail-sink".to_owned(), "other".to_owned()]));
    assert_eq!(names("{}", "{}"), Ok(vec!["other".to_owned()]));
    let own = r#"{ "dedupe": "version", "name": "b-sink" }"#;
    assert_eq!(names(keys, own), Ok(vec!["mail-sink".to_owned(), "b-sink".to_owned(), "other".to_owned()]));
    for (one, two, told) in [
        (keys, "{}", "consumers[1].sink: a group acts on one sink, and its settings are others in consumers[0].sink"),
        (keys, r#"{ "name": "other" }"#, "consumers[2].sink: another group acts on a sink of that name"),
        (r#"{ "name": "a" }"#, "{}", "\"a\" is taken"),
        (r#"{ "fencing": "epoch" }"#, "{}", "expected one of \"none\", \"offset\", \"generation\""),
    ] {
        let error = names(one, two).expect_err(told);
        assert!(error.contains(told), "{error}");
    }
}
