//! Share groups (KIP-932): members share a partition record by record.

use super::{on_a_dozen_seeds, run, run_scenario};
use delivery_lab::base::{Duration, RecordId};
use delivery_lab::check::{ShareEnd, StoryKind, StoryStep};
use delivery_lab::scenario::{Scenario, Trial, library, parse_value, to_json};
use delivery_lab::session::report::Report;
use serde_json::{Value, json};

/// Nobody can do it.
const POISON: u32 = 14;

fn changed(change: impl FnOnce(&mut Value)) -> Scenario {
    let mut json = to_json(&library::get("share-group").expect("it is in the library"));
    change(&mut json);
    parse_value(json).expect("a valid scenario")
}

fn is_as_told(report: &Report) -> bool {
    let ledger = &report.ledger;
    let one_poison = ledger.lost == [POISON] && ledger.exhausted == [POISON] && ledger.acked_lost == [POISON];
    one_poison && ledger.duplicated.len() == 2 && ledger.rejected.is_empty() && !report.guarantee.holds
}

#[test]
fn share_group_does_the_jobs_of_the_dead_again_and_gives_one_up() {
    let report = run("share-group", &[]);
    assert_eq!((report.guarantee.claimed, report.guarantee.observed), ("at-least-once", "none"));
    assert!(is_as_told(&report), "{report:#?}");
    on_a_dozen_seeds("share-group", &[], is_as_told);
}

fn story(trial: &Trial, record: u32) -> &[StoryStep] {
    trial.run.ledger.story(RecordId(record))
}

/// The locks of a machine without power end by themselves; the others never wait for them.
#[test]
fn share_group_locks_end_after_their_time() {
    let mut trial = Trial::new(&changed(|_| {})).expect("a valid scenario");
    trial.finish();
    let duplicated = trial.run.final_verdict().duplicated;
    for record in duplicated {
        let steps = trial.run.ledger.story(record);
        let at = |wanted: fn(&StoryKind) -> bool| steps.iter().find(|step| wanted(&step.kind)).map(|step| step.at);
        let delivered = at(|kind| matches!(kind, StoryKind::Delivered(_))).expect("it was delivered");
        let ended = at(|kind| matches!(kind, StoryKind::LockExpired(1))).expect("its lock ended");
        let after = ended.since(delivered);
        assert!((Duration::from_millis(14_900)..=Duration::from_millis(15_000)).contains(&after), "{after:?}");
    }
    let deliveries = story(&trial, POISON).iter().filter(|step| matches!(step.kind, StoryKind::Delivered(_))).count();
    assert_eq!(deliveries, 5, "group.share.delivery.count.limit");
    let last = story(&trial, POISON).last().map(|step| step.kind.clone());
    assert_eq!(last, Some(StoryKind::Archived(ShareEnd::Exhausted(5))));
}

/// Three workers have the one partition, all at the same time.
#[test]
fn share_group_spreads_one_partition_over_three_workers() {
    let mut trial = Trial::new(&changed(|json| json["faults"] = json!([]))).expect("a valid scenario");
    trial.finish();
    let busy = |worker: &str| {
        let node = trial.run.world.setup().node_id(worker).expect("it is there");
        let mut lives = trial.run.ledger.lives();
        lives.any(|(_, life)| life.story.iter().any(|step| step.node == node && step.kind == StoryKind::Processing))
    };
    assert!(["worker-1", "worker-2", "worker-3"].into_iter().all(busy));
    assert_eq!(trial.run.final_verdict().duplicated, []);
}

#[test]
fn share_group_cure_a_rejected_job_is_given_up_on_purpose() {
    let report = run("share-group", &["worker.on.failure=reject"]);
    assert_eq!((&*report.ledger.rejected, &*report.ledger.lost), (&[POISON][..], &[][..]));
    assert!(report.guarantee.holds, "given up, not lost");
    let both = run("share-group", &["worker.on.failure=reject", "worker.dedupe=unique-key"]);
    assert_eq!((both.guarantee.observed, both.ledger.duplicated.len()), ("exactly-once", 0));
}

#[test]
fn share_group_cure_a_dead_letter_topic_keeps_the_job() {
    let scenario = changed(|json| {
        json["topics"].as_array_mut().expect("a list").push(json!({ "name": "dead", "replication.factor": 3 }));
        json["consumers"][0]["dead.letter.topic"] = json!("dead");
    });
    let report = run_scenario(&scenario);
    assert_eq!((&*report.ledger.dead_lettered, &*report.ledger.lost), (&[POISON][..], &[][..]));
}

/// A process that dies closes its connections: the leader releases what it held at once.
#[test]
fn share_group_sibling_a_crash_releases_at_once() {
    let mut trial = Trial::new(&changed(|json| json["faults"][0]["do"] = json!("crash"))).expect("a valid scenario");
    trial.finish();
    let verdict = trial.run.final_verdict();
    assert_eq!(verdict.duplicated.len(), 2);
    let waited = trial
        .run
        .ledger
        .lives()
        .any(|(_, life)| life.story.iter().any(|step| matches!(step.kind, StoryKind::LockExpired(_))));
    assert!(!waited, "no lock had to end");
}

/// Whoever says "done" before it is loses what was in hand.
#[test]
fn share_group_failure_mode_acknowledging_first_loses() {
    let scenario = changed(|json| {
        let worker = &mut json["consumers"][0];
        worker["commit"] = json!("before");
        worker["sink"] = json!({});
        worker["config"].as_object_mut().expect("settings").remove("share.acknowledgement.mode");
    });
    let report = run_scenario(&scenario);
    assert_eq!(report.guarantee.claimed, "at-most-once");
    assert!(report.guarantee.holds && !report.ledger.lost.is_empty() && report.ledger.duplicated.is_empty());
}

/// Implicitly nobody can say of one job that it failed: the exception ends each worker's loop that gets it.
#[test]
fn share_group_failure_mode_implicitly_one_job_stops_everybody() {
    let scenario = changed(|json| {
        json["faults"] = json!([]);
        json["consumers"][0]["config"].as_object_mut().expect("settings").remove("share.acknowledgement.mode");
    });
    let report = run_scenario(&scenario);
    assert!(report.ledger.lost.contains(&POISON) && report.ledger.exhausted.is_empty());
    for worker in ["worker-1", "worker-2", "worker-3"] {
        let thrown = |code: &str| code.starts_with("SinkException");
        assert!(report.errors.iter().any(|error| &*error.node == worker && thrown(&error.code)), "{worker}");
    }
}

/// A lock that is shorter than the work: the job is done again by another while the first is still at it.
#[test]
fn share_group_failure_mode_slow_work_outlives_its_lock() {
    let slow = |lock: &str| {
        changed(|json| {
            json["faults"] = json!([]);
            json["cluster"]["config"]["group.share.record.lock.duration.ms"] = json!(lock);
            json["cluster"]["config"]["group.share.min.record.lock.duration.ms"] = json!("1000");
            json["producers"][0]["records"] = json!(6);
            json["consumers"][0]["processing.ms"] = json!(900);
            json["consumers"][0]["sink"] = json!({});
        })
    };
    assert!(!run_scenario(&slow("1500")).ledger.duplicated.is_empty());
    assert!(run_scenario(&slow("15000")).ledger.duplicated.is_empty());
}

/// `kafka-configs --entity-type groups`: the group's own limit goes before the cluster's.
#[test]
fn share_group_may_have_a_delivery_limit_of_its_own() {
    let own = json!([{ "name": "workers", "config": { "share.delivery.count.limit": "3" } }]);
    let mut trial = Trial::new(&changed(|json| json["groups"] = own)).expect("a valid scenario");
    trial.finish();
    let last = story(&trial, POISON).last().map(|step| step.kind.clone());
    assert_eq!(last, Some(StoryKind::Archived(ShareEnd::Exhausted(3))));
}

/// A job takes longer than its lock holds: another worker does it as well, unless the first renews (KIP-1222).
#[test]
fn who_renews_keeps_its_locks() {
    let scenario = |more: Value| {
        let mut json = json!({
            "version": 1, "seed": 5, "until": { "max.ms": 600_000 },
            "topics": [{ "name": "jobs" }],
            "producers": [{ "name": "shop", "topic": "jobs", "records": 4 }],
            "consumers": [{ "name": "worker", "group": "workers", "members": 2, "topics": ["jobs"], "share": true,
                "processing.ms": 40_000, "config": { "share.acknowledgement.mode": "explicit", "max.poll.records": "1" } }],
            "groups": [{ "name": "workers", "config": { "share.auto.offset.reset": "earliest" } }],
        });
        for (key, value) in more.as_object().expect("an object") {
            json["consumers"][0][key] = value.clone();
        }
        let scenario = parse_value(json).expect("a valid scenario");
        run_scenario(&scenario).ledger
    };
    let (plain, renews) = (scenario(json!({})), scenario(json!({ "renew.every.ms": 10_000 })));
    assert!(!plain.duplicated.is_empty());
    assert_eq!((renews.processed, renews.delivered, renews.duplicated.len(), renews.lost.len()), (4, 4, 0, 0));
}
