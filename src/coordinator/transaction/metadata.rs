//! What a coordinator knows of a transactional id, and how it changes.
//!
//! Invariants: at most one transition is pending; it completes only as what was prepared, and only along
//! [`is_legal`]'s lines. What breaks them is our own bug, and stops the run (Kafka throws `IllegalStateException`).
//!
//! In Kafka: `TransactionMetadata`, `TxnTransitMetadata`, `TransactionState.validPreviousStates`.

use crate::base::{Duration, ProducerEpoch, ProducerId, TopicPartition, sort_long};
use crate::protocol::{ErrorCode, TransactionState};
use std::ops::Deref;
use std::rc::Rc;

/// May a transaction go from the one state to the other?
pub fn is_legal(from: TransactionState, to: TransactionState) -> bool {
    use TransactionState as S;
    let idle = matches!(from, S::Empty | S::CompleteCommit | S::CompleteAbort);
    match to {
        S::Empty | S::Dead => idle,
        S::Ongoing => idle || from == S::Ongoing,
        S::PrepareCommit | S::PrepareEpochFence => from == S::Ongoing,
        S::PrepareAbort => idle || matches!(from, S::Ongoing | S::PrepareEpochFence),
        S::CompleteCommit => from == S::PrepareCommit,
        S::CompleteAbort => from == S::PrepareAbort,
    }
}

/// A state of a transactional id as it is written down: what it has become, or what it is about to become
/// (`TxnTransitMetadata`).
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct TransitMetadata {
    /// The producer's id.
    pub producer_id: ProducerId,
    /// The one before this transition, −1 if none.
    pub prev_producer_id: ProducerId,
    /// The one to go on with once the markers are written, if this one's epochs are used up; else −1.
    pub next_producer_id: ProducerId,
    /// The producer's epoch, −1 before the first.
    pub producer_epoch: ProducerEpoch,
    /// The one before, −1 if it may not be named any more. It is in no record.
    pub last_producer_epoch: ProducerEpoch,
    /// `transaction.timeout.ms` of the producer.
    pub timeout: Duration,
    /// The state.
    pub state: TransactionState,
    /// What the transaction has written to, sorted; while it is being ended, where the marker is missing.
    pub partitions: Rc<[TopicPartition]>,
    /// When the transaction began, milliseconds, −1 if there was none since the producer was initialised.
    pub start_ms: i64,
    /// When this changed last, milliseconds.
    pub update_ms: i64,
    /// The transaction version of the client that changed it: 0 or 2.
    pub transaction_version: u8,
}

impl TransitMetadata {
    /// Can a coordinator have written this? (A damaged disk may say otherwise.)
    pub fn is_possible(&self) -> bool {
        use TransactionState as S;
        let ids = self.producer_id >= 0 && self.producer_epoch >= 0;
        match self.state {
            S::Dead | S::PrepareEpochFence => false,
            S::Empty => ids,
            S::Ongoing | S::PrepareCommit | S::PrepareAbort | S::CompleteCommit | S::CompleteAbort => {
                ids && self.start_ms != -1
            }
        }
    }
}

/// A transactional id. What it is now can be read as if it were a [`TransitMetadata`].
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct TransactionMetadata {
    /// The id.
    pub transactional_id: Rc<str>,
    current: TransitMetadata,
    /// What it is about to become, while that is not committed.
    pub pending_state: Option<TransactionState>,
    /// The epoch was raised here and the record was not written: then it is not raised again.
    has_failed_epoch_fence: bool,
}

impl Deref for TransactionMetadata {
    type Target = TransitMetadata;

    fn deref(&self) -> &TransitMetadata {
        &self.current
    }
}

/// The largest epoch is never a client's: it is kept for fencing.
pub const fn is_epoch_exhausted(epoch: ProducerEpoch) -> bool {
    epoch >= ProducerEpoch::MAX - 1
}

/// Does this version raise the epoch with every transaction?
pub const fn supports_epoch_bump(transaction_version: u8) -> bool {
    transaction_version >= 2
}

impl TransactionMetadata {
    /// A transactional id nobody has written down yet.
    pub fn new(transactional_id: Rc<str>, producer_id: ProducerId, timeout: Duration, now_ms: i64) -> Self {
        let current = TransitMetadata {
            producer_id,
            prev_producer_id: -1,
            next_producer_id: -1,
            producer_epoch: -1,
            last_producer_epoch: -1,
            timeout,
            state: TransactionState::Empty,
            partitions: Rc::default(),
            start_ms: -1,
            update_ms: now_ms,
            transaction_version: 0,
        };
        TransactionMetadata::load(transactional_id, current)
    }

    /// As it stands in `__transaction_state`.
    pub fn load(transactional_id: Rc<str>, current: TransitMetadata) -> Self {
        TransactionMetadata { transactional_id, current, pending_state: None, has_failed_epoch_fence: false }
    }

    /// May a client use no higher epoch with this producer id?
    pub fn is_producer_epoch_exhausted(&self) -> bool {
        is_epoch_exhausted(self.producer_epoch)
    }

    /// Has it a transaction that is not at its end?
    pub fn has_pending_transaction(&self) -> bool {
        use TransactionState as S;
        matches!(self.state, S::Ongoing | S::PrepareCommit | S::PrepareAbort)
    }

    /// Has its transaction been open for too long, and is nothing being done about it?
    pub fn is_timed_out(&self, now_ms: i64) -> bool {
        let timeout = i64::try_from(self.timeout.as_millis()).unwrap_or(i64::MAX);
        self.pending_state.is_none()
            && self.state == TransactionState::Ongoing
            && self.start_ms.saturating_add(timeout) < now_ms
    }

    /// Has nobody used it since `before_ms`?
    pub fn is_expired(&self, before_ms: i64) -> bool {
        let idle = is_legal(self.state, TransactionState::Dead);
        self.pending_state.is_none() && idle && self.update_ms <= before_ms
    }

    /// The marker of this partition is written, or never will be.
    pub fn remove_partition(&mut self, partition: TopicPartition) {
        let ending = matches!(self.state, TransactionState::PrepareCommit | TransactionState::PrepareAbort);
        assert!(ending, "invariant: markers belong to a transaction that is being ended");
        if self.partitions.contains(&partition) {
            self.current.partitions = self.partitions.iter().copied().filter(|other| *other != partition).collect();
        }
    }

    /// The producer gets the next epoch, as §5.2 says; `expected` is the one it believes it has.
    pub fn prepare_increment_producer_epoch(
        &mut self,
        timeout: Duration,
        expected: Option<ProducerEpoch>,
        now_ms: i64,
    ) -> Result<TransitMetadata, ErrorCode> {
        assert!(!self.is_producer_epoch_exhausted(), "invariant: an exhausted producer id is replaced");
        let (current, last) = (self.producer_epoch, self.last_producer_epoch);
        let (producer_epoch, last_producer_epoch) = match expected {
            None => (current + 1, -1),
            Some(expected) if current == -1 || expected == current => (current + 1, current),
            // The answer to an earlier request got lost.
            Some(expected) if expected == last => (current, last),
            Some(_) => return Err(ErrorCode::ProducerFenced),
        };
        let fresh = self.fresh(timeout, now_ms);
        Ok(self.prepare(TransitMetadata { producer_epoch, last_producer_epoch, ..fresh }))
    }

    /// The producer gets a new id.
    pub fn prepare_producer_id_rotation(
        &mut self,
        producer_id: ProducerId,
        timeout: Duration,
        now_ms: i64,
        record_last_epoch: bool,
    ) -> TransitMetadata {
        assert!(!self.has_pending_transaction(), "invariant: an open transaction keeps its producer id");
        let last_producer_epoch = if record_last_epoch { self.producer_epoch } else { -1 };
        let fresh = self.fresh(timeout, now_ms);
        self.prepare(TransitMetadata { producer_id, producer_epoch: 0, last_producer_epoch, ..fresh })
    }

    fn fresh(&self, timeout: Duration, now_ms: i64) -> TransitMetadata {
        TransitMetadata {
            state: TransactionState::Empty,
            timeout,
            partitions: Rc::default(),
            start_ms: -1,
            update_ms: now_ms,
            ..self.current.clone()
        }
    }

    /// The old producer is to be kept out. This transition is never completed: it makes way for PrepareAbort.
    pub fn prepare_fence_producer_epoch(&mut self) -> TransitMetadata {
        let highest = self.producer_epoch == ProducerEpoch::MAX;
        let bump = !self.has_failed_epoch_fence && !highest;
        let producer_epoch = self.producer_epoch + ProducerEpoch::from(bump);
        let state = TransactionState::PrepareEpochFence;
        self.prepare(TransitMetadata { state, producer_epoch, ..self.current.clone() })
    }

    /// The transaction has these partitions, too.
    pub fn prepare_add_partitions(
        &mut self,
        partitions: &[TopicPartition],
        now_ms: i64,
        transaction_version: u8,
    ) -> TransitMetadata {
        let mut all: Vec<TopicPartition> = self.partitions.iter().chain(partitions).copied().collect();
        sort_long(&mut all, |a, b| a < b);
        all.dedup();
        let start_ms = if self.state == TransactionState::Ongoing { self.start_ms } else { now_ms };
        self.prepare(TransitMetadata {
            state: TransactionState::Ongoing,
            partitions: all.into(),
            start_ms,
            update_ms: now_ms,
            transaction_version,
            ..self.current.clone()
        })
    }

    /// It is decided how the transaction ends. From version 2 this raises the epoch, and so the marker carries one that no
    /// record of the transaction has. `next_producer_id` is −1 while there are epochs left; `start_ms` is given where there
    /// was no transaction to abort.
    pub fn prepare_abort_or_commit(
        &mut self,
        state: TransactionState,
        transaction_version: u8,
        next_producer_id: ProducerId,
        now_ms: i64,
        no_partition_added: bool,
    ) -> TransitMetadata {
        let (mut producer_epoch, mut last_producer_epoch) = (self.producer_epoch, self.last_producer_epoch);
        if supports_epoch_bump(transaction_version) {
            last_producer_epoch = producer_epoch;
            // At the highest epoch of all an abort still goes through, so that the id can be used again.
            let stays = producer_epoch == ProducerEpoch::MAX && state == TransactionState::PrepareAbort;
            producer_epoch = if stays { producer_epoch } else { producer_epoch + 1 };
        }
        let start_ms = if no_partition_added { now_ms } else { self.start_ms };
        self.prepare(TransitMetadata {
            state,
            producer_epoch,
            last_producer_epoch,
            next_producer_id,
            start_ms,
            update_ms: now_ms,
            transaction_version,
            ..self.current.clone()
        })
    }

    /// All markers will be written: this is what is true then.
    pub fn prepare_complete(&mut self, now_ms: i64) -> TransitMetadata {
        self.has_failed_epoch_fence = false;
        let state = match self.state {
            TransactionState::PrepareCommit => TransactionState::CompleteCommit,
            _ => TransactionState::CompleteAbort,
        };
        // The client never sees the highest epoch: for it, a new producer id's epoch 0 follows the last but one.
        let rotates = supports_epoch_bump(self.transaction_version) && self.next_producer_id != -1;
        let (producer_id, producer_epoch) =
            if rotates { (self.next_producer_id, 0) } else { (self.producer_id, self.producer_epoch) };
        self.prepare(TransitMetadata {
            state,
            producer_id,
            producer_epoch,
            next_producer_id: -1,
            partitions: Rc::default(),
            update_ms: now_ms,
            ..self.current.clone()
        })
    }

    /// Nobody has used the transactional id for long.
    pub fn prepare_dead(&mut self) -> TransitMetadata {
        let state = TransactionState::Dead;
        self.prepare(TransitMetadata { state, partitions: Rc::default(), ..self.current.clone() })
    }

    fn prepare(&mut self, mut to: TransitMetadata) -> TransitMetadata {
        assert!(self.pending_state.is_none(), "invariant: one transition at a time");
        assert!(to.producer_id >= 0, "invariant: a transactional id has a producer id");
        let has_epoch = to.producer_epoch >= 0 || to.state == TransactionState::Dead;
        assert!(has_epoch, "invariant: whoever is given a producer id has an epoch");
        assert!(is_legal(self.state, to.state), "invariant: transactions change as is_legal says");
        to.prev_producer_id = self.producer_id;
        self.pending_state = Some(to.state);
        to
    }

    /// The epoch fence makes way for PrepareAbort. Below version 2 the raised epoch is taken over here.
    pub(super) fn yield_to_abort(&mut self, producer_epoch: Option<ProducerEpoch>) {
        self.pending_state = None;
        if let Some(epoch) = producer_epoch {
            (self.current.producer_epoch, self.current.last_producer_epoch) = (epoch, -1);
        }
    }

    /// The pending transition was not written.
    pub fn give_up(&mut self) {
        self.pending_state = None;
    }

    /// The same, of one that raised the epoch below version 2.
    pub fn epoch_fence_failed(&mut self) {
        self.has_failed_epoch_fence = true;
    }

    /// The pending transition is committed.
    pub fn complete(&mut self, to: TransitMetadata) {
        assert!(self.pending_state == Some(to.state), "invariant: what completes is what was prepared");
        assert!(self.may_complete(&to), "invariant: a transition changes what is its own to change");
        self.pending_state = None;
        self.current = to;
    }

    fn may_complete(&self, to: &TransitMetadata) -> bool {
        use TransactionState as S;
        let same_timeout = self.timeout == to.timeout;
        match to.state {
            S::Empty => {
                let next = to.producer_epoch == self.producer_epoch + 1
                    || (to.producer_epoch == 0 && to.producer_id != self.producer_id);
                (to.producer_epoch == self.producer_epoch || next) && to.partitions.is_empty() && to.start_ms == -1
            }
            S::Ongoing => {
                let all = self.partitions.iter().all(|partition| to.partitions.contains(partition));
                self.epoch_follows(to) && all && same_timeout
            }
            S::PrepareCommit | S::PrepareAbort => {
                let without_transaction = to.state == S::PrepareAbort
                    && supports_epoch_bump(to.transaction_version)
                    && self.state != S::Ongoing;
                let same_start = self.start_ms == to.start_ms || without_transaction;
                self.epoch_follows(to) && self.partitions == to.partitions && same_timeout && same_start
            }
            S::CompleteCommit | S::CompleteAbort => self.epoch_follows(to) && same_timeout && to.start_ms != -1,
            S::Dead | S::PrepareEpochFence => false,
        }
    }

    fn epoch_follows(&self, to: &TransitMetadata) -> bool {
        use TransactionState as S;
        let bumps = supports_epoch_bump(to.transaction_version);
        match to.state {
            S::CompleteCommit | S::CompleteAbort if bumps && to.producer_epoch == 0 => {
                to.last_producer_epoch == self.last_producer_epoch && to.prev_producer_id == self.producer_id
            }
            S::PrepareCommit | S::PrepareAbort if bumps => {
                to.last_producer_epoch == self.producer_epoch && to.producer_id == self.producer_id
            }
            _ => to.producer_epoch == self.producer_epoch && to.producer_id == self.producer_id,
        }
    }
}
