//! RENEW (KIP-1222): a handler may take longer than its records are locked for.
//!
//! As it works on them, the program acknowledges every so often whatever it has and has not finished with RENEW, calls
//! `commitSync()`, and polls, which brings the same records again. What does not come back is somebody else's by now: the program
//! ends what it is at, and says nothing of it any more. (`poll()` alone would send the renewals, too, but would fetch more: records
//! that wait in the buffer are locked, and nobody can renew them.)
//!
//! Invariant: between the renewal and the records' return nothing is acknowledged; a handler that ends in that time has to wait.
//! Departure: the handler works on although the thread polls, as if it had a thread of its own.

use super::{ConsumerApp, Doing, Running, in_hand};
use crate::base::{Offset, Time, TopicPartition};
use crate::client::consumer::{ConsumerRecord, Polled};
use crate::node::{LoopTimer, Outbox, Timer};
use crate::protocol::AcknowledgeType;

/// How far it is with that.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Renewing {
    under_way: bool,
    /// The handler has ended meanwhile: so its records are to be acknowledged.
    ended: Option<AcknowledgeType>,
    /// What it works on and has lost.
    lost: Vec<(TopicPartition, Offset)>,
}

impl Renewing {
    /// The records have not come back.
    pub fn is_under_way(&self) -> bool {
        self.under_way
    }

    /// Nothing can be acknowledged yet: it will be when the records are back.
    pub fn defers(&mut self, kind: AcknowledgeType) -> bool {
        if self.under_way {
            self.ended = Some(kind);
        }
        self.under_way
    }

    /// It may be acknowledged.
    pub fn holds(&self, record: &ConsumerRecord) -> bool {
        !self.lost.contains(&place(record))
    }

    /// Another record's turn.
    pub fn next(&mut self) {
        self.lost.clear();
    }
}

fn place(record: &ConsumerRecord) -> (TopicPartition, Offset) {
    (record.partition, record.record.offset)
}

impl ConsumerApp {
    /// Begins to count.
    pub(super) fn renew_later(&self, now: Time, out: &mut Outbox<'_>) {
        if let Some(every) = self.setup.renew_every {
            out.set_timer(Timer::Loop(LoopTimer::Renew), now + every);
        }
    }

    /// It is time.
    pub(super) fn renew(&mut self, now: Time, out: &mut Outbox<'_>) {
        let Some(running) = &mut self.running else { return };
        if !matches!(running.doing, Doing::Processing(_)) {
            return;
        }
        let Running { client, batch, renewing, .. } = running;
        if !renewing.under_way {
            let held = batch.iter().filter(|record| renewing.holds(record));
            if let Err(error) = client.acknowledge(held, AcknowledgeType::Renew, out) {
                return running.fail(error, now, out);
            }
            renewing.under_way = true;
            client.commit_sync(now, out);
        }
        self.renew_later(now, out);
        self.await_renewed(now, out);
    }

    /// Waits for `commitSync()`; then the records are back.
    pub(super) fn await_renewed(&mut self, now: Time, out: &mut Outbox<'_>) {
        let Some(running) = &mut self.running else { return };
        if running.client.commit_sync_result(now).is_none() {
            return;
        }
        let polled = running.client.is_renewing().then(|| running.client.poll(now, out));
        let records = match polled {
            Some(Polled::Records(records)) => records,
            Some(Polled::Failed(error)) => return running.fail(error, now, out),
            // All are lost.
            Some(Polled::Waiting) | None => Vec::new(),
        };
        running.renewing.under_way = false;
        let is_back = |record: &ConsumerRecord| records.iter().any(|it| place(it) == place(record));
        let at_work = in_hand(&self.setup, &running.batch, &running.worker).count();
        let (begun, waiting) = (running.batch.iter().take(at_work), running.batch.iter().skip(at_work));
        running.renewing.lost = begun.clone().filter(|record| !is_back(record)).map(place).collect();
        let kept: Vec<ConsumerRecord> = begun.chain(waiting.filter(|record| is_back(record))).cloned().collect();
        let news = records.iter().filter(|record| !kept.iter().any(|it| place(it) == place(record)));
        running.batch = kept.iter().chain(news).cloned().collect();
        if let Some(kind) = running.renewing.ended.take() {
            self.end_record(kind, now, out);
        }
    }
}
