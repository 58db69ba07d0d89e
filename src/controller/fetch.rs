//! Brokers read the metadata log with Fetch: answered as soon as there are records, parked while there are none.
//!
//! In Kafka: `KafkaRaftClient.handleFetchRequest`, `fetchPurgatory`. Left for the quorum's issue: voters, diverging logs.

use super::Controller;
use crate::base::{BrokerId, Offset, Time};
use crate::metadata::CLUSTER_METADATA;
use crate::node::{ControllerTimer, Outbox, RequestContext, Timer};
use crate::protocol::Response;
use crate::protocol::{CurrentLeader, ErrorCode, FetchPartition, FetchPartitionResponse, FetchRequest, FetchResponse};

/// A fetch that waits for records.
#[derive(Clone, PartialEq, Hash, Debug)]
pub(super) struct ParkedFetch {
    pub(super) context: RequestContext,
    deadline: Time,
    offset: Offset,
    max_bytes: u32,
}

impl Controller {
    pub(super) fn fetch(&mut self, now: Time, context: RequestContext, request: &FetchRequest, out: &mut Outbox<'_>) {
        let error = match request.partitions[..] {
            [partition] if partition.partition == CLUSTER_METADATA => {
                let error = self.validate(&partition);
                if !error.is_error() {
                    let max_bytes = request.max_bytes.min(partition.partition_max_bytes);
                    let deadline = now + request.max_wait;
                    let fetch = ParkedFetch { context, deadline, offset: partition.fetch_offset, max_bytes };
                    return self.serve_or_park(now, fetch, out);
                }
                error
            }
            _ => ErrorCode::InvalidRequest,
        };
        out.respond(context, self.fetch_response(error, Vec::new()));
    }

    fn validate(&self, partition: &FetchPartition) -> ErrorCode {
        let epoch = self.epoch().unwrap_or(0);
        match partition.current_leader_epoch {
            asked if asked >= 0 && asked < epoch => ErrorCode::FencedLeaderEpoch,
            asked if asked > epoch => ErrorCode::UnknownLeaderEpoch,
            _ if !(0..=self.log.end_offset()).contains(&partition.fetch_offset) => ErrorCode::OffsetOutOfRange,
            _ => ErrorCode::None,
        }
    }

    fn serve_or_park(&mut self, now: Time, fetch: ParkedFetch, out: &mut Outbox<'_>) {
        if fetch.offset < self.log.end_offset() || fetch.deadline <= now {
            self.serve(&fetch, out);
        } else {
            self.active().parked.push(fetch);
            self.schedule_parked(out);
        }
    }

    fn serve(&self, fetch: &ParkedFetch, out: &mut Outbox<'_>) {
        let batches = self.log.read(fetch.offset, fetch.max_bytes);
        out.respond(fetch.context, self.fetch_response(ErrorCode::None, batches));
    }

    fn fetch_response(&self, error: ErrorCode, records: Vec<crate::record::RecordBatch>) -> Response {
        let end = self.log.end_offset();
        let leader = CurrentLeader { leader: BrokerId::from(self.setup.node), epoch: self.epoch().unwrap_or(0) };
        let partition = FetchPartitionResponse {
            partition: CLUSTER_METADATA,
            error,
            high_watermark: end,
            last_stable_offset: -1,
            log_start_offset: 0,
            diverging_epoch: None,
            current_leader: Some(leader),
            aborted_transactions: Vec::new(),
            preferred_read_replica: BrokerId::NONE,
            records,
        };
        Response::Fetch(FetchResponse { error: ErrorCode::None, session_id: 0, partitions: vec![partition] })
    }

    /// There is something new for everyone who waits.
    pub(super) fn answer_parked(&mut self, _now: Time, out: &mut Outbox<'_>) {
        let parked = std::mem::take(&mut self.active().parked);
        if parked.is_empty() {
            return;
        }
        for fetch in &parked {
            self.serve(fetch, out);
        }
        out.cancel_timer(Timer::Controller(ControllerTimer::Purgatory));
    }

    /// Who has waited long enough gets an empty answer.
    pub(super) fn expire_parked(&mut self, now: Time, out: &mut Outbox<'_>) {
        let parked = std::mem::take(&mut self.active().parked);
        let (expired, waiting): (Vec<_>, Vec<_>) = parked.into_iter().partition(|fetch| fetch.deadline <= now);
        self.active().parked = waiting;
        for fetch in &expired {
            self.serve(fetch, out);
        }
        self.schedule_parked(out);
    }

    fn schedule_parked(&mut self, out: &mut Outbox<'_>) {
        if let Some(deadline) = self.active().parked.iter().map(|fetch| fetch.deadline).min() {
            out.set_timer(Timer::Controller(ControllerTimer::Purgatory), deadline);
        }
    }
}
