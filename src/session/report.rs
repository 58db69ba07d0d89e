//! What a finished run says: as text for people, as JSON for programs. The JSON's keys are a contract.

use crate::base::{BrokerId, SortedMap, Time, TopicId, TopicPartition};
use crate::broker::Partition;
use crate::check::{ShareEnd, StoryKind, Verdict};
use crate::scenario::{Scenario, Trial};
use crate::sim::World;
use serde::Serialize;
use serde_json::Number;
use std::fmt::Write;
use std::rc::Rc;

/// The outcome of a run.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Report {
    /// Id, or `custom`.
    pub scenario: Rc<str>,
    /// Where all chance came from.
    pub seed: u64,
    /// How long the scenario took on its own clock.
    pub virtual_ms: Number,
    /// Events handled since its beginning.
    pub events: u64,
    /// Of the final state.
    pub state_hash: String,
    /// Claim against observation.
    pub guarantee: GuaranteeReport,
    /// The ledger in numbers.
    pub ledger: LedgerReport,
    /// By name, `orders-0`.
    pub partitions: SortedMap<String, PartitionReport>,
    /// Errors that applications met.
    pub errors: Vec<ErrorReport>,
    /// Properties of the engine that did not hold: never, we hope.
    pub invariant_violations: Vec<String>,
    /// For the text.
    #[serde(skip)]
    stories: Vec<(u32, Vec<String>)>,
}

/// Claim against observation.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct GuaranteeReport {
    /// What the settings claim.
    pub claimed: &'static str,
    /// What the ledger shows.
    pub observed: &'static str,
    /// Whether the claim was kept.
    pub holds: bool,
}

/// The ledger in numbers. Records are named by the generator's numbers.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct LedgerReport {
    /// Records that `send()` took.
    pub sent: u64,
    /// Records whose callback reported success.
    pub acked: u64,
    /// Occurrences in the leaders' logs.
    pub appended: u64,
    /// Occurrences below the high watermark.
    pub committed: u64,
    /// Occurrences whose transaction was aborted; absent if there are none.
    #[serde(skip_serializing_if = "is_none")]
    pub aborted: u64,
    /// Occurrences whose transaction is open; absent if there are none.
    #[serde(skip_serializing_if = "is_none")]
    pub open: u64,
    /// Occurrences returned by `poll()`.
    pub delivered: u64,
    /// Effects.
    pub processed: u64,
    /// Sent, and the effect never happened.
    pub lost: Vec<u32>,
    /// Those of them that the producer was told are stored.
    pub acked_lost: Vec<u32>,
    /// The effect happened more than once.
    pub duplicated: Vec<u32>,
    /// In a log more than once.
    pub log_duplicated: Vec<u32>,
    /// The effect came before that of an earlier record of the same partition.
    pub reordered: Vec<u32>,
    /// Of an aborted transaction, yet processed.
    pub aborted_read: Vec<u32>,
    /// Given up by a consumer: they lie in its dead letter topic, and their effect did not happen.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dead_lettered: Vec<u32>,
    /// Rejected by a share consumer: nobody waits for their effect.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rejected: Vec<u32>,
    /// Those of the lost that a share group gave up because they were delivered too often.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exhausted: Vec<u32>,
}

/// A partition at the end.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct PartitionReport {
    /// −1 if there is none.
    pub leader: i32,
    /// Its epoch.
    pub leader_epoch: i32,
    /// As the controller has it.
    pub isr: Vec<i32>,
    /// Of the leader's log (of the longest one, without a leader).
    pub log_end_offset: i64,
    /// Likewise.
    pub high_watermark: i64,
    /// Likewise.
    pub last_stable_offset: i64,
}

/// An error that an application met.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct ErrorReport {
    /// When.
    pub at_ms: Number,
    /// Who.
    pub node: Rc<str>,
    /// Which.
    pub code: String,
}

impl Report {
    /// Of a trial that has ended; of another, up to where it is.
    pub fn of(scenario: &Scenario, trial: &Trial) -> Report {
        let run = &trial.run;
        let verdict = trial.verdict();
        let errors = run.ledger.errors().iter().map(|error| ErrorReport {
            at_ms: millis(error.at),
            node: Rc::clone(run.world.name(error.node)),
            code: error.error.name().to_owned(),
        });
        let violations = run.invariants.violations().iter();
        Report {
            scenario: scenario.id.clone().unwrap_or_else(|| Rc::from("custom")),
            seed: scenario.seed,
            virtual_ms: millis(run.world.now()),
            events: trial.events(),
            state_hash: trial.state_hash().to_string(),
            guarantee: GuaranteeReport::of(&verdict),
            partitions: partitions(&run.world),
            errors: errors.collect(),
            invariant_violations: violations
                .map(|broken| format!("{} at {} s: {}", broken.invariant.name(), broken.at, broken.detail))
                .collect(),
            stories: stories(trial, &verdict),
            ledger: LedgerReport::of(&verdict),
        }
    }

    /// One JSON document, with exactly the documented keys.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("invariant: a report has only text keys")
    }

    /// For people: the verdict, then why.
    pub fn to_text(&self) -> String {
        let mut out = String::new();
        let holds = if self.guarantee.holds { "holds" } else { "BROKEN" };
        let GuaranteeReport { claimed, observed, .. } = self.guarantee;
        let ledger = &self.ledger;
        // Writing to a String cannot fail.
        let _ =
            writeln!(out, "{} (seed {}): claimed {claimed}, observed {observed}: {holds}", self.scenario, self.seed);
        let _ = writeln!(
            out,
            "  sent {}  acked {}  appended {}  committed {}  delivered {}  processed {}",
            ledger.sent, ledger.acked, ledger.appended, ledger.committed, ledger.delivered, ledger.processed
        );
        if ledger.aborted + ledger.open > 0 {
            let _ = writeln!(out, "  in aborted transactions {}  in open ones {}", ledger.aborted, ledger.open);
        }
        let lists = [
            ("lost", &ledger.lost),
            ("of these acked", &ledger.acked_lost),
            ("duplicated", &ledger.duplicated),
            ("twice in the log", &ledger.log_duplicated),
            ("reordered", &ledger.reordered),
            ("aborted, yet read", &ledger.aborted_read),
            ("in the dead letter topic", &ledger.dead_lettered),
            ("rejected", &ledger.rejected),
            ("delivered too often and given up", &ledger.exhausted),
        ];
        for (name, records) in lists.into_iter().filter(|(_, records)| !records.is_empty()) {
            let _ = writeln!(out, "  {name}: {}", joined(records));
        }
        for (record, steps) in &self.stories {
            let _ = writeln!(out, "\n  record {record}");
            for step in steps {
                let _ = writeln!(out, "    {step}");
            }
        }
        for violation in &self.invariant_violations {
            let _ = writeln!(out, "\n  BROKEN INVARIANT {violation}");
        }
        let _ = writeln!(
            out,
            "\n  {} ms of virtual time, {} events, state {}",
            self.virtual_ms, self.events, self.state_hash
        );
        out
    }
}

impl GuaranteeReport {
    /// Of a verdict.
    pub fn of(verdict: &Verdict) -> GuaranteeReport {
        GuaranteeReport { claimed: verdict.claimed.name(), observed: verdict.observed.name(), holds: verdict.holds }
    }
}

impl LedgerReport {
    /// The numbers of a verdict.
    pub fn of(verdict: &Verdict) -> LedgerReport {
        let ids = |records: &[crate::base::RecordId]| records.iter().map(|record| record.0).collect();
        LedgerReport {
            sent: verdict.sent,
            acked: verdict.acked,
            appended: verdict.appended,
            committed: verdict.committed,
            aborted: verdict.aborted,
            open: verdict.open,
            delivered: verdict.delivered,
            processed: verdict.processed,
            lost: ids(&verdict.lost),
            acked_lost: ids(&verdict.acked_lost),
            duplicated: ids(&verdict.duplicated),
            log_duplicated: ids(&verdict.log_duplicated),
            reordered: ids(&verdict.reordered),
            aborted_read: ids(&verdict.aborted_read),
            dead_lettered: ids(&verdict.dead_lettered),
            rejected: ids(&verdict.rejected),
            exhausted: ids(&verdict.exhausted),
        }
    }
}

fn is_none(count: &u64) -> bool {
    *count == 0
}

fn joined(records: &[u32]) -> String {
    records.iter().map(u32::to_string).collect::<Vec<_>>().join(", ")
}

/// Milliseconds since the origin, to the microsecond, without a float: `1201.5`.
fn millis(at: Time) -> Number {
    let us = at.us_since_origin();
    let text = format!("{}.{:03}", us / 1_000, us % 1_000);
    let short = text.trim_end_matches('0').trim_end_matches('.');
    short.parse().unwrap_or_else(|_| Number::from(us / 1_000))
}

/// Log end offset, high watermark and last stable offset where they count: at the leader, or in the longest log left.
fn offsets(world: &World, partition: TopicPartition, leader: BrokerId) -> (i64, i64, i64) {
    let leading = world.broker(leader).and_then(|broker| broker.partition(partition));
    if let Some(log) = leading.map(Partition::log) {
        return (log.log_end_offset(), log.high_watermark(), log.last_stable_offset());
    }
    let left = world.brokers().filter_map(|(_, broker)| {
        let end = broker.log(partition)?.end_offset();
        let open = broker.partition(partition).map(|partition| partition.log().high_watermark());
        Some((end, open.unwrap_or_else(|| broker.disk().high_watermark(partition))))
    });
    left.max().map_or((0, 0, 0), |(end, high_watermark)| (end, high_watermark, high_watermark))
}

/// The scenario's partitions, by name.
pub(super) fn partitions(world: &World) -> SortedMap<String, PartitionReport> {
    let mut out = SortedMap::new();
    let Some(image) = world.image() else { return out };
    let topics = (1..).map(TopicId).zip(&world.setup().topics);
    for (topic, new) in topics {
        for partition in 0..image.partition_count(topic) {
            let partition = TopicPartition::new(topic, partition);
            let Some(state) = image.partition(partition) else { continue };
            let (log_end_offset, high_watermark, last_stable_offset) = offsets(world, partition, state.leader);
            let report = PartitionReport {
                leader: state.leader.0,
                leader_epoch: state.leader_epoch,
                isr: state.isr.iter().map(|broker| broker.0).collect(),
                log_end_offset,
                high_watermark,
                last_stable_offset,
            };
            out.insert(format!("{}-{}", new.name, partition.partition), report);
        }
    }
    out
}

/// Records whose stories are told, at most.
const STORIES: usize = 5;

fn stories(trial: &Trial, verdict: &Verdict) -> Vec<(u32, Vec<String>)> {
    let odd = [
        &verdict.acked_lost,
        &verdict.lost,
        &verdict.duplicated,
        &verdict.aborted_read,
        &verdict.dead_lettered,
        &verdict.rejected,
        &verdict.log_duplicated,
        &verdict.reordered,
    ];
    let mut records: Vec<_> = odd.into_iter().flatten().copied().collect();
    let mut seen = crate::base::SortedSet::new();
    records.retain(|record| seen.insert(*record));
    let told = records.into_iter().take(STORIES).map(|record| {
        let steps = trial.run.ledger.story(record).iter();
        let lines = steps.map(|step| {
            let world = &trial.run.world;
            let topic = step.elsewhere().and_then(|topic| world.setup().topics.get(topic.0 as usize - 1));
            let topic = topic.map_or_else(String::new, |topic| format!("{}: ", topic.name));
            format!("{:>12} s  {:<12} {topic}{}", step.at.to_string(), world.name(step.node), sentence(&step.kind))
        });
        (record.0, lines.collect())
    });
    told.collect()
}

fn sentence(kind: &StoryKind) -> String {
    match kind {
        StoryKind::Sent => "send() took it".to_owned(),
        StoryKind::OnTheWire { to, attempt: 1 } => format!("sent it to broker-{to}"),
        StoryKind::OnTheWire { to, attempt } => format!("sent it to broker-{to} again (attempt {attempt})"),
        StoryKind::Retry(error) => format!("{error}: will send it again"),
        StoryKind::Appended(offset) => format!("appended it at offset {offset}"),
        StoryKind::AppendedByFormerLeader(offset) => format!("appended it at offset {offset}, being leader no more"),
        StoryKind::DuplicateIgnored => "has it already: answered with the old offset".to_owned(),
        StoryKind::CutOff(offset) => format!("took over without it (it had been at offset {offset})"),
        StoryKind::Deleted(offset) => format!("deleted it from the log (it had been at offset {offset})"),
        StoryKind::Superseded(offset) => {
            format!("compacted it away (it had been at offset {offset}): its key has a newer one")
        }
        StoryKind::Reappeared(offset) => format!("took over and has it at offset {offset}"),
        StoryKind::Committed(offset) => format!("high watermark passed offset {offset}"),
        StoryKind::Acked(-1) => "callback: success, offset -1".to_owned(),
        StoryKind::Acked(offset) => format!("callback: success, offset {offset}"),
        StoryKind::Failed(error) => format!("callback: {}", error.name()),
        StoryKind::Delivered(offset) => format!("poll() returned it (offset {offset})"),
        StoryKind::Processing => "processing it".to_owned(),
        StoryKind::Processed => "its effect happened".to_owned(),
        StoryKind::Handled => "its handler is done with it".to_owned(),
        StoryKind::SentOn => "send() took what came of it".to_owned(),
        StoryKind::AppendedInTransaction(offset) => format!("appended it at offset {offset}, in a transaction"),
        StoryKind::CommittedBehindLso(offset) => {
            format!("high watermark passed offset {offset}, which an open transaction hides from read_committed")
        }
        StoryKind::TransactionCommitted(offset) => format!("a marker commits its transaction (offset {offset})"),
        StoryKind::TransactionAborted(offset) => format!("a marker aborts its transaction (offset {offset})"),
        StoryKind::ReadUncommitted(offset) => format!("poll() returned it uncommitted (offset {offset})"),
        StoryKind::Refused => "recognised a repetition: no effect".to_owned(),
        StoryKind::HandlerFailed(error) => format!("its handler threw {}", error.name()),
        StoryKind::Acknowledged(kind) => format!("acknowledges it: {}", kind.name()),
        StoryKind::Accepted => "noted as processed".to_owned(),
        StoryKind::Released(count) => format!("available again after {count} deliveries"),
        StoryKind::LockExpired(count) => format!("its lock ended in delivery {count}"),
        StoryKind::Archived(ShareEnd::Rejected) => "archived: rejected".to_owned(),
        StoryKind::Archived(ShareEnd::Exhausted(count)) => format!("archived after {count} deliveries"),
        StoryKind::TakenBack { on_purpose: true } => "aborts its transaction on purpose".to_owned(),
        StoryKind::TakenBack { on_purpose: false } => "aborts its transaction, in which something failed".to_owned(),
    }
}
