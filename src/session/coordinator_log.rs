//! The records of a coordinator's log, as Kafka's tools print them.

use super::Session;
use crate::base::NodeId;
use crate::coordinator::share::share_state_record_json;
use crate::coordinator::{offsets_record_json, transaction_record_json};
use crate::metadata::{CONSUMER_OFFSETS_TOPIC, SHARE_GROUP_STATE_TOPIC};
use crate::record::RawRecord;
use crate::view::{partition_name, stored_from};
use std::rc::Rc;

/// Of a longer log only the last offsets are looked at.
const DEPTH: i64 = 4_000;

/// A record of a coordinator's log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RecordView {
    /// Where it stands.
    pub offset: i64,
    /// What it is about.
    pub key: Rc<str>,
    /// What it says; `<DELETE>` of a tombstone.
    pub value: Option<Rc<str>>,
}

impl Session {
    /// What an internal partition on a broker holds: the newest record of each key, the newest of them first; of one group
    /// only, if one is named.
    pub fn coordinator_records(&self, node: u16, partition: &str, group: Option<&str>, most: usize) -> Vec<RecordView> {
        let world = &self.trial().run.world;
        let broker = world.broker(NodeId(node).into());
        let log = broker.and_then(|it| it.logs().find(|(id, _)| *partition_name(world, **id) == *partition));
        let Some((_, log)) = log else { return Vec::new() };
        let print = match partition.rsplit_once('-') {
            Some((CONSUMER_OFFSETS_TOPIC, _)) => offsets_record_json,
            Some((SHARE_GROUP_STATE_TOPIC, _)) => share_state_record_json,
            _ => transaction_record_json,
        };
        let mut found: Vec<RecordView> = Vec::new();
        let batches = stored_from(log, (log.end_offset() - DEPTH).max(0)).map(|it| &it.batch);
        for record in batches.filter(|it| !it.is_control()).flat_map(|it| it.raw_records()).filter_map(Result::ok) {
            if group.is_some_and(|group| !is_about(&record, group)) {
                continue;
            }
            let (key, value) = print(&record);
            found.push(RecordView {
                offset: record.offset,
                key: key.unwrap_or_default().into(),
                value: value.map(Rc::from),
            });
        }
        found.reverse();
        let mut newest: Vec<RecordView> = Vec::new();
        for record in found {
            if newest.len() == most {
                break;
            }
            if !newest.iter().any(|it| it.key == record.key) {
                newest.push(record);
            }
        }
        newest
    }
}

/// Keys about groups are a type of two bytes, then the group's name behind its length.
fn is_about(record: &RawRecord<'_>, group: &str) -> bool {
    let name = record.key.and_then(|key| key.get(2..)).filter(|rest| rest.len() >= 2);
    name.is_some_and(|rest| rest[..2] == (group.len() as u16).to_be_bytes() && rest[2..].starts_with(group.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::library;
    use crate::session::Command;
    use crate::view::NodeBody;

    #[test]
    fn a_groups_records_are_printed_as_kafka_prints_them() {
        let mut session = Session::new(library::get("commit-after").expect("in the library")).expect("valid");
        session.dispatch(Command::SeekTime(60_000_000)).expect("it goes there");
        let view = session.view();
        let homes = view.nodes.iter().filter_map(|node| match &node.body {
            NodeBody::Broker(it) => it.groups.first().map(|group| (node.id, group.clone())),
            _ => None,
        });
        let (node, group) = homes.into_iter().next().expect("a coordinator");
        let records = session.coordinator_records(node, &group.home, Some(&group.group), 8);
        assert!(records.len() >= 2, "its metadata, and an offset for each partition");
        assert!(records.is_sorted_by(|a, b| a.offset > b.offset), "newest first");
        let commit = records.iter().find(|it| it.key.starts_with("{\"type\":\"1\"")).expect("a commit");
        assert!(commit.key.contains(&format!("\"group\":\"{}\"", group.group)), "{}", commit.key);
        assert!(commit.value.as_deref().is_some_and(|it| it.contains("\"offset\":")), "{commit:?}");
        assert!(session.coordinator_records(node, &group.home, Some("nobody"), 8).is_empty());
        assert!(session.coordinator_records(node, "orders-9", None, 8).is_empty());
    }
}
