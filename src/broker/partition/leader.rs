//! What a leader does with its log: appends and the high watermark.

use super::Partition;
use crate::base::{BrokerId, Offset, Time};
use crate::broker::context::Context;
use crate::broker::replica::FollowerState;
use crate::log::{AppendContext, AppendInfo};
use crate::node::Event;
use crate::protocol::{DeleteRecordsPartition, ErrorCode};
use crate::record::RecordBatch;

impl Partition {
    /// Appends as leader. With acks=−1 an ISR below the minimum refuses first, and nothing is appended. The second value
    /// says whether the high watermark moved.
    pub fn append_as_leader(
        &mut self,
        batch: &RecordBatch,
        acks: i16,
        context: AppendContext,
        ctx: &mut Context<'_, '_>,
    ) -> Result<(AppendInfo, bool), ErrorCode> {
        if !self.is_leader() {
            return Err(ErrorCode::NotLeaderOrFollower);
        }
        if acks == -1 && self.isr.len() < self.effective_min_isr() {
            return Err(ErrorCode::NotEnoughReplicas);
        }
        ctx.check_disk()?;
        let info = self.log.append_as_leader_with(batch.clone(), self.leader_epoch, context, ctx.now)?;
        let (partition, batch) = (self.id, info.batch.clone());
        ctx.out.emit(if info.duplicate {
            Event::DuplicateIgnored { partition, base_offset: info.first_offset, batch }
        } else {
            Event::Appended { partition, leader: true, batch }
        });
        let advanced = self.maybe_advance_high_watermark(ctx);
        Ok((info, advanced))
    }

    /// Moves the log start offset for DeleteRecords. Returns the offset asked for and the low watermark.
    pub fn delete_records(&mut self, offset: Offset, ctx: &mut Context<'_, '_>) -> Result<(Offset, Offset), ErrorCode> {
        if !self.is_leader() {
            return Err(ErrorCode::NotLeaderOrFollower);
        }
        if self.log.config().compact && !self.log.config().delete {
            return Err(ErrorCode::PolicyViolation);
        }
        let asked = match offset {
            DeleteRecordsPartition::HIGH_WATERMARK => self.log.high_watermark(),
            negative if negative < 0 => return Err(ErrorCode::OffsetOutOfRange),
            offset => offset,
        };
        if self.log.maybe_advance_log_start_offset(asked)? {
            self.emit_log_start(ctx);
        }
        Ok((asked, self.low_watermark(ctx)))
    }

    /// The smallest log start offset of this leader and the followers that live, in sync or not.
    pub fn low_watermark(&self, ctx: &Context<'_, '_>) -> Offset {
        let alive = self.followers.iter().filter(|follower| ctx.alive_broker_epoch(follower.broker).is_some());
        alive.map(|follower| follower.log_start_offset).fold(self.log.log_start_offset(), Offset::min)
    }

    /// The high watermark is where all of the maximal ISR have got to, and every follower that is about to join it.
    /// Nothing is committed below the minimum ISR.
    pub(super) fn maybe_advance_high_watermark(&mut self, ctx: &mut Context<'_, '_>) -> bool {
        if !self.is_leader() || self.is_under_min_isr() {
            return false;
        }
        let log_end = self.log.log_end_offset();
        let mut candidate = log_end;
        for follower in &self.followers {
            if follower.log_end_offset < candidate && self.counts(follower, log_end, ctx) {
                candidate = follower.log_end_offset;
            }
        }
        let advanced = self.log.maybe_advance_high_watermark(candidate).is_some();
        if advanced {
            self.emit_high_watermark(ctx);
        }
        advanced
    }

    /// Whether the high watermark waits for this follower.
    fn counts(&self, follower: &FollowerState, log_end: Offset, ctx: &Context<'_, '_>) -> bool {
        let max_lag = ctx.config.replica_lag_time_max_ms;
        self.maximal_isr().contains(&follower.broker)
            || (follower.is_caught_up(log_end, ctx.now, max_lag) && self.is_isr_eligible(follower, ctx))
    }

    /// A follower may join the ISR: neither fenced nor stopping, and the fetches are of its present life.
    pub(super) fn is_isr_eligible(&self, follower: &FollowerState, ctx: &Context<'_, '_>) -> bool {
        let Some(fetched_with) = follower.broker_epoch else { return false };
        ctx.image.broker(follower.broker).is_some_and(|registration| {
            registration.is_active() && (fetched_with == -1 || fetched_with == registration.epoch)
        })
    }

    /// Whether an acks=all write up to `required` is done: `None` for "not yet".
    pub fn check_replicated(&self, required: Offset) -> Option<ErrorCode> {
        if !self.is_leader() {
            return Some(ErrorCode::NotLeaderOrFollower);
        }
        if self.log.high_watermark() < required {
            return None;
        }
        let enough = self.maximal_isr().len() >= self.effective_min_isr();
        Some(if enough { ErrorCode::None } else { ErrorCode::NotEnoughReplicasAfterAppend })
    }

    /// A follower's session fetched while it stood at this leader's end (see [`FollowerState::record_idle_fetch`]).
    pub fn record_idle_fetch(&mut self, follower: BrokerId, then: Time) {
        let log_end = self.log.log_end_offset();
        if let Some(follower) = self.follower_mut(follower) {
            follower.record_idle_fetch(then, log_end);
        }
    }
}
