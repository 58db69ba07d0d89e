//! A world that is watched.

use super::claim::{Claim, claim};
use super::invariants::{Invariant, Invariants, Violation};
use super::ledger::Ledger;
use super::liveness::liveness_without;
use super::ownership::Ownership;
use super::settling::{overworked, settling};
use super::verdict::Verdict;
use crate::app::{ConsumerApp, ProcessorApp};
use crate::base::Time;
use crate::broker::Partition;
use crate::node::Event;
use crate::sim::{Fault, Step, World};

/// A world, its ledger and its invariants. Cloning it is a checkpoint.
#[derive(Clone, Hash, Debug)]
pub struct Run {
    /// The world.
    pub world: World,
    /// Every record's life.
    pub ledger: Ledger,
    /// What must always hold.
    pub invariants: Invariants,
    /// What the settings claim.
    pub claim: Claim,
    /// Who owned which partition when.
    pub ownership: Ownership,
}

impl Run {
    /// Watches a world that has just been made.
    pub fn new(world: World) -> Run {
        let setup = world.setup();
        Run {
            ledger: Ledger::new(setup),
            invariants: Invariants::new(setup),
            claim: claim(&setup.producers, &setup.consumers, &setup.processors),
            ownership: Ownership::new(&world),
            world,
        }
    }

    /// Handles exactly one event, then looks at what it did. None when nothing will ever happen again.
    pub fn step(&mut self) -> Option<Step<'_>> {
        self.step_before(Time::MAX)
    }

    /// Handles exactly one event, if there is one before `limit`, then looks at what it did.
    pub fn step_before(&mut self, limit: Time) -> Option<Step<'_>> {
        self.world.step_before(limit)?;
        self.look();
        Some(Step { at: self.world.now(), events: self.world.recorded() })
    }

    /// What the last step means for ledger and invariants.
    fn look(&mut self) {
        let events = self.world.recorded();
        if events.is_empty() {
            return;
        }
        self.ledger.apply(events);
        for it in events {
            self.ownership.apply(it);
            let (Event::BecameLeader { partition, .. } | Event::Compacted { partition, .. }) = it.event else {
                continue;
            };
            let replica = self.world.broker(it.node.into()).and_then(|broker| broker.partition(partition));
            let Some(log) = replica.map(Partition::log) else { continue };
            if let Event::BecameLeader { .. } = it.event {
                self.ledger.replace_log(it, partition, log.batches_from(0));
                self.ledger.enter_deletion(it, partition, log.log_start_offset());
            }
            if let Some(to) = log.cleaned_to() {
                self.ledger.enter_compaction(it, partition, to, log.batches_from(0));
            }
        }
        self.invariants.check(&self.world, &self.ledger, events);
    }

    /// Runs until the world is quiet, or until `limit`. Whether it is quiet.
    pub fn run_until_quiet(&mut self, limit: Time) -> bool {
        while !self.world.is_quiet() {
            if self.step_before(limit).is_none() {
                return self.world.is_quiet();
            }
        }
        true
    }

    /// What the logs show at the end that they should not: records that acks=all acknowledged and that stand in no log, though
    /// Kafka gave nothing up; records of an idempotent producer that stand there twice; inputs without exactly one output;
    /// effects of consumers that should be one and are not.
    pub fn lost_promises(&self) -> Vec<Violation> {
        let now = self.world.now();
        let mut broken = self.invariants.check_survivors(&self.world, &self.ledger, now);
        broken.extend(self.invariants.check_idempotence(&self.world, now));
        let ended = |(node, app): (_, &ProcessorApp)| self.world.is_alive(node) && app.is_done() && !app.has_failed();
        let quiet = self.world.is_quiet();
        let ended = quiet && self.world.processors().all(ended);
        broken.extend(self.invariants.check_outputs(&self.world, now, ended));
        let ended = |node| {
            let all_read = |app: &ConsumerApp| app.is_done() && !app.has_failed();
            let mut consumers = self.world.consumers();
            quiet && self.world.is_alive(node) && consumers.any(|(other, app)| other == node && all_read(app))
        };
        broken.extend(self.invariants.check_effects(&self.ledger, self.world.setup(), now, ended));
        broken.extend(self.invariants.check_deliveries(&self.ledger, self.world.setup(), now, ended));
        broken
    }

    /// What must come true once everything works again, and is not so. Where Kafka gave up what was committed, a coordinator
    /// may have forgotten a transaction, or a partition what it knew of its producer: then a transaction hangs, and its producer
    /// and who reads only what is committed wait for ever. Or it has forgotten a group, whose members of the consumer protocol
    /// end then (GROUP_ID_NOT_FOUND), or its offsets. Nor does a group come to rest with a member that is slower than it may be.
    pub fn liveness(&self) -> Vec<Violation> {
        use Invariant::{GroupsSettle, LagEnds};
        let overworked = overworked(self.world.setup());
        let is_excused = |node| overworked.contains(&node);
        let comes_late = |group: &str, partition, offset| self.invariants.comes_late(group, partition, offset);
        let mut broken = liveness_without(&self.world, is_excused);
        broken.extend(settling(&self.world, &self.ledger, is_excused, comes_late));
        if self.invariants.any_waived() {
            let forgotten = broken.iter().any(|it| it.invariant == GroupsSettle);
            let waits = |it: &Violation| forgotten && it.invariant == Invariant::ConsumersCatchUp;
            broken.retain(|it| !matches!(it.invariant, GroupsSettle | LagEnds) && !waits(it));
        }
        if self.invariants.any_waived() && broken.iter().any(|it| it.invariant == Invariant::TransactionsEnd) {
            use Invariant::{ClientsEnd, ConsumersCatchUp, TransactionsEnd};
            broken.retain(|it| !matches!(it.invariant, TransactionsEnd | ConsumersCatchUp | ClientsEnd));
        }
        broken
    }

    /// Adds a fault.
    pub fn inject(&mut self, fault: Fault) {
        self.world.inject(fault);
    }

    /// The verdict of now; final once the world is quiet.
    pub fn verdict(&self) -> Verdict {
        self.ledger.verdict(&self.claim, self.world.is_quiet())
    }

    /// The verdict if it all ended here.
    pub fn final_verdict(&self) -> Verdict {
        self.ledger.verdict(&self.claim, true)
    }
}
