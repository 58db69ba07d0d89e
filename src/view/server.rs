//! Brokers, projected.

use super::project::{partition_name, reuse};
use super::transactions::{self, Fates};
use super::{
    Activity, BrokerView, CELLS, CellKind, CellView, FollowerView, NodeBody, NodeView, PartitionView, Recent,
    ReplicaRole, SegmentView,
};
use super::{groups, share};
use crate::base::{BrokerId, NodeId, Offset, TopicPartition};
use crate::broker::{Broker, Partition};
use crate::check::{Life, Run};
use crate::client::payload::record_id_of;
use crate::log::{LogDirectory, StoredBatch, UnifiedLog};
use crate::record::RecordBatch;
use crate::sim::World;
use std::rc::Rc;

pub(super) fn broker(
    run: &Run,
    node: NodeId,
    broker: &Broker,
    recent: &Recent,
    old: Option<&NodeView>,
) -> (Activity, NodeBody) {
    let world = &run.world;
    let old = old.and_then(|view| match &view.body {
        NodeBody::Broker(view) => Some(view),
        _ => None,
    });
    let mut partitions = Vec::new();
    let (mut leads, mut follows) = (0, 0);
    for (id, log) in broker.logs().map(|(id, log)| (*id, log)) {
        let internal = is_internal(world, id);
        if internal && log.end_offset() == 0 {
            continue;
        }
        let partition = broker.partition(id);
        if !internal {
            let leader = partition.is_some_and(Partition::is_leader);
            (leads, follows) = (leads + u32::from(leader), follows + u32::from(!leader));
        }
        let name = partition_name(world, id);
        let shown = old.and_then(|view| view.partitions.iter().find(|view| view.name == name));
        let mut view = partition_view(run, broker, id, name, log);
        let cuts = recent.cuts.iter().filter(|(at, partition, _)| (*at, *partition) == (node, id));
        view.cut =
            cuts.flat_map(|(_, _, records)| records.iter().map(|(offset, record)| (*offset, record.0))).collect();
        partitions.push(reuse(view, shown));
    }
    let view = BrokerView {
        broker_epoch: broker.broker_epoch(),
        metadata_offset: broker.image().offset(),
        partitions,
        transactions: transactions::coordinated(world, broker),
        groups: groups::coordinated(world, broker),
        shares: share::partitions(world, broker),
    };
    let doing = match broker.is_fenced() {
        true if broker.broker_epoch() < 0 => Activity::Starting,
        true => Activity::Fenced,
        false => Activity::Serving { leads, follows },
    };
    (doing, NodeBody::Broker(view))
}

fn partition_view(run: &Run, broker: &Broker, id: TopicPartition, name: Rc<str>, log: &LogDirectory) -> PartitionView {
    let partition = broker.partition(id);
    let internal = is_internal(&run.world, id);
    let open = partition.map(Partition::log);
    // A dead process left its last checkpoint of the high watermark behind.
    let high_watermark = open.map_or_else(|| broker.disk().high_watermark(id), UnifiedLog::high_watermark);
    let ids = |brokers: &[BrokerId]| brokers.iter().map(|broker| broker.0).collect::<Vec<i32>>();
    let known = broker.image().partition(id);
    let leads = partition.is_some_and(Partition::is_leader) && !internal;
    PartitionView {
        readers: if leads { groups::read_flags(&run.world, id, &name) } else { Vec::new() },
        name,
        internal,
        role: match partition {
            None => ReplicaRole::Offline,
            Some(partition) if partition.is_leader() => ReplicaRole::Leader,
            Some(_) => ReplicaRole::Follower,
        },
        leader: partition.map_or(-1, |partition| partition.leader().0),
        leader_epoch: partition.map_or(log.epochs().latest().map_or(-1, |entry| entry.epoch), Partition::leader_epoch),
        partition_epoch: partition.map_or(-1, Partition::partition_epoch),
        replicas: known.map_or_else(Vec::new, |known| ids(&known.replicas)),
        isr: match partition {
            Some(partition) if partition.is_leader() => ids(partition.committed_isr()),
            _ => known.map_or_else(Vec::new, |known| ids(&known.isr)),
        },
        pending_isr: partition
            .filter(|partition| partition.pending_isr().is_some())
            .map(|partition| ids(partition.maximal_isr())),
        elr: known.map_or_else(Vec::new, |known| ids(&known.elr)),
        adding: known.map_or_else(Vec::new, |known| ids(&known.adding_replicas)),
        removing: known.map_or_else(Vec::new, |known| ids(&known.removing_replicas)),
        log_start_offset: open.map_or_else(|| log.start_offset(), UnifiedLog::log_start_offset),
        log_end_offset: log.end_offset(),
        high_watermark,
        last_stable_offset: open.map_or(high_watermark, UnifiedLog::last_stable_offset),
        followers: partition.map_or_else(Vec::new, followers),
        cells: cells(run, log, high_watermark),
        cut: Vec::new(),
        segments: log.segments().iter().map(|segment| segment_view(segment)).collect(),
        epochs: log.epochs().entries().iter().map(|entry| (entry.epoch, entry.start_offset)).collect(),
        producers: open.map_or_else(Vec::new, transactions::producers),
        aborted: transactions::aborted(log),
    }
}

fn is_internal(world: &World, partition: TopicPartition) -> bool {
    partition.topic.0 as usize > world.setup().topics.len()
}

fn segment_view(segment: &crate::log::Segment) -> SegmentView {
    SegmentView {
        base_offset: segment.base_offset(),
        bytes: u64::from(segment.size_in_bytes()),
        batches: segment.batches().len() as u32,
        first_batch: segment.batches().first().map(|stored| stored.batch.base_offset()),
    }
}

fn followers(partition: &Partition) -> Vec<FollowerView> {
    if !partition.is_leader() {
        return Vec::new();
    }
    let states = partition.follower_states().iter().map(|state| FollowerView {
        broker: state.broker.0,
        log_end_offset: state.log_end_offset,
        last_caught_up_us: state.last_caught_up_time.map_or(0, |at| at.us_since_origin()),
        in_sync: partition.committed_isr().contains(&state.broker),
    });
    states.collect()
}

/// The last offsets of a log, and which record stands there.
fn cells(run: &Run, log: &LogDirectory, high_watermark: Offset) -> Vec<CellView> {
    let first = log.end_offset() - CELLS as Offset;
    let batches: Vec<&RecordBatch> = stored_from(log, first).map(|stored| &stored.batch).collect();
    let mut fates = Fates::default();
    let mut kinds: Vec<CellKind> = batches.iter().rev().map(|batch| fates.of(batch)).collect();
    kinds.reverse();
    let topic = log.partition().topic;
    let twice = |life: &Rc<Life>| life.places.len() > 1 && run.ledger.stands(life, topic) > 1;
    let mut cells = Vec::new();
    for (batch, kind) in batches.into_iter().zip(kinds) {
        for record in batch.records().filter_map(Result::ok) {
            if record.offset < first {
                continue;
            }
            let id = record.value.as_deref().filter(|_| !batch.is_control()).and_then(record_id_of);
            cells.push(CellView {
                offset: record.offset,
                record: id.map(|id| id.0),
                kind,
                committed: record.offset < high_watermark,
                duplicate: kind != CellKind::Aborted && id.and_then(|id| run.ledger.life(id)).is_some_and(twice),
                leader_epoch: batch.leader_epoch(),
                batch: batch.base_offset(),
            });
        }
    }
    cells
}

/// The batches from the one that holds `offset` on.
pub fn stored_from(log: &LogDirectory, offset: Offset) -> impl Iterator<Item = &StoredBatch> {
    let segments = log.segments();
    let first = segments.partition_point(|segment| segment.base_offset() <= offset).saturating_sub(1);
    segments[first..].iter().flat_map(move |segment| {
        let batches = segment.batches();
        let from = batches.partition_point(|stored| stored.last_offset < offset);
        batches.iter_from(from).map(Rc::as_ref)
    })
}

/// The last batch that begins below `offset`.
pub fn stored_before(log: &LogDirectory, offset: Offset) -> Option<&StoredBatch> {
    let before =
        |segment: &Rc<crate::log::Segment>| segment.batches().partition_point(|it| it.batch.base_offset() < offset);
    let segment = log.segments().iter().rfind(|segment| before(segment) > 0)?;
    segment.batches().get(before(segment) - 1).map(Rc::as_ref)
}
