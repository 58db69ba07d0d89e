//! One replica of a partition on this broker: leader or follower, and the log below it (Kafka's `Partition`).
//!
//! Invariants: the leader epoch only rises; so does the partition epoch. The high watermark of a leader is computed over
//! the *maximal* ISR, the test against `min.insync.replicas` uses the *committed* one. At most one ISR change is pending,
//! and what is pending counts for the high watermark only where it makes it harder to advance.
//!
//! Departures: no future replicas, no tiers. Metadata of the very partition epoch that the leader has from AlterPartition already
//! leave a pending change alone. Kafka drops it (`makeLeader` takes equal epochs, too), and until the answer comes the high
//! watermark may pass a follower that the controller takes into the ISR: a window of milliseconds in which
//! ValidHighWatermark does not hold. A sweep found it.

mod alter;
mod leader;
mod read;

pub use alter::Answered;
pub use read::{FetchRead, ReadOptions};

use super::context::Context;
use super::replica::FollowerState;
use crate::base::{BrokerId, LeaderEpoch, Offset, TopicPartition};
use crate::log::{LogConfig, UnifiedLog};
use crate::metadata::PartitionRegistration;
use crate::node::Event;
use crate::protocol::{AlterPartition, CurrentLeader, ErrorCode};
use std::rc::Rc;

/// A replica.
#[derive(Clone, Hash, Debug)]
pub struct Partition {
    id: TopicPartition,
    local: BrokerId,
    log: UnifiedLog,
    min_insync_replicas: u32,
    replicas: Rc<[BrokerId]>,
    leader: BrokerId,
    leader_epoch: LeaderEpoch,
    partition_epoch: i32,
    /// Where the log ended when this broker became leader of the present epoch.
    leader_epoch_start: Option<Offset>,
    isr: Rc<[BrokerId]>,
    pending: Option<Rc<PendingIsr>>,
    followers: Vec<FollowerState>,
}

/// An ISR change that the controller has not confirmed.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct PendingIsr {
    /// What it is.
    pub change: IsrChange,
    /// The ISR that the high watermark is computed over meanwhile.
    pub maximal: Rc<[BrokerId]>,
    /// The request.
    pub wish: AlterPartition,
}

/// How an ISR is to change.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum IsrChange {
    /// This follower joins.
    Expand(BrokerId),
    /// These leave.
    Shrink(Rc<[BrokerId]>),
}

/// What a new registration did to a partition.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Transition {
    /// The leader epoch rose: a follower has to start fetching anew, a leader has a new term.
    pub new_epoch: bool,
    /// It is not what it was before: waiting requests must be looked at.
    pub role_changed: bool,
    /// The high watermark moved.
    pub advanced: bool,
}

impl Partition {
    /// A replica of which nothing but its log is known.
    pub fn new(id: TopicPartition, local: BrokerId, log: UnifiedLog, min_insync_replicas: u32) -> Self {
        Partition {
            id,
            local,
            log,
            min_insync_replicas,
            replicas: Rc::default(),
            leader: BrokerId::NONE,
            leader_epoch: -1,
            partition_epoch: -1,
            leader_epoch_start: None,
            isr: Rc::default(),
            pending: None,
            followers: Vec::new(),
        }
    }

    /// Which partition.
    pub fn id(&self) -> TopicPartition {
        self.id
    }

    /// The log.
    pub fn log(&self) -> &UnifiedLog {
        &self.log
    }

    /// The log, for the follower that appends to it and the rounds that clean it.
    pub fn log_mut(&mut self) -> &mut UnifiedLog {
        &mut self.log
    }

    /// Its topic has other settings now.
    pub fn set_config(&mut self, config: Rc<LogConfig>, min_insync_replicas: u32) {
        self.log.set_config(config);
        self.min_insync_replicas = min_insync_replicas;
    }

    /// Takes the log out, when the process dies.
    pub fn into_log(self) -> UnifiedLog {
        self.log
    }

    /// Whether this broker leads.
    pub fn is_leader(&self) -> bool {
        self.leader == self.local
    }

    /// Who leads, −1 if nobody does.
    pub fn leader(&self) -> BrokerId {
        self.leader
    }

    /// The leader's epoch, −1 if nothing is known yet.
    pub fn leader_epoch(&self) -> LeaderEpoch {
        self.leader_epoch
    }

    /// Counts changes of the registration.
    pub fn partition_epoch(&self) -> i32 {
        self.partition_epoch
    }

    /// Where this leader's epoch began; none on a follower.
    pub fn leader_epoch_start(&self) -> Option<Offset> {
        self.leader_epoch_start
    }

    /// All replicas in assignment order.
    pub fn replicas(&self) -> &[BrokerId] {
        &self.replicas
    }

    /// The ISR that the controller has confirmed; empty on a follower.
    pub fn committed_isr(&self) -> &[BrokerId] {
        &self.isr
    }

    /// The ISR that the high watermark is computed over.
    pub fn maximal_isr(&self) -> &[BrokerId] {
        self.pending.as_ref().map_or(&self.isr, |pending| &pending.maximal)
    }

    /// The change that is under way.
    pub fn pending_isr(&self) -> Option<&PendingIsr> {
        self.pending.as_deref()
    }

    /// What the leader knows of its followers; empty on a follower.
    pub fn follower_states(&self) -> &[FollowerState] {
        &self.followers
    }

    fn follower(&self, broker: BrokerId) -> Option<&FollowerState> {
        self.followers.iter().find(|follower| follower.broker == broker)
    }

    fn follower_mut(&mut self, broker: BrokerId) -> Option<&mut FollowerState> {
        self.followers.iter_mut().find(|follower| follower.broker == broker)
    }

    /// `min.insync.replicas`, but not more than there are replicas.
    pub fn effective_min_isr(&self) -> usize {
        (self.min_insync_replicas as usize).min(self.followers.len() + 1)
    }

    /// Whether the committed ISR is too small to commit anything.
    pub fn is_under_min_isr(&self) -> bool {
        self.is_leader() && self.isr.len() < self.effective_min_isr()
    }

    /// The leader as this replica knows it (KIP-951).
    pub fn current_leader(&self) -> CurrentLeader {
        CurrentLeader { leader: self.leader, epoch: self.leader_epoch }
    }

    /// Fencing: the epoch that a request carries against the one in force; −1 is not checked.
    pub fn check_leader_epoch(&self, requested: LeaderEpoch) -> Result<(), ErrorCode> {
        match requested {
            -1 => Ok(()),
            older if older < self.leader_epoch => Err(ErrorCode::FencedLeaderEpoch),
            newer if newer > self.leader_epoch => Err(ErrorCode::UnknownLeaderEpoch),
            _ => Ok(()),
        }
    }

    /// As [`Self::check_leader_epoch`], then leadership.
    pub fn check_leader(&self, requested: LeaderEpoch) -> Result<(), ErrorCode> {
        self.check_leader_epoch(requested)?;
        if self.is_leader() { Ok(()) } else { Err(ErrorCode::NotLeaderOrFollower) }
    }

    /// Becomes what the registration says, unless it is outdated.
    pub fn apply(&mut self, registration: &PartitionRegistration, ctx: &mut Context<'_, '_>) -> Transition {
        if registration.partition_epoch < self.partition_epoch {
            return Transition::default();
        }
        if registration.leader == self.local {
            self.make_leader(registration, ctx)
        } else {
            self.make_follower(registration, ctx)
        }
    }

    fn make_leader(&mut self, registration: &PartitionRegistration, ctx: &mut Context<'_, '_>) -> Transition {
        let (was_leader, new_epoch) = (self.is_leader(), registration.leader_epoch > self.leader_epoch);
        self.replicas = registration.replicas.as_slice().into();
        self.isr = registration.isr.as_slice().into();
        if !was_leader || new_epoch || registration.partition_epoch > self.partition_epoch {
            self.pending = None;
        }
        let known = std::mem::take(&mut self.followers);
        let others = self.replicas.iter().filter(|broker| **broker != self.local);
        self.followers = others
            .map(|id| known.iter().find(|old| old.broker == *id).copied().unwrap_or_else(|| FollowerState::new(*id)))
            .collect();
        if new_epoch {
            let start = self.log.log_end_offset();
            self.log.assign_epoch_start_offset(registration.leader_epoch, start);
            for follower in &mut self.followers {
                let in_sync = self.isr.contains(&follower.broker);
                follower.reset(ctx.now, start, !was_leader, in_sync);
            }
            self.leader_epoch = registration.leader_epoch;
            self.leader_epoch_start = Some(start);
        }
        let epoch_changed = registration.partition_epoch > self.partition_epoch;
        self.partition_epoch = registration.partition_epoch;
        self.leader = self.local;
        if new_epoch || !was_leader {
            ctx.out.emit(Event::BecameLeader {
                partition: self.id,
                leader_epoch: self.leader_epoch,
                log_end_offset: self.log.log_end_offset(),
                isr: Rc::clone(&self.isr),
            });
        } else if epoch_changed {
            self.emit_isr(ctx);
        }
        // The ISR may have come down to this broker alone.
        let advanced = self.maybe_advance_high_watermark(ctx);
        Transition { new_epoch, role_changed: !was_leader, advanced }
    }

    fn make_follower(&mut self, registration: &PartitionRegistration, ctx: &mut Context<'_, '_>) -> Transition {
        let (was_leader, new_epoch) = (self.is_leader(), registration.leader_epoch > self.leader_epoch);
        self.leader = registration.leader;
        self.leader_epoch = registration.leader_epoch;
        self.leader_epoch_start = None;
        self.partition_epoch = registration.partition_epoch;
        self.replicas = registration.replicas.as_slice().into();
        self.isr = Rc::default();
        self.pending = None;
        self.followers.clear();
        if new_epoch {
            let (leader_epoch, leader) = (self.leader_epoch, self.leader);
            ctx.out.emit(Event::BecameFollower { partition: self.id, leader_epoch, leader });
        }
        Transition { new_epoch, role_changed: was_leader, advanced: false }
    }

    fn emit_isr(&self, ctx: &mut Context<'_, '_>) {
        let (isr, partition_epoch) = (Rc::clone(&self.isr), self.partition_epoch);
        ctx.out.emit(Event::IsrChanged { partition: self.id, isr, partition_epoch });
    }

    /// Tells that the log start offset moved.
    pub fn emit_log_start(&self, ctx: &mut Context<'_, '_>) {
        let (partition, leader, offset) = (self.id, self.is_leader(), self.log.log_start_offset());
        ctx.out.emit(Event::LogStartMoved { partition, leader, offset });
    }

    fn emit_high_watermark(&self, ctx: &mut Context<'_, '_>) {
        let (partition, leader, offset) = (self.id, self.is_leader(), self.log.high_watermark());
        ctx.out.emit(Event::HighWatermark { partition, leader, offset });
    }
}
