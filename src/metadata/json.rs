//! Records of the metadata log as `kafka-dump-log.sh --cluster-metadata-decoder` prints them, whoever wrote them.
//!
//! Departure from Kafka: records that concern security, quotas and the migration from ZooKeeper are named, not printed.
//!
//! In Kafka: `MetadataRecordType`, the generated `…RecordJsonConverter.write`.

use super::encode::FRAME_VERSION;
use super::wire::{Reader, WireError};
use std::fmt::Write;

/// What a field holds.
#[derive(Clone, Copy)]
enum Kind {
    I8,
    I16,
    U16,
    I32,
    I64,
    Bool,
    Text,
    Uuid,
    Ints,
    Uuids,
    Structs(&'static [Field]),
}

/// A field: its name, what it holds, the version it came with, and its tag if it is a tagged field.
#[derive(Clone, Copy)]
struct Field(&'static str, Kind, u32, Option<u32>);

const fn field(name: &'static str, kind: Kind) -> Field {
    Field(name, kind, 0, None)
}

const fn tagged(name: &'static str, kind: Kind, tag: u32) -> Field {
    Field(name, kind, 0, Some(tag))
}

use Kind::{Bool, I8, I16, I32, I64, Ints, Structs, Text, U16, Uuid, Uuids};

const ENDPOINT: &[Field] =
    &[field("name", Text), field("host", Text), field("port", U16), field("securityProtocol", I16)];
const FEATURE: &[Field] = &[field("name", Text), field("minSupportedVersion", I16), field("maxSupportedVersion", I16)];

/// Api key, name and fields of each record. Tagged fields stand where Kafka prints them.
const RECORDS: &[(u32, &str, &[Field])] = &[
    (
        0,
        "REGISTER_BROKER_RECORD",
        &[
            field("brokerId", I32),
            Field("isMigratingZkBroker", Bool, 2, None),
            field("incarnationId", Uuid),
            field("brokerEpoch", I64),
            field("endPoints", Structs(ENDPOINT)),
            field("features", Structs(FEATURE)),
            field("rack", Text),
            field("fenced", Bool),
            Field("inControlledShutdown", Bool, 1, None),
            tagged("logDirs", Uuids, 0),
            tagged("cordonedLogDirs", Uuids, 1),
        ],
    ),
    (1, "UNREGISTER_BROKER_RECORD", &[field("brokerId", I32), field("brokerEpoch", I64)]),
    (2, "TOPIC_RECORD", &[field("name", Text), field("topicId", Uuid)]),
    (
        3,
        "PARTITION_RECORD",
        &[
            field("partitionId", I32),
            field("topicId", Uuid),
            field("replicas", Ints),
            field("isr", Ints),
            field("removingReplicas", Ints),
            field("addingReplicas", Ints),
            field("leader", I32),
            tagged("leaderRecoveryState", I8, 0),
            field("leaderEpoch", I32),
            field("partitionEpoch", I32),
            Field("directories", Uuids, 1, None),
            tagged("eligibleLeaderReplicas", Ints, 1),
            tagged("lastKnownElr", Ints, 2),
        ],
    ),
    (
        4,
        "CONFIG_RECORD",
        &[field("resourceType", I8), field("resourceName", Text), field("name", Text), field("value", Text)],
    ),
    (
        5,
        "PARTITION_CHANGE_RECORD",
        &[
            field("partitionId", I32),
            field("topicId", Uuid),
            tagged("isr", Ints, 0),
            tagged("leader", I32, 1),
            tagged("replicas", Ints, 2),
            tagged("removingReplicas", Ints, 3),
            tagged("addingReplicas", Ints, 4),
            tagged("leaderRecoveryState", I8, 5),
            tagged("directories", Uuids, 8),
            tagged("eligibleLeaderReplicas", Ints, 6),
            tagged("lastKnownElr", Ints, 7),
        ],
    ),
    (9, "REMOVE_TOPIC_RECORD", &[field("topicId", Uuid)]),
    (12, "FEATURE_LEVEL_RECORD", &[field("name", Text), field("featureLevel", I16)]),
    (15, "PRODUCER_IDS_RECORD", &[field("brokerId", I32), field("brokerEpoch", I64), field("nextProducerId", I64)]),
    (
        17,
        "BROKER_REGISTRATION_CHANGE_RECORD",
        &[
            field("brokerId", I32),
            field("brokerEpoch", I64),
            tagged("fenced", I8, 0),
            tagged("inControlledShutdown", I8, 1),
            tagged("logDirs", Uuids, 2),
            tagged("cordonedLogDirs", Uuids, 3),
        ],
    ),
    (20, "NO_OP_RECORD", &[]),
    (23, "BEGIN_TRANSACTION_RECORD", &[tagged("name", Text, 0)]),
    (24, "END_TRANSACTION_RECORD", &[]),
    (25, "ABORT_TRANSACTION_RECORD", &[tagged("reason", Text, 0)]),
    (
        27,
        "REGISTER_CONTROLLER_RECORD",
        &[
            field("controllerId", I32),
            field("incarnationId", Uuid),
            field("zkMigrationReady", Bool),
            field("endPoints", Structs(ENDPOINT)),
            field("features", Structs(FEATURE)),
        ],
    ),
    (28, "CLEAR_ELR_RECORD", &[field("topicName", Text)]),
];

/// The record in a value of the metadata log, as JSON.
pub fn record_json(value: &[u8]) -> Result<String, WireError> {
    let mut r = Reader::new(value);
    if r.unsigned_varint()? != FRAME_VERSION {
        return Err(WireError::Invalid("unknown frame version (only frame version 1 is supported)"));
    }
    let (api_key, version) = (r.unsigned_varint()?, r.unsigned_varint()?);
    let known = RECORDS.iter().find(|(key, _, _)| *key == api_key);
    let (_, name, fields) = known.ok_or(WireError::Invalid("a record that is not printed here"))?;
    let data = message(&mut r, fields, version)?;
    r.finish()?;
    Ok(format!("{{\"type\":\"{name}\",\"version\":{version},\"data\":{data}}}"))
}

/// A flexible message.
fn message(r: &mut Reader<'_>, fields: &[Field], version: u32) -> Result<String, WireError> {
    let mut values: Vec<Option<String>> = vec![None; fields.len()];
    for (Field(_, kind, since, tag), slot) in fields.iter().zip(&mut values) {
        if tag.is_none() && version >= *since {
            *slot = Some(value(r, *kind, version)?);
        }
    }
    r.tagged_fields(|tag, content| {
        if let Some(place) = fields.iter().position(|Field(_, _, _, own)| *own == Some(tag)) {
            values[place] = Some(value(content, fields[place].1, version)?);
        }
        Ok(())
    })?;
    let mut out = String::from("{");
    for (Field(name, ..), value) in fields.iter().zip(values) {
        if let Some(value) = value {
            let comma = if out.len() > 1 { "," } else { "" };
            let _ = write!(out, "{comma}\"{name}\":{value}");
        }
    }
    out.push('}');
    Ok(out)
}

fn value(r: &mut Reader<'_>, kind: Kind, version: u32) -> Result<String, WireError> {
    Ok(match kind {
        I8 => r.i8()?.to_string(),
        I16 => r.i16()?.to_string(),
        U16 => r.u16()?.to_string(),
        I32 => r.i32()?.to_string(),
        I64 => r.i64()?.to_string(),
        Bool => r.bool()?.to_string(),
        Text => r.compact_nullable_string()?.map_or_else(|| "null".to_owned(), |text| quoted(&text)),
        Uuid => format!("\"{}\"", r.uuid()?),
        Ints => list(r.array_of(|r| Ok(r.i32()?.to_string()))?),
        Uuids => list(r.array_of(|r| Ok(format!("\"{}\"", r.uuid()?)))?),
        Structs(fields) => list(r.array_of(|r| message(r, fields, version))?),
    })
}

fn list(items: Vec<String>) -> String {
    format!("[{}]", items.join(","))
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{BrokerId, TopicId};
    use crate::metadata::{MetadataRecord, PartitionChangeRecord};

    #[test]
    fn records_are_printed_as_kafka_prints_them() {
        let record = MetadataRecord::FeatureLevel { name: "metadata.version".into(), level: 30 };
        let expected =
            r#"{"type":"FEATURE_LEVEL_RECORD","version":0,"data":{"name":"metadata.version","featureLevel":30}}"#;
        assert_eq!(record_json(&record.encode()).as_deref(), Ok(expected));
        let partition = crate::base::TopicPartition::new(TopicId(0), 3);
        let mut change = PartitionChangeRecord::none(partition);
        (change.isr, change.leader) = (Some(vec![]), Some(BrokerId(-1)));
        change.last_known_elr = Some(vec![BrokerId(1)]);
        let expected = r#"{"type":"PARTITION_CHANGE_RECORD","version":2,"data":{"partitionId":3,"topicId":"AAAAAAAAAAAAAAAAAAAAAQ","isr":[],"leader":-1,"lastKnownElr":[1]}}"#;
        assert_eq!(record_json(&MetadataRecord::PartitionChange(change).encode()).as_deref(), Ok(expected));
    }

    #[test]
    fn other_bytes_are_refused() {
        assert!(record_json(&[]).is_err());
        assert!(record_json(&[1, 14, 0]).is_err(), "a client quota");
        assert!(record_json(&[1, 20, 0, 0, 7]).is_err(), "something behind the record");
        assert_eq!(record_json(&[1, 20, 0, 0]).as_deref(), Ok(r#"{"type":"NO_OP_RECORD","version":0,"data":{}}"#));
    }
}
