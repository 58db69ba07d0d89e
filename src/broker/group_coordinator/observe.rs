//! What others see of a group's life: its state, and who comes and goes.

use super::GroupCoordinator;
use crate::base::TopicPartition;
use crate::broker::context::Context;
use crate::node::{Event, RemovalReason};
use crate::protocol::{GroupState, MemberEpoch};
use std::rc::Rc;

/// A group at one moment.
pub(super) struct Outline {
    home: TopicPartition,
    group: Rc<str>,
    seen: (GroupState, MemberEpoch, Vec<Rc<str>>),
}

impl GroupCoordinator {
    /// How a group is now, to be compared with how it will be.
    pub(super) fn outline(&self, home: TopicPartition, group: &Rc<str>) -> Outline {
        let seen = self.shards.get(&home).and_then(|shard| shard.group.outline(group));
        Outline { home, group: group.clone(), seen: seen.unwrap_or((GroupState::Dead, 0, Vec::new())) }
    }

    /// Tells what has changed since then, and why members are gone.
    pub(super) fn tell(&self, before: &Outline, reason: RemovalReason, ctx: &mut Context<'_, '_>) {
        let group = &before.group;
        let after = self.outline(before.home, group);
        let (state, epoch, members) = &after.seen;
        let joined = || members.iter().filter(|member| !before.seen.2.contains(member));
        let full = reason == RemovalReason::Replaced && joined().next().is_none();
        let reason = if full { RemovalReason::GroupFull } else { reason };
        for member_id in before.seen.2.iter().filter(|member| !members.contains(member)).cloned() {
            ctx.out.emit(Event::MemberRemoved { group: group.clone(), member_id, reason });
        }
        for member_id in joined().cloned() {
            ctx.out.emit(Event::MemberJoined { group: group.clone(), member_id });
        }
        let created = before.seen.0 == GroupState::Dead && *state == GroupState::Empty;
        if (before.seen.0, before.seen.1) != (*state, *epoch) && !created {
            ctx.out.emit(Event::GroupChanged { group: group.clone(), state: *state, epoch: *epoch });
        }
    }
}
