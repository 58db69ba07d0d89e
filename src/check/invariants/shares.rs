//! Share groups: who holds which record, how often it was delivered, and what is done with.
//!
//! A record is held from its acquisition until its leader tells that it is done with, available again, or that its lock has
//! ended; a leader that loads a share-partition anew knows of no locks. Done with is what was written to the share coordinator.
//! What a leader knows and has not written (a lock's end at the last delivery among it) the next one may not know: then a record
//! is delivered again, and the start offset is where it was written last. A former leader that does not know yet that it is one
//! may go on with what it knew: nobody lets it write any more. Nothing is demanded where Kafka gave up what was
//! committed: the state of share groups stands in a log, too.

use super::{Cluster, Invariant, Invariants};
use crate::base::config::AutoOffsetReset;
use crate::base::{NodeId, Offset, SortedMap, SortedSet, TopicPartition};
use crate::node::Event;
use crate::protocol::{AcquiredRecords, StateBatch};
use crate::sim::Recorded;
use std::rc::Rc;

/// A share group at a partition.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Share {
    /// Who holds which offset.
    held: SortedMap<Offset, Rc<str>>,
    /// Written as done with, from the start offset on.
    done: SortedSet<Offset>,
    /// Acquired as often as they may be.
    last: SortedSet<Offset>,
    /// The largest delivery count limit that a leader went by: what was given back under it is delivered once more.
    limit: u32,
    /// It may have begun behind the first record (`share.auto.offset.reset`).
    begins_late: bool,
    /// Who loaded it last: the present leader, as far as leaders have heard.
    leader: Option<NodeId>,
    /// The last start offset that the present leader told.
    start: Offset,
}

/// What the invariants remember of share groups.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct ShareWatch {
    shares: SortedMap<(Rc<str>, TopicPartition), Share>,
}

impl ShareWatch {
    /// Whether the group is owed nothing of what stands there. It may have begun behind it. Or it has had it as often as it may: then it
    /// may be archived, and nobody tells, if the leader that wrote it died before it heard so.
    pub(super) fn is_given_up(&self, group: &Rc<str>, (partition, offset): (TopicPartition, Offset)) -> bool {
        let share = self.shares.get(&(Rc::clone(group), partition));
        share.is_some_and(|share| share.begins_late || share.last.contains(&offset))
    }
}

impl Invariants {
    /// What leaders tell of share groups.
    pub(super) fn check_share(&mut self, cluster: &impl Cluster, it: &Recorded) {
        let (Event::RecordsAcquired { group, partition, .. }
        | Event::RecordsAcknowledged { group, partition, .. }
        | Event::AcquisitionLockExpired { group, partition, .. }
        | Event::SharePartitionLoaded { group, partition, .. }) = &it.event
        else {
            return;
        };
        let partition = *partition;
        let waived = self.any_waived();
        let watch = Rc::make_mut(&mut self.shares);
        let config = cluster.group_config(it.node, group);
        let share = watch.shares.entry((Rc::clone(group), partition)).or_default();
        let is_load = matches!(it.event, Event::SharePartitionLoaded { .. });
        if !is_load && share.leader.is_some_and(|leader| leader != it.node) {
            return;
        }
        share.limit = share.limit.max(config.share_delivery_count_limit);
        let mut broken = Vec::new();
        match &it.event {
            Event::SharePartitionLoaded { start_offset, .. } => {
                share.leader = Some(it.node);
                share.held.clear();
                share.start = *start_offset;
                share.begins_late |= config.share_auto_offset_reset != AutoOffsetReset::Earliest;
            }
            Event::RecordsAcquired { member_id, records, .. } => acquire(share, member_id, records, &mut broken),
            Event::RecordsAcknowledged { batches, .. } => end(share, batches, true),
            Event::AcquisitionLockExpired { batches, .. } => end(share, batches, false),
            _ => {}
        }
        if let Some(start) = cluster.share_start(it.node, group, partition) {
            if start < share.start {
                broken.push((Invariant::ShareStartAdvances, format!("from {} back to {start}", share.start)));
            }
            share.start = start;
            share.done.retain(|offset| *offset >= start);
        }
        for (invariant, detail) in broken {
            // A coordinator whose log was given up knows less than it had confirmed.
            if !waived || invariant != Invariant::AcknowledgedStays {
                self.report(invariant, it.at, partition, format!("{group}: {detail}"));
            }
        }
    }
}

fn acquire(share: &mut Share, member_id: &Rc<str>, records: &[AcquiredRecords], broken: &mut Vec<(Invariant, String)>) {
    for acquired in records {
        if i64::from(acquired.delivery_count) > i64::from(share.limit) {
            let detail = format!("delivery {} of {}", acquired.delivery_count, acquired.first_offset);
            broken.push((Invariant::DeliveriesLimited, detail));
        }
        for offset in acquired.first_offset..=acquired.last_offset {
            if i64::from(acquired.delivery_count) >= i64::from(share.limit) {
                share.last.insert(offset);
            }
            if let Some(other) = share.held.insert(offset, Rc::clone(member_id)) {
                broken.push((Invariant::OneAcquirer, format!("{offset} is given to {member_id}, and {other} has it")));
            }
            if share.done.contains(&offset) {
                broken.push((
                    Invariant::AcknowledgedStays,
                    format!("{offset} is given to {member_id}, and is done with"),
                ));
            }
        }
    }
}

/// These are held no longer.
fn end(share: &mut Share, batches: &[StateBatch], written: bool) {
    for batch in batches {
        for offset in batch.first_offset..=batch.last_offset {
            share.held.remove(&offset);
            if written && batch.delivery_state != StateBatch::AVAILABLE {
                share.done.insert(offset);
            }
        }
    }
}
