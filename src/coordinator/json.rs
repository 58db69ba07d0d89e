//! Records of coordinators as `kafka-dump-log.sh --offsets-decoder` and `--transaction-log-decoder` print them.
//!
//! Departures from Kafka: records of streams groups (KIP-1071) count as unknown; what is
//! wrong with bytes that cannot be read is said in our own words.
//!
//! In Kafka: `DumpLogSegments.OffsetsMessageParser`, `TransactionLogMessageParser`, the generated `…JsonConverter.write`.

use super::group::OffsetKey;
use super::group::classic::{GroupMetadata, GroupMetadataKey, MemberMetadata};
use super::transaction::TransactionLogValue;
use crate::metadata::wire::{Reader, WireError};
use crate::record::RawRecord;
use base64::Engine as _;
use std::fmt::Write;
use std::rc::Rc;

/// What is printed behind `key:` and `payload:`.
pub type Printed = (Option<String>, Option<String>);

/// A record of `__consumer_offsets`.
pub fn offsets_record_json(record: &RawRecord<'_>) -> Printed {
    printed(record, offsets_key, offsets_value)
}

/// A record of `__transaction_state`.
pub fn transaction_record_json(record: &RawRecord<'_>) -> Printed {
    printed(record, transaction_key, |_, bytes| transaction_value(bytes))
}

pub(super) fn printed(
    record: &RawRecord<'_>,
    read_key: impl Fn(i16, &[u8]) -> Result<Option<String>, WireError>,
    read_value: impl Fn(i16, &[u8]) -> Result<String, WireError>,
) -> Printed {
    let offset = record.offset;
    let Some(bytes) = record.key else {
        let problem = "using the specified decoder (message had a missing key)";
        return (Some(format!("Failed to decode message at offset {offset} {problem}")), None);
    };
    let decoded = Reader::new(bytes).i16().and_then(|kind| match read_key(kind, bytes)? {
        None => Ok((format!("Unknown record type {kind} at offset {offset}, skipping."), None)),
        Some(key) => {
            let value =
                record.value.map_or_else(|| Ok("<DELETE>".to_owned()), |bytes| framed_value(kind, bytes, &read_value));
            Ok((format!("{{\"type\":\"{kind}\",\"data\":{key}}}"), Some(value?)))
        }
    });
    match decoded {
        Ok((key, value)) => (Some(key), value),
        Err(error) => (Some(format!("Error at offset {offset}, skipping. {error}")), None),
    }
}

fn framed_value(
    kind: i16,
    bytes: &[u8],
    read_value: impl Fn(i16, &[u8]) -> Result<String, WireError>,
) -> Result<String, WireError> {
    let version = Reader::new(bytes).i16()?;
    Ok(format!("{{\"version\":\"{version}\",\"data\":{}}}", read_value(kind, bytes)?))
}

// ---- __consumer_offsets ----------------------------------------------------------------------------------------------

fn offsets_key(kind: i16, bytes: &[u8]) -> Result<Option<String>, WireError> {
    match kind {
        0 | 1 => Ok(OffsetKey::decode(bytes)?.map(|key| {
            let (group, topic) = (text(&key.group), text(&key.topic));
            format!("{{\"group\":{group},\"topic\":{topic},\"partition\":{}}}", key.partition)
        })),
        2 => Ok(GroupMetadataKey::decode(bytes)?.map(|key| format!("{{\"group\":{}}}", text(&key.group)))),
        10..=15 => super::json_share::key(bytes),
        _ => super::json_consumer::key(bytes),
    }
}

fn offsets_value(kind: i16, bytes: &[u8]) -> Result<String, WireError> {
    match kind {
        0 | 1 => offset_value(bytes),
        2 => Ok(group_value(&GroupMetadata::decode(bytes)?)),
        10..=15 => super::json_share::value(kind, bytes),
        _ => super::json_consumer::value(kind, bytes),
    }
}

/// Read anew, since a topic's id need not be one of ours.
fn offset_value(bytes: &[u8]) -> Result<String, WireError> {
    let mut r = Reader::new(bytes);
    let version = r.i16()?;
    if !(0..=4).contains(&version) {
        return Err(WireError::Invalid("unknown version of an offset"));
    }
    let mut json = format!("{{\"offset\":{}", r.i64()?);
    if version >= 3 {
        let _ = write!(json, ",\"leaderEpoch\":{}", r.i32()?);
    }
    let metadata = if version >= 4 { r.compact_string()? } else { r.string()? };
    let _ = write!(json, ",\"metadata\":{},\"commitTimestamp\":{}", text(&metadata), r.i64()?);
    if version == 1 {
        let _ = write!(json, ",\"expireTimestamp\":{}", r.i64()?);
    }
    if version >= 4 {
        r.tagged_fields(|tag, field| {
            if tag == 0 {
                let _ = write!(json, ",\"topicId\":\"{}\"", field.uuid()?);
            }
            Ok(())
        })?;
    }
    r.finish()?;
    json.push('}');
    Ok(json)
}

fn group_value(group: &GroupMetadata) -> String {
    let mut json = format!("{{\"protocolType\":{},\"generation\":{}", text(&group.protocol_type), group.generation);
    let _ = write!(json, ",\"protocol\":{},\"leader\":{}", nullable(&group.protocol), nullable(&group.leader));
    if group.version >= 2 {
        let _ = write!(json, ",\"currentStateTimestamp\":{}", group.current_state_timestamp);
    }
    let consumer = &*group.protocol_type == "consumer";
    let members: Vec<String> = group.members.iter().map(|it| member(it, group.version, consumer)).collect();
    let _ = write!(json, ",\"members\":[{}]}}", members.join(","));
    json
}

fn member(member: &MemberMetadata, version: i16, consumer: bool) -> String {
    let mut json = format!("{{\"memberId\":{}", text(&member.member_id));
    if version >= 3 {
        let _ = write!(json, ",\"groupInstanceId\":{}", nullable(&member.instance_id));
    }
    let _ = write!(json, ",\"clientId\":{},\"clientHost\":{}", text(&member.client_id), text(&member.client_host));
    if version >= 1 {
        let _ = write!(json, ",\"rebalanceTimeout\":{}", member.rebalance_timeout);
    }
    let embedded = |bytes: &[u8], read: fn(&mut Reader<'_>) -> Result<String, WireError>| {
        let read = Some(read(&mut Reader::new(bytes))).filter(|_| consumer);
        read.and_then(Result::ok).unwrap_or_else(|| base64(bytes))
    };
    let _ = write!(
        json,
        ",\"sessionTimeout\":{},\"subscription\":{},\"assignment\":{}}}",
        member.session_timeout,
        embedded(&member.subscription, subscription),
        embedded(&member.assignment, assignment)
    );
    json
}

/// `ConsumerProtocolSubscription`
fn subscription(r: &mut Reader<'_>) -> Result<String, WireError> {
    let version = protocol_version(r)?;
    let topics = array(r, |r| Ok(text(&r.string()?)))?;
    let mut json = format!("{{\"topics\":{topics},\"userData\":{}", user_data(r)?);
    if version >= 1 {
        let _ = write!(json, ",\"ownedPartitions\":{}", array(r, topic_partitions)?);
    }
    if version >= 2 {
        let _ = write!(json, ",\"generationId\":{}", r.i32()?);
    }
    if version >= 3 {
        let _ = write!(json, ",\"rackId\":{}", nullable(&r.nullable_string()?));
    }
    json.push('}');
    Ok(json)
}

/// `ConsumerProtocolAssignment`
fn assignment(r: &mut Reader<'_>) -> Result<String, WireError> {
    protocol_version(r)?;
    let assigned = array(r, topic_partitions)?;
    Ok(format!("{{\"assignedPartitions\":{assigned},\"userData\":{}}}", user_data(r)?))
}

fn protocol_version(r: &mut Reader<'_>) -> Result<i16, WireError> {
    let version = r.i16()?;
    if (0..=3).contains(&version) { Ok(version) } else { Err(WireError::Invalid("unknown version of the protocol")) }
}

fn topic_partitions(r: &mut Reader<'_>) -> Result<String, WireError> {
    let topic = text(&r.string()?);
    Ok(format!("{{\"topic\":{topic},\"partitions\":{}}}", array(r, |r| Ok(r.i32()?.to_string()))?))
}

fn user_data(r: &mut Reader<'_>) -> Result<String, WireError> {
    Ok(r.nullable_bytes()?.map_or_else(|| "null".to_owned(), |bytes| base64(&bytes)))
}

fn array(r: &mut Reader<'_>, one: impl Fn(&mut Reader<'_>) -> Result<String, WireError>) -> Result<String, WireError> {
    let count = r.i32()?;
    let items = (0..count).map(|_| one(r)).collect::<Result<Vec<String>, WireError>>()?;
    Ok(format!("[{}]", items.join(",")))
}

// ---- __transaction_state ---------------------------------------------------------------------------------------------

fn transaction_key(_: i16, bytes: &[u8]) -> Result<Option<String>, WireError> {
    let id = super::transaction::read_key(bytes)?;
    Ok(id.map(|id| format!("{{\"transactionalId\":{}}}", text(&id))))
}

fn transaction_value(bytes: &[u8]) -> Result<String, WireError> {
    let value = TransactionLogValue::decode(bytes)?;
    let value = value.ok_or(WireError::Invalid("unknown version of a transaction"))?;
    let mut json = format!("{{\"producerId\":{}", value.producer_id);
    // Tagged fields are printed where they are not what they are by default.
    let maybe = |json: &mut String, name: &str, value: i64, default: i64| {
        if value != default {
            let _ = write!(json, ",\"{name}\":{value}");
        }
    };
    maybe(&mut json, "previousProducerId", value.previous_producer_id, -1);
    maybe(&mut json, "nextProducerId", value.next_producer_id, -1);
    let _ = write!(json, ",\"producerEpoch\":{}", value.producer_epoch);
    maybe(&mut json, "nextProducerEpoch", i64::from(value.next_producer_epoch), -1);
    let partitions = value.partitions.as_ref().map_or_else(
        || "null".to_owned(),
        |topics| {
            let topic = |(name, ids): &(Rc<str>, Vec<i32>)| {
                let ids: Vec<String> = ids.iter().map(i32::to_string).collect();
                format!("{{\"topic\":{},\"partitionIds\":[{}]}}", text(name), ids.join(","))
            };
            format!("[{}]", topics.iter().map(topic).collect::<Vec<String>>().join(","))
        },
    );
    let _ = write!(
        json,
        ",\"transactionTimeoutMs\":{},\"transactionStatus\":{},\"transactionPartitions\":{partitions},\
         \"transactionLastUpdateTimestampMs\":{},\"transactionStartTimestampMs\":{}",
        value.timeout_ms, value.state as i8, value.last_update_ms, value.start_ms
    );
    maybe(&mut json, "clientTransactionVersion", i64::from(value.client_transaction_version), 0);
    json.push('}');
    Ok(json)
}

// ---- values ----------------------------------------------------------------------------------------------------------

pub(super) fn text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

pub(super) fn nullable(value: &Option<Rc<str>>) -> String {
    value.as_deref().map_or_else(|| "null".to_owned(), text)
}

pub(super) fn base64(bytes: &[u8]) -> String {
    format!("\"{}\"", base64::engine::general_purpose::STANDARD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coordinator::CoordinatorRecord;
    use crate::coordinator::batch_of;
    use bytes::Bytes;

    fn print(decoder: fn(&RawRecord<'_>) -> Printed, key: &[u8], value: Option<Vec<u8>>) -> Printed {
        let record = CoordinatorRecord { key: Bytes::copy_from_slice(key), value: value.map(Bytes::from) };
        let batch = batch_of(&[record], 0);
        decoder(&batch.raw_records().next().expect("a record").expect("it is fine"))
    }

    fn expect(key: &str, value: Option<&str>) -> Printed {
        (Some(key.to_owned()), value.map(ToOwned::to_owned))
    }

    fn metadata(subscription: &'static [u8], assignment: &'static [u8]) -> Vec<u8> {
        let member = MemberMetadata {
            member_id: "member".into(),
            instance_id: Some("instance".into()),
            client_id: "client".into(),
            client_host: "host".into(),
            rebalance_timeout: 1_000,
            session_timeout: 100,
            subscription: Bytes::from_static(subscription),
            assignment: Bytes::from_static(assignment),
        };
        let group = GroupMetadata {
            version: 3,
            protocol_type: "consumer".into(),
            generation: 10,
            protocol: Some("range".into()),
            leader: Some("member".into()),
            current_state_timestamp: -1,
            members: vec![member],
        };
        group.encode().to_vec()
    }

    /// `DumpLogSegmentsTest.testOffsetsMessageParser`
    #[test]
    fn groups_are_printed_as_kafka_prints_them() {
        let key = b"\x00\x02\x00\x05group";
        let expected_key = r#"{"type":"2","data":{"group":"group"}}"#;
        let subscription = b"\x00\x03\x00\x00\x00\x01\x00\x03foo\xff\xff\xff\xff\x00\x00\x00\x01\x00\x03foo\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x04rack";
        let assignment = b"\x00\x03\x00\x00\x00\x01\x00\x03foo\x00\x00\x00\x01\x00\x00\x00\x00\xff\xff\xff\xff";
        let printed = print(offsets_record_json, key, Some(metadata(subscription, assignment)));
        let value = r#"{"version":"3","data":{"protocolType":"consumer","generation":10,"protocol":"range","leader":"member","currentStateTimestamp":-1,"members":[{"memberId":"member","groupInstanceId":"instance","clientId":"client","clientHost":"host","rebalanceTimeout":1000,"sessionTimeout":100,"subscription":{"topics":["foo"],"userData":null,"ownedPartitions":[{"topic":"foo","partitions":[0]}],"generationId":0,"rackId":"rack"},"assignment":{"assignedPartitions":[{"topic":"foo","partitions":[0]}],"userData":null}}]}}"#;
        assert_eq!(printed, expect(expected_key, Some(value)));
        let printed = print(offsets_record_json, key, Some(metadata(b"Subscription", b"Assignment"))).1;
        let malformed = r#""subscription":"U3Vic2NyaXB0aW9u","assignment":"QXNzaWdubWVudA=="}]}}"#;
        assert!(printed.is_some_and(|it| it.ends_with(malformed)));
        assert_eq!(print(offsets_record_json, key, None), expect(expected_key, Some("<DELETE>")));
        let unknown = expect("Unknown record type 32767 at offset 0, skipping.", None);
        assert_eq!(print(offsets_record_json, b"\x7f\xff", Some(vec![])), unknown);
        let (damaged, nothing) = print(offsets_record_json, key, Some(vec![0, 3, 0]));
        assert!(damaged.is_some_and(|it| it.starts_with("Error at offset 0, skipping. ")) && nothing.is_none());
    }

    #[test]
    fn offsets_are_printed_as_kafka_prints_them() {
        let key = b"\x00\x01\x00\x04mail\x00\x06orders\x00\x00\x00\x02";
        let expected_key = r#"{"type":"1","data":{"group":"mail","topic":"orders","partition":2}}"#;
        let mut value = b"\x00\x04\x00\x00\x00\x00\x00\x00\x00\x11\x00\x00\x00\x03\x02m\x00\x00\x00\x00\x00\x00\x00\x05\x01\x00\x10".to_vec();
        value.extend([0; 15]);
        value.push(1);
        let printed = print(offsets_record_json, key, Some(value));
        let expected = r#"{"version":"4","data":{"offset":17,"leaderEpoch":3,"metadata":"m","commitTimestamp":5,"topicId":"AAAAAAAAAAAAAAAAAAAAAQ"}}"#;
        assert_eq!(printed, expect(expected_key, Some(expected)));
        let old = b"\x00\x01\x00\x00\x00\x00\x00\x00\x00\x11\x00\x00\x00\x00\x00\x00\x00\x00\x00\x05\x00\x00\x00\x00\x00\x00\x00\x09";
        let expected = r#"{"version":"1","data":{"offset":17,"metadata":"","commitTimestamp":5,"expireTimestamp":9}}"#;
        assert_eq!(print(offsets_record_json, key, Some(old.to_vec())).1.as_deref(), Some(expected));
    }

    /// `DumpLogSegmentsTest.testTransactionLogMessageParser`
    #[test]
    fn transactions_are_printed_as_kafka_prints_them() {
        let key = b"\x00\x00\x00\x05txnId";
        let expected_key = r#"{"type":"0","data":{"transactionalId":"txnId"}}"#;
        let value = TransactionLogValue {
            producer_id: 12,
            previous_producer_id: 11,
            next_producer_id: 10,
            producer_epoch: 2,
            next_producer_epoch: -1,
            timeout_ms: 14,
            state: crate::protocol::TransactionState::Empty,
            partitions: Some(vec![("topic1".into(), vec![0, 1, 2]), ("topic2".into(), vec![3, 4, 5])]),
            last_update_ms: 123,
            start_ms: 13,
            client_transaction_version: 0,
        };
        let printed = print(transaction_record_json, key, Some(value.encode(1).to_vec()));
        let expected = r#"{"version":"1","data":{"producerId":12,"previousProducerId":11,"nextProducerId":10,"producerEpoch":2,"transactionTimeoutMs":14,"transactionStatus":0,"transactionPartitions":[{"topic":"topic1","partitionIds":[0,1,2]},{"topic":"topic2","partitionIds":[3,4,5]}],"transactionLastUpdateTimestampMs":123,"transactionStartTimestampMs":13}}"#;
        assert_eq!(printed, expect(expected_key, Some(expected)));
        let empty = TransactionLogValue { partitions: None, client_transaction_version: 2, ..value };
        let printed = print(transaction_record_json, key, Some(empty.encode(1).to_vec())).1.expect("a value");
        assert!(printed.contains(r#""transactionPartitions":null,"#), "{printed}");
        assert!(printed.ends_with(r#""transactionStartTimestampMs":13,"clientTransactionVersion":2}}"#), "{printed}");
        assert_eq!(print(transaction_record_json, key, None), expect(expected_key, Some("<DELETE>")));
    }
}
