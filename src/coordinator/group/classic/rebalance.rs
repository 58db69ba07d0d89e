//! From one generation to the next: members join (again), the leader assigns, and what happens when they do not.

use super::group::JoinTimer;
use super::record::{group_metadata_record, new_group_record};
use super::{AfterWrite, ClassicGroup, ClassicGroupMember, ClassicGroups, Work};
use crate::base::{Duration, SortedMap, Time};
use crate::protocol::GroupState::{CompletingRebalance, Empty, PreparingRebalance, Stable};
use crate::protocol::{ErrorCode, JoinGroupResponse, Response, SyncGroupResponse};
use bytes::Bytes;
use std::rc::Rc;

/// What happens by itself.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Due {
    /// A member's session ends.
    Session(Rc<str>),
    /// Joining ends.
    Join,
    /// Who has not sent SyncGroup by now is removed.
    Sync,
}

impl ClassicGroup {
    /// What happens next by itself.
    pub(super) fn next_due(&self) -> Option<(Time, Due)> {
        let members = self.members.iter().filter_map(|(id, member)| Some((member.session_end?, id)));
        let pending = self.pending_joins.iter().map(|(id, end)| (*end, id));
        let session = members.chain(pending).min().map(|(end, id)| (end, Due::Session(id.clone())));
        let join = self.join_timer.map(|timer| (timer.due, Due::Join));
        let sync = self.sync_timer.map(|due| (due, Due::Sync));
        [session, join, sync].into_iter().flatten().min()
    }

    /// A new rebalance where one may begin, else perhaps the end of this one.
    pub(super) fn rebalance_or_complete_join(&mut self, work: &mut Work<'_>) {
        if self.may_rebalance() { self.prepare_rebalance(work) } else { self.maybe_complete_join(work) }
    }

    /// All members have to join again.
    pub(super) fn prepare_rebalance(&mut self, work: &mut Work<'_>) {
        if self.state == CompletingRebalance {
            self.propagate_error(ErrorCode::RebalanceInProgress, work);
        }
        self.pending_syncs.clear();
        self.sync_timer = None;
        let initial = self.state == Empty;
        self.transition_to(PreparingRebalance, work.now);
        if initial {
            // Others may be about to join, too.
            let delay = work.config.group_initial_rebalance_delay_ms;
            let remaining = self.rebalance_timeout() - delay;
            self.join_timer = Some(JoinTimer { due: work.now + delay, initial: Some((delay, remaining)) });
        } else if self.all_have_joined() {
            self.complete_join(work);
        } else {
            self.await_joins(work.now);
        }
    }

    fn await_joins(&mut self, now: Time) {
        self.join_timer = Some(JoinTimer { due: now + self.rebalance_timeout(), initial: None });
    }

    /// Somebody has joined or gone: is anybody still missing? The initial delay passes in any case.
    pub(super) fn maybe_complete_join(&mut self, work: &mut Work<'_>) {
        if self.state == PreparingRebalance && self.previous_state != Empty && self.all_have_joined() {
            self.complete_join(work);
        }
    }

    fn on_join_timer(&mut self, work: &mut Work<'_>) {
        let Some(timer) = self.join_timer.take() else { return };
        match timer.initial {
            Some((delay, remaining)) if self.new_member_added && remaining > Duration::ZERO => {
                self.new_member_added = false;
                let next = work.config.group_initial_rebalance_delay_ms.min(remaining);
                self.join_timer = Some(JoinTimer { due: work.now + next, initial: Some((next, remaining - delay)) });
            }
            _ => self.complete_join(work),
        }
    }

    /// Dynamic members that have not joined are out; the others are the next generation.
    pub(super) fn complete_join(&mut self, work: &mut Work<'_>) {
        self.join_timer = None;
        let absent = |member: &&ClassicGroupMember| !member.is_awaiting_join() && !member.is_static();
        let absent: Vec<Rc<str>> = self.members.values().filter(absent).map(|it| it.member_id.clone()).collect();
        for member_id in absent {
            self.remove(&member_id);
        }
        if !self.elect_joined_leader() && !self.members.is_empty() {
            // Nobody is there but static members that are away: their sessions decide.
            return self.await_joins(work.now);
        }
        self.init_next_generation(work.now);
        if self.state == Empty {
            return work.write(group_metadata_record(self, &SortedMap::new()), AfterWrite::Emptied);
        }
        for member_id in self.members.keys().cloned().collect::<Vec<_>>() {
            let response = self.joined(&member_id);
            self.pending_syncs.insert(member_id.clone());
            let Some(member) = self.members.get_mut(&member_id) else { continue };
            member.is_new = false;
            member.start_session(work.now);
            if let Some(context) = member.joining.take() {
                work.answer(context, Response::JoinGroup(response));
            }
        }
        self.sync_timer = Some(work.now + self.rebalance_timeout());
    }

    /// The leader's assignment is committed.
    pub(super) fn propagate(&mut self, assignment: &SortedMap<Rc<str>, Bytes>, work: &mut Work<'_>) {
        let (protocol_type, protocol_name) = (self.protocol_type.clone(), self.protocol_name.clone());
        for (member_id, member) in self.members.iter_mut() {
            member.assignment = assignment.get(member_id).cloned().unwrap_or_default();
            answer_sync(member, work, |member| SyncGroupResponse {
                error: ErrorCode::None,
                protocol_type: protocol_type.clone(),
                protocol_name: protocol_name.clone(),
                assignment: member.assignment.clone(),
            });
        }
    }

    /// There will be no assignment in this generation.
    pub(super) fn propagate_error(&mut self, error: ErrorCode, work: &mut Work<'_>) {
        for member in self.members.values_mut() {
            member.assignment = Bytes::new();
            answer_sync(member, work, |_| SyncGroupResponse::failed(error));
        }
    }

    /// A member is gone; a JoinGroup of it that waits is answered, so that it tries again if it lives.
    pub(super) fn remove_and_answer(&mut self, member_id: &str, work: &mut Work<'_>) {
        if let Some(context) = self.remove(member_id).and_then(|member| member.joining) {
            let response = JoinGroupResponse::failed(Rc::from(""), ErrorCode::UnknownMemberId);
            work.answer(context, Response::JoinGroup(response));
        }
    }

    fn on_session_end(&mut self, member_id: &Rc<str>, work: &mut Work<'_>) {
        if self.pending_joins.contains_key(member_id) {
            self.remove(member_id);
        } else {
            let Some(member) = self.members.get_mut(member_id) else { return };
            member.session_end = None;
            if member.has_satisfied_heartbeat() {
                return;
            }
            self.remove_and_answer(member_id, work);
            if self.is_in(&[Stable, CompletingRebalance]) {
                return self.rebalance_or_complete_join(work);
            }
        }
        if self.state == PreparingRebalance && self.all_have_joined() {
            self.complete_join(work);
        }
    }

    fn on_sync_timer(&mut self, work: &mut Work<'_>) {
        self.sync_timer = None;
        if self.is_in(&[CompletingRebalance, Stable]) && !self.pending_syncs.is_empty() {
            for member_id in self.pending_syncs.clone().iter() {
                self.remove(member_id);
            }
            self.prepare_rebalance(work);
        }
    }

    /// Whoever waits is told that it waits in vain.
    pub(super) fn fail_all(&mut self, error: ErrorCode, work: &mut Work<'_>) {
        for (member_id, member) in self.members.iter_mut() {
            if let Some(context) = member.joining.take() {
                let response = JoinGroupResponse::failed(member_id.clone(), error);
                work.answer(context, Response::JoinGroup(response));
            }
            if let Some(context) = member.syncing.take() {
                work.answer(context, Response::SyncGroup(SyncGroupResponse::failed(error)));
            }
        }
    }
}

/// Who has waited for its assignment has sent no heartbeats, and need not have.
fn answer_sync(
    member: &mut ClassicGroupMember,
    work: &mut Work<'_>,
    response: impl FnOnce(&ClassicGroupMember) -> SyncGroupResponse,
) {
    if let Some(context) = member.syncing.take() {
        work.answer(context, Response::SyncGroup(response(member)));
        member.start_session(work.now);
    }
}

impl ClassicGroups {
    /// What is due by now in one of the groups.
    pub fn due(&self, now: Time) -> Option<(Rc<str>, Due)> {
        self.groups.values().find_map(|group| {
            let (_, due) = group.next_due().filter(|(due, _)| *due <= now)?;
            Some((group.id.clone(), due))
        })
    }

    /// Does it.
    pub fn expire(&mut self, id: &str, due: Due, work: &mut Work<'_>) {
        let Some(group) = self.group_mut(id) else { return };
        match due {
            Due::Session(member_id) => group.on_session_end(&member_id, work),
            Due::Join => group.on_join_timer(work),
            Due::Sync => group.on_sync_timer(work),
        }
    }

    /// A record that a handler wrote is committed, or could not be: appended, or replicated in time.
    pub fn written(&mut self, then: &AfterWrite, result: Result<(), ErrorCode>, work: &mut Work<'_>) {
        match then {
            // A generation without members that is lost does no harm: the one before it had none left alive either.
            AfterWrite::Emptied => {}
            AfterWrite::NewGroup(id) => {
                // It could not be appended: as in Kafka it is as if it had never been.
                if let (Err(error), Some(group)) = (result, self.group_mut(id)) {
                    group.fail_all(error, work);
                    self.groups.remove(id);
                }
            }
            AfterWrite::Assigned { group, generation, assignment } => {
                let Some(group) = self.group_mut(group) else { return };
                if group.state != CompletingRebalance || group.generation != *generation {
                    return;
                }
                match result {
                    Ok(()) => {
                        group.propagate(assignment, work);
                        group.transition_to(Stable, work.now);
                    }
                    Err(error) => {
                        group.propagate_error(error, work);
                        group.rebalance_or_complete_join(work);
                    }
                }
            }
            AfterWrite::Replaced(replaced) => {
                if let Some(group) = self.group_mut(&replaced.group) {
                    group.replacement_written(replaced, result, work);
                }
            }
        }
    }

    /// The record of a group that was unknown until now.
    pub(super) fn write_new(group: &ClassicGroup, work: &mut Work<'_>) {
        work.write(new_group_record(group), AfterWrite::NewGroup(group.id.clone()));
    }
}
