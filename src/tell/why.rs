//! Why a record ended as it did, in one sentence, found in its story.
//!
//! Only what the events say is used; where they do not tell, nothing is claimed.

use super::i18n::Banner;
use super::lines::Line;
use super::words::records;
use crate::node::{Event, FaultMark};
use crate::protocol::StateBatch;
use crate::record::ControlRecord;
use crate::view::{ClusterView, LedgerRow, RowStatus};
use std::rc::Rc;

/// The reasons the page can name.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum Why {
    /// The answer to the first attempt never came; the record was sent again and appended again.
    SentAgain { offsets: Vec<i64>, error: &'static str },
    /// The same, with the producer id and sequence of the first attempt: the broker had forgotten the producer.
    Forgotten { offsets: Vec<i64>, error: &'static str },
    /// The program started again, and sent the record again.
    Restarted { offsets: Vec<i64> },
    /// A processor read it again, and wrote what came of it again.
    WrittenAgain { partition: Rc<str>, offsets: Vec<i64> },
    /// Read while its transaction was open, or aborted, and acted on.
    AbortedRead,
    /// Its program aborted the transaction, and yet the log says that it was committed.
    CommittedAnyway,
    /// Its producer aborted the transaction on purpose.
    TakenBack,
    /// One log entry was processed several times: the offset had not been committed.
    ReadAgain { offset: i64, times: usize },
    /// A share group had it delivered again: nobody had acknowledged it while it was locked.
    DeliveredAgain { times: usize },
    /// A share group had it delivered as often as it may, and nobody could process it.
    Exhausted { deliveries: i16 },
    /// A share consumer rejected it.
    Rejected,
    /// A member of a group processed it, and then whoever got its partition next: another one, or itself again.
    ReadElsewhere { first: String, second: String, how: Handover },
    /// Delivered, its offset committed, never processed.
    CommittedFirst,
    /// When its partition was read for the first time nobody had committed an offset, and reading began behind it.
    BeganBehind { partition: Rc<str>, position: i64 },
    /// A broker had it and cut it off.
    CutOff,
    /// It stands in an aborted transaction, and nowhere else.
    Undone,
    /// Acknowledged by brokers that are gone, before those that lead now had a copy.
    NotReplicated,
    /// Its log was too old or too large, or an administrator deleted it, before it was read.
    Deleted,
    /// Reported as sent although no broker had answered.
    NobodyAsked,
    /// The producer was told that it failed.
    ToldFailed { error: String },
    /// The broker knew the batch already.
    Recognised,
    /// Its transaction was aborted, and it was read again: what was written was taken back, the effects at the sink were not.
    EffectOutside { times: u32 },
    /// It was read and processed again, and the sink knew it.
    RefusedBySink { times: usize },
}

/// Why a partition went from one member to another before its offset was committed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Handover {
    /// It did not call `poll()` within `max.poll.interval.ms`, and left.
    TooSlow,
    /// It was silent for too long, and was thrown out.
    ThrownOut,
    /// Its process died.
    Died,
    /// A rebalance took it away.
    Rebalanced,
}

/// How records broke.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum Break {
    Lost,
    AbortedRead,
    Duplicated,
    LogDuplicated,
    Reordered,
}

/// The records that broke, the worst kind of break first: what was promised and is lost, then what happened and should not
/// have, then what is lost without a promise.
pub fn accused(view: &ClusterView) -> Option<(Break, &[u32])> {
    let it = &view.verdict.ledger;
    let promised: &[u32] = if it.acked_lost.is_empty() { &[] } else { &it.lost };
    [
        (Break::Lost, promised),
        (Break::AbortedRead, &it.aborted_read),
        (Break::Duplicated, &it.duplicated),
        (Break::LogDuplicated, &it.log_duplicated),
        (Break::Lost, &it.lost),
        (Break::Reordered, &it.reordered),
    ]
    .into_iter()
    .find(|(_, list)| !list.is_empty())
}

/// The most important thing to say.
pub fn banner(view: &ClusterView) -> Banner {
    let it = &view.verdict.ledger;
    let Some((how, list)) = accused(view) else {
        return if it.sent == 0 {
            Banner::Ready
        } else {
            Banner::Fine { processed: it.processed, finished: view.finished }
        };
    };
    let records = records(list);
    match how {
        Break::Lost => Banner::Lost { records, acked: it.acked_lost.len(), of: it.lost.len() },
        Break::AbortedRead => Banner::AbortedRead { records },
        Break::Duplicated => Banner::Duplicated { records },
        Break::LogDuplicated => Banner::LogDuplicated { records },
        Break::Reordered => Banner::Reordered { records },
    }
}

/// The reason of a record's fate, if its story (oldest first) tells one.
pub fn why(row: &LedgerRow, story: &[Line]) -> Option<Why> {
    match row.status {
        RowStatus::Duplicated if row.processed > 1 && row.aborted > 0 => {
            Some(Why::EffectOutside { times: row.processed })
        }
        RowStatus::Duplicated | RowStatus::LogDuplicated => appended_again(row, story).or_else(|| read_again(story)),
        RowStatus::AbortedRead if story.iter().any(commits) => Some(Why::CommittedAnyway),
        RowStatus::AbortedRead => Some(Why::AbortedRead),
        RowStatus::TakenBack => Some(Why::TakenBack),
        RowStatus::Rejected => Some(Why::Rejected),
        RowStatus::Lost | RowStatus::AckedLost => lost(row, story),
        RowStatus::Refused => told_failed(story),
        _ if story.iter().any(|line| matches!(line.event.event, Event::DuplicateIgnored { .. })) => {
            Some(Why::Recognised)
        }
        RowStatus::Once => {
            let times = story.iter().filter(|line| matches!(line.event.event, Event::SinkRefused { .. })).count();
            (times > 0).then_some(Why::RefusedBySink { times })
        }
        _ => None,
    }
}

/// Why it stands in one log twice, if it does.
fn appended_again(row: &LedgerRow, story: &[Line]) -> Option<Why> {
    let appends = || story.iter().filter(|line| matches!(line.event.event, Event::Appended { leader: true, .. }));
    let mut partitions: Vec<&Rc<str>> = appends().map(|line| &line.partition).collect();
    partitions.dedup();
    let (partition, offsets) = partitions.into_iter().find_map(|partition| {
        let offsets = offsets(row.record, appends().filter(|line| line.partition == *partition));
        (offsets.len() > 1).then_some((partition, offsets))
    })?;
    if row.partition.as_ref().is_some_and(|own| own != partition) {
        return Some(Why::WrittenAgain { partition: partition.clone(), offsets });
    }
    let sent =
        story.iter().filter(|line| matches!(line.event.event, Event::Sent { .. }) && line.partition == *partition);
    if sent.count() > 1 {
        return Some(Why::Restarted { offsets });
    }
    let error = retry_error(story).unwrap_or("");
    // What tells a broker that it has a batch already.
    let identity = |line: &Line| match &line.event.event {
        Event::Appended { batch, .. } => (batch.producer_id(), batch.producer_epoch(), batch.base_sequence()),
        _ => (-1, -1, -1),
    };
    let mut identities = appends().filter(|line| line.partition == *partition).map(identity);
    let first = identities.next().filter(|(producer_id, ..)| *producer_id >= 0);
    let same = first.is_some() && identities.any(|other| Some(other) == first);
    Some(if same { Why::Forgotten { offsets, error } } else { Why::SentAgain { offsets, error } })
}

/// A marker that lets its transaction hold.
fn commits(line: &Line) -> bool {
    let Event::Appended { leader: true, batch, .. } = &line.event.event else { return false };
    matches!(ControlRecord::of_batch(batch), Ok(Some(ControlRecord::Commit { .. })))
}

fn offsets<'a>(record: u32, appends: impl Iterator<Item = &'a Line>) -> Vec<i64> {
    let mut found = Vec::new();
    for line in appends {
        if let Event::Appended { batch, .. } = &line.event.event {
            let place = line.records.iter().position(|it| *it == record).unwrap_or(0);
            let offset = batch.base_offset() + i64::try_from(place).unwrap_or(0);
            if !batch.is_control() && !found.contains(&offset) {
                found.push(offset);
            }
        }
    }
    found
}

fn retry_error(story: &[Line]) -> Option<&'static str> {
    story.iter().find_map(|line| match &line.event.event {
        Event::Retry { error, .. } => Some(error.name()),
        _ => None,
    })
}

fn read_again(story: &[Line]) -> Option<Why> {
    let done = |line: &Line| match line.event.event {
        Event::Processed { offset, .. } => Some(offset),
        _ => None,
    };
    let first = story.iter().position(|line| done(line).is_some())?;
    let offset = done(&story[first])?;
    let again = story[first + 1..].iter().position(|line| done(line) == Some(offset));
    let second = &story[first + 1 + again?];
    let of_share_group =
        |event: &Event| matches!(event, Event::RecordsAcknowledged { .. } | Event::AcquisitionLockExpired { .. });
    if story.iter().any(|line| of_share_group(&line.event.event)) {
        let times = story.iter().filter(|line| done(line) == Some(offset)).count();
        return Some(Why::DeliveredAgain { times });
    }
    let (one, other) = (story[first].event.node, second.event.node);
    // What happened to the first until the second was done: it may learn of its end after that.
    let until = second.event.at_us;
    let turns = || story.iter().filter(move |line| line.event.node == one && line.event.at_us <= until);
    let has = |wanted: fn(&Event) -> bool| turns().any(|line| wanted(&line.event.event));
    let late = |event: &Event| matches!(event, Event::MemberLeft { reason, .. } if reason.contains("poll timeout"));
    let how = match () {
        () if has(|event| matches!(event, Event::Fault(FaultMark::Crashed | FaultMark::PowerLost))) => Handover::Died,
        () if has(late) => Handover::TooSlow,
        () if has(|event| matches!(event, Event::PartitionsRevoked { .. } | Event::MemberLeft { .. })) => {
            Handover::Rebalanced
        }
        () => Handover::ThrownOut,
    };
    let thrown_out = has(|event| matches!(event, Event::PartitionsLost { .. }));
    let came_back =
        matches!(how, Handover::TooSlow | Handover::Rebalanced) || (how == Handover::ThrownOut && thrown_out);
    if one != other || came_back {
        return Some(Why::ReadElsewhere { first: story[first].name(one), second: second.name(other), how });
    }
    let times = story.iter().filter(|line| done(line) == Some(offset)).count();
    (times > 1).then_some(Why::ReadAgain { offset, times })
}

/// After how many deliveries a share group gave it up.
fn archived(event: &Event) -> Option<i16> {
    let (Event::RecordsAcknowledged { batches, .. } | Event::AcquisitionLockExpired { batches, .. }) = event else {
        return None;
    };
    batches.iter().find(|batch| batch.delivery_state == StateBatch::ARCHIVED).map(|batch| batch.delivery_count)
}

fn lost(row: &LedgerRow, story: &[Line]) -> Option<Why> {
    let has = |wanted: fn(&Event) -> bool| story.iter().any(|line| wanted(&line.event.event));
    if has(|event| matches!(event, Event::Truncated { .. })) {
        return Some(Why::CutOff);
    }
    if row.aborted > 0 && row.aborted == row.appended {
        return Some(Why::Undone);
    }
    if has(|event| matches!(event, Event::LogStartMoved { .. })) {
        return Some(Why::Deleted);
    }
    if has(|event| matches!(event, Event::Acked { offset: -1, .. }))
        && !has(|event| matches!(event, Event::Appended { .. }))
    {
        return Some(Why::NobodyAsked);
    }
    if let Some(deliveries) = story.iter().find_map(|line| archived(&line.event.event)) {
        return Some(Why::Exhausted { deliveries });
    }
    // Of several groups one may have processed it: it is lost to whoever got it and did not.
    let processed_by =
        |node| story.iter().any(|it| it.event.node == node && matches!(it.event.event, Event::Processed { .. }));
    let mut got = story.iter().filter(|line| matches!(line.event.event, Event::Delivered { .. }));
    if got.any(|line| !processed_by(line.event.node)) {
        return Some(Why::CommittedFirst);
    }
    // Not from a commit: nobody had read there.
    let began = story.iter().find(|line| matches!(line.event.event, Event::PositionSet { from_commit: false, .. }));
    if let Some((line, Event::PositionSet { offset, .. })) = began.map(|line| (line, &line.event.event))
        && !has(|event| matches!(event, Event::Delivered { .. }))
    {
        return Some(Why::BeganBehind { partition: line.partition.clone(), position: *offset });
    }
    if row.appended == 0
        && has(|event| matches!(event, Event::Acked { .. }))
        && has(|event| matches!(event, Event::Appended { leader: true, .. }))
        && !has(|event| matches!(event, Event::Delivered { .. }))
    {
        return Some(Why::NotReplicated);
    }
    told_failed(story)
}

fn told_failed(story: &[Line]) -> Option<Why> {
    story.iter().find_map(|line| match &line.event.event {
        Event::SendFailed { error, .. } => Some(Why::ToldFailed { error: error.name().to_owned() }),
        _ => None,
    })
}
