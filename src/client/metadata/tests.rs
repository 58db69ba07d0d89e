//! `MetadataTest` for what the Lab uses.

use super::*;

const TOPIC: TopicId = TopicId(1);
const TP: TopicPartition = TopicPartition::new(TOPIC, 0);

fn ms(ms: u64) -> Time {
    Time(ms * 1_000)
}

struct Lab {
    metadata: Metadata,
    random: Prng,
}

impl Lab {
    fn new() -> Lab {
        let config = MetadataConfig {
            refresh_backoff: ExponentialBackoff::new(Duration::from_millis(100), Duration::from_millis(1_000)),
            max_age: Duration::from_millis(300_000),
            max_idle: Some(Duration::from_millis(60_000)),
        };
        let bootstrap: Rc<[NodeId]> = [NodeId(0), NodeId(1), NodeId(2)].into();
        Lab { metadata: Metadata::new(config, bootstrap), random: Prng::split(1, "metadata") }
    }

    fn update(&mut self, now: Time, response: &MetadataResponse) {
        let (_, version, partial) = self.metadata.next_request(now);
        self.metadata.update(response, version, partial, now, &mut self.random);
    }
}

fn response(leader: i32, leader_epoch: LeaderEpoch) -> MetadataResponse {
    let partition = PartitionMetadata {
        error: ErrorCode::None,
        partition: 0,
        leader: BrokerId(leader),
        leader_epoch,
        replicas: vec![BrokerId(0), BrokerId(1)],
        isr: vec![],
        offline: vec![],
    };
    let topic =
        TopicMetadata { error: ErrorCode::None, name: "orders".into(), topic: TOPIC, partitions: vec![partition] };
    MetadataResponse { brokers: vec![BrokerId(1), BrokerId(0)], racks: SortedMap::new(), topics: vec![topic] }
}

#[test]
fn an_older_leader_epoch_is_ignored() {
    let mut lab = Lab::new();
    lab.metadata.add_topic(&"orders".into(), ms(0));
    lab.update(ms(1), &response(0, 5));
    assert_eq!(lab.metadata.leader(TP), Some(BrokerId(0)));
    lab.update(ms(500), &response(1, 4));
    assert_eq!(lab.metadata.leader(TP), Some(BrokerId(0)));
    lab.update(ms(1_000), &response(1, 6));
    assert_eq!(lab.metadata.current_leader(TP), LeaderAndEpoch { leader: Some(BrokerId(1)), epoch: 6 });
    assert_eq!(lab.metadata.topic_id("orders"), Some(TOPIC));
}

#[test]
fn a_newer_epoch_seen_elsewhere_makes_the_cache_useless() {
    let mut lab = Lab::new();
    lab.metadata.add_topic(&"orders".into(), ms(0));
    assert!(!lab.metadata.update_last_seen_epoch(TP, 3), "nothing is known of this partition");
    lab.update(ms(1), &response(0, 5));
    assert!(!lab.metadata.update_last_seen_epoch(TP, 5));
    assert!(lab.metadata.update_last_seen_epoch(TP, 6));
    assert!(lab.metadata.update_requested());
    assert_eq!(lab.metadata.current_leader(TP), LeaderAndEpoch { leader: None, epoch: 6 });
}

#[test]
fn a_leader_named_in_a_response_counts_if_newer() {
    let mut lab = Lab::new();
    lab.metadata.add_topic(&"orders".into(), ms(0));
    lab.update(ms(1), &response(0, 5));
    let hint = |leader, epoch| CurrentLeader { leader: BrokerId(leader), epoch };
    assert!(!lab.metadata.update_partition_leadership(TP, hint(1, 5)));
    assert!(!lab.metadata.update_partition_leadership(TP, hint(-1, 7)));
    assert!(lab.metadata.update_partition_leadership(TP, hint(1, 6)));
    assert_eq!(lab.metadata.current_leader(TP), LeaderAndEpoch { leader: Some(BrokerId(1)), epoch: 6 });
}

#[test]
fn a_leader_that_is_not_alive_is_none() {
    let mut lab = Lab::new();
    lab.metadata.add_topic(&"orders".into(), ms(0));
    lab.update(ms(1), &response(2, 5));
    assert_eq!(lab.metadata.leader(TP), None);
    assert_eq!(lab.metadata.brokers(), [BrokerId(0), BrokerId(1)]);
}

#[test]
fn updates_back_off_but_not_for_new_topics() {
    let mut lab = Lab::new();
    assert_eq!(lab.metadata.next_update_at(), Time::ZERO, "at once in the beginning");
    lab.metadata.add_topic(&"orders".into(), ms(0));
    lab.update(ms(1_000), &response(0, 0));
    let age = ms(1_000) + Duration::from_millis(300_000);
    assert_eq!(lab.metadata.next_update_at(), age);
    lab.metadata.request_update(false);
    let wait = lab.metadata.next_update_at().since(ms(1_000)).as_millis();
    assert!((80..120).contains(&wait), "{wait}");
    lab.metadata.add_topic(&"invoices".into(), ms(1_001));
    assert_eq!(lab.metadata.next_update_at(), Time::ZERO);
}

#[test]
fn equivalent_answers_and_failures_wait_longer_and_longer() {
    let mut lab = Lab::new();
    lab.metadata.add_topic(&"orders".into(), ms(0));
    let mut waits = Vec::new();
    for round in 0..5_u64 {
        let now = ms(10_000 * round);
        lab.update(now, &response(0, 0));
        lab.metadata.request_update(false);
        waits.push(lab.metadata.next_update_at().since(now).as_millis());
    }
    // The first answer brought news; from the second on the pause doubles.
    for (wait, expected) in waits.iter().zip([100, 100, 200, 400, 800]) {
        assert!((expected * 8 / 10..expected * 12 / 10).contains(wait), "{waits:?}");
    }
    lab.metadata.request_update(true);
    assert!(lab.metadata.next_update_at().since(ms(40_000)).as_millis() < 120, "news is hoped for");
    let mut failures = Vec::new();
    for round in 5..9_u64 {
        let now = ms(10_000 * round);
        lab.metadata.failed_update(now, &mut lab.random);
        failures.push(lab.metadata.next_update_at().since(now).as_millis());
    }
    for (wait, expected) in failures.iter().zip([100, 200, 400, 800]) {
        assert!((expected * 8 / 10..expected * 12 / 10).contains(wait), "{failures:?}");
    }
}

#[test]
fn only_new_topics_are_asked_for_when_nothing_else_is_wanted() {
    let mut lab = Lab::new();
    lab.metadata.add_topic(&"orders".into(), ms(0));
    lab.update(ms(1), &response(0, 0));
    lab.metadata.add_topic(&"invoices".into(), ms(2));
    let (topics, _, partial) = lab.metadata.next_request(ms(2));
    assert_eq!((topics, partial), (vec![Rc::from("invoices")], true));
    // An answer to it keeps what is known of the others.
    let other = MetadataResponse { topics: vec![], ..response(0, 0) };
    lab.update(ms(3), &other);
    assert_eq!(lab.metadata.leader(TP), Some(BrokerId(0)));
    lab.metadata.request_update(false);
    assert_eq!(lab.metadata.next_request(ms(4)).0.len(), 2);
}

#[test]
fn idle_topics_are_forgotten() {
    let mut lab = Lab::new();
    lab.metadata.add_topic(&"orders".into(), ms(0));
    lab.update(ms(1), &response(0, 0));
    lab.metadata.request_update(false);
    lab.update(ms(60_001), &response(0, 0));
    assert_eq!(lab.metadata.topic_id("orders"), None);
    assert!(lab.metadata.next_request(ms(60_002)).0.is_empty());
}

#[test]
fn rebootstrap_forgets_all_but_only_if_it_helps() {
    let mut lab = Lab::new();
    assert!(!lab.metadata.rebootstrap());
    lab.metadata.add_topic(&"orders".into(), ms(0));
    lab.update(ms(1), &response(0, 5));
    assert!(lab.metadata.rebootstrap());
    assert_eq!(lab.metadata.brokers().len(), 3);
    assert_eq!(lab.metadata.topic_id("orders"), None);
    lab.update(ms(500), &response(1, 4));
    assert_eq!(lab.metadata.leader(TP), None, "epochs are remembered");
}
