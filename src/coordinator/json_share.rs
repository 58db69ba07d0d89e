//! Records of share groups (KIP-932), types 10 to 15, as `kafka-dump-log.sh --offsets-decoder` prints them.

use super::group::share::ShareGroupKey;
use super::json::{nullable, text};
use super::json_consumer::{epoch, list, topic};
use crate::metadata::wire::{Reader, WireError};

/// The key, if it is one of these.
pub(super) fn key(bytes: &[u8]) -> Result<Option<String>, WireError> {
    Ok(ShareGroupKey::decode(bytes)?.map(|key| {
        let member = key.member().map_or_else(String::new, |member| format!(",\"memberId\":{}", text(member)));
        format!("{{\"groupId\":{}{member}}}", text(key.group()))
    }))
}

/// The value of a record of that type.
pub(super) fn value(kind: i16, bytes: &[u8]) -> Result<String, WireError> {
    let mut r = Reader::new(bytes);
    if r.i16()? != 0 {
        return Err(WireError::Invalid("unknown version of a share group's record"));
    }
    let json = match kind {
        10 => {
            let (rack, client, host) = (r.compact_nullable_string()?, r.compact_string()?, r.compact_string()?);
            let json = format!("{{\"rackId\":{},\"clientId\":{}", nullable(&rack), text(&client));
            let topics = list(&mut r, |r| Ok(text(&r.compact_string()?)))?;
            format!("{json},\"clientHost\":{},\"subscribedTopicNames\":{topics}", text(&host))
        }
        11 => format!("{{\"epoch\":{},\"metadataHash\":{}", r.i32()?, r.i64()?),
        12 => epoch("assignmentEpoch", "assignmentTimestamp", &mut r)?,
        13 => format!("{{\"topicPartitions\":{}", list(&mut r, topic)?),
        14 => {
            let json = format!("{{\"memberEpoch\":{},\"previousMemberEpoch\":{}", r.i32()?, r.i32()?);
            format!("{json},\"state\":{},\"assignedPartitions\":{}", r.i8()?, list(&mut r, topic)?)
        }
        _ => {
            let (initializing, initialized) = (list(&mut r, named_topic)?, list(&mut r, named_topic)?);
            let json = format!("{{\"initializingTopics\":{initializing},\"initializedTopics\":{initialized}");
            let deleting = list(&mut r, |r| {
                let json = format!("{{\"topicId\":\"{}\",\"topicName\":{}}}", r.uuid()?, text(&r.compact_string()?));
                r.skip_tagged_fields().map(|()| json)
            })?;
            format!("{json},\"deletingTopics\":{deleting}")
        }
    };
    if kind != 12 {
        r.skip_tagged_fields()?;
    }
    r.finish()?;
    Ok(json + "}")
}

fn named_topic(r: &mut Reader<'_>) -> Result<String, WireError> {
    let json = format!("{{\"topicId\":\"{}\",\"topicName\":{}", r.uuid()?, text(&r.compact_string()?));
    let partitions = list(r, |r| Ok(r.i32()?.to_string()))?;
    r.skip_tagged_fields().map(|()| format!("{json},\"partitions\":{partitions}}}"))
}
