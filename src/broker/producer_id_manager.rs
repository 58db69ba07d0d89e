//! Producer ids for idempotent producers, in blocks from the controller (Kafka's `RPCProducerIdManager`).
//!
//! Invariant: ids of a block are handed out once, in order. When 90% of a block are gone the next is asked for; when
//! there is none left the answer is `COORDINATOR_LOAD_IN_PROGRESS`, and the client tries again.

use crate::base::{Duration, ProducerId, Time};
use crate::protocol::{AllocateProducerIdsResponse, ErrorCode, InitProducerIdRequest, InitProducerIdResponse};

const RETRY_BACKOFF: Duration = Duration::from_millis(50);

/// The ids this process may hand out.
#[derive(Clone, Hash, Debug, Default)]
pub struct ProducerIdManager {
    current: Block,
    next: Option<Block>,
    in_flight: bool,
    not_before: Option<Time>,
}

#[derive(Clone, Copy, Hash, Debug, Default)]
struct Block {
    first: ProducerId,
    size: u32,
    used: u32,
}

impl Block {
    fn claim(&mut self) -> Option<ProducerId> {
        let id = self.first + i64::from(self.used);
        (self.used < self.size).then(|| {
            self.used += 1;
            id
        })
    }

    fn prefetch_at(self) -> ProducerId {
        self.first + i64::from(self.size) * 9 / 10
    }
}

impl ProducerIdManager {
    /// Answers InitProducerId of a merely idempotent producer, and says whether to ask the controller for a block now.
    pub fn init(&mut self, now: Time, request: &InitProducerIdRequest) -> (InitProducerIdResponse, bool) {
        let failed = |error| InitProducerIdResponse { error, producer_id: -1, producer_epoch: -1 };
        if (request.producer_id == -1) != (request.producer_epoch == -1) {
            return (failed(ErrorCode::InvalidRequest), false);
        }
        let (generated, ask) = self.generate(now);
        let granted = |producer_id| InitProducerIdResponse { error: ErrorCode::None, producer_id, producer_epoch: 0 };
        (generated.map_or_else(failed, granted), ask)
    }

    /// A new id, and whether to ask the controller for a block now.
    pub fn generate(&mut self, now: Time) -> (Result<ProducerId, ErrorCode>, bool) {
        if self.current.used == self.current.size
            && let Some(next) = self.next.take()
        {
            self.current = next;
            self.in_flight = false;
        }
        match self.current.claim() {
            Some(producer_id) => {
                let ask = producer_id == self.current.prefetch_at() && self.may_ask(now);
                (Ok(producer_id), ask)
            }
            None => (Err(ErrorCode::CoordinatorLoadInProgress), self.may_ask(now)),
        }
    }

    fn may_ask(&mut self, now: Time) -> bool {
        let ask = !self.in_flight && self.next.is_none() && self.not_before.is_none_or(|time| now >= time);
        self.in_flight |= ask;
        ask
    }

    /// The controller answered.
    pub fn allocated(&mut self, now: Time, response: &AllocateProducerIdsResponse) {
        let last = self.current.first + i64::from(self.current.size) - 1;
        if response.error.is_error() || response.producer_id_start <= last {
            return self.failed(now);
        }
        self.next = Some(Block { first: response.producer_id_start, size: response.producer_id_len, used: 0 });
        self.not_before = None;
    }

    /// The controller could not be asked, or refused.
    pub fn failed(&mut self, now: Time) {
        self.in_flight = false;
        self.not_before = Some(now + RETRY_BACKOFF);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn idempotent() -> InitProducerIdRequest {
        let timeout = Duration::from_millis(60_000);
        InitProducerIdRequest {
            transactional_id: None,
            transaction_timeout: timeout,
            producer_id: -1,
            producer_epoch: -1,
        }
    }

    fn block(first: ProducerId) -> AllocateProducerIdsResponse {
        AllocateProducerIdsResponse { error: ErrorCode::None, producer_id_start: first, producer_id_len: 1_000 }
    }

    #[test]
    fn an_empty_block_answers_load_in_progress_and_asks_once() {
        let mut ids = ProducerIdManager::default();
        let (response, ask) = ids.init(Time(0), &idempotent());
        assert_eq!((response.error, ask), (ErrorCode::CoordinatorLoadInProgress, true));
        assert!(!ids.init(Time(1), &idempotent()).1, "one request at a time");
        ids.failed(Time(2));
        assert!(!ids.init(Time(3), &idempotent()).1, "backs off");
        assert!(ids.init(Time(2) + RETRY_BACKOFF, &idempotent()).1);
        ids.allocated(Time(60_000), &block(2_000));
        assert_eq!(ids.init(Time(60_000), &idempotent()).0.producer_id, 2_000);
    }

    #[test]
    fn the_next_block_is_fetched_at_ninety_percent() {
        let mut ids = ProducerIdManager::default();
        ids.init(Time(0), &idempotent());
        ids.allocated(Time(0), &block(0));
        let asked: Vec<ProducerId> = (0..1_000)
            .filter_map(|_| Some(ids.init(Time(0), &idempotent())).filter(|(_, ask)| *ask).map(|(r, _)| r.producer_id))
            .collect();
        assert_eq!(asked, [900]);
        ids.allocated(Time(0), &block(5_000));
        assert_eq!(ids.init(Time(0), &idempotent()).0.producer_id, 5_000);
    }
}
