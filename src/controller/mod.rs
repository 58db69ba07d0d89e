//! The controller: decides who is in the cluster, who leads what, who is in sync; and writes it into the metadata log.
//!
//! Invariants: every decision is a record, and the image is the replay of the records: nothing else changes it; what one
//! request decides is one batch, whole or absent; a quorum of one commits by appending. Heartbeats and parked fetches are
//! volatile.
//!
//! In Kafka: `QuorumController`, `ClusterControlManager`, `ReplicationControlManager`, `KafkaRaftClient`. On purpose
//! different: no `NoOpRecord` each half second (the log speaks only when something happens); new topics are placed in
//! order instead of at random. Left for later: the raft quorum, snapshots.

mod cluster_control;
mod configs;
mod elections;
mod fetch;
mod heartbeats;
mod metadata_log;
mod partition_change;
mod placer;
mod reassignment;
mod replication_control;
#[cfg(test)]
mod tests;
mod topics;

use crate::base::config::BrokerConfig;
use crate::base::{BrokerId, LeaderEpoch, NodeId, Offset, Prng, SortedMap, Time};
use crate::log::UnifiedLog;
use crate::metadata::{FEATURES, MetadataDelta, MetadataImage, MetadataRecord, records_of};
use crate::node::{Body, ConnectionId, ControllerTimer, Crash, Event, Message, Node, Outbox, Timer};
use crate::protocol::{AllocateProducerIdsRequest, AllocateProducerIdsResponse, ErrorCode, LeaderRecoveryState};
use crate::protocol::{Request, Response};
use fetch::ParkedFetch;
use heartbeats::Heartbeats;
use metadata_log::MetadataLog;
use std::rc::Rc;

/// How many producer ids a broker gets at once (`ProducerIdsBlock.PRODUCER_ID_BLOCK_SIZE`).
const PRODUCER_ID_BLOCK_SIZE: u32 = 1_000;

/// What a controller is told at its birth.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ControllerSetup {
    /// Where it runs.
    pub node: NodeId,
    /// The cluster's settings.
    pub config: Rc<BrokerConfig>,
    /// Brokers must name it when they register.
    pub cluster_id: Rc<str>,
}

/// A controller.
#[derive(Clone, PartialEq, Hash, Debug)]
pub struct Controller {
    setup: ControllerSetup,
    /// The durable half.
    log: MetadataLog,
    /// What the log adds up to; rebuilt at each start.
    replayed: Replayed,
    /// The other half, while the process runs.
    active: Option<Active>,
}

/// What the log adds up to.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
struct Replayed {
    image: MetadataImage,
    /// Where each broker's registration stands, which it must have replayed before it is unfenced.
    registered_at: SortedMap<BrokerId, Offset>,
}

/// What dies with the process.
#[derive(Clone, PartialEq, Hash, Debug)]
struct Active {
    epoch: LeaderEpoch,
    heartbeats: Heartbeats,
    parked: Vec<ParkedFetch>,
    preferred_election_at: Option<Time>,
    unclean_election_at: Time,
}

impl Controller {
    /// A controller with an empty disk.
    pub fn new(setup: ControllerSetup) -> Self {
        let log = MetadataLog::new(&setup.config);
        Controller { setup, log, replayed: Replayed::default(), active: None }
    }

    /// Where it runs.
    pub fn node(&self) -> NodeId {
        self.setup.node
    }

    /// The cluster as written down so far; still readable after a crash, since it is the replay of a durable log.
    pub fn image(&self) -> &MetadataImage {
        &self.replayed.image
    }

    /// Whether the process runs.
    pub fn is_running(&self) -> bool {
        self.active.is_some()
    }

    /// The epoch it leads the quorum in, None while it is down.
    pub fn epoch(&self) -> Option<LeaderEpoch> {
        self.active.as_ref().map(|active| active.epoch)
    }

    /// The offset the next metadata record gets.
    pub fn log_end_offset(&self) -> Offset {
        self.log.end_offset()
    }

    /// The metadata log.
    pub fn log(&self) -> &UnifiedLog {
        self.log.log()
    }

    fn config(&self) -> &BrokerConfig {
        &self.setup.config
    }

    fn active(&mut self) -> &mut Active {
        self.active.as_mut().expect("invariant: only a running controller is called")
    }

    /// Writes what was decided, follows it, tells the world, and answers fetches that waited for it.
    fn commit(&mut self, now: Time, records: &[MetadataRecord], out: &mut Outbox<'_>) {
        if records.is_empty() {
            return;
        }
        let epoch = self.active().epoch;
        let first = self.log.append(now, records, epoch);
        let mut delta = MetadataDelta::default();
        for (offset, record) in (first..).zip(records) {
            let before = self.fenced_brokers_of(record);
            self.replayed.apply(offset, record, &mut delta);
            self.tell(record, before, out);
        }
        self.answer_parked(now, out);
    }

    fn fenced_brokers_of(&self, record: &MetadataRecord) -> Option<(BrokerId, bool)> {
        let broker = match record {
            MetadataRecord::RegisterBroker(record) => record.broker,
            MetadataRecord::BrokerRegistrationChange(record) => record.broker,
            _ => return None,
        };
        Some((broker, !self.image().is_unfenced(broker)))
    }

    fn tell(&self, record: &MetadataRecord, fenced_before: Option<(BrokerId, bool)>, out: &mut Outbox<'_>) {
        if let Some((broker, before)) = fenced_before {
            match (before, !self.image().is_unfenced(broker)) {
                (false, true) => out.emit(Event::BrokerFenced { broker }),
                (true, false) => out.emit(Event::BrokerUnfenced { broker }),
                _ => {}
            }
        }
        let (at, unclean) = match record {
            MetadataRecord::Partition(record) => (record.partition, false),
            MetadataRecord::PartitionChange(change) => {
                (change.partition, change.leader_recovery_state == Some(LeaderRecoveryState::Recovering))
            }
            _ => return,
        };
        if let Some(partition) = self.image().partition(at) {
            out.emit(Event::PartitionChanged {
                partition: at,
                leader: partition.leader,
                leader_epoch: partition.leader_epoch,
                isr: Rc::from(&partition.isr[..]),
                partition_epoch: partition.partition_epoch,
                unclean,
            });
        }
    }

    /// Whether `broker` is registered in this epoch; `STALE_BROKER_EPOCH` if not.
    fn check_broker_epoch(&self, broker: BrokerId, epoch: i64) -> ErrorCode {
        match self.image().broker(broker) {
            Some(registration) if registration.epoch == epoch => ErrorCode::None,
            _ => ErrorCode::StaleBrokerEpoch,
        }
    }

    fn allocate_producer_ids(
        &self,
        request: AllocateProducerIdsRequest,
    ) -> (Vec<MetadataRecord>, AllocateProducerIdsResponse) {
        let start = self.image().next_producer_id();
        let mut error = self.check_broker_epoch(request.broker, request.broker_epoch);
        let next = start.checked_add(i64::from(PRODUCER_ID_BLOCK_SIZE));
        if next.is_none() && !error.is_error() {
            error = ErrorCode::UnknownServerError;
        }
        let (Some(next_producer_id), false) = (next, error.is_error()) else {
            return (Vec::new(), AllocateProducerIdsResponse { error, producer_id_start: 0, producer_id_len: 0 });
        };
        let AllocateProducerIdsRequest { broker, broker_epoch } = request;
        let record = MetadataRecord::ProducerIds { broker, broker_epoch, next_producer_id };
        let response =
            AllocateProducerIdsResponse { error, producer_id_start: start, producer_id_len: PRODUCER_ID_BLOCK_SIZE };
        (vec![record], response)
    }

    /// The records and the answer to a request that is decided at once.
    fn handle(&mut self, now: Time, request: Request) -> Option<(Vec<MetadataRecord>, Response)> {
        Some(match request {
            Request::BrokerRegistration(request) => {
                let (records, response) = self.register_broker(now, &request);
                (records, Response::BrokerRegistration(response))
            }
            Request::AlterPartition(request) => {
                let (records, response) = self.alter_partition(&request);
                (records, Response::AlterPartition(response))
            }
            Request::CreateTopics(request) => {
                let (records, response) = self.create_topics(&request);
                (records, Response::CreateTopics(response))
            }
            Request::CreatePartitions(request) => {
                let (records, response) = self.create_partitions(&request);
                (records, Response::CreatePartitions(response))
            }
            Request::ElectLeaders(request) => {
                let (records, response) = self.elect_leaders(&request);
                (records, Response::ElectLeaders(response))
            }
            Request::IncrementalAlterConfigs(request) => {
                let (records, response) = self.alter_configs(&request);
                (records, Response::IncrementalAlterConfigs(response))
            }
            Request::AlterPartitionReassignments(request) => {
                let (records, response) = self.alter_partition_reassignments(&request);
                (records, Response::AlterPartitionReassignments(response))
            }
            Request::ListPartitionReassignments(request) => {
                (Vec::new(), Response::ListPartitionReassignments(self.list_partition_reassignments(&request)))
            }
            Request::AllocateProducerIds(request) => {
                let (records, response) = self.allocate_producer_ids(request);
                (records, Response::AllocateProducerIds(response))
            }
            _ => return None,
        })
    }

    /// What a new cluster's log begins with: its features.
    fn feature_levels(&self) -> Vec<MetadataRecord> {
        let config = self.config();
        let levels = FEATURES.iter().map(|feature| match feature.name {
            "eligible.leader.replicas.version" => (feature.name, config.eligible_leader_replicas_version as i16),
            "transaction.version" => (feature.name, config.transaction_version as i16),
            name => (name, feature.level),
        });
        let set = levels.filter(|(_, level)| *level > 0);
        set.map(|(name, level)| MetadataRecord::FeatureLevel { name: Rc::from(name), level }).collect()
    }

    /// Finds the time of the next round of elections.
    fn schedule_elections(&mut self, out: &mut Outbox<'_>) {
        let active = self.active();
        let unclean = active.unclean_election_at;
        let next = active.preferred_election_at.map_or(unclean, |preferred| preferred.min(unclean));
        out.set_timer(Timer::Controller(ControllerTimer::Election), next);
    }
}

impl Replayed {
    fn apply(&mut self, offset: Offset, record: &MetadataRecord, delta: &mut MetadataDelta) {
        match record {
            MetadataRecord::RegisterBroker(record) => {
                self.registered_at.insert(record.broker, offset);
            }
            MetadataRecord::UnregisterBroker { broker, .. } => {
                self.registered_at.remove(broker);
            }
            _ => {}
        }
        self.image.apply(offset, record, delta);
    }

    /// The replay of a log, up to the first batch that is damaged: its offset comes with it.
    fn of(log: &UnifiedLog) -> (Replayed, Option<Offset>) {
        let (mut replayed, mut delta) = (Replayed::default(), MetadataDelta::default());
        for batch in log.batches_from(0) {
            let records = if batch.validate_crc() { records_of(batch).ok() } else { None };
            let Some(records) = records else { return (replayed, Some(batch.base_offset())) };
            for (offset, record) in &records {
                replayed.apply(*offset, record, &mut delta);
            }
            replayed.image.advance(batch.last_offset());
        }
        (replayed, None)
    }
}

impl Node for Controller {
    /// Replays the log, takes the next epoch, gives every unfenced broker a new session. An empty log gets the features
    /// of the cluster first.
    fn on_start(&mut self, now: Time, out: &mut Outbox<'_>) {
        let (replayed, damaged) = Replayed::of(self.log.log());
        self.replayed = replayed;
        if let Some(offset) = damaged {
            self.log.cut(offset, now);
        }
        let epoch = self.log.last_epoch() + 1;
        let is_new = self.log.end_offset() == 0;
        self.log.append_leader_change(now, self.setup.node, epoch);
        self.replayed.image.advance(self.log.end_offset() - 1);
        let mut heartbeats = Heartbeats::default();
        for (id, broker) in self.replayed.image.brokers() {
            heartbeats.register(*id, broker.fenced, true);
            if !broker.fenced {
                heartbeats.contact(now, *id, broker.epoch);
            }
        }
        let config = self.config();
        let preferred =
            config.auto_leader_rebalance_enable.then(|| now + config.leader_imbalance_check_interval_seconds);
        let unclean_election_at = now + config.unclean_leader_election_interval_ms;
        let preferred_election_at = preferred;
        let parked = Vec::new();
        self.active = Some(Active { epoch, heartbeats, parked, preferred_election_at, unclean_election_at });
        if is_new {
            let records = self.feature_levels();
            self.commit(now, &records, out);
        }
        self.schedule_fencing(now, false, out);
        self.schedule_elections(out);
    }

    fn on_message(&mut self, now: Time, from: NodeId, message: Message, out: &mut Outbox<'_>) {
        let (context, channel) = (message.context(), message.connection.channel);
        let Body::Request(request) = message.body else { return };
        match request {
            Request::Fetch(request) => self.fetch(now, context, &request, out),
            Request::BrokerHeartbeat(request) => {
                let response = self.broker_heartbeat(now, request, out);
                out.respond(context, Response::BrokerHeartbeat(response));
            }
            request => match self.handle(now, request) {
                Some((records, response)) => {
                    self.commit(now, &records, out);
                    out.respond(context, response);
                }
                // As a server does that is asked for an API it does not have.
                None => out.disconnect(from, channel),
            },
        }
    }

    fn on_disconnect(&mut self, _now: Time, _peer: NodeId, connection: ConnectionId, _out: &mut Outbox<'_>) {
        self.active().parked.retain(|fetch| fetch.context.connection != connection);
    }

    fn on_timer(&mut self, now: Time, timer: Timer, out: &mut Outbox<'_>) {
        match timer {
            Timer::Controller(ControllerTimer::Session) => self.fence_one_stale_broker(now, out),
            Timer::Controller(ControllerTimer::Purgatory) => self.expire_parked(now, out),
            Timer::Controller(ControllerTimer::Election) => self.hold_elections(now, out),
            other => panic!("invariant: {other:?} is not a controller's timer"),
        }
    }

    /// The log is forced to disk with each append, as raft demands: even a power loss takes nothing from it.
    fn on_crash(&mut self, now: Time, crash: Crash, random: &mut Prng) {
        self.active = None;
        self.log.crash(now, crash, random);
    }
}
