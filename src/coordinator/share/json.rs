//! Records of `__share_group_state` as `kafka-dump-log.sh --share-group-state-decoder` prints them.

use crate::coordinator::json::{Printed, printed, text};
use crate::metadata::wire::{Reader, WireError};
use crate::record::RawRecord;
use std::fmt::Write;

/// What is printed behind `key:` and `payload:`. Read anew, since a topic's id need not be one of ours.
pub fn share_state_record_json(record: &RawRecord<'_>) -> Printed {
    printed(record, key, value)
}

fn key(kind: i16, bytes: &[u8]) -> Result<Option<String>, WireError> {
    if !matches!(kind, 0 | 1) {
        return Ok(None);
    }
    let mut r = Reader::new(bytes);
    r.i16()?;
    let (group, topic, partition) = (r.string()?, r.uuid()?, r.i32()?);
    r.finish()?;
    Ok(Some(format!("{{\"groupId\":{},\"topicId\":\"{topic}\",\"partition\":{partition}}}", text(&group))))
}

fn value(kind: i16, bytes: &[u8]) -> Result<String, WireError> {
    let mut r = Reader::new(bytes);
    if r.i16()? != 0 {
        return Err(WireError::Invalid("unknown version of a share-partition's record"));
    }
    let mut json = format!("{{\"snapshotEpoch\":{}", r.i32()?);
    if kind == 0 {
        let _ = write!(json, ",\"stateEpoch\":{}", r.i32()?);
    }
    let _ = write!(json, ",\"leaderEpoch\":{},\"startOffset\":{}", r.i32()?, r.i64()?);
    let times = if kind == 0 { Some((r.i64()?, r.i64()?)) } else { None };
    let batches = r.array_of(|r| {
        let (first, last, state, count) = (r.i64()?, r.i64()?, r.i8()?, r.i16()?);
        r.skip_tagged_fields()?;
        Ok(format!(
            "{{\"firstOffset\":{first},\"lastOffset\":{last},\"deliveryState\":{state},\"deliveryCount\":{count}}}"
        ))
    })?;
    r.tagged_fields(|tag, field| {
        if tag == 0 {
            let _ = write!(json, ",\"deliveryCompleteCount\":{}", field.i32()?);
        }
        Ok(())
    })?;
    r.finish()?;
    if let Some((created, written)) = times {
        let _ = write!(json, ",\"createTimestamp\":{created},\"writeTimestamp\":{written}");
    }
    let _ = write!(json, ",\"stateBatches\":[{}]}}", batches.join(","));
    Ok(json)
}
