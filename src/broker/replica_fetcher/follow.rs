//! What a follower does with its leader's answers: append, truncate, back off (§3.6).

use super::InitialFetchState;
use super::fetcher::Question;
use crate::base::config::IsolationLevel;
use crate::base::{BrokerId, LeaderEpoch, Offset, RecordId, Time, TopicPartition};
use crate::broker::context::Context;
use crate::broker::partition::Partition;
use crate::broker::replica_manager::ReplicaManager;
use crate::client::payload::record_id_of;
use crate::log::UnifiedLog;
use crate::node::{Channel, Event};
use crate::protocol::{
    EpochEndOffset, ErrorCode, FetchPartitionResponse, FetchReplica, FetchResponse, ListOffsetsPartition,
    ListOffsetsRequest, ListOffsetsResponse, Request, Response,
};
use std::rc::Rc;

impl ReplicaManager {
    /// Begins to fetch a partition that `leader` leads.
    pub fn follow(&mut self, leader: BrokerId, id: TopicPartition) {
        let Some(partition) = self.partition(id) else { return };
        let start = InitialFetchState {
            partition: id,
            leader_epoch: partition.leader_epoch(),
            offset: partition.log().log_end_offset(),
            last_fetched_epoch: partition.log().latest_epoch().unwrap_or(-1),
        };
        self.fetchers.add(leader, start);
    }

    /// Sends the next request of each fetcher that has none in flight.
    pub fn send_fetches(&mut self, ctx: &mut Context<'_, '_>) {
        for leader in self.fetchers.ready() {
            self.send_fetch(leader, ctx);
        }
    }

    fn send_fetch(&mut self, leader: BrokerId, ctx: &mut Context<'_, '_>) {
        let correlation = self.fetchers.next_correlation();
        let replica = FetchReplica { id: ctx.id, epoch: ctx.broker_epoch };
        let deadline = ctx.now + ctx.config.replica_socket_timeout_ms;
        let partitions = &self.partitions;
        let Some(fetcher) = self.fetchers.fetcher_mut(leader) else { return };
        let (request, question) = match fetcher.next_probe() {
            Some((partition, epoch)) => {
                (list_offsets(ctx.id, partition, epoch, true), Question::Latest(partition, epoch))
            }
            None => {
                let start_of = |id| partitions.get(&id).map_or(0, |partition| partition.log().log_start_offset());
                match fetcher.build(replica, ctx.config, start_of) {
                    Some(request) => (Request::Fetch(request), Question::Fetch),
                    None => return,
                }
            }
        };
        fetcher.sent(correlation, deadline, question);
        ctx.out.request(leader.node(), Channel::Replication, correlation, request);
        let deadline = fetcher.deadline();
        self.fetchers.arm(deadline, ctx.out);
    }

    /// A leader answered.
    pub fn on_leader_response(
        &mut self,
        leader: BrokerId,
        correlation: u32,
        response: Response,
        ctx: &mut Context<'_, '_>,
    ) {
        let Some(question) = self.fetchers.fetcher_mut(leader).and_then(|fetcher| fetcher.answered(correlation)) else {
            return;
        };
        let asks_on = match (question, response) {
            (Question::Fetch, Response::Fetch(response)) => {
                self.on_fetched(leader, response, ctx);
                false
            }
            (Question::Latest(partition, epoch), Response::ListOffsets(response)) => {
                self.on_latest(leader, partition, epoch, &response, ctx)
            }
            (Question::Earliest(partition, epoch), Response::ListOffsets(response)) => {
                self.on_earliest(leader, partition, epoch, &response, ctx);
                false
            }
            _ => false,
        };
        if asks_on {
            return;
        }
        self.send_fetch(leader, ctx);
        // A back-off may end before the answer to the next request comes.
        let deadline = self.fetchers.fetcher_mut(leader).and_then(|fetcher| fetcher.deadline());
        self.fetchers.arm(deadline, ctx.out);
    }

    fn on_fetched(&mut self, leader: BrokerId, response: FetchResponse, ctx: &mut Context<'_, '_>) {
        let Some(fetcher) = self.fetchers.fetcher_mut(leader) else { return };
        if !fetcher.session_answered(response.error, response.session_id) {
            return;
        }
        for part in response.partitions {
            let id = part.partition;
            let state = self.fetchers.fetcher_mut(leader).and_then(|fetcher| fetcher.state(id).copied());
            let Some(state) = state.filter(|state| state.is_current()) else { continue };
            match part.error {
                ErrorCode::None => match part.diverging_epoch {
                    Some(end) => self.truncate_on_divergence(leader, id, end, ctx),
                    None => self.process_partition_data(leader, state.leader_epoch, part, ctx),
                },
                error => self.on_partition_error(leader, id, error, ctx),
            }
        }
    }

    fn on_partition_error(&mut self, leader: BrokerId, id: TopicPartition, error: ErrorCode, ctx: &Context<'_, '_>) {
        match error {
            ErrorCode::OffsetOutOfRange => {
                if let Some(fetcher) = self.fetchers.fetcher_mut(leader) {
                    fetcher.probe(id);
                }
            }
            // The request carried the epoch this replica is at: wait for metadata.
            ErrorCode::FencedLeaderEpoch => self.fetchers.fail(id),
            _ => self.back_off(leader, id, ctx),
        }
    }

    fn back_off(&mut self, leader: BrokerId, id: TopicPartition, ctx: &Context<'_, '_>) {
        let until: Time = ctx.now + ctx.config.replica_fetch_backoff_ms;
        if let Some(fetcher) = self.fetchers.fetcher_mut(leader) {
            fetcher.delay(id, until);
        }
    }

    fn process_partition_data(
        &mut self,
        leader: BrokerId,
        leader_epoch: LeaderEpoch,
        part: FetchPartitionResponse,
        ctx: &mut Context<'_, '_>,
    ) {
        let id = part.partition;
        let Some(partition) = self.partition_mut(id) else { return };
        let before = (partition.log().log_start_offset(), partition.log().log_end_offset());
        let seen_by_consumers = (before.0, partition.log().high_watermark());
        match partition.append_as_follower(&part, leader_epoch, ctx) {
            Ok(()) => {
                let (end, epoch) = end_of(partition.log());
                if (partition.log().log_start_offset(), end) != before
                    && let Some(fetcher) = self.fetchers.fetcher_mut(leader)
                {
                    fetcher.moved(id, end, epoch);
                }
                let log = self.partition(id).map(Partition::log);
                if log.is_some_and(|log| (log.log_start_offset(), log.high_watermark()) != seen_by_consumers) {
                    self.follower_moved(id, ctx);
                }
            }
            Err(ErrorCode::CorruptMessage | ErrorCode::InvalidRecord) => self.back_off(leader, id, ctx),
            Err(_) => self.fetchers.fail(id),
        }
    }

    /// The leader's log took another way: cut the local one. High watermark and log start wait for the next round.
    fn truncate_on_divergence(
        &mut self,
        leader: BrokerId,
        id: TopicPartition,
        end: EpochEndOffset,
        ctx: &mut Context<'_, '_>,
    ) {
        let Some(partition) = self.partition_mut(id) else { return };
        let target = truncation_offset(partition.log(), end);
        partition.truncate_to(target, ctx);
        self.resume(leader, id);
        self.follower_moved(id, ctx);
    }

    /// Fetches on from the end of the log, which has been cut.
    fn resume(&mut self, leader: BrokerId, id: TopicPartition) {
        let Some((end, epoch)) = self.partition(id).map(|partition| end_of(partition.log())) else { return };
        if let Some(fetcher) = self.fetchers.fetcher_mut(leader) {
            fetcher.moved(id, end, epoch);
        }
    }

    /// The leader's end after OFFSET_OUT_OF_RANGE; true if its start has to be asked for too.
    fn on_latest(
        &mut self,
        leader: BrokerId,
        id: TopicPartition,
        epoch: LeaderEpoch,
        response: &ListOffsetsResponse,
        ctx: &mut Context<'_, '_>,
    ) -> bool {
        let Some(leader_end) = self.probed(leader, id, epoch, response, ctx) else { return false };
        let Some(partition) = self.partition_mut(id) else { return false };
        if leader_end < partition.log().log_end_offset() {
            partition.truncate_to(leader_end, ctx);
            self.resume(leader, id);
            self.follower_moved(id, ctx);
            return false;
        }
        let correlation = self.fetchers.next_correlation();
        let deadline = ctx.now + ctx.config.replica_socket_timeout_ms;
        if let Some(fetcher) = self.fetchers.fetcher_mut(leader) {
            fetcher.sent(correlation, deadline, Question::Earliest(id, epoch));
        }
        ctx.out.request(leader.node(), Channel::Replication, correlation, list_offsets(ctx.id, id, epoch, false));
        true
    }

    fn on_earliest(
        &mut self,
        leader: BrokerId,
        id: TopicPartition,
        epoch: LeaderEpoch,
        response: &ListOffsetsResponse,
        ctx: &mut Context<'_, '_>,
    ) {
        let Some(leader_start) = self.probed(leader, id, epoch, response, ctx) else { return };
        let Some(partition) = self.partition_mut(id) else { return };
        if leader_start > partition.log().log_end_offset() {
            partition.truncate_fully_and_start_at(leader_start, ctx);
        }
        self.resume(leader, id);
        self.follower_moved(id, ctx);
    }

    /// The answer to a probe, if it is still wanted and good.
    fn probed(
        &mut self,
        leader: BrokerId,
        id: TopicPartition,
        epoch: LeaderEpoch,
        response: &ListOffsetsResponse,
        ctx: &Context<'_, '_>,
    ) -> Option<Offset> {
        let state = self.fetchers.fetcher_mut(leader)?.state(id).copied()?;
        if state.leader_epoch != epoch {
            return None;
        }
        let answer = response.partitions.iter().find(|answer| answer.partition == id);
        match answer.map(|answer| (answer.error, answer.offset)) {
            Some((ErrorCode::None, offset)) => return Some(offset),
            Some((ErrorCode::FencedLeaderEpoch, _)) => self.fetchers.fail(id),
            _ => self.back_off(leader, id, ctx),
        }
        None
    }
}

fn end_of(log: &UnifiedLog) -> (Offset, LeaderEpoch) {
    (log.log_end_offset(), log.latest_epoch().unwrap_or(-1))
}

fn list_offsets(
    replica: BrokerId,
    partition: TopicPartition,
    current_leader_epoch: LeaderEpoch,
    latest: bool,
) -> Request {
    let timestamp = if latest { ListOffsetsPartition::LATEST } else { ListOffsetsPartition::EARLIEST };
    let partitions = vec![ListOffsetsPartition { partition, current_leader_epoch, timestamp }];
    Request::ListOffsets(ListOffsetsRequest { replica, isolation: IsolationLevel::ReadUncommitted, partitions })
}

/// Where to cut a log whose leader says that `end.epoch` ended at `end.end_offset`. If the epoch is unknown here, at the
/// end of the largest one below it; the next fetch then asks again.
fn truncation_offset(log: &UnifiedLog, end: EpochEndOffset) -> Offset {
    let log_end = log.log_end_offset();
    if end.end_offset < 0 {
        return log.high_watermark();
    }
    let here = log.end_offset_for_epoch(end.epoch);
    if end.epoch < 0 || here.end_offset < 0 {
        end.end_offset.min(log_end)
    } else if here.epoch != end.epoch {
        here.end_offset.min(log_end)
    } else {
        here.end_offset.min(end.end_offset).min(log_end)
    }
}

impl Partition {
    /// Appends what the leader sent, and takes its high watermark and log start over.
    fn append_as_follower(
        &mut self,
        part: &FetchPartitionResponse,
        leader_epoch: LeaderEpoch,
        ctx: &mut Context<'_, '_>,
    ) -> Result<(), ErrorCode> {
        let id = self.id();
        if let (Some(first), Some(last)) = (part.records.first(), part.records.last()) {
            ctx.check_disk()?;
            let (first, last) = (first.base_offset(), last.last_offset());
            let log = self.log();
            // The leader's log starts within a batch (DeleteRecords), and this one is empty.
            if log.is_empty() && first < log.log_end_offset() && last >= log.log_end_offset() {
                self.truncate_fully_and_start_at(first, ctx);
            }
            let end = self.log().log_end_offset();
            let appended = self.log_mut().append_as_follower(&part.records, leader_epoch, ctx.now)?;
            let last = appended.map_or(end - 1, |info| info.last_offset);
            for batch in part.records.iter().filter(|batch| batch.base_offset() >= end && batch.last_offset() <= last) {
                ctx.out.emit(Event::Appended { partition: id, leader: false, batch: batch.clone() });
            }
        }
        let before = self.log().high_watermark();
        let offset = self.log_mut().set_high_watermark(part.high_watermark);
        if offset != before {
            ctx.out.emit(Event::HighWatermark { partition: id, leader: false, offset });
        }
        // Fails only if the leader's log start is beyond the local high watermark; the next round tries again.
        if self.log_mut().maybe_advance_log_start_offset(part.log_start_offset) == Ok(true) {
            self.emit_log_start(ctx);
        }
        Ok(())
    }

    /// Cuts the log at `offset`.
    pub fn truncate_to(&mut self, offset: Offset, ctx: &mut Context<'_, '_>) {
        let (partition, from, records) = (self.id(), self.log().log_end_offset(), self.records_from(offset));
        if self.log_mut().truncate_to(offset, ctx.now) {
            ctx.out.emit(Event::Truncated { partition, from, to: offset, records });
        }
    }

    /// Throws everything away and starts at `offset`.
    fn truncate_fully_and_start_at(&mut self, offset: Offset, ctx: &mut Context<'_, '_>) {
        let (partition, from, records) = (self.id(), self.log().log_end_offset(), self.records_from(0));
        self.log_mut().truncate_fully_and_start_at(offset, ctx.now);
        ctx.out.emit(Event::Truncated { partition, from, to: offset, records });
    }

    /// The generated records that a cut at `offset` takes, for the story.
    fn records_from(&self, offset: Offset) -> Rc<[(Offset, RecordId)]> {
        let batches = self.log().batches_from(offset).filter(|batch| !batch.is_control());
        let records = batches.flat_map(|batch| batch.records()).filter_map(Result::ok);
        records
            .filter(|record| record.offset >= offset)
            .filter_map(|record| Some((record.offset, record_id_of(record.value.as_deref()?)?)))
            .collect()
    }
}
