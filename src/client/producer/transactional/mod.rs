//! The transactional half of a producer's [`TransactionManager`]: the calls of the application, the requests they lead to,
//! and what the answers mean.
//!
//! Invariants: at most one transactional request is in flight, and while it is (or waits for its broker or its back-off)
//! the producer sends nothing else; a request goes out only if no error was met before it, except FindCoordinator;
//! EndTxn goes out when every batch has ended; state changes only as [`State::may_become`] allows.
//!
//! In Kafka: `TransactionManager` (KIP-98, KIP-360, KIP-447, KIP-588, KIP-890, KIP-1050), `TransactionalRequestResult`.
//!
//! Kept from Kafka, though it is a dead end: under version 1, if a retried batch expires while the transaction is being
//! aborted, a new epoch is due that nobody asks for, and the producer stays in `INITIALIZING`.
//!
//! On purpose different: `transaction.version` is told at construction, not learned from `ApiVersions`, and does not change;
//! brokers always know how to raise an epoch (KIP-360). An error after a fatal one is ignored, where Kafka meets an
//! illegal transition and stays in `FATAL_ERROR` because of that. A `send()` outside a transaction takes no
//! record, where Kafka's throws and yet keeps it, for the next transaction. A request
//! whose coordinator cannot be connected to looks for it again after `retry.backoff.ms`, not at once, in a tight loop.

mod calls;
mod errors;
mod failures;
mod inspect;
mod request;
mod responses;
mod sender;

pub use calls::Operation;
pub(super) use errors::closed;
pub use inspect::TransactionInspection;
pub use request::GroupMetadata;
pub(super) use request::{Content, RequestQueue, TxnRequest};
pub(super) use sender::Step;

use super::TransactionManager;
use super::state::State;
use crate::base::config::ProducerConfig;
use crate::base::{Duration, NodeId, SortedMap, SortedSet, Time, TopicPartition};
use crate::node::ClientError;
use crate::protocol::OffsetCommitPartition;
use calls::{Call, Transition};
use sender::Sending;
use std::hash::{Hash, Hasher};
use std::rc::Rc;

/// Identity of a call's result within its producer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct ResultId(u32);

/// What becomes of a call: it may outlive the caller's patience (`TransactionalRequestResult`).
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct RequestResult {
    id: ResultId,
    done: bool,
    error: Option<ClientError>,
    /// The caller heard of it.
    acked: bool,
}

/// State of a transactional producer.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Transactional {
    pub id: Rc<str>,
    pub timeout: Duration,
    /// `transaction.version` is 2 (KIP-890, part 2).
    pub v2: bool,
    /// Off only in tests: brokers before Kafka 2.5 knew no epoch bump.
    pub coordinator_supports_bumping_epoch: bool,
    pub queue: RequestQueue,
    /// Taken out of the queue: waits for its broker or its back-off.
    pub sending: Option<Sending>,
    pub in_flight: Option<TxnRequest>,
    /// A broker could not be reached: nothing is tried until then.
    pub pause_until: Time,
    pub coordinator: Option<NodeId>,
    pub group_coordinator: Option<NodeId>,
    /// Written to, not asked for yet (transaction version 1).
    pub new_partitions: SortedSet<TopicPartition>,
    /// Asked for.
    pub pending_partitions: SortedSet<TopicPartition>,
    /// Part of the transaction.
    pub partitions: SortedSet<TopicPartition>,
    /// Offsets not committed yet.
    pub offset_commits: SortedMap<TopicPartition, OffsetCommitPartition>,
    /// The coordinator knows of the transaction, or may.
    pub started: bool,
    transition: Option<Transition>,
    offsets_result: Option<RequestResult>,
    next_result: u32,
    call: Option<Call>,
    returned: Option<Result<(), ClientError>>,
}

impl Transactional {
    fn new(id: Rc<str>, config: &ProducerConfig) -> Self {
        Transactional {
            id,
            timeout: config.transaction_timeout_ms,
            v2: true,
            coordinator_supports_bumping_epoch: true,
            queue: RequestQueue::default(),
            sending: None,
            in_flight: None,
            pause_until: Time::ZERO,
            coordinator: None,
            group_coordinator: None,
            new_partitions: SortedSet::new(),
            pending_partitions: SortedSet::new(),
            partitions: SortedSet::new(),
            offset_commits: SortedMap::new(),
            started: false,
            transition: None,
            offsets_result: None,
            next_result: 0,
            call: None,
            returned: None,
        }
    }

    fn new_result(&mut self) -> RequestResult {
        self.next_result += 1;
        RequestResult { id: ResultId(self.next_result), done: false, error: None, acked: false }
    }

    /// Ends a call, for whoever still wants to know.
    pub fn complete(&mut self, id: Option<ResultId>, outcome: Result<(), ClientError>) {
        let transition = self.transition.as_mut().map(|transition| &mut transition.result);
        for result in transition.into_iter().chain(&mut self.offsets_result) {
            if Some(result.id) == id {
                result.done = true;
                result.error = outcome.as_ref().err().cloned().or(result.error.take());
            }
        }
    }

    /// Raises its epoch by asking for it (KIP-360), not by ending a transaction.
    pub fn bumps_epoch_itself(&self) -> bool {
        self.coordinator_supports_bumping_epoch && !self.v2
    }
}

/// The transactional half, if there is one. Where there is none it adds nothing to the state hash, so that runs without
/// transactions keep the one that they always had.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Half(Option<Box<Transactional>>);

impl Half {
    /// None without `transactional.id`.
    pub fn new(config: &ProducerConfig) -> Self {
        Half(config.transactional_id.as_ref().map(|id| Box::new(Transactional::new(Rc::clone(id), config))))
    }

    pub fn get(&self) -> Option<&Transactional> {
        self.0.as_deref()
    }

    pub fn get_mut(&mut self) -> Option<&mut Transactional> {
        self.0.as_deref_mut()
    }
}

impl Hash for Half {
    fn hash<H: Hasher>(&self, state: &mut H) {
        if let Some(transactional) = &self.0 {
            transactional.hash(state);
        }
    }
}

/// The moment of a state that knows none.
const NO_TIME: Time = Time::ZERO;

impl TransactionManager {
    /// It has a `transactional.id`.
    pub fn is_transactional(&self) -> bool {
        self.transactional.get().is_some()
    }

    /// The transactional half, where the caller knows that there is one.
    fn half(&mut self) -> &mut Transactional {
        self.transactional.get_mut().expect("invariant: only a transactional producer handles transactions")
    }

    /// What the application may ask for; an exception if not now.
    fn transition_to(&mut self, target: State) -> Result<(), ClientError> {
        if self.state.may_become(&target) {
            self.state = target;
            return Ok(());
        }
        let id = self.transactional.get().map_or("", |half| &half.id);
        Err(errors::invalid_transition(id, &self.state, &target))
    }

    /// What the sender itself does: it knows when.
    fn enter(&mut self, target: State) {
        assert!(
            self.state.may_become(&target),
            "invariant: a producer's state does not go from {} to {}",
            self.state.name(),
            target.name()
        );
        self.state = target;
    }

    fn enqueue(&mut self, content: Content, result: Option<ResultId>) {
        let producer = self.producer;
        self.half().queue.push(TxnRequest { content, producer, result, is_retry: false, hurry: false });
    }

    /// Moves what was written to into a request (`addPartitionsToTransactionHandler`).
    pub(super) fn enqueue_new_partitions(&mut self) {
        let half = self.half();
        if half.new_partitions.is_empty() {
            return;
        }
        half.pending_partitions.append(&mut half.new_partitions);
        let partitions = half.pending_partitions.iter().copied().collect();
        self.enqueue(Content::AddPartitions { partitions }, None);
    }
}
