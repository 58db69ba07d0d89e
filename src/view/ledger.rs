//! The ledger and the verdict, projected.

use super::project::{partition_name, reuse};
use super::{ClusterView, LedgerRow, LedgerSummary, LedgerView, RowStatus, TopicCounts, VerdictView};
use crate::base::{Offset, RecordId, SortedSet, TopicPartition};
use crate::check::{Claim, Fate, Life, Reason, Run, Verdict};
use std::rc::Rc;

pub(super) fn project(run: &Run, finished: bool, before: Option<&ClusterView>) -> (LedgerView, VerdictView) {
    let verdict = if finished { run.final_verdict() } else { run.verdict() };
    let marks = Marks::of(&verdict);
    let rows = run.ledger.lives().map(|(record, life)| {
        let old = before.and_then(|view| view.ledger.rows.get(record.0 as usize));
        reuse(row(run, record, life, &marks), old)
    });
    let violations = run.invariants.violations().iter();
    let view = VerdictView {
        claimed: verdict.claimed.name(),
        because: because(&run.claim),
        observed: verdict.observed.name(),
        holds: verdict.holds,
        ledger: summary(&verdict),
        violations: violations.map(|it| Rc::from(format!("{}: {}", it.invariant.name(), it.detail))).collect(),
    };
    (LedgerView { rows: rows.collect() }, view)
}

/// The verdict's lists, for looking up.
struct Marks {
    lost: SortedSet<RecordId>,
    acked_lost: SortedSet<RecordId>,
}

impl Marks {
    fn of(verdict: &Verdict) -> Marks {
        Marks { lost: verdict.lost.iter().copied().collect(), acked_lost: verdict.acked_lost.iter().copied().collect() }
    }
}

fn row(run: &Run, record: RecordId, life: &Life, marks: &Marks) -> LedgerRow {
    let committed = life
        .places
        .iter()
        .filter(|(partition, offset)| run.ledger.log(*partition).is_some_and(|log| *offset < log.committed));
    LedgerRow {
        record: record.0,
        partition: life.partition.map(|partition| partition_name(&run.world, partition)),
        sent: life.sent_at.is_some(),
        acked: life.acked.is_some(),
        error: life.failed.as_ref().map(|failure| Rc::from(failure.error.name())),
        appended: life.places.len() as u32,
        committed: committed.count() as u32,
        aborted: life.places.iter().filter(|place| run.ledger.fate(**place) == Fate::Aborted).count() as u32,
        delivered: life.delivered.sum(),
        processed: run.ledger.processed(life),
        by_topic: by_topic(run, life),
        by_group: by_group(run, life),
        status: status(run, record, life, marks),
    }
}

/// By topic along its ways, where there are several.
fn by_topic(run: &Run, life: &Life) -> Vec<TopicCounts> {
    let flow = run.ledger.flow();
    let Some(partition) = life.partition.filter(|_| flow.readings().len() > 1) else { return Vec::new() };
    let mut topics = vec![partition.topic];
    let readers = flow.on_the_way(partition.topic).iter().filter_map(|reading| flow.readers_of(*reading));
    for topic in readers.flat_map(|readers| &readers.to) {
        if !topics.contains(topic) {
            topics.push(*topic);
        }
    }
    if topics.len() == 1 {
        return Vec::new();
    }
    let counts = topics.into_iter().map(|topic| {
        let mut counts = TopicCounts::default();
        for place in life.places.iter().filter(|(partition, _)| partition.topic == topic) {
            if run.ledger.fate(*place) == Fate::Aborted {
                counts.aborted += 1;
                continue;
            }
            counts.appended += 1;
            counts.committed += u32::from(run.ledger.log(place.0).is_some_and(|log| place.1 < log.committed));
        }
        counts
    });
    counts.collect()
}

/// By group and topic, where there are several along its ways.
fn by_group(run: &Run, life: &Life) -> Vec<(u32, u32)> {
    let flow = run.ledger.flow();
    let Some(partition) = life.partition.filter(|_| flow.readings().len() > 1) else { return Vec::new() };
    let on_its_way = flow.on_the_way(partition.topic).iter();
    on_its_way.map(|reading| (life.delivered.of(*reading), life.processed.of(*reading))).collect()
}

fn status(run: &Run, record: RecordId, life: &Life, marks: &Marks) -> RowStatus {
    if marks.acked_lost.contains(&record) {
        return RowStatus::AckedLost;
    }
    if marks.lost.contains(&record) {
        return if life.failed.is_some() { RowStatus::Refused } else { RowStatus::Lost };
    }
    let (fewest, most) = run.ledger.effects_of(life);
    if fewest == 0 && run.ledger.is_dead_lettered(life) {
        return RowStatus::DeadLettered;
    }
    if fewest == 0 && run.ledger.is_rejected(life) {
        return RowStatus::Rejected;
    }
    match () {
        () if life.is_aborted_read() => RowStatus::AbortedRead,
        () if most > 1 => RowStatus::Duplicated,
        () if life.is_withdrawn() => RowStatus::TakenBack,
        () if run.ledger.is_log_duplicated(life) => RowStatus::LogDuplicated,
        () if fewest > 0 => RowStatus::Once,
        () if life.delivered.sum() > life.processed.sum() => RowStatus::Processing,
        () if behind_lso(run, life) => RowStatus::BehindLso,
        () if !life.places.is_empty() => RowStatus::Stored,
        () if life.sent_at.is_some() => RowStatus::Sending,
        () => RowStatus::Waiting,
    }
}

/// Is it replicated, and yet no read_committed reader gets it, for a transaction is open there or before?
fn behind_lso(run: &Run, life: &Life) -> bool {
    let waits = |(partition, offset): &(TopicPartition, Offset)| {
        run.ledger
            .log(*partition)
            .is_some_and(|log| *offset < log.committed && log.first_open().is_some_and(|open| open <= *offset))
    };
    life.places.last().is_some_and(waits)
}

/// Settings that decide the claim: (key, value, node).
fn because(claim: &Claim) -> Vec<(Rc<str>, Rc<str>, Rc<str>)> {
    let setting = |key: &str, value: &str, node: &Rc<str>| (Rc::from(key), Rc::from(value), Rc::clone(node));
    let all = claim.why.iter().map(|reason| match reason {
        Reason::NoAcks(node) => setting("acks", "0", node),
        Reason::NoRetries(node) => setting("retries", "0", node),
        Reason::CommitsBeforeProcessing(node) => setting("commit", "before", node),
        Reason::NotIdempotent(node) => setting("enable.idempotence", "false", node),
        Reason::NotTransactional(node) => setting("transactional.id", "unset", node),
        Reason::ReadsUncommitted(node) => setting("isolation.level", "read_uncommitted", node),
        Reason::CommitsOutsideTransaction(node, how) => setting(how.0, how.1, node),
        Reason::InShareGroup(node) => setting("share", "true", node),
        Reason::Transactional => setting("transactional.id", "set", &Rc::from("")),
    });
    all.collect()
}

fn summary(verdict: &Verdict) -> LedgerSummary {
    let ids = |records: &[RecordId]| records.iter().map(|record| record.0).collect();
    LedgerSummary {
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
    }
}
