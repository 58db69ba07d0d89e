//! The swim lanes of transactional ids: which state lasted how long, which markers were written, who was fenced.
//!
//! A coordinator tells of each state when it is committed in `__transaction_state`. What was before the first change of a span
//! follows from the state machine; an id without a change in the span has the state that its coordinator knows at the cursor.

use crate::base::{NodeId, ProducerId, SortedMap, TopicPartition};
use crate::node::Event;
use crate::protocol::TransactionState;
use crate::record::{ControlRecord, RecordBatch};
use crate::sim::Recorded;
use crate::view::{
    BandView, TransactionLane, TransactionMark, TransactionMarkKind, TransactionView, is_fence, state_before,
};
use std::rc::Rc;

/// The lanes while they are being put together.
#[derive(Default)]
pub(super) struct Swim {
    lanes: SortedMap<Rc<str>, Raw>,
    /// Whose a producer id is.
    owners: SortedMap<ProducerId, Rc<str>>,
    /// With which id a node writes.
    writers: SortedMap<NodeId, Rc<str>>,
}

#[derive(Default)]
struct Raw {
    changes: Vec<Change>,
    marks: Vec<(TransactionMark, Option<TopicPartition>)>,
}

struct Change {
    at_us: u64,
    state: TransactionState,
    epoch: i16,
    partitions: Rc<[TopicPartition]>,
}

impl Swim {
    /// Knows from the beginning which node writes with which id.
    pub fn new(writers: impl Iterator<Item = (NodeId, Rc<str>)>, known: &[TransactionView]) -> Swim {
        let owners = known.iter().map(|it| (it.producer_id, Rc::clone(&it.transactional_id))).collect();
        Swim { writers: writers.collect(), owners, ..Swim::default() }
    }

    /// Takes in what happened; before the span only names are learnt.
    pub fn add(&mut self, recorded: &Recorded, in_span: bool) {
        let (at_us, node) = (recorded.at.us_since_origin(), recorded.node);
        let mark = |kind, about: Rc<str>| TransactionMark { at_us, node: node.0, kind, about };
        match &recorded.event {
            Event::TransactionChanged { transactional_id, producer_id, producer_epoch, state, partitions } => {
                self.owners.insert(*producer_id, Rc::clone(transactional_id));
                let (state, epoch, partitions) = (*state, *producer_epoch, Rc::clone(partitions));
                let lane = self.lanes.entry(Rc::clone(transactional_id)).or_default();
                if !in_span {
                    // Only the last one before the span matters.
                    lane.changes.clear();
                }
                lane.changes.push(Change { at_us, state, epoch, partitions });
            }
            Event::TransactionsInitialized { transactional_id, producer_id, producer_epoch } => {
                self.owners.insert(*producer_id, Rc::clone(transactional_id));
                self.writers.insert(node, Rc::clone(transactional_id));
                if in_span {
                    let mark = mark(TransactionMarkKind::Initialized, Rc::from(producer_epoch.to_string()));
                    self.lanes.entry(Rc::clone(transactional_id)).or_default().marks.push((mark, None));
                }
            }
            Event::ProducerFailed { error } if in_span && is_fence(error) => {
                if let Some(id) = self.writers.get(&node) {
                    let mark = mark(TransactionMarkKind::Fenced, Rc::from(error.name()));
                    self.lanes.entry(Rc::clone(id)).or_default().marks.push((mark, None));
                }
            }
            Event::Appended { leader: true, batch, partition } if in_span => {
                if let Some((kind, owner)) = self.marker(batch) {
                    let mark = mark(kind, Rc::from(""));
                    self.lanes.entry(owner).or_default().marks.push((mark, Some(*partition)));
                }
            }
            _ => {}
        }
    }

    fn marker(&self, batch: &RecordBatch) -> Option<(TransactionMarkKind, Rc<str>)> {
        if !batch.is_control() || !batch.is_transactional() {
            return None;
        }
        let kind = match ControlRecord::of_batch(batch) {
            Ok(Some(ControlRecord::Commit { .. })) => TransactionMarkKind::Commit,
            Ok(Some(ControlRecord::Abort { .. })) => TransactionMarkKind::Abort,
            _ => return None,
        };
        Some((kind, Rc::clone(self.owners.get(&batch.producer_id())?)))
    }

    /// The lanes from `from_us` to `to_us`, which is not beyond what has been run.
    pub fn lanes(
        self,
        from_us: u64,
        to_us: u64,
        known: &[TransactionView],
        name: impl Fn(TopicPartition) -> Rc<str>,
    ) -> Vec<TransactionLane> {
        let mut lanes = self.lanes;
        for it in known {
            lanes.entry(Rc::clone(&it.transactional_id)).or_default();
        }
        let lanes = lanes.into_iter().map(|(transactional_id, raw)| {
            let mut bands = bands(&raw.changes, from_us, to_us, &name);
            if let Some(it) = known.iter().find(|it| bands.is_empty() && it.transactional_id == transactional_id) {
                let (state, epoch, partitions) = (it.state, Some(it.producer_epoch), it.partitions.clone().into());
                bands.push(BandView { from_us, to_us, state, epoch, partitions });
            }
            let marks = raw.marks.into_iter().map(|(mark, partition)| match partition {
                Some(partition) => TransactionMark { about: name(partition), ..mark },
                None => mark,
            });
            TransactionLane { transactional_id, bands, marks: marks.collect() }
        });
        lanes.collect()
    }
}

fn bands(changes: &[Change], from_us: u64, to_us: u64, name: &impl Fn(TopicPartition) -> Rc<str>) -> Vec<BandView> {
    let mut bands = Vec::new();
    let Some(first) = changes.first() else { return bands };
    if let Some(before) = state_before(first.state).filter(|_| first.at_us > from_us) {
        let (state, to_us) = (before.name(), first.at_us);
        bands.push(BandView { from_us, to_us, state, epoch: None, partitions: Rc::new([]) });
    }
    for (at, change) in changes.iter().enumerate() {
        let ends = changes.get(at + 1).map_or(to_us, |next| next.at_us);
        let partitions: Rc<[Rc<str>]> = change.partitions.iter().map(|it| name(*it)).collect();
        // One more partition is no other state.
        if let Some(last) = bands.last_mut().filter(|it: &&mut BandView| it.state == change.state.name())
            && last.epoch == Some(change.epoch)
        {
            (last.to_us, last.partitions) = (ends.max(change.at_us), partitions);
            continue;
        }
        bands.push(BandView {
            from_us: change.at_us,
            to_us: ends.max(change.at_us),
            state: change.state.name(),
            epoch: Some(change.epoch),
            partitions,
        });
    }
    bands
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Time;
    use crate::node::ClientError;
    use crate::protocol::ErrorCode;

    fn happened(at_us: u64, node: u16, event: Event) -> Recorded {
        Recorded { id: at_us, at: Time::from_origin_us(at_us), node: NodeId(node), cause: 0, event }
    }

    fn changed(at_us: u64, state: TransactionState, epoch: i16) -> Recorded {
        let transactional_id = Rc::from("billing");
        let partitions: Rc<[TopicPartition]> = Rc::new([TopicPartition::new(crate::base::TopicId(1), 0)]);
        happened(
            at_us,
            0,
            Event::TransactionChanged { transactional_id, producer_id: 7, producer_epoch: epoch, state, partitions },
        )
    }

    fn named(partition: TopicPartition) -> Rc<str> {
        Rc::from(format!("t{}-{}", partition.topic.0, partition.partition))
    }

    #[test]
    fn a_state_lasts_until_the_next_one() {
        use TransactionState::{CompleteCommit, Ongoing, PrepareCommit};
        let mut swim = Swim::default();
        for event in [
            changed(100, Ongoing, 0),
            changed(200, Ongoing, 0),
            changed(300, PrepareCommit, 1),
            changed(350, CompleteCommit, 1),
        ] {
            swim.add(&event, true);
        }
        let marker = RecordBatch::clone(&ControlRecord::marker_batch(true, 7, 1, 0, 0));
        let partition = TopicPartition::new(crate::base::TopicId(1), 0);
        swim.add(&happened(340, 1, Event::Appended { leader: true, batch: marker, partition }), true);
        let lanes = swim.lanes(0, 1_000, &[], named);
        let bands: Vec<_> = lanes[0].bands.iter().map(|it| (it.from_us, it.to_us, it.state, it.epoch)).collect();
        assert_eq!(
            bands,
            [
                (100, 300, "Ongoing", Some(0)),
                (300, 350, "PrepareCommit", Some(1)),
                (350, 1_000, "CompleteCommit", Some(1))
            ]
        );
        let mark = &lanes[0].marks[0];
        assert_eq!((mark.at_us, mark.node, mark.kind, &*mark.about), (340, 1, TransactionMarkKind::Commit, "t1-0"));
    }

    #[test]
    fn what_was_before_the_span_follows_from_the_first_change() {
        let mut swim = Swim::default();
        swim.add(&changed(500, TransactionState::PrepareAbort, 3), true);
        let lanes = swim.lanes(400, 600, &[], named);
        let bands: Vec<_> = lanes[0].bands.iter().map(|it| (it.from_us, it.to_us, it.state)).collect();
        assert_eq!(bands, [(400, 500, "Ongoing"), (500, 600, "PrepareAbort")]);
    }

    #[test]
    fn the_last_change_before_the_span_is_known() {
        let mut swim = Swim::default();
        swim.add(&changed(100, TransactionState::Ongoing, 3), false);
        swim.add(&changed(200, TransactionState::PrepareAbort, 4), false);
        let lanes = swim.lanes(400, 600, &[], named);
        assert_eq!(lanes[0].bands.len(), 1);
        assert_eq!((lanes[0].bands[0].state, lanes[0].bands[0].epoch), ("PrepareAbort", Some(4)));
    }

    #[test]
    fn a_fence_is_marked_on_the_lane_of_whoever_was_fenced() {
        let mut swim = Swim::new([(NodeId(5), Rc::from("billing"))].into_iter(), &[]);
        let error = ClientError::Broker(ErrorCode::ProducerFenced);
        swim.add(&happened(10, 5, Event::ProducerFailed { error }), true);
        let error = ClientError::Timeout;
        swim.add(&happened(11, 5, Event::ProducerFailed { error }), true);
        let lanes = swim.lanes(0, 100, &[], named);
        assert_eq!(lanes[0].marks.len(), 1);
        assert_eq!((lanes[0].marks[0].kind, lanes[0].marks[0].node), (TransactionMarkKind::Fenced, 5));
    }
}
