//! What an administrator asks about transactions: DescribeTransactions, ListTransactions.
//!
//! Departure: of the regular expressions that ListTransactions may carry (KIP-1152, Java's), only those are understood that
//! consist of plain characters, `.` and `.*`; others are refused with `INVALID_REGULAR_EXPRESSION`, for a whole engine of them
//! would weigh more than it teaches.

use super::{Host, TransactionCoordinator};
use crate::base::Duration;
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
        if pattern.is_some_and(|pattern| !is_simple(pattern)) {
            let error = ErrorCode::InvalidRegularExpression;
            return ListTransactionsResponse { error, unknown_states: Vec::new(), ..response };
        }
        let now_ms = host.now_ms();
        let wanted = |metadata: &TransactionMetadata| {
            (request.producer_ids.is_empty() || request.producer_ids.contains(&metadata.producer_id))
                && (request.states.is_empty() || states.contains(&metadata.state))
                && (request.duration < 0 || now_ms - metadata.start_ms > request.duration)
                && pattern.is_none_or(|pattern| matches(pattern.as_bytes(), metadata.transactional_id.as_bytes()))
        };
        let found = self.transactions().map(|(_, metadata)| metadata).filter(|metadata| wanted(metadata));
        response.transactions = found.map(|it| (it.transactional_id.clone(), it.producer_id, it.state)).collect();
        response
    }
}

/// Only plain characters, `.` and `.*`.
fn is_simple(pattern: &str) -> bool {
    pattern.is_ascii()
        && !pattern.contains(['\\', '[', ']', '(', ')', '{', '}', '+', '?', '|', '^', '$'])
        && pattern.match_indices('*').all(|(at, _)| pattern[..at].ends_with('.'))
}

/// Does all of the text match a simple pattern?
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern, text) {
        ([b'.', b'*', rest @ ..], _) => (0..=text.len()).any(|skipped| matches(rest, &text[skipped..])),
        ([wanted, pattern @ ..], [found, text @ ..]) => (*wanted == b'.' || wanted == found) && matches(pattern, text),
        ([], []) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn simple_patterns_match_whole_ids() {
        let cases = [
            ("billing", "billing", true),
            ("billing", "billing-1", false),
            ("billing.*", "billing-1", true),
            (".*-1", "billing-1", true),
            ("b.lling-.", "billing-1", true),
            (".*x.*", "billing-1", false),
        ];
        for (pattern, text, expected) in cases {
            assert!(is_simple(pattern));
            assert_eq!(matches(pattern.as_bytes(), text.as_bytes()), expected, "{pattern} {text}");
        }
        for refused in ["a*", "(a", "a|b", "a+", "[ab]", "\\d"] {
            assert!(!is_simple(refused), "{refused}");
        }
    }
}
