//! The controller: decides who is in the cluster, who leads what, who is in sync; and writes it into the metadata log.
//!
//! ```text
//! leadership ── replay            active or standby; what is committed, what is not yet
//!   cluster_control, heartbeats     brokers come, live, go
//!   replication_control, topics     partitions: partition_change, placer
//! ```
//! Invariants: every decision is a record, and the image is the replay of the records: nothing else changes it; what one
//! request decides is one batch, whole or absent; only the active controller decides, and it answers when the decision is
//! committed. Heartbeats are volatile.
//!
//! In Kafka: `QuorumController`, `ClusterControlManager`, `ReplicationControlManager`. On purpose different: no `NoOpRecord`
//! each half second (the log speaks only when something happens); new topics are placed in order instead of at random.
mod cluster_control;
mod configs;
mod elections;
mod heartbeats;
mod leadership;
mod partition_change;
mod placer;
mod reassignment;
mod replay;
mod replication_control;
mod snapshot;
#[cfg(test)]
mod tests;
mod topics;

use crate::base::config::BrokerConfig;
use crate::base::{BrokerId, Duration, LeaderEpoch, NodeId, Offset, Prng, Time};
use crate::log::UnifiedLog;
use crate::metadata::{CLUSTER_METADATA, FEATURES, MetadataDelta, MetadataImage, MetadataRecord, batch_of};
use crate::node::{Body, ConnectionId, ControllerTimer, Crash, Message, Node, Outbox, RequestContext, Timer};
use crate::protocol::{AllocateProducerIdsRequest, AllocateProducerIdsResponse, ErrorCode, Request, Response};
use crate::raft::{RaftClient, RaftSetup};
use heartbeats::Heartbeats;
use leadership::{refuse, standby_response};
use replay::{Deferred, Replayed};
use snapshot::Generator;
use std::collections::VecDeque;
use std::rc::Rc;

/// How many producer ids a broker gets at once (`ProducerIdsBlock.PRODUCER_ID_BLOCK_SIZE`).
const PRODUCER_ID_BLOCK_SIZE: u32 = 1_000;

/// How long a controller that stops looks for a successor (`KafkaRaftManager.shutdown`).
const SHUTDOWN_TIMEOUT: Duration = Duration::from_millis(5_000);

/// What a controller is told at its birth.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ControllerSetup {
    /// Where it runs.
    pub node: NodeId,
    /// All controllers, itself included.
    pub voters: Rc<[NodeId]>,
    /// The cluster's settings.
    pub config: Rc<BrokerConfig>,
    /// Brokers must name it when they register.
    pub cluster_id: Rc<str>,
}

/// A controller.
#[derive(Clone, PartialEq, Hash, Debug)]
pub struct Controller {
    setup: ControllerSetup,
    /// Its vote and its copy of the log; partly durable.
    raft: RaftClient,
    /// What the committed part of the log adds up to; rebuilt at each start.
    committed: Replayed,
    /// While it decides.
    active: Option<Active>,
    /// The world was told of all that is committed before this offset. Decides nothing.
    told: Offset,
    /// What was known to be committed at the end of the former life, until this one knows as much. For inspection.
    before: Option<MetadataImage>,
    /// It has been asked to stop, and has until then to hand its leadership over.
    stops_by: Option<Time>,
    /// When the next snapshot is due.
    generator: Generator,
}

/// What dies with its leadership.
#[derive(Clone, PartialEq, Hash, Debug)]
struct Active {
    epoch: LeaderEpoch,
    heartbeats: Heartbeats,
    /// What the whole log adds up to, while some of it is not committed.
    uncommitted: Option<Replayed>,
    /// Answers that wait for their records, in order.
    deferred: VecDeque<Deferred>,
    preferred_election_at: Option<Time>,
    unclean_election_at: Time,
}

impl Controller {
    /// A controller with an empty disk.
    pub fn new(setup: ControllerSetup) -> Self {
        let ControllerSetup { node, voters, config, .. } = setup.clone();
        Controller {
            setup,
            raft: RaftClient::new(RaftSetup { node, voters, partition: CLUSTER_METADATA, config }),
            committed: Replayed::default(),
            active: None,
            told: 0,
            before: None,
            stops_by: None,
            generator: Generator::default(),
        }
    }

    /// Where it runs.
    pub fn node(&self) -> NodeId {
        self.setup.node
    }

    /// The cluster as decided so far, committed or not.
    pub fn image(&self) -> &MetadataImage {
        &self.replayed().image
    }

    /// The cluster as far as it is known to be committed; still readable after a crash.
    pub fn committed_image(&self) -> &MetadataImage {
        let own = &self.committed.image;
        self.before.as_ref().filter(|before| before.offset() > own.offset()).unwrap_or(own)
    }

    /// Its vote, its place in the quorum, its copy of the log.
    pub fn raft(&self) -> &RaftClient {
        &self.raft
    }

    /// Whether the process runs.
    pub fn is_running(&self) -> bool {
        self.raft.role().is_some()
    }

    /// While it is the active controller: in which epoch.
    pub fn epoch(&self) -> Option<LeaderEpoch> {
        self.active.as_ref().map(|active| active.epoch)
    }

    /// The offset the next metadata record gets.
    pub fn log_end_offset(&self) -> Offset {
        self.raft.log().end_offset()
    }

    /// The metadata log.
    pub fn log(&self) -> &UnifiedLog {
        self.raft.log().log()
    }

    fn config(&self) -> &BrokerConfig {
        &self.setup.config
    }

    fn active(&mut self) -> &mut Active {
        self.active.as_mut().expect("invariant: only the active controller decides")
    }

    fn replayed(&self) -> &Replayed {
        let uncommitted = self.active.as_ref().and_then(|active| active.uncommitted.as_ref());
        uncommitted.unwrap_or(&self.committed)
    }

    /// Writes what was decided, and goes on from there. Alone, a controller has committed it by writing it.
    fn commit(&mut self, now: Time, records: &[MetadataRecord], out: &mut Outbox<'_>) {
        if records.is_empty() {
            return;
        }
        let (epoch, first) = (self.active().epoch, self.log_end_offset());
        let batch = batch_of(records, epoch, now.wall_clock_ms()).with_offset_and_epoch(first, epoch);
        let mut delta = MetadataDelta::default();
        let alone = self.raft.is_only_voter();
        for (offset, record) in (first..).zip(records) {
            if alone {
                self.apply_committed(offset, record, true, &mut delta, out);
            } else {
                let committed = &self.committed;
                let active = self.active.as_mut().expect("invariant: only the active controller decides");
                let decided = active.uncommitted.get_or_insert_with(|| committed.clone());
                decided.apply(offset, record, &mut delta);
            }
        }
        if alone {
            self.generator.bytes += u64::from(batch.size_in_bytes());
        }
        self.raft.append(now, batch, out);
        self.follow_log(out);
        self.maybe_snapshot(now);
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

    /// A request that is none of the quorum's.
    fn on_request(&mut self, now: Time, context: RequestContext, request: Request, out: &mut Outbox<'_>) {
        if self.active.is_none() {
            return refuse(context, standby_response(&request), out);
        }
        if let Request::BrokerHeartbeat(request) = request {
            let response = self.broker_heartbeat(now, request, out);
            return self.respond(context, Response::BrokerHeartbeat(response), out);
        }
        match self.handle(now, request) {
            Some((records, response)) => {
                self.commit(now, &records, out);
                self.respond(context, response, out);
            }
            // As a server does that is asked for an API it does not have.
            None => out.disconnect(context.connection.client, context.connection.channel),
        }
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

impl Node for Controller {
    /// Finds its place in the quorum. Who is alone leads at once, and replays the log.
    fn on_start(&mut self, now: Time, out: &mut Outbox<'_>) {
        self.committed = Replayed::default();
        self.generator = Generator { bytes: 0, since: now };
        self.raft.start(now, out);
        self.settle(now, out);
    }

    fn on_message(&mut self, now: Time, from: NodeId, message: Message, out: &mut Outbox<'_>) {
        let (context, correlation) = (message.context(), message.correlation_id);
        match message.body {
            Body::Response(response) => self.raft.handle_response(now, from, correlation, response, out),
            Body::Request(request) => {
                if let Some(request) = self.raft.handle_request(now, context, request, out) {
                    self.on_request(now, context, request, out);
                }
            }
        }
        self.settle(now, out);
    }

    fn on_disconnect(&mut self, now: Time, peer: NodeId, connection: ConnectionId, out: &mut Outbox<'_>) {
        self.raft.on_disconnect(now, peer, connection);
        self.settle(now, out);
    }

    fn on_timer(&mut self, now: Time, timer: Timer, out: &mut Outbox<'_>) {
        match timer {
            Timer::Controller(ControllerTimer::Quorum) => self.raft.on_timer(now, out),
            Timer::Controller(ControllerTimer::Purgatory) => self.raft.expire_parked(now, out),
            Timer::Controller(ControllerTimer::Session) => self.fence_one_stale_broker(now, out),
            Timer::Controller(ControllerTimer::Election) => self.hold_elections(now, out),
            other => panic!("invariant: {other:?} is not a controller's timer"),
        }
        self.settle(now, out);
    }

    /// A leader tells the others that it resigns, and ends when it has learned of its successor, or after a while.
    fn on_shutdown(&mut self, now: Time, out: &mut Outbox<'_>) {
        self.stops_by = Some(now + SHUTDOWN_TIMEOUT);
        self.raft.resign();
        self.settle(now, out);
    }

    /// The log is forced to disk with each append, as raft demands: even a power loss takes nothing from it.
    fn on_crash(&mut self, now: Time, crash: Crash, random: &mut Prng) {
        self.active = None;
        self.stops_by = None;
        self.before = Some(self.committed_image().clone());
        self.committed = Replayed::default();
        self.raft.crash(now, crash, random);
    }
}
