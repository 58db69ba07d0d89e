//! The requests of producers and brokers: found invalid and answered at once, or turned into a transition to be written.

use super::append::{Addition, Asker, Then, answer_end, respond};
use super::{Host, TransactionCoordinator};
use crate::base::{Duration, TopicPartition};
use crate::coordinator::transaction::{EndOfTransaction, Ended, ExpectedProducer, TransactionMetadata};
use crate::metadata::{CONSUMER_OFFSETS_TOPIC, MetadataImage, coordinator_partition};
use crate::node::{Channel, RequestContext};
use crate::protocol::{
    AddOffsetsToTxnRequest, AddOffsetsToTxnResponse, AddPartitionsToTxn, AddPartitionsToTxnRequest,
    AddPartitionsToTxnResponse, AddPartitionsToTxnResult, EndTxnRequest, ErrorCode, InitProducerIdRequest,
    InitProducerIdResponse, Response, TransactionState,
};
use std::rc::Rc;

/// What becomes of a request that is not answered at once.
type Handled<T> = Result<T, ErrorCode>;

impl TransactionCoordinator {
    /// Handles InitProducerId with a transactional id.
    pub fn init_producer_id(
        &mut self,
        context: RequestContext,
        request: &InitProducerIdRequest,
        host: &mut Host<'_, '_>,
    ) {
        let Some(transactional_id) = &request.transactional_id else { return };
        if let Err(error) = self.try_init(context, transactional_id, request, host) {
            let response = InitProducerIdResponse { error, producer_id: -1, producer_epoch: -1 };
            respond(context, Response::InitProducerId(response), host);
        }
    }

    fn try_init(
        &mut self,
        context: RequestContext,
        transactional_id: &Rc<str>,
        request: &InitProducerIdRequest,
        host: &mut Host<'_, '_>,
    ) -> Handled<()> {
        let expected = expected_producer(request)?;
        if transactional_id.is_empty() {
            return Err(ErrorCode::InvalidRequest);
        }
        let timeout = request.transaction_timeout;
        if timeout == Duration::ZERO || timeout > host.ctx.config.transaction_max_timeout_ms {
            return Err(ErrorCode::InvalidTransactionTimeout);
        }
        let shard = self.place(transactional_id, host.ctx.image)?;
        let now_ms = host.now_ms();
        if self.metadata_mut(shard, transactional_id).is_none() {
            let producer_id = host.new_producer_id()?;
            let metadata = TransactionMetadata::new(transactional_id.clone(), producer_id, timeout, now_ms);
            if let Some(shard) = self.shard_mut(shard) {
                shard.transactions.insert(transactional_id.clone(), metadata);
            }
        }
        let metadata = self.metadata_mut(shard, transactional_id).ok_or(ErrorCode::NotCoordinator)?;
        let to = metadata.init_producer_id(expected, timeout, now_ms, || host.new_producer_id())?;
        if to.state != TransactionState::PrepareEpochFence {
            self.write(shard, transactional_id, to, Then::InitProducerId(context), host);
            return Ok(());
        }
        let end = self.fencing_abort(to.producer_id, to.producer_epoch, host);
        self.end(transactional_id, end, Asker::InitProducerId(context), host);
        Ok(())
    }

    /// The end of a transaction whose producer the coordinator has prepared to fence.
    pub(super) fn fencing_abort(&self, producer_id: i64, producer_epoch: i16, host: &Host<'_, '_>) -> EndOfTransaction {
        let transaction_version = u8::try_from(host.ctx.config.transaction_version).unwrap_or(2);
        EndOfTransaction { producer_id, producer_epoch, committed: false, from_client: false, transaction_version }
    }

    /// Handles AddPartitionsToTxn, of a client or of a broker.
    pub fn add_partitions(
        &mut self,
        context: RequestContext,
        request: &AddPartitionsToTxnRequest,
        host: &mut Host<'_, '_>,
    ) {
        let number = self.next_addition;
        self.next_addition += 1;
        let unanswered = |asked: &AddPartitionsToTxn| AddPartitionsToTxnResult {
            transactional_id: asked.transactional_id.clone(),
            partitions: asked.failed(ErrorCode::None),
        };
        let results: Vec<AddPartitionsToTxnResult> = request.transactions.iter().map(unanswered).collect();
        // One more than there are, so that it is not over before all have been looked at.
        let missing = results.len() + 1;
        self.additions.insert(number, Addition { context, results, missing });
        // Only brokers use the versions from 4 on; of them only those whose clients leave the adding to them do not verify.
        let transaction_version = if context.connection.channel == Channel::Transactions { 2 } else { 0 };
        for (at, asked) in request.transactions.iter().enumerate() {
            if let Some(partitions) = missing_partitions(asked, host.ctx.image) {
                self.add_result(number, at, partitions, host);
            } else if asked.verify_only {
                let verified = self.verify(asked, host).unwrap_or_else(|error| asked.failed(error));
                self.add_result(number, at, verified, host);
            } else {
                let (id, partitions) = (&asked.transactional_id, asked.partitions.as_slice());
                let producer =
                    ExpectedProducer { producer_id: asked.producer_id, producer_epoch: asked.producer_epoch };
                let then = Then::AddPartitions(number, at);
                if let Err(error) = self.add(id, producer, partitions, transaction_version, then, host) {
                    self.added(number, at, error, host);
                }
            }
        }
        self.finish_addition(number, host);
    }

    fn verify(
        &self,
        asked: &AddPartitionsToTxn,
        host: &Host<'_, '_>,
    ) -> Result<Vec<(TopicPartition, ErrorCode)>, ErrorCode> {
        let id = &asked.transactional_id;
        if id.is_empty() {
            return Err(ErrorCode::InvalidRequest);
        }
        let shard = self.place(id, host.ctx.image)?;
        let metadata = self.shards.get(&shard).and_then(|shard| shard.transactions.get(id));
        let metadata = metadata.ok_or(ErrorCode::InvalidProducerIdMapping)?;
        metadata.verify_partitions(asked.producer_id, asked.producer_epoch, &asked.partitions)
    }

    /// Adds partitions; an error, `NONE` among them, is to be answered at once.
    fn add(
        &mut self,
        transactional_id: &Rc<str>,
        producer: ExpectedProducer,
        partitions: &[TopicPartition],
        transaction_version: u8,
        then: Then,
        host: &mut Host<'_, '_>,
    ) -> Handled<()> {
        if transactional_id.is_empty() {
            return Err(ErrorCode::InvalidRequest);
        }
        let shard = self.place(transactional_id, host.ctx.image)?;
        let metadata = self.metadata_mut(shard, transactional_id).ok_or(ErrorCode::InvalidProducerIdMapping)?;
        let (now_ms, ExpectedProducer { producer_id, producer_epoch }) = (host.now_ms(), producer);
        let added = metadata.add_partitions(producer_id, producer_epoch, partitions, now_ms, transaction_version)?;
        let to = added.ok_or(ErrorCode::None)?;
        self.write(shard, transactional_id, to, then, host);
        Ok(())
    }

    /// A transaction of an AddPartitionsToTxn request has its answer.
    pub(super) fn added(&mut self, number: u64, at: usize, error: ErrorCode, host: &mut Host<'_, '_>) {
        let Some(addition) = self.additions.get(&number) else { return };
        let partitions = addition.results[at].partitions.iter().map(|(partition, _)| (*partition, error)).collect();
        self.add_result(number, at, partitions, host);
    }

    fn add_result(
        &mut self,
        number: u64,
        at: usize,
        partitions: Vec<(TopicPartition, ErrorCode)>,
        host: &mut Host<'_, '_>,
    ) {
        if let Some(addition) = self.additions.get_mut(&number) {
            addition.results[at].partitions = partitions;
            self.finish_addition(number, host);
        }
    }

    fn finish_addition(&mut self, number: u64, host: &mut Host<'_, '_>) {
        let Some(addition) = self.additions.get_mut(&number) else { return };
        addition.missing -= 1;
        if addition.missing == 0
            && let Some(Addition { context, results, .. }) = self.additions.remove(&number)
        {
            let response = AddPartitionsToTxnResponse { error: ErrorCode::None, transactions: results };
            respond(context, Response::AddPartitionsToTxn(response), host);
        }
    }

    /// Handles AddOffsetsToTxn: the group's partition of `__consumer_offsets` joins the transaction.
    pub fn add_offsets(&mut self, context: RequestContext, request: &AddOffsetsToTxnRequest, host: &mut Host<'_, '_>) {
        let id = &request.transactional_id;
        let producer = ExpectedProducer { producer_id: request.producer_id, producer_epoch: request.producer_epoch };
        let then = Then::AddOffsets(context);
        let added = match partition_of_group(&request.group, host.ctx.image) {
            Some(partition) => self.add(id, producer, &[partition], 0, then, host),
            // Kafka adds a partition that does not exist; here it could not be named, and has to be made first.
            None => self.check_writer(id, producer, host).and(Err(ErrorCode::CoordinatorNotAvailable)),
        };
        if let Err(error) = added {
            respond(context, Response::AddOffsetsToTxn(AddOffsetsToTxnResponse { error }), host);
        }
    }

    /// May this producer add something to the transaction now?
    fn check_writer(&mut self, id: &Rc<str>, producer: ExpectedProducer, host: &mut Host<'_, '_>) -> Handled<()> {
        if id.is_empty() {
            return Err(ErrorCode::InvalidRequest);
        }
        let shard = self.place(id, host.ctx.image)?;
        let metadata = self.metadata_mut(shard, id).ok_or(ErrorCode::InvalidProducerIdMapping)?;
        if metadata.pending_state.is_some() {
            return Err(ErrorCode::ConcurrentTransactions);
        }
        metadata.verify_partitions(producer.producer_id, producer.producer_epoch, &[]).map(drop)
    }

    /// Handles EndTxn.
    pub fn end_txn(&mut self, context: RequestContext, request: &EndTxnRequest, host: &mut Host<'_, '_>) {
        let end = EndOfTransaction {
            producer_id: request.producer_id,
            producer_epoch: request.producer_epoch,
            committed: request.committed,
            from_client: true,
            transaction_version: if request.transaction_v2 { 2 } else { 0 },
        };
        self.end(&request.transactional_id, end, Asker::EndTxn(context), host);
    }

    /// Ends a transaction, whoever wants it.
    pub(super) fn end(
        &mut self,
        transactional_id: &Rc<str>,
        end: EndOfTransaction,
        asker: Asker,
        host: &mut Host<'_, '_>,
    ) {
        match self.try_end(transactional_id, end, host) {
            Ok((shard, Ended::Write(to, fenced))) => {
                self.write(shard, transactional_id, to, Then::End(end, asker, fenced), host);
            }
            Ok((_, Ended::Already(producer_id, epoch))) => answer_end(asker, Ok((producer_id, epoch)), host),
            Err(error) => answer_end(asker, Err(error), host),
        }
    }

    fn try_end(
        &mut self,
        transactional_id: &Rc<str>,
        end: EndOfTransaction,
        host: &mut Host<'_, '_>,
    ) -> Handled<(TopicPartition, Ended)> {
        if transactional_id.is_empty() {
            return Err(ErrorCode::InvalidRequest);
        }
        let shard = self.place(transactional_id, host.ctx.image)?;
        let metadata = self.metadata_mut(shard, transactional_id).ok_or(ErrorCode::InvalidProducerIdMapping)?;
        let now_ms = host.now_ms();
        Ok((shard, metadata.end(end, now_ms, || host.new_producer_id())?))
    }
}

/// Both, or neither.
fn expected_producer(request: &InitProducerIdRequest) -> Handled<Option<ExpectedProducer>> {
    match (request.producer_id, request.producer_epoch) {
        (-1, -1) => Ok(None),
        (-1, _) | (_, -1) => Err(ErrorCode::InvalidRequest),
        (producer_id, producer_epoch) => Ok(Some(ExpectedProducer { producer_id, producer_epoch })),
    }
}

/// If one partition does not exist, none is added (`KafkaApis.handleAddPartitionsToTxnRequest`).
fn missing_partitions(asked: &AddPartitionsToTxn, image: &MetadataImage) -> Option<Vec<(TopicPartition, ErrorCode)>> {
    let exists = |partition: &TopicPartition| image.partition(*partition).is_some();
    if asked.partitions.iter().all(exists) {
        return None;
    }
    let error = |partition: &TopicPartition| match exists(partition) {
        true => (*partition, ErrorCode::OperationNotAttempted),
        false => (*partition, ErrorCode::UnknownTopicOrPartition),
    };
    Some(asked.partitions.iter().map(error).collect())
}

fn partition_of_group(group: &str, image: &MetadataImage) -> Option<TopicPartition> {
    let topic = image.topic_id(CONSUMER_OFFSETS_TOPIC)?;
    Some(TopicPartition::new(topic, coordinator_partition(group, image.partition_count(topic))))
}
