//! Bytes worked out by hand from Kafka's schemas, round trips, and what an image makes of records.

use super::*;
use crate::base::BrokerId;
use crate::protocol::LeaderRecoveryState;
use proptest::prelude::*;
use std::rc::Rc;

const PARTITION: TopicPartition = TopicPartition::new(TopicId(1), 2);

fn ids<const N: usize>(ids: [i32; N]) -> Vec<BrokerId> {
    ids.map(BrokerId).to_vec()
}

fn register(broker: i32, broker_epoch: i64) -> MetadataRecord {
    MetadataRecord::RegisterBroker(RegisterBrokerRecord {
        broker: BrokerId(broker),
        incarnation: 7,
        broker_epoch,
        rack: None,
        fenced: true,
        in_controlled_shutdown: false,
    })
}

fn registration_change(broker_epoch: i64, fenced: Option<bool>) -> MetadataRecord {
    let (broker, in_controlled_shutdown) = (BrokerId(1), false);
    let change = BrokerRegistrationChangeRecord { broker, broker_epoch, fenced, in_controlled_shutdown };
    MetadataRecord::BrokerRegistrationChange(change)
}

fn applied(records: &[MetadataRecord]) -> (MetadataImage, MetadataDelta) {
    let (mut image, mut delta) = (MetadataImage::default(), MetadataDelta::default());
    (0..).zip(records).for_each(|(offset, record)| image.apply(offset, record, &mut delta));
    (image, delta)
}

fn with_topic() -> Vec<MetadataRecord> {
    let partition = |index| {
        let registration = PartitionRegistration::new(ids([0, 1, 2]), ids([0, 1]));
        MetadataRecord::Partition(registration.to_record(TopicPartition::new(TopicId(1), index)))
    };
    let topic = MetadataRecord::Topic { name: Rc::from("orders"), topic: TopicId(1) };
    vec![topic, partition(0), partition(1), partition(2)]
}

#[test]
fn golden_bytes_of_small_records() {
    let feature = MetadataRecord::FeatureLevel { name: Rc::from("metadata.version"), level: 30 };
    // Frame version 1, API key 12, version 0; compact string of 16 bytes; level; no tagged fields.
    assert_eq!(&feature.encode()[..], b"\x01\x0c\x00\x11metadata.version\x00\x1e\x00");

    // API key 17, version 0; tag 0 holds one byte, −1: unfenced.
    let unfenced = registration_change(5, Some(false)).encode();
    assert_eq!(&unfenced[..], b"\x01\x11\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x05\x01\x00\x01\xff");

    let ids = MetadataRecord::ProducerIds { broker: BrokerId(2), broker_epoch: 6, next_producer_id: 1_000 };
    let golden = b"\x01\x0f\x00\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00\x06\x00\x00\x00\x00\x00\x00\x03\xe8\x00";
    assert_eq!(&ids.encode()[..], golden);

    assert_eq!(&MetadataRecord::NoOp.encode()[..], b"\x01\x14\x00\x00");
}

#[test]
fn golden_bytes_of_a_partition_change() {
    let mut change = PartitionChangeRecord::none(PARTITION);
    change.isr = Some(ids([1, 2]));
    change.leader = Some(BrokerId(1));
    change.leader_recovery_state = Some(LeaderRecoveryState::Recovering);
    let mut golden = b"\x01\x05\x02\x00\x00\x00\x02".to_vec();
    let uuid = Uuid::of_topic(TopicId(1));
    golden.extend(uuid.high.to_be_bytes());
    golden.extend(uuid.low.to_be_bytes());
    // Three tagged fields: 0 the ISR (9 bytes: length 2 + 1, then the ids), 1 the leader, 5 the recovery state.
    golden.extend(b"\x03\x00\x09\x03\x00\x00\x00\x01\x00\x00\x00\x02\x01\x04\x00\x00\x00\x01\x05\x01\x01");
    assert_eq!(MetadataRecord::PartitionChange(change).encode(), golden);
}

#[test]
fn what_is_written_is_read() {
    let config = |value: Option<&str>| {
        MetadataRecord::Config(ConfigRecord {
            resource: ConfigResource::Topic,
            resource_name: Rc::from("orders"),
            name: Rc::from("min.insync.replicas"),
            value: value.map(Rc::from),
        })
    };
    let mut registration = PartitionRegistration::new(ids([2, 0, 1]), ids([0]));
    registration.leader_recovery_state = LeaderRecoveryState::Recovering;
    registration.elr = ids([1]);
    registration.last_known_elr = ids([2]);
    let mut records = with_topic();
    records.extend([
        register(3, 9),
        registration_change(9, None),
        registration_change(9, Some(true)),
        MetadataRecord::UnregisterBroker { broker: BrokerId(3), broker_epoch: 9 },
        MetadataRecord::Partition(registration.to_record(PARTITION)),
        config(Some("2")),
        config(None),
        MetadataRecord::RemoveTopic { topic: TopicId(1) },
        MetadataRecord::ClearElr { topic: Some(Rc::from("orders")) },
        MetadataRecord::ClearElr { topic: None },
        MetadataRecord::NoOp,
    ]);
    for record in &records {
        assert_eq!(MetadataRecord::decode(&record.encode()).as_ref(), Ok(record));
    }
    let batch = batch_of(&records, 3, 1_000).with_offset_and_epoch(40, 3);
    let read = records_of(&batch).expect("a batch");
    assert_eq!(read, (40..).zip(records).collect::<Vec<_>>());
}

#[test]
fn damaged_records_are_refused() {
    let bytes = register(1, 1).encode();
    for len in 0..bytes.len() {
        assert!(MetadataRecord::decode(&bytes[..len]).is_err(), "cut after {len} bytes");
    }
    assert!(MetadataRecord::decode(&[&bytes[..], &[0]].concat()).is_err(), "garbage behind");
    assert!(MetadataRecord::decode(b"\x00\x14\x00\x00").is_err(), "frame version 0");
    assert!(MetadataRecord::decode(b"\x01\x63\x00\x00").is_err(), "unknown type");
}

proptest! {
    #[test]
    fn any_change_survives_its_bytes(
        isr in proptest::option::of(proptest::collection::vec(0..9_i32, 0..4)),
        leader in proptest::option::of(-1..9_i32),
        partition in 0..60_u32,
        elr in proptest::option::of(proptest::collection::vec(0..9_i32, 0..4)),
    ) {
        let brokers = |ids: Vec<i32>| ids.into_iter().map(BrokerId).collect::<Vec<_>>();
        let mut change = PartitionChangeRecord::none(TopicPartition::new(TopicId(3), partition));
        change.isr = isr.map(brokers);
        change.leader = leader.map(BrokerId);
        change.elr = elr.map(brokers);
        let record = MetadataRecord::PartitionChange(change);
        prop_assert_eq!(MetadataRecord::decode(&record.encode()), Ok(record));
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
        let _ = MetadataRecord::decode(&bytes);
        let _ = MetadataRecord::decode(&[&[1, 5, 2], &bytes[..]].concat());
    }
}

#[test]
fn epochs_move_as_records_say() {
    let (mut image, mut delta) = applied(&with_topic());
    let mut shrink = PartitionChangeRecord::none(PARTITION);
    shrink.isr = Some(ids([0]));
    image.apply(4, &MetadataRecord::PartitionChange(shrink), &mut delta);
    let partition = image.partition(PARTITION).expect("it exists");
    assert_eq!((partition.leader_epoch, partition.partition_epoch), (0, 1), "the ISR alone moves no leader epoch");
    let mut same_leader = PartitionChangeRecord::none(PARTITION);
    same_leader.leader = Some(BrokerId(0));
    image.apply(5, &MetadataRecord::PartitionChange(same_leader), &mut delta);
    let partition = image.partition(PARTITION).expect("it exists");
    assert_eq!((partition.leader_epoch, partition.partition_epoch), (1, 2));
}

#[test]
fn eligible_leaders_are_forgotten_where_there_are_any() {
    let (mut image, _) = applied(&with_topic());
    let mut change = PartitionChangeRecord::none(PARTITION);
    (change.elr, change.last_known_elr) = (Some(ids([1])), Some(ids([0])));
    image.apply(4, &MetadataRecord::PartitionChange(change.clone()), &mut MetadataDelta::default());
    for topic in [Some("orders"), None, Some("payments")] {
        let (mut image, mut delta) = (image.clone(), MetadataDelta::default());
        image.apply(5, &MetadataRecord::ClearElr { topic: topic.map(Rc::from) }, &mut delta);
        let partition = image.partition(PARTITION).expect("it exists");
        let forgotten = partition.elr.is_empty() && partition.last_known_elr.is_empty();
        assert_eq!(
            (forgotten, partition.partition_epoch),
            if topic == Some("payments") { (false, 1) } else { (true, 2) }
        );
        assert_eq!(delta.changed_partitions.len(), usize::from(forgotten), "the others are left alone");
    }
}

#[test]
fn a_delta_names_what_changed_once() {
    let (mut image, delta) = applied(&with_topic());
    let all: Vec<_> = (0..3).map(|index| TopicPartition::new(TopicId(1), index)).collect();
    assert_eq!((delta.changed_partitions, delta.created_topics), (all, vec![TopicId(1)]));
    let mut delta = MetadataDelta::default();
    let mut change = PartitionChangeRecord::none(PARTITION);
    change.isr = Some(ids([0]));
    for offset in 4..6 {
        image.apply(offset, &MetadataRecord::PartitionChange(change.clone()), &mut delta);
    }
    image.apply(6, &register(1, 6), &mut delta);
    image.apply(7, &registration_change(6, Some(false)), &mut delta);
    assert_eq!((delta.changed_partitions, delta.changed_brokers), (vec![PARTITION], ids([1])));
    assert!(image.is_active(BrokerId(1)) && image.offset() == 7);
}

#[test]
fn a_registration_change_of_another_epoch_is_ignored() {
    let (image, _) = applied(&[register(1, 0), registration_change(5, Some(false))]);
    assert!(!image.is_unfenced(BrokerId(1)));
}

#[test]
fn topics_come_and_go() {
    let (mut image, mut delta) = applied(&with_topic());
    assert_eq!((image.topic_id("orders"), image.topic_name(TopicId(1))), (Some(TopicId(1)), Some("orders")));
    assert_eq!(image.topic_name(CLUSTER_METADATA.topic), Some(CLUSTER_METADATA_TOPIC));
    image.apply(4, &MetadataRecord::RemoveTopic { topic: TopicId(1) }, &mut delta);
    assert_eq!((image.topic_id("orders"), image.partition(PARTITION)), (None, None));
    assert_eq!(image.next_topic_id(), TopicId(2), "ids are not used again");
    assert_eq!((delta.removed_topics, delta.changed_partitions), (vec![TopicId(1)], vec![]));
}

#[test]
fn a_clone_shares_what_does_not_change() {
    let (image, mut delta) = applied(&with_topic());
    let mut copy = image.clone();
    let mut change = PartitionChangeRecord::none(PARTITION);
    change.isr = Some(ids([0]));
    copy.apply(4, &MetadataRecord::PartitionChange(change), &mut delta);
    let other = TopicPartition::new(TopicId(1), 0);
    assert!(Rc::ptr_eq(image.partition(other).expect("old"), copy.partition(other).expect("new")));
    assert_ne!(image.partition(PARTITION), copy.partition(PARTITION));
}

#[test]
fn coordinators_are_where_kafka_looks_for_them() {
    // "mail".hashCode() is 3343799.
    assert_eq!(coordinator_partition("mail", 50), 49);
    assert_eq!(coordinator_partition("", 50), 0);
    // "polygenelubricants".hashCode() is Integer.MIN_VALUE, which has no absolute value.
    assert_eq!(coordinator_partition("polygenelubricants", 50), 0);
    // Beyond the basic plane a character is two units of UTF-16: "\u{1F600}".hashCode() is 1772899.
    assert_eq!(coordinator_partition("\u{1F600}", 50), 49);
}
