//! `commitSync()`, and what the program does when it throws.

use super::{ConsumerApp, Doing};
use crate::base::Time;
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
            Some(Err(error)) if is_rebalance(&error) => {
                running.owes_commit = running.doing == Doing::CommittingAfter && is_in_progress(&error);
                out.emit(Event::ConsumerFailed { error });
                running.batch.clear();
                self.poll(now, out);
            }
            Some(Err(error)) => running.fail(error, now, out),
            Some(Ok(())) if running.doing == Doing::CommittingBefore => self.begin_batch(now, out),
            Some(Ok(())) => self.poll(now, out),
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
