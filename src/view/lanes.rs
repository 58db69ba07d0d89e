//! The timeline, as plain data.

use super::{GroupLane, TransactionLane};
use serde::Serialize;

/// The lanes of a span of time.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct TimelineView {
    /// From here
    pub from_us: u64,
    /// to here.
    pub to_us: u64,
    /// It has been run up to here, perhaps not so far.
    pub until_us: u64,
    /// Messages that were on their way in the span.
    pub arrows: Vec<ArrowView>,
    /// Points worth a mark.
    pub marks: Vec<MarkView>,
    /// One for each transactional id.
    pub transactions: Vec<TransactionLane>,
    /// One for each group that shares something.
    pub groups: Vec<GroupLane>,
}

/// A message on the lanes.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct ArrowView {
    /// Which message.
    pub id: u64,
    /// Sender.
    pub from: u16,
    /// Receiver.
    pub to: u16,
    /// When it left.
    pub sent_us: u64,
    /// When it arrived or was lost; none if neither by the cursor.
    pub ends_us: Option<u64>,
    /// It never arrived.
    pub lost: bool,
    /// `Produce`, `Fetch`, …
    pub api: &'static str,
    /// A response.
    pub response: bool,
    /// A response's error code.
    pub error: Option<&'static str>,
    /// Records it carries or acknowledges.
    pub records: Vec<u32>,
    /// Replication and other background traffic.
    pub quiet: bool,
}

/// A mark on a lane.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct MarkView {
    /// The event's number.
    pub event: u64,
    /// On whose lane.
    pub node: u16,
    /// When.
    pub at_us: u64,
    /// What.
    pub kind: MarkKind,
    /// Of which record, if of one.
    pub record: Option<u32>,
}

/// What a mark says.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum MarkKind {
    /// A fault took effect.
    Fault,
    /// A process started (again).
    Started,
    /// A leader changed.
    Leader,
    /// An ISR changed.
    Isr,
    /// A log was cut.
    Truncated,
    /// An effect happened in a sink.
    Processed,
    /// Offsets were committed.
    Committed,
    /// A client met an error.
    Error,
}

/// One run of the same scenario that took another turn.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct BranchView {
    /// Its number; 0 is the scenario as written.
    pub id: u32,
    /// From which it split.
    pub parent: Option<u32>,
    /// After how many events
    pub fork_event: u64,
    /// and when.
    pub fork_us: u64,
    /// How far it has been run.
    pub end_us: u64,
    /// The one shown.
    pub current: bool,
}
