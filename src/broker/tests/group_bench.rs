//! A group coordinator beside the replica manager of the [`Bench`](super::bench::Bench). Broker 2 coordinates transactions.

use super::bench::Bench;
use super::requests::fetch;
use crate::base::{BrokerId, TopicId, TopicPartition};
use crate::broker::context::Context;
use crate::broker::group_coordinator::GroupCoordinator;
use crate::broker::replica_manager::ReplicaManager;
use crate::metadata::{CONSUMER_OFFSETS_TOPIC, MetadataRecord, PartitionRegistration, TRANSACTION_STATE_TOPIC};
use crate::protocol::{
    AddPartitionsToTxnResponse, AddPartitionsToTxnResult, ErrorCode, FetchReplica, FetchSession, OffsetFetchRequest,
    Request, Response, TxnMarker, TxnOffsetCommitRequest, WriteTxnMarkersRequest,
};

const COORDINATOR: BrokerId = BrokerId(2);
/// Where the groups are.
pub const OFFSETS: TopicPartition = TopicPartition::new(TopicId(2), 0);
const TRANSACTIONS: TopicPartition = TopicPartition::new(TopicId(3), 0);
/// What the group reads.
pub const ID: TopicPartition = super::bench::ID;

pub struct Lab {
    pub bench: Bench,
    pub group: GroupCoordinator,
}

impl Lab {
    /// Broker 1 coordinates groups; with a follower, whose fetches commit what it writes.
    pub fn new(replicas: &[i32], settings: &[(&str, &str)]) -> Lab {
        let mut bench = Bench::new(settings);
        bench.register_partition(1, 5, 1, &[1], &[1]);
        let group = GroupCoordinator::new(bench.config());
        for (id, name) in [(OFFSETS, CONSUMER_OFFSETS_TOPIC), (TRANSACTIONS, TRANSACTION_STATE_TOPIC)] {
            bench.follow(&[MetadataRecord::Topic { name: name.into(), topic: id.topic }]);
        }
        let mut lab = Lab { bench, group };
        lab.lead(TRANSACTIONS, &[2], 2, 0);
        lab.lead(OFFSETS, replicas, 1, 0);
        lab
    }

    pub fn lead(&mut self, id: TopicPartition, replicas: &[i32], leader: i32, leader_epoch: i32) {
        let ids = |list: &[i32]| list.iter().map(|id| BrokerId(*id)).collect::<Vec<_>>();
        let mut registration = PartitionRegistration::new(ids(replicas), ids(replicas));
        (registration.leader, registration.leader_epoch) = (BrokerId(leader), leader_epoch);
        self.bench.follow(&[MetadataRecord::Partition(registration.to_record(id))]);
        self.settle();
    }

    pub fn run(&mut self, run: impl FnOnce(&mut GroupCoordinator, &mut ReplicaManager, &mut Context<'_, '_>)) {
        let group = &mut self.group;
        self.bench.run(|replicas, _, ctx| run(group, replicas, ctx));
        self.settle();
    }

    fn settle(&mut self) {
        let group = &mut self.group;
        self.bench.run(|replicas, _, ctx| {
            loop {
                let news = replicas.take_coordinator_news();
                if news.is_empty() {
                    break;
                }
                news.into_iter().for_each(|news| group.on_news(news, replicas, ctx));
            }
        });
    }

    pub fn commit(&mut self, request: &TxnOffsetCommitRequest) -> u32 {
        let context = self.bench.context();
        self.run(|group, replicas, ctx| group.commit_in_transaction(context, request, replicas, ctx));
        context.correlation_id
    }

    pub fn error(&self, request: u32) -> Option<ErrorCode> {
        self.bench.responses.get(&request).map(Response::error)
    }

    /// The transaction's coordinator answers the last question.
    pub fn answer(&mut self, error: ErrorCode) {
        let (correlation, question) = self.bench.last_sent(COORDINATOR.0);
        let Request::AddPartitionsToTxn(mut question) = question else { panic!("{question:?}") };
        let it = question.transactions.remove(0);
        let partitions = it.failed(error);
        let transactions = vec![AddPartitionsToTxnResult { transactional_id: it.transactional_id, partitions }];
        let response = AddPartitionsToTxnResponse { error: ErrorCode::None, transactions };
        let response = Response::AddPartitionsToTxn(response);
        self.run(|_, replicas, ctx| replicas.on_coordinator_response(COORDINATOR, correlation, response, ctx));
    }

    /// The follower has everything up to there.
    pub fn replicate(&mut self, offset: i64) {
        let mut request = fetch(OFFSETS, offset, FetchSession::NONE);
        request.replica = Some(FetchReplica { id: BrokerId(2), epoch: 102 });
        request.partitions[0].log_start_offset = 0;
        self.bench.request(Request::Fetch(request));
        self.settle();
    }

    pub fn end(&mut self, committed: bool) -> u32 {
        let marker = TxnMarker {
            producer_id: 5,
            producer_epoch: 1,
            committed,
            coordinator_epoch: 0,
            transaction_version: 2,
            partitions: vec![OFFSETS],
        };
        let request = self.bench.request(Request::WriteTxnMarkers(WriteTxnMarkersRequest { markers: vec![marker] }));
        self.settle();
        request
    }

    pub fn fetch(&mut self) -> (ErrorCode, i64) {
        let (group, context) = ("mail".into(), self.bench.context());
        let request = OffsetFetchRequest { group, partitions: vec![ID], require_stable: true, member: None };
        self.run(|group, replicas, ctx| group.fetch(context, &request, replicas, ctx));
        match self.bench.responses.get(&context.correlation_id) {
            Some(Response::OffsetFetch(response)) => (response.partitions[0].error, response.partitions[0].offset),
            other => panic!("{other:?}"),
        }
    }

    pub fn log_end(&self) -> i64 {
        self.bench.replicas.partition(OFFSETS).expect("hosted").log().log_end_offset()
    }

    pub fn questions(&self) -> usize {
        self.bench.sent.iter().filter(|(_, _, request)| matches!(request, Request::AddPartitionsToTxn(_))).count()
    }
}
