//! A worker behind the poll loop, while partitions come and go: what a rebalance listener is for.

use delivery_lab::node::Event;
use delivery_lab::scenario::{self, Scenario, Trial};
use delivery_lab::session::report::Report;
use runs::{read, with_fault};

#[allow(dead_code)] // half of it
#[path = "common/runs.rs"]
mod runs;

/// One member has handed a lot over to its slow worker when another comes and takes half of the partitions.
const MAILERS: &str = r#"{ "version": 1, "seed": 4, "until": { "max.ms": 400000 },
    "topics": [ { "name": "orders", "partitions": 2 } ],
    "producers": [ { "name": "shop", "topic": "orders", "records": 60, "rate.per.second": 40, "key": "record" } ],
    "consumers": [
      { "name": "mailer-1", "group": "mail", "topics": ["orders"], "processing.ms": 60, "hand.over": "worker",
        "commit": "after-async", "config": { "auto.offset.reset": "earliest", "enable.auto.commit": "false" } },
      { "name": "mailer-2", "group": "mail", "topics": ["orders"], "processing.ms": 60, "hand.over": "worker",
        "commit": "after-async", "start.at.ms": 700,
        "config": { "auto.offset.reset": "earliest", "enable.auto.commit": "false" } } ] }"#;

struct Ran {
    report: Report,
    /// How often the two worked on one partition at the same time: one of them began while the other had not ended.
    together: usize,
    /// What `poll()` or `commitSync()` threw.
    thrown: Vec<String>,
}

fn run(scenario: &Scenario) -> Ran {
    let mut trial = Trial::new(scenario).expect("a valid scenario");
    let (mut working, mut together, mut thrown) = (Vec::new(), 0, Vec::new());
    while let Some(recorded) = trial.step() {
        for it in recorded {
            match &it.event {
                Event::Processing { partition, .. } => {
                    together += working.iter().filter(|(node, at)| at == partition && *node != it.node).count();
                    working.push((it.node, *partition));
                }
                Event::Processed { .. } => working.retain(|(node, _)| *node != it.node),
                Event::ConsumerFailed { error } => thrown.push(error.name().to_owned()),
                _ => {}
            }
        }
    }
    let report = Report::of(scenario, &trial);
    assert_eq!(report.invariant_violations, Vec::<String>::new());
    Ran { report, together, thrown }
}

#[test]
fn who_waits_for_its_worker_hands_over_in_order() {
    let ran = |on_revoke: &str| {
        let ran = run(&read(MAILERS, &[&format!("mailer-1.on.revoke={on_revoke}")]));
        let ledger = &ran.report.ledger;
        assert_eq!((ledger.lost.len(), ledger.duplicated.len()), (0, 0), "{on_revoke}");
        (ran.together > 0, !ledger.reordered.is_empty())
    };
    let (disorder, order) = ((true, true), (false, false));
    assert_eq!(["nothing", "commit", "wait"].map(ran), [disorder, disorder, order]);
}

/// `commitAsync()` is not repeated: what was lost on the way before the rebalance comes again elsewhere.
#[test]
fn who_commits_when_partitions_go_repeats_nothing() {
    let inline = [
        "mailer-1.hand.over=inline",
        "mailer-2.hand.over=inline",
        "mailer-1.processing.ms=2",
        "mailer-1.max.poll.records=4",
    ];
    let ran = |on_revoke: &str| {
        let on_revoke = format!("mailer-1.on.revoke={on_revoke}");
        let scenario = read(MAILERS, &[&inline[..], &[&on_revoke]].concat());
        let lose = |scenario, nth| {
            let on = format!(r#"{{ "message": "OffsetCommitRequest", "from": "mailer-1", "nth": {nth} }}"#);
            with_fault(scenario, &format!(r#"{{ "on": {on}, "do": "reset" }}"#))
        };
        run(&(1..=70).fold(scenario, lose)).report.ledger.duplicated.len()
    };
    assert!(ran("nothing") > 0);
    assert_eq!(ran("commit"), 0);
}

/// Who slept through its membership has lost its partitions, and another has them: `onPartitionsLost` is `onPartitionsRevoked` unless
/// people say otherwise, and its commit is refused.
#[test]
fn the_commit_of_a_lost_partition_is_refused() {
    let set = ["mailer-1.session.timeout.ms=6000", "mailer-1.heartbeat.interval.ms=1000", "mailer-1.on.revoke=wait"];
    let pause = r#"{ "at.ms": 900, "do": "pause", "node": "mailer-1", "for.ms": 9000 }"#;
    let Ran { report, thrown, .. } = run(&with_fault(read(MAILERS, &set), pause));
    assert!(thrown.iter().any(|error| error.starts_with("CommitFailedException")), "{thrown:?}");
    assert!(report.ledger.lost.is_empty() && !report.ledger.duplicated.is_empty());
}

#[test]
fn what_a_listener_does_is_a_word() {
    let mut scenario = read(MAILERS, &["mailer-1.on.revoke=wait"]);
    assert_eq!(scenario::parse_value(scenario::to_json(&scenario)), Ok(scenario.clone()));
    let error = scenario::set(&mut scenario, "mailer-1.on.revoke=pause").expect_err("no such word");
    assert!(error.to_string().contains("\"nothing\", \"commit\", \"wait\""), "{error}");
}
