//! Writes within a transaction: before the first batch of a partition its coordinator is asked (KIP-890,
//! `maybeSendPartitionsToTransactionCoordinator`).
//!
//! A whole Produce request waits for the answer, as in Kafka, its other partitions too. The other kind of write, a group's
//! offsets (TxnOffsetCommit), goes back to the group coordinator with the answer.

use super::{CoordinatorNews, ReplicaManager};
use crate::base::{BrokerId, Time, TopicPartition};
use crate::broker::add_partitions_to_txn::{AddPartitionsToTxnManager, Verified};
use crate::broker::context::Context;
use crate::log::VerificationGuard;
use crate::metadata::{TRANSACTION_STATE_TOPIC, coordinator_partition};
use crate::node::{BrokerTimer, Outbox, RequestContext, Timer};
use crate::protocol::{AddPartitionsToTxn, ErrorCode, ProduceRequest, Response, TxnOffsetCommitRequest};
use crate::record::{NO_SEQUENCE, RecordBatch};
use std::hash::{Hash, Hasher};
use std::rc::Rc;

/// All that wait for transaction coordinators.
#[derive(Clone, Debug)]
pub(super) struct Verifications {
    coordinators: AddPartitionsToTxnManager<Pending>,
    /// Transactions whose end was not complete: asked again then.
    retries: Vec<(Time, PendingProduce)>,
    timer: Option<Time>,
}

/// May a partition's batch be appended, and with which guard?
pub type Check = Result<Option<VerificationGuard>, ErrorCode>;

/// What waits for a coordinator.
#[derive(Clone, Hash, Debug)]
enum Pending {
    Produce(PendingProduce),
    Offsets(Box<PendingOffsets>),
}

/// A TxnOffsetCommit that waits for the transaction's coordinator, or has its answer.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct PendingOffsets {
    /// Whom to answer.
    pub context: RequestContext,
    /// What it wants.
    pub request: TxnOffsetCommitRequest,
    /// May its batch be appended?
    pub check: Check,
}

/// A Produce that waits.
#[derive(Clone, Hash, Debug)]
pub(super) struct PendingProduce {
    context: RequestContext,
    request: ProduceRequest,
    /// In the order of the request.
    checks: Vec<Check>,
    since: Time,
}

/// Adds nothing while there never was a transaction, so that such runs keep the state hash that they always had.
impl Hash for Verifications {
    fn hash<H: Hasher>(&self, state: &mut H) {
        if !self.coordinators.is_new() {
            (&self.coordinators, &self.retries, self.timer).hash(state);
        }
    }
}

impl Verifications {
    pub(super) fn new() -> Self {
        Verifications { coordinators: AddPartitionsToTxnManager::new(), retries: Vec::new(), timer: None }
    }

    /// The timer is left alone if it is due earlier anyway.
    fn arm(&mut self, out: &mut Outbox<'_>) {
        let retries = self.retries.iter().map(|(due, _)| *due);
        if let Some(deadline) = retries.chain(self.coordinators.deadline()).min()
            && self.timer.is_none_or(|due| deadline < due)
        {
            self.timer = Some(deadline);
            out.set_timer(Timer::Broker(BrokerTimer::AddPartitionsToTxn), deadline);
        }
    }
}

impl ReplicaManager {
    /// Handles a Produce request with a batch of a transaction.
    pub(super) fn produce_in_transaction(
        &mut self,
        context: RequestContext,
        request: &ProduceRequest,
        ctx: &mut Context<'_, '_>,
    ) {
        let in_transaction = request.partitions.iter().map(|part| &part.batch).filter(|it| must_be_part(it));
        let mut producers = in_transaction.map(|batch| (batch.producer_id(), batch.producer_epoch()));
        let first = producers.next();
        // Nobody may write to a transaction without saying whose it is, or to two at once; then nothing is written.
        let refusal = if request.transactional_id.is_none() {
            Some(ErrorCode::TransactionalIdAuthorizationFailed)
        } else {
            producers.any(|other| Some(other) != first).then_some(ErrorCode::InvalidProducerIdMapping)
        };
        let checks = vec![refusal.map_or(Ok(None), Err); request.partitions.len()];
        if refusal.is_some() || !must_verify(request.transaction_v2, ctx) {
            return self.append_all(context, request, &checks, ctx);
        }
        self.verify(PendingProduce { context, request: request.clone(), checks, since: ctx.now }, ctx);
    }

    /// Asks the coordinator about the partitions that the transaction is not known to write to.
    fn verify(&mut self, mut pending: PendingProduce, ctx: &mut Context<'_, '_>) {
        let mut unknown = Vec::new();
        for (part, check) in pending.request.partitions.iter().zip(&mut pending.checks) {
            let (id, batch) = (part.partition, &part.batch);
            if !must_be_part(batch) {
                continue;
            }
            let (producer_id, epoch) = (batch.producer_id(), batch.producer_epoch());
            *check = match self.partition_mut(id) {
                None => Err(ctx.not_hosted_by_id(id)),
                Some(partition) if !partition.is_leader() => Err(ErrorCode::NotLeaderOrFollower),
                Some(partition) => partition.log_mut().start_verification(
                    producer_id,
                    batch.base_sequence(),
                    epoch,
                    pending.request.transaction_v2,
                    ctx.now,
                ),
            };
            if let Ok(Some(_)) = check {
                unknown.push((id, producer_id, epoch));
            }
        }
        let first = unknown.first().copied();
        let (Some((_, producer_id, producer_epoch)), Some(id)) = (first, pending.request.transactional_id.clone())
        else {
            return self.append_all(pending.context, &pending.request, &pending.checks, ctx);
        };
        let transaction = AddPartitionsToTxn {
            transactional_id: id,
            producer_id,
            producer_epoch,
            verify_only: !pending.request.transaction_v2,
            partitions: unknown.into_iter().map(|(id, ..)| id).collect(),
        };
        self.ask(transaction, Pending::Produce(pending), ctx);
    }

    /// May the offsets of a group be appended to its partition? None if the transaction's coordinator has to be asked: then
    /// the news are [`CoordinatorNews::Verified`]. Unlike Produce this is not tried again while another transaction of the
    /// producer is being ended.
    pub fn verify_offsets(
        &mut self,
        id: TopicPartition,
        context: RequestContext,
        request: &TxnOffsetCommitRequest,
        ctx: &mut Context<'_, '_>,
    ) -> Option<Check> {
        let TxnOffsetCommitRequest { producer_id, producer_epoch, transaction_v2, .. } = *request;
        if !must_verify(transaction_v2, ctx) {
            return Some(Ok(None));
        }
        let check = match self.partition_mut(id) {
            None => Err(ctx.not_hosted(id)),
            Some(partition) if !partition.is_leader() => Err(ErrorCode::NotLeaderOrFollower),
            Some(partition) => {
                let log = partition.log_mut();
                log.start_verification(producer_id, NO_SEQUENCE, producer_epoch, transaction_v2, ctx.now)
            }
        };
        if !matches!(check, Ok(Some(_))) {
            return Some(check);
        }
        let transaction = AddPartitionsToTxn {
            transactional_id: request.transactional_id.clone(),
            producer_id,
            producer_epoch,
            verify_only: !transaction_v2,
            partitions: vec![id],
        };
        let pending = PendingOffsets { context, request: request.clone(), check };
        self.ask(transaction, Pending::Offsets(Box::new(pending)), ctx);
        None
    }

    fn ask(&mut self, transaction: AddPartitionsToTxn, pending: Pending, ctx: &mut Context<'_, '_>) {
        let answered = match coordinator_of(&transaction.transactional_id, ctx) {
            Some(coordinator) => self.verifications.coordinators.add_or_verify(coordinator, transaction, pending),
            None => Some(Verified { errors: transaction.failed(ErrorCode::CoordinatorNotAvailable), waiting: pending }),
        };
        self.verified(answered, ctx);
    }

    /// Coordinators answered: appends what may be, and sends what waited for the answer.
    fn verified(&mut self, answers: impl IntoIterator<Item = Verified<Pending>>, ctx: &mut Context<'_, '_>) {
        for Verified { waiting, errors } in answers {
            match waiting {
                Pending::Produce(pending) => self.produce_verified(pending, &errors, ctx),
                Pending::Offsets(mut pending) => {
                    if let Some((_, error)) = errors.iter().find(|(_, error)| error.is_error()) {
                        pending.check = Err(*error);
                    }
                    self.coordinator_news.push(CoordinatorNews::Verified(pending));
                }
            }
        }
        self.verifications.coordinators.send(ctx.now, ctx.config.request_timeout_ms, ctx.out);
        self.verifications.arm(ctx.out);
    }

    fn produce_verified(
        &mut self,
        mut pending: PendingProduce,
        errors: &[(TopicPartition, ErrorCode)],
        ctx: &mut Context<'_, '_>,
    ) {
        let patience = ctx.config.add_partitions_to_txn_retry_backoff_max_ms.min(ctx.config.request_timeout_ms);
        let busy = errors.iter().any(|(_, error)| *error == ErrorCode::ConcurrentTransactions);
        let version_2 = pending.request.transaction_v2;
        if version_2 && busy && ctx.now < pending.since + patience {
            let due = ctx.now + ctx.config.add_partitions_to_txn_retry_backoff_ms;
            self.verifications.retries.push((due, pending));
            return;
        }
        for (part, check) in pending.request.partitions.iter().zip(&mut pending.checks) {
            let found = errors.iter().find(|(id, error)| *id == part.partition && error.is_error());
            if let Some((_, error)) = found {
                *check = Err(for_producers(*error, version_2));
            }
        }
        self.append_all(pending.context, &pending.request, &pending.checks, ctx);
    }

    /// A coordinator answered AddPartitionsToTxn.
    pub fn on_coordinator_response(
        &mut self,
        from: BrokerId,
        correlation: u32,
        response: Response,
        ctx: &mut Context<'_, '_>,
    ) {
        if let Response::AddPartitionsToTxn(response) = response {
            let answers = self.verifications.coordinators.answered(from, correlation, response);
            self.verified(answers, ctx);
        }
    }

    /// The connection to a coordinator broke.
    pub fn on_coordinator_disconnect(&mut self, coordinator: BrokerId, ctx: &mut Context<'_, '_>) {
        let failed = self.verifications.coordinators.disconnected(coordinator);
        self.verified(failed, ctx);
    }

    /// A coordinator was silent for too long, or is to be asked again.
    pub fn on_verification_timer(&mut self, ctx: &mut Context<'_, '_>) {
        self.verifications.timer = None;
        let expired = self.verifications.coordinators.expire(ctx.now, ctx.out);
        let (due, later) =
            std::mem::take(&mut self.verifications.retries).into_iter().partition(|(due, _)| *due <= ctx.now);
        self.verifications.retries = later;
        let due: Vec<(Time, PendingProduce)> = due;
        for (_, pending) in due {
            self.verify(pending, ctx);
        }
        self.verified(expired, ctx);
    }
}

/// A batch without a producer is nobody's, whatever its transactional bit says: Kafka appends it as any other.
fn must_be_part(batch: &RecordBatch) -> bool {
    batch.is_transactional() && batch.has_producer_id()
}

/// A write of version 2 adds its partition to the transaction; an older one only asks whether it was added, and that can be
/// switched off.
fn must_verify(transaction_v2: bool, ctx: &Context<'_, '_>) -> bool {
    transaction_v2 || ctx.config.transaction_partition_verification_enable
}

/// The leader of the transactional id's partition of `__transaction_state`, if it lives.
fn coordinator_of(id: &Rc<str>, ctx: &Context<'_, '_>) -> Option<BrokerId> {
    let topic = ctx.image.topic_id(TRANSACTION_STATE_TOPIC)?;
    let partition = TopicPartition::new(topic, coordinator_partition(id, ctx.image.partition_count(topic)));
    let leader = ctx.image.partition(partition)?.leader;
    ctx.alive_broker_epoch(leader).map(|_| leader)
}

/// What a producer learns. `NOT_ENOUGH_REPLICAS` makes old clients, too, try again without new metadata.
fn for_producers(error: ErrorCode, version_2: bool) -> ErrorCode {
    match error {
        ErrorCode::NetworkException
        | ErrorCode::CoordinatorLoadInProgress
        | ErrorCode::CoordinatorNotAvailable
        | ErrorCode::NotCoordinator => ErrorCode::NotEnoughReplicas,
        ErrorCode::ConcurrentTransactions if !version_2 => ErrorCode::NotEnoughReplicas,
        error => error,
    }
}
