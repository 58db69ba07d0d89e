//! A broker: keeps replicas of partitions, leads some of them, follows others, serves clients.
//!
//! ```text
//! kafka_apis ── request_queue          routing; one request of a connection at a time
//!   replica_manager ── partition ── log    appends, reads, high watermark, ISR
//!     purgatory, fetch_session             who waits for what
//!     replica_fetcher                      the follower's side
//!     alter_partition                      ISR changes to the controller
//!     add_partitions_to_txn                questions to transaction coordinators
//!   group_coordinator                      members and offsets, on top of a partition
//!   share                                  share groups: who has which record; the share coordinator
//!   transaction_coordinator                transactions, likewise; markers to the leaders of other partitions
//! lifecycle, metadata_loader, forwarding ── controller_channel
//! ```
//!
//! Invariants: what a crash forgets is in [`Process`] and nowhere else; what stays is on the [`Disk`]. While the process
//! runs, its partitions hold the directories of their logs; when it dies they go back to the disk. An event touches the
//! partitions it is about: walks over all of them happen only on the timers made for that.
//!
//! In Kafka: `kafka.server`, `kafka.cluster`, `org.apache.kafka.server`.

mod add_partitions_to_txn;
mod alter_partition;
mod context;
mod controller_channel;
mod fetch_session;
mod forwarding;
mod group_coordinator;
mod kafka_apis;
mod lifecycle;
mod metadata_api;
mod metadata_loader;
mod partition;
mod process;
mod producer_id_manager;
mod purgatory;
mod replica;
mod replica_fetcher;
mod replica_manager;
mod request_queue;
pub mod share;
#[cfg(test)]
mod tests;
mod transaction_coordinator;

pub use lifecycle::BrokerState;
pub use partition::{IsrChange, Partition, PendingIsr};
pub use replica::FollowerState;
pub use replica_fetcher::{FetchState, Fetcher};
pub use transaction_coordinator::TransactionCoordinator;

use crate::base::config::BrokerConfig;
use crate::base::{BrokerId, NodeId, Prng, Time, TopicPartition};
use crate::coordinator::group::classic::ClassicGroup;
use crate::coordinator::group::share::ShareGroup;
use crate::coordinator::group::{GroupShard, OffsetsShard};
use crate::log::{Disk, LogDirectory};
use crate::metadata::MetadataImage;
use crate::node::{ConnectionId, Crash, Event, Message, Node, Outbox, Timer};
use process::Process;
use std::rc::Rc;

/// What a broker is told when its machine is set up.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct BrokerSetup {
    /// Its `node.id`.
    pub id: BrokerId,
    /// The controllers.
    pub controllers: Rc<[NodeId]>,
    /// The cluster's settings.
    pub config: Rc<BrokerConfig>,
    /// The cluster's id.
    pub cluster_id: Rc<str>,
    /// `broker.rack`.
    pub rack: Option<Rc<str>>,
}

/// A broker: a machine with a disk, and the process on it while it runs.
#[derive(Clone, Hash, Debug)]
pub struct Broker {
    setup: Rc<BrokerSetup>,
    disk: Disk,
    process: Option<Process>,
    /// What the process knew of the cluster when it died, for inspection.
    last_image: MetadataImage,
}

impl Broker {
    /// A machine with an empty disk, switched off.
    pub fn new(setup: BrokerSetup) -> Self {
        Broker { setup: Rc::new(setup), disk: Disk::new(), process: None, last_image: MetadataImage::default() }
    }

    /// Its `node.id`.
    pub fn id(&self) -> BrokerId {
        self.setup.id
    }

    /// Its settings.
    pub fn config(&self) -> &BrokerConfig {
        &self.setup.config
    }

    /// Whether the process runs.
    pub fn is_running(&self) -> bool {
        self.process.is_some()
    }

    /// How far the process has come; none while there is none.
    pub fn state(&self) -> Option<BrokerState> {
        self.process.as_ref().map(|process| process.lifecycle.state())
    }

    /// The cluster as it knows it, or knew it when it died.
    pub fn image(&self) -> &MetadataImage {
        self.process.as_ref().map_or(&self.last_image, |process| process.loader.image())
    }

    /// From its registration, −1 while there is none.
    pub fn broker_epoch(&self) -> i64 {
        self.process.as_ref().map_or(-1, |process| process.lifecycle.broker_epoch())
    }

    /// Whether the controller keeps it out, as far as it knows.
    pub fn is_fenced(&self) -> bool {
        self.process.as_ref().is_none_or(|process| process.lifecycle.is_fenced())
    }

    /// The replicas of the running process.
    pub fn partitions(&self) -> impl Iterator<Item = (&TopicPartition, &Partition)> {
        self.process.iter().flat_map(|process| process.replicas.partitions())
    }

    /// One replica of the running process.
    pub fn partition(&self, id: TopicPartition) -> Option<&Partition> {
        self.process.as_ref()?.replicas.partition(id)
    }

    /// All logs, whether or not the process runs.
    pub fn logs(&self) -> impl Iterator<Item = (&TopicPartition, &LogDirectory)> {
        let open = self.partitions().map(|(id, partition)| (id, partition.log().directory()));
        open.chain(self.disk.directories())
    }

    /// One log, whether or not the process runs.
    pub fn log(&self, id: TopicPartition) -> Option<&LogDirectory> {
        let open = self.partition(id).map(|partition| partition.log().directory());
        open.or_else(|| self.disk.directory(id))
    }

    /// The disk: checkpoints always, logs while the process does not run.
    pub fn disk(&self) -> &Disk {
        &self.disk
    }

    /// The fetchers with the leaders they fetch from.
    pub fn fetchers(&self) -> impl Iterator<Item = (&BrokerId, &Fetcher)> {
        self.process.iter().flat_map(|process| process.replicas.fetchers.fetchers())
    }

    /// Partitions that are not fetched until metadata bring a newer leader epoch.
    pub fn failed_partitions(&self) -> impl Iterator<Item = &TopicPartition> {
        self.process.iter().flat_map(|process| process.replicas.fetchers.failed())
    }

    /// How many produce requests and how many fetches wait in the purgatories.
    pub fn purgatory_sizes(&self) -> (usize, usize) {
        self.process.as_ref().map_or((0, 0), |process| process.replicas.purgatory_sizes())
    }

    /// The number of this life of the process.
    pub fn incarnation(&self) -> Option<u64> {
        self.process.as_ref().map(|process| process.lifecycle.incarnation())
    }

    /// The committed offsets of the groups it coordinates, by partition of `__consumer_offsets`.
    pub fn group_offsets(&self) -> impl Iterator<Item = (&TopicPartition, &OffsetsShard)> {
        self.process.iter().flat_map(|process| process.group.shards())
    }

    /// The transactions it coordinates; none while the process does not run.
    pub fn transaction_coordinator(&self) -> Option<&TransactionCoordinator> {
        self.process.as_ref().map(|process| &process.transactions)
    }

    /// What it does for share groups; none while the process does not run.
    pub fn shares(&self) -> Option<&share::Shares> {
        self.process.as_ref().map(|process| &process.shares)
    }

    /// The share groups it coordinates, by partition of `__consumer_offsets`.
    pub fn share_groups(&self) -> impl Iterator<Item = (&TopicPartition, &ShareGroup)> {
        let shards = self.process.iter().flat_map(|process| process.group.group_shards());
        shards.flat_map(|(id, shard)| shard.shares.iter().map(move |group| (id, group)))
    }

    /// The groups it coordinates, by partition of `__consumer_offsets`.
    pub fn groups(&self) -> impl Iterator<Item = (&TopicPartition, &ClassicGroup)> {
        self.group_shards().flat_map(|(id, shard)| shard.groups.iter().map(move |group| (id, group)))
    }

    /// All that it knows of groups, by partition of `__consumer_offsets`.
    pub fn group_shards(&self) -> impl Iterator<Item = (&TopicPartition, &GroupShard)> {
        self.process.iter().flat_map(|process| process.group.group_shards())
    }

    fn stop_if_allowed(&mut self, out: &mut Outbox<'_>) {
        if self.process.as_ref().is_some_and(|process| process.lifecycle.may_stop()) {
            self.stop(out);
        }
    }

    /// The orderly end of the process: high watermarks are written, logs closed, and the broker's epoch is left behind for
    /// the next process to show (KIP-966).
    fn stop(&mut self, out: &mut Outbox<'_>) {
        let Some(process) = self.process.take() else { return };
        self.last_image = process.loader.image().clone();
        self.disk.write_high_watermarks(process.replicas.high_watermarks());
        let registered = Some(process.lifecycle.broker_epoch()).filter(|epoch| *epoch >= 0);
        // A process that never opened its logs leaves them as they are.
        if let Some(epoch) = registered.filter(|_| process.loader.is_published()) {
            self.disk.write_clean_shutdown(epoch);
        }
        for directory in process.replicas.into_closed_directories() {
            self.disk.put(directory);
        }
        out.exit();
    }

    /// Flips a byte of the batch at `offset` of one of its logs: a fault of the disk. Says whether there is such a batch.
    pub fn corrupt(&mut self, id: TopicPartition, offset: i64, byte: usize) -> bool {
        let partition = self.process.as_mut().and_then(|process| process.replicas.partition_mut(id));
        match partition {
            Some(partition) => partition.log_mut().corrupt(offset, byte),
            None => self.disk.corrupt(id, offset, byte),
        }
    }

    /// Its disk takes no more bytes, or takes them again: a fault.
    pub fn set_disk_full(&mut self, full: bool) {
        self.disk.set_full(full);
        if let Some(process) = &mut self.process {
            process.disk_full = full;
        }
    }
}

impl Node for Broker {
    fn on_start(&mut self, now: Time, out: &mut Outbox<'_>) {
        assert!(self.process.is_none(), "invariant: a machine runs one broker process");
        if self.disk.is_full() {
            // Recovery has to write, too.
            out.emit(Event::LogDirFailed);
            return out.halt();
        }
        self.process = Some(Process::start(&self.setup, &self.disk, now, out));
    }

    fn on_message(&mut self, now: Time, from: NodeId, message: Message, out: &mut Outbox<'_>) {
        if let Some(process) = &mut self.process {
            process.on_message(&self.setup, &mut self.disk, now, from, message, out);
            self.stop_if_allowed(out);
        }
    }

    fn on_disconnect(&mut self, now: Time, peer: NodeId, connection: ConnectionId, out: &mut Outbox<'_>) {
        if let Some(process) = &mut self.process {
            process.on_disconnect(&self.setup, now, peer, connection, out);
        }
    }

    fn on_timer(&mut self, now: Time, timer: Timer, out: &mut Outbox<'_>) {
        if let (Some(process), Timer::Broker(timer)) = (&mut self.process, timer) {
            process.on_timer(&self.setup, &mut self.disk, now, timer, out);
            self.stop_if_allowed(out);
        }
    }

    fn on_shutdown(&mut self, now: Time, out: &mut Outbox<'_>) {
        if let Some(process) = &mut self.process
            && process.begin_shutdown(&self.setup, now, out)
        {
            self.stop(out);
        }
    }

    fn on_crash(&mut self, now: Time, crash: Crash, random: &mut Prng) {
        if let Some(process) = self.process.take() {
            self.last_image = process.loader.image().clone();
            for directory in process.replicas.into_directories() {
                self.disk.put(directory);
            }
        }
        if crash == Crash::PowerLoss {
            self.disk.power_loss(now, random);
        }
    }
}
