//! Groups under random faults, in many settings, a few seeds of each (`lab sweep` tries as many as one likes); and that what is
//! demanded of groups when all is over is demanded indeed.

use delivery_lab::check::Invariant;
use delivery_lab::scenario::{self, Scenario, Trial};
use delivery_lab::session::sweep;

const MAILERS: &str = r#"{ "version": 1, "seed": 1000,
    "topics": [ { "name": "orders", "partitions": 4, "replication.factor": 3, "config": { "min.insync.replicas": "2" } } ],
    "producers": [ { "name": "shop", "topic": "orders", "records": 40, "rate.per.second": 10, "key": "record" } ],
    "consumers": [ { "name": "mailer", "members": 3, "group": "mail", "topics": ["orders"], "processing.ms": 20,
                     "config": { "enable.auto.commit": "false", "auto.offset.reset": "earliest", "max.poll.records": "10",
                                 "max.poll.interval.ms": "20000" } } ] }"#;

const CLASSIC: &[&str] = &["session.timeout.ms=8000", "heartbeat.interval.ms=1500"];
const COOPERATIVE: &[&str] = &["mailer.partition.assignment.strategy=cooperative-sticky"];
const EPOCHS: &[&str] = &["group.protocol=consumer"];
const STATIC: &[&str] = &["mailer.group.instance.id=mailer"];
const AUTO: &[&str] = &["mailer.commit=auto", "enable.auto.commit=true", "auto.commit.interval.ms=1000"];
const WORKER: &[&str] = &["mailer.hand.over=worker", "mailer.on.revoke=wait"];
const PATIENT: &[&str] = &["mailer.retries=1000", "mailer.retry.backoff.ms=20", "mailer.sink.timeout.ms=200"];

fn read(text: &str, set: &[&str]) -> Scenario {
    let mut scenario = scenario::parse(text).expect("a valid scenario");
    set.iter().for_each(|one| scenario::set(&mut scenario, one).expect("a valid setting"));
    scenario
}

/// So many seeds from the scenario's own on break nothing.
fn holds(scenario: &Scenario, seeds: u64, what: &str) {
    let outcome = sweep::run(scenario, seeds, |_| {}).expect("a valid scenario");
    assert_eq!(outcome.broken, None, "{what}");
}

#[test]
fn random_faults_break_no_promise_of_a_group() {
    let commits = ["mailer.commit=before", "mailer.commit=after-sync", "mailer.commit=after-async"];
    for style in [&[CLASSIC][..], &[CLASSIC, COOPERATIVE], &[CLASSIC, STATIC], &[EPOCHS], &[EPOCHS, STATIC]] {
        for commit in commits.iter().map(std::slice::from_ref).chain([AUTO, WORKER]) {
            let set = [&style.concat()[..], commit].concat();
            holds(&read(MAILERS, &set), 2, &set.join(" "));
        }
    }
}

#[test]
fn random_faults_break_no_sink_of_a_group_that_works() {
    for dedupe in [
        &["mailer.sink.dedupe=unique-key"][..],
        &["mailer.sink.dedupe=version", "shop.key=entity:5"],
        &["mailer.sink.dedupe=processed-ids", "mailer.sink.window.records=500"],
        &["mailer.sink.dedupe=offset-with-output", "mailer.sink.fencing=offset"],
        &["mailer.sink.dedupe=offset-with-output", "mailer.sink.fencing=generation"],
    ] {
        for style in [CLASSIC, EPOCHS] {
            let set = [style, PATIENT, dedupe].concat();
            holds(&read(MAILERS, &set), 2, &set.join(" "));
        }
    }
}

const BILLING: &str = r#"{ "version": 1, "seed": 1098,
    "topics": [ { "name": "orders", "partitions": 3, "replication.factor": 3, "config": { "min.insync.replicas": "2" } },
                { "name": "invoices", "partitions": 2, "replication.factor": 3, "config": { "min.insync.replicas": "2" } } ],
    "producers": [ { "name": "shop", "topic": "orders", "records": 40, "rate.per.second": 10, "key": "record" } ],
    "processors": [
      { "name": "one", "from": ["orders"], "to": ["invoices"], "group": "billing", "processing.ms": 20, "sink": { "dedupe": "unique-key" },
        "producer.config": { "transactional.id": "one" },
        "consumer.config": { "auto.offset.reset": "earliest", "isolation.level": "read_committed", "max.poll.records": "4" } },
      { "name": "two", "from": ["orders"], "to": ["invoices"], "group": "billing", "processing.ms": 20, "sink": { "dedupe": "unique-key" },
        "producer.config": { "transactional.id": "two-${random.uuid}" },
        "consumer.config": { "auto.offset.reset": "earliest", "isolation.level": "read_committed", "max.poll.records": "4" } } ] }"#;

/// One output for each input, and one effect, though each has an id of its own.
#[test]
fn random_faults_break_no_promise_of_a_group_of_processors() {
    for style in [CLASSIC, EPOCHS] {
        let set = [style, &["max.poll.interval.ms=20000"]].concat();
        holds(&read(BILLING, &set), 4, &set.join(" "));
    }
}

const SHARE: &str = r#"{ "version": 1, "seed": 1000,
    "cluster": { "config": { "share.auto.offset.reset": "earliest", "group.share.record.lock.duration.ms": "15000" } },
    "topics": [ { "name": "jobs", "partitions": 2, "replication.factor": 3, "config": { "min.insync.replicas": "2" } } ],
    "producers": [ { "name": "shop", "topic": "jobs", "records": 40, "rate.per.second": 10, "key": "record" } ],
    "consumers": [ { "name": "worker", "members": 3, "group": "workers", "topics": ["jobs"], "share": true, "processing.ms": 60,
                     "config": { "max.poll.records": "5" } } ] }"#;

#[test]
fn random_faults_break_no_promise_of_a_share_group() {
    let explicit = "worker.share.acknowledgement.mode=explicit";
    for set in [&[][..], &[explicit, "worker.sink.poison.every=9"], &[explicit, "worker.sink.dedupe=unique-key"]] {
        holds(&read(SHARE, set), 3, &set.join(" "));
    }
}

/// What is not so when all is over.
fn left(scenario: &Scenario) -> Vec<(Invariant, String)> {
    let mut trial = Trial::new(scenario).expect("a valid scenario");
    trial.finish();
    trial.run.liveness().into_iter().map(|it| (it.invariant, it.detail.to_string())).collect()
}

/// Two groups never commit what they have read; of one that is too slow for its own settings nothing is demanded.
#[test]
fn who_never_commits_is_told_unless_it_is_overworked() {
    let group = |name: &str| {
        format!(
            r#"{{ "name": "{name}", "group": "{name}", "topics": ["orders"], "processing.ms": 100, "commit": "auto",
                 "config": {{ "enable.auto.commit": "false", "auto.offset.reset": "earliest" }} }}"#
        )
    };
    let text = format!(
        r#"{{ "version": 1, "topics": [ {{ "name": "orders" }} ],
             "producers": [ {{ "name": "shop", "topic": "orders", "records": 3 }} ],
             "consumers": [ {}, {} ] }}"#,
        group("mail"),
        group("audit")
    );
    let lag = |group: &str| (Invariant::LagEnds, format!("{group}: 3 records of orders-0 are not committed"));
    assert_eq!(left(&read(&text, &[])), [lag("mail"), lag("audit")]);
    assert_eq!(left(&read(&text, &["audit.max.poll.interval.ms=6000"])), [lag("mail")], "500 records need 50 s");
    assert_eq!(left(&read(&text, &["mail.commit=after-sync", "audit.commit=after-sync"])), []);
}

/// The static member that leads the group is away while the topic grows, and comes back to what it had: nobody gets the new
/// partitions (KIP-814), and nobody is blamed for it. A dynamic member's return is a rebalance.
#[test]
fn what_no_static_leader_has_dealt_out_nobody_owes() {
    let faults = r#"[ { "at.ms": 2000, "do": "crash", "node": "mailer-1", "for.ms": 2000 },
                      { "at.ms": 2500, "do": "create_partitions", "topic": "orders", "count": 6 } ]"#;
    let grown = |style: &[&str]| {
        let often = ["metadata.max.age.ms=500", "shop.records=80"];
        let mut json = scenario::to_json(&read(MAILERS, &[CLASSIC, &often, style].concat()));
        json["faults"] = serde_json::from_str(faults).expect("JSON");
        json["until"]["max.ms"] = 60_000.into();
        scenario::parse_value(json).expect("a valid scenario")
    };
    let lost = |scenario: &Scenario| {
        let mut trial = Trial::new(scenario).expect("a valid scenario");
        trial.finish();
        !trial.run.final_verdict().lost.is_empty()
    };
    let (fixed, dynamic) = (grown(STATIC), grown(&[]));
    assert!(lost(&fixed) && !lost(&dynamic));
    assert_eq!(left(&fixed), []);
}
