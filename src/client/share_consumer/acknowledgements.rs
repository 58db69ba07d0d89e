//! What the application says became of records of one partition, by offset.
//!
//! In Kafka: `Acknowledgements`.

use crate::base::{Offset, SortedMap};
use crate::protocol::{AcknowledgeType, AcknowledgementBatch};

/// From so many on, equal acknowledgements in a row become a batch of their own (`MAX_RECORDS_WITH_SAME_ACKNOWLEDGE_TYPE`).
const LONG_RUN: usize = 10;

/// See the module.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Acknowledgements(SortedMap<Offset, AcknowledgeType>);

impl Acknowledgements {
    /// Offsets and what became of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = (Offset, AcknowledgeType)> {
        self.0.iter().map(|(offset, kind)| (*offset, *kind))
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// None.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Some are renewals.
    pub(super) fn has_renewals(&self) -> bool {
        self.0.values().any(|kind| *kind == AcknowledgeType::Renew)
    }

    pub(super) fn set(&mut self, offset: Offset, kind: AcknowledgeType) {
        self.0.insert(offset, kind);
    }

    pub(super) fn set_if_absent(&mut self, offset: Offset, kind: AcknowledgeType) -> bool {
        let absent = !self.0.contains_key(&offset);
        if absent {
            self.0.insert(offset, kind);
        }
        absent
    }

    /// What is said later counts.
    pub(super) fn merge(&mut self, mut later: Acknowledgements) {
        self.0.append(&mut later.0);
    }

    /// As requests carry them: a batch for each gapless stretch of offsets, long runs of one type apart.
    pub(super) fn batches(&self) -> Vec<AcknowledgementBatch> {
        let mut batches = Vec::new();
        let mut stretch: Vec<AcknowledgeType> = Vec::new();
        let mut next = None;
        for (offset, kind) in self.iter() {
            if next.is_some_and(|next| next != offset) {
                put_stretch(next.unwrap_or(offset) - stretch.len() as Offset, &stretch, &mut batches);
                stretch.clear();
            }
            stretch.push(kind);
            next = Some(offset + 1);
        }
        if let Some(end) = next {
            put_stretch(end - stretch.len() as Offset, &stretch, &mut batches);
        }
        batches
    }
}

fn put_stretch(first: Offset, kinds: &[AcknowledgeType], into: &mut Vec<AcknowledgementBatch>) {
    let mut put = |from: usize, to: usize| {
        let kinds = &kinds[from..to];
        let Some(kind) = kinds.first() else { return };
        let equal = kinds.iter().all(|other| other == kind);
        let (first_offset, last_offset) = (first + from as Offset, first + to as Offset - 1);
        let types = if equal { vec![*kind] } else { kinds.to_vec() };
        into.push(AcknowledgementBatch { first_offset, last_offset, types });
    };
    let mut begun = 0;
    let mut at = 0;
    for run in kinds.chunk_by(|a, b| a == b) {
        if run.len() > LONG_RUN {
            put(begun, at);
            put(at, at + run.len());
            begun = at + run.len();
        }
        at += run.len();
    }
    put(begun, at);
}

#[cfg(test)]
mod tests {
    use super::*;
    use AcknowledgeType::{Accept, Gap, Reject, Release};

    fn batches(kinds: &[(Offset, AcknowledgeType)]) -> Vec<(Offset, Offset, Vec<AcknowledgeType>)> {
        let mut acknowledgements = Acknowledgements::default();
        kinds.iter().for_each(|(offset, kind)| acknowledgements.set(*offset, *kind));
        let batches = acknowledgements.batches().into_iter();
        batches.map(|batch| (batch.first_offset, batch.last_offset, batch.types)).collect()
    }

    #[test]
    fn equal_acknowledgements_are_said_once() {
        assert_eq!(batches(&[]), []);
        assert_eq!(batches(&[(3, Accept), (4, Accept), (5, Accept)]), [(3, 5, vec![Accept])]);
        let mixed = batches(&[(3, Accept), (4, Release), (5, Gap)]);
        assert_eq!(mixed, [(3, 5, vec![Accept, Release, Gap])]);
    }

    #[test]
    fn a_gap_between_offsets_ends_a_batch() {
        let parts = batches(&[(0, Accept), (2, Reject), (3, Accept)]);
        assert_eq!(parts, [(0, 0, vec![Accept]), (2, 3, vec![Reject, Accept])]);
    }

    #[test]
    fn a_long_run_is_a_batch_of_its_own() {
        let ten: Vec<_> = std::iter::once((0, Reject)).chain((1..=10).map(|offset| (offset, Accept))).collect();
        assert_eq!(batches(&ten).len(), 1);
        let eleven: Vec<_> = ten.into_iter().chain([(11, Accept), (12, Release)]).collect();
        assert_eq!(batches(&eleven), [(0, 0, vec![Reject]), (1, 11, vec![Accept]), (12, 12, vec![Release])]);
    }
}
