//! Coordinators whose answers a test scripts, and a test's words for transactional calls.

use super::super::*;
use super::harness::Lab;
use crate::base::{BrokerId, LeaderEpoch};
use crate::node::Event;
use crate::protocol::*;
use std::collections::VecDeque;

pub const ID: &str = "shop-1";

/// The coordinator of the transactional id and of every group.
#[derive(Default)]
pub struct Coordinator {
    pub node: i32,
    pub group_node: i32,
    /// What to answer to the next request of an API: an error for each of its partitions (the last for all that are left).
    pub script: Vec<(ApiKey, VecDeque<Vec<ErrorCode>>)>,
    /// Requests that are not answered by themselves.
    pub hold: Vec<ApiKey>,
    pub held: VecDeque<(NodeId, u32, Request)>,
    /// Every request that came, and when.
    pub log: Vec<(Time, NodeId, Request)>,
    pub producer: Option<ProducerIdAndEpoch>,
    /// The epoch after which a new producer id is due.
    pub last_epoch: Option<i16>,
}

impl Coordinator {
    pub fn answer(&mut self, now: Time, to: NodeId, correlation_id: u32, request: Request) -> Option<Response> {
        self.log.push((now, to, request.clone()));
        if self.hold.contains(&request.api()) {
            self.held.push_back((to, correlation_id, request));
            return None;
        }
        let errors = self.next_errors(request.api());
        Some(self.respond(&request, &errors))
    }

    fn next_errors(&mut self, api: ApiKey) -> Vec<ErrorCode> {
        let script = self.script.iter_mut().find(|(key, _)| *key == api);
        script.and_then(|(_, answers)| answers.pop_front()).unwrap_or_else(|| vec![ErrorCode::None])
    }

    pub fn respond(&mut self, request: &Request, errors: &[ErrorCode]) -> Response {
        let error = errors[0];
        let of = |index: usize| errors[index.min(errors.len() - 1)];
        match request {
            Request::FindCoordinator(request) => {
                let group = request.key_type == CoordinatorType::Group;
                let node = BrokerId(if error.is_error() {
                    -1
                } else if group {
                    self.group_node
                } else {
                    self.node
                });
                Response::FindCoordinator(FindCoordinatorResponse { error, node })
            }
            Request::InitProducerId(_) => {
                let granted = if error.is_error() { ProducerIdAndEpoch::NONE } else { self.next_producer() };
                let (producer_id, producer_epoch) = (granted.id, granted.epoch);
                Response::InitProducerId(InitProducerIdResponse { error, producer_id, producer_epoch })
            }
            Request::AddPartitionsToTxn(request) => {
                let transactions = request.transactions.iter().map(|transaction| AddPartitionsToTxnResult {
                    transactional_id: Rc::clone(&transaction.transactional_id),
                    partitions: transaction.partitions.iter().enumerate().map(|(i, p)| (*p, of(i))).collect(),
                });
                let transactions = transactions.collect();
                Response::AddPartitionsToTxn(AddPartitionsToTxnResponse { error: ErrorCode::None, transactions })
            }
            Request::AddOffsetsToTxn(_) => Response::AddOffsetsToTxn(AddOffsetsToTxnResponse { error }),
            Request::TxnOffsetCommit(request) => {
                let result = |(i, offset): (usize, &OffsetCommitPartition)| OffsetCommitResult {
                    partition: offset.partition,
                    error: of(i),
                };
                let partitions = request.offsets.iter().enumerate().map(result).collect();
                Response::TxnOffsetCommit(TxnOffsetCommitResponse { partitions })
            }
            Request::EndTxn(request) => {
                let raises = request.transaction_v2 && !error.is_error();
                let next = if raises { self.next_producer() } else { ProducerIdAndEpoch::NONE };
                let (producer_id, producer_epoch) = (next.id, next.epoch);
                Response::EndTxn(EndTxnResponse { error, producer_id, producer_epoch })
            }
            other => panic!("unexpected {other:?}"),
        }
    }

    fn next_producer(&mut self) -> ProducerIdAndEpoch {
        let next = match self.producer {
            None => ProducerIdAndEpoch { id: 1_000, epoch: 0 },
            Some(p) if self.last_epoch == Some(p.epoch) => ProducerIdAndEpoch { id: p.id + 1, epoch: 0 },
            Some(p) => ProducerIdAndEpoch { id: p.id, epoch: p.epoch + 1 },
        };
        self.producer = Some(next);
        next
    }
}

pub type CallResult = Option<Result<(), String>>;

/// What the application sees of an error.
pub fn words(error: &ClientError) -> String {
    error.name().to_owned()
}

impl Lab {
    pub fn uninitialized(version: u8, leaders: &[i32], settings: &[(&str, &str)]) -> Lab {
        let all: Vec<_> = [("transactional.id", ID), ("linger.ms", "0")].iter().chain(settings).copied().collect();
        let mut lab = Lab::with_partitions(&all, leaders);
        lab.producer = lab.producer.with_transaction_version(version);
        lab
    }

    pub fn script(&mut self, api: ApiKey, errors: &[ErrorCode]) {
        let answer = errors.to_vec();
        match self.coordinator.script.iter_mut().find(|(key, _)| *key == api) {
            Some((_, answers)) => answers.push_back(answer),
            None => self.coordinator.script.push((api, VecDeque::from([answer]))),
        }
    }

    /// Answers the oldest request that was held, as the script says if it has something to say.
    pub fn release(&mut self, error: ErrorCode) {
        let (from, correlation_id, request) = self.coordinator.held.pop_front().expect("a request was held");
        let scripted = self.coordinator.script.iter_mut().find(|(key, _)| *key == request.api());
        let errors = scripted.and_then(|(_, answers)| answers.pop_front()).unwrap_or_else(|| vec![error]);
        let response = self.coordinator.respond(&request, &errors);
        self.deliver(from, correlation_id, response);
    }

    /// The names of the coordinators' requests since the last time.
    pub fn take_log(&mut self) -> Vec<&'static str> {
        std::mem::take(&mut self.coordinator.log).iter().map(|(_, _, request)| request.api().name()).collect()
    }

    pub fn init(&mut self) {
        self.act(|producer, now, out| producer.init_transactions(now, out));
    }

    pub fn begin(&mut self) -> Result<(), String> {
        self.act(|producer, now, out| producer.begin_transaction(now, out)).map_err(|error| words(&error))
    }

    pub fn commit(&mut self) {
        self.act(|producer, now, out| producer.commit_transaction(now, out));
    }

    pub fn abort(&mut self) {
        self.act(|producer, now, out| producer.abort_transaction(now, out));
    }

    pub fn close(&mut self) {
        self.act(|producer, now, out| producer.close(now, out));
    }

    /// Offsets of as many partitions of a consumer's topic.
    pub fn send_offsets(&mut self, partitions: u32) {
        let offset = |index| OffsetCommitPartition {
            partition: TopicPartition::new(TopicId(7), index),
            offset: 5,
            leader_epoch: LeaderEpoch::default(),
            metadata: "".into(),
        };
        let group = GroupMetadata { group: "g".into(), generation: 3, member_id: "m".into(), instance_id: None };
        let offsets = (0..partitions).map(offset).collect();
        self.act(|producer, now, out| producer.send_offsets_to_transaction(now, offsets, group, out));
    }

    pub fn result(&mut self) -> CallResult {
        let now = self.now;
        self.producer.transaction_result(now).map(|result| result.map_err(|error| words(&error)))
    }

    /// Waits for a call's end: a coordinator is looked for first, and after that comes a retry's pause.
    pub fn ended(&mut self) -> CallResult {
        (0..1_000).find_map(|_| {
            let result = self.result();
            if result.is_none() {
                self.advance(1);
            }
            result
        })
    }

    pub fn state(&self) -> &'static str {
        self.producer.transaction_manager().expect("transactional").state().name()
    }

    pub fn identity(&self) -> (i64, i16) {
        let ProducerIdAndEpoch { id, epoch } = self.producer.producer_id_and_epoch();
        (id, epoch)
    }

    /// What the transaction has told the world.
    pub fn transaction_events(&self) -> Vec<String> {
        let told = self.events.iter().filter_map(|event| match event {
            Event::TransactionsInitialized { producer_epoch, .. } => Some(format!("initialized {producer_epoch}")),
            Event::TransactionBegun { producer_epoch, .. } => Some(format!("begun {producer_epoch}")),
            Event::TransactionEnding { committed, .. } => Some(format!("ending {committed}")),
            Event::TransactionEnded { producer_epoch, committed, .. } => {
                Some(format!("ended {producer_epoch} {committed}"))
            }
            _ => None,
        });
        told.collect()
    }

    /// Answers every Produce request that waits, and those that follow.
    pub fn store_all(&mut self) -> Vec<(i32, i16)> {
        let mut stored = Vec::new();
        loop {
            let sent = self.take_sent();
            if sent.is_empty() {
                return stored;
            }
            for sent in sent {
                stored.push((sent.base_sequence(), sent.epoch()));
                self.answer(&sent, ErrorCode::None, i64::from(sent.base_sequence()));
            }
        }
    }
}
