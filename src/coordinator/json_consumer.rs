//! Records of groups of the consumer protocol (KIP-848), types 3, 5 to 8 and 16, as `kafka-dump-log.sh --offsets-decoder` prints
//! them. They are read anew, since a topic's id need not be one of ours.

use super::group::consumer::ConsumerGroupKey;
use super::json::{base64, nullable, text};
use crate::metadata::wire::{Reader, WireError};
use std::fmt::Write;

/// The key, if it is one of these.
pub(super) fn key(bytes: &[u8]) -> Result<Option<String>, WireError> {
    Ok(ConsumerGroupKey::decode(bytes)?.map(|key| {
        let name = if matches!(key, ConsumerGroupKey::Regex(..)) { "regularExpression" } else { "memberId" };
        let part = key.part().map_or_else(String::new, |part| format!(",\"{name}\":{}", text(part)));
        format!("{{\"groupId\":{}{part}}}", text(key.group()))
    }))
}

/// The value of a record of that type.
pub(super) fn value(kind: i16, bytes: &[u8]) -> Result<String, WireError> {
    let mut r = Reader::new(bytes);
    if r.i16()? != 0 {
        return Err(WireError::Invalid("unknown version of a consumer group's record"));
    }
    let json = match kind {
        3 => epoch("epoch", "metadataHash", &mut r)?,
        5 => member(&mut r)?,
        6 => epoch("assignmentEpoch", "assignmentTimestamp", &mut r)?,
        7 => format!("{{\"topicPartitions\":{}", list(&mut r, topic)?),
        8 => {
            let json = format!("{{\"memberEpoch\":{},\"previousMemberEpoch\":{}", r.i32()?, r.i32()?);
            let json = format!("{json},\"state\":{},\"assignedPartitions\":{}", r.i8()?, list(&mut r, topic)?);
            format!("{json},\"partitionsPendingRevocation\":{}", list(&mut r, topic)?)
        }
        16 => {
            let topics = list(&mut r, |r| Ok(text(&r.compact_string()?)))?;
            format!("{{\"topics\":{topics},\"version\":{},\"timestamp\":{}", r.i64()?, r.i64()?)
        }
        _ => return Err(WireError::Invalid("of this type there are only tombstones")),
    };
    if !matches!(kind, 3 | 5 | 6) {
        r.skip_tagged_fields()?;
    }
    r.finish()?;
    Ok(json + "}")
}

/// An epoch and a tagged number, which is printed where it is not zero.
pub(super) fn epoch(epoch: &str, tagged: &str, r: &mut Reader<'_>) -> Result<String, WireError> {
    let mut json = format!("{{\"{epoch}\":{}", r.i32()?);
    r.tagged_fields(|tag, field| {
        if tag == 0 {
            let _ = write!(json, ",\"{tagged}\":{}", field.i64()?);
        }
        Ok(())
    })?;
    Ok(json)
}

fn member(r: &mut Reader<'_>) -> Result<String, WireError> {
    let (instance, rack) = (r.compact_nullable_string()?, r.compact_nullable_string()?);
    let (client, host) = (r.compact_string()?, r.compact_string()?);
    let mut json = format!("{{\"instanceId\":{},\"rackId\":{}", nullable(&instance), nullable(&rack));
    let topics = list(r, |r| Ok(text(&r.compact_string()?)))?;
    let regex = r.compact_nullable_string()?;
    let _ = write!(json, ",\"clientId\":{},\"clientHost\":{}", text(&client), text(&host));
    let _ = write!(json, ",\"subscribedTopicNames\":{topics},\"subscribedTopicRegex\":{}", nullable(&regex));
    let (timeout, assignor) = (r.i32()?, r.compact_nullable_string()?);
    let _ = write!(json, ",\"rebalanceTimeoutMs\":{timeout},\"serverAssignor\":{}", nullable(&assignor));
    r.tagged_fields(|tag, field| {
        if tag == 0 && field.i8()? >= 0 {
            let _ = write!(json, ",\"classicMemberMetadata\":{{\"sessionTimeoutMs\":{}", field.i32()?);
            let _ = write!(json, ",\"supportedProtocols\":{}}}", list(field, protocol)?);
            field.skip_tagged_fields()?;
        }
        Ok(())
    })?;
    Ok(json)
}

fn protocol(r: &mut Reader<'_>) -> Result<String, WireError> {
    let (name, metadata) = (r.compact_string()?, r.bytes(true)?);
    r.skip_tagged_fields()?;
    Ok(format!("{{\"name\":{},\"metadata\":{}}}", text(&name), base64(&metadata)))
}

/// Partitions of a topic; of current assignments with the epochs in which they were assigned.
pub(super) fn topic(r: &mut Reader<'_>) -> Result<String, WireError> {
    let (id, partitions) = (r.uuid()?, list(r, |r| Ok(r.i32()?.to_string()))?);
    let mut json = format!("{{\"topicId\":\"{id}\",\"partitions\":{partitions}");
    r.tagged_fields(|tag, field| {
        if tag == 0 {
            let _ = write!(json, ",\"assignmentEpochs\":{}", list(field, |r| Ok(r.i32()?.to_string()))?);
        }
        Ok(())
    })?;
    Ok(json + "}")
}

pub(super) fn list(
    r: &mut Reader<'_>,
    one: impl Fn(&mut Reader<'_>) -> Result<String, WireError>,
) -> Result<String, WireError> {
    Ok(format!("[{}]", r.array_of(|r| one(r))?.join(",")))
}
