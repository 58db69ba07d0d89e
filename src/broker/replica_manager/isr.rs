//! ISR changes between partitions and the controller.

use super::ReplicaManager;
use crate::base::TopicPartition;
use crate::broker::context::Context;
use crate::broker::partition::{Answered, Partition};
use crate::protocol::{AlterPartition, AlterPartitionRequest, AlterPartitionResponse};
use std::rc::Rc;

impl ReplicaManager {
    /// Looks for followers that lag, every half `replica.lag.time.max.ms`.
    pub fn shrink_isrs(&mut self, ctx: &mut Context<'_, '_>) {
        let leaders: Vec<TopicPartition> = self
            .partitions
            .values()
            .filter(|partition| partition.is_leader())
            .map(|partition| partition.id())
            .collect();
        for id in leaders {
            if self.partition(id).is_some_and(|partition| partition.lags(ctx))
                && let Some(wish) = self.partition_mut(id).and_then(|partition| partition.maybe_shrink_isr(ctx))
            {
                self.submit(id, wish);
            }
        }
        self.propagate(ctx);
    }

    /// Hands a wish over to be sent.
    pub fn submit(&mut self, id: TopicPartition, wish: AlterPartition) {
        if !self.alter_partition.submit(wish)
            && let Some(partition) = self.partition_mut(id)
        {
            partition.not_attempted();
        }
    }

    /// Sends the wishes that wait.
    pub fn propagate(&mut self, ctx: &mut Context<'_, '_>) {
        self.alter_partition.propagate(ctx.now, ctx.id, ctx.broker_epoch, ctx.out);
    }

    /// The controller answered.
    pub fn on_alter_partition(
        &mut self,
        request: AlterPartitionRequest,
        response: AlterPartitionResponse,
        ctx: &mut Context<'_, '_>,
    ) {
        let error = response.error;
        for (wish, result) in self.alter_partition.answered(request, response) {
            let id = wish.partition;
            let Some(partition) = self.partitions.get_mut(&id) else { continue };
            match Rc::<Partition>::make_mut(partition).on_alter_partition(&wish, &result, ctx) {
                Answered::Settled => self.touch(id),
                Answered::Advanced => self.advanced(id, ctx),
                Answered::Retry => self.submit(id, wish),
            }
        }
        self.alter_partition.finish(ctx.now, error, ctx.id, ctx.broker_epoch, ctx.out);
    }
}
