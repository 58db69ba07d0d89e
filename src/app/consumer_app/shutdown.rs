//! SIGTERM: the shutdown hook that people write for a consumer. It wakes `poll()` up; the loop ends when the batch at hand is
//! processed and committed, `close()` gives up the partitions (its rebalance listener is called) and leaves the group (a static
//! member stays in it), and the process exits. What a worker still has in its queue is lost, unless the listener waits for it.
//!
//! Departure: a listener that is giving partitions up when the signal comes ends undisturbed; `wakeup()` would end its
//! `commitSync()`.

use super::{ConsumerApp, Doing};
use crate::base::Time;
use crate::node::Outbox;

impl ConsumerApp {
    /// Ends the loop, at once if it is inside `poll()`.
    pub(super) fn stop(&mut self, now: Time, out: &mut Outbox<'_>) {
        let Some(running) = &mut self.running else { return out.exit() };
        running.stopping = true;
        match running.doing {
            Doing::Polling | Doing::Failed(_) if !running.listener.is_giving_up() => self.close(now, out),
            _ => {}
        }
    }

    /// An exception ended the loop: the program is inside `close()`, or out of it.
    pub(super) fn await_end(&mut self, now: Time, out: &mut Outbox<'_>) {
        let Some(running) = &mut self.running else { return };
        running.let_go(now, out);
        if running.stopping && !running.listener.is_giving_up() {
            self.close(now, out);
        }
    }

    /// The loop is over.
    pub(super) fn close(&mut self, now: Time, out: &mut Outbox<'_>) {
        let Some(running) = &mut self.running else { return };
        running.doing = Doing::Closing;
        running.client.close(now, out);
        self.await_close(now, out);
    }

    pub(super) fn await_close(&mut self, now: Time, out: &mut Outbox<'_>) {
        if let Some(running) = &mut self.running {
            running.let_go(now, out);
        }
        if self.running.as_ref().is_some_and(|running| running.client.is_closed()) {
            out.exit();
        }
    }
}
