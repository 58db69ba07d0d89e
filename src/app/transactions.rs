//! What programs do about the exceptions of a transactional producer, and how they choose their `transactional.id`.
//!
//! In Kafka: the example in the documentation of `KafkaProducer`, and `ExactlyOnceMessageProcessor`.

use crate::base::config::ProducerConfig;
use crate::client::Producer;
use crate::client::producer::{State, TransactionManager};
use crate::node::{ClientError, Outbox};
use std::rc::Rc;

/// What is left to do after an exception.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Recovery {
    /// The same call again: it is not known yet how it ends.
    Retry,
    /// `abortTransaction()`, then all of it once more.
    Abort,
    /// The producer is of no use any more: close it and stop.
    Stop,
}

/// `settled_elsewhere`: the call was one whose end the client goes on to find out (`initTransactions()`, `commitTransaction()`,
/// `abortTransaction()`), so that after a timeout only the same call may follow.
pub(super) fn after_exception(client: &Producer, settled_elsewhere: bool, error: &ClientError) -> Recovery {
    match client.transaction_manager().map(TransactionManager::state) {
        _ if settled_elsewhere && *error == ClientError::Timeout => Recovery::Retry,
        // Should it be fenced, the next call will say so.
        _ if *error == ClientError::Timeout => Recovery::Abort,
        Some(State::InTransaction | State::AbortableError(_)) => Recovery::Abort,
        _ => Recovery::Stop,
    }
}

/// Why a `send()` was refused: the transaction had failed before.
pub(super) fn transaction_error(client: &Producer) -> Option<ClientError> {
    client.transaction_manager()?.state().error().cloned()
}

/// What stands for a number drawn at each start of the process.
const RANDOM_UUID: &str = "${random.uuid}";

/// The settings with which a process starts: `${random.uuid}` in `transactional.id` is replaced (as Spring does it).
pub(super) fn settings(config: &ProducerConfig, out: &mut Outbox<'_>) -> ProducerConfig {
    let mut config = config.clone();
    if let Some(id) = config.transactional_id.as_mut().filter(|id| id.contains(RANDOM_UUID)) {
        let (high, low) = (out.random().next_u64(), out.random().next_u64());
        // Version 4, variant 1.
        let (high, low) = (high & !0xf000 | 0x4000, low & (u64::MAX >> 2) | 1 << 63);
        let (a, b, c) = (high >> 32, high >> 16 & 0xffff, high & 0xffff);
        let uuid = format!("{a:08x}-{b:04x}-{c:04x}-{:04x}-{:012x}", low >> 48, low & 0xffff_ffff_ffff);
        *id = Rc::from(id.replace(RANDOM_UUID, &uuid));
    }
    config
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Prng;

    #[test]
    fn a_random_transactional_id_is_drawn_at_each_start() {
        let mut random = Prng::split(1, "node");
        let mut draw = |id: &str| {
            let config = ProducerConfig { transactional_id: Some(id.into()), ..ProducerConfig::default() };
            let id = settings(&config, &mut Outbox::new(&mut Vec::new(), &mut random)).transactional_id;
            id.expect("it was set").to_string()
        };
        assert_eq!(draw("billing-1"), "billing-1");
        let (one, other) = (draw("tx-${random.uuid}"), draw("tx-${random.uuid}"));
        assert_ne!(one, other);
        let parts: Vec<usize> = one.split('-').map(str::len).collect();
        assert_eq!(parts, [2, 8, 4, 4, 4, 12]);
        assert_eq!(&one[17..18], "4", "{one}");
    }
}
