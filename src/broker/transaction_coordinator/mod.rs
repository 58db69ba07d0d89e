//! The transaction coordinator's place in the broker: one shard for each `__transaction_state` partition led here.
//!
//! ```text
//! requests     InitProducerId, AddPartitionsToTxn, AddOffsetsToTxn, EndTxn
//! describe     DescribeTransactions, ListTransactions
//! append       records out, acks=all; when they are committed, the transition is complete and the answer goes out
//! completion   what is decided is made true: markers, then the record that they are written
//! markers      WriteTxnMarkers to the leaders of partitions, a lane for each broker
//! rounds       transactions past their timeout, transactional ids nobody uses, answers that waited too long
//! ```
//!
//! Invariants: a transition that is appended and not yet committed is the *pending* state of its transactional id, and in
//! `waiting`; a shard is of one leader epoch, which is the coordinator epoch of its markers, and dies with it. Taking over a
//! partition is reading it to its end (not to the high watermark, as in Kafka) and sending the markers that are missing.
//!
//! In Kafka: `TransactionCoordinator`, `TransactionStateManager`, `TransactionMarkerChannelManager`. Departures: loading takes the
//! same short time whatever there is to read; the rounds begin when the broker first coordinates something, not when it starts;
//! what is to be sent again waits a little (Kafka's sender spins).

mod append;
mod completion;
mod describe;
mod markers;
mod requests;
mod rounds;

use self::append::{Addition, Retry, Waiting};
use self::markers::MarkerLanes;
use self::rounds::Rounds;
use super::context::Context;
use super::producer_id_manager::ProducerIdManager;
use super::replica_manager::{CoordinatorNews, ReplicaManager};
use crate::base::{Duration, LeaderEpoch, ProducerId, SortedMap, Time, TopicPartition};
use crate::coordinator::transaction::{TransactionLogValue, TransactionMetadata, TransitMetadata, read_key};
use crate::coordinator::{partition_for, records_of};
use crate::log::UnifiedLog;
use crate::metadata::{MetadataImage, TRANSACTION_STATE_TOPIC};
use crate::protocol::{ErrorCode, TransactionState};
use std::hash::{Hash, Hasher};
use std::rc::Rc;

/// How long a partition is being read before requests about it can be answered.
const LOADING: Duration = Duration::from_millis(1);

/// All transactions that this broker coordinates: none by default.
#[derive(Clone, Debug, Default)]
pub struct TransactionCoordinator {
    shards: SortedMap<TopicPartition, Rc<Shard>>,
    /// Led here, and not read yet: until when.
    loading: SortedMap<TopicPartition, Time>,
    markers: MarkerLanes,
    /// AddPartitionsToTxn requests of which not all transactions are answered.
    additions: SortedMap<u64, Addition>,
    next_addition: u64,
    /// Completions whose record could not be written.
    retries: Vec<Retry>,
    /// None until this broker first coordinates something.
    rounds: Option<Rounds>,
    timer: Option<Time>,
}

/// One partition of `__transaction_state`.
#[derive(Clone, Hash, Debug)]
struct Shard {
    /// The coordinator epoch.
    epoch: LeaderEpoch,
    transactions: SortedMap<Rc<str>, TransactionMetadata>,
    /// Appended, not committed.
    waiting: Vec<Waiting>,
    /// Transactions whose markers are being written, with what is true then (`transactionsWithPendingMarkers`).
    completing: SortedMap<Rc<str>, TransitMetadata>,
}

/// What the coordinator needs of the broker.
pub struct Host<'a, 'o> {
    /// As everything else does.
    pub ctx: Context<'a, 'o>,
    /// Where its partitions are.
    pub replicas: &'a mut ReplicaManager,
    /// Where producer ids come from.
    pub ids: &'a mut ProducerIdManager,
    /// It wants the controller to be asked for more of them.
    pub ids_wanted: bool,
}

/// A coordinator that never coordinated adds nothing, so that runs without transactions keep the state hash they always had.
impl Hash for TransactionCoordinator {
    fn hash<H: Hasher>(&self, state: &mut H) {
        if self.rounds.is_some() {
            (&self.shards, &self.loading, &self.markers, &self.additions, self.next_addition).hash(state);
            (&self.retries, &self.rounds, self.timer).hash(state);
        }
    }
}

impl Host<'_, '_> {
    fn now_ms(&self) -> i64 {
        self.ctx.now.wall_clock_ms()
    }

    fn new_producer_id(&mut self) -> Result<ProducerId, ErrorCode> {
        let (id, ask) = self.ids.generate(self.ctx.now);
        self.ids_wanted |= ask;
        id
    }
}

impl TransactionCoordinator {
    /// Every transactional id coordinated here, with the partition of `__transaction_state` that it is in.
    pub fn transactions(&self) -> impl Iterator<Item = (TopicPartition, &TransactionMetadata)> {
        let of_shard = |(id, shard): (&TopicPartition, _)| (*id, shard);
        self.shards
            .iter()
            .map(of_shard)
            .flat_map(|(id, shard): (_, &Rc<Shard>)| shard.transactions.values().map(move |metadata| (id, metadata)))
    }

    /// Does this broker coordinate what is in this partition?
    pub fn coordinates(&self, id: TopicPartition) -> bool {
        self.shards.contains_key(&id) || self.loading.contains_key(&id)
    }

    /// The partition that coordinates a transactional id, if this broker does.
    fn place(&self, transactional_id: &str, image: &MetadataImage) -> Result<TopicPartition, ErrorCode> {
        let topic = image.topic_id(TRANSACTION_STATE_TOPIC).ok_or(ErrorCode::NotCoordinator)?;
        let id = TopicPartition::new(topic, partition_for(transactional_id, image.partition_count(topic)));
        if self.loading.contains_key(&id) {
            return Err(ErrorCode::CoordinatorLoadInProgress);
        }
        if self.shards.contains_key(&id) { Ok(id) } else { Err(ErrorCode::NotCoordinator) }
    }

    fn shard_mut(&mut self, id: TopicPartition) -> Option<&mut Shard> {
        self.shards.get_mut(&id).map(Rc::make_mut)
    }

    fn metadata_mut(&mut self, id: TopicPartition, transactional_id: &str) -> Option<&mut TransactionMetadata> {
        self.shard_mut(id)?.transactions.get_mut(transactional_id)
    }

    /// Something happened to a partition of `__transaction_state`.
    pub fn on_news(&mut self, news: &CoordinatorNews, host: &mut Host<'_, '_>) {
        match news {
            CoordinatorNews::Advanced(id) => self.catch_up(*id, host),
            CoordinatorNews::Resigned(id) => self.unload(*id, host),
            CoordinatorNews::Elected(id) => self.elected(*id, host),
            CoordinatorNews::Verified(_) => {}
        }
    }

    fn elected(&mut self, id: TopicPartition, host: &mut Host<'_, '_>) {
        self.unload(id, host);
        self.start_rounds(host);
        let due = host.ctx.now + LOADING;
        self.loading.insert(id, due);
        self.arm(due, host);
    }

    fn unload(&mut self, id: TopicPartition, host: &mut Host<'_, '_>) {
        self.loading.remove(&id);
        let Some(shard) = self.shards.remove(&id) else { return };
        self.markers.forget(id);
        self.retries.retain(|retry| retry.shard != id);
        for waiting in Rc::unwrap_or_clone(shard).waiting {
            self.answer(waiting.what, Err(ErrorCode::NotCoordinator), host);
        }
    }

    /// Reads the partition, and goes on with what its last coordinator had decided.
    fn load(&mut self, id: TopicPartition, host: &mut Host<'_, '_>) {
        self.loading.remove(&id);
        let Some(partition) = host.replicas.partition(id) else { return };
        let epoch = partition.leader_epoch();
        let mut transactions = read_all(partition.log(), host.ctx.image);
        let (mut completing, now_ms) = (SortedMap::new(), host.now_ms());
        for metadata in transactions.values_mut() {
            if matches!(metadata.state, TransactionState::PrepareCommit | TransactionState::PrepareAbort) {
                completing.insert(metadata.transactional_id.clone(), metadata.prepare_complete(now_ms));
            }
        }
        let decided: Vec<Rc<str>> = completing.keys().cloned().collect();
        self.shards.insert(id, Rc::new(Shard { epoch, transactions, waiting: Vec::new(), completing }));
        for transactional_id in decided {
            self.write_markers(id, &transactional_id, host);
        }
        self.send_markers(host);
    }
}

/// The last word on every transactional id. A record that cannot be read, or that nobody can have written, is skipped, as
/// Kafka's loader does with versions it does not know.
fn read_all(log: &UnifiedLog, image: &MetadataImage) -> SortedMap<Rc<str>, TransactionMetadata> {
    let mut transactions = SortedMap::new();
    for batch in log.batches_from(log.log_start_offset()) {
        for (_, record) in records_of(batch).unwrap_or_default() {
            let Ok(Some(transactional_id)) = read_key(&record.key) else { continue };
            match record.value.as_deref().map(TransactionLogValue::decode) {
                None => {
                    transactions.remove(&transactional_id);
                }
                Some(Ok(Some(value))) => {
                    let written = value.to_transit(image);
                    if written.is_possible() {
                        let metadata = TransactionMetadata::load(transactional_id.clone(), written);
                        transactions.insert(transactional_id, metadata);
                    }
                }
                Some(_) => {}
            }
        }
    }
    transactions
}
