//! `commitSync()`, and what the program does when it throws.

use super::{ConsumerApp, Doing, Running};
use crate::base::{Time, TopicPartition};
use crate::client::consumer::ConsumerRecord;
use crate::node::{ClientError, Event, Outbox};

impl ConsumerApp {
    pub(super) fn commit_after(&mut self, now: Time, out: &mut Outbox<'_>) {
        let Some(running) = &mut self.running else { return };
        (running.doing, running.owes_commit) = (Doing::CommittingAfter, false);
        running.client.commit_sync(now, out);
        self.await_commit(now, out);
    }

    pub(super) fn await_commit(&mut self, now: Time, out: &mut Outbox<'_>) {
        let Some(running) = &mut self.running else { return };
        match running.client.commit_sync_result(now) {
            None => {}
            // Its partitions are somebody else's, or may soon be: what it did comes again there. What it keeps, if the
            // rebalance is not over, it commits after it.
            // Of what is not yet processed it reads again what it keeps.
            Some(Err(error)) if is_rebalance(&error) => {
                let is_processed = running.doing == Doing::CommittingAfter;
                running.owes_commit = is_processed && is_in_progress(&error);
                out.emit(Event::ConsumerFailed { error });
                if !is_processed {
                    running.go_back(out);
                }
                running.batch.clear();
                self.poll(now, out);
            }
            Some(Err(error)) => running.fail(error, now, out),
            Some(Ok(())) if running.doing == Doing::CommittingBefore => self.begin_batch(now, out),
            Some(Ok(())) => self.poll(now, out),
        }
    }
}

impl Running {
    /// To where the batch at hand begins, of the partitions that are still its own.
    fn go_back(&mut self, out: &mut Outbox<'_>) {
        let Some(client) = self.client.plain_mut() else { return };
        let mut gone: Vec<TopicPartition> = Vec::new();
        for ConsumerRecord { partition, record, .. } in &self.batch {
            if !gone.contains(partition) && client.subscription().get(*partition).is_some() {
                client.seek(*partition, record.offset, out);
                gone.push(*partition);
            }
        }
    }
}

/// `commitSync()` says that the membership changed. Programs catch that and go on with `poll()`.
pub(in crate::app) fn is_rebalance(error: &ClientError) -> bool {
    is_in_progress(error) || is(error, "CommitFailedException")
}

/// It is changing: "you can first complete the rebalance by calling poll() and commit can be reconsidered afterwards".
fn is_in_progress(error: &ClientError) -> bool {
    is(error, "RebalanceInProgressException")
}

fn is(error: &ClientError, name: &str) -> bool {
    matches!(error, ClientError::Exception(text) if text.starts_with(name))
}
