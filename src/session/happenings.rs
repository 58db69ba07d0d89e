//! What happened: event lists, stories, and the lanes of the timeline, from the window that history keeps.

use super::swim::Swim;
use super::turns::Turns;
use super::{EventView, Session};
use crate::base::{Duration, NodeId, RecordId, SortedMap, Time};
use crate::check::StoryKind;
use crate::history::Replay;
use crate::node::Event;
use crate::sim::{Recorded, records_of};
use crate::view::{
    ArrowView, LostMessage, MarkKind, MarkView, Recent, TimelineView, owner_lanes, partition_name, transactions,
    writers,
};
use std::rc::Rc;

/// A lost message, or a record that was cut off, stays in the picture for this long.
const LOST_SHOWN: Duration = Duration::from_millis(300);
/// A message on its way at the beginning of a span left at most this much earlier (or hangs, and is not drawn).
const LONGEST_FLIGHT: Duration = Duration::from_millis(1_000);
/// Positions looked back for at a time.
const PAGE: u64 = 512;

impl Session {
    /// What happened up to the cursor, newest first, at most `limit`; without message traffic unless `messages`.
    pub fn events(&mut self, limit: usize, messages: bool) -> Vec<Rc<EventView>> {
        let mut found = Vec::new();
        self.look_back(|recorded| {
            if messages || !is_traffic(&recorded.event) {
                found.push(Rc::new(event_view(recorded)));
            }
            found.len() < limit
        });
        found
    }

    /// What happened up to the cursor from the event with number `first` on, oldest first, at most `limit`; without message
    /// traffic unless `messages`.
    pub fn events_from(&mut self, first: u64, limit: usize, messages: bool) -> Vec<EventView> {
        let (mut next, last) = (first, self.history.cursor().last_event());
        let end = self.history.cursor().position();
        let mut start = self.history.position_where(|run| run.last_event() < first) / PAGE * PAGE;
        let mut found = Vec::new();
        while start < end {
            for recorded in self.history.entries(start, end.min(start + PAGE)).iter().flat_map(|chunk| chunk.iter()) {
                if found.len() == limit || recorded.id > last {
                    return found;
                }
                if recorded.id >= next && (messages || !is_traffic(&recorded.event)) {
                    found.push(event_view(recorded));
                    next = recorded.id + 1;
                }
            }
            start += PAGE;
        }
        found
    }

    /// All that happened to one record up to the cursor, oldest first.
    pub fn story(&mut self, record: u32) -> Vec<Rc<EventView>> {
        let record = RecordId(record);
        let world = &self.trial().run.world;
        let last_topic = world.setup().topics.len() as u32;
        let life = self.trial().run.ledger.life(record).filter(|life| !life.story.is_empty());
        let Some(life) = life else { return Vec::new() };
        let first = life.first_event;
        let ends: Vec<(Time, NodeId)> =
            life.story.iter().filter(|it| ends(&it.kind)).map(|it| (it.at, it.node)).collect();
        let turns = Turns::of(life);
        let mut found = Vec::new();
        self.look_back(|recorded| {
            let turned = turns.as_ref().is_some_and(|it| it.tells(recorded));
            let ended = is_end(&recorded.event) && ends.contains(&(recorded.at, recorded.node));
            if ended || turned || concerns(&recorded.event, record, last_topic) {
                found.push(Rc::new(event_view(recorded)));
            }
            recorded.id > first
        });
        found.reverse();
        found
    }

    /// Walks from the cursor into the past, while `go_on` says so.
    fn look_back(&mut self, mut go_on: impl FnMut(&Recorded) -> bool) {
        let last = self.history.cursor().last_event();
        let mut end = self.history.cursor().position();
        while end > 0 {
            let start = (end - 1) / PAGE * PAGE;
            let chunks = self.history.entries(start, end);
            for recorded in chunks.iter().rev().flat_map(|chunk| chunk.iter().rev()) {
                if recorded.id <= last && !go_on(recorded) {
                    return;
                }
            }
            end = start;
        }
    }

    /// The lanes of a span of time, as far as the cursor's branch has been run.
    pub fn timeline(&mut self, from_us: u64, to_us: u64) -> Rc<TimelineView> {
        let (from, to) = (Time::from_origin_us(from_us), Time::from_origin_us(to_us));
        let admin = self.trial().run.world.names().len() as u16 - 1;
        let mut lanes = Lanes { admin, ..Lanes::default() };
        let known = transactions(&self.trial().run.world);
        let mut swim = Swim::new(writers(&self.trial().run.world), &known);
        let since = Time(from.0.saturating_sub(LONGEST_FLIGHT.0));
        // The latest state that is known has seen most of it.
        let latest =
            self.history.checkpoint_before(Time::MAX).filter(|it| it.position() > self.history.cursor().position());
        let latest = latest.unwrap_or(self.history.cursor());
        let (mut ownership, seen) = (latest.trial().run.ownership.clone(), latest.last_event());
        let mut last_us = from_us;
        for recorded in self.entries_around(since, to).iter().flat_map(|c| c.iter()) {
            if recorded.at > to {
                last_us = to_us;
                break;
            }
            last_us = last_us.max(recorded.at.us_since_origin());
            if recorded.id > seen {
                ownership.apply(recorded);
            }
            if recorded.at >= since {
                lanes.add(recorded, from);
                swim.add(recorded, recorded.at >= from);
            }
        }
        let world = &self.trial().run.world;
        let until = last_us.max(world.now().us_since_origin().min(to_us));
        let transactions = swim.lanes(from_us, until, &known, |partition| partition_name(world, partition));
        let arrows = lanes.arrows.into_values();
        let arrows = arrows.filter(|arrow| arrow.ends_us.is_none_or(|end| end >= from_us)).collect();
        let groups = owner_lanes(&ownership, from, to, |partition| partition_name(world, partition));
        Rc::new(TimelineView { from_us, to_us, until_us: until, arrows, marks: lanes.marks, transactions, groups })
    }

    /// What happened from a checkpoint before a span on.
    fn entries_around(&mut self, from: Time, to: Time) -> Vec<Rc<Vec<Recorded>>> {
        let (first, last) = self.history.positions_around(from, to);
        self.history.entries(first, last)
    }

    /// What went a moment ago, and is shown a little longer.
    pub(super) fn recent(&mut self) -> Recent {
        let now = self.history.cursor().now();
        let since = Time(now.0.saturating_sub(LOST_SHOWN.0));
        let mut ends = SortedMap::new();
        let mut found = Recent::default();
        let oldest = Time(since.0.saturating_sub(LONGEST_FLIGHT.0 * 60));
        self.look_back(|recorded| {
            match &recorded.event {
                Event::MessageLost { message } if recorded.at >= since => drop(ends.insert(*message, recorded.at)),
                Event::MessageSent { message, to, summary, .. } => {
                    if let Some(lost) = ends.remove(message) {
                        let (from, sent, summary) = (recorded.node, recorded.at, Rc::clone(summary));
                        found.lost.push(LostMessage { id: message.0, from, to: *to, sent, lost, summary });
                    }
                }
                Event::Truncated { partition, records, .. } if recorded.at >= since => {
                    found.cuts.push((recorded.node, *partition, Rc::clone(records)));
                }
                _ => {}
            }
            recorded.at >= since || (!ends.is_empty() && recorded.at >= oldest)
        });
        found
    }
}

fn event_view(recorded: &Recorded) -> EventView {
    EventView {
        id: recorded.id,
        at_us: recorded.at.us_since_origin(),
        node: recorded.node.0,
        cause: recorded.cause,
        event: recorded.event.clone(),
    }
}

fn is_traffic(event: &Event) -> bool {
    matches!(event, Event::MessageSent { .. } | Event::MessageDelivered { .. } | Event::MessageLost { .. })
}

/// Does a step tell how the record's transaction or a delivery to a share group ended?
fn ends(kind: &StoryKind) -> bool {
    use StoryKind::{Accepted, Archived, LockExpired, Released, TakenBack, TransactionAborted, TransactionCommitted};
    let transaction = matches!(kind, TransactionCommitted(_) | TransactionAborted(_) | TakenBack { .. });
    transaction || matches!(kind, Accepted | Released(_) | LockExpired(_) | Archived(_))
}

/// Is it such an end?
fn is_end(event: &Event) -> bool {
    match event {
        Event::Appended { leader: true, batch, .. } => batch.is_control() && batch.is_transactional(),
        Event::TransactionEnding { .. } | Event::RecordsAcknowledged { .. } | Event::AcquisitionLockExpired { .. } => {
            true
        }
        _ => false,
    }
}

/// Does the event concern that record? Messages do when they carry it and are worth telling.
fn concerns(event: &Event, record: RecordId, last_topic: u32) -> bool {
    match event {
        Event::Sent { record: it, .. }
        | Event::Acked { record: it, .. }
        | Event::SendFailed { record: it, .. }
        | Event::Delivered { record: it, .. }
        | Event::Processing { record: it, .. }
        | Event::Processed { record: it, .. }
        | Event::SinkRefused { record: it, .. }
        | Event::HandlerFailed { record: it, .. }
        | Event::Acknowledged { record: it, .. } => *it == record,
        Event::BatchSent { records, .. } | Event::Retry { records, .. } => records.contains(&record),
        Event::Appended { partition, batch, .. } | Event::DuplicateIgnored { partition, batch, .. } => {
            partition.topic.0 <= last_topic && records_of(batch).any(|it| it == record)
        }
        Event::Truncated { partition, records, .. } => {
            partition.topic.0 <= last_topic && records.iter().any(|(_, it)| *it == record)
        }
        _ => false,
    }
}

/// The timeline while it is being put together.
#[derive(Default)]
struct Lanes {
    /// The world's own client, which has no lane.
    admin: u16,
    arrows: SortedMap<u64, ArrowView>,
    marks: Vec<MarkView>,
}

impl Lanes {
    fn add(&mut self, recorded: &Recorded, from: Time) {
        if recorded.node.0 == self.admin {
            return;
        }
        match &recorded.event {
            Event::MessageSent { to, .. } if to.0 == self.admin => {}
            Event::MessageSent { message, to, summary, .. } => {
                let arrow = ArrowView {
                    id: message.0,
                    from: recorded.node.0,
                    to: to.0,
                    sent_us: recorded.at.us_since_origin(),
                    ends_us: None,
                    lost: false,
                    api: summary.api.name(),
                    response: summary.response,
                    error: summary.error.is_error().then(|| summary.error.name()),
                    records: summary.records.iter().map(|record| record.0).collect(),
                    quiet: summary.quiet,
                };
                self.arrows.insert(message.0, arrow);
            }
            Event::MessageDelivered { message } | Event::MessageLost { message } => {
                if let Some(arrow) = self.arrows.get_mut(&message.0) {
                    arrow.ends_us = Some(recorded.at.us_since_origin());
                    arrow.lost = matches!(recorded.event, Event::MessageLost { .. });
                }
            }
            event if recorded.at >= from => {
                if let Some((kind, record)) = mark_of(event) {
                    let (event, node, at_us) = (recorded.id, recorded.node.0, recorded.at.us_since_origin());
                    self.marks.push(MarkView { event, node, at_us, kind, record: record.map(|record| record.0) });
                }
            }
            _ => {}
        }
    }
}

fn mark_of(event: &Event) -> Option<(MarkKind, Option<RecordId>)> {
    Some(match event {
        Event::Fault(_) => (MarkKind::Fault, None),
        Event::Started => (MarkKind::Started, None),
        Event::BecameLeader { .. } | Event::ControllerActive { .. } => (MarkKind::Leader, None),
        Event::IsrChanged { .. } => (MarkKind::Isr, None),
        Event::Truncated { .. } => (MarkKind::Truncated, None),
        Event::Processed { record, .. } => (MarkKind::Processed, Some(*record)),
        Event::OffsetsCommitted { .. } => (MarkKind::Committed, None),
        Event::SendFailed { record, .. } | Event::HandlerFailed { record, .. } => (MarkKind::Error, Some(*record)),
        Event::RequestFailed { .. } => (MarkKind::Error, None),
        _ => return None,
    })
}
