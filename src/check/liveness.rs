//! What must come true once everything works again.

use super::invariants::{Invariant, Violation, client_of};
use crate::base::config::GroupProtocol;
use crate::base::{BrokerId, NodeId, TopicPartition};
use crate::client::consumer::Consumer;
use crate::protocol::TransactionState;
use crate::sim::World;
use std::rc::Rc;

/// After all faults are healed and the world had time: every partition has a leader, every replica is in sync, every client
/// has come to an end, every consumer has read everything, no transaction is open. What is not so.
pub fn liveness(world: &World) -> Vec<Violation> {
    liveness_without(world, |_| false)
}

/// The same; but readers that are excused need neither come to an end nor have read everything.
pub(super) fn liveness_without(world: &World, is_excused: impl Fn(NodeId) -> bool) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut report = |invariant, partition: Option<TopicPartition>, detail: String| {
        violations.push(Violation { invariant, at: world.now(), partition, detail: detail.into() });
    };
    if world.active_controller().is_none() {
        report(Invariant::ControllerReturns, None, "no controller is active".to_owned());
    }
    let Some(image) = world.image() else { return violations };
    for (partition, decided) in image.partitions() {
        let name = || {
            let topic = image.topic_name(partition.topic).unwrap_or("?");
            format!("{topic}-{}", partition.partition)
        };
        let leads = |leader: BrokerId| leader != BrokerId::NONE && world.is_alive(leader.node());
        if !leads(decided.leader) {
            report(Invariant::LeaderReturns, Some(partition), format!("{}: leader {}", name(), decided.leader));
        }
        if decided.isr.len() < decided.replicas.len() {
            let detail = format!("{}: ISR {:?} of {:?}", name(), decided.isr, decided.replicas);
            report(Invariant::IsrReturns, Some(partition), detail);
        }
    }
    let producers = world.producers().map(|(node, app)| (node, app.is_done()));
    let consumers = world.consumers().map(|(node, app)| (node, app.is_done()));
    let processors = world.processors().map(|(node, app)| (node, app.is_done()));
    for (node, done) in producers.chain(consumers).chain(processors) {
        if !done && world.is_alive(node) && !is_excused(node) {
            report(Invariant::ClientsEnd, None, format!("{} has not come to an end", world.name(node)));
        }
    }
    let reads = |node| world.is_alive(node) && !is_excused(node);
    for (node, app) in world.consumers().filter(|(node, app)| reads(*node) && app.is_done()) {
        // An exception out of poll() or commitSync() is an end, too.
        let is_unclaimed = || app.client().is_some_and(|it| has_unclaimed(world, it, &app.setup().topics));
        if !app.has_failed() && !world.has_had_all(app) && !is_unclaimed() {
            report(Invariant::ConsumersCatchUp, None, format!("{} has not read everything", world.name(node)));
        }
    }
    for (node, app) in world.processors().filter(|(node, app)| reads(*node) && app.is_done()) {
        let is_unclaimed = || app.consumer().is_some_and(|it| has_unclaimed(world, it, &app.setup().from));
        if !app.has_failed() && !world.has_read_all(app.consumer(), &app.setup().from) && !is_unclaimed() {
            report(Invariant::ConsumersCatchUp, None, format!("{} has not read everything", world.name(node)));
        }
    }
    transactions_end(world, &mut report);
    violations
}

/// A topic has grown, and nobody in its group has what was added: the static member that led a classic group was away by then, came
/// back to what it had, and takes the topic for as large as it is now. The next rebalance would deal it out, if there were one
/// (KIP-814, `ConsumerCoordinator.onLeaderElected` with `skipAssignment`).
fn has_unclaimed(world: &World, client: &Consumer, topics: &[Rc<str>]) -> bool {
    let (Some(image), Some(group)) = (world.image(), client.coordinator().map(|it| it.group())) else { return false };
    let clients = world.nodes().filter_map(|(_, it)| client_of(it));
    let members: Vec<&Consumer> = clients.filter(|it| it.coordinator().is_some_and(|it| it.group() == group)).collect();
    let may_be = |it: &&Consumer| {
        let config = it.config();
        config.group_protocol == GroupProtocol::Classic && config.group_instance_id.is_some()
    };
    let is_anybodys = |partition| members.iter().any(|it| it.subscription().get(partition).is_some());
    let grown = world.setup().topics.iter().filter(|it| topics.contains(&it.name)).flat_map(|it| {
        let (topic, first) = (image.topic_id(&it.name), it.partitions.max(1) as u32);
        topic
            .into_iter()
            .flat_map(move |id| (first..image.partition_count(id)).map(move |at| TopicPartition::new(id, at)))
    });
    members.iter().any(may_be) && { grown }.any(|partition| !is_anybodys(partition))
}

/// No transaction is open any more: neither for its coordinator, nor in the log of a partition (a hanging one, that no
/// coordinator knows of).
fn transactions_end(world: &World, report: &mut impl FnMut(Invariant, Option<TopicPartition>, String)) {
    let Some(image) = world.image() else { return };
    for (_, broker) in world.brokers() {
        for (_, it) in broker.transaction_coordinator().into_iter().flat_map(|coordinator| coordinator.transactions()) {
            use TransactionState::{Ongoing, PrepareAbort, PrepareCommit, PrepareEpochFence};
            if matches!(it.state, Ongoing | PrepareAbort | PrepareCommit | PrepareEpochFence) {
                report(Invariant::TransactionsEnd, None, format!("{} is {}", it.transactional_id, it.state.name()));
            }
        }
    }
    for (partition, decided) in image.partitions() {
        let leader = world.broker(decided.leader).and_then(|broker| broker.partition(partition));
        for open in leader.into_iter().flat_map(|leader| leader.log().ongoing_transactions()) {
            let name = image.topic_name(partition.topic).unwrap_or("?");
            let (index, id, first) = (partition.partition, open.producer_id, open.first_offset);
            let detail = format!("{name}-{index}: a transaction of producer {id} is open since offset {first}");
            report(Invariant::TransactionsEnd, Some(partition), detail);
        }
    }
}
