use super::*;
use crate::base::{BrokerId, TopicId};
use crate::metadata::{MetadataDelta, MetadataRecord, PartitionRegistration};

fn image() -> MetadataImage {
    let (mut image, mut delta) = (MetadataImage::default(), MetadataDelta::default());
    let mut records = Vec::new();
    for (topic, name) in [(1, "orders"), (2, "invoices")] {
        records.push(MetadataRecord::Topic { name: Rc::from(name), topic: TopicId(topic) });
        for index in 0..2 {
            let id = TopicPartition::new(TopicId(topic), index);
            let registration = PartitionRegistration::new(vec![BrokerId(0)], vec![BrokerId(0)]);
            records.push(MetadataRecord::Partition(registration.to_record(id)));
        }
    }
    (0..).zip(&records).for_each(|(offset, record)| image.apply(offset, record, &mut delta));
    image
}

fn ongoing() -> TransitMetadata {
    let partitions = [(1, 0), (1, 1), (2, 1)].map(|(topic, index)| TopicPartition::new(TopicId(topic), index));
    TransitMetadata {
        producer_id: 0x0102,
        prev_producer_id: 0x0101,
        next_producer_id: -1,
        producer_epoch: 7,
        last_producer_epoch: -1,
        timeout: Duration::from_millis(60_000),
        state: TransactionState::Ongoing,
        partitions: Rc::from(partitions),
        start_ms: 0x0304,
        update_ms: 0x0506,
        transaction_version: 2,
    }
}

fn empty() -> TransitMetadata {
    let (state, partitions) = (TransactionState::Empty, Rc::default());
    TransitMetadata { prev_producer_id: -1, transaction_version: 0, start_ms: -1, state, partitions, ..ongoing() }
}

fn bytes(state: &TransitMetadata, version: u32) -> Bytes {
    transaction_record("billing", state, version, &image()).value.expect("a value")
}

#[test]
fn the_key_is_kafkas() {
    let record = transaction_record("billing", &ongoing(), 2, &image());
    assert_eq!(&record.key[..], b"\x00\x00\x00\x07billing");
    assert_eq!(read_key(&record.key), Ok(Some(Rc::from("billing"))));
    assert_eq!(transaction_tombstone("billing"), CoordinatorRecord { key: record.key, value: None });
    assert_eq!(read_key(b"\x00\x01\x00\x01a"), Ok(None), "a kind that is not known");
    assert!(read_key(b"\x00\x00\x00\x09a").is_err());
}

#[test]
fn version_1_is_kafkas() {
    let head = b"\x00\x01\x00\x00\x00\x00\x00\x00\x01\x02\x00\x07\x00\x00\xea\x60\x01";
    let partitions = b"\x03\x07orders\x03\x00\x00\x00\x00\x00\x00\x00\x01\x00\x09invoices\x02\x00\x00\x00\x01\x00";
    let times = b"\x00\x00\x00\x00\x00\x00\x05\x06\x00\x00\x00\x00\x00\x00\x03\x04";
    let tags = b"\x02\x00\x08\x00\x00\x00\x00\x00\x00\x01\x01\x02\x02\x00\x02";
    let golden = [&head[..], partitions, times, tags].concat();
    assert_eq!(bytes(&ongoing(), 2), golden);
    assert_eq!(bytes(&ongoing(), 1), golden, "the version of the log follows the cluster, its tags the client");
    let head = b"\x00\x01\x00\x00\x00\x00\x00\x00\x01\x02\x00\x07\x00\x00\xea\x60\x00\x00";
    let times = b"\x00\x00\x00\x00\x00\x00\x05\x06\xff\xff\xff\xff\xff\xff\xff\xff";
    assert_eq!(bytes(&empty(), 2), [&head[..], times, b"\x00"].concat(), "no list, and nothing that is tagged");
}

#[test]
fn version_0_is_kafkas() {
    let head = b"\x00\x00\x00\x00\x00\x00\x00\x00\x01\x02\x00\x07\x00\x00\xea\x60\x01";
    let orders = b"\x00\x00\x00\x02\x00\x06orders\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00\x01";
    let invoices = b"\x00\x08invoices\x00\x00\x00\x01\x00\x00\x00\x01";
    let times = b"\x00\x00\x00\x00\x00\x00\x05\x06\x00\x00\x00\x00\x00\x00\x03\x04";
    assert_eq!(bytes(&ongoing(), 0), [&head[..], orders, invoices, times].concat());
    let head = b"\x00\x00\x00\x00\x00\x00\x00\x00\x01\x02\x00\x07\x00\x00\xea\x60\x00\xff\xff\xff\xff";
    let times = b"\x00\x00\x00\x00\x00\x00\x05\x06\xff\xff\xff\xff\xff\xff\xff\xff";
    assert_eq!(bytes(&empty(), 0), [&head[..], times].concat());
}

#[test]
fn what_is_written_is_read() {
    let rotating = TransitMetadata { next_producer_id: 77, state: TransactionState::PrepareCommit, ..ongoing() };
    for state in [ongoing(), empty(), rotating] {
        let value = TransactionLogValue::decode(&bytes(&state, 2)).expect("bytes").expect("a version");
        assert_eq!(value.to_transit(&image()), state);
    }
    let value = TransactionLogValue::decode(&bytes(&ongoing(), 0)).expect("bytes").expect("a version");
    let forgets = TransitMetadata { prev_producer_id: -1, transaction_version: 0, ..ongoing() };
    assert_eq!(value.to_transit(&image()), forgets);
}

#[test]
fn topics_that_are_gone_are_left_out() {
    let value = TransactionLogValue::decode(&bytes(&ongoing(), 2)).expect("bytes").expect("a version");
    assert!(value.to_transit(&MetadataImage::default()).partitions.is_empty());
    let gone = transaction_record("billing", &ongoing(), 2, &MetadataImage::default());
    let value = TransactionLogValue::decode(&gone.value.expect("a value")).expect("bytes").expect("a version");
    assert_eq!(value.partitions, Some(Vec::new()));
}

#[test]
fn damaged_and_unknown_values() {
    assert_eq!(TransactionLogValue::decode(b"\x00\x02"), Ok(None), "a version that is not known");
    let good = bytes(&ongoing(), 2);
    for end in 2..good.len() {
        assert!(TransactionLogValue::decode(&good[..end]).is_err(), "{end} bytes");
    }
    let mut state = good.to_vec();
    state[16] = 9;
    assert!(TransactionLogValue::decode(&state).is_err(), "there is no state 9");
}
