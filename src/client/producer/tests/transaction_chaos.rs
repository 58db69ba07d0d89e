//! Random trouble for a transactional producer, against models of a partition leader and of a transaction coordinator:
//! whatever happens, every call ends in time, no state is entered that Kafka does not allow (an assertion inside), every
//! record ends once, and of a transaction that ended, all records hold once, or none.

use super::coordinator::ID;
use super::harness::{Lab, Sent, partition};
use crate::base::{Prng, SortedMap, Time};
use crate::client::payload::record_id_of;
use crate::client::producer::SendOutcome;
use crate::protocol::*;
use crate::record::{RecordBatch, increment_sequence};
use std::collections::VecDeque;

const MAX_BLOCK: u64 = 2_000;
const RECORDS: u32 = 80;

/// A leader's memory of its producer, and its log: record, and whether it holds once that is decided.
#[derive(Default)]
struct Leader {
    epoch: i16,
    batches: VecDeque<(i32, i32)>,
    log: Vec<(u32, Option<bool>)>,
}

impl Leader {
    fn append(&mut self, batch: &RecordBatch) -> Result<(), ErrorCode> {
        let sequences = (batch.base_sequence(), batch.last_sequence());
        if batch.producer_epoch() < self.epoch {
            return Err(ErrorCode::InvalidProducerEpoch);
        }
        if batch.producer_epoch() > self.epoch {
            self.batches.clear();
            self.epoch = batch.producer_epoch();
        }
        if self.batches.contains(&sequences) {
            return Ok(());
        }
        let expected = self.batches.back().map_or(0, |last| increment_sequence(last.1, 1));
        if sequences.0 != expected {
            return Err(ErrorCode::OutOfOrderSequenceNumber);
        }
        self.batches.push_back(sequences);
        if self.batches.len() > 5 {
            self.batches.pop_front();
        }
        for record in batch.records() {
            let value = record.ok().and_then(|record| record.value).unwrap_or_default();
            self.log.push((record_id_of(&value).expect("the test's own records").0, None));
        }
        Ok(())
    }
}

/// A coordinator's memory of the transactional id, and the leaders that it writes markers to.
#[derive(Default)]
struct Cluster {
    leaders: SortedMap<u32, Leader>,
    epoch: i16,
    open: bool,
    ended: Option<(i16, bool)>,
    version: u8,
}

impl Cluster {
    fn end(&mut self, request: &EndTxnRequest) -> Result<i16, ErrorCode> {
        let next = if request.transaction_v2 { request.producer_epoch + 1 } else { request.producer_epoch };
        // The answer was lost: say it again.
        if !self.open && self.ended == Some((request.producer_epoch, request.committed)) && self.epoch == next {
            return Ok(self.epoch);
        }
        if request.producer_epoch != self.epoch {
            return Err(ErrorCode::ProducerFenced);
        }
        if !self.open && (request.committed || !request.transaction_v2) {
            return Err(ErrorCode::InvalidTxnState);
        }
        self.open = false;
        self.ended = Some((request.producer_epoch, request.committed));
        self.epoch = next;
        for leader in self.leaders.values_mut() {
            if leader.epoch < next {
                leader.epoch = next;
                leader.batches.clear();
            }
            leader.log.iter_mut().filter(|(_, held)| held.is_none()).for_each(|it| it.1 = Some(request.committed));
        }
        Ok(next)
    }

    fn respond(&mut self, lab: &mut Lab, request: &Request) -> Response {
        match request {
            Request::InitProducerId(request) => {
                // Asking again with the last epoch is a retry of a bump that was granted (E1).
                if request.producer_epoch < 0 || request.producer_epoch == self.epoch {
                    self.epoch += 1;
                }
                let (error, producer_id, producer_epoch) = (ErrorCode::None, 1_000, self.epoch);
                Response::InitProducerId(InitProducerIdResponse { error, producer_id, producer_epoch })
            }
            Request::EndTxn(request) => {
                let (error, epoch) = self.end(request).map_or_else(|e| (e, -1), |epoch| (ErrorCode::None, epoch));
                let given = request.transaction_v2 && !error.is_error();
                let (producer_id, producer_epoch) = if given { (1_000, epoch) } else { (-1, -1) };
                Response::EndTxn(EndTxnResponse { error, producer_id, producer_epoch })
            }
            other => {
                let adds = matches!(other, Request::AddPartitionsToTxn(_) | Request::AddOffsetsToTxn(_));
                self.open |= adds || matches!(other, Request::TxnOffsetCommit(r) if r.transaction_v2);
                lab.coordinator.respond(other, &[ErrorCode::None])
            }
        }
    }
}

/// What a coordinator may answer instead of doing its work.
fn refusal(api: ApiKey, random: &mut Prng) -> ErrorCode {
    use ErrorCode::*;
    let mut errors = vec![CoordinatorLoadInProgress, CoordinatorNotAvailable, NotCoordinator, RequestTimedOut];
    match api {
        ApiKey::FindCoordinator => {
            errors = vec![CoordinatorNotAvailable, CoordinatorNotAvailable, TransactionAbortable]
        }
        ApiKey::TxnOffsetCommit => errors.extend([UnknownTopicOrPartition, IllegalGeneration, TransactionAbortable]),
        ApiKey::AddPartitionsToTxn => {
            errors.extend([
                ConcurrentTransactions,
                UnknownTopicOrPartition,
                TransactionAbortable,
                InvalidTopicException,
            ]);
        }
        _ => errors.extend([ConcurrentTransactions, ConcurrentTransactions]),
    }
    if random.below(60) == 0 { ProducerFenced } else { errors[random.below(errors.len() as u64) as usize] }
}

struct Run {
    lab: Lab,
    cluster: Cluster,
    random: Prng,
    queue: VecDeque<Sent>,
    calm: bool,
    /// The records of the transaction under way.
    records: Vec<u32>,
    committed: Vec<u32>,
    aborted: Vec<u32>,
    next: u32,
    call_since: Time,
    thrown: Vec<String>,
}

/// What the program is about to hear of, or to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Doing {
    Init,
    Ready,
    Open,
    Offsets,
    Ending(bool),
    Stopped,
}

impl Run {
    fn new(version: u8, seed: u64) -> Run {
        let settings = [
            ("max.block.ms", "2000"),
            ("request.timeout.ms", "300"),
            ("delivery.timeout.ms", "900"),
            ("retry.backoff.ms", "20"),
            ("reconnect.backoff.max.ms", "100"),
            ("socket.connection.setup.timeout.ms", "200"),
        ];
        let mut lab = Lab::uninitialized(version, &[0, 0, 1], &settings);
        lab.warm_up();
        lab.coordinator.hold = vec![
            ApiKey::FindCoordinator,
            ApiKey::InitProducerId,
            ApiKey::AddPartitionsToTxn,
            ApiKey::AddOffsetsToTxn,
            ApiKey::TxnOffsetCommit,
            ApiKey::EndTxn,
        ];
        Run {
            lab,
            cluster: Cluster { epoch: -1, version, ..Cluster::default() },
            random: Prng::split(seed, "transactions"),
            queue: VecDeque::new(),
            calm: false,
            records: Vec::new(),
            committed: Vec::new(),
            aborted: Vec::new(),
            next: 0,
            call_since: Time::ZERO,
            thrown: Vec::new(),
        }
    }

    fn trouble(&mut self) -> bool {
        !self.calm && self.random.below(100) < 12
    }

    fn break_connection(&mut self, node: u16) {
        self.queue.retain(|sent| sent.to.0 != node);
        self.lab.coordinator.held.retain(|(to, _, _)| to.0 != node);
        self.lab.disconnect(node);
    }

    fn serve_coordinators(&mut self) {
        while let Some((from, correlation_id, request)) = self.lab.coordinator.held.pop_front() {
            if self.trouble() {
                match self.random.below(4) {
                    0 => {
                        // Done, but the answer is lost.
                        self.cluster.respond(&mut self.lab, &request);
                        self.break_connection(from.0);
                    }
                    1 => self.break_connection(from.0),
                    _ => {
                        let error = refusal(request.api(), &mut self.random);
                        let response = self.lab.coordinator.respond(&request, &[error]);
                        self.lab.deliver(from, correlation_id, response);
                    }
                }
                continue;
            }
            if self.random.below(3) == 0 {
                self.lab.coordinator.held.push_front((from, correlation_id, request));
                return; // Later.
            }
            let response = self.cluster.respond(&mut self.lab, &request);
            self.lab.deliver(from, correlation_id, response);
        }
    }

    fn serve_produce(&mut self) {
        self.queue.extend(self.lab.take_sent());
        for _ in 0..self.random.below(5) {
            let Some(sent) = self.queue.pop_front() else { break };
            if self.trouble() {
                // A leader refuses for good only what it never took.
                let refused = if self.is_stored(&sent) { ErrorCode::RequestTimedOut } else { ErrorCode::InvalidRecord };
                match self.random.below(5) {
                    0 => self.break_connection(sent.to.0),
                    1 => self.lab.answer(&sent, ErrorCode::NotEnoughReplicas, -1),
                    2 => self.lab.answer(&sent, ErrorCode::NotLeaderOrFollower, -1),
                    3 => self.lab.answer(&sent, refused, -1),
                    _ => {
                        let _answer_is_lost = self.store(&sent);
                        self.break_connection(sent.to.0);
                    }
                }
            } else {
                let outcome = self.store(&sent);
                self.lab.answer(&sent, outcome.err().unwrap_or(ErrorCode::None), 5);
            }
            self.queue.extend(self.lab.take_sent());
        }
    }

    fn is_stored(&self, sent: &Sent) -> bool {
        sent.request.partitions.iter().any(|part| {
            let leader = self.cluster.leaders.get(&part.partition.partition);
            let sequences = (part.batch.base_sequence(), part.batch.last_sequence());
            leader.is_some_and(|l| l.epoch == part.batch.producer_epoch() && l.batches.contains(&sequences))
        })
    }

    /// All partitions of a request, or the first error.
    fn store(&mut self, sent: &Sent) -> Result<(), ErrorCode> {
        assert_eq!(sent.request.transactional_id.as_deref(), Some(ID));
        let added = self.cluster.version == 1;
        assert!(!added || self.cluster.open, "version 1 writes only to what was added");
        if sent.request.partitions[0].batch.producer_epoch() == self.cluster.epoch {
            self.cluster.open = true;
        }
        for part in &sent.request.partitions {
            assert!(part.batch.is_transactional());
            self.cluster.leaders.entry(part.partition.partition).or_default().append(&part.batch)?;
        }
        Ok(())
    }

    fn threw(&mut self, doing: Doing, error: String) -> Doing {
        let timed_out = error == "REQUEST_TIMED_OUT";
        self.thrown.push(error);
        match (self.lab.state(), doing) {
            ("FATAL_ERROR", _) => Doing::Stopped,
            (_, Doing::Init) if timed_out => self.call(Doing::Init),
            (_, Doing::Ending(committed)) if timed_out => self.call(Doing::Ending(committed)),
            ("IN_TRANSACTION" | "ABORTABLE_ERROR", Doing::Init) => Doing::Stopped,
            ("IN_TRANSACTION" | "ABORTABLE_ERROR", _) => self.call(Doing::Ending(false)),
            _ => Doing::Stopped,
        }
    }

    fn call(&mut self, doing: Doing) -> Doing {
        self.call_since = self.lab.now;
        match doing {
            Doing::Init => self.lab.init(),
            Doing::Offsets => self.lab.send_offsets(2),
            Doing::Ending(true) => self.lab.commit(),
            _ => self.lab.abort(),
        }
        doing
    }

    fn program(&mut self, doing: Doing) -> Doing {
        match doing {
            Doing::Stopped => Doing::Stopped,
            Doing::Ready if self.next >= RECORDS => Doing::Stopped,
            Doing::Ready => match self.lab.begin() {
                Ok(()) => Doing::Open,
                Err(error) => self.threw(Doing::Ready, error),
            },
            Doing::Open => {
                assert!(!self.lab.producer.is_blocked(), "metadata and memory are there");
                match self.random.below(10) {
                    0 => self.call(Doing::Offsets),
                    1 => self.call(Doing::Ending(false)),
                    2 | 3 => self.call(Doing::Ending(true)),
                    _ => {
                        let (record, index) = (self.next, self.random.below(3) as u32);
                        self.next += 1;
                        match self.lab.send_record(record, Some(index), None, None) {
                            SendOutcome::Failed => self.threw(Doing::Open, "send".into()),
                            outcome => {
                                assert_eq!(outcome, SendOutcome::Buffered(partition(index)));
                                self.records.push(record);
                                Doing::Open
                            }
                        }
                    }
                }
            }
            Doing::Init | Doing::Offsets | Doing::Ending(_) => match self.lab.result() {
                None => {
                    let since = self.lab.now.since(self.call_since).as_millis();
                    assert!(since < MAX_BLOCK, "{doing:?} blocks");
                    doing
                }
                Some(Err(error)) => self.threw(doing, error),
                Some(Ok(())) => {
                    let records = if let Doing::Ending(_) = doing { std::mem::take(&mut self.records) } else { vec![] };
                    match doing {
                        Doing::Ending(true) => self.committed.extend(records),
                        Doing::Ending(false) => self.aborted.extend(records),
                        Doing::Offsets => return Doing::Open,
                        _ => {}
                    }
                    Doing::Ready
                }
            },
        }
    }

    fn holds(&self, record: u32) -> usize {
        let logs = self.cluster.leaders.values().flat_map(|leader| &leader.log);
        logs.filter(|(logged, held)| *logged == record && *held == Some(true)).count()
    }

    fn finish(&mut self, seed: u64) {
        self.calm = true;
        self.lab.close();
        for _ in 0..3_000 {
            if self.lab.producer.is_closed() {
                break;
            }
            self.serve_coordinators();
            self.serve_produce();
            self.lab.advance(5);
        }
        assert!(self.lab.producer.is_closed(), "seed {seed}: {:?}", self.lab.producer.transaction());
        let mut ended: Vec<u32> = self.lab.acked().iter().map(|(record, _)| *record).collect();
        ended.extend(self.lab.failed().iter().map(|(record, _)| *record));
        ended.sort_unstable();
        assert_eq!(ended, (0..self.next).collect::<Vec<_>>(), "seed {seed}: every record ends once");
        for record in &self.committed {
            assert_eq!(self.holds(*record), 1, "seed {seed}: {record} was committed");
        }
        for record in &self.aborted {
            assert_eq!(self.holds(*record), 0, "seed {seed}: {record} was aborted");
        }
    }
}

fn run(version: u8, seed: u64) -> Run {
    let mut run = Run::new(version, seed);
    let mut doing = run.call(Doing::Init);
    let mut rounds = 0;
    while doing != Doing::Stopped {
        rounds += 1;
        assert!(rounds < 200_000, "seed {seed}: {doing:?} {:?}", run.lab.producer.transaction());
        doing = run.program(doing);
        run.serve_coordinators();
        run.serve_produce();
        let pause = if run.random.below(60) == 0 { 400 } else { run.random.below(12) };
        run.lab.advance(pause);
    }
    run.finish(seed);
    run
}

#[test]
fn calls_end_and_transactions_hold_whole_or_not_at_all() {
    for version in [1, 2] {
        let (mut committed, mut aborted, mut stopped) = (0, 0, 0);
        for seed in 0..40 {
            let run = run(version, seed);
            committed += run.committed.len();
            aborted += run.aborted.len();
            stopped += u32::from(run.next < RECORDS);
            for error in run.thrown.iter().filter(|error| error.starts_with("IllegalStateException")) {
                // Kafka's own dead end under version 1: a batch expires while the transaction is being aborted, so an epoch
                // is needed that nobody asks for.
                let dead_end = error.ends_with("from state INITIALIZING to state IN_TRANSACTION");
                assert!(version == 1 && dead_end, "seed {seed}: {error}");
            }
        }
        assert!(committed > 1_000 && aborted > 800 && stopped < 20, "{committed} {aborted} {stopped}");
    }
}
