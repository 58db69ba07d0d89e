//! Reads, and what a leader learns from a follower's read.

use super::Partition;
use crate::base::config::IsolationLevel;
use crate::base::{BrokerId, LeaderEpoch, Offset};
use crate::broker::context::Context;
use crate::broker::replica::FollowerState;
use crate::protocol::{
    AlterPartition, EpochEndOffset, ErrorCode, FetchPartition, FetchPartitionResponse, FetchReplica,
    ListOffsetsPartition, ListOffsetsPartitionResponse,
};

/// What a read gave.
#[derive(Clone, PartialEq, Debug)]
pub struct FetchRead {
    /// For the fetcher.
    pub response: FetchPartitionResponse,
    /// Bytes of records in it.
    pub bytes: u32,
    /// The follower's fetch moved the high watermark.
    pub advanced: bool,
    /// The follower is to join the ISR.
    pub wish: Option<AlterPartition>,
}

/// How a partition is read.
#[derive(Clone, Copy, Debug)]
pub struct ReadOptions {
    /// The follower that reads.
    pub replica: Option<FetchReplica>,
    /// How far a consumer may read.
    pub isolation: IsolationLevel,
    /// At most so much.
    pub max_bytes: u32,
    /// But one whole batch in any case.
    pub min_one: bool,
    /// The first read of a request, which tells the leader where its follower is; not the read of a parked request.
    pub first: bool,
}

impl FetchRead {
    /// A read that failed.
    pub fn failed(request: &FetchPartition, error: ErrorCode) -> Self {
        let response = FetchPartitionResponse { error, ..empty_response(request) };
        FetchRead { response, bytes: 0, advanced: false, wish: None }
    }
}

fn empty_response(request: &FetchPartition) -> FetchPartitionResponse {
    FetchPartitionResponse {
        partition: request.partition,
        error: ErrorCode::None,
        high_watermark: -1,
        last_stable_offset: -1,
        log_start_offset: -1,
        diverging_epoch: None,
        current_leader: None,
        snapshot_id: None,
        aborted_transactions: Vec::new(),
        preferred_read_replica: BrokerId::NONE,
        records: Vec::new(),
    }
}

impl Partition {
    /// Serves one partition of a Fetch.
    pub fn fetch(&mut self, request: &FetchPartition, options: ReadOptions, ctx: &mut Context<'_, '_>) -> FetchRead {
        match self.try_fetch(request, options, ctx) {
            Ok(read) => read,
            Err(error) => {
                let mut read = FetchRead::failed(request, error);
                if matches!(error, ErrorCode::NotLeaderOrFollower | ErrorCode::FencedLeaderEpoch) {
                    read.response.current_leader = Some(self.current_leader());
                }
                read
            }
        }
    }

    fn try_fetch(
        &mut self,
        request: &FetchPartition,
        options: ReadOptions,
        ctx: &mut Context<'_, '_>,
    ) -> Result<FetchRead, ErrorCode> {
        self.check_may_fetch(request, options.replica.is_some())?;
        if let Some(replica) = options.replica
            && self.follower(replica.id).is_none()
        {
            let known = request.current_leader_epoch >= 0;
            return Err(if known { ErrorCode::UnknownLeaderEpoch } else { ErrorCode::NotLeaderOrFollower });
        }
        // What the response says was so before this very fetch moved anything.
        let mut response = self.offsets_response(request);
        let log_end = self.log.log_end_offset();
        response.diverging_epoch = self.diverging_epoch(request)?;
        if response.diverging_epoch.is_some() {
            return Ok(FetchRead { response, bytes: 0, advanced: false, wish: None });
        }
        let limit = options.max_bytes.min(request.partition_max_bytes);
        let upper = self.readable_end(options.replica.is_some(), options.isolation);
        response.records = self.log.read(request.fetch_offset, limit, upper, options.min_one)?;
        if options.isolation == IsolationLevel::ReadCommitted
            && options.replica.is_none()
            && let Some(bound) = self.log.upper_bound_of(&response.records)
        {
            response.aborted_transactions = self.log.aborted_transactions(request.fetch_offset, bound);
        }
        let bytes = response.records.iter().map(crate::record::RecordBatch::size_in_bytes).sum();
        let mut read = FetchRead { response, bytes, advanced: false, wish: None };
        if let Some(replica) = options.replica.filter(|_| options.first) {
            self.record_fetch(request, replica, log_end, &mut read, ctx)?;
        }
        Ok(read)
    }

    /// Followers fetch from the leader only, consumers from any replica (KIP-392); the epoch must be this one's.
    pub fn check_may_fetch(&self, request: &FetchPartition, follower: bool) -> Result<(), ErrorCode> {
        match follower {
            true => self.check_leader(request.current_leader_epoch),
            false => self.check_leader_epoch(request.current_leader_epoch),
        }
    }

    fn offsets_response(&self, request: &FetchPartition) -> FetchPartitionResponse {
        FetchPartitionResponse {
            high_watermark: self.log.high_watermark(),
            last_stable_offset: self.log.last_stable_offset(),
            log_start_offset: self.log.log_start_offset(),
            ..empty_response(request)
        }
    }

    /// Sends a consumer in `rack` elsewhere, if a replica in sync there has what it asks for (`RackAwareReplicaSelector`):
    /// the most caught-up one, of those the one with the greatest id. A leader in that rack serves by itself.
    pub fn redirect(&self, request: &FetchPartition, rack: &str, ctx: &Context<'_, '_>) -> Option<FetchRead> {
        let is_there = |broker: BrokerId| {
            let registration = ctx.image.broker(broker).filter(|registration| !registration.fenced);
            registration.is_some_and(|registration| registration.rack.as_deref() == Some(rack))
        };
        if !self.is_leader() || is_there(self.local) {
            return None;
        }
        let can_serve = |follower: &&FollowerState| {
            self.isr.contains(&follower.broker)
                && follower.log_end_offset >= request.fetch_offset
                && follower.log_start_offset <= request.fetch_offset
                && is_there(follower.broker)
        };
        let best = self
            .followers
            .iter()
            .filter(can_serve)
            .max_by_key(|follower| (follower.log_end_offset, follower.last_caught_up_time, follower.broker))?;
        if let Err(error) = self.check_leader_epoch(request.current_leader_epoch) {
            return Some(FetchRead::failed(request, error));
        }
        let response = FetchPartitionResponse { preferred_read_replica: best.broker, ..self.offsets_response(request) };
        Some(FetchRead { response, bytes: 0, advanced: false, wish: None })
    }

    /// The end of what this fetcher may see.
    pub fn readable_end(&self, follower: bool, isolation: IsolationLevel) -> Offset {
        match isolation {
            _ if follower => self.log.log_end_offset(),
            IsolationLevel::ReadUncommitted => self.log.high_watermark(),
            IsolationLevel::ReadCommitted => self.log.last_stable_offset(),
        }
    }

    /// Where a follower's log parted from this one, if it did.
    pub fn diverging_epoch(&self, request: &FetchPartition) -> Result<Option<EpochEndOffset>, ErrorCode> {
        if request.last_fetched_epoch < 0 {
            return Ok(None);
        }
        let end = self.log.end_offset_for_epoch(request.last_fetched_epoch);
        if end.epoch < 0 || end.end_offset < 0 || request.fetch_offset < self.log.log_start_offset() {
            return Err(ErrorCode::OffsetOutOfRange);
        }
        let diverges = end.epoch < request.last_fetched_epoch || end.end_offset < request.fetch_offset;
        Ok(diverges.then_some(end))
    }

    /// A follower fetched up to here: expand the ISR, move the high watermark.
    fn record_fetch(
        &mut self,
        request: &FetchPartition,
        replica: FetchReplica,
        log_end: Offset,
        read: &mut FetchRead,
        ctx: &mut Context<'_, '_>,
    ) -> Result<(), ErrorCode> {
        if replica.epoch != -1 && ctx.alive_broker_epoch(replica.id).is_some_and(|epoch| epoch > replica.epoch) {
            return Err(ErrorCode::NotLeaderOrFollower);
        }
        let now = ctx.now;
        let follower = self.follower_mut(replica.id).expect("invariant: the follower was found above");
        let before = follower.log_end_offset;
        follower.record_fetch(request.fetch_offset, request.log_start_offset, now, log_end, replica.epoch);
        read.wish = self.maybe_expand_isr(replica.id, ctx);
        if before != request.fetch_offset {
            read.advanced = self.maybe_advance_high_watermark(ctx);
        }
        Ok(())
    }

    /// Whether this fetcher has nothing to learn here until something changes: it stands at the end, knows the high
    /// watermark, and (a follower) is in the committed ISR.
    pub fn is_settled(
        &self,
        request: &FetchPartition,
        response: &FetchPartitionResponse,
        replica: Option<FetchReplica>,
        isolation: IsolationLevel,
    ) -> bool {
        !response.error.is_error()
            && response.diverging_epoch.is_none()
            && response.preferred_read_replica == BrokerId::NONE
            && response.high_watermark == self.log.high_watermark()
            && response.log_start_offset == self.log.log_start_offset()
            && request.fetch_offset == self.readable_end(replica.is_some(), isolation)
            && replica.is_none_or(|replica| self.isr.contains(&replica.id))
    }

    /// Serves one partition of ListOffsets; `replica` asks for itself, a consumer within its isolation level.
    pub fn list_offset(
        &self,
        request: &ListOffsetsPartition,
        replica: bool,
        isolation: IsolationLevel,
    ) -> ListOffsetsPartitionResponse {
        let known = request.timestamp >= ListOffsetsPartition::EARLIEST_PENDING_UPLOAD;
        let known = if known { Ok(()) } else { Err(ErrorCode::UnsupportedVersion) };
        let result = known.and_then(|()| self.check_leader(request.current_leader_epoch)).and_then(|()| {
            let end = self.readable_end(replica, isolation);
            let lags = !replica && self.leader_epoch_start.is_some_and(|start| start > self.log.high_watermark());
            match request.timestamp {
                ListOffsetsPartition::EARLIEST => Ok((-1, self.log.log_start_offset(), self.earliest_epoch())),
                _ if request.timestamp == ListOffsetsPartition::LATEST && lags => Err(ErrorCode::OffsetNotAvailable),
                ListOffsetsPartition::LATEST => Ok((-1, end, self.leader_epoch)),
                ListOffsetsPartition::EARLIEST_LOCAL => Ok((-1, self.log.log_start_offset(), self.earliest_epoch())),
                // Nothing is kept in, or on its way to, a remote tier.
                ListOffsetsPartition::LATEST_TIERED | ListOffsetsPartition::EARLIEST_PENDING_UPLOAD => Ok((-1, -1, -1)),
                timestamp => match self.offset_for(timestamp) {
                    Some((_, offset, _)) if offset >= end && lags => Err(ErrorCode::OffsetNotAvailable),
                    Some(found) if found.1 < end => Ok(found),
                    None if lags => Err(ErrorCode::OffsetNotAvailable),
                    _ => Ok((-1, -1, -1)),
                },
            }
        });
        let (error, (timestamp, offset, leader_epoch)) = match result {
            Ok(found) => (ErrorCode::None, found),
            Err(error) => (error, (-1, -1, -1)),
        };
        ListOffsetsPartitionResponse { partition: self.id, error, timestamp, offset, leader_epoch }
    }

    fn offset_for(&self, timestamp: i64) -> Option<(i64, Offset, LeaderEpoch)> {
        match timestamp {
            ListOffsetsPartition::MAX_TIMESTAMP => self.log.offset_of_max_timestamp(),
            _ => self.log.offset_for_timestamp(timestamp),
        }
    }

    fn earliest_epoch(&self) -> LeaderEpoch {
        let start = self.log.log_start_offset();
        let before = self.log.epoch_entries().iter().take_while(|entry| entry.start_offset <= start);
        before.last().map_or(-1, |entry| entry.epoch)
    }

    /// Serves one partition of OffsetForLeaderEpoch.
    pub fn end_offset_for_epoch(&self, current: LeaderEpoch, asked: LeaderEpoch) -> Result<EpochEndOffset, ErrorCode> {
        self.check_leader(current)?;
        Ok(self.log.end_offset_for_epoch(asked))
    }
}
