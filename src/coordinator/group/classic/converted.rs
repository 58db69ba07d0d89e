//! Classic groups on their way to the consumer protocol, and from there (`ClassicGroup.fromConsumerGroup`).

use super::record::group_metadata_record;
use super::{ClassicGroup, ClassicGroupMember, ClassicGroups, Work};
use crate::base::{Duration, Generation, SortedMap, Time};
use crate::coordinator::CoordinatorRecord;
use crate::protocol::{CONSUMER_PROTOCOL_TYPE, ErrorCode, GroupState, JoinGroupProtocol};
use bytes::Bytes;
use std::rc::Rc;

impl ClassicGroupMember {
    /// One that has come from a group of the consumer protocol: who, of which client, with which timeouts.
    pub(in crate::coordinator::group) fn settled(
        member_id: Rc<str>,
        instance_id: Option<Rc<str>>,
        (client_id, client_host): (Rc<str>, Rc<str>),
        (session_timeout, rebalance_timeout): (Duration, Duration),
        protocols: Rc<[JoinGroupProtocol]>,
    ) -> ClassicGroupMember {
        ClassicGroupMember {
            member_id,
            instance_id,
            client_id,
            client_host,
            rebalance_timeout,
            session_timeout,
            protocols,
            assignment: Bytes::new(),
            is_new: false,
            session_end: None,
            joining: None,
            syncing: None,
        }
    }
}

impl ClassicGroup {
    /// A Stable group of these members, the first of which leads.
    pub(in crate::coordinator::group) fn of_members(
        id: Rc<str>,
        generation: Generation,
        members: Vec<ClassicGroupMember>,
        now: Time,
    ) -> ClassicGroup {
        let mut group = ClassicGroup::new(id, now);
        (group.state, group.generation) = (GroupState::Stable, generation);
        for mut member in members {
            member.start_session(now);
            group.add(member, &Rc::from(CONSUMER_PROTOCOL_TYPE));
        }
        group.protocol_name = group.select_protocol();
        group
    }

    /// What the members are assigned, given what they say of themselves for the protocol that was chosen.
    pub(in crate::coordinator::group) fn assign_with(
        &mut self,
        assignment: impl Fn(&ClassicGroupMember, &[u8]) -> Bytes,
    ) {
        let protocol = self.protocol_name.clone().unwrap_or_default();
        for member in self.members.values_mut() {
            let assigned = assignment(member, member.metadata(&protocol).map_or(&[], |metadata| metadata));
            member.assignment = assigned;
        }
    }

    /// The record that remembers it.
    pub(in crate::coordinator::group) fn record(&self) -> CoordinatorRecord {
        let assigned: SortedMap<Rc<str>, Bytes> =
            self.members.iter().map(|(id, member)| (id.clone(), member.assignment.clone())).collect();
        group_metadata_record(self, &assigned)
    }
}

impl ClassicGroups {
    /// Takes in a group, whose members perhaps have to join again at once.
    pub(in crate::coordinator::group) fn adopt(
        &mut self,
        mut group: ClassicGroup,
        rebalance: bool,
        work: &mut Work<'_>,
    ) {
        if rebalance {
            group.prepare_rebalance(work);
        }
        self.groups.insert(group.id.clone(), Rc::new(group));
    }

    /// Whoever waits in the group is told that there is another rebalance.
    pub(in crate::coordinator::group) fn interrupt(&mut self, id: &str, work: &mut Work<'_>) {
        if let Some(group) = self.group_mut(id) {
            group.fail_all(ErrorCode::RebalanceInProgress, work);
        }
    }
}
