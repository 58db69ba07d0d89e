//! Events as the page lists them: with the names and records a sentence needs.

use super::i18n::Texts;
use crate::base::TopicPartition;
use crate::client::payload::record_id_of;
use crate::node::Event;
use crate::record::RecordBatch;
use crate::session::{EventView, Session};
use crate::view::ClusterView;
use std::rc::Rc;

/// One event with all that its sentence needs.
#[derive(Clone, Debug)]
pub struct Line {
    /// What the session says.
    pub event: Rc<EventView>,
    /// The partition it is about; empty for none.
    pub partition: Rc<str>,
    /// The records it is about.
    pub records: Rc<[u32]>,
    /// The nodes' names, by id.
    pub names: Rc<[Rc<str>]>,
}

impl PartialEq for Line {
    fn eq(&self, other: &Self) -> bool {
        self.event.id == other.event.id
            && self.event.at_us == other.event.at_us
            && self.event.event == other.event.event
    }
}

impl Line {
    /// Dresses an event.
    pub fn new(event: Rc<EventView>, session: &Session, names: &Rc<[Rc<str>]>) -> Line {
        let partition = partition_of(&event.event).map_or_else(|| Rc::from(""), |tp| session.partition_name(tp));
        let records = records_of(&event.event).into();
        Line { event, partition, records, names: names.clone() }
    }

    /// A node's name, as people say it.
    pub fn name(&self, node: u16) -> String {
        self.names.get(usize::from(node)).map_or_else(|| format!("node {node}"), |name| super::words::node_name(name))
    }

    /// Whether its sentence holds a text, which is in lower case.
    pub fn says(&self, t: &Texts, text: &str) -> bool {
        let sentence = (t.event)(self).text;
        format!("{} {sentence} {}", self.here(), self.partition).to_ascii_lowercase().contains(text)
    }

    /// Where it happened.
    pub fn here(&self) -> String {
        self.name(self.event.node)
    }
}

/// The nodes' names, by id; the last one is the administrator, whom the picture does not show.
pub fn names(view: &ClusterView) -> Rc<[Rc<str>]> {
    view.nodes.iter().map(|node| node.name.clone()).chain([Rc::from("admin")]).collect()
}

fn partition_of(event: &Event) -> Option<TopicPartition> {
    match event {
        Event::Sent { partition, .. }
        | Event::BatchSent { partition, .. }
        | Event::Acked { partition, .. }
        | Event::Retry { partition, .. }
        | Event::Delivered { partition, .. }
        | Event::Processing { partition, .. }
        | Event::Processed { partition, .. }
        | Event::SinkRefused { partition, .. }
        | Event::HandlerFailed { partition, .. }
        | Event::Acknowledged { partition, .. }
        | Event::RecordsAcquired { partition, .. }
        | Event::RecordsAcknowledged { partition, .. }
        | Event::AcquisitionLockExpired { partition, .. }
        | Event::SharePartitionLoaded { partition, .. }
        | Event::OffsetsCommitted { partition, .. }
        | Event::PositionSet { partition, .. }
        | Event::Appended { partition, .. }
        | Event::DuplicateIgnored { partition, .. }
        | Event::HighWatermark { partition, .. }
        | Event::BecameLeader { partition, .. }
        | Event::BecameFollower { partition, .. }
        | Event::Truncated { partition, .. }
        | Event::LogStartMoved { partition, .. }
        | Event::Compacted { partition, .. }
        | Event::IsrChanged { partition, .. }
        | Event::IsrProposed { partition, .. }
        | Event::ProduceRefused { partition, .. }
        | Event::LogRecovered { partition, .. }
        | Event::PartitionChanged { partition, .. } => Some(*partition),
        Event::SendFailed { partition, .. } => *partition,
        Event::OffsetsSent { offsets, .. } => offsets.first().map(|it| it.0),
        Event::PartitionsAssigned { partitions }
        | Event::PartitionsRevoked { partitions }
        | Event::PartitionsLost { partitions } => partitions.first().copied(),
        _ => None,
    }
}

fn records_of(event: &Event) -> Vec<u32> {
    match event {
        Event::Sent { record, .. }
        | Event::Acked { record, .. }
        | Event::SendFailed { record, .. }
        | Event::Delivered { record, .. }
        | Event::Processing { record, .. }
        | Event::Processed { record, .. }
        | Event::SinkRefused { record, .. }
        | Event::HandlerFailed { record, .. }
        | Event::Acknowledged { record, .. } => vec![record.0],
        Event::BatchSent { records, .. } | Event::Retry { records, .. } => records.iter().map(|it| it.0).collect(),
        Event::MessageSent { summary, .. } => summary.records.iter().map(|it| it.0).collect(),
        Event::Truncated { records, .. } => records.iter().map(|(_, it)| it.0).collect(),
        Event::Appended { batch, .. } | Event::DuplicateIgnored { batch, .. } => batch_records(batch),
        _ => Vec::new(),
    }
}

/// The generator's records in a batch, read from its bytes.
fn batch_records(batch: &RecordBatch) -> Vec<u32> {
    let values = batch.records().filter_map(|record| record.ok()?.value);
    values.filter_map(|value| record_id_of(&value).map(|id| id.0)).collect()
}
