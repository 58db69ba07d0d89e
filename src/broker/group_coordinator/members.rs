//! JoinGroup, SyncGroup, Heartbeat, LeaveGroup.

use super::waiting::Answer;
use super::{GroupCoordinator, respond};
use crate::base::TopicPartition;
use crate::broker::context::Context;
use crate::broker::replica_manager::ReplicaManager;
use crate::coordinator::group::GroupShard;
use crate::coordinator::group::classic::{AfterWrite, Work};
use crate::coordinator::group::consumer::{Expired, Handled, Surroundings};
use crate::coordinator::{CoordinatorRecord, batch_of};
use crate::node::{RemovalReason, RequestContext};
use crate::protocol::{
    ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, ErrorCode, HeartbeatRequest, HeartbeatResponse,
    JOIN_EPOCH, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest, LeaveGroupResponse, Response, SyncGroupRequest,
    SyncGroupResponse,
};
use std::rc::Rc;

impl GroupCoordinator {
    /// Handles JoinGroup.
    pub fn join(
        &mut self,
        context: RequestContext,
        request: &JoinGroupRequest,
        replicas: &mut ReplicaManager,
        ctx: &mut Context<'_, '_>,
    ) {
        let id = match self.shard_of(&request.group, ctx) {
            Ok((id, _)) => id,
            Err(error) => {
                let known = if error == ErrorCode::InvalidGroupId { request.member_id.clone() } else { Rc::from("") };
                return respond(context, Response::JoinGroup(JoinGroupResponse::failed(known, error)), ctx);
            }
        };
        let (watched, image) = ((&request.group, RemovalReason::Replaced), ctx.image);
        let joined = self
            .with_members((id, Some(watched)), replicas, ctx, |group, work| group.join(context, request, image, work));
        if let Some(Handled { records, response, resolve }) = joined.flatten() {
            let answer = Answer::Ready(context, Response::JoinGroup(response));
            self.write_watched((id, watched.0, watched.1), &records, answer, replicas, ctx);
            self.resolve(id, &request.group, resolve, replicas, ctx);
        }
    }

    /// Handles SyncGroup. As from version 5 members say which protocol they were told in JoinGroup.
    pub fn sync(
        &mut self,
        context: RequestContext,
        request: &SyncGroupRequest,
        replicas: &mut ReplicaManager,
        ctx: &mut Context<'_, '_>,
    ) {
        if request.protocol_type.is_none() || request.protocol_name.is_none() {
            let response = SyncGroupResponse::failed(ErrorCode::InconsistentGroupProtocol);
            return respond(context, Response::SyncGroup(response), ctx);
        }
        let id = match self.shard_of(&request.group, ctx) {
            Ok((id, _)) => id,
            Err(error) => return respond(context, Response::SyncGroup(SyncGroupResponse::failed(error)), ctx),
        };
        let (watched, image) = ((&request.group, RemovalReason::Left), ctx.image);
        let synced = self
            .with_members((id, Some(watched)), replicas, ctx, |group, work| group.sync(context, request, image, work));
        if let Some(response) = synced.flatten() {
            self.write(id, None, Answer::Ready(context, Response::SyncGroup(response)), replicas, ctx);
        }
    }

    /// Handles Heartbeat.
    pub fn heartbeat(
        &mut self,
        context: RequestContext,
        request: &HeartbeatRequest,
        replicas: &mut ReplicaManager,
        ctx: &mut Context<'_, '_>,
    ) {
        let response = |error| Response::Heartbeat(HeartbeatResponse { error });
        match self.shard_of(&request.group, ctx) {
            Ok((id, shard)) => {
                let error = shard.group.heartbeat(request, surroundings(ctx));
                if let Some(deadline) = shard.group.deadline() {
                    self.arm(deadline, ctx);
                }
                self.write(id, None, Answer::Ready(context, response(error)), replicas, ctx);
            }
            Err(error) => respond(context, response(error), ctx),
        }
    }

    /// Handles LeaveGroup.
    pub fn leave(
        &mut self,
        context: RequestContext,
        request: &LeaveGroupRequest,
        replicas: &mut ReplicaManager,
        ctx: &mut Context<'_, '_>,
    ) {
        let id = match self.shard_of(&request.group, ctx) {
            Ok((id, _)) => id,
            Err(error) => {
                let response = LeaveGroupResponse { error, members: Vec::new() };
                return respond(context, Response::LeaveGroup(response), ctx);
            }
        };
        let (watched, image) = ((&request.group, RemovalReason::Left), ctx.image);
        let left =
            self.with_members((id, Some(watched)), replicas, ctx, |group, work| group.leave(request, image, work));
        if let Some((records, response)) = left {
            let answer = Answer::Ready(context, Response::LeaveGroup(response));
            self.write_watched((id, watched.0, watched.1), &records, answer, replicas, ctx);
        }
    }

    /// Handles ConsumerGroupHeartbeat.
    pub fn consumer_heartbeat(
        &mut self,
        context: RequestContext,
        request: &ConsumerGroupHeartbeatRequest,
        replicas: &mut ReplicaManager,
        ctx: &mut Context<'_, '_>,
    ) {
        let id = match self.shard_of(&request.group, ctx) {
            Ok((id, _)) => id,
            Err(error) => {
                let error = if error == ErrorCode::InvalidGroupId { ErrorCode::InvalidRequest } else { error };
                let response = ConsumerGroupHeartbeatResponse::failed(error);
                return respond(context, Response::ConsumerGroupHeartbeat(response), ctx);
            }
        };
        let leaves = request.member_epoch < JOIN_EPOCH;
        let reason = if leaves { RemovalReason::Left } else { RemovalReason::Replaced };
        let image = ctx.image;
        let handled = self.with_members((id, Some((&request.group, reason))), replicas, ctx, |group, work| {
            group.consumer_heartbeat(request, image, work)
        });
        if let Some(Handled { records, response, resolve }) = handled {
            let answer = Answer::Ready(context, Response::ConsumerGroupHeartbeat(response));
            self.write_watched((id, &request.group, reason), &records, answer, replicas, ctx);
            self.resolve(id, &request.group, resolve, replicas, ctx);
        }
    }

    /// Looks what the patterns of a group match, if they are to be resolved.
    fn resolve(
        &mut self,
        id: TopicPartition,
        group: &Rc<str>,
        resolve: bool,
        replicas: &mut ReplicaManager,
        ctx: &mut Context<'_, '_>,
    ) {
        let Some(shard) = self.shards.get_mut(&id).filter(|_| resolve).map(Rc::make_mut) else { return };
        let records = shard.group.consumers.resolve(group, surroundings(ctx));
        let answer = Answer::Written(AfterWrite::Emptied);
        self.write_watched((id, group, RemovalReason::Left), &records, answer, replicas, ctx);
    }

    /// Removes members of the consumer protocol that are silent, or do not keep up with a rebalance.
    pub(super) fn expire_consumers(
        &mut self,
        id: TopicPartition,
        replicas: &mut ReplicaManager,
        ctx: &mut Context<'_, '_>,
    ) {
        while let Some(shard) = self.shards.get_mut(&id).map(Rc::make_mut)
            && let Some(Expired { group, member, reason }) = shard.group.consumers.take_expired(ctx.now)
        {
            let image = ctx.image;
            let records = self.with_members((id, Some((&group, reason))), replicas, ctx, |shard, work| {
                shard.fence(&group, &[member], image, work)
            });
            let answer = Answer::Written(AfterWrite::Emptied);
            self.write_watched((id, &group, reason), &records.unwrap_or_default(), answer, replicas, ctx);
        }
    }

    /// Writes what changes a group, and tells what has changed.
    pub(super) fn write_watched(
        &mut self,
        (id, group, reason): (TopicPartition, &Rc<str>, RemovalReason),
        records: &[CoordinatorRecord],
        answer: Answer,
        replicas: &mut ReplicaManager,
        ctx: &mut Context<'_, '_>,
    ) {
        if records.is_empty() {
            return self.write(id, None, answer, replicas, ctx);
        }
        let before = self.outline(id, group);
        let batch = batch_of(records, ctx.now.wall_clock_ms());
        self.write(id, Some((batch, None)), answer, replicas, ctx);
        self.tell(&before, reason, ctx);
    }

    /// Lets the groups of a shard do something, and does what they want done. If one is to be watched it is told what
    /// changes, and members are removed for this reason.
    pub(super) fn with_members<R>(
        &mut self,
        (id, watched): (TopicPartition, Option<(&Rc<str>, RemovalReason)>),
        replicas: &mut ReplicaManager,
        ctx: &mut Context<'_, '_>,
        run: impl FnOnce(&mut GroupShard, &mut Work<'_>) -> R,
    ) -> Option<R> {
        let watched = watched.map(|(group, reason)| (self.outline(id, group), reason));
        let shard = self.shards.get_mut(&id).map(Rc::make_mut)?;
        let mut work = Work::new(ctx.now, ctx.config, ctx.out.random());
        let result = run(&mut shard.group, &mut work);
        let (answers, writes) = (work.answers, work.writes);
        if let Some((before, reason)) = watched {
            self.tell(&before, reason, ctx);
        }
        let shard = self.shards.get(&id)?;
        if let Some(deadline) = shard.group.deadline() {
            self.arm(deadline, ctx);
        }
        answers.into_iter().for_each(|(context, response)| respond(context, response, ctx));
        for (record, then) in writes {
            let batch = batch_of(&[record], ctx.now.wall_clock_ms());
            self.write(id, Some((batch, None)), Answer::Written(then), replicas, ctx);
        }
        Some(result)
    }
}

pub(super) fn surroundings<'a>(ctx: &Context<'a, '_>) -> Surroundings<'a> {
    Surroundings { now: ctx.now, config: ctx.config, image: ctx.image }
}
