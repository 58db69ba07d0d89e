//! WriteTxnMarkers: append the ends of transactions, then wait for the in-sync replicas (`handleWriteTxnMarkersRequest`).
//!
//! Each partition has its own outcome, and the answer goes out when the last one has. On `__consumer_offsets` Kafka appends
//! through the group coordinator (`GroupCoordinator.completeTransaction`): whatever the ISR, with its own patience, and
//! `COORDINATOR_NOT_AVAILABLE` and the like become `NOT_LEADER_OR_FOLLOWER`. Here a coordinator is nothing but the replay of
//! its partition up to the high watermark, so that the marker takes effect there when it is committed; in Kafka it does so
//! at once, but nobody sees it before it is committed.

use super::ReplicaManager;
use crate::base::{Offset, Time, TopicPartition};
use crate::broker::context::Context;
use crate::log::{AppendContext, AppendOrigin};
use crate::node::RequestContext;
use crate::protocol::{
    ErrorCode, Response, TxnMarker, TxnMarkerResult, WriteTxnMarkersRequest, WriteTxnMarkersResponse,
};
use crate::record::{ControlRecord, NO_PRODUCER_EPOCH, NO_PRODUCER_ID, RecordBatch};
use std::hash::{Hash, Hasher};

/// All requests that wait. There are few at a time.
#[derive(Clone, Debug, Default)]
pub(super) struct DelayedMarkers(Vec<DelayedRequest>);

#[derive(Clone, Hash, Debug)]
struct DelayedRequest {
    context: RequestContext,
    /// In the order of the request.
    markers: Vec<(i64, Vec<Status>)>,
}

#[derive(Clone, Copy, Hash, Debug)]
struct Status {
    partition: TopicPartition,
    outcome: Outcome,
}

#[derive(Clone, Copy, Hash, Debug)]
enum Outcome {
    Done(ErrorCode),
    /// Until the high watermark gets there.
    Pending {
        required: Offset,
        deadline: Time,
        /// The partition coordinates groups.
        of_groups: bool,
    },
}

/// Adds nothing while nobody waits, so that runs without transactions keep the state hash that they always had.
impl Hash for DelayedMarkers {
    fn hash<H: Hasher>(&self, state: &mut H) {
        if !self.0.is_empty() {
            self.0.hash(state);
        }
    }
}

impl DelayedMarkers {
    /// The earliest end of patience.
    pub fn deadline(&self) -> Option<Time> {
        let markers = self.0.iter().flat_map(|request| &request.markers);
        let deadlines = markers.flat_map(|(_, statuses)| statuses).filter_map(|status| match status.outcome {
            Outcome::Pending { deadline, .. } => Some(deadline),
            Outcome::Done(_) => None,
        });
        deadlines.min()
    }

    /// Asks `check` about everything that is pending: `None` for "wait on". Returns the requests that are complete now.
    fn complete(
        &mut self,
        mut check: impl FnMut(TopicPartition, Offset, Time, bool) -> Option<ErrorCode>,
    ) -> Vec<DelayedRequest> {
        let (mut done, mut waiting) = (Vec::new(), Vec::with_capacity(self.0.len()));
        for mut request in self.0.drain(..) {
            let mut pending = false;
            for status in request.markers.iter_mut().flat_map(|(_, statuses)| statuses) {
                if let Outcome::Pending { required, deadline, of_groups } = status.outcome {
                    match check(status.partition, required, deadline, of_groups) {
                        Some(error) => status.outcome = Outcome::Done(error),
                        None => pending = true,
                    }
                }
            }
            if pending { &mut waiting } else { &mut done }.push(request);
        }
        self.0 = waiting;
        done
    }
}

impl DelayedRequest {
    fn respond(&self, ctx: &mut Context<'_, '_>) {
        let result = |status: &Status| match status.outcome {
            Outcome::Done(error) => (status.partition, error),
            Outcome::Pending { .. } => unreachable!("invariant: an answer knows the outcome of all partitions"),
        };
        let marker = |(producer_id, statuses): &(i64, Vec<Status>)| TxnMarkerResult {
            producer_id: *producer_id,
            partitions: statuses.iter().map(result).collect(),
        };
        let response = WriteTxnMarkersResponse { markers: self.markers.iter().map(marker).collect() };
        ctx.requests.respond(self.context, Response::WriteTxnMarkers(response), ctx.out);
    }
}

impl ReplicaManager {
    /// Handles a WriteTxnMarkers request to the end, or parks it.
    pub fn handle_write_txn_markers(
        &mut self,
        context: RequestContext,
        request: &WriteTxnMarkersRequest,
        ctx: &mut Context<'_, '_>,
    ) {
        let mut markers = Vec::with_capacity(request.markers.len());
        let mut moved = Vec::new();
        for marker in &request.markers {
            let statuses = marker.partitions.iter().map(|id| {
                let outcome = match self.append_marker(*id, marker, ctx) {
                    Ok((outcome, advanced)) => {
                        moved.push((*id, advanced));
                        outcome
                    }
                    Err(error) => Outcome::Done(error),
                };
                Status { partition: *id, outcome }
            });
            markers.push((marker.producer_id, statuses.collect()));
        }
        // All appends first, then whatever waits for them (Kafka's `ActionQueue`).
        for (partition, advanced) in &moved {
            self.appended(*partition, ctx);
            if *advanced {
                self.advanced(*partition, ctx);
            }
        }
        self.markers.0.push(DelayedRequest { context, markers });
        self.check_markers(|_| true, ctx);
        if let Some(deadline) = self.markers.deadline() {
            self.arm_purgatory(deadline, ctx.out);
        }
    }

    fn append_marker(
        &mut self,
        id: TopicPartition,
        marker: &TxnMarker,
        ctx: &mut Context<'_, '_>,
    ) -> Result<(Outcome, bool), ErrorCode> {
        if self.partition(id).is_none() {
            return Err(ErrorCode::UnknownTopicOrPartition);
        }
        // Kafka's builder of batches refuses it, and nobody catches that: every marker of the request has this error.
        if marker.producer_id == NO_PRODUCER_ID || marker.producer_epoch == NO_PRODUCER_EPOCH {
            return Err(ErrorCode::UnknownServerError);
        }
        let of_groups = self.coordinates(id);
        let context =
            AppendContext { transaction_version: Some(marker.transaction_version), ..AppendOrigin::Coordinator.into() };
        let acks = if of_groups { 1 } else { -1 };
        let (info, advanced) = self.append(id, &batch(marker, ctx.now), acks, context, ctx)?;
        let patience = if of_groups { ctx.config.offsets_commit_timeout_ms } else { ctx.config.request_timeout_ms };
        let (required, deadline) = (info.last_offset + 1, ctx.now + patience);
        Ok((Outcome::Pending { required, deadline, of_groups }, advanced))
    }

    /// The high watermark or the leadership of a partition moved.
    pub(super) fn complete_markers(&mut self, id: TopicPartition, ctx: &mut Context<'_, '_>) {
        if !self.markers.0.is_empty() {
            self.check_markers(|waiting_for| waiting_for == id, ctx);
        }
    }

    fn check_markers(&mut self, concerns: impl Fn(TopicPartition) -> bool, ctx: &mut Context<'_, '_>) {
        let mut markers = std::mem::take(&mut self.markers);
        let done = markers.complete(
            |id, required, _, of_groups| {
                if concerns(id) { self.marker_replicated(id, required, of_groups) } else { None }
            },
        );
        self.markers = markers;
        done.iter().for_each(|request| request.respond(ctx));
    }

    fn marker_replicated(&self, id: TopicPartition, required: Offset, of_groups: bool) -> Option<ErrorCode> {
        let partition = self.partition(id);
        let replicated = partition.map_or(Some(ErrorCode::NotLeaderOrFollower), |it| it.check_replicated(required));
        match replicated {
            Some(ErrorCode::NotEnoughReplicasAfterAppend) if of_groups => Some(ErrorCode::None),
            other => other,
        }
    }

    /// What waits for too long fails; the marker stays in the log.
    pub(super) fn expire_markers(&mut self, ctx: &mut Context<'_, '_>) {
        let now = ctx.now;
        let late = self.markers.complete(|_, _, deadline, _| (deadline <= now).then_some(ErrorCode::RequestTimedOut));
        late.iter().for_each(|request| request.respond(ctx));
    }
}

fn batch(marker: &TxnMarker, now: Time) -> RecordBatch {
    let TxnMarker { producer_id, producer_epoch, committed, coordinator_epoch, .. } = *marker;
    ControlRecord::marker_batch(committed, producer_id, producer_epoch, coordinator_epoch, now.wall_clock_ms())
}
