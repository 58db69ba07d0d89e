//! One record's life.

use crate::base::{BrokerId, NodeId, Offset, Time, TopicId, TopicPartition};
use crate::node::ClientError;
use crate::protocol::{AcknowledgeType, ErrorCode};
use smallvec::SmallVec;
use std::hash::{Hash, Hasher};

/// The callback reported success.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Ack {
    /// When.
    pub at: Time,
    /// −1 with `acks=0`.
    pub offset: Offset,
}

/// The callback reported an exception.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Failure {
    /// When.
    pub at: Time,
    /// Which.
    pub error: ClientError,
}

/// One step of a record's story.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoryStep {
    /// When.
    pub at: Time,
    /// Where.
    pub node: NodeId,
    /// The topic, if it is not the one that the record was first sent to; 0 if it is. (A topic id, in what room there is.)
    elsewhere: u16,
    /// What.
    pub kind: StoryKind,
}

impl StoryStep {
    /// The topic in which it happened, if that is not the one that the record was first sent to.
    pub fn elsewhere(&self) -> Option<TopicId> {
        (self.elsewhere > 0).then(|| TopicId(u32::from(self.elsewhere)))
    }
}

/// In the first topic as it always was.
impl Hash for StoryStep {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.at, self.node, &self.kind).hash(state);
        if self.elsewhere > 0 {
            self.elsewhere.hash(state);
        }
    }
}

/// What happened to the record.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum StoryKind {
    /// `send()` took it.
    Sent,
    /// It went on the wire.
    OnTheWire {
        /// To whom.
        to: BrokerId,
        /// The how-manieth time, from 1.
        attempt: u32,
    },
    /// The producer is going to send it again.
    Retry(ErrorCode),
    /// The leader appended it.
    Appended(Offset),
    /// A broker that had been leader and did not know better appended it: for nothing.
    AppendedByFormerLeader(Offset),
    /// It was in the log already.
    DuplicateIgnored,
    /// A leader came to power whose log does not have it.
    CutOff(Offset),
    /// It was deleted with the head of the log: too old, too many, or by DeleteRecords.
    Deleted(Offset),
    /// The log was compacted, and a newer record of its key had superseded it.
    Superseded(Offset),
    /// A leader came to power whose log has it again, though the one before had not.
    Reappeared(Offset),
    /// The high watermark passed it.
    Committed(Offset),
    /// The callback reported success.
    Acked(Offset),
    /// The callback reported an exception.
    Failed(Box<ClientError>),
    /// `poll()` returned it.
    Delivered(Offset),
    /// The application began with it.
    Processing,
    /// Its effect happened.
    Processed,
    /// The handler of a processor that acts on nothing but topics is done with it.
    Handled,
    /// A processor's `send()` took what came of it, or a consumer's the record itself, to retry it or to give it up.
    SentOn,
    /// The leader appended it as part of a transaction.
    AppendedInTransaction(Offset),
    /// The high watermark passed it, but a transaction is open there or before: `read_committed` does not get it.
    CommittedBehindLso(Offset),
    /// The marker that commits its transaction stands in the log.
    TransactionCommitted(Offset),
    /// The marker that aborts its transaction stands in the log.
    TransactionAborted(Offset),
    /// `poll()` returned it though its transaction was open or aborted.
    ReadUncommitted(Offset),
    /// Its program calls `abortTransaction()`.
    TakenBack {
        /// Not because something in the transaction failed.
        on_purpose: bool,
    },
    /// Its handler threw an exception.
    HandlerFailed(Box<ClientError>),
    /// The program of a share consumer said so of it.
    Acknowledged(AcknowledgeType),
    /// The leader has noted for a share group that it is processed.
    Accepted,
    /// The leader has noted that it can be delivered again, after so many deliveries.
    Released(i16),
    /// So long nobody acknowledged it that its lock ended, in the delivery of that number.
    LockExpired(i16),
    /// It is not delivered to its share group any more.
    Archived(ShareEnd),
    /// A sink recognised a repetition: no effect.
    Refused,
}

/// Why a share group gives up a record that it has not processed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ShareEnd {
    /// Its program rejected it.
    Rejected,
    /// It was delivered as often as `group.share.delivery.count.limit` allows.
    Exhausted(i16),
}

/// Longest story told: of a record that is retried for ever, the beginning says enough.
const LONGEST_STORY: usize = 128;

/// How often something happened, by group of readers.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Counts(SmallVec<[(u16, u32); 2]>);

impl Counts {
    /// How often in that group.
    pub fn of(&self, group: u16) -> u32 {
        self.0.iter().find(|(known, _)| *known == group).map_or(0, |(_, count)| *count)
    }

    /// How often in all.
    pub fn sum(&self) -> u32 {
        self.0.iter().map(|(_, count)| count).sum()
    }

    /// Groups and how often it happened there.
    pub fn iter(&self) -> impl Iterator<Item = (u16, u32)> + '_ {
        self.0.iter().copied()
    }

    /// Once more; how often now.
    pub(super) fn add(&mut self, group: u16) -> u32 {
        if let Some((_, count)) = self.0.iter_mut().find(|(known, _)| *known == group) {
            *count += 1;
            return *count;
        }
        self.0.push((group, 1));
        1
    }
}

/// What is known of a record that had to do with transactions.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Transactional {
    /// `commitTransaction()` returned after it.
    pub promised: bool,
    /// Its producer aborted its transaction on purpose, and has not sent it again: nobody wants its effect.
    pub withdrawn: bool,
    /// Its program called `abortTransaction()` after it, for whatever reason, and has not sent it again.
    pub taken_back: bool,
    /// Where it stood when it was processed although its transaction was open.
    pub early: SmallVec<[(TopicPartition, Offset); 1]>,
}

/// What is known of a record that share groups read.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Shared {
    /// What a program said of it last.
    pub said: Option<AcknowledgeType>,
    /// Why it was given up, by reading.
    pub ends: SmallVec<[(u16, ShareEnd); 1]>,
}

/// Everything that is known of one record.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Life {
    /// Who sent it.
    pub producer: Option<NodeId>,
    /// Where to.
    pub partition: Option<TopicPartition>,
    /// When `send()` took it.
    pub sent_at: Option<Time>,
    /// What the producer was told first, if it was good.
    pub acked: Option<Ack>,
    /// What the producer was told first, if it was bad.
    pub failed: Option<Box<Failure>>,
    /// Where it stands in the logs of the present leaders.
    pub places: SmallVec<[(TopicPartition, Offset); 1]>,
    /// In how many places it was superseded and compacted away.
    pub superseded: u8,
    /// How often consumers got it.
    pub delivered: Counts,
    /// How often its effect happened.
    pub processed: Counts,
    /// Its transaction was aborted, and yet it was processed.
    pub aborted_read: bool,
    /// What is known of its transactions.
    transactional: Option<Box<Transactional>>,
    /// What is known of it in share groups.
    shared: Option<Box<Shared>>,
    /// The recorded event with which its story begins.
    pub first_event: u64,
    /// What happened to it, in order.
    pub story: Vec<StoryStep>,
}

/// Without transactions as it always was.
impl Hash for Life {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.producer, self.partition, self.sent_at, self.acked, &self.failed, &self.places).hash(state);
        (self.superseded, &self.delivered, &self.processed, self.aborted_read).hash(state);
        (self.first_event, &self.story).hash(state);
        if let Some(transactional) = &self.transactional {
            transactional.hash(state);
        }
        if let Some(shared) = &self.shared {
            shared.hash(state);
        }
    }
}

impl Life {
    /// What is known of its transactions, if it was in one.
    pub fn transactional(&self) -> Option<&Transactional> {
        self.transactional.as_deref()
    }

    pub(super) fn transactional_mut(&mut self) -> &mut Transactional {
        self.transactional.get_or_insert_default()
    }

    /// Why share groups gave it up, by reading, where they did.
    pub fn share_ends(&self) -> &[(u16, ShareEnd)] {
        self.shared.as_ref().map_or(&[], |it| &it.ends)
    }

    pub(super) fn said(&self) -> Option<AcknowledgeType> {
        self.shared.as_ref()?.said
    }

    pub(super) fn shared_mut(&mut self) -> &mut Shared {
        self.shared.get_or_insert_default()
    }

    /// Whether its producer was told that it is stored for good: by the callback, or of a transaction by its commit.
    pub fn is_promised(&self) -> bool {
        self.transactional().map_or(self.acked.is_some(), |it| it.promised)
    }

    /// Whether it was processed although its transaction was aborted: by the log, or by its program, even where the log says
    /// that it was committed (transaction versions before 2 can mistake one transaction for another).
    pub fn is_aborted_read(&self) -> bool {
        let taken_back = self.transactional().is_some_and(|it| it.taken_back);
        self.aborted_read || taken_back && self.processed.sum() > 0
    }

    /// Whether a newer record of its key stands for it, wherever it stood: it was compacted away.
    pub fn is_superseded(&self) -> bool {
        self.superseded > 0 && usize::from(self.superseded) >= self.places.len()
    }

    /// Whether nobody wants its effect: its producer aborted it on purpose.
    pub fn is_withdrawn(&self) -> bool {
        self.transactional().is_some_and(|it| it.withdrawn)
    }

    /// Tells one more step, which happened in that topic.
    pub(super) fn tell(&mut self, event: u64, at: Time, node: NodeId, topic: TopicId, kind: StoryKind) {
        if self.story.is_empty() {
            self.first_event = event;
            // As many as a quiet life has: sent, on the wire, appended, committed, acked, delivered, processing, processed.
            self.story.reserve_exact(8);
        }
        if self.story.len() < LONGEST_STORY {
            let elsewhere = self.partition.is_some_and(|own| own.topic != topic);
            let elsewhere = if elsewhere { u16::try_from(topic.0).unwrap_or(0) } else { 0 };
            self.story.push(StoryStep { at, node, elsewhere, kind });
        }
    }
}
