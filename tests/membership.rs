//! Members of a group on a whole cluster: who gets what, what a crash and a slow handler cost, who reads on.

use delivery_lab::node::Event;
use delivery_lab::scenario::{self, Scenario, Trial};
use delivery_lab::session::report::Report;

/// Two mailers share a topic of four partitions.
const MAILERS: &str = r#"{ "version": 1, "seed": 11, "until": { "max.ms": 400000 },
    "topics": [ { "name": "orders", "partitions": 4 } ],
    "producers": [ { "name": "shop", "topic": "orders", "records": 40, "rate.per.second": 20, "key": "record" } ],
    "consumers": [
      { "name": "mailer-1", "group": "mail", "topics": ["orders"], "processing.ms": 5, "commit": "after-sync",
        "config": { "auto.offset.reset": "earliest", "enable.auto.commit": "false" } },
      { "name": "mailer-2", "group": "mail", "topics": ["orders"], "processing.ms": 5, "commit": "after-sync",
        "config": { "auto.offset.reset": "earliest", "enable.auto.commit": "false" } } ] }"#;

fn mailers(set: &[&str]) -> Scenario {
    let mut scenario = scenario::parse(MAILERS).expect("a valid scenario");
    set.iter().for_each(|one| scenario::set(&mut scenario, one).expect("a valid setting"));
    scenario
}

/// Another fault, in the words of a scenario.
fn with_fault(scenario: &Scenario, fault: &str) -> Scenario {
    let mut json = scenario::to_json(scenario);
    json["faults"] = serde_json::from_str(&format!("[{fault}]")).expect("JSON");
    scenario::parse_value(json).expect("a valid scenario")
}

struct Ran {
    report: Report,
    /// What happened since the origin of the clock, by the node's name.
    events: Vec<(String, Event)>,
    trial: Trial,
}

fn run(scenario: &Scenario) -> Ran {
    let mut trial = Trial::new(scenario).expect("a valid scenario");
    let mut names: Vec<String> = trial.run.world.setup().names().iter().map(|name| name.to_string()).collect();
    names.push("admin".to_owned());
    let mut events = Vec::new();
    while let Some(recorded) = trial.step() {
        events.extend(recorded.iter().map(|it| (names[usize::from(it.node.0)].clone(), it.event.clone())));
    }
    let report = Report::of(scenario, &trial);
    assert_eq!(report.invariant_violations, Vec::<String>::new());
    Ran { report, events, trial }
}

impl Ran {
    /// Everybody's partitions at the end.
    fn owned(&self) -> Vec<Vec<u32>> {
        let owned = self.trial.run.world.consumers().map(|(_, app)| {
            let mut owned: Vec<u32> = app
                .client()
                .map_or(Vec::new(), |client| client.subscription().iter().map(|(tp, _)| tp.partition).collect());
            owned.sort_unstable();
            owned
        });
        owned.collect()
    }

    fn count(&self, node: &str, wanted: impl Fn(&Event) -> bool) -> usize {
        self.events.iter().filter(|(name, event)| name == node && wanted(event)).count()
    }

    fn nothing_lost(&self) -> bool {
        self.report.ledger.lost.is_empty() && self.report.ledger.processed >= self.report.ledger.sent
    }
}

const SHORT_SESSION: [&str; 2] = ["session.timeout.ms=6000", "heartbeat.interval.ms=1000"];

#[test]
fn members_share_the_partitions_and_each_record_is_processed_once() {
    let ran = run(&mailers(&[]));
    assert_eq!(ran.owned().concat().len(), 4);
    assert!(ran.owned().iter().all(|owned| owned.len() == 2), "{:?}", ran.owned());
    assert!(ran.nothing_lost() && ran.report.ledger.duplicated.is_empty());
    let joins = |name| ran.count(name, |event| matches!(event, Event::GroupJoined { .. }));
    assert_eq!((joins("mailer-1"), joins("mailer-2")), (1, 1), "the first round waited for both");
}

#[test]
fn a_dead_members_partitions_go_to_the_other_after_its_session() {
    for seed in 1..=5 {
        let seed = format!("seed={seed}");
        let set: Vec<&str> = [&*seed].into_iter().chain(SHORT_SESSION).collect();
        let crash =
            r#"{ "on": { "event": "processing", "node": "mailer-1", "nth": 5 }, "do": "crash", "node": "mailer-1" }"#;
        let ran = run(&with_fault(&mailers(&set), crash));
        assert_eq!(ran.owned(), [vec![], vec![0, 1, 2, 3]]);
        assert!(ran.nothing_lost(), "{:?}", ran.report.ledger.lost);
        assert!(ran.report.virtual_ms.as_f64().expect("a number") > 6_000.0);
    }
}

#[test]
fn a_member_that_comes_later_gets_its_share() {
    for (strategy, revoked) in [("range", 4), ("roundrobin", 4), ("sticky", 4), ("cooperative-sticky", 2)] {
        let strategy = format!("partition.assignment.strategy={strategy}");
        let mut json = scenario::to_json(&mailers(&[&strategy]));
        json["consumers"][1]["start.at.ms"] = 500.into();
        let ran = run(&scenario::parse_value(json).expect("a valid scenario"));
        assert!(ran.owned().iter().all(|owned| owned.len() == 2), "{strategy} {:?}", ran.owned());
        let given_up: usize = ran
            .events
            .iter()
            .map(|(_, event)| match event {
                Event::PartitionsRevoked { partitions } => partitions.len(),
                _ => 0,
            })
            .sum();
        assert_eq!(given_up, revoked, "{strategy}");
        assert!(ran.nothing_lost());
    }
}

#[test]
fn a_slow_member_is_out_and_its_commit_fails() {
    let set =
        ["mailer-1.processing.ms=9000", "mailer-1.max.poll.interval.ms=8000", "mailer-2.max.poll.interval.ms=8000"];
    let ran = run(&mailers(&set));
    let failed =
        |event: &Event| matches!(event, Event::ConsumerFailed { error } if error.name() == "CommitFailedException");
    assert!(ran.count("mailer-1", failed) > 0);
    assert!(ran.count("mailer-1", |event| matches!(event, Event::PartitionsLost { .. })) > 0);
    assert!(!ran.report.ledger.duplicated.is_empty(), "the other one processed it too");
}

#[test]
fn a_static_member_is_back_before_its_session_ends_and_nobody_rebalances() {
    let set = ["mailer-1.group.instance.id=one", "mailer-2.group.instance.id=two"];
    let crash = r#"{ "on": { "event": "processing", "node": "mailer-1", "nth": 5 }, "do": "crash", "node": "mailer-1",
                     "for.ms": 2000 }"#;
    let ran = run(&with_fault(&mailers(&set), crash));
    assert_eq!(ran.count("mailer-2", |event| matches!(event, Event::PartitionsRevoked { .. })), 0);
    assert!(ran.owned().iter().all(|owned| owned.len() == 2));
    assert!(ran.nothing_lost());
}

#[test]
fn a_dead_coordinator_costs_a_lookup_and_no_rebalance() {
    for broker in ["broker-0", "broker-1", "broker-2"] {
        let crash = format!(r#"{{ "at.ms": 700, "do": "crash", "node": "{broker}", "for.ms": 20000 }}"#);
        let ran = run(&with_fault(&mailers(&["orders.replication.factor=3"]), &crash));
        for name in ["mailer-1", "mailer-2"] {
            assert_eq!(ran.count(name, |event| matches!(event, Event::PartitionsLost { .. })), 0, "{broker}");
        }
        assert!(ran.nothing_lost(), "{broker}");
    }
}

#[test]
fn members_of_the_consumer_protocol_share_the_partitions() {
    let mut json = scenario::to_json(&mailers(&["group.protocol=consumer"]));
    json["consumers"][1]["start.at.ms"] = 500.into();
    let ran = run(&scenario::parse_value(json).expect("a valid scenario"));
    assert!(ran.owned().iter().all(|owned| owned.len() == 2), "{:?}", ran.owned());
    assert!(ran.nothing_lost() && ran.report.ledger.duplicated.is_empty());
}

/// One entry of the scenario, three members, all topics that match: each reads its share, and all is read once.
#[test]
fn members_of_one_entry_share_the_topics_that_match_a_pattern() {
    let text = r#"{ "version": 1, "seed": 3,
        "topics": [ { "name": "orders-eu", "partitions": 2 }, { "name": "orders-us", "partitions": 4 }, { "name": "audit" } ],
        "producers": [ { "name": "eu", "topic": "orders-eu", "records": 10, "key": "record" },
                       { "name": "us", "topic": "orders-us", "records": 10, "key": "record" },
                       { "name": "log", "topic": "audit", "records": 5 } ],
        "consumers": [ { "name": "mailer", "group": "mail", "members": 3, "topics.pattern": "orders-.*",
                         "config": { "auto.offset.reset": "earliest", "group.instance.id": "mailer" } } ] }"#;
    // Range deals out each topic by itself.
    for (protocol, shares) in [("classic", [3, 2, 1]), ("consumer", [2, 2, 2])] {
        let mut scenario = scenario::parse(text).expect("a valid scenario");
        scenario::set(&mut scenario, &format!("group.protocol={protocol}")).expect("a valid setting");
        let ran = run(&scenario);
        assert_eq!((ran.report.ledger.processed, ran.report.ledger.duplicated.len()), (20, 0), "{protocol}");
        assert_eq!(ran.owned().iter().map(Vec::len).collect::<Vec<_>>(), shares, "{protocol}");
    }
}

#[test]
fn a_member_that_is_shut_down_leaves_and_a_static_one_stays() {
    let shutdown = r#"{ "at.ms": 1500, "do": "shutdown", "node": "mailer-1", "for.ms": 6000 }"#;
    let revoked = |event: &Event| matches!(event, Event::PartitionsRevoked { .. });
    let assigned = |event: &Event| matches!(event, Event::PartitionsAssigned { .. });
    let ran = run(&with_fault(&mailers(&[]), shutdown));
    assert_eq!(ran.count("mailer-1", |event| matches!(event, Event::MemberLeft { .. })), 1);
    assert_eq!(ran.count("mailer-2", revoked), 2, "it takes all, and gives half back");
    let set = ["mailer-1.group.instance.id=one", "mailer-2.group.instance.id=two"];
    let stayed = run(&with_fault(&mailers(&set), shutdown));
    assert_eq!((stayed.count("mailer-2", revoked), stayed.count("mailer-2", assigned)), (0, 1));
    for ran in [ran, stayed] {
        assert!(ran.nothing_lost() && ran.report.ledger.duplicated.is_empty(), "it commits before it goes");
        assert!(ran.owned().iter().all(|owned| owned.len() == 2), "{:?}", ran.owned());
    }
}

/// A group in the middle of a migration (`group.consumer.migration.policy` is `bidirectional`), and after its end.
#[test]
fn members_of_both_protocols_share_a_group() {
    for (first, second) in [("classic", "consumer"), ("consumer", "classic")] {
        let set = [format!("mailer-1.group.protocol={first}"), format!("mailer-2.group.protocol={second}")];
        let mut json = scenario::to_json(&mailers(&[&set[0], &set[1]]));
        json["producers"][0]["records"] = 300.into();
        json["consumers"][1]["start.at.ms"] = 5_000.into();
        let mixed = scenario::parse_value(json).expect("a valid scenario");
        let ran = run(&mixed);
        assert!(ran.nothing_lost(), "{first} {second} {:?}", ran.report.ledger.lost);
        assert!(ran.owned().iter().all(|owned| owned.len() == 2), "{first} {second} {:?}", ran.owned());
        let gone = run(&with_fault(&mixed, r#"{ "at.ms": 11000, "do": "shutdown", "node": "mailer-2" }"#));
        assert!(gone.nothing_lost(), "{first} {second} {:?}", gone.report.ledger.lost);
        assert_eq!(gone.owned(), [vec![0, 1, 2, 3], vec![]], "{first} {second}");
    }
}

/// The leader knows where replicas are (KIP-881): where each partition has one replica, everybody gets those of its own rack.
#[test]
fn members_get_the_partitions_of_their_rack() {
    for strategy in ["range", "sticky", "cooperative-sticky"] {
        let near = |in_racks: bool| {
            let mut json = scenario::to_json(&mailers(&[&format!("partition.assignment.strategy={strategy}")]));
            json["cluster"] = serde_json::json!({ "brokers": 3, "racks": ["a", "b", "c"] });
            json["topics"][0] = serde_json::json!({ "name": "orders", "partitions": 6, "replication.factor": 1 });
            let mut third = json["consumers"][1].clone();
            third["name"] = "mailer-3".into();
            json["consumers"].as_array_mut().expect("a list").push(third);
            // Dealing them out in turns would not do.
            for (at, rack) in ["b", "c", "a"].into_iter().enumerate().filter(|_| in_racks) {
                json["consumers"][at]["config"]["client.rack"] = rack.into();
            }
            let ran = run(&scenario::parse_value(json).expect("a valid scenario"));
            assert!(ran.owned().iter().all(|owned| owned.len() == 2), "{strategy} {:?}", ran.owned());
            let leader = |partition: u32| ran.report.partitions[&format!("orders-{partition}")].leader;
            let own = ran.owned().into_iter().enumerate();
            own.map(|(at, own)| own.iter().filter(|it| leader(**it) == [1, 2, 0][at]).count()).sum::<usize>()
        };
        assert_eq!(near(true), 6, "{strategy}");
        assert!(near(false) < 6, "{strategy}");
    }
}

/// Settings of the group itself: made before the clock starts, or later.
#[test]
fn a_group_may_have_a_session_timeout_of_its_own() {
    let crash = r#"{ "at.ms": 8000, "do": "crash", "node": "mailer-1" }"#;
    let alter = r#", { "at.ms": 1, "do": "alter_config", "group": "mail", "config": { "consumer.session.timeout.ms": "60000" } }"#;
    let taken_over = |set: &[&str], more: &str| {
        let set = [&["group.protocol=consumer", "shop.rate.per.second=2"][..], set].concat();
        let ran = run(&with_fault(&mailers(&set), &format!("{crash}{more}")));
        assert_eq!(ran.owned(), [vec![], vec![0, 1, 2, 3]]);
        assert!(ran.nothing_lost());
        ran.report.virtual_ms.as_f64().expect("a number") as u64 / 1_000
    };
    let seconds = [
        taken_over(&[], ""),
        taken_over(&["group.mail.consumer.session.timeout.ms=60000"], ""),
        taken_over(&[], alter),
    ];
    assert!((48..60).contains(&seconds[0]), "{seconds:?}");
    assert!(
        seconds[1..].iter().all(|end| (63..75).contains(end)),
        "at once, and from the next heartbeat on: {seconds:?}"
    );
}
