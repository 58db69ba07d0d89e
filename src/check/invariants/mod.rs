//! Properties that must hold after every event. Only what the event touched is looked at.
//!
//! Where Kafka itself promises nothing, nothing is demanded: after an unclean election, and after a power loss that cut
//! committed bytes from the last members of an ISR, a partition may have lost what it had acknowledged. Then
//! [`Invariant::AckedSurvives`] and [`Invariant::CommittedSurvives`] are waived for it, and agreement is demanded of what the new
//! leader holds. That is the documented price of `unclean.leader.election.enable` and of not flushing.
//!
//! "In sync and alive" means here: in the ISR that the controller wrote down, running, and registered as this very process;
//! a process that has just come back is not yet the one that the ISR speaks of.

mod agreement;
mod decisions;
mod deliveries;
mod effects;
mod endings;
mod groups;
mod offsets;
mod outputs;
mod producers;
mod shares;
mod survival;
mod transactions;
mod watch;
mod world;

use super::ledger::Ledger;
use super::raft::{Quorum, RaftWatch};
use crate::base::config::{Acks, GroupConfig, IsolationLevel};
use crate::base::{
    BrokerId, Generation, LeaderEpoch, NodeId, Offset, ProducerEpoch, ProducerId, SortedMap, Time, TopicId,
    TopicPartition, Vector,
};
use crate::log::UnifiedLog;
use crate::metadata::{CLUSTER_METADATA, MetadataImage};
use crate::node::{Event, FaultMark};
use crate::protocol::ApiKey;
use crate::sim::{Recorded, WorldSetup};
use decisions::Decision;
use groups::GroupWatch;
use outputs::Pipe;
use producers::ProducerWatch;
use shares::ShareWatch;
use std::hash::{Hash, Hasher};
use std::rc::Rc;
use transactions::TransactionWatch;
use watch::Watch;
pub(super) use world::{client_of, group_shard};

/// A property of Kafka's replication and transactions.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Invariant {
    /// log start ≤ high watermark ≤ log end, on every replica.
    OffsetsInOrder,
    /// A leader's high watermark does not go back within its epoch.
    HighWatermarkMonotonic,
    /// Below the leader's high watermark every in-sync replica holds the same batches (StrongIsr).
    StrongIsr,
    /// Every in-sync replica reaches the leader's high watermark (ValidHighWatermark).
    ValidHighWatermark,
    /// Logs, epochs, leaders and ISRs are what they may be: epochs never go back, an ISR is a set of replicas, what is
    /// appended is of an epoch that its broker knows (TypeOk).
    TypeOk,
    /// A leader is in the ISR.
    LeaderInIsr,
    /// A new leader's log reaches the high watermark.
    CommittedSurvives,
    /// What acks=all acknowledged is in the log of every in-sync replica.
    AckedSurvives,
    /// The sequences of a producer stand in a log one after the other, without gap and repetition, and no older epoch
    /// writes after a newer one.
    SequencesInOrder,
    /// A record of an idempotent producer stands once in a log for each epoch of its producer, and no later one before it.
    IdempotentOnce,
    /// The last stable offset passes neither the high watermark nor a transaction whose end is not replicated.
    LastStableOffset,
    /// What is aborted or undecided never reaches a reader of what is committed.
    AbortedUnread,
    /// A marker says what was decided.
    MarkersDecided,
    /// Transactional ids go from state to state as they may, and their producers' ids and epochs never go back.
    TransactionStates,
    /// After another has called `initTransactions()`, the former producer commits nothing.
    FencedNeverCommits,
    /// What a producer is told to be committed is decided so.
    CommitsDecided,
    /// Where a processor commits its offsets in the transaction, each committed input has one committed output.
    OneOutput,
    /// Where a consumer's sink recognises repetitions without fail, each record has its effect once.
    EffectOnce,
    /// No two members of a group may commit for the same partition.
    OneOwner,
    /// What a group commits was delivered to it.
    CommitsDelivered,
    /// Within a generation a member's commits do not go back.
    CommitsAdvance,
    /// A member reads on from the group's last commit, not from before it.
    CommitsSurvive,
    /// What is committed after processing is not left out.
    AtLeastOnce,
    /// What is committed before processing is not processed twice.
    AtMostOnce,
    /// No two members of a share group hold the same record.
    OneAcquirer,
    /// No record is delivered to a share group more often than it may be.
    DeliveriesLimited,
    /// The start offset of a share-partition does not go back.
    ShareStartAdvances,
    /// What a share group has noted as done with is not delivered to it again.
    AcknowledgedStays,
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
    /// After all faults are healed, every consumer reads everything there is.
    ConsumersCatchUp,
    /// After all faults are healed, every group is stable, with all members that live.
    GroupsSettle,
    /// After all faults are healed, groups commit all that they read.
    LagEnds,
    /// After all faults are healed, no transaction stays open past its timeout.
    TransactionsEnd,
}

impl Invariant {
    /// Its name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Invariant::OffsetsInOrder => "offsets-in-order",
            Invariant::HighWatermarkMonotonic => "high-watermark-monotonic",
            Invariant::StrongIsr => "strong-isr",
            Invariant::ValidHighWatermark => "valid-high-watermark",
            Invariant::TypeOk => "type-ok",
            Invariant::LeaderInIsr => "leader-in-isr",
            Invariant::CommittedSurvives => "committed-survives",
            Invariant::AckedSurvives => "acked-survives",
            Invariant::SequencesInOrder => "sequences-in-order",
            Invariant::IdempotentOnce => "idempotent-once",
            Invariant::LastStableOffset => "last-stable-offset",
            Invariant::AbortedUnread => "aborted-unread",
            Invariant::MarkersDecided => "markers-decided",
            Invariant::TransactionStates => "transaction-states",
            Invariant::FencedNeverCommits => "fenced-never-commits",
            Invariant::CommitsDecided => "commits-decided",
            Invariant::OneOutput => "one-output",
            Invariant::EffectOnce => "effect-once",
            Invariant::OneOwner => "one-owner",
            Invariant::CommitsDelivered => "commits-delivered",
            Invariant::CommitsAdvance => "commits-advance",
            Invariant::CommitsSurvive => "commits-survive",
            Invariant::AtLeastOnce => "at-least-once",
            Invariant::AtMostOnce => "at-most-once",
            Invariant::OneAcquirer => "one-acquirer",
            Invariant::DeliveriesLimited => "deliveries-limited",
            Invariant::ShareStartAdvances => "share-start-advances",
            Invariant::AcknowledgedStays => "acknowledged-stays",
            Invariant::OneLeaderAnEpoch => "one-leader-an-epoch",
            Invariant::LeaderCompleteness => "leader-completeness",
            Invariant::LogMatching => "log-matching",
            Invariant::CommittedMetadata => "committed-metadata",
            Invariant::ControllerReturns => "controller-returns",
            Invariant::LeaderReturns => "leader-returns",
            Invariant::IsrReturns => "isr-returns",
            Invariant::ClientsEnd => "clients-end",
            Invariant::ConsumersCatchUp => "consumers-catch-up",
            Invariant::GroupsSettle => "groups-settle",
            Invariant::LagEnds => "lag-ends",
            Invariant::TransactionsEnd => "transactions-end",
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
#[derive(Clone, PartialEq, Debug)]
pub struct Invariants {
    watches: SortedMap<TopicPartition, Rc<Watch>>,
    violations: Vector<Violation>,
    /// Producers with acks=all.
    acks_all: Rc<[NodeId]>,
    raft: Rc<RaftWatch>,
    /// Topics above this one are internal.
    last_topic: u32,
    /// Whether every transaction has an epoch of its own.
    epoch_per_transaction: bool,
    /// Topics to which applications write what they have read.
    sent_on: Rc<[TopicId]>,
    pipes: Rc<[Pipe]>,
    producers: ProducerWatch,
    transactions: Rc<TransactionWatch>,
    groups: Rc<GroupWatch>,
    shares: Rc<ShareWatch>,
}

/// What is remembered of producers, transactions and groups adds nothing: it stands in the logs, too.
impl Hash for Invariants {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.watches, &self.violations, &self.acks_all, &self.raft).hash(state);
    }
}

/// What the invariants need to see of a cluster.
pub trait Cluster {
    /// What the controller wrote down.
    fn image(&self) -> &MetadataImage;
    /// A replica of a running broker.
    fn replica(&self, broker: BrokerId, partition: TopicPartition) -> Option<Replica<'_>>;
    /// The epoch of a running broker's registration, −1 while it has none; none if it does not run.
    fn broker_epoch(&self, broker: BrokerId) -> Option<i64>;
    /// What a replica's log takes for its last stable offset.
    fn last_stable_offset(&self, replica: &Replica<'_>) -> Offset {
        replica.log.last_stable_offset()
    }
    /// What a coordinator has decided of this producer's transaction: to commit it or not. None if no coordinator that runs
    /// knows of a decision.
    fn decision(&self, producer_id: ProducerId, epoch: ProducerEpoch) -> Option<bool>;
    /// Who may commit for which partitions of a group.
    fn owners(&self, group: &str) -> Vec<(TopicPartition, NodeId)>;
    /// Where a leader takes a share group to begin in a partition; none if it knows of no such group.
    fn share_start(&self, _leader: NodeId, _group: &str, _partition: TopicPartition) -> Option<Offset> {
        None
    }
    /// A group's settings in effect, as a broker knows them.
    fn group_config(&self, _broker: NodeId, _group: &str) -> GroupConfig {
        GroupConfig::default()
    }
    /// The generation, or epoch, in which a member takes itself to be; −1 for none.
    fn generation(&self, member: NodeId) -> Generation;
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
    pub fn new(setup: &WorldSetup) -> Self {
        let acks_all = setup.producers.iter().filter(|app| app.config.acks == Acks::All).map(|app| app.node).collect();
        let read_committed =
            setup.consumers.iter().filter(|app| app.config.isolation_level == IsolationLevel::ReadCommitted);
        let processors = setup.processors.iter();
        let processors = processors.filter(|app| app.consumer.isolation_level == IsolationLevel::ReadCommitted);
        let read_committed = read_committed.map(|app| app.node).chain(processors.map(|app| app.node)).collect();
        Invariants {
            watches: SortedMap::new(),
            violations: Vector::new(),
            acks_all,
            raft: Rc::default(),
            epoch_per_transaction: setup.broker_config.transaction_version >= 2,
            last_topic: u32::try_from(setup.topics.len()).expect("invariant: topic ids have 32 bits"),
            sent_on: outputs::sent_on(setup).into(),
            pipes: outputs::pipes(setup).into(),
            producers: ProducerWatch::new(setup, read_committed),
            transactions: Rc::default(),
            groups: Rc::new(GroupWatch::new(setup)),
            shares: Rc::default(),
        }
    }

    /// What did not hold.
    pub fn violations(&self) -> &Vector<Violation> {
        &self.violations
    }

    /// Whether Kafka promises nothing of what was acknowledged in some partition.
    pub fn any_waived(&self) -> bool {
        self.watches.values().any(|watch| watch.waived)
    }

    /// Looks at what a step has touched.
    pub fn check(&mut self, cluster: &(impl Cluster + Quorum), ledger: &Ledger, events: &[Recorded]) {
        for it in events {
            match &it.event {
                Event::QuorumChanged { .. }
                | Event::HighWatermark { partition: CLUSTER_METADATA, .. }
                | Event::Truncated { partition: CLUSTER_METADATA, .. } => self.check_quorum(cluster, it),
                Event::Appended { partition, batch, leader } => {
                    self.check_appended(cluster, it, *partition, batch);
                    if *leader && batch.has_producer_id() {
                        self.check_producer(cluster, it, *partition, batch);
                    }
                }
                Event::HighWatermark { partition, leader: false, .. } => {
                    self.check_offsets(cluster, it, *partition);
                }
                Event::HighWatermark { partition, leader: true, offset } => {
                    self.check_high_watermark(cluster, it, *partition, *offset);
                    self.check_stable(cluster, it, *partition);
                }
                Event::Truncated { partition, to, .. } => {
                    self.check_offsets(cluster, it, *partition);
                    self.check_truncated(cluster, it, *partition, *to);
                }
                Event::LogRecovered { partition, log_end_offset, .. } => {
                    self.recovered(cluster, it, *partition, *log_end_offset);
                }
                Event::Fault(FaultMark::Asked(api)) => self.note_asked(*api),
                Event::BecameLeader { partition, leader_epoch, log_end_offset, .. } => {
                    self.check_new_leader(cluster, it, *partition, *leader_epoch, *log_end_offset);
                    self.learn_producers(cluster, it, *partition, (*leader_epoch, *log_end_offset));
                    if !self.is_ours(*partition) {
                        self.note_reign(it);
                    }
                }
                Event::PartitionChanged { partition, leader, leader_epoch, isr, partition_epoch, unclean } => {
                    let decision = Decision {
                        leader: *leader,
                        leader_epoch: *leader_epoch,
                        partition_epoch: *partition_epoch,
                        isr,
                        unclean: *unclean,
                    };
                    self.check_decision(cluster, it, *partition, &decision);
                }
                Event::Acked { record, partition, offset } if *offset >= 0 && self.acks_all.contains(&it.node) => {
                    self.check_acked(cluster, ledger, it, *partition, (*record, *offset));
                }
                Event::Delivered { partition, offset, .. } => self.check_delivered(cluster, it, *partition, *offset),
                Event::Sent { .. } => self.note_sent(it.node),
                Event::OffsetsCommitted { .. }
                | Event::PositionSet { .. }
                | Event::PartitionsAssigned { .. }
                | Event::RequestFailed { api: ApiKey::OffsetCommit, .. }
                | Event::GroupJoined { .. } => self.check_group(cluster, ledger, it),
                Event::RecordsAcquired { .. }
                | Event::RecordsAcknowledged { .. }
                | Event::AcquisitionLockExpired { .. }
                | Event::SharePartitionLoaded { .. } => self.check_share(cluster, it),
                Event::TransactionsInitialized { .. }
                | Event::TransactionBegun { .. }
                | Event::TransactionEnded { .. }
                | Event::TransactionChanged { .. }
                | Event::TransactionalIdExpired { .. } => self.check_transaction(cluster, it),
                _ => {}
            }
        }
    }

    fn check_quorum(&mut self, quorum: &impl Quorum, it: &Recorded) {
        let violations = &mut self.violations;
        Rc::make_mut(&mut self.raft).check(quorum, it, &mut |violation| {
            if violations.len() < MOST {
                violations.push(violation);
            }
        });
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
