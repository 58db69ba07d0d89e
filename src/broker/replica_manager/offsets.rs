//! ListOffsets and OffsetForLeaderEpoch.

use super::ReplicaManager;
use crate::base::BrokerId;
use crate::broker::context::Context;
use crate::protocol::{
    ErrorCode, ListOffsetsPartitionResponse, ListOffsetsRequest, ListOffsetsResponse, OffsetForLeaderEpochRequest,
    OffsetForLeaderEpochResponse, OffsetForLeaderEpochResult,
};

impl ReplicaManager {
    /// Answers ListOffsets.
    pub fn list_offsets(&self, request: &ListOffsetsRequest, ctx: &Context<'_, '_>) -> ListOffsetsResponse {
        let replica = request.replica != BrokerId::NONE;
        let one = |asked: &crate::protocol::ListOffsetsPartition| match self.partition(asked.partition) {
            Some(partition) => partition.list_offset(asked, replica, request.isolation),
            None => {
                let (partition, error) = (asked.partition, ctx.not_hosted(asked.partition));
                ListOffsetsPartitionResponse { partition, error, timestamp: -1, offset: -1, leader_epoch: -1 }
            }
        };
        ListOffsetsResponse { partitions: request.partitions.iter().map(one).collect() }
    }

    /// Answers OffsetForLeaderEpoch.
    pub fn offsets_for_leader_epoch(
        &self,
        request: &OffsetForLeaderEpochRequest,
        ctx: &Context<'_, '_>,
    ) -> OffsetForLeaderEpochResponse {
        let one = |asked: &crate::protocol::OffsetForLeaderEpochPartition| {
            let id = asked.partition;
            let found = match self.partition(id) {
                Some(partition) => partition.end_offset_for_epoch(asked.current_leader_epoch, asked.leader_epoch),
                None => Err(ctx.not_hosted(id)),
            };
            let (error, leader_epoch, end_offset) = match found {
                Ok(end) => (ErrorCode::None, end.epoch, end.end_offset),
                Err(error) => (error, -1, -1),
            };
            OffsetForLeaderEpochResult { partition: id, error, leader_epoch, end_offset }
        };
        OffsetForLeaderEpochResponse { partitions: request.partitions.iter().map(one).collect() }
    }
}
