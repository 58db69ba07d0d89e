//! A transaction coordinator by hand: the replica manager of the [`Bench`](super::bench::Bench), and the coordinator beside
//! it. Broker 1 coordinates, brokers 2 and 3 lead what transactions write to.

use super::bench::Bench;
use super::requests::fetch;
use crate::base::{BrokerId, Duration, TopicId, TopicPartition};
use crate::broker::producer_id_manager::ProducerIdManager;
use crate::broker::transaction_coordinator::{Host, TransactionCoordinator};
use crate::coordinator::records_of;
use crate::coordinator::transaction::{TransactionLogValue, TransactionMetadata};
use crate::metadata::{CONSUMER_OFFSETS_TOPIC, MetadataRecord, PartitionRegistration, TRANSACTION_STATE_TOPIC};
use crate::node::RequestContext;
use crate::protocol::{
    AddOffsetsToTxnRequest, AddPartitionsToTxn, AddPartitionsToTxnRequest, AddPartitionsToTxnResult,
    AllocateProducerIdsResponse, EndTxnRequest, ErrorCode, FetchReplica, FetchSession, InitProducerIdRequest, Request,
    Response, TransactionState, TxnMarker, TxnMarkerResult, WriteTxnMarkersResponse,
};

pub const TRANSACTIONS: TopicPartition = TopicPartition::new(TopicId(3), 0);
pub const OFFSETS: TopicPartition = TopicPartition::new(TopicId(2), 0);
/// Led by broker 2, or 3.
pub const AT_2: TopicPartition = TopicPartition::new(TopicId(1), 0);
pub const AT_3: TopicPartition = TopicPartition::new(TopicId(1), 1);
pub const TIMEOUT_MS: u64 = 60_000;
/// The first producer id that is given out.
pub const PRODUCER: i64 = 5_000;

pub struct Lab {
    pub bench: Bench,
    pub transactions: TransactionCoordinator,
    pub ids: ProducerIdManager,
    pub ids_wanted: usize,
}

impl Lab {
    /// The state of transactions is on broker 1 alone.
    pub fn new(settings: &[(&str, &str)]) -> Lab {
        Lab::with_replicas(&[1], settings)
    }

    /// With followers, whose fetches commit what the coordinator writes.
    pub fn with_replicas(replicas: &[i32], settings: &[(&str, &str)]) -> Lab {
        let (bench, transactions) = (Bench::new(settings), TransactionCoordinator::default());
        let mut lab = Lab { bench, transactions, ids: ProducerIdManager::default(), ids_wanted: 0 };
        for (id, name) in [(OFFSETS, CONSUMER_OFFSETS_TOPIC), (TRANSACTIONS, TRANSACTION_STATE_TOPIC)] {
            lab.bench.follow(&[MetadataRecord::Topic { name: name.into(), topic: id.topic }]);
        }
        lab.lead(AT_2, &[2], 2, 0);
        lab.lead(AT_3, &[3], 3, 0);
        lab.lead(OFFSETS, &[2], 2, 0);
        lab.lead(TRANSACTIONS, replicas, 1, 0);
        lab.allocate(PRODUCER);
        lab
    }

    /// The controller grants a block of producer ids.
    pub fn allocate(&mut self, producer_id_start: i64) {
        let error = ErrorCode::None;
        let now = self.bench.now;
        self.ids.allocated(now, &AllocateProducerIdsResponse { error, producer_id_start, producer_id_len: 1_000 });
    }

    /// New metadata about a partition.
    pub fn lead(&mut self, id: TopicPartition, replicas: &[i32], leader: i32, leader_epoch: i32) {
        self.register(id, replicas, replicas, leader, leader_epoch);
        if id == TRANSACTIONS {
            self.pass(1);
        }
    }

    pub fn register(&mut self, id: TopicPartition, replicas: &[i32], isr: &[i32], leader: i32, leader_epoch: i32) {
        let ids = |list: &[i32]| list.iter().map(|id| BrokerId(*id)).collect::<Vec<_>>();
        let mut registration = PartitionRegistration::new(ids(replicas), ids(isr));
        (registration.leader, registration.leader_epoch) = (BrokerId(leader), leader_epoch);
        registration.partition_epoch = leader_epoch;
        self.bench.follow(&[MetadataRecord::Partition(registration.to_record(id))]);
        if self.transactions.waits_for_metadata() {
            self.run(TransactionCoordinator::on_metadata);
        }
        self.settle();
    }

    pub fn run(&mut self, run: impl FnOnce(&mut TransactionCoordinator, &mut Host<'_, '_>)) {
        let (transactions, ids, wanted) = (&mut self.transactions, &mut self.ids, &mut self.ids_wanted);
        self.bench.host(ids, |host| {
            run(transactions, host);
            *wanted += usize::from(host.ids_wanted);
        });
        self.settle();
    }

    fn settle(&mut self) {
        let (transactions, ids) = (&mut self.transactions, &mut self.ids);
        self.bench.host(ids, |host| {
            loop {
                let news = host.replicas.take_coordinator_news();
                if news.is_empty() {
                    break;
                }
                news.iter().for_each(|news| transactions.on_news(news, host));
            }
        });
    }

    /// Time passes, and the coordinator's timer is due.
    pub fn pass(&mut self, millis: u64) {
        self.bench.advance(millis);
        self.run(TransactionCoordinator::on_timer);
    }

    /// A follower of `__transaction_state` has everything up to there.
    pub fn replicate(&mut self, broker: i32, offset: i64) {
        let mut request = fetch(TRANSACTIONS, offset, FetchSession::NONE);
        request.replica = Some(FetchReplica { id: BrokerId(broker), epoch: i64::from(100 + broker) });
        request.partitions[0].log_start_offset = 0;
        self.bench.request(Request::Fetch(request));
        self.settle();
    }

    // ---- requests: the number of each ----

    fn ask(&mut self, ask: impl FnOnce(&mut TransactionCoordinator, RequestContext, &mut Host<'_, '_>)) -> u32 {
        let context = self.bench.context();
        self.run(|transactions, host| ask(transactions, context, host));
        context.correlation_id
    }

    pub fn init_as(&mut self, id: &str, producer_id: i64, producer_epoch: i16) -> u32 {
        let transaction_timeout = Duration::from_millis(TIMEOUT_MS);
        let transactional_id = Some(id.into());
        let request = InitProducerIdRequest { transactional_id, transaction_timeout, producer_id, producer_epoch };
        self.ask(|transactions, context, host| transactions.init_producer_id(context, &request, host))
    }

    pub fn init(&mut self, id: &str) -> u32 {
        self.init_as(id, -1, -1)
    }

    pub fn add_all(&mut self, transactions: Vec<AddPartitionsToTxn>) -> u32 {
        let request = AddPartitionsToTxnRequest { transactions };
        self.ask(|transactions, context, host| transactions.add_partitions(context, &request, host))
    }

    pub fn add(&mut self, id: &str, epoch: i16, partitions: &[TopicPartition]) -> u32 {
        self.add_all(vec![self.wish(id, epoch, partitions, false)])
    }

    pub fn verify(&mut self, id: &str, epoch: i16, partitions: &[TopicPartition]) -> u32 {
        self.add_all(vec![self.wish(id, epoch, partitions, true)])
    }

    pub fn wish(&self, id: &str, epoch: i16, partitions: &[TopicPartition], verify_only: bool) -> AddPartitionsToTxn {
        let (producer_epoch, partitions) = (epoch, partitions.to_vec());
        let producer_id = self.find(id).map_or(PRODUCER, |metadata| metadata.producer_id);
        AddPartitionsToTxn { transactional_id: id.into(), producer_id, producer_epoch, verify_only, partitions }
    }

    pub fn add_offsets(&mut self, id: &str, epoch: i16, group: &str) -> u32 {
        let producer_id = self.find(id).map_or(PRODUCER, |metadata| metadata.producer_id);
        let (transactional_id, group) = (id.into(), group.into());
        let request = AddOffsetsToTxnRequest { transactional_id, producer_id, producer_epoch: epoch, group };
        self.ask(|transactions, context, host| transactions.add_offsets(context, &request, host))
    }

    pub fn end_as(&mut self, id: &str, producer_id: i64, producer_epoch: i16, committed: bool, v2: bool) -> u32 {
        let (transactional_id, transaction_v2) = (id.into(), v2);
        let request = EndTxnRequest { transactional_id, producer_id, producer_epoch, committed, transaction_v2 };
        self.ask(|transactions, context, host| transactions.end_txn(context, &request, host))
    }

    /// Version 2.
    pub fn end(&mut self, id: &str, epoch: i16, committed: bool) -> u32 {
        let producer_id = self.find(id).map_or(PRODUCER, |metadata| metadata.producer_id);
        self.end_as(id, producer_id, epoch, committed, true)
    }

    // ---- answers ----

    pub fn answer(&self, request: u32) -> Option<&Response> {
        self.bench.responses.get(&request)
    }

    /// Of the only partition, where there is one.
    pub fn error(&self, request: u32) -> Option<ErrorCode> {
        self.answer(request).map(|response| match response {
            Response::AddPartitionsToTxn(response) => response.transactions[0].partitions[0].1,
            other => other.error(),
        })
    }

    /// Error, producer id and epoch.
    pub fn granted(&self, request: u32) -> Option<(ErrorCode, i64, i16)> {
        self.answer(request).map(|response| match response {
            Response::InitProducerId(it) => (it.error, it.producer_id, it.producer_epoch),
            Response::EndTxn(it) => (it.error, it.producer_id, it.producer_epoch),
            other => panic!("{other:?}"),
        })
    }

    pub fn added(&self, request: u32) -> Vec<AddPartitionsToTxnResult> {
        match self.answer(request) {
            Some(Response::AddPartitionsToTxn(response)) => response.transactions.clone(),
            other => panic!("{other:?}"),
        }
    }

    // ---- markers ----

    /// All WriteTxnMarkers sent so far: to whom, and what.
    pub fn markers(&self) -> Vec<(i32, Vec<TxnMarker>)> {
        let sent = self.bench.sent.iter().filter_map(|(to, _, request)| match request {
            Request::WriteTxnMarkers(request) => Some((BrokerId::from(*to).0, request.markers.clone())),
            _ => None,
        });
        sent.collect()
    }

    /// The leader answers its last WriteTxnMarkers, the same for every partition.
    pub fn leader_answers(&mut self, broker: i32, error: ErrorCode) {
        self.leader_answers_each(broker, |_| error);
    }

    pub fn leader_answers_each(&mut self, broker: i32, error: impl Fn(TopicPartition) -> ErrorCode) {
        let (correlation, request) = self.bench.last_sent(broker);
        let Request::WriteTxnMarkers(request) = request else { panic!("{request:?}") };
        let result = |marker: &TxnMarker| TxnMarkerResult {
            producer_id: marker.producer_id,
            partitions: marker.partitions.iter().map(|partition| (*partition, error(*partition))).collect(),
        };
        let markers = request.markers.iter().map(result).collect();
        let response = Response::WriteTxnMarkers(WriteTxnMarkersResponse { markers });
        let from = BrokerId(broker);
        self.run(|transactions, host| transactions.on_markers_response(from, correlation, response, host));
    }

    // ---- state ----

    pub fn find(&self, id: &str) -> Option<&TransactionMetadata> {
        self.transactions.transactions().map(|(_, metadata)| metadata).find(|it| &*it.transactional_id == id)
    }

    /// State and epoch.
    pub fn state(&self, id: &str) -> (TransactionState, i16) {
        let metadata = self.find(id).expect("a transactional id");
        (metadata.state, metadata.producer_epoch)
    }

    /// What was written of it: state and epoch; none is a tombstone.
    pub fn log(&self) -> Vec<Option<(TransactionState, i16)>> {
        let log = self.bench.replicas.partition(TRANSACTIONS).expect("hosted").log();
        let records = log.batches_from(0).flat_map(|batch| records_of(batch).expect("records"));
        let read = |value: &[u8]| TransactionLogValue::decode(value).expect("bytes").expect("a version");
        records
            .map(|(_, record)| record.value.map(|value| read(&value)).map(|value| (value.state, value.producer_epoch)))
            .collect()
    }

    /// A transaction with these partitions is open, of a producer with epoch 0.
    pub fn open(&mut self, id: &str, partitions: &[TopicPartition]) {
        let init = self.init(id);
        assert_eq!(self.error(init), Some(ErrorCode::None));
        let add = self.add(id, 0, partitions);
        assert_eq!(self.error(add), Some(ErrorCode::None));
    }
}
