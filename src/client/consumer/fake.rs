//! A world of one node and one broker, for tests: the broker answers from a list of batches.

mod fetching;
mod group;
mod peer;
mod share;
mod transactions;

use crate::base::{
    BrokerId, Duration, NodeId, Offset, Prng, RecordId, SortedMap, SortedSet, Time, TopicId, TopicPartition,
};
use crate::client::payload::record_value;
use crate::node::{Body, Channel, ConnectionId, Crash, Effect, Event, Message, MessageId, Node, Outbox, Timer};
use crate::protocol::*;
use crate::record::{BatchBuilder, RecordBatch};
pub use group::FakeGroup;
use peer::Peer;
pub use share::{FakeShareGroup, LOCK};
use std::collections::VecDeque;
use transactions::FakeTransaction;

/// The only broker.
pub const BROKER: NodeId = NodeId(0);
/// The node under test.
pub const CLIENT: NodeId = NodeId(9);
/// The only partition, of the topic `orders`.
pub const TP: TopicPartition = TopicPartition::new(TopicId(1), 0);
/// Of the other topic, `invoices`, which nobody fetches.
pub const INVOICES: TopicPartition = TopicPartition::new(TopicId(2), 0);
const LATENCY_US: u64 = 1_000;

#[derive(Clone)]
struct Arrival {
    connection: ConnectionId,
    correlation_id: u32,
    body: Body,
}

/// A Fetch that waits for records.
struct Parked {
    arrival: Arrival,
    until: Time,
}

/// The broker's side.
pub struct FakeBroker {
    /// Its log.
    pub log: Vec<RecordBatch>,
    /// The log of [`INVOICES`].
    pub invoices: Vec<RecordBatch>,
    /// Where the log begins.
    pub log_start: Offset,
    /// What a fetch tells of aborted transactions.
    pub aborted: Vec<AbortedTransaction>,
    /// What it was told to remember.
    pub committed: SortedMap<TopicPartition, Offset>,
    /// Errors to answer the next requests of an API with.
    pub errors: SortedMap<ApiKey, VecDeque<ErrorCode>>,
    /// How many partitions `orders` has; only the first is ever fetched.
    pub partitions: u32,
    /// Where it is, if in a rack.
    pub racks: SortedMap<BrokerId, std::rc::Rc<str>>,
    /// The group.
    pub group: FakeGroup,
    /// The share group.
    pub share: FakeShareGroup,
    session: Vec<FetchPartition>,
    transaction: FakeTransaction,
}

/// A world of one node and one broker, and perhaps one more.
pub struct Fake<N> {
    /// The node under test.
    pub node: N,
    peer: Option<Peer>,
    /// What time it is.
    pub now: Time,
    /// The broker.
    pub broker: FakeBroker,
    /// What the node told.
    pub events: Vec<Event>,
    /// Requests that the broker got, without metadata.
    pub requests: Vec<Request>,
    /// APIs whose responses are held back.
    pub hold: SortedSet<ApiKey>,
    held: Vec<Arrival>,
    parked: Vec<Parked>,
    queue: SortedMap<(Time, u64), Arrival>,
    timers: SortedMap<Timer, (Time, u64)>,
    sequence: u64,
    generation: u32,
    random: Prng,
}

/// A batch of generated records from `base_offset` on.
pub fn batch(base_offset: Offset, ids: &[u32]) -> RecordBatch {
    let mut builder = BatchBuilder::new(0).base_offset(base_offset).leader_epoch(0);
    for id in ids {
        builder.append(0, None, Some(&record_value("shop", RecordId(*id), None)), &[]);
    }
    builder.build()
}

impl FakeBroker {
    fn new() -> Self {
        FakeBroker {
            log: Vec::new(),
            invoices: Vec::new(),
            log_start: 0,
            aborted: Vec::new(),
            committed: SortedMap::new(),
            errors: SortedMap::new(),
            partitions: 1,
            racks: SortedMap::new(),
            group: FakeGroup::default(),
            share: FakeShareGroup::default(),
            session: Vec::new(),
            transaction: FakeTransaction::default(),
        }
    }

    /// Appends one record.
    pub fn append(&mut self, id: u32) {
        self.log.push(batch(self.end(), &[id]));
    }

    /// The log end offset, which is also the high watermark.
    pub fn end(&self) -> Offset {
        self.log.last().map_or(self.log_start, RecordBatch::next_offset)
    }

    /// The answer, or none if a fetch has to wait for records.
    fn answer(&mut self, request: &Request) -> Option<Response> {
        let error = self.errors.get_mut(&request.api()).and_then(VecDeque::pop_front).unwrap_or(ErrorCode::None);
        if let Some(answer) = self.answer_share(request, error) {
            return answer;
        }
        let special = self.answer_transactional(request, error).or_else(|| self.answer_group(request, error));
        Some(match request {
            _ if special.is_some() => return special,
            Request::Metadata(r) => Response::Metadata(self.metadata(r)),
            Request::FindCoordinator(_) => {
                Response::FindCoordinator(FindCoordinatorResponse { error, node: BrokerId::from(BROKER) })
            }
            Request::OffsetFetch(r) => Response::OffsetFetch(self.offset_fetch(r, error)),
            Request::OffsetCommit(r) => Response::OffsetCommit(self.offset_commit(r, error)),
            Request::ListOffsets(r) => Response::ListOffsets(self.list_offsets(r, error)),
            Request::Fetch(r) => Response::Fetch(self.fetch(r, error)?),
            Request::OffsetForLeaderEpoch(r) => Response::OffsetForLeaderEpoch(self.epoch_end(r)),
            Request::InitProducerId(_) => {
                Response::InitProducerId(InitProducerIdResponse { error, producer_id: 7, producer_epoch: 0 })
            }
            Request::Produce(r) => Response::Produce(self.produce(r, error)),
            other => unreachable!("the fake broker does not speak {:?}", other.api()),
        })
    }

    fn metadata(&self, request: &MetadataRequest) -> MetadataResponse {
        let broker = BrokerId::from(BROKER);
        let partition = PartitionMetadata {
            error: ErrorCode::None,
            partition: 0,
            leader: broker,
            leader_epoch: 0,
            replicas: vec![broker],
            isr: vec![broker],
            offline: Vec::new(),
        };
        let topic = |name: &std::rc::Rc<str>| TopicMetadata {
            error: ErrorCode::None,
            name: name.clone(),
            topic: if **name == *"invoices" { INVOICES.topic } else { TP.topic },
            partitions: (0..if **name == *"orders" { self.partitions } else { 1 })
                .map(|index| PartitionMetadata { partition: index, ..partition.clone() })
                .collect(),
        };
        let all = ["invoices".into(), "orders".into()];
        let asked = match request.topics.as_slice() {
            [name] if **name == *MetadataRequest::ALL_TOPICS => &all,
            names => names,
        };
        MetadataResponse { brokers: vec![broker], racks: self.racks.clone(), topics: asked.iter().map(topic).collect() }
    }

    fn produce(&mut self, request: &ProduceRequest, error: ErrorCode) -> ProduceResponse {
        let mut partitions = Vec::new();
        for part in &request.partitions {
            let log = if part.partition == TP { &mut self.log } else { &mut self.invoices };
            let base_offset = log.last().map_or(0, RecordBatch::next_offset);
            if !error.is_error() {
                log.push(part.batch.with_offset_and_epoch(base_offset, 0));
                self.wrote(part.partition, base_offset);
            }
            partitions.push(ProducePartitionResponse {
                partition: part.partition,
                error,
                base_offset,
                log_append_time: -1,
                log_start_offset: 0,
                current_leader: None,
            });
        }
        ProduceResponse { partitions }
    }

    fn offset_fetch(&self, request: &OffsetFetchRequest, error: ErrorCode) -> OffsetFetchResponse {
        let result = |tp: &TopicPartition| OffsetFetchResult {
            partition: *tp,
            error: ErrorCode::None,
            offset: self.committed.get(tp).copied().unwrap_or(-1),
            leader_epoch: 0,
            metadata: "".into(),
        };
        OffsetFetchResponse { error, partitions: request.partitions.iter().map(result).collect() }
    }

    fn offset_commit(&mut self, request: &OffsetCommitRequest, error: ErrorCode) -> OffsetCommitResponse {
        let mut partitions = Vec::new();
        for wish in &request.offsets {
            if !error.is_error() {
                self.committed.insert(wish.partition, wish.offset);
            }
            partitions.push(OffsetCommitResult { partition: wish.partition, error });
        }
        OffsetCommitResponse { partitions }
    }

    fn list_offsets(&self, request: &ListOffsetsRequest, error: ErrorCode) -> ListOffsetsResponse {
        let answer = |question: &ListOffsetsPartition| ListOffsetsPartitionResponse {
            partition: question.partition,
            error,
            timestamp: -1,
            offset: if question.timestamp == ListOffsetsPartition::LATEST { self.end() } else { self.log_start },
            leader_epoch: 0,
        };
        ListOffsetsResponse { partitions: request.partitions.iter().map(answer).collect() }
    }

    fn epoch_end(&self, request: &OffsetForLeaderEpochRequest) -> OffsetForLeaderEpochResponse {
        let answer = |question: &OffsetForLeaderEpochPartition| OffsetForLeaderEpochResult {
            partition: question.partition,
            error: ErrorCode::None,
            leader_epoch: question.leader_epoch,
            end_offset: self.end(),
        };
        OffsetForLeaderEpochResponse { partitions: request.partitions.iter().map(answer).collect() }
    }
}

impl<N: Node> Fake<N> {
    /// A world whose node is not started yet.
    pub fn new(node: N) -> Self {
        Fake {
            node,
            peer: None,
            now: Time::ORIGIN,
            broker: FakeBroker::new(),
            events: Vec::new(),
            requests: Vec::new(),
            hold: SortedSet::new(),
            held: Vec::new(),
            parked: Vec::new(),
            queue: SortedMap::new(),
            timers: SortedMap::new(),
            sequence: 0,
            generation: 0,
            random: Prng::split(1, "fake"),
        }
    }

    /// Lets the node do something, and carries out what it wants.
    pub fn with<R>(&mut self, act: impl FnOnce(&mut N, Time, &mut Outbox<'_>) -> R) -> R {
        let mut effects = Vec::new();
        let result = act(&mut self.node, self.now, &mut Outbox::new(&mut effects, &mut self.random));
        for effect in effects {
            self.carry_out(effect);
        }
        result
    }

    /// Starts the node.
    pub fn start(&mut self) {
        self.with(|node, now, out| node.on_start(now, out));
    }

    /// Kills the process.
    pub fn crash(&mut self) {
        self.generation += 1;
        self.timers.clear();
        self.queue.retain(|_, arrival| matches!(arrival.body, Body::Request(_)));
        self.parked.clear();
        for (_, arrival) in std::mem::take(&mut self.queue) {
            // What was sent arrives before the connection's end.
            match &arrival.body {
                Body::Request(request) if arrival.connection.server == BROKER => drop(self.broker.answer(request)),
                _ => self.deliver(arrival),
            }
        }
        self.broker.release_share();
        let mut random = Prng::split(1, "crash");
        self.node.on_crash(self.now, Crash::Process, &mut random);
    }

    /// Appends a record, and wakes who waits for it.
    pub fn append(&mut self, id: u32) {
        self.broker.append(id);
        for parked in std::mem::take(&mut self.parked) {
            self.serve(parked.arrival, Some(parked.until));
        }
    }

    /// Answers what was held back, and holds nothing back any more.
    pub fn release(&mut self) {
        self.hold.clear();
        for response in std::mem::take(&mut self.held) {
            self.push(response);
        }
    }

    /// Handles all that happens within the next `ms` milliseconds.
    pub fn run_ms(&mut self, ms: u64) {
        let end = Time(self.now.0 + ms * 1_000);
        self.run_until(end, |_| false);
        self.now = end;
    }

    /// Handles the next `count` things that happen; false if there were fewer within ten minutes.
    pub fn run_steps(&mut self, count: usize) -> bool {
        let end = Time(self.now.0 + 600_000_000);
        (0..count).all(|_| self.step(end))
    }

    /// Goes on until an event satisfies `enough`; that event's handler is the last to run.
    pub fn run_to(&mut self, enough: impl Fn(&Event) -> bool) {
        let end = Time(self.now.0 + 600_000_000);
        assert!(self.run_until(end, enough), "it never happened");
    }

    fn run_until(&mut self, end: Time, enough: impl Fn(&Event) -> bool) -> bool {
        loop {
            let seen = self.events.len();
            if !self.step(end) {
                return false;
            }
            if self.events[seen..].iter().any(&enough) {
                return true;
            }
        }
    }

    /// Handles the next thing that happens, if it happens before `end`.
    fn step(&mut self, end: Time) -> bool {
        let message = self.queue.keys().next().copied();
        let timer = self.timers.iter().map(|(timer, at)| (*at, *timer)).min();
        let parked = self.parked.iter().map(|parked| (parked.until, u64::MAX)).min();
        let peers = self.peer.iter().flat_map(|peer| &peer.timers).map(|(timer, at)| (*at, *timer)).min();
        let all = [message, timer.map(|(at, _)| at), parked, peers.map(|(at, _)| at)];
        let Some(next) = all.into_iter().flatten().min() else { return false };
        if next.0 > end {
            return false;
        }
        self.now = self.now.max(next.0);
        if Some(next) == message
            && let Some(arrival) = self.queue.remove(&next)
        {
            self.deliver(arrival);
        } else if let Some((_, timer)) = timer.filter(|(at, _)| *at == next) {
            self.timers.remove(&timer);
            self.with(|node, now, out| node.on_timer(now, timer, out));
        } else if let Some((_, timer)) = peers.filter(|(at, _)| *at == next) {
            if let Some(peer) = &mut self.peer {
                peer.timers.remove(&timer);
            }
            self.with_peer(|node, now, out| node.on_timer(now, timer, out));
        } else {
            let at = self.parked.iter().position(|parked| parked.until == next.0).expect("a parked fetch is due");
            let parked = self.parked.remove(at);
            self.respond_empty(parked.arrival);
        }
        true
    }

    fn deliver(&mut self, arrival: Arrival) {
        match arrival.body {
            Body::Request(_) if arrival.connection.server != BROKER => {
                let Arrival { connection, correlation_id, body } = arrival;
                let message = Message { id: MessageId(self.sequence), connection, correlation_id, body };
                self.with_peer(|node, now, out| node.on_message(now, CLIENT, message, out));
            }
            Body::Request(_) => self.serve(arrival, None),
            Body::Response(_) if arrival.connection.generation == self.generation => {
                let Arrival { connection, correlation_id, body } = arrival;
                let message = Message { id: MessageId(self.sequence), connection, correlation_id, body };
                self.with(|node, now, out| node.on_message(now, connection.server, message, out));
            }
            Body::Response(_) => {}
        }
    }

    fn serve(&mut self, arrival: Arrival, parked_until: Option<Time>) {
        let Body::Request(request) = &arrival.body else { return };
        if parked_until.is_none() && request.api() != ApiKey::Metadata {
            self.requests.push(request.clone());
        }
        let max_wait = match request {
            Request::Fetch(fetch) => fetch.max_wait,
            Request::ShareFetch(fetch) => fetch.max_wait,
            _ => Duration::ZERO,
        };
        match self.broker.answer(request) {
            Some(response) => self.respond(arrival, response),
            None => {
                let until = parked_until.unwrap_or(self.now + max_wait);
                self.parked.push(Parked { arrival, until });
            }
        }
    }

    fn respond_empty(&mut self, arrival: Arrival) {
        if let Body::Request(Request::ShareFetch(_)) = &arrival.body {
            let (error, partitions) = (ErrorCode::None, Vec::new());
            let empty = ShareFetchResponse { error, acquisition_lock_timeout: LOCK, partitions };
            return self.respond(arrival, Response::ShareFetch(empty));
        }
        let Body::Request(Request::Fetch(request)) = &arrival.body else { return };
        let closing = FetchSession { epoch: -1, ..request.session };
        let question = FetchRequest { session: closing, ..request.clone() };
        let full = request.session.epoch <= 0;
        let session = self.broker.session.clone();
        let mut response = self.broker.fetch(&question, ErrorCode::None).expect("a final fetch never waits");
        self.broker.session = session;
        if !full {
            response.partitions.clear();
        }
        self.respond(arrival, Response::Fetch(response));
    }

    fn respond(&mut self, request: Arrival, response: Response) {
        let api = response.api();
        let response = Arrival { body: Body::Response(response), ..request };
        if self.hold.contains(&api) {
            self.held.push(response);
        } else {
            self.push(response);
        }
    }

    fn push(&mut self, arrival: Arrival) {
        self.sequence += 1;
        self.queue.insert((Time(self.now.0 + LATENCY_US), self.sequence), arrival);
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Request { to, channel, correlation_id, request } => {
                let connection = ConnectionId { server: to, ..self.connection(channel) };
                self.push(Arrival { connection, correlation_id, body: Body::Request(request) });
            }
            Effect::SetTimer(timer, at) => {
                self.sequence += 1;
                self.timers.insert(timer, (at.max(self.now), self.sequence));
            }
            Effect::CancelTimer(timer) => {
                self.timers.remove(&timer);
            }
            Effect::Emit(event) => self.events.push(event),
            Effect::Disconnect { peer, channel } => {
                let gone = |it: &ConnectionId| (it.server, it.channel) == (peer, channel);
                let is_request = |it: &Arrival| matches!(it.body, Body::Request(_));
                self.queue.retain(|_, it| is_request(it) || peer != BROKER && !gone(&it.connection));
            }
            Effect::Exit => self.crash(),
            Effect::Respond { .. } | Effect::Halt => unreachable!("clients neither respond nor halt"),
        }
    }

    fn connection(&self, channel: Channel) -> ConnectionId {
        ConnectionId { client: CLIENT, server: BROKER, channel, generation: self.generation }
    }

    /// How many requests of an API the broker got.
    pub fn count(&self, api: ApiKey) -> usize {
        self.requests.iter().filter(|request| request.api() == api).count()
    }
}
