//! Transactions while brokers crash at random moments: nothing that the coordinator holds to be impossible happens, what was
//! committed has its markers, and in the end nothing is open.

use crate::cluster::Cluster;
use delivery_lab::base::{Duration, Prng, Time, TopicPartition};
use delivery_lab::node::{Channel, Crash};
use delivery_lab::protocol::{
    AddPartitionsToTxn, AddPartitionsToTxnRequest, EndTxnRequest, ErrorCode, InitProducerIdRequest, ProducePartition,
    ProduceRequest, Request, Response, TransactionState as State,
};
use delivery_lab::record::{BatchBuilder, ControlRecord, RecordBatch};
use std::rc::Rc;

const TIMEOUT_MS: u64 = 5_000;

/// A producer that does what comes to its mind, and has its mind on one request at a time.
struct Producer {
    id: Rc<str>,
    v2: bool,
    producer: Option<(i64, i16)>,
    sequences: [i32; 2],
    /// Partitions with an acknowledged record of this transaction.
    written: Vec<usize>,
    waiting: Option<(u32, Time, Request)>,
    /// Producer id, epoch of the transaction, partition: of transactions that were committed.
    committed: Vec<(i64, i16, usize)>,
}

impl Producer {
    fn request(&self, partitions: &[TopicPartition; 2], random: &mut Prng) -> Request {
        let (transactional_id, transaction_v2) = (self.id.clone(), self.v2);
        let Some((producer_id, producer_epoch)) = self.producer.filter(|_| random.below(30) > 0) else {
            let transaction_timeout = Duration::from_millis(TIMEOUT_MS);
            let transactional_id = Some(transactional_id);
            let (producer_id, producer_epoch) = (-1, -1);
            let request = InitProducerIdRequest { transactional_id, transaction_timeout, producer_id, producer_epoch };
            return Request::InitProducerId(request);
        };
        let at = random.below(2) as usize;
        match random.below(if self.v2 { 5 } else { 8 }) {
            0 | 1 => {
                let committed = random.below(4) > 0;
                let request =
                    EndTxnRequest { transactional_id, producer_id, producer_epoch, committed, transaction_v2 };
                Request::EndTxn(request)
            }
            2..=4 => {
                let timestamp = 1_767_225_600_000;
                let batch = BatchBuilder::new(timestamp).producer(producer_id, producer_epoch, self.sequences[at]);
                let mut batch = batch.transactional(true);
                batch.append(timestamp, None, Some(b"x"), &[]);
                Request::Produce(ProduceRequest {
                    transactional_id: Some(transactional_id),
                    transaction_v2,
                    acks: -1,
                    timeout: Duration::from_millis(2_000),
                    partitions: vec![ProducePartition { partition: partitions[at], batch: batch.build() }],
                })
            }
            _ => {
                let (verify_only, partitions) = (false, vec![partitions[at]]);
                let it = AddPartitionsToTxn { transactional_id, producer_id, producer_epoch, verify_only, partitions };
                Request::AddPartitionsToTxn(AddPartitionsToTxnRequest { transactions: vec![it] })
            }
        }
    }

    /// Sends something new, or the same again if the answer is long overdue.
    fn act(
        &mut self,
        cluster: &mut Cluster,
        state: TopicPartition,
        partitions: &[TopicPartition; 2],
        random: &mut Prng,
    ) {
        let again = match self.waiting.take() {
            Some((correlation, since, request)) => {
                if let Some(response) = cluster.answers.remove(&correlation) {
                    self.learn(&request, response, partitions);
                    None
                } else if cluster.now < since + Duration::from_millis(3_000) {
                    self.waiting = Some((correlation, since, request));
                    return;
                } else {
                    Some(request).filter(|_| random.below(2) == 0)
                }
            }
            None => None,
        };
        let request = again.unwrap_or_else(|| self.request(partitions, random));
        let about = match &request {
            Request::Produce(produce) => produce.partitions[0].partition,
            _ => state,
        };
        let leader = cluster.leader(about);
        if leader >= 0 && cluster.broker(leader).is_running() {
            let correlation = cluster.send_request(leader, Channel::Producer, request.clone());
            self.waiting = Some((correlation, cluster.now, request));
        }
    }

    fn learn(&mut self, request: &Request, response: Response, partitions: &[TopicPartition; 2]) {
        match (request, response) {
            (_, Response::InitProducerId(it)) if !it.error.is_error() => {
                self.producer = Some((it.producer_id, it.producer_epoch));
                self.fresh();
            }
            (Request::Produce(produce), Response::Produce(it)) => {
                let at = usize::from(produce.partitions[0].partition == partitions[1]);
                if !it.partitions[0].error.is_error() {
                    self.sequences[at] += 1;
                    self.written.push(at);
                } else if it.partitions[0].error == ErrorCode::InvalidProducerEpoch {
                    self.producer = None;
                }
            }
            (Request::EndTxn(end), Response::EndTxn(it)) => match it.error {
                ErrorCode::None => {
                    if end.committed {
                        let of = |at: usize| (end.producer_id, end.producer_epoch, at);
                        self.committed.extend(std::mem::take(&mut self.written).into_iter().map(of));
                    }
                    if self.v2 {
                        self.producer = Some((it.producer_id, it.producer_epoch));
                        self.fresh();
                    }
                    self.written.clear();
                }
                error if error.is_retriable() => {}
                _ => self.producer = None,
            },
            (_, response) if response.error() == ErrorCode::ProducerFenced => self.producer = None,
            _ => {}
        }
    }

    fn fresh(&mut self) {
        (self.sequences, self.written) = ([0; 2], Vec::new());
    }
}

fn batches(cluster: &Cluster, id: TopicPartition) -> Vec<RecordBatch> {
    let log = cluster.broker(cluster.leader(id)).partition(id).expect("hosted").log();
    log.batches_from(0).cloned().collect()
}

fn is_commit_of(batch: &RecordBatch, producer_id: i64, epoch: i16) -> bool {
    (batch.producer_id(), batch.producer_epoch()) == (producer_id, epoch)
        && batch.is_control()
        && matches!(ControlRecord::of_batch(batch), Ok(Some(ControlRecord::Commit { .. })))
}

#[test]
fn whatever_crashes_transactions_end_as_they_were_told() {
    let (mut commits, mut failovers) = (0, 0);
    for seed in 0..12 {
        let version = (seed % 3).to_string();
        let settings = [
            ("transaction.version", version.as_str()),
            ("transaction.state.log.num.partitions", "1"),
            ("transaction.abort.timed.out.transaction.cleanup.interval.ms", "1000"),
            ("min.insync.replicas", "2"),
        ];
        let (mut cluster, first) = Cluster::with_topic(3, &settings);
        let partitions = [first, cluster.create_topic("invoices", 1, 3)];
        let state = cluster.create_topic("__transaction_state", 1, 3);
        let mut random = Prng::split(seed, "transactions");
        let v2 = version == "2";
        // Two of them share a transactional id.
        let mut producers = ["a", "b", "b"].map(|id| Producer {
            id: id.into(),
            v2,
            producer: None,
            sequences: [0; 2],
            written: Vec::new(),
            waiting: None,
            committed: Vec::new(),
        });
        let mut down: Option<i32> = None;
        for _ in 0..1_500 {
            for producer in &mut producers {
                producer.act(&mut cluster, state, &partitions, &mut random);
            }
            match (down, random.below(60)) {
                (None, 0) => {
                    let broker = random.below(3) as i32;
                    failovers += i32::from(cluster.leader(state) == broker);
                    cluster.crash(broker, Crash::Process);
                    down = Some(broker);
                }
                (Some(broker), 0 | 1) => {
                    cluster.restart(broker);
                    down = None;
                }
                _ => {}
            }
            let span = [1, 2, 5, 20, 400][random.below(5) as usize];
            cluster.run_for(span);
        }
        down.into_iter().for_each(|broker| cluster.restart(broker));
        cluster.run_for(90_000);
        check(&cluster, seed, state, &partitions);
        for (producer_id, epoch, at) in producers.iter().flat_map(|producer| &producer.committed).filter(|_| v2) {
            let found = batches(&cluster, partitions[*at]).iter().any(|it| is_commit_of(it, *producer_id, *epoch + 1));
            assert!(found, "seed {seed}: producer {producer_id} epoch {epoch} committed partition {at}");
            commits += 1;
        }
    }
    assert!(commits > 100 && failovers > 5, "{commits} commits, {failovers} failovers");
}

fn check(cluster: &Cluster, seed: u64, state: TopicPartition, partitions: &[TopicPartition; 2]) {
    let coordinator = cluster.broker(cluster.leader(state)).transaction_coordinator().expect("it runs");
    assert!(coordinator.transactions().count() >= 2, "seed {seed}");
    for (_, metadata) in coordinator.transactions() {
        let at_rest = matches!(metadata.state, State::Empty | State::CompleteCommit | State::CompleteAbort);
        assert!(at_rest && metadata.pending_state.is_none(), "seed {seed}: {metadata:?}");
    }
    for id in partitions {
        let log = cluster.broker(cluster.leader(*id)).partition(*id).expect("hosted").log();
        assert_eq!(log.last_stable_offset(), log.log_end_offset(), "seed {seed}: something is open");
    }
}
