//! A tiny world: a producer, a clock, and brokers that answer Metadata and coordinators' requests at once (as
//! [`Coordinator`] was told) and Produce when told.

use super::super::*;
use super::coordinator::Coordinator;
use crate::base::config::Properties;
use crate::base::{BrokerId, Duration, LeaderEpoch, Prng};
use crate::client::payload::record_value;
use crate::node::{Body, Effect, Event, MessageId, Timer};
use crate::protocol::*;
use bytes::Bytes;

pub const TOPIC: TopicId = TopicId(1);

pub fn partition(index: u32) -> TopicPartition {
    TopicPartition::new(TOPIC, index)
}

/// A Produce request that waits for its answer.
#[derive(Clone, Debug)]
pub struct Sent {
    pub at: Time,
    pub to: NodeId,
    pub correlation_id: u32,
    pub request: ProduceRequest,
}

impl Sent {
    pub fn base_sequence(&self) -> i32 {
        self.request.partitions[0].batch.base_sequence()
    }
    pub fn epoch(&self) -> i16 {
        self.request.partitions[0].batch.producer_epoch()
    }
    pub fn record_count(&self) -> u32 {
        self.request.partitions[0].batch.record_count() as u32
    }
}

pub struct Lab {
    pub producer: Producer,
    pub now: Time,
    pub events: Vec<Event>,
    /// Leader and epoch of each partition.
    pub leaders: Vec<(BrokerId, LeaderEpoch)>,
    pub brokers: Vec<BrokerId>,
    /// Brokers that answer nothing, not even handshakes.
    pub silent: Vec<NodeId>,
    pub metadata_requests: u32,
    pub next_producer_id: i64,
    pub init_error: ErrorCode,
    pub closed_by_client: Vec<NodeId>,
    pub coordinator: Coordinator,
    sent: Vec<Sent>,
    /// Answers on their way; they arrive after everything the producer did in one go.
    inbox: std::collections::VecDeque<(NodeId, u32, Response)>,
    timers: crate::base::SortedMap<Timer, Time>,
    random: Prng,
    generation: u32,
}

impl Lab {
    /// One broker, one partition.
    pub fn new(settings: &[(&str, &str)]) -> Lab {
        Lab::with_partitions(settings, &[0])
    }

    /// A transactional producer under this `transaction.version`, initialized, with its topic known; linger is 0.
    pub fn transactional(version: u8, settings: &[(&str, &str)]) -> Lab {
        let mut lab = Lab::uninitialized(version, &[0], settings);
        lab.warm_up();
        lab.init();
        assert_eq!(lab.ended(), Some(Ok(())));
        lab.take_log();
        lab
    }

    /// Partitions led by these brokers.
    pub fn with_partitions(settings: &[(&str, &str)], leaders: &[i32]) -> Lab {
        let properties: Properties = settings.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
        let config = ProducerConfig::parse(&properties).expect("the test's settings are valid");
        let mut brokers: Vec<BrokerId> = leaders.iter().map(|id| BrokerId(*id)).collect();
        brokers.sort_unstable();
        brokers.dedup();
        let nodes: Vec<NodeId> = brokers.iter().map(|broker| broker.node()).collect();
        let producer = Producer::new("shop".into(), config, nodes.into()).with_completions();
        let mut lab = Lab {
            producer,
            now: Time::ORIGIN,
            events: Vec::new(),
            leaders: leaders.iter().map(|id| (BrokerId(*id), 0)).collect(),
            brokers,
            silent: Vec::new(),
            metadata_requests: 0,
            next_producer_id: 1_000,
            init_error: ErrorCode::None,
            closed_by_client: Vec::new(),
            coordinator: Coordinator::default(),
            sent: Vec::new(),
            inbox: Default::default(),
            timers: Default::default(),
            random: Prng::split(1, "producer"),
            generation: 0,
        };
        lab.act(|producer, now, out| producer.start(now, out));
        lab
    }

    /// Lets the producer do something, then serves what it asks for.
    pub fn act<R>(&mut self, f: impl FnOnce(&mut Producer, Time, &mut Outbox<'_>) -> R) -> R {
        let mut effects = Vec::new();
        let result = f(&mut self.producer, self.now, &mut Outbox::new(&mut effects, &mut self.random));
        effects.into_iter().for_each(|effect| self.carry_out(effect));
        while let Some((from, correlation_id, response)) = self.inbox.pop_front() {
            let mut effects = Vec::new();
            let message = self.message(from, correlation_id, response);
            self.producer.on_response(self.now, message, &mut Outbox::new(&mut effects, &mut self.random));
            effects.into_iter().for_each(|effect| self.carry_out(effect));
        }
        result
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::SetTimer(timer, at) => drop(self.timers.insert(timer, at)),
            Effect::CancelTimer(timer) => drop(self.timers.remove(&timer)),
            Effect::Emit(event) => self.events.push(event),
            Effect::Disconnect { peer, .. } => {
                self.closed_by_client.push(peer);
                self.sent.retain(|sent| sent.to != peer);
            }
            Effect::Respond { .. } | Effect::Exit | Effect::Halt => {
                panic!("a producer answers nobody and does not exit")
            }
            Effect::Request { to, correlation_id, request, .. } => self.serve(to, correlation_id, request),
        }
    }

    fn serve(&mut self, to: NodeId, correlation_id: u32, request: Request) {
        if self.silent.contains(&to) {
            return;
        }
        let response = match request {
            Request::Produce(request) => {
                return self.sent.push(Sent { at: self.now, to, correlation_id, request });
            }
            Request::Metadata(request) => {
                self.metadata_requests += u32::from(!request.topics.is_empty());
                Response::Metadata(self.metadata(&request))
            }
            Request::InitProducerId(InitProducerIdRequest { transactional_id: None, .. }) => {
                let producer_id = self.next_producer_id;
                self.next_producer_id += 1;
                let error = self.init_error;
                Response::InitProducerId(InitProducerIdResponse { error, producer_id, producer_epoch: 0 })
            }
            other => match self.coordinator.answer(self.now, to, correlation_id, other) {
                Some(response) => response,
                None => return,
            },
        };
        self.inbox.push_back((to, correlation_id, response));
    }

    fn metadata(&self, request: &MetadataRequest) -> MetadataResponse {
        let partition = |(index, (leader, epoch)): (usize, &(BrokerId, LeaderEpoch))| PartitionMetadata {
            error: ErrorCode::None,
            partition: index as u32,
            leader: *leader,
            leader_epoch: *epoch,
            replicas: vec![*leader],
            isr: vec![*leader],
            offline: vec![],
        };
        let topic = |name: &Rc<str>| TopicMetadata {
            error: if &**name == "orders" { ErrorCode::None } else { ErrorCode::UnknownTopicOrPartition },
            name: Rc::clone(name),
            topic: TOPIC,
            partitions: self.leaders.iter().enumerate().map(partition).collect(),
        };
        MetadataResponse {
            brokers: self.brokers.clone(),
            racks: Default::default(),
            topics: request.topics.iter().map(topic).collect(),
        }
    }

    fn connection(&self, server: NodeId) -> ConnectionId {
        ConnectionId { client: NodeId(9), server, channel: Channel::Producer, generation: self.generation }
    }

    fn message(&self, from: NodeId, correlation_id: u32, response: Response) -> Message {
        let (id, connection) = (MessageId(0), self.connection(from));
        Message { id, connection, correlation_id, body: Body::Response(response) }
    }

    pub fn deliver(&mut self, from: NodeId, correlation_id: u32, response: Response) {
        let message = self.message(from, correlation_id, response);
        self.act(|producer, now, out| producer.on_response(now, message, out));
    }

    // ---- the script ----

    /// The topic is known, as after an earlier record; no back-off is pending.
    pub fn warm_up(&mut self) {
        let now = self.now;
        self.producer.network.metadata.add_topic(&"orders".into(), now);
        self.act(|producer, now, out| producer.on_timer(now, ProducerTimer::Sender, out));
        self.advance(3_000);
    }

    pub fn send(&mut self, record: u32) -> SendOutcome {
        self.send_record(record, None, None, None)
    }

    pub fn send_record(
        &mut self,
        record: u32,
        partition: Option<u32>,
        key: Option<&'static str>,
        size: Option<u32>,
    ) -> SendOutcome {
        let record = ProducerRecord {
            record: RecordId(record),
            topic: "orders".into(),
            partition,
            key: key.map(|key| Bytes::from_static(key.as_bytes())),
            value: record_value("shop", RecordId(record), size),
            headers: vec![],
        };
        self.act(|producer, now, out| producer.send(now, record, out))
    }

    /// Lets time pass, and with it timers fire.
    pub fn advance(&mut self, ms: u64) {
        let until = self.now + Duration::from_millis(ms);
        let mut fired = 0;
        while let Some((timer, at)) = self.timers.iter().map(|(t, at)| (*t, *at)).min_by_key(|(_, at)| *at) {
            if at > until {
                break;
            }
            fired += 1;
            assert!(fired < 10_000, "the producer spins: {timer:?} at {at}");
            self.timers.remove(&timer);
            self.now = self.now.max(at);
            let Timer::Producer(timer) = timer else { panic!("not a producer's timer") };
            self.act(|producer, now, out| producer.on_timer(now, timer, out));
        }
        self.now = until;
    }

    /// The requests sent and not taken yet.
    pub fn take_sent(&mut self) -> Vec<Sent> {
        std::mem::take(&mut self.sent)
    }

    /// The only request that was sent and not taken yet.
    pub fn take_one(&mut self) -> Sent {
        let mut sent = self.take_sent();
        assert_eq!(sent.len(), 1, "{sent:?}");
        sent.remove(0)
    }

    pub fn answer(&mut self, sent: &Sent, error: ErrorCode, base_offset: Offset) {
        self.answer_with(sent, error, base_offset, 0);
    }

    pub fn answer_with_log_start(&mut self, sent: &Sent, error: ErrorCode, log_start_offset: Offset) {
        self.answer_with(sent, error, -1, log_start_offset);
    }

    fn answer_with(&mut self, sent: &Sent, error: ErrorCode, base_offset: Offset, log_start_offset: Offset) {
        let partitions = sent.request.partitions.iter().map(|p| ProducePartitionResponse {
            partition: p.partition,
            error,
            base_offset,
            log_append_time: -1,
            log_start_offset,
            current_leader: None,
        });
        let response = Response::Produce(ProduceResponse { partitions: partitions.collect() });
        self.deliver(sent.to, sent.correlation_id, response);
    }

    /// Answers the only request that was sent and not taken yet.
    pub fn answer_one(&mut self, error: ErrorCode, base_offset: Offset) {
        let sent = self.take_one();
        self.answer(&sent, error, base_offset);
    }

    pub fn answer_with_leader(&mut self, sent: &Sent, error: ErrorCode, leader: CurrentLeader) {
        let mut answer = super::super::responses::unanswered(sent.request.partitions[0].partition, error);
        answer.current_leader = Some(leader);
        let response = Response::Produce(ProduceResponse { partitions: vec![answer] });
        self.deliver(sent.to, sent.correlation_id, response);
    }

    /// The broker's end of the connection breaks.
    pub fn disconnect(&mut self, node: u16) {
        let id = self.connection(NodeId(node));
        self.generation += 1;
        self.sent.retain(|sent| sent.to != NodeId(node));
        self.act(|producer, now, out| producer.on_disconnect(now, id, out));
    }

    pub fn acked(&self) -> Vec<(u32, Offset)> {
        let acked = self.events.iter().filter_map(|event| match event {
            Event::Acked { record, offset, .. } => Some((record.0, *offset)),
            _ => None,
        });
        acked.collect()
    }

    pub fn failed(&self) -> Vec<(u32, String)> {
        let failed = self.events.iter().filter_map(|event| match event {
            Event::SendFailed { record, error, .. } => Some((record.0, error.name().to_owned())),
            _ => None,
        });
        failed.collect()
    }

    pub fn retries(&self) -> Vec<(ErrorCode, Time)> {
        let retries = self.events.iter().filter_map(|event| match event {
            Event::Retry { error, at, .. } => Some((*error, *at)),
            _ => None,
        });
        retries.collect()
    }

    pub fn next_sequence(&self, index: u32) -> i32 {
        let manager = self.producer.transaction_manager().expect("the test uses idempotence");
        manager.partitions().find(|(p, _)| *p == partition(index)).map_or(0, |(_, sequence)| sequence.next_sequence)
    }
}
