//! The ledger and the verdict, as plain data.

use serde::Serialize;
use std::rc::Rc;

/// Every record's life.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct LedgerView {
    /// By record number; records not yet generated have no row.
    pub rows: Vec<Rc<LedgerRow>>,
}

/// One record's life, as counts.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct LedgerRow {
    /// Which.
    pub record: u32,
    /// `orders-0`, once known.
    pub partition: Option<Rc<str>>,
    /// `send()` took it.
    pub sent: bool,
    /// The callback reported success.
    pub acked: bool,
    /// The callback reported this exception.
    pub error: Option<Rc<str>>,
    /// How often it stands in the leader's log.
    pub appended: u32,
    /// How often below the high watermark.
    pub committed: u32,
    /// How often in an aborted transaction.
    pub aborted: u32,
    /// How often `poll()` returned it.
    pub delivered: u32,
    /// How often its effect happened.
    pub processed: u32,
    /// Where it goes through several topics: each of them, in the order of its way.
    pub by_topic: Vec<TopicCounts>,
    /// Where several groups read it: how often each got it, and how often its effect happened there.
    pub by_group: Vec<(u32, u32)>,
    /// In one word.
    pub status: RowStatus,
}

/// How often a record stands in a topic.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct TopicCounts {
    /// Not in an aborted transaction.
    pub appended: u32,
    /// Of these, below the high watermark.
    pub committed: u32,
    /// In an aborted transaction.
    pub aborted: u32,
}

/// A record's state in one word.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RowStatus {
    /// Not handled yet.
    Waiting,
    /// Sent, not yet in a log.
    Sending,
    /// In the log, not yet processed.
    Stored,
    /// In the log and replicated, but behind the last stable offset: a transaction is open there or before.
    BehindLso,
    /// Its handler runs.
    Processing,
    /// Processed once (or, without consumers, stored once).
    Once,
    /// Its producer aborted its transaction on purpose, and nobody acted on it.
    TakenBack,
    /// Its handler failed for good; it lies in the dead letter topic.
    DeadLettered,
    /// A share consumer rejected it.
    Rejected,
    /// In the log twice, not yet processed twice.
    LogDuplicated,
    /// Its effect happened more than once.
    Duplicated,
    /// It was processed although its transaction was aborted.
    AbortedRead,
    /// The producer was told that it failed, and it is nowhere.
    Refused,
    /// Gone.
    Lost,
    /// Gone although the producer was told that it is stored.
    AckedLost,
}

/// Claim against observation.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct VerdictView {
    /// What the settings claim: `at-most-once`, `at-least-once`, `exactly-once`.
    pub claimed: &'static str,
    /// Which settings say so: (key, value, node).
    pub because: Vec<(Rc<str>, Rc<str>, Rc<str>)>,
    /// What happened so far: the same, or `none`.
    pub observed: &'static str,
    /// Does the claim hold so far?
    pub holds: bool,
    /// Counts and lists.
    pub ledger: LedgerSummary,
    /// Broken invariants of the engine itself (never, we hope).
    pub violations: Vec<Rc<str>>,
}

/// The ledger in numbers; the command line's JSON has the same fields.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct LedgerSummary {
    /// Records that `send()` took.
    pub sent: u64,
    /// Records whose callback reported success.
    pub acked: u64,
    /// Occurrences in the leaders' logs.
    pub appended: u64,
    /// Occurrences below the high watermark.
    pub committed: u64,
    /// Occurrences whose transaction was aborted.
    pub aborted: u64,
    /// Occurrences whose transaction is open.
    pub open: u64,
    /// Occurrences returned by `poll()`.
    pub delivered: u64,
    /// Effects.
    pub processed: u64,
    /// Sent, and the effect never happened.
    pub lost: Vec<u32>,
    /// Those of them whose producer was told that they are stored.
    pub acked_lost: Vec<u32>,
    /// The effect happened more than once.
    pub duplicated: Vec<u32>,
    /// In a log more than once.
    pub log_duplicated: Vec<u32>,
    /// The effect came before that of an earlier record of the same partition.
    pub reordered: Vec<u32>,
    /// Of an aborted transaction, yet processed.
    pub aborted_read: Vec<u32>,
}
