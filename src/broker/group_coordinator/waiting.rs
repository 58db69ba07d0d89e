//! A shard at work: how far it has replayed its partition, and the answers that wait for more.

use super::admin::Deferred;
use crate::base::{Offset, Time};
use crate::broker::context::Context;
use crate::coordinator::group::GroupShard;
use crate::coordinator::group::classic::{AfterWrite, Work};
use crate::coordinator::group::share::Initialize;
use crate::coordinator::records_of;
use crate::log::UnifiedLog;
use crate::node::RequestContext;
use crate::protocol::{
    ConsumerGroupHeartbeatResponse, DeleteGroupsResponse, ErrorCode, HeartbeatResponse, JoinGroupResponse,
    LeaveGroupResponse, OffsetCommitResponse, OffsetCommitResult, OffsetDeleteResponse, OffsetFetchRequest,
    OffsetFetchResponse, Response, ShareGroupHeartbeatResponse, SyncGroupResponse, TxnOffsetCommitResponse,
};
use crate::record::RecordBatch;
use std::collections::VecDeque;
use std::rc::Rc;

/// The coordinator of one partition.
#[derive(Clone, Hash, Debug)]
pub(super) struct Shard {
    pub group: GroupShard,
    replayed_to: Offset,
    pub waiting: VecDeque<Waiting>,
    /// When to look for offsets that have expired.
    pub cleanup_at: Time,
}

/// Something that waits until what it rests on is committed.
#[derive(Clone, Hash, Debug)]
pub(super) struct Waiting {
    pub required: Offset,
    pub deadline: Time,
    pub answer: Answer,
}

/// What waits.
#[derive(Clone, Hash, Debug)]
pub(super) enum Answer {
    Ready(RequestContext, Response),
    /// As is a share group's heartbeat, after which share coordinators are to be told something.
    Share(RequestContext, ShareGroupHeartbeatResponse, Initialize),
    /// A fetch of stable offsets is answered from what is committed by then.
    Fetch(RequestContext, OffsetFetchRequest),
    /// A group waits, not a request.
    Written(AfterWrite),
    /// What an administrator wants deleted is looked at then, too.
    Deferred(RequestContext, Deferred),
}

impl Shard {
    /// Takes over a partition: members are loaded up to the end of the log, as in Kafka; offsets follow the high watermark.
    pub fn load(mut group: GroupShard, log: &UnifiedLog, cleanup_at: Time) -> Shard {
        let replayed_to = log.log_start_offset();
        for batch in log.batches_from(replayed_to) {
            for (offset, record) in records_of(batch).unwrap_or_default() {
                if offset >= replayed_to {
                    group.load(&record);
                }
            }
        }
        Shard { group, replayed_to, waiting: VecDeque::new(), cleanup_at }
    }

    /// The partition is led elsewhere: what to tell to whom.
    pub fn unload(self, error: ErrorCode, ctx: &mut Context<'_, '_>) -> Vec<(RequestContext, Response)> {
        let mut answers: Vec<_> = self.waiting.into_iter().filter_map(|waiting| waiting.answer.failed(error)).collect();
        let mut work = Work::new(ctx.now, ctx.config, ctx.out.random());
        self.group.groups.unload(&mut work);
        answers.append(&mut work.answers);
        answers
    }

    /// What stands in the log of groups takes effect at once, as in Kafka.
    pub fn appended(&mut self, batch: &RecordBatch) {
        records_of(batch).unwrap_or_default().iter().for_each(|(_, record)| self.group.appended(record));
    }

    /// Offsets follow the high watermark.
    pub fn replay(&mut self, log: &UnifiedLog, committed: Offset) {
        if self.replayed_to >= committed {
            return;
        }
        for batch in log.batches_from(self.replayed_to).take_while(|batch| batch.last_offset() < committed) {
            self.group.replay(batch, self.replayed_to);
        }
        self.replayed_to = committed;
    }

    /// The earliest moment at which something fails or happens by itself.
    pub fn deadline(&self) -> Option<Time> {
        let waiting = self.waiting.front().map(|waiting| waiting.deadline);
        [waiting, self.group.deadline(), Some(self.cleanup_at)].into_iter().flatten().min()
    }
}

impl Answer {
    /// What to say instead; none to groups.
    pub fn failed(self, error: ErrorCode) -> Option<(RequestContext, Response)> {
        match self {
            Answer::Ready(context, response) => Some((context, failed(response, error))),
            Answer::Share(context, ..) => {
                Some((context, Response::ShareGroupHeartbeat(ShareGroupHeartbeatResponse::failed(error))))
            }
            Answer::Fetch(context, _) => {
                Some((context, Response::OffsetFetch(OffsetFetchResponse { error, partitions: Vec::new() })))
            }
            Answer::Deferred(context, deferred) => Some((context, deferred.failed(error))),
            Answer::Written(_) => None,
        }
    }
}

fn failed(response: Response, error: ErrorCode) -> Response {
    match response {
        Response::OffsetCommit(response) => {
            let partitions = failed_partitions(&response.partitions, error);
            Response::OffsetCommit(OffsetCommitResponse { partitions })
        }
        Response::TxnOffsetCommit(response) => {
            let partitions = failed_partitions(&response.partitions, error);
            Response::TxnOffsetCommit(TxnOffsetCommitResponse { partitions })
        }
        Response::Heartbeat(_) => Response::Heartbeat(HeartbeatResponse { error }),
        Response::ConsumerGroupHeartbeat(_) => {
            Response::ConsumerGroupHeartbeat(ConsumerGroupHeartbeatResponse::failed(error))
        }
        Response::JoinGroup(_) => Response::JoinGroup(JoinGroupResponse::failed(Rc::from(""), error)),
        Response::SyncGroup(_) => Response::SyncGroup(SyncGroupResponse::failed(error)),
        Response::DeleteGroups(response) => {
            let groups = response.groups.into_iter().map(|(group, _)| (group, error)).collect();
            Response::DeleteGroups(DeleteGroupsResponse { groups })
        }
        Response::OffsetDelete(_) => Response::OffsetDelete(OffsetDeleteResponse { error, partitions: Vec::new() }),
        Response::ShareGroupHeartbeat(_) => Response::ShareGroupHeartbeat(ShareGroupHeartbeatResponse::failed(error)),
        Response::LeaveGroup(_) => Response::LeaveGroup(LeaveGroupResponse { error, members: Vec::new() }),
        other => other,
    }
}

/// Partitions that do not exist have their error already.
fn failed_partitions(results: &[OffsetCommitResult], error: ErrorCode) -> Vec<OffsetCommitResult> {
    let fail = |result: &OffsetCommitResult| match result.error {
        ErrorCode::UnknownTopicOrPartition | ErrorCode::UnknownTopicId => *result,
        _ => OffsetCommitResult { error, ..*result },
    };
    results.iter().map(fail).collect()
}
