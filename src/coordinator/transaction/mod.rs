//! Transactions: one state machine for each transactional id, and its records in `__transaction_state`.
//!
//! ```text
//! metadata    what is known of a transactional id, and the transitions it can make
//! requests    what producers and brokers ask for: a producer id, partitions in a transaction
//! end_txn     commit and abort, in both versions
//! records     the bytes in __transaction_state
//! ```
//!
//! Invariant: a request changes nothing but the *pending* state, and returns the transition to be written; when that is
//! committed the transition completes. Who meets a pending state is told `CONCURRENT_TRANSACTIONS`. A coordinator that takes
//! over starts from the records alone, so what was pending is gone.
//!
//! In Kafka: `TransactionMetadata`, `TransactionCoordinator`, `TransactionLog`. Departure: partitions are known by the id of
//! their topic, not by its name, so a topic that was created anew under an old name is no part of an old transaction.

mod end_txn;
mod metadata;
mod records;
mod requests;

pub use end_txn::{EndOfTransaction, Ended};
pub use metadata::{TransactionMetadata, TransitMetadata, is_legal};
pub use records::{TransactionLogValue, read_key, transaction_record, transaction_tombstone};
pub use requests::ExpectedProducer;
