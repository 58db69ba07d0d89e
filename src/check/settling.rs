//! What must come true of groups once everything works again: each is stable, whoever lives is a member of it, and nothing is
//! left that it has not read and committed.
//!
//! A program whose loop an exception has ended is no member any more, and what it did not commit somebody else does. Lag is
//! counted in records that stand and that somebody got: markers, what was aborted and what a reset passed over are never
//! delivered, so that nobody commits behind them.
//!
//! Some lags may stay. An asynchronous commit that fails is not repeated. `commitSync()` leaves out partitions whose
//! position is being validated because another broker leads them (`SubscriptionState.allConsumed`): they are committed with the
//! next records, if any come; automatic commits repeat themselves, and transactions take positions as they are. A record that the
//! present leader itself appended was read when its epoch had been validated, so that this excuses nothing. A commit that nobody
//! got an answer to may come late and move the group back. And where nothing is committed a member that does not begin at the
//! earliest offset passes over what somebody got before it, and has nothing to commit until more comes. Who stores offsets with
//! the output has nothing left to commit where those are further.
//!
//! Nothing is demanded of a group with a member that is overworked ([`overworked`]).

use super::invariants::{Invariant, Violation, client_of, group_shard};
use super::ledger::Ledger;
use crate::app::{CommitMode, Dedupe, HandOver, OffsetsMode};
use crate::base::config::{AutoOffsetReset, ConsumerConfig};
use crate::base::{Duration, NodeId, Offset, SortedSet, TopicPartition};
use crate::client::consumer::Consumer;
use crate::coordinator::group::GroupShard;
use crate::protocol::GroupState;
use crate::sim::{AnyNode, World, WorldSetup};
use std::rc::Rc;

/// Those of one group who live and whose loop goes on.
struct Members<'a> {
    group: &'a Rc<str>,
    clients: Vec<(NodeId, &'a Consumer)>,
    topics: &'a [Rc<str>],
    /// How surely they commit whatever they have read.
    commits: Commits,
    /// The sink whose offsets they go by.
    sink: Option<NodeId>,
}

/// How surely what was read is committed, the least sure first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Commits {
    /// An attempt may fail, and that is it.
    Perhaps,
    /// In the end, unless another broker has come to lead since.
    UnlessLeadersChange,
    /// In the end.
    Surely,
}

/// What is not so, of groups without anybody who is excused. A group may stand further back than it has committed if a commit
/// `comes_late`.
pub(super) fn settling(
    world: &World,
    ledger: &Ledger,
    is_excused: impl Fn(NodeId) -> bool,
    comes_late: impl Fn(&str, TopicPartition, Offset) -> bool,
) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut report = |invariant, partition, detail: String| {
        found.push(Violation { invariant, at: world.now(), partition, detail: detail.into() });
    };
    for members in groups(world) {
        let group = members.group;
        if members.clients.iter().any(|(node, _)| is_excused(*node)) {
            continue;
        }
        let Some(shard) = group_shard(world, group) else {
            report(Invariant::GroupsSettle, None, format!("{group} has no coordinator"));
            continue;
        };
        if let Some(problem) = unsettled(shard, group) {
            report(Invariant::GroupsSettle, None, problem);
        }
        for (node, client) in &members.clients {
            if client.coordinator().is_none_or(|it| it.is_rejoining()) {
                report(Invariant::GroupsSettle, None, format!("{} is no member of {group}", world.name(*node)));
            }
        }
        for (partition, detail) in lags(world, ledger, shard, &members, &comes_late) {
            report(Invariant::LagEnds, Some(partition), detail);
        }
    }
    found
}

/// Those who need longer for a full batch than they may stay away from `poll()`, and the others of their groups: such a member may
/// be thrown out, come back before anybody has noticed, and get the same records again, for ever.
pub(super) fn overworked(setup: &WorldSetup) -> SortedSet<NodeId> {
    let is_slow = |config: &ConsumerConfig, processing: Duration| {
        let batch = u64::from(config.max_poll_records).saturating_mul(processing.as_millis());
        batch > config.max_poll_interval_ms.as_millis()
    };
    let consumers = setup.consumers.iter().filter(|app| !app.assign && app.share.is_none());
    let consumers = consumers.map(|app| {
        let inline = app.hand_over == HandOver::Inline;
        (app.node, app.group.as_ref(), inline && is_slow(&app.config, app.processing))
    });
    let processors = setup.processors.iter().filter(|app| !app.assign);
    let processors = processors.map(|app| (app.node, Some(&app.group), is_slow(&app.consumer, app.processing)));
    let all: Vec<_> = consumers.chain(processors).collect();
    let of_slow = |group: &Option<&Rc<str>>| group.is_some() && all.iter().any(|it| it.2 && it.1 == *group);
    all.iter().filter(|(_, group, _)| of_slow(group)).map(|(node, ..)| *node).collect()
}

/// The groups that have members.
fn groups(world: &World) -> Vec<Members<'_>> {
    let mut groups: Vec<Members<'_>> = Vec::new();
    for (node, it) in world.nodes().filter(|(node, _)| world.is_alive(*node)) {
        let (failed, topics, commits, sink) = match it {
            AnyNode::Consumer(app) => {
                let setup = app.setup();
                let commits = match setup.commit {
                    CommitMode::AfterAsync => Commits::Perhaps,
                    CommitMode::Before | CommitMode::AfterSync => Commits::UnlessLeadersChange,
                    CommitMode::Auto => Commits::Surely,
                };
                let sink = setup.sink_node.filter(|_| setup.sink.dedupe == Dedupe::OffsetWithOutput);
                (app.has_failed(), &setup.topics, commits, sink)
            }
            AnyNode::Processor(app) => {
                let transactions = app.setup().offsets == OffsetsMode::Transaction;
                let commits = if transactions { Commits::Surely } else { Commits::UnlessLeadersChange };
                (app.has_failed(), &app.setup().from, commits, None)
            }
            _ => continue,
        };
        let is_member = |client: &&Consumer| !failed && client.subscription().subscribed().is_auto_assigned();
        let Some(client) = client_of(it).filter(is_member) else { continue };
        let Some(group) = client.coordinator().map(|it| it.group()) else { continue };
        match groups.iter_mut().find(|known| known.group == group) {
            Some(known) => {
                known.clients.push((node, client));
                known.commits = known.commits.min(commits);
            }
            None => groups.push(Members { group, clients: vec![(node, client)], topics, commits, sink }),
        }
    }
    groups
}

/// What its coordinator says, if that is not that it is stable.
fn unsettled(shard: &GroupShard, group: &Rc<str>) -> Option<String> {
    let state = shard.outline(group).map(|(state, ..)| state);
    let name = state.map_or("unknown", GroupState::name);
    (state != Some(GroupState::Stable)).then(|| format!("{group} is {name}"))
}

/// Partitions in which records stand that the group has got and not committed.
fn lags(
    world: &World,
    ledger: &Ledger,
    shard: &GroupShard,
    members: &Members<'_>,
    comes_late: impl Fn(&str, TopicPartition, Offset) -> bool,
) -> Vec<(TopicPartition, String)> {
    let group = members.group;
    let committed: Vec<_> = shard.offsets.offsets().filter(|(key, _)| key.group == *group).collect();
    let stored = members.sink.and_then(|node| match world.node(node) {
        AnyNode::Sink(sink) => Some(sink.table().offsets()),
        _ => None,
    });
    let from_the_first =
        |(_, client): &(NodeId, &Consumer)| client.config().auto_offset_reset == AutoOffsetReset::Earliest;
    let mut found = Vec::new();
    for (topic, name) in members.topics.iter().filter_map(|name| Some((world.topic_id(name)?, name))) {
        for (partition, log) in ledger.logs().filter(|(partition, _)| partition.topic == topic) {
            let offset = committed.iter().find(|(key, _)| key.topic == *name && key.partition == partition.partition);
            let offset = offset.map(|(_, offset)| offset.offset);
            let offset = offset.max(stored.and_then(|stored| stored.get(&partition)).copied());
            if members.commits == Commits::Perhaps
                || offset.is_none() && !members.clients.iter().all(from_the_first)
                || offset.is_some_and(|offset| comes_late(group, partition, offset))
            {
                continue;
            }
            let reader = members.clients.first().map(|(node, _)| *node);
            let Some(reading) = reader.and_then(|node| ledger.flow().reading(node, topic)) else { continue };
            let got = |record| ledger.life(record).is_some_and(|life| life.delivered.of(reading) > 0);
            let behind = log.entries.iter_from(log.place(offset.unwrap_or(0).max(log.start)));
            let left: Vec<_> = behind.filter(|entry| entry.fate.holds() && got(entry.record)).collect();
            let Some(last) = left.last() else { continue };
            if members.commits == Commits::Surely || last.leader_epoch == log.leader_epoch {
                let (count, partition_name) = (left.len(), partition.partition);
                found.push((
                    partition,
                    format!("{group}: {count} records of {name}-{partition_name} are not committed"),
                ));
            }
        }
    }
    found
}
