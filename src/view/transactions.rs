//! What eyes see of transactions: what a record's transaction came to, what coordinators know, and the swim lanes.

use super::project::partition_name;
use crate::base::config::ProducerConfig;
use crate::base::{NodeId, Offset, ProducerId, SortedMap, Time, TopicPartition};
use crate::broker::{Broker, TransactionCoordinator};
use crate::client::Producer;
use crate::log::{LogDirectory, UnifiedLog};
use crate::node::ClientError;
use crate::protocol::{ErrorCode, TransactionState};
use crate::record::{ControlRecord, RecordBatch};
use crate::sim::{AnyNode, World};
use serde::Serialize;
use std::rc::Rc;

/// What stands at an offset of a log, by what this log knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CellKind {
    /// A record outside of transactions.
    Plain,
    /// Of a transaction without a marker yet.
    Open,
    /// Of a committed transaction.
    Kept,
    /// Of an aborted one.
    Aborted,
    /// The marker that commits.
    CommitMarker,
    /// The marker that aborts.
    AbortMarker,
    /// Another control record.
    Control,
}

impl CellKind {
    /// A control record of any kind.
    pub const fn is_control(self) -> bool {
        matches!(self, CellKind::CommitMarker | CellKind::AbortMarker | CellKind::Control)
    }

    /// Part of a transaction, or its end.
    pub const fn is_transactional(self) -> bool {
        !matches!(self, CellKind::Plain | CellKind::Control)
    }
}

/// Reads a log from its end towards its beginning, and tells of each batch what its transaction came to.
#[derive(Default)]
pub(super) struct Fates {
    /// By producer: the marker that was met last.
    markers: SortedMap<ProducerId, CellKind>,
}

impl Fates {
    /// The kind of the records in a batch. Batches must be asked for from the last to the first.
    pub fn of(&mut self, batch: &RecordBatch) -> CellKind {
        if batch.is_control() {
            let kind = match ControlRecord::of_batch(batch) {
                Ok(Some(ControlRecord::Commit { .. })) => CellKind::CommitMarker,
                Ok(Some(ControlRecord::Abort { .. })) => CellKind::AbortMarker,
                _ => return CellKind::Control,
            };
            self.markers.insert(batch.producer_id(), kind);
            return kind;
        }
        if !batch.is_transactional() {
            return CellKind::Plain;
        }
        match self.markers.get(&batch.producer_id()) {
            Some(CellKind::CommitMarker) => CellKind::Kept,
            Some(_) => CellKind::Aborted,
            None => CellKind::Open,
        }
    }
}

/// An entry of a log's transaction index.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct AbortedView {
    /// Whose transaction.
    pub producer_id: i64,
    /// Its first record.
    pub first_offset: i64,
    /// Its marker.
    pub last_offset: i64,
    /// The LSO when the marker was written.
    pub last_stable_offset: i64,
}

/// The aborted index of all segments.
pub(super) fn aborted(log: &LogDirectory) -> Vec<AbortedView> {
    let entries = log.segments().iter().flat_map(|segment| segment.txn_index().iter());
    let entries = entries.map(|it| AbortedView {
        producer_id: it.producer_id,
        first_offset: it.first_offset,
        last_offset: it.last_offset,
        last_stable_offset: it.last_stable_offset,
    });
    entries.collect()
}

/// A producer as a partition knows it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ProducerStateView {
    /// Its id.
    pub producer_id: i64,
    /// Its epoch.
    pub epoch: i16,
    /// The last five batches: (first sequence, last sequence, first offset).
    pub batches: Vec<(i32, i32, i64)>,
    /// Where its open transaction begins.
    pub open_since: Option<i64>,
    /// Of the coordinator that wrote its last marker, −1 if there was none.
    pub coordinator_epoch: i32,
}

pub(super) fn producers(log: &UnifiedLog) -> Vec<ProducerStateView> {
    let known = log.producer_state().producers().map(|(id, entry)| ProducerStateView {
        producer_id: id,
        epoch: entry.epoch,
        batches: entry
            .batches()
            .iter()
            .map(|batch| (batch.first_sequence(), batch.last_sequence, batch.first_offset()))
            .collect(),
        open_since: entry.current_txn_first_offset,
        coordinator_epoch: entry.coordinator_epoch,
    });
    known.collect()
}

/// A transactional id as its coordinator knows it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct TransactionView {
    /// Which.
    pub transactional_id: Rc<str>,
    /// The partition of `__transaction_state` that holds it.
    pub home: Rc<str>,
    /// Who writes with it.
    pub producer_id: i64,
    /// In which epoch.
    pub producer_epoch: i16,
    /// The epoch before, −1 if there was none that may still answer.
    pub last_producer_epoch: i16,
    /// The id before, −1 if there was none.
    pub previous_producer_id: i64,
    /// The id that follows when the epochs are used up, −1 if none.
    pub next_producer_id: i64,
    /// `transaction.timeout.ms`.
    pub timeout_ms: u64,
    /// Committed in the log.
    pub state: &'static str,
    /// Written, not yet committed.
    pub pending: Option<&'static str>,
    /// What belongs to the open transaction.
    pub partitions: Vec<Rc<str>>,
    /// When the open transaction began, in milliseconds since the scenario did, by its coordinator's clock; −1 if there is none.
    pub start_ms: i64,
    /// When the state changed last.
    pub update_ms: i64,
    /// `transaction.version` that its last transaction used.
    pub version: u8,
}

/// All transactional ids, as those who coordinate them now know them.
pub fn transactions(world: &World) -> Vec<TransactionView> {
    let brokers = world.nodes().filter_map(|(_, node)| match node {
        AnyNode::Broker(broker) => Some(coordinated(world, broker)),
        _ => None,
    });
    brokers.flatten().collect()
}

/// The transactional ids that a broker coordinates.
pub(super) fn coordinated(world: &World, broker: &Broker) -> Vec<TransactionView> {
    let origin = Time::ORIGIN.wall_clock_ms();
    let all = broker.transaction_coordinator().into_iter().flat_map(TransactionCoordinator::transactions);
    let all = all.map(|(home, it)| TransactionView {
        transactional_id: Rc::clone(&it.transactional_id),
        home: partition_name(world, home),
        producer_id: it.producer_id,
        producer_epoch: it.producer_epoch,
        last_producer_epoch: it.last_producer_epoch,
        previous_producer_id: it.prev_producer_id,
        next_producer_id: it.next_producer_id,
        timeout_ms: it.timeout.as_millis(),
        state: it.state.name(),
        pending: it.pending_state.map(TransactionState::name),
        partitions: it.partitions.iter().copied().map(name(world)).collect(),
        start_ms: if it.start_ms < 0 { -1 } else { it.start_ms - origin },
        update_ms: it.update_ms - origin,
        version: it.transaction_version,
    });
    all.collect()
}

/// Which node writes with which transactional id.
pub fn writers(world: &World) -> impl Iterator<Item = (NodeId, Rc<str>)> + '_ {
    world.nodes().filter_map(|(id, node)| match node {
        AnyNode::Producer(app) => Some((id, Rc::clone(app.setup().config.transactional_id.as_ref()?))),
        AnyNode::Processor(app) => Some((id, Rc::clone(app.setup().producer.transactional_id.as_ref()?))),
        _ => None,
    })
}

/// A producer client's transaction manager.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ManagerView {
    /// `transactional.id`.
    pub transactional_id: Rc<str>,
    /// By Kafka's name: `IN_TRANSACTION`, …
    pub state: &'static str,
    /// Partitions of the transaction, and those that it is about to have.
    pub partitions: Vec<Rc<str>>,
    /// Requests that wait, or are on the wire.
    pub pending: Vec<&'static str>,
    /// The broker that coordinates it, if it knows.
    pub coordinator: Option<u16>,
    /// What led to a state of error.
    pub error: Option<Rc<str>>,
    /// A newer producer with the same transactional id has put it out.
    pub fenced: bool,
}

/// The transaction manager of a transactional producer's client; a client that does not run knows nothing.
pub(super) fn manager(world: &World, client: Option<&Producer>, config: &ProducerConfig) -> Option<ManagerView> {
    let written = config.transactional_id.as_ref()?;
    let it = client.and_then(Producer::transaction);
    let it = it.as_ref();
    // A part of it may be drawn anew at each start.
    let transactional_id = Rc::clone(it.map_or(written, |it| it.transactional_id));
    let error = it.and_then(|it| it.error);
    Some(ManagerView {
        transactional_id,
        state: it.map_or("–", |it| it.state),
        partitions: it
            .into_iter()
            .flat_map(|it| it.partitions.iter().chain(&it.adding))
            .copied()
            .map(name(world))
            .collect(),
        pending: it.into_iter().flat_map(|it| it.in_flight.iter().chain(&it.pending)).copied().collect(),
        coordinator: it.and_then(|it| it.coordinator).map(|node| node.0),
        error: error.map(|error| Rc::from(error.name())),
        fenced: error.is_some_and(is_fence),
    })
}

fn name(world: &World) -> impl Fn(TopicPartition) -> Rc<str> {
    |partition| partition_name(world, partition)
}

/// Whether an error means that a newer producer with the same transactional id has taken over.
pub fn is_fence(error: &ClientError) -> bool {
    match error {
        ClientError::Broker(code) => matches!(code, ErrorCode::ProducerFenced | ErrorCode::InvalidProducerEpoch),
        ClientError::Exception(text) => text.starts_with("ProducerFenced") || text.starts_with("InvalidProducerEpoch"),
        ClientError::Timeout => false,
    }
}

/// One transactional id in a span of time.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct TransactionLane {
    /// Which.
    pub transactional_id: Rc<str>,
    /// Its states, one after the other.
    pub bands: Vec<BandView>,
    /// Points worth a mark.
    pub marks: Vec<TransactionMark>,
}

/// A state of a transactional id while it lasted.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct BandView {
    /// From here, or from before the span,
    pub from_us: u64,
    /// to here, or to the end of what has been run.
    pub to_us: u64,
    /// By Kafka's name.
    pub state: &'static str,
    /// The producer's epoch.
    pub epoch: Option<i16>,
    /// What belongs to the transaction.
    pub partitions: Rc<[Rc<str>]>,
}

/// A point on the lane of a transactional id.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct TransactionMark {
    /// When.
    pub at_us: u64,
    /// On which node it happened.
    pub node: u16,
    /// What.
    pub kind: TransactionMarkKind,
    /// The partition a marker was written to, or the epoch of a producer.
    pub about: Rc<str>,
}

/// What a mark on such a lane says.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TransactionMarkKind {
    /// A commit marker was appended.
    Commit,
    /// An abort marker was appended.
    Abort,
    /// `initTransactions()` returned.
    Initialized,
    /// A producer met the fence.
    Fenced,
}

/// The state before another one, where the state machine leaves no choice; none: nothing was open.
pub fn state_before(state: TransactionState) -> Option<TransactionState> {
    match state {
        TransactionState::CompleteCommit => Some(TransactionState::PrepareCommit),
        TransactionState::CompleteAbort => Some(TransactionState::PrepareAbort),
        TransactionState::PrepareCommit | TransactionState::PrepareAbort | TransactionState::PrepareEpochFence => {
            Some(TransactionState::Ongoing)
        }
        TransactionState::Empty | TransactionState::Ongoing | TransactionState::Dead => None,
    }
}

/// Offsets that are committed to the log, but whose transaction (or one before it) is open: read_committed stops before.
pub fn hidden(last_stable_offset: Offset, high_watermark: Offset, offset: Offset) -> bool {
    (last_stable_offset..high_watermark).contains(&offset)
}
