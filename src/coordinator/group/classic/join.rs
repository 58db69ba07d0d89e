//! JoinGroup.

use super::member::ClassicGroupMember;
use super::record::group_metadata_record;
use super::{AfterWrite, ClassicGroup, ClassicGroups, Replaced, Work};
use crate::base::config::BrokerConfig;
use crate::base::{Duration, Prng, SortedMap};
use crate::node::RequestContext;
use crate::protocol::GroupState::{CompletingRebalance, Empty, PreparingRebalance, Stable};
use crate::protocol::{ErrorCode, JoinGroupRequest, Response, SyncGroupResponse};
use bytes::Bytes;
use std::fmt::Write;
use std::rc::Rc;

/// How long a member that does not know its id yet may wait for a rebalance (`classicGroupNewMemberJoinTimeoutMs`).
const NEW_MEMBER_JOIN_TIMEOUT: Duration = Duration::from_millis(5 * 60 * 1_000);

impl ClassicGroups {
    /// Is the session as long as it may be?
    pub(in crate::coordinator::group) fn has_valid_session(request: &JoinGroupRequest, config: &BrokerConfig) -> bool {
        let timeout = request.session_timeout;
        config.group_min_session_timeout_ms <= timeout && timeout <= config.group_max_session_timeout_ms
    }

    /// Handles JoinGroup; the answer may wait for others. A group of which only offsets are known exists, too, and is
    /// empty.
    pub fn join(
        &mut self,
        context: RequestContext,
        request: &JoinGroupRequest,
        has_offsets: bool,
        work: &mut Work<'_>,
    ) {
        if !ClassicGroups::has_valid_session(request, work.config) {
            return refuse(context, &request.member_id, ErrorCode::InvalidSessionTimeout, work);
        }
        let is_new = !has_offsets && self.group(&request.group).is_none();
        if is_new && !request.member_id.is_empty() {
            return refuse(context, &request.member_id, ErrorCode::UnknownMemberId, work);
        }
        let id = &request.group;
        let group = self.groups.entry(id.clone()).or_insert_with(|| Rc::new(ClassicGroup::new(id.clone(), work.now)));
        let (group, written) = (Rc::make_mut(group), work.writes.len());
        group.join(context, request, work);
        if is_new && work.writes.len() == written {
            ClassicGroups::write_new(group, work);
        }
    }
}

fn refuse(context: RequestContext, member_id: &Rc<str>, error: ErrorCode, work: &mut Work<'_>) {
    work.refuse_join(context, member_id, error);
}

impl ClassicGroup {
    fn join(&mut self, context: RequestContext, request: &JoinGroupRequest, work: &mut Work<'_>) {
        let member_id = &request.member_id;
        if !self.has_room_for(member_id, work.config.group_max_size) {
            self.remove(member_id);
            refuse(context, &Rc::from(""), ErrorCode::GroupMaxSizeReached, work);
        } else if !self.supports(&request.protocol_type, &request.protocols) {
            refuse(context, member_id, ErrorCode::InconsistentGroupProtocol, work);
        } else if member_id.is_empty() {
            self.join_new(context, request, work);
        } else if self.pending_joins.contains_key(member_id) && request.instance_id.is_some() {
            // Such ids are given to dynamic members only (an IllegalStateException in Kafka).
            refuse(context, &Rc::from(""), ErrorCode::UnknownServerError, work);
        } else if self.pending_joins.contains_key(member_id) {
            self.add_and_rebalance(context, request, member_id.clone(), work);
        } else {
            match self.validate_member(member_id, request.instance_id.as_ref()) {
                Ok(()) => self.join_again(context, request, work),
                Err(error) => refuse(context, member_id, error, work),
            }
        }
    }

    /// Members that have joined again count while the group rebalances, else all of them.
    fn has_room_for(&self, member_id: &str, most: u32) -> bool {
        let known = self.members.get(member_id);
        match self.state {
            PreparingRebalance => {
                let joined = self.members.values().filter(|member| member.is_awaiting_join()).count();
                known.is_some_and(ClassicGroupMember::is_awaiting_join) || joined < most as usize
            }
            CompletingRebalance | Stable => known.is_some() || self.members.len() < most as usize,
            _ => true,
        }
    }

    fn join_new(&mut self, context: RequestContext, request: &JoinGroupRequest, work: &mut Work<'_>) {
        let Some(instance_id) = &request.instance_id else {
            // So that a retry of it does not become one more member (KIP-394).
            let member_id = new_member_id(&request.client_id, work.random);
            self.pending_joins.insert(member_id.clone(), work.now + request.session_timeout);
            return refuse(context, &member_id, ErrorCode::MemberIdRequired, work);
        };
        let member_id = new_member_id(instance_id, work.random);
        match self.static_members.get(instance_id).cloned() {
            Some(old_id) => self.replace_static(context, request, &old_id, member_id, work),
            None => self.add_and_rebalance(context, request, member_id, work),
        }
    }

    fn join_again(&mut self, context: RequestContext, request: &JoinGroupRequest, work: &mut Work<'_>) {
        let member_id = &request.member_id;
        let changed = self.members.get(member_id).is_some_and(|member| *member.protocols != *request.protocols);
        let rebalance = match self.state {
            PreparingRebalance => true,
            CompletingRebalance => changed,
            // The leader knows of changes that members do not tell (topics have more partitions).
            Stable => changed || self.is_leader(member_id),
            _ => return refuse(context, member_id, ErrorCode::UnknownMemberId, work),
        };
        if rebalance {
            self.update(context, request, member_id);
            self.rebalance_or_complete_join(work);
        } else {
            // It has missed the answer to its last request.
            let response = self.joined(member_id);
            work.answer(context, Response::JoinGroup(response));
        }
    }

    fn update(&mut self, context: RequestContext, request: &JoinGroupRequest, member_id: &Rc<str>) {
        if let Some(member) = self.members.get_mut(member_id) {
            member.protocols = Rc::from(&request.protocols[..]);
            member.rebalance_timeout = request.rebalance_timeout;
            member.session_timeout = request.session_timeout;
            member.joining = Some(context);
        }
    }

    fn add_and_rebalance(
        &mut self,
        context: RequestContext,
        request: &JoinGroupRequest,
        member_id: Rc<str>,
        work: &mut Work<'_>,
    ) {
        if self.state == PreparingRebalance && self.previous_state == Empty {
            self.new_member_added = true;
        }
        let mut member = ClassicGroupMember::new(member_id, request, context);
        member.session_end = Some(work.now + NEW_MEMBER_JOIN_TIMEOUT);
        self.add(member, &request.protocol_type);
        self.rebalance_or_complete_join(work);
    }

    /// A static member came back without its member id: it gets a new one, and who has the old one is fenced. If nothing
    /// else changes the group stays as it is (KIP-345).
    fn replace_static(
        &mut self,
        context: RequestContext,
        request: &JoinGroupRequest,
        old_id: &Rc<str>,
        new_id: Rc<str>,
        work: &mut Work<'_>,
    ) {
        let Some(instance_id) = request.instance_id.clone() else { return };
        let old_protocols = self.rename(&instance_id, old_id, &new_id, work);
        self.update(context, request, &new_id);
        match self.state {
            Stable if self.select_protocol() == self.protocol_name => {
                let assignment: SortedMap<Rc<str>, Bytes> =
                    self.members.iter().map(|(id, member)| (id.clone(), member.assignment.clone())).collect();
                let (group, old_id) = (self.id.clone(), old_id.clone());
                let replaced = Replaced { group, instance_id, old_id, new_id, old_protocols };
                work.write(group_metadata_record(self, &assignment), AfterWrite::Replaced(Box::new(replaced)));
            }
            Stable => self.rebalance_or_complete_join(work),
            // The leader may be assigning to the old member id.
            CompletingRebalance => self.prepare_rebalance(work),
            _ => self.maybe_complete_join(work),
        }
    }

    /// Gives a static member another id; what waits under the old one is fenced. Returns its protocols.
    fn rename(
        &mut self,
        instance_id: &Rc<str>,
        old_id: &Rc<str>,
        new_id: &Rc<str>,
        work: &mut Work<'_>,
    ) -> Rc<[crate::protocol::JoinGroupProtocol]> {
        let mut member = self.members.remove(old_id).expect("invariant: an instance's member id is a member's");
        if let Some(context) = member.joining.take() {
            refuse(context, old_id, ErrorCode::FencedInstanceId, work);
        }
        if let Some(context) = member.syncing.take() {
            work.answer(context, Response::SyncGroup(SyncGroupResponse::failed(ErrorCode::FencedInstanceId)));
        }
        let protocols = member.protocols.clone();
        member.member_id = new_id.clone();
        member.is_new = false;
        member.start_session(work.now);
        self.members.insert(new_id.clone(), member);
        if self.is_leader(old_id) {
            self.leader = Some(new_id.clone());
        }
        self.static_members.insert(instance_id.clone(), new_id.clone());
        protocols
    }

    /// The group with a static member's new id is written, or is not, and then it has the old one again.
    pub(super) fn replacement_written(
        &mut self,
        replaced: &Replaced,
        result: Result<(), ErrorCode>,
        work: &mut Work<'_>,
    ) {
        let new_id = &replaced.new_id;
        if let Err(error) = result {
            let Some(member) = self.members.get_mut(new_id) else { return };
            let waiting = member.joining.take();
            member.protocols = replaced.old_protocols.clone();
            self.rename(&replaced.instance_id, new_id, &replaced.old_id, work);
            if let Some(context) = waiting {
                refuse(context, &Rc::from(""), error, work);
            }
            return;
        }
        let mut response = self.joined(new_id);
        response.skip_assignment = self.is_leader(new_id);
        if let Some(context) = self.members.get_mut(new_id).and_then(|member| member.joining.take()) {
            work.answer(context, Response::JoinGroup(response));
        }
    }
}

/// `client.id` or `group.instance.id`, and a random UUID as Java prints it.
fn new_member_id(of: &str, random: &mut Prng) -> Rc<str> {
    let (high, low) = (random.next_u64(), random.next_u64());
    let (high, low) = (high & !0xf000 | 0x4000, low & !(3 << 62) | (1 << 63));
    let mut id = format!("{of}-");
    let _ = write!(id, "{:08x}-{:04x}-{:04x}-", high >> 32, (high >> 16) & 0xffff, high & 0xffff);
    let _ = write!(id, "{:04x}-{:012x}", low >> 48, low & 0xffff_ffff_ffff);
    Rc::from(id)
}
