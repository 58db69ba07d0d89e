//! DescribeProducers: who writes to a replica here, leader or not (`ReplicaManager.activeProducerState`).

use super::ReplicaManager;
use crate::base::{ProducerId, TopicPartition};
use crate::broker::context::Context;
use crate::log::ProducerEntry;
use crate::protocol::{
    ActiveProducer, DescribeProducersPartition, DescribeProducersRequest, DescribeProducersResponse, ErrorCode,
};

impl ReplicaManager {
    /// Answers DescribeProducers.
    pub fn describe_producers(
        &self,
        request: &DescribeProducersRequest,
        ctx: &Context<'_, '_>,
    ) -> DescribeProducersResponse {
        let one = |id: &TopicPartition| {
            let (error, producers) = match self.partition(*id) {
                Some(partition) => {
                    (ErrorCode::None, partition.log().producer_state().producers().map(active).collect())
                }
                None => (ctx.not_hosted(*id), Vec::new()),
            };
            DescribeProducersPartition { partition: *id, error, producers }
        };
        DescribeProducersResponse { partitions: request.partitions.iter().map(one).collect() }
    }
}

fn active((producer_id, entry): (ProducerId, &ProducerEntry)) -> ActiveProducer {
    ActiveProducer {
        producer_id,
        producer_epoch: entry.epoch,
        last_sequence: entry.last_sequence(),
        last_timestamp: entry.last_timestamp,
        coordinator_epoch: entry.coordinator_epoch,
        current_txn_start_offset: entry.current_txn_first_offset.unwrap_or(-1),
    }
}
