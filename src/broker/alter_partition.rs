//! ISR changes on their way to the controller (Kafka's `DefaultAlterPartitionManager`).
//!
//! Invariants: one AlterPartition request in flight per broker, with everything that waits in it; at most one wish per
//! partition. After an error of the whole request it is sent again in 50 ms.

use super::controller_channel::ControllerChannel;
use crate::base::{BrokerId, Duration, SortedMap, Time, TopicPartition};
use crate::node::{BrokerTimer, Outbox, Timer};
use crate::protocol::{
    AlterPartition, AlterPartitionRequest, AlterPartitionResponse, AlterPartitionResult, ErrorCode, Request,
};

const RETRY_BACKOFF: Duration = Duration::from_millis(50);

/// The wishes of this broker's leaders.
#[derive(Clone, Hash, Debug)]
pub struct AlterPartitionManager {
    unsent: SortedMap<TopicPartition, AlterPartition>,
    in_flight: bool,
    /// To the controller.
    pub channel: ControllerChannel,
}

impl AlterPartitionManager {
    /// Nothing to wish for.
    pub fn new(channel: ControllerChannel) -> Self {
        AlterPartitionManager { unsent: SortedMap::new(), in_flight: false, channel }
    }

    /// Takes a wish; false if another one for the partition is still open (`OPERATION_NOT_ATTEMPTED`).
    pub fn submit(&mut self, wish: AlterPartition) -> bool {
        let vacant = !self.unsent.contains_key(&wish.partition);
        if vacant {
            self.unsent.insert(wish.partition, wish);
        }
        vacant
    }

    /// Sends what waits, if nothing is in flight.
    pub fn propagate(&mut self, now: Time, broker: BrokerId, broker_epoch: i64, out: &mut Outbox<'_>) {
        if self.unsent.is_empty() || self.in_flight {
            return;
        }
        self.in_flight = true;
        let partitions = self.unsent.values().cloned().collect();
        let request = AlterPartitionRequest { broker, broker_epoch, partitions };
        self.channel.send(now, Request::AlterPartition(request), out);
    }

    /// The answer: each wish with what became of it. The request stays in flight until [`Self::finish`], so that wishes
    /// made meanwhile wait.
    pub fn answered(
        &mut self,
        request: AlterPartitionRequest,
        response: AlterPartitionResponse,
    ) -> Vec<(AlterPartition, AlterPartitionResult)> {
        if response.error.is_error() {
            return Vec::new();
        }
        let mut results = response.partitions;
        let answered = request.partitions.into_iter().filter_map(|wish| {
            let at = results.iter().position(|result| result.partition == wish.partition)?;
            self.unsent.remove(&wish.partition);
            Some((wish, results.swap_remove(at)))
        });
        answered.collect()
    }

    /// The answer has been dealt with.
    pub fn finish(&mut self, now: Time, error: ErrorCode, broker: BrokerId, broker_epoch: i64, out: &mut Outbox<'_>) {
        self.in_flight = false;
        if error.is_error() {
            out.set_timer(Timer::Broker(BrokerTimer::AlterPartition), now + RETRY_BACKOFF);
        } else {
            self.propagate(now, broker, broker_epoch, out);
        }
    }
}
