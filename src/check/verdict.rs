//! The verdict: what the ledger shows, against what the settings claim.

use super::claim::{Claim, Guarantee};
use super::ledger::Ledger;
use super::life::Life;
use super::picture::Fate;
use crate::base::{NodeId, RecordId, SortedMap, SortedSet, TopicPartition};

/// What was claimed, what was seen, and the records that made the difference.
///
/// The effect of a record is what happened at the ends of its ways: at the sinks of the groups that read its topic, or the topics
/// to which processors sent it on; in the log of a topic that nobody reads. Sinks of processors are ends of their own.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Verdict {
    /// What the settings claim.
    pub claimed: Guarantee,
    /// What happened: nothing lost, nothing duplicated and nothing undone that happened all the same is exactly once, and so on.
    pub observed: Guarantee,
    /// Whether the claim was kept. At most once: nothing duplicated. At least once: no record lost that its producer
    /// was told is stored; one that it was told is refused is no broken promise, since the program can send it again. Exactly
    /// once: neither, and nothing processed that was aborted.
    pub holds: bool,
    /// Records sent.
    pub sent: u64,
    /// Records reported as stored (with `acks=0` that is each that was sent).
    pub acked: u64,
    /// Records in the leaders' logs, repetitions counted.
    pub appended: u64,
    /// Those of them that are committed (the high watermark passed them).
    pub committed: u64,
    /// Those of them whose transaction was aborted.
    pub aborted: u64,
    /// Those of them whose transaction is open.
    pub open: u64,
    /// Records that consumers got, repetitions counted.
    pub delivered: u64,
    /// Effects, repetitions counted.
    pub processed: u64,
    /// Sent, and their effect never happened. A record that was compacted away is not: a newer one stood for it; nor one whose
    /// transaction was aborted on purpose.
    pub lost: Vec<RecordId>,
    /// Those of them that the producer was told are stored.
    pub acked_lost: Vec<RecordId>,
    /// Their effect happened more than once.
    pub duplicated: Vec<RecordId>,
    /// They stand in a topic more than once, what was aborted not counted.
    pub log_duplicated: Vec<RecordId>,
    /// Their effect came before that of an earlier record of the same producer and partition.
    pub reordered: Vec<RecordId>,
    /// Of an aborted transaction, yet processed.
    pub aborted_read: Vec<RecordId>,
    /// Their effect never happened, but they are not lost: a consumer gave them up and put them into its dead letter topic.
    pub dead_lettered: Vec<RecordId>,
    /// Their effect never happened, but they are not lost: a share consumer rejected them.
    pub rejected: Vec<RecordId>,
    /// Those of the lost that a share group gave up because it had them delivered too often.
    pub exhausted: Vec<RecordId>,
}

impl Ledger {
    /// The verdict. While the run has not `ended`, only those records count as lost which their producer has done with
    /// and which stand in no log: the others may still arrive.
    pub fn verdict(&self, claim: &Claim, ended: bool) -> Verdict {
        let mut verdict = Verdict {
            claimed: claim.guarantee,
            observed: Guarantee::ExactlyOnce,
            holds: true,
            sent: 0,
            acked: 0,
            appended: 0,
            committed: 0,
            aborted: 0,
            open: 0,
            delivered: 0,
            processed: 0,
            lost: Vec::new(),
            acked_lost: Vec::new(),
            duplicated: Vec::new(),
            log_duplicated: Vec::new(),
            reordered: self.reordered(),
            aborted_read: Vec::new(),
            dead_lettered: Vec::new(),
            rejected: Vec::new(),
            exhausted: Vec::new(),
        };
        for (record, life) in self.lives() {
            self.count(&mut verdict, life);
            self.judge(&mut verdict, record, life, ended);
        }
        // What was undone and happened all the same happened once too often.
        let none_too_often = verdict.duplicated.is_empty() && verdict.aborted_read.is_empty();
        verdict.observed = match (verdict.lost.is_empty(), none_too_often) {
            (true, true) => Guarantee::ExactlyOnce,
            (true, false) => Guarantee::AtLeastOnce,
            (false, true) => Guarantee::AtMostOnce,
            (false, false) => Guarantee::None,
        };
        verdict.holds = match verdict.claimed {
            Guarantee::None => true,
            Guarantee::AtMostOnce => verdict.duplicated.is_empty(),
            Guarantee::AtLeastOnce => verdict.acked_lost.is_empty(),
            Guarantee::ExactlyOnce => {
                verdict.acked_lost.is_empty() && verdict.duplicated.is_empty() && verdict.aborted_read.is_empty()
            }
        };
        verdict
    }

    fn count(&self, verdict: &mut Verdict, life: &Life) {
        let is_committed = |(partition, offset): &&(TopicPartition, i64)| {
            self.log(*partition).is_some_and(|log| *offset < log.committed)
        };
        verdict.sent += u64::from(life.sent_at.is_some());
        verdict.acked += u64::from(life.acked.is_some());
        verdict.appended += life.places.len() as u64;
        verdict.committed += life.places.iter().filter(is_committed).count() as u64;
        verdict.delivered += u64::from(life.delivered.sum());
        verdict.processed += u64::from(self.processed(life));
        for place in &life.places {
            match self.fate(*place) {
                Fate::Aborted => verdict.aborted += 1,
                Fate::Open => verdict.open += 1,
                Fate::Plain | Fate::Committed => {}
            }
        }
    }

    fn judge(&self, verdict: &mut Verdict, record: RecordId, life: &Life, ended: bool) {
        let (fewest, most) = self.effects_of(life);
        let wanted = life.sent_at.is_some() && !life.is_superseded() && !life.is_withdrawn();
        if wanted && fewest == 0 && self.is_dead_lettered(life) {
            verdict.dead_lettered.push(record);
        } else if wanted && fewest == 0 && self.is_rejected(life) {
            verdict.rejected.push(record);
        } else if wanted && fewest == 0 && (ended || is_given_up(life) || self.is_exhausted(life)) {
            verdict.lost.push(record);
            if self.is_exhausted(life) {
                verdict.exhausted.push(record);
            }
            if life.is_promised() {
                verdict.acked_lost.push(record);
            }
        }
        if most > 1 {
            verdict.duplicated.push(record);
        }
        if self.is_log_duplicated(life) {
            verdict.log_duplicated.push(record);
        }
        if life.is_aborted_read() {
            verdict.aborted_read.push(record);
        }
    }

    /// Records whose first effect came before that of an earlier one of the same producer and partition. Further down its way
    /// a record is compared with those of its first partition that stand in the same partition there, too.
    fn reordered(&self) -> Vec<RecordId> {
        let mut found = SortedSet::new();
        // From the last effect to the first: the earliest record that came later.
        let mut earliest: SortedMap<(u16, TopicPartition, TopicPartition, NodeId), RecordId> = SortedMap::new();
        let mut look = |reading: u16, there: Option<TopicPartition>, record: RecordId| {
            let Some((partition, producer)) = self.life(record).and_then(|life| life.partition.zip(life.producer))
            else {
                return;
            };
            let there = there.unwrap_or(partition);
            let later = earliest.entry((reading, there, partition, producer)).or_insert(record);
            if *later < record {
                found.insert(record);
            }
            *later = record.min(*later);
        };
        for (reading, record) in self.effects().iter().rev() {
            let topic = self.flow().readings().get(usize::from(*reading)).map(|reading| reading.topic);
            let life = self.life(*record).filter(|life| life.partition.map(|partition| partition.topic) != topic);
            let Some(life) = life else {
                look(*reading, None, *record);
                continue;
            };
            let mut places = life.places.iter().map(|(partition, _)| *partition);
            if let Some(there) = places.find(|partition| Some(partition.topic) == topic) {
                look(*reading, Some(there), *record);
            }
        }
        for (partition, record) in self.unread().into_iter().rev() {
            look(u16::MAX, Some(partition), record);
        }
        found.into_iter().collect()
    }

    /// The records of topics that nobody reads, where and in the order in which they first stand in their logs.
    fn unread(&self) -> Vec<(TopicPartition, RecordId)> {
        let mut firsts = Vec::new();
        for (partition, log) in self.logs() {
            if self.readers().iter().any(|readers| readers.topics.contains(&partition.topic)) {
                continue;
            }
            let mut seen = SortedSet::new();
            for entry in log.entries.iter().filter(|entry| entry.fate.holds()) {
                if seen.insert(entry.record) {
                    firsts.push((partition, entry.record));
                }
            }
        }
        firsts
    }
}

/// Its producer has done with it, and it is not there. With `acks=0` the producer has done with it before it is sent.
fn is_given_up(life: &Life) -> bool {
    let acked = life.acked.is_some_and(|ack| ack.offset >= 0);
    (acked || life.failed.is_some()) && life.places.is_empty()
}
