//! ShareGroupHeartbeat, ShareGroupDescribe, and what share coordinators say of partitions that groups begin to read.

use super::members::surroundings;
use super::waiting::Answer;
use super::{GroupCoordinator, partition_of, respond};
use crate::base::TopicPartition;
use crate::broker::context::Context;
use crate::broker::replica_manager::ReplicaManager;
use crate::coordinator::batch_of;
use crate::coordinator::group::classic::AfterWrite;
use crate::coordinator::group::share::{Initialize, ShareGroups, StateTask};
use crate::node::{RemovalReason, RequestContext};
use crate::protocol::{
    ErrorCode, Response, ShareGroupDescribeRequest, ShareGroupDescribeResponse, ShareGroupHeartbeatRequest,
    ShareGroupHeartbeatResponse,
};
use std::hash::{Hash, Hasher};
use std::rc::Rc;

/// What share coordinators are to be told, the oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct StateTasks(Vec<StateTask>);

/// It is empty between events, and adds nothing then.
impl Hash for StateTasks {
    fn hash<H: Hasher>(&self, state: &mut H) {
        if !self.0.is_empty() {
            self.0.hash(state);
        }
    }
}

impl StateTasks {
    pub(super) fn push(&mut self, task: StateTask) {
        self.0.push(task);
    }
}

impl GroupCoordinator {
    /// The next thing that share coordinators are to be told.
    pub fn take_state_task(&mut self) -> Option<StateTask> {
        if self.state_tasks.0.is_empty() { None } else { Some(self.state_tasks.0.remove(0)) }
    }

    /// Handles ShareGroupHeartbeat.
    pub fn share_heartbeat(
        &mut self,
        context: RequestContext,
        request: &ShareGroupHeartbeatRequest,
        replicas: &mut ReplicaManager,
        ctx: &mut Context<'_, '_>,
    ) {
        let (id, shard) = match self.shard_of(&request.group, ctx) {
            Ok(found) => found,
            Err(error) => {
                let error = if error == ErrorCode::InvalidGroupId { ErrorCode::InvalidRequest } else { error };
                let response = ShareGroupHeartbeatResponse::failed(error);
                return respond(context, Response::ShareGroupHeartbeat(response), ctx);
            }
        };
        let (records, response, initialize) = shard.group.share_heartbeat(request, surroundings(ctx));
        if let Some(deadline) = shard.group.deadline() {
            self.arm(deadline, ctx);
        }
        let answer = match initialize {
            Some(initialize) => Answer::Share(context, response, initialize),
            None => Answer::Ready(context, Response::ShareGroupHeartbeat(response)),
        };
        self.write_watched((id, &request.group, RemovalReason::Left), &records, answer, replicas, ctx);
    }

    /// Answers ShareGroupDescribe.
    pub fn describe_shares(
        &self,
        request: &ShareGroupDescribeRequest,
        ctx: &Context<'_, '_>,
    ) -> ShareGroupDescribeResponse {
        let one = |group: &Rc<str>| match partition_of(group, ctx).and_then(|id| self.shards.get(&id)) {
            _ if group.is_empty() => ShareGroups::not_described(group, ErrorCode::InvalidGroupId),
            Some(shard) => shard.group.shares.describe(group),
            None => ShareGroups::not_described(group, ErrorCode::NotCoordinator),
        };
        ShareGroupDescribeResponse { groups: request.groups.iter().map(one).collect() }
    }

    /// Share coordinators know of partitions that a group begins to read, or not of all.
    pub fn share_initialized(
        &mut self,
        what: &Initialize,
        known: bool,
        replicas: &mut ReplicaManager,
        ctx: &mut Context<'_, '_>,
    ) {
        let Ok((id, shard)) = self.shard_of(&what.group, ctx) else { return };
        let record = shard.group.shares.initialized(&what.group, &what.partitions, known, ctx.now);
        if let Some(record) = record {
            let batch = batch_of(&[record], ctx.now.wall_clock_ms());
            self.write(id, Some((batch, None)), Answer::Written(AfterWrite::Emptied), replicas, ctx);
        }
    }

    /// Removes members of share groups that are silent.
    pub(super) fn expire_shares(
        &mut self,
        id: TopicPartition,
        replicas: &mut ReplicaManager,
        ctx: &mut Context<'_, '_>,
    ) {
        while let Some(shard) = self.shards.get_mut(&id).map(Rc::make_mut)
            && let Some((group, records)) = shard.group.shares.expire_one(surroundings(ctx))
        {
            let answer = Answer::Written(AfterWrite::Emptied);
            self.write_watched((id, &group, RemovalReason::SessionTimeout), &records, answer, replicas, ctx);
        }
    }
}
