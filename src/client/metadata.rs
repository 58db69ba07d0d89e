//! What a client knows of the cluster: brokers, topics, partitions and their leaders; when to ask again.
//!
//! Invariants: a leader epoch never goes back (an answer with an older one leaves that partition as it was); an update
//! is asked for no earlier than `retry.backoff.ms` after the last one, later still if updates fail or bring nothing new,
//! except for topics that are new to the client.
//!
//! In Kafka: `Metadata`, `ProducerMetadata`, `MetadataSnapshot`, `ClusterConnectionStates`.

use crate::base::{
    BrokerId, Duration, LeaderEpoch, NodeId, Prng, SortedMap, SortedSet, Time, TopicId, TopicPartition, sort_short,
};
use crate::client::network_client::ExponentialBackoff;
use crate::protocol::{CurrentLeader, ErrorCode, MetadataRequest, MetadataResponse, PartitionMetadata, TopicMetadata};
use std::hash::{Hash, Hasher};
use std::rc::Rc;

/// Settings of a [`Metadata`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct MetadataConfig {
    /// `retry.backoff.ms` and `retry.backoff.max.ms`.
    pub refresh_backoff: ExponentialBackoff,
    /// `metadata.max.age.ms`.
    pub max_age: Duration,
    /// `metadata.max.idle.ms`: a topic not used for so long is forgotten (producers); none: never.
    pub max_idle: Option<Duration>,
}

/// A partition's leader as far as known.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct LeaderAndEpoch {
    /// None if there is none or its broker is not among the live ones.
    pub leader: Option<BrokerId>,
    /// −1 if unknown.
    pub epoch: LeaderEpoch,
}

/// One view of the cluster.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Snapshot {
    brokers: Vec<BrokerId>,
    racks: SortedMap<BrokerId, Rc<str>>,
    names: SortedMap<Rc<str>, TopicId>,
    topics: SortedMap<TopicId, TopicMetadata>,
    errors: SortedMap<Rc<str>, ErrorCode>,
}

/// A cluster without racks adds nothing.
impl Hash for Snapshot {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.brokers, &self.names, &self.topics, &self.errors).hash(state);
        if !self.racks.is_empty() {
            self.racks.hash(state);
        }
    }
}

/// A client's metadata and its wish for more.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Metadata {
    config: MetadataConfig,
    bootstrap: Rc<[NodeId]>,
    snapshot: Rc<Snapshot>,
    last_seen_epochs: SortedMap<TopicPartition, LeaderEpoch>,
    /// Topics of interest, and when they are forgotten.
    topics: SortedMap<Rc<str>, Time>,
    new_topics: SortedSet<Rc<str>>,
    all_topics: bool,
    need_full_update: bool,
    need_partial_update: bool,
    request_version: u32,
    update_version: u32,
    attempts: u32,
    equivalent_responses: u32,
    last_success: Option<Time>,
    allowed_by_attempts: Time,
    allowed_by_novelty: Time,
}

impl Metadata {
    /// Nothing known but the bootstrap servers; an update is wanted at once.
    pub fn new(config: MetadataConfig, bootstrap: Rc<[NodeId]>) -> Self {
        let brokers = bootstrap.iter().map(|node| BrokerId::from(*node)).collect();
        Metadata {
            config,
            bootstrap,
            snapshot: Rc::new(Snapshot { brokers, ..Snapshot::default() }),
            last_seen_epochs: SortedMap::new(),
            topics: SortedMap::new(),
            new_topics: SortedSet::new(),
            all_topics: false,
            need_full_update: true,
            need_partial_update: false,
            request_version: 0,
            update_version: 0,
            attempts: 0,
            equivalent_responses: 0,
            last_success: None,
            allowed_by_attempts: Time::ZERO,
            allowed_by_novelty: Time::ZERO,
        }
    }

    // ---- asking ----

    /// The brokers known to live; the bootstrap servers before the first update.
    pub fn brokers(&self) -> &[BrokerId] {
        &self.snapshot.brokers
    }

    /// A topic's id.
    pub fn topic_id(&self, name: &str) -> Option<TopicId> {
        self.snapshot.names.get(name).copied()
    }

    /// A topic's name.
    pub fn topic_name(&self, topic: TopicId) -> Option<&Rc<str>> {
        self.snapshot.topics.get(&topic).map(|topic| &topic.name)
    }

    /// What is known of a topic.
    pub fn topic(&self, topic: TopicId) -> Option<&TopicMetadata> {
        self.snapshot.topics.get(&topic)
    }

    /// What is known of a partition.
    pub fn partition(&self, partition: TopicPartition) -> Option<&PartitionMetadata> {
        self.topic(partition.topic)?.partitions.get(partition.partition as usize)
    }

    /// Of each replica the rack, as far as its broker lives and is in one (`PartitionInfo.replicas()`).
    pub fn replica_racks(&self, partition: &PartitionMetadata) -> impl Iterator<Item = Option<&Rc<str>>> {
        partition.replicas.iter().map(|replica| self.snapshot.racks.get(replica))
    }

    /// The error the last update reported for a topic.
    pub fn topic_error(&self, name: &str) -> Option<ErrorCode> {
        self.snapshot.errors.get(name).copied()
    }

    /// Who leads, if that broker is among the live ones (`Cluster.leaderFor`).
    pub fn leader(&self, partition: TopicPartition) -> Option<BrokerId> {
        let leader = self.partition(partition)?.leader;
        self.snapshot.brokers.contains(&leader).then_some(leader)
    }

    /// The epoch of the leader that is cached (`leaderEpochFor`).
    pub fn leader_epoch(&self, partition: TopicPartition) -> Option<LeaderEpoch> {
        self.partition(partition).map(|cached| cached.leader_epoch).filter(|epoch| *epoch >= 0)
    }

    /// Who leads since when (`currentLeader`): without leader if what is cached is older than the last epoch seen.
    pub fn current_leader(&self, partition: TopicPartition) -> LeaderAndEpoch {
        let seen = self.last_seen_epochs.get(&partition).copied();
        match self.partition(partition).filter(|cached| seen.is_none_or(|epoch| epoch == cached.leader_epoch)) {
            Some(cached) => LeaderAndEpoch { leader: self.leader(partition), epoch: cached.leader_epoch },
            None => LeaderAndEpoch { leader: None, epoch: seen.unwrap_or(-1) },
        }
    }

    /// The highest leader epoch seen.
    pub fn last_seen_leader_epoch(&self, partition: TopicPartition) -> Option<LeaderEpoch> {
        self.last_seen_epochs.get(&partition).copied()
    }

    /// Counts updates: it changes whenever what is known may have changed.
    pub fn update_version(&self) -> u32 {
        self.update_version
    }

    /// Whether somebody asked for an update.
    pub fn update_requested(&self) -> bool {
        self.need_full_update || self.need_partial_update
    }

    /// When the next update is due ([`Time::ZERO`]: now).
    pub fn next_update_at(&self) -> Time {
        let due = if self.update_requested() {
            Time::ZERO
        } else {
            self.last_success.map_or(Time::ZERO, |last| last + self.config.max_age)
        };
        due.max(self.allowed_by_attempts).max(self.allowed_by_novelty)
    }

    // ---- wishing ----

    /// Interest in a topic, now. A new one is asked for at once.
    pub fn add_topic(&mut self, name: &Rc<str>, now: Time) {
        let forget_at = self.config.max_idle.map_or(Time::MAX, |idle| now + idle);
        match self.topics.get_mut(name) {
            Some(at) => *at = forget_at,
            None => {
                self.topics.insert(Rc::clone(name), forget_at);
                self.new_topics.insert(Rc::clone(name));
                self.request_update_for_new_topics();
            }
        }
    }

    /// Interest in every topic there is but the internal ones (a consumer's pattern).
    pub fn want_all_topics(&mut self) {
        self.all_topics = true;
        self.request_update_for_new_topics();
    }

    /// The topics known.
    pub fn topic_names(&self) -> impl Iterator<Item = &Rc<str>> {
        self.snapshot.names.keys()
    }

    /// No interest any more.
    pub fn remove_topic(&mut self, name: &str) {
        self.topics.remove(name);
        self.new_topics.remove(name);
    }

    /// What is known proved wrong or is missing: ask again, when back-off allows. `reset_equivalent`: do not wait longer
    /// because the last answers brought nothing new.
    pub fn request_update(&mut self, reset_equivalent: bool) {
        self.need_full_update = true;
        if reset_equivalent {
            self.equivalent_responses = 0;
            self.allowed_by_novelty = Time::ZERO;
        }
    }

    /// As [`Self::request_update`], at once if the topic is new (`requestUpdateForTopic`).
    pub fn request_update_for_topic(&mut self, name: &str) {
        if self.new_topics.contains(name) {
            self.request_update_for_new_topics();
        } else {
            self.request_update(false);
        }
    }

    fn request_update_for_new_topics(&mut self) {
        self.allowed_by_attempts = Time::ZERO;
        self.allowed_by_novelty = Time::ZERO;
        self.need_partial_update = true;
        self.equivalent_responses = 0;
        self.request_version += 1;
    }

    /// Which topics to ask for, the version of the wish, and whether these are only the new ones.
    pub(super) fn next_request(&self, now: Time) -> (Vec<Rc<str>>, u32, bool) {
        if self.all_topics {
            return (vec![MetadataRequest::ALL_TOPICS.into()], self.request_version, false);
        }
        let fresh = self.last_success.is_some_and(|last| last + self.config.max_age > now);
        let partial = !self.need_full_update && fresh && !self.new_topics.is_empty();
        let topics =
            if partial { self.new_topics.iter().cloned().collect() } else { self.topics.keys().cloned().collect() };
        (topics, self.request_version, partial)
    }

    // ---- learning ----

    /// An answer.
    pub(super) fn update(
        &mut self,
        response: &MetadataResponse,
        request_version: u32,
        partial: bool,
        now: Time,
        random: &mut Prng,
    ) {
        self.need_partial_update = request_version < self.request_version;
        self.attempts = 0;
        self.update_version += 1;
        if !partial {
            self.need_full_update = false;
            self.last_success = Some(now);
        }
        self.equivalent_responses += 1;
        self.learn(response, partial, now);
        self.allowed_by_attempts = now + self.config.refresh_backoff.backoff(0, random);
        self.allowed_by_novelty = match self.equivalent_responses {
            0 => Time::ZERO,
            n => now + self.config.refresh_backoff.backoff(n - 1, random),
        };
        for topic in &response.topics {
            self.new_topics.remove(&topic.name);
        }
    }

    /// No answer, or an empty one.
    pub(super) fn failed_update(&mut self, now: Time, random: &mut Prng) {
        self.attempts += 1;
        self.equivalent_responses = 0;
        self.allowed_by_novelty = Time::ZERO;
        self.allowed_by_attempts = now + self.config.refresh_backoff.backoff(self.attempts - 1, random);
    }

    /// No broker left to ask: forget everything and begin again with the bootstrap servers. False if they are all that
    /// is known anyway.
    pub(super) fn rebootstrap(&mut self) -> bool {
        let known = &self.snapshot.brokers;
        if self.bootstrap.iter().all(|node| known.contains(&BrokerId::from(*node))) {
            return false;
        }
        self.need_full_update = true;
        self.update_version += 1;
        let brokers = self.bootstrap.iter().map(|node| BrokerId::from(*node)).collect();
        self.snapshot = Rc::new(Snapshot { brokers, ..Snapshot::default() });
        true
    }

    /// A response named the leader (KIP-951). True if that was news.
    pub fn update_partition_leadership(&mut self, partition: TopicPartition, new: CurrentLeader) -> bool {
        let known = self.current_leader(partition).epoch;
        if new.leader == BrokerId::NONE || new.epoch < 0 || new.epoch <= known || self.partition(partition).is_none() {
            return false;
        }
        let snapshot = Rc::make_mut(&mut self.snapshot);
        if !snapshot.brokers.contains(&new.leader) {
            snapshot.brokers.push(new.leader);
            sort_short(&mut snapshot.brokers, |a, b| a < b);
        }
        if let Some(topic) = snapshot.topics.get_mut(&partition.topic) {
            let cached = &mut topic.partitions[partition.partition as usize];
            cached.leader = new.leader;
            cached.leader_epoch = new.epoch;
        }
        self.last_seen_epochs.insert(partition, new.epoch);
        true
    }

    /// A response mentioned a leader epoch (`updateLastSeenEpochIfNewer`). True if it was newer: an update is wanted.
    pub fn update_last_seen_epoch(&mut self, partition: TopicPartition, epoch: LeaderEpoch) -> bool {
        let newer = self.last_seen_epochs.get(&partition).is_some_and(|seen| epoch > *seen);
        if newer {
            self.last_seen_epochs.insert(partition, epoch);
            self.need_full_update = true;
            self.equivalent_responses = 0;
            self.allowed_by_novelty = Time::ZERO;
        }
        newer
    }

    fn learn(&mut self, response: &MetadataResponse, partial: bool, now: Time) {
        let mut next = if partial { (*self.snapshot).clone() } else { Snapshot::default() };
        next.brokers = response.brokers.clone();
        next.racks = response.racks.clone();
        sort_short(&mut next.brokers, |a, b| a < b);
        for topic in &response.topics {
            next.errors.remove(&topic.name);
            if !self.retain(&topic.name, now) {
                continue;
            }
            if topic.error.is_error() {
                self.need_full_update |= topic.error.is_invalid_metadata();
                next.errors.insert(Rc::clone(&topic.name), topic.error);
                if let Some(id) = next.names.remove(&topic.name) {
                    next.topics.remove(&id);
                }
                continue;
            }
            let mut learned = topic.clone();
            for partition in &mut learned.partitions {
                self.learn_partition(topic.topic, partition);
            }
            next.names.insert(Rc::clone(&topic.name), topic.topic);
            next.topics.insert(topic.topic, learned);
        }
        self.snapshot = Rc::new(next);
    }

    /// Keeps what is known of a partition where the answer is older.
    fn learn_partition(&mut self, topic: TopicId, answer: &mut PartitionMetadata) {
        let partition = TopicPartition::new(topic, answer.partition);
        self.need_full_update |= answer.error.is_invalid_metadata();
        match self.last_seen_epochs.get(&partition) {
            Some(seen) if answer.leader_epoch < *seen => match self.partition(partition) {
                Some(known) => *answer = known.clone(),
                None => answer.leader = BrokerId::NONE,
            },
            seen => {
                if seen.is_none_or(|seen| answer.leader_epoch > *seen) {
                    self.equivalent_responses = 0;
                }
                self.last_seen_epochs.insert(partition, answer.leader_epoch);
            }
        }
    }

    fn retain(&mut self, name: &Rc<str>, now: Time) -> bool {
        match self.topics.get(name) {
            None => self.all_topics && !name.starts_with("__"),
            Some(_) if self.new_topics.contains(name) => true,
            Some(forget_at) if *forget_at <= now => {
                self.topics.remove(name);
                false
            }
            Some(_) => true,
        }
    }
}

#[cfg(test)]
mod tests;
