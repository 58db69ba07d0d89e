//! What eyes see of share groups (KIP-932): a consumer's place in the group and the settings that matter, the group as its
//! coordinator knows it, and share-partitions as the leaders of their partitions do.

use super::CELLS;
use super::application::{commit_name, setting};
use super::groups::{GroupMemberView, GroupView, MembershipView, ReconcilingView, empty};
use super::project::partition_name;
use super::server::stored_from;
use crate::app::{CommitMode, ConsumerAppSetup};
use crate::base::Offset;
use crate::base::config::{ConsumerConfig, ShareAcquireMode};
use crate::broker::Broker;
use crate::broker::share::RecordState;
use crate::client::payload::record_id_of;
use crate::client::share_consumer::ShareConsumer;
use crate::coordinator::group::share::ShareGroup;
use crate::sim::World;
use serde::Serialize;
use std::rc::Rc;

/// A partition as one share group sees it, at its leader.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct SharePartitionView {
    /// `group.id`.
    pub group: Rc<str>,
    /// `orders-0`.
    pub partition: Rc<str>,
    /// SPSO: everything before it is done with.
    pub start_offset: i64,
    /// Behind the last offset that was ever acquired.
    pub end_offset: i64,
    /// Offsets from the start offset on that are done with.
    pub done: i32,
    /// What is in flight, from the start offset on; at most [`CELLS`](super::CELLS).
    pub cells: Vec<ShareCell>,
}

/// An offset in flight.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ShareCell {
    /// Which.
    pub offset: i64,
    /// The generator's number, if it is a generator's record.
    pub record: Option<u32>,
    /// By Kafka's name: `AVAILABLE`, `ACQUIRED`, `ACKNOWLEDGED`, `ARCHIVED`.
    pub state: &'static str,
    /// How often it has been delivered.
    pub deliveries: i16,
    /// The id of the member that has it, while it is acquired.
    pub member: Option<Rc<str>>,
}

/// A group as its coordinator knows it.
pub(super) fn group(world: &World, home: &Rc<str>, group: &ShareGroup) -> GroupView {
    let members = group.members().map(|it| {
        let assigned: Vec<Rc<str>> = it.partitions().into_iter().map(|it| partition_name(world, it)).collect();
        let (epoch, target) = (it.member_epoch, assigned.clone());
        GroupMemberView {
            member_id: Rc::clone(&it.member_id),
            instance_id: None,
            client_id: Rc::clone(&it.client_id),
            assigned,
            reconciling: Some(ReconcilingView { epoch, state: "STABLE", target, revoking: Vec::new() }),
        }
    });
    GroupView {
        state: group.state().name(),
        protocol: "share",
        generation: group.epoch(),
        assignment_epoch: Some(group.target_epoch()),
        assignor: Some(Rc::from("simple")),
        members: members.collect(),
        topics: group.subscribed_topics().into_iter().collect(),
        ..empty(Rc::clone(group.id()), Rc::clone(home))
    }
}

/// What share groups have done with the partitions that a broker leads.
pub(super) fn partitions(world: &World, broker: &Broker) -> Vec<SharePartitionView> {
    let all = broker.shares().into_iter().flat_map(|shares| shares.manager().partitions());
    let views = all.map(|((group, id), it)| {
        let (start, last) = (it.start_offset(), it.start_offset() + CELLS as Offset);
        let log = broker.partition(*id).map(|partition| partition.log().directory());
        let batches = log.into_iter().flat_map(|log| stored_from(log, start));
        let batches =
            batches.take_while(|stored| stored.batch.base_offset() < last).filter(|it| !it.batch.is_control());
        let records = batches.flat_map(|stored| stored.batch.records()).filter_map(Result::ok);
        let ids: Vec<(Offset, u32)> =
            records.filter_map(|it| Some((it.offset, record_id_of(it.value.as_deref()?)?.0))).collect();
        let mut cells = Vec::new();
        for (first, end, state, deliveries, member) in it.in_flight() {
            for offset in first.max(start)..=end.min(last - 1) {
                let record = ids.iter().find(|(at, _)| *at == offset).map(|(_, record)| *record);
                cells.push(ShareCell { offset, record, state: name(state), deliveries, member: member.map(Rc::from) });
            }
        }
        SharePartitionView {
            group: Rc::clone(group),
            partition: partition_name(world, *id),
            start_offset: start,
            end_offset: it.end_offset(),
            done: it.delivery_complete_count(),
            cells,
        }
    });
    views.collect()
}

fn name(state: RecordState) -> &'static str {
    match state {
        RecordState::Available => "AVAILABLE",
        RecordState::Acquired => "ACQUIRED",
        RecordState::Acknowledged => "ACKNOWLEDGED",
        RecordState::Archived => "ARCHIVED",
    }
}

/// What a share consumer knows of its membership.
pub(super) fn membership(client: &ShareConsumer) -> Option<MembershipView> {
    let member = client.membership().member();
    let member_id = client.membership().member_id().cloned().unwrap_or_else(|| Rc::from(""));
    Some(MembershipView {
        member_id,
        generation: member.epoch(),
        state: member.state().name(),
        leader: false,
        by_epochs: true,
    })
}

pub(super) fn settings(setup: &ConsumerAppSetup) -> Vec<(Rc<str>, Rc<str>, bool)> {
    let (config, default) = (&setup.config, ConsumerConfig::default());
    let mode = config.share_acknowledgement_mode;
    let is_default = mode == default.share_acknowledgement_mode;
    let mut settings = vec![setting("share.acknowledgement.mode", mode.name(), is_default)];
    if config.share_acquire_mode == ShareAcquireMode::RecordLimit {
        settings.push(setting("share.acquire.mode", config.share_acquire_mode.name(), false));
    }
    if setup.commit != CommitMode::Auto {
        settings.push(setting("commit", commit_name(setup.commit), false));
    }
    settings
}
