//! TxnOffsetCommit at a group coordinator (GroupCoordinatorServiceTest, CoordinatorRuntimeTest): the replica manager of the
//! [`Bench`](super::bench::Bench), and the group coordinator beside it. Broker 2 coordinates the transactions.

use super::bench::Bench;
use super::requests::fetch;
use crate::base::{BrokerId, TopicId, TopicPartition};
use crate::broker::context::Context;
use crate::broker::group_coordinator::GroupCoordinator;
use crate::broker::replica_manager::ReplicaManager;
use crate::metadata::{CONSUMER_OFFSETS_TOPIC, MetadataRecord, PartitionRegistration, TRANSACTION_STATE_TOPIC};
use crate::protocol::{
    AddPartitionsToTxnResponse, AddPartitionsToTxnResult, ErrorCode, FetchReplica, FetchSession, OffsetCommitPartition,
    OffsetFetchRequest, Request, Response, TxnMarker, TxnOffsetCommitRequest, WriteTxnMarkersRequest,
};

const COORDINATOR: BrokerId = BrokerId(2);
const OFFSETS: TopicPartition = TopicPartition::new(TopicId(2), 0);
const TRANSACTIONS: TopicPartition = TopicPartition::new(TopicId(3), 0);
const ID: TopicPartition = super::bench::ID;

struct Lab {
    bench: Bench,
    group: GroupCoordinator,
}

impl Lab {
    /// Broker 1 coordinates groups; with a follower, whose fetches commit what it writes.
    fn new(replicas: &[i32], settings: &[(&str, &str)]) -> Lab {
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

    fn lead(&mut self, id: TopicPartition, replicas: &[i32], leader: i32, leader_epoch: i32) {
        let ids = |list: &[i32]| list.iter().map(|id| BrokerId(*id)).collect::<Vec<_>>();
        let mut registration = PartitionRegistration::new(ids(replicas), ids(replicas));
        (registration.leader, registration.leader_epoch) = (BrokerId(leader), leader_epoch);
        self.bench.follow(&[MetadataRecord::Partition(registration.to_record(id))]);
        self.settle();
    }

    fn run(&mut self, run: impl FnOnce(&mut GroupCoordinator, &mut ReplicaManager, &mut Context<'_, '_>)) {
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

    fn commit(&mut self, request: &TxnOffsetCommitRequest) -> u32 {
        let context = self.bench.context();
        self.run(|group, replicas, ctx| group.commit_in_transaction(context, request, replicas, ctx));
        context.correlation_id
    }

    fn error(&self, request: u32) -> Option<ErrorCode> {
        self.bench.responses.get(&request).map(Response::error)
    }

    /// The transaction's coordinator answers the last question.
    fn answer(&mut self, error: ErrorCode) {
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
    fn replicate(&mut self, offset: i64) {
        let mut request = fetch(OFFSETS, offset, FetchSession::NONE);
        request.replica = Some(FetchReplica { id: BrokerId(2), epoch: 102 });
        request.partitions[0].log_start_offset = 0;
        self.bench.request(Request::Fetch(request));
        self.settle();
    }

    fn end(&mut self, committed: bool) -> u32 {
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

    fn fetch(&mut self) -> (ErrorCode, i64) {
        let (group, context) = ("mail".into(), self.bench.context());
        let request = OffsetFetchRequest { group, partitions: vec![ID], require_stable: true };
        self.run(|group, replicas, ctx| group.fetch(context, &request, replicas, ctx));
        match self.bench.responses.get(&context.correlation_id) {
            Some(Response::OffsetFetch(response)) => (response.partitions[0].error, response.partitions[0].offset),
            other => panic!("{other:?}"),
        }
    }

    fn log_end(&self) -> i64 {
        self.bench.replicas.partition(OFFSETS).expect("hosted").log().log_end_offset()
    }

    fn questions(&self) -> usize {
        self.bench.sent.iter().filter(|(_, _, request)| matches!(request, Request::AddPartitionsToTxn(_))).count()
    }
}

fn request(offset: i64) -> TxnOffsetCommitRequest {
    TxnOffsetCommitRequest {
        transactional_id: "t".into(),
        group: "mail".into(),
        producer_id: 5,
        producer_epoch: 0,
        generation: -1,
        member_id: "".into(),
        instance_id: None,
        transaction_v2: true,
        offsets: vec![OffsetCommitPartition { partition: ID, offset, leader_epoch: 0, metadata: "".into() }],
    }
}

#[test]
fn the_partition_of_the_group_is_added_to_the_transaction_first() {
    let mut lab = Lab::new(&[1, 2], &[]);
    let first = lab.commit(&request(7));
    let (_, question) = lab.bench.last_sent(2);
    let Request::AddPartitionsToTxn(question) = question else { panic!("{question:?}") };
    let asked = &question.transactions[0];
    assert_eq!((&*asked.transactional_id, asked.producer_id, asked.verify_only), ("t", 5, false));
    assert_eq!((asked.partitions.as_slice(), lab.log_end()), (&[OFFSETS][..], 0));
    lab.answer(ErrorCode::None);
    assert_eq!((lab.error(first), lab.log_end()), (None, 1), "appended, not replicated");
    lab.replicate(1);
    assert_eq!(lab.error(first), Some(ErrorCode::None));
    let second = lab.commit(&request(8));
    assert_eq!((lab.questions(), lab.log_end()), (1, 2), "the transaction is known here now");
    lab.replicate(2);
    assert_eq!((lab.error(second), lab.fetch()), (Some(ErrorCode::None), (ErrorCode::UnstableOffsetCommit, -1)));
    let batch = lab.bench.replicas.partition(OFFSETS).expect("hosted").log().batches_from(0).next().expect("a batch");
    assert!(batch.is_transactional() && !batch.is_control());
    assert_eq!((batch.producer_id(), batch.producer_epoch(), batch.base_sequence()), (5, 0, -1));
    let end = lab.end(true);
    assert_eq!(lab.error(end), None);
    lab.replicate(3);
    assert_eq!((lab.error(end), lab.fetch()), (Some(ErrorCode::None), (ErrorCode::None, 8)));
}

#[test]
fn an_aborted_transaction_commits_no_offsets() {
    let mut lab = Lab::new(&[1], &[]);
    let commit = lab.commit(&request(7));
    lab.answer(ErrorCode::None);
    assert_eq!((lab.error(commit), lab.fetch().0), (Some(ErrorCode::None), ErrorCode::UnstableOffsetCommit));
    lab.end(false);
    assert_eq!(lab.fetch(), (ErrorCode::None, -1));
}

#[test]
fn errors_of_the_verification_are_told_as_kafka_tells_them() {
    let cases = [
        (ErrorCode::NetworkException, ErrorCode::CoordinatorLoadInProgress),
        (ErrorCode::CoordinatorLoadInProgress, ErrorCode::CoordinatorLoadInProgress),
        (ErrorCode::NotCoordinator, ErrorCode::NotCoordinator),
        (ErrorCode::ConcurrentTransactions, ErrorCode::ConcurrentTransactions),
        (ErrorCode::TransactionAbortable, ErrorCode::TransactionAbortable),
        (ErrorCode::ProducerFenced, ErrorCode::InvalidProducerEpoch),
        (ErrorCode::InvalidProducerIdMapping, ErrorCode::InvalidProducerIdMapping),
    ];
    for (found, told) in cases {
        let mut lab = Lab::new(&[1], &[]);
        let commit = lab.commit(&request(7));
        lab.answer(found);
        assert_eq!((lab.error(commit), lab.log_end()), (Some(told), 0), "{found:?}");
    }
}

#[test]
fn version_4_only_asks_whether_the_partition_was_added() {
    let old = TxnOffsetCommitRequest { transaction_v2: false, ..request(7) };
    let mut lab = Lab::new(&[1], &[]);
    lab.commit(&old);
    let (_, question) = lab.bench.last_sent(2);
    let Request::AddPartitionsToTxn(question) = question else { panic!("{question:?}") };
    assert!(question.transactions[0].verify_only);
    let mut lab = Lab::new(&[1], &[("transaction.partition.verification.enable", "false")]);
    let commit = lab.commit(&old);
    assert_eq!((lab.questions(), lab.error(commit)), (0, Some(ErrorCode::None)));
}

#[test]
fn nobody_else_coordinates_the_group() {
    let mut lab = Lab::new(&[1, 2], &[]);
    let waiting = lab.commit(&request(7));
    lab.answer(ErrorCode::None);
    lab.lead(OFFSETS, &[1, 2], 2, 1);
    assert_eq!(lab.error(waiting), Some(ErrorCode::NotCoordinator), "it was appended, and waited for broker 2");
    let commit = lab.commit(&request(7));
    assert_eq!((lab.error(commit), lab.questions()), (Some(ErrorCode::NotCoordinator), 1));
    let nameless = lab.commit(&TxnOffsetCommitRequest { group: "".into(), ..request(7) });
    assert_eq!(lab.error(nameless), Some(ErrorCode::InvalidGroupId));
    let mut nowhere = request(7);
    nowhere.offsets[0].partition.partition = 9;
    let commit = lab.commit(&nowhere);
    assert_eq!(lab.error(commit), Some(ErrorCode::UnknownTopicOrPartition));
}

#[test]
fn offsets_that_are_not_replicated_time_out() {
    let mut lab = Lab::new(&[1, 2], &[]);
    let commit = lab.commit(&request(7));
    lab.answer(ErrorCode::None);
    lab.bench.advance(5_000);
    lab.run(|group, _, ctx| group.on_timer(ctx));
    assert_eq!(lab.error(commit), Some(ErrorCode::CoordinatorNotAvailable));
}
