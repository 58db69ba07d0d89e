//! Properties that must hold after every event. Only what the event touched is looked at.
//!
//! Where Kafka itself promises nothing, nothing is demanded: after an unclean election, and after a power loss that cut
//! committed bytes from the last members of an ISR, a partition may have lost what it had acknowledged. Then
//! [`Invariant::AckedSurvives`] and [`Invariant::CommittedSurvives`] are waived for it, and agreement is demanded of what the new
//! leader holds. That is the documented price of `unclean.leader.election.enable` and of not flushing.
//!
//! "In sync and alive" means here: in the ISR that the controller wrote down, running, and registered as this very process;
//! a process that has just come back is not yet the one that the ISR speaks of.

use super::ledger::Ledger;
use super::raft::{Quorum, RaftWatch};
use super::watch::Watch;
use crate::app::ProducerAppSetup;
use crate::base::config::Acks;
use crate::base::{BrokerId, LeaderEpoch, NodeId, Offset, RecordId, SortedMap, Time, TopicPartition, Vector};
use crate::log::UnifiedLog;
use crate::metadata::{CLUSTER_METADATA, MetadataImage, PartitionRegistration};
use crate::node::Event;
use crate::sim::{Recorded, World};
use std::rc::Rc;

/// A property of Kafka's replication.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Invariant {
    /// log start ≤ high watermark ≤ log end, on every replica.
    OffsetsInOrder,
    /// A leader's high watermark does not go back within its epoch.
    HighWatermarkMonotonic,
    /// Below the leader's high watermark every in-sync replica holds the same batches (StrongIsr).
    StrongIsr,
    /// A leader is in the ISR.
    LeaderInIsr,
    /// A new leader's log reaches the high watermark.
    CommittedSurvives,
    /// What acks=all acknowledged is in the log of every in-sync replica.
    AckedSurvives,
    /// The quorum of controllers elects one leader an epoch.
    OneLeaderAnEpoch,
    /// What the quorum has committed is in the log of every later leader.
    LeaderCompleteness,
    /// Metadata logs that share a batch share all before it.
    LogMatching,
    /// What the quorum has committed never changes and is never cut off.
    CommittedMetadata,
    /// After all faults are healed, a controller is active.
    ControllerReturns,
    /// After all faults are healed, every partition has a leader.
    LeaderReturns,
    /// After all faults are healed, every replica is in sync again.
    IsrReturns,
    /// After all faults are healed, every client comes to an end.
    ClientsEnd,
}

impl Invariant {
    /// Its name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Invariant::OffsetsInOrder => "offsets-in-order",
            Invariant::HighWatermarkMonotonic => "high-watermark-monotonic",
            Invariant::StrongIsr => "strong-isr",
            Invariant::LeaderInIsr => "leader-in-isr",
            Invariant::CommittedSurvives => "committed-survives",
            Invariant::AckedSurvives => "acked-survives",
            Invariant::OneLeaderAnEpoch => "one-leader-an-epoch",
            Invariant::LeaderCompleteness => "leader-completeness",
            Invariant::LogMatching => "log-matching",
            Invariant::CommittedMetadata => "committed-metadata",
            Invariant::ControllerReturns => "controller-returns",
            Invariant::LeaderReturns => "leader-returns",
            Invariant::IsrReturns => "isr-returns",
            Invariant::ClientsEnd => "clients-end",
        }
    }
}

/// A property that did not hold.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Violation {
    /// Which.
    pub invariant: Invariant,
    /// When.
    pub at: Time,
    /// Where, if it is about a partition.
    pub partition: Option<TopicPartition>,
    /// What was found.
    pub detail: Rc<str>,
}

/// More would only repeat them.
const MOST: usize = 100;

/// Watches them.
#[derive(Clone, PartialEq, Hash, Debug)]
pub struct Invariants {
    watches: SortedMap<TopicPartition, Rc<Watch>>,
    violations: Vector<Violation>,
    /// Producers with acks=all.
    acks_all: Rc<[NodeId]>,
    raft: Rc<RaftWatch>,
}

/// What the invariants need to see of a cluster.
pub trait Cluster {
    /// What the controller wrote down.
    fn image(&self) -> &MetadataImage;
    /// A replica of a running broker.
    fn replica(&self, broker: BrokerId, partition: TopicPartition) -> Option<Replica<'_>>;
    /// The epoch of a running broker's registration, −1 while it has none; none if it does not run.
    fn broker_epoch(&self, broker: BrokerId) -> Option<i64>;
}

/// A replica of a running broker.
#[derive(Clone, Copy, Debug)]
pub struct Replica<'a> {
    /// Its log.
    pub log: &'a UnifiedLog,
    /// Its high watermark.
    pub high_watermark: Offset,
    /// The leader epoch that its broker knows.
    pub leader_epoch: LeaderEpoch,
}

impl Invariants {
    /// Nothing seen yet.
    pub fn new(producers: &[ProducerAppSetup]) -> Self {
        let acks_all = producers.iter().filter(|app| app.config.acks == Acks::All).map(|app| app.node).collect();
        Invariants { watches: SortedMap::new(), violations: Vector::new(), acks_all, raft: Rc::default() }
    }

    /// What did not hold.
    pub fn violations(&self) -> &Vector<Violation> {
        &self.violations
    }

    /// Looks at what a step has touched.
    pub fn check(&mut self, cluster: &(impl Cluster + Quorum), ledger: &Ledger, events: &[Recorded]) {
        for it in events {
            match &it.event {
                Event::QuorumChanged { .. }
                | Event::HighWatermark { partition: CLUSTER_METADATA, .. }
                | Event::Truncated { partition: CLUSTER_METADATA, .. } => {
                    let violations = &mut self.violations;
                    Rc::make_mut(&mut self.raft).check(cluster, it, &mut |violation| {
                        if violations.len() < MOST {
                            violations.push(violation);
                        }
                    });
                }
                Event::Appended { partition, .. } | Event::HighWatermark { partition, leader: false, .. } => {
                    self.check_offsets(cluster, it, *partition);
                }
                Event::HighWatermark { partition, leader: true, offset } => {
                    self.check_offsets(cluster, it, *partition);
                    self.check_high_watermark(cluster, it, *partition, *offset);
                }
                Event::Truncated { partition, to, .. } => {
                    self.check_offsets(cluster, it, *partition);
                    self.watch_mut(*partition).shortened(it.node.into(), *to);
                }
                Event::LogRecovered { partition, log_end_offset, .. } => {
                    self.recovered(cluster, it, *partition, *log_end_offset);
                }
                Event::BecameLeader { partition, leader_epoch, log_end_offset, .. } => {
                    self.check_new_leader(cluster, it, *partition, *leader_epoch, *log_end_offset);
                }
                Event::PartitionChanged { partition, leader, isr, unclean, .. } => {
                    self.check_decision(cluster, it, *partition, *leader, isr, *unclean);
                }
                Event::Acked { record, partition, offset } if *offset >= 0 && self.acks_all.contains(&it.node) => {
                    self.check_acked(cluster, ledger, it, *partition, (*record, *offset));
                }
                _ => {}
            }
        }
    }

    fn check_offsets(&mut self, cluster: &impl Cluster, it: &Recorded, partition: TopicPartition) {
        let Some(Replica { log, high_watermark, .. }) = cluster.replica(it.node.into(), partition) else { return };
        let (start, end) = (log.log_start_offset(), log.log_end_offset());
        if !(start <= high_watermark && high_watermark <= end) {
            let detail = format!("broker {}: log start {start}, high watermark {high_watermark}, end {end}", it.node.0);
            self.report(Invariant::OffsetsInOrder, it.at, partition, detail);
        }
    }

    fn check_high_watermark(&mut self, cluster: &impl Cluster, it: &Recorded, partition: TopicPartition, now: Offset) {
        let leader = BrokerId::from(it.node);
        let Some(replica) = cluster.replica(leader, partition) else { return };
        let epoch = replica.leader_epoch;
        if let Some(before) = self.watch_mut(partition).moved(leader, epoch, now) {
            let detail = format!("broker {leader}, epoch {epoch}: from {before} back to {now}");
            self.report(Invariant::HighWatermarkMonotonic, it.at, partition, detail);
        }
        // A deposed leader that does not know it commits nothing.
        let Some(decided) = cluster.image().partition(partition) else { return };
        if (decided.leader, decided.leader_epoch) == (leader, epoch) {
            let decided = decided.clone();
            let watch = self.watch_mut(partition);
            watch.committed = watch.committed.max(now);
            self.check_agreement(cluster, it.at, partition, &decided);
        }
    }

    /// Every replica in sync agrees with the leader below the high watermark, as far as that was not seen before.
    fn check_agreement(
        &mut self,
        cluster: &impl Cluster,
        at: Time,
        partition: TopicPartition,
        decided: &PartitionRegistration,
    ) {
        let Some(leader) = cluster.replica(decided.leader, partition) else { return };
        let to = self.watch_mut(partition).committed;
        for member in decided.isr.iter().filter(|member| **member != decided.leader) {
            let Some(replica) = in_sync(cluster, *member, partition) else { continue };
            let from = self.watch_mut(partition).verified(*member);
            if from >= to {
                continue;
            }
            self.watch_mut(partition).verify(*member, to);
            if let Some(offset) = first_difference(leader.log, replica.log, from, to) {
                let leader = decided.leader;
                let detail = format!("brokers {leader} and {member} differ at offset {offset}, committed up to {to}");
                self.report(Invariant::StrongIsr, at, partition, detail);
            }
        }
        self.watch_mut(partition).verify(decided.leader, to);
    }

    fn check_decision(
        &mut self,
        cluster: &impl Cluster,
        it: &Recorded,
        partition: TopicPartition,
        leader: BrokerId,
        isr: &[BrokerId],
        unclean: bool,
    ) {
        if leader != BrokerId::NONE && !isr.contains(&leader) {
            let detail = format!("leader {leader} is not in the ISR {isr:?}");
            self.report(Invariant::LeaderInIsr, it.at, partition, detail);
        }
        if unclean {
            self.watch_mut(partition).waive();
            return;
        }
        let Some(decided) = cluster.image().partition(partition).cloned() else { return };
        // Who joins the ISR has caught up, and agrees.
        let known = cluster.replica(leader, partition).is_some_and(|it| it.leader_epoch == decided.leader_epoch);
        if known {
            self.check_agreement(cluster, it.at, partition, &decided);
        }
    }

    /// A broker came back and has looked at its log. If a power loss cut what was committed from all that were left in
    /// sync, nobody has it any more.
    fn recovered(&mut self, cluster: &impl Cluster, it: &Recorded, partition: TopicPartition, end: Offset) {
        let broker = BrokerId::from(it.node);
        let watch = self.watch_mut(partition);
        watch.shortened(broker, end);
        if end < watch.committed && !watch.cut.contains(&broker) {
            watch.cut.push(broker);
        }
        let Some(decided) = cluster.image().partition(partition) else { return };
        let nobody = decided.isr.iter().chain(&decided.elr).all(|member| watch.cut.contains(member));
        if nobody && !watch.cut.is_empty() {
            watch.waive();
        }
    }

    fn check_new_leader(
        &mut self,
        cluster: &impl Cluster,
        it: &Recorded,
        partition: TopicPartition,
        epoch: LeaderEpoch,
        end: Offset,
    ) {
        self.check_offsets(cluster, it, partition);
        if cluster.image().partition(partition).is_none_or(|decided| decided.leader_epoch > epoch) {
            return;
        }
        let watch = self.watch_mut(partition);
        let committed = watch.committed;
        watch.reigns(it.node.into());
        if end < committed {
            watch.committed = end;
            if !watch.waived {
                let detail = format!("broker {} leads with log end {end}, committed up to {committed}", it.node.0);
                self.report(Invariant::CommittedSurvives, it.at, partition, detail);
            }
        }
    }

    fn check_acked(
        &mut self,
        cluster: &impl Cluster,
        ledger: &Ledger,
        it: &Recorded,
        partition: TopicPartition,
        (record, offset): (RecordId, Offset),
    ) {
        if self.watches.get(&partition).is_some_and(|watch| watch.waived) {
            return;
        }
        let stands = ledger.life(record).is_some_and(|life| life.places.contains(&(partition, offset)));
        let Some(decided) = cluster.image().partition(partition) else { return };
        let lacks = |member: &&BrokerId| {
            in_sync(cluster, **member, partition).is_some_and(|replica| replica.log.log_end_offset() <= offset)
        };
        let without = decided.isr.iter().find(lacks).copied();
        if let (true, None) = (stands, without) {
            return;
        }
        let detail = match without {
            Some(member) => format!("record {record} at offset {offset} is acknowledged but not on broker {member}"),
            None => format!("record {record} is acknowledged at offset {offset} but not in the leader's log"),
        };
        self.report(Invariant::AckedSurvives, it.at, partition, detail);
    }

    fn watch_mut(&mut self, partition: TopicPartition) -> &mut Watch {
        Rc::make_mut(self.watches.entry(partition).or_default())
    }

    fn report(&mut self, invariant: Invariant, at: Time, partition: TopicPartition, detail: String) {
        if self.violations.len() < MOST {
            self.violations.push(Violation { invariant, at, partition: Some(partition), detail: detail.into() });
        }
    }
}

/// The replica of a broker that is in sync and alive, given that it is in the ISR.
fn in_sync(cluster: &impl Cluster, broker: BrokerId, partition: TopicPartition) -> Option<Replica<'_>> {
    let registered = cluster.image().broker(broker).map(|registration| registration.epoch);
    let runs_as = cluster.broker_epoch(broker);
    if registered.is_none() || registered != runs_as {
        return None;
    }
    cluster.replica(broker, partition)
}

/// Where two logs first differ between two offsets.
fn first_difference(leader: &UnifiedLog, member: &UnifiedLog, from: Offset, to: Offset) -> Option<Offset> {
    let from = from.max(leader.log_start_offset()).max(member.log_start_offset());
    let mut theirs = member.batches_from(from);
    for batch in leader.batches_from(from).take_while(|batch| batch.base_offset() < to) {
        if theirs.next() != Some(batch) {
            return Some(batch.base_offset());
        }
    }
    None
}

impl Cluster for World {
    fn image(&self) -> &MetadataImage {
        World::image(self).expect("invariant: a world has a controller")
    }

    fn replica(&self, broker: BrokerId, partition: TopicPartition) -> Option<Replica<'_>> {
        let partition = self.broker(broker)?.partition(partition)?;
        let log = partition.log();
        Some(Replica { log, high_watermark: log.high_watermark(), leader_epoch: partition.leader_epoch() })
    }

    fn broker_epoch(&self, broker: BrokerId) -> Option<i64> {
        self.broker(broker).filter(|broker| broker.is_running()).map(|broker| broker.broker_epoch())
    }
}
