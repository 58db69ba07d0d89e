//! Raft's properties, looked at after every event of a quorum's controller. A quorum of one tells nothing and costs nothing.

use super::invariants::{Invariant, Violation};
use crate::base::{LeaderEpoch, NodeId, Offset, SortedMap, Vector};
use crate::log::UnifiedLog;
use crate::metadata::CLUSTER_METADATA;
use crate::node::{Event, QuorumRole};
use crate::record::RecordBatch;
use crate::sim::{Recorded, World};

/// What the properties need to see: every controller's log, dead or alive.
pub trait Quorum {
    /// All of them, by node.
    fn logs(&self) -> impl Iterator<Item = (NodeId, &UnifiedLog)>;
}

impl Quorum for World {
    fn logs(&self) -> impl Iterator<Item = (NodeId, &UnifiedLog)> {
        self.controllers().map(|(node, controller)| (node, controller.log()))
    }
}

/// A batch that is committed, by what identifies it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Committed {
    base_offset: Offset,
    next_offset: Offset,
    epoch: LeaderEpoch,
    crc: u32,
}

impl From<&RecordBatch> for Committed {
    fn from(batch: &RecordBatch) -> Committed {
        let (base_offset, next_offset) = (batch.base_offset(), batch.next_offset());
        Committed { base_offset, next_offset, epoch: batch.leader_epoch(), crc: batch.crc() }
    }
}

/// What was seen so far.
#[derive(Clone, PartialEq, Hash, Debug, Default)]
pub(super) struct RaftWatch {
    leaders: SortedMap<LeaderEpoch, NodeId>,
    /// All that anybody ever knew to be committed, in order.
    committed: Vector<Committed>,
    /// Up to where each log was compared with it.
    verified: SortedMap<NodeId, Offset>,
}

impl RaftWatch {
    /// Looks at what an event of the quorum has touched.
    pub fn check(&mut self, quorum: &impl Quorum, it: &Recorded, report: &mut impl FnMut(Violation)) {
        let mut say = |invariant, detail: String| {
            report(Violation { invariant, at: it.at, partition: Some(CLUSTER_METADATA), detail: detail.into() });
        };
        match it.event {
            Event::QuorumChanged { role: QuorumRole::Leader, epoch, .. } => {
                let first = *self.leaders.entry(epoch).or_insert(it.node);
                if first != it.node {
                    say(Invariant::OneLeaderAnEpoch, format!("nodes {} and {} in epoch {epoch}", first.0, it.node.0));
                }
                if let Some(offset) = log_of(quorum, it.node).and_then(|log| self.first_missing(log, 0, Offset::MAX)) {
                    let detail = format!("node {} leads epoch {epoch} without offset {offset}", it.node.0);
                    say(Invariant::LeaderCompleteness, detail);
                }
                self.check_matching(quorum, it.node, &mut say);
            }
            Event::HighWatermark { partition: CLUSTER_METADATA, offset, .. } => {
                let Some(log) = log_of(quorum, it.node) else { return };
                let from = self.verified.get(&it.node).copied().unwrap_or(0);
                if let Some(offset) = self.first_missing(log, from, offset) {
                    let detail = format!("node {} has committed another record at offset {offset}", it.node.0);
                    say(Invariant::CommittedMetadata, detail);
                }
                self.extend(log, offset);
                self.check_matching(quorum, it.node, &mut say);
                self.verified.insert(it.node, offset.max(from));
            }
            Event::Truncated { partition: CLUSTER_METADATA, to, .. } => {
                let verified = self.verified.get(&it.node).copied().unwrap_or(0);
                if to < verified {
                    let detail = format!("node {} cut off offset {to}, committed up to {verified}", it.node.0);
                    say(Invariant::CommittedMetadata, detail);
                }
            }
            _ => {}
        }
    }

    /// The first committed batch between two offsets that the log has not, as far as it reaches back.
    fn first_missing(&self, log: &UnifiedLog, from: Offset, to: Offset) -> Option<Offset> {
        let from = from.max(log.log_start_offset());
        let first = self.committed.partition_point(|it| it.next_offset <= from);
        let mut own = log.batches_from(from).map(Committed::from);
        let expected = self.committed.iter_from(first).take_while(|it| it.next_offset <= to);
        expected.filter(|it| own.next() != Some(**it)).map(|it| it.base_offset).next()
    }

    fn extend(&mut self, log: &UnifiedLog, to: Offset) {
        let end = self.committed.last().map_or(0, |last| last.next_offset);
        for batch in log.batches_from(end).take_while(|batch| batch.next_offset() <= to) {
            if batch.base_offset() >= end {
                self.committed.push(Committed::from(batch));
            }
        }
    }

    /// Two logs that share a batch share all before it.
    fn check_matching(&self, quorum: &impl Quorum, node: NodeId, say: &mut impl FnMut(Invariant, String)) {
        let Some(own) = log_of(quorum, node) else { return };
        let verified = |node| self.verified.get(&node).copied().unwrap_or(0);
        for (other, log) in quorum.logs().filter(|(other, _)| *other != node) {
            let starts = own.log_start_offset().max(log.log_start_offset());
            let from = verified(node).min(verified(other)).max(starts);
            let mut pairs = own.batches_from(from).zip(log.batches_from(from));
            let differs = |(a, b): &(&RecordBatch, &RecordBatch)| a != b;
            let Some((first, _)) = pairs.find(differs) else { continue };
            if pairs.any(|(a, b)| a.leader_epoch() == b.leader_epoch() && a.base_offset() == b.base_offset()) {
                let offset = first.base_offset();
                let detail = format!("nodes {} and {} differ at offset {offset} and agree later", node.0, other.0);
                say(Invariant::LogMatching, detail);
            }
        }
    }
}

fn log_of(quorum: &impl Quorum, node: NodeId) -> Option<&UnifiedLog> {
    quorum.logs().find(|(known, _)| *known == node).map(|(_, log)| log)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Time;
    use crate::log::LogConfig;
    use crate::record::BatchBuilder;
    use std::rc::Rc;

    struct Fake {
        logs: Vec<UnifiedLog>,
        watch: RaftWatch,
    }

    impl Quorum for Fake {
        fn logs(&self) -> impl Iterator<Item = (NodeId, &UnifiedLog)> {
            (0..).map(NodeId).zip(&self.logs)
        }
    }

    impl Fake {
        fn new() -> Fake {
            let log = || UnifiedLog::create(CLUSTER_METADATA, Rc::new(LogConfig::default()), Time::ZERO);
            Fake { logs: (0..3).map(|_| log()).collect(), watch: RaftWatch::default() }
        }

        fn append(&mut self, node: usize, epoch: LeaderEpoch, value: &str) {
            let mut builder = BatchBuilder::new(0);
            builder.append(0, None, Some(value.as_bytes()), &[]);
            let batch = builder.build().with_offset_and_epoch(self.logs[node].log_end_offset(), epoch);
            self.logs[node].append_as_follower(&[batch], epoch, Time::ZERO).expect("it fits");
        }

        fn at(&mut self, node: u16, event: Event) -> Vec<Invariant> {
            let (mut watch, mut found) = (self.watch.clone(), Vec::new());
            let it = Recorded { id: 1, at: Time::ZERO, node: NodeId(node), cause: 0, event };
            watch.check(self, &it, &mut |violation| found.push(violation.invariant));
            self.watch = watch;
            found
        }

        fn commit(&mut self, node: u16, offset: Offset) -> Vec<Invariant> {
            self.at(node, Event::HighWatermark { partition: CLUSTER_METADATA, leader: true, offset })
        }

        fn lead(&mut self, node: u16, epoch: LeaderEpoch) -> Vec<Invariant> {
            self.at(node, Event::QuorumChanged { role: QuorumRole::Leader, epoch, leader: Some(NodeId(node)) })
        }
    }

    #[test]
    fn one_leader_an_epoch() {
        let mut fake = Fake::new();
        assert_eq!(fake.lead(0, 1), []);
        assert_eq!(fake.lead(1, 2), []);
        assert_eq!(fake.lead(2, 2), [Invariant::OneLeaderAnEpoch]);
    }

    #[test]
    fn a_later_leader_has_what_is_committed() {
        let mut fake = Fake::new();
        (0..2).for_each(|node| fake.append(node, 1, "a"));
        assert_eq!(fake.commit(0, 1), []);
        assert_eq!(fake.lead(1, 2), []);
        assert_eq!(fake.lead(2, 3), [Invariant::LeaderCompleteness]);
    }

    #[test]
    fn what_is_committed_never_changes() {
        let mut fake = Fake::new();
        fake.append(0, 1, "a");
        fake.append(1, 2, "b");
        assert_eq!(fake.commit(0, 1), []);
        assert_eq!(fake.commit(1, 1), [Invariant::CommittedMetadata]);
        let cut = Event::Truncated { partition: CLUSTER_METADATA, from: 1, to: 0, records: Rc::new([]) };
        assert_eq!(fake.at(0, cut.clone()), [Invariant::CommittedMetadata]);
        assert_eq!(fake.at(2, cut), []);
    }

    #[test]
    fn logs_that_share_a_batch_share_all_before_it() {
        let mut fake = Fake::new();
        fake.append(0, 1, "a");
        fake.append(1, 1, "b");
        assert_eq!(fake.lead(0, 2), [], "they need not be the same");
        (0..2).for_each(|node| fake.append(node, 2, "c"));
        assert_eq!(fake.lead(0, 3), [Invariant::LogMatching]);
    }
}
