//! One broker's replica manager alone, driven by hand: metadata records in, effects out.

use crate::base::config::{BrokerConfig, IsolationLevel, Properties};
use crate::base::{BrokerId, Duration, NodeId, Prng, SortedMap, Time, TopicId, TopicPartition};
use crate::broker::alter_partition::AlterPartitionManager;
use crate::broker::context::Context;
use crate::broker::controller_channel::ControllerChannel;
use crate::broker::partition::{Partition, ReadOptions};
use crate::broker::producer_id_manager::ProducerIdManager;
use crate::broker::replica_manager::ReplicaManager;
use crate::broker::request_queue::RequestQueue;
use crate::broker::transaction_coordinator::Host;
use crate::log::{AppendOrigin, Disk};
use crate::metadata::{MetadataDelta, MetadataImage, MetadataRecord, PartitionRegistration, RegisterBrokerRecord};
use crate::node::{Body, Channel, ConnectionId, Effect, Event, Message, MessageId, Outbox, RequestContext};
use crate::protocol::{
    AlterPartitionRequest, AlterPartitionResponse, AlterPartitionResult, ErrorCode, FetchPartition,
    FetchPartitionResponse, FetchReplica, FetchResponse, LeaderRecoveryState, MetadataRequest, Request, Response,
};

pub const ID: TopicPartition = TopicPartition::new(TopicId(1), 0);
pub const LOCAL: BrokerId = BrokerId(1);
const CONTROLLER: NodeId = NodeId(100);

pub struct Bench {
    pub now: Time,
    pub replicas: ReplicaManager,
    disk: Disk,
    config: BrokerConfig,
    image: MetadataImage,
    queue: RequestQueue,
    random: Prng,
    correlation: u32,
    pub responses: SortedMap<u32, Response>,
    /// Requests this broker sent, with their correlation ids.
    pub sent: Vec<(NodeId, u32, Request)>,
    pub closed: u32,
    pub events: Vec<Event>,
}

impl Bench {
    /// Broker 1 with brokers 2 and 3 around, all unfenced, broker epochs 101, 102, 103; a topic, but no partition yet.
    pub fn new(settings: &[(&str, &str)]) -> Bench {
        let properties: Properties = settings.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        let config = BrokerConfig::parse(&properties).expect("good settings");
        let timeout = Duration::from_millis(30_000);
        let channel = ControllerChannel::new(Channel::AlterPartition, Some(CONTROLLER), timeout, None);
        let mut queue = RequestQueue::default();
        queue.open();
        let mut bench = Bench {
            now: Time(1_000_000_000),
            replicas: ReplicaManager::new(LOCAL, &config, AlterPartitionManager::new(channel)),
            disk: Disk::new(),
            config,
            image: MetadataImage::default(),
            queue,
            random: Prng::split(1, "bench"),
            correlation: 0,
            responses: SortedMap::new(),
            sent: Vec::new(),
            closed: 0,
            events: Vec::new(),
        };
        for broker in 1..=3 {
            bench.register(broker, false, false);
        }
        bench.follow(&[MetadataRecord::Topic { name: "orders".into(), topic: ID.topic }]);
        bench
    }

    pub fn config(&self) -> &BrokerConfig {
        &self.config
    }

    pub fn disk(&self) -> &Disk {
        &self.disk
    }

    /// The process dies and starts again; the checkpoint has this high watermark for the partition.
    pub fn restart_with_high_watermark(&mut self, high_watermark: i64) {
        let timeout = Duration::from_millis(30_000);
        let channel = ControllerChannel::new(Channel::AlterPartition, Some(CONTROLLER), timeout, None);
        let new = ReplicaManager::new(LOCAL, &self.config, AlterPartitionManager::new(channel));
        let old = std::mem::replace(&mut self.replicas, new);
        old.into_directories().for_each(|directory| self.disk.put(directory));
        self.disk.write_high_watermarks([(ID, high_watermark)]);
    }

    pub fn advance(&mut self, millis: u64) {
        self.now += Duration::from_millis(millis);
    }

    pub fn register(&mut self, broker: i32, fenced: bool, in_controlled_shutdown: bool) {
        self.register_in(None, broker, fenced, in_controlled_shutdown);
    }

    pub fn register_in(&mut self, rack: Option<&str>, broker: i32, fenced: bool, in_controlled_shutdown: bool) {
        self.follow(&[MetadataRecord::RegisterBroker(RegisterBrokerRecord {
            broker: BrokerId(broker),
            incarnation: 1,
            broker_epoch: i64::from(100 + broker),
            rack: rack.map(Into::into),
            fenced,
            in_controlled_shutdown,
        })]);
    }

    pub fn follow(&mut self, records: &[MetadataRecord]) {
        let mut delta = MetadataDelta::default();
        for record in records {
            let offset = self.image.offset() + 1;
            self.image.apply(offset, record, &mut delta);
        }
        self.run(|replicas, disk, ctx| replicas.apply_delta(&delta, disk, ctx));
    }

    /// The partition's registration as given.
    pub fn register_partition(
        &mut self,
        leader: i32,
        leader_epoch: i32,
        partition_epoch: i32,
        replicas: &[i32],
        isr: &[i32],
    ) {
        let ids = |list: &[i32]| list.iter().map(|id| BrokerId(*id)).collect::<Vec<_>>();
        let mut registration = PartitionRegistration::new(ids(replicas), ids(isr));
        registration.leader = BrokerId(leader);
        registration.leader_epoch = leader_epoch;
        registration.partition_epoch = partition_epoch;
        self.follow(&[MetadataRecord::Partition(registration.to_record(ID))]);
    }

    pub fn run<R>(&mut self, run: impl FnOnce(&mut ReplicaManager, &mut Disk, &mut Context<'_, '_>) -> R) -> R {
        let mut effects = Vec::new();
        let mut out = Outbox::new(&mut effects, &mut self.random);
        let mut ctx = context(self.now, &self.config, &self.image, &mut self.queue, &mut out);
        let result = run(&mut self.replicas, &mut self.disk, &mut ctx);
        self.carry_out(effects);
        result
    }

    /// As [`Self::run`], for a transaction coordinator.
    pub fn host(&mut self, ids: &mut ProducerIdManager, run: impl FnOnce(&mut Host<'_, '_>)) {
        let mut effects = Vec::new();
        let mut out = Outbox::new(&mut effects, &mut self.random);
        let ctx = context(self.now, &self.config, &self.image, &mut self.queue, &mut out);
        run(&mut Host { ctx, replicas: &mut self.replicas, ids, ids_wanted: false });
        self.carry_out(effects);
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Respond { to, response } => {
                    self.responses.insert(to.correlation_id, response);
                }
                Effect::Request { to, correlation_id, request, .. } => self.sent.push((to, correlation_id, request)),
                Effect::Disconnect { .. } => self.closed += 1,
                Effect::Emit(event) => self.events.push(event),
                Effect::SetTimer(..) | Effect::CancelTimer(_) | Effect::Exit | Effect::Halt => {}
            }
        }
    }

    /// A request on a connection of its own.
    pub fn request(&mut self, request: Request) -> u32 {
        let context = self.context();
        self.run(|replicas, _, ctx| match &request {
            Request::Produce(request) => replicas.handle_produce(context, request, ctx),
            Request::Fetch(request) => replicas.handle_fetch(context, request, ctx),
            Request::WriteTxnMarkers(request) => replicas.handle_write_txn_markers(context, request, ctx),
            Request::DeleteRecords(request) => replicas.handle_delete_records(context, request, ctx),
            other => panic!("not for the replica manager: {other:?}"),
        });
        context.correlation_id
    }

    /// What a request's answer goes to, on a connection of its own.
    pub fn context(&mut self) -> RequestContext {
        self.correlation += 1;
        let generation = self.correlation;
        let connection = ConnectionId { client: NodeId(9), server: NodeId(1), channel: Channel::Producer, generation };
        let body = Body::Request(Request::Metadata(MetadataRequest { topics: Vec::new() }));
        let message = Message { id: MessageId(0), connection, correlation_id: generation, body };
        self.queue.receive(message).expect("a free connection").context()
    }

    pub fn partition(&self) -> &Partition {
        self.replicas.partition(ID).expect("hosted")
    }

    /// Appends `records` records as leader.
    pub fn append(&mut self, records: i64) {
        for _ in 0..records {
            let batch = super::requests::batch("x");
            self.run(|replicas, _, ctx| {
                let (_, advanced) = replicas.append(ID, &batch, 1, AppendOrigin::Client.into(), ctx).expect("appended");
                replicas.appended(ID, ctx);
                if advanced {
                    replicas.advanced(ID, ctx);
                }
            });
        }
    }

    /// A follower's fetch of this partition, straight to the partition; wishes go to the controller.
    pub fn follower_fetch(&mut self, broker: i32, offset: i64) -> FetchPartitionResponse {
        let epoch = self.partition().leader_epoch();
        self.follower_fetch_with(broker, offset, epoch, -1)
    }

    pub fn follower_fetch_with(
        &mut self,
        broker: i32,
        offset: i64,
        epoch: i32,
        last_epoch: i32,
    ) -> FetchPartitionResponse {
        let mut request = self.fetch_partition(offset);
        request.current_leader_epoch = epoch;
        request.last_fetched_epoch = last_epoch;
        let replica = FetchReplica { id: BrokerId(broker), epoch: i64::from(100 + broker) };
        self.read(request, Some(replica))
    }

    pub fn fetch_partition(&self, fetch_offset: i64) -> FetchPartition {
        FetchPartition {
            partition: ID,
            current_leader_epoch: -1,
            fetch_offset,
            last_fetched_epoch: -1,
            log_start_offset: 0,
            partition_max_bytes: 1 << 20,
            high_watermark: -1,
        }
    }

    pub fn read(&mut self, request: FetchPartition, replica: Option<FetchReplica>) -> FetchPartitionResponse {
        let isolation = IsolationLevel::ReadUncommitted;
        let options = ReadOptions { replica, isolation, max_bytes: 1 << 20, min_one: true, first: true };
        self.run(|replicas, _, ctx| {
            let read = replicas.partition_mut(ID).expect("hosted").fetch(&request, options, ctx);
            if let Some(wish) = read.wish {
                replicas.submit(ID, wish);
                replicas.propagate(ctx);
            }
            read.response
        })
    }

    pub fn shrink(&mut self) {
        self.run(|replicas, _, ctx| replicas.shrink_isrs(ctx));
    }

    /// The AlterPartition requests sent so far.
    pub fn wishes(&self) -> Vec<&AlterPartitionRequest> {
        self.sent.iter().filter_map(|sent| as_wish(&sent.2)).collect()
    }

    /// The controller answers the last AlterPartition.
    pub fn answer_wish(&mut self, error: ErrorCode, partition_epoch: i32) {
        let (_, correlation, request) =
            self.sent.iter().rev().find(|sent| matches!(sent.2, Request::AlterPartition(_))).cloned().expect("a wish");
        let Request::AlterPartition(request) = request else { unreachable!() };
        let wish = &request.partitions[0];
        let result = AlterPartitionResult {
            partition: ID,
            error,
            leader: LOCAL,
            leader_epoch: wish.leader_epoch,
            isr: wish.new_isr.iter().map(|state| state.broker).collect(),
            leader_recovery_state: LeaderRecoveryState::Recovered,
            partition_epoch,
        };
        let response = AlterPartitionResponse { error: ErrorCode::None, partitions: vec![result] };
        let now = self.now;
        self.run(|replicas, _, ctx| {
            let request = replicas.alter_partition.channel.answered(now, correlation, ctx.out).expect("in flight");
            let Request::AlterPartition(request) = request else { unreachable!() };
            replicas.on_alter_partition(request, response, ctx);
        });
    }

    /// The last request this follower sent to `leader`.
    pub fn last_sent(&self, leader: i32) -> (u32, Request) {
        let sent = self.sent.iter().rev().find(|sent| sent.0 == BrokerId(leader).node()).expect("a request");
        (sent.1, sent.2.clone())
    }

    /// The leader answers the last request.
    pub fn leader_answers(&mut self, leader: i32, response: Response) {
        let (correlation, _) = self.last_sent(leader);
        self.run(|replicas, _, ctx| replicas.on_leader_response(BrokerId(leader), correlation, response, ctx));
    }

    /// The leader answers the fetch in flight for this partition.
    pub fn leader_answers_fetch(&mut self, leader: i32, edit: impl FnOnce(&mut FetchPartitionResponse)) {
        let mut part = FetchPartitionResponse {
            partition: ID,
            error: ErrorCode::None,
            high_watermark: 0,
            last_stable_offset: -1,
            log_start_offset: 0,
            diverging_epoch: None,
            current_leader: None,
            snapshot_id: None,
            aborted_transactions: Vec::new(),
            preferred_read_replica: BrokerId::NONE,
            records: Vec::new(),
        };
        edit(&mut part);
        let response = FetchResponse { error: ErrorCode::None, session_id: 77, partitions: vec![part] };
        self.leader_answers(leader, Response::Fetch(response));
    }
}

fn as_wish(request: &Request) -> Option<&AlterPartitionRequest> {
    match request {
        Request::AlterPartition(request) => Some(request),
        _ => None,
    }
}

fn context<'a, 'o>(
    now: Time,
    config: &'a BrokerConfig,
    image: &'a MetadataImage,
    requests: &'a mut RequestQueue,
    out: &'a mut Outbox<'o>,
) -> Context<'a, 'o> {
    Context { now, id: LOCAL, broker_epoch: 101, config, image, disk_full: false, requests, out }
}
