//! ISR changes: propose, and deal with the controller's answer.

use super::{IsrChange, Partition, PendingIsr};
use crate::base::BrokerId;
use crate::broker::context::Context;
use crate::broker::replica::FollowerState;
use crate::node::Event;
use crate::protocol::{AlterPartition, AlterPartitionResult, BrokerState, ErrorCode, LeaderRecoveryState};
use std::rc::Rc;

/// What to do after the controller's answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answered {
    /// Nothing.
    Settled,
    /// The high watermark moved.
    Advanced,
    /// Send the same wish again.
    Retry,
}

impl Partition {
    /// A follower fetched: if it has caught up to the high watermark and to the start of this leader's epoch, and may be
    /// in sync, asks for it to join.
    pub(super) fn maybe_expand_isr(&mut self, broker: BrokerId, ctx: &mut Context<'_, '_>) -> Option<AlterPartition> {
        if !self.is_leader() || self.pending.is_some() || self.isr.contains(&broker) {
            return None;
        }
        let follower = self.follower(broker)?;
        if !self.is_isr_eligible(follower, ctx) || !self.has_reached_high_watermark(follower) {
            return None;
        }
        let proposed: Rc<[BrokerId]> = self.isr.iter().copied().chain([broker]).collect();
        let maximal = Rc::clone(&proposed);
        Some(self.propose(IsrChange::Expand(broker), proposed, maximal, ctx))
    }

    fn has_reached_high_watermark(&self, follower: &FollowerState) -> bool {
        let reached = follower.log_end_offset;
        reached >= self.log.high_watermark() && self.leader_epoch_start.is_some_and(|start| reached >= start)
    }

    /// Asks for followers to leave that have not caught up within `replica.lag.time.max.ms`.
    pub fn maybe_shrink_isr(&mut self, ctx: &mut Context<'_, '_>) -> Option<AlterPartition> {
        if !self.lags(ctx) {
            return None;
        }
        let late: Rc<[BrokerId]> = self.late_members(ctx).collect();
        let proposed = self.isr.iter().copied().filter(|broker| !late.contains(broker)).collect();
        let maximal = Rc::clone(&self.isr);
        Some(self.propose(IsrChange::Shrink(late), proposed, maximal, ctx))
    }

    /// Whether a follower ought to leave the ISR.
    pub fn lags(&self, ctx: &Context<'_, '_>) -> bool {
        self.is_leader() && self.pending.is_none() && self.late_members(ctx).next().is_some()
    }

    fn late_members(&self, ctx: &Context<'_, '_>) -> impl Iterator<Item = BrokerId> {
        let (log_end, max_lag, now) = (self.log.log_end_offset(), ctx.config.replica_lag_time_max_ms, ctx.now);
        let members = self.isr.iter().copied().filter(|broker| *broker != self.local);
        members
            .filter(move |broker| self.follower(*broker).is_none_or(|state| !state.is_caught_up(log_end, now, max_lag)))
    }

    fn propose(
        &mut self,
        change: IsrChange,
        proposed: Rc<[BrokerId]>,
        maximal: Rc<[BrokerId]>,
        ctx: &mut Context<'_, '_>,
    ) -> AlterPartition {
        let epoch_of = |broker| match self.follower(broker) {
            _ if broker == self.local => ctx.broker_epoch,
            Some(follower) => follower.broker_epoch.unwrap_or(-1),
            None => -1,
        };
        let wish = AlterPartition {
            partition: self.id,
            leader_epoch: self.leader_epoch,
            new_isr: proposed.iter().map(|id| BrokerState { broker: *id, epoch: epoch_of(*id) }).collect(),
            leader_recovery_state: LeaderRecoveryState::Recovered,
            partition_epoch: self.partition_epoch,
        };
        self.pending = Some(Rc::new(PendingIsr { change, maximal, wish: wish.clone() }));
        ctx.out.emit(Event::IsrProposed { partition: self.id, isr: proposed });
        wish
    }

    /// The wish could not even be queued: back to what is committed.
    pub fn not_attempted(&mut self) {
        self.pending = None;
    }

    /// The controller answered `wish`.
    pub fn on_alter_partition(
        &mut self,
        wish: &AlterPartition,
        result: &AlterPartitionResult,
        ctx: &mut Context<'_, '_>,
    ) -> Answered {
        if self.pending.as_ref().is_none_or(|pending| pending.wish != *wish) {
            // Newer metadata came in between: this answer is out of date.
            return Answered::Settled;
        }
        match result.error {
            ErrorCode::None => self.on_isr_committed(result, ctx),
            ErrorCode::OperationNotAttempted | ErrorCode::IneligibleReplica => {
                self.pending = None;
                Answered::Settled
            }
            // The controller knows better, and its metadata will tell; the change stays pending until then.
            ErrorCode::UnknownTopicOrPartition
            | ErrorCode::UnknownTopicId
            | ErrorCode::FencedLeaderEpoch
            | ErrorCode::InvalidUpdateVersion
            | ErrorCode::InvalidRequest
            | ErrorCode::NewLeaderElected => Answered::Settled,
            _ => Answered::Retry,
        }
    }

    fn on_isr_committed(&mut self, result: &AlterPartitionResult, ctx: &mut Context<'_, '_>) -> Answered {
        if result.leader_epoch != self.leader_epoch || result.partition_epoch < self.partition_epoch {
            return Answered::Settled;
        }
        self.isr = result.isr.as_slice().into();
        self.pending = None;
        self.partition_epoch = result.partition_epoch;
        self.emit_isr(ctx);
        if self.maybe_advance_high_watermark(ctx) { Answered::Advanced } else { Answered::Settled }
    }
}
