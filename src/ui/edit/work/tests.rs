//! Fields against the file format: none is missing, each has its help, and what it is set to arrives.

use super::*;
use crate::ui::edit::{changes, places};
use crate::ui::i18n::Lang;
use delivery_lab::scenario::{library, parse, to_json};
use serde_json::Value;

/// Every key of the format that is neither a name nor a client's settings, in as many scenarios as it takes.
const FULL: [&str; 4] = [
    r#"{ "name": "mailer", "group": "mail", "members": 2, "topics": ["orders"], "processing.ms": 1, "commit": "before",
         "on.revoke": "commit", "batch": true, "retries": 1, "retry.backoff.ms": 1, "retry.topic": "retry", "dead.letter.topic": "dead", "start.at.ms": 1,
         "sink": { "dedupe": "offset-with-output", "fencing": "none", "atomic": false, "first": "id", "latency.ms": 1, "timeout.ms": 2,
                   "fail.every": 3, "lose.reply.every": 4, "poison.every": 5, "name": "post" } }"#,
    r#"{ "name": "mailer", "group": "mail", "topics.pattern": "or.*", "hand.over": "worker", "on.revoke": "wait",
         "sink": { "dedupe": "processed-ids", "window.records": 1, "window.ms": 1 } }"#,
    r#"{ "name": "mailer", "group": "mail", "topics": ["orders"], "assign": true }"#,
    r#"{ "name": "mailer", "group": "mail", "topics": ["orders"], "share": true, "on.failure": "reject", "config": { "share.acknowledgement.mode": "explicit" } }"#,
];

const TOPICS: &str = r#"{ "name": "orders", "replication.factor": 1 }, { "name": "retry", "replication.factor": 1 },
    { "name": "dead", "replication.factor": 1 }, { "name": "bills", "replication.factor": 1 }"#;

fn with(consumer: &str) -> Scenario {
    parse(&format!(
        r#"{{ "version": 1, "seed": 3, "cluster": {{ "brokers": 2, "racks": ["a", "b"], "controllers": 3 }}, "network": {{ "latency.us": [1, 2] }},
             "topics": [ {TOPICS} ],
             "producers": [ {{ "name": "shop", "topic": "orders", "records": 3, "rate.per.second": 2, "key": "record", "resend": "unacknowledged",
                               "transaction.records": 2, "abort.every": 2, "start.at.ms": 3, "config": {{ "transactional.id": "s" }} }} ],
             "consumers": [ {consumer} ],
             "processors": [ {{ "name": "billing", "group": "b", "from": ["orders"], "to": ["bills"], "processing.ms": 1, "offsets": "after", "assign": true,
                                "start.at.ms": 2, "sink": {{ "latency.ms": 1 }} }} ],
             "until": {{ "quiet": false, "max.ms": 9000 }} }}"#
    ))
    .unwrap_or_else(|mistakes| panic!("{mistakes:?}"))
}

/// The keys of an object, those of a sink as `sink.KEY`.
fn keys(of: &Value, before: &str) -> Vec<String> {
    let fields = of.as_object().expect("an object");
    let keys = fields.iter().flat_map(|(key, value)| match value {
        Value::Object(_) if key == "sink" || key == "until" => keys(value, &format!("{key}.")),
        Value::Object(_) => Vec::new(),
        Value::Array(_) if key == "latency.us" => vec!["latency.us least".to_owned(), "latency.us most".to_owned()],
        _ => vec![format!("{before}{key}")],
    });
    keys.filter(|key| key != "name" && key != "version").collect()
}

#[test]
fn every_key_of_the_format_has_a_field() {
    for consumer in FULL {
        let scenario = with(consumer);
        let json = to_json(&scenario);
        let cases = [
            (Place::Producer(0), &json["producers"][0]),
            (Place::Consumer(0), &json["consumers"][0]),
            (Place::Reader(0), &json["processors"][0]),
            (Place::Topic(0), &json["topics"][0]),
            (Place::Cluster, &json["cluster"]),
            (Place::Cluster, &json["network"]),
        ];
        for (place, json) in cases {
            let fields = workload(&scenario, place);
            for key in keys(json, "") {
                assert!(fields.iter().any(|field| field.key == key), "{place:?} has no field for {key}");
            }
        }
        let fields = workload(&scenario, Place::Cluster);
        assert!(["seed", "until.quiet", "until.max.ms"].iter().all(|key| fields.iter().any(|field| field.key == *key)));
    }
}

#[test]
fn every_field_has_help_in_both_languages() {
    for consumer in FULL {
        let scenario = with(consumer);
        for field in places(&scenario).into_iter().flat_map(|place| workload(&scenario, place)) {
            let help = [Lang::En, Lang::Ko].map(|lang| (lang.texts().work_help)(field.key));
            assert!(help.iter().all(|text| !text.is_empty()) && help[0] != help[1], "{}", field.key);
        }
    }
}

#[test]
fn what_a_field_says_can_be_said_again_and_changes_nothing() {
    let full = FULL.map(with).into_iter();
    for scenario in full.chain(library::ids().filter_map(library::get)) {
        for place in places(&scenario) {
            for field in workload(&scenario, place) {
                let again = set_work(&scenario, place, &field, &field.value, Lang::En.texts());
                let again = again.unwrap_or_else(|problem| panic!("{place:?} {}: {problem}", field.key));
                assert_eq!(workload(&again, place), workload(&scenario, place), "{place:?} {}", field.key);
            }
        }
    }
}

fn field(scenario: &Scenario, place: Place, key: &str) -> WorkField {
    let found = workload(scenario, place).into_iter().find(|field| field.key == key);
    found.unwrap_or_else(|| panic!("{place:?} has no {key}"))
}

#[test]
fn what_is_typed_arrives_and_what_is_wrong_is_told() {
    let scenario = with(FULL[0]);
    let (place, t) = (Place::Consumer(0), Lang::En.texts());
    for (key, text) in [
        ("on.revoke", "wait"),
        ("sink.fencing", "generation"),
        ("sink.timeout.ms", "70"),
        ("retry.backoff.ms", "8"),
        ("members", "4"),
        ("dead.letter.topic", ""),
        ("topics.pattern", "ord.*"),
        ("start.at.ms", "0"),
    ] {
        let new = set_work(&scenario, place, &field(&scenario, place, key), text, t).expect(key);
        assert_eq!(field(&new, place, key).value, text, "{key}");
        let expected = if key == "topics.pattern" { 2 } else { 1 };
        assert_eq!(changes(&scenario, &new).len(), expected, "{key}: {:?}", changes(&scenario, &new));
    }
    for (key, text, told) in [
        ("sink.timeout.ms", "0", "from 1 to"),
        ("members", "many", "whole number from 1 to 32"),
        ("on.revoke", "flee", "nothing, commit, wait"),
    ] {
        let problem = set_work(&scenario, place, &field(&scenario, place, key), text, t).expect_err(key);
        assert!(problem.contains(told), "{problem}");
    }
}

#[test]
fn whoever_sends_away_has_settings_of_a_producer() {
    let scenario = with(FULL[0]);
    assert!(places(&scenario).contains(&Place::Sender(0)));
    let mut new = scenario.clone();
    Place::Sender(0).properties_mut(&mut new).insert("acks".into(), "0".into());
    assert_eq!(changes(&scenario, &new), [("mailer".into(), "acks".into(), "all".into(), "0".into())]);
    assert!(!places(&with(FULL[2])).contains(&Place::Sender(0)), "nothing is sent away");
}
