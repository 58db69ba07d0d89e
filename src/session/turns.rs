//! What happened to the readers of a record and explains its fate: a story told of the record alone would leave it out.

use crate::base::{NodeId, Offset, Time, TopicPartition};
use crate::check::{Life, StoryKind};
use crate::node::{Event, FaultMark};
use crate::sim::Recorded;

/// What to look for.
pub(super) struct Turns {
    /// Where the record stands.
    places: Vec<(TopicPartition, Offset)>,
    /// Whom `poll()` gave it.
    readers: Vec<NodeId>,
    /// Between the first time and the last that somebody had it; for ever, if it was lost there.
    span: (Time, Time),
}

impl Turns {
    /// Of a record that was delivered and then lost, or delivered again; or that nobody ever got.
    pub fn of(life: &Life) -> Option<Turns> {
        let places = life.places.to_vec();
        let steps = || life.story.iter();
        let got = steps().filter(|it| matches!(it.kind, StoryKind::Delivered(_)));
        let readers: Vec<NodeId> = got.map(|it| it.node).collect();
        let (delivered, processed) = (life.delivered.sum(), life.processed.sum());
        if delivered == 0 {
            return (!places.is_empty()).then_some(Turns { places, readers, span: (Time::ORIGIN, Time::MAX) });
        }
        let mut had = steps().filter(|it| matches!(it.kind, StoryKind::Delivered(_) | StoryKind::Processed));
        let first = had.clone().next()?.at;
        let last = if processed == 0 { Time::MAX } else { had.next_back()?.at };
        (delivered > 1 || processed == 0).then_some(Turns { places, readers, span: (first, last) })
    }

    /// Whether it belongs to the story.
    pub fn tells(&self, recorded: &Recorded) -> bool {
        let here = |partition: &TopicPartition| self.places.iter().any(|(place, _)| place == partition);
        if self.readers.is_empty() {
            // A reader that begins behind it will never get it.
            let behind = |partition: &TopicPartition, begin: Offset| {
                self.places.iter().any(|(place, offset)| place == partition && *offset < begin)
            };
            return matches!(&recorded.event, Event::PositionSet { partition, offset, .. } if behind(partition, *offset));
        }
        if !self.readers.contains(&recorded.node) || recorded.at < self.span.0 || recorded.at > self.span.1 {
            return false;
        }
        match &recorded.event {
            Event::PositionSet { partition, .. } => here(partition),
            Event::PartitionsRevoked { partitions } | Event::PartitionsLost { partitions } => {
                partitions.iter().any(here)
            }
            Event::MemberLeft { .. } | Event::ConsumerFailed { .. } => true,
            Event::Fault(mark) => {
                matches!(mark, FaultMark::Crashed | FaultMark::PowerLost | FaultMark::Stopped | FaultMark::Paused)
            }
            _ => false,
        }
    }
}
