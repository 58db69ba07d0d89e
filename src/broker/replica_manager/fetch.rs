//! Fetch: read what may have news, answer or park, and wake what is parked.

use super::ReplicaManager;
use crate::base::config::ReplicaSelector;
use crate::base::{BrokerId, Offset, TopicPartition};
use crate::broker::context::Context;
use crate::broker::fetch_session::ParkedFetch;
use crate::broker::partition::{FetchRead, ReadOptions};
use crate::log::UnifiedLog;
use crate::node::RequestContext;
use crate::protocol::{ErrorCode, FetchRequest, FetchResponse, Response};

/// What one pass over a session gave.
struct Pass {
    dirty: Vec<TopicPartition>,
    reads: Vec<FetchRead>,
    bytes: u32,
    /// Something must be told at once: an error or a divergence.
    urgent: bool,
}

impl ReplicaManager {
    /// Handles a Fetch to the end, or parks it.
    pub fn handle_fetch(&mut self, context: RequestContext, request: &FetchRequest, ctx: &mut Context<'_, '_>) {
        let (session, orphan) = self.sessions.begin(ctx.now, request, ctx.out.random());
        if let Some(orphan) = orphan {
            refuse(orphan.context, ErrorCode::FetchSessionIdNotFound, ctx);
        }
        let session = match session {
            Ok(session) => session,
            Err(error) => return refuse(context, error, ctx),
        };
        let max_bytes = request.max_bytes.min(ctx.config.fetch_max_bytes);
        let min_bytes = request.min_bytes.min(max_bytes);
        let deadline = ctx.now + request.max_wait;
        let parked = ParkedFetch { context, deadline, min_bytes, max_bytes };
        let pass = self.read_session(session, parked, true, ctx);
        let nothing_asked = self.sessions.get(session).is_none_or(|session| session.partitions().next().is_none());
        if deadline <= ctx.now || pass.bytes >= min_bytes || pass.urgent || nothing_asked {
            self.answer(session, context, pass, ctx);
        } else {
            self.park(session, parked, pass, ctx);
        }
    }

    fn park(&mut self, id: i32, parked: ParkedFetch, pass: Pass, ctx: &mut Context<'_, '_>) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        session.parked = Some(parked);
        session.put_back_dirty(pass.dirty);
        self.arm_purgatory(parked.deadline, ctx.out);
        // As `tryCompleteElseWatch` does: an offset past what may be read, or on an older segment, is answered at once.
        let Some(session) = self.sessions.get(id) else { return };
        if session.dirty().iter().any(|partition| self.is_completable(id, *partition, ctx)) {
            self.complete_fetch(id, ctx);
        }
    }

    /// Reads all partitions of a session that may have news.
    fn read_session(&mut self, session: i32, fetch: ParkedFetch, first: bool, ctx: &mut Context<'_, '_>) -> Pass {
        let mut pass = Pass { dirty: Vec::new(), reads: Vec::new(), bytes: 0, urgent: false };
        let Some(state) = self.sessions.get_mut(session) else { return pass };
        pass.dirty = state.take_dirty();
        pass.reads.reserve(pass.dirty.len());
        let (replica, isolation) = (state.replica, state.isolation);
        let rack_aware = replica.is_none() && ctx.config.replica_selector_class == ReplicaSelector::RackAware;
        let rack = if rack_aware { state.rack.clone() } else { None };
        let mut wishes = false;
        for at in 0..pass.dirty.len() {
            let id = pass.dirty[at];
            let Some(request) = self.sessions.get(session).and_then(|state| state.request(id)) else { continue };
            let max_bytes = fetch.max_bytes.saturating_sub(pass.bytes);
            let options = ReadOptions { replica, isolation, max_bytes, min_one: pass.bytes == 0, first };
            let elsewhere = rack.as_deref().and_then(|rack| self.partition(id)?.redirect(&request, rack, ctx));
            let mut read = match self.partition_mut(id) {
                Some(_) if elsewhere.is_some() => elsewhere.expect("invariant: checked just now"),
                Some(partition) => partition.fetch(&request, options, ctx),
                None => {
                    let mut read = FetchRead::failed(&request, ctx.not_hosted_by_id(id));
                    if read.response.error == ErrorCode::NotLeaderOrFollower {
                        read.response.current_leader = ctx.leader_in_metadata(id);
                    }
                    read
                }
            };
            pass.bytes += read.bytes;
            pass.urgent |= read.response.error.is_error()
                || read.response.diverging_epoch.is_some()
                || read.response.preferred_read_replica != BrokerId::NONE;
            if let Some(wish) = read.wish.take() {
                self.submit(id, wish);
                wishes = true;
            }
            if read.advanced {
                self.advanced(id, ctx);
            } else if first && replica.is_some() {
                // The follower may have told of a later log start.
                self.complete_deletes(id, ctx);
            }
            pass.reads.push(read);
        }
        if wishes {
            self.propagate(ctx);
        }
        pass
    }

    fn answer(&mut self, session: i32, context: RequestContext, pass: Pass, ctx: &mut Context<'_, '_>) {
        let Some(state) = self.sessions.get_mut(session) else { return };
        let (replica, isolation) = (state.replica, state.isolation);
        let mut partitions = Vec::with_capacity(pass.reads.len());
        for read in pass.reads {
            let response = read.response;
            let id = response.partition;
            let settled = match (self.partitions.get(&id), state.request(id)) {
                (Some(partition), Some(request)) => partition.is_settled(&request, &response, replica, isolation),
                _ => false,
            };
            if state.tell(&response, settled) {
                partitions.push(response);
            }
        }
        state.responded();
        let session_id = state.response_id();
        if session_id == 0 {
            self.sessions.remove(session);
        }
        let response = FetchResponse { error: ErrorCode::None, session_id, partitions };
        ctx.requests.respond(context, Response::Fetch(response), ctx.out);
    }

    /// Answers a parked fetch with whatever there is.
    pub(super) fn complete_fetch(&mut self, session: i32, ctx: &mut Context<'_, '_>) {
        let Some(parked) = self.sessions.get_mut(session).and_then(|state| state.parked.take()) else { return };
        let pass = self.read_session(session, parked, false, ctx);
        self.answer(session, parked.context, pass, ctx);
    }

    /// Something happened to a partition: answers the followers' (or the consumers') parked fetches that can be.
    pub(super) fn complete_fetches(&mut self, id: TopicPartition, followers: bool, ctx: &mut Context<'_, '_>) {
        let Some(watchers) = self.sessions.watchers(id) else { return };
        for session in watchers.iter() {
            let Some(state) = self.sessions.get(*session) else { continue };
            if state.replica.is_some() == followers && state.parked.is_some() && self.is_completable(*session, id, ctx)
            {
                self.complete_fetch(*session, ctx);
            }
        }
    }

    /// Whether a parked fetch is worth answering, now that something happened to `changed`: an error, a divergence, an
    /// offset past the end (truncation) or on an older segment, or enough bytes.
    fn is_completable(&self, session: i32, changed: TopicPartition, ctx: &Context<'_, '_>) -> bool {
        let Some(state) = self.sessions.get(session) else { return false };
        let (Some(parked), Some(request)) = (state.parked, state.request(changed)) else { return false };
        let follower = state.replica.is_some();
        let Some(partition) = self.partition(changed) else { return true };
        if partition.check_may_fetch(&request, follower).is_err() || parked.deadline <= ctx.now {
            return true;
        }
        let end = partition.readable_end(follower, state.isolation);
        if request.fetch_offset > end || !matches!(partition.diverging_epoch(&request), Ok(None)) {
            return true;
        }
        if request.fetch_offset == end {
            return false;
        }
        if parked.min_bytes <= 1 || starts_on_older_segment(partition.log(), request.fetch_offset) {
            return true;
        }
        // Bytes add up over all partitions that have some.
        let mut bytes = 0;
        for id in state.dirty() {
            let (Some(partition), Some(request)) = (self.partition(*id), state.request(*id)) else { continue };
            let end = partition.readable_end(follower, state.isolation);
            if request.fetch_offset >= end {
                continue;
            }
            let batches = partition.log().read(request.fetch_offset, request.partition_max_bytes, end, true);
            let available: u32 = batches.iter().flatten().map(crate::record::RecordBatch::size_in_bytes).sum();
            bytes += available.min(request.partition_max_bytes);
        }
        bytes >= parked.min_bytes
    }
}

fn starts_on_older_segment(log: &UnifiedLog, offset: Offset) -> bool {
    log.segments().last().is_some_and(|active| offset < active.base_offset())
}

fn refuse(context: RequestContext, error: ErrorCode, ctx: &mut Context<'_, '_>) {
    let response = FetchResponse { error, session_id: 0, partitions: Vec::new() };
    ctx.requests.respond(context, Response::Fetch(response), ctx.out);
}
