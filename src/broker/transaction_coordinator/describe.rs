//! What an administrator asks about transactions: DescribeTransactions, ListTransactions.

use super::{Host, TransactionCoordinator};
use crate::base::{Duration, Pattern};
use crate::coordinator::transaction::TransactionMetadata;
use crate::metadata::MetadataImage;
use crate::protocol::{
    DescribeTransactionsRequest, DescribeTransactionsResponse, ErrorCode, ListTransactionsRequest,
    ListTransactionsResponse, TransactionDescription, TransactionState,
};
use std::rc::Rc;

impl TransactionCoordinator {
    /// Answers DescribeTransactions.
    pub fn describe(
        &self,
        request: &DescribeTransactionsRequest,
        image: &MetadataImage,
    ) -> DescribeTransactionsResponse {
        let one = |id: &Rc<str>| match self.find(id, image) {
            Ok(metadata) => TransactionDescription {
                error: ErrorCode::None,
                transactional_id: id.clone(),
                state: Some(metadata.state),
                timeout: metadata.timeout,
                start_time: metadata.start_ms,
                producer_id: metadata.producer_id,
                producer_epoch: metadata.producer_epoch,
                partitions: metadata.partitions.to_vec(),
            },
            Err(error) => TransactionDescription {
                error,
                transactional_id: id.clone(),
                state: None,
                timeout: Duration::ZERO,
                start_time: 0,
                producer_id: 0,
                producer_epoch: 0,
                partitions: Vec::new(),
            },
        };
        DescribeTransactionsResponse { transactions: request.transactional_ids.iter().map(one).collect() }
    }

    fn find(&self, id: &str, image: &MetadataImage) -> Result<&TransactionMetadata, ErrorCode> {
        if id.is_empty() {
            return Err(ErrorCode::InvalidRequest);
        }
        let shard = self.place(id, image)?;
        let metadata = self.shards.get(&shard).and_then(|shard| shard.transactions.get(id));
        metadata.ok_or(ErrorCode::TransactionalIdNotFound)
    }

    /// Answers ListTransactions.
    pub fn list(&self, request: &ListTransactionsRequest, host: &Host<'_, '_>) -> ListTransactionsResponse {
        if !self.loading.is_empty() {
            let error = ErrorCode::CoordinatorLoadInProgress;
            return ListTransactionsResponse { error, unknown_states: Vec::new(), transactions: Vec::new() };
        }
        let state_of = |name: &Rc<str>| TransactionState::ALL.into_iter().find(|state| state.name() == &**name);
        let states: Vec<TransactionState> = request.states.iter().filter_map(state_of).collect();
        let mut response = ListTransactionsResponse {
            error: ErrorCode::None,
            unknown_states: request.states.iter().filter(|name| state_of(name).is_none()).cloned().collect(),
            transactions: Vec::new(),
        };
        let pattern = request.id_pattern.as_deref().filter(|pattern| !pattern.is_empty());
        let pattern = match pattern.map(Pattern::parse) {
            Some(None) => {
                let error = ErrorCode::InvalidRegularExpression;
                return ListTransactionsResponse { error, unknown_states: Vec::new(), ..response };
            }
            read => read.flatten(),
        };
        let now_ms = host.now_ms();
        let wanted = |metadata: &TransactionMetadata| {
            (request.producer_ids.is_empty() || request.producer_ids.contains(&metadata.producer_id))
                && (request.states.is_empty() || states.contains(&metadata.state))
                && (request.duration < 0 || now_ms - metadata.start_ms > request.duration)
                && pattern.as_ref().is_none_or(|pattern| pattern.matches(&metadata.transactional_id))
        };
        let found = self.transactions().map(|(_, metadata)| metadata).filter(|metadata| wanted(metadata));
        response.transactions = found.map(|it| (it.transactional_id.clone(), it.producer_id, it.state)).collect();
        response
    }
}
