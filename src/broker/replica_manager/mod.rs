//! All replicas of this broker, and the requests that read and write them (Kafka's `ReplicaManager`).
//!
//! Invariant: whoever moves a log end, a high watermark or a leadership calls [`ReplicaManager::appended`],
//! [`ReplicaManager::advanced`] or [`ReplicaManager::leadership_changed`] afterwards: these look at what waits for it, and
//! at nothing else. No event walks all partitions, except the timers that are there for that.

mod delete_records;
mod fetch;
mod isr;
mod markers;
mod offsets;
mod produce;
mod producers;
mod rounds;
mod state_change;
mod verification;

use self::delete_records::DelayedDelete;
use self::markers::DelayedMarkers;
use self::verification::Verifications;
pub use self::verification::{Check, PendingOffsets};
use super::alter_partition::AlterPartitionManager;
use super::context::Context;
use super::fetch_session::FetchSessions;
use super::partition::Partition;
use super::purgatory::ProducePurgatory;
use super::replica_fetcher::ReplicaFetchers;
use crate::base::config::BrokerConfig;
use crate::base::{BrokerId, Offset, SortedMap, SortedSet, Time, TopicId, TopicPartition};
use crate::log::LogDirectory;
use crate::node::{BrokerTimer, Outbox, Timer};
use std::hash::{Hash, Hasher};
use std::rc::Rc;

/// The replicas of one running broker.
#[derive(Clone, Hash, Debug)]
pub struct ReplicaManager {
    pub(super) partitions: SortedMap<TopicPartition, Rc<Partition>>,
    sessions: FetchSessions,
    produce: ProducePurgatory,
    deletes: Vec<DelayedDelete>,
    verifications: Verifications,
    markers: DelayedMarkers,
    /// The follower's side.
    pub fetchers: ReplicaFetchers,
    /// The leader's dealings with the controller.
    pub alter_partition: AlterPartitionManager,
    /// When the purgatory timer is due.
    purgatory_timer: Option<Time>,
    coordinated: CoordinatedTopics,
    coordinator_news: Vec<CoordinatorNews>,
}

/// The topics whose progress coordinators want to hear of.
#[derive(Clone, Debug, Default)]
struct CoordinatedTopics {
    offsets: Option<TopicId>,
    transactions: Option<TopicId>,
    share_state: Option<TopicId>,
    /// Partitions from which share groups read here.
    shared: SortedSet<TopicPartition>,
}

/// Without a topic of transactions, or of share groups, it is what it was before there were any, so that such runs keep their
/// state hash.
impl Hash for CoordinatedTopics {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.offsets.hash(state);
        if let Some(topic) = self.transactions {
            topic.hash(state);
        }
        if let Some(topic) = self.share_state {
            (topic, &self.shared).hash(state);
        }
    }
}

/// What a coordinator has to react to.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum CoordinatorNews {
    /// The high watermark of a partition led here moved.
    Advanced(TopicPartition),
    /// This broker leads the partition now.
    Elected(TopicPartition),
    /// It does not any more.
    Resigned(TopicPartition),
    /// The coordinator of a transaction knows, or does not, that offsets belong to it.
    Verified(Box<PendingOffsets>),
}

impl CoordinatorNews {
    /// Which partition of a coordinator's topic it is about.
    pub fn partition(&self) -> Option<TopicPartition> {
        match self {
            CoordinatorNews::Advanced(id) | CoordinatorNews::Elected(id) | CoordinatorNews::Resigned(id) => Some(*id),
            CoordinatorNews::Verified(_) => None,
        }
    }
}

impl ReplicaManager {
    /// No replicas yet.
    pub fn new(id: BrokerId, config: &BrokerConfig, alter_partition: AlterPartitionManager) -> Self {
        ReplicaManager {
            partitions: SortedMap::new(),
            sessions: FetchSessions::new(config.max_incremental_fetch_session_cache_slots),
            produce: ProducePurgatory::default(),
            deletes: Vec::new(),
            verifications: Verifications::new(),
            markers: DelayedMarkers::default(),
            fetchers: ReplicaFetchers::new(id),
            alter_partition,
            purgatory_timer: None,
            coordinated: CoordinatedTopics::default(),
            coordinator_news: Vec::new(),
        }
    }

    /// All replicas.
    pub fn partitions(&self) -> impl Iterator<Item = (&TopicPartition, &Partition)> {
        self.partitions.iter().map(|(id, partition)| (id, partition.as_ref()))
    }

    /// One replica.
    pub fn partition(&self, id: TopicPartition) -> Option<&Partition> {
        self.partitions.get(&id).map(Rc::as_ref)
    }

    /// One replica, to change it.
    pub fn partition_mut(&mut self, id: TopicPartition) -> Option<&mut Partition> {
        self.partitions.get_mut(&id).map(Rc::make_mut)
    }

    /// How many produce requests and how many fetches wait.
    pub fn purgatory_sizes(&self) -> (usize, usize) {
        (self.produce.len(), self.sessions.parked())
    }

    /// Every log with its high watermark, for the checkpoint.
    pub fn high_watermarks(&self) -> impl Iterator<Item = (TopicPartition, Offset)> + '_ {
        self.partitions.iter().map(|(id, partition)| (*id, partition.log().high_watermark()))
    }

    /// What is left of the logs when the process ends.
    pub fn into_directories(self) -> impl Iterator<Item = LogDirectory> {
        self.partitions.into_values().map(|partition| Rc::unwrap_or_clone(partition).into_log().into_directory())
    }

    /// All logs, closed in an orderly way.
    pub fn into_closed_directories(self) -> impl Iterator<Item = LogDirectory> {
        self.partitions.into_values().map(|partition| Rc::unwrap_or_clone(partition).into_log().close())
    }

    /// News for the coordinators since the last call.
    pub fn take_coordinator_news(&mut self) -> Vec<CoordinatorNews> {
        std::mem::take(&mut self.coordinator_news)
    }

    fn coordinates(&self, id: TopicPartition) -> bool {
        self.coordinated.offsets == Some(id.topic)
            || self.keeps_transactions(id)
            || self.keeps_share_state(id)
            || self.coordinated.shared.contains(&id)
    }

    /// Is it a partition of `__transaction_state`?
    pub fn keeps_transactions(&self, id: TopicPartition) -> bool {
        self.coordinated.transactions == Some(id.topic)
    }

    /// Is it a partition of `__share_group_state`?
    pub fn keeps_share_state(&self, id: TopicPartition) -> bool {
        self.coordinated.share_state == Some(id.topic)
    }

    /// Do share groups read from it here?
    pub fn is_shared(&self, id: TopicPartition) -> bool {
        self.coordinated.shared.contains(&id)
    }

    /// From now on they do, or do not.
    pub fn set_shared(&mut self, id: TopicPartition, shared: bool) {
        match shared {
            true => self.coordinated.shared.insert(id),
            false => self.coordinated.shared.remove(&id),
        };
    }

    /// The same broker leads the partition in a new epoch.
    fn leads_anew(&mut self, id: TopicPartition) {
        // The epoch of a transaction coordinator is in its markers.
        if self.keeps_transactions(id) {
            self.coordinator_news.push(CoordinatorNews::Elected(id));
        }
    }

    /// Fetch sessions have to look at the partition again.
    fn touch(&mut self, id: TopicPartition) {
        let mut partition = self.partitions.get_mut(&id);
        self.sessions.mark_dirty(id, |follower, then| {
            if let Some(partition) = &mut partition {
                Rc::make_mut(partition).record_idle_fetch(follower, then);
            }
        });
    }

    /// Back-offs of followers end, or leaders have been silent for too long.
    pub fn on_fetcher_timer(&mut self, ctx: &mut Context<'_, '_>) {
        self.fetchers.on_timer(ctx.now, ctx.config, ctx.out);
        self.send_fetches(ctx);
    }

    /// The log of a partition led here has grown: followers that wait for it can have it.
    pub fn appended(&mut self, id: TopicPartition, ctx: &mut Context<'_, '_>) {
        self.complete_fetches(id, true, ctx);
    }

    /// The high watermark of a partition moved: answers producers, wakes consumers.
    pub fn advanced(&mut self, id: TopicPartition, ctx: &mut Context<'_, '_>) {
        self.touch(id);
        self.complete_produces(id, ctx);
        self.complete_fetches(id, false, ctx);
        self.complete_deletes(id, ctx);
        self.complete_markers(id, ctx);
        if self.coordinates(id) {
            self.coordinator_news.push(CoordinatorNews::Advanced(id));
        }
    }

    /// The high watermark of a partition followed here moved, or its log was cut: consumers that read here learn of it.
    pub fn follower_moved(&mut self, id: TopicPartition, ctx: &mut Context<'_, '_>) {
        if self.sessions.watchers(id).is_some() {
            self.touch(id);
            self.complete_fetches(id, false, ctx);
        }
    }

    /// Somebody else leads the partition now, or nobody, or this broker.
    pub fn leadership_changed(&mut self, id: TopicPartition, ctx: &mut Context<'_, '_>) {
        self.touch(id);
        self.complete_produces(id, ctx);
        self.complete_fetches(id, true, ctx);
        self.complete_fetches(id, false, ctx);
        self.complete_deletes(id, ctx);
        self.complete_markers(id, ctx);
        if self.coordinates(id) {
            let leads = self.partition(id).is_some_and(Partition::is_leader);
            let news = if leads { CoordinatorNews::Elected } else { CoordinatorNews::Resigned };
            self.coordinator_news.push(news(id));
        }
    }

    /// A deadline in the purgatories has passed.
    pub fn on_purgatory_timer(&mut self, ctx: &mut Context<'_, '_>) {
        self.purgatory_timer = None;
        self.expire_produces(ctx);
        self.expire_deletes(ctx);
        self.expire_markers(ctx);
        while let Some(session) = self.sessions.expired(ctx.now) {
            self.complete_fetch(session, ctx);
        }
        let deadlines =
            [self.sessions.deadline(), self.produce.deadline(), self.deletes_deadline(), self.markers.deadline()];
        if let Some(deadline) = deadlines.into_iter().flatten().min() {
            self.arm_purgatory(deadline, ctx.out);
        }
    }

    /// The timer is left alone if it is due earlier anyway.
    fn arm_purgatory(&mut self, deadline: Time, out: &mut Outbox<'_>) {
        if self.purgatory_timer.is_none_or(|due| deadline < due) {
            self.purgatory_timer = Some(deadline);
            out.set_timer(Timer::Broker(BrokerTimer::Purgatory), deadline);
        }
    }
}
