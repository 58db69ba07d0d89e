//! What must come true once everything works again.

use super::invariants::{Invariant, Violation};
use crate::app::ConsumerActivity;
use crate::base::{BrokerId, TopicPartition};
use crate::sim::World;

/// After all faults are healed and the world had time: every partition has a leader, every replica is in sync, every client
/// has come to an end, every consumer has read everything. What is not so.
pub fn liveness(world: &World) -> Vec<Violation> {
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
        if !done && world.is_alive(node) {
            report(Invariant::ClientsEnd, None, format!("{} has not come to an end", world.name(node)));
        }
    }
    for (node, app) in world.consumers().filter(|(node, app)| world.is_alive(*node) && app.is_done()) {
        // An exception out of poll() or commitSync() is an end, too.
        let failed = matches!(app.activity(), ConsumerActivity::Failed(_));
        if !failed && !world.has_read_all(app.client(), &app.setup().topics) {
            report(Invariant::ConsumersCatchUp, None, format!("{} has not read everything", world.name(node)));
        }
    }
    for (node, app) in world.processors().filter(|(node, app)| world.is_alive(*node) && app.is_done()) {
        if !app.has_failed() && !world.has_read_all(app.consumer(), &app.setup().from) {
            report(Invariant::ConsumersCatchUp, None, format!("{} has not read everything", world.name(node)));
        }
    }
    violations
}
