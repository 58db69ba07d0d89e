//! What must come true of groups once everything works again: each is stable, whoever lives is a member of it, and nothing is
//! left that it has not read and committed.
//!
//! A program whose loop an exception has ended is no member any more, and what it did not commit somebody else does. Lag is
//! counted in records that stand and that somebody got: markers, what was aborted and what a reset passed over are never
//! delivered, so that nobody commits behind them.
//!
//! Some lags may stay. An asynchronous commit that fails is not repeated. `commitSync()` leaves out partitions whose
//! position is being validated because another broker leads them (`SubscriptionState.allConsumed`): they are committed with the
//! next records, if any come; automatic commits repeat themselves. A commit that nobody got an answer to may come late and move
//! the group back. And where nothing is committed a member that does not begin at the earliest offset passes over what somebody
//! got before it, and has nothing to commit until more comes.

use super::invariants::{Invariant, Violation, client_of, group_shard};
use super::ledger::Ledger;
use crate::app::{CommitMode, ConsumerAppSetup, Dedupe, HandOver};
use crate::base::config::AutoOffsetReset;
use crate::base::{NodeId, TopicPartition};
use crate::client::consumer::Consumer;
use crate::coordinator::group::GroupShard;
use crate::protocol::GroupState;
use crate::sim::{AnyNode, World};
use std::rc::Rc;

/// Those of one group who live and whose loop goes on.
struct Members<'a> {
    group: &'a Rc<str>,
    clients: Vec<(NodeId, &'a Consumer)>,
    topics: &'a [Rc<str>],
    /// How surely they commit whatever they have read.
    commits: Commits,
}

/// How surely what was read is committed, the least sure first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Commits {
    /// An attempt may fail, and that is it.
    Perhaps,
    /// In the end, where the leader is still the first one.
    UnlessLeadersChange,
    /// In the end.
    Surely,
}

/// What is not so. Of who `is_unsure` a commit may still have come.
pub(super) fn settling(world: &World, ledger: &Ledger, is_unsure: impl Fn(NodeId) -> bool) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut report = |invariant, partition, detail: String| {
        found.push(Violation { invariant, at: world.now(), partition, detail: detail.into() });
    };
    for members in groups(world) {
        let group = members.group;
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
        if members.clients.iter().any(|(node, _)| is_unsure(*node)) {
            continue;
        }
        for (partition, detail) in lags(world, ledger, shard, &members) {
            report(Invariant::LagEnds, Some(partition), detail);
        }
    }
    found
}

/// A full batch takes it longer than it may stay away from `poll()`: it may be thrown out, come back before anybody has noticed, and
/// get the same records again, for ever.
pub(super) fn is_overworked(app: &ConsumerAppSetup) -> bool {
    let batch = u64::from(app.config.max_poll_records).saturating_mul(app.processing.as_millis());
    !app.assign && app.hand_over == HandOver::Inline && batch > app.config.max_poll_interval_ms.as_millis()
}

/// The groups that have members.
fn groups(world: &World) -> Vec<Members<'_>> {
    let mut groups: Vec<Members<'_>> = Vec::new();
    for (node, it) in world.nodes().filter(|(node, _)| world.is_alive(*node)) {
        let (failed, topics, commits) = match it {
            AnyNode::Consumer(app) => {
                let commits = match app.setup().commit {
                    // Where the sink's offsets are ahead of the group's, there is nothing left to commit.
                    _ if app.setup().sink.dedupe == Dedupe::OffsetWithOutput => Commits::Perhaps,
                    CommitMode::AfterAsync => Commits::Perhaps,
                    CommitMode::Before | CommitMode::AfterSync => Commits::UnlessLeadersChange,
                    CommitMode::Auto => Commits::Surely,
                };
                (app.has_failed(), &app.setup().topics, commits)
            }
            AnyNode::Processor(app) => (app.has_failed(), &app.setup().from, Commits::UnlessLeadersChange),
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
            None => groups.push(Members { group, clients: vec![(node, client)], topics, commits }),
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

/// Partitions in which records stand that the group has not committed.
fn lags(world: &World, ledger: &Ledger, shard: &GroupShard, members: &Members<'_>) -> Vec<(TopicPartition, String)> {
    let group = members.group;
    let committed: Vec<_> = shard.offsets.offsets().filter(|(key, _)| key.group == *group).collect();
    let mut found = Vec::new();
    for (topic, name) in members.topics.iter().filter_map(|name| Some((world.topic_id(name)?, name))) {
        for (partition, log) in ledger.logs().filter(|(partition, _)| partition.topic == topic) {
            match members.commits {
                Commits::Surely => {}
                Commits::UnlessLeadersChange if log.leader_epoch == 0 => {}
                Commits::UnlessLeadersChange | Commits::Perhaps => continue,
            }
            let offset = committed.iter().find(|(key, _)| key.topic == *name && key.partition == partition.partition);
            let from_the_first =
                |(_, client): &(NodeId, &Consumer)| client.config().auto_offset_reset == AutoOffsetReset::Earliest;
            if offset.is_none() && !members.clients.iter().all(from_the_first) {
                continue;
            }
            let offset = offset.map_or(0, |(_, offset)| offset.offset);
            let reader = members.clients.first().map(|(node, _)| *node);
            let Some(reading) = reader.and_then(|node| ledger.flow().reading(node, topic)) else { continue };
            let got = |record| ledger.life(record).is_some_and(|life| life.delivered.of(reading) > 0);
            let behind = log.entries.iter_from(log.place(offset.max(log.start)));
            let left = behind.filter(|entry| entry.fate.holds() && got(entry.record)).count();
            if left > 0 {
                let partition_name = partition.partition;
                found
                    .push((partition, format!("{group}: {left} records of {name}-{partition_name} are not committed")));
            }
        }
    }
    found
}
