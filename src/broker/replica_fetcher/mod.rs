//! The follower's side of replication: one fetcher per leader broker (Kafka's `AbstractFetcherThread`).
//!
//! A fetcher has one request in flight and sends the next as soon as it has dealt with the answer; the leader holds it
//! while there is nothing new. It uses a fetch session, so that a partition travels only when its offset or epoch moved.
//!
//! Invariants: a partition is fetched from one leader at a time; an answer counts for a partition only if it is for the
//! offset and the epoch that the partition is at now; a fetch starts at the end of the local log. A partition in trouble
//! leaves the session for `replica.fetch.backoff.ms`; a fenced one (74) until metadata bring a newer epoch.
//!
//! The wait of Kafka's thread on ListOffsets after OFFSET_OUT_OF_RANGE is a *probe* here: no fetch leaves meanwhile.

mod fetcher;
mod follow;

pub use fetcher::{FetchState, Fetcher};

use crate::base::config::BrokerConfig;
use crate::base::{BrokerId, LeaderEpoch, Offset, SortedMap, SortedSet, Time, TopicPartition};
use crate::node::{BrokerTimer, Outbox, Timer};
use std::rc::Rc;

/// All fetchers of a broker.
#[derive(Clone, Hash, Debug)]
pub struct ReplicaFetchers {
    id: BrokerId,
    correlation: u32,
    fetchers: SortedMap<BrokerId, Rc<Fetcher>>,
    /// Changes seldom, so that checkpoints share it.
    leaders: Rc<SortedMap<TopicPartition, BrokerId>>,
    failed: SortedSet<TopicPartition>,
    timer: Option<Time>,
}

/// Where a follower begins to fetch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct InitialFetchState {
    /// Which partition.
    pub partition: TopicPartition,
    /// The leader's epoch.
    pub leader_epoch: LeaderEpoch,
    /// The end of the local log.
    pub offset: Offset,
    /// The epoch of its last record, −1 if it has none.
    pub last_fetched_epoch: LeaderEpoch,
}

impl ReplicaFetchers {
    /// No fetchers.
    pub fn new(id: BrokerId) -> Self {
        ReplicaFetchers {
            id,
            correlation: 0,
            fetchers: SortedMap::new(),
            leaders: Rc::default(),
            failed: SortedSet::new(),
            timer: None,
        }
    }

    /// The fetchers with their leaders.
    pub fn fetchers(&self) -> impl Iterator<Item = (&BrokerId, &Fetcher)> {
        self.fetchers.iter().map(|(leader, fetcher)| (leader, fetcher.as_ref()))
    }

    /// Partitions that wait for a newer leader epoch.
    pub fn failed(&self) -> &SortedSet<TopicPartition> {
        &self.failed
    }

    /// Follows `leader` from now on.
    pub fn add(&mut self, leader: BrokerId, start: InitialFetchState) {
        self.remove(start.partition);
        Rc::make_mut(&mut self.leaders).insert(start.partition, leader);
        let fetcher = self.fetchers.entry(leader).or_insert_with(|| Rc::new(Fetcher::new(leader)));
        Rc::make_mut(fetcher).add(start);
    }

    /// Does not follow anybody any more.
    pub fn remove(&mut self, partition: TopicPartition) {
        self.failed.remove(&partition);
        if !self.leaders.contains_key(&partition) {
            return;
        }
        if let Some(leader) = Rc::make_mut(&mut self.leaders).remove(&partition)
            && let Some(fetcher) = self.fetcher_mut(leader)
        {
            fetcher.remove(partition);
        }
    }

    /// The log start offset of a partition followed here moved.
    pub fn log_start_moved(&mut self, partition: TopicPartition) {
        if let Some(leader) = self.leaders.get(&partition).copied()
            && let Some(fetcher) = self.fetcher_mut(leader)
        {
            fetcher.log_start_moved(partition);
        }
    }

    fn fail(&mut self, partition: TopicPartition) {
        self.remove(partition);
        self.failed.insert(partition);
    }

    fn fetcher_mut(&mut self, leader: BrokerId) -> Option<&mut Fetcher> {
        self.fetchers.get_mut(&leader).map(Rc::make_mut)
    }

    /// Closes the connections that nothing is fetched over any more.
    pub fn stop_idle(&mut self, out: &mut Outbox<'_>) {
        self.fetchers.retain(|_, fetcher| {
            let idle = fetcher.is_idle();
            if idle {
                fetcher.close(out);
            }
            !idle
        });
    }

    /// The leaders whose fetcher has nothing in flight.
    pub fn ready(&self) -> Vec<BrokerId> {
        self.fetchers.iter().filter(|(_, fetcher)| !fetcher.is_in_flight()).map(|(leader, _)| *leader).collect()
    }

    fn next_correlation(&mut self) -> u32 {
        self.correlation = self.correlation.wrapping_add(1);
        self.correlation
    }

    /// The timer is left alone if it is due earlier anyway.
    fn arm(&mut self, deadline: Option<Time>, out: &mut Outbox<'_>) {
        if let Some(deadline) = deadline
            && self.timer.is_none_or(|due| deadline < due)
        {
            self.timer = Some(deadline);
            out.set_timer(Timer::Broker(BrokerTimer::Fetcher), deadline);
        }
    }

    /// A connection to a leader broke: everything fetched over it backs off.
    pub fn disconnected(&mut self, now: Time, leader: BrokerId, config: &BrokerConfig, out: &mut Outbox<'_>) {
        let Some(fetcher) = self.fetcher_mut(leader) else { return };
        fetcher.connection_failed(now + config.replica_fetch_backoff_ms);
        let deadline = fetcher.deadline();
        self.arm(deadline, out);
    }

    /// Back-offs end, and leaders have been silent for too long.
    pub fn on_timer(&mut self, now: Time, config: &BrokerConfig, out: &mut Outbox<'_>) {
        self.timer = None;
        for fetcher in self.fetchers.values_mut() {
            if fetcher.deadline().is_some_and(|deadline| deadline <= now) {
                Rc::make_mut(fetcher).on_deadline(now, config, out);
            }
        }
        let earliest = self.fetchers.values().filter_map(|fetcher| fetcher.deadline()).min();
        self.arm(earliest, out);
    }
}
