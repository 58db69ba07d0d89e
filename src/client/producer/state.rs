//! The states of a producer's [`TransactionManager`](super::TransactionManager), and which may follow which.
//!
//! In Kafka: `TransactionManager.State`. On purpose different: `PREPARED_TRANSACTION` (two-phase commit, KIP-939) is
//! missing; Kafka's `INITIALIZING` is two states where the producer has no `transactional.id`.

use crate::base::Time;
use crate::node::ClientError;

/// How far the producer is with getting its id, and with its transaction.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum State {
    /// It has no id, and will ask, or `initTransactions()` was not called.
    Uninitialized,
    /// It asks, or will at this moment.
    Initializing {
        /// Later after an error; without meaning for a transactional producer.
        at: Time,
    },
    /// It asked (without a `transactional.id`).
    AwaitingProducerId,
    /// It has an id.
    Ready,
    /// It cannot go on: all that is left is to close it.
    FatalError(ClientError),
    /// Between `beginTransaction()` and its end.
    InTransaction,
    /// `commitTransaction()` is under way.
    CommittingTransaction,
    /// `abortTransaction()` is under way.
    AbortingTransaction,
    /// The transaction cannot be committed any more, only aborted.
    AbortableError(ClientError),
}

impl State {
    /// As Kafka spells it.
    pub const fn name(&self) -> &'static str {
        match self {
            State::Uninitialized => "UNINITIALIZED",
            State::Initializing { .. } | State::AwaitingProducerId => "INITIALIZING",
            State::Ready => "READY",
            State::InTransaction => "IN_TRANSACTION",
            State::CommittingTransaction => "COMMITTING_TRANSACTION",
            State::AbortingTransaction => "ABORTING_TRANSACTION",
            State::AbortableError(_) => "ABORTABLE_ERROR",
            State::FatalError(_) => "FATAL_ERROR",
        }
    }

    /// What went wrong, in the two states of error.
    pub fn error(&self) -> Option<&ClientError> {
        match self {
            State::AbortableError(error) | State::FatalError(error) => Some(error),
            _ => None,
        }
    }

    /// A commit or an abort is under way.
    pub fn is_completing(&self) -> bool {
        matches!(self, State::CommittingTransaction | State::AbortingTransaction)
    }

    /// Whether `target` may follow (`isTransitionValid`).
    pub(super) fn may_become(&self, target: &State) -> bool {
        use State::{AbortableError, AbortingTransaction, CommittingTransaction, InTransaction, Initializing, Ready};
        match target {
            State::Uninitialized => matches!(self, Ready | AbortableError(_)),
            Initializing { .. } | State::AwaitingProducerId => {
                matches!(self, State::Uninitialized | CommittingTransaction | AbortingTransaction)
            }
            Ready => matches!(self, Initializing { .. } | CommittingTransaction | AbortingTransaction),
            InTransaction => matches!(self, Ready),
            CommittingTransaction => matches!(self, InTransaction),
            AbortingTransaction => matches!(self, InTransaction | AbortableError(_)),
            AbortableError(_) => {
                matches!(self, InTransaction | CommittingTransaction | AbortableError(_) | Initializing { .. })
            }
            State::FatalError(_) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transitions_are_kafkas() {
        let error = || ClientError::Timeout;
        let all = [
            State::Uninitialized,
            State::Initializing { at: Time::ZERO },
            State::Ready,
            State::InTransaction,
            State::CommittingTransaction,
            State::AbortingTransaction,
            State::AbortableError(error()),
            State::FatalError(error()),
        ];
        let sources = |target: &State| -> Vec<&str> {
            all.iter().filter(|source| source.may_become(target)).map(State::name).collect()
        };
        let legal: Vec<(&str, Vec<&str>)> = all.iter().map(|target| (target.name(), sources(target))).collect();
        let everything: Vec<&str> = all.iter().map(State::name).collect();
        let (c, a) = ("COMMITTING_TRANSACTION", "ABORTING_TRANSACTION");
        let expected = [
            ("UNINITIALIZED", vec!["READY", "ABORTABLE_ERROR"]),
            ("INITIALIZING", vec!["UNINITIALIZED", c, a]),
            ("READY", vec!["INITIALIZING", c, a]),
            ("IN_TRANSACTION", vec!["READY"]),
            (c, vec!["IN_TRANSACTION"]),
            (a, vec!["IN_TRANSACTION", "ABORTABLE_ERROR"]),
            ("ABORTABLE_ERROR", vec!["INITIALIZING", "IN_TRANSACTION", c, "ABORTABLE_ERROR"]),
            ("FATAL_ERROR", everything),
        ];
        assert_eq!(legal, expected);
    }
}
