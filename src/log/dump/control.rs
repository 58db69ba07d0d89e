//! Control records, as JSON where Kafka prints them so.

use crate::record::{ControlRecord, ControlType, RawRecord};
use base64::Engine as _;
use std::fmt::Write;

pub(super) fn control_record(out: &mut String, raw: &RawRecord<'_>) {
    let (key, value) = (raw.key.unwrap_or_default(), raw.value.unwrap_or_default());
    let Ok(kind) = ControlType::of_key(key) else {
        out.push_str(" controlType: unreadable");
        return;
    };
    match kind {
        ControlType::Abort | ControlType::Commit => {
            if let Ok(ControlRecord::Abort { coordinator_epoch } | ControlRecord::Commit { coordinator_epoch }) =
                ControlRecord::decode(key, value)
            {
                let _ = write!(out, " endTxnMarker: {} coordinatorEpoch: {coordinator_epoch}", kind.name());
            }
        }
        ControlType::LeaderChange => out.extend([" LeaderChange: ", &json(value, leader_change)]),
        ControlType::SnapshotHeader => out.extend([
            " SnapshotHeader ",
            &json(value, |version, rest| {
                Some(format!("{{\"version\":{version},\"lastContainedLogTimestamp\":{}}}", rest.long()?))
            }),
        ]),
        ControlType::SnapshotFooter => {
            out.extend([" SnapshotFooter ", &json(value, |version, _| Some(format!("{{\"version\":{version}}}")))]);
        }
        ControlType::KraftVersion => out.extend([
            " KRaftVersion ",
            &json(value, |version, rest| Some(format!("{{\"version\":{version},\"kRaftVersion\":{}}}", rest.short()?))),
        ]),
        ControlType::KraftVoters => out.push_str(" KRaftVoters "),
        ControlType::Unknown(id) => {
            let _ = write!(out, " controlType: UNKNOWN({id})");
        }
    }
}

/// What follows the version of a message.
struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*array)
    }

    fn short(&mut self) -> Option<i16> {
        self.array().map(i16::from_be_bytes)
    }

    fn int(&mut self) -> Option<i32> {
        self.array().map(i32::from_be_bytes)
    }

    fn long(&mut self) -> Option<i64> {
        self.array().map(i64::from_be_bytes)
    }

    /// An unsigned varint of at most two bytes.
    fn small(&mut self) -> Option<u32> {
        let [low] = self.array()?;
        if low < 0x80 {
            return Some(u32::from(low));
        }
        let [high] = self.array()?;
        (high < 0x80).then(|| u32::from(low & 0x7f) | u32::from(high) << 7)
    }
}

fn json(value: &[u8], content: impl Fn(i16, &mut Rest<'_>) -> Option<String>) -> String {
    let mut rest = Rest(value);
    let text = rest.short().and_then(|version| content(version, &mut rest));
    text.unwrap_or_else(|| "unreadable".to_owned())
}

fn leader_change(version: i16, rest: &mut Rest<'_>) -> Option<String> {
    let leader = rest.int()?;
    let (voters, granting) = (voters(version, rest)?, voters(version, rest)?);
    Some(format!(
        "{{\"version\":{version},\"leaderId\":{leader},\"voters\":[{voters}],\"grantingVoters\":[{granting}]}}"
    ))
}

fn voters(version: i16, rest: &mut Rest<'_>) -> Option<String> {
    let mut list = Vec::new();
    for _ in 1..rest.small()? {
        let id = rest.int()?;
        let mut voter = format!("{{\"voterId\":{id}");
        if version >= 1 {
            let directory = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(rest.array::<16>()?);
            let _ = write!(voter, ",\"voterDirectoryId\":\"{directory}\"");
        }
        rest.small()?;
        voter.push('}');
        list.push(voter);
    }
    Some(list.join(","))
}
